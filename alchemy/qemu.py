"""Boots the image in QEMU over real PXE: QEMU's own iPXE, and TFTP from a folder of the host."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from alchemy import image
from alchemy.context import Context
from alchemy.errors import UserError


@dataclass(frozen=True)
class Direct:
    """What QEMU loads by itself, in place of PXE."""

    kernel: Path
    ramfs: Path | None
    cmdline: str


@dataclass(frozen=True)
class Machine:
    """A virtual machine that boots over PXE from the folder `tftp`, or `direct`. `memory` is in MB; `ssh_port` is a
    port of the host's loopback that leads to the guest's 22; `extra` are more options of QEMU."""

    tftp: Path
    memory: int = 1024
    processors: int = 2
    kvm: bool = False
    ssh_port: int | None = None
    serial: str = "mon:stdio"
    direct: Direct | None = None
    network: bool = True
    extra: Sequence[str] = ()


def argv(machine: Machine) -> list[str]:
    """QEMU's command line. To the guest the host is 10.0.2.2."""
    forward = f",hostfwd=tcp:127.0.0.1:{machine.ssh_port}-:22" if machine.ssh_port else ""
    network = [
        "-netdev", f"user,id=pxe,tftp={machine.tftp},bootfile={image.BOOT_SCRIPT}{forward}",
        "-device", "virtio-net-pci,netdev=pxe",
    ]  # fmt: skip
    direct = machine.direct
    ramfs = ["-initrd", direct.ramfs] if direct and direct.ramfs else []
    loaded = ["-kernel", direct.kernel, *ramfs, "-append", direct.cmdline] if direct else []
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none",
        "-machine", "q35", *(["-accel", "kvm", "-cpu", "host"] if machine.kvm else ["-accel", "tcg", "-cpu", "max"]),
        "-m", str(machine.memory), "-smp", str(machine.processors), "-boot", "n",
        *(network if machine.network else []),
        *map(str, loaded),
        "-serial", machine.serial,
        *machine.extra,
    ]  # fmt: skip


@contextmanager
def boot_folder(context: Context, cmdline: str) -> Iterator[Path]:
    """A folder to serve by TFTP: bin/, with `cmdline` added to the kernel's command line. Removed at the end.

    Raises UserError when bin/ holds no image, or the command line cannot be given by iPXE.
    """
    if not (context.bin / image.BOOT_SCRIPT).exists():
        raise UserError(f"{context.bin}: holds no image", hint="invoke build.all builds one")
    if "\n" in cmdline:
        raise UserError("--cmdline: must be one line")
    script = (context.bin / image.BOOT_SCRIPT).read_text(encoding="utf-8").splitlines()
    with TemporaryDirectory(prefix="alchemy-boot-") as name:
        folder = Path(name)
        for path in context.bin.iterdir():
            if path.name != image.BOOT_SCRIPT:
                (folder / path.name).symlink_to(path)
        lines = [f"{line} {cmdline}" if line.startswith("kernel ") else line for line in script]
        (folder / image.BOOT_SCRIPT).write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield folder


def direct(context: Context, cmdline: str) -> Direct:
    """The kernel and the ramdisk of bin/, with the kernel command line of boot.ipxe and `cmdline` behind it."""
    script = (context.bin / image.BOOT_SCRIPT).read_text(encoding="utf-8").splitlines()
    words = next(line for line in script if line.startswith("kernel ")).split()
    given = [word for word in words[2:] if not word.startswith("initrd=")]
    kernel, *ramfs = (context.bin / name for name in image.booted(context))
    return Direct(kernel, ramfs[0] if ramfs else None, " ".join([*given, cmdline]))


def kvm_works(context: Context) -> bool:
    """Whether a machine can be started with KVM: /dev/kvm may open and still not work, so one is started."""
    if not Path("/dev/kvm").exists() or shutil.which("qemu-system-x86_64") is None:
        return False
    probe = ["timeout", "5", "qemu-system-x86_64", "-nodefaults", "-display", "none", "-accel", "kvm", "-cpu", "host",
             "-machine", "q35", "-S", "-monitor", "stdio"]  # fmt: skip
    try:
        context.runner.capture(probe, stdin=b"quit\n")
    except Exception:
        return False
    return True


def boot(context: Context, cmdline: str, memory: int) -> int:
    """Boots bin/ with the serial console on the terminal; returns QEMU's exit status. Ctrl-A X ends it."""
    with boot_folder(context, cmdline) as folder:
        machine = Machine(tftp=folder, memory=memory, kvm=kvm_works(context))
        context.log.info("QEMU: the serial console is here; Ctrl-A X ends it")
        return context.runner.foreground(argv(machine))


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ssh_answers(port: int) -> bool:
    """Whether an SSH server greets at a port of the loopback (RFC 4253, 4.2)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(8).startswith(b"SSH-2.0-")
    except OSError:
        return False
