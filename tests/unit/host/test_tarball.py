from __future__ import annotations

import gzip
import lzma
import os
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.host import tarball
from alchemy.host.tarball import SOURCE, STAGE3, Content
from tests.lib.tarballs import ATTACKS, FINE, Member, make
from tests.unit.fakes import FakeRunner

COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "xz": lzma.compress,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys())
def test_a_tarball_as_stage3s_are_is_fine(context: Context, tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    tarball.check(context, make(tmp_path / "t", FINE, compress), "t")


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
    path = make(tmp_path / "t", [(f"./{number}", tarfile.REGTYPE, "") for number in range(1400)], compress)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 99])
    with pytest.raises(VerificationError, match="t: truncated or corrupt tarball"):
        tarball.check(context, path, "t")


def test_what_is_no_tarball_is_refused(context: Context, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("<html>lead</html>" * 100)
    with pytest.raises(VerificationError, match="t: truncated or corrupt tarball"):
        tarball.check(context, tmp_path / "t", "t")


def test_tar_is_confined_and_has_the_capabilities_of_an_archiver(
    context: Context, tmp_path: Path, runner: FakeRunner
) -> None:
    (tmp_path / "t.tar.xz").touch()
    tarball.unpack(context, tmp_path / "t.tar.xz", tmp_path / "root", tmp_path / "log", "t")
    (call,) = runner.calls
    assert call.confined
    added = {call.argv[at + 1] for at, word in enumerate(call.argv) if word == "--cap-add"}
    assert added == {f"CAP_{name}" for name in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP")}
    assert call.argv[call.argv.index("--") + 1] == "tar"


def test_a_bomb_is_refused(context: Context, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t", "wb") as file:
        info = tarfile.TarInfo("zeros")
        info.size = 80 << 20
        file.write(info.tobuf())
        for _ in range(80):
            file.write(bytes(1 << 20))
    with pytest.raises(VerificationError, match="t: refused: unpacks to more than 64 MiB"):
        tarball.check(context, tmp_path / "t", "t")


def _setuid(root: Path, name: str) -> None:
    (root / name).parent.mkdir(parents=True)
    (root / name).touch()
    (root / name).chmod(0o4755)


def _link(root: Path, links: Mapping[str, str]) -> None:
    for name, target in links.items():
        (root / name).symlink_to(target)


LAID: Mapping[str, tuple[Callable[[Path], object], Content, str | None]] = {
    "links within": (lambda root: (root / "l").symlink_to("a/../b"), SOURCE, None),
    "an absolute link": (lambda root: (root / "l").symlink_to("/etc"), SOURCE, None),
    "a link in a circle": (lambda root: (root / "l").symlink_to("l"), SOURCE, None),
    "a link to the root": (lambda root: (root / "l").symlink_to("."), SOURCE, None),
    "a link out": (lambda root: (root / "l").symlink_to("../x"), SOURCE, "'/l': a link that leads out of the root"),
    "a link out by what is missing": (lambda root: (root / "l").symlink_to("a/../../x"), SOURCE, "leads out"),
    "a link out by another": (
        lambda root: _link(root, {"l": "a", "a": "/", "m": "l/.."}),
        SOURCE,
        "'/m': a link that leads out of the root, to 'l/..'",
    ),
    "a newline in a name": (lambda root: (root / "a\nb").touch(), STAGE3, r"'/a\nb': a control character in its name"),
    "a setuid file of a source": (lambda root: _setuid(root, "bin/x"), SOURCE, "'/bin/x': setuid or setgid"),
    "a setuid file in a folder of data": (lambda root: _setuid(root, "var/x"), STAGE3, "'/var/x': setuid or setgid"),
    "too many bytes": (lambda root: (root / "a").write_bytes(bytes(1025)), SOURCE, "which is out of all proportion"),
}


@pytest.mark.parametrize(("lay", "kind", "message"), LAID.values(), ids=LAID.keys())
def test_what_lies_on_the_disk_is_judged(
    tmp_path: Path, lay: Callable[[Path], object], kind: Content, message: str | None
) -> None:
    (tmp_path / "root/b").mkdir(parents=True)
    lay(tmp_path / "root")
    if message is None:
        tarball.judge(tmp_path / "root", "t", kind, 1024)
        return
    with pytest.raises(VerificationError) as caught:
        tarball.judge(tmp_path / "root", "t", kind, 1024)
    assert caught.value.message.startswith("t: refused: ")
    assert message in caught.value.message


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "_MOST_FILES", 2)
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(VerificationError, match="unpacks to more than 2 files"):
        tarball.judge(tmp_path, "t", SOURCE, 1024)


def test_too_many_members_are_refused(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "_MOST_FILES", 2)
    with pytest.raises(VerificationError, match="has more than 2 members"):
        tarball.check(context, make(tmp_path / "t", FINE), "t")


@pytest.mark.parametrize(
    ("mode", "device", "owner", "inside", "message"),
    [
        (stat.S_IFCHR, (1, 3), 0, "dev/null", None),
        (stat.S_IFCHR, (5, 1), 0, "dev/console", None),
        (stat.S_IFCHR, (1, 1), 0, "dev/mem", "got 1:1"),
        (stat.S_IFCHR, (10, 237), 0, "dev/loop-control", "got 10:237"),
        (stat.S_IFCHR, (1, 3), 0, "etc/null", "got 1:3"),
        (stat.S_IFBLK, (8, 0), 0, "dev/sda", "a block device"),
        (stat.S_IFREG | 0o4755, (0, 0), 0, "usr/bin/su", None),
        (stat.S_IFREG | 0o2755, (0, 0), 0, "usr/libexec/x", None),
        (stat.S_IFREG | 0o4755, (0, 0), 1000, "usr/bin/su", "setuid or setgid"),
        (stat.S_IFDIR | 0o2775, (0, 0), 0, "var/log/journal", None),
        (stat.S_IFSOCK | 0o4755, (0, 0), 0, "usr/bin/x", "setuid or setgid"),
    ],
)
def test_devices_and_programs_are_those_of_a_stage3(
    tmp_path: Path, mode: int, device: tuple[int, int], owner: int, inside: str, message: str | None
) -> None:
    status = os.stat_result((mode, 0, 0, 1, owner, 0, 0, 0, 0, 0), {"st_rdev": os.makedev(*device)})
    problem = tarball._problem(tmp_path, inside, status, STAGE3)
    assert (problem is None) if message is None else (message in (problem or ""))


@pytest.mark.parametrize(("kind", "kept"), [(STAGE3, {"user.*", "security.capability"}), (SOURCE, set())])
def test_only_attributes_of_programs_are_restored(
    context: Context, runner: FakeRunner, tmp_path: Path, kind: Content, kept: set[str]
) -> None:
    tarball.unpack(context, make(tmp_path / "t", FINE), tmp_path / "root", tmp_path / "log", "t", kind)
    words = runner.calls[-1].argv
    assert {word.partition("=")[2] for word in words if word.startswith("--xattrs-include=")} == kept
