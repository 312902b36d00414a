"""What an output format makes its files of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alchemy.parts.parameters import Parameter


@dataclass(frozen=True)
class Parts:
    """The parts of a bundle: a kernel, and a ramfs unless that is inside the kernel, each with its name in bin/.

    `boot_script` is the template of the iPXE script, `parameters` are the boot parameters that it documents.
    """

    version: str
    kernel: Path
    kernel_name: str
    ramfs: Path | None
    ramfs_name: str
    boot_script: Path
    parameters: Sequence[Parameter]


# A format writes files into an empty folder, and returns their names in the order in which manifest.json lists them.
Format = Callable[[Parts, Path], list[str]]
