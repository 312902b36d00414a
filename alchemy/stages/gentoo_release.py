"""A stage3 as Gentoo publishes it: a tarball, signed, or a pointer file that names the latest one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from alchemy.config.model import GENTOO_KEYS
from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.fetch import download, openpgp, pins
from alchemy.fetch.openpgp import Keyring
from alchemy.fetch.pins import Source
from alchemy.host import files, tarball
from alchemy.stage import Pin, Pins, Stage

NAME = "stage3"

# the most bytes of a stage3 whose size is not signed: those of Gentoo have 300 MB
_LARGEST = 8 << 30

# A name in a pointer file: relative, below the folder of the pointer
_POINTED = re.compile(r"(?:[A-Za-z0-9][\w.+-]*/)*[A-Za-z0-9][\w.+-]*\.tar\.(?:xz|zst|gz|bz2)")

# when a stage3 was made, in its name: 20261122T170000Z, or just the day before 2017
_STAMP = re.compile(r"(?<!\d)(\d{8})(?:T(\d{6})Z)?(?!\w)")
_STALE_DAYS = 60  # Gentoo makes new ones every week

# suffixes of lists of digests, with the algorithm of lists that do not name it
_LISTS = {".DIGESTS": "", ".sha256": "sha256"}
_ALGORITHMS = {"sha256": "sha256", "sha512": "sha512", "blake2b": "blake2b"}


@dataclass(frozen=True)
class Pointed:
    """The target of a pointer file: a URL, and the size in bytes."""

    url: str
    size: int


def keys(context: Context) -> Keyring | None:
    """Returns the keys that may sign a stage3; None when its digest is pinned instead."""
    config = context.config
    if not config.stage3_keys and config.stage3_sha256 is not None:
        return None
    return openpgp.keyring(context, config.stage3_keys or GENTOO_KEYS, "stage3_keys")


def tree_keys(context: Context) -> Keyring:
    """Returns the keys that may sign the main ebuild tree: those that may sign the stage3."""
    return openpgp.keyring(context, context.config.stage3_keys or GENTOO_KEYS, "stage3_keys")


def stage(context: Context, seen: Pins, _: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that fetches the stage3 tarball; None where it is made here."""
    config, pointer = context.config, source(context)
    if config.stage3_url.startswith("debian:"):
        return None
    pin = {"url": config.stage3_url} if pointer is None else pins.known(context, seen, pointer)
    return Stage(
        name=NAME,
        store=context.cache / "stage3",
        inputs={
            "stage3_url": None if pin is None else pin["url"],
            "stage3_keys": " ".join(config.stage3_keys or ()),
            "stage3_sha256": config.stage3_sha256 or "",
        },
        build=lambda output, _: fetch(context, pin or {}, output),
        external=True,
    )


def source(context: Context) -> Source | None:
    """Returns the pointer file to look up; None when the configuration names a tarball."""
    url = context.config.stage3_url
    if not url.endswith(".txt"):
        return None

    def look(before: Pin | None) -> Pin:
        text = download.small(context, url)
        trusted = keys(context)
        content = (
            openpgp.verify_clearsigned(context, trusted, text, url)
            if trusted
            else text.decode(encoding="utf-8", errors="replace")
        )
        pointed = parse_pointer(content, url)
        _check_age(context, url, pointed, before)
        return {"url": pointed.url, "size": str(pointed.size)}

    return Source(NAME, url, look)


def made(url: str) -> datetime | None:
    """Returns when a stage3 was made, according to its name; None when the name does not tell."""
    match = _STAMP.search(download.file_name(url))
    if match is None:
        return None
    try:
        return datetime.strptime(f"{match[1]}{match[2] or '000000'}+0000", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None


def _check_age(context: Context, url: str, pointed: Pointed, before: Pin | None) -> None:
    """Warns of a stale pointer. Raises VerificationError for a rollback, a pointer to an older stage3 than before: an
    old signature stays valid, and the stage3 may have been replaced because of its vulnerabilities."""
    now, seen = made(pointed.url), made(before["url"]) if before else None
    if now is None:
        return
    if seen is not None and now < seen:
        raise VerificationError(
            f"{url}: rollback: names a stage3 of {now:%Y-%m-%d %H:%M} (expected {seen:%Y-%m-%d %H:%M} or later)",
            hint=f"stage3_url: {pointed.url} builds of the older one all the same",
        )
    days = (datetime.now(UTC) - now).days
    if days > _STALE_DAYS:
        context.log.warn(f"{url}: stale: its newest stage3 was made {days} days ago, on {now:%Y-%m-%d}")


def parse_pointer(content: str, url: str) -> Pointed:
    """Returns the first tarball that a pointer file names, which is the newest. `url` is that of the pointer.

    Skips comments and blank lines. Raises VerificationError when the file names no tarball, or one that is not below
    its own folder.
    """
    for line in content.splitlines():
        words = line.split()
        if not words or words[0].startswith("#") or line.startswith("-----"):
            continue
        if not _POINTED.fullmatch(words[0]):
            raise VerificationError(f"{url}: refused: names {words[0]} (expected a tarball below its own folder)")
        if len(words) != 2 or not words[1].isascii() or not words[1].isdigit():
            raise VerificationError(f"{url}: refused: no valid size of {words[0]}")
        return Pointed(f"{url.rpartition('/')[0]}/{quote(words[0])}", int(words[1]))
    raise VerificationError(f"{url}: refused: names no tarball")


def fetch(context: Context, pin: Pin, output: Path) -> None:
    """Fetches the stage3 tarball of `pin` into `output`, verifies it, and checks that it is safe to unpack.

    Raises VerificationError, and what download.fetch raises.
    """
    url = pin["url"]
    path = output / download.file_name(url)
    most = int(pin.get("size", _LARGEST))
    download.fetch(context, url, path, most=most)
    if path.stat().st_size > most == _LARGEST:
        raise VerificationError(f"{url}: too large (expected at most {_LARGEST} bytes)")
    if "size" in pin and path.stat().st_size != int(pin["size"]):
        raise VerificationError(f"{url}: size mismatch (expected {pin['size']} bytes, got {path.stat().st_size})")
    digest = context.config.stage3_sha256
    if digest is not None:
        found = files.sha256(path)
        if found != digest:
            raise VerificationError(f"{url}: digest mismatch (stage3_sha256 expects {digest}, got {found})")
    trusted = keys(context)
    if trusted is not None:
        with context.log.step(f"stage3: verifying {path.name}"):
            _verify(context, trusted, url, path)
    with context.log.step(f"stage3: checking {path.name}"):
        tarball.check(context, path, url)


def _verify(context: Context, trusted: Keyring, url: str, path: Path) -> None:
    """Verifies a tarball by its detached signature, or else by a signed list of digests."""
    missing = []
    try:
        signature = download.small(context, f"{url}.asc")
    except download.NotThereError as error:
        missing.append(error.message)
    else:
        openpgp.verify_detached(context, trusted, path, signature, url)
        return
    for suffix, algorithm in _LISTS.items():
        try:
            text = download.small(context, url + suffix)
        except download.NotThereError as error:
            missing.append(error.message)
            continue
        digests = parse_digests(openpgp.verify_clearsigned(context, trusted, text, url + suffix), path.name, algorithm)
        _compare(url, path, digests, suffix)
        return
    missing_lines = (f"  {line}" for line in missing)
    raise VerificationError("\n".join([f"{url}: not signed: no .asc, .DIGESTS or .sha256 next to it", *missing_lines]))


def parse_digests(content: str, name: str, algorithm: str = "") -> Mapping[str, str]:
    """Returns the digests of the file `name` in a list, by algorithm. `# ALGORITHM HASH` starts a section. A line has
    has a digest and a name. `algorithm` is that of a list without sections."""
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
        raise VerificationError(f"{url}: not listed in its {suffix}")
    for algorithm, digest in digests.items():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != digest:
            raise VerificationError(
                f"{url}: digest mismatch (its {suffix} expects the {algorithm} {digest}, got {found})"
            )
