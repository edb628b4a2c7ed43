"""Servers asked over HTTP: no redirect followed, no proxy to this very machine, answers bounded, credentials unseen."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from mortis.problems import CaseProblem, Problem, WorkProblem

TIMEOUT_SECONDS = 20.0
MOST_BYTES = 16 << 20
_PIECE = 1 << 20
_WHOLE_ANSWER = 10  # timeouts that an answer may take from its first byte to its last

# What an HTTP code and the JSON object beside it mean to one kind of server; None where they say nothing of its own.
Refusal = Callable[[int, Mapping[str, Any]], Problem | None]


def _nothing_of_its_own(_code: int, _answer: Mapping[str, Any]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a kind ("MLflow"): its address without credentials, and the header that opens it.

    `key` is what messages begin with, `variables` what the names of the environment's credentials do (its _TOKEN, or
    its _USERNAME and _PASSWORD).
    """

    key: str
    kind: str
    address: str
    variables: str
    authorization: str = field(default="", repr=False)

    @classmethod
    def at(cls, url: str, *, key: str, kind: str, variables: str, example: str) -> Server:
        """The server at an address; credentials in it go into the header, and no message shows them.

        Raises CaseProblem where it is no address.
        """
        parts = _address(url, key=key, example=example)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        return cls(key, kind, bare.geturl().rstrip("/"), variables, _authorization(parts, variables))

    def get(
        self,
        path: str,
        parameters: Mapping[str, Any],
        *,
        timeout: float = TIMEOUT_SECONDS,
        most_bytes: int = MOST_BYTES,
        refusal: Refusal = _nothing_of_its_own,
    ) -> dict[str, Any]:
        """The JSON object that the server answers to a GET of the path with the parameters.

        `timeout` (seconds) is how long the server may stay silent; a whole answer may take ten times that. Raises what
        `refusal` makes of an error's code and answer, otherwise WorkProblem.
        """
        url = f"{self.address}/{path}?{urlencode(parameters)}"
        headers = {"Accept": "application/json"} | ({"Authorization": self.authorization} if self.authorization else {})
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  the scheme is checked: http or https
        try:
            with _opener(self.address).open(request, timeout=timeout) as response:
                body = _body(response, most_bytes, seconds=timeout * _WHOLE_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read(MOST_BYTES), refusal) from None
        except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WorkProblem(
                f"{self.key}: {self.address} can't be reached: {line(reason)}; is the server running?"
            ) from None
        if len(body) > most_bytes:
            raise WorkProblem(
                f"{self.key}: {self.address} answers with more than {most_bytes >> 20} MiB; ask for less at a time"
            )
        answer = _json_object(body)
        if answer is None:
            raise WorkProblem(f"{self.key}: {self.address} answers no JSON of {self.kind}; {self._doubt}")
        return answer

    def _refused(self, code: int, body: bytes, refusal: Refusal) -> Problem:
        """What an error's code and body mean to the user."""
        answer = _json_object(body) or {}
        if own := refusal(code, answer):
            return own
        if code in (401, 403):
            return WorkProblem(
                f"{self.key}: {self.address} refuses access (HTTP {code}); set {self.variables}_TOKEN to a token"
            )
        if 300 <= code < 400:
            return WorkProblem(f"{self.key}: {self.address} redirects (HTTP {code}); state the address it redirects to")
        said = line(answer.get("message") or answer.get("error") or "") or self._doubt
        return WorkProblem(f"{self.key}: {self.address} answers HTTP {code}: {said}")

    @property
    def _doubt(self) -> str:
        return f"is it {'an' if self.kind[0] in 'AEIMO' else 'a'} {self.kind} server?"


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


def _body(response: http.client.HTTPResponse, most: int, *, seconds: float) -> bytes:
    """The answer, or as much of it as shows that it is longer than `most`.

    Raises TimeoutError where it takes longer than that: a trickle of bytes would never time out by itself.
    """
    until = time.monotonic() + seconds
    pieces, size = [], 0
    while size <= most and (piece := response.read1(min(_PIECE, most + 1 - size))):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > until:
            raise TimeoutError(f"its answer takes longer than {seconds:.0f} s")
    return b"".join(pieces)


def _address(url: str, *, key: str, example: str) -> SplitResult:
    """The parts of a server's address; raises CaseProblem where it is none."""
    try:
        parts = urlsplit(url.strip())
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        shown = re.sub(r"//[^/]*@", "//***@", url)
        raise CaseProblem(f"{key}: {shown!r} is no server's address; write it like {example}")
    return urlsplit(url.strip())


def _authorization(parts: SplitResult, variables: str) -> str:
    """The header's value: the address's own credentials, else those of the environment, else none."""
    user = unquote(parts.username or "") or os.environ.get(f"{variables}_USERNAME", "")
    password = unquote(parts.password or "") or os.environ.get(f"{variables}_PASSWORD", "")
    token = os.environ.get(f"{variables}_TOKEN", "").strip()
    if user and (parts.username or not token):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Bearer {token}" if token else ""


def _json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in the body; None where it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def line(text: Any) -> str:
    r"""A server's words on one line, cut where they are long.

    >>> line("disk\n  full")
    'disk full'
    """
    return " ".join(str(text).split())[:300]
