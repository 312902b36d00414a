"""The kernel that was built drives what the known machines need, as tests/hardware/ says."""

from __future__ import annotations

from alchemy.commands import hardware, hardware_report
from alchemy.context import Context
from alchemy.parts.hardware import alias_file
from tests import repository


def test_the_built_kernel_drives_what_the_list_of_the_known_machines_says(image: Context) -> None:
    built = (image.bin / alias_file.NAME).read_text(encoding="utf-8")
    driven = set(hardware_report.compact(repository.ROOT, built).splitlines())
    listed = (repository.ROOT / hardware_report.FOLDER / alias_file.NAME).read_text(encoding="utf-8")
    assert [line for line in listed.splitlines() if line not in driven] == [], "./run hardware.report"


def test_the_known_machines_lack_only_the_exceptions(image: Context) -> None:
    machines = repository.ROOT / hardware_report.FOLDER / "machines"
    reports = hardware.check([machines], repository.ROOT, image.bin)
    found = {verdict.function.identity for report in reports for verdict in report.failing}
    assert found == hardware_report.exceptions(repository.ROOT).keys()
