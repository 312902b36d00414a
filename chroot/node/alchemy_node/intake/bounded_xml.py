"""Reads and writes the XML of lshw and lldpd, within bounds."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

MAX_BYTES = 1 << 20
MAX_DEPTH = 64

# What XML 1.0 cannot hold, not even escaped (https://www.w3.org/TR/xml/#charsets).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlError(ValueError):
    """The text is no XML document, or one that is not read: the message says why."""


class _Bounded(ET.TreeBuilder):
    """Builds a tree without a DTD, hence without entities, of a bounded depth."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise XmlError("contains a DOCTYPE, which neither lshw nor lldpd writes")

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise XmlError(f"elements are nested too deeply (expected at most {MAX_DEPTH} levels)")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)


def parse(text: str) -> ET.Element:
    """Returns the root element. Raises XmlError for text that is too large, too deep, has a DTD or is malformed."""
    data = text.encode(errors="replace")
    if len(data) > MAX_BYTES:
        raise XmlError(f"too large (expected at most {MAX_BYTES} bytes, got {len(data)})")
    parser = ET.XMLParser(target=_Bounded(), encoding="utf-8")  # noqa: S314 - no DTD, hence no entities, and bounded
    try:
        parser.feed(data)
        return parser.close()
    except ET.ParseError as error:
        raise XmlError(f"not well-formed XML ({error})") from error


def write(root: ET.Element) -> str:
    """Returns the document as text."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def without_forbidden(text: str) -> tuple[str, int]:
    """Returns the text without the characters that XML cannot hold, and how many there were."""
    return _FORBIDDEN.subn("", text)


def child_text(element: ET.Element, tag: str) -> str:
    """Returns the text of all children of that name, joined, as Collins reads them."""
    return "".join(text for child in element.findall(tag) for text in child.itertext())


def ancestries(root: ET.Element, tag: str) -> Iterator[tuple[ET.Element, ...]]:
    """Yields each element of that name, in document order, behind its ancestors: (root, ..., parent, element)."""
    if root.tag == tag:
        yield (root,)
    for child in list(root):
        for below in ancestries(child, tag):
            yield (root, *below)
