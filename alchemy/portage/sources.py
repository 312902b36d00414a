"""Source files of ebuilds (distfiles), downloaded on the host into the cache.

A build chroot has no network. Portage says there which files a build needs and where they may be found; it has read
that in ebuilds of others, so every value is checked before it is used. A file gets its name in the cache only after it
matches the size and the digests of its Manifest (GLEP 74).
"""

from __future__ import annotations

import configparser
import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.fetch import download
from alchemy.portage import mirrors, settings
from alchemy.portage.mirrors import Layout

# hashlib's names of the digests in Manifests and in indexes of binary packages, the strongest first
_ALGORITHMS = {"BLAKE2B": "blake2b", "SHA512": "sha512", "SHA256": "sha256", "SHA1": "sha1", "MD5": "md5"}
_STRONG = ("BLAKE2B", "SHA512")

_LARGEST = 1 << 40  # bytes
_LONGEST_NAME = 255 - len(".digest-mismatch")

_MISMATCH = ".digest-mismatch"

# A file whose digest differs in this many places has changed upstream: the rest would waste bandwidth.
_MOST_MISMATCHES = 5


def _file_name(name: str) -> str:
    if (
        not name
        or len(name) > _LONGEST_NAME
        or name[0] in ".-"
        or not (name.isascii() and name.isprintable())
        or set(name) & set("/\\\"'` ")
        or name == mirrors.LAYOUT
    ):
        raise ValueError("not a plain file name")
    return name


def known_digests(values: Mapping[str, str]) -> Mapping[str, str]:
    """Those of `values`, digests in hexadecimal by their names in a Manifest, that `fault` can check. Raises ValueError
    when one is malformed."""
    known = {name: value for name, value in values.items() if name in _ALGORITHMS}
    for name, value in known.items():
        length = 2 * hashlib.new(_ALGORITHMS[name], usedforsecurity=False).digest_size
        if not re.fullmatch(f"[0-9a-f]{{{length}}}", value):
            raise ValueError(f"malformed {name} digest")
    return known


def _digests(values: Mapping[str, str]) -> Mapping[str, str]:
    known = known_digests(values)
    if not set(known) & set(_STRONG):
        got = ", ".join(known) or "none"
        raise ValueError(f"no digest that counts (expected {' or '.join(_STRONG)}, got {got})")
    return known


def _url(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or " " in value or len(value) > 4096:
        raise ValueError("not a URL")
    # raises ValueError for a malformed host or port
    _ = urlsplit(value).port
    return value


class Distfile(BaseModel):
    """A source file of a package, as Portage describes it.

    `places` are URLs in the order in which to try them, each with its kind: a `uri` is that of the file, a `mirror` the
    base of a mirror whose own layout says where below it the file is (GLEP 75).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    package: Annotated[str, Field(pattern=r"^[\w+.-]+/[\w+.-]+$")]
    file: Annotated[str, AfterValidator(_file_name)]
    size: Annotated[int, Field(gt=0, le=_LARGEST)]
    digests: Annotated[Mapping[str, str], AfterValidator(_digests)]
    places: tuple[tuple[Literal["uri", "mirror"], Annotated[str, AfterValidator(_url)]], ...]


def folder(context: Context) -> Path:
    """Returns the cache's folder of downloads, readable by Portage's own user in a chroot."""
    path = context.cache / "distfiles"
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
    return path


def fault(path: Path, size: int, digests: Mapping[str, str]) -> str | None:
    """What distinguishes a file from the one with this size in bytes and these digests; None when nothing does."""
    found = path.stat().st_size
    if found != size:
        got = f"got {found}" if found < size else "got more"
        return f"{'truncated' if found < size else 'size mismatch'} (expected {size} bytes, {got})"
    for name, expected in digests.items():
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, _ALGORITHMS[name]).hexdigest()
        if actual != expected:
            return f"digest mismatch (expected {name} {expected}, got {actual})"
    return None


def missing(context: Context, wanted: Iterable[Distfile]) -> list[Distfile]:
    """Those of `wanted` that are neither in the cache nor in distfiles/, or are there with other content; each once."""
    folders = (folder(context), context.root / "distfiles")
    found = {}
    for distfile in wanted:
        if all(_judge(path / distfile.file, distfile) for path in folders):
            found[distfile.file, distfile.size, *sorted(distfile.digests.items())] = distfile
    return list(found.values())


def _judge(path: Path, distfile: Distfile) -> str | None:
    """Why a path is not the file that is wanted; None when it is."""
    if path.is_symlink():
        return "is a link, which would lead elsewhere in the chroot"
    return fault(path, distfile.size, distfile.digests) if path.is_file() else "no such file"


def take(context: Context, wanted: Iterable[Distfile]) -> None:
    """Copies into the cache those of `wanted` that are missing and that a folder of `mirrors` has: offline, too."""
    local = [base for base in mirrors.own(context) if urlsplit(base).scheme == "file"]
    if not local:
        return
    with exclusive(folder(context)):
        for distfile in missing(context, wanted):
            here = tuple(("mirror", base) for base in local)
            _fetch(context, distfile.model_copy(update={"places": here}), _Places(context))


def fetch(context: Context, wanted: Iterable[Distfile]) -> None:
    """Downloads the files of `wanted` that are missing.

    All files are tried before this raises: VerificationError when the content of one isn't what its Manifest says,
    BuildError when one can be had nowhere. Either lists every file with every place that was tried.
    """
    wanted = list(wanted)
    places = _Places(context)
    # clones share the folder, and so do the stages of one build
    with exclusive(folder(context)):
        failures = [failure for distfile in missing(context, wanted) if (failure := _fetch(context, distfile, places))]
    if not failures:
        return
    text = "\n".join(line for failure in failures for line in failure.lines())
    if any(failure.mismatch for failure in failures):
        raise VerificationError(
            f"sources: verification failed (digest mismatch)\n{text}",
            hint=f"the rejected file is kept as {folder(context)}/*{_MISMATCH}: compare it with the Manifest",
        )
    raise BuildError(
        f"sources: cannot be fetched\n{text}",
        hint=f"check the network and the proxy, or put the files into {context.root / 'distfiles'}",
    )


@dataclass
class _Failure:
    """A file that could not be had, with the reason of each place."""

    distfile: Distfile
    reasons: list[str] = field(default_factory=list)
    # those of downloads with other content, and whether the file that was put there by hand has other content
    mismatches: list[str] = field(default_factory=list)
    by_hand: bool = False

    @property
    def mismatch(self) -> bool:
        return self.by_hand or bool(self.mismatches)

    def lines(self) -> Iterator[str]:
        yield f"  {self.distfile.file}, of {self.distfile.package}:"
        for reason in self.reasons or ["no place to download it from"]:
            yield f"    {reason}"


def _fetch(context: Context, distfile: Distfile, places: _Places) -> _Failure | None:
    """Downloads a file from the first place that has it. Returns the reason of the failure, if it failed."""
    target = folder(context) / distfile.file
    temporary = target.with_name(f".{target.name}.tmp")
    failure = _Failure(distfile)
    by_hand = context.root / "distfiles" / distfile.file
    if by_hand.is_file():
        failure.reasons.append(f"{by_hand}: {_judge(by_hand, distfile)}")
        failure.by_hand = not by_hand.is_symlink()
    for url in places.urls(distfile):
        if not places.allows(url):
            failure.reasons.append(f"{url}: unsupported scheme (expected http or https)")
            continue
        try:
            places.download(url, temporary, distfile.size)
        except (UserError, BuildError) as error:
            failure.reasons.append(error.message)
            continue
        wrong = fault(temporary, distfile.size, distfile.digests)
        if wrong is None:
            temporary.chmod(0o644)
            temporary.replace(target)
            for reason in failure.mismatches:
                context.log.warn(f"{reason}; fetched from {url} instead")
            return None
        temporary.replace(target.with_name(f"{target.name}{_MISMATCH}"))
        failure.reasons.append(f"{url}: {wrong}")
        failure.mismatches.append(f"{url}: {wrong}")
        if len(failure.mismatches) == _MOST_MISMATCHES:
            break
    return failure


class _Places:
    """Where files are downloaded from. A host that cannot be reached is asked once, a mirror for its layout once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._own = mirrors.own(context)
        self._unreachable: set[str] = set()
        self._layouts: dict[str, Layout] = {}

    def urls(self, distfile: Distfile) -> Iterator[str]:
        """The URLs of a file, each once, in their order."""
        tried = set()
        for kind, place in distfile.places:
            for url in [place] if kind == "uri" else self._on_mirror(place.rstrip("/"), distfile.file):
                if url not in tried:
                    tried.add(url)
                    yield self._at_time(url, distfile) if mirrors.SNAPSHOT in url else url

    def allows(self, url: str) -> bool:
        """Returns whether a URL may be fetched: an ebuild names files of the web only, config.yml folders too."""
        if urlsplit(url).scheme in ("http", "https"):
            return True
        return "/../" not in unquote(url) and any(url.startswith(f"{base}/") for base in self._own)

    def download(self, url: str, target: Path, size: int) -> None:
        """Downloads up to one block more than `size`. Raises as download.fetch does."""
        import requests  # costs 0.1 s to import, and most runs fetch nothing

        host = urlsplit(url).netloc
        if host in self._unreachable:
            raise BuildError(f"{url}: {host} cannot be reached")
        try:
            download.fetch(self._context, url, target, most=size, attempts=3)
        except PermissionError as error:
            raise BuildError(f"{url}: permission denied") from error
        except BuildError as error:
            # a server that answers with an error may have other files
            if not isinstance(error.__cause__, requests.HTTPError):
                self._unreachable.add(host)
            raise

    def _on_mirror(self, base: str, file: str) -> list[str]:
        if base not in self._layouts:
            self._layouts[base] = self._look(base)
        found = [f"{base}/distfiles/{self._layouts[base].path(file)}"]
        # a mirror of one's own may be a plain folder
        return [*found, f"{base}/{quote(file)}"] if base in self._own else found

    def _look(self, base: str) -> Layout:
        """The layout of a mirror; the flat one when it names none."""
        url = f"{base}/distfiles/{mirrors.LAYOUT}"
        if not self.allows(url):
            return Layout()
        try:
            return Layout.read(download.small(self._context, url, attempts=2))
        except BuildError:
            self._unreachable.add(urlsplit(base).netloc)
        except (UserError, ValueError, configparser.Error, PermissionError):
            pass
        return Layout()

    def _at_time(self, url: str, distfile: Distfile) -> str:
        """The URL of a file in the snapshot archive, at the time when its Manifest was made."""
        category, _, full = distfile.package.partition("/")
        name, _ = settings.split_version(full)
        repositories = self._context.root / "overlays"
        folder = next(iter(sorted(repositories.glob(f"*/{category}/{name}"))), repositories)
        return url.replace(mirrors.SNAPSHOT, mirrors.snapshot_time(self._context, folder))


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Waits until nobody else downloads into a folder, and keeps others waiting. Raises UserError when its lock is a
    link."""
    lock = path / ".lock"
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UserError(f"{lock}: is a link (expected a file)", hint=f"rm {lock}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
