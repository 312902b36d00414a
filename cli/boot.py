"""The tasks `boot.*`."""

from __future__ import annotations

import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from alchemy.testbed import qemu as machine
from alchemy.ui import views
from alchemy.ui.events import Log
from cli.command import ROOT, checked, command


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


@task(
    help={
        "interface": "the interface that the nodes are on",
        "proxy": "answer beside the network's own DHCP server (default)",
        "range": "FIRST,LAST: give out these addresses; no other DHCP server may be on the network",
        "config": "the configuration (default: rack.yml of the repository, if there is one)",
        "state": "folder for records, logs and what is served (default: /var/lib/alchemy)",
        "port": "the port of HTTP (default: 80)",
        "print": "only write the configuration for servers of your own into this folder",
        "backup": "only copy the records into this file; boot.serve may run meanwhile",
    }
)
@command
def serve(
    _: Context,
    interface: str = "",
    proxy: bool = False,
    range: str = "",  # noqa: A002 (the option's name)
    config: str = "",
    state: str = "",
    port: int = 80,
    print: str = "",  # noqa: A002 (the option's name)
    backup: str = "",
) -> None:
    """Serve a rack until Ctrl-C: DHCP, TFTP, images, what each node boots, its results, and a page. Needs root."""
    # only this task needs the rack's packages
    from alchemy.rack.serving import serve as serving

    log = Log(views.choose(events=False))
    options = serving.Options(
        interface=interface or None,
        proxy=proxy,
        range=range or None,
        config=Path(config).absolute() if config else None,
        port=port,
        **({"state": Path(state).absolute()} if state else {}),
    )
    if backup:
        serving.back_up(ROOT, options, Path(backup).absolute())
    elif print:
        serving.print_to(Path(print).absolute(), ROOT, options, log)
    else:
        serving.serve(*serving.prepare(ROOT, options), log)
