"""Makes the Manifest of a package (GLEP 74): the size and digests of each source file, which is fetched for that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError, UserError
from alchemy.fetch import download
from alchemy.host import files, folders
from alchemy.portage import ebuilds, mirrors, settings, sources
from alchemy.portage.ebuilds import Ebuild

_LARGEST = 8 << 30  # bytes

# how the files begin that have these suffixes: a web page that says sorry does not
_MAGIC = {
    ".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".xz": b"\xfd7zXZ\0", ".bz2": b"BZh", ".zst": b"\x28\xb5\x2f\xfd",
    ".zip": b"PK", ".deb": b"!<arch>\n", ".rpm": b"\xed\xab\xee\xdb",
}  # fmt: skip


def places(context: Context, ebuild: Ebuild, uris: Iterable[str]) -> list[str]:
    """Returns where a file of an ebuild is looked for: mirrors of config.yml, upstream, Debian's mirror, Debian's
    snapshot archive.

    The last two are `mirror://debian/` and `mirror://debian-snapshot/TIME/`: their addresses are those of the host's
    apt and of the stage3's, and known when a build begins.
    """
    found = [*context.config.mirrors]
    for uri in uris:
        path = ebuilds.debian_path(uri)
        if path is not None:
            time = mirrors.snapshot_time(context, ebuild.path.parent)
            found += [uri, f"mirror://debian-snapshot/{time}/{path}"]
        elif "://" in uri:
            found.append(uri)
    if ebuild.by_hand:
        found += [f"distfiles/{name}" for name in ebuild.uris() if name in uris]
        found += ebuild.variables["HOMEPAGE"].split()[:1]
    return found


def read(folder: Path) -> dict[str, str]:
    """Returns the lines of a Manifest by the files that they are about."""
    manifest = folder / "Manifest"
    lines = files.text(manifest).splitlines() if manifest.is_file() else []
    return {words[1]: line for line in lines if (words := line.split())[:1] == ["DIST"] and len(words) > 1}


def make(context: Context, folder: Path) -> list[str]:
    """Writes the Manifest of a package's folder for all of its ebuilds, and returns the names of its new entries.

    A file that the Manifest has keeps its entry. Any other is fetched, upstream first, and kept in the cache for the
    build. Raises BuildError that lists every file that cannot be had, with each place, and UserError for files that
    only a person may fetch and that are not in distfiles/. The Manifest stays as it is then.
    """
    folders.prepare(context)
    with sources.exclusive(sources.folder(context)):
        entries, added = _entries(context, folder)
    files.write(folder / "Manifest", "".join(f"{entries[name]}\n" for name in sorted(entries)))
    return added


def _entries(context: Context, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Returns the lines of a Manifest by their files, and the names of the new ones."""
    known = read(folder)
    entries: dict[str, str] = {}
    lacking: list[str] = []
    by_hand: list[str] = []
    added = []
    for ebuild in ebuilds.read(context, sorted(folder.glob("*.ebuild"))):
        for name, uris in ebuild.uris().items():
            if name in entries:
                continue
            if name in known:
                entries[name] = known[name]
                continue
            path, reasons = _obtain(context, ebuild, name, uris)
            if path is not None:
                entries[name] = entry(path, name)
                added.append(name)
            elif ebuild.by_hand:
                by_hand.append(f"  {ebuild.atom}: {name}, from {ebuild.variables['HOMEPAGE'].split()[0]}")
            else:
                lacking += [f"  {name}, of {ebuild.atom}-{ebuild.version}:", *(f"    {reason}" for reason in reasons)]
    if lacking:
        raise BuildError(
            "\n".join(["sources: cannot be fetched", *lacking]),
            hint=f"check the version and the network, or put the files into {context.root / 'distfiles'}",
        )
    if by_hand:
        raise UserError(
            "\n".join(["some files have to be fetched by hand", *by_hand]),
            hint=f"put them into {context.root / 'distfiles'}",
        )
    return entries, added


def entry(path: Path, name: str) -> str:
    """Returns the line of a Manifest for a file."""
    digests = []
    for algorithm in ("blake2b", "sha512"):
        with path.open("rb") as file:
            digests.append(f"{algorithm.upper()} {hashlib.file_digest(file, algorithm).hexdigest()}")
    return f"DIST {name} {path.stat().st_size} {' '.join(digests)}"


def _obtain(context: Context, ebuild: Ebuild, name: str, uris: Iterable[str]) -> tuple[Path | None, list[str]]:
    """Returns the path of a file without a known digest: in distfiles/, or fetched into the cache. None with the reason
    of each place when it is nowhere."""
    own = context.root / "distfiles" / name
    if own.is_file():
        return own, []
    reasons = []
    debian = settings.debian_mirror(context)
    for uri in [] if ebuild.by_hand else uris:
        path = ebuilds.debian_path(uri)
        url = uri if path is None else f"{debian}/{path}"
        if path is not None and debian is None:
            reasons.append(f"{uri}: the apt of this host has no Debian mirror")
            continue
        if not url.startswith(("http://", "https://")):
            reasons.append(f"{url}: unsupported scheme (expected http or https)")
            continue
        target = sources.folder(context) / name
        temporary = target.with_name(f".{name}.new")
        try:
            download.fetch(context, url, temporary, most=_LARGEST, attempts=2)
        except AlchemyError as error:
            reasons.append(error.message)
            continue
        magic = _MAGIC.get(target.suffix, b"")
        with temporary.open("rb") as file:
            begin = file.read(len(magic))
        if begin != magic or temporary.stat().st_size > _LARGEST:
            reasons.append(f"{url}: not a {target.suffix} file (it begins with {begin!r})")
            temporary.unlink()
            continue
        temporary.chmod(0o644)
        temporary.replace(target)
        return target, []
    return None, reasons or ["no place to download it from"]
