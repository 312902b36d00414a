"""Judges the functions of a machine: which driver of the image each gets, and what would drive one that gets none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from alchemy.parts.hardware.dumps import Dump
from alchemy.parts.hardware.functions import Function
from alchemy.parts.hardware.kernel import INTERFACES, Kernel

# the roles in the order in which they are shown, and those without which a machine is of no use to the image
_ROLES = ("NIC", "storage", "BMC", "other")
NEEDED = ("NIC", "storage")

# PCI's base class and subclass of an InfiniBand controller
_INFINIBAND = (0x02, 0x07)


@dataclass(frozen=True)
class Image:
    """What judges: the kernel of an image and the firmware that is missing in it, and kernels that drive more.

    `elsewhere` has a phrase for each of the others, such as `kernel_fragments: [fc]`.
    """

    kernel: Kernel
    missing_firmware: Collection[str] = ()
    elsewhere: Sequence[tuple[str, Kernel]] = ()


@dataclass(frozen=True)
class Verdict:
    """The driver of a function. `remedy` says what would drive one without, `no_interface` what an InfiniBand port
    needs to be more than bound."""

    function: Function
    driver: str | None
    symbol: str | None = None
    missing_firmware: tuple[str, ...] = ()
    remedy: str = ""
    no_interface: str = ""

    @property
    def fails(self) -> bool:
        """Whether a NIC or a storage controller is without a driver."""
        return self.driver is None and self.function.role in NEEDED

    @property
    def text(self) -> str:
        """One line about the function."""
        if self.driver is None:
            what = f"not driven: {self.remedy}" if self.remedy else "not driven"
        else:
            what = self.driver + (f" (CONFIG_{self.symbol})" if self.symbol else "")
        if self.missing_firmware:
            what += f", firmware missing: {' '.join(self.missing_firmware)}"
        if self.no_interface:
            what += f", no interface: {self.no_interface}"
        function = self.function
        return (
            f"{function.address or '-':12}  {function.identity}  {function.role:7}  {what:40}  {function.name}".rstrip()
        )

    @property
    def record(self) -> dict[str, object]:
        """The same as a value for JSON."""
        function = self.function
        return {
            "address": function.address,
            "id": function.identity,
            "bus": function.bus,
            "role": function.role,
            "name": function.name,
            "driven": self.driver is not None,
            "driver": self.driver,
            "symbol": self.symbol,
            "missing_firmware": list(self.missing_firmware),
            "remedy": self.remedy,
            "no_interface": self.no_interface,
        }


@dataclass(frozen=True)
class Report:
    """The verdicts on a machine, the important ones first."""

    dump: Dump
    verdicts: tuple[Verdict, ...] = field(default=())

    @property
    def failing(self) -> tuple[Verdict, ...]:
        """The verdicts on NICs and storage controllers that are not driven."""
        return tuple(verdict for verdict in self.verdicts if verdict.fails)

    @property
    def text(self) -> str:
        """A heading, a line for each function, and a summary."""
        counts = [
            f"{self._driven(role)} of {self._all(role)} {name} driven" for role, name in _NAMES if self._all(role)
        ]
        lines = [f"{self.dump.name} ({self.dump.format})", *(f"  {verdict.text}" for verdict in self.verdicts)]
        return "\n".join([*lines, f"  {', '.join(counts)}", ""])

    def _all(self, role: str) -> int:
        return sum(verdict.function.role == role for verdict in self.verdicts)

    def _driven(self, role: str) -> int:
        return sum(verdict.function.role == role and verdict.driver is not None for verdict in self.verdicts)


_NAMES = (("NIC", "NICs"), ("storage", "storage controllers"), ("BMC", "BMC functions"), ("other", "other functions"))


def report(dump: Dump, image: Image) -> Report:
    """Returns the verdicts on all functions of a dump."""
    verdicts = [judge(function, image) for function in dump.functions]
    return Report(dump, tuple(sorted(verdicts, key=lambda verdict: _ROLES.index(verdict.function.role))))


def judge(function: Function, image: Image) -> Verdict:
    """Returns the verdict on a function."""
    driver = image.kernel.driver(function)
    if driver is None:
        return Verdict(function, None, remedy=_remedy(function, image) if function.role != "other" else "")
    files = image.kernel.firmware.get(driver, ())
    missing = tuple(name for name in files if name in image.missing_firmware)
    return Verdict(
        function, driver, image.kernel.symbols.get(driver), missing, no_interface=_no_interface(function, driver, image)
    )


def _no_interface(function: Function, driver: str, image: Image) -> str:
    needed = INTERFACES.get(driver)
    if function.fields[4:6] != _INFINIBAND or needed is None or needed in image.kernel.symbols:
        return ""
    places = [phrase for phrase, kernel in image.elsewhere if needed in kernel.symbols]
    return f"{needed} is in {places[0]}" if places else f"{needed} is not in the image"


def _remedy(function: Function, image: Image) -> str:
    if function.fields[0] is None:
        return "the dump has no ids, and names no driver of the image (lshw -numeric prints ids)"
    return next(_others(function, image), "no known driver; see kernels/README.md")


def _others(function: Function, image: Image) -> Iterator[str]:
    for phrase, kernel in image.elsewhere:
        driver = kernel.driver(function)
        if driver:
            symbol = kernel.symbols.get(driver)
            yield f"{driver}{f' (CONFIG_{symbol})' if symbol else ''} is in {phrase}"
