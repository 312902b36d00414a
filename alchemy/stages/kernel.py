"""The kernel: its configuration, and the image and modules that are compiled in the chroot."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from alchemy.config.arch import ARCH
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host import files, tarball
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted
from alchemy.parts import modules
from alchemy.parts.hardware import alias_file, device_tables, symbols
from alchemy.portage import kernel_config, trust
from alchemy.stage import Inputs, Pins, Stage, identity, needed
from alchemy.stages import outputs

NAME = "kernel"

_COMPILER = "ccache gcc"

# Where the ramfs is that goes inside, and how. What of it can be compressed is compressed already: neither that nor its
# cpio is packed again, though the compression of the kernel itself passes over all.
_RAMFS = "/mnt/initramfs.cpio"
_EMBEDDED = {"INITRAMFS_SOURCE": f'"{_RAMFS}"', "INITRAMFS_COMPRESSION_NONE": "y"}

# in a source tree that is compiled: the built-in drivers, and those that are modules, as paths of their objects
_BUILTIN = "modules.builtin"
_ORDER = "modules.order"

# copies what modules of others are compiled against; series before 6.3 lack it
_BUILD_TREE = "scripts/package/install-extmod-build"

# in a source tree that is complete: the identity of the source
_MARKER = ".alchemy-source"

_RELEASE = re.compile(r"\w[\w.+~-]*", re.ASCII)
_SYMBOL = re.compile(r'# CONFIG_(?P<unset>\w+) is not set|CONFIG_(?P<name>\w+)=(?P<value>"(?:[^"\\]|\\.)*"|[^\s"#]+)')


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage:
    """Declares the stage that makes the kernel image, its final configuration, its release, and the aliases of the
    devices that it drives; with kernel_modules also the modules, and what others are compiled against."""
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs=declared(context),
        needs=needed(made, "tools", "linux"),
        build=lambda output, inputs: compile_image(context, NAME, output, inputs),
    )


def declared(context: Context) -> dict[str, str | None]:
    """Returns what decides how the kernel is compiled."""
    return {
        "kernel_conf": files.digest(*kernel_config.paths(context)),
        "kernel_modules": str(context.config.kernel_modules),
        "version": context.version,
        "epoch": str(context.epoch),
    }


def compile_image(context: Context, name: str, output: Path, inputs: Inputs, ramfs: Path | None = None) -> None:
    """Compiles the kernel for the stage `name`, with a ramfs inside where one is given.

    The source tree keeps its objects: then only what depends on the ramfs or the version is compiled again.
    """
    log = context.logfile(name)
    tree = _unpacked(context, name, inputs["linux"], log)
    modular = context.config.kernel_modules and ramfs is None
    configs = kernel_config.paths(context)
    requested = read_config(configs) | (_EMBEDDED if ramfs else {})
    ccache = context.cache / "ccache" / trust.kernel(context)
    ccache.mkdir(parents=True, exist_ok=True)
    # marks its use, for cache.prune
    os.utime(ccache)
    chroot = dataclasses.replace(
        outputs.tools(inputs["tools"]),
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
        # all that it writes to is root's
        capabilities=(),
    )
    made = Rooted(tree)
    made.write_text(".config.requested", "".join(f"{line(*item)}\n" for item in requested.items()))
    tables = _name_tables(made)
    if ramfs:
        # make would keep the copy of another ramfs, if that was made later than this one
        made.remove("usr/initramfs_inc_data")

    def make(*targets: str) -> None:
        _make(context, name, chroot, targets)

    with context.log.step(f"{name}: configuring"):
        make("allnoconfig")
        check(requested, parse_config(made.read_text(".config"), str(tree / ".config")), configs)
    with context.log.step(f"{name}: {'linking' if ramfs else 'compiling'}"), _kept(made, inputs["linux"]):
        make(Path(ARCH.kernel_image).name, *(["modules"] if modular else []))
    made.copy_out(ARCH.kernel_image, output / outputs.KERNEL)
    made.copy_out(".config", output / outputs.KERNEL_CONFIG)
    (output / outputs.RELEASE).write_text(f"{_release(made)}\n", encoding="ascii")
    made.copy_out(outputs.MODINFO, output / outputs.MODINFO)
    if modular:
        with context.log.step(f"{name}: installing the modules"):
            _install_modules(context, name, chroot, made, output)
    (output / alias_file.NAME).write_text(
        _driven(made, (output / outputs.MODINFO).read_bytes(), tables), encoding="ascii"
    )


def _make(context: Context, name: str, chroot: Chroot, targets: Iterable[str]) -> None:
    command = ["make", "-C", "/mnt/linux", f"-j{context.config.jobs}", f"CC={_COMPILER}", *targets]
    context.runner.run(chroot.argv(command), log=context.logfile(name), what=f"{name}: make {' '.join(targets)}")


def _install_modules(context: Context, name: str, chroot: Chroot, tree: Rooted, output: Path) -> None:
    """Copies the modules of a compiled tree into the output, and what modules of others are compiled against.

    Raises UserError for a series that cannot tell the latter.
    """
    if not tree.is_file(_BUILD_TREE):
        raise UserError(
            f"kernel_modules: the kernel's source lacks {_BUILD_TREE} (expected series 6.3 or later)",
            hint="choose a later series with linux_url and kernel_conf, or leave kernel_modules out",
        )
    work, build = output / "install", output / outputs.BUILD_TREE
    for folder in (work, build):
        folder.mkdir()
    installing = dataclasses.replace(chroot, binds={**chroot.binds, "/mnt/modules": work, "/mnt/build": build})
    # depmod runs when the modules of packages are there too
    _make(context, name, installing, ["modules_install", "INSTALL_MOD_PATH=/mnt/modules", "DEPMOD=true"])
    # programs of the host's and of the target's compiler are the same
    copying = f"KBUILD_RUN_COMMAND={_BUILD_TREE} /mnt/build"
    _make(context, name, installing, [f"HOSTCC={_COMPILER}", copying, "run-command"])
    Rooted(build).write_text(".config", tree.read_text(".config"))
    release, made = _release(tree), Rooted(work)
    for link in ("build", "source"):
        made.remove(f"lib/modules/{release}/{link}")
    made.move_out(f"lib/modules/{release}", output / outputs.MODULES)
    files.remove(work)
    with (output / outputs.MODINFO).open("ab") as file:
        file.write(modules.modinfo(output / outputs.MODULES))


def _driven(tree: Rooted, modinfo: bytes, tables: bool) -> str:
    """Returns the modules.alias of a compiled tree; `tables` says whether its device tables have names."""
    aliases = list(device_tables.of_modinfo(modinfo))
    if tables:
        with tree.open("vmlinux") as file:
            aliases += device_tables.of_vmlinux(file)

    def makefile(folder: str) -> str:
        path = f"{folder}/Makefile"
        return tree.read_text(path, errors="replace") if tree.is_file(path) else ""

    listed = [tree.read_text(name) for name in (_BUILTIN, _ORDER) if tree.is_file(name)]
    return alias_file.text(_release(tree), aliases, symbols.of_drivers("".join(listed), makefile), modinfo)


def _release(tree: Rooted) -> str:
    """Returns the release of a compiled tree. Raises BuildError unless it can be the name of a folder."""
    release = tree.read_text("include/config/kernel.release").strip()
    if not _RELEASE.fullmatch(release):
        raise BuildError(f"kernel: release {ascii(release)[:80]}: invalid (expected letters, digits and . _ + ~ -)")
    return release


def _name_tables(tree: Rooted) -> bool:
    """Gives the device tables of built-in drivers a name in vmlinux; returns False for a series that lists them itself.

    The header is written only when that changes it: make compiles whatever is older.
    """
    if not tree.is_file(device_tables.HEADER):
        return False
    header = tree.read_text(device_tables.HEADER)
    changed = device_tables.named(header)
    if changed not in (None, header):
        tree.write_text(device_tables.HEADER, changed)
    return changed is not None


def _unpacked(context: Context, name: str, source: Path, log: Path) -> Path:
    """Returns the source tree, whose objects are kept between builds: a new version string compiles next to nothing.

    Builds share a tree as they share ccache: only where the same parties vouch for all code that can write to it. One
    with modules has a tree of its own, as hardly an object is the same.
    """
    modular = ["modules"] if context.config.kernel_modules else []
    tree = context.cache / "objects" / "-".join([trust.kernel(context), source.name, *modular])
    unpacked = Rooted(tree)
    if unpacked.is_file(_MARKER) and unpacked.read_text(_MARKER) == identity(source):
        # marks its use, for cache.prune
        os.utime(tree)
        return tree
    files.remove(tree)
    path = tarball.of(source)
    with context.log.step(f"{name}: unpacking {path.name}"), files.complete(tree) as folder:
        tarball.unpack(context, path, folder, log, path.name, tarball.SOURCE)
        Rooted(folder).write_text(_MARKER, identity(source))
    return tree


@contextmanager
def _kept(tree: Rooted, source: Path) -> Iterator[None]:
    """Keeps a source tree for the next build, unless the block raises or the build is killed: then an object may be
    incomplete, and newer than what it is made of."""
    tree.remove(_MARKER)
    yield
    tree.write_text(_MARKER, identity(source))


def read_config(paths: Iterable[Path]) -> dict[str, str]:
    """Returns the symbols of kernel configuration files, as parse_config does; a later file wins."""
    values: dict[str, str] = {}
    for path in paths:
        values |= parse_config(files.text(path), str(path))
    return values


def parse_config(content: str, name: str) -> dict[str, str]:
    """Returns the symbols of a kernel configuration with their values, `n` if not set. `name` is that of its file.

    The format is Kconfig's .config. Raises UserError for any other line.
    """
    values: dict[str, str] = {}
    for number, text in enumerate(content.splitlines(), 1):
        match = _SYMBOL.fullmatch(text.strip())
        if match:
            values[match["name"] or match["unset"]] = match["value"] or "n"
        elif text.strip() and not text.strip().startswith("#"):
            shown = ascii(text.strip())[1:-1]
            raise UserError(f"{name}:{number}: not a line of a kernel configuration: {shown}", hint=_hint(text.strip()))
    return values


def _hint(text: str) -> str:
    """Names the usual slip in a line of a kernel configuration."""
    if re.fullmatch(r"CONFIG_\w+=\S+\s+#.*", text):
        return "put the comment on its own line: Kconfig allows none after a value"
    if re.match(r"CONFIG_\w+\s|CONFIG_\w+=\s", text):
        return "Kconfig allows no blanks around the ="
    return "CONFIG_NAME=VALUE, `# CONFIG_NAME is not set`, or a comment"


def line(name: str, value: str) -> str:
    """Formats a symbol as a line of a .config."""
    return f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"


def check(requested: Mapping[str, str], final: Mapping[str, str], files: Iterable[Path]) -> None:
    """Raises UserError naming each requested symbol that Kconfig silently dropped or changed."""
    lost = [
        f"  {line(name, value)}, but it came out as {final.get(name, 'n')}"
        for name, value in requested.items()
        if final.get(name, "n") != value
    ]
    if lost:
        names = ", ".join(str(path) for path in files)
        modular = "m" in requested.values() and final.get("MODULES", "n") == "n"
        raise UserError(
            "\n".join([f"{names}: the kernel cannot be configured like this", *lost]),
            hint="this kernel has no modules: write =y instead of =m, or set kernel_modules: true"
            if modular
            else "a dependency is missing, or another symbol selects it: see its Kconfig entry",
        )
