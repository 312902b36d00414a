"""The main repository, as it was at one moment: a commit in git, a daily snapshot, or what a mirror has by rsync.

git is the host's, as a stage3 has none. The snapshot and rsync are Portage's own ways, in a chroot of the stage3.
Either way a signature is checked, unless `verify` of the configuration says no.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alchemy import archive, download, gentoo, git, pins, portage, repositories, stage3
from alchemy.chroot import Chroot
from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.pins import Pin, Source
from alchemy.stage import Stage

# where snapshots come from when `url` names no other mirror
_MIRROR = "https://distfiles.gentoo.org"

# so many days may the newest snapshot be old
_DAYS = 14

# how Portage says that a signature or a digest is not as it has to be, or that it cannot check one. A snapshot that
# was fetched and is not found is one whose digest or time is another.
_REFUSED = re.compile(
    r"signature verification failed|snapshot was not found|verification (?:failed|impossible)|requires gemato"
    r"|Verification of .* failed|does not exist \(or is not a file\)",
    re.IGNORECASE,
)


def source(context: Context) -> Source | None:
    """The tree to look up; None when nothing of it is left open."""
    sync = context.config.sync
    if sync.method == "none" or sync.commit is not None:
        return None
    request = " ".join(filter(None, (sync.method, sync.url, sync.branch)))
    return Source(repositories.TREE, request, lambda: _METHODS[sync.method].look(context))


def stage(context: Context, base: Stage) -> Stage | None:
    """The stage that yields the main repository; None when the stage3 brings it along."""
    sync = context.config.sync
    if sync.method == "none":
        return None
    asked = source(context)
    pin = {"commit": sync.commit or ""} if asked is None else pins.known(context, asked)
    return Stage(
        name=repositories.TREE,
        store=context.cache / "trees",
        inputs={
            "method": sync.method,
            "url": sync.url or "",
            "verify": str(sync.verify),
            **({"pin": None} if pin is None else _without_request(pin)),
        },
        # the stage3 has the keys, and what verifies with them
        needs=() if sync.method == "git" else (base,),
        build=lambda output: _build(context, base, pin or {}, output / "1"),
        external=True,
    )


def _without_request(pin: Pin) -> Pin:
    return {name: value for name, value in pin.items() if name != "request"}


def _build(context: Context, base: Stage, pin: Pin, target: Path) -> None:
    sync = context.config.sync
    work = context.work / "sync"
    archive.remove(work)
    _METHODS[sync.method].fetch(context, base, pin, work, target)
    try:
        repositories.name_of(target)
    except UserError as error:
        raise VerificationError(f"{sync.url or sync.method}: what was synced is no ebuild repository") from error
    archive.remove(work)


def _look_git(context: Context) -> Pin:
    sync = context.config.sync
    return {"commit": git.tip(context, sync.url or "", sync.branch, context.logfile(repositories.TREE))}


def _git(context: Context, _: Stage, pin: Pin, work: Path, target: Path) -> None:
    sync, log = context.config.sync, context.logfile(repositories.TREE)
    url, commit = sync.url or "", pin["commit"]
    git.fetch(context, url, sync.branch, commit, work, log)
    if sync.verify:
        git.verify(context, gentoo.tree_keys(context), work, commit, f"{url}: the commit {commit}")
    git.checkout(context, work, target, log)


def _look_webrsync(context: Context) -> Pin:
    """The newest daily snapshot. The one of a day is made in the night that follows."""
    today = datetime.now(UTC).date()
    mirror = context.config.sync.url or _MIRROR
    for days in range(1, _DAYS + 1):
        snapshot = f"{today - timedelta(days=days):%Y%m%d}"
        with suppress(download.NotThereError):
            download.small(context, f"{_snapshot_url(mirror, snapshot)}.md5sum")
            return {"snapshot": snapshot}
    raise UserError(f"{mirror}/snapshots: has no snapshot of the last {_DAYS} days", hint="see sync.url in config.yml")


def _snapshot_url(mirror: str, snapshot: str) -> str:
    return f"{mirror.rstrip('/')}/snapshots/gentoo-{snapshot}.tar.xz"


def _webrsync(context: Context, base: Stage, pin: Pin, work: Path, target: Path) -> None:
    """Fetches the files that emerge-webrsync takes instead of fetching them, and which it verifies and unpacks."""
    sync = context.config.sync
    url = _snapshot_url(sync.url or _MIRROR, pin["snapshot"])
    inside = _chroot(context, base, work, target)
    folder = inside / portage.DISTFILES
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("", ".md5sum", ".gpgsig"):
        path = folder / download.file_name(url + suffix)
        try:
            download.fetch(context, url + suffix, path)
        except download.NotThereError as error:
            if suffix != ".gpgsig":
                raise
            if sync.verify:
                raise VerificationError(f"{url}: is not signed: there is no .gpgsig beside it") from error
            path.write_text("none\n", encoding="ascii")
    command = ["emerge-webrsync", f"--revert={pin['snapshot']}", "--keep"]
    inside = dataclasses.replace(inside, env={"GENTOO_MIRRORS": sync.url or _MIRROR})
    _run(context, inside, command if sync.verify else [*command, "--no-pgp-verify"], url)


def _look_rsync(context: Context) -> Pin:
    url = f"{context.config.sync.url}/metadata/timestamp.chk"
    log = context.logfile(repositories.TREE)
    with tempfile.TemporaryDirectory(prefix="alchemy-") as folder:
        path = Path(folder) / "timestamp"
        context.runner.run(["rsync", "--timeout=60", url, path], log=log, what=f"fetching {url}")
        return {"timestamp": path.read_text(encoding="utf-8", errors="replace").strip()}


def _rsync(context: Context, base: Stage, pin: Pin, work: Path, target: Path) -> None:
    sync = context.config.sync
    download.require_online(context, f"{sync.url}, {pin['timestamp']}")
    inside = _chroot(context, base, work, target)
    conf = archive.render(context.root / "etc" / "portage" / "sync.conf.j2", url=sync.url, verify=sync.verify)
    (inside / "etc/portage/repos.conf/alchemy.conf").write_text(conf, encoding="utf-8")
    _run(context, inside, ["emaint", "sync", "--repo", repositories.MAIN], sync.url or "")


def _chroot(context: Context, base: Stage, work: Path, target: Path) -> Chroot:
    """A chroot of the stage3, with `target` in the place of the main repository."""
    target.mkdir()
    tree = f"{repositories.FOLDER}/{repositories.MAIN}"
    inside = Chroot(root=work, writable=True, network=True, binds={tree: target})
    with context.log.step("tree: unpacking the stage3"):
        stage3.unpack(context, base, inside.root, context.logfile(repositories.TREE))
    portage.configure(context, inside, repositories.NONE, [])
    return inside


def _run(context: Context, inside: Chroot, command: list[str], url: str) -> None:
    """Has Portage sync. Raises VerificationError when it isn't content with what it got."""
    log = context.logfile(repositories.TREE)
    with context.log.step(f"tree: {command[0]} {url}"):
        try:
            context.runner.run(inside.argv(command), log=log, what=f"syncing with {url}")
        except BuildError as error:
            if not _REFUSED.search(error.message):
                raise
            said = error.message.partition("\n")[2]
            raise VerificationError(f"{url}: is refused, as Portage cannot verify it\n{said}") from error


@dataclass(frozen=True)
class _Method:
    """A way to sync: what is there `look` says; `fetch` gets exactly that, given a folder to work in and the target."""

    look: Callable[[Context], Pin]
    fetch: Callable[[Context, Stage, Pin, Path, Path], None]


_METHODS = {
    "git": _Method(_look_git, _git),
    "webrsync": _Method(_look_webrsync, _webrsync),
    "rsync": _Method(_look_rsync, _rsync),
}
