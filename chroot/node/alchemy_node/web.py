"""HTTP for the node: small requests and downloads, each bounded in time and size.

What a server sends is hostile: an answer that is too large, too slow, truncated or compressed is an error, and no word
of it gets into a message. A redirect never leads away from https. Proxies are not used.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import SplitResult, urljoin, urlsplit

SMALL = 1 << 20  # bytes: a document of ours is never larger
ATTEMPTS = 5
# statuses that another try may cure (RFC 9110, 6585, 8470)
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

_STEP = 15.0  # seconds: to connect, between two packets
_WHOLE = 60.0  # seconds: a request from its first byte to the last of its answer
_BLOCK = 1 << 16
_REDIRECTS = 5
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PORTS = {"http": 80, "https": 443}
_NONE: Mapping[str, str] = MappingProxyType({})


class WebError(Exception):
    """A request that failed. Its text is `URL: problem`, and printable whatever the server sent."""


class UrlError(WebError):
    """A URL that is refused before anything is sent."""


class _TryAgainError(WebError):
    """A failure that another attempt may cure."""


@dataclass(frozen=True)
class Answer:
    """A server's answer: its status, its header fields with names in lower case, and its whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def phrase(self) -> str:
        """Names the status in the words of RFC 9110, never in the server's: `404 Not Found`."""
        with suppress(ValueError):
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        return str(self.status)


def is_url(text: str) -> bool:
    """Tells an http or https URL from the name of a file."""
    return text.lower().startswith(("http://", "https://"))


def fetch(
    url: str,
    *,
    sha256: str = "",
    limit: int = SMALL,
    attempts: int = ATTEMPTS,
    pause: Callable[[float], None] = time.sleep,
) -> bytes:
    """Downloads a small file, with back-off between the attempts.

    `sha256` is the expected digest in hexadecimal, empty for none; `limit` is in bytes. Raises WebError.
    """
    answer = request("GET", url, limit=limit, attempts=attempts, pause=pause)
    if answer.status != HTTPStatus.OK:
        raise WebError(f"{shown(url)}: the server answers {answer.phrase} (expected 200 OK)")
    found = hashlib.sha256(answer.body).hexdigest()
    if sha256 and not hmac.compare_digest(found, sha256.lower()):
        raise WebError(f"{shown(url)}: digest mismatch (expected SHA-256 {sha256.lower()}, got {found})")
    return answer.body


def request(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] = _NONE,
    limit: int = SMALL,
    attempts: int = 1,
    again: frozenset[int] = TRANSIENT,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Sends a request and returns the answer, whatever its status.

    With more than one attempt it is repeated after 1, 2, 4 … seconds while the connection fails or the status is one
    of `again`; only a GET follows redirects. Raises WebError when there is no complete answer.
    """
    for attempt in range(1, attempts + 1):
        try:
            answer = _follow(method, url, body, headers, limit)
            if answer.status not in again or attempt == attempts:
                return answer
        except _TryAgainError as error:
            if attempt == attempts:
                times = f" ({attempts} attempts)" if attempts > 1 else ""
                raise WebError(f"{error}{times}") from error
        pause(2.0 ** (attempt - 1))
    raise ValueError(f"attempts: {attempts} (expected 1 or more)")


def shown(url: str) -> str:
    """Makes a URL fit for a message: no password, no query, printable ASCII only, and bounded."""
    bare = url.partition("?")[0].partition("#")[0]
    scheme, mark, rest = bare.partition("://")
    host, slash, path = rest.partition("/")
    bare = f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
    return bare.encode("unicode_escape").decode("ascii")[:200]


def _follow(method: str, url: str, body: bytes | None, headers: Mapping[str, str], limit: int) -> Answer:
    for _ in range(_REDIRECTS + 1):
        answer = _once(method, url, body, headers, limit)
        target = answer.headers.get("location", "")
        if method != "GET" or answer.status not in _REDIRECT or not target:
            return answer
        before, url = url, _redirected(url, target)
        if _origin(before) != _origin(url):
            headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    raise WebError(f"{shown(url)}: more than {_REDIRECTS} redirects")


def _redirected(url: str, target: str) -> str:
    try:
        to = urljoin(url, target)
    except ValueError as error:
        raise WebError(f"{shown(url)}: it redirects to an invalid URL") from error
    if urlsplit(url).scheme.lower() == "https" and not to.lower().startswith("https://"):
        raise WebError(f"{shown(url)}: refused: it redirects away from https")
    return to


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = _parts(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _parts(url: str) -> SplitResult:
    """Splits a URL. Raises UrlError for one that is not plain http or https."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlError(f"{shown(url)}: malformed URL") from error
    if parts.scheme not in _PORTS:
        raise UrlError(f"{shown(url)}: unsupported scheme (expected http or https)")
    if not parts.hostname or port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        raise UrlError(f"{shown(url)}: malformed URL")
    if "@" in parts.netloc:
        raise UrlError(f"{shown(url)}: a user or password in the URL is refused: it would be in logs")
    return parts


def _once(method: str, url: str, body: bytes | None, headers: Mapping[str, str], limit: int) -> Answer:
    parts = _parts(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(_connection(parts)) as connection, _Deadline() as deadline:
        try:
            connection.connect()
            deadline.watch(connection.sock)
            connection.request(method, path, body=body, headers={"Accept-Encoding": "identity", **headers})
            with connection.getresponse() as response:
                return _answer(url, response, limit, deadline)
        except WebError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise _TryAgainError(f"{shown(url)}: {deadline.reason or _reason(error)}") from error


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = str(parts.hostname)
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=_STEP)
    trust = ssl.create_default_context(cafile=str(_BUNDLE) if _BUNDLE.exists() else None)
    return http.client.HTTPSConnection(host, parts.port, timeout=_STEP, context=trust)


def _answer(url: str, response: http.client.HTTPResponse, limit: int, deadline: _Deadline) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise WebError(f"{shown(url)}: the server sends a compressed body, which was not asked for")
    body = bytearray()
    while block := response.read(_BLOCK):
        body += block
        if len(body) > limit:
            raise WebError(f"{shown(url)}: too large (expected at most {limit} bytes)")
    # http.client takes the end of the connection for the end of the body
    if deadline.reason or response.length:
        raise _TryAgainError(f"{shown(url)}: {deadline.reason or 'truncated: the connection broke'}")
    return Answer(response.status, MappingProxyType(headers), bytes(body))


class _Deadline:
    """Ends a request that takes too long, as a server that drips never runs into the timeout of a socket."""

    def __init__(self) -> None:
        self.reason = ""
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(_WHOLE, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        """Names the connection to shut down when the time is over."""
        self._socket = connection
        if self.reason:
            self._shut()

    def _end(self) -> None:
        self.reason = f"no complete answer within {_WHOLE:g} s"
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    """Says what broke, without a word of the server's."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "TLS failed"
        case TimeoutError():
            return f"no answer within {_STEP:g} s"
        case socket.gaierror():
            return "its host name cannot be resolved"
        case http.client.IncompleteRead():
            return "truncated: the connection broke"
        case OSError():
            return (error.strerror or "the connection broke").lower()
        case _:
            return "the server's answer is not HTTP"
