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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alchemy.errors import VerificationError
from alchemy.host import code, files

RECORD = "stage.json"

_IDENTITY = "identity"

# The name under which a stage gets an earlier output that it may extend.
EARLIER = "earlier"

# The code that chooses files to fetch. Other code that runs meanwhile only moves and checks bytes, whose digest is the
# identity of the output: a change there must not fetch everything again.
_FETCHING = ("alchemy.stages", "alchemy.fetch")

# 128 bits: no two sets of inputs have the same key
_KEY_DIGITS = 32

_FEW = 3

# What something that moves was when it was looked up, and all of these by name (fetch/pins.py).
Pin = Mapping[str, str]
Pins = Mapping[str, Pin]

# The outputs of the stages that a stage needs, by the names under which it declared them.
Inputs = Mapping[str, Path]


@dataclass(frozen=True)
class Record:
    """What stage.json beside an output says: the declared inputs, the identities of the stages that were needed, the
    digest of the code, for digests of several files those of each, and the seconds that building it took."""

    inputs: Mapping[str, str]
    needs: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seconds: float = 0.0

    @classmethod
    def read(cls, output: Path) -> Record:
        """Reads the record of an output."""
        return cls(**json.loads((output / RECORD).read_text(encoding="utf-8")))

    @property
    def keyed(self) -> dict[str, str]:
        """All that the key was made of."""
        return _keyed(self.inputs, self.needs, self.code)


@dataclass(frozen=True)
class Stage:
    """One step of the build.

    `inputs` maps the name of everything that the stage reads to its value or digest; None where the value has yet to be
    looked up. `build` fills a new folder, which becomes the output. It gets the outputs of the stages in `needs` and no
    others, by the same names; and of those in `optional`, which may save time and change nothing, the fresh ones.

    `code` is the digest of the code that makes the output: by itself that of the module in which `build` is, with all
    it imports. With `extends`, `build` also gets an earlier output, as EARLIER: the newest of which nothing differs but
    inputs whose names begin with `extends`.

    What needs the stage is keyed by its `identity`, which is the key unless `content` computes it from the output: then
    another key with the same content rebuilds nothing that needs it. The output of an `external` stage is fetched, and
    its identity is always the digest of its content; it has to be `pinned`, where that is given.

    `cheap` marks a stage that takes seconds. `progress` finds in the log how far it is, as follow.following reads it.
    """

    name: str
    store: Path
    inputs: Mapping[str, str | None]
    build: Callable[[Path, Inputs], None]
    needs: Mapping[str, Stage] = field(default_factory=dict)
    optional: Mapping[str, Stage] = field(default_factory=dict)
    external: bool = False
    content: Callable[[Path], str] | None = None
    extends: str | None = None
    cheap: bool = False
    progress: re.Pattern[str] | None = None
    pinned: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.code is None:
            module = self.build.__module__
            made = code.digest(module, _FETCHING) if self.external else code.digest(module)
            object.__setattr__(self, "code", made)
        if self.external and self.content is None:
            object.__setattr__(self, "content", files.digest)

    @property
    def key(self) -> str | None:
        """The digest of all inputs; None while the identity of a stage it needs is unknown."""
        keyed = self._keyed
        if None in keyed.values():
            return None
        return hashlib.sha256(json.dumps(keyed, sort_keys=True).encode()).hexdigest()[:_KEY_DIGITS]

    @property
    def _keyed(self) -> dict[str, str | None]:
        return _keyed(self.inputs, self._identities, self.code)

    @property
    def _identities(self) -> dict[str, str | None]:
        return {name: need.identity for name, need in self.needs.items()}

    @property
    def output(self) -> Path:
        """The folder of the complete output. Only for a stage whose needs are built."""
        key = self.key
        if key is None:
            raise RuntimeError(f"the output of {self.name} was asked for before the stages it needs were built")
        return self.store / f"{self.name}-{key}"

    @property
    def fresh(self) -> bool:
        """Whether the output is cached."""
        return self._is_cached() and self.pinned in (None, self._recorded_identity())

    def _is_cached(self) -> bool:
        return self.key is not None and self.output.is_dir()

    def _recorded_identity(self) -> str | None:
        return identity(self.output) if self.content else None

    @property
    def identity(self) -> str | None:
        """What the stages that need this one are keyed by; None while it is unknown."""
        if self.content is None:
            return self.key
        return self._recorded_identity() if self.fresh else None

    def why(self) -> str:
        """Returns why the stage will be built, or `fresh`."""
        if self.fresh:
            return "fresh"
        waiting = [name for name, identity in self._identities.items() if identity is None]
        if waiting:
            return f"after {', '.join(waiting)}"
        if self._is_cached():
            return "cached output does not match alchemy.lock"
        outputs = self._outputs()
        if not outputs:
            return "not built yet"
        last = Record.read(outputs[0])
        changed = _differing(self._keyed, last.keyed)
        return "changed: " + ", ".join(f"{name}{self._which(name, last)}" for name in changed)

    def _which(self, name: str, last: Record) -> str:
        """Names the files of an input that have changed, the first few, if it is an input of files."""
        changed = _differing(self._listed.get(name, {}), last.files[name]) if name in last.files else []
        more = [f"{len(changed) - _FEW} more"] if len(changed) > _FEW else []
        return f" ({', '.join(changed[:_FEW] + more)})" if changed and name in self._listed else ""

    @property
    def _listed(self) -> dict[str, Mapping[str, str]]:
        values = {**self.inputs, "code": self.code}
        return {name: value.files for name, value in values.items() if isinstance(value, files.Digest)}

    def make(self) -> None:
        """Builds the output, unless it is cached."""
        if self.fresh:
            return
        started = time.monotonic()
        with files.complete(self.output) as folder:
            self.build(folder, self._handed())
            if self.content is not None:
                self._identify(folder, self.content(folder))
            record = Record(
                inputs={name: value or "" for name, value in self.inputs.items()},
                needs={name: value or "" for name, value in self._identities.items()},
                code=self.code or "",
                files=self._listed,
                seconds=round(time.monotonic() - started, 1),
            )
            files.write_json(folder / RECORD, asdict(record))

    def _handed(self) -> dict[str, Path]:
        """The outputs that `build` gets."""
        handed = {name: stage.output for name, stage in self.optional.items() if stage.fresh}
        handed |= {name: stage.output for name, stage in self.needs.items()}
        earlier = self._earlier()
        return handed if earlier is None else {**handed, EARLIER: earlier}

    def _identify(self, folder: Path, found: str) -> None:
        """Records the identity of the output. Raises VerificationError when it is not the pinned one."""
        if self.pinned not in (None, found):
            raise VerificationError(
                f"{self.name}: digest mismatch: alchemy.lock expects {self.pinned}, got {found}",
                hint="./run build.lock --update, if the new one is to be trusted",
            )
        (folder / _IDENTITY).write_text(found, encoding="ascii")
        # an output that is not the pinned one
        files.remove(self.output)

    def verify(self) -> None:
        """Hashes a pinned output that is cached: `fresh` trusts the digest that was recorded when it was fetched.

        Raises VerificationError when the content does not have the pinned digest.
        """
        if self.pinned is None:
            return
        found = files.digest(self.output, without=(RECORD, _IDENTITY))
        if found != self.pinned:
            raise VerificationError(
                f"{self.name}: digest mismatch of {self.output} (expected {self.pinned}, got {found})",
                hint=f"rm -r {self.output}, and the next build fetches it again",
            )

    def use(self) -> None:
        """Marks the output as used now: cache.prune removes those that were not used for long."""
        if self.fresh:
            os.utime(self.output)

    @property
    def seconds(self) -> float:
        """The wall time that building the output took."""
        return Record.read(self.output).seconds

    def last(self) -> Path | None:
        """Returns the output for other inputs that was used last."""
        others = [output for output in self._outputs() if output != self.output]
        return max(others, key=lambda output: output.stat().st_mtime, default=None)

    def _earlier(self) -> Path | None:
        """Returns the newest output of which nothing differs but inputs that `extends` allows for."""
        if self.extends is None:
            return None
        prefix = self.extends
        ours = {name: value for name, value in self._keyed.items() if not name.startswith(prefix)}
        for output in self._outputs():
            theirs = Record.read(output).keyed
            if ours == {name: value for name, value in theirs.items() if not name.startswith(prefix)}:
                return output
        return None

    def _outputs(self) -> list[Path]:
        """All outputs of the stage that are cached, the newest first."""
        records = self.store.glob(f"{self.name}-*/{RECORD}")
        return [path.parent for path in sorted(records, key=lambda path: path.stat().st_mtime, reverse=True)]


def identity(output: Path) -> str:
    """Returns the identity of an output whose identity is that of its content."""
    return (output / _IDENTITY).read_text(encoding="ascii")


def needed(made: Mapping[str, Stage], *names: str) -> dict[str, Stage]:
    """Returns the stages of these names, as a mapping for `needs`."""
    return {name: made[name] for name in names}


def _keyed(inputs: Mapping[str, Any], needs: Mapping[str, Any], code: str | None) -> dict[str, Any]:
    """Returns all that a key is made of."""
    return {**inputs, **needs, **({"code": code} if code else {})}


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Returns the names whose values are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
