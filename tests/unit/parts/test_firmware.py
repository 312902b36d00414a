from __future__ import annotations

import re
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.parts import firmware


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A firmware folder: packed and plain files, a link, and a link to a link."""
    folder = tmp_path / "source"
    for name in ("bnx2/a.fw.xz", "bnx2/b.fw.zst", "tigon/tg3.bin", "cxgb4/t4fw-1.bin.xz", "odd/[1].bin"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    (folder / "cxgb4/t4fw.bin.xz").symlink_to("t4fw-1.bin.xz")
    (folder / "cxgb4/old.bin.xz").symlink_to("../cxgb4/t4fw.bin.xz")
    (folder / "odd/out").symlink_to("../../../etc/passwd")
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize(
    ("pattern", "copied", "files"),
    [
        ("bnx2/a.fw", ["bnx2/a.fw"], {"bnx2/a.fw.xz"}),
        ("bnx2/a.fw.xz", ["bnx2/a.fw"], {"bnx2/a.fw.xz"}),
        ("bnx2/*", ["bnx2/a.fw", "bnx2/b.fw"], {"bnx2/a.fw.xz", "bnx2/b.fw.zst"}),
        ("tigon/tg3.bin", ["tigon/tg3.bin"], {"tigon/tg3.bin"}),
        ("odd/[1].bin", ["odd/[1].bin"], {"odd/[1].bin"}),
        ("cxgb4/t4fw.bin", ["cxgb4/t4fw.bin"], {"cxgb4/t4fw.bin.xz", "cxgb4/t4fw-1.bin.xz"}),
        (
            "cxgb4/old.bin",
            ["cxgb4/old.bin"],
            {"cxgb4/old.bin.xz", "cxgb4/t4fw.bin.xz", "cxgb4/t4fw-1.bin.xz"},
        ),
    ],
)
def test_what_matches_comes_with_what_its_links_lead_to(
    source: Path, tmp_path: Path, pattern: str, copied: list[str], files: set[str]
) -> None:
    assert firmware.copy(source, [pattern], tmp_path / "target", required=True) == (copied, [])
    assert names(tmp_path / "target") == files


def test_the_links_stay_links(source: Path, tmp_path: Path) -> None:
    firmware.copy(source, ["cxgb4/*"], tmp_path / "target", required=True)
    assert (tmp_path / "target/cxgb4/t4fw.bin.xz").readlink() == Path("t4fw-1.bin.xz")


@pytest.mark.parametrize("pattern", ["odd/out", "odd/ou*", "odd/dangling.bin"])
def test_a_link_to_no_firmware_matches_nothing(source: Path, tmp_path: Path, pattern: str) -> None:
    (source / "odd/dangling.bin").symlink_to("missing.bin")
    assert firmware.copy(source, [pattern], tmp_path / "target", required=False) == ([], [pattern])
    with pytest.raises(UserError, match=rf"firmware: {re.escape(pattern)}: matches no file of linux-firmware"):
        firmware.copy(source, [pattern], tmp_path / "target", required=True)


def test_what_was_configured_and_is_not_there_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        firmware.copy(source, ["mellanox/*", "bnx2/*", "bnx3/a.fw"], tmp_path / "target", required=True)
    assert "firmware: mellanox/*: matches no file" in caught.value.message
    assert "firmware: bnx3/a.fw: matches no file" in caught.value.message
    assert "bnx2/*" not in caught.value.message
    assert not (tmp_path / "target").exists()


def test_what_a_driver_asks_for_and_is_not_there_is_told(source: Path, tmp_path: Path) -> None:
    found = firmware.copy(source, ["isci/isci.bin", "tigon/tg3.bin"], tmp_path / "target", required=False)
    assert found == (["tigon/tg3.bin"], ["isci/isci.bin"])


def test_the_kernel_says_what_its_drivers_ask_for() -> None:
    modinfo = (
        b"tg3.firmware=tigon/tg3.bin\0tg3.license=GPL\0bnx2.firmware=bnx2/a.fw\0x.firmware=tigon/tg3.bin\0"
        b"firmware_class.file=drivers/base/firmware_loader/firmware_class\0"
    )
    assert firmware.asked_for(modinfo) == ["bnx2/a.fw", "tigon/tg3.bin"]


def test_what_a_driver_does_without_is_not_asked_for() -> None:
    modinfo = b"isci.firmware=isci/isci_firmware.bin\0ccp.firmware=amd/amd_sev_fam19h.sbin\0bnx2.firmware=bnx2/a.fw\0"
    assert firmware.asked_for(modinfo) == ["bnx2/a.fw"]
