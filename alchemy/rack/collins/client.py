"""Asks Collins over HTTP: bounded in time and size, without redirects, and with the password in no message.

What Collins sends is hostile, like all that comes over a network: no word of it gets into a message but the reason of a
refusal, which is bounded and printable.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import httpx

from alchemy.errors import visible
from alchemy.rack import config
from alchemy.rack.collins import assets, sse
from alchemy.rack.collins.assets import Asset

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_CONNECT, _STEP, _WHOLE = 5.0, 15.0, 60.0  # seconds: to connect; between two blocks; of a call
# Collins says nothing while nothing changes: after so long without a word the connection may be dead
_SILENCE = 900.0
_MOST_BYTES = 64 << 20
_PAGE = 100
_MOST_PAGES = 2000
_REMOVED = b"(removed)"
_HEADERS = {"Accept": JSON, "Accept-Encoding": "identity", "User-Agent": "alchemy-rack"}


class CollinsError(Exception):
    """Collins did not answer, or gave an answer that it does not have. The message names its URL."""


@dataclass(frozen=True)
class Answer:
    """A complete answer, whatever its status."""

    status: int
    body: bytes

    @property
    def succeeded(self) -> bool:
        """Whether Collins did as asked."""
        return self.status in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED)

    def document(self) -> dict[str, Any]:
        """Returns the JSON object of the body; empty for anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def reason(self) -> str:
        """Returns the status, and in brackets what Collins says of it: one printable line."""
        found: Any = self.document()
        # {"data": {"message": …}} or {"data": {"data": {"message": …}}} (ApiResponse.scala)
        for _ in range(3):
            if isinstance(found, dict):
                found = found.get("message", found.get("data"))
        said = visible(" ".join(found.split()))[:300] if isinstance(found, str) else ""
        try:
            phrase = f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            phrase = str(self.status)
        return f"{phrase} ({said})" if said else phrase


class Client:
    """A Collins and a user of it. Its methods may be called from any thread."""

    def __init__(self, settings: config.Collins, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._url = settings.url
        self._http = httpx.Client(
            headers=_HEADERS,
            timeout=httpx.Timeout(_STEP, connect=_CONNECT),
            follow_redirects=False,
            trust_env=False,
            verify=ssl.create_default_context(),
            transport=transport,
        )

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def call(self, method: str, path: str, body: bytes = b"", kind: str = "", most: int = _MOST_BYTES) -> Answer:
        """Makes a call; `path` begins with a slash. Raises CollinsError without a complete answer."""
        end = monotonic() + _WHOLE
        password, login = self._login()
        headers = {"Authorization": f"Basic {login}", **({"Content-Type": kind} if kind else {})}
        url = f"{self._url}{path}"
        with self._named(path), self._http.stream(method, url, content=body or None, headers=headers) as response:
            self._check(response, path)
            found = bytearray()
            for block in response.iter_raw():
                found += block
                if len(found) > most:
                    raise CollinsError(f"{url}: too large (expected at most {most} bytes)")
                if monotonic() > end:
                    raise CollinsError(f"{url}: no complete answer within {_WHOLE:g} s")
        # a server or a proxy may echo the request
        clean = bytes(found).replace(password.encode(), _REMOVED).replace(login.encode(), _REMOVED)
        return Answer(response.status_code, clean)

    def form(self, method: str, path: str, fields: list[tuple[str, str]]) -> Answer:
        """Makes a call with the fields of a form. Raises CollinsError."""
        return self.call(method, path, urlencode(fields).encode("ascii"), FORM)

    def asset(self, tag: str) -> Asset | None:
        """Returns an asset; None where Collins has none. Raises CollinsError."""
        path = f"/api/asset/{tag}"
        answer = self.call("GET", path)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        return self._asset(self._expect(answer, path).get("data"), path)

    def servers(self) -> list[Asset]:
        """Returns all assets that are servers, with their details. Raises CollinsError where one page fails."""
        found: dict[str, Asset] = {}
        for page in range(_MOST_PAGES):
            query = urlencode({"page": page, "size": _PAGE, "sort": "ASC", "details": "true", "type": assets.SERVER})
            path = f"/api/assets?{query}"
            listed = self._expect(self.call("GET", path), path).get("data")
            items = listed.get("Data") if isinstance(listed, dict) else None
            if not isinstance(listed, dict) or not isinstance(items, list):
                raise CollinsError(f"{self._url}{path}: not a page of assets (expected data.Data)")
            for item in items:
                asset = self._asset(item, path)
                found[asset.tag] = asset
            if not items or not _has_more(listed, page):
                return list(found.values())
        raise CollinsError(f"{self._url}/api/assets: too many (expected at most {_PAGE * _MOST_PAGES})")

    def firehose(self) -> Iterator[str]:
        """Yields the data of each event of Collins' firehose, for as long as the connection lasts.

        Raises CollinsError at its end, and at once where this Collins has none.
        """
        path = "/api/firehose"
        timeout = httpx.Timeout(_STEP, connect=_CONNECT, read=_SILENCE)
        headers = {"Accept": "text/event-stream", "Authorization": f"Basic {self._login()[1]}"}
        with (
            self._named(path),
            self._http.stream("GET", f"{self._url}{path}", headers=headers, timeout=timeout) as found,
        ):
            self._check(found, path)
            if found.status_code != HTTPStatus.OK:
                raise CollinsError(f"{self._url}{path}: refused: {Answer(found.status_code, b'').reason()}")
            try:
                yield from sse.data(found.iter_raw())
            except ValueError as error:
                raise CollinsError(f"{self._url}{path}: {error}") from None
        raise CollinsError(f"{self._url}{path}: the connection ended")

    def _login(self) -> tuple[str, str]:
        """Returns the password, and with the user as HTTP Basic has it (RFC 7617).

        It is read for each call: a new one counts at once, and no object holds it.
        """
        try:
            password = self._settings.password()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not one line of text"
            raise CollinsError(f"{self._settings.password_file}: {reason}") from None
        return password, base64.b64encode(f"{self._settings.user}:{password}".encode()).decode("ascii")

    def _asset(self, found: object, path: str) -> Asset:
        try:
            return assets.parse(found)
        except ValueError as error:
            raise CollinsError(f"{self._url}{path}: {error}") from None

    def _expect(self, answer: Answer, path: str) -> dict[str, Any]:
        if not answer.succeeded:
            raise CollinsError(f"{self._url}{path}: refused: {answer.reason()}")
        return answer.document()

    def _check(self, response: httpx.Response, path: str) -> None:
        if response.is_redirect:
            raise CollinsError(
                f"{self._url}{path}: it redirects (expected the URL that it redirects to in `collins.url`)"
            )
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise CollinsError(f"{self._url}{path}: a compressed answer, which was not asked for")

    @contextmanager
    def _named(self, path: str) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CollinsError(f"{self._url}{path}: {_reason(error)}") from None


def _has_more(listed: dict[str, Any], page: int) -> bool:
    """Returns whether a page is followed by another: Page.scala repeats the number of the last one."""
    pagination = listed.get("Pagination")
    following = pagination.get("NextPage") if isinstance(pagination, dict) else None
    return isinstance(following, int) and following > page


def _reason(error: Exception) -> str:
    """Says what broke, without a word of the server's."""
    match error:
        case httpx.ConnectTimeout():
            return f"no connection within {_CONNECT:g} s"
        case httpx.TimeoutException():
            return f"no answer within {_STEP:g} s"
        case httpx.ConnectError():
            return f"no connection: {visible(str(error))}"
        case httpx.RemoteProtocolError():
            return "truncated, or not HTTP"
        case _:
            return "the connection broke"
