"""The parts of a machine that a technician can pull, by the names that the kernel and the BMC use for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alchemy_node.inventory.memory_map import MemoryMap
from alchemy_node.text import printable

# so many DIMMs of one range are named with their serial numbers
_MOST_NAMED = 4


@dataclass(frozen=True)
class Part:
    """A part. `id` is the record's hardwareInfoId, None for a part that the inventory does not have."""

    name: str
    serial: str | None = None
    id: str | None = None

    def __str__(self) -> str:
        name = printable(self.name)
        return f"{name}, serial {printable(self.serial)}" if self.serial else name


@dataclass(frozen=True)
class Parts:
    """The parts of a machine.

    `known` has them by kind and kernel's name: ("disk", "sda"), ("nic", "eth0"), ("pci", "0000:00:03.0"),
    ("dimm", locator), ("cpu", package number as text), ("bmc", ""), ("board", ""). `addresses` tells which DIMMs hold
    a physical address, and `numbered` has those by DMI's numbers.
    """

    known: Mapping[tuple[str, str], Part] = field(default_factory=dict)
    addresses: MemoryMap = field(default_factory=MemoryMap)
    numbered: Mapping[int, Part] = field(default_factory=dict)

    def find(self, kind: str, name: str = "") -> Part:
        """Returns the part; one without serial or id where the inventory has none."""
        found = self.known.get((kind, name))
        return found if found is not None else Part(f"{_WORDS.get(kind, kind)} {printable(name)}".strip())

    def all(self, kind: str) -> list[Part]:
        """Returns all parts of a kind, in the order of the inventory."""
        return [part for (its, _), part in self.known.items() if its == kind]

    def dimm(self, text: str) -> Part:
        """Returns the DIMM whose locator a text ends with or holds; else the only one; else what the text says."""
        locators = {name: part for (kind, name), part in self.known.items() if kind == "dimm"}
        if text in locators:
            return locators[text]
        if len(locators) == 1:
            return next(iter(locators.values()))
        words = set(text.replace("/", " ").replace(":", " ").split())
        held = [part for name, part in locators.items() if name in words]
        return held[0] if len(held) == 1 else Part(f"DIMM {printable(text)}" if text else "a DIMM")

    def located(self, address: int, size: int = 1) -> Part | None:
        """Returns the DIMM that holds a physical address, known to `size` bytes.

        That is a phrase for several that share the range, and None where the address tells nothing.
        """
        numbers = self.addresses.at(address, size)
        dimms = [part for number, part in self.numbered.items() if number in numbers]
        if not dimms or len(dimms) < len(numbers) or (len(dimms) == len(self.numbered) > 1):
            return None
        if len(dimms) == 1:
            return dimms[0]
        what = "interleaved DIMMs" if self.addresses.interleaved else "DIMMs of one array"
        names = candidates(dimms) if len(dimms) <= _MOST_NAMED else ", ".join(printable(dimm.name) for dimm in dimms)
        return Part(f"one of {len(dimms)} {what} ({names})")


_WORDS = {"cpu": "CPU", "nic": "NIC", "pci": "PCI device", "dimm": "DIMM", "bmc": "BMC", "board": "mainboard"}


def candidates(parts: Iterable[Part]) -> str:
    """Returns the parts of which one is broken, as a phrase."""
    return " or ".join(str(part) for part in parts)
