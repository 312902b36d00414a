"""Boots bin/ in QEMU over real PXE, with QEMU's own iPXE and its TFTP server."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from alchemy.config.arch import ARCH
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import depends, ovmf
from alchemy.host.ovmf import Firmware
from alchemy.parts.formats import pxe
from alchemy.stages import bundle

_FIRMWARES = ("bios", "uefi")


@dataclass(frozen=True)
class Direct:
    """A kernel and a ramfs that QEMU loads itself, in place of PXE."""

    kernel: Path
    ramfs: Path | None
    cmdline: str


@dataclass(frozen=True)
class Machine:
    """A virtual machine that boots over PXE from the folder `tftp`, or from `direct`.

    `memory` is in MB. QEMU forwards `ssh_port` on the loopback of the host to port 22 of the guest. `uefi` replaces
    QEMU's BIOS. `extra` holds further options of QEMU.
    """

    tftp: Path
    memory: int = 1024
    processors: int = 2
    kvm: bool = False
    ssh_port: int | None = None
    serial: str = "mon:stdio"
    direct: Direct | None = None
    network: bool = True
    uefi: Firmware | None = None
    extra: Sequence[str] = ()


def argv(machine: Machine) -> list[str]:
    """Returns QEMU's command line. The guest sees the host as 10.0.2.2."""
    forward = f",hostfwd=tcp:127.0.0.1:{machine.ssh_port}-:22" if machine.ssh_port else ""
    network = [
        "-netdev", f"user,id=pxe,tftp={machine.tftp},bootfile={pxe.BOOT_SCRIPT}{forward}",
        "-device", "virtio-net-pci,netdev=pxe",
    ]  # fmt: skip
    direct = machine.direct
    ramfs = ["-initrd", direct.ramfs] if direct and direct.ramfs else []
    loaded = ["-kernel", direct.kernel, *ramfs, "-append", direct.cmdline] if direct else []
    return [
        ARCH.qemu, "-nodefaults", "-no-reboot", "-display", "none",
        "-machine", "q35", *(["-accel", "kvm", "-cpu", "host"] if machine.kvm else ["-accel", "tcg", "-cpu", "max"]),
        "-m", str(machine.memory), "-smp", str(machine.processors), "-boot", "n",
        *(_flash(machine.uefi) if machine.uefi else []),
        *(network if machine.network else []),
        *map(str, loaded),
        "-serial", machine.serial,
        *machine.extra,
    ]  # fmt: skip


def _flash(firmware: Firmware) -> list[str]:
    """Returns the options for firmware in flash memory. QEMU writes changed variables to a temporary file."""
    words = []
    for unit, flash, option in ((0, firmware.code, "readonly=on"), (1, firmware.variables, "snapshot=on")):
        # QEMU reads a doubled comma as a comma in the name
        file = str(flash.path).replace(",", ",,")
        words += ["-drive", f"if=pflash,unit={unit},format={flash.format},{option},file={file}"]
    return words


def firmware(name: str) -> Firmware | None:
    """Returns the firmware for `uefi`, or None for `bios`, which is QEMU's own.

    Raises UserError for another name, and when this host has no UEFI firmware.
    """
    if name not in _FIRMWARES:
        raise UserError(f"--firmware: unknown (expected {' or '.join(_FIRMWARES)}, got {name!r})")
    if name == "bios":
        return None
    found = ovmf.find()
    if found is None:
        raise UserError(f"--firmware: UEFI firmware for QEMU is missing on this host\n{depends.report([depends.OVMF])}")
    return found


@contextmanager
def boot_folder(context: Context, cmdline: str) -> Iterator[Path]:
    """Makes a folder to serve by TFTP: bin/, with `cmdline` added to the kernel command line. Removes it at the end.

    Raises UserError when bin/ holds no image, or when an iPXE script cannot hold the command line.
    """
    script = _script(context)
    if "\n" in cmdline:
        raise UserError("--cmdline: contains a newline (expected one line)")
    with TemporaryDirectory(prefix="alchemy-boot-") as name:
        folder = Path(name)
        for path in context.bin.iterdir():
            if path.name != pxe.BOOT_SCRIPT:
                (folder / path.name).symlink_to(path)
        lines = [f"{line} {cmdline}" if line.startswith("kernel ") else line for line in script]
        (folder / pxe.BOOT_SCRIPT).write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield folder


def direct(context: Context, cmdline: str) -> Direct:
    """Returns the kernel and ramfs of bin/, with the command line of boot.ipxe followed by `cmdline`.

    Raises UserError when bin/ holds no image.
    """
    words = next(line for line in _script(context) if line.startswith("kernel ")).split()
    given = [word for word in words[2:] if not word.startswith("initrd=")]
    kernel, *ramfs = (context.bin / name for name in bundle.booted(context))
    return Direct(kernel, ramfs[0] if ramfs else None, " ".join([*given, cmdline]))


def _script(context: Context) -> list[str]:
    path = context.bin / pxe.BOOT_SCRIPT
    if not path.exists():
        raise UserError(f"{context.bin}: no image", hint="./run build.all")
    return path.read_text(encoding="utf-8").splitlines()


def kvm_works(context: Context) -> bool:
    """Returns whether KVM works. /dev/kvm may open and still fail, so this starts a machine."""
    if not Path("/dev/kvm").exists() or shutil.which(ARCH.qemu) is None:
        return False
    probe = ["timeout", "5", ARCH.qemu, "-nodefaults", "-display", "none", "-accel", "kvm", "-cpu", "host",
             "-machine", "q35", "-S", "-monitor", "stdio"]  # fmt: skip
    try:
        context.runner.capture(probe, stdin=b"quit\n")
    except Exception:
        return False
    return True


def boot(context: Context, cmdline: str, memory: int, uefi: Firmware | None) -> int:
    """Boots bin/ with the serial console on the terminal, until Ctrl-A X; returns QEMU's exit status."""
    with boot_folder(context, cmdline) as folder:
        machine = Machine(tftp=folder, memory=memory, kvm=kvm_works(context), uefi=uefi)
        context.log.info("QEMU: the serial console follows; Ctrl-A X quits")
        return context.runner.foreground(argv(machine))


def free_port() -> int:
    """Returns a free TCP port of the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ssh_answers(port: int) -> bool:
    """Returns whether an SSH server answers on a port of the loopback (RFC 4253, section 4.2)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(8).startswith(b"SSH-2.0-")
    except OSError:
        return False
