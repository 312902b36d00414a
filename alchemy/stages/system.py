"""The system: every package of the sets is built in the chroot, then installed into the root tree from its binpkg."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted
from alchemy.parts import rootdigest
from alchemy.portage import (
    binpkgs,
    buildroot,
    increment,
    kernel_config,
    profile,
    repositories,
    required,
    runtime,
    scripts,
    settings,
    soundness,
)
from alchemy.portage.repositories import Repositories
from alchemy.stage import EARLIER, Inputs, Pins, Stage, needed
from alchemy.stages import outputs

NAME = "system"

_SET_PREFIX = "packages."

_INTO_IMAGE = ["--root=/image", "--sysroot=/", "--config-root=/", "--usepkgonly", "--binpkg-respect-use=y"]

# the atoms that a key of config.yml asks for, as sets have them
_MICROCODE = {"config.yml: microcode": ["sys-firmware/intel-microcode"]}

# What packages install for compiling and reading: a node in RAM has no use for it.
_INSTALL_MASK = (
    "/usr/include", "/usr/src", "*.a", "*.la",
    "/usr/lib*/pkgconfig", "/usr/share/pkgconfig", "/usr/lib*/cmake", "/usr/share/cmake", "/usr/share/aclocal",
    "/usr/share/man", "/usr/share/doc", "/usr/share/info", "/usr/share/gtk-doc", "/usr/share/locale",
    "/usr/share/bash-completion", "/usr/share/zsh", "/usr/share/fish", "/usr/lib/systemd",
)  # fmt: skip

# What Portage itself leaves in the root tree, and ldconfig's cache of inodes. The manifest says what is installed.
_TRACES = ("var/lib/portage", "var/cache/edb", "var/log/portage", "var/log/emerge.log", "var/tmp/portage",
           "etc/portage", "etc/.updated", "tmp/portage", "var/cache/ldconfig")  # fmt: skip


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage:
    """Declares the stage that makes the root tree, and the list of the packages in it.

    The tools save time where they are there, and change nothing. What needs the system is keyed by its content.
    """
    sets = [context.root / "packages" / f"{_SET_PREFIX}{name}" for name in context.config.packages]
    trees = [name for name in repositories.TREES if name in made]
    # modules are compiled against it
    kernel = ["kernel"] if context.config.kernel_modules else []
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs={
            **{path.name: files.digest(path) for path in sets},
            **{f"{_SET_PREFIX}{name}": " ".join(atoms) for name, atoms in _configured(context).items()},
            **{f"overlays/{name}": files.digest(path) for name, path in repositories.local(context).items()},
            **{name: files.digest(context.root / name) for name in ("etc/portage", *buildroot.SCRIPTS)},
            "accept_licenses": " ".join(context.config.accept_licenses),
            "keep_scripts": str(context.config.keep_scripts),
            "profile": " ".join(context.config.profile),
            "binhosts": " ".join(context.config.binhosts),
            **({"kernel_conf": files.digest(*kernel_config.paths(context))} if _is_fetched(context) else {}),
        },
        needs=needed(made, "stage3", *trees, *kernel),
        optional=needed(made, "tools"),
        extends=_SET_PREFIX,
        content=_content,
        build=lambda output, inputs: _build(context, trees, output, inputs),
        progress=settings.PROGRESS,
    )


def _configured(context: Context) -> Mapping[str, Sequence[str]]:
    """Returns the atoms that a key of config.yml asks for, by what the user edits to change that."""
    return _MICROCODE if context.config.has_intel_microcode else {}


def folder(context: Context) -> Path:
    """Returns the folder of the build chroot."""
    return context.work / "chroot"


def _content(output: Path) -> str:
    """Returns the digest of all that goes into an image: Portage's database does not, and has times in it."""
    return rootdigest.digest(output, without=(outputs.DATABASE,))


def _build(context: Context, trees: list[str], output: Path, inputs: Inputs) -> None:
    sets = {**buildroot.read_sets(context, context.config.packages), **_configured(context)}
    available = repositories.collect(context, {name: inputs[name] for name in trees})
    root = output / outputs.ROOT
    root.mkdir()
    extended = _extend(context, inputs, available, sets, root)
    if not extended:
        kernel = _kernel(context, inputs)
        stage3, chroot = inputs["stage3"], folder(context)
        inside, kept = buildroot.prepare(context, stage3, chroot, available, sets, NAME, kernel=kernel)
        stage3s = binpkgs.installed(inside.root)
        required.check(context, inside, sets, context.logfile(NAME))
        buildroot.build(context, inside, kept, sets, NAME)
        into = _into(root, binpkgs.as_installed(context, inside, kept, stage3s, context.logfile(NAME)))
        _install(context, into, ["sys-apps/baselayout", "@alchemy"])
        if context.config.keep_scripts:
            _install_interpreters(context, into, root)
    packages = settings.with_sources(settings.installed(root), available.paths)
    files.write_json(output / outputs.PACKAGES, [package.as_json() for package in packages])
    earlier = _about(inputs[EARLIER]) if extended else None
    files.write_json(output / outputs.ABOUT, _complete(context, root, earlier))
    with context.log.step("system: checking libraries, interpreters and owners"):
        soundness.check(root, None if extended else folder(context))
    made = Rooted(root)
    for trace in _TRACES:
        made.remove(trace)
    made.move_out("var/db/pkg", output / outputs.DATABASE)
    _set_firmware_aside(made, output)


def _extend(
    context: Context, inputs: Inputs, available: Repositories, sets: Mapping[str, Sequence[str]], image: Path
) -> bool:
    """Fills the root tree from an earlier one, with the packages that it lacks; returns whether that was possible."""
    if EARLIER not in inputs or "tools" not in inputs or context.config.keep_scripts:
        return False
    earlier = inputs[EARLIER]
    parts = {
        earlier / outputs.ROOT: Path(),
        earlier / outputs.DATABASE: Path("var/db/pkg"),
        earlier / outputs.FIRMWARE: Path("lib/firmware"),
    }
    root, unpacked = context.work / "increment", outputs.tools(inputs["tools"]).root
    kernel = _kernel(context, inputs)
    borrowed = buildroot.borrow(context, inputs["stage3"], unpacked, root, available, sets, NAME, kernel=kernel)
    atoms = ["sys-apps/baselayout", "@alchemy"]
    added = increment.add(context, _into(image, borrowed), parts, image, atoms, _INTO_IMAGE)
    files.remove(root)
    now_run = (script for script in _about(earlier)["left_out"] if scripts.find(Rooted(image), script["interpreter"]))
    if added and (any(now_run) or any(soundness.missing_libraries(image))):
        # an image that is installed from the start has these scripts, or another library of the compiler
        for path in image.iterdir():
            files.remove(path)
        return False
    return added


def _is_fetched(context: Context) -> bool:
    """Returns whether the stage3 is fetched: its tree has ebuilds that check the kernel's configuration. The embedded
    tree has none, and a changed kernel rebuilds nothing there."""
    return not context.config.stage3_url.startswith("debian:")


def _kernel(context: Context, inputs: Inputs) -> kernel_config.Shown:
    """Returns the kernel that ebuilds find."""
    if context.config.kernel_modules:
        return kernel_config.built(inputs["kernel"] / outputs.BUILD_TREE)
    return kernel_config.requested(context) if _is_fetched(context) else kernel_config.NONE


def _about(output: Path) -> dict[str, Any]:
    """Reads what the manifest says of an earlier system."""
    about: dict[str, Any] = json.loads((output / outputs.ABOUT).read_text(encoding="utf-8"))
    return about


def _into(image: Path, inside: Chroot) -> Chroot:
    """Returns the chroot that installs into the root tree."""
    return dataclasses.replace(
        inside, binds={**inside.binds, "/image": image}, env={**inside.env, "INSTALL_MASK": " ".join(_INSTALL_MASK)}
    )


def _install(context: Context, into: Chroot, atoms: Sequence[str]) -> None:
    with context.log.step("system: installing into the root tree"):
        for atom in atoms:
            buildroot.emerge(context, into, [*_INTO_IMAGE, atom], context.logfile(NAME))


def _install_interpreters(context: Context, into: Chroot, root: Path) -> None:
    """Installs the packages of the build chroot that own the interpreters of the scripts in the root tree.

    Raises BuildError for an interpreter that no package brings.
    """
    tried: set[str] = set()
    while lacking := scripts.without_interpreter(root):
        owners = scripts.owners(into.root, {script.interpreter for script in lacking})
        for script in lacking:
            if owners.get(script.interpreter, "") in {"", *tried}:
                raise BuildError(
                    f"{script.path}: no package of the build chroot brings its interpreter {script.interpreter}",
                    hint="keep_scripts: false leaves such scripts out; or add the interpreter to a set",
                )
        tried |= set(owners.values())
        _install(context, into, [f"={package}" for package in sorted(set(owners.values()))])


def _complete(context: Context, root: Path, earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """Gives the root tree the libraries of the compiler that it lacks, and takes the scripts that cannot run; returns
    what the manifest says of both, and of the profile.

    `earlier` is that of the system which was extended.
    """
    chroot = folder(context)
    libraries = _add_libraries(context, root) if earlier is None else earlier["compiler_libraries"]
    gone = [script.as_json() for script in scripts.leave_out(root)]
    left_out = sorted([*gone, *(earlier["left_out"] if earlier else [])], key=lambda script: script["path"])
    if left_out:
        interpreters = ", ".join(sorted({script["interpreter"] for script in left_out}))
        context.log.info(
            f"system: {len(left_out)} scripts left out, for want of {interpreters} (manifest.json lists them; "
            "keep_scripts: true brings the interpreters)"
        )
    used = profile.current(chroot) if earlier is None else earlier["profile"]
    return {"profile": used, "compiler_libraries": libraries, "left_out": left_out}


def _add_libraries(context: Context, root: Path) -> list[str]:
    """Gives the root tree the libraries of the compiler that it lacks; returns their names.

    The loader's cache is rebuilt with them: emerge rebuilds it, too, when it adds a package to such a tree.
    """
    chroot = folder(context)
    libraries = runtime.add(root, chroot)
    if libraries:
        inside = Chroot(chroot, binds={"/mnt/image": root})
        listing = inside.argv(["ldconfig", "-X", "-r", "/mnt/image"])
        context.runner.run(listing, log=context.logfile(NAME), what="listing the libraries of the compiler")
    return libraries


def _set_firmware_aside(image: Rooted, output: Path) -> None:
    """Moves the firmware out of the root tree: the ramfs takes of it what the kernel asks for."""
    (output / outputs.FIRMWARE).mkdir()
    for folder in ("usr/lib/firmware", "lib/firmware"):
        if image.is_dir(folder):
            image.move_out(folder, output / outputs.FIRMWARE)
