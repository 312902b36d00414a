"""The stage that packs the ramfs: what is in front of what the script appends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.parts import microcode
from tests.unit.fakes import FakeRunner, configure, planned, put

AMD = {"AuthenticAMD": b"zen"}


def build(context: Context, *, firmware: bool = True, busybox: str = "usr/bin/busybox") -> Path:
    """Makes a ramfs, with a script that appends nothing, of a system whose packages brought microcode and a driver's
    firmware, and busybox; returns the output."""
    (context.root / "chroot/early").mkdir(exist_ok=True)
    files = {
        "stage3": {},
        "tools": {},
        "linux": {},
        "system": {
            "packages.json": "[]",
            "about.json": "{}",
            f"root/{busybox}": "ash",
            **({"firmware/amd-ucode/microcode_amd.bin": "zen"} if firmware else {"firmware/other": ""}),
            "firmware/tg3.bin": "t" * 9,
        },
        "kernel": {"bzImage": "", "config": "", "release": "6.12", "modules.builtin.modinfo": "tg3.firmware=tg3.bin\0"},
        "system-squashfs": {"packages.squashfs": "p", "weights.json": "{}"},
        "identity-squashfs": {"identity.squashfs": "i"},
    }
    stages = planned(context)
    for name, contents in files.items():

        def fill(folder: Path, contents: dict[str, str] = contents) -> None:
            for file, text in contents.items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(text, encoding="utf-8")

        put(stages[name], fill)
    stages["ramfs"].make()
    return stages["ramfs"].output


def test_the_ramfs_begins_with_the_microcode(context: Context) -> None:
    output = build(context)
    assert (output / "ramfs").read_bytes() == microcode.archive(AMD)
    listed = json.loads((output / "firmware.json").read_text(encoding="utf-8"))
    assert listed["microcode"] == len(microcode.archive(AMD))
    assert (listed["files"], listed["missing"], listed["sizes"]) == (["tg3.bin"], [], {"tg3.bin": 9})


def test_microcode_takes_no_ram_once_it_is_loaded(context: Context) -> None:
    # the init, what it sources, the firmware and the two layers
    with_it, without = (build(configure(microcode=value)(context)) for value in (None, False))
    assert (with_it / "unpacked").read_text() == (without / "unpacked").read_text()


@pytest.mark.parametrize("changes", [{"microcode": False}, {"embed_ramfs": True}], ids=["false", "inside the kernel"])
def test_without_microcode_the_ramfs_begins_with_what_the_script_packs(
    context: Context, changes: dict[str, object]
) -> None:
    assert (build(configure(**changes)(context)) / "ramfs").read_bytes() == b""


def test_sets_without_microcode_make_a_ramfs_without(context: Context) -> None:
    assert (build(context, firmware=False) / "ramfs").read_bytes() == b""


@pytest.mark.parametrize("changes", [{"microcode": True}, {"accept_licenses": ("intel-ucode",)}])
def test_a_package_of_intels_microcode_that_brought_none_is_an_error(
    context: Context, changes: dict[str, object]
) -> None:
    with pytest.raises(BuildError, match=r"sys-firmware/intel-microcode: no microcode \(expected files in"):
        build(configure(**changes)(context))


@pytest.mark.parametrize(
    ("changes", "both", "intel"),
    [
        ({}, True, False),
        ({"microcode": True}, True, True),
        ({"microcode": False}, False, False),
        ({"accept_licenses": ("EULA", "intel-ucode")}, True, True),
        ({"accept_licenses": ("intel-ucode",), "microcode": False}, False, False),
        ({"accept_licenses": ("intel-ucode",), "embed_ramfs": True}, False, False),
    ],
)
def test_what_microcode_there_is(changes: dict[str, object], both: bool, intel: bool) -> None:
    config = Config().model_copy(update=changes)
    assert (config.has_microcode, config.has_intel_microcode) == (both, intel)


@pytest.mark.parametrize("path", ["usr/bin/busybox", "bin/busybox"])
def test_busybox_is_found_whether_usr_is_merged_or_not(context: Context, runner: FakeRunner, path: str) -> None:
    packed = []

    def pack(argv: list[str]) -> None:
        if "/mnt/early" in argv:
            early = Path(argv[argv.index("/mnt/early") - 1])
            packed.append((early / "busybox").read_text(encoding="utf-8"))

    runner.on_run = pack
    build(context, busybox=path)
    assert packed == ["ash"]
