"""Every cause weighed by its test on bounded samples, and the guards of those that stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mortis.causes.facts import Facts
from mortis.causes.measurement import looked_too_early
from mortis.causes.scoring import decision_threshold
from mortis.causes.weighing import Weighed, weigh, weighed_alone
from mortis.engine.dataset import LABEL_AGE
from mortis.guards import make_guards
from mortis.integrity.corruption import propose
from mortis.integrity.versions import intended_version
from mortis.outlook import unknown_cause
from mortis.questions.answering import Allowed, Examined, Gaps, SampledRows, answered
from mortis.questions.integrity import Integrity
from mortis.questions.signals import Signals
from mortis.records import Cause, Evidence, Failure, Guard, Interval
from mortis.sources.changes import ChangesRead
from mortis.sources.models import open_model


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What the steps found that the tests of causes need: signals, integrity, and the changes on record."""

    signals: Signals
    integrity: Integrity
    record: ChangesRead | None


@dataclass(frozen=True, slots=True)
class Weighing:
    """The causes weighed, the guards that prove themselves, and why there are none."""

    weighed: Weighed
    guards: tuple[Guard, ...] = ()
    not_checked: Gaps = ()

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the tests found."""
        return self.weighed.evidence


def weigh_causes(known: Examined, findings: Findings, allowed: Allowed) -> Weighing:
    """The causes with their verdicts, and the guards that prove themselves; none where there is no failure."""
    rows = known.rows if known.failure.verdict == "failure" else None
    if rows is None:
        early = looked_too_early(known.failure, known.seemed)
        return Weighing(weighed_alone(early, known.failure) if early else _nothing_weighed(known.failure))

    def ask() -> Weighing:
        facts = _facts(known, rows, findings, allowed)
        weighed = weigh(facts)
        return Weighing(weighed, make_guards(weighed.causes, facts))

    found, gaps = answered("causes", ask)
    return found or Weighing(_nothing_weighed(known.failure, unknown_cause()), not_checked=gaps)


def _nothing_weighed(failure: Failure, *causes: Cause) -> Weighed:
    """The answer where no test was run: all of a failure's drop is unexplained; not defined where there is none."""
    nan = float("nan")
    share = 1.0 if failure.verdict == "failure" else nan
    return Weighed(causes, Interval(share, nan, nan, failure.incident.n), "unknown", (), ())


def _facts(known: Examined, rows: SampledRows, findings: Findings, allowed: Allowed) -> Facts:
    """What the tests of causes may look at: rows of both windows, the candidate models, the corruptions that fit."""
    case, dataset, skews = known.case, known.ready.dataset, findings.integrity.skews
    models = {
        one.version: open_model(case.root / one.file, key=f"models.{i}.file", unpickle=allowed.unpickle)
        for i, one in enumerate(case.models)
    }
    intended = intended_version(findings.integrity.registered, known.failure.since_onset)
    return Facts(
        failure=known.failure,
        task=dataset.task,
        metric=known.ready.metric,
        profile=known.profile,
        before=rows.before,
        during=rows.during,
        models=models,
        repairs=propose(rows.before, rows.during, rng=np.random.default_rng(allowed.seed)),
        offline=skews.offline if skews else None,
        training=findings.integrity.learned,
        skews=skews.features if skews else (),
        intended=intended.version if intended else None,
        signals=findings.signals.signals,
        changes=findings.record.changes if findings.record else None,
        unrecorded=findings.record.unrecorded if findings.record else (),
        label_ages_known=LABEL_AGE in known.profile.numbers,
        threshold=decision_threshold(rows.before) if dataset.task == "binary" else None,
        positive=dataset.positive,
        probability=dataset.probability,
        seed=allowed.seed,
    )
