"""The dull answers, always given: labels that had not arrived, and ordinary variation."""

from __future__ import annotations

from collections.abc import Iterable

from mortis.causes.facts import Facts, Outcome, percent, plainly


def decide_maturity(facts: Facts) -> Iterable[Outcome]:
    """E2: whether the failure is still there where both windows' labels are equally old. Step 1 has seen to that."""
    name = "compare the windows at equal label age"
    mature = facts.failure.label_maturity
    if mature is None:
        yield plainly("E2", "refuted", name, f"{facts.metric.name} needs no labels")
        return
    arrived = f"{percent(mature, 1)} of the incident's labels have arrived"
    if facts.label_ages_known:
        yield plainly("E2", "refuted", name, f"the fall stands where labels are equally old; {arrived}")
    else:
        yield plainly("E2", "not_tested", name, f"not tested, because labels have no time of arrival; {arrived}")


def decide_ordinary(facts: Facts) -> Iterable[Outcome]:
    """E5: whether the baseline does the same by itself. Step 1 has tested it."""
    yield plainly("E5", "refuted", "compare with windows of the same length inside the baseline", facts.failure.reason)
