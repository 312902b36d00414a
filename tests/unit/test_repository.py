"""What holds of the files of the repository themselves."""

from __future__ import annotations

import itertools
import os
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from alchemy.config.values import MODULES_FRAGMENT
from alchemy.portage import settings
from alchemy.stages import kernel
from tests import repository
from tests.ebuilds import EBUILDS, variables
from tests.unit import tree


def shown(path: Path) -> str:
    return str(path.relative_to(repository.ROOT))


def package(atom: str) -> str:
    """An atom as `category/name`."""
    bare = re.split(r"[:\[]", atom.lstrip("<>=~"))[0]
    if atom[0] not in "<>=~":
        return bare
    category, full = bare.rstrip("*").split("/")
    return f"{category}/{settings.split_version(full)[0]}"


def slotted(atom: str) -> tuple[str, str]:
    """An atom as `category/name` and the slot it asks for; '' for none."""
    slot = re.search(r":([\w.+-]+)", atom)
    return package(atom), slot[1] if slot else ""


@pytest.mark.parametrize(
    ("atom", "name"),
    [("a-b/c-d", "a-b/c-d"), ("=a/c-d-1.2-r3*", "a/c-d"), (">=a/b-1:0[x]", "a/b"), ("a/b:0/1=[-x]", "a/b")],
)
def test_an_atom_names_a_package(atom: str, name: str) -> None:
    assert package(atom) == name


@pytest.mark.parametrize(("atom", "slot"), [("a/b", ""), ("a/b:2", "2"), (">=a/b-1:0/1=[-x]", "0"), ("a/b[x]", "")])
def test_an_atom_asks_for_a_slot(atom: str, slot: str) -> None:
    assert slotted(atom) == (package(atom), slot)


@pytest.mark.parametrize("path", repository.SETS, ids=shown)
def test_every_atom_of_a_set_has_an_ebuild(path: Path) -> None:
    there = {f"{ebuild.parents[1].name}/{ebuild.parent.name}" for ebuild in EBUILDS}
    atoms = settings.read_set(path)
    assert atoms
    assert {package(atom) for atom in atoms} - there == set()


@pytest.mark.parametrize("path", repository.SETS, ids=shown)
def test_a_set_names_a_package_once_for_each_slot(path: Path) -> None:
    packages = [slotted(atom) for atom in settings.read_set(path)]
    assert sorted(packages) == sorted(set(packages))


@cache
def sources() -> dict[Path, dict[str, list[str]]]:
    """For each ebuild the files it fetches, each with its URLs; with none, it is for a person to fetch.

    Needs the fixture real_processes.
    """
    found: dict[Path, dict[str, list[str]]] = {}
    for ebuild, values in variables().items():
        uris = values["SRC_URI"]
        files = found.setdefault(ebuild, {})
        for url, renamed in re.findall(r"(\S+://\S+)(?: -> (\S+))?", uris):
            files.setdefault(renamed or url.rsplit("/", 1)[1], []).append(url)
        if "://" not in uris:
            files.update({file: [] for file in uris.split()})
    return found


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("ebuild", EBUILDS, ids=shown)
def test_every_dependency_has_an_ebuild(ebuild: Path) -> None:
    words = " ".join(variables()[ebuild][name] for name in ("DEPEND", "RDEPEND", "BDEPEND", "PDEPEND")).split()
    named = {package(word) for word in words if "/" in word and not word.startswith("!")}
    assert named - {f"{there.parents[1].name}/{there.parent.name}" for there in EBUILDS} == set()


def manifest(ebuild: Path) -> dict[str, list[str]]:
    """The words of each DIST line of the Manifest beside an ebuild, by the file's name."""
    path = ebuild.parent / "Manifest"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return {words[1]: words for line in lines if (words := line.split())[0] == "DIST"}


@pytest.mark.usefixtures("real_processes")
def test_every_ebuild_can_be_read() -> None:
    assert set(sources()) == set(EBUILDS)


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("ebuild", EBUILDS, ids=shown)
def test_every_source_is_in_the_manifest_with_its_size_and_digests(ebuild: Path) -> None:
    listed = manifest(ebuild)
    # of what is fetched by hand, not every vendor's file has a digest that can be had without its user
    assert {file for file, urls in sources()[ebuild].items() if urls} <= listed.keys()
    for words in listed.values():
        assert words[2].isdigit()
        assert dict(zip(words[3::2], map(len, words[4::2]), strict=True)) == {"BLAKE2B": 128, "SHA512": 128}


@pytest.mark.usefixtures("real_processes")
def test_no_manifest_lists_what_nobody_fetches() -> None:
    fetched: dict[Path, set[str]] = {}
    for ebuild, files in sources().items():
        fetched.setdefault(ebuild.parent / "Manifest", set()).update(files)
    unused = {shown(path): manifest(path).keys() - names for path, names in fetched.items()}
    assert {path: names for path, names in unused.items() if names} == {}
    assert {shown(path) for path in (repository.ROOT / "overlays").rglob("Manifest") if path not in fetched} == set()


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("ebuild", EBUILDS, ids=shown)
def test_every_source_can_come_from_the_hosts_debian_mirror(ebuild: Path) -> None:
    for name, urls in sources()[ebuild].items():
        mirrored = [url for url in urls if url.startswith("mirror://")]
        assert mirrored or not urls, f"{name} is at {urls} only"
        assert all(url.startswith("mirror://debian/pool/") for url in mirrored)


# Put together, so that this file names none.
REGISTRIES = [
    ".".join(words)
    for words in (("deb", "debian", "org"), ("ftp", "debian", "org"), ("pypi", "org"), ("files", "pythonhosted", "org"))
]


@pytest.mark.usefixtures("real_processes")
def test_no_file_names_the_host_of_a_package_registry() -> None:
    named = [
        f"{shown(path)}: {name}" for path in tree.files() for name in REGISTRIES if name in (tree.text(path) or "")
    ]
    assert named == []


@pytest.mark.parametrize("name", ["chroot", "distfiles", "etc", "kernels", "overlays", "packages"])
def test_every_data_folder_explains_itself(name: str) -> None:
    text = (repository.ROOT / name / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert len(text.splitlines()) > 2


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "NEWS.md",
        "SECURITY.md",
        "LICENSE",
        ".ci/run",
        ".github/workflows/build.yml",
        ".github/workflows/ci.yml",
    ],
)
def test_the_repository_has(name: str) -> None:
    assert (repository.ROOT / name).stat().st_size > 0


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted((repository.ROOT / "kernels").glob("**/*"))
        if path.is_file() and path.suffix not in (".md", ".alias") and not path.name.startswith(".")
    ],
    ids=shown,
)
def test_a_kernel_configuration_can_be_read_and_names_a_symbol_once(path: Path) -> None:
    assert kernel.read_config([path])
    names = re.findall(r"^(?:# )?CONFIG_(\w+)(?:=| is not set)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_the_fragment_of_all_drivers_is_the_sum_of_the_others() -> None:
    folder = repository.ROOT / "kernels/x86_64/fragments"
    # modules drives nothing by itself
    apart = ("all-drivers", "qib", MODULES_FRAGMENT)
    others = sorted(path for path in folder.iterdir() if path.name not in apart)
    assert kernel.read_config([folder / "all-drivers"]) == kernel.read_config(others)


def test_the_overlays_have_different_names() -> None:
    names = [
        path.read_text(encoding="utf-8").strip() for path in (repository.ROOT / "overlays").glob("*/profiles/repo_name")
    ]
    assert sorted(names) == ["alchemy", "embedded"]


def test_every_category_of_the_embedded_tree_is_declared() -> None:
    embedded = repository.ROOT / "overlays/embedded"
    declared = set((embedded / "profiles/categories").read_text(encoding="utf-8").split())
    assert {ebuild.parents[1].name for ebuild in EBUILDS if ebuild.is_relative_to(embedded)} <= declared


@pytest.mark.parametrize(
    "path",
    [
        *(repository.ROOT / name for name in ("run", ".ci/run", "chroot/init", "chroot/stage3-debian.sh")),
        *sorted((repository.ROOT / "etc/init.d").iterdir()),
    ],
    ids=shown,
)
def test_what_is_run_by_its_path_can_be_run(path: Path) -> None:
    assert os.access(path, os.X_OK)


# each file and the extras of pyproject.toml that it pins besides the dependencies
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "requirements.txt": (),
    "requirements-rack.txt": ("rack",),
    "requirements-dev.txt": ("rack", "dev"),
}


def pins(name: str) -> dict[str, str]:
    """The version and digests of each package of a requirements file."""
    text = (repository.ROOT / name).read_text(encoding="ascii").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("==", 1) for line in lines)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_python_package_is_pinned_by_digests_and_comes_from_no_named_index(name: str) -> None:
    pin = r"[\w.]+( ; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+"
    assert {package: value for package, value in pins(name).items() if not re.fullmatch(pin, value)} == {}
    assert not re.search(r"://|--(extra-)?index|--find-links", (repository.ROOT / name).read_text(encoding="ascii"))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_what_pyproject_asks_for_is_pinned(name: str) -> None:
    project = tomllib.loads((repository.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (project["optional-dependencies"][extra] for extra in REQUIREMENTS[name])
    asked = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    names = {re.split(r"[\[<>=]", text)[0].lower() for text in asked}
    assert names - pins(name).keys() == set()


@pytest.mark.parametrize(("less", "more"), list(itertools.pairwise(REQUIREMENTS)))
def test_the_tests_run_with_the_packages_that_builds_and_racks_run_with(less: str, more: str) -> None:
    assert pins(less).items() <= pins(more).items()


WORKFLOWS = sorted((repository.ROOT / ".github" / "workflows").iterdir())


@pytest.mark.parametrize("path", WORKFLOWS, ids=shown)
def test_ci_runs_no_action_by_a_name_that_moves_and_may_only_read(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []
    assert workflow["permissions"] == {"contents": "read"}
    # a cache of other inputs would bring along what other code has made
    assert [step for step in steps if "restore-keys" in step.get("with", {})] == []
