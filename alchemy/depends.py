"""The programs a host needs, and the packages they come in."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A program on PATH and its package on each distribution."""

    name: str
    debian: str
    fedora: str
    arch: str
    gentoo: str
    why: str


BUILD = (
    Tool("bwrap", "bubblewrap", "bubblewrap", "bubblewrap", "sys-apps/bubblewrap", "enters the chroot"),
    Tool(
        "mmdebstrap",
        "mmdebstrap debian-archive-keyring",
        "mmdebstrap debian-keyring",
        "mmdebstrap debian-archive-keyring",
        "dev-util/mmdebstrap",
        "makes the embedded stage3",
    ),
    Tool("apt-get", "apt", "apt", "apt", "sys-apps/apt", "fetches Debian packages"),
    Tool("dpkg-deb", "dpkg", "dpkg", "dpkg", "app-arch/dpkg", "unpacks Debian packages"),
    Tool("git", "git", "git", "git", "dev-vcs/git", "fetches trees, overlays and kernels"),
    Tool("gpg", "gpg", "gnupg2", "gnupg", "app-crypt/gnupg", "checks signatures"),
    Tool("rsync", "rsync", "rsync", "rsync", "net-misc/rsync", "fetches trees"),
    Tool("setpriv", "util-linux", "util-linux", "util-linux", "sys-apps/util-linux", "ends children with their parent"),
    Tool("tar", "tar", "tar", "tar", "app-arch/tar", "unpacks the stage3"),
    Tool("xz", "xz-utils", "xz", "xz", "app-arch/xz-utils", "unpacks the kernel source"),
    Tool("zstd", "zstd", "zstd", "zstd", "app-arch/zstd", "unpacks the stage3"),
)

BOOT = (
    Tool(
        "qemu-system-x86_64", "qemu-system-x86 ipxe-qemu", "qemu-system-x86-core ipxe-roms-qemu", "qemu-system-x86",
        "app-emulation/qemu", "boots the image",
    ),
)  # fmt: skip

TEST = (
    Tool("shellcheck", "shellcheck", "ShellCheck", "shellcheck", "dev-util/shellcheck-bin", "checks the shell scripts"),
    Tool("busybox", "busybox-static", "busybox", "busybox", "sys-apps/busybox", "runs the init's tests"),
    Tool("dash", "dash", "dash", "dash", "app-shells/dash", "runs the init's tests"),
    Tool("zsh", "zsh", "zsh", "zsh", "app-shells/zsh", "completes our commands"),
    Tool("fish", "fish", "fish", "fish", "app-shells/fish", "completes our commands"),
    Tool("ssh", "openssh-client", "openssh-clients", "openssh", "net-misc/openssh", "logs in to the booted image"),
)


def missing(tools: tuple[Tool, ...]) -> list[Tool]:
    """Those that are not on PATH; root's folders count for any user."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return [tool for tool in tools if shutil.which(tool.name, path=path) is None]


def report(tools: list[Tool]) -> str:
    """What is missing, a line a tool, with the command that installs all of it on each distribution."""
    lines = [f"  {tool.name}: {tool.why}" for tool in tools]
    commands = {"Debian": "apt-get install", "Fedora": "dnf install", "Arch": "pacman -S", "Gentoo": "emerge"}
    for distribution, command in commands.items():
        packages = dict.fromkeys(getattr(tool, distribution.lower()) for tool in tools)
        lines.append(f"{distribution + ':':8} {command} {' '.join(packages)}")
    return "\n".join(lines)


def needed_by(tasks: list[str]) -> tuple[Tool, ...]:
    """What the named tasks call: all of them build, some boot, the tests check."""
    groups = {task.split(".")[0] for task in tasks}
    if "test" in groups:
        return BUILD + BOOT + TEST
    return BUILD + BOOT if groups & {"boot", "bench"} else BUILD


def main() -> int:
    """For ./run: prints the Debian packages of what the tasks named lack, or a --report for a person."""
    arguments = sys.argv[1:]
    lacking = missing(needed_by([word for word in arguments if not word.startswith("-")]))
    if lacking and "--report" in arguments:
        print(report(lacking), file=sys.stderr)
    elif lacking:
        print(" ".join(dict.fromkeys(tool.debian for tool in lacking)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
