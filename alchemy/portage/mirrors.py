"""Mirrors of source files: those of config.yml, Debian's snapshot archive, and where a mirror has a file."""

from __future__ import annotations

import configparser
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from alchemy.context import Context
from alchemy.errors import AlchemyError
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted

# Portage would read it in a folder of distfiles as the layout of that folder
LAYOUT = "layout.conf"

# the place of the time in the URL of a snapshot archive, as apt writes it
SNAPSHOT = "@SNAPSHOTID@"
_ARCHIVE = re.compile(rf'Acquire::Snapshots::URI::Origin::Debian "(https?://[^"\s]+/{SNAPSHOT}/)";')

_ALGORITHMS = ("blake2b", "sha512", "sha256", "sha1", "md5")


def own(context: Context) -> list[str]:
    """Returns the base URLs of the mirrors in config.yml; folders have file URLs."""
    return [base(context, mirror) for mirror in context.config.mirrors]


def base(context: Context, mirror: str) -> str:
    if urlsplit(mirror).scheme in ("http", "https"):
        return mirror.rstrip("/")
    return f"file://{quote(str(context.root / mirror))}"


def snapshots(context: Context, inside: Chroot, log: Path) -> str | None:
    """Returns the base URL of Debian's snapshot archive, which has every version of every package, by the apt of a
    chroot: SNAPSHOT stands for the time in it. None when there is no apt, or one that knows no archive (before 3.0)."""
    if not Rooted(inside.root).is_file("usr/bin/apt-config"):
        return None
    dumped = context.runner.capture(inside.argv(["apt-config", "dump", "Acquire::Snapshots"]), log=log)
    found = _ARCHIVE.search(dumped)
    return found[1] if found else None


def snapshot_time(context: Context, folder: Path) -> str:
    """Returns the time at which the Manifest of an ebuild's folder was made, when the files in it were there, in the
    form of the snapshot archive: that of git, else that of the file. Without a Manifest it is now."""
    manifest = folder / "Manifest"
    seconds = ""
    try:
        command: list[str | Path] = ["git", "-C", folder, "log", "-1", "--format=%ct", "--", manifest.name]
        seconds = context.runner.capture(command).strip()
    except AlchemyError as error:
        context.log.info(f"{manifest}: git does not tell when it was made: {error.message.splitlines()[0]}")
    if re.fullmatch(r"[0-9]{1,11}", seconds):
        made = datetime.fromtimestamp(int(seconds), UTC)
    elif manifest.is_file():
        made = datetime.fromtimestamp(manifest.stat().st_mtime, UTC)
    else:
        made = datetime.now(UTC)
    return made.strftime("%Y%m%dT%H%M%SZ")


@dataclass(frozen=True)
class Layout:
    """Where files are on a mirror: in folders named by a digest of their names, by as many bits as `cutoffs` says."""

    algorithm: str = ""
    cutoffs: tuple[int, ...] = ()

    @classmethod
    def read(cls, text: bytes) -> Layout:
        """The first structure of a layout.conf that is supported (GLEP 75). Raises ValueError, configparser.Error."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text.decode("utf-8"))
        structures = sorted(parser.items("structure"), key=lambda item: int(item[0]))
        for words in (value.split() for _, value in structures):
            if words == ["flat"]:
                return cls()
            if len(words) == 3 and words[0] == "filename-hash" and words[1].lower() in _ALGORITHMS:
                cutoffs = tuple(int(bits) for bits in words[2].split(":"))
                if all(0 < bits <= 64 and bits % 4 == 0 for bits in cutoffs):
                    return cls(words[1].lower(), cutoffs)
        return cls()

    def path(self, name: str) -> str:
        """Returns the path of a file below the mirror's folder distfiles/."""
        parts, digest = [], ""
        if self.algorithm:
            digest = hashlib.new(self.algorithm, name.encode(), usedforsecurity=False).hexdigest()
        for bits in self.cutoffs:
            parts.append(digest[: bits // 4])
            digest = digest[bits // 4 :]
        return "/".join([*parts, quote(name)])
