"""The source of the kernel: a Debian package, a tarball that is signed or pinned, or a commit in git."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alchemy.config.remotes import is_git
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.fetch import debian, debian_package, download, git, openpgp, pins
from alchemy.fetch.openpgp import Keyring
from alchemy.fetch.pins import Source
from alchemy.host import files, tarball
from alchemy.host.rooted import Rooted
from alchemy.stage import Pin, Pins, Stage

NAME = "linux"

# the file with the version of a Debian package
VERSION = "debian-version"

# the most bytes of a tarball and of its content, before either is verified: Linux 6.12 has 150 MB and 1.6 GB
_LARGEST_TARBALL = 1 << 30
_LARGEST_SOURCE = 4 << 30

# Suffixes of signatures. kernel.org signs the uncompressed tar.
_SIGNATURES = (".asc", ".sig", ".sign")
_SIGNATURE_OF_CONTENT = ".sign"


def source(context: Context) -> Source | None:
    """Returns the branch or tag to look up; None for a tarball, and for Debian, whose packages apt looks up."""
    url, ref = context.config.linux_url, _ref(context)
    if not is_git(url):
        return None
    return Source(NAME, f"{url} {ref or 'HEAD'}", lambda _: {"commit": _tip(context)})


def stage(context: Context, seen: Pins, _: Mapping[str, Stage]) -> Stage:
    """Declares the stage that fetches the source of the kernel."""
    config = context.config
    asked = source(context)
    locked = context.lock.get(NAME)
    pin = pins.known(context, seen, asked) if asked else (locked.pin if locked else None)
    return Stage(
        name=NAME,
        store=context.cache / "kernel",
        inputs={
            "linux_url": config.linux_url,
            "kernel_ver": config.kernel_ver,
            "linux_sha256": config.linux_sha256 or "",
            **({"linux_keys": " ".join(config.linux_keys)} if config.linux_keys else {}),
            **({"commit": pin["commit"] if pin else None} if asked else {}),
            "suite": debian.suite(context),
        },
        build=lambda output, _: _fetch(context, pin, output),
        external=True,
    )


def version(output: Path) -> Pin:
    """Returns the version of the Debian package that was fetched; nothing for any other source."""
    file = output / VERSION
    return {"version": file.read_text(encoding="ascii").strip()} if file.exists() else {}


def _ref(context: Context) -> str | None:
    return None if context.config.kernel_ver == "latest" else context.config.kernel_ver


def _tip(context: Context) -> str:
    """Looks up the commit of kernel_ver. 6.12 also finds the tag v6.12, as kernel.org names it."""
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
        deb = debian_package.fetch(context, debian.suite(context), wanted, output, log)
        unpacked = output / "unpacked"
        context.runner.run(["dpkg-deb", "--extract", deb, unpacked], log=log, what=f"unpacking {deb.name}")
        tree = Rooted(unpacked)
        source = next(iter(tree.glob("usr/src/linux-source-*.tar.*")), None)
        if source is None:
            raise UserError(f"linux_url: Debian's {package} contains no kernel source", hint="try linux-source-6.12")
        tree.copy_out(source, output / Path(source).name)
        (output / VERSION).write_text(deb.name.split("_")[1] + "\n", encoding="ascii")
        files.remove(unpacked)
        deb.unlink()


def _fetch_git(context: Context, url: str, commit: str, output: Path) -> None:
    log, work = context.logfile(NAME), context.work / NAME
    files.remove(work)
    git.fetch(context, url, _ref(context), commit, work, log)
    git.archive(context, work, "linux", output / f"linux-{commit[:12]}.tar.gz", log)
    files.remove(work)


def _fetch_tarball(context: Context, url: str, output: Path) -> None:
    config, path = context.config, output / download.file_name(url)
    if config.linux_sha256 is None:
        download.fetch(context, url, path, most=_LARGEST_TARBALL)
        if path.stat().st_size > _LARGEST_TARBALL:
            raise VerificationError(f"{url}: too large (expected at most {_LARGEST_TARBALL} bytes)")
    else:
        debian.download(context, url, output, config.linux_sha256, most=_LARGEST_TARBALL)
    if config.linux_keys:
        keys = openpgp.keyring(context, config.linux_keys, "linux_keys")
        with context.log.step(f"linux: verifying {path.name}"):
            _verify(context, keys, url, path)
    with context.log.step(f"linux: checking {path.name}"):
        tarball.check(context, path, url)


def _verify(context: Context, keys: Keyring, url: str, path: Path) -> None:
    bare = url.removesuffix(path.suffix)
    missing = []
    try:
        signature = download.small(context, bare + _SIGNATURE_OF_CONTENT)
    except download.NotThereError as error:
        missing.append(error.message)
    else:
        content = context.work / NAME / path.stem
        files.remove(content.parent)
        content.parent.mkdir(parents=True)
        tarball.decompress(context, path, content, url, most=_LARGEST_SOURCE)
        openpgp.verify_detached(context, keys, content, signature, url)
        files.remove(content.parent)
        return
    for suffix in _SIGNATURES:
        try:
            signature = download.small(context, url + suffix)
        except download.NotThereError as error:
            missing.append(error.message)
            continue
        openpgp.verify_detached(context, keys, path, signature, url)
        return
    raise VerificationError(
        "\n".join(
            [
                f"{url}: not signed (expected a signature with one of the suffixes {', '.join(_SIGNATURES)})",
                *(f"  {line}" for line in missing),
            ]
        )
    )
