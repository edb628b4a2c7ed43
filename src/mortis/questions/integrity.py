"""Step 3: the served data against the baseline, the training set, the training pipeline, and the registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mortis.case import Case, Registry
from mortis.engine.dataset import Layout
from mortis.engine.sampling import offline_rows, training_rows
from mortis.fingerprints import compare_tables
from mortis.intake.references import OfflineTable, TrainingSet
from mortis.integrity.checks import check_profile, check_training, worst_first
from mortis.integrity.readings import IntegrityCheck
from mortis.integrity.skew import Parity, parity
from mortis.integrity.training import folded
from mortis.integrity.versions import registry_statement
from mortis.integrity.windows import Kind
from mortis.preparation import Ready
from mortis.profiles import Profile
from mortis.questions.answering import ROWS_WEIGHED, Examined, Gaps, answered, asked, tried
from mortis.records import Evidence, Failure, NotChecked
from mortis.rows import OfflineRows, TrainingRows
from mortis.sources.registry import RegisteredVersion, read_registry

MOST_FLAGGED = 20
LEARNED = "training data: did a version learn from rows as an incident leaves them?"

NOTHING_TO_HOLD_AGAINST = "nothing to hold the log against was handed over"
TRAINING = NotChecked(
    "training data: was the model trained on the intended table?",
    NOTHING_TO_HOLD_AGAINST,
    "`training`, with the fingerprint that `mortis fingerprint` gave when the model was trained",
)
OFFLINE = NotChecked(
    "training-serving skew: are features served as the training pipeline computes them?",
    NOTHING_TO_HOLD_AGAINST,
    "`offline_features`, that pipeline's values of served rows, by id",
)
REGISTRY = NotChecked(
    "registry: is the version that served the registered one?",
    NOTHING_TO_HOLD_AGAINST,
    "`registry`, an MLflow server or a YAML file of the versions",
)


@dataclass(frozen=True, slots=True, eq=False)
class Skews:
    """What the training pipeline computes for the incident's sampled rows, and how each feature departs from it."""

    offline: OfflineRows
    features: tuple[Parity, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Integrity:
    """Step 3's answer, and what it read that the tests of causes need: skews, training rows, registered versions."""

    evidence: tuple[Evidence, ...] = ()
    not_checked: Gaps = ()
    skews: Skews | None = None
    learned: TrainingRows | None = None
    registered: tuple[RegisteredVersion, ...] = ()


def check_integrity(known: Examined) -> Integrity:
    """Every question of step 3 that the case's sources allow; the others as gaps, with what they need."""
    case, intake = known.case, known.ready.intake
    if known.failure.incident_window is None:
        return Integrity()
    served, unserved = answered("integrity of the served data", lambda: _served(known.profile, known.failure))
    training, untrained = asked(TRAINING, intake.training, lambda one: tuple(_training(known, one)))
    skews, unmatched = asked(OFFLINE, intake.offline, lambda one: _skews(known, one))
    registered, unread = asked(REGISTRY, case.registry, lambda one: _registered(case, one))
    evidence = (
        *(served or ()),
        *(training or ()),
        *(_skew(skews) if skews else ()),
        *(_registry(registered, known) if registered is not None else ()),
    )
    learned, unlearned = tried(LEARNED, lambda: _learned(known)) if training else (None, ())
    gaps = (*unserved, *untrained, *unlearned, *unmatched, *unread)
    return Integrity(evidence, gaps, skews, learned, registered or ())


def _served(profile: Profile, failure: Failure) -> tuple[Evidence, ...]:
    """What stands out of every feature's checks since the onset, worst first."""
    checks = check_profile(profile, failure.baseline_window, failure.since_onset)
    flagged = worst_first(checks)
    columns = len({one.feature for one in checks})
    told = (
        f"{len(checks)} checks of {columns} columns were made; {len(flagged)} stand out beyond the baseline's own ways"
    )
    summary = Evidence("integrity.checks", "Are the served data as in the baseline?", told, "tested")
    return (summary, *(_flagged(one, i) for i, one in enumerate(flagged[:MOST_FLAGGED], 1)))


def _flagged(one: IntegrityCheck, place: int) -> Evidence:
    question = f"{one.feature}: {one.check}"
    return Evidence(
        f"integrity.{place}-{one.check.replace(' ', '-')}", question, one.statement, "tested", value=one.effect
    )


def _training(known: Examined, training: TrainingSet) -> Iterator[Evidence]:
    """Whether it is the recorded table, and how far its features lie from the baseline's."""
    question = "Was the model trained on the intended table?"
    if training.recorded is None:
        told = (
            "can't be told: no fingerprint was recorded when the model was trained; "
            "`mortis fingerprint` gives one, for `training.fingerprint`"
        )
        yield Evidence("integrity.training", question, told, "observed")
    else:
        match = compare_tables(training.recorded, known.engine.fingerprint(training.table))
        yield Evidence("integrity.training", question, match.statement, "tested")
    trained = folded(known.engine.columns(training.table, _of_features(known.ready)), known.profile)
    checks = check_training(trained, known.profile, known.failure.baseline_window, kinds=_kinds(training))
    flagged = worst_first(checks)
    told = f"{len(checks)} features were compared; {len(flagged)} differ beyond what halves of the baseline do"
    yield Evidence("integrity.training-drift", "Do the served features look like the training set's?", told, "tested")
    for i, one in enumerate(flagged[:MOST_FLAGGED], 1):
        yield Evidence(
            f"integrity.training-{i}", f"{one.feature}: {one.check}", one.statement, "tested", value=one.effect
        )


def _learned(known: Examined) -> TrainingRows | None:
    """Rows of the training table with their labels, where a model file can answer them; None where there are none."""
    training, dataset = known.ready.intake.training, known.ready.dataset
    if training is None or training.label is None or not known.case.models:
        return None
    features = [name for name in dataset.features if name in training.kinds]
    table = known.engine.learned(dataset, training.table, training.label, features, most=ROWS_WEIGHED)
    return training_rows(table, features)


def _of_features(ready: Ready) -> Layout:
    """How the log's features are cut, without the columns that play a role."""
    features = set(ready.dataset.features)
    numbers = {name: one for name, one in ready.layout.numbers.items() if name in features}
    return Layout(numbers, tuple(name for name in ready.layout.categories if name in features))


def _kinds(training: TrainingSet) -> dict[str, Kind]:
    """The training table's columns as numbers and categories, as the log's are told."""
    return {name: "number" if one == "number" else "category" for name, one in training.kinds.items()}


def _skews(known: Examined, offline: OfflineTable) -> Skews | None:
    """The sampled rows of both windows held against the training pipeline's values; None where there are no rows."""
    rows = known.rows
    if rows is None:
        return None
    keys = [str(key) for sample in (rows.before, rows.during) for key in sample.ids.tolist() if key is not None]
    table = known.engine.lookup(offline.table, offline.id, keys, offline.features)
    before, during = (offline_rows(table, sample, offline.features) for sample in (rows.before, rows.during))
    return Skews(during, parity(rows.before, before, rows.during, during))


def _skew(skews: Skews) -> Iterator[Evidence]:
    """How the features are served beside what the training pipeline computes for the same rows."""
    question, offline = "Are features served as the training pipeline computes them?", skews.offline
    found, n = int(offline.found.sum()), len(offline.found)
    repeated = f" ({offline.repeated:,} ids stand there more than once)" if offline.repeated else ""
    looked = f"{found:,} of the {n:,} sampled incident rows were found in the offline features{repeated}"
    differ = [one for one in skews.features if one.differs]
    risen = sum(one.rose for one in differ)
    told = (
        f"{looked}; of {len(skews.features)} features {len(differ)} differ in more than 0.1 % of rows, "
        f"{risen} more than before"
    )
    yield Evidence("integrity.skew", question, told if found else looked, "tested")
    for i, one in enumerate(differ[:MOST_FLAGGED], 1):
        asked_for = f"{one.feature}: served as computed offline?"
        yield Evidence(f"integrity.skew-{i}", asked_for, one.statement, "tested", value=one.during.mismatch)


def _registered(case: Case, registry: Registry) -> tuple[RegisteredVersion, ...]:
    file = case.root / registry.file if registry.file else None
    return read_registry(mlflow=registry.mlflow, file=file, name=registry.name)


def _registry(registered: tuple[RegisteredVersion, ...], known: Examined) -> Iterator[Evidence]:
    rows = known.rows
    if rows is not None:
        told = registry_statement(registered, rows.before.version, rows.during.version, known.failure.since_onset)
        yield Evidence("integrity.registry", "Is the version that served the registered one?", told, "tested")
