"""alchemy.lock: what the names in config.yml resolved to, so that builds use exactly these versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from alchemy.config import strictyaml
from alchemy.errors import UserError

NAME = "alchemy.lock"
HINT = "./run build.lock --update"

_HEAD = """\
# Written by `./run build.lock`. Builds use exactly these versions until `./run build.lock --update`. Keep this file in
# version control. `digest` covers everything that was fetched, `files` has the SHA-256 of each tarball, `pin` is the
# result of the lookup.
"""


class Locked(BaseModel):
    """The entry of a download: the values of the configuration (`inputs`), what they resolved to (`pin`), the digest of
    the download, and for people the SHA-256 of each file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    digest: str
    inputs: Mapping[str, str]
    pin: Mapping[str, str] = {}
    files: Mapping[str, str] = {}


Lock = Mapping[str, Locked]

_LOCK = TypeAdapter(dict[str, Locked])


def load(root: Path) -> Lock:
    """Loads alchemy.lock of the repository at `root`; empty without the file. Raises UserError for an invalid one."""
    path = root / NAME
    if not path.exists():
        return {}
    try:
        return _LOCK.validate_python(strictyaml.parse(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UserError(f"{path}: not a valid lock file: {str(error).splitlines()[0]}", hint=HINT) from None


def text(lock: Lock) -> str:
    """Returns the content of the file."""
    values = {name: locked.model_dump(exclude_defaults=True) for name, locked in lock.items()}
    return _HEAD + yaml.safe_dump(values, width=120)


def check(root: Path, lock: Lock, inputs: Mapping[str, Mapping[str, str | None]]) -> None:
    """Raises UserError unless the lock matches the configuration: `inputs` has the values of each download."""
    problems = [f"  {name}: not locked" for name in inputs if name not in lock]
    problems += [f"  {name}: locked, but not used by this configuration" for name in lock if name not in inputs]
    for name, configured in inputs.items():
        locked = lock[name].inputs if name in lock else configured
        problems += [
            f"  {name}: {key}: locked for {locked.get(key)!r}, but config.yml has {configured.get(key)!r}"
            for key in sorted(configured.keys() | locked.keys())
            if configured.get(key) != locked.get(key)
        ]
    if problems:
        raise UserError("\n".join([f"{root / NAME}: does not match the configuration", *problems]), hint=HINT)
