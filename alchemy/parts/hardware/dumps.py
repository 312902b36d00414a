"""Reads dumps of machines, finds out their format by the content, and refuses other files with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from alchemy.errors import UserError
from alchemy.parts.hardware import functions, hwloc, inventory, lshw, lspci, udev
from alchemy.parts.hardware.functions import Function
from alchemy.parts.hardware.malformed import MalformedError

MODALIAS = "modalias"

# the most bytes of a dump, and the most dumps of a folder
_LARGEST = 32 << 20
_MOST = 10_000

_FORMATS = "lspci -nn, lshw -xml or -json, udevadm info -e, hwloc's XML, modaliases, or alchemy-inventory --json"
_HTML = re.compile(r"\s*(?:<!--.{0,1000}?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
# what lshw says on stderr to users that are not root
_WARNING = "WARNING: "
# what may stand between JSON documents
_BETWEEN = tuple(" \t\r\n,")
_BYTE_ORDER = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Dump:
    """The functions of a machine; `name` is that of the file, without its suffix."""

    name: str
    format: str
    functions: tuple[Function, ...]


def read(paths: Iterable[Path]) -> list[Dump]:
    """Reads files, and the files of folders. Raises UserError for an unknown format, and for a folder with two."""
    return [dump for path in paths for dump in (_folder(path) if path.is_dir() else [_file(path)])]


def _folder(folder: Path) -> list[Dump]:
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not paths:
        raise UserError(f"{folder}: empty folder (expected dumps)")
    if len(paths) > _MOST:
        raise UserError(f"{folder}: too many files (expected at most {_MOST}, got {len(paths)})")
    dumps = [_file(path) for path in paths]
    names = {dump.format: path.name for dump, path in zip(reversed(dumps), reversed(paths), strict=True)}
    if len(names) > 1:
        listed = ", ".join(f"{name} is {kind}" for kind, name in sorted(names.items()))
        raise UserError(f"{folder}: several formats (expected one: {listed})", hint="name the files one by one")
    return dumps


def _file(path: Path) -> Dump:
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if not path.is_file():
        raise UserError(f"{path}: not a regular file")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise UserError(f"{path}: too large (expected at most {_LARGEST >> 20} MB)")
    try:
        kind, found = parse(content)
    except MalformedError as error:
        raise UserError(f"{path}: {error}", hint=error.hint) from error
    return Dump(path.stem, kind, tuple(found))


def parse(content: bytes) -> tuple[str, list[Function]]:
    """Returns the format and the functions of a dump. Raises MalformedError for anything else."""
    text = _text(content)
    if not text.strip():
        raise MalformedError("empty", hint=f"expected {_FORMATS}")
    if _HTML.match(text):
        raise MalformedError("an HTML page, not the dump itself", hint="save the raw text of the page")
    kind, read = _reader(text)
    found = list(read())
    if not found:
        raise MalformedError(f"no PCI function in it (read as {kind})")
    return kind, found


def _text(content: bytes) -> str:
    """Decodes what tools write in any locale, and what PowerShell makes of it."""
    encoding = _BYTE_ORDER.get(content[:2])
    if encoding:
        try:
            text = content[2:].decode(encoding)
        except UnicodeDecodeError as error:
            raise MalformedError("truncated UTF-16", hint="iconv -f UTF-16 -t UTF-8 FILE") from error
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    if "\0" in text:
        raise MalformedError("binary, not text", hint=f"expected {_FORMATS}")
    return _without_warnings(text.replace("\r\n", "\n"))


def _without_warnings(text: str) -> str:
    lines = text.split("\n")
    first, last = 0, len(lines)
    while first < last and lines[first].startswith(_WARNING):
        first += 1
    while first < last and (not lines[last - 1] or lines[last - 1].startswith(_WARNING)):
        last -= 1
    # whether the last line is complete tells whether the dump is
    return text if (first, last) == (0, len(lines)) else "\n".join([*lines[first:last], ""])


def _reader(text: str) -> tuple[str, Callable[[], Iterable[Function]]]:
    start = text.lstrip()[:1]
    if start == "<":
        root = _xml(text.lstrip())
        if root.tag == "topology":
            return hwloc.NAME, lambda: hwloc.functions(root)
        if root.tag in ("list", "node"):
            return lshw.NAME, lambda: lshw.of_xml(root)
        raise MalformedError(f"XML of something else (expected lshw's or hwloc's, got <{root.tag[:40]}>)")
    if start in ("{", "["):
        document = _json(text.strip())
        if inventory.recognises(document):
            return inventory.NAME, lambda: inventory.functions(document)
        return lshw.NAME, lambda: lshw.of_json(document)
    if udev.recognises(text):
        return udev.NAME, lambda: udev.functions(text)
    if lspci.recognises(text):
        return lspci.NAME, lambda: lspci.functions(text)
    if all(functions.ALIAS.fullmatch(line.strip()) for line in text.splitlines() if line.strip()):
        return MODALIAS, lambda: _modaliases(text)
    raise MalformedError("not a dump of a known format", hint=f"expected {_FORMATS}")


def _modaliases(text: str) -> Iterator[Function]:
    for line in text.splitlines():
        if line.startswith("pci:") and functions.of_modalias(line.strip()) is None:
            raise MalformedError(f"truncated modalias: {line[:100]}")
        found = functions.of_modalias(line.strip())
        if found:
            yield found


def _xml(text: str) -> Element:
    try:
        root: Element = fromstring(text)
    except DefusedXmlException as error:
        raise MalformedError("XML with entities, which no tool writes") from error
    except (ParseError, ValueError) as error:
        line = error.position[0] if isinstance(error, ParseError) else 0
        cut = line >= text.rstrip().count("\n") + 1
        raise MalformedError("truncated XML" if cut else f"line {line}: not well-formed XML") from error
    return root


def _json(text: str) -> Any:
    """Returns a document, or the list of several one after the other, as `lshw -class` prints them."""
    decoder, documents, at = json.JSONDecoder(), [], 0
    while at < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            cut = error.pos >= len(text.rstrip()) or "Unterminated" in error.msg
            raise MalformedError("truncated JSON" if cut else f"line {error.lineno}: not JSON") from error
        except RecursionError as error:
            raise MalformedError("JSON nested too deeply") from error
        except ValueError as error:
            raise MalformedError("JSON with a number that is too long") from error
        documents.append(document)
        while text[at : at + 1] in _BETWEEN:
            at += 1
    return documents if len(documents) > 1 else documents[0]
