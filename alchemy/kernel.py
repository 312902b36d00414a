"""The kernel: its configuration, and the image built of its source in the chroot."""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from alchemy import archive, stage3
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.stage import Stage

IMAGE = "bzImage"
RELEASE = "release"
MODINFO = "modules.builtin.modinfo"

# where the ramdisk is that goes inside, and how. What of it can be compressed is: neither that nor its cpio is packed
# again, though the kernel's own compression passes over all.
_RAMFS = "/mnt/initramfs.cpio"
_EMBEDDED = {"INITRAMFS_SOURCE": f'"{_RAMFS}"', "INITRAMFS_COMPRESSION_NONE": "y"}

_SYMBOL = re.compile(r"# CONFIG_(?P<unset>\w+) is not set|CONFIG_(?P<name>\w+)=(?P<value>.+)")


def stage(context: Context, source: Stage, tools: Stage) -> Stage:
    """The stage that yields the kernel image, its final configuration and its release."""
    return Stage(
        name="kernel",
        store=context.cache / "stages",
        inputs={
            "kernel_conf": archive.digest(*_configs(context)),
            "version": context.version,
            "epoch": str(context.epoch),
            "script": archive.digest(Path(__file__)),
        },
        needs=(tools, source),
        build=lambda output: _build(context, source, tools, output),
    )


def embedded_stage(context: Context, source: Stage, tools: Stage, compiled: Stage, disk: Stage, ramfs: str) -> Stage:
    """The stage that yields the same with a ramdisk inside: the file `ramfs` of the output of `disk`.

    The objects of the `compiled` kernel are linked anew, and only those that know of the ramdisk are compiled.
    """
    return Stage(
        name="embedded",
        store=compiled.store,
        inputs=compiled.inputs,
        needs=(tools, source, compiled, disk),
        build=lambda output: _build(context, source, tools, output, disk.output / ramfs),
    )


def _configs(context: Context) -> list[Path]:
    folder = context.root / "kernels"
    fragments = [folder / "fragments" / name for name in context.config.kernel_fragments]
    return [folder / context.config.kernel_conf, *fragments]


def _build(context: Context, source: Stage, tools: Stage, output: Path, ramfs: Path | None = None) -> None:
    name = "embedded" if ramfs else "kernel"
    log = context.logfile(name)
    tree = _unpacked(context, source, log)
    requested = read_config(_configs(context)) | (_EMBEDDED if ramfs else {})
    ccache = context.cache / "ccache"
    ccache.mkdir(exist_ok=True)
    chroot = dataclasses.replace(
        stage3.tools(tools),
        binds={"/mnt/linux": tree, "/mnt/ccache": ccache},
        ro_binds={_RAMFS: ramfs} if ramfs else {},
        env={
            "CCACHE_DIR": "/mnt/ccache",
            "CCACHE_BASEDIR": "/mnt/linux",
            "CCACHE_COMPILERCHECK": "content",
            "KCONFIG_ALLCONFIG": "/mnt/linux/.config.requested",
            "KBUILD_BUILD_TIMESTAMP": time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(context.epoch)),
            "KBUILD_BUILD_VERSION": "1",
            "KBUILD_BUILD_USER": "alchemy",
            "KBUILD_BUILD_HOST": "alchemy",
            "LOCALVERSION": f"-alchemy-{context.version}",
        },
    )
    (tree / ".config.requested").write_text("".join(f"{line(*item)}\n" for item in requested.items()), encoding="ascii")
    if ramfs:
        # make would keep the copy of another ramdisk, if that was made later than this one
        (tree / "usr" / "initramfs_inc_data").unlink(missing_ok=True)
    with context.log.step(f"{name}: configuring"):
        _make(context, chroot, "allnoconfig", log)
        check(requested, read_config([tree / ".config"]), _configs(context))
    with context.log.step(f"{name}: {'linking' if ramfs else 'compiling'}"):
        _make(context, chroot, IMAGE, log)
    shutil.copy(tree / "arch/x86/boot" / IMAGE, output / IMAGE)
    shutil.copy(tree / ".config", output / "config")
    shutil.copy(tree / "include/config/kernel.release", output / RELEASE)
    shutil.copy(tree / MODINFO, output)


def _make(context: Context, chroot: Chroot, target: str, log: Path) -> None:
    command = ["make", "-C", "/mnt/linux", f"-j{context.config.jobs}", "CC=ccache gcc", target]
    context.runner.run(chroot.argv(command), log=log, what=f"kernel: make {target}")


def _unpacked(context: Context, source: Stage, log: Path) -> Path:
    """The source tree, kept between builds, so that a new version string compiles next to nothing."""
    tree = context.work / "kernel" / source.output.name
    identity = tree / ".alchemy-source"
    if identity.exists() and identity.read_text(encoding="ascii") == source.identity:
        return tree
    archive.remove(tree.parent)
    tarball = next(source.output.glob("*.tar.*"))
    with context.log.step(f"kernel: unpacking {tarball.name}"), archive.complete(tree) as folder:
        context.runner.run(
            ["tar", "--extract", "--strip-components=1", "--no-same-owner", "--directory", folder, "--file", tarball],
            log=log,
            what=f"unpacking {tarball.name}",
        )
        (folder / identity.name).write_text(source.identity or "", encoding="ascii")
    return tree


def read_config(paths: Iterable[Path]) -> dict[str, str]:
    """The symbols of kernel configuration files with their values, `n` for one that is not set; a later file wins.

    The format is Kconfig's .config. Raises UserError for a line that is none of it.
    """
    values: dict[str, str] = {}
    for path in paths:
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = _SYMBOL.fullmatch(text.strip())
            if match:
                values[match["name"] or match["unset"]] = match["value"] or "n"
            elif text.strip() and not text.strip().startswith("#"):
                raise UserError(f"{path}:{number}: not a line of a kernel configuration: {text}")
    return values


def line(name: str, value: str) -> str:
    """A symbol as a line of a .config."""
    return f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"


def check(requested: Mapping[str, str], final: Mapping[str, str], files: Iterable[Path]) -> None:
    """Raises UserError naming each requested symbol that Kconfig dropped or changed: it does so without a word."""
    lost = [
        f"  {line(name, value)}, but it came out as {final.get(name, 'n')}"
        for name, value in requested.items()
        if final.get(name, "n") != value
    ]
    if lost:
        names = ", ".join(str(path) for path in files)
        raise UserError(
            "\n".join([f"{names}: the kernel cannot be configured like this", *lost]),
            hint="a dependency is missing, or another symbol selects it: see its Kconfig entry",
        )
