"""The ebuild repositories of a build: the main tree, and the overlays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host.rooted import Rooted

# where they are in a chroot
FOLDER = "/var/db/repos"

# the stage that yields the main repository
TREE = "tree"

# the stages that yield repositories, the main one first
TREES = (TREE, "overlays")

# the tree behind stage3_url: debian:, which no other stage3 is given
EMBEDDED = "embedded"

# what ebuilds and overlays call the main repository, whatever its own name is
MAIN = "gentoo"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")  # PMS 3.1.5

# where a repository may have its name
_NAMED = ("*/profiles/repo_name", "*/metadata/layout.conf")


@dataclass(frozen=True)
class Repositories:
    """`main` is the name of the synced tree, None when the stage3 brings one along; `paths` has all that do not come
    with the stage3, by name, a later one before an earlier one; `local` are those of overlays/."""

    main: str | None
    paths: Mapping[str, Path]
    local: Mapping[str, Path]

    @property
    def overlays(self) -> list[str]:
        """Those laid over the main repository, the strongest last."""
        return [name for name in self.paths if name not in (self.main, EMBEDDED)]

    @property
    def binds(self) -> dict[str, Path]:
        """Where each is in a chroot."""
        return {f"{FOLDER}/{name}": path for name, path in self.paths.items()}


# nothing but what the stage3 brings along
NONE = Repositories(None, {}, {})


def local(context: Context) -> dict[str, Path]:
    """The repositories of overlays/ that this build may use, by name. The embedded tree is for its own stage3 only."""
    found = {}
    folder = context.root / "overlays"
    for path in sorted({file.parent.parent for file in (*folder.glob(_NAMED[0]), *folder.glob(_NAMED[1]))}):
        name = name_of(path)
        if name != EMBEDDED or context.config.stage3_url.startswith("debian:"):
            found[name] = path
    return found


def name_of(repository: Path) -> str:
    """Reads the name of a repository: `repo-name` of metadata/layout.conf, else profiles/repo_name (portage(5)).

    Raises UserError for a folder without a valid name.
    """
    tree, file = Rooted(repository), "profiles/repo_name"
    name = _layout(repository).get("repo-name") or (tree.text(file).strip() if tree.is_file(file) else "")
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{repository}: not an ebuild repository: no valid name (found {name!a})",
            hint="profiles/repo_name holds the name, or repo-name in metadata/layout.conf",
        )
    return name


def collect(context: Context, fetched: Mapping[str, Path]) -> Repositories:
    """Returns the repositories of overlays/, and those in the outputs of the stages that have `fetched` some.

    Raises UserError when two have the same name, or one has a master that is nowhere. Only an overlay that was fetched
    gives way to one of overlays/.
    """
    found = {name: [path for path in sorted(output.iterdir()) if path.is_dir()] for name, output in fetched.items()}
    main = next((name_of(path) for path in found.get(TREE, [])), None)
    paths: dict[str, Path] = {}
    for path in (path for folder in found.values() for path in folder):
        _add(paths, path)
    ours = local(context)
    for name, path in ours.items():
        if name != main:
            paths.pop(name, None)
        _add(paths, path)
    _check_masters(main, paths)
    return Repositories(main, paths, ours)


def _add(paths: dict[str, Path], path: Path) -> None:
    name = name_of(path)
    if name in paths:
        raise UserError(f"{path}: is named {name}, as {paths[name]} is", hint="see profiles/repo_name of both")
    paths[name] = path


def _check_masters(main: str | None, paths: Mapping[str, Path]) -> None:
    if main is None and EMBEDDED not in paths:
        # the stage3 has a tree that is not unpacked yet: Portage will know
        return
    problems = [
        f"  {name}: {master}"
        for name, path in paths.items()
        for master in masters(path)
        if master not in paths and master != MAIN
    ]
    if problems:
        raise UserError(
            "\n".join(["some overlays build on repositories that this build lacks", *problems]),
            hint="add their URLs to overlays in config.yml; masters are named in metadata/layout.conf",
        )


def masters(repository: Path) -> list[str]:
    """The repositories whose eclasses and profiles this one uses (PMS 4.2, metadata/layout.conf)."""
    return _layout(repository).get("masters", "").split()


def _layout(repository: Path) -> Mapping[str, str]:
    """The keys of metadata/layout.conf, `KEY = VALUE` a line; the last of a key counts (portage(5))."""
    pairs = (line.partition("=") for line in Rooted(repository).lines("metadata/layout.conf"))
    return {key.strip(): value.strip() for key, _, value in pairs}
