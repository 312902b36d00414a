"""The commands ebuild.sources, ebuild.manifest and ebuild.bump."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import files
from alchemy.parts import versions
from alchemy.portage import ebuilds, manifests, settings
from alchemy.portage.ebuilds import Ebuild


def sources(context: Context) -> dict[str, list[str]]:
    """Returns where each source file of overlays/ is looked for, in that order (manifests.places)."""
    found: dict[str, list[str]] = {}
    for ebuild in ebuilds.every(context):
        for name, uris in ebuild.uris().items():
            known = found.setdefault(name, [])
            known += [place for place in manifests.places(context, ebuild, uris) if place not in known]
    return dict(sorted(found.items()))


def sources_text(found: Mapping[str, Sequence[str]]) -> str:
    """Formats the places: a line for each file, and one for each of its places."""
    return "\n".join(line for name, places in found.items() for line in [name, *(f"  {place}" for place in places)])


def manifest(context: Context, atom: str) -> str:
    """Makes the Manifest of a package, and lists its new entries."""
    folder = ebuilds.of(context, atom)[0].path.parent
    return _told(folder, manifests.make(context, folder))


def _told(folder: Path, added: Sequence[str]) -> str:
    new = f"new: {', '.join(added)}; compare the digests with those that upstream publishes" if added else "no new file"
    return f"{folder / 'Manifest'}: {new}"


def bump(context: Context, atom: str, version: str) -> str:
    """Moves an ebuild to another version: the file, its Manifest, the generated tables. Says what to test.

    Nothing changes when a source file cannot be had.
    """
    found = ebuilds.of(context, atom)
    if len(found) != 1:
        names = ", ".join(f"{ebuild.atom}:{ebuild.slot} ({ebuild.version})" for ebuild in found)
        raise UserError(f"{atom}: several ebuilds (expected the slot of one: {names})")
    ebuild = found[0]
    try:
        versions.check("ebuild", version)
    except ValueError as error:
        raise UserError(
            f"VERSION: {error}",
            hint="1.9.17p2 of upstream is 1.9.17_p2 here, and 1.2-rc1 is 1.2_rc1 (PMS, section 3.2)",
        ) from error
    target = ebuild.path.with_name(f"{ebuild.name}-{version}.ebuild")
    if target.exists():
        raise UserError(f"{target}: exists (expected a version other than {ebuild.version})")
    ebuild.path.rename(target)
    try:
        added = manifests.make(context, target.parent)
    except BaseException:
        target.rename(ebuild.path)
        raise
    # it imports the parsers of hardware, which every other command would wait for
    from alchemy.commands import docs

    changed = sorted({part.file for part in docs.parts({}) if part.update(context.root)})
    older = versions.compare("ebuild", version, ebuild.version) < 0
    return "\n".join(
        [
            f"{ebuild.atom}: {ebuild.version} → {version}{' (older)' if older else ''}",
            _told(target.parent, added),
            *(f"{file}: updated" for file in changed),
            *_next_steps(context, ebuild),
        ]
    )


def _next_steps(context: Context, ebuild: Ebuild) -> Iterator[str]:
    sets = [
        path.name.removeprefix("packages.")
        for path in sorted((context.root / "packages").glob("packages.*"))
        if ebuild.atom in {atom.partition(":")[0] for atom in settings.read_set(path)}
    ]
    users = [
        f"{path.parts[-3]}/{path.parts[-2]}"
        for path in sorted((context.root / "overlays").glob("*/*/*/*.ebuild"))
        if re.search(rf"(?<![\w/+-]){re.escape(ebuild.atom)}(?![\w/+-])", files.text(path)) and path != ebuild.path
    ]
    yield "test it:"
    yield '  ./run test.unit --k "ebuilds or tools"'
    if sets:
        yield f"  ./run build.all, with packages: [{', '.join(dict.fromkeys(['core', *sets]))}] in config.yml"
    else:
        yield "  ./run build.all"
    yield "  ./run test.packages"
    if users:
        yield f"it is used by {', '.join(dict.fromkeys(users))}"
    yield "read the release notes: removed options, changed licence, security fixes"
