"""Files by URL (http, https, file), fetched whole, however often the connection breaks.

What a broken connection leaves lies in work_dir and is gone on with, in the next attempt or the next build, as long as
the server says that it still has the same file. Whether the content is the right one is for the caller to verify.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from alchemy import archive, log
from alchemy.context import Context
from alchemy.errors import BuildError, UserError

if TYPE_CHECKING:
    import requests

_ATTEMPTS = 5
_TIMEOUT = (15, 60)  # seconds: to connect, between two packets
_BLOCK = 1 << 18
_PROGRESS_INTERVAL = 5.0  # seconds
_SMALL = 1 << 20  # bytes: no pointer, list of digests or signature is larger


class NotThereError(UserError):
    """The server, or the disk, has no such file."""


def file_name(url: str) -> str:
    """The name of the file that a URL leads to."""
    return Path(unquote(urlsplit(url).path)).name


def require_online(context: Context, what: str) -> None:
    """Raises UserError when the build may not touch the network: `what` is missing then."""
    if context.config.offline:
        raise UserError(
            f"{what}: is not in the cache, and this build is offline", hint="build once without --offline to fetch it"
        )


def fetch(context: Context, url: str, target: Path, *, most: int | None = None) -> None:
    """Fetches a file to `target`, which is there only when it is whole; no further than the first byte over `most`.

    Raises NotThereError, UserError when the server refuses, BuildError when it can't be reached.
    """
    if urlsplit(url).scheme == "file":
        _copy(url, target)
        return
    require_online(context, url)
    with context.log.step(f"fetching {url}"):
        partial = _Partial(context.work / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16])
        _retry(context, url, partial, most)
        target.unlink(missing_ok=True)
        shutil.move(partial.data, target)
        archive.remove(partial.folder)


def small(context: Context, url: str) -> bytes:
    """The content of a small file: a pointer, a list of digests, a signature. Raises as fetch does."""
    folder = context.work / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.small"
    fetch(context, url, target, most=_SMALL)
    content = target.read_bytes()
    target.unlink()
    if len(content) > _SMALL:
        raise UserError(f"{url}: has more than {log.size(_SMALL)}, which is no pointer, digest or signature")
    return content


def _copy(url: str, target: Path) -> None:
    try:
        shutil.copyfile(unquote(urlsplit(url).path), target)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotThereError(f"{url}: there is no such file") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _Partial:
    """What is there of a file, and what tells whether the server's is still the same (RFC 9110, section 8.8)."""

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
        """Forgets what is there, as the response has the file from its first byte."""
        self.data.unlink(missing_ok=True)
        etag = response.headers.get("ETag", "")
        # a weak one promises the same meaning, not the same bytes
        validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
        self._validator.unlink(missing_ok=True)
        if validator:
            self._validator.write_text(validator, encoding="latin-1")


def _retry(context: Context, url: str, partial: _Partial, most: int | None) -> None:
    import requests  # costs 0.1 s to import, and most runs fetch nothing

    failures = 0
    while True:
        before = partial.size
        try:
            _attempt(context, url, partial, most)
            return
        except requests.RequestException as error:
            failures = 1 if partial.size > before else failures + 1
            if failures == _ATTEMPTS:
                raise BuildError(
                    f"{url}: cannot be fetched: {error}", hint="check the network and the proxy"
                ) from error
        time.sleep(2.0 ** (failures - 1))
        context.runner.check()


def _attempt(context: Context, url: str, partial: _Partial, most: int | None) -> None:
    import requests

    with requests.get(url, stream=True, timeout=_TIMEOUT, headers=partial.request_headers()) as response:
        if response.status_code in (404, 410):
            raise NotThereError(f"{url}: the server answers {response.status_code} {response.reason}")
        if response.status_code in (401, 403):
            raise UserError(f"{url}: the server answers {response.status_code} {response.reason}")
        if response.status_code == 416:
            partial.begin(response)
            raise requests.ConnectionError("the server has less of it than before")
        response.raise_for_status()
        if response.status_code == 206 and _begins_at(response) != partial.size:
            partial.begin(response)
            raise requests.ConnectionError("the server sent another part than the one asked for")
        if response.status_code != 206:
            partial.begin(response)
        total = partial.size + int(response.headers.get("Content-Length", 0))
        progress = _Progress(context.log, file_name(url), partial.size, total)
        with partial.data.open("ab") as file:
            for block in _blocks(response):
                context.runner.check()
                file.write(block)
                progress.advance(len(block))
                if most is not None and file.tell() > most:
                    return


def _blocks(response: requests.Response) -> Iterable[bytes]:
    """The content as it arrives: of what came before the connection broke nothing is lost, as iter_content would."""
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
        text = f"{self._name}: {log.size(self._done)}"
        if self._total:
            text += f" of {log.size(self._total)}"
        text += f", {log.size(round(speed))}/s"
        if self._total and speed:
            text += f", {log.duration((self._total - self._done) / speed)} left"
        self._lines.progress(text)
