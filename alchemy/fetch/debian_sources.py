"""The versions of Debian's source packages, by the signed indexes of the host's mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.fetch import debian
from alchemy.host import files

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# where Debian's newest versions are
NEWEST = "sid"

Versions = Mapping[str, Mapping[str, Sequence[str]]]


def versions(context: Context) -> Versions:
    """Returns the versions of every source package: by its name, then by suite. The suites are the stable one of the
    build with its updates, security updates and backports, and Debian's newest.

    The host's apt configuration gives the mirrors and stays as it is; the archive's key gives the trust. Raises
    UserError when the host's apt has no Debian mirror, BuildError when the indexes cannot be fetched.
    """
    suite = debian.suite(context)
    sources = debian.debian_sources(context, suite)
    if not sources:
        raise UserError("apt: this host has no Debian mirror")
    mirror = sources[0].split()[1]
    lines = [*sources, *(f"deb {mirror} {more} main" for more in (f"{suite}-backports", NEWEST))]
    private = context.work / "debian-sources"
    files.remove(private)
    for name in ("etc", "state/lists/partial", "cache/archives/partial"):
        (private / name).mkdir(parents=True)
    signed = [line.replace("deb ", f"deb-src [signed-by={_KEYRING}] ", 1) for line in lines]
    (private / "etc/sources.list").write_text("\n".join([*signed, ""]), encoding="ascii")
    options = {
        "Dir::Etc": private / "etc", "Dir::State": private / "state", "Dir::State::status": "/dev/null",
        "Dir::Cache": private / "cache", "APT::Sandbox::User": "root", "Acquire::Languages": "none",
        "Acquire::Retries": "3", "Acquire::GzipIndexes": "false",
    }  # fmt: skip
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    log = context.logfile("debian-sources")
    with context.log.step("reading the indexes of Debian's source packages"):
        context.runner.run(
            ["apt-get", *flags, "update", "--error-on=any"], log=log, what="reading the indexes of Debian's sources"
        )
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted((private / "state/lists").glob("*_Sources")):
        name = path.name.partition("_dists_")[2].partition("_")[0]
        _read(path, name, found)
    files.remove(private)
    return found


def _read(path: Path, suite: str, found: dict[str, dict[str, list[str]]]) -> None:
    package = ""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("Package: "):
                package = line.split()[1]
            elif line.startswith("Version: ") and package:
                found.setdefault(package, {}).setdefault(suite, []).append(line.split()[1])
                package = ""
