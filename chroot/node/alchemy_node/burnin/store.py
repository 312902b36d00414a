"""Keeps lines in a file, and in memory what the file does not take."""

from __future__ import annotations

import os
from pathlib import Path

# the lines kept in memory when the file cannot grow: some ten thousand
MOST_PENDING = 8 << 20
_CHUNK = 65536


class LineStore:
    """An append-only stream of lines: the file, followed by what waits in memory.

    An offset into the stream stays valid: lines that wait are written to the file, in order, before any later one.
    """

    def __init__(self, path: Path, most_pending: int = MOST_PENDING) -> None:
        """Opens the file, and cuts off the part of a line that a crash left at its end. Raises OSError."""
        self._most = most_pending
        self._pending = bytearray()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        self._size = _end_of_last_line(self._file)
        os.ftruncate(self._file, self._size)

    @property
    def full(self) -> bool:
        """Whether lines wait in memory because the file took none."""
        return bool(self._pending)

    def append(self, line: bytes, *, droppable: bool = False) -> bool:
        """Appends a line (with its newline) and syncs it; returns whether it was kept.

        While lines wait in memory and there are too many of them, a droppable line is not kept; any other always is.
        """
        if self._pending and droppable and len(self._pending) + len(line) > self._most:
            self._flush()
            if self._pending:
                return False
        self._pending += line
        self._flush()
        return True

    def read(self, offset: int, most: int) -> bytes:
        """Returns whole lines from an offset of the stream on: at most that many bytes, but at least one line."""
        length = max(0, self._size - offset)
        chunk = os.pread(self._file, min(length, most), offset) if length else b""
        if len(chunk) < most:
            start = max(0, offset - self._size)
            chunk += bytes(self._pending[start : start + most - len(chunk)])
        end = chunk.rfind(b"\n") + 1
        if end or len(chunk) < most:
            return chunk[:end]
        return self.read(offset, 2 * most)

    def close(self) -> None:
        """Closes the file; what still waits in memory is lost."""
        os.close(self._file)

    def _flush(self) -> None:
        while self._pending:
            end = self._pending.rfind(b"\n", 0, _CHUNK) + 1 or self._pending.find(b"\n") + 1
            chunk = bytes(self._pending[:end])
            try:
                _write(self._file, chunk, self._size)
            except OSError:
                # a line is in the file whole or not at all
                os.ftruncate(self._file, self._size)
                return
            self._size += end
            del self._pending[:end]


def _write(file: int, chunk: bytes, offset: int) -> None:
    written = 0
    while written < len(chunk):
        written += os.pwrite(file, chunk[written:], offset + written)
    os.fsync(file)


def _end_of_last_line(file: int) -> int:
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - _CHUNK)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
