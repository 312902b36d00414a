"""The files that a node boots over PXE: the kernel, the ramfs, and the scripts that start both."""

from __future__ import annotations

import shutil
from pathlib import Path

from alchemy.host import files
from alchemy.parts.formats.parts import Parts

BOOT_SCRIPT = "boot.ipxe"
GRUB_SCRIPT = "grub.cfg"
PXELINUX_MENU = "pxelinux.cfg/default"
SCRIPTS = (BOOT_SCRIPT, GRUB_SCRIPT, PXELINUX_MENU)

_COMMAND_LINE = "quiet console=tty0 console=ttyS0,115200n8"


def write(parts: Parts, folder: Path) -> list[str]:
    """Writes the files, and returns their names."""
    shutil.copy(parts.kernel, folder / parts.kernel_name)
    names = [parts.kernel_name]
    if parts.ramfs is not None:
        shutil.copy(parts.ramfs, folder / parts.ramfs_name)
        names.append(parts.ramfs_name)
    scripts = {BOOT_SCRIPT: boot_script(parts), GRUB_SCRIPT: _grub(parts), PXELINUX_MENU: _pxelinux(parts)}
    for name, text in scripts.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [*names, *scripts]


def boot_script(parts: Parts) -> str:
    """Returns an iPXE script that boots from wherever the script itself was fetched."""
    return files.render(
        parts.boot_script,
        version=parts.version,
        image=parts.kernel_name,
        ramfs=parts.ramfs_name if parts.ramfs is not None else "",
        command_line=_COMMAND_LINE,
        parameters=parts.parameters,
    )


def _grub(parts: Parts) -> str:
    """Returns a script for GRUB's command configfile, which sets config_directory to the folder of the script."""
    lines = [
        f"# Boots Alchemy Linux {parts.version} from where this file lies; {BOOT_SCRIPT} lists boot parameters.",
        f'linux "$config_directory/{parts.kernel_name}" {_COMMAND_LINE}',
        *([] if parts.ramfs is None else [f'initrd "$config_directory/{parts.ramfs_name}"']),
        "boot",
    ]
    return "".join(f"{line}\n" for line in lines)


def _pxelinux(parts: Parts) -> str:
    """Returns a menu for pxelinux, which looks for the files beside its own program."""
    lines = [
        f"# Boots Alchemy Linux {parts.version} from the folder of pxelinux.0; {BOOT_SCRIPT} lists boot parameters.",
        "DEFAULT alchemy",
        "LABEL alchemy",
        f"  LINUX {parts.kernel_name}",
        *([] if parts.ramfs is None else [f"  INITRD {parts.ramfs_name}"]),
        f"  APPEND {_COMMAND_LINE}",
        "  IPAPPEND 2",
    ]
    return "".join(f"{line}\n" for line in lines)
