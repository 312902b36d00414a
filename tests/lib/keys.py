"""Throw-away OpenPGP keys, and signatures of them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Key:
    """A secret key in a GnuPG home of its own; `public` is the file to trust. Needs the fixture real_processes."""

    home: Path
    public: Path
    fingerprint: str

    def gpg(self, *arguments: str, stdin: bytes = b"", time: str | None = None) -> bytes:
        then = ["--faked-system-time", f"{time}!"] if time else []
        return subprocess.run(
            ["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes", "--passphrase", "", *then, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout

    def detached(self, content: bytes, time: str | None = None) -> bytes:
        return self.gpg("--armor", "--detach-sign", stdin=content, time=time)

    def clearsigned(self, content: bytes, time: str | None = None) -> bytes:
        return self.gpg("--clearsign", stdin=content, time=time)


def make(
    folder: Path, name: str, *, mail: str = "tests@example.org", created: str | None = None, expires: str = "never"
) -> Key:
    """A new Ed25519 key. gpg's agent wants a short path."""
    home = folder / name
    home.mkdir(mode=0o700)
    key = Key(home, folder / f"{name}.asc", "")
    key.gpg("--quick-generate-key", f"{name} <{mail}>", "ed25519", "sign", expires, time=created)
    listing = key.gpg("--with-colons", "--list-keys").decode()
    fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
    key.public.write_bytes(key.gpg("--armor", "--export"))
    return Key(home, key.public, fingerprint)


@contextmanager
def throw_away() -> Iterator[Mapping[str, Key]]:
    """The key of a mirror, one that nobody trusts, and one that is trusted but has expired."""
    with tempfile.TemporaryDirectory(prefix="keys-") as folder:
        yield {
            # emerge-webrsync looks for its key by this name
            "ours": make(Path(folder), "ours", mail="infrastructure@gentoo.org"),
            "other": make(Path(folder), "other"),
            "old": make(Path(folder), "old", created="20200101T000000", expires="20200201T000000"),
        }
