"""A stage3 as Gentoo publishes it: a tarball, signed, or a pointer file that names the latest one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from alchemy import archive, download, openpgp, pins, tarball
from alchemy.config import GENTOO_KEYS
from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.openpgp import Keyring
from alchemy.pins import Pin, Source

# A name of a pointer: relative, below the pointer's own folder
_POINTED = re.compile(r"(?:[A-Za-z0-9][\w.+-]*/)*[A-Za-z0-9][\w.+-]*\.tar\.(?:xz|zst|gz|bz2)")

# the lists of digests beside a tarball, with the algorithm of those that don't say it
_LISTS = {".DIGESTS": "", ".sha256": "sha256"}
_ALGORITHMS = {"sha256": "sha256", "sha512": "sha512", "blake2b": "blake2b"}


@dataclass(frozen=True)
class Pointed:
    """What a pointer file names: a URL, and the size in bytes."""

    url: str
    size: int


def keys(context: Context) -> Keyring | None:
    """Who may sign a stage3; None when its digest is pinned instead."""
    config = context.config
    if config.stage3_keys is None and config.stage3_sha256 is not None:
        return None
    return openpgp.keyring(context, config.stage3_keys or GENTOO_KEYS, "stage3_keys")


def tree_keys(context: Context) -> Keyring:
    """Who may sign the main repository: who may sign the stage3."""
    return openpgp.keyring(context, context.config.stage3_keys or GENTOO_KEYS, "stage3_keys")


def pointer(context: Context) -> Source | None:
    """The pointer file to look up; None when the configuration names a tarball."""
    url = context.config.stage3_url
    if not url.endswith(".txt"):
        return None

    def look() -> Pin:
        text = download.small(context, url)
        trusted = keys(context)
        content = (
            openpgp.verify_clearsigned(context, trusted, text, url)
            if trusted
            else text.decode(encoding="utf-8", errors="replace")
        )
        pointed = parse_pointer(content, url)
        return {"url": pointed.url, "size": str(pointed.size)}

    return Source("stage3", url, look)


def parse_pointer(content: str, url: str) -> Pointed:
    """The newest tarball that a pointer file names, below the folder of the pointer's own `url`.

    Comments and blank lines don't count. Raises VerificationError when it names none, or one that lies elsewhere.
    """
    for line in content.splitlines():
        words = line.split()
        if not words or words[0].startswith("#") or line.startswith("-----"):
            continue
        if not _POINTED.fullmatch(words[0]):
            raise VerificationError(f"{url}: refused: names {words[0]}, which isn't a tarball below its own folder")
        if len(words) != 2 or not words[1].isascii() or not words[1].isdigit():
            raise VerificationError(f"{url}: refused: doesn't say how large {words[0]} is")
        return Pointed(f"{url.rpartition('/')[0]}/{quote(words[0])}", int(words[1]))
    raise VerificationError(f"{url}: refused: names no tarball")


def fetch(context: Context, pin: Pin, output: Path) -> None:
    """Fetches the stage3 tarball of `pin` into `output`, and lets it stay only when it is the right one and safe.

    Raises VerificationError, and what download.fetch raises.
    """
    url = pin["url"]
    path = output / download.file_name(url)
    download.fetch(context, url, path)
    if "size" in pin and path.stat().st_size != int(pin["size"]):
        raise VerificationError(f"{url}: has {path.stat().st_size} bytes, not the {pin['size']} that the pointer says")
    digest = context.config.stage3_sha256
    if digest is not None:
        found = archive.sha256(path)
        if found != digest:
            raise VerificationError(f"{url}: has the SHA-256 {found}, not {digest}, as stage3_sha256 says")
    trusted = keys(context)
    if trusted is not None:
        with context.log.step(f"stage3: verifying {path.name}"):
            _verify(context, trusted, url, path)
    with context.log.step(f"stage3: looking through {path.name}"):
        tarball.check(context, path, url)


def _verify(context: Context, trusted: Keyring, url: str, path: Path) -> None:
    """By a detached signature of the tarball, or else by a signed list of digests."""
    try:
        signature = download.small(context, f"{url}.asc")
    except download.NotThereError:
        pass
    else:
        openpgp.verify_detached(context, trusted, path, signature, url)
        return
    for suffix, algorithm in _LISTS.items():
        try:
            text = download.small(context, url + suffix)
        except download.NotThereError:
            continue
        digests = parse_digests(openpgp.verify_clearsigned(context, trusted, text, url + suffix), path.name, algorithm)
        _compare(url, path, digests, suffix)
        return
    raise VerificationError(f"{url}: is not signed: there is no .asc, .DIGESTS or .sha256 beside it")


def parse_digests(content: str, name: str, algorithm: str = "") -> Mapping[str, str]:
    """The digests of the file `name` in a list, by algorithm: `# ALGORITHM HASH` begins a section, each line has a
    digest and a name. `algorithm` is that of a list without sections."""
    digests = {}
    for line in content.splitlines():
        words = line.split()
        if line.startswith("#"):
            algorithm = _ALGORITHMS.get(words[1].lower(), "") if words[2:] == ["HASH"] else algorithm
        elif algorithm and len(words) == 2 and words[1].lstrip("*").removeprefix("./") == name:
            digests[algorithm] = words[0].lower()
    return digests


def _compare(url: str, path: Path, digests: Mapping[str, str], suffix: str) -> None:
    if not digests:
        raise VerificationError(f"{url}: isn't listed in the {suffix} beside it")
    for algorithm, digest in digests.items():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != digest:
            raise VerificationError(f"{url}: has the {algorithm} {found}, not {digest}, as its {suffix} says")


def pin(context: Context) -> Pin | None:
    """Which tarball the build is about; None when the pointer was never looked up."""
    source = pointer(context)
    return {"url": context.config.stage3_url} if source is None else pins.known(context, source)
