"""The registry of model versions: an MLflow server over its REST interface, or a plain YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mortis.problems import CaseProblem, InputProblem, WorkProblem, listed, near
from mortis.sources.files import neighbours
from mortis.sources.http import TIMEOUT_SECONDS, Server, line
from mortis.sources.times import moment_of

CURRENT_ALIASES = ("champion", "production")
_MOST_PAGES = 100
_PAGE_VERSIONS = 1000
_DIGEST_TAGS = ("digest", "model_digest", "sha256", "fingerprint")
_KEYS = ("version", "stage", "aliases", "status", "created_at", "source", "run_id", "digest", "current")


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version of a model as its registry knows it; empty where the registry says nothing.

    `created_at` is in UTC. `is_current` says that the registry means it to be served: by its own word, else by an alias
    champion or production, else by the stage Production.
    """

    version: str
    stage: str = ""
    aliases: tuple[str, ...] = ()
    status: str = ""
    created_at: datetime | None = None
    source: str = ""
    run_id: str = ""
    digest: str = ""
    is_current: bool = False


def read_registry(
    *, mlflow: str | None = None, file: Path | None = None, name: str = ""
) -> tuple[RegisteredVersion, ...]:
    """The versions that are registered under a model's name, oldest first; none where the model has none.

    The name may be left out where the registry holds one model. An MLflow server gets the token in the environment
    variable MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. Raises InputProblem where
    the address, the file or the name is wrong; WorkProblem where the server can't be reached or refuses.
    """
    if (mlflow is None) == (file is None):
        raise CaseProblem("registry: state one of `mlflow` (a server's address) and `file` (a YAML file)")
    versions = _from_mlflow(_Server.at(mlflow), name) if mlflow is not None else _from_file(Path(str(file)), name)
    return tuple(sorted(_with_current(list(versions)), key=_age))


def _with_current(versions: Sequence[RegisteredVersion]) -> list[RegisteredVersion]:
    """The versions, those that are to be served marked: the strongest sign that any of them bears decides."""
    signs = (
        [one.is_current for one in versions],
        [any(alias.lower() in CURRENT_ALIASES for alias in one.aliases) for one in versions],
        [one.stage.lower() == "production" for one in versions],
    )
    decided = next((sign for sign in signs if any(sign)), signs[0])
    return [replace(one, is_current=current) for one, current in zip(versions, decided, strict=True)]


def _age(one: RegisteredVersion) -> tuple[datetime, list[tuple[int, str]]]:
    """What sorts versions: their time, then their name with its numbers as numbers."""
    parts = re.findall(r"\d+|\D+", one.version)
    return (
        one.created_at or datetime.min.replace(tzinfo=UTC),
        [(int(part), "") if part.isdecimal() else (-1, part) for part in parts],
    )


@dataclass(frozen=True, slots=True)
class _Server:
    """An MLflow server, asked over its REST interface."""

    http: Server

    @classmethod
    def at(cls, url: str) -> _Server:
        """The server at an address."""
        example = "http://127.0.0.1:5000"
        return cls(Server.at(url, key="registry.mlflow", kind="MLflow", variables="MLFLOW_TRACKING", example=example))

    @property
    def address(self) -> str:
        """The address without credentials."""
        return self.http.address

    def get(self, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that the server answers to a GET of the path with the parameters."""
        return self.http.get(f"api/2.0/mlflow/{path}", parameters, timeout=TIMEOUT_SECONDS, refusal=self._refusal)

    def _refusal(self, _code: int, answer: Mapping[str, Any]) -> WorkProblem | None:
        if answer.get("error_code") != "RESOURCE_DOES_NOT_EXIST":
            return None
        return _NoSuchModel(f"registry.mlflow: {self.address} doesn't have it: {line(answer.get('message', ''))}")


class _NoSuchModel(WorkProblem):
    """The server knows no model of that name."""


def _from_mlflow(server: _Server, name: str) -> Iterator[RegisteredVersion]:
    """The versions of the model, as the server's model and its pages of versions tell.

    Source: https://mlflow.org/docs/latest/rest-api.html
    """
    name = name or _only_model(server)
    try:
        model = server.get("registered-models/get", {"name": name}).get("registered_model", {})
    except _NoSuchModel:
        names = _models(server)
        known = f"{near(name, names) or ';'} there are: {listed(names)}" if names else "; it has no models"
        raise CaseProblem(f"registry.name: {server.address} knows no model {name!r}{known}") from None
    try:
        aliases = [(str(one["version"]), str(one["alias"])) for one in model.get("aliases", ())]
        for one in _pages(server, "model-versions/search", "model_versions", {"filter": f"name={_quoted(name)}"}):
            version = str(one["version"])
            yield _mlflow_version(one, tuple(alias for of, alias in aliases if of == version))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise WorkProblem(f"registry.mlflow: {server.address} answers in a form that is not MLflow's") from None


def _mlflow_version(one: Mapping[str, Any], aliases: tuple[str, ...]) -> RegisteredVersion:
    """The version in an entry of the server's answer; the stage 'None' is its word for no stage."""
    stage = str(one.get("current_stage") or "")
    created = one.get("creation_timestamp")
    tags = {str(tag["key"]).lower(): str(tag.get("value", "")) for tag in one.get("tags", ())}
    return RegisteredVersion(
        version=str(one["version"]),
        stage="" if stage == "None" else stage,
        aliases=aliases,
        status=str(one.get("status") or ""),
        created_at=None if created is None else datetime.fromtimestamp(int(created) / 1000, UTC),
        source=str(one.get("source") or ""),
        run_id=str(one.get("run_id") or ""),
        digest=next((tags[key] for key in _DIGEST_TAGS if tags.get(key)), ""),
    )


def _only_model(server: _Server) -> str:
    names = _models(server)
    if len(names) == 1:
        return names[0]
    there = f"there are: {listed(names)}" if names else "the server has no models"
    raise CaseProblem(f"registry.name: state which model of {server.address} is meant; {there}")


def _models(server: _Server) -> list[str]:
    models = _pages(server, "registered-models/search", "registered_models", {})
    return sorted(str(one.get("name", "")) for one in models)


def _pages(server: _Server, path: str, key: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The entries under a key of all pages that the server gives.

    Raises WorkProblem where the pages don't end.
    """
    token = ""
    for _ in range(_MOST_PAGES):
        asked = {**parameters, "max_results": _PAGE_VERSIONS} | ({"page_token": token} if token else {})
        answer = server.get(path, asked)
        entries = answer.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise WorkProblem(f"registry.mlflow: {server.address} answers {path} in a form that is not MLflow's")
        yield from entries
        token = str(answer.get("next_page_token") or "")
        if not token:
            return
    raise WorkProblem(f"registry.mlflow: {server.address} gives more than {_MOST_PAGES} pages of {path}")


def _quoted(name: str) -> str:
    """The name in the quotes of MLflow's filters, which know no escape.

    Raises InputProblem where it holds both kinds of quotes.
    """
    quote = '"' if "'" in name else "'"
    if quote in name:
        raise CaseProblem(f"registry.name: MLflow can't search for a name that holds both kinds of quotes: {name}")
    return f"{quote}{name}{quote}"


def _from_file(file: Path, name: str) -> Iterator[RegisteredVersion]:
    """The versions in a YAML file: a list, or a mapping with `versions` and, if it likes, `name`."""
    data = _yaml(file)
    if isinstance(data, dict):
        stated = str(data.get("name") or "")
        if name and stated and name != stated:
            raise CaseProblem(f"registry.name: {file.name} is the registry of {stated!r}, not of {name!r}")
        data = data.get("versions")
    if not isinstance(data, list):
        raise InputProblem(f"registry.file: {file.name} must list `versions`, each with its key `version`")
    seen: set[str] = set()
    for i, entry in enumerate(data):
        one = _file_version(entry, f"registry.file: {file.name}: versions[{i}]")
        if one.version in seen:
            raise InputProblem(f"registry.file: {file.name}: version {one.version!r} stands twice; keep one")
        seen.add(one.version)
        yield one


def _yaml(file: Path) -> Any:
    import yaml

    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  it builds texts alone
    except FileNotFoundError:
        raise CaseProblem(
            f"registry.file: no such file: {file.name} (looked in {file.parent.resolve()}){neighbours(file)}"
        ) from None
    except OSError as error:
        raise WorkProblem(f"registry.file: {file.name} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise InputProblem(
            f"registry.file: {file.name}{where}: not YAML; hand over a list of `versions:` as text"
        ) from None


def _file_version(entry: Any, where: str) -> RegisteredVersion:
    """The version in an entry of a file; raises InputProblem where a key is unknown or its value can't be read."""
    if not isinstance(entry, dict) or not entry.get("version"):
        raise InputProblem(f"{where}: must hold the key `version`; keys there: {listed(_KEYS)}")
    unknown = [str(key) for key in entry if key not in _KEYS]
    if unknown:
        raise InputProblem(
            f"{where}: unknown key {unknown[0]!r}{near(unknown[0], _KEYS) or ';'} keys there: {listed(_KEYS)}"
        )
    aliases = entry.get("aliases") or ()
    texts = {key: _text(entry[key], f"{where}.{key}") for key in _KEYS if key in entry and key != "aliases"}
    current = texts.pop("current", "false").lower()
    if current not in ("true", "false"):
        raise InputProblem(f"{where}.current: {current!r} is neither true nor false")
    created = texts.pop("created_at", "")
    return RegisteredVersion(
        **texts,
        aliases=tuple(_text(one, f"{where}.aliases") for one in ([aliases] if isinstance(aliases, str) else aliases)),
        created_at=_time(created, f"{where}.created_at") if created else None,
        is_current=current == "true",
    )


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return "" if value in ("null", "~") else value
    raise InputProblem(f"{where}: must be one value, not {'a list' if isinstance(value, Iterable) else 'nothing'}")


def _time(text: str, where: str) -> datetime:
    """The time in UTC; one without an offset is UTC already."""
    time = moment_of(text)
    if time is None:
        raise InputProblem(f"{where}: {text!r} is no time; write it like 2013-08-01T06:00:00Z")
    return time
