"""Runs programs inside a root, in mount, pid, ipc and uts namespaces of their own, with bubblewrap.

Whatever is mounted there vanishes with the process, kill -9 included; nothing of it is ever visible on the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Chroot:
    """A root to run in, and what else is visible there.

    `binds` and `ro_binds` map a path inside to one outside. A read-only root has no place for new mount points: mount
    below /mnt there, which is always an empty tmpfs. Without `network` there is only a loopback interface.
    """

    root: Path
    writable: bool = False
    network: bool = False
    binds: Mapping[str, Path] = field(default_factory=dict)
    ro_binds: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    def __truediv__(self, inside: str) -> Path:
        """The outside path of a file of the root itself (not of a bind)."""
        return self.root / inside.lstrip("/")

    def argv(self, command: Sequence[str], *, cwd: str = "/", interactive: bool = False) -> list[str]:
        """The command line that runs `command` inside; an `interactive` one keeps the terminal's job control."""
        argv = ["bwrap", "--bind" if self.writable else "--ro-bind", str(self.root), "/"]
        argv += ["--dev", "/dev", "--proc", "/proc", "--ro-bind", "/sys", "/sys"]
        argv += ["--tmpfs", "/run", "--tmpfs", "/tmp", "--tmpfs", "/mnt"]  # noqa: S108 (inside)
        for inside, outside in self.binds.items():
            argv += ["--bind", str(outside), inside]
        for inside, outside in self.ro_binds.items():
            argv += ["--ro-bind", str(outside), inside]
        if self.network:
            argv += ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
        else:
            argv += ["--unshare-net"]
        argv += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "alchemy"]
        argv += ["--die-with-parent", "--clearenv", *([] if interactive else ["--new-session"])]
        environment = {"PATH": PATH, "HOME": "/root", "TERM": "dumb", "LC_ALL": "C.UTF-8", **self.env}
        for key, value in environment.items():
            argv += ["--setenv", key, value]
        return [*argv, "--chdir", cwd, *command]


def host(command: Sequence[str | Path]) -> list[str]:
    """The command line that runs `command` on the host's own root, in namespaces of its own: for a program that
    mounts things, or that must not outlive us."""
    return [
        "bwrap",
        "--dev-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--unshare-pid",
        "--die-with-parent",
        *map(str, command),
    ]
