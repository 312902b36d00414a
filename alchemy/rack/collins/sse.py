"""Server-sent events (HTML Standard, section 9.2.6), as a server sends them: bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# of one event: an asset of Collins with all its hardware is some 50 KB
MOST_BYTES = 4 << 20


def data(blocks: Iterable[bytes]) -> Iterator[str]:
    """Yields the data of each event. Raises ValueError for an event that is too large or not UTF-8."""
    lines: list[str] = []
    size = 0
    for line in _lines(blocks):
        if not line:
            if lines:
                yield "\n".join(lines)
            lines, size = [], 0
            continue
        name, _, value = line.partition(":")
        if name == "data":
            lines.append(value.removeprefix(" "))
            size += len(value)
            if size > MOST_BYTES:
                raise ValueError(f"event: too large (expected at most {MOST_BYTES} bytes)")


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for block in blocks:
        # a line ends with LF, CR LF or CR; a CR at the end of a block may be half of a CR LF
        rest += block
        held = b"\r" if rest.endswith(b"\r") else b""
        whole = rest.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = whole.split(b"\n")
        rest += held
        if len(rest) > MOST_BYTES:
            raise ValueError(f"event: too large (expected at most {MOST_BYTES} bytes)")
        for line in lines:
            yield line.decode("utf-8")
