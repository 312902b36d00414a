from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from alchemy.parts import package_sizes


def package(tree: Path, name: str, *lines: str, slot: str = "0") -> None:
    folder = tree / "database" / name
    folder.mkdir(parents=True)
    (folder / "SLOT").write_text(f"{slot}\n", encoding="utf-8")
    (folder / "CONTENTS").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a package of 40 KB that can't be compressed, and packages of as much that can."""
    (tmp_path / "root/usr/bin").mkdir(parents=True)
    noise = random.Random(1).randbytes(40_000)  # noqa: S311
    files = {"noise": noise, "zero two": bytes(40_000), "iperf3": noise[:1000], "iperf": noise[:2000]}
    for name, content in files.items():
        (tmp_path / "root/usr/bin" / name).write_bytes(content)
    package(tmp_path, "app-misc/noise-1.0-r1", "dir /usr", "obj /usr/bin/noise 0123 1", "sym /usr/bin/x -> noise 1")
    package(tmp_path, "app-misc/zero-2", "obj /usr/bin/zero two 0123 1", slot="0/7")
    package(tmp_path, "net-misc/iperf-3.9", "obj /usr/bin/iperf3 0123 1", slot="3")
    package(tmp_path, "net-misc/iperf-2.2.1", "obj /usr/bin/iperf 0123 1", slot="2")
    package(tmp_path, "sys-kernel/linux-firmware-20250410", "obj /lib/firmware/tg3.bin 0123 1")
    return tmp_path


def weights(tree: Path) -> dict[str, int]:
    return package_sizes.weigh(tree / "root", tree / "database")


def test_a_package_weighs_what_its_files_are_when_compressed(tree: Path) -> None:
    weighed = weights(tree)
    assert 40_000 <= weighed["app-misc/noise"] < 40_100
    assert 0 < weighed["app-misc/zero"] < 100


def test_slots_of_a_package_are_told_apart(tree: Path) -> None:
    weighed = weights(tree)
    assert "net-misc/iperf" not in weighed
    assert 1_000 <= weighed["net-misc/iperf:3"] < 1_100
    assert 2_000 <= weighed["net-misc/iperf:2"] < 2_100


def test_what_is_not_in_the_tree_weighs_nothing(tree: Path) -> None:
    assert weights(tree)["sys-kernel/linux-firmware"] == 0


def test_a_file_of_two_names_counts_once(tree: Path) -> None:
    before = weights(tree)["app-misc/noise"]
    os.link(tree / "root/usr/bin/noise", tree / "root/usr/bin/another")
    with (tree / "database/app-misc/noise-1.0-r1/CONTENTS").open("a", encoding="utf-8") as file:
        file.write("obj /usr/bin/another 0123 1\n")
    assert weights(tree)["app-misc/noise"] == before
