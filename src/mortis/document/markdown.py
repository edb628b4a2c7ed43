"""The post-mortem as plain GitHub Markdown: the same content as the page, without its pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from mortis.document import figures, wording
from mortis.document.comparison import comparison
from mortis.document.figures import INTERVAL, chance, count, duration, estimate, moment, number, percent, points
from mortis.document.limits import LEVELS, shortened, weight
from mortis.document.svg import clean
from mortis.document.timeline import thinned
from mortis.records import Cause, Evidence, NotChecked, Postmortem, Slice, Window, in_words

MOST_POINTS = 60
MOST_LETTERS = 1_000_000
SPECIAL = re.compile(r"([\\`*_\[\]~])")
LINE_START = re.compile(r"^([#+\-=>:]|\d+(?=[.)](?:\s|$)))")
Section = Callable[[Postmortem], list[str]]


def as_markdown(postmortem: Postmortem) -> str:
    """The document as GitHub Markdown; every text from the data is escaped or stands in a code span.

    What is too long for a reader is cut as on the page.
    """
    fitting = (limits for limits in LEVELS if weight(postmortem, limits, enough=MOST_LETTERS) <= MOST_LETTERS)
    shown = shortened(postmortem, next(fitting, LEVELS[-1]))
    lines = [line for section in SECTIONS for line in [*section(shown), ""]]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def prose(text: str) -> str:
    r"""Text that reads as it is, on one line and in any cell of a table.

    >>> prose("a|b <i> *c*"), prose("1. not a list")
    ('a&#124;b &lt;i> \\*c\\*', '1\\. not a list')
    """
    line = " ".join(clean(text).split())
    escaped = SPECIAL.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;")).replace("|", "&#124;")
    return LINE_START.sub(lambda found: _held(found[1]), escaped)


def _held(start: str) -> str:
    return f"{start}\\" if start.isdigit() else f"\\{start}"


def code(text: str) -> str:
    r"""Text as a code span that no backtick and no pipe breaks; a dash where there is none.

    >>> code("a`b"), code("a|b"), code("")
    ('``a`b``', '`a\\|b`', '–')
    """
    line = " ".join(clean(text).split())
    if not line:
        return figures.NONE
    if "\\|" in line:
        return prose(line)  # a backslash before a pipe cannot be told from an escaped pipe
    fence = "`" * (longest_run(line) + 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


def longest_run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max((len(run) for run in re.findall("`+", text)), default=0)


def block(text: str) -> list[str]:
    """Text as a fenced block."""
    fence = "`" * max(3, longest_run(text) + 1)
    return [f"{fence}text", *clean(text).replace("\r", "\n").split("\n"), fence]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of cells that are Markdown already.

    >>> table(["a", "b"], [["1", "2"]])
    ['', '| a | b |', '| --- | --- |', '| 1 | 2 |', '']
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return ["", *("| " + " | ".join(line) + " |" for line in lines), ""]


def refs(postmortem: Postmortem, ids: Iterable[str]) -> str:
    """Links to the numbered evidence of these ids."""
    numbers = {item.id: number for number, item in reversed(list(enumerate(postmortem.evidence, start=1)))}
    return "".join(f" [\\[{numbers[id_]}\\]](#evidence-{numbers[id_]})" for id_ in ids if id_ in numbers)


def summary(p: Postmortem) -> list[str]:
    """The first screen: headline, levels, answers."""
    style, failure = figures.metric_style(p.failure), p.failure
    lines = [f"# {prose(wording.headline(failure))}", "", prose(p.case.title), ""]
    lines += [f"Post-mortem of {code(p.case.model or 'unnamed model')}. All times are UTC.", ""]
    levels = [("Baseline", failure.baseline), ("Incident", failure.incident)]
    rows = [[name, style.value(level.value), style.between(level), count(level.n)] for name, level in levels]
    change = failure.shift
    rows.append(["Change", style.change(change.value), style.between(change, signed=True), count(change.n)])
    if figures.known(failure.baseline.value) or figures.known(failure.incident.value):
        lines += table([prose(wording.first_up(figures.metric_name(failure.metric))), "Value", INTERVAL, "n"], rows)
    for claim in wording.summary(p):
        lines += [f"**{claim.question}:** {prose(claim.text)}{refs(p, claim.evidence)}", ""]
        lines += [*(f"- {prose(detail)}" for detail in claim.details), ""]
    return lines


def timeline(p: Postmortem) -> list[str]:
    """The windows, the onset, and the series as a table of at most `MOST_POINTS` rows."""
    failure, style = p.failure, figures.metric_style(p.failure)
    clock = failure.bucket_seconds < figures.DAY
    lines = ["## Timeline", "", f"- Baseline: {span(failure.baseline_window, clock=clock)}"]
    if failure.incident_window is not None:
        lines.append(f"- Incident: {span(failure.incident_window, clock=clock)}")
    if (onset := failure.onset) is not None:
        best, low, high = (moment(when, clock=clock) for when in (onset.best, onset.low, onset.high))
        lines.append(f"- Onset: {best}, {INTERVAL} {low} to {high}, {onset.shape}")
        if onset.recovered is not None:
            lines.append(f"- Recovered: {moment(onset.recovered, clock=clock)}")
    if failure.detected_at is not None:
        lines.append(f"- Detected: {moment(failure.detected_at)}")
    rows = [
        [
            moment(point.start, clock=clock),
            style.value(point.value.value),
            style.between(point.value),
            count(point.value.n),
            percent(point.maturity, 0),
        ]
        for point in thinned(failure.series, most=MOST_POINTS, beyond=MOST_POINTS)
    ]
    heads = ["Start (UTC)", prose(figures.metric_name(failure.metric)), INTERVAL, "n", "Labels arrived"]
    return lines + (table(heads, rows) if rows else [])


def span(window: Window, *, clock: bool) -> str:
    """A window's start and end."""
    return f"{moment(window.start, clock=clock)} to {moment(window.end, clock=clock)}"


def causes(p: Postmortem) -> list[str]:
    """Every hypothesis with its test, the ruled-out ones too."""
    lines = ["## Causes and their tests", ""]
    if not p.causes and p.failure.verdict == "no_failure":
        return [*lines, "No cause was sought, as nothing failed."]
    unknown = [cause for cause in p.causes if cause.id == "unknown"]
    if unknown or not p.causes:
        results = [prose(wording.first_up(wording.sentence(c.test.result))) for c in unknown if c.test is not None]
        lines += [" ".join(["Cause: unknown.", *results]), ""]
    looked_at = wording.hypotheses(p)
    if not looked_at:
        return [*lines, *empty(p, ("cause", "hypothes"), "No hypothesis was tested.")]
    heads = ["Cause", "Verdict", "Confidence", "Share of the drop", "Test", "For", "Against"]
    return lines + table(heads, [cause_row(p, cause) for cause in looked_at])


def cause_row(p: Postmortem, cause: Cause) -> list[str]:
    """One hypothesis as cells."""
    parameters = ", ".join(
        f"{prose(key)} = {code(figures.parameter(value))}" for key, value in cause.parameters.items()
    )
    name = prose(wording.cause_name(cause)) + (f": {parameters}" if parameters else "")
    return [
        f"{name} ({prose(cause.id)})",
        wording.VERDICTS[cause.verdict],
        percent(cause.confidence, 0) if cause.verdict != "not_tested" else figures.NONE,
        wording.share_interval(cause.share_of_drop) if cause.share_of_drop is not None else figures.NONE,
        prose(f"{wording.first_up(cause.test.name)}: {cause.test.result}") if cause.test is not None else figures.NONE,
        refs(p, cause.evidence_for).strip() or figures.NONE,
        refs(p, cause.evidence_against).strip() or figures.NONE,
    ]


def empty(p: Postmortem, words: Sequence[str], otherwise: str) -> list[str]:
    """Why a section is empty."""
    found = wording.gaps(p.not_checked, *words)
    return [wording_of(gap) for gap in found] or [otherwise]


def wording_of(gap: NotChecked) -> str:
    """An open question with its reason and what would answer it."""
    needs = f" To check it, hand over {wording.sentence(gap.needs)}" if gap.needs else ""
    return f"Not checked: {prose(f'{gap.what}, because {wording.sentence(gap.why)}{needs}')}"


def integrity(p: Postmortem) -> list[str]:
    """The integrity checks as a table."""
    lines = ["## Data and model integrity", ""]
    rows = [
        [
            prose(item.question) + refs(p, [item.id]),
            prose(item.statement),
            estimate(item.value) if item.value is not None else figures.NONE,
            item.status,
        ]
        for item in wording.of_step(p.evidence, "integrity")
    ]
    if not rows:
        return lines + empty(p, ("integrity", "skew", "training"), "Not checked.")
    return lines + table(["Question", "Answer", "Figure", "Known by"], rows)


def signals(p: Postmortem) -> list[str]:
    """The series that moved and the log lines that are new, surged or gone."""
    lines = ["## Signals and logs", "", *said(p, "signals.metrics", "signals.logs")]
    if not p.signals and not p.log_templates:
        return lines + empty(p, ("signal", "log", "metric"), "No signal moved and no log line is named.")
    if p.signals:
        rows = [
            [code(s.name), s.direction, moment(s.onset), f"{s.order} it", number(s.score), number(s.usual)]
            for s in p.signals
        ]
        lines += table(["Metric", "Moved", "When (UTC)", "Relative to the onset", "By", "Usual at most"], rows)
    if p.log_templates:
        rows = [
            [
                code(t.template),
                t.change,
                prose(t.level) or figures.NONE,
                moment(t.first_seen),
                count(t.baseline),
                count(t.incident),
                chance(t.q),
            ]
            for t in p.log_templates
        ]
        lines += table(["Log line", "Is", "Level", "First seen (UTC)", "Baseline", "Incident", "q"], rows)
    return lines


def said(p: Postmortem, *ids: str) -> list[str]:
    """What the evidence of some ids says, a paragraph each."""
    return [line for item in p.evidence if item.id in ids for line in (prose(wording.sentence(item.statement)), "")]


def changes(p: Postmortem) -> list[str]:
    """What somebody or something changed."""
    lines = ["## Changes", "", *said(p, "changes.ledger")]
    if not p.changes:
        return lines + empty(p, ("change",), "No change is on record.")
    rows = [
        [
            moment(c.time),
            prose(c.kind),
            f"{prose(c.summary)} ({code(c.id)})" + (f", {prose(in_words(c.scope))}" if c.scope else ""),
            number(c.ranking),
            prose(c.verdict) or figures.NONE,
        ]
        for c in p.changes
    ]
    return lines + table(["Time (UTC)", "Kind", "Change", "Ranking", "Verdict"], rows)


def errors(p: Postmortem) -> list[str]:
    """The slices with their cards, and how the confusion moved."""
    lines = ["## Error analysis", ""]
    if p.failure.error_means:
        lines += [f"What counts as an error: {prose(wording.sentence(p.failure.error_means))}", ""]
    if p.slices:
        note = prose(wording.first_up(wording.sentence(p.slices_note)))
        lines += [f"{note}{refs(p, wording.about(p.evidence, 'errors.slices', 'errors.search'))}"]
    else:
        lines += empty(
            p,
            ("slice", "error analysis"),
            prose(wording.first_up(wording.sentence(p.slices_note))) or "No slice stands out.",
        )
    for found in p.slices:
        lines += slice_card(found)
    if p.confusion:
        heads = ["Label", "Prediction", "Baseline", "Incident", "Change of its share", INTERVAL]
        rows = [
            [
                code(cell.label),
                code(cell.prediction),
                count(cell.baseline),
                count(cell.incident),
                points(cell.change.value),
                wording.change_interval(cell.change),
            ]
            for cell in p.confusion
        ]
        lines += ["", "### How the confusion moved", *table(heads, rows)]
    return lines


def slice_card(found: Slice) -> list[str]:
    """One slice: its conditions, figures, query, aliases, and sampled rows."""
    name = " and ".join(f"{code(column)} = {code(value)}" for column, value in found.conditions.items()) or "All rows"
    unseen = "not checked"
    if found.q is not None:
        unseen = f"{'holds' if found.held_out else 'does not hold'}, q {chance(found.q)}"
    heads = ["", "Errors", "n", "Rate"]
    rows = [
        [when, count(rate.errors), count(rate.n), percent(rate.value)]
        for when, rate in (("Baseline", found.baseline), ("Incident", found.incident))
    ]
    n = count(found.change.n or found.baseline.n + found.incident.n)
    lines = ["", f"### {name}", *table(heads, rows)]
    lines += [
        f"- Change: {points(found.change.value)} ({INTERVAL}: {wording.change_interval(found.change)}, n = {n})",
        f"- Contribution: {percent(found.contribution, 0)} of the excess errors",
        f"- On unseen rows: {unseen}",
        f"- Score: {number(found.score)} (log-likelihood ratio)",
    ]
    lines += [f"- Nearly the same rows: {', '.join(map(code, found.aliases))}"] if found.aliases else []
    lines += ["", *block(found.query)] if found.query else []
    return lines + sampled(found)


def sampled(found: Slice) -> list[str]:
    """Wrong rows beside their nearest right ones; what differs is bold."""
    compared = comparison(found.examples)
    if compared is None:
        return []
    rows = [
        [code(column), *(f"**{code(cell.text)}**" if cell.differs else code(cell.text) for cell in cells)]
        for column, cells in compared.lines
    ]
    return table(["Column", *compared.heads], rows)


def closing(p: Postmortem) -> list[str]:
    """Actions, guards, and what was not checked."""
    lines = ["## Actions", ""]
    for place, action in enumerate(p.actions, start=1):
        lines.append(f"{place}. **{prose(action.title)}** ({action.type})")
        lines += [f"   - Addresses: {prose(action.addresses)}"] if action.addresses else []
        lines += [f"   - Done when: {prose(action.acceptance)}"] if action.acceptance else []
    lines += [] if p.actions else ["No action was proposed."]
    lines += ["", "## Guards", ""]
    rows = [
        [
            f"{code(guard.check)} ({code(guard.id)})",
            "fails, as it should" if guard.fails_on_incident else "passes: it would have missed it",
            "passes" if guard.passes_on_baseline else "fails: a false alarm",
            percent(guard.false_alarm_rate),
        ]
        for guard in p.guards
    ]
    lines += (
        table(["Check", "On the incident", "On the baseline", "False alarms"], rows) if rows else ["No guard was made."]
    )
    lines += ["", "## What was not checked", ""]
    rows = [[prose(wording.first_up(g.what)), prose(g.why), prose(g.needs) or figures.NONE] for g in p.not_checked]
    heads = ["Question", "Because", "To check it, hand over"]
    return lines + (table(heads, rows) if rows else ["Every question was answered."])


def appendix(p: Postmortem) -> list[str]:
    """The evidence, the inputs, what was guessed, versions and queries."""
    lines = ["## Appendix", "", "### Evidence", ""]
    first = wording.first_of_query(p.evidence)
    for place, item in enumerate(p.evidence, start=1):
        lines += evidence_item(place, item, first[item.query] if item.query else place)
    lines += ["", "### Inputs"]
    rows = [[code(i.path), prose(i.role) or figures.NONE, count(i.rows), code(i.fingerprint)] for i in p.case.inputs]
    lines += table(["From", "Role", "Rows", "Fingerprint"], rows)
    made = p.provenance
    if made.guesses:
        lines += ["### Guessed, not stated", "", *(f"- {prose(guess)}" for guess in made.guesses), ""]
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    lines += ["### How it was made", ""]
    lines += [prose(f"Mortis {made.mortis} on {made.engine}, {moment(made.created_at)}, in {duration(made.seconds)}.")]
    lines += ["", prose(f"{versions}.")] if versions else []
    for query in made.queries:
        lines += ["", *block(query)]
    return lines


def evidence_item(place: int, item: Evidence, first: int) -> list[str]:
    """One piece of evidence with the anchor that claims link to; `first` is the first one with the same query."""
    value = f" {estimate(item.value)}" if item.value is not None else ""
    head = rf'<a id="evidence-{place}"></a>**\[{place}\] {prose(item.question)}** ({item.status}, {code(item.id)})'
    lines = ["", head, "", f"{prose(wording.sentence(item.statement))}{value}", ""]
    if first < place:
        return [*lines, f"[The query of {first}](#evidence-{first})"]
    return lines + (block(item.query) if item.query else [])


# In the order of the document.
SECTIONS: tuple[Section, ...] = (summary, timeline, causes, integrity, signals, changes, errors, closing, appendix)
