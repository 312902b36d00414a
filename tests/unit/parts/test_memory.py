from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.errors import BuildError
from alchemy.parts import memory

MB = 1 << 20


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """The head of a bzImage that needs 50 MB to unpack itself."""
    path = tmp_path / "bzImage"
    path.write_bytes(bytes(0x260) + (50 * MB).to_bytes(4, "little") + b"\xff" * 64)
    return path


def test_the_ramdisk_counts_as_it_was_loaded_and_as_it_is_unpacked(kernel: Path) -> None:
    small, large = (memory.needed(kernel, loaded, 30 * MB, embedded=False) for loaded in (100 * MB, 200 * MB))
    assert small > 50 + 100 + 30
    assert 100 <= large - small <= 103  # and what the kernel keeps for each page


def test_half_of_the_free_ram_is_for_what_the_ramdisk_unpacks_to(kernel: Path) -> None:
    small, large = (memory.needed(kernel, 100 * MB, unpacked, embedded=False) for unpacked in (100 * MB, 200 * MB))
    assert small > 50 + 100 + 2 * 100
    assert 200 <= large - small <= 205


def test_a_ramdisk_inside_the_kernel_is_in_its_own_size(kernel: Path) -> None:
    need = memory.needed(kernel, 100 * MB, 100 * MB, embedded=True)
    assert memory.needed(kernel, 100 * MB, 100 * MB, embedded=False) - need in (101, 102)


def test_a_small_image_needs_room_for_the_processes_all_the_same(kernel: Path) -> None:
    assert memory.needed(kernel, MB, MB, embedded=False) >= 50 + 64


@pytest.fixture
def installed(tmp_path: Path) -> tuple[Path, Path]:
    """An image tree of three packages, and the database of it."""
    tree, database = tmp_path / "root", tmp_path / "database"
    files: dict[str, dict[str, int | None]] = {
        "app-misc/gold-1": {"/usr/bin/gold": 3 * MB, "/usr/share/man/gold.1": None},
        "app-misc/lead-2-r1": {"/usr/share/a name with blanks": 5 * MB},
        "virtual/empty-0": {},
    }
    for package, contents in files.items():
        lines = ["dir /usr"]
        for name, size in contents.items():
            lines.append(f"obj {name} d41d8cd98f00b204e9800998ecf8427e 1767225600")
            if size is not None:
                (tree / name[1:]).parent.mkdir(parents=True, exist_ok=True)
                (tree / name[1:]).write_bytes(bytes(size))
        (database / package).mkdir(parents=True)
        (database / package / "CONTENTS").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tree, database


def test_a_package_is_as_large_as_what_the_image_has_of_it(installed: tuple[Path, Path]) -> None:
    assert memory.sizes(*installed) == {
        "app-misc/gold-1": 3 * MB,
        "app-misc/lead-2-r1": 5 * MB,
        "virtual/empty-0": 0,
    }


def test_over_the_budget_the_largest_packages_are_named_the_largest_first(installed: tuple[Path, Path]) -> None:
    with pytest.raises(BuildError) as caught:
        memory.check(256, 300, *installed)
    lines = caught.value.message.splitlines()
    assert lines[0] == "ram_budget: exceeded (expected at most 256 MB of RAM, got 300 MB)"
    assert [line.split() for line in lines[2:4]] == [
        ["5.2", "MB", "app-misc/lead-2-r1"],
        ["3.1", "MB", "app-misc/gold-1"],
    ]
    assert caught.value.hint


def test_within_the_budget_nothing_is_said(installed: tuple[Path, Path]) -> None:
    memory.check(300, 300, *installed)
