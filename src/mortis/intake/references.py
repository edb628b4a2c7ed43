"""The tables that the log is held against: what the model was trained on, what the training pipeline computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mortis.case import Case
from mortis.engine.dataset import Kind
from mortis.fingerprints import RecordedFingerprint, read_fingerprint
from mortis.intake.columns import Origin, check_column, kind
from mortis.problems import InputProblem, listed
from mortis.sources.tables import Table, open_table

if TYPE_CHECKING:
    from mortis.engine import Engine


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The table the model was trained on, the kind of each of its features, and the fingerprint recorded then.

    `label` is its column of outcomes, where the case names one.
    """

    table: Table
    kinds: Mapping[str, Kind]
    recorded: RecordedFingerprint | None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class OfflineTable:
    """What the training pipeline computes for the served rows: joined by `id`, the features that the log has too."""

    table: Table
    id: str
    features: tuple[str, ...]


def training_set(case: Case, engine: Engine) -> TrainingSet | None:
    """The training table, opened and checked; None where the case names none."""
    stated = case.training
    if stated is None:
        return None
    recorded = read_fingerprint(stated.fingerprint) if stated.fingerprint is not None else None
    table = open_table(stated.table, root=case.root, key="training.table")
    origin = Origin(engine, table, engine.schema(table))
    if stated.label is not None:
        check_column(origin, stated.label, key="training.label")
    roles = {stated.label, case.predictions.label, case.predictions.time, case.predictions.id}
    kinds = {name: kind(origin, name) for name in origin.schema.names if name not in roles}
    return TrainingSet(table, {name: one for name, one in kinds.items() if one != "other"}, recorded, stated.label)


def offline_table(case: Case, engine: Engine, features: tuple[str, ...]) -> OfflineTable | None:
    """The training pipeline's values of the served rows, opened and checked; None where the case names none.

    Raises InputProblem where they can't be joined, or share no feature with the log.
    """
    stated = case.offline_features
    if stated is None:
        return None
    if case.predictions.id is None:
        raise InputProblem("offline_features.id: looking rows up by id needs `predictions.id` too; name that column")
    table = open_table(stated.table, root=case.root, key="offline_features.table")
    origin = Origin(engine, table, engine.schema(table))
    check_column(origin, stated.id, key="offline_features.id")
    shared = tuple(name for name in features if name in origin.schema.names and kind(origin, name) != "other")
    if not shared:
        raise InputProblem(
            f"offline_features.table: {table.name} shares no feature with the log; columns there: "
            f"{listed(origin.schema.names, most=40)}"
        )
    return OfflineTable(table, stated.id, shared)
