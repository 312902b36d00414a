"""A stage: declared inputs, a key made of them, and an output in the cache that is made once.

That one mechanism gives resume after a crash, rebuilds that do nothing, and the answer to "what will be built, and
why".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alchemy import archive
from alchemy.errors import VerificationError

_RECORD = "stage.json"
_IDENTITY = "identity"

_FEW = 3


@dataclass(frozen=True)
class Stage:
    """One step of the build.

    `inputs` names everything the stage reads, each with its value or digest; None while it has yet to be looked up.
    `build` fills a new folder, which becomes the output. The outside world decides what an `external` stage yields (a
    Debian mirror, say): what needs it is keyed by the content it got, not by the inputs of the request.
    `progress` finds in the log how far it is, as follow.following has it. `pinned` is the identity that an external
    stage must have.
    """

    name: str
    store: Path
    inputs: Mapping[str, str | None]
    build: Callable[[Path], None]
    needs: tuple[Stage, ...] = ()
    external: bool = False
    progress: re.Pattern[str] | None = None
    pinned: str | None = None

    @property
    def key(self) -> str | None:
        """The digest of all inputs; None while a stage it needs has yet to say what it yields."""
        inputs = self.all_inputs
        if None in inputs.values():
            return None
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def all_inputs(self) -> dict[str, str | None]:
        """The declared inputs, and the identity of each stage this one needs."""
        return {**self.inputs, **{need.name: need.identity for need in self.needs}}

    @property
    def output(self) -> Path:
        """The folder of the complete output. Only for a stage whose needs are built."""
        key = self.key
        if key is None:
            raise RuntimeError(f"the output of {self.name} was asked for before the stages it needs were built")
        return self.store / f"{self.name}-{key}"

    @property
    def fresh(self) -> bool:
        """Whether the output is there."""
        return self._is_there() and self.pinned in (None, self._recorded_identity())

    def _is_there(self) -> bool:
        return self.key is not None and self.output.is_dir()

    def _recorded_identity(self) -> str | None:
        return (self.output / _IDENTITY).read_text(encoding="ascii") if self.external else None

    @property
    def identity(self) -> str | None:
        """What this stage is to those that need it."""
        if not self.external:
            return self.key
        return self._recorded_identity() if self.fresh else None

    def why(self) -> str:
        """Why it will be built, or that it won't."""
        if self.fresh:
            return "fresh"
        waiting = [need.name for need in self.needs if need.identity is None]
        if waiting:
            return f"after {', '.join(waiting)}"
        if self._is_there():
            return "what is there is not what is pinned"
        records = self._records()
        if not records:
            return "not built yet"
        last = json.loads(records[0].read_text(encoding="utf-8"))
        inputs = self.all_inputs
        changed = _differing(inputs, last["inputs"])
        return "changed: " + ", ".join(f"{name}{self._which(name, last)}" for name in changed)

    def _which(self, name: str, last: Mapping[str, Any]) -> str:
        """The files of an input that are not what they were, if it is of files: the first few."""
        value, before = self.inputs.get(name), last.get("files", {}).get(name)
        files = _differing(value.files, before) if isinstance(value, archive.Digest) and before else []
        more = [f"{len(files) - _FEW} more"] if len(files) > _FEW else []
        return f" ({', '.join(files[:_FEW] + more)})" if files else ""

    def make(self) -> None:
        """Builds the output, unless it is there."""
        if self.fresh:
            return
        started = time.monotonic()
        with archive.complete(self.output) as folder:
            self.build(folder)
            if self.external:
                self._identify(folder)
            seconds = round(time.monotonic() - started, 1)
            files = {name: value.files for name, value in self.inputs.items() if isinstance(value, archive.Digest)}
            archive.write_json(folder / _RECORD, {"inputs": self.all_inputs, "files": files, "seconds": seconds})

    def _identify(self, folder: Path) -> None:
        """Records what the stage has yielded, when that is what it has to."""
        identity = archive.digest(folder)
        if self.pinned not in (None, identity):
            raise VerificationError(
                f"{self.name}: what came has the digest {identity}, not {self.pinned}, to which it is pinned",
                hint="./run build.lock --update, when the new one is to be trusted",
            )
        (folder / _IDENTITY).write_text(identity, encoding="ascii")
        # what was not the pinned one
        archive.remove(self.output)

    def use(self) -> None:
        """Marks the output as used now, for what removes from the cache what nobody uses."""
        if self.fresh:
            os.utime(self.output)

    @property
    def seconds(self) -> float:
        """Wall time that building the output took."""
        return float(json.loads((self.output / _RECORD).read_text(encoding="utf-8"))["seconds"])

    def last(self) -> Path | None:
        """Of the outputs for other inputs the one that was used last."""
        others = [record.parent for record in self._records() if record.parent != self.output]
        return max(others, key=lambda output: output.stat().st_mtime, default=None)

    def earlier(self, prefix: str) -> Path | None:
        """The newest output of which no input differs from ours but those whose names begin with `prefix`."""
        ours = {name: value for name, value in self.all_inputs.items() if not name.startswith(prefix)}
        for record in self._records():
            inputs = json.loads(record.read_text(encoding="utf-8"))["inputs"]
            if ours == {name: value for name, value in inputs.items() if not name.startswith(prefix)}:
                return record.parent
        return None

    def _records(self) -> list[Path]:
        """The records of all outputs that are there, the newest first."""
        records = self.store.glob(f"{self.name}-*/{_RECORD}")
        return sorted(records, key=lambda path: path.stat().st_mtime, reverse=True)


def inputs(output: Path) -> dict[str, str]:
    """The inputs of a stage's output, those it was given by other stages too."""
    recorded: dict[str, str] = json.loads((output / _RECORD).read_text(encoding="utf-8"))["inputs"]
    return recorded


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names whose values are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
