"""Runs programs inside a root, in mount, pid, ipc and uts namespaces of their own, with bubblewrap.

Whatever is mounted there vanishes with the process, kill -9 included; nothing of it is ever visible on the host.

What runs inside is code of others, as root. It is kept from the host by namespaces, by mounts that are read-only, by
the capabilities it lacks, and by the system call filter of confine.py; tests/integration/test_boundary.py tries them
all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alchemy.host import confine
from alchemy.host.rooted import Rooted

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What Portage needs of root's capabilities(7): owners and modes of any file, processes of the user that compiles, to
# become that user, file capabilities, and ldconfig in the image. With none of them can a program mount, load code into
# the kernel, read its memory, trace others or open devices.
PORTAGE = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETFCAP", "SYS_CHROOT")

# The file systems mounted in each root, and the paths on them.
_MOUNTS = ("/dev", "/proc", "/sys", "/run", "/tmp", "/mnt")  # noqa: S108 (inside)
_HIDDEN = tuple(f"{mount}/" for mount in _MOUNTS)

# What reaches the kernel's code, the hardware, the clock and other processes.
_NEVER = ("SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "SYS_TIME", "SYS_PTRACE", "SYSLOG")


@dataclass(frozen=True)
class Chroot:
    """A root to run in, the folders visible there, and the capabilities that programs have there.

    `binds` and `ro_binds` map a path inside to one outside. A read-only root has no place for new mount points: mount
    below /mnt there, which is always an empty tmpfs. Without `network` there is only a loopback interface. Root has the
    `capabilities` that are listed, and no others.
    """

    root: Path
    writable: bool = False
    network: bool = False
    binds: Mapping[str, Path] = field(default_factory=dict)
    ro_binds: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = PORTAGE

    def __truediv__(self, inside: str) -> Path:
        """The outside path of a file of the root itself (not of a bind)."""
        return self.root / inside.lstrip("/")

    def argv(self, command: Sequence[str], *, cwd: str = "/", interactive: bool = False) -> Inside:
        """The command line that runs `command` inside; an `interactive` one keeps the terminal, with job control:
        the filter lets nothing type into it.

        Raises VerificationError when a mount point lies behind a link: bubblewrap would make it wherever that leads, on
        the host too.
        """
        for point in (*_MOUNTS, *self.binds, *self.ro_binds, *(["/etc/resolv.conf"] if self.network else [])):
            if not point.startswith(_HIDDEN):
                Rooted(self.root).refuse_links(point)
        argv = ["--bind" if self.writable else "--ro-bind", str(self.root), "/"]
        # root could write to much of both, which is the host's kernel; /proc/keys lists the keys of root of the host
        argv += ["--proc", "/proc", "--ro-bind", "/dev/null", "/proc/keys", "--remount-ro", "/proc"]
        argv += ["--dev", "/dev", "--ro-bind", "/sys", "/sys", "--tmpfs", "/run", "--tmpfs", "/mnt"]
        for folder in ("/tmp", "/dev/shm"):  # noqa: S108 (inside)
            # Portage compiles as a user of its own
            argv += ["--perms", "1777", "--tmpfs", folder]
        for inside, outside in self.binds.items():
            argv += ["--bind", str(outside), inside]
        for inside, outside in self.ro_binds.items():
            argv += ["--ro-bind", str(outside), inside]
        if self.network:
            argv += ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
        else:
            argv += ["--unshare-net"]
        argv += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--hostname", "alchemy"]
        argv += ["--die-with-parent", "--clearenv", *([] if interactive else ["--new-session"])]
        environment = {"PATH": PATH, "HOME": "/root", "TERM": "dumb", "LC_ALL": "C.UTF-8", **self.env}
        for key, value in environment.items():
            argv += ["--setenv", key, value]
        return Inside([*confined(self.capabilities), *argv, "--chdir", cwd, "--", *command], self, command, cwd)


class Inside(list[str]):
    """A command line that runs `command` in a chroot, in the folder `cwd` there."""

    def __init__(self, argv: Iterable[str], chroot: Chroot, command: Sequence[str], cwd: str) -> None:
        super().__init__(argv)
        self.chroot = chroot
        self.command = command
        self.cwd = cwd


def confined(capabilities: Sequence[str]) -> list[str]:
    """The beginning of a bubblewrap command line whose program has these capabilities, the system call filter, and
    none of our keyrings: all that runs code of others begins with it."""
    launcher = [sys.executable, "-I", confine.__file__]
    added = (word for name in capabilities for word in ("--cap-add", f"CAP_{name}"))
    return [*launcher, "bwrap", "--cap-drop", "ALL", *added]


def host(command: Sequence[str | Path], *, hidden: Sequence[Path] = ()) -> list[str]:
    """The command line that runs `command` on the host's own root, in namespaces of its own: for a program that
    mounts things, or that must not outlive us. It is not a boundary: it drops only what an installer never needs. The
    folders in `hidden` are empty for it."""
    dropped = (word for name in _NEVER for word in ("--cap-drop", f"CAP_{name}"))
    return [
        "bwrap",
        "--dev-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--unshare-pid",
        "--unshare-ipc",
        "--die-with-parent",
        *dropped,
        *(word for folder in hidden for word in ("--tmpfs", str(folder))),
        *map(str, command),
    ]
