"""The host's mount table, read only: Alchemy mounts nothing on the host."""

from __future__ import annotations

import re
from pathlib import Path


def parse(table: str) -> list[Path]:
    """Mount points of a table in the format of /proc/mounts (proc(5), fstab(5): octal escapes), in its order."""
    return [Path(_unescape(line.split()[1])) for line in table.splitlines() if len(line.split()) > 1]


def below(folder: Path) -> list[Path]:
    """The mount points at `folder` or under it."""
    points = parse(Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape"))
    return [point for point in points if point.is_relative_to(folder.resolve())]


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
