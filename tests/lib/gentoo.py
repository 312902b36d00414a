"""A mirror in Gentoo's layout, signed by throw-away keys, and what may be wrong with one."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lib import keys, tarballs
from tests.lib.tarballs import FINE, Member
from tests.lib.tars import END, file, header

POINTER = "latest-stage3-amd64-openrc.txt"

_EXPIRED = "20200110T000000"


@dataclass
class Releases:
    """The folder of a mirror with the stage3s, signed by the key `ours` of `secrets`, made at `stamp`."""

    folder: Path
    secrets: Mapping[str, keys.Key]
    stamp: str = "20261122T170000Z"

    @property
    def key(self) -> keys.Key:
        return self.secrets["ours"]

    @property
    def name(self) -> str:
        """The tarball's name, as the pointer gives it."""
        return f"{self.stamp}/stage3-amd64-openrc-{self.stamp}.tar.xz"

    @property
    def tarball(self) -> Path:
        return self.folder / self.name

    @property
    def pointer(self) -> Path:
        return self.folder / POINTER

    def publish(self, content: bytes | None = None) -> None:
        """Puts a tarball there, a small one unless given, with all that Gentoo has beside it."""
        self.tarball.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            tarballs.make(self.tarball, FINE)
        else:
            self.tarball.write_bytes(content)
        self.sign_all()

    def publish_members(self, members: Sequence[Member]) -> None:
        tarballs.make(self.tarball, list(members))
        self.sign_all()

    def sign_all(self) -> None:
        """Signs the tarball that is there, whatever it is."""
        size = self.tarball.stat().st_size
        self.point(f"# Latest as of Sun, 22 Nov 2026\n# ts=1795366800\n{self.name} {size}\n")
        self.sign("asc", self.key.detached(self.tarball.read_bytes()))
        for suffix, algorithm in (("DIGESTS", "sha512"), ("sha256", "sha256")):
            self.sign(suffix, self.key.clearsigned(self.digests(algorithm)))

    def digests(self, algorithm: str, digest: str | None = None) -> bytes:
        """A list of digests, with another file's first."""
        found = digest or hashlib.new(algorithm, self.tarball.read_bytes()).hexdigest()
        lines = [f"# {algorithm.upper()} HASH", f"{'0' * len(found)}  another.tar.xz", f"{found}  {self.tarball.name}"]
        return "".join(f"{line}\n" for line in lines).encode()

    def point(self, text: str) -> None:
        self.pointer.write_bytes(self.key.clearsigned(text.encode()))

    def sign(self, suffix: str, content: bytes) -> None:
        self.tarball.with_name(f"{self.tarball.name}.{suffix}").write_bytes(content)

    def unsign(self, *suffixes: str) -> None:
        for suffix in suffixes or ("asc", "DIGESTS", "sha256"):
            self.tarball.with_name(f"{self.tarball.name}.{suffix}").unlink()

    def list_digests(self, digest: str | None = None) -> None:
        """Leaves a signed DIGESTS alone beside the tarball."""
        self.unsign()
        self.sign("DIGESTS", self.key.clearsigned(self.digests("sha512", digest)))


def flip(path: Path) -> None:
    """Changes one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _truncate(releases: Releases, count: int) -> None:
    releases.tarball.write_bytes(releases.tarball.read_bytes()[:-count])


def _bomb(compress: Callable[[bytes], bytes]) -> Callable[[Releases], object]:
    def attack(releases: Releases) -> None:
        zeros = tarfile.TarInfo("zeros")
        zeros.size = 80 << 20
        releases.tarball.write_bytes(compress(zeros.tobuf() + bytes(zeros.size)))
        releases.sign_all()

    return attack


def _unsigned_digests(releases: Releases) -> None:
    releases.unsign()
    releases.sign("DIGESTS", releases.digests("sha512"))


def _signed_truncated(releases: Releases) -> None:
    _truncate(releases, 40)
    releases.sign_all()


def _members(members: Sequence[Member]) -> Callable[[Releases], object]:
    return lambda releases: releases.publish_members(members)


def _smuggling(content: bytes) -> Callable[[Releases], object]:
    return lambda releases: releases.publish(lzma.compress(content + END))


# what a checker that skips over it does not see, and tar unpacks: a file, a link out of the root and a disk
_SMUGGLED = b"".join(
    [
        file(b"SMUGGLED"),
        header(b"SMUGlink", type=b"2", target=b"../../../../etc"),
        header(b"sda", type=b"4", major=b"0000010\0"),
    ]
)

# What is done to the releases, and what the refusal says.
ATTACKS: Mapping[str, tuple[Callable[[Releases], object], str]] = {
    "a byte flipped": (lambda r: flip(r.tarball), "bad signature"),
    "truncated": (lambda r: _truncate(r, 1), "size mismatch"),
    "truncated before it was signed": (_signed_truncated, "truncated or corrupt tarball"),
    "another's key": (
        lambda r: r.sign("asc", r.secrets["other"].detached(r.tarball.read_bytes())),
        "the signature is of a key that is not trusted",
    ),
    "an expired key": (
        lambda r: r.sign("asc", r.secrets["old"].detached(r.tarball.read_bytes(), _EXPIRED)),
        "the key of the signature has expired",
    ),
    "an empty signature": (lambda r: r.sign("asc", b""), "is not signed"),
    "unsigned": (lambda r: r.unsign(), "not signed: no .asc, .DIGESTS or .sha256"),
    "a wrong digest": (lambda r: r.list_digests("1" * 128), "digest mismatch (its .DIGESTS expects the sha512"),
    "digests that are not signed": (_unsigned_digests, ".DIGESTS: is not signed"),
    "a pointer that is not signed": (lambda r: r.pointer.write_text(f"{r.name} 1000\n"), f"{POINTER}: is not signed"),
    "a pointer by another": (
        lambda r: r.pointer.write_bytes(r.secrets["other"].clearsigned(f"{r.name} 1\n".encode())),
        "the signature is of a key that is not trusted",
    ),
    "a pointer that was changed": (
        lambda r: r.pointer.write_bytes(r.pointer.read_bytes().replace(b"2026", b"2025")),
        "bad signature",
    ),
    "a pointer with ..": (
        lambda r: r.point("../x/stage3.tar.xz 100\n"),
        "names ../x/stage3.tar.xz (expected a tarball",
    ),
    "a pointer with .. inside": (lambda r: r.point("a/../../stage3.tar.xz 100\n"), "(expected a tarball below"),
    "a pointer to another host": (lambda r: r.point("http://evil/stage3.tar.xz 1\n"), "(expected a tarball below"),
    "a pointer to the root": (lambda r: r.point("/stage3.tar.xz 100\n"), "(expected a tarball below"),
    "a pointer without a size": (lambda r: r.point(f"{r.name}\n"), "no valid size of"),
    "an empty pointer": (lambda r: r.point("# Latest\n"), "names no tarball"),
    "a gzip bomb": (_bomb(gzip.compress), "which is out of all proportion"),
    "an xz bomb": (_bomb(lambda content: lzma.compress(content, preset=0)), "which is out of all proportion"),
    "members in a file whose name ends in a slash": (_smuggling(file(b"d/", _SMUGGLED)), "its name ends in a slash"),
    "members in a contiguous file": (_smuggling(file(b"d/", _SMUGGLED, type=b"7")), "is of an unknown type b'7'"),
    "members behind a bad checksum": (
        _smuggling(file(b"a") + header(b"b", checksum=b"000000\0 ") + _SMUGGLED),
        "a header with a wrong checksum",
    ),
    **{f"{name} inside": (_members(members), message) for name, (members, message) in tarballs.ATTACKS.items()},
}
