"""Step 3 on whole cases: the training table, the training pipeline's values, the registry, each with a known truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from planted import BEGINS, Rows, sound, told, window
from pyarrow import parquet

from mlflow_server import post  # type: ignore[import-not-found]  # pytest finds it in the folder above
from mortis import Case, investigate
from mortis.records import Postmortem

lightgbm = pytest.importorskip("lightgbm", reason="the models need the extra `models`")

FEATURES = ("delay", "load", "amount")
Columns = Mapping[str, Any]


class Flights(Rows):  # type: ignore[misc]  # as above
    """Rows with a delay and a load that decide the label, and two versions of a model: 1 knows nothing of load."""

    def __init__(self, seed: int = 3) -> None:
        super().__init__(seed)
        self.delay, self.load = self.rng.exponential(20, self.n), self.rng.normal(0, 1, self.n)
        logit = 0.15 * (self.delay - 20) + 2.5 * self.load
        self.label = (self.rng.random(self.n) < 1 / (1 + np.exp(-logit))).astype(int)
        early = self.days < 10
        self.models = {}
        for version, used in (("1", (0, 2)), ("2", (0, 1, 2))):
            matrix = self.matrix(self.delay)[early].copy()
            matrix[:, [i for i in range(3) if i not in used]] = 0.0
            options = {"objective": "binary", "verbose": -1, "num_leaves": 15, "seed": 1, "num_threads": 1}
            data = lightgbm.Dataset(matrix, self.label[early], feature_name=list(FEATURES))
            self.models[version] = lightgbm.train(options, data, num_boost_round=30)

    def matrix(self, delay: Any) -> Any:
        """The model's inputs with this delay."""
        return np.column_stack([delay, self.load, self.amount])

    def log(self, *, delay: Any = None, old: Any = False, version: Any = None) -> dict[str, Any]:
        """What was served with a delay of one's own, and by version 1 in some rows."""
        delay = self.delay if delay is None else delay
        score = {name: model.predict(self.matrix(delay), num_threads=1) for name, model in self.models.items()}
        served = np.where(old, score["1"], score["2"])
        named = {} if version is None else {"version": version}
        return self.columns(
            delay=delay, load=self.load, y_true=self.label, y_score=served, y_pred=(served >= 0.5).astype(int), **named
        )


@pytest.fixture(scope="module")
def flights() -> Flights:
    return Flights()


@pytest.fixture
def case_of(tmp_path: Path, flights: Flights) -> Callable[..., Path]:
    """A case's file: its log, both models, and further sections."""

    def write(log: Columns, **sections: Any) -> Path:
        parquet.write_table(pa.table(dict(log)), tmp_path / "log.parquet")
        for version, model in flights.models.items():
            (tmp_path / f"{version}.txt").write_text(model.model_to_string(), encoding="utf-8")
        roles: dict[str, Any] = {
            "table": "log.parquet",
            "time": "at",
            "id": "key",
            "prediction": "y_pred",
            "score": "y_score",
        }
        roles |= {"label": "y_true", "segments": ["region", "device"], "features": list(FEATURES)}
        stated = {
            "model": {"task": "binary", "positive": 1},
            "predictions": roles | ({"version": "version"} if "version" in log else {}),
            "failure": {"metric": "accuracy"},
            "windows": {"baseline": window(0, 30), "incident": window(30, 37), "bucket": "1d"},
            "models": [{"version": name, "file": f"{name}.txt"} for name in flights.models],
        }
        (tmp_path / "incident.yaml").write_text(yaml.safe_dump(stated | sections), encoding="utf-8")
        return tmp_path / "incident.yaml"

    return write


def found_in(file: Path) -> Postmortem:
    investigated: Postmortem = sound(investigate(Case.load(file)))
    return investigated


def said(found: Postmortem, prefix: str) -> str:
    """The statement of the first evidence whose id begins so."""
    return next(one.statement for one in found.evidence if one.id.startswith(prefix))


def cause(found: Postmortem, id_: str) -> Any:
    return next(one for one in found.causes if one.id == id_)


def offline(tmp_path: Path, flights: Flights) -> dict[str, Any]:
    """The training pipeline's values of all rows, out of order."""
    order = flights.rng.permutation(flights.n)
    columns = {"key": np.array(flights.columns()["key"])[order], "delay": flights.delay[order]}
    parquet.write_table(pa.table(columns | {"load": flights.load[order]}), tmp_path / "offline.parquet")
    return {"offline_features": {"table": "offline.parquet", "id": "key"}}


def test_offline_values_name_the_factor_and_decide_the_fault(tmp_path, case_of, flights):
    """Delay is served in seconds in one region since the onset: D3 by the pipeline's own values, and skew is told."""
    delay = np.where(flights.hit, 60 * flights.delay, flights.delay)
    found = found_in(case_of(flights.log(delay=delay), **offline(tmp_path, flights)))
    first = found.causes[0]
    assert (first.id, first.verdict, first.features) == ("D3", "confirmed", ("delay",)), told(found)
    assert first.scope == "region = us"
    assert first.parameters["factor"] == pytest.approx(60)
    assert "offline values put in place" in first.test.result
    assert "served = 60 × offline in 100 % of them; in the baseline 0.0 %" in said(found, "integrity.skew-1")
    assert "of 2 features 1 differ in more than" in said(found, "integrity.skew")


def test_a_feature_of_two_code_paths_is_s1(tmp_path, case_of, flights):
    """Served values that follow from the offline ones by no rule: the offline ones in their place bring it back."""
    other = np.where(old_since(flights), flights.rng.permutation(flights.delay) * 1.7 + 3, flights.delay)
    found = found_in(case_of(flights.log(delay=other), **offline(tmp_path, flights)))
    assert (found.causes[0].id, found.causes[0].verdict, found.causes[0].features) == (
        "S1",
        "confirmed",
        ("delay",),
    ), told(found)


def test_skew_that_was_always_there_brought_no_failure(tmp_path, case_of, flights):
    """The pipeline's load has always been another than the served one; the delay breaks, which it doesn't compute."""
    columns = {"key": flights.columns()["key"], "load": flights.load + 0.01}
    parquet.write_table(pa.table(columns), tmp_path / "offline.parquet")
    delay = np.where(flights.hit, 60 * flights.delay, flights.delay)
    found = found_in(case_of(flights.log(delay=delay), offline_features={"table": "offline.parquet", "id": "key"}))
    assert found.causes[0].id == "D3", told(found)
    assert cause(found, "S1").verdict == "refuted"
    assert "no more than in the baseline" in cause(found, "S1").test.result


def registry(tmp_path: Path, current: str) -> dict[str, Any]:
    versions = [{"version": name, "current": str(name == current).lower()} for name in ("1", "2")]
    (tmp_path / "registry.yaml").write_text(yaml.safe_dump({"versions": versions}), encoding="utf-8")
    return {"registry": {"file": "registry.yaml"}}


def old_since(flights: Flights) -> Any:
    return (flights.days >= flights.since) & (flights.device != "ios")


def test_a_version_other_than_the_registered_one_is_m2_where_the_log_names_it(tmp_path, case_of, flights):
    """The log says so itself: the fault is what was served, not the promotion of a worse model."""
    old = old_since(flights)
    named = np.where(old, "1", "2")
    found = found_in(case_of(flights.log(old=old, version=named), **registry(tmp_path, "2")))
    first = found.causes[0]
    assert (first.id, first.verdict) == ("M2", "confirmed"), told(found)
    assert (first.parameters["served"], first.parameters["registered"]) == ("1", "2")
    assert cause(found, "M1").verdict == "refuted"
    assert "the registry means 2 to be served" in cause(found, "M1").test.result
    assert "the registry means version 2 to be served" in said(found, "integrity.registry")


def test_a_registered_version_that_is_worse_is_m1(tmp_path, case_of, flights):
    """The registry means the worse version to be served: nobody served it by mistake."""
    old = old_since(flights)
    found = found_in(case_of(flights.log(old=old, version=np.where(old, "1", "2")), **registry(tmp_path, "1")))
    assert (found.causes[0].id, found.causes[0].verdict) == ("M1", "confirmed"), told(found)
    assert cause(found, "M2").verdict == "refuted"


def test_the_wrong_version_is_named_from_a_real_mlflow_server(mlflow_server, case_of, flights):
    """Two versions registered, the champion not served since the onset; the log names no versions and ends today."""
    post(mlflow_server, "registered-models/create", name="late")
    for _ in range(2):
        post(mlflow_server, "model-versions/create", name="late", source="s3://models/late")
    post(mlflow_server, "registered-models/alias", name="late", alias="champion", version="2")
    sections = {"registry": {"mlflow": mlflow_server, "name": "late"}}
    earlier = found_in(case_of(flights.log(old=old_since(flights)), **sections))
    assert "was registered after the incident" in said(earlier, "integrity.registry")

    days = (datetime.now(UTC) - BEGINS).days - 36
    log = flights.log(old=old_since(flights))
    log["at"] = log["at"] + np.timedelta64(days, "D")
    windows = {"baseline": window(days, days + 30), "incident": window(days + 30, days + 37), "bucket": "1d"}
    found = found_in(case_of(log, windows=windows, **sections))
    first = found.causes[0]
    assert (first.id, first.verdict) == ("M2", "confirmed"), told(found)
    assert (first.parameters["served"], first.parameters["registered"]) == ("1", "2")
    assert "the registry means version 2 to be served (champion;" in said(found, "integrity.registry")


def test_the_intended_training_table_is_known_again_and_another_is_not(tmp_path, case_of, flights):
    """By the fingerprint that the command printed, whatever the order of the rows."""
    early = np.flatnonzero(flights.days < 10)
    columns = {"delay": flights.delay, "load": flights.load, "amount": flights.amount, "y": flights.label}
    table = pa.table({name: values[early] for name, values in columns.items()})
    parquet.write_table(table, tmp_path / "training.parquet")
    command = [sys.executable, "-m", "mortis", "fingerprint", str(tmp_path / "training.parquet")]
    recorded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    training = {"table": "training.parquet", "label": "y", "fingerprint": recorded}
    parquet.write_table(table.take(pa.array(flights.rng.permutation(len(early)))), tmp_path / "training.parquet")
    file = case_of(flights.log(), training=training)
    command = [sys.executable, "-m", "mortis", "integrity", str(file), "--json"]
    evidence = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["evidence"]
    same = next(one["statement"] for one in evidence if one["id"] == "integrity.training")
    assert same == f"the training table is the recorded one, in all {len(early):,} rows"
    parquet.write_table(table.set_column(1, "load", [table["load"].to_numpy() * 1.001]), tmp_path / "training.parquet")
    assert "is not the recorded one: load holds other values" in said(found_in(file), "integrity.training")


def training_table(flights: Flights, **columns: Any) -> pa.Table:
    """The rows of the first days as a training table."""
    early = np.flatnonzero(flights.days < 20)
    told = {"delay": flights.delay, "load": flights.load, "amount": flights.amount, "y": flights.label} | columns
    return pa.table({name: [values[i] for i in early] for name, values in told.items()})


def promoted(flights: Flights) -> Columns:
    """Version 1 serves from the incident on, and the log says so."""
    later = flights.days >= 30
    return flights.log(old=later, version=np.where(later, "1", "2"))


def test_a_version_that_learned_labels_turned_round_is_told_by_its_training_table(tmp_path, case_of, flights):
    turned = np.where(flights.rng.random(flights.n) < 0.4, 1 - flights.label, flights.label)
    for labels, named in ((turned, "L3"), (flights.label, "M1")):
        parquet.write_table(training_table(flights, y=labels), tmp_path / "training.parquet")
        found = found_in(case_of(promoted(flights), training={"table": "training.parquet", "label": "y"}))
        assert found.causes[0].id == named, told(found)


def test_training_labels_that_arent_the_logs_are_said_to_be_such(tmp_path, case_of, flights):
    spelt = np.where(flights.label == 1, "late", "in time")
    parquet.write_table(training_table(flights, y=spelt), tmp_path / "training.parquet")
    found = found_in(case_of(promoted(flights), training={"table": "training.parquet", "label": "y"}))
    assert (found.causes[0].id, cause(found, "L3").verdict) == ("M1", "not_tested")
    assert "spelt otherwise than the log's" in cause(found, "L3").test.result


def test_what_was_not_handed_over_is_said_not_to_be_checked(case_of, flights):
    found = found_in(case_of(flights.log()))
    asked = " ".join(gap.what for gap in found.not_checked)
    for what in ("trained on the intended table", "training-serving skew", "registry"):
        assert what in asked


def test_a_registry_out_of_reach_costs_no_other_answer(case_of, flights):
    delay = np.where(flights.hit, 60 * flights.delay, flights.delay)
    found = found_in(case_of(flights.log(delay=delay), registry={"mlflow": "http://127.0.0.1:9", "name": "late"}))
    assert found.causes[0].id == "D3", told(found)
    assert any("127.0.0.1:9 can't be reached" in gap.why for gap in found.not_checked)
