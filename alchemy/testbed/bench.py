"""The commands bench.build and bench.boot: measurements, not tests."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alchemy.commands import build
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import folders, locking
from alchemy.stages import bundle, plan
from alchemy.testbed import qemu

_HAND_OVER = b"alchemy: handing over to "
_PATIENCE = 300

# a second network interface, whose link QEMU's monitor can turn off
_SECOND = ("-netdev", "hubport,id=second,hubid=1", "-device", "virtio-net-pci,netdev=second,id=second,romfile=")


def cold_build(context: Context) -> dict[str, Any]:
    """Removes the work directory and the cache, builds everything, and builds again when nothing has to be done.

    Returns seconds of wall time, in total and by stage (kernel and system run in parallel), and bytes of the outputs.
    """
    build.clean(context, everything=True)
    build.require_host(context)
    started = time.monotonic()
    build.build(context, bundle.NAME)
    total = time.monotonic() - started
    started = time.monotonic()
    build.build(context, bundle.NAME)
    again = time.monotonic() - started
    with locking.exclusive(context):
        stages = {name: stage.seconds for name, stage in plan.create(context, plan.recall(context)).stages.items()}
    return {
        "seconds": {"total": round(total, 1), "again": round(again, 2), "stages": stages},
        "bytes": {Path(path).name: count for path, count in build.outputs(context).items()},
    }


def boot(context: Context, memory: int) -> dict[str, Any]:
    """Boots bin/ in QEMU three times: over PXE; with QEMU as the boot loader; and then with `net` and two interfaces,
    one of them without a link.

    Returns seconds from power-on to the hand-over, and over PXE also to the first answer of the SSH server.
    """
    folders.prepare(context)
    kvm = qemu.kvm_works(context)
    with qemu.boot_folder(context, "") as folder:
        machine = qemu.Machine(tftp=folder, memory=memory, kvm=kvm, ssh_port=qemu.free_port())
        over_pxe = _boot(context, machine, ssh=True)
        direct = _boot(context, replace(machine, direct=qemu.direct(context, "")))
        two = replace(machine, direct=qemu.direct(context, "net"), extra=_SECOND)
        one_of_two_linked = _boot(context, two, command="set_link second off")
    seconds = {"pxe": over_pxe, "direct": direct, "one_of_two_linked": one_of_two_linked}
    return {"kvm": kvm, "memory_mb": memory, "seconds": seconds}


def _boot(context: Context, machine: qemu.Machine, *, ssh: bool = False, command: str = "") -> dict[str, float]:
    """Returns the seconds of one boot. Sends `command` to QEMU's monitor as soon as it answers."""
    log = context.logfile("bench-boot")
    log.unlink(missing_ok=True)
    with TemporaryDirectory(prefix="alchemy-bench-") as folder:
        monitor = Path(folder) / "monitor"
        extra = [*machine.extra, "-monitor", f"unix:{monitor},server=on,wait=off"]
        argv = qemu.argv(replace(machine, serial=f"file:{log}", extra=extra))
        process = context.runner.start(argv, log=context.logfile("bench-qemu"))
        started = time.monotonic()
        try:
            if command:
                _until(started, lambda: _tell(monitor, command))
            figures = {"hand_over": _until(started, lambda: _HAND_OVER in _read(log))}
            if ssh:
                figures["ssh"] = _until(started, lambda: qemu.ssh_answers(machine.ssh_port or 0))
        finally:
            process.kill()
            process.wait()
    return figures


def _tell(monitor: Path, command: str) -> bool:
    """Sends a command to QEMU's monitor; returns whether QEMU took it, after which it closes the connection."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(monitor))
            connection.sendall(f"{command}\n".encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    except OSError:
        return False
    return True


def _until(started: float, happened: Callable[[], bool]) -> float:
    """Waits until `happened`; returns the seconds since `started`. Raises BuildError after five minutes."""
    while time.monotonic() < started + _PATIENCE:
        if happened():
            return round(time.monotonic() - started, 1)
        time.sleep(0.1)
    raise BuildError(f"bin/: the image did not boot within {_PATIENCE} s", hint="./run boot.qemu")


def _read(log: Path) -> bytes:
    return log.read_bytes() if log.exists() else b""
