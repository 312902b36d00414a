"""The build chroot: a stage3 with Portage configured, in which packages are built and kept as binary packages."""

from __future__ import annotations

import dataclasses
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from alchemy.context import EPOCH, Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.host import files, tarball
from alchemy.host.chroot import Chroot
from alchemy.host.rooted import Rooted
from alchemy.portage import binhosts, binpkgs, kernel_config, preflight, settings, sources
from alchemy.portage.binpkgs import Binpkgs
from alchemy.portage.kernel_config import Shown
from alchemy.portage.repositories import Repositories
from alchemy.stage import identity

# the scripts that run in the chroot, with Portage's own modules
SCRIPTS = (preflight.SCRIPT, binpkgs.SCRIPT)

# what programs are in, at the top of a root (FHS 3.0); where /usr is merged all but /usr and /opt are links
_PROGRAMS = ("bin", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr")

# how Portage says that a source or a binary package has another digest
_REFUSED = re.compile(
    rf"VERIFY FAILED|verification failed|Digest verification|Invalid digest|{preflight.CORRUPT.pattern}", re.IGNORECASE
)

# where the log of a failed package is: in the folders that make.conf names (PORTAGE_LOGDIR, PORTAGE_TMPDIR)
_BUILD_LOG = re.compile(r"The complete build log is located at '(/var/(?:log|tmp)/portage/[^']+)'")

# how many of its last bytes are looked through
_MOST_OF_LOG = 1 << 20


def read_sets(context: Context, names: Sequence[str]) -> dict[str, list[str]]:
    """Reads the atoms of package sets, by the names of their files. Raises UserError for a line that is not an atom."""
    paths = [context.root / "packages" / f"packages.{name}" for name in names]
    return {str(path.relative_to(context.root)): settings.read_set(path) for path in paths}


def chroot(context: Context, root: Path, available: Repositories, kernel: Shown = kernel_config.NONE) -> Chroot:
    """The chroot at `root`, with the sources, the repositories and the kernel in place, read-only. It has no network.

    Raises UserError for a file of the user's that Portage's user cannot read.
    """
    _require_readable([context.root / "distfiles", *available.local.values()])
    return Chroot(
        root=root,
        writable=True,
        env={"SOURCE_DATE_EPOCH": str(EPOCH), **kernel.env},
        ro_binds={
            settings.USER_DISTFILES: context.root / "distfiles",
            settings.FETCHED_DISTFILES: sources.folder(context),
            **kernel_config.hidden(),
            **available.binds,
            **kernel.ro_binds,
        },
    )


def _require_readable(folders: Iterable[Path]) -> None:
    """Raises UserError unless anyone may read the folders, as ebuilds compile as a user of their own."""
    for folder in folders:
        for path in filter(Path.exists, (folder, *folder.rglob("*"))):
            mode = path.stat().st_mode
            needed = 0o005 if stat.S_ISDIR(mode) else 0o004
            if mode & needed != needed:
                raise UserError(
                    f"{path}: not readable by the user that compiles (mode {stat.S_IMODE(mode):04o})",
                    hint=f"chmod -R a+rX {folder}",
                )


def prepare(
    context: Context,
    stage3: Path,
    root: Path,
    available: Repositories,
    sets: Mapping[str, Sequence[str]],
    name: str,
    *,
    kernel: Shown = kernel_config.NONE,
    apart: bool = False,
) -> tuple[Chroot, Binpkgs]:
    """A fresh chroot at `root` for the stage `name`, with its binary packages: those of a stage `apart` are used by no
    other. Ebuilds find the `kernel` there."""
    inside = chroot(context, root, available, kernel)
    files.remove(root)
    with context.log.step(f"{name}: unpacking the stage3"):
        tarball.unpack(context, tarball.of(stage3), root, context.logfile(name), "the stage3")
    return _set_up(context, inside, stage3, available, sets, name, pkgdir=name, apart=apart)


def borrow(
    context: Context,
    stage3: Path,
    unpacked: Path,
    root: Path,
    available: Repositories,
    sets: Mapping[str, Sequence[str]],
    name: str,
    *,
    kernel: Shown = kernel_config.NONE,
) -> Chroot:
    """A fresh chroot at `root` as `prepare` makes it, but to install with, not to build: it runs the programs of a
    stage3 that is `unpacked`, read-only, and has an /etc and a /var of its own. That is there in a moment."""
    inside = chroot(context, root, available, kernel)
    files.remove(root)
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
    inside, packages = _set_up(context, inside, stage3, available, sets, name, pkgdir="increment")
    binpkgs.add_stage3s(packages)
    return inside


def _set_up(
    context: Context,
    inside: Chroot,
    stage3: Path,
    available: Repositories,
    sets: Mapping[str, Sequence[str]],
    name: str,
    *,
    pkgdir: str,
    apart: bool = False,
) -> tuple[Chroot, Binpkgs]:
    """The chroot with Portage configured, and with the binary packages that are good for it."""
    log = context.logfile(name)
    settings.configure(context, inside, available, dict.fromkeys(atom for atoms in sets.values() for atom in atoms))
    packages = binpkgs.assemble(context, inside, identity(stage3), available, pkgdir, log, apart=apart)
    return packages.inside(inside), packages


def build(context: Context, inside: Chroot, packages: Binpkgs, sets: Mapping[str, Sequence[str]], name: str) -> None:
    """Builds what the sets lack in the chroot. What only the user can do is said before anything is fetched, and all
    that is to be fetched is before anything compiles. What was built is kept, also when something fails, unless
    binhosts are configured."""
    config, log = context.config, context.logfile(name)
    hosts = [] if config.offline else binhosts.look(context, name)
    if hosts:
        settings.configure_binhosts(context, inside, [host.inside for host in hosts])
        inside = dataclasses.replace(inside, ro_binds={**inside.ro_binds, **binhosts.binds(hosts)})
    asked = [*(["--getbinpkg"] if hosts else []), "--changed-use", "@alchemy"]
    needs = preflight.check(context, inside, asked, log, sets=sets)
    with context.log.step(f"{name}: fetching the sources"):
        sources.fetch(context, needs.sources)
        binhosts.fetch(context, hosts, needs.binaries)
    count = len({atom for atoms in sets.values() for atom in atoms})
    with context.log.step(f"{name}: building {count} packages and what they need"):
        try:
            emerge(context, inside, ["--usepkg", *asked], log)
        except (BuildError, VerificationError):
            # a package of a binhost is verified no earlier than it is installed
            if not config.binhosts:
                binpkgs.keep(context, inside, packages, log)
            raise
    binpkgs.keep(context, inside, packages, log)


def emerge(context: Context, inside: Chroot, arguments: list[str], log: Path) -> None:
    """Runs emerge. Raises BuildError that names the package which has failed, with its last words, and
    VerificationError when Portage refuses a fetched file."""
    begin = log.stat().st_size if log.exists() else 0
    try:
        context.runner.run(
            inside.argv(["emerge", "--oneshot", *arguments]), log=log, what=f"emerge {' '.join(arguments[-1:])}"
        )
    except BuildError as error:
        said = _text(log, begin)
        by_hand = error.message.splitlines()[-1]
        failed = _failed_package(said)
        if failed is not None:
            package, build_log = failed
            lines = "\n".join(f"  {line}" for line in _last_words(inside, build_log))
            raise BuildError(
                f"{package}: failed to build\n{lines}\nlog of the package: {inside / build_log}\nlog: {log}\n{by_hand}",
                hint="invoke util.shell gives a shell in the chroot as it was left",
            ) from error
        refused = _REFUSED.search(said)
        if refused is not None:
            first = said.rfind("\n", 0, refused.start()) + 1
            lines = "\n".join(f"  {line}" for line in said[first:].splitlines()[:6])
            raise VerificationError(
                f"Portage refuses what was fetched\n{lines}\nlog: {log}\n{by_hand}",
                hint="sources are in distfiles/ of cache_dir, packages of binhosts in binhosts/ of work_dir",
            ) from error
        raise


def _text(log: Path, begin: int) -> str:
    """What a log says from a byte on, without colours."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(begin)
        return re.sub(r"\x1b\[[0-9;]*m", "", file.read().decode(errors="replace"))


def _last_words(inside: Chroot, build_log: str) -> list[str]:
    """What a package printed before it failed, and Portage's reason, without its advice how to report a bug.

    A build may name any path as that of its log: a link is not followed.
    """
    path = Rooted(inside.root).resolve(build_log, links=False)
    if path is None or not path.is_file():
        return []
    lines = _text(path, max(0, path.stat().st_size - _MOST_OF_LOG)).splitlines()
    end = next((n for n, line in enumerate(lines) if line.startswith(" * ERROR: ")), len(lines))
    return lines[max(0, end - 15) : end + 2]


def _failed_package(said: str) -> tuple[str, str] | None:
    """The package that Portage says has failed, and where in the chroot its own log is."""
    packages = re.findall(r"^ \* ERROR: (\S+?)(?:::\S+)? failed", said, re.MULTILINE)
    logs = [log for log in _BUILD_LOG.findall(said) if ".." not in log.split("/")]
    return (packages[-1], logs[-1]) if packages and logs else None
