from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy import archive, kernel, plan
from alchemy.config import Config
from alchemy.context import Context
from alchemy.errors import UserError
from tests.unit.fakes import FakeRunner


def read(folder: Path, *texts: str) -> dict[str, str]:
    paths = [folder / f"config{number}" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return kernel.read_config(paths)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("", {}),
        ("# a comment\n\n#\n", {}),
        ("CONFIG_64BIT=y\n", {"64BIT": "y"}),
        ("# CONFIG_MODULES is not set\n", {"MODULES": "n"}),
        ("CONFIG_MODULES=n\n", {"MODULES": "n"}),
        ('CONFIG_CMDLINE="a=b # c"\n', {"CMDLINE": '"a=b # c"'}),
        ('CONFIG_EXTRA_FIRMWARE=""\n', {"EXTRA_FIRMWARE": '""'}),
        ("CONFIG_HZ=250\nCONFIG_BASE=0x1000\n", {"HZ": "250", "BASE": "0x1000"}),
        ("  CONFIG_NET=y  \r\n", {"NET": "y"}),
        ("\t# an indented comment\n", {}),
        # a line that someone has put a # before
        ("# CONFIG_NET=y\n", {}),
        ("#CONFIG_NET=y\n", {}),
    ],
)
def test_a_kernel_configuration_is_read(tmp_path: Path, text: str, symbols: dict[str, str]) -> None:
    assert read(tmp_path, text) == symbols


def test_a_later_file_wins(tmp_path: Path) -> None:
    assert read(tmp_path, "CONFIG_A=y\nCONFIG_B=y\n", "# CONFIG_A is not set\nCONFIG_C=7\n") == {
        "A": "n",
        "B": "y",
        "C": "7",
    }


@pytest.mark.parametrize(
    "line",
    ["NET=y", "CONFIG_NET", "CONFIG_NET =y", "CONFIG_NET=", "CONFIG_NET is not set", "include other"],
)
def test_a_line_that_is_no_symbol_is_refused_with_its_place(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError, match=r"config0:2: not a line of a kernel configuration: "):
        read(tmp_path, f"CONFIG_A=y\n{line}\n")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [("NET", "y", "CONFIG_NET=y"), ("NET", "n", "# CONFIG_NET is not set"), ("X", '"a b"', 'CONFIG_X="a b"')],
)
def test_a_symbol_is_written_as_it_is_read(tmp_path: Path, name: str, value: str, line: str) -> None:
    assert kernel.line(name, value) == line
    assert read(tmp_path, f"{line}\n") == {name: value}


@pytest.mark.parametrize(
    ("requested", "final"),
    [
        ({}, {"NET": "y"}),
        ({"NET": "y"}, {"NET": "y", "INET": "y"}),
        ({"NET": "n"}, {}),
        ({"NET": "n"}, {"NET": "n"}),
    ],
)
def test_a_configuration_that_holds_is_fine(requested: Mapping[str, str], final: Mapping[str, str]) -> None:
    assert kernel.check(requested, final, []) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("requested", "final", "line"),
    [
        ({"EDAC": "y"}, {}, "  CONFIG_EDAC=y, but it came out as n"),
        ({"EDAC": "y"}, {"EDAC": "n"}, "  CONFIG_EDAC=y, but it came out as n"),
        ({"NET": "n"}, {"NET": "y"}, "  # CONFIG_NET is not set, but it came out as y"),
        ({"HZ": "250"}, {"HZ": "100"}, "  CONFIG_HZ=250, but it came out as 100"),
    ],
)
def test_a_symbol_that_was_dropped_or_changed_is_named(
    requested: Mapping[str, str], final: Mapping[str, str], line: str
) -> None:
    with pytest.raises(UserError) as caught:
        kernel.check({"GOOD": "y", **requested}, {"GOOD": "y", **final}, [Path("kernels/6.12"), Path("fragment")])
    lines = caught.value.message.splitlines()
    assert lines == ["kernels/6.12, fragment: the kernel cannot be configured like this", line]
    assert caught.value.hint


def test_every_symbol_that_was_dropped_is_named() -> None:
    with pytest.raises(UserError) as caught:
        kernel.check({"A": "y", "B": "y", "C": "y"}, {"B": "y"}, [])
    assert [name for name in "ABC" if f"CONFIG_{name}=" in caught.value.message] == ["A", "C"]


def test_the_ramdisk_goes_inside_the_kernel_as_it_is(context: Context, runner: FakeRunner) -> None:
    planned = plan.create(dataclasses.replace(context, config=Config(embed_ramfs=True)))
    files = {
        "stage3": "stage3.tar.zst",
        "tools": "root",
        "linux": "linux.tar.xz",
        "kernel": "bzImage",
        "ramfs": "ramfs",
    }
    for name, file in files.items():

        def build(folder: Path, file: str = file) -> None:
            (folder / file).touch()

        dataclasses.replace(planned[name], build=build).make()
    tree = context.work / "kernel" / planned["linux"].output.name

    def make(argv: list[str]) -> None:
        """A kernel whose image is the configuration that was asked for."""
        if argv[-1] == "allnoconfig":
            shutil.copy(tree / ".config.requested", tree / ".config")
        if argv[-1] == kernel.IMAGE:
            assert not (tree / "usr/initramfs_inc_data").exists()
            for name in ("arch/x86/boot/bzImage", "include/config/kernel.release", kernel.MODINFO):
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(tree / ".config", tree / name)
            (tree / "usr").mkdir(exist_ok=True)
            (tree / "usr/initramfs_inc_data").touch()

    runner.on_run = make
    for _ in range(2):
        planned["embedded"].make()
        archive.remove(planned["embedded"].output)
    planned["embedded"].make()
    symbols = kernel.read_config([planned["embedded"].output / kernel.IMAGE])
    assert symbols["INITRAMFS_COMPRESSION_NONE"] == "y"
    source = symbols["INITRAMFS_SOURCE"].strip('"')
    # what the kernel's usr/Makefile takes for an archive, and does not pack again
    assert source.endswith(".cpio")
    bound = {call.argv[at + 2]: call.argv[at + 1] for call in runner.calls for at in range(len(call.argv) - 2)
             if call.argv[at] == "--ro-bind"}  # fmt: skip
    assert bound[source] == str(planned["ramfs"].output / "ramfs")
