"""Files by URL (http, https, file), fetched whole, however often the connection breaks.

A partial download stays in work_dir and is resumed, by the next attempt or the next build, as long as
the server says that it still has the same file. Whether the content is the right one is for the caller to verify.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host import files
from alchemy.ui import events

if TYPE_CHECKING:
    import requests

_ATTEMPTS = 5
_TIMEOUT = (15, 60)  # seconds: to connect, between two packets
_BLOCK = 1 << 18
_PROGRESS_INTERVAL = 5.0  # seconds
_SMALL = 1 << 20  # bytes: no pointer, list of digests or signature is larger

_LENGTH = re.compile(r"[0-9]{1,18}")

Settings = Mapping[str, Any]
_NONE: Settings = MappingProxyType({})


# Answers that say nothing of the file: credentials are missing, or another try may get it (RFC 9110, 6585, 8470).
_NOT_OF_THE_FILE = frozenset({401, 407, 408, 425, 429})
_CREDENTIALS = frozenset({401, 407})


class NotThereError(UserError):
    """The server, or the disk, does not give this file: it is missing, or whoever asks may not know that it is."""


def file_name(url: str) -> str:
    """The name of the file that a URL leads to."""
    return Path(unquote(urlsplit(url).path)).name


def require_online(context: Context, what: str) -> None:
    """Raises UserError when the build may not touch the network: `what` is missing then."""
    if context.config.offline:
        raise UserError(
            f"{what}: is not in the cache, and this build is offline", hint="build once without --offline to fetch it"
        )


def fetch(
    context: Context,
    url: str,
    target: Path,
    *,
    most: int | None = None,
    attempts: int = _ATTEMPTS,
    settings: Settings = _NONE,
) -> None:
    """Fetches a file to `target`, which exists only once it is complete; stops at the first byte over `most`.

    After `attempts` in a row that bring nothing new it gives up. `settings` are further arguments of requests.get: a
    proxy and certificates.
    Raises NotThereError, UserError when the server refuses, BuildError when it can't be reached.
    """
    if urlsplit(url).scheme == "file":
        _copy(url, target)
        return
    require_online(context, url)
    with context.log.step(f"fetching {url}"):
        partial = _Partial(context.work / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16])
        _retry(context, url, partial, most, attempts, settings)
        target.unlink(missing_ok=True)
        shutil.move(partial.data, target)
        files.remove(partial.folder)


def small(context: Context, url: str, *, attempts: int = _ATTEMPTS, settings: Settings = _NONE) -> bytes:
    """The content of a small file: a pointer, a list of digests, a signature. Raises as fetch does."""
    folder = context.work / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.small"
    fetch(context, url, target, most=_SMALL, attempts=attempts, settings=settings)
    content = target.read_bytes()
    target.unlink()
    if len(content) > _SMALL:
        raise UserError(f"{url}: too large for a pointer, digest or signature (expected at most {events.size(_SMALL)})")
    return content


def _copy(url: str, target: Path) -> None:
    try:
        shutil.copyfile(unquote(urlsplit(url).path), target)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotThereError(f"{url}: not found") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _Partial:
    """The part of a file that was downloaded, and the validator of the server's file (RFC 9110, section 8.8)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._validator = folder / "validator"
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def size(self) -> int:
        return self.data.stat().st_size if self.data.exists() else 0

    def request_headers(self) -> dict[str, str]:
        """What asks for the rest, or for all when the file has changed."""
        # a compressed transfer has no byte positions to go on from
        headers = {"Accept-Encoding": "identity"}
        if self.size and self._validator.exists():
            headers |= {"Range": f"bytes={self.size}-", "If-Range": self._validator.read_text(encoding="latin-1")}
        return headers

    def begin(self, response: requests.Response) -> None:
        """Drops the partial content, as the response begins at the first byte."""
        self.data.unlink(missing_ok=True)
        etag = response.headers.get("ETag", "")
        # a weak one promises the same meaning, not the same bytes
        validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
        self._validator.unlink(missing_ok=True)
        if validator:
            self._validator.write_text(validator, encoding="latin-1")


def _retry(context: Context, url: str, partial: _Partial, most: int | None, attempts: int, settings: Settings) -> None:
    import requests  # costs 0.1 s to import, and most runs fetch nothing

    failures = 0
    while True:
        before = partial.size
        try:
            _attempt(context, url, partial, most, settings)
            return
        except requests.RequestException as error:
            failures = 1 if partial.size > before else failures + 1
            if failures == attempts:
                # a redirection may have led to a URL whose query is a token
                reason = re.sub(r"\?[^\s'\")]+", "?…", str(error))
                raise BuildError(
                    f"{url}: cannot be fetched: {reason}", hint="check the network and the proxy"
                ) from error
        time.sleep(2.0 ** (failures - 1))
        context.runner.check()


def _attempt(context: Context, url: str, partial: _Partial, most: int | None, settings: Settings) -> None:
    import requests

    from alchemy.fetch.websession import WebSession

    headers = partial.request_headers()
    with (
        WebSession() as session,
        session.get(url, stream=True, timeout=_TIMEOUT, headers=headers, **settings) as response,
    ):
        answer = f"{url}: the server answers {response.status_code} {response.reason}"
        if response.status_code in _CREDENTIALS:
            raise UserError(answer, hint="put the credentials into ~/.netrc")
        if response.status_code == 416:
            partial.begin(response)
            raise requests.ConnectionError("the server has less of it than before")
        if 400 <= response.status_code < 500 and response.status_code not in _NOT_OF_THE_FILE:
            raise NotThereError(answer)
        response.raise_for_status()
        if response.status_code == 206 and _begins_at(response) != partial.size:
            partial.begin(response)
            raise requests.ConnectionError("the server sent another part than the one asked for")
        if response.status_code != 206:
            partial.begin(response)
        length = response.headers.get("Content-Length", "")
        total = partial.size + int(length) if _LENGTH.fullmatch(length) else 0
        progress = _Progress(context.log, file_name(url), partial.size, total)
        with partial.data.open("ab") as file:
            for block in _blocks(response):
                context.runner.check()
                file.write(block)
                progress.advance(len(block))
                if most is not None and file.tell() > most:
                    return


def _blocks(response: requests.Response) -> Iterable[bytes]:
    """The content as it arrives: nothing that came before the connection broke is lost, as with iter_content."""
    import requests
    import urllib3

    try:
        while block := response.raw.read1(_BLOCK):
            yield block
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error


def _begins_at(response: requests.Response) -> int:
    """The position of the first byte that a response with a part of the file has; -1 when it does not say."""
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


class _Lines(Protocol):
    def progress(self, message: str) -> None: ...


class _Progress:
    """Says now and then how far a download is, how fast, and how long it will take."""

    def __init__(self, lines: _Lines, name: str, done: int, total: int) -> None:
        self._lines = lines
        self._name = name
        self._first = done
        self._done = done
        self._total = total
        self._started = self._said = time.monotonic()

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._said < _PROGRESS_INTERVAL:
            return
        self._said = now
        speed = (self._done - self._first) / (now - self._started)
        text = f"{self._name}: {events.size(self._done)}"
        if self._total:
            text += f" of {events.size(self._total)}"
        text += f", {events.size(round(speed))}/s"
        if self._total and speed:
            text += f", {events.duration((self._total - self._done) / speed)} left"
        self._lines.progress(text)
