"""The case: what the user states about the failure, validated, with errors that name line, key and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from mortis.problems import InputProblem, listed
from mortis.records import Window

TaskName = Literal["binary", "multiclass", "regression", "ranking", "score"]
BUCKET_SECONDS = {
    "1min": 60,
    "5min": 300,
    "15min": 900,
    "30min": 1800,
    "1h": 3600,
    "3h": 10800,
    "6h": 21600,
    "12h": 43200,
    "1d": 86400,
    "7d": 604800,
}


def _moment(value: object) -> object:
    """A date, a datetime or ISO text as a moment in UTC; what carries no offset is taken as UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"{value!r} is not a time; write it like 2013-08-01 or 2013-08-01T06:00:00Z") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    raise ValueError(f"{value!r} is not a time; write it like 2013-08-01 or 2013-08-01T06:00:00Z")


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Part(BaseModel):
    """A section of the case file: unknown keys are refused, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Query(Part):
    """A table or a query of a database."""

    url: str
    query: str = ""
    table: str = ""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if bool(self.query) == bool(self.table):
            raise ValueError("needs either `query` or `table`, not both")
        return self


# A path, glob or directory; several of them; a database; or, from Python, an Arrow, pandas or Polars frame.
TableSource = (
    str | list[str] | Query | Annotated[Any, Field(json_schema_extra={"description": "a frame (Python only)"})]
)


class Model(Part):
    """Which model failed, and what it predicts."""

    name: str = "model"
    task: TaskName | None = None
    positive: str | int | float | bool | None = None


class Predictions(Part):
    """The prediction log: where it lies and which column plays which role."""

    table: TableSource
    time: str
    id: str | None = None
    prediction: str | None = None
    score: str | dict[str, str] | None = None
    label: str | None = None
    version: str | None = None
    latency_ms: str | None = None
    error: str | None = None
    group: str | None = None
    segments: list[str] = []
    features: Literal["auto"] | list[str] = "auto"

    @field_validator("score", mode="before")
    @classmethod
    def _text_keys(cls, value: object) -> object:
        return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _something_to_judge(self) -> Self:
        if not (self.prediction or self.score or self.latency_ms):
            raise ValueError("needs one of `prediction`, `score`, `latency_ms`")
        return self


class Labels(Part):
    """Labels that lie in a table of their own, joined by id; `time` is when each arrived."""

    table: TableSource
    id: str
    label: str
    time: str | None = None


class Training(Part):
    """The table the model was trained on, and the fingerprint recorded for it then."""

    table: TableSource
    label: str | None = None
    fingerprint: str | None = None


class OfflineFeatures(Part):
    """What the training pipeline computes for the served rows, joined by id."""

    table: TableSource
    id: str


class FailureStated(Part):
    """What broke: the metric, and the figure that was expected."""

    metric: str | None = None
    expected: float | Literal["baseline"] = "baseline"


class Windows(Part):
    """The baseline and the incident, half-open in UTC; without an incident window, it is found."""

    baseline: tuple[Moment, Moment] | None = None
    incident: tuple[Moment, Moment] | None = None
    bucket: str | None = None

    @field_validator("baseline", "incident")
    @classmethod
    def _not_empty(cls, value: tuple[datetime, datetime] | None) -> tuple[datetime, datetime] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(
                f"the window is empty: it begins {value[0]:%Y-%m-%d %H:%M} and ends {value[1]:%Y-%m-%d %H:%M}"
            )
        return value

    @field_validator("bucket")
    @classmethod
    def _known_bucket(cls, value: str | None) -> str | None:
        if value is not None and value not in BUCKET_SECONDS:
            raise ValueError(f"{value!r} is not a bucket length; there are {listed(BUCKET_SECONDS)}")
        return value

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.baseline and self.incident and Window(*self.baseline).overlaps(Window(*self.incident)):
            raise ValueError(
                f"baseline {Window(*self.baseline)} and incident {Window(*self.incident)} overlap; "
                "end the baseline where the incident begins"
            )
        return self


class ModelFile(Part):
    """One version of the model as a file."""

    version: str
    file: str


class Registry(Part):
    """Where the versions are registered: an MLflow server, or a plain YAML file."""

    mlflow: str | None = None
    file: str | None = None
    name: str = ""


class MetricsSource(Part):
    """System or model metrics over time: a table, or a Prometheus server with its queries."""

    table: TableSource | None = None
    time: str | None = None
    prometheus: str | None = None
    queries: dict[str, str] = {}


class LogsSource(Part):
    """Log files, by glob."""

    files: str | list[str]


class BeforeAfter(Part):
    """The same file before and after a change, and when it changed."""

    before: str
    after: str
    at: Moment | None = None


class ChangeSource(Part):
    """One place where changes are recorded."""

    git: str | None = None
    dependencies: BeforeAfter | None = None
    schema_: BeforeAfter | None = Field(None, alias="schema")
    environment: BeforeAfter | None = None
    config: BeforeAfter | None = None
    events: str | None = None


class Case(Part):
    """A case as its file states it. `root` is the folder that relative paths start from.

    >>> Case.parse({"predictions": {"table": "p.csv", "time": "ts", "score": "p"}}).predictions.time
    'ts'
    """

    title: str = "Untitled incident"
    model: Model = Model()
    predictions: Predictions
    labels: Labels | None = None
    training: Training | None = None
    offline_features: OfflineFeatures | None = None
    failure: FailureStated = FailureStated()
    windows: Windows = Windows()
    detected_at: Moment | None = None
    models: list[ModelFile] = []
    registry: Registry | None = None
    metrics: list[MetricsSource] = []
    graph: str | None = None
    logs: list[LogsSource] = []
    changes: list[ChangeSource] = []
    sensitive: list[str] = []
    root: Path = Field(default=Path(), exclude=True, json_schema_extra={"description": "set on loading"})

    @classmethod
    def load(cls, path: str | Path) -> Case:
        """The case in a file (or in `incident.yaml` of a folder).

        Raises InputProblem, in one line, where the file is missing, is not YAML, or states what can't be.
        """
        file = Path(path)
        file = file / "incident.yaml" if file.is_dir() else file
        if not file.exists():
            raise InputProblem(f"{file}: no such case file; `mortis init TABLE -o {file}` writes one")
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InputProblem(f"{file}: not a case file: it is not UTF-8 text; hand over an incident.yaml") from None
        try:
            data, lines = _load_yaml(text)
        except InputProblem as problem:
            raise InputProblem(f"{file} {problem}") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{file} line {mark.line + 1}" if mark else str(file)
            raise InputProblem(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
        if not isinstance(data, dict):
            raise InputProblem(
                f"{file}: not a case: it must hold keys such as `predictions:`; see `mortis schema case`"
            )
        return cls.parse(data, root=file.parent, name=str(file), lines=lines)

    @classmethod
    def parse(
        cls,
        data: Mapping[str, Any],
        *,
        root: Path | None = None,
        name: str = "case",
        lines: Mapping[tuple[Any, ...], int] | None = None,
    ) -> Case:
        """The case that a mapping states; `lines` tells in which line of `name` each key stands."""
        if "root" in data:
            raise InputProblem(f"{name}: unknown key 'root'; keys there: {listed(_keys(cls), most=30)}")
        try:
            return cls.model_validate({**data, "root": root or Path()})
        except ValidationError as error:
            raise InputProblem(_one_line(error, name, lines or {})) from None

    @classmethod
    def schema_json(cls) -> dict[str, Any]:
        """The JSON Schema of the case file."""
        schema = cls.model_json_schema(by_alias=True)
        schema["properties"].pop("root", None)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = "Mortis case file (incident.yaml)"
        return schema


class _Loader(yaml.SafeLoader):
    """YAML whose dates stay text, so that a wrong one is reported with its key and an offset isn't lost."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _load_yaml(text: str) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """The data of a YAML text, and the line (from 1) on which each key path stands."""
    node = yaml.compose(text, Loader=_Loader)
    lines: dict[tuple[Any, ...], int] = {}
    for path, line in _key_lines(node, ()) if node else ():
        if path in lines:
            raise InputProblem(f"line {line}: key {path[-1]!r} stands twice (first in line {lines[path]}); keep one")
        lines[path] = line
    return yaml.load(text, Loader=_Loader), lines  # noqa: S506  a SafeLoader without timestamps


def _key_lines(node: yaml.Node, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            yield inner, key.start_mark.line + 1
            yield from _key_lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield (*path, i), value.start_mark.line + 1
            yield from _key_lines(value, (*path, i))


def _one_line(error: ValidationError, name: str, lines: Mapping[tuple[Any, ...], int]) -> str:
    """The first thing that is wrong in a case, as one line with file, line, key and remedy."""
    problems = error.errors()
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path = (
        tuple(step for step in first["loc"] if step in {s for key in lines for s in key} or not lines) or first["loc"]
    )
    line = next((lines[path[:i]] for i in range(len(path), 0, -1) if path[:i] in lines), None)
    where = f"{name} line {line}" if line else name
    key = ".".join(str(step) for step in path)
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key {path[-1]!r}{_did_you_mean(path)}"
    if first["type"] == "missing":
        return f"{where}: missing key {'.'.join(str(step) for step in first['loc'])!r}; it is compulsory"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {key}: {message[:1].lower() + message[1:]}" if key else f"{where}: {message}"


def _did_you_mean(path: tuple[Any, ...]) -> str:
    known = _keys(_section(path[:-1]))
    close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    guess = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{guess} keys there: {listed(known, most=30)}"


def _section(path: tuple[Any, ...]) -> type[BaseModel]:
    """The model class that a key path leads to."""
    current: type[BaseModel] = Case
    for step in path:
        fields = {(f.alias or name): f for name, f in current.model_fields.items()}
        inner = fields.get(str(step))
        found = _model_in(inner.annotation) if inner else None
        current = found or current
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_in(part)
        if found:
            return found
    return None


def _keys(model: type[BaseModel]) -> list[str]:
    return [f.alias or name for name, f in model.model_fields.items() if name != "root"]
