"""Every cause weighed by its test on bounded samples, and the guards of those that stand."""

from __future__ import annotations

import numpy as np

from mortis.causes.facts import Facts
from mortis.causes.scoring import decision_threshold
from mortis.causes.weighing import Weighed, weigh
from mortis.engine.dataset import LABEL_AGE
from mortis.guards import make_guards
from mortis.integrity.corruption import propose
from mortis.integrity.versions import intended_version
from mortis.questions.answering import Allowed, Examined, SampledRows, answered
from mortis.questions.integrity import Integrity
from mortis.records import Guard, NotChecked
from mortis.sources.models import open_model


def weigh_causes(
    known: Examined, integrity: Integrity, allowed: Allowed
) -> tuple[Weighed | None, tuple[Guard, ...], tuple[NotChecked, ...]]:
    """The causes with their verdicts, and the guards that prove themselves; None where there is no failure."""
    rows = known.rows
    if known.failure.verdict != "failure" or rows is None:
        return None, (), ()

    def ask() -> tuple[Weighed, tuple[Guard, ...]]:
        facts = _facts(known, rows, integrity, allowed)
        weighed = weigh(facts)
        return weighed, make_guards(weighed.causes, facts)

    found, gaps = answered("causes", ask)
    return (*found, gaps) if found else (None, (), gaps)


def _facts(known: Examined, rows: SampledRows, integrity: Integrity, allowed: Allowed) -> Facts:
    """What the tests of causes may look at: rows of both windows, the candidate models, the corruptions that fit."""
    case, dataset, offline = known.case, known.ready.dataset, integrity.offline
    models = {one.version: open_model(case.root / one.file, unpickle=allowed.unpickle) for one in case.models}
    intended = intended_version(integrity.registered, known.failure.since_onset)
    return Facts(
        failure=known.failure,
        task=dataset.task,
        metric=known.ready.metric,
        profile=known.profile,
        before=rows.before,
        during=rows.during,
        models=models,
        repairs=propose(rows.before, rows.during, rng=np.random.default_rng(allowed.seed)),
        offline=(offline.before, offline.during) if offline else None,
        intended=intended.version if intended else None,
        label_ages_known=LABEL_AGE in known.profile.numbers,
        threshold=decision_threshold(rows.before) if dataset.task == "binary" else None,
        positive=dataset.positive,
        probability=dataset.probability,
        seed=allowed.seed,
    )
