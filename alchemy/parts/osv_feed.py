"""Reads feeds of vulnerabilities in the OSV format: a file, a folder, a zip file, or the URL of a file."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import from_json

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import download
from alchemy.host import files, folders
from alchemy.parts.osv import Record
from alchemy.ui import events

_SUFFIXES = (".json", ".jsonl")
_LARGEST = 256 << 20  # bytes of one JSON document: that of a whole ecosystem is smaller
_LARGEST_FETCHED = 8 << 30  # bytes: OSV's zip file of all ecosystems had 1 GiB in 2025
_MOST_RECORDS = 5_000_000
_BOM = b"\xef\xbb\xbf"
_HINT = "a feed is a JSON file of OSV records, a folder or a zip file of them, or the URL of such a file"

# what zipfile raises for a member that is corrupt, encrypted, or packed in a way that it does not know
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, NotImplementedError)


def records(context: Context, feed: str) -> Iterator[tuple[str, Record]]:
    """Yields the records of a feed, each with the name of the file that it is in.

    Raises UserError for a file that is not a feed or has no record, and the errors of download.fetch for a URL.
    """
    count = 0
    for source, value in _values(context, feed):
        for each in _listed(value):
            count += 1
            if count > _MOST_RECORDS:
                raise UserError(f"{feed}: too many records (expected at most {_MOST_RECORDS})")
            yield source, _record(source, each)
    if not count:
        raise UserError(f"{feed}: no OSV records", hint=_HINT)


def _values(context: Context, feed: str) -> Iterator[tuple[str, Any]]:
    """Yields the JSON values of a feed."""
    if urlsplit(feed).scheme in ("http", "https"):
        folders.prepare(context)
        folder = context.work / "feeds"
        files.remove(folder)
        folder.mkdir(parents=True)
        target = folder / "feed"
        download.fetch(context, feed, target, most=_LARGEST_FETCHED)
        if target.stat().st_size > _LARGEST_FETCHED:
            raise UserError(f"{feed}: too large for a feed (expected at most {events.size(_LARGEST_FETCHED)})")
        yield from _of_file(feed, target)
        files.remove(folder)
        return
    path = Path(feed)
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in (*_SUFFIXES, ".zip") and file.is_file():
                yield from _of_file(str(file), file)
    elif path.is_file():
        yield from _of_file(feed, path)
    else:
        raise UserError(f"{feed}: not a file, folder or URL", hint=_HINT)


def _of_file(name: str, path: Path) -> Iterator[tuple[str, Any]]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            for value in _json(name, file):
                yield name, value
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(_SUFFIXES):
                    with archive.open(member) as file:
                        for value in _json(f"{name}: {member.filename}", file):
                            yield f"{name}: {member.filename}", value
    except _BROKEN as error:
        raise UserError(f"{name}: corrupt zip file ({error})") from error


def _json(name: str, file: IO[bytes]) -> Iterator[Any]:
    """Yields the JSON values of a file: that of the whole file, or one a line."""
    first = _bounded(name, file.readline(_LARGEST + 1)).removeprefix(_BOM)
    try:
        value = from_json(first)
    except ValueError:
        yield _parsed(name, _bounded(name, first + file.read(_LARGEST + 1 - len(first))))
        return
    yield value
    while line := _bounded(name, file.readline(_LARGEST + 1)):
        if line.strip():
            yield _parsed(name, line)


def _bounded(name: str, data: bytes) -> bytes:
    if len(data) > _LARGEST:
        raise UserError(f"{name}: JSON too large (expected at most {events.size(_LARGEST)})")
    return data


def _parsed(name: str, data: bytes) -> Any:
    try:
        return from_json(data)
    except ValueError as error:
        raise UserError(f"{name}: invalid JSON ({error})", hint=_HINT) from error


def _listed(value: Any) -> list[Any]:
    """Returns the records in a JSON value: one, a list, or an answer of OSV's API (`{"vulns": […]}`)."""
    if isinstance(value, dict) and isinstance(value.get("vulns"), list):
        value = value["vulns"]
    return value if isinstance(value, list) else [value]


def _record(source: str, value: Any) -> Record:
    try:
        return Record.model_validate(value)
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(str(part) for part in detail["loc"]) or "record"
        name = value.get("id") if isinstance(value, dict) else None
        named = f" {name[:80]}" if isinstance(name, str) else ""
        raise UserError(f"{source}: malformed OSV record{named} ({where}: {detail['msg']})", hint=_HINT) from error
