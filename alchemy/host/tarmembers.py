"""Reads the members of a tar as GNU tar and POSIX both do, and refuses whatever two readers may take differently.

A tar that means one thing to its checker and another to its unpacker smuggles files past the check. So nothing is
guessed, repaired or skipped: the formats are ustar, pax and GNU's long names (POSIX.1-2017, pax; GNU tar's manual,
'Basic Tar Format').
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_SKIPPED_AT_ONCE = 1 << 20

# how many bytes long names and pax records may have
_MOST_EXTRA = 1 << 20

# Linux takes no longer path from a program, and the target folder comes before it (limits.h, PATH_MAX 4096)
_LONGEST = 3072

_POSIX, _GNU, _V7 = b"ustar\x0000", b"ustar  \0", bytes(8)

_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_BLANK = re.compile(rb"[ \0]*")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ([^=\0\n]+)=")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_TIME = re.compile(rb"-?[0-9]{1,12}(?:\.[0-9]{1,20})?")
_ANY = re.compile(rb".*", re.DOTALL)

# The known pax keywords, with the form of their values. One of the others may change what a member is: a
# sparse file, a character set, a volume of several.
_PAX: tuple[tuple[re.Pattern[str], re.Pattern[bytes]], ...] = (
    (re.compile(r"path|linkpath"), re.compile(rb"[^\0]+")),
    (re.compile(r"size|uid|gid"), _NUMBER),
    (re.compile(r"[amc]time"), _TIME),
    (re.compile(r"uname|gname|comment|SCHILY\.(?:dev|ino|nlink)|RHT\.security\.selinux"), re.compile(rb"[^\0]*")),
    (re.compile(r"SCHILY\.(?:xattr|acl)\..+|LIBARCHIVE\.(?:xattr\..+|creationtime)"), _ANY),
)


class RefusedError(Exception):
    """A tar that is not plain: the message says where, and why."""


class Kind(Enum):
    FILE = "0"
    HARD_LINK = "1"
    LINK = "2"
    CHARACTER_DEVICE = "3"
    BLOCK_DEVICE = "4"
    FOLDER = "5"
    PIPE = "6"


@dataclass(frozen=True)
class Member:
    """A member: its name as written there, the target of a link, and the size of a file in bytes."""

    name: str
    kind: Kind
    target: str
    size: int


class Stream(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


def members(stream: Stream) -> Iterator[Member]:
    """The members of a tar in their order. Raises RefusedError, and EOFError for a truncated one."""
    extra: dict[str, bytes] = {}
    while True:
        block = _exactly(stream, _BLOCK)
        if block == _ZEROS:
            if extra:
                raise RefusedError("a header of extensions without a member")
            _check_end(stream)
            return
        flag, size = _checked(block)
        if flag in (b"x", b"g", b"L", b"K"):
            found = _extension(flag, _data(stream, size))
            if flag == b"g":
                if extra or found.keys() - {"comment"}:
                    raise RefusedError("a global pax header with more than a comment")
            elif found.keys() & extra.keys() or (flag == b"x" and extra):
                raise RefusedError("duplicate headers of extensions")
            else:
                extra |= found
            continue
        yield _member(block, flag, size, extra)
        extra = {}
        _skip(stream, size)


def _checked(block: bytes) -> tuple[bytes, int]:
    """Returns the type and the size of a header, after checking the rest of it."""
    magic = block[257:265]
    if magic not in (_POSIX, _GNU, _V7):
        raise RefusedError(f"a header with an unknown magic {magic!r}")
    if magic != _POSIX and any(block[345:] if magic == _GNU else block[257:]):
        raise RefusedError("a header with an unknown extension")
    if magic == _POSIX and any(block[500:]):
        raise RefusedError("a header with an unknown extension")
    if _octal(block[148:156]) != sum(block[:148]) + 8 * ord(" ") + sum(block[156:]):
        raise RefusedError("a header with a wrong checksum")
    for field in (block[100:108], block[108:116], block[116:124], block[136:148]):
        _octal(field)
    flag = b"0" if block[156:157] == b"\0" else block[156:157]
    for field in (block[329:337], block[337:345]):
        if flag in (b"3", b"4") or not _BLANK.fullmatch(field):
            _octal(field)
    return flag, _octal(block[124:136])


def _octal(field: bytes) -> int:
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise RefusedError(f"a header with a number that is not octal: {field!r}")
    return int(match[1], 8)


def _text(field: bytes) -> bytes:
    """What a field of a header holds, up to its end or NULs."""
    text = field.rstrip(b"\0")
    if b"\0" in text:
        raise RefusedError(f"a header with a NUL inside of a name: {text!r}")
    return text


def _extension(flag: bytes, data: bytes) -> dict[str, bytes]:
    """Returns what an extended header says of the member after it."""
    if flag in (b"L", b"K"):
        text = _text(data)
        if not data.endswith(b"\0") or not text:
            raise RefusedError("a long name that does not end")
        return {"path" if flag == b"L" else "linkpath": text}
    found: dict[str, bytes] = {}
    while data:
        match = _PAX_RECORD.match(data)
        end = int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise RefusedError("a malformed pax header")
        key, value = match[2].decode(errors="replace"), data[match.end() : end - 1]
        if key in found:
            raise RefusedError(f"a pax header with two values of {key!r}")
        if not any(keys.fullmatch(key) and values.fullmatch(value) for keys, values in _PAX):
            raise RefusedError(f"an unsupported pax record: {key!r}")
        found[key] = value
        data = data[end:]
    return found


def _member(block: bytes, flag: bytes, size: int, extra: Mapping[str, bytes]) -> Member:
    name, target = _text(block[:100]), _text(block[157:257])
    prefix = _text(block[345:500])
    if prefix:
        name = prefix + b"/" + name
    name, target = extra.get("path", name), extra.get("linkpath", target)
    shown = name.decode(errors="surrogateescape")
    try:
        kind = Kind(flag.decode(errors="replace"))
    except ValueError as error:
        raise RefusedError(f"its member {shown!r} is of an unknown type {flag!r}") from error
    made = Member(shown, kind, target.decode(errors="surrogateescape"), size)
    links = kind in (Kind.LINK, Kind.HARD_LINK)
    if CONTROL.search(shown) or (links and CONTROL.search(made.target)):
        raise RefusedError(f"its member {shown!r} has a control character in its name")
    if not name or len(name) > _LONGEST or (links and not 0 < len(target) <= _LONGEST):
        raise RefusedError(f"its member {shown[:200]!r} has an empty name, or one that is too long")
    if name.endswith(b"/") and kind is not Kind.FOLDER:
        raise RefusedError(f"its member {shown!r} is not a folder, and its name ends in a slash")
    if size and kind is not Kind.FILE:
        raise RefusedError(f"its member {shown!r} is not a file, and has a size")
    if int(extra.get("size", size)) != size:
        raise RefusedError(f"its member {shown!r} has two sizes")
    return made


def _exactly(stream: Stream, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError("truncated")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _data(stream: Stream, size: int) -> bytes:
    """Returns the content after a header."""
    if size > _MOST_EXTRA:
        raise RefusedError(f"a header of extensions of {size} bytes (expected at most {_MOST_EXTRA})")
    return _exactly(stream, size + -size % _BLOCK)[:size]


def _skip(stream: Stream, size: int) -> None:
    left = size + -size % _BLOCK
    while left:
        left -= len(_exactly(stream, min(left, _SKIPPED_AT_ONCE)))


def _check_end(stream: Stream) -> None:
    """Behind the first of the two blocks of zeros that end a tar there are only zeros, in whole blocks."""
    if _exactly(stream, _BLOCK) != _ZEROS:
        raise RefusedError("a lone block of zeros")
    while part := stream.read(_SKIPPED_AT_ONCE):
        if any(part):
            raise RefusedError("data after the end of the archive")
