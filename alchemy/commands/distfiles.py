"""The command release.distfiles: the sources of the image in bin/, in one folder that can be published as a mirror."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.host import files, folders
from alchemy.portage import ebuilds, manifests, mirrors, settings, sources
from alchemy.portage.ebuilds import Ebuild
from alchemy.portage.sources import Distfile
from alchemy.stage import identity
from alchemy.stages import outputs

_SUMS = "SHA512SUMS"
_LAYOUT = "[structure]\n0=flat\n"
_FORBIDDING = ("bindist", "fetch", "mirror")


@dataclass(frozen=True)
class _Wanted:
    """A source file of a package of the image, with its SHA-512. The ebuild is None for a package that has none in
    overlays/."""

    package: str
    name: str
    sha512: str
    licence: str
    ebuild: Ebuild | None


def collect(context: Context, target: Path) -> str:
    """Copies the sources of the packages in bin/manifest.json and of the kernel into a folder, with SHA512SUMS and the
    layout.conf of a mirror; returns the files copied, and those left out for a licence that forbids redistribution.

    What the cache lacks is fetched. Raises UserError for a folder with other files in it, and when a file can be had
    nowhere, VerificationError for a file whose digest is not that of the manifest. A second run continues the first.
    """
    manifest = _manifest(context)
    wanted = list(_wanted(context, manifest))
    left_out = {each.name: reason for each in wanted if (reason := _forbidden(context, each))}
    taken = {each.name: each for each in wanted if each.name not in left_out}
    kernel = _kernel(context, manifest)
    names = {*taken, *(path.name for path in kernel)}
    _check_target(target, {*names, _SUMS, mirrors.LAYOUT})
    folders.prepare(context)
    _fetch(context, taken.values())
    target.mkdir(parents=True, exist_ok=True)
    found = {name: _found(context, each) for name, each in taken.items()}
    for name, path in {**found, **{path.name: path for path in kernel}}.items():
        if not (target / name).is_file() or _sha512(target / name) != _sha512(path):
            files.copy_whole(path, target / name, temporary=target / f".{name}.tmp")
    files.write(target / mirrors.LAYOUT, _LAYOUT)
    files.write(target / _SUMS, "".join(f"{_sha512(target / name)}  {name}\n" for name in sorted(names)))
    size = sum((target / name).stat().st_size for name in names)
    lines = [f"{target}: {len(names)} source files, {size >> 20} MiB"]
    if not kernel:
        lines.append("left out: the kernel's source is not in the cache (./run build.kernel fetches it)")
    return "\n".join([*lines, *(f"left out: {name} ({reason})" for name, reason in sorted(left_out.items()))])


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def _manifest(context: Context) -> Mapping[str, Any]:
    path = context.bin / outputs.MANIFEST
    if not path.is_file():
        raise UserError(f"{path}: no such file", hint="./run build.all")
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    return manifest


def _wanted(context: Context, manifest: Mapping[str, Any]) -> Iterator[_Wanted]:
    known = {(ebuild.atom, ebuild.version): ebuild for ebuild in ebuilds.every(context)}
    for package in manifest["packages"]:
        atom = f"{package['category']}/{package['name']}"
        for source in package["sources"]:
            ebuild = known.get((atom, package["version"]))
            yield _Wanted(f"{atom}-{package['version']}", source["name"], source["sha512"], package["licence"], ebuild)


def _forbidden(context: Context, wanted: _Wanted) -> str | None:
    """Returns why a file must not be published, if so: its ebuild says it, or its licence had to be accepted."""
    if wanted.ebuild is not None:
        restricted = [word for word in wanted.ebuild.variables["RESTRICT"].split() if word in _FORBIDDING]
        return f"{wanted.package}: licence {wanted.licence}" if restricted else None
    accepted = context.config.accept_licenses
    words = set(re.split(r"[\s()|]+", wanted.licence))
    if words & set(accepted) or any(name.startswith("@") for name in accepted):
        return f"{wanted.package}: licence {wanted.licence} may forbid it"
    return None


def _kernel(context: Context, manifest: Mapping[str, Any]) -> list[Path]:
    """Returns the tarball of the kernel, from the output of the stage that fetched it."""
    digest = manifest["inputs"].get("linux", {}).get("sha256")
    stages = (path for path in (context.cache / "kernel").glob("linux-*") if path.is_dir())
    found = next((path for path in stages if any(path.glob("*.tar.*")) and identity(path) == digest), None)
    return sorted(found.glob("*.tar.*")) if found else []


def _check_target(target: Path, expected: set[str]) -> None:
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: not a folder")
    others = sorted(path.name for path in target.iterdir() if path.name not in expected) if target.is_dir() else []
    others = [name for name in others if not (name.startswith(".") and name.endswith(".tmp"))]
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        raise UserError(f"{target}: has other files ({', '.join(others[:5])}{more})", hint="name a new folder")


def _fetch(context: Context, wanted: Iterable[_Wanted]) -> None:
    """Fetches what the cache lacks. Raises UserError for files that no ebuild of overlays/ tells how to fetch."""
    debian = settings.debian_mirror(context)
    unknown, distfiles = [], []
    for each in wanted:
        if any((folder / each.name).is_file() for folder in (sources.folder(context), context.root / "distfiles")):
            continue
        line = manifests.read(each.ebuild.path.parent).get(each.name, "") if each.ebuild else ""
        if not line or each.ebuild is None:
            unknown.append(f"  {each.package}: {each.name}")
            continue
        _, name, size, *digests = line.split()
        uris = each.ebuild.uris().get(name, [])
        urls = [f"{debian}/{path}" if (path := ebuilds.debian_path(uri)) and debian else uri for uri in uris]
        places = [*(("mirror", base) for base in mirrors.own(context)), *(("uri", url) for url in urls)]
        distfiles.append(
            Distfile.model_validate(
                {
                    "package": each.package,
                    "file": name,
                    "size": int(size),
                    "digests": dict(zip(digests[::2], digests[1::2], strict=True)),
                    "places": tuple(places),
                }
            )
        )
    if unknown:
        raise UserError(
            "\n".join(["some sources are not in the cache", *unknown]),
            hint=f"put them into {context.root / 'distfiles'}, or build without binary packages",
        )
    sources.fetch(context, distfiles)


def _found(context: Context, wanted: _Wanted) -> Path:
    """Returns the path of a source file, in the cache or in distfiles/."""
    paths = [folder / wanted.name for folder in (sources.folder(context), context.root / "distfiles")]
    there = [path for path in paths if path.is_file()]
    good = next((path for path in there if _sha512(path) == wanted.sha512), None)
    if good is None:
        raise VerificationError(
            f"{there[0]}: digest mismatch (expected SHA-512 {wanted.sha512}, got {_sha512(there[0])})",
            hint=f"rm {there[0]}",
        )
    return good
