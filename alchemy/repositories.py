"""The ebuild repositories of a build: the main tree, and what is laid over it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alchemy import archive
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.stage import Stage

# where they are in a chroot
FOLDER = "/var/db/repos"

# the stage that yields the main repository
TREE = "tree"

# the tree behind stage3_url: debian:, which no other stage3 is given
EMBEDDED = "embedded"

# what ebuilds and overlays call the main repository, whatever its own name is
MAIN = "gentoo"

_NAME = re.compile(r"[A-Za-z0-9_][\w-]*")  # PMS 3.1.5


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
    for file in sorted((context.root / "overlays").glob("*/profiles/repo_name")):
        name = name_of(file.parent.parent)
        if name != EMBEDDED or context.config.stage3_url.startswith("debian:"):
            found[name] = file.parent.parent
    return found


def name_of(repository: Path) -> str:
    """The name that a repository gives itself. Raises UserError for a folder that is none."""
    file = repository / "profiles" / "repo_name"
    name = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    if not _NAME.fullmatch(name):
        raise UserError(f"{repository}: is no ebuild repository", hint="its profiles/repo_name has to hold its name")
    return name


def collect(context: Context, stages: Iterable[Stage]) -> Repositories:
    """The repositories of overlays/, and those that stages have yielded.

    Raises UserError when two have the same name, or one has a master that is nowhere. Only an overlay that was fetched
    gives way to one of overlays/.
    """
    fetched = {stage.name: [path for path in sorted(stage.output.iterdir()) if path.is_dir()] for stage in stages}
    main = next((name_of(path) for path in fetched.get(TREE, [])), None)
    paths: dict[str, Path] = {}
    for path in (path for folder in fetched.values() for path in folder):
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
    file = repository / "metadata" / "layout.conf"
    for line in archive.lines(file) if file.is_file() else ():
        key, _, value = line.partition("=")
        if key.strip() == "masters":
            return value.split()
    return []
