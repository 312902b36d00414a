from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from alchemy import tarball
from alchemy.context import Context
from alchemy.errors import VerificationError

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
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"gold"))
    path.write_bytes(compress(content.getvalue()))
    return path


COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "xz": lzma.compress,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys())
def test_a_tarball_as_stage3s_are_is_fine(context: Context, tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    tarball.check(context, make(tmp_path / "t", FINE, compress), "t")


ATTACKS: Mapping[str, tuple[list[Member], str]] = {
    "an absolute path": ([("/etc/passwd", tarfile.REGTYPE, "")], "/etc/passwd has an absolute path"),
    "a path out of the root": ([("a/../../b", tarfile.REGTYPE, "")], "a/../../b leads out of the root"),
    "a link out of the root": ([("a/b", tarfile.SYMTYPE, "../../etc")], "leads out of the root, to ../../etc"),
    "a file behind a link": (
        [("etc", tarfile.SYMTYPE, "/etc"), ("etc/passwd", tarfile.REGTYPE, "")],
        "etc/passwd lies behind a link to an absolute path",
    ),
    "a hard link out of the root": ([("a", tarfile.LNKTYPE, "/etc/shadow")], "a is a hard link to /etc/shadow"),
    "a hard link through a link": (
        [("l", tarfile.SYMTYPE, "/etc/shadow"), ("a", tarfile.LNKTYPE, "l")],
        "a is a hard link to l, which is no file",
    ),
    "a disk": ([("root/sda", tarfile.BLKTYPE, "")], "root/sda is a device outside of dev/"),
    "nothing": ([], "is an empty tarball"),
}


@pytest.mark.parametrize(("members", "message"), ATTACKS.values(), ids=ATTACKS.keys())
def test_a_tarball_that_attacks_is_refused(
    context: Context, tmp_path: Path, members: list[Member], message: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        tarball.check(context, make(tmp_path / "t", members), "http://m/t")
    assert caught.value.message.startswith("http://m/t: ")
    assert message in caught.value.message


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys())
def test_a_truncated_tarball_is_refused(context: Context, tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = make(tmp_path / "t", FINE * 200, compress)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 99])
    with pytest.raises(VerificationError, match="t: is no whole tarball"):
        tarball.check(context, path, "t")


def test_what_is_no_tarball_is_refused(context: Context, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("<html>lead</html>" * 100)
    with pytest.raises(VerificationError, match="t: is no whole tarball"):
        tarball.check(context, tmp_path / "t", "t")


def test_a_bomb_is_refused(context: Context, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t", "wb") as file:
        info = tarfile.TarInfo("zeros")
        info.size = 80 << 20
        file.write(info.tobuf())
        for _ in range(80):
            file.write(bytes(1 << 20))
    with pytest.raises(VerificationError, match="t: refused: unpacks to more than 64 MiB"):
        tarball.check(context, tmp_path / "t", "t")
