"""The registry of model versions: an MLflow server over its REST interface, or a plain YAML file."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from mortis.problems import InputProblem, WorkProblem, listed, near

TIMEOUT_SECONDS = 20.0
CURRENT_ALIASES = ("champion", "production")
_MOST_BYTES = 16 << 20
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
        raise InputProblem("registry: state one of `mlflow` (a server's address) and `file` (a YAML file)")
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
    """An MLflow server: its address without credentials, and the header that opens it."""

    address: str
    authorization: str = field(default="", repr=False)

    @classmethod
    def at(cls, url: str) -> _Server:
        """The server at an address; credentials in it go into the header, and no message shows them."""
        parts = _address(url)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        return cls(bare.geturl().rstrip("/"), _authorization(parts))

    def get(self, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that the server answers to a GET of the path with the parameters."""
        url = f"{self.address}/api/2.0/mlflow/{path}?{urlencode(parameters)}"
        headers = {"Accept": "application/json"} | ({"Authorization": self.authorization} if self.authorization else {})
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  the scheme is checked: http or https
        try:
            with _opener(self.address).open(request, timeout=TIMEOUT_SECONDS) as response:
                body = response.read(_MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read(_MOST_BYTES)) from None
        except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WorkProblem(
                f"registry.mlflow: {self.address} can't be reached: {_line(reason)}; is the server running?"
            ) from None
        answer = _json_object(body)
        if answer is None:
            raise WorkProblem(f"registry.mlflow: {self.address} answers no JSON of MLflow; is it an MLflow server?")
        return answer

    def _refused(self, code: int, body: bytes) -> WorkProblem:
        """What an error's code and body mean to the user."""
        answer = _json_object(body) or {}
        if answer.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            return _NoSuchModel(f"registry.mlflow: {self.address} doesn't have it: {_line(answer.get('message', ''))}")
        if code in (401, 403):
            return WorkProblem(
                f"registry.mlflow: {self.address} refuses access (HTTP {code}); set MLFLOW_TRACKING_TOKEN to a token"
            )
        if 300 <= code < 400:
            return WorkProblem(
                f"registry.mlflow: {self.address} redirects (HTTP {code}); state the address it redirects to"
            )
        said = _line(answer.get("message", "")) or "is it an MLflow server?"
        return WorkProblem(f"registry.mlflow: {self.address} answers HTTP {code}: {said}")


class _NoSuchModel(WorkProblem):
    """The server knows no model of that name."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are errors: following one would hand the token to another server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _opener(address: str) -> urllib.request.OpenerDirector:
    """An opener that follows no redirect, and that goes to this very machine without a proxy."""
    host = urlsplit(address).hostname or ""
    proxies = urllib.request.ProxyHandler({}) if _is_loopback(host) else urllib.request.ProxyHandler()
    return urllib.request.build_opener(proxies, _NoRedirect)


def _is_loopback(host: str) -> bool:
    """Whether a host is this very machine.

    >>> _is_loopback("127.0.0.1"), _is_loopback("localhost"), _is_loopback("mlflow.example")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(url: str) -> SplitResult:
    """The parts of a server's address; raises InputProblem where it is none."""
    try:
        parts = urlsplit(url.strip())
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        shown = re.sub(r"//[^/]*@", "//***@", url)
        raise InputProblem(f"registry.mlflow: {shown!r} is no server's address; write it like http://127.0.0.1:5000")
    return urlsplit(url.strip())


def _authorization(parts: SplitResult) -> str:
    """The header's value: the address's own credentials, else those of the environment, else none."""
    user = unquote(parts.username or "") or os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    password = unquote(parts.password or "") or os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "").strip()
    if user and (parts.username or not token):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Bearer {token}" if token else ""


def _json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in the body, None where it is none or longer than any registry's answer."""
    try:
        answer = json.loads(body) if len(body) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _line(text: Any) -> str:
    return " ".join(str(text).split())[:300]


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
        raise InputProblem(f"registry.name: {server.address} knows no model {name!r}{known}") from None
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
    raise InputProblem(f"registry.name: state which model of {server.address} is meant; {there}")


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
        raise InputProblem(f"registry.name: MLflow can't search for a name that holds both kinds of quotes: {name}")
    return f"{quote}{name}{quote}"


def _from_file(file: Path, name: str) -> Iterator[RegisteredVersion]:
    """The versions in a YAML file: a list, or a mapping with `versions` and, if it likes, `name`."""
    data = _yaml(file)
    if isinstance(data, dict):
        stated = str(data.get("name") or "")
        if name and stated and name != stated:
            raise InputProblem(f"registry.name: {file.name} is the registry of {stated!r}, not of {name!r}")
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
        raise InputProblem(f"registry.file: no such file: {file.name} (looked in {file.parent.resolve()})") from None
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
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputProblem(f"{where}: {text!r} is no time; write it like 2013-08-01T06:00:00Z") from None
