"""The image on the processors of two decades, and the microcode that its kernel finds for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alchemy.context import Context
from tests.boot import guest

# each series of kernels/x86_64, and the fixture with an image of it
SERIES = {"6.12": "image", "7.3": "newer"}
PROCESSORS = ("qemu64", "Nehalem", "SandyBridge", "Opteron_G3", "Haswell", "max")

# An update for AMD's first EPYC: its type and size, four bytes, and its number, which has the CPU's stepping.
UPDATE = re.compile(rb"\x01\0\0\0\x80\x0c\0\0.{4}(.\x12\0\x08)", re.DOTALL)


def ramfs(context: Context) -> bytes:
    return (context.bin / context.config.ramfs_name).read_bytes()


@pytest.mark.exhaustive
@pytest.mark.parametrize("uefi", [False, True], ids=["BIOS", "UEFI"])
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("series", SERIES)
def test_the_image_boots_over_pxe_on(
    request: pytest.FixtureRequest, key: Path, console_log: Path, series: str, processor: str, *, uefi: bool
) -> None:
    built: Context = request.getfixturevalue(SERIES[series])
    with guest.boot(built, console_log, key, pxe=True, uefi=uefi, extra=["-cpu", processor]) as node:
        node.expect(guest.HAND_OVER, 2 * guest.BOOT_SECONDS)


def test_the_ramfs_begins_with_amds_microcode(image: Context) -> None:
    content = ramfs(image)
    assert content.startswith(b"070701")
    assert content.index(b"kernel/x86/microcode/AuthenticAMD.bin\0") == 110


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("damaged", "message"),
    [(False, "microcode: Updated early from: 0x{:08x}"), (True, "microcode: Patch 0x{:x} SHA256 digest mismatch!")],
    ids=["whole", "damaged"],
)
def test_the_kernel_loads_the_microcode_and_does_not_unpack_it(
    image: Context, key: Path, console_log: Path, tmp_path: Path, damaged: bool, message: str
) -> None:
    content = bytearray(ramfs(image))
    found = UPDATE.search(content)
    assert found is not None
    number = int.from_bytes(found[1], "little")
    if damaged:
        content[found.end() + 1000] ^= 0xFF
    (tmp_path / "ramfs").write_bytes(content)
    # QEMU's CPUs never change their revision: with the number of the update the kernel takes it for loaded. With the
    # bit of hypervisors it would not try.
    cpu = ["-cpu", f"EPYC,-hypervisor,ucode-rev={number:#x}"]
    with guest.boot(image, console_log, key, "shell", ramfs=tmp_path / "ramfs", extra=cpu) as node:
        node.expect(guest.PROMPT)
        node.type("dmesg | grep microcode:; ls -d /kernel || echo not$((0))unpacked")
        node.expect("not0unpacked")
    said = console_log.read_text(encoding="utf-8", errors="replace")
    assert message.format(number) in said
    assert ("digest mismatch" in said) == damaged
