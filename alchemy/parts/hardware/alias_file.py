"""Writes the modules.alias of a kernel: what its drivers match, their Kconfig symbols, and the firmware they load.

It has kmod's lines `alias ALIAS DRIVER`, and before them comments of ours: `# kernel RELEASE`, `# driver DRIVER SYMBOL`
for each driver of the kernel's source, and `# firmware DRIVER FILE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_WORD = re.compile(r"[!-~]+")

# its name in the output of the kernel, and in bin/
NAME = "modules.alias"


def text(release: str, aliases: Iterable[tuple[str, str]], symbols: Mapping[str, str], modinfo: bytes) -> str:
    """Returns the modules.alias of a kernel, from its (alias, driver), its drivers' symbols, and the firmware that its
    modules.builtin.modinfo names."""
    found = sorted(set(aliases))
    drivers = {driver for _, driver in found}
    firmware = sorted(set(_firmware(modinfo)))
    return "".join(
        [
            f"# kernel {release}\n",
            *(f"# driver {driver} {symbol}\n" for driver, symbol in sorted(symbols.items())),
            *(f"# firmware {driver} {name}\n" for driver, name in firmware if driver in drivers),
            *(f"alias {alias} {driver}\n" for alias, driver in found),
        ]
    )


def extended(text: str, aliases: Iterable[tuple[str, str]], modinfo: bytes) -> str:
    """Returns a modules.alias with the (alias, driver) of modules that are not of the kernel's source, and the firmware
    that their `modinfo` names."""
    firmware = [f"# firmware {driver} {name}\n" for driver, name in sorted(set(_firmware(modinfo)))]
    return "".join([text, *firmware, *(f"alias {alias} {driver}\n" for alias, driver in sorted(set(aliases)))])


def _firmware(modinfo: bytes) -> Iterator[tuple[str, str]]:
    for entry in modinfo.decode("ascii", errors="replace").split("\0"):
        driver, found, name = entry.partition(".firmware=")
        if found and _WORD.fullmatch(name):
            yield driver, name
