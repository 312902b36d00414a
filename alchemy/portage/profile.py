"""The profile of a build: what config.yml names, otherwise the stage3's, as the repositories of this build have it.

Portage reads it from /etc/portage/make.profile: a link to a profile, or a folder whose file `parent` lists several
(portage(5), "make.profile"). A stage3 has it as a path into a tree, which another build may have under another name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alchemy.errors import UserError
from alchemy.host.rooted import Rooted
from alchemy.portage.repositories import EMBEDDED, FOLDER, MAIN, Repositories

_LINK = "etc/portage/make.profile"
_PARENT = f"{_LINK}/parent"
# between the folder of a repository and the name of a profile
_PROFILES = "/profiles/"
_NEAREST = 3
# by a component of their path: kernel and root tree take GCC, glibc and OpenRC for granted
_UNSUPPORTED = {
    "musl": "its C library is musl (expected glibc)",
    "llvm": "its compiler is LLVM's (expected GCC)",
    "clang": "its compiler is LLVM's (expected GCC)",
    "systemd": "its init is systemd (expected OpenRC)",
}


@dataclass(frozen=True)
class Profile:
    """A profile by the name of its repository and its path below profiles/."""

    repository: str
    path: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.path}"


def configure(tree: Rooted, wanted: Sequence[str], available: Repositories) -> None:
    """Makes make.profile of a chroot point into the repositories of this build.

    `wanted` are profiles of the main repository, or `REPOSITORY:PROFILE`; empty for those of the stage3. Raises
    UserError for a profile that its repository lacks, with the nearest that it has, and for one of another C library,
    compiler or init.
    """
    main = available.main or (EMBEDDED if EMBEDDED in available.paths else None)
    if main is None:
        if wanted:
            raise UserError(
                "profile: the ebuild tree is the stage3's own (expected one that is fetched)",
                hint="set sync in config.yml",
            )
        return
    profiles = [_named(text, main, available.paths) for text in wanted] or _of_stage3(tree, main, available.paths)
    _check(profiles, available.paths, "profile" if wanted else "the profile of the stage3")
    tree.remove(_LINK)
    if [profile.repository for profile in profiles] == [main]:
        place = tree.place(_LINK)
        if place is None:
            raise UserError("the stage3 has no /etc/portage")
        place.symlink_to(f"../..{FOLDER}/{main}{_PROFILES}{profiles[0].path}")
    else:
        tree.write_text(_PARENT, "".join(f"{profile}\n" for profile in profiles))


def current(root: Path) -> list[str]:
    """Returns the profiles that Portage uses in a chroot, as `REPOSITORY:PROFILE`."""
    return [str(profile) for profile in _read(Rooted(root))]


def _of_stage3(tree: Rooted, main: str, paths: Mapping[str, Path]) -> list[Profile]:
    """Returns the profiles of the stage3. One in a repository that this build lacks is looked for in the main one."""
    found = [profile if profile.repository in paths else Profile(main, profile.path) for profile in _read(tree)]
    if not found:
        raise UserError(
            "the stage3 names no profile (expected a link or a folder /etc/portage/make.profile)",
            hint="name one in config.yml, for instance `profile: default/linux/amd64/23.0`",
        )
    return found


def _read(tree: Rooted) -> list[Profile]:
    place = tree.place(_LINK)
    if place is not None and place.is_symlink():
        return list(_split(str(place.readlink())))
    lines = tree.lines(_PARENT) if tree.is_dir(_LINK) else []
    return [profile for line in lines for profile in _split(line)]


def _split(text: str) -> Iterable[Profile]:
    """Yields the profile of a path into a repository, or of `REPOSITORY:PROFILE`; nothing for any other text."""
    folder, profiles, path = text.partition(_PROFILES)
    if profiles:
        yield Profile(folder.rpartition("/")[2], path.strip("/"))
    elif ":" in text:
        repository, _, path = text.partition(":")
        yield Profile(repository, path.strip("/"))


def _named(text: str, main: str, paths: Mapping[str, Path]) -> Profile:
    repository, colon, path = text.rpartition(":")
    if not colon or (repository == MAIN and MAIN not in paths):
        repository = main
    return Profile(repository, path)


def _check(profiles: Iterable[Profile], paths: Mapping[str, Path], whose: str) -> None:
    for profile in profiles:
        for part in profile.path.split("/"):
            if part in _UNSUPPORTED:
                raise UserError(
                    f"{whose}: {profile.path}: unsupported: {_UNSUPPORTED[part]}",
                    hint="name a stage3 and a profile of glibc, GCC and OpenRC: stage3_url and profile in config.yml",
                )
        if profile.repository not in paths:
            raise UserError(
                f"{whose}: {profile}: unknown repository {profile.repository} (expected one of {', '.join(paths)})",
                hint="add its URL to overlays in config.yml",
            )
        tree = Rooted(paths[profile.repository])
        if not tree.is_dir(f"profiles/{profile.path}"):
            near = difflib.get_close_matches(profile.path, _listed(tree), n=_NEAREST, cutoff=0.4)
            raise UserError(
                f"{whose}: {profile.path}: not in the repository {profile.repository}",
                hint=f"the nearest are {', '.join(near)}" if near else "profiles/profiles.desc of the tree lists all",
            )


def _listed(tree: Rooted) -> list[str]:
    """Returns the profiles that a repository offers: `ARCH PROFILE STATUS` a line of profiles.desc (PMS 4.4)."""
    lines = (line.split() for line in tree.lines("profiles/profiles.desc"))
    return [words[1] for words in lines if len(words) > 1]
