"""Virtual machines that are plugged into a rack's network, with nothing but firmware and an empty disk."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect

from alchemy.host.ovmf import Firmware
from alchemy.testbed import qemu
from alchemy.testbed.qemu import Machine
from tests.boot import guest, lldp
from tests.boot.guest import Guest
from tests.lib import terminals
from tests.rack import lan as lans
from tests.rack.lan import Lan, inside

LOCAL_DISK = "THE LOCAL DISK HAS BOOTED"
# A boot sector at 0:7c00 that writes its text to the first serial port, and stops:
#   cli; xor ax,ax; mov ds,ax; mov si,0x7c16; mov dx,0x3f8; next: lodsb; test al,al; jz end; out dx,al; jmp next;
#   end: hlt; jmp end
_BOOT_SECTOR = bytes.fromhex("fa31c08ed8be167cbaf803ac84c07403eeebf8f4ebfd")
_DISK_BYTES = 64 << 20
# a sector past the boot sector (QEMU's docs/devel/blkdebug)
_FAULT = '[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "20000"\n'


@dataclass(frozen=True)
class Node:
    """A machine. `uefi` replaces the BIOS, `http` has it boot by HTTP; a `broken` disk has a sector that can't be
    read."""

    name: str
    mac: str
    uefi: Firmware | None = None
    http: bool = False
    broken: bool = False
    memory: int = 1024

    @property
    def serial(self) -> str:
        """The serial number of the machine in SMBIOS."""
        return f"SERIAL-{self.name}"

    @property
    def tag(self) -> str:
        """The asset tag of its chassis."""
        return f"TAG-{self.name}"


@contextlib.contextmanager
def running(network: Lan, node: Node, folder: Path, log: Path, *, kvm: bool) -> Iterator[Guest]:
    """Turns a machine on, and off at the end. Its switch port sends LLDP."""
    with (
        lans.tap(network, f"tap-{node.name}") as plug,
        log.open("w", encoding="utf-8", errors="replace") as file,
    ):
        machine = Machine(
            tftp=folder, network=False, memory=node.memory, processors=1, kvm=kvm, uefi=node.uefi,
            extra=_options(node, folder, plug),
        )  # fmt: skip
        # QEMU ends at a reset with this option; a node has to survive one
        argv = [word for word in qemu.argv(machine) if word != "-no-reboot"]
        child: pexpect.spawn[str] = pexpect.spawn(
            "ip", ["netns", "exec", network.rack, "nice", "-n", "5", *argv], encoding="utf-8", codec_errors="replace",
            timeout=guest.BOOT_SECONDS, echo=False,
        )  # fmt: skip
        child.logfile_read = file
        try:
            with _switch_port(network, plug):
                yield Guest(child, log, 0, Path(), "", folder)
        finally:
            terminals.kill(child)


def _options(node: Node, folder: Path, plug: str) -> list[str]:
    disk = folder / f"{node.name}.disk"
    with disk.open("wb") as file:
        file.truncate(_DISK_BYTES)
        file.write((_BOOT_SECTOR + f"\r\n{LOCAL_DISK}\r\n\0".encode()).ljust(510, b"\0") + b"\x55\xaa")
    source = str(disk)
    if node.broken:
        faults = folder / f"{node.name}.blkdebug"
        faults.write_text(_FAULT, encoding="ascii")
        source = f"blkdebug:{faults}:{disk}"
    # SeaBIOS, and the iPXE that it starts, speak on the serial port
    spoken = [] if node.uefi else ["-machine", "graphics=off"]
    # without QEMU's iPXE in the card's ROM, the firmware's own client boots
    rom = ",romfile=" if node.uefi else ""
    # HTTP only, as firmware's setup has it
    without_pxe = ["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=no"] if node.http else []
    return [
        "-netdev", f"tap,id=lan,ifname={plug},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=lan,mac={node.mac},speed=10000,duplex=full{rom}",
        "-drive", f"if=none,id=disk,format=raw,file={source}",
        "-device", f"nvme,drive=disk,serial=DISK-{node.name}",
        "-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc",
        "-device", "virtio-rng-pci",
        "-smbios", f"type=1,manufacturer=Alchemy,product=Test,serial={node.serial}",
        "-smbios", f"type=3,manufacturer=Alchemy,serial=C-{node.name},asset={node.tag}",
        "-smbios", "type=17,loc_pfx=DIMM_A,bank=BANK 0,manufacturer=Alchemy,serial=TEST0001,part=TEST-PART,speed=3200",
        # several minutes of timeouts less
        "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=no",
        *without_pxe, *spoken,
    ]  # fmt: skip


@contextlib.contextmanager
def _switch_port(network: Lan, plug: str) -> Iterator[None]:
    """Sends what a switch says on a port each second."""
    frame = lldp.frame((*lldp.COMPLETE, lldp.PVID))
    over = threading.Event()
    port = inside(network.rack, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    inside(network.rack, lambda: port.bind((plug, 0)))

    def send() -> None:
        while not over.wait(1):
            # a machine that is off has no carrier
            with contextlib.suppress(OSError):
                port.send(frame)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        port.close()
