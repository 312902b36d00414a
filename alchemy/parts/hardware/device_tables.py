"""Reads which devices the drivers of a kernel match, from the kernel itself.

Since series 6.18 a kernel lists the aliases of its built-in drivers in modules.builtin.modinfo. An older one drops the
names of the tables of built-in drivers: `named` changes a line of its include/linux/module.h, so that each table has a
symbol in vmlinux, and the tables are read there.

The tables are arrays of the structures of include/linux/mod_devicetable.h, and an alias is made of an entry as in
scripts/mod/file2alias.c. The revision of a USB device is left out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from alchemy.errors import VerificationError

# the file of a kernel's source that defines MODULE_DEVICE_TABLE
HEADER = "include/linux/module.h"

# the definition for built-in drivers before series 6.18
_DROPPED = "#define MODULE_DEVICE_TABLE(type, name)\n"
# The same number of lines: only files with a table are compiled again. Static, because tables of several drivers have
# the same name; __KBUILD_MODNAME is kmod_DRIVER.
_NAMED = (
    "#define MODULE_DEVICE_TABLE(type, name) static typeof(name) __PASTE(__mod_device_table__, "
    "__PASTE(__KBUILD_MODNAME, __PASTE(__##type##__, name))) __attribute__((used, alias(__stringify(name))))\n"
)

_SYMBOL = re.compile(r"__mod_device_table__kmod_(?P<driver>\w+?)__(?P<kind>pci|usb|acpi|virtio)__\w+")
_WORD = re.compile(r"[!-~]+")
_KNOWN = ("pci:", "usb:", "acpi", "virtio:")

_ELF_SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
_MALFORMED = (ELFError, AttributeError, LookupError, OSError, TypeError, ValueError, struct.error)

_ANY = 0xFFFFFFFF


def named(header: str) -> str | None:
    """Returns the text of HEADER that names the tables of built-in drivers; None for a series that needs no change."""
    return header.replace(_DROPPED, _NAMED) if _DROPPED in header else header if _NAMED in header else None


def of_modinfo(modinfo: bytes) -> Iterator[tuple[str, str]]:
    """Yields (alias, driver) of a modules.builtin.modinfo: NUL-terminated entries `DRIVER.alias=ALIAS`.

    Whatever a module of a package says there, an alias is one printable word.
    """
    for entry in modinfo.decode("ascii", errors="replace").split("\0"):
        driver, found, alias = entry.partition(".alias=")
        if found and alias.startswith(_KNOWN) and _WORD.fullmatch(alias):
            yield alias, driver


def of_vmlinux(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """Yields (alias, driver) of the tables in a vmlinux that was compiled with the header of `named`.

    Raises VerificationError when the file is not a complete ELF file of 64 bits.
    """
    try:
        elf = ELFFile(file)
        symbols, strings = (_section(elf, name) for name in (".symtab", ".strtab"))
        sections: dict[int, tuple[int, bytes]] = {}
        for name_at, _, _, section, address, size in _ELF_SYMBOL.iter_unpack(symbols):
            if not strings.startswith(b"__mod_device_table__", name_at):
                continue
            match = _SYMBOL.fullmatch(strings[name_at : strings.index(b"\0", name_at)].decode())
            if match is None:
                continue
            if section not in sections:
                found = elf.get_section(section)
                sections[section] = (found["sh_addr"], found.data())
            start, data = sections[section]
            table = data[address - start : address - start + size]
            yield from ((alias, match["driver"]) for alias in _KINDS[match["kind"]](table))
    except _MALFORMED as error:
        raise VerificationError(f"vmlinux: not a complete ELF file ({error})") from error


def _section(elf: ELFFile, name: str) -> bytes:
    found = elf.get_section_by_name(name)
    if found is None:
        raise VerificationError(f"vmlinux: no section {name}")
    content: bytes = found.data()
    return content


def _pci(table: bytes) -> Iterator[str]:
    """struct pci_device_id. An entry with override_only matches no device by itself."""
    for vendor, device, subvendor, subdevice, number, mask, _, override in _entries("<6IQI4x", table):
        if not (vendor or subvendor or mask):
            return
        if override:
            continue
        ids = _field("v", vendor, 8) + _field("d", device, 8) + _field("sv", subvendor, 8) + _field("sd", subdevice, 8)
        parts = (("bc", 16), ("sc", 8), ("i", 0))
        of_class = (f"{name}{number >> at & 0xFF:02X}" if mask >> at & 0xFF else f"{name}*" for name, at in parts)
        yield f"pci:{ids}{''.join(of_class)}"


def _usb(table: bytes) -> Iterator[str]:
    """struct usb_device_id. A bit of the first field says which of the others count."""
    for flags, vendor, product, _, _, *classes, driver_info in _entries("<5H7B7xQ", table):
        if not (vendor or product or classes[0] or classes[3] or driver_info):
            return
        fields = [("v", vendor, 4, 0x1), ("p", product, 4, 0x2)]
        names = (("dc", 0x10), ("dsc", 0x20), ("dp", 0x40), ("ic", 0x80), ("isc", 0x100), ("ip", 0x200), ("in", 0x400))
        of_class = [(name, value, 2, bit) for (name, bit), value in zip(names, classes, strict=True)]
        ids, rest = ("".join(_flagged(flags, *field) for field in some) for some in (fields, of_class))
        yield f"usb:{ids}d*{rest}"


def _acpi(table: bytes) -> Iterator[str]:
    """struct acpi_device_id: the ID of a device, or the class of a PCI device, which has a PCI driver too."""
    for identity, _, _, _ in _entries("<16sQII", table):
        if not identity.strip(b"\0"):
            return
        yield f"acpi*:{identity.partition(bytes(1))[0].decode('ascii')}:*"


def _virtio(table: bytes) -> Iterator[str]:
    """struct virtio_device_id."""
    for device, vendor in _entries("<II", table):
        if not device:
            return
        yield f"virtio:{_field('d', device, 8)}{_field('v', vendor, 8)}"


_KINDS: dict[str, Callable[[bytes], Iterator[str]]] = {"pci": _pci, "usb": _usb, "acpi": _acpi, "virtio": _virtio}


def _entries(layout: str, table: bytes) -> Iterator[tuple[Any, ...]]:
    entry = struct.Struct(layout)
    yield from entry.iter_unpack(table[: len(table) // entry.size * entry.size])


def _field(name: str, value: int, digits: int) -> str:
    return f"{name}*" if value == _ANY else f"{name}{value:0{digits}X}"


def _flagged(flags: int, name: str, value: int, digits: int, bit: int) -> str:
    return f"{name}{value:0{digits}X}" if flags & bit else f"{name}*"
