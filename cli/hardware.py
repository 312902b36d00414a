"""The tasks `hardware.*`."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from cli.command import JSON_HELP, ROOT, as_json, command, say


@task(
    iterable=["file"],
    help={"file": "dumps of machines, or folders of them (FILE… without --file, too)", "json": JSON_HELP},
)
@command
def check(_: Context, file: list[str], json: bool = False) -> None:
    """Show which devices of a machine the image in bin/ drives, from lspci -nn, lshw, udevadm info -e, hwloc's XML,
    modaliases or an inventory. Ends with 1 when a NIC or a storage controller is not driven."""
    # every command imports this module, and this one alone needs the parsers
    from alchemy.commands import hardware

    reports = hardware.check([Path(name) for name in file], ROOT, ROOT / "bin")
    if json:
        print(as_json(hardware.as_value(reports)))
    else:
        for report in reports:
            say(report.text)
    if any(report.failing for report in reports):
        raise Exit(code=1)


@task
@command
def report(_: Context) -> None:
    """Update the known machines in docs/hardware.md, from the kernel in bin/ and the dumps in tests/hardware/."""
    from alchemy.commands import docs, hardware_report

    hardware_report.update(ROOT, ROOT / "bin")
    for part in docs.parts({}):
        if part.file == hardware_report.DOCUMENT and part.update(ROOT):
            print(f"{part.file}: updated")
