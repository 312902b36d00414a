"""A stage: declared inputs, a key made of them, and an output in the cache that is made once.

That one mechanism gives resume after a crash, rebuilds that do nothing, and the answer to "what will be built, and
why".
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alchemy import archive

_RECORD = "stage.json"
_IDENTITY = "identity"


@dataclass(frozen=True)
class Stage:
    """One step of the build.

    `inputs` names everything the stage reads, each with its value or digest. `build` fills a new folder, which becomes
    the output. The outside world decides what an `external` stage yields (a Debian mirror, say): what needs it is keyed
    by the content it got, not by the inputs of the request.
    """

    name: str
    store: Path
    inputs: Mapping[str, str]
    build: Callable[[Path], None]
    needs: tuple[Stage, ...] = ()
    external: bool = False

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
        return self.key is not None and self.output.is_dir()

    @property
    def identity(self) -> str | None:
        """What this stage is to those that need it."""
        if not self.external:
            return self.key
        return (self.output / _IDENTITY).read_text(encoding="ascii") if self.fresh else None

    def why(self) -> str:
        """Why it will be built, or that it won't."""
        if self.fresh:
            return "fresh"
        waiting = [need.name for need in self.needs if need.identity is None]
        if waiting:
            return f"after {', '.join(waiting)}"
        last = self._last_inputs()
        if last is None:
            return "not built yet"
        inputs = self.all_inputs
        changed = sorted(name for name in inputs.keys() | last.keys() if inputs.get(name) != last.get(name))
        return f"changed: {', '.join(changed)}"

    def make(self) -> None:
        """Builds the output, unless it is there."""
        if self.fresh:
            return
        started = time.monotonic()
        with archive.complete(self.output) as folder:
            self.build(folder)
            if self.external:
                (folder / _IDENTITY).write_text(archive.digest(folder), encoding="ascii")
            seconds = round(time.monotonic() - started, 1)
            archive.write_json(folder / _RECORD, {"inputs": self.all_inputs, "seconds": seconds})

    @property
    def seconds(self) -> float:
        """Wall time that building the output took."""
        return float(json.loads((self.output / _RECORD).read_text(encoding="utf-8"))["seconds"])

    def _last_inputs(self) -> dict[str, str] | None:
        records = sorted(self.store.glob(f"{self.name}-*/{_RECORD}"), key=lambda path: path.stat().st_mtime)
        if not records:
            return None
        inputs: dict[str, str] = json.loads(records[-1].read_text(encoding="utf-8"))["inputs"]
        return inputs
