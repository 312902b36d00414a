"""What a kernel drives, read from a modules.alias (see alias_file), and which of its drivers a function gets."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alchemy.errors import UserError
from alchemy.parts.hardware.functions import Fields, Function

_LARGEST = 16 << 20

_LINE = re.compile(
    r"alias (?P<alias>\S+) (?P<driver>\w+)|# kernel (?P<release>\S+)|# driver (?P<built>\w+) (?P<symbol>\w+)"
    r"|# firmware (?P<needs>\w+) (?P<file>\S+)|#.*|"
)
# Drivers that bind to an InfiniBand port, each with the one that makes an interface of it, by way of an auxiliary bus.
INTERFACES = {"mlx4_core": "mlx4_ib", "mlx5_core": "mlx5_ib"}

_COMMENTS = ("# driver ", "# firmware ")
_PCI = re.compile(r"pci:v(\w+|\*)d(\w+|\*)sv(\w+|\*)sd(\w+|\*)bc(\w\w|\*)sc(\w\w|\*)i(\w\w|\*)\**")
_USB = re.compile(
    r"usb:v(\w{4}|\*)p(\w{4}|\*)d\*dc(\w\w|\*)dsc(\w\w|\*)dp(\w\w|\*)ic(\w\w|\*)isc(\w\w|\*)ip(\w\w|\*)in(\w\w|\*)\**"
)

# Fields of a function that a dump may leave open, at their place in Function.fields: any pattern may then match.
_OPEN = (2, 3, 6)
# drives any controller of its class, and any of Intel's, but only with all_generic_ide=1 on the kernel's command line
_ON_DEMAND = "ata_generic"

# drivers by the names that they had before other drivers took their devices over
_RENAMED = {"cciss": "hpsa", "i40evf": "iavf", "mpt2sas": "mpt3sas"}


@dataclass(frozen=True)
class Kernel:
    """The drivers of a kernel: their patterns by bus, vendor and device; their Kconfig symbols and firmware."""

    release: str = ""
    patterns: Mapping[tuple[str, int | None, int | None], tuple[tuple[Fields, str], ...]] = field(default_factory=dict)
    symbols: Mapping[str, str] = field(default_factory=dict)
    firmware: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def drivers(self) -> frozenset[str]:
        """The names of all drivers that match a device."""
        return frozenset(driver for found in self.patterns.values() for _, driver in found)

    def only(self, drivers: Collection[str]) -> Kernel:
        """Returns the kernel as it would be with these drivers alone."""
        patterns = {key: tuple(item for item in found if item[1] in drivers) for key, found in self.patterns.items()}
        return dataclasses.replace(
            self,
            patterns={key: found for key, found in patterns.items() if found},
            symbols={driver: symbol for driver, symbol in self.symbols.items() if driver in drivers},
        )

    def driver(self, function: Function) -> str | None:
        """Returns the driver that a function gets; None when there is none.

        Of several it is the one bound in the dump, else the one whose pattern says most.
        """
        bound = (function.driver or "").replace("-", "_")
        bound = _RENAMED.get(bound, bound)
        vendor, device = function.fields[:2]
        if vendor is None and bound in self.drivers:
            # a dump without ids still names the driver
            return bound
        keys = {(vendor, device), (vendor, None), (None, None)}
        matching = [
            (driver == bound, pattern[1] is not None, sum(value is not None for value in pattern), driver)
            for key in keys
            for pattern, driver in self.patterns.get((function.bus, *key), ())
            if _matches(pattern, function.fields)
        ]
        return max(matching)[3] if matching else None


def read(path: Path) -> Kernel:
    """Reads a modules.alias. Raises UserError for another file, and for one that names no PCI device."""
    if not path.is_file():
        raise UserError(f"{path}: no such file", hint="./run build.all")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise UserError(f"{path}: too large (expected at most {_LARGEST >> 20} MB)")
    return parse(content.decode(errors="replace"), str(path))


def parse(text: str, name: str) -> Kernel:
    """Returns the kernel of a modules.alias; `name` is that of its file. Raises UserError as `read` does."""
    release, symbols = "", {}
    firmware: dict[str, list[str]] = {}
    patterns: dict[tuple[str, int | None, int | None], list[tuple[Fields, str]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(f"{name}:{number}: not a line of a modules.alias", hint="./run build.all")
        release = match["release"] or release
        if match["built"]:
            symbols[match["built"]] = match["symbol"]
        if match["needs"]:
            firmware.setdefault(match["needs"], []).append(match["file"])
        for bus, pattern in _patterns(match["alias"] or ""):
            if match["driver"] != _ON_DEMAND or pattern[1] is not None:
                patterns.setdefault((bus, pattern[0], pattern[1]), []).append((pattern, match["driver"]))
    if not any(bus == "pci" for bus, _, _ in patterns):
        raise UserError(f"{name}: names no PCI device", hint="./run build.all")
    return Kernel(
        release,
        {key: tuple(found) for key, found in patterns.items()},
        symbols,
        {driver: tuple(files) for driver, files in firmware.items()},
    )


def compact(text: str, functions: Iterable[Function]) -> str:
    """Returns the lines of a modules.alias that match one of the functions, with the comments on their drivers."""
    known = {(function.bus, function.fields) for function in functions}
    kept = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        patterns = list(_patterns(match["alias"] or "")) if match else []
        if any(bus == own and _matches(pattern, fields) for bus, pattern in patterns for own, fields in known):
            kept.append(line)
    drivers = {line.split()[2] for line in kept} | set(INTERFACES.values())
    comments = [line for line in text.splitlines() if line.startswith(_COMMENTS) and line.split()[2] in drivers]
    return "".join(f"{line}\n" for line in [*comments, *kept])


def _patterns(alias: str) -> Iterator[tuple[str, Fields]]:
    match = _PCI.fullmatch(alias)
    if match:
        yield "pci", tuple(_number(value) for value in match.groups())
    match = _USB.fullmatch(alias)
    # a pattern for a whole device says nothing of an interface
    if match and match.group(3, 4, 5) == ("*", "*", "*"):
        vendor, device, base, sub, interface = (_number(match[at]) for at in (1, 2, 6, 7, 8))
        yield "usb", (vendor, device, None, None, base, sub, interface)


def _number(value: str) -> int | None:
    return None if value == "*" else int(value, 16)


def _matches(pattern: Fields, fields: Fields) -> bool:
    return all(
        wanted is None or wanted == value or (value is None and at in _OPEN)
        for at, (wanted, value) in enumerate(zip(pattern, fields, strict=True))
    )
