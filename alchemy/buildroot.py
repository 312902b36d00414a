"""The build chroot: a stage3 with Portage configured, in which packages are built and kept as binary packages."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from alchemy import archive, byhand, portage, stage3
from alchemy.chroot import Chroot
from alchemy.context import EPOCH, Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.repositories import Repositories
from alchemy.stage import Stage

# what programs are in, at the top of a root (FHS 3.0); where /usr is merged all but /usr and /opt are links
_PROGRAMS = ("bin", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr")

# how Portage says that a source or a binary package is not what it has to be
_REFUSED = re.compile(r"VERIFY FAILED|verification failed|Digest verification|Invalid digest", re.IGNORECASE)


def read_sets(context: Context, names: Sequence[str]) -> dict[str, list[str]]:
    """The atoms of package sets, by the names of their files. Raises UserError for a line that is no atom."""
    paths = [context.root / "packages" / f"packages.{name}" for name in names]
    try:
        return {str(path.relative_to(context.root)): portage.read_set(path) for path in paths}
    except ValueError as error:
        raise UserError(str(error), hint="one Portage atom a line, # begins a comment") from error


def chroot(context: Context, root: Path, available: Repositories) -> Chroot:
    """The chroot at `root`, with the sources and the repositories in place."""
    distfiles = context.cache / "distfiles"
    distfiles.mkdir(parents=True, exist_ok=True)
    return Chroot(
        root=root,
        writable=True,
        binds={portage.DISTFILES: distfiles},
        env={"SOURCE_DATE_EPOCH": str(EPOCH)},
        ro_binds={portage.USER_DISTFILES: context.root / "distfiles", **available.binds},
    )


def prepare(
    context: Context,
    base: Stage,
    root: Path,
    available: Repositories,
    sets: Mapping[str, Sequence[str]],
    name: str,
    *,
    apart: bool = False,
) -> Chroot:
    """A fresh chroot at `root` for the stage `name`, with its cache of binary packages: one `apart` for a stage beside
    which others build."""
    inside = chroot(context, root, available)
    archive.remove(root)
    with context.log.step(f"{name}: unpacking the stage3"):
        stage3.unpack(context, base, root, context.logfile(name))
    return _set_up(context, inside, available, sets, name, apart=apart)


def borrow(
    context: Context, unpacked: Path, root: Path, available: Repositories, sets: Mapping[str, Sequence[str]], name: str
) -> Chroot:
    """A fresh chroot at `root` as `prepare` makes it, but to install with, not to build: it runs the programs of a
    stage3 that is `unpacked`, read-only, and has an /etc and a /var of its own. That is there in a moment."""
    inside = chroot(context, root, available)
    archive.remove(root)
    root.mkdir(parents=True)
    binds = {}
    for path in (unpacked / name for name in _PROGRAMS):
        if path.is_symlink():
            (root / path.name).symlink_to(path.readlink())
        elif path.is_dir():
            binds[f"/{path.name}"] = path
    command: list[str | Path] = ["cp", "--archive", "--reflink=auto", unpacked / "etc", unpacked / "var", root]
    context.runner.run(command, log=context.logfile(name), what="copying the configuration of the stage3")
    inside = dataclasses.replace(inside, ro_binds={**binds, **inside.ro_binds})
    return _set_up(context, inside, available, sets, name)


def _set_up(
    context: Context,
    inside: Chroot,
    available: Repositories,
    sets: Mapping[str, Sequence[str]],
    name: str,
    *,
    apart: bool = False,
) -> Chroot:
    """The chroot with Portage configured, and with the binary packages that are good for it."""
    log = context.logfile(name)
    portage.configure(context, inside, available, dict.fromkeys(atom for atoms in sets.values() for atom in atoms))
    packages = portage.package_cache(context, inside, log, apart=name if apart else "")
    inside = dataclasses.replace(inside, binds={**inside.binds, portage.BINPKGS: packages})
    ours = available.local.values()
    stale = portage.drop_stale(packages, ours)
    for package in stale:
        context.log.info(f"{name}: {package}: the ebuild has changed, its binary package is dropped")
    if stale:
        context.runner.run(inside.argv(["emaint", "--fix", "binhost"]), log=log, what="emaint --fix binhost")
    portage.note_ebuilds(packages, ours)
    return inside


def build(context: Context, inside: Chroot, sets: Mapping[str, Sequence[str]], name: str) -> None:
    """Builds what the sets lack in the chroot. What only the user can do is said before anything is fetched, and all
    that is to be fetched is before anything compiles."""
    config, log = context.config, context.logfile(name)
    byhand.check(context, inside, ["@alchemy"], log, sets=sets)
    asked = ["--usepkg", *(["--getbinpkg"] if config.binhosts and not config.offline else []), "--changed-use"]
    with context.log.step(f"{name}: fetching the sources"):
        fetching = dataclasses.replace(inside, network=not config.offline)
        emerge(context, fetching, [*asked, "--fetchonly", "@alchemy"], log)
    portage.configure_binhosts(context, inside, frozen=True)
    count = len({atom for atoms in sets.values() for atom in atoms})
    with context.log.step(f"{name}: building {count} packages and what they need"):
        emerge(context, inside, [*asked, "@alchemy"], log)


def emerge(context: Context, inside: Chroot, arguments: list[str], log: Path) -> None:
    """Runs emerge. Raises BuildError that names the package which has failed, with its last words, and
    VerificationError when Portage refuses what was fetched."""
    begin = log.stat().st_size if log.exists() else 0
    try:
        context.runner.run(
            inside.argv(["emerge", "--oneshot", *arguments]), log=log, what=f"emerge {' '.join(arguments[-1:])}"
        )
    except BuildError as error:
        said = _text(log, begin)
        by_hand = error.message.splitlines()[-1]
        failed = _failed_package(inside, said)
        if failed is not None:
            package, build_log = failed
            lines = "\n".join(f"  {line}" for line in _last_words(build_log))
            raise BuildError(
                f"{package}: failed to build\n{lines}\nlog of the package: {build_log}\nlog: {log}\n{by_hand}",
                hint="invoke util.shell gives a shell in the chroot as it was left",
            ) from error
        refused = _REFUSED.search(said)
        if refused is not None:
            first = said.rfind("\n", 0, refused.start()) + 1
            lines = "\n".join(f"  {line}" for line in said[first:].splitlines()[:6])
            raise VerificationError(
                f"Portage refuses what was fetched\n{lines}\nlog: {log}\n{by_hand}",
                hint="what is refused lies in distfiles/ of cache_dir, if it is a source",
            ) from error
        raise


def _text(log: Path, begin: int) -> str:
    """What a log says from a byte on, without colours."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(begin)
        return re.sub(r"\x1b\[[0-9;]*m", "", file.read().decode(errors="replace"))


def _last_words(build_log: Path) -> list[str]:
    """What a package printed before it failed, and Portage's reason, without its advice how to report a bug."""
    if not build_log.exists():
        return []
    lines = _text(build_log, 0).splitlines()
    end = next((n for n, line in enumerate(lines) if line.startswith(" * ERROR: ")), len(lines))
    return lines[max(0, end - 15) : end + 2]


def _failed_package(inside: Chroot, said: str) -> tuple[str, Path] | None:
    """The package that Portage says has failed, and where its own log is."""
    packages = re.findall(r"^ \* ERROR: (\S+?)(?:::\S+)? failed", said, re.MULTILINE)
    logs = re.findall(r"The complete build log is located at '([^']+)'", said)
    return (packages[-1], inside / logs[-1]) if packages and logs else None
