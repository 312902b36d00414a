"""The archive of CPU microcode, read back as the kernel reads it (find_cpio_data in its lib/earlycpio.c)."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.errors import BuildError
from alchemy.parts import microcode

INTEL, AMD = "kernel/x86/microcode/GenuineIntel.bin", "kernel/x86/microcode/AuthenticAMD.bin"


def update(content: int, *, size: int = 2048, declared: int | None = None) -> bytes:
    """An update of Intel's, filled with one byte."""
    header = bytes(32) + (size if declared is None else declared).to_bytes(4, "little") + bytes(12)
    return header + bytes([content]) * (size - len(header))


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """A firmware folder with microcode of both vendors, and with other files."""
    (tmp_path / "intel-ucode").mkdir()
    (tmp_path / "amd-ucode").mkdir()
    (tmp_path / "amd-ucode/microcode_amd.bin").write_bytes(b"old")
    (tmp_path / "amd-ucode/microcode_amd_fam17h.bin").write_bytes(b"zen")
    for name in ("amd-ucode/microcode_amd_fam17h.bin.asc", "amd-ucode/README", "intel-ucode/list", "tg3.bin"):
        (tmp_path / name).write_bytes(b"text")
    return tmp_path


def put(firmware: Path, **files: bytes) -> None:
    for name, content in files.items():
        (firmware / "intel-ucode" / name.removeprefix("cpu_").replace("_", "-")).write_bytes(content)


def members(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """The members of an archive up to its end: by name, the mode and the content."""
    found, place = {}, 0
    while True:
        assert place % 4 == 0
        assert archive[place : place + 6] == b"070701"
        fields = [int(archive[at : at + 8], 16) for at in range(place + 6, place + 110, 8)]
        name_at, mode, links, size, name_size = place + 110, fields[1], fields[4], fields[6], fields[11]
        name = archive[name_at : name_at + name_size]
        # what the kernel keeps of a name behind the one that it asks for (MAX_CPIO_FILE_NAME)
        assert 0 < len(name) - len(name.rstrip(b"\0")) < 18
        assert links == 1
        content_at = -(-(name_at + name_size) // 4) * 4
        found[name.rstrip(b"\0").decode()] = (mode, archive[content_at : content_at + size])
        place = -(-(content_at + size) // 4) * 4
        if name.startswith(b"TRAILER!!!"):
            assert archive[place:].strip(b"\0") == b""
            return found


def test_each_vendors_microcode_has_the_name_by_which_the_kernel_finds_it(firmware: Path) -> None:
    put(firmware, cpu_06_55_04=update(1))
    found = members(microcode.archive(microcode.collect(firmware)))
    assert found == {AMD: (0o100644, b"oldzen"), INTEL: (0o100644, update(1)), "TRAILER!!!": (0, b"")}


def test_an_update_for_several_cpus_is_taken_once(firmware: Path) -> None:
    small, large = update(1), update(2, size=3072)
    put(firmware, cpu_06_8f_04=small + large, cpu_06_8f_05=large, cpu_06_8f_06=large + small)
    assert microcode.collect(firmware)["GenuineIntel"] == small + large


def test_an_update_without_a_size_has_2048_bytes(firmware: Path) -> None:
    put(firmware, cpu_0f_03_04=update(1, declared=0) + update(2))
    assert microcode.collect(firmware)["GenuineIntel"] == update(1, declared=0) + update(2)


def test_what_has_to_be_loaded_early_is_taken(firmware: Path) -> None:
    (firmware / "intel-ucode/06-4f-01.initramfs").write_bytes(update(3))
    assert microcode.collect(firmware)["GenuineIntel"] == update(3)


@pytest.mark.parametrize("content", [update(1)[:-1], update(1)[:20], update(1, declared=1000), update(1) + b"x"])
def test_a_file_that_is_cut_is_refused(firmware: Path, content: bytes) -> None:
    put(firmware, cpu_06_55_04=content)
    with pytest.raises(BuildError, match=r"06-55-04: truncated microcode \(expected an update of \d+ bytes, got \d+\)"):
        microcode.collect(firmware)


def test_the_content_is_aligned(firmware: Path) -> None:
    put(firmware, cpu_06_55_04=update(1))
    (firmware / "amd-ucode/microcode_amd.bin").write_bytes(b"of an odd length")
    archive = microcode.archive(microcode.collect(firmware))
    assert members(archive)[AMD] == (0o100644, b"of an odd lengthzen")
    assert [archive.index(content) % 16 for content in (b"of an odd lengthzen", update(1))] == [0, 0]


def test_a_link_out_of_the_firmware_folder_is_no_microcode(firmware: Path) -> None:
    (firmware / "intel-ucode/06-55-04").symlink_to("/etc/hostname")
    assert "GenuineIntel" not in microcode.collect(firmware)


def test_the_archive_has_whole_blocks_and_the_same_bytes_each_time(firmware: Path) -> None:
    put(firmware, cpu_06_55_04=update(1), cpu_06_55_07=update(2))
    archive = microcode.archive(microcode.collect(firmware))
    assert len(archive) % 512 == 0
    assert microcode.archive(dict(reversed(microcode.collect(firmware).items()))) == archive


def test_there_is_no_archive_without_microcode(tmp_path: Path) -> None:
    assert microcode.collect(tmp_path) == {}
    assert microcode.archive({}) == b""
