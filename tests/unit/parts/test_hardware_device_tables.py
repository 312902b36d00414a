"""What a kernel drives, read from its vmlinux and its modules.builtin.modinfo."""

from __future__ import annotations

import io
import struct

import pytest

from alchemy.errors import VerificationError
from alchemy.parts.hardware import alias_file, device_tables, kernel, symbols
from tests.unit.vmlinux import ANY, PREFIX, pci, vmlinux


def usb(flags: int, vendor: int, product: int, *classes: int) -> bytes:
    return struct.pack("<5H7B7xQ", flags, vendor, product, 1, 2, *classes, 0)


TABLES = {
    "a device": (
        "e1000e__pci__e1000_pci_tbl", pci(0x8086, 0x10D3, ANY, ANY, 0, 0),
        ["pci:v00008086d000010D3sv*sd*bc*sc*i*"],
    ),
    "a subsystem": (
        "hpsa__pci__ids", pci(0x103C, 0x323A, 0x103C, 0x3241, 0, 0),
        ["pci:v0000103Cd0000323Asv0000103Csd00003241bc*sc*i*"],
    ),
    "a class": (
        "nvme__pci__nvme_id_table", pci(ANY, ANY, ANY, ANY, 0x010802, 0xFFFFFF),
        ["pci:v*d*sv*sd*bc01sc08i02"],
    ),
    "a class without its interface": (
        "ata_generic__pci__ata", pci(ANY, ANY, ANY, ANY, 0x0101FF, 0xFFFF00), ["pci:v*d*sv*sd*bc01sc01i*"],
    ),
    "a driver that has to be asked for": ("vfio_pci__pci__t", pci(ANY, ANY, ANY, ANY, 0, 0, override=1), []),
    "an interface of USB": (
        "cdc_eem__usb__products", usb(0x380, 0, 0, 0, 0, 0, 2, 0x0C, 7, 0), ["usb:v*p*d*dc*dsc*dp*ic02isc0Cip07in*"],
    ),
    "a device of USB": (
        "r8152__usb__t", usb(0x83, 0x0BDA, 0x8152, 0, 0, 0, 0xFF, 0, 0, 0),
        ["usb:v0BDAp8152d*dc*dsc*dp*icFFisc*ip*in*"],
    ),
    "ACPI": ("ipmi_si__acpi__m", struct.pack("<16sQII", b"IPI0001", 0, 0, 0), ["acpi*:IPI0001:*"]),
    "virtio": ("virtio_net__virtio__id_table", struct.pack("<II", 1, ANY), ["virtio:d00000001v*"]),
    "a kind that is not read": ("skx_edac__x86cpu__ids", b"\x11" * 32, []),
    "a driver with a number": ("i2c_i801__pci__i801_ids", pci(0x8086, 0xA1A3, ANY, ANY, 0, 0),
                               ["pci:v00008086d0000A1A3sv*sd*bc*sc*i*"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_an_entry_of_a_device_table_is_an_alias_of_its_driver(case: str) -> None:
    name, content, aliases = TABLES[case]
    found = device_tables.of_vmlinux(io.BytesIO(vmlinux([(PREFIX + name, content + bytes(40))])))
    assert list(found) == [(alias, name.split("__")[0]) for alias in aliases]


def test_what_follows_the_end_of_a_table_is_not_read() -> None:
    entry = pci(0x8086, 1, ANY, ANY, 0, 0)
    found = device_tables.of_vmlinux(io.BytesIO(vmlinux([(f"{PREFIX}x__pci__t", entry + bytes(40) + entry)])))
    assert len(list(found)) == 1


def test_all_tables_of_a_kernel_are_read() -> None:
    content = pci(0x8086, 1, ANY, ANY, 0, 0) + bytes(40)
    file = io.BytesIO(vmlinux([(f"{PREFIX}a__pci__t", content), (f"{PREFIX}b__pci__t", content)]))
    assert [driver for _, driver in device_tables.of_vmlinux(file)] == ["a", "b"]


COMPLETE = vmlinux([(f"{PREFIX}a__pci__t", pci(0x8086, 1, ANY, ANY, 0, 0))])


@pytest.mark.parametrize("content", [b"", b"no ELF", COMPLETE[:100], COMPLETE[:-70]])
def test_an_incomplete_vmlinux_is_an_error(content: bytes) -> None:
    with pytest.raises(VerificationError, match="vmlinux: "):
        list(device_tables.of_vmlinux(io.BytesIO(content)))


OLD = (
    "#ifdef MODULE\n#define MODULE_DEVICE_TABLE(type, name)\t\\\nextern x\n"
    "#else\n#define MODULE_DEVICE_TABLE(type, name)\n#endif\n"
)


def test_the_header_of_an_older_series_names_the_tables_in_as_many_lines() -> None:
    named = device_tables.named(OLD)
    assert named is not None
    assert named != OLD
    assert named.count("\n") == OLD.count("\n")
    assert named.startswith("#ifdef MODULE\n#define MODULE_DEVICE_TABLE(type, name)\t\\\nextern x\n")
    assert "__KBUILD_MODNAME" in named


def test_a_header_that_names_the_tables_stays_as_it_is() -> None:
    named = device_tables.named(OLD)
    assert named is not None
    assert device_tables.named(named) == named
    assert device_tables.named("#define MODULE_DEVICE_TABLE(type, name) static typeof(name) x\n") is None


MODINFO = (
    b"igb.alias=pci:v00008086d00001533sv*sd*bc*sc*i*\0igb.license=GPL\0ext4.alias=fs-ext4\0"
    b"bnx2.firmware=bnx2/bnx2-mips-09-6.2.1b.fw\0bnx2.alias=pci:v000014E4d00001639sv*sd*bc*sc*i*\0"
    b"x.firmware=a file\0lost.firmware=lost.fw\0"
)


def test_a_later_series_lists_the_aliases_itself() -> None:
    assert list(device_tables.of_modinfo(MODINFO)) == [
        ("pci:v00008086d00001533sv*sd*bc*sc*i*", "igb"),
        ("pci:v000014E4d00001639sv*sd*bc*sc*i*", "bnx2"),
    ]


def test_the_file_has_aliases_symbols_and_firmware_and_is_read_back() -> None:
    aliases = list(device_tables.of_modinfo(MODINFO))
    text = alias_file.text("6.18.1", [*aliases, *aliases], {"igb": "IGB", "ext4": "EXT4_FS"}, MODINFO)
    assert text == (
        "# kernel 6.18.1\n"
        "# driver ext4 EXT4_FS\n"
        "# driver igb IGB\n"
        "# firmware bnx2 bnx2/bnx2-mips-09-6.2.1b.fw\n"
        "alias pci:v000014E4d00001639sv*sd*bc*sc*i* bnx2\n"
        "alias pci:v00008086d00001533sv*sd*bc*sc*i* igb\n"
    )
    found = kernel.parse(text, "modules.alias")
    assert found.release == "6.18.1"
    assert sorted(found.drivers) == ["bnx2", "igb"]
    assert found.symbols == {"ext4": "EXT4_FS", "igb": "IGB"}
    assert found.firmware == {"bnx2": ("bnx2/bnx2-mips-09-6.2.1b.fw",)}


MAKEFILES = {
    "drivers/net/ethernet/intel/igb": "obj-$(CONFIG_IGB) += igb.o\nigb-y := igb_main.o\n",
    "drivers/ata": "obj-$(CONFIG_ATA)\t\t+= libata.o\nobj-$(CONFIG_SATA_AHCI)\t+= ahci.o \\\n\tlibahci.o\n",
    "drivers/usb/host": "obj-$(CONFIG_USB_XHCI_PCI)\t+= xhci-pci.o\n",
}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("kernel/drivers/net/ethernet/intel/igb/igb.ko", {"igb": "IGB"}),
        ("kernel/drivers/ata/ahci.ko", {"ahci": "SATA_AHCI"}),
        ("kernel/drivers/ata/libahci.ko", {"libahci": "SATA_AHCI"}),
        ("kernel/drivers/usb/host/xhci-pci.ko", {"xhci_pci": "USB_XHCI_PCI"}),
        ("kernel/drivers/ata/other.ko", {}),
        ("kernel/fs/nowhere/nowhere.ko", {}),
    ],
)
def test_the_symbol_of_a_driver_is_found_in_its_makefile(line: str, found: dict[str, str]) -> None:
    assert symbols.of_drivers(f"{line}\n", lambda folder: MAKEFILES.get(folder, "")) == found
