"""The dull answers, always scored: labels that had not arrived, and ordinary variation."""

from __future__ import annotations

from collections.abc import Iterable

from mortis.causes.facts import Facts, Outcome


def decide_maturity(facts: Facts) -> Iterable[Outcome]:
    """E2: is the failure still there where both windows' labels are equally old?"""
    name = "windows compared at equal label age"
    failure = facts.failure
    if failure.label_maturity is None:
        yield Outcome("E2", "refuted", name, "the metric needs no labels", 0.0)
    elif not facts.label_ages_known:
        reason = f"no time of arrival is known; {failure.label_maturity:.1%} of the incident's predictions have a label"
        yield Outcome("E2", "not_tested", name, f"not tested, because {reason}", 0.1)
    else:
        result = (
            f"the fall stands at equal label age; {failure.label_maturity:.1%} of the incident's labels have arrived"
        )
        yield Outcome("E2", "refuted", name, result, 0.02)


def decide_ordinary(facts: Facts) -> Iterable[Outcome]:
    """E5: does the baseline do the same by itself? Step 1 has tested it."""
    yield Outcome("E5", "refuted", "windows of the same length inside the baseline", facts.failure.reason, 0.02)
