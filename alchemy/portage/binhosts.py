"""Packages of binary package hosts, downloaded on the build host for a chroot, which has no network.

The index of a host, its file Packages, isn't signed: its sizes and digests only tell whether a download is whole. The
signature in each package is what counts, and Portage checks that in the chroot, as it installs the package.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError, UserError, VerificationError
from alchemy.fetch import download
from alchemy.host import files
from alchemy.portage import sources
from alchemy.portage.preflight import Binary
from alchemy.ui import events

# where the copies are in a chroot
_INSIDE = "/mnt/binhosts"

# a path below the folder of the index; only this format has signatures
_PATH = re.compile(r"(?:[\w+][\w.+-]*/)*[\w+][\w.+-]*\.gpkg\.tar", re.ASCII)

_LARGEST_INDEX = 256 << 20  # bytes: Gentoo's has 15 MB
_LARGEST_PACKAGE = 16 << 30  # bytes

Fields = Mapping[str, str]


@dataclass(frozen=True)
class Binhost:
    """A host, its copy in the folder `copy`, which a chroot sees at `inside`, where its packages are, and what the
    index says of each, by path."""

    url: str
    copy: Path
    inside: str
    base: str
    packages: Mapping[str, Fields]


def look(context: Context, name: str) -> list[Binhost]:
    """Downloads the indexes of the configured hosts, for the stage `name`, which takes nothing from one that cannot be
    reached or has none. Raises VerificationError for a malformed index."""
    found = []
    for number, url in enumerate(context.config.binhosts, 1):
        copy = context.work / "binhosts" / name / hashlib.sha256(url.encode()).hexdigest()[:16]
        copy.mkdir(parents=True, exist_ok=True)
        try:
            text = _download_index(context, url, copy)
        except VerificationError:
            raise
        except (UserError, BuildError) as error:
            context.log.warn(f"{url}: no binary packages of this host are used: {error.message}")
            continue
        found.append(_read(url, copy, f"{_INSIDE}/{number}", text))
    return found


def fetch(context: Context, hosts: Iterable[Binhost], wanted: Iterable[Binary]) -> None:
    """Downloads packages into the copies of their hosts.

    All are tried before this raises: VerificationError when one does not match the index, BuildError when one cannot
    be had.
    """
    by_index = {f"file://{host.inside}/Packages": host for host in hosts}
    failures: list[AlchemyError] = []
    for binary in wanted:
        host = by_index.get(binary.index)
        if host is None:
            raise VerificationError(f"Portage in the chroot: unknown binary package host (got {binary.index!r:.80})")
        try:
            _fetch(context, host, binary.path)
        except (UserError, BuildError, VerificationError) as error:
            failures.append(error)
    if failures:
        verification = any(isinstance(failure, VerificationError) for failure in failures)
        text = "\n".join(f"  {failure.message}" for failure in failures)
        if verification:
            raise VerificationError(f"binhosts: verification failed\n{text}")
        raise BuildError(f"binhosts: packages cannot be fetched\n{text}", hint="check the network and the proxy")


def binds(hosts: Sequence[Binhost]) -> dict[str, Path]:
    """Where each copy is in a chroot."""
    return {host.inside: host.copy for host in hosts}


def _download_index(context: Context, url: str, copy: Path) -> str:
    """The text of an index. The compressed one is preferred, as Portage does."""
    packed, plain = copy / ".Packages.gz", copy / ".Packages"
    try:
        download.fetch(context, f"{url}/Packages.gz", packed, most=_LARGEST_INDEX)
    except download.NotThereError:
        download.fetch(context, f"{url}/Packages", plain, most=_LARGEST_INDEX)
        content = plain.read_bytes()
    else:
        inflate = zlib.decompressobj(wbits=31)
        try:
            content = inflate.decompress(packed.read_bytes(), _LARGEST_INDEX + 1)
        except zlib.error as error:
            raise VerificationError(f"{url}/Packages.gz: corrupt: {error}") from error
        if not inflate.eof and len(content) <= _LARGEST_INDEX:
            raise VerificationError(f"{url}/Packages.gz: truncated")
    finally:
        files.remove(packed)
        files.remove(plain)
    if len(content) > _LARGEST_INDEX:
        raise VerificationError(f"{url}/Packages: too large (expected at most {events.size(_LARGEST_INDEX)})")
    return content.decode("utf-8", errors="replace")


def _read(url: str, copy: Path, inside: str, text: str) -> Binhost:
    """Puts an index into the copy of its host. Entries are paragraphs of `KEY: VALUE` lines, after that of the index
    itself, whose URI says where the packages are when that is elsewhere."""
    head, _, rest = text.lstrip("\n").partition("\n\n")
    header = _fields(head)
    base = header.get("URI", url).rstrip("/")
    allowed = {"http", "https", urlsplit(url).scheme}
    if base.partition("://")[0] not in allowed or not (base.isascii() and base.isprintable()):
        raise VerificationError(f"{url}/Packages: unsupported URI of its packages (got {base!r:.80})")
    # in the chroot they are in the folder of the index
    kept = "\n".join(line for line in head.splitlines() if not line.startswith("URI:"))
    files.write(copy / "Packages", f"{kept}\n\n{rest}")
    entries = (_fields(paragraph) for paragraph in re.split(r"\n{2,}", rest))
    return Binhost(url, copy, inside, base, {entry["PATH"]: entry for entry in entries if "PATH" in entry})


def _fields(paragraph: str) -> Fields:
    return {key: value.strip() for key, _, value in (line.partition(":") for line in paragraph.splitlines())}


def _fetch(context: Context, host: Binhost, path: str) -> None:
    entry = host.packages.get(path, {})
    size = entry.get("SIZE", "")
    if not _PATH.fullmatch(path) or ".." in path:
        raise VerificationError(f"{host.url}: malformed path of a package (got {path!r:.80})")
    try:
        digests = sources.known_digests(entry)
    except ValueError as error:
        raise VerificationError(f"{host.url}: {path}: {error}") from error
    if not digests or not (size.isascii() and size.isdigit()) or not 0 < int(size) <= _LARGEST_PACKAGE:
        raise VerificationError(f"{host.url}: {path}: the index gives no size and digest")
    target = host.copy / path
    if target.is_file() and sources.fault(target, int(size), digests) is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    url = f"{host.base}/{quote(path)}"
    download.fetch(context, url, temporary, most=int(size))
    wrong = sources.fault(temporary, int(size), digests)
    if wrong:
        files.remove(temporary)
        raise VerificationError(f"{url}: {wrong}")
    temporary.replace(target)
