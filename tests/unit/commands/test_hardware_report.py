"""The known machines: all their network and storage controllers are driven, but for a short list with reasons."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from alchemy.commands import hardware_report
from alchemy.errors import UserError
from alchemy.parts.hardware.verdicts import Report
from tests import repository

REPORTS = hardware_report.reports(repository.ROOT)
FOLDER = repository.ROOT / hardware_report.FOLDER


def not_driven() -> set[str]:
    return {verdict.function.identity for report in REPORTS for verdict in report.failing}


def test_only_the_exceptions_are_not_driven() -> None:
    assert not_driven() == hardware_report.exceptions(repository.ROOT).keys()


def test_the_exceptions_are_few_and_each_has_a_reason() -> None:
    exceptions = hardware_report.exceptions(repository.ROOT)
    assert len(exceptions) <= 6
    assert all(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", identity) for identity in exceptions)
    assert all(len(reason.split()) > 3 for reason in exceptions.values())


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.dump.name)
def test_every_machine_has_a_driven_network_controller_or_says_why(report: Report) -> None:
    ports = [verdict for verdict in report.verdicts if verdict.function.role == "NIC"]
    assert not ports or any(verdict.driver for verdict in ports)


def test_the_corpus_is_of_many_machines_and_each_is_indexed() -> None:
    index = (FOLDER / "INDEX.tsv").read_text(encoding="utf-8").splitlines()[1:]
    names = {line.split("\t")[0] for line in index}
    assert {report.dump.name for report in REPORTS} == names
    assert len(names) == 71


def test_the_corpus_holds_modaliases_alone() -> None:
    for path in (FOLDER / "machines").iterdir():
        lines = path.read_text(encoding="ascii").splitlines()
        assert lines == sorted(set(lines)), path.name
        assert all(re.fullmatch(r"pci:v([0-9A-F]{8}|\*)d([0-9A-F]{8}|\*)sv\S+", line) for line in lines), path.name


def test_the_list_of_aliases_concerns_the_known_machines_alone() -> None:
    text = (FOLDER / "modules.alias").read_text(encoding="utf-8")
    assert hardware_report.compact(repository.ROOT, text) == text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one machine, and a bundle."""
    for name in (hardware_report.FOLDER, "kernels", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin/modules.alias").write_text(
        "# kernel 6.12\n# driver igb IGB\n# driver nvme BLK_DEV_NVME\n# firmware igb igb.fw\n"
        "alias pci:v*d*sv*sd*bc01sc08i02* nvme\nalias pci:v00008086d00001533sv*sd*bc*sc*i* igb\n",
        encoding="utf-8",
    )
    folder = tmp_path / hardware_report.FOLDER
    (folder / "machines").mkdir()
    (folder / "machines/A-server.txt").write_text(
        "pci:v00008086d00001533sv*sd*bc02sc00i00\npci:v000017DBd00000501sv*sd*bc02sc00i00\n", encoding="utf-8"
    )
    (folder / "INDEX.tsv").write_text("file\tyear\nA-server\t2020\n", encoding="utf-8")
    (folder / "exceptions.tsv").write_text("17db:0501\tits driver is not in Linux\n", encoding="utf-8")
    return tmp_path


def test_the_list_is_renewed_from_a_bundle_and_the_table_from_the_list(root: Path) -> None:
    hardware_report.update(root, root / "bin")
    assert (root / hardware_report.FOLDER / "modules.alias").read_text(encoding="utf-8") == (
        "# driver igb IGB\n# firmware igb igb.fw\nalias pci:v00008086d00001533sv*sd*bc*sc*i* igb\n"
    )
    text = hardware_report.markdown(root)
    assert text.startswith("Of 1 known machines, 0 have all network and storage controllers driven. 1 ids are not")
    assert "| `17db:0501` | its driver is not in Linux |\n" in text
    assert "| A server | 2020 | `igb` | - | `17db:0501` |\n" in text
    assert text.endswith("| `igb` | 1 |")


def test_the_list_is_kept_when_the_bundle_is_no_good(root: Path) -> None:
    hardware_report.update(root, root / "bin")
    before = (root / hardware_report.FOLDER / "modules.alias").read_text(encoding="utf-8")
    shutil.copy(root / hardware_report.FOLDER / "INDEX.tsv", root / "bin/modules.alias")
    with pytest.raises(UserError, match="not a line of a modules"):
        hardware_report.update(root, root / "bin")
    assert (root / hardware_report.FOLDER / "modules.alias").read_text(encoding="utf-8") == before
