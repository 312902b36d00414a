"""The main ebuild tree at one moment: a commit in git, a daily snapshot, or the content of an rsync mirror.

Programs of the host download it. A chroot of the stage3 without network has the keys and programs that verify a
snapshot or an rsync copy. Signatures are verified unless `verify` is false in config.yml.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.fetch import download, git, pins
from alchemy.fetch.pins import Source
from alchemy.host import files, tarball
from alchemy.host.chroot import Chroot, confined
from alchemy.host.rooted import Rooted
from alchemy.portage import repositories, settings
from alchemy.stage import Inputs, Pin, Pins, Stage, needed
from alchemy.stages import gentoo_release

# the mirror of snapshots, unless `url` names another
_MIRROR = "https://distfiles.gentoo.org"

# the most days since the newest snapshot
_DAYS = 14

# How Portage reports a bad signature or digest, or one that it cannot check. A snapshot that was fetched and is "not
# found" has another digest or time.
_REFUSED = re.compile(
    r"signature verification failed|snapshot was not found|verification (?:failed|impossible)|requires gemato"
    r"|Verification of .* failed|does not exist \(or is not a file\)",
    re.IGNORECASE,
)

# gemato would ask key servers for newer keys. Without gemato, emerge-webrsync verifies with gpg and the keys of the
# stage3.
_WITHOUT_GEMATO = 'gemato=$(command -v gemato) && rm "$gemato"; exec "$@"'

# where the tree and its keys are in a chroot of the stage3
_TREE = f"{repositories.FOLDER}/{repositories.MAIN}"
_KEYS = "/usr/share/openpgp-keys/gentoo-release.asc"

# Regular files and folders only: no owners, modes, links or devices of the server.
_RSYNC = (
    "rsync", "--recursive", "--times", "--omit-dir-times", "--perms", "--chmod=D0755,F0644", "--no-links",
    "--no-devices", "--no-specials", "--no-owner", "--no-group", "--whole-file", "--compress", "--timeout=180",
    "--max-size=64M", "--exclude=/distfiles", "--exclude=/local", "--exclude=/packages",
)  # fmt: skip


def source(context: Context) -> Source | None:
    """Returns the tree to look up; None when the configuration leaves nothing open."""
    sync = context.config.sync
    if sync.method == "none" or sync.commit is not None:
        return None
    request = " ".join(filter(None, (sync.method, sync.url, sync.branch)))
    return Source(repositories.TREE, request, lambda _: _METHODS[sync.method].look(context))


def stage(context: Context, seen: Pins, made: Mapping[str, Stage]) -> Stage | None:
    """Declares the stage that fetches the main repository; None when the stage3 brings it along."""
    sync = context.config.sync
    if sync.method == "none":
        return None
    asked = source(context)
    pin = {"commit": sync.commit or ""} if asked is None else pins.known(context, seen, asked)
    return Stage(
        name=repositories.TREE,
        store=context.cache / "trees",
        inputs={
            "method": sync.method,
            "url": sync.url or "",
            "verify": str(sync.verify),
            **({"pin": None} if pin is None else _without_request(pin)),
        },
        # the stage3 has the keys, and the programs that verify with them
        needs={} if sync.method == "git" else needed(made, "stage3"),
        build=lambda output, inputs: _build(context, inputs, pin or {}, output / "1"),
        external=True,
    )


def _without_request(pin: Pin) -> Pin:
    return {name: value for name, value in pin.items() if name != "request"}


def _build(context: Context, inputs: Inputs, pin: Pin, target: Path) -> None:
    sync = context.config.sync
    work = context.work / "sync"
    files.remove(work)
    _METHODS[sync.method].fetch(context, inputs, pin, work, target)
    try:
        repositories.name_of(target)
    except UserError as error:
        raise VerificationError(f"{sync.url or sync.method}: not an ebuild repository") from error
    files.remove(work)


def _look_git(context: Context) -> Pin:
    sync = context.config.sync
    return {"commit": git.tip(context, sync.url or "", sync.branch, context.logfile(repositories.TREE))}


def _git(context: Context, _: Inputs, pin: Pin, work: Path, target: Path) -> None:
    sync, log = context.config.sync, context.logfile(repositories.TREE)
    url, commit = sync.url or "", pin["commit"]
    git.fetch(context, url, sync.branch, commit, work, log)
    if sync.verify:
        git.verify(context, gentoo_release.tree_keys(context), work, commit, f"{url}: the commit {commit}")
    git.checkout(context, work, target, log)


def _look_webrsync(context: Context) -> Pin:
    """Returns the newest daily snapshot. The snapshot of a day is made in the following night."""
    today = datetime.now(UTC).date()
    mirror = context.config.sync.url or _MIRROR
    missing = []
    for days in range(1, _DAYS + 1):
        snapshot = f"{today - timedelta(days=days):%Y%m%d}"
        try:
            download.small(context, f"{_snapshot_url(mirror, snapshot)}.md5sum")
        except download.NotThereError as error:
            missing.append(error.message)
        else:
            return {"snapshot": snapshot}
    raise UserError(
        f"{mirror}/snapshots: no snapshot of the last {_DAYS} days\n  {missing[-1]}", hint="see sync.url in config.yml"
    )


def _snapshot_url(mirror: str, snapshot: str) -> str:
    return f"{mirror.rstrip('/')}/snapshots/gentoo-{snapshot}.tar.xz"


def _webrsync(context: Context, inputs: Inputs, pin: Pin, work: Path, target: Path) -> None:
    """Fetches the files of a snapshot, which emerge-webrsync then finds, verifies and unpacks."""
    sync = context.config.sync
    url = _snapshot_url(sync.url or _MIRROR, pin["snapshot"])
    inside = _chroot(context, inputs, work)
    tree = Rooted(inside.root)
    # the stage3 may have anything there
    tree.remove(settings.DISTFILES)
    folder = tree.make_folder(settings.DISTFILES)
    for suffix in ("", ".md5sum", ".gpgsig"):
        path = folder / download.file_name(url + suffix)
        try:
            download.fetch(context, url + suffix, path)
        except download.NotThereError as error:
            if suffix != ".gpgsig":
                raise
            if sync.verify:
                raise VerificationError(f"{url}: not signed: no .gpgsig next to it") from error
            path.write_text("none\n", encoding="ascii")
    command = ["sh", "-c", _WITHOUT_GEMATO, "sh", "emerge-webrsync", f"--revert={pin['snapshot']}", "--keep"]
    target.mkdir()
    # it looks for the files of this mirror, and finds them fetched
    inside = dataclasses.replace(inside, binds={_TREE: target}, env={"GENTOO_MIRRORS": sync.url or _MIRROR})
    _run(context, inside, command if sync.verify else [*command, "--no-pgp-verify"], url)


def _remote(url: str, path: str) -> list[str]:
    """Returns the arguments of rsync for a path below a URL. Over ssh, rsync takes HOST:PATH."""
    parts = urlsplit(url)
    if parts.scheme != "ssh":
        return ["--", f"{url}/{path}"]
    port = [] if parts.port is None else [f"--rsh=ssh -p {parts.port}"]
    host = parts.netloc.removesuffix(f":{parts.port}")
    return [*port, "--", f"{host}:{parts.path}/{path}"]


def _look_rsync(context: Context) -> Pin:
    url, log = context.config.sync.url or "", context.logfile(repositories.TREE)
    with tempfile.TemporaryDirectory(prefix="alchemy-") as folder:
        path = Path(folder) / "timestamp"
        context.runner.run(
            ["rsync", "--timeout=60", "--max-size=64K", *_remote(url, "metadata/timestamp.chk"), path],
            log=log,
            what=f"fetching {url}/metadata/timestamp.chk",
        )
        if not path.is_file():
            raise VerificationError(f"{url}/metadata/timestamp.chk: not a small file")
        return {"timestamp": path.read_text(encoding="utf-8", errors="replace").strip()}


def _rsync(context: Context, inputs: Inputs, pin: Pin, work: Path, target: Path) -> None:
    """Copies the tree with the rsync of the host, which can write nowhere else, and verifies its Manifests."""
    sync, log = context.config.sync, context.logfile(repositories.TREE)
    url = sync.url or ""
    download.require_online(context, f"{url}, {pin['timestamp']}")
    target.mkdir()
    command: list[str | Path] = [*confined(()), "--ro-bind", "/", "/", "--dev", "/dev", "--bind", target, target]
    command += ["--unshare-pid", "--unshare-ipc", "--die-with-parent", "--", *_RSYNC, *_remote(url, ""), f"{target}/"]
    with context.log.step(f"tree: rsync {url}"):
        context.runner.run(command, log=log, what=f"syncing with {url}")
    if not sync.verify:
        return
    inside = _chroot(context, inputs, work)
    inside = dataclasses.replace(inside, ro_binds={_TREE: target})
    verify = ["gemato", "verify", "--no-refresh-keys", "--require-signed-manifest", "--openpgp-key", _KEYS, _TREE]
    with context.log.step("tree: verifying its Manifests"):
        try:
            context.runner.run(inside.argv(verify), log=log, what="gemato")
        except BuildError as error:
            said = error.message.partition("\n")[2]
            raise VerificationError(f"{url}: verification of its Manifests failed\n{said}") from error


def _chroot(context: Context, inputs: Inputs, work: Path) -> Chroot:
    """Unpacks the stage3, and returns a chroot there without network."""
    inside = Chroot(root=work, writable=True)
    with context.log.step("tree: unpacking the stage3"):
        tarball.unpack(
            context, tarball.of(inputs["stage3"]), inside.root, context.logfile(repositories.TREE), "the stage3"
        )
    settings.configure(context, inside, repositories.NONE, [])
    return inside


def _run(context: Context, inside: Chroot, command: list[str], url: str) -> None:
    """Runs a sync command of Portage. Raises VerificationError when Portage refuses the tree."""
    log = context.logfile(repositories.TREE)
    with context.log.step(f"tree: emerge-webrsync {url}"):
        try:
            context.runner.run(inside.argv(command), log=log, what=f"syncing with {url}")
        except BuildError as error:
            if not _REFUSED.search(error.message):
                raise
            said = error.message.partition("\n")[2]
            raise VerificationError(f"{url}: refused: verification by Portage failed\n{said}") from error


@dataclass(frozen=True)
class _Method:
    """A way to sync. `look` says what there is; `fetch` fetches exactly that, with a work folder, into a target."""

    look: Callable[[Context], Pin]
    fetch: Callable[[Context, Inputs, Pin, Path, Path], None]


_METHODS = {
    "git": _Method(_look_git, _git),
    "webrsync": _Method(_look_webrsync, _webrsync),
    "rsync": _Method(_look_rsync, _rsync),
}
