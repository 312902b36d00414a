"""Whose code a build runs: what builds may share follows from that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from alchemy.config.model import GENTOO_KEYS
from alchemy.context import Context
from alchemy.host import files

# this repository, and Debian's signed archive
OWN = "own"


def chroot(context: Context) -> str:
    """Names the parties whose code runs in a build chroot.

    The rule for every cache that the code of a build can write to: builds share it only when the same parties vouch for
    all of that code. Whoever clones this repository trusts it and Debian's signed archive. Anything else counts as the
    OpenPGP keys that have to sign it, else as the digest that the configuration pins, else as its URL. A git repository
    always counts as its URL, whatever the commit: its writers wrote all of its commits.
    """
    return _name(_chroot(context))


def kernel(context: Context) -> str:
    """Names the parties whose code runs when the kernel is compiled, by the same rule."""
    return _name([*_chroot(context), *_kernel(context)])


def _chroot(context: Context) -> Iterable[str]:
    config = context.config
    keys = _keys(context, config.stage3_keys or GENTOO_KEYS)
    if not config.stage3_url.startswith("debian:"):
        pinned = config.stage3_keys is None and config.stage3_sha256 is not None
        yield f"sha256 {config.stage3_sha256}" if pinned else keys
    if config.sync.method != "none":
        yield keys if config.sync.verify else f"{config.sync.method} {config.sync.url or 'mirror'}"
    yield from (f"overlay {overlay.url}" for overlay in config.overlays)
    yield from (f"binhost {url}" for url in config.binhosts)


def _kernel(context: Context) -> Iterable[str]:
    config = context.config
    if config.linux_keys:
        yield _keys(context, config.linux_keys)
    elif not config.linux_url.startswith("debian:"):
        yield f"sha256 {config.linux_sha256}" if config.linux_sha256 else f"linux {config.linux_url}"


def _keys(context: Context, entries: Iterable[str]) -> str:
    """Fingerprints, and the digests of key files, as one party."""
    return "keys " + " ".join(sorted(_key(context.root / entry, entry) for entry in entries))


def _key(path: Path, entry: str) -> str:
    return files.sha256(path) if path.is_file() else entry


def _name(parties: Iterable[str]) -> str:
    """A file name for a set of parties."""
    found = sorted(set(parties))
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16] if found else OWN
