"""Which processes hold a file or a socket open, as /proc tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process and the name of its program."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def writers(path: Path) -> list[Process]:
    """Returns the processes that have a file open for writing. Those of other users are unknown to anyone but root."""
    wanted = str(path.resolve())
    return [process for process, fd in _holders(wanted) if _is_writable(process.pid, fd)]


def socket_holders(inodes: frozenset[int]) -> list[Process]:
    """Returns the processes that have one of these sockets open."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return list(dict.fromkeys(process for name in wanted for process, _ in _holders(name)))


def _holders(target: str) -> Iterator[tuple[Process, str]]:
    """Yields each process that has a file descriptor of the target, with the number of one."""
    for folder in _PROC.glob("[0-9]*/fd"):
        try:
            found = next((fd.name for fd in folder.iterdir() if os.readlink(fd) == target), None)  # noqa: PTH115
            name = (folder.parent / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            # it has ended, or belongs to another user
            continue
        if found is not None:
            yield Process(int(folder.parent.name), name), found


def _is_writable(pid: int, fd: str) -> bool:
    """Returns whether a process may write to its file descriptor (proc(5), fdinfo)."""
    try:
        lines = (_PROC / str(pid) / "fdinfo" / fd).read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    flags = next((int(line.split()[1], 8) for line in lines if line.startswith("flags:")), 0)
    return flags & os.O_ACCMODE != os.O_RDONLY
