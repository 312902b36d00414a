"""Reads a run's lines from a file or a server: cut off, garbled or hostile as they may be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from alchemy_node.burnin.model import FormatError, Run

# of a file: more than 48 hours of a large machine; of a line: its longest is the list of hardware
MOST_BYTES = 512 << 20
MOST_LINE = 4 << 20


def read(path: Path) -> Run:
    """Reads a file. Raises OSError. A file with nothing of the format gives a run without a start."""
    with path.open("rb") as stream:
        return fold(_lines(stream))


def fold(lines: Iterable[bytes]) -> Run:
    """Takes every line that is of the format; counts the others."""
    run = Run()
    for line in lines:
        accept(run, line)
    return run


def accept(run: Run, line: bytes) -> bool:
    """Has a run take a line; returns whether it was of the format."""
    try:
        run.take(parse(line))
    except FormatError:
        run.garbled += 1
        return False
    return True


def parse(line: bytes) -> object:
    """Returns what a line holds. Raises FormatError when it is not JSON."""
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError("not JSON") from error
    return value


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    left = MOST_BYTES
    while left > 0 and (line := stream.readline(MOST_LINE)):
        left -= len(line)
        yield line
