"""The kernel's source: of a Debian package, of a tarball that is signed or pinned, or of a commit in git."""

from __future__ import annotations

from pathlib import Path

from alchemy import archive, download, fetch, git, openpgp, pins, stage3, tarball
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.openpgp import Keyring
from alchemy.pins import Pin, Source
from alchemy.remotes import is_git
from alchemy.stage import Stage

NAME = "linux"

# the version that a Debian package turned out to be
VERSION = "debian-version"

# Where a signature may lie. kernel.org signs what is in the compressed file.
_SIGNATURES = (".asc", ".sig", ".sign")
_SIGNATURE_OF_CONTENT = ".sign"


def source(context: Context) -> Source | None:
    """The branch or tag to look up; None for a tarball and for Debian, whose packages apt looks up."""
    url, ref = context.config.linux_url, _ref(context)
    if not is_git(url):
        return None
    return Source(NAME, f"{url} {ref or 'HEAD'}", lambda: {"commit": _tip(context)})


def stage(context: Context) -> Stage:
    """The stage that yields the kernel's source, as it was fetched."""
    config = context.config
    asked = source(context)
    locked = context.lock.get(NAME)
    pin = pins.known(context, asked) if asked else (locked.pin if locked else None)
    return Stage(
        name=NAME,
        store=context.cache / "kernel",
        inputs={
            "linux_url": config.linux_url,
            "kernel_ver": config.kernel_ver,
            "linux_sha256": config.linux_sha256 or "",
            **({"linux_keys": " ".join(config.linux_keys)} if config.linux_keys else {}),
            **({"commit": pin["commit"] if pin else None} if asked else {}),
            "suite": stage3.suite(context),
        },
        build=lambda output: _fetch(context, pin, output),
        external=True,
    )


def version(output: Path) -> Pin:
    """The version that the stage has fetched in `output`, where the configuration leaves it to Debian."""
    file = output / VERSION
    return {"version": file.read_text(encoding="ascii").strip()} if file.exists() else {}


def _ref(context: Context) -> str | None:
    return None if context.config.kernel_ver == "latest" else context.config.kernel_ver


def _tip(context: Context) -> str:
    """The commit of kernel_ver; 6.12 will do for the tag v6.12, as kernel.org has it."""
    url, ref, log = context.config.linux_url, _ref(context), context.logfile(NAME)
    try:
        return git.tip(context, url, ref, log)
    except UserError:
        if ref is None or not ref[0].isdigit():
            raise
        return git.tip(context, url, f"v{ref}", log)


def _fetch(context: Context, pin: Pin | None, output: Path) -> None:
    url = context.config.linux_url
    if url.startswith("debian:"):
        asked = context.config.kernel_ver
        _fetch_debian(context, url.removeprefix("debian:"), (pin or {}).get("version", asked), output)
    elif pin and is_git(url):
        _fetch_git(context, url, pin["commit"], output)
    else:
        _fetch_tarball(context, url, output)


def _fetch_debian(context: Context, package: str, version: str, output: Path) -> None:
    wanted = package if version == "latest" else f"{package}={version}"
    log = context.logfile(NAME)
    with context.log.step(f"linux: fetching {wanted}"):
        deb = fetch.debian_package(context, stage3.suite(context), wanted, output, log)
        unpacked = output / "unpacked"
        context.runner.run(["dpkg-deb", "--extract", deb, unpacked], log=log, what=f"unpacking {deb.name}")
        source = next((unpacked / "usr" / "src").glob("linux-source-*.tar.*"), None)
        if source is None:
            raise UserError(f"linux_url: Debian's {package} holds no kernel source", hint="try linux-source-6.12")
        source.rename(output / source.name)
        (output / VERSION).write_text(deb.name.split("_")[1] + "\n", encoding="ascii")
        archive.remove(unpacked)
        deb.unlink()


def _fetch_git(context: Context, url: str, commit: str, output: Path) -> None:
    log, work = context.logfile(NAME), context.work / NAME
    archive.remove(work)
    git.fetch(context, url, _ref(context), commit, work, log)
    git.archive(context, work, "linux", output / f"linux-{commit[:12]}.tar.gz", log)
    archive.remove(work)


def _fetch_tarball(context: Context, url: str, output: Path) -> None:
    config, path = context.config, output / download.file_name(url)
    if config.linux_sha256 is None:
        download.fetch(context, url, path)
    else:
        fetch.download(context, url, output, config.linux_sha256)
    if config.linux_keys:
        keys = openpgp.keyring(context, config.linux_keys, "linux_keys")
        with context.log.step(f"linux: verifying {path.name}"):
            _verify(context, keys, url, path)


def _verify(context: Context, keys: Keyring, url: str, path: Path) -> None:
    bare = url.removesuffix(path.suffix)
    try:
        signature = download.small(context, bare + _SIGNATURE_OF_CONTENT)
    except download.NotThereError:
        pass
    else:
        content = context.work / NAME / path.stem
        archive.remove(content.parent)
        content.parent.mkdir(parents=True)
        tarball.decompress(context, path, content, url)
        openpgp.verify_detached(context, keys, content, signature, url)
        archive.remove(content.parent)
        return
    for suffix in _SIGNATURES:
        try:
            signature = download.small(context, url + suffix)
        except download.NotThereError:
            continue
        openpgp.verify_detached(context, keys, path, signature, url)
        return
    raise VerificationError(f"{url}: is not signed: there is no {', '.join(_SIGNATURES)} beside it")
