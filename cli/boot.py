"""The tasks `boot.*`."""

from __future__ import annotations

import sys

from invoke.context import Context
from invoke.tasks import task

from alchemy.testbed import qemu as machine
from cli.command import checked, command


@task(
    help={
        "cmdline": "kernel parameters to add",
        "memory": "MB of RAM (default: 1024)",
        "firmware": "bios or uefi (default: bios)",
    }
)
@command
def qemu(_: Context, cmdline: str = "", memory: int = 1024, firmware: str = "bios") -> None:
    """Boot bin/ in QEMU over PXE, with the serial console on this terminal."""
    uefi = machine.firmware(firmware)
    sys.exit(machine.boot(checked(), cmdline, memory, uefi))
