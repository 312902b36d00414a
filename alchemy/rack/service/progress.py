"""Follows nginx's access log, and records when a node has fetched its kernel and its ramfs.

The last request for a script tells which machine uses an address. Unknown machines are skipped: a GET creates no node.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

from alchemy.rack import images
from alchemy.rack.identity import Keys
from alchemy.rack.records import events, nodes
from alchemy.rack.records.database import RecordsError
from alchemy.rack.service import bodies
from alchemy.rack.service.core import Service

_INTERVAL = 1.0  # seconds
_MOST = 1 << 20  # bytes read at once
_MOST_ADDRESSES = 1 << 14
_WHOLE = 200


@dataclass
class Progress:
    """Follows a log from its end on."""

    service: Service
    path: Path
    _keys: OrderedDict[str, Keys] = field(default_factory=OrderedDict)
    _file: IO[bytes] | None = None
    _rest: bytes = b""

    def run(self, over: threading.Event) -> None:
        """Follows until `over` is set."""
        self._open(at_end=True)
        while not over.wait(_INTERVAL):
            self.look()
        if self._file is not None:
            self._file.close()

    def look(self) -> None:
        """Reads the lines that were added since the last call."""
        if self._file is None or self._is_another():
            self._open(at_end=False)
        if self._file is None:
            return
        *lines, self._rest = (self._rest + self._file.read(_MOST)).split(b"\n")
        for line in lines:
            self._take(line)

    def _open(self, *, at_end: bool) -> None:
        if self._file is not None:
            self._file.close()
        try:
            self._file = self.path.open("rb")
        except OSError:
            self._file = None
            return
        self._rest = b""
        if at_end:
            self._file.seek(0, os.SEEK_END)

    def _is_another(self) -> bool:
        """Returns whether the log was rotated or truncated."""
        assert self._file is not None  # noqa: S101
        try:
            there, here = self.path.stat(), os.fstat(self._file.fileno())
        except OSError:
            return False
        return there.st_ino != here.st_ino or here.st_size < self._file.tell()

    def _take(self, line: bytes) -> None:
        try:
            entry: Any = json.loads(line)
            address, status, uri = str(entry["address"]), entry["status"], urlsplit(str(entry["uri"]))
            took = f"{int(entry['bytes'])} bytes in {float(entry['seconds']):.1f} s"
        except (ValueError, LookupError, TypeError, RecursionError):
            return
        if status != _WHOLE or entry.get("method") != "GET":
            return
        if uri.path == "/v1/boot":
            self._remember(address, uri.query)
        elif (stage := self._stage(uri.path)) and (keys := self._keys.get(address)) is not None:
            self._note(keys, stage, took)

    def _remember(self, address: str, query: str) -> None:
        try:
            keys = Keys.parse({name: bodies.clean(value) for name, value in parse_qsl(query, max_num_fields=32)})
        except ValueError:
            return
        self._keys[address] = keys
        self._keys.move_to_end(address)
        if len(self._keys) > _MOST_ADDRESSES:
            self._keys.popitem(last=False)

    def _stage(self, path: str) -> str:
        """Returns `kernel` or `ramfs` for the path of an image's file; empty for anything else."""
        _, _, rest = path.partition("/images/")
        name, _, file = rest.partition("/")
        folder = self.service.config.images.get(name)
        try:
            image = None if folder is None else images.find(folder)
        except ValueError:
            return ""
        if image is None:
            return ""
        return "kernel" if file == image.kernel else "ramfs" if file == image.ramfs else ""

    def _note(self, keys: Keys, stage: str, took: str) -> None:
        now = self.service.clock()
        try:
            with self.service.records.begin() as connection:
                node = nodes.match(connection, keys).node
                if node is not None:
                    nodes.update(connection, node.id, stage=stage, stage_message=took, stage_at=now)
                    events.add(connection, node.id, "stage", f"{stage}: {took}", now=now)
        except RecordsError:
            # the next stage is recorded when the database is back
            return
