"""What holds of the files of the repository themselves."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from alchemy import kernel, portage
from tests import repository
from tests.unit import tree

SETS = sorted((repository.ROOT / "packages").glob("packages.*"))
EBUILDS = sorted((repository.ROOT / "overlays").glob("*/*/*/*.ebuild"))


def shown(path: Path) -> str:
    return str(path.relative_to(repository.ROOT))


def package(atom: str) -> str:
    """An atom as `category/name`."""
    bare = re.split(r"[:\[]", atom.lstrip("<>=~"))[0]
    if atom[0] not in "<>=~":
        return bare
    category, full = bare.rstrip("*").split("/")
    return f"{category}/{portage.split_version(full)[0]}"


@pytest.mark.parametrize(
    ("atom", "name"),
    [("a-b/c-d", "a-b/c-d"), ("=a/c-d-1.2-r3*", "a/c-d"), (">=a/b-1:0[x]", "a/b"), ("a/b:0/1=[-x]", "a/b")],
)
def test_an_atom_names_a_package(atom: str, name: str) -> None:
    assert package(atom) == name


@pytest.mark.parametrize("path", SETS, ids=shown)
def test_every_atom_of_a_set_has_an_ebuild(path: Path) -> None:
    there = {f"{ebuild.parents[1].name}/{ebuild.parent.name}" for ebuild in EBUILDS}
    atoms = portage.read_set(path)
    assert atoms
    assert {package(atom) for atom in atoms} - there == set()


@pytest.mark.parametrize("path", SETS, ids=shown)
def test_a_set_names_a_package_once(path: Path) -> None:
    packages = [package(atom) for atom in portage.read_set(path)]
    assert sorted(packages) == sorted(set(packages))


# Says what the variables of ebuilds come to: PATH, a line; SRC_URI, in one line.
SCRIPT = r"""
inherit() { :; }
for ebuild; do (
    PF=${ebuild##*/}; PF=${PF%.ebuild}; P=${PF%-r[0-9]*}; PN=${ebuild%/*}; PN=${PN##*/}; PV=${P#"$PN"-}
    PVR=${PF#"$PN"-} CATEGORY=x WORKDIR=/w FILESDIR=/f T=/t EAPI=8 ECLASS=
    set -eu
    . "$ebuild"
    printf '%s\t' "$ebuild"
    echo ${SRC_URI-}
) || echo "FAILED $ebuild"; done
"""


@cache
def sources() -> dict[Path, dict[str, list[str]]]:
    """For each ebuild its files to fetch, each with its URLs. Needs the fixture real_processes."""
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", *map(str, EBUILDS)], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[Path, dict[str, list[str]]] = {}
    for line in done.stdout.splitlines():
        name, _, uris = line.partition("\t")
        files = found.setdefault(Path(name), {})
        words = iter([word for word in uris.split() if word not in ("(", ")") and not word.endswith("?")])
        url = ""
        for word in words:
            if word == "->":
                files[next(words)] = [*files.pop(url.rsplit("/", 1)[1])] if url.rsplit("/", 1)[1] in files else [url]
            else:
                url = word
                files.setdefault(url.rsplit("/", 1)[1], []).append(url)
    return found
