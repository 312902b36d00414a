"""Known vulnerabilities, in the Open Source Vulnerability format (OSV schema 1), and the packages that they affect."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from alchemy.fetch import upstream
from alchemy.parts import cpe, versions
from alchemy.parts.versions import Scheme

# the package URLs of packages that a record names by ecosystem and name only
_ECOSYSTEMS = {"Gentoo": "pkg:ebuild/{}", "Debian": "pkg:deb/debian/{}", "Linux": "pkg:generic/linux"}
_SCHEMES: Mapping[str, Scheme] = {"ebuild": "ebuild", "deb": "debian"}

Status = Literal["affected", "unknown"]

_Item = TypeVar("_Item")
_Word = Annotated[str, Field(min_length=1, max_length=1000)]
# databases write null for an empty list or mapping
_List = Annotated[tuple[_Item, ...], BeforeValidator(lambda value: () if value is None else value)]
_Mapping = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Severity(_Model):
    type: _Word
    score: _Word


class _Package(_Model):
    ecosystem: str = ""
    name: str = ""
    purl: str | None = None


class _Range(_Model):
    type: _Word
    repo: str | None = None
    events: _List[dict[str, str]] = ()
    database_specific: _Mapping = {}


class _Affected(_Model):
    package: _Package | None = None
    ranges: _List[_Range] = ()
    versions: _List[str] = ()
    severity: _List[_Severity] = ()
    database_specific: _Mapping = {}
    ecosystem_specific: _Mapping = {}


class Record(_Model):
    """A vulnerability, with the packages and versions that it affects."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    summary: str | None = None
    aliases: _List[str] = ()
    withdrawn: str | None = None
    severity: _List[_Severity] = ()
    affected: _List[_Affected] = ()
    database_specific: _Mapping = {}


@dataclass(frozen=True)
class Component:
    """A package of an image. `version` is that of its ebuild; a package URL has the version of its own type."""

    name: str
    version: str
    purl: str | None
    cpe: str | None
    repository: str | None = None


@dataclass(frozen=True)
class Finding:
    """A vulnerability of a component, found by its `purl`, `cpe` or `repository`. The status is `unknown` where the
    record's versions cannot be compared, with the reason. `fixed` has the versions that end the affected ranges; it may
    be empty."""

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    severity: str
    summary: str
    status: Status
    fixed: tuple[str, ...]
    reason: str
    matched: str


@dataclass(frozen=True)
class _Match:
    """A component that a record names, and its version in the scheme that the record's versions have."""

    component: Component
    by: str
    scheme: Scheme
    version: str
    # the version that the name itself has, where it has one
    named: str | None


@dataclass(frozen=True)
class _Verdict:
    status: Status
    fixed: tuple[str, ...] = ()
    reason: str = ""


class Index:
    """The components of an image by the names that records use."""

    def __init__(self, components: Iterable[Component]) -> None:
        self._by_purl: dict[str, list[tuple[Component, str]]] = {}
        self._by_cpe: dict[str, list[tuple[Component, cpe.Name]]] = {}
        self._by_repository: dict[str, list[Component]] = {}
        for component in components:
            if component.purl:
                name, version = _purl(component.purl)
                self._by_purl.setdefault(name, []).append((component, version or component.version))
            if component.cpe:
                parsed = cpe.parse(component.cpe)
                self._by_cpe.setdefault(parsed.product, []).append((component, parsed))
            if component.repository:
                self._by_repository.setdefault(_repository(component.repository), []).append(component)

    def findings(self, record: Record) -> list[Finding]:
        """Returns what a record says of the components: each at most once, and `affected` before `unknown`."""
        if record.withdrawn:
            return []
        found: dict[Component, Finding] = {}
        for affected in record.affected:
            for match in self._matches(record, affected):
                verdict = _judge(affected, match) if match.by != "repository" else _judge_tags(affected, match)
                known = found.get(match.component)
                if verdict and (known is None or (known.status, verdict.status) == ("unknown", "affected")):
                    found[match.component] = _finding(record, affected, match, verdict)
        return list(found.values())

    def _matches(self, record: Record, affected: _Affected) -> Iterator[_Match]:
        named = _named(affected.package)
        if named is not None:
            name, version = named
            kind = name.partition("/")[0].removeprefix("pkg:")
            for component, own in self._by_purl.get(name, ()):
                yield _Match(component, "purl", _SCHEMES.get(kind, "upstream"), own, version)
        ecosystem = affected.package.ecosystem.partition(":")[0] if affected.package else ""
        for text in _cpes(record, affected):
            wanted = cpe.parse(text)
            for component, parsed in self._by_cpe.get(wanted.product, ()):
                scheme, own = _in_ecosystem(ecosystem, component.version, parsed.release or component.version)
                yield _Match(component, "cpe", scheme, own, wanted.release)
        for repository in {_repository(span.repo) for span in affected.ranges if span.type == "GIT" and span.repo}:
            for component in self._by_repository.get(repository, ()):
                yield _Match(component, "repository", "upstream", cpe.release(component.version), None)


def _repository(url: str) -> str:
    """Returns the host and the path of a repository, as many spell its URL."""
    parts = urlsplit(url.lower())
    return f"{parts.hostname or ''}/{parts.path.strip('/').removesuffix('.git')}"


def _in_ecosystem(ecosystem: str, ebuild: str, release: str) -> tuple[Scheme, str]:
    """Returns how versions of an ecosystem compare, and there the version of an upstream release that an ebuild has."""
    if ecosystem == "Gentoo":
        return "ebuild", ebuild
    if ecosystem == "Debian":
        # Debian's first package of a release has no changes but its packaging
        return "debian", f"{release}-1"
    return "upstream", release


@functools.lru_cache(maxsize=1 << 16)
def _purl(text: str) -> tuple[str, str | None]:
    """Returns a package URL without version and qualifiers, and its version. Raises ValueError when it is malformed."""
    from packageurl import PackageURL

    purl = PackageURL.from_string(text)
    return str(PackageURL(purl.type, purl.namespace, purl.name)), purl.version


def _named(package: _Package | None) -> tuple[str, str | None] | None:
    if package is None:
        return None
    if package.purl:
        return _purl(package.purl)
    form = _ECOSYSTEMS.get(package.ecosystem.partition(":")[0])
    return _purl(form.format(package.name)) if form and package.name else None


def _cpes(record: Record, affected: _Affected) -> list[str]:
    """Returns the CPEs of an affected package: its own, or those of the whole record where it has none."""
    own = [affected.database_specific, affected.ecosystem_specific, *(r.database_specific for r in affected.ranges)]
    return [name for where in own for name in _cpes_in(where)] or _cpes_in(record.database_specific)


def _cpes_in(where: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key in ("cpe", "cpes"):
        value = where.get(key)
        names = [value] if isinstance(value, str) else value or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{key}: expected text or a list of it")
        found += names
    return found


def _judge(affected: _Affected, match: _Match) -> _Verdict | None:
    """Returns what the ranges and versions of a record say of a component; None when they do not affect it.

    A range that cannot be compared (commits, an unknown type, a malformed version) is `unknown`, unless another one
    affects the version.
    """
    listed = [*affected.versions, *([match.named] if match.named else [])]
    try:
        versions.check(match.scheme, match.version)
    except ValueError as error:
        return _Verdict("unknown", reason=f"this package: {error}")
    if any(_same(match, version) for version in listed):
        return _Verdict("affected", tuple(_fixes(affected, match)))
    reasons, fixed = [], []
    hit = False
    decided = False
    for span in affected.ranges:
        scheme, version, events = _comparable(span, match)
        if scheme is None:
            reasons.append(f"range of type {span.type}")
            continue
        try:
            inside, fix = _inside(scheme, version, events)
        except ValueError as error:
            reasons.append(str(error))
            continue
        decided = True
        hit = hit or inside
        fixed += [fix] if inside and fix else []
    if hit:
        return _Verdict("affected", tuple(dict.fromkeys(fixed)))
    # commits beside versions say the same in other words
    reasons = [reason for reason in reasons if not (decided and reason == "range of type GIT")]
    if not affected.ranges and not listed:
        reasons.append("the record has no versions")
    return _Verdict("unknown", reason=", ".join(dict.fromkeys(reasons))) if reasons else None


def _judge_tags(affected: _Affected, match: _Match) -> _Verdict | None:
    """Returns what a record says by the tags that it lists of a repository; `unknown` where it lists none that stands
    for a version."""
    tags = [version for name in affected.versions if (version := upstream.version_of(name))]
    commits = [at for span in affected.ranges for event in span.events for kind, at in event.items() if kind == "fixed"]
    if any(_same(match, version) for version in tags):
        return _Verdict("affected", tuple(f"commit {commit[:12]}" for commit in dict.fromkeys(commits)))
    extracted = [span for span in affected.ranges if _comparable(span, match)[0] is not None]
    if extracted:
        return _judge(affected.model_copy(update={"ranges": tuple(extracted), "versions": ()}), match)
    return None if tags else _Verdict("unknown", reason="range of type GIT")


def _same(match: _Match, version: str) -> bool:
    as_upstream: tuple[Scheme, str] = ("upstream", _released(match))
    for scheme, own in ((match.scheme, match.version), *([as_upstream] if match.scheme == "ebuild" else [])):
        try:
            return versions.compare(scheme, own, version) == 0
        except ValueError:
            continue
    return False


def _fixes(affected: _Affected, match: _Match) -> Iterator[str]:
    """Yields the first fixed version of each range that is newer than the component."""
    for span in affected.ranges:
        scheme, version, events = _comparable(span, match)
        try:
            fix = _inside(scheme, version, events)[1] if scheme else None
        except ValueError:
            continue
        if fix:
            yield fix


def _comparable(span: _Range, match: _Match) -> tuple[Scheme | None, str, list[dict[str, str]]]:
    """Returns the scheme of a range's events, the component's version in it, and the events. No scheme: no version can
    be compared with them."""
    if span.type == "ECOSYSTEM" and match.scheme == "ebuild" and not _of_ebuilds(span):
        # a record may name the package of Gentoo, and the versions of upstream: 1.9.17p1
        return "upstream", _released(match), list(span.events)
    if span.type == "ECOSYSTEM":
        return match.scheme, match.version, list(span.events)
    if span.type == "SEMVER":
        return "upstream", _released(match), list(span.events)
    # OSV's own conversion of the National Vulnerability Database keeps the versions beside the commits
    extracted = span.database_specific.get("extracted_events") or span.database_specific.get("versions")
    if span.type == "GIT" and isinstance(extracted, list) and all(isinstance(event, dict) for event in extracted):
        return "upstream", _released(match), [{str(k): str(v) for k, v in event.items()} for event in extracted]
    return None, match.version, []


def _of_ebuilds(span: _Range) -> bool:
    """Returns whether all versions of a range are such that an ebuild can have them."""
    try:
        for event in span.events:
            for at in event.values():
                versions.check("ebuild", at)
    except ValueError:
        return False
    return True


def _released(match: _Match) -> str:
    """Returns the upstream release of a component, without the revision of its ebuild."""
    return cpe.release(match.version) if match.scheme == "ebuild" else match.version


def _inside(scheme: Scheme, version: str, events: Iterable[Mapping[str, str]]) -> tuple[bool, str | None]:
    """Returns whether a version is in a range, and the next version with the fix (OSV schema, "Evaluation").

    Raises ValueError for an event that cannot be compared.
    """
    timeline = [(kind, at) for event in events for kind, at in event.items()]
    for kind, at in timeline:
        if kind not in ("introduced", "fixed", "last_affected", "limit"):
            raise ValueError(f"event of type {kind[:40]}")
        if at != "0" and (kind, at) != ("limit", "*"):
            versions.check(scheme, at)
    if not any(kind == "introduced" for kind, _ in timeline):
        raise ValueError("range without a begin")

    def order(left: tuple[str, str], right: tuple[str, str]) -> int:
        # "0" comes before every version, also before 0_alpha
        if "0" in (left[1], right[1]):
            return (left[1] != "0") - (right[1] != "0")
        return versions.compare(scheme, left[1], right[1])

    limits = [at for kind, at in timeline if kind == "limit" and at != "*"]
    if limits and all(versions.compare(scheme, version, at) >= 0 for at in limits):
        return False, None
    inside, fix = False, None
    points = sorted((point for point in timeline if point[0] != "limit"), key=functools.cmp_to_key(order))
    for kind, at in points:
        later = -1 if at == "0" else versions.compare(scheme, at, version)
        if kind == "introduced" and later <= 0:
            inside = True
        elif (kind == "fixed" and later <= 0) or (kind == "last_affected" and later < 0):
            inside = False
        elif kind == "fixed" and fix is None:
            fix = at
    return inside, fix


def _finding(record: Record, affected: _Affected, match: _Match, verdict: _Verdict) -> Finding:
    return Finding(
        package=match.component.name,
        version=match.component.version,
        id=record.id,
        aliases=record.aliases,
        severity=_severity(record, affected),
        summary=" ".join((record.summary or "").split())[:200],
        status=verdict.status,
        fixed=verdict.fixed,
        reason=verdict.reason,
        matched=match.by,
    )


def _severity(record: Record, affected: _Affected) -> str:
    """Returns the severity in the database's own word, else as a CVSS vector; empty where the record has neither."""
    for where in (affected.database_specific, affected.ecosystem_specific, record.database_specific):
        word = where.get("severity")
        if isinstance(word, str) and word:
            return word[:100]
    return next((each.score[:100] for each in (*affected.severity, *record.severity)), "")
