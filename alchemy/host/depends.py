"""The programs a host needs, and the packages they come in."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alchemy.config import model as configuration
from alchemy.config.arch import ARCH
from alchemy.config.model import Config
from alchemy.config.remotes import is_git
from alchemy.config.values import FINGERPRINT
from alchemy.errors import UserError
from alchemy.host import ovmf


@dataclass(frozen=True)
class Tool:
    """A program on PATH, a shared library by its soname, OVMF or iPXE, and its package on each distribution."""

    name: str
    debian: str
    fedora: str
    arch: str
    gentoo: str
    why: str


# what every task calls that starts a program
SETPRIV = Tool(
    "setpriv", "util-linux", "util-linux", "util-linux", "sys-apps/util-linux", "ends children with their parent"
)
# what every build calls
BUILD = (
    Tool("bwrap", "bubblewrap", "bubblewrap", "bubblewrap", "sys-apps/bubblewrap", "enters the chroot"),
    Tool(
        "libseccomp.so.2",
        "libseccomp2",
        "libseccomp",
        "libseccomp",
        "sys-libs/libseccomp",
        "filters the system calls of the chroot",
    ),
    SETPRIV,
    Tool("tar", "tar", "tar", "tar", "app-arch/tar", "unpacks the stage3"),
)

# what only some configurations ask for
MMDEBSTRAP = Tool(
    "mmdebstrap",
    "mmdebstrap debian-archive-keyring",
    "mmdebstrap debian-keyring",
    "mmdebstrap debian-archive-keyring",
    "dev-util/mmdebstrap",
    "makes the embedded stage3",
)
APT = Tool("apt-get", "apt", "apt", "apt", "sys-apps/apt", "fetches Debian packages")
DPKG = Tool("dpkg-deb", "dpkg", "dpkg", "dpkg", "app-arch/dpkg", "unpacks Debian packages")
GIT = Tool("git", "git", "git", "git", "dev-vcs/git", "fetches trees, overlays and kernels")
GPG = Tool("gpg", "gpg", "gnupg2", "gnupg", "app-crypt/gnupg", "checks and makes signatures")
RSYNC = Tool("rsync", "rsync", "rsync", "rsync", "net-misc/rsync", "fetches trees")
SSH_KEYGEN = Tool(
    "ssh-keygen", "openssh-client", "openssh-clients", "openssh", "net-misc/openssh", "signs what goes to bin/"
)
XZ = Tool("xz", "xz-utils", "xz", "xz", "app-arch/xz-utils", "unpacks tarballs")
ZSTD = Tool("zstd", "zstd", "zstd", "zstd", "app-arch/zstd", "packs and unpacks tarballs")
BZIP2 = Tool("bzip2", "bzip2", "bzip2", "bzip2", "app-arch/bzip2", "unpacks tarballs")
SOME = (MMDEBSTRAP, APT, DPKG, GIT, GPG, RSYNC, SSH_KEYGEN, XZ, ZSTD, BZIP2)

BOOT = (
    Tool(
        ARCH.qemu, "qemu-system-x86 ipxe-qemu", "qemu-system-x86-core ipxe-roms-qemu", "qemu-system-x86",
        "app-emulation/qemu", "boots the image",
    ),
)  # fmt: skip

OVMF = Tool(
    "OVMF", "ovmf", "edk2-ovmf", "edk2-ovmf", "sys-firmware/edk2-bin", "is the UEFI firmware of QEMU's machines"
)

DNSMASQ = Tool("dnsmasq", "dnsmasq-base", "dnsmasq", "dnsmasq", "net-dns/dnsmasq", "serves DHCP, TFTP and DNS")
NGINX = Tool("nginx", "nginx-light", "nginx", "nginx", "www-servers/nginx", "serves images to a rack")
IPXE = Tool("iPXE", "ipxe", "ipxe-bootimgs-x86", "ipxe", "sys-firmware/ipxe", "is what the firmware of a node boots")
SERVE = (DNSMASQ, NGINX, IPXE)
# Debian's file, and that of Fedora, Arch and Gentoo
_IPXE_FILES = (Path("/usr/lib/ipxe/undionly.kpxe"), Path("/usr/share/ipxe/undionly.kpxe"))

# Debian keeps the server's programs off PATH
_POSTGRESQL = Path("/usr/lib/postgresql")
POSTGRESQL = Tool(
    "initdb", "postgresql", "postgresql-server", "postgresql", "dev-db/postgresql", "keeps the records of a rack"
)

TEST = (
    OVMF,
    POSTGRESQL,
    *SERVE,
    Tool("chromium", "chromium", "chromium", "chromium", "www-client/chromium", "shows the pages to their tests"),
    Tool("dhcpd", "isc-dhcp-server", "dhcp-server", "dhcp", "net-misc/dhcp", "checks what boot.serve writes for it"),
    Tool("kea-dhcp4", "kea-dhcp4-server", "kea", "kea", "net-misc/kea", "checks what boot.serve writes for it"),
    Tool("ip", "iproute2", "iproute", "iproute2", "sys-apps/iproute2", "makes networks for the booted image"),
    Tool("shellcheck", "shellcheck", "ShellCheck", "shellcheck", "dev-util/shellcheck-bin", "checks the shell scripts"),
    Tool("busybox", "busybox-static", "busybox", "busybox", "sys-apps/busybox", "runs the init's tests"),
    Tool("dash", "dash", "dash", "dash", "app-shells/dash", "runs the init's tests"),
    Tool("zsh", "zsh", "zsh", "zsh", "app-shells/zsh", "completes our commands"),
    Tool("fish", "fish", "fish", "fish", "app-shells/fish", "completes our commands"),
    Tool("ssh", "openssh-client", "openssh-clients", "openssh", "net-misc/openssh", "logs in to the booted image"),
)


# the tasks that build, and those that boot the result
_BUILDING = frozenset(
    {
        "build.all", "build.stage3", "build.system", "build.kernel", "build.ramfs", "build.lock", "build.verify",
        "util.shell", "bench.build", "bench.rebuild", "release.cut",
    }
)  # fmt: skip
_BOOTING = frozenset({"boot.qemu", "bench.boot", "bench.burnin"})
_OTHERS = {
    "boot.serve": (SETPRIV, *SERVE),
    "ebuild.bump": (SETPRIV, GIT),
    "ebuild.manifest": (SETPRIV, GIT),
    "ebuild.outdated": (SETPRIV, GIT),
    "ebuild.sources": (SETPRIV, GIT),
    "release.check": (GIT,),
    "release.cut": (GIT,),
    "release.distfiles": (SETPRIV, GIT),
    "sign.command": (SSH_KEYGEN,),
}
# --firmware=uefi, or its value alone after the option
_UEFI = frozenset({"uefi", "--firmware=uefi"})


def missing(tools: tuple[Tool, ...]) -> list[Tool]:
    """Those that this host lacks; root's folders count for any user."""
    return [tool for tool in tools if not _is_there(tool)]


def _is_there(tool: Tool) -> bool:
    if tool == OVMF:
        return ovmf.find() is not None
    if tool == IPXE:
        return any(path.is_file() for path in _IPXE_FILES)
    if tool == POSTGRESQL and any(_POSTGRESQL.glob("*/bin/initdb")):
        return True
    return _loads(tool.name) if ".so." in tool.name else _found(tool.name)


def _found(program: str) -> bool:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path) is not None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def report(tools: list[Tool]) -> str:
    """What is missing, a line a tool, with the command that installs all of it on each distribution."""
    lines = [f"  {tool.name}: {tool.why}" for tool in tools]
    commands = {"Debian": "apt-get install", "Fedora": "dnf install", "Arch": "pacman -S", "Gentoo": "emerge"}
    for distribution, command in commands.items():
        packages = dict.fromkeys(getattr(tool, distribution.lower()) for tool in tools)
        lines.append(f"{distribution + ':':8} {command} {' '.join(packages)}")
    return "\n".join(lines)


def of_build(config: Config) -> tuple[Tool, ...]:
    """What a build of this configuration calls on the host."""
    embedded, linux, sync = config.stage3_url.startswith("debian:"), config.linux_url, config.sync
    signer = config.signing_key
    by_fingerprint = signer is not None and FINGERPRINT.fullmatch(signer) is not None
    pinned = config.stage3_sha256 is not None and not config.stage3_keys
    # a pointer doesn't say how the tarball it names is packed
    pointer = config.stage3_url.endswith(".txt")
    packed = (config.stage3_url, "" if is_git(linux) else linux)
    wanted = {
        MMDEBSTRAP: embedded,
        APT: embedded or linux.startswith("debian:"),
        DPKG: linux.startswith("debian:"),
        GIT: sync.method == "git" or bool(config.overlays) or is_git(linux),
        GPG: not (embedded or pinned)
        or (sync.method == "git" and sync.verify)
        or bool(config.linux_keys)
        or by_fingerprint,
        RSYNC: sync.method == "rsync",
        SSH_KEYGEN: signer is not None and not by_fingerprint,
        XZ: pointer or linux.startswith("debian:") or any(url.endswith(".xz") for url in packed),
        ZSTD: embedded or pointer or any(url.endswith(".zst") for url in packed),
        BZIP2: pointer or any(url.endswith(".bz2") for url in packed),
    }
    return BUILD + tuple(tool for tool, needed in wanted.items() if needed)


def needed_by(words: Iterable[str], config: Config) -> tuple[Tool, ...]:
    """Returns the programs that a command line needs. Most tasks only read and need none; the tests need all."""
    named = set(words)
    if any(word.startswith("test.") for word in named):
        return BUILD + SOME + BOOT + TEST
    booting = BOOT + ((OVMF,) if named & _UEFI else ())
    built = of_build(config) if named & _BUILDING else ()
    others = (tool for task, tools in _OTHERS.items() if task in named for tool in tools)
    return built + (booting if named & _BOOTING else ()) + tuple(tool for tool in others if tool not in built)


def main() -> int:
    """For ./run: prints the Debian packages that the named tasks lack, or a --report for a person."""
    arguments = sys.argv[1:]
    try:
        config = configuration.load(Path(__file__).resolve().parent.parent.parent, os.environ)
    except UserError:
        # the task itself reports the errors in it
        return 0
    lacking = missing(needed_by(arguments, config))
    if lacking and "--report" in arguments:
        print(report(lacking), file=sys.stderr)
    elif lacking:
        print(" ".join(dict.fromkeys(tool.debian for tool in lacking)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
