"""The case: what the user states about the failure, validated, with errors that name line, key and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from mortis.case.reading import read_case_file
from mortis.case.refusals import keys_of, one_line
from mortis.problems import InputProblem, listed
from mortis.records import Window, iso

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
    stated = value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    raise ValueError(f"{stated!r} is not a time; write it like 2013-08-01 or 2013-08-01T06:00:00Z")


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
            raise ValueError("a database needs either `query` or `table` beside `url`, and not both")
        return self


def _kind_of_source(value: object) -> str:
    if isinstance(value, Mapping | Query):
        return "database"
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "paths"
    return "path" if isinstance(value, str) else "frame"


# A path, glob or directory; several of them; a database; or, from Python, an Arrow, pandas or Polars frame. The kind is
# told beforehand, so that a mistake in a database's keys isn't taken for a frame.
TableSource = Annotated[
    Annotated[str, Tag("path")]
    | Annotated[list[str], Tag("paths")]
    | Annotated[Query, Tag("database")]
    | Annotated[SkipJsonSchema[Any], Tag("frame")],
    Discriminator(_kind_of_source),
]


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

    @field_validator("expected", mode="before")
    @classmethod
    def _figure(cls, value: object) -> object:
        if value != "baseline" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{value!r} is neither a number nor `baseline`")
        return value


class Windows(Part):
    """The baseline and the incident, half-open in UTC; without an incident window, it is found."""

    baseline: tuple[Moment, Moment] | None = None
    incident: tuple[Moment, Moment] | None = None
    bucket: str | None = None

    @field_validator("baseline", "incident", mode="before")
    @classmethod
    def _two_moments(cls, value: object) -> object:
        if value is not None and not (isinstance(value, list | tuple) and len(value) == 2):
            raise ValueError("a window needs its start and its end, as in [2013-08-01, 2013-08-15]")
        return value

    @field_validator("baseline", "incident")
    @classmethod
    def _not_empty(cls, value: tuple[datetime, datetime] | None) -> tuple[datetime, datetime] | None:
        if value is not None and value[0] >= value[1]:
            start, end = iso(value[0]), iso(value[1])
            raise ValueError(
                f"the window is empty: it begins {start} and ends {end}; its end must come after its start"
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

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.table is None) == (self.prometheus is None):
            raise ValueError(
                "state one of `table` (files of series) and `prometheus` (a server's address, with `queries`)"
            )
        if self.prometheus is not None and not self.queries:
            raise ValueError("state at least one of `queries`, as in {cpu: 'rate(process_cpu_seconds_total[5m])'}")
        return self


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

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError(f"states no source; there are: {listed(keys_of(type(self)))}")
        return self


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
        data, lines = read_case_file(file)
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
        """The case that a mapping states; `lines` tells in which line of `name` each key stands.

        Raises InputProblem, in one line, for the first thing that can't be.
        """
        if "root" in data:
            raise InputProblem(f"{name}: unknown key 'root'; keys there: {listed(keys_of(cls), most=30)}")
        try:
            return cls.model_validate({**data, "root": root or Path()})
        except ValidationError as error:
            raise InputProblem(one_line(error, cls, data, name=name, lines=lines or {})) from None

    @classmethod
    def schema_json(cls) -> dict[str, Any]:  # type: ignore[override]  # pydantic's method of this name is deprecated
        """The JSON Schema of the case file."""
        schema = cls.model_json_schema(by_alias=True)
        schema["properties"].pop("root", None)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = "Mortis case file (incident.yaml)"
        return schema
