"""alchemy-inventory, as it is called."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from alchemy_node.inventory import program
from alchemy_node.machine import Machine
from alchemy_node.status import Status
from tests import recorded
from tests.unit.node import documents


def run(machine: Machine, *arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    return program.main(arguments, machine, out), out.getvalue()


def test_json_is_the_document(tmp_path: Path) -> None:
    status, text = run(recorded.named("dell-r7625-2023", tmp_path / "machine"), "--json")
    documents.check(json.loads(text))
    assert status == Status.PASS
    assert text.isascii()


@pytest.mark.parametrize("name", ["supermicro-ssg-6029p-2020", "dell-r640-2018", "vmware-guest", "dell-r770-2025"])
def test_text_fits_a_serial_console(name: str, tmp_path: Path) -> None:
    _, text = run(recorded.named(name, tmp_path / "machine"))
    assert max(map(len, text.splitlines())) <= 79
    assert len(text.splitlines()) <= 66


def test_text_has_problems_first_and_groups_what_is_alike(tmp_path: Path) -> None:
    status, text = run(recorded.named("supermicro-ssg-6029p-2020", tmp_path / "machine"))
    assert status == Status.PASS
    lines = text.splitlines()
    assert lines[0] == "Supermicro SSG-6029P-E1CR12L-PH004, serial TEST00000000001,"
    assert lines[3].startswith("WARN      every DIMM runs at 2400 MT/s")
    assert "          12 x 16 GiB, DDR4 SK Hynix HMA82GR7CJR8N-WM, 2400 MT/s of 2933, ECC" in lines
    assert "Kernel    no errors since boot" in lines


def test_a_machine_with_a_failing_drive_fails(tmp_path: Path) -> None:
    machine = recorded.named("dell-r7625-2023", tmp_path / "machine")
    tools = tmp_path / "tools"
    tools.mkdir()
    for file in machine.programs.tools.iterdir():  # type: ignore[attr-defined]
        text = file.read_text(encoding="utf-8")
        failed = text.replace('"passed": true', '"passed": false')
        (tools / file.name).write_text(failed, encoding="utf-8")
    status, text = run(Machine(machine.root, recorded.Recorded(tools)))
    assert status == Status.FAIL
    assert text.splitlines()[2].startswith("FAIL      disk nvme0n1")


def test_what_is_unknown_is_not_called_good(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    _, text = run(recorded.machine(tmp_path))
    assert text.startswith("a machine without DMI, ")
    assert "Kernel    its errors are unknown\n" in text
    assert "No problems found" not in text
    assert "Unknown   dmi: /sys/firmware/dmi/tables/DMI: absent or unreadable\n" in text


def test_without_root_nothing_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert program.main([]) == Status.USAGE
    assert "sudo alchemy-inventory" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--jsno"])
    assert ended.value.code == Status.USAGE
    assert "--jsno" in capsys.readouterr().err


def test_a_bug_is_no_verdict_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Machine) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("alchemy_node.inventory.document.collect", fail)
    assert program.main([], Machine(tmp_path)) == Status.ERROR
    assert "ZeroDivisionError: a bug" in capsys.readouterr().err
