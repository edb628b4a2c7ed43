"""The case file: what is accepted, what it means, and that every refusal is one line with its place."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as SchemaError

from mortis.case import BUCKET_SECONDS, Case
from mortis.case.reading import load_yaml
from mortis.problems import InputProblem

# The whole case file, every key of it.
WHOLE = """
title: Precision of the late-arrival model fell after the August release
model: {name: arrivals, task: binary, positive: 1}
predictions:
  table: predictions/*.parquet
  time: scheduled_at
  id: request_id
  prediction: y_pred
  score: y_score
  label: y_true
  version: model_version
  latency_ms: latency_ms
  group: query_id
  segments: [region, device]
  features: auto
labels: {table: labels.parquet, id: request_id, label: y_true, time: labelled_at}
training: {table: training.parquet, label: y_true, fingerprint: "..."}
offline_features: {table: offline.parquet, id: request_id}
failure: {metric: precision, expected: 0.90}
windows: {baseline: [2013-06-01, 2013-08-01], incident: [2013-08-01, 2013-08-15], bucket: 1d}
detected_at: 2013-08-16T09:00:00Z
models: [{version: v1, file: models/v1.onnx}, {version: v2, file: models/v2.onnx}]
registry: {mlflow: "http://127.0.0.1:5000", name: arrivals}
metrics: [{table: metrics.csv, time: ts}, {prometheus: "http://127.0.0.1:9090", queries: {cpu: "rate(...)"}}]
graph: services.csv
logs: [{files: "logs/*.jsonl"}]
changes:
  - {git: repo}
  - {dependencies: {before: old.lock, after: new.lock, at: 2013-08-01T06:00:00Z}}
  - {schema: {before: old.json, after: new.json, at: 2013-08-01T06:00:00Z}}
  - {environment: {before: train-env.json, after: serve-env.json, at: 2013-08-01T06:00:00Z}}
  - {config: {before: old.yaml, after: new.yaml, at: 2013-08-01T06:00:00Z}}
  - {events: deploys.csv}
sensitive: [passenger_name]
"""
LEAST = {"predictions": {"table": "log.csv", "time": "ts", "score": "p"}}
SOURCES: tuple[Any, ...] = (
    "log.csv",
    ["a.csv", "b.csv"],
    {"url": "sqlite:///log.db", "table": "log"},
    {"url": "postgresql://host/db", "query": "SELECT 1"},
)


def refusal(data: Any) -> str:
    """The message with which a case is refused."""
    with pytest.raises(InputProblem) as problem:
        Case.parse(data, name="incident.yaml")
    return str(problem.value)


def test_every_key_is_accepted(tmp_path: Path) -> None:
    """A file that states everything loads; its moments are UTC, its paths are relative to its folder."""
    (tmp_path / "incident.yaml").write_text(WHOLE, encoding="utf-8")
    case = Case.load(tmp_path)
    assert case == Case.load(tmp_path / "incident.yaml")
    assert case.root == tmp_path
    assert case.detected_at == datetime(2013, 8, 16, 9, tzinfo=UTC)
    assert case.windows.incident == (datetime(2013, 8, 1, tzinfo=UTC), datetime(2013, 8, 15, tzinfo=UTC))
    assert case.failure.expected == 0.9
    assert case.changes[2].schema_ is not None
    assert case.changes[2].schema_.at == datetime(2013, 8, 1, 6, tzinfo=UTC)


def test_the_schema_takes_what_the_parser_takes() -> None:
    """The JSON Schema is one, and accepts the whole file, the least file, and each kind of table."""
    schema = Case.schema_json()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    validator.validate(load_yaml(WHOLE)[0])
    for source in SOURCES:
        stated = {"predictions": LEAST["predictions"] | {"table": source}}
        validator.validate(stated)
        Case.parse(stated)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"predictions": {"table": "log.csv"}},
        {"predictions": LEAST["predictions"] | {"table": {"url": "sqlite:///x"}, "tables": 1}},
        {"predictions": LEAST["predictions"] | {"table": 5}},
        LEAST | {"model": {"task": "binery"}},
        LEAST | {"windows": {"baseline": ["2013-06-01"]}},
        LEAST | {"unknown": 1},
        LEAST | {"root": "/"},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_no_case(wrong: dict[str, Any]) -> None:
    """What an editor with the schema underlines."""
    with pytest.raises(SchemaError):
        Draft202012Validator(Case.schema_json()).validate(wrong)


def sections(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every mapping in the data whose keys the case defines."""
    if isinstance(data, list):
        return [found for i, one in enumerate(data) for found in sections(one, (*path, i))]
    if not isinstance(data, dict) or path[-1:] == ("queries",):
        return []
    return [path, *(found for key, one in data.items() for found in sections(one, (*path, key)))]


@pytest.mark.parametrize("path", sections(load_yaml(WHOLE)[0]), ids=lambda path: ".".join(map(str, path)) or "top")
def test_an_unknown_key_is_refused_wherever_it_stands(path: tuple[Any, ...], tmp_path: Path) -> None:
    """With its line, its name, and the keys that could stand there."""
    data = copy.deepcopy(load_yaml(WHOLE)[0])
    inner = data
    for step in path:
        inner = inner[step]
    inner["zzz"] = 1
    file = tmp_path / "incident.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    with pytest.raises(InputProblem) as problem:
        Case.load(file)
    line = 1 + next(i for i, text in enumerate(file.read_text(encoding="utf-8").splitlines()) if "zzz: 1" in text)
    expected = f"{file} line {line}: unknown key 'zzz'; keys there: "
    assert str(problem.value).startswith(expected)
    known = str(problem.value).removeprefix(expected).split(", ")
    assert set(inner) - {"zzz"} <= set(known)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "log.csv"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sections(load_yaml(WHOLE)[0])), st.data(), ANYTHING)
def test_whatever_is_stated_is_a_case_or_one_line(path: tuple[Any, ...], draw: st.DataObject, value: Any) -> None:
    """Any value under any key either makes a case, or is refused in one line that names no internals."""
    data = copy.deepcopy(load_yaml(WHOLE)[0])
    inner = data
    for step in path:
        inner = inner[step]
    inner[draw.draw(st.sampled_from(sorted(inner)))] = value
    try:
        Case.parse(data, name="incident.yaml")
    except InputProblem as problem:
        message = str(problem)
        assert message.startswith("incident.yaml: ")
        assert "\n" not in message
        assert "pydantic" not in message


@given(st.text(max_size=60))
def test_whatever_a_file_holds_is_a_case_or_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Any text either is a case file, or is refused in one line that begins with the file's name."""
    file = tmp_path_factory.mktemp("any") / "incident.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputProblem) as problem:
        Case.load(file)
    assert str(problem.value).startswith(str(file))
    assert len(str(problem.value).splitlines()) == 1


def test_aliases_are_followed_without_end(tmp_path: Path) -> None:
    """Aliases of aliases, or of what holds them, are refused like anything else, at once."""
    doubled = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))
    for text in (f"a0: &a0 [x]\n{doubled}\n", "a: &a {b: *a}\n", "a: &a [*a]\n"):
        (tmp_path / "incident.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(InputProblem, match="line 1: unknown key 'a"):
            Case.load(tmp_path)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(-23, 23))  # noqa: DTZ001  its zone is drawn
def test_an_offset_is_kept(moment: datetime, hours: int) -> None:
    """A moment with an offset is that moment in UTC; one without is taken as UTC."""
    zoned = moment.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    data, _ = load_yaml(f"detected_at: {zoned.isoformat()}")
    assert Case.parse(LEAST | data).detected_at == zoned
    plain = zoned.replace(tzinfo=None)
    assert Case.parse(LEAST | {"detected_at": plain.isoformat()}).detected_at == plain.replace(tzinfo=UTC)
    assert Case.parse(LEAST | {"detected_at": plain}).detected_at == plain.replace(tzinfo=UTC)


def test_a_label_of_words_stays_one() -> None:
    """`positive: yes` is the label "yes", not a truth value; `true` is one."""
    for text, meant in (("yes", "yes"), ("no", "no"), ("off", "off"), ("true", True), ("1", 1), ("late", "late")):
        data, _ = load_yaml(f"model: {{positive: {text}}}")
        assert Case.parse(LEAST | data).model.positive == meant


@pytest.mark.parametrize("bucket", BUCKET_SECONDS)
def test_every_bucket_length_can_be_stated(bucket: str) -> None:
    """The names in the message are those that are accepted."""
    assert Case.parse(LEAST | {"windows": {"bucket": bucket}}).windows.bucket == bucket


def test_scores_of_classes_are_named_by_text() -> None:
    """YAML reads `{1: p_1}` with a number; the class is the text that labels are compared by."""
    assert Case.parse({"predictions": LEAST["predictions"] | {"score": {1: "p_1"}}}).predictions.score == {"1": "p_1"}


def test_a_case_does_not_change() -> None:
    """What was read stays as it was read."""
    case = Case.parse(LEAST)
    with pytest.raises(ValueError, match="frozen"):
        case.title = "another"  # type: ignore[misc]


def test_what_the_key_of_a_refusal_is() -> None:
    """A case from Python names the same keys as a file, without a line."""
    assert refusal({}) == "incident.yaml: missing key 'predictions'; it is compulsory"
    assert refusal(LEAST | {"failure": {"expected": True}}) == (
        "incident.yaml: failure.expected: True is neither a number nor `baseline`"
    )
    assert refusal({"predictions": LEAST["predictions"] | {"table": {"url": "x", "queries": "y"}}}) == (
        "incident.yaml: unknown key 'queries'; did you mean 'query'? keys there: url, query, table"
    )
    assert refusal(LEAST | {"models": [{"version": "v1", "file": "a"}, {"version": "v2"}]}) == (
        "incident.yaml: missing key 'models.1.file'; it is compulsory"
    )
