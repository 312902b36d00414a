"""Tarballs unpacked by the real tar, as root: what is restored, and what is refused as it lies on the disk."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.host import tarball
from alchemy.host.tarball import SOURCE, STAGE3, Content
from tests.lib.tars import END, file, header, pax

DEVICE = {"type": b"3", "major": b"0000001\0"}

# A file capability as the kernel has it: cap_net_raw, effective (linux/capability.h, struct vfs_cap_data)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def unpack(context: Context, folder: Path, content: bytes, kind: Content = STAGE3) -> Path:
    (folder / "t.tar.gz").write_bytes(gzip.compress(content + END, 1))
    tarball.check(context, folder / "t.tar.gz", "t")
    tarball.unpack(context, folder / "t.tar.gz", folder / "root", folder / "log", "t", kind)
    return folder / "root"


def test_a_stage3_has_its_owners_programs_devices_and_capabilities(build_context: Context, tmp_path: Path) -> None:
    root = unpack(
        build_context,
        tmp_path,
        header(b"bin/", type=b"5")
        + file(b"bin/su", mode=b"0004711\0")
        + pax((b"SCHILY.xattr.security.capability", CAPABILITY), (b"SCHILY.xattr.user.pax.flags", b"em"))
        + file(b"bin/ping", uid=b"0001750\0", gid=b"0001751\0")
        + header(b"dev/null", minor=b"0000003\0", **DEVICE),
    )
    assert (root / "bin/su").stat().st_mode & 0o7777 == 0o4711
    status = (root / "bin/ping").stat()
    assert (status.st_uid, status.st_gid) == (1000, 1001)
    assert os.getxattr(root / "bin/ping", "security.capability") == CAPABILITY
    assert os.getxattr(root / "bin/ping", "user.pax.flags") == b"em"
    assert (root / "dev/null").is_char_device()


@pytest.mark.parametrize("name", ["trusted.overlay.opaque", "security.ima", "security.selinux", "system.x"])
def test_attributes_that_mean_something_to_the_host_are_not_restored(
    build_context: Context, tmp_path: Path, name: str
) -> None:
    record = (f"SCHILY.xattr.{name}".encode(), b"y")
    root = unpack(build_context, tmp_path, pax(record) + file(b"a"))
    assert os.listxattr(root / "a") == []


def test_a_source_is_roots_and_has_no_setuid_program(build_context: Context, tmp_path: Path) -> None:
    content = header(b"linux/bin/", type=b"5") + file(b"linux/bin/su", mode=b"0004777\0", uid=b"0001750\0")
    root = unpack(build_context, tmp_path, content, SOURCE)
    status = (root / "bin/su").stat()
    assert (status.st_uid, status.st_gid) == (0, 0)
    assert status.st_mode & 0o7022 == 0


REFUSED: Mapping[str, tuple[bytes, Content, str]] = {
    "a disk": (header(b"dev/sda", type=b"4", major=b"0000010\0"), STAGE3, "'/dev/sda': a block device"),
    "the host's memory": (header(b"dev/mem", minor=b"0000001\0", **DEVICE), STAGE3, "'/dev/mem': a device"),
    "a device of a source": (header(b"dev/dev/null", minor=b"0000003\0", **DEVICE), SOURCE, "'/dev/null': a device"),
    "a setuid file that is not a program": (file(b"tmp/x", mode=b"0004755\0"), STAGE3, "'/tmp/x': setuid or setgid"),
    "a setuid program of another": (
        file(b"bin/x", mode=b"0004755\0", uid=b"0001750\0"),
        STAGE3,
        "'/bin/x': setuid or setgid",
    ),
    "a setgid pipe": (header(b"bin/x", type=b"6", mode=b"0002755\0"), STAGE3, "'/bin/x': setuid or setgid"),
    "a link that leads out by another": (
        header(b"d/s", type=b"2", target=b"e/f") + header(b"d/e/f", type=b"2", target=b"/") + header(b"d/t", type=b"2",
        target=b"s/.."),
        STAGE3,
        "'/d/t': a link that leads out of the root, to 's/..'",
    ),
    "a link that leads out once its folder is stripped": (
        header(b"linux/l", type=b"2", target=b"../x"),
        SOURCE,
        "'/l': a link that leads out of the root, to '../x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "kind", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_was_unpacked_is_judged_and_does_not_stay(
    build_context: Context, tmp_path: Path, content: bytes, kind: Content, message: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        unpack(build_context, tmp_path, content, kind)
    assert caught.value.message.startswith(f"t: refused: {message}")
    assert not (tmp_path / "root").exists()
