
// Zooms the timeline and reads out its points. The page is complete without it.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const MINUTE = 60e3, HOUR = 3600e3, DAY = 864e5;
  const STEPS = [
    MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
    DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 182 * DAY, 365 * DAY, 1826 * DAY,
  ];

  const within = (value, low, high) => Math.min(high, Math.max(low, value));
  const made = (tag, attributes, text = "") => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  };

  const tickText = (time, previous, step) => {
    const text = new Date(time).toISOString();
    const before = previous === null ? "" : new Date(previous).toISOString();
    if (step >= DAY) return before.slice(0, 4) === text.slice(0, 4) ? text.slice(5, 10) : text.slice(0, 10);
    return before.slice(0, 10) === text.slice(0, 10) ? text.slice(11, 16) : text.slice(5, 10) + " " + text.slice(11, 16);
  };

  class Picture {
    constructor(svg) {
      const { left, right, start, end, top, bottom } = svg.dataset;
      Object.assign(this, { svg, left: +left, right: +right, start: +start, end: +end, top: +top, bottom: +bottom });
      this.stretched = svg.querySelectorAll(".stretch");
      this.placed = [...svg.querySelectorAll(".at")];
      this.ticks = svg.querySelector(".ticks");
      this.drawn = this.ticks.cloneNode(true);
      this.cursor = svg.appendChild(made("path", { class: "cursor", visibility: "hidden" }));
      this.selection = svg.appendChild(made("rect", { class: "selection", visibility: "hidden" }));
    }

    place(time, [low, high]) {
      return this.left + ((time - low) / (high - low)) * (this.right - this.left);
    }

    time(clientX, [low, high]) {
      const box = this.svg.getBoundingClientRect();
      const x = ((clientX - box.left) / box.width) * this.svg.viewBox.baseVal.width;
      return low + within((x - this.left) / (this.right - this.left), 0, 1) * (high - low);
    }

    show(range) {
      const k = (this.end - this.start) / (range[1] - range[0]);
      const shift = this.place(this.start, range) - k * this.left;
      const moved = (x) => k * x + shift;
      for (const group of this.stretched) group.setAttribute("transform", `matrix(${k} 0 0 1 ${shift} 0)`);
      for (const group of this.placed) {
        const x = moved(+group.dataset.x);
        const until = group.dataset.until === undefined ? x : moved(+group.dataset.until);
        const seen = until >= this.left - 0.5 && x <= this.right + 0.5 && (until === x || until - this.left > 40);
        group.setAttribute("visibility", seen ? "visible" : "hidden");
        group.setAttribute("transform", `translate(${until === x ? x : Math.max(x, this.left)} ${group.dataset.y ?? 0})`);
      }
      this.draw(range, k === 1);
    }

    draw(range, whole) {
      if (whole) {
        this.ticks.replaceChildren(...this.drawn.cloneNode(true).childNodes);
        return;
      }
      this.ticks.replaceChildren();
      const most = Math.max(2, Math.floor((this.right - this.left) / 110));
      const step = STEPS.find((size) => (range[1] - range[0]) / size <= most) ?? STEPS.at(-1);
      let previous = null;
      for (let time = Math.ceil(range[0] / step) * step; time <= range[1]; time += step) {
        const x = this.place(time, range);
        this.ticks.append(made("path", { class: "stroke", d: `M${x} ${this.bottom}v5` }));
        if (x < this.right - 20) {
          const label = made("text", { class: "tick middle", x, y: this.bottom + 19 }, tickText(time, previous, step));
          this.ticks.append(label);
        }
        previous = time;
      }
    }

    point(time, range) {
      const x = this.place(time, range);
      const hidden = time === null || x < this.left || x > this.right;
      this.cursor.setAttribute("visibility", hidden ? "hidden" : "visible");
      if (!hidden) this.cursor.setAttribute("d", `M${x} ${this.top}V${this.bottom}`);
    }

    select(from, to, range) {
      const [a, b] = [this.place(from, range), this.place(to, range)];
      const box = { x: Math.min(a, b), width: Math.abs(b - a), y: this.top, height: this.bottom - this.top };
      for (const [name, value] of Object.entries(box)) this.selection.setAttribute(name, value);
      this.selection.setAttribute("visibility", from === to ? "hidden" : "visible");
    }
  }

  const enliven = (figure) => {
    const pictures = [...figure.querySelectorAll("svg.timeline")].map((svg) => new Picture(svg));
    const canvas = figure.querySelector(".canvas");
    const readout = figure.querySelector(".readout");
    const rows = [...document.querySelectorAll("[data-series] tbody tr")];
    const times = rows.map((row) => +row.dataset.at);
    const half = times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) / 2 : 0;
    const { start, end } = pictures[0];
    const least = Math.min(end - start, Math.max(MINUTE, 4 * half));
    let range = [start, end];
    let current = null;

    const zoom = (low, high) => {
      const span = within(high - low, least, end - start);
      const from = within((low + high - span) / 2, start, end - span);
      range = [from, from + span];
      for (const picture of pictures) picture.show(range);
      read(current);
    };
    const scale = (factor) => {
      const middle = (range[0] + range[1]) / 2, reach = ((range[1] - range[0]) / 2) * factor;
      zoom(middle - reach, middle + reach);
    };
    const pan = (share) => {
      const span = range[1] - range[0];
      const from = within(range[0] + share * span, start, end - span);
      zoom(from, from + span);
    };
    const read = (index) => {
      current = index;
      const [time, value, limits, n] = index === null ? [] : [...rows[index].cells].map((cell) => cell.textContent);
      readout.textContent = index === null ? "" : `${time} UTC: ${value}, 95 % interval ${limits}, n = ${n}`;
      for (const picture of pictures) picture.point(index === null ? null : times[index] + half, range);
    };
    const nearest = (time) => {
      let best = null;
      times.forEach((at, i) => {
        if (best === null || Math.abs(at + half - time) < Math.abs(times[best] + half - time)) best = i;
      });
      return best;
    };

    const acts = { in: () => scale(0.5), out: () => scale(2), reset: () => zoom(start, end) };
    for (const button of figure.querySelectorAll("[data-do]")) button.addEventListener("click", acts[button.dataset.do]);
    const keys = {
      "+": acts.in, "=": acts.in, "-": acts.out, "0": acts.reset, Escape: acts.reset,
      ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25),
    };
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "group");
    canvas.setAttribute("aria-label", "Timeline; plus and minus zoom, arrows move, zero resets");
    canvas.addEventListener("keydown", (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
      if (act) { event.preventDefault(); act(); }
    });

    let held = null;
    const timeAt = (event) => {
      const shown = pictures.find((picture) => picture.svg.getBoundingClientRect().width > 0);
      return shown.time(event.clientX, range);
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held = timeAt(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      read(nearest(timeAt(event)));
      if (held !== null) for (const picture of pictures) picture.select(held, timeAt(event), range);
    });
    const release = (event) => {
      if (held === null) return;
      const [low, high] = [held, timeAt(event)].sort((a, b) => a - b);
      for (const picture of pictures) picture.select(0, 0, range);
      held = null;
      if (event.type === "pointerup" && (high - low) / (range[1] - range[0]) > 0.01) zoom(low, high);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => { if (held === null) read(null); });
    figure.querySelector(".zoom").hidden = false;
  };

  document.querySelectorAll("[data-timeline]").forEach(enliven);

  const closed = [];
  addEventListener("beforeprint", () => {
    closed.push(...document.querySelectorAll("details:not([open])"));
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of closed.splice(0)) details.open = false;
  });
})();
