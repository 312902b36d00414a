"""The system: every package of the sets built in the chroot, then installed into the image from the binary packages."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from alchemy import archive, closure, portage, stage3
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.stage import Stage

ROOT = "root"
FIRMWARE = "firmware"
PACKAGES = "packages.json"

# What a package brings along for building and reading, and a node in RAM has no use for.
_INSTALL_MASK = (
    "/usr/include", "/usr/src", "*.a", "*.la",
    "/usr/lib*/pkgconfig", "/usr/share/pkgconfig", "/usr/lib*/cmake", "/usr/share/cmake", "/usr/share/aclocal",
    "/usr/share/man", "/usr/share/doc", "/usr/share/info", "/usr/share/gtk-doc", "/usr/share/locale",
    "/usr/share/bash-completion", "/usr/share/zsh", "/usr/share/fish", "/usr/lib/systemd",
)  # fmt: skip

# What Portage itself leaves in the image. The manifest says what is installed.
_TRACES = ("var/db/pkg", "var/lib/portage", "var/cache/edb", "var/log/portage", "var/log/emerge.log", "var/tmp/portage",
           "etc/portage", "etc/.updated", "tmp/portage")  # fmt: skip


def stage(context: Context, base: Stage) -> Stage:
    """The stage that yields the image tree, and the list of what is in it."""
    sets = [context.root / "packages" / f"packages.{name}" for name in context.config.packages]
    repositories = portage.overlays(context)
    return Stage(
        name="system",
        store=context.cache / "stages",
        inputs={
            **{path.name: archive.digest(path) for path in sets},
            **{f"overlays/{name}": archive.digest(path) for name, path in repositories.items()},
            "etc/portage": archive.digest(context.root / "etc" / "portage"),
            "accept_licenses": " ".join(context.config.accept_licenses),
            "script": archive.digest(Path(__file__), Path(portage.__file__), Path(closure.__file__)),
        },
        needs=(base,),
        build=lambda output: _build(context, base, sets, output),
    )


def chroot(context: Context) -> Chroot:
    """The build chroot. It is made anew with each build, and kept until the next for a look with util.shell."""
    distfiles = context.cache / "distfiles"
    distfiles.mkdir(parents=True, exist_ok=True)
    return Chroot(
        root=context.work / "chroot",
        writable=True,
        binds={portage.DISTFILES: distfiles},
        env={"SOURCE_DATE_EPOCH": str(context.epoch)},
        ro_binds={
            portage.USER_DISTFILES: context.root / "distfiles",
            **{f"{portage.REPOSITORIES}/{name}": path for name, path in portage.overlays(context).items()},
        },
    )


def _build(context: Context, base: Stage, sets: list[Path], output: Path) -> None:
    log = context.logfile("system")
    try:
        atoms = list(dict.fromkeys(atom for path in sets for atom in portage.read_set(path)))
    except ValueError as error:
        raise UserError(str(error), hint="one Portage atom a line, # begins a comment") from error
    inside = prepare(context, base, atoms, log)
    image = output / ROOT
    image.mkdir()
    with context.log.step("system: fetching the sources"):
        _emerge(context, dataclasses.replace(inside, network=True), ["--usepkg", "--fetchonly", "@alchemy"], log)
    with context.log.step(f"system: building {len(atoms)} packages and what they need"):
        _emerge(context, inside, ["--usepkg", "@alchemy"], log)
    inside = dataclasses.replace(
        inside, binds={**inside.binds, "/image": image}, env={**inside.env, "INSTALL_MASK": " ".join(_INSTALL_MASK)}
    )
    into_image = ["--root=/image", "--sysroot=/", "--config-root=/", "--usepkgonly", "--binpkg-respect-use=y"]
    with context.log.step("system: installing into the image"):
        _emerge(context, inside, [*into_image, "sys-apps/baselayout"], log)
        _emerge(context, inside, [*into_image, "@alchemy"], log)
    archive.write_json(output / PACKAGES, [package.as_json() for package in portage.installed(image)])
    with context.log.step("system: checking what the image needs"):
        closure.check(image)
    for trace in _TRACES:
        archive.remove(image / trace)
    _set_firmware_aside(image, output)


def _set_firmware_aside(image: Path, output: Path) -> None:
    """The firmware is the ramdisk's, which takes what the kernel asks for; a squashfs of all of it would be huge."""
    (output / FIRMWARE).mkdir()
    for folder in (image / "usr/lib/firmware", image / "lib/firmware"):
        if folder.is_dir():
            folder.rename(output / FIRMWARE)


def prepare(context: Context, base: Stage, atoms: list[str], log: Path) -> Chroot:
    """A fresh chroot with Portage configured and the cache of binary packages in place."""
    inside = chroot(context)
    archive.remove(inside.root)
    with context.log.step("system: unpacking the stage3"):
        stage3.unpack(context, base, inside.root, log)
    portage.configure(context, inside, atoms)
    packages = portage.package_cache(context, inside, log)
    inside = dataclasses.replace(inside, binds={**inside.binds, portage.BINPKGS: packages})
    repositories = portage.overlays(context).values()
    stale = portage.drop_stale(packages, repositories)
    for name in stale:
        context.log.info(f"system: {name}: the ebuild has changed, its binary package is dropped")
    if stale:
        context.runner.run(inside.argv(["emaint", "--fix", "binhost"]), log=log, what="emaint --fix binhost")
    portage.note_ebuilds(packages, repositories)
    return inside


def _emerge(context: Context, inside: Chroot, arguments: list[str], log: Path) -> None:
    try:
        context.runner.run(
            inside.argv(["emerge", "--oneshot", *arguments]), log=log, what=f"emerge {' '.join(arguments[-1:])}"
        )
    except BuildError as error:
        failed = _failed_package(inside, log)
        if failed is None:
            raise
        package, build_log = failed
        lines = "\n".join(f"  {line}" for line in _last_words(build_log))
        by_hand = error.message.splitlines()[-1]
        raise BuildError(
            f"{package}: failed to build\n{lines}\nlog of the package: {build_log}\nlog: {log}\n{by_hand}",
            hint="invoke util.shell gives a shell in the chroot as it was left",
        ) from error


def _last_words(build_log: Path) -> list[str]:
    """What a package printed before it failed, and Portage's reason, without its advice how to report a bug."""
    if not build_log.exists():
        return []
    lines = [
        re.sub(r"\x1b\[[0-9;]*m", "", line)
        for line in build_log.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    end = next((n for n, line in enumerate(lines) if line.startswith(" * ERROR: ")), len(lines))
    return lines[max(0, end - 15) : end + 2]


def _failed_package(inside: Chroot, log: Path) -> tuple[str, Path] | None:
    """The package that Portage says has failed, and where its own log is."""
    text = log.read_text(encoding="utf-8", errors="replace")
    packages = re.findall(r"^ \* ERROR: (\S+?)(?:::\S+)? failed", text, re.MULTILINE)
    logs = re.findall(r"The complete build log is located at '([^']+)'", text)
    return (packages[-1], inside / logs[-1]) if packages and logs else None
