"""Debian packages: of the suite that the build is made from, or else of its backports.

Apart from debian.py, whose code is in the key of the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alchemy.config.arch import ARCH
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import debian
from alchemy.fetch.download import require_online
from alchemy.host import files

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def fetch(context: Context, suite: str, package: str, folder: Path, log: Path) -> Path:
    """Fetches a Debian package (`NAME` or `NAME=VERSION`) of `suite` or of its backports into `folder`, by an apt with
    its own state.

    The host's apt configuration gives the mirror and stays as it is; the archive's key gives the trust. Backports are
    read only where the suite does not have the package. Raises UserError naming the suites when none has it.
    """
    require_online(context, f"debian:{package}")
    sources = debian.debian_sources(context, suite)
    if not sources:
        raise UserError(
            f"debian:{package}: this host's apt has no Debian mirror to fetch it from",
            hint="add one to /etc/apt, or set linux_url to the URL of a tarball",
        )
    name, _, version = package.partition("=")
    mirror = sources[0].split()[1]
    apt = _Apt(context, folder / "apt", log)
    looked: list[str] = []
    offered: list[str] = []
    for lines in (sources, [f"deb {mirror} {suite}-backports main"]):
        apt.read(lines, f", as {', '.join(looked)} have no {package}" if looked else "")
        looked += [line.split()[2] for line in lines]
        found = apt.versions(name) if version else apt.names(name.rstrip(".0123456789"))
        if (version or name) in found:
            apt.download(package, folder)
            files.remove(folder / "apt")
            return next(folder.glob("*.deb"))
        offered += found
    raise _missing(package, looked, offered)


def _missing(package: str, looked: Sequence[str], offered: Sequence[str]) -> UserError:
    name, _, version = package.partition("=")
    got = f" (expected {version or name}, got {', '.join(sorted(set(offered)))})" if offered else ""
    return UserError(
        f"debian:{package}: not found in the suites {', '.join(looked)} of Debian{got}",
        hint="./run build.lock --update, or set kernel_ver to a version that is there"
        if version
        else "set linux_url and kernel_conf to a series that is there, or linux_url to the URL of a tarball",
    )


class _Apt:
    """An apt with its own state, in `private`."""

    def __init__(self, context: Context, private: Path, log: Path) -> None:
        self._run, self._capture, self._log = context.runner.run, context.runner.capture, log
        self._list = private / "etc/sources.list"
        for name in ("etc", "state/lists/partial", "cache/archives/partial"):
            (private / name).mkdir(parents=True)
        options = {
            "Dir::Etc": private / "etc", "Dir::State": private / "state", "Dir::State::status": "/dev/null",
            "Dir::Cache": private / "cache", "APT::Sandbox::User": "root", "Acquire::Languages": "none",
            "Acquire::Retries": "3", "APT::Architecture": ARCH.debian, "APT::Architectures": ARCH.debian,
        }  # fmt: skip
        self._flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]

    def read(self, sources: Sequence[str], why: str) -> None:
        """Reads the package lists of lines of a sources.list, instead of those before."""
        suites = ", ".join(line.split()[2] for line in sources)
        signed = (line.replace("deb ", f"deb [signed-by={_KEYRING}] ", 1) for line in sources)
        self._list.write_text("".join(f"{line}\n" for line in signed), encoding="ascii")
        what = f"reading the package lists of Debian's {suites}{why}"
        self._run(["apt-get", *self._flags, "update", "--error-on=any"], log=self._log, what=what)

    def names(self, prefix: str) -> list[str]:
        """Returns the packages whose names begin with `prefix`."""
        return self._ask("pkgnames", prefix).splitlines()

    def versions(self, name: str) -> list[str]:
        """Returns the versions of a package; its lines are `NAME | VERSION | SOURCE`."""
        return [line.split("|")[1].strip() for line in self._ask("madison", name).splitlines() if "|" in line]

    def download(self, package: str, folder: Path) -> None:
        """Fetches a package into `folder`."""
        command = ["apt-get", *self._flags, "download", package]
        self._run(command, cwd=folder, log=self._log, what=f"fetching Debian's {package}")

    def _ask(self, question: str, about: str) -> str:
        return self._capture(["apt-cache", *self._flags, question, about], log=self._log)
