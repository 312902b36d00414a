from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from alchemy.config.model import Config
from alchemy.config.remotes import Overlay
from alchemy.context import Context
from alchemy.host.chroot import Chroot
from alchemy.portage import binpkgs
from alchemy.portage.binpkgs import Binpkgs
from alchemy.portage.repositories import Repositories
from tests.unit.fakes import FakeRunner


class Portage(FakeRunner):
    """Portage in a chroot: what it says of its settings, and of the ebuilds that its repositories have."""

    def __init__(self) -> None:
        super().__init__()
        self.values = "CFLAGS=-O2"
        self.ebuilds = {"app-misc/gold-1": "a" * 64, "app-misc/lead-2-r1": "b" * 64, "sys-libs/glibc-2": "f" * 64}

    def capture(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes | None = None,
        what: str | None = None,
    ) -> str:
        self.run(argv, env=env, stdin=stdin)
        return json.dumps(self.ebuilds) if "python3" in argv else self.values


@pytest.fixture
def runner() -> Portage:
    return Portage()


@pytest.fixture
def chroot(tmp_path: Path) -> Chroot:
    inside = Chroot(tmp_path / "chroot")
    (inside / "etc/portage").mkdir(parents=True)
    (inside / "etc/portage/make.profile").symlink_to("../../var/db/repos/embedded/profiles/default")
    return inside


def available(context: Context, fetched: str = "overlay-1") -> Repositories:
    """A repository of overlays/, and one that was fetched."""
    ours = {"embedded": context.root / "overlays/embedded"}
    return Repositories(None, {**ours, "overlay": context.cache / "trees" / fetched}, ours)


def assemble(
    context: Context, chroot: Chroot, stage3: str = "stage3", fetched: str = "overlay-1", *, apart: bool = False
) -> Binpkgs:
    trees, log = available(context, fetched), context.logfile("system")
    return binpkgs.assemble(context, chroot, stage3, trees, "system", log, apart=apart)


def emerge(packages: Binpkgs, name: str, text: str = "built") -> Path:
    """Puts a binary package into the PKGDIR: `category/name/name-version-build`."""
    path = packages.folder / f"{name}.gpkg.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def keep(context: Context, chroot: Chroot, packages: Binpkgs) -> None:
    binpkgs.keep(context, chroot, packages, context.logfile("system"))


def build(context: Context, chroot: Chroot, *names: str) -> Binpkgs:
    """A build that makes binary packages."""
    packages = assemble(context, chroot)
    for name in names:
        emerge(packages, name)
    keep(context, chroot, packages)
    return packages


def names(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(".gpkg.tar") for path in folder.rglob("*.gpkg.tar"))


GOLD, LEAD = "app-misc/gold/gold-1-1", "app-misc/lead/lead-2-r1-3"


def test_what_was_built_is_there_for_the_next_build(context: Context, chroot: Chroot) -> None:
    build(context, chroot, GOLD, LEAD)
    again = assemble(context, chroot)
    assert names(again.folder) == ["gold-1-1", "lead-2-r1-3"]
    assert (again.folder / f"{GOLD}.gpkg.tar").read_text(encoding="utf-8") == "built"
    assert again.inside(chroot).binds == {"/var/cache/binpkgs": again.folder}


def test_a_package_counts_for_the_state_of_the_repositories_that_it_was_made_of_and_again_when_that_is_back(
    context: Context, chroot: Chroot, runner: Portage
) -> None:
    one = runner.ebuilds
    build(context, chroot, GOLD, LEAD)
    runner.ebuilds = {**one, "app-misc/gold-1": "c" * 64}
    assert names(assemble(context, chroot).folder) == ["lead-2-r1-3"]
    build(context, chroot, GOLD)
    runner.ebuilds = {"app-misc/gold-2": "d" * 64}
    assert names(assemble(context, chroot).folder) == []
    runner.ebuilds = one
    assert names(assemble(context, chroot).folder) == ["gold-1-1", "lead-2-r1-3"]


def test_a_chroot_never_gets_the_cached_file_itself(context: Context, chroot: Chroot) -> None:
    build(context, chroot, GOLD)
    emerge(assemble(context, chroot), GOLD, "replaced")
    assert (assemble(context, chroot).folder / f"{GOLD}.gpkg.tar").read_text(encoding="utf-8") == "built"


def test_a_cached_package_is_not_replaced_by_a_build(context: Context, chroot: Chroot) -> None:
    build(context, chroot, GOLD)
    packages = assemble(context, chroot)
    emerge(packages, GOLD, "replaced")
    keep(context, chroot, packages)
    assert (assemble(context, chroot).folder / f"{GOLD}.gpkg.tar").read_text(encoding="utf-8") == "built"


def folder_as_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


def linked(path: Path) -> None:
    path.rename(path.parents[3] / "elsewhere")
    path.symlink_to(path.parents[3] / "elsewhere")


def linked_folder(path: Path) -> None:
    path.parent.rename(path.parents[3] / "elsewhere")
    path.parent.symlink_to(path.parents[3] / "elsewhere")


def renamed(name: str) -> Callable[[Path], object]:
    def rename(path: Path) -> None:
        target = path.parents[2] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)

    return rename


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(folder_as_file, id="a folder"),
        pytest.param(linked, id="a link"),
        pytest.param(linked_folder, id="a link to its folder"),
        pytest.param(renamed("app-misc/gold/gold-1-1.gpkg.tar.partial"), id="a part"),
        pytest.param(renamed("app-misc/gold/gold-1.gpkg.tar"), id="no build number"),
        pytest.param(renamed("app-misc/gold/gold-x-1.gpkg.tar"), id="no version"),
        pytest.param(renamed("app-misc/lead/gold-1-1.gpkg.tar"), id="the folder of another"),
        pytest.param(renamed("-x/gold/gold-1-1.gpkg.tar"), id="no category"),
        pytest.param(renamed("app-misc/gold/gold-3-1.gpkg.tar"), id="no ebuild"),
    ],
)
def test_what_is_no_binary_package_is_not_cached(
    context: Context, chroot: Chroot, change: Callable[[Path], object]
) -> None:
    packages = assemble(context, chroot)
    change(emerge(packages, GOLD))
    keep(context, chroot, packages)
    assert [path for path in (context.cache / "packages").rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize("digest", ["../" * 30 + "etc", "a" * 63, "A" * 64, ""])
def test_a_digest_that_is_none_is_no_folder_of_the_cache(
    context: Context, chroot: Chroot, runner: Portage, digest: str
) -> None:
    runner.ebuilds = {"app-misc/gold-1": digest}
    build(context, chroot, GOLD)
    assert not (context.cache / "packages").exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("app-misc/gold/gold-1.ebuild", ["lead-2-r1-3"]),
        ("app-misc/gold/files/new.patch", ["lead-2-r1-3"]),
        ("eclass/meson.eclass", []),
        ("app-misc/golden/golden-1.ebuild", ["gold-1-1", "lead-2-r1-3"]),
    ],
)
def test_a_package_whose_ebuild_is_edited_during_the_build_is_not_cached(
    context: Context, chroot: Chroot, name: str, kept: list[str]
) -> None:
    packages = assemble(context, chroot)
    emerge(packages, GOLD)
    emerge(packages, LEAD)
    path = context.root / "overlays/embedded" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("edited\n", encoding="utf-8")
    keep(context, chroot, packages)
    assert names(context.cache / "packages") == kept


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({}, ["gold-1-1"]),
        ({"fetched": "overlay-2"}, []),
        ({"stage3": "another"}, []),
        ({"apart": True}, []),
    ],
)
def test_what_an_interrupted_build_of_the_same_repositories_has_made_is_used(
    context: Context, chroot: Chroot, change: dict[str, Any], left: list[str]
) -> None:
    emerge(assemble(context, chroot), GOLD)
    assert names(assemble(context, chroot, **change).folder) == left


def test_what_an_interrupted_build_has_left_is_not_used_where_it_may_come_from_a_binhost(
    context: Context, chroot: Chroot
) -> None:
    context = dataclasses.replace(context, config=Config(binhosts=("https://example.org/binpkgs",)))
    emerge(assemble(context, chroot), GOLD)
    assert names(assemble(context, chroot).folder) == []


def configured(values: str) -> Callable[[Portage, Chroot], None]:
    def change(runner: Portage, _: Chroot) -> None:
        runner.values = values

    return change


def profile(_: Portage, chroot: Chroot) -> None:
    (chroot / "etc/portage/make.profile").unlink()
    (chroot / "etc/portage/make.profile").symlink_to("../other")


def profile_folder(_: Portage, chroot: Chroot) -> None:
    (chroot / "etc/portage/make.profile").unlink()
    (chroot / "etc/portage/make.profile").mkdir()
    (chroot / "etc/portage/make.profile/parent").write_text("core-kit:arch/arm-64bit", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        pytest.param(configured("CFLAGS=-O2"), True, id="nothing"),
        pytest.param(configured("CFLAGS=-O3"), False, id="CFLAGS or compiler"),
        pytest.param(profile, False, id="profile"),
        pytest.param(profile_folder, False, id="profile that is a folder"),
    ],
)
def test_binary_packages_are_kept_apart_by_what_portage_does_not_compare(
    context: Context, chroot: Chroot, runner: Portage, change: Callable[[Portage, Chroot], None], shared: bool
) -> None:
    build(context, chroot, GOLD)
    change(runner, chroot)
    assert names(assemble(context, chroot).folder) == (["gold-1-1"] if shared else [])


def test_a_build_apart_shares_none(context: Context, chroot: Chroot) -> None:
    build(context, chroot, GOLD)
    assert names(assemble(context, chroot, apart=True).folder) == []


OVERLAY = "https://example.org/overlay.git"


@pytest.mark.parametrize(
    "untrusted", [Config(overlays=(Overlay(url=OVERLAY),)), Config(binhosts=("https://example.org/binpkgs",))]
)
def test_what_an_untrusted_build_has_made_is_not_used_by_a_trusted_one(
    context: Context, chroot: Chroot, untrusted: Config
) -> None:
    other = dataclasses.replace(context, config=untrusted)
    build(other, chroot, GOLD)
    assert names(assemble(other, chroot).folder) == ["gold-1-1"]
    assert names(assemble(context, chroot).folder) == []


def install(chroot: Chroot, package: str, counter: str, build_id: str = "") -> None:
    """Notes a package as installed."""
    folder = chroot / "var/db/pkg" / package
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "COUNTER").write_text(f"{counter}\n", encoding="utf-8")
    (folder / "BUILD_ID").write_text(f"{build_id}\n", encoding="utf-8")


def for_image(context: Context, chroot: Chroot, packages: Binpkgs, stage3s: Mapping[str, str]) -> list[str]:
    """The binary packages that the image is installed from."""
    installing = binpkgs.as_installed(context, chroot, packages, stage3s, context.logfile("system"))
    return names(installing.binds["/var/cache/binpkgs"])


def test_an_image_is_installed_from_what_the_build_has_resolved_and_nothing_else(
    context: Context, chroot: Chroot, runner: Portage
) -> None:
    packages = assemble(context, chroot)
    for name in (GOLD, "app-misc/gold/gold-1-2", "app-misc/gold/gold-9-1", LEAD):
        emerge(packages, name)
    install(chroot, "app-misc/gold-1", "7", "2")
    (chroot / "var/db/pkg/app-misc/-MERGING-lead-2").mkdir()
    assert for_image(context, chroot, packages, {}) == ["gold-1-2"]
    assert not [call for call in runner.calls if "quickpkg" in call.argv]


def test_what_the_stage3_brought_along_is_packed_once_for_each_stage3(
    context: Context, chroot: Chroot, runner: Portage
) -> None:
    def quickpkg(argv: list[str]) -> None:
        if "quickpkg" in argv:
            folder = Path(argv[argv.index("/var/cache/binpkgs") - 1])
            for package in argv[argv.index("--umask=0022") + 1 :]:
                category, version = package.removeprefix("=").split("/")
                path = folder / category / version.partition("-")[0] / f"{version}-1.gpkg.tar"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("packed", encoding="utf-8")

    runner.on_run = quickpkg
    # the build ID of who built the stage3, and the same one of ours
    install(chroot, "sys-libs/glibc-2", "5", "1")
    stage3s = binpkgs.installed(chroot.root)
    install(chroot, "app-misc/gold-1", "6", "1")
    for stage3, times in (("stage3", 1), ("stage3", 1), ("another", 2)):
        packages = assemble(context, chroot, stage3)
        emerge(packages, GOLD)
        emerge(packages, "sys-libs/glibc/glibc-2-1", "of a build, with other USE flags")
        assert for_image(context, chroot, packages, stage3s) == ["glibc-2-1", "gold-1-1"]
        assert (context.work / "binpkgs/image/sys-libs/glibc/glibc-2-1.gpkg.tar").read_text("utf-8") == "packed"
        assert len([call for call in runner.calls if "quickpkg" in call.argv]) == times


def test_what_the_stage3_brought_along_is_used_for_images_and_not_for_builds(context: Context, chroot: Chroot) -> None:
    packages = assemble(context, chroot)
    path = packages.store / "sys-libs/glibc-2" / packages.of_stage3 / "glibc-2-1.gpkg.tar"
    path.parent.mkdir(parents=True)
    path.touch()
    packages = assemble(context, chroot)
    assert names(packages.folder) == []
    binpkgs.add_stage3s(packages)
    assert names(packages.folder) == ["glibc-2-1"]
    assert names(assemble(context, chroot).folder) == []
    assert len(names(packages.store)) == 1
