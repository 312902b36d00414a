"""What comes from outside: files by URL, the mirrors of Debian, Python sources. All of it is verified."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import MappingProxyType

from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.fetch import python_index
from alchemy.fetch.download import Settings, fetch, file_name
from alchemy.host import files

_SOURCE_SIZE = 64 << 20  # bytes: a source archive that we fetch from the package index is smaller

# the suite of Debian packages where stage3_url names none
DEFAULT_SUITE = "trixie"


def suite(context: Context) -> str:
    """Returns the Debian suite that `debian:` packages come from."""
    kind, _, name = context.config.stage3_url.partition(":")
    return name if kind == "debian" else DEFAULT_SUITE


def download(
    context: Context,
    url: str,
    folder: Path,
    sha256: str,
    *,
    most: int | None = None,
    settings: Settings = MappingProxyType({}),
) -> Path:
    """Fetches a file into `folder`, under its own name; no further than the first byte over `most`.

    Raises VerificationError when the content isn't that of `sha256`, and what download.fetch raises.
    """
    path = folder / file_name(url)
    fetch(context, url, path, most=most, settings=settings)
    found = files.sha256(path)
    if found != sha256:
        path.unlink()
        raise VerificationError(f"{url}: has the SHA-256 {found}, not {sha256}")
    return path


def python_source(context: Context, name: str, version: str, sha256: str, folder: Path) -> Path:
    """Fetches a source archive from the package index that pip is configured for, and runs nothing of it.

    Raises VerificationError when no place has one of this digest, UserError when none has it at all, BuildError when
    one cannot be reached.
    """
    file, log = f"{name}-{version}.tar.gz", context.logfile("stage3")
    index = python_index.configured(context, log)
    refused: VerificationError | None = None
    for url in python_index.places(context, index, name, file):
        try:
            return download(context, url, folder, sha256, most=_SOURCE_SIZE, settings=index.settings)
        except VerificationError as error:
            refused = refused or error
    raise refused or UserError(
        f"{file}: not found in the Python package index that pip is configured for",
        hint="pip config list shows where pip looks",
    )


def debian_sources(context: Context, suite: str) -> list[str]:
    """Lines of a sources.list for `suite`, with the mirrors of the host's apt; none when it has no Debian mirror."""
    if shutil.which("apt-get") is None:
        return []
    listing = context.runner.capture(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(RELEASE)|$(REPO_URI)", "Created-By: Packages"],
        log=context.logfile("apt"),
    )
    main, security = None, None
    for line in listing.splitlines():
        origin, _, rest = line.partition("|")
        release, _, uri = rest.partition("|")
        # without package lists apt cannot tell the origin
        if origin not in ("Debian", "") or "debian" not in uri or not uri.startswith(("http:", "https:")):
            continue
        if release.endswith("-security"):
            security = security or uri
        else:
            main = main or uri
    lines = [f"deb {main} {suite} main", f"deb {main} {suite}-updates main"] if main else []
    return lines + ([f"deb {security} {suite}-security main"] if main and security else [])
