"""Measurements, as plain figures. Nothing here is a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from alchemy import build, lock, plan, qemu
from alchemy.context import Context
from alchemy.errors import BuildError

_HAND_OVER = b"alchemy: handing over to "
_PATIENCE = 300


def cold_build(context: Context) -> dict[str, Any]:
    """Removes work directory and cache, and builds everything; then again, when there is nothing to do.

    Seconds of wall time, in all and by stage (kernel and system run side by side), and bytes of the outputs.
    """
    build.clean(context, everything=True)
    build.require_host(context)
    started = time.monotonic()
    build.build(context, "image")
    total = time.monotonic() - started
    started = time.monotonic()
    build.build(context, "image")
    again = time.monotonic() - started
    with lock.exclusive(context):
        stages = {name: stage.seconds for name, stage in plan.create(context).stages.items()}
    return {
        "seconds": {"total": round(total, 1), "again": round(again, 2), "stages": stages},
        "bytes": {Path(path).name: count for path, count in build.outputs(context).items()},
    }


def boot(context: Context, memory: int) -> dict[str, Any]:
    """Boots bin/ in QEMU, over PXE and then with QEMU as the boot loader, and turns it off.

    Seconds from power-on to the hand-over, and over PXE to an answer of the SSH server.
    """
    kvm = qemu.kvm_works(context)
    with qemu.boot_folder(context, "") as folder:
        machine = qemu.Machine(tftp=folder, memory=memory, kvm=kvm, ssh_port=qemu.free_port())
        over_pxe = _boot(context, machine, ssh=True)
        direct = _boot(context, replace(machine, direct=qemu.direct(context, "")), ssh=False)
    return {"kvm": kvm, "memory_mb": memory, "seconds": {"pxe": over_pxe, "direct": direct}}


def _boot(context: Context, machine: qemu.Machine, *, ssh: bool) -> dict[str, float]:
    log = context.logfile("bench-boot")
    log.unlink(missing_ok=True)
    argv = qemu.argv(replace(machine, serial=f"file:{log}"))
    process = context.runner.start(argv, log=context.logfile("bench-qemu"))
    started = time.monotonic()
    try:
        figures = {"hand_over": _until(started, lambda: _HAND_OVER in _read(log))}
        if ssh:
            figures["ssh"] = _until(started, lambda: qemu.ssh_answers(machine.ssh_port or 0))
    finally:
        process.kill()
        process.wait()
    return figures


def _until(started: float, happened: Callable[[], bool]) -> float:
    """Seconds since `started` when it happens. Raises BuildError when it doesn't within five minutes."""
    while time.monotonic() < started + _PATIENCE:
        if happened():
            return round(time.monotonic() - started, 1)
        time.sleep(0.1)
    raise BuildError("the image does not boot", hint="./run boot.qemu shows its console")


def _read(log: Path) -> bytes:
    return log.read_bytes() if log.exists() else b""
