"""Makes a case: requests pass the stages of serving, faults act on those they hit, and all is written to a folder."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from mortis.lab.bases import BASES, Base, Service, service_of
from mortis.lab.course import Course, course_of, peaks_of
from mortis.lab.kinds.choosing import years_after
from mortis.lab.kinds.kind import STAGES, Planted, Severity
from mortis.lab.measuring import measured, usual_spread, worse_by
from mortis.lab.plots import Plot, Script, Unseen, plot_of
from mortis.lab.traffic import DAY, Bools, Floats, Stretch, Traffic, in_scope, joined, texts
from mortis.problems import InputProblem, listed

FEWEST_SPREADS = 4.0
"""A fault counts as a failure where the metric falls by so many of its usual spreads."""
LEAST_FALL, LEAST_PART = 0.03, 0.06
"""And by so much, or such a part of its usual figure where that is less: people wouldn't look at a smaller fall."""

LEAST_SHARE = 0.15
"""Of several faults each has to bring about this part of the fall at least."""

ATTEMPTS = 8
AMPLIFIED = timedelta(days=2)
"""How long after a fault's onset something sends more of the traffic where it is."""

SEVERITIES: tuple[Severity, ...] = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Acting:
    """A fault, when it is there, and figures (n,) in 0..1 for each request: hit where the strength is more."""

    fault: Planted
    course: Course
    luck: Floats

    def hits(self, traffic: Traffic) -> Bools:
        """Which requests (n,) it hits."""
        strength = self.course.strength(traffic.at) * self.fault.share
        return in_scope(traffic, self.fault.scope) & (self.luck[traffic.row] < strength)


@dataclass(frozen=True, slots=True, eq=False)
class Incident:
    """A script played on a service: the requests as answered, and what they would have been without the faults.

    `plain` is the service whose models learned before the fault, `service` the one that answers.
    """

    plot: Plot
    plain: Service
    service: Service
    script: Script
    stretch: Stretch
    metric: str
    acting: tuple[Acting, ...]
    widening: tuple[Acting, ...]
    asked: Traffic
    traffic: Traffic
    healthy: Traffic
    seed: int
    severity: Severity

    @property
    def onset(self) -> datetime:
        """When the first fault begins; the incident window's beginning where there is none."""
        return min((one.course.onset for one in self.acting), default=self.stretch.incident)

    def served_since(self, traffic: Traffic) -> Traffic:
        """The incident window's requests since the onset."""
        return traffic.take(traffic.at >= max(self.onset, self.stretch.incident).timestamp())

    def before(self, traffic: Traffic) -> Traffic:
        """The baseline's requests."""
        return traffic.take(self.stretch.holds(traffic.at) & (traffic.at < self.stretch.incident.timestamp()))

    def known(self, traffic: Traffic) -> Traffic:
        """The requests with the labels that had come when somebody looked at it, the others NaN."""
        return replace(traffic, label=np.where(traffic.labelled <= self.noticed.timestamp(), traffic.label, np.nan))

    @property
    def fall(self) -> float:
        """By how much the metric is worse than it would have been, in its own unit, as far as labels are known."""
        with_faults, without = (
            measured(self.served_since(self.known(one)), self.service.base, self.metric)
            for one in (self.traffic, self.healthy)
        )
        return worse_by(self.metric, without, with_faults)

    @property
    def noticed(self) -> datetime:
        """When somebody looks at it."""
        waits = (one.fault.wait for one in self.acting if one.fault.wait is not None)
        return self.stretch.end + next(waits, self.service.base.wait)


def played(plot: str, base: str, seed: int, *, severity: Severity | None = None) -> Incident:
    """An incident: the same plot, base, seed and severity give the same one.

    Particulars are drawn anew, and harsher, until the fault is one that can be seen in the metric. Raises InputProblem
    where plot or base is unknown, they don't go together, or no draw could be seen.
    """
    service = service_of(base)
    chosen = _plot(plot, service)
    stream = np.random.default_rng([seed, *hashlib.sha256(f"{plot}/{base}".encode()).digest()[:8]])
    wanted: Severity = severity or SEVERITIES[int(stream.integers(3))]
    for attempt in range(ATTEMPTS):
        rng = stream.spawn(1)[0]
        incident = _once(chosen, service, seed, _harsher(wanted, attempt), rng)
        if _is_seen(incident, rng):
            return incident
    raise Unseen(f"lab: {plot} on {base} with seed {seed} can't be seen in {service.base.metric}; take another seed")


def _harsher(severity: Severity, attempt: int) -> Severity:
    return SEVERITIES[min(severity - 1 + attempt // 3, 2)]


def _plot(name: str, service: Service) -> Plot:
    plot = plot_of(name)
    if not plot.suits(service.base):
        fitting = [one.name for one in BASES.values() if plot.suits(one)]
        raise InputProblem(f"{name} can't be put into {service.base.name}; it can into: {listed(fitting)}")
    return plot


def _once(plot: Plot, service: Service, seed: int, severity: Severity, rng: np.random.Generator) -> Incident:
    """The script drawn once and played, with and without its faults."""
    for_script, for_draw, for_times = rng.spawn(3)
    script = plot.script(service, for_script, severity)
    for one in script.faults:
        service = service.with_models(one.models)
    base = service.base
    reaches_back = any(one.year_before for one in script.faults)
    starts = years_after(base) if reaches_back else base.starts
    stretch = Stretch(starts[int(for_times.integers(len(starts)))])
    drawn = base.draw(stretch, for_draw)
    if reaches_back:
        drawn = joined(_of_year_before(base, stretch, for_draw), drawn)
    asked = _answerable(drawn, service, script, stretch, for_draw)
    acting = tuple(_acting(one, stretch, _luck(asked, base, for_times), for_times) for one in script.faults)
    metric = next((one.metric for one in script.faults if one.metric), base.metric)
    with_faults = next((one.trained(service) for one in script.faults if one.trained), service)
    widening = _widening(script, acting, for_times)
    traffic = serve(asked, with_faults, (*widening, *acting), seed)
    healthy = serve(asked, service, (), seed)
    return Incident(
        plot, service, with_faults, script, stretch, metric, acting, widening, asked, traffic, healthy, seed, severity
    )


def _widening(script: Script, acting: Sequence[Acting], rng: np.random.Generator) -> tuple[Acting, ...]:
    """What sends more of the traffic where the first fault is, some days after its onset; nothing in most scripts."""
    if script.amplifier is None:
        return ()
    luck = rng.random(len(acting[0].luck))
    return (Acting(script.amplifier, Course(acting[0].course.onset + AMPLIFIED), luck),)


def _of_year_before(base: Base, stretch: Stretch, rng: np.random.Generator) -> Traffic:
    """The same weeks of the year before, with ids that no later request has."""
    earlier = base.draw(stretch.year_before(), rng)
    ids = texts(np.char.add(earlier.ids.astype(str), f"-{stretch.year_before().start.year}"))
    return replace(earlier, ids=ids)


def _answerable(
    drawn: Traffic, service: Service, script: Script, stretch: Stretch, rng: np.random.Generator
) -> Traffic:
    """Requests as they are asked, with all that serving fills in; a script's noise makes outcomes vary by day."""
    n = len(drawn)
    latency = service.base.latency_ms * rng.lognormal(0, 0.35, n)
    traffic = replace(
        drawn,
        served=dict(drawn.columns),
        version=texts(np.full(n, service.current)),
        served_by=texts(np.full(n, service.current)),
        latency_ms=np.round(latency, 2),
        row=np.arange(n),
    )
    if script.noise > 1:
        return _by_lot(traffic, np.clip(rng.gamma(1.5, 0.02 * (script.noise - 1), stretch.days), 0, 0.5), rng)
    return _by_lot(traffic, _blips(stretch, script.blips, rng), rng) if script.blips else traffic


def _blips(stretch: Stretch, n: int, rng: np.random.Generator) -> Floats:
    """The part of the outcomes (days,) lost to chance: on n days of the baseline, and on one of the incident's."""
    share = np.zeros(stretch.days)
    share[rng.choice(stretch.before, n, replace=False)] = rng.uniform(0.3, 0.5, n)
    share[stretch.before + rng.integers(stretch.during)] = rng.uniform(0.3, 0.45)
    return share


def _by_lot(traffic: Traffic, share: Floats, rng: np.random.Generator) -> Traffic:
    """On each day a part (days,) of the outcomes is as good as drawn by lot."""
    day = traffic.at // DAY - traffic.at[0] // DAY
    lost = rng.random(len(traffic)) < share[day]
    label = np.where(lost, rng.permutation(traffic.label), traffic.label)
    return replace(traffic, y=label, label=label)


def _acting(fault: Planted, stretch: Stretch, luck: Floats, rng: np.random.Generator) -> Acting:
    """A fault with its time: within the incident window's first week, or from the first day on."""
    shape = fault.shapes[int(rng.integers(len(fault.shapes)))]
    hours = int(rng.integers(0, stretch.during * 24 // 2))
    onset = stretch.start if fault.whole_stretch else stretch.incident + timedelta(hours=hours)
    if fault.peaks:
        return Acting(fault, peaks_of(onset), luck)
    return Acting(fault, course_of(onset, shape, rng), luck)


def _luck(asked: Traffic, base: Base, rng: np.random.Generator) -> Floats:
    """A figure (n,) in 0..1 for each request; those of one query share it."""
    luck = rng.random(len(asked))
    if not base.group:
        return luck
    _, first, query = np.unique(asked.columns[base.group].astype(str), return_index=True, return_inverse=True)
    return luck[first[query]]


def serve(asked: Traffic, service: Service, acting: Sequence[Acting], seed: int) -> Traffic:
    """The requests with their answers, records and labels, as they pass the stages one after another.

    What a fault draws at a stage is the same whichever others act beside it: only what these do differs without them.
    """
    traffic = asked
    for place, stage in enumerate(STAGES):
        if stage == "served":
            traffic = replace(traffic, served=dict(traffic.columns))
        if stage == "scored":
            traffic = _scored(traffic, service)
        if stage == "decided":
            traffic = replace(traffic, prediction=service.decided(traffic.score))
        for one in acting:
            step = one.fault.steps.get(stage)
            if step:
                rng = np.random.default_rng([seed, place, zlib.crc32(one.fault.kind.encode())])
                traffic = step(traffic, one.hits(traffic), service, rng)
    return traffic


def _scored(traffic: Traffic, service: Service) -> Traffic:
    """The score of each by the version that serves it; where there is no model, the base has drawn them."""
    if not service.models:
        return traffic
    score = np.full(len(traffic), np.nan)
    for version in np.unique(traffic.served_by.astype(str)):
        mine = traffic.served_by == version
        features = {one.name: traffic.served[one.name][mine] for one in service.base.features}
        score[mine] = service.scores(features, str(version))
    return replace(traffic, score=score)


def _is_seen(incident: Incident, rng: np.random.Generator) -> bool:
    """Whether the faults show in the metric beyond what it varies by, each of them; true of a healthy case."""
    if not incident.acting:
        return True
    base, healthy = incident.service.base, incident.before(incident.healthy)
    spread = usual_spread(healthy, base, incident.metric, days=incident.stretch.during, rng=rng)
    least = min(LEAST_FALL, LEAST_PART * abs(measured(healthy, base, incident.metric)))
    if incident.fall < max(FEWEST_SPREADS * spread, least):
        return False
    return all(share >= LEAST_SHARE for share in share_of_drop(incident))


def share_of_drop(incident: Incident) -> Iterator[float]:
    """For each fault the part of the fall that would not be there without it, the others as they are."""
    for one in incident.acting:
        others = tuple(other for other in incident.acting if other is not one)
        if not others:
            yield 1.0
            continue
        service = next((other.fault.trained(incident.plain) for other in others if other.fault.trained), incident.plain)
        acting = (*incident.widening, *others)
        without = replace(incident, traffic=serve(incident.asked, service, acting, incident.seed))
        yield 1 - without.fall / incident.fall
