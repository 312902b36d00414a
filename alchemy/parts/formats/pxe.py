"""The files that a node boots over PXE: the kernel, the ramfs, and an iPXE script that starts both."""

from __future__ import annotations

import shutil
from pathlib import Path

from alchemy.host import files
from alchemy.parts.formats.parts import Parts

BOOT_SCRIPT = "boot.ipxe"


def write(parts: Parts, folder: Path) -> list[str]:
    """Writes the files, and returns their names."""
    shutil.copy(parts.kernel, folder / parts.kernel_name)
    names = [parts.kernel_name]
    if parts.ramfs is not None:
        shutil.copy(parts.ramfs, folder / parts.ramfs_name)
        names.append(parts.ramfs_name)
    (folder / BOOT_SCRIPT).write_text(boot_script(parts), encoding="utf-8")
    return [*names, BOOT_SCRIPT]


def boot_script(parts: Parts) -> str:
    """Returns an iPXE script that boots from wherever the script itself was fetched."""
    return files.render(
        parts.boot_script,
        version=parts.version,
        image=parts.kernel_name,
        ramfs=parts.ramfs_name if parts.ramfs is not None else "",
        parameters=parts.parameters,
    )
