"""The command ebuild.outdated: which ebuilds are behind upstream, or behind Debian."""

from __future__ import annotations

import functools
import itertools
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError
from alchemy.fetch import debian, debian_sources, download, python_releases, upstream
from alchemy.host import folders
from alchemy.parts import cpe, versions
from alchemy.portage import ebuilds, metadata, settings, sources
from alchemy.portage.ebuilds import Ebuild
from alchemy.stages import stage3

Status = Literal["behind", "current", "unknown"]

_GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:archive|releases)/")

# the suffixes that Debian adds to an upstream version: a repacked source (+dfsg), a downgrade (+really)
_REPACKED = re.compile(r"[.+~]?(?:dfsg|ds|repack)[0-9.]*$")
_REALLY = re.compile(r".*\+really")
_SNAPSHOT = re.compile(r"[+~](?:git)?\.?(?=[0-9]{8})")
_NMU = re.compile(r"\+nmu[0-9]+$")
# of a version in stable: patched there, or a newer release that was taken over (~) and patched again
_PATCHED = re.compile(r"\+deb[0-9]+u[0-9]+$|~deb[0-9]+u([2-9]|[0-9]{2,})$")

# A release is as old as the newest of so many files in it
_MEMBERS = 300
_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError)


@dataclass(frozen=True)
class Answers:
    """What the outside world says: the newest release of upstream by package and slot, or why it is unknown; the
    versions of Debian's sources by suite, with the name of the stable one; when a source file was published."""

    upstream: Mapping[tuple[str, str], str]
    reasons: Mapping[tuple[str, str], str]
    debian: debian_sources.Versions
    stable: str
    published: Mapping[str, date]


@dataclass(frozen=True)
class Row:
    """An ebuild beside what there is. `debian_patches` is the version of Debian stable with patches, mostly for
    security, to the release that the ebuild builds without them."""

    atom: str
    slot: str
    version: str
    upstream: str | None
    debian_stable: str | None
    debian_newest: str | None
    debian_patches: str | None
    published: str | None
    age_days: int | None
    status: Status
    reason: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(context: Context, today: date) -> list[Row]:
    """Looks up all ebuilds of overlays/ and the stage3's Portage, and compares them, those that are behind first.

    What cannot be looked up is unknown, with the reason; it never counts as current. Raises UserError offline.
    """
    download.require_online(context, "what upstream and Debian have released")
    folders.prepare(context)
    found = ebuilds.every(context)
    return _sorted([*compare(found, look(context, found), today), portage(context)])


def portage(context: Context) -> Row:
    """Compares the Portage of the embedded stage3 with the newest one of the Python package index."""
    newest, reason = None, ""
    status: Status = "unknown"
    try:
        released = python_releases.find(context, "portage", context.logfile("outdated"))
        newest = max(released, key=functools.cmp_to_key(functools.partial(versions.compare, "upstream")))
        status = "behind" if _newer(newest, stage3.PORTAGE) else "current"
        reason = f"{newest} is newer" if status == "behind" else ""
    except BuildError as error:
        reason = error.message
    return Row(
        atom="sys-apps/portage",
        slot="0",
        version=stage3.PORTAGE,
        upstream=newest,
        debian_stable=None,
        debian_newest=None,
        debian_patches=None,
        published=None,
        age_days=None,
        status=status,
        reason=reason,
    )


def compare(found: Iterable[Ebuild], answers: Answers, today: date) -> list[Row]:
    """Compares ebuilds with the answers of the outside world."""
    return _sorted([_row(ebuild, answers, today) for ebuild in found])


def _sorted(rows: Iterable[Row]) -> list[Row]:
    order = {"behind": 0, "unknown": 1, "current": 2}
    return sorted(rows, key=lambda row: (order[row.status], row.atom, row.slot))


def text(rows: Sequence[Row]) -> str:
    """Formats the rows as a table, and how many have each status."""
    head = ("package", "version", "upstream", "Debian stable", "Debian newest", "age", "status")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    formatted = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    counts = [f"{sum(row.status == status for row in rows)} {status}" for status in ("behind", "unknown", "current")]
    return "\n".join([*(line.rstrip() for line in formatted), ", ".join(counts)])


def _cells(row: Row) -> tuple[str, ...]:
    name = row.atom if row.slot == "0" else f"{row.atom}:{row.slot}"
    age = "-" if row.age_days is None else f"{row.age_days} d"
    status = f"{row.status}: {row.reason}" if row.reason else row.status
    debian = (row.debian_stable or "-", row.debian_newest or "-")
    return (name, row.version, row.upstream or "-", *debian, age, status)


def _row(ebuild: Ebuild, answers: Answers, today: date) -> Row:
    key = (ebuild.atom, ebuild.slot)
    by_suite = answers.debian.get(_debian_source(ebuild) or "", {})
    stable = _newest_debian([v for suite, each in by_suite.items() if _is_stable(suite, answers.stable) for v in each])
    newest = _newest_debian([version for each in by_suite.values() for version in each])
    released = answers.upstream.get(key)
    ahead = [version for version in (released, _released(newest)) if version and _newer(version, ebuild.version)]
    patched = stable and _PATCHED.search(stable) and _same(_released(stable), ebuild.version)
    patches = stable if stable and patched and not _repacks(ebuild, stable) else None
    published = min((answers.published[name] for name in ebuild.uris() if name in answers.published), default=None)
    reason = ""
    status: Status = "behind" if ahead else "current" if released else "unknown"
    if ahead:
        reason = f"{ahead[0]} is newer"
    elif status == "unknown":
        reason = answers.reasons.get(key, "upstream is not known")
    if patches:
        reason = "; ".join(filter(None, (reason, f"Debian patches it ({patches})")))
    return Row(
        atom=ebuild.atom,
        slot=ebuild.slot,
        version=ebuild.version,
        upstream=released,
        debian_stable=stable,
        debian_newest=newest,
        debian_patches=patches,
        published=published.isoformat() if published else None,
        age_days=(today - published).days if published else None,
        status=status,
        reason=reason,
    )


def _repacks(ebuild: Ebuild, version: str) -> bool:
    """True when an ebuild repacks Debian's binary package of that version, which has the patches."""
    return any(name.endswith(".deb") and f"_{version.rpartition(':')[2]}_" in name for name in ebuild.uris())


def _is_stable(suite: str, stable: str) -> bool:
    return suite in (stable, f"{stable}-updates", f"{stable}-security")


def _debian_source(ebuild: Ebuild) -> str | None:
    """Returns the source package of Debian that an ebuild's first file from there belongs to."""
    paths = (ebuilds.debian_path(uri) for uris in ebuild.uris().values() for uri in uris)
    return next((path.split("/")[3] for path in paths if path is not None and path.count("/") > 3), None)


def _newest_debian(found: Sequence[str]) -> str | None:
    comparable = [version for version in found if _is_version("debian", version)]
    return max(comparable, key=functools.cmp_to_key(functools.partial(versions.compare, "debian")), default=None)


def _released(debian: str | None) -> str | None:
    """Returns the release of upstream in a version of Debian: 2.9.14 for 2.12.7+dfsg+really2.9.14-2.1."""
    if debian is None:
        return None
    version = re.sub(r"^[0-9]+:", "", debian).rpartition("-")[0] or re.sub(r"^[0-9]+:", "", debian)
    version = _NMU.sub("", _REPACKED.sub("", _REALLY.sub("", version)))
    return _SNAPSHOT.sub("_p", version).replace("~", "_")


def _is_version(scheme: versions.Scheme, version: str) -> bool:
    try:
        versions.check(scheme, version)
    except ValueError:
        return False
    return True


def _newer(version: str, ebuild: str) -> bool:
    try:
        return versions.compare("upstream", version, cpe.release(ebuild)) > 0
    except ValueError:
        return False


def _same(version: str | None, ebuild: str) -> bool:
    try:
        return version is not None and versions.compare("upstream", version, cpe.release(ebuild)) == 0
    except ValueError:
        return False


def look(context: Context, found: Sequence[Ebuild]) -> Answers:
    """Asks upstream and Debian. What fails is told, and unknown then."""
    released: dict[tuple[str, str], str] = {}
    reasons: dict[tuple[str, str], str] = {}
    published: dict[str, date] = {}
    known: debian_sources.Versions = {}
    try:
        known = debian_sources.versions(context)
    except AlchemyError as error:
        context.log.warn(f"Debian's versions are unknown: {error.message.splitlines()[0]}")
    lookup = upstream.Lookup(context)
    with context.log.step("asking upstream projects for their releases"):
        for ebuild in found:
            key = (ebuild.atom, ebuild.slot)
            try:
                released[key] = _upstream(lookup, ebuild)
            except BuildError as error:
                reasons[key] = error.message.splitlines()[0]
    mirror = settings.debian_mirror(context)
    with context.log.step("asking when the sources were published"):
        for ebuild in found:
            for name, uris in ebuild.uris().items():
                day = _published(context, mirror, name, uris)
                if day is not None:
                    published[name] = day
    return Answers(released, reasons, known, debian.suite(context), published)


def _published(context: Context, mirror: str | None, name: str, uris: Iterable[str]) -> date | None:
    """Returns the day on which a source file was made: of its newest member, or as Debian's mirror dates it."""
    cached = sources.folder(context) / name
    if cached.is_file() and (packed := _packed(cached)):
        return packed
    paths = [path for uri in uris if (path := ebuilds.debian_path(uri)) is not None]
    return _modified(f"{mirror}/{paths[0]}") if mirror and paths else None


def _packed(path: Path) -> date | None:
    try:
        with tarfile.open(path, "r|*") as archive:
            times = [member.mtime for member in itertools.islice(archive, _MEMBERS)]
        return datetime.fromtimestamp(max(times), UTC).date() if times else None
    except (*_BROKEN, ValueError, OverflowError):
        return None


def _upstream(lookup: upstream.Lookup, ebuild: Ebuild) -> str:
    """Returns the newest release of a project. Raises BuildError with the reason why it is unknown."""
    if not ebuild.uris():
        raise BuildError("it has no source file")
    if ebuild.by_hand:
        raise BuildError("its files are fetched by hand")
    known = metadata.read(ebuild.path.parents[2], ebuild.atom)
    current = cpe.release(ebuild.version)
    urls = [uri for uris in ebuild.uris().values() for uri in uris if not uri.startswith("mirror://")]
    repositories = [known.repository] if known.repository else []
    repositories += [f"https://github.com/{match[1]}" for url in urls if (match := _GITHUB.match(url))]
    failures = []
    for ask, places in ((lookup.tags, repositories[:1]), (lookup.listed, urls)):
        for place in places:
            try:
                found = [version for version in ask(place, current) if _is_version("upstream", version)]
            except BuildError as error:
                failures.append(error.message)
                continue
            if found:
                return max(found, key=functools.cmp_to_key(functools.partial(versions.compare, "upstream")))
            failures.append(f"{place}: no versions")
    raise BuildError("; ".join(dict.fromkeys(failures)) or "metadata.xml and SRC_URI name no upstream")


def _modified(url: str) -> date | None:
    """Returns the day of a file on the web, by its server."""
    import requests

    from alchemy.fetch.websession import WebSession

    try:
        with WebSession() as session, session.head(url, timeout=15, allow_redirects=True) as response:
            stamp = response.headers.get("Last-Modified", "") if response.ok else ""
        found: datetime | None = parsedate_to_datetime(stamp) if stamp else None
    except (requests.RequestException, AlchemyError, ValueError):
        return None
    return found.date() if found else None
