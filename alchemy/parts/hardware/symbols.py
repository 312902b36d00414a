"""Finds the Kconfig symbol of each driver, in the Makefiles of a kernel's source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_CONTINUED = re.compile(r"\\\n")
_OBJECTS = re.compile(r"^obj-\$\(CONFIG_(?P<symbol>\w+)\)\s*[+:]?=\s*(?P<objects>.*)$", re.MULTILINE)


def of_drivers(listed: str, makefile: Callable[[str], str]) -> dict[str, str]:
    """Returns the symbol of each driver of a modules.builtin or a modules.order, without CONFIG_.

    The lines of the one are `kernel/FOLDER/DRIVER.ko`, of the other `FOLDER/DRIVER.o`. `makefile` returns the text of a
    folder's Makefile, empty when there is none. A driver whose Makefile does not name it gets no entry.
    """
    return dict(_found(listed, makefile))


def _found(listed: str, makefile: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    objects: dict[str, dict[str, str]] = {}
    for line in listed.split():
        folder, _, file = line.removeprefix("kernel/").rpartition("/")
        if folder not in objects:
            objects[folder] = dict(_objects(makefile(folder)))
        name = file.removesuffix(".ko").removesuffix(".o")
        if name in objects[folder]:
            yield name.replace("-", "_"), objects[folder][name]


def _objects(text: str) -> Iterator[tuple[str, str]]:
    for match in _OBJECTS.finditer(_CONTINUED.sub(" ", text)):
        yield from ((name.removesuffix(".o"), match["symbol"]) for name in match["objects"].split())
