"""The dull answers, always given: labels that had not arrived, and ordinary variation."""

from __future__ import annotations

from collections.abc import Iterable

from mortis.causes.facts import Facts, Outcome, percent, plainly
from mortis.records import Failure

HALF = 0.5  # of the fall as it seemed: what is left is clearly less
EQUAL_AGE = "compare the windows at equal label age"


def looked_too_early(failure: Failure, seemed: Failure | None) -> Outcome | None:
    """E2: a fall by the labels there are, which is not there where both windows' labels are equally old.

    Confirmed where nothing failed at equal age; supported where that can't be told, but the fall is a smaller one. None
    where nothing seemed to fail, or it failed all the same.
    """
    if seemed is None or seemed.verdict != "failure" or failure.verdict == "failure":
        return None
    then, now = seemed.shift, failure.shift
    told = (
        f"{failure.metric} moved by {then.value:+.3g} by the labels that have arrived "
        f"({percent(seemed.label_maturity or 0)} of the incident's), and by {now.value:+.3g} (95 % interval "
        f"{now.low:+.3g} to {now.high:+.3g}, n = {now.n:,}) where both windows' labels are equally old"
    )
    if failure.verdict == "no_failure":
        return plainly("E2", "confirmed", EQUAL_AGE, told)
    if not now.low <= then.value <= now.high and abs(now.value) < HALF * abs(then.value):
        return plainly("E2", "supported", EQUAL_AGE, told)
    return None


def decide_maturity(facts: Facts) -> Iterable[Outcome]:
    """E2: whether the failure is still there where both windows' labels are equally old. Step 1 has seen to that."""
    name = EQUAL_AGE
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
