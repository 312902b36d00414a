"""The commands hardware.*."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit

from alchemy.commands import hardware
from alchemy.config.values import MODULES_FRAGMENT
from alchemy.errors import UserError
from alchemy.parts.hardware import kernel
from cli import hardware as tasks
from tests import repository

GOOD = "01:00.0 Ethernet controller [0200]: Intel Corporation I210 [8086:1533] (rev 03)\n"
BAD = "02:00.0 Fibre Channel [0c04]: QLogic Corp. ISP2722 [1077:2281]\n"
LATER = "03:00.0 Ethernet controller [0200]: Intel Corporation E610 [8086:57ae]\n"
ALIASES = "# kernel 6.12.118\n# driver igb IGB\n# firmware igb igb.fw\nalias pci:v00008086d00001533sv*sd*bc*sc*i* igb\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a bundle, a fragment and a later series."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/modules.alias").write_text(ALIASES, encoding="utf-8")
    manifest = {"firmware": {"files": [], "missing": ["igb.fw"], "size": 0}}
    (tmp_path / "bin/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    kernels = tmp_path / "kernels/x86_64"
    (kernels / "fragments").mkdir(parents=True)
    (kernels / "later").mkdir()
    (kernels / "fragments/fc").write_text("# Fibre Channel\nCONFIG_SCSI_QLA_FC=y\n", encoding="utf-8")
    (kernels / "fragments/all-drivers").write_text("CONFIG_SCSI_QLA_FC=y\n", encoding="utf-8")
    (kernels / "fragments.alias").write_text(
        "# driver qla2xxx SCSI_QLA_FC\nalias pci:v00001077d00002281sv*sd*bc*sc*i* qla2xxx\n", encoding="utf-8"
    )
    (kernels / "later/6.18.alias").write_text("alias pci:v00008086d000057AEsv*sd*bc*sc*i* ixgbe\n", encoding="utf-8")
    return tmp_path


def lines(root: Path, text: str) -> list[str]:
    (root / "lspci.txt").write_text(text, encoding="utf-8")
    reports = hardware.check([root / "lspci.txt"], root, root / "bin")
    return [" ".join(line.split()) for report in reports for line in report.text.splitlines()]


def test_a_dump_is_judged_by_the_bundle_and_by_what_the_repository_knows(root: Path) -> None:
    assert lines(root, GOOD + BAD + LATER) == [
        "lspci (lspci -nn)",
        "0000:01:00.0 8086:1533 NIC igb (CONFIG_IGB), firmware missing: igb.fw Intel Corporation I210",
        "0000:03:00.0 8086:57ae NIC not driven: ixgbe is in Linux 6.18 Intel Corporation E610",
        "0000:02:00.0 1077:2281 storage not driven: qla2xxx (CONFIG_SCSI_QLA_FC) is in kernel_fragments: [fc] "
        "QLogic Corp. ISP2722",
        "1 of 2 NICs driven, 0 of 1 storage controllers driven",
    ]


@pytest.mark.parametrize(
    ("release", "remedy"),
    [
        ("6.12.118-alchemy-1.2", "ixgbe is in Linux 6.18"),
        ("6.18.3", "igc is in Linux 7.10"),
        ("7.9.1", "igc is in Linux 7.10"),
        ("7.10.0-alchemy-1.2", "no known driver; see kernels/README.md"),
    ],
)
def test_a_series_is_named_only_where_it_is_later_than_the_image_s(root: Path, release: str, remedy: str) -> None:
    (root / "kernels/x86_64/later/7.10.alias").write_text(
        "alias pci:v00008086d000057AEsv*sd*bc*sc*i* igc\n", encoding="utf-8"
    )
    (root / "bin/modules.alias").write_text(ALIASES.replace("6.12.118", release), encoding="utf-8")
    assert f" not driven: {remedy} Intel" in lines(root, LATER)[1]


def test_every_driver_of_the_fragments_is_known_by_the_fragment_that_has_it() -> None:
    folder = repository.ROOT / "kernels/x86_64"
    phrases = dict(hardware.elsewhere(folder))
    fragments = {path.name for path in (folder / "fragments").iterdir()} - {"all-drivers", MODULES_FRAGMENT}
    assert {f"kernel_fragments: [{name}]" for name in fragments} <= phrases.keys()
    known = kernel.read(folder / "fragments.alias").symbols
    assert known.keys() == {driver for found in phrases.values() for driver in found.symbols}


def test_the_same_is_there_as_json(root: Path) -> None:
    (root / "lspci.txt").write_text(GOOD + BAD, encoding="utf-8")
    value = hardware.as_value(hardware.check([root / "lspci.txt"], root, root / "bin"))
    (machine,) = json.loads(json.dumps(value))["machines"]
    assert (machine["name"], machine["format"], machine["not_driven"]) == ("lspci", "lspci -nn", 1)
    assert machine["functions"][0] == {
        "address": "0000:01:00.0", "id": "8086:1533", "bus": "pci", "role": "NIC", "name": "Intel Corporation I210",
        "driven": True, "driver": "igb", "symbol": "IGB", "missing_firmware": ["igb.fw"], "remedy": "",
        "no_interface": "",
    }  # fmt: skip
    assert machine["functions"][1]["driven"] is False


@pytest.mark.parametrize(("text", "status"), [(GOOD, None), (GOOD + BAD, 1), (BAD, 1)])
@pytest.mark.parametrize("json", [False, True])
def test_the_exit_status_says_whether_all_is_driven(
    root: Path, monkeypatch: pytest.MonkeyPatch, text: str, status: int | None, json: bool
) -> None:
    monkeypatch.setattr(tasks, "ROOT", root)
    (root / "dump").write_text(text, encoding="utf-8")
    found = None
    try:
        tasks.check(InvokeContext(), [str(root / "dump")], json)
    except Exit as ended:
        found = ended.code
    assert found == status


def test_names_of_devices_are_made_visible(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "ROOT", root)
    (root / "dump").write_text(GOOD.replace("I210", "\x1b]0;owned\x07"), encoding="utf-8")
    tasks.check(InvokeContext(), [str(root / "dump")])
    assert "\x1b" not in capsys.readouterr().out


def test_without_a_bundle_or_a_file_the_message_says_what_to_do(root: Path) -> None:
    with pytest.raises(UserError, match=r"hardware\.check: no file"):
        hardware.check([], root, root / "bin")
    (root / "bin/modules.alias").unlink()
    with pytest.raises(UserError, match=r"modules.alias: no such file\nhint: ./run build.all"):
        hardware.check([root / "bin"], root, root / "bin")
