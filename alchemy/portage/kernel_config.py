"""The configuration of the image's kernel, where ebuilds look for a kernel's: linux-info.eclass reads VERSION and
PATCHLEVEL of the Makefile in KERNEL_DIR, and the .config beside it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from alchemy.config.arch import ARCH
from alchemy.context import Context
from alchemy.host import files
from alchemy.host.chroot import Chroot

# where the host's kernel shows its own, which an ebuild would take for the image's
_HOSTS = "/proc/config.gz"

_FOLDER = "/mnt/kernel"
_SYMBOL = re.compile(r"# (?P<unset>CONFIG_\w+) is not set|(?P<name>CONFIG_\w+)=")
_SERIES = re.compile(r"(?P<version>\d+)\.(?P<patchlevel>\d+)")


def paths(context: Context) -> list[Path]:
    """Returns the files that configure the kernel: a later one wins."""
    folder = context.root / "kernels" / ARCH.name
    fragments = [folder / "fragments" / name for name in context.config.kernel_fragments]
    return [folder / context.config.kernel_conf, *fragments]


def hidden() -> dict[str, Path]:
    """Returns what has to be mounted in a chroot so that nothing there sees the configuration of the host's kernel."""
    return {_HOSTS: Path("/dev/null")} if Path(_HOSTS).exists() else {}


def show(context: Context, inside: Chroot) -> Chroot:
    """Returns the chroot with a source tree in which ebuilds see the configuration of the image's kernel.

    It has what is requested, not what the kernel's own rules add. A configuration that is not named after a kernel
    series has no version to tell, and is not shown.
    """
    series = _SERIES.match(context.config.kernel_conf)
    if series is None:
        return inside
    tree = context.work / "kernel-config"
    files.remove(tree)
    tree.mkdir(parents=True)
    (tree / ".config").write_text(_merged(paths(context)), encoding="utf-8")
    makefile = f"VERSION = {series['version']}\nPATCHLEVEL = {series['patchlevel']}\nSUBLEVEL = 0\nEXTRAVERSION =\n"
    (tree / "Makefile").write_text(makefile, encoding="utf-8")
    binds, env = {**inside.ro_binds, _FOLDER: tree}, {**inside.env, "KERNEL_DIR": _FOLDER}
    return dataclasses.replace(inside, ro_binds=binds, env=env)


def _merged(configs: list[Path]) -> str:
    """Returns one line for each symbol of the configurations, by their names."""
    lines: dict[str, str] = {}
    for line in (line for path in configs for line in files.text(path).splitlines()):
        match = _SYMBOL.match(line)
        if match is not None:
            unset = match["unset"] is not None
            lines[match["unset"] or match["name"]] = line if unset else line.partition(" #")[0].rstrip()
    return "".join(f"{lines[name]}\n" for name in sorted(lines))
