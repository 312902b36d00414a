"""alchemy.lock: what the names of the configuration stood for when it was made, so that a build can be of just that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from alchemy.errors import UserError

NAME = "alchemy.lock"
HINT = "./run build.lock --update makes it anew, from what is there today"

_HEAD = """\
# Made by `./run build.lock`: builds are of exactly this, until `./run build.lock --update`. Keep it in version control.
# digest is that of all that was fetched, files are the SHA-256 of each tarball, pin is what was looked up.
"""


class Locked(BaseModel):
    """One thing that is fetched: what was asked for (`inputs`), what that turned out to be (`pin`), the digest of what
    came, and the SHA-256 of each of its files, for who wants to compare."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    digest: str
    inputs: Mapping[str, str]
    pin: Mapping[str, str] = {}
    files: Mapping[str, str] = {}


Lock = Mapping[str, Locked]

_LOCK = TypeAdapter(dict[str, Locked])


def load(root: Path) -> Lock:
    """The lock of the repository at `root`; empty when there is none. Raises UserError for a file that is no lock."""
    path = root / NAME
    if not path.exists():
        return {}
    try:
        return _LOCK.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        raise UserError(f"{path}: is not what build.lock has made: {str(error).splitlines()[0]}", hint=HINT) from None


def text(lock: Lock) -> str:
    """The content of the file."""
    values = {name: locked.model_dump(exclude_defaults=True) for name, locked in lock.items()}
    return _HEAD + yaml.safe_dump(values, width=120)


def check(root: Path, lock: Lock, asked: Mapping[str, Mapping[str, str | None]]) -> None:
    """Raises UserError unless the lock is of what is `asked` for: the inputs of each thing that is fetched."""
    problems = [f"  {name}: is not in it" for name in asked if name not in lock]
    problems += [f"  {name}: is in it, and nothing asks for it" for name in lock if name not in asked]
    for name, inputs in asked.items():
        locked = lock[name].inputs if name in lock else inputs
        problems += [
            f"  {name}: {key} is {inputs.get(key)!r}, and {locked.get(key)!r} in the lock"
            for key in sorted(inputs.keys() | locked.keys())
            if inputs.get(key) != locked.get(key)
        ]
    if problems:
        raise UserError("\n".join([f"{root / NAME}: is not of this configuration", *problems]), hint=HINT)
