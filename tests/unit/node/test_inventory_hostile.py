"""Whatever tools and files say, the inventory comes out, fits its schema, and is safe to print."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from alchemy_node.inventory import document, view
from alchemy_node.inventory.facts import Json
from alchemy_node.judging import judge
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests import recorded
from tests.unit.node import documents

ANSI = "\x1b[2J\x1b]0;owned\x07$(reboot)`id` <a>&\"'\u202e\x00\x9b"
NAME = "N" * 65536

OUTPUTS = {
    "missing": Output(problem="not installed"),
    "hanging": Output(stdout="half a li", problem="timed out after 4 s"),
    "failing": Output(1, "", f"{ANSI}\nmore", "exit status 1"),
    "empty": Output(0),
    "flooding": Output(None, "x" * (1 << 20), "", "more than 8 MiB of output"),
    "blanks": Output(0, " " * (1 << 20)),
    "lines": Output(0, "\n" * (1 << 20)),
    "colons": Output(0, ":\t" * (1 << 19)),
    "bytes": Output(0, bytes(range(256)).decode(errors="replace") * 4096),
    "control characters": Output(0, f"{ANSI}: {ANSI}\n{ANSI} | {ANSI} | ok\n<3>[ 1.0] {ANSI}\n"),
    "long names": Output(
        0, f"{NAME}: {NAME}\n{NAME} | 1 Volts | ok\n<0>[ 1.0] {NAME}\nSlot:\t{NAME}\nClass:\t{NAME}\n"
    ),
    "JSON of another shape": Output(0, '{"lldp": [{"interface": {"chassis": 5}}], "devices": [[]], "wwn": 7}'),
    "a list": Output(0, "[]"),
    "null": Output(0, "null"),
    "deep JSON": Output(0, "[" * 200_000),
    "a huge number": Output(0, '{"power_cycle_count": ' + "9" * 100_000 + "}"),
    "not a number": Output(0, '{"temperature": {"current": NaN}, "power_on_time": {"hours": -1}}'),
    "half a document": Output(0, '{"lldp": [{"interface": [{"name": "eth0"'),
}


@dataclass(frozen=True)
class Always:
    """Programs that all print the same."""

    output: Output

    def __call__(self, argv: Sequence[str], seconds: float, limit: int) -> Output:
        return self.output


def check(found: Json) -> None:
    documents.check(found)
    text = view.text(found, judge(found))
    assert not {character for character in text if character < " " or "\x7f" <= character < "\xa0"} - {"\n"}
    assert "\u202e" not in text
    assert len(json.dumps(found)) < 1 << 20


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a machine with NICs, a disk, a RAID controller and a BMC."""
    return recorded.named("dell-r640-2018", tmp_path_factory.mktemp("hostile") / "machine").root


@pytest.mark.parametrize("kind", OUTPUTS)
def test_whatever_tools_print(kind: str, root: Path) -> None:
    began = time.monotonic()
    found = document.collect(Machine(root, Always(OUTPUTS[kind])))
    assert time.monotonic() - began < 60
    check(found)
    if OUTPUTS[kind].problem:
        assert found["alchemy"]["unknown"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe\x00" * 20_000, id="bytes"),
        pytest.param(ANSI.encode(errors="replace"), id="control characters"),
        pytest.param(NAME.encode(), id="a long name"),
        pytest.param(b"-1\n", id="negative"),
        pytest.param(b"9" * 4000, id="a huge number"),
        pytest.param(b"0x" + b"f" * 4000, id="a huge number in hexadecimal"),
        pytest.param("\u0661\u0662".encode(), id="digits of another script"),
    ],
)
def test_whatever_files_hold(content: bytes, root: Path, tmp_path: Path) -> None:
    for path in root.rglob("*"):
        name = tmp_path / "root" / path.relative_to(root)
        name.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            name.symlink_to(path.readlink())
        elif path.is_file():
            name.write_bytes(content)
    dmi = tmp_path / "root/sys/firmware/dmi/tables/DMI"
    dmi.parent.mkdir(parents=True)
    dmi.write_bytes(content)
    check(document.collect(Machine(tmp_path / "root", Always(OUTPUTS["missing"]))))


def test_names_of_devices(tmp_path: Path) -> None:
    """A driver may name its devices as it likes."""
    for name in ("sd\x1b[2Ja", "nvme0n1 ", "x" * 200, "sda\n", "\udcff"):
        (tmp_path / "root/sys/block" / name / "device").mkdir(parents=True)
        (tmp_path / "root/sys/class/net" / name).mkdir(parents=True)
        (tmp_path / "root/sys/class/net" / name / "device").symlink_to("../../../devices/pci0000:00/0000:00:02.0")
        (tmp_path / "root/sys/class/hwmon/hwmon0").mkdir(parents=True, exist_ok=True)
        (tmp_path / "root/sys/class/hwmon/hwmon0" / f"{name}_input").write_text("1", encoding="ascii")
    check(document.collect(Machine(tmp_path / "root", Always(OUTPUTS["missing"]))))


def test_programs_that_hang_cost_the_deadline_and_no_more(root: Path) -> None:
    def hang(argv: Sequence[str], seconds: float, limit: int) -> Output:
        time.sleep(seconds)
        return Output(problem=f"timed out after {seconds:g} s")

    began = time.monotonic()
    found = document.collect(Machine(root, hang), 1.0)
    assert time.monotonic() - began < 4
    reasons = {entry["reason"] for entry in found["alchemy"]["unknown"]}
    assert "not run: the time for all programs is over" in reasons
    check(found)
