"""The image's kernel, where ebuilds look for a kernel: in KERNEL_DIR.

linux-info.eclass reads VERSION and PATCHLEVEL of the Makefile there, and the .config beside it; linux-mod-r1.eclass
compiles modules against the headers and symbols there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alchemy.config.arch import ARCH
from alchemy.config.values import MODULES_FRAGMENT
from alchemy.context import Context
from alchemy.host import files

# where the host's kernel shows its own, which an ebuild would take for the image's
_HOSTS = "/proc/config.gz"

_FOLDER = "/mnt/kernel"
_SYMBOL = re.compile(r"# (?P<unset>CONFIG_\w+) is not set|(?P<name>CONFIG_\w+)=")
_SERIES = re.compile(r"(?P<version>\d+)\.(?P<patchlevel>\d+)")


@dataclass(frozen=True)
class Shown:
    """What a chroot needs so that ebuilds find a kernel: read-only mounts, and variables."""

    ro_binds: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


# ebuilds find no kernel
NONE = Shown()


def paths(context: Context) -> list[Path]:
    """Returns the files that configure the kernel: a later one wins."""
    config, folder = context.config, context.root / "kernels" / ARCH.name
    # a fragment of the user's may make a driver a module
    names = [*([MODULES_FRAGMENT] if config.kernel_modules else []), *config.kernel_fragments]
    return [folder / config.kernel_conf, *(folder / "fragments" / name for name in names)]


def hidden() -> dict[str, Path]:
    """Returns what has to be mounted in a chroot so that nothing there sees the configuration of the host's kernel."""
    return {_HOSTS: Path("/dev/null")} if Path(_HOSTS).exists() else {}


def built(build_tree: Path) -> Shown:
    """Shows ebuilds the build tree of a kernel that was compiled: for modules."""
    return Shown({_FOLDER: build_tree}, {"KERNEL_DIR": _FOLDER})


def requested(context: Context) -> Shown:
    """Shows ebuilds a source tree with the configuration of the image's kernel.

    It has what is requested, not what the kernel's own rules add. A configuration that is not named after a kernel
    series has no version to tell, and is not shown.
    """
    series = _SERIES.match(context.config.kernel_conf)
    if series is None:
        return NONE
    tree = context.work / "kernel-config"
    files.remove(tree)
    tree.mkdir(parents=True)
    (tree / ".config").write_text(_merged(paths(context)), encoding="utf-8")
    makefile = f"VERSION = {series['version']}\nPATCHLEVEL = {series['patchlevel']}\nSUBLEVEL = 0\nEXTRAVERSION =\n"
    (tree / "Makefile").write_text(makefile, encoding="utf-8")
    return Shown({_FOLDER: tree}, {"KERNEL_DIR": _FOLDER})


def _merged(configs: list[Path]) -> str:
    """Returns one line for each symbol of the configurations, by their names."""
    lines: dict[str, str] = {}
    for line in (line for path in configs for line in files.text(path).splitlines()):
        match = _SYMBOL.match(line)
        if match is not None:
            unset = match["unset"] is not None
            lines[match["unset"] or match["name"]] = line if unset else line.partition(" #")[0].rstrip()
    return "".join(f"{lines[name]}\n" for name in sorted(lines))
