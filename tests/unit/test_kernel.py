from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy import kernel
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


MIRROR = "Debian|trixie|http://mirror.example/debian/\n"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


def fetch(context: Context, runner: FakeRunner, output: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    runner.answers["apt-get"] = MIRROR

    def debian(argv: list[str]) -> None:
        """apt-get and dpkg-deb, with a package that holds `content`."""
        if "download" in argv:
            (output / "linux-source-6.12_6.12.57-1_all.deb").touch()
        if argv[0] == "dpkg-deb":
            (Path(argv[-1]) / content).parent.mkdir(parents=True)
            (Path(argv[-1]) / content).write_text("source", encoding="utf-8")

    runner.on_run = debian
    kernel.source_stage(context).build(output)


def test_the_source_of_a_debian_package_is_its_tarball_with_its_version(
    context: Context, runner: FakeRunner, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(context, runner, output, "usr/src/linux-source-6.12.tar.xz", monkeypatch)
    assert sorted(path.name for path in output.iterdir()) == ["debian-version", "linux-source-6.12.tar.xz"]
    assert (output / "debian-version").read_text(encoding="ascii") == "6.12.57-1\n"


@pytest.mark.parametrize(
    ("kernel_ver", "wanted"), [("latest", "linux-source-6.12"), ("6.12.57-1", "linux-source-6.12=6.12.57-1")]
)
def test_a_version_of_a_debian_package_can_be_asked_for(
    context: Context, runner: FakeRunner, output: Path, monkeypatch: pytest.MonkeyPatch, kernel_ver: str, wanted: str
) -> None:
    context = dataclasses.replace(context, config=Config(kernel_ver=kernel_ver))
    fetch(context, runner, output, "usr/src/linux-source-6.12.tar.xz", monkeypatch)
    assert [call.argv[-2:] for call in runner.calls if "download" in call.argv] == [["download", wanted]]


def test_a_debian_package_without_a_kernel_source_is_the_users_error(
    context: Context, runner: FakeRunner, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"linux_url: Debian's linux-source-6\.12 holds no kernel source"):
        fetch(context, runner, output, "usr/src/other.tar.xz", monkeypatch)
