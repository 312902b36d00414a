"""Tarballs by their members: one as a stage3 is, and those that attack who unpacks them."""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

Member = tuple[str, bytes, str]  # name, type, link

FINE: list[Member] = [
    ("./", tarfile.DIRTYPE, ""),
    ("./dev/null", tarfile.CHRTYPE, ""),
    ("./usr/bin/perl", tarfile.REGTYPE, ""),
    ("./usr/bin/perl5", tarfile.LNKTYPE, "./usr/bin/perl"),
    ("./bin", tarfile.SYMTYPE, "usr/bin"),
    ("./etc/mtab", tarfile.SYMTYPE, "/proc/self/mounts"),
    ("./usr/lib/x", tarfile.SYMTYPE, "../lib64"),
]


def make(path: Path, members: list[Member], compress: Callable[[bytes], bytes] = lzma.compress) -> Path:
    """Writes a tarball of these members; the files hold `gold`."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"gold"))
    path.write_bytes(compress(content.getvalue()))
    return path


# the members, and what the refusal says
ATTACKS: Mapping[str, tuple[list[Member], str]] = {
    "an absolute path": ([("/etc/passwd", tarfile.REGTYPE, "")], "/etc/passwd has an absolute path"),
    "a path out of the root": ([("a/../../b", tarfile.REGTYPE, "")], "a/../../b leads out of the root"),
    "a link out of the root": ([("a/b", tarfile.SYMTYPE, "../../etc")], "leads out of the root, to ../../etc"),
    "a file behind a link": (
        [("etc", tarfile.SYMTYPE, "/etc"), ("etc/passwd", tarfile.REGTYPE, "")],
        "etc/passwd is reached over a link to an absolute path",
    ),
    "a hard link out of the root": ([("a", tarfile.LNKTYPE, "/etc/shadow")], "a is a hard link to /etc/shadow"),
    "a hard link through a link": (
        [("l", tarfile.SYMTYPE, "/etc/shadow"), ("a", tarfile.LNKTYPE, "l")],
        "a is a hard link to l, which is not a file",
    ),
    "a disk": ([("root/sda", tarfile.BLKTYPE, "")], "root/sda is a device outside of dev/"),
    "nothing": ([], "is an empty tarball"),
}
