"""Step 3: the served data against the baseline, the training set, the training pipeline, and the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from mortis.case import Case, Registry
from mortis.engine import Engine
from mortis.engine.dataset import Layout
from mortis.engine.sampling import offline_rows
from mortis.fingerprints import compare_tables
from mortis.intake.references import OfflineTable, TrainingSet
from mortis.integrity.checks import check_profile, check_training
from mortis.integrity.readings import IntegrityCheck
from mortis.integrity.skew import parity
from mortis.integrity.training import folded
from mortis.integrity.versions import registry_statement
from mortis.integrity.windows import Kind
from mortis.preparation import Ready
from mortis.profiles import Profile
from mortis.questions.answering import Examined, Gaps, SampledRows, answered
from mortis.records import Evidence, Failure, NotChecked
from mortis.rows import OfflineRows
from mortis.sources.registry import RegisteredVersion, read_registry

MOST_FLAGGED = 20
Source = TypeVar("Source")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that needs a source of its own: what it asks, and what to hand over for it."""

    what: str
    needs: str


TRAINING = Asked(
    "training data: was the model trained on the intended table?",
    "`training`, with the fingerprint that `mortis fingerprint` gave when the model was trained",
)
OFFLINE = Asked(
    "training-serving skew: are features served as the training pipeline computes them?",
    "`offline_features`, that pipeline's values of served rows, by id",
)
REGISTRY = Asked(
    "registry: is the version that served the registered one?",
    "`registry`, an MLflow server or a YAML file of the versions",
)


@dataclass(frozen=True, slots=True, eq=False)
class OfflineValues:
    """The training pipeline's values of the sampled rows of both windows."""

    before: OfflineRows
    during: OfflineRows


@dataclass(frozen=True, slots=True, eq=False)
class Integrity:
    """Step 3's answer, and what it read that the tests of causes need: offline values, and the registry's versions."""

    evidence: tuple[Evidence, ...] = ()
    not_checked: Gaps = ()
    offline: OfflineValues | None = None
    registered: tuple[RegisteredVersion, ...] = ()


def check_integrity(known: Examined) -> Integrity:
    """Every question of step 3 that the case's sources allow; the others as gaps, with what they need."""
    case, intake, rows = known.case, known.ready.intake, known.rows
    if rows is None:
        return Integrity()
    served, unserved = answered("integrity of the served data", lambda: _served(known.profile, known.failure))
    training, untrained = _ask(TRAINING, intake.training, lambda one: tuple(_training(known, one)))
    offline, unmatched = _ask(OFFLINE, intake.offline, lambda one: _offline(known.engine, one, rows))
    registered, unread = _ask(REGISTRY, case.registry, lambda one: _registered(case, one))
    evidence = (
        *(served or ()),
        *(training or ()),
        *(_skew(rows, offline) if offline else ()),
        *(_registry(registered, rows, known.failure) if registered is not None else ()),
    )
    return Integrity(evidence, (*unserved, *untrained, *unmatched, *unread), offline, registered or ())


def _ask(asked: Asked, source: Source | None, question: Callable[[Source], Answer]) -> tuple[Answer | None, Gaps]:
    """The answer to a question about a source; a gap where it was not handed over, or can't be read now."""
    if source is None:
        return None, (NotChecked(asked.what, "nothing to hold the log against was handed over", asked.needs),)
    return answered(asked.what, lambda: question(source), needs=asked.needs)


def _served(profile: Profile, failure: Failure) -> tuple[Evidence, ...]:
    """What stands out of every feature's checks since the onset, worst first."""
    checks = check_profile(profile, failure.baseline_window, failure.since_onset)
    flagged = sorted((one for one in checks if one.flagged), key=lambda one: -one.strength)
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
    flagged = sorted((one for one in checks if one.flagged), key=lambda one: -one.strength)
    told = f"{len(checks)} features were compared; {len(flagged)} differ beyond what halves of the baseline do"
    yield Evidence("integrity.training-drift", "Do the served features look like the training set's?", told, "tested")
    for i, one in enumerate(flagged[:MOST_FLAGGED], 1):
        yield Evidence(
            f"integrity.training-{i}", f"{one.feature}: {one.check}", one.statement, "tested", value=one.effect
        )


def _of_features(ready: Ready) -> Layout:
    """How the log's features are cut, without the columns that play a role."""
    features = set(ready.dataset.features)
    numbers = {name: one for name, one in ready.layout.numbers.items() if name in features}
    return Layout(numbers, tuple(name for name in ready.layout.categories if name in features))


def _kinds(training: TrainingSet) -> dict[str, Kind]:
    """The training table's columns as numbers and categories, as the log's are told."""
    return {name: "number" if one == "number" else "category" for name, one in training.kinds.items()}


def _offline(engine: Engine, offline: OfflineTable, rows: SampledRows) -> OfflineValues:
    """The training pipeline's values of the sampled rows."""
    keys = [str(key) for sample in (rows.before, rows.during) for key in sample.ids.tolist() if key is not None]
    table = engine.lookup(offline.table, offline.id, keys, offline.features)
    before, during = (offline_rows(table, sample, offline.features) for sample in (rows.before, rows.during))
    return OfflineValues(before, during)


def _skew(rows: SampledRows, offline: OfflineValues) -> Iterator[Evidence]:
    """How the features are served beside what the training pipeline computes for the same rows."""
    question = "Are features served as the training pipeline computes them?"
    found, n = int(offline.during.found.sum()), len(rows.during)
    repeated = f" ({offline.during.repeated:,} ids stand there more than once)" if offline.during.repeated else ""
    looked = f"{found:,} of the {n:,} sampled incident rows were found in the offline features{repeated}"
    pairs = parity(rows.before, offline.before, rows.during, offline.during)
    differ = [one for one in pairs if one.differs]
    risen = sum(one.rose for one in differ)
    told = (
        f"{looked}; of {len(pairs)} features {len(differ)} differ in more than 0.1 % of rows, {risen} more than before"
    )
    yield Evidence("integrity.skew", question, told if found else looked, "tested")
    for i, one in enumerate(differ[:MOST_FLAGGED], 1):
        asked = f"{one.feature}: served as computed offline?"
        yield Evidence(f"integrity.skew-{i}", asked, one.statement, "tested", value=one.during.mismatch)


def _registered(case: Case, registry: Registry) -> tuple[RegisteredVersion, ...]:
    file = case.root / registry.file if registry.file else None
    return read_registry(mlflow=registry.mlflow, file=file, name=registry.name)


def _registry(registered: tuple[RegisteredVersion, ...], rows: SampledRows, failure: Failure) -> Iterator[Evidence]:
    statement = registry_statement(registered, rows.before.version, rows.during.version, failure.since_onset)
    yield Evidence("integrity.registry", "Is the version that served the registered one?", statement, "tested")
