"""alchemy-inventory --expect and --learn, as they are called."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from alchemy_node import web
from alchemy_node.expect import file
from alchemy_node.inventory import document, program
from alchemy_node.machine import Machine
from alchemy_node.status import Status
from tests import recorded


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return recorded.named("hp-dl360p-gen8-2013", tmp_path / "machine")


def run(machine: Machine, *arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    return program.main(arguments, machine, out), out.getvalue()


def test_what_is_learned_is_what_is_expected(machine: Machine, tmp_path: Path) -> None:
    status, text = run(machine, "--learn")
    assert status == Status.PASS
    (tmp_path / "x.toml").write_text(text)
    assert run(machine, "--expect", str(tmp_path / "x.toml"))[0] == Status.PASS


def test_what_differs_is_printed_and_fails(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = run(machine, "--learn")
    (tmp_path / "x.toml").write_text(text.replace('version = "P71"', 'version = "P72"'))
    status, text = run(machine, "--expect", str(tmp_path / "x.toml"))
    assert status == Status.FAIL
    assert text.splitlines()[0].startswith("FAIL: HP, ProLiant DL360p Gen8: 1 of ")
    assert text.splitlines()[3].split() == ["BIOS", "version", "P72", "P71"]
    status, text = run(machine, "--json", "--expect", str(tmp_path / "x.toml"))
    assert status == Status.FAIL
    assert json.loads(text)["alchemy"]["schema"] == 1
    assert "alchemy-inventory: BIOS  version  P72       P71" in capsys.readouterr().err


def test_a_file_without_this_machine_proves_nothing(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('[[machine]]\nwhen = {product = "X"}\nbmc.ipmi = "2.0"\n')
    status, text = run(machine, "--expect", str(tmp_path / "x.toml"))
    assert status == Status.ERROR
    assert text == "UNKNOWN: no [[machine]] of the file matches HP ProLiant DL360p Gen8 (it has: X)\n"


def test_a_bad_file_is_told_before_the_machine_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(document, "collect")
    (tmp_path / "x.toml").write_text('[[machine]]\nwhen = {produkt = "X"}\nbcm.ipmi = "2.0"\n')
    assert run(Machine(tmp_path), "--expect", str(tmp_path / "x.toml")) == (Status.USAGE, "")
    assert capsys.readouterr().err.splitlines() == [
        f"alchemy-inventory: {tmp_path}/x.toml: machine 1: bcm: unknown key (nearest: bmc)",
        f"alchemy-inventory: {tmp_path}/x.toml: machine 1: when: produkt: unknown key (nearest: product)",
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [(web.WebError, Status.ERROR), (web.UrlError, Status.USAGE)],
)
def test_a_url_that_fails_is_no_verdict(
    error: type[Exception], status: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(source: str, sha256: str) -> None:
        asked.append((source, sha256))
        raise error("http://h/x: connection refused")

    monkeypatch.setattr(file, "load", load)
    assert run(machine, "--expect", "http://h/x", "--expect-sha256", "0" * 64) == (status, "")
    assert asked == [("http://h/x", "0" * 64)]


def test_of_a_machine_that_is_not_good_is_learned_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = run(recorded.named("delta-dss-c621-2021", tmp_path / "machine"), "--learn")
    assert status == Status.FAIL
    assert file.parse("x", text.encode())
    assert "not a good machine to learn from: DIMM CPU2_DIMM_A2, serial" in capsys.readouterr().err


def test_of_a_machine_without_a_name_nothing_is_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "root").mkdir()
    assert run(recorded.machine(tmp_path), "--learn") == (Status.ERROR, "")
    assert "no product name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learn", "--json"], "argument --json: not allowed with argument --learn"),
        (["--learn", "--expect", "x"], "argument --expect: not allowed with argument --learn"),
        (["--expect", "x", "--expect-sha256", "12"], "not a SHA-256 (expected 64 hexadecimal digits)"),
    ],
)
def test_options_that_make_no_sense(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    assert ended.value.code == Status.USAGE
    assert message in capsys.readouterr().err
