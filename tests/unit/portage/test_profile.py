from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.host.rooted import Rooted
from alchemy.portage import profile
from alchemy.portage.repositories import NONE, Repositories

AMD64 = "default/linux/amd64/23.0"
LINK = "etc/portage/make.profile"


@pytest.fixture
def available(tmp_path: Path) -> Repositories:
    """A main repository that is not called gentoo, and an overlay."""
    paths = {name: tmp_path / "repositories" / name for name in ("core-kit", "vendor")}
    offered = {"core-kit": (AMD64, f"{AMD64}/no-multilib", "arch/x86-64bit"), "vendor": ("node",)}
    for name, profiles in offered.items():
        for path in profiles:
            (paths[name] / "profiles" / path).mkdir(parents=True, exist_ok=True)
        desc = "".join(f"amd64 {path} stable\n" for path in profiles)
        (paths[name] / "profiles/profiles.desc").write_text(f"# profiles\n{desc}", encoding="utf-8")
    return Repositories("core-kit", paths, {})


@pytest.fixture
def chroot(tmp_path: Path) -> Path:
    (tmp_path / "chroot/etc/portage").mkdir(parents=True)
    return tmp_path / "chroot"


def link(chroot: Path, target: str) -> None:
    (chroot / LINK).symlink_to(target)


def parents(chroot: Path, *lines: str) -> None:
    (chroot / LINK).mkdir()
    (chroot / LINK / "parent").write_text("\n".join(lines), encoding="utf-8")


# how stage3s name their profile
STAGE3 = {
    "Gentoo's": f"../../var/db/repos/gentoo/profiles/{AMD64}",
    "an absolute path": f"/var/db/repos/gentoo/profiles/{AMD64}/",
    "an old one": f"../../usr/portage/profiles/{AMD64}",
    "by the repository's own name": f"../../var/db/repos/core-kit/profiles/{AMD64}",
}


@pytest.mark.parametrize("target", STAGE3.values(), ids=STAGE3)
def test_the_stage3s_profile_is_that_of_the_main_repository_wherever_it_lies(
    chroot: Path, available: Repositories, target: str
) -> None:
    link(chroot, target)
    profile.configure(Rooted(chroot), (), available)
    assert (chroot / LINK).readlink() == Path(f"../../var/db/repos/core-kit/profiles/{AMD64}")
    assert profile.current(chroot) == [f"core-kit:{AMD64}"]


def test_a_folder_of_profiles_stays_one_with_the_repositories_of_the_build(
    chroot: Path, available: Repositories
) -> None:
    parents(chroot, "core-kit:arch/x86-64bit", "../../../var/db/repos/vendor/profiles/node", "# a comment")
    profile.configure(Rooted(chroot), (), available)
    assert (chroot / LINK / "parent").read_text(encoding="utf-8") == "core-kit:arch/x86-64bit\nvendor:node\n"
    assert profile.current(chroot) == ["core-kit:arch/x86-64bit", "vendor:node"]


def test_the_parents_of_a_funtoo_stage3_are_those_of_its_kits(chroot: Path, tmp_path: Path) -> None:
    kits = tmp_path / "meta-repo/kits"
    paths = {name: kits / name for name in ("core-kit", "desktop-kit")}
    for path in ("arch/x86-64bit", "build/current", "flavor/core", "mix-ins/no-systemd"):
        (paths["core-kit"] / "profiles/funtoo/1.0/linux-gnu" / path).mkdir(parents=True)
    (paths["desktop-kit"] / "profiles/funtoo/kits/desktop-kit").mkdir(parents=True)
    lines = [
        *(f"core-kit:funtoo/1.0/linux-gnu/{path}" for path in ("arch/x86-64bit", "build/current", "flavor/core")),
        "/var/git/meta-repo/kits/core-kit/profiles/funtoo/1.0/linux-gnu/mix-ins/no-systemd",
        "desktop-kit:funtoo/kits/desktop-kit",
    ]
    parents(chroot, *lines)
    profile.configure(Rooted(chroot), (), Repositories("core-kit", paths, {}))
    assert profile.current(chroot) == [*lines[:3], "core-kit:funtoo/1.0/linux-gnu/mix-ins/no-systemd", lines[4]]


# what config.yml names, and what Portage then uses
WANTED = {
    (f"{AMD64}/no-multilib",): [f"core-kit:{AMD64}/no-multilib"],
    (f"gentoo:{AMD64}",): [f"core-kit:{AMD64}"],
    ("vendor:node",): ["vendor:node"],
    ("arch/x86-64bit", "vendor:node"): ["core-kit:arch/x86-64bit", "vendor:node"],
}


@pytest.mark.parametrize(("wanted", "used"), WANTED.items())
def test_the_configured_profile_replaces_the_stage3s(
    chroot: Path, available: Repositories, wanted: tuple[str, ...], used: list[str]
) -> None:
    link(chroot, "../../var/db/repos/gentoo/profiles/gone")
    profile.configure(Rooted(chroot), wanted, available)
    assert profile.current(chroot) == used


REFUSED = {
    "one that the tree lacks": (
        ("default/linux/amd64/17.1",), "profile: default/linux/amd64/17.1: not in the repository core-kit", AMD64
    ),
    "one like no other": (("x",), "profile: x: not in the repository core-kit", "profiles.desc"),
    "a repository that is not there": (
        ("kit:x",), "profile: kit:x: unknown repository kit (expected one of core-kit, vendor)", "overlays"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_a_profile_that_is_not_there_is_refused_with_the_nearest(
    chroot: Path, available: Repositories, wanted: tuple[str, ...], message: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        profile.configure(Rooted(chroot), wanted, available)
    assert caught.value.message == message
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (f"{AMD64}/musl", "its C library is musl (expected glibc)"),
        ("hardened/linux/musl/amd64", "its C library is musl (expected glibc)"),
        (f"{AMD64}/llvm/systemd", "its compiler is LLVM's (expected GCC)"),
        (f"{AMD64}/clang", "its compiler is LLVM's (expected GCC)"),
        (f"{AMD64}/systemd", "its init is systemd (expected OpenRC)"),
        (f"{AMD64}/desktop/gnome/systemd", "its init is systemd (expected OpenRC)"),
    ],
)
def test_a_profile_of_another_c_library_compiler_or_init_is_unsupported(
    chroot: Path, available: Repositories, path: str, why: str
) -> None:
    (available.paths["core-kit"] / "profiles" / path).mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        profile.configure(Rooted(chroot), (path,), available)
    assert caught.value.message == f"profile: {path}: unsupported: {why}"
    link(chroot, f"../../var/db/repos/gentoo/profiles/{path}")
    with pytest.raises(UserError) as caught:
        profile.configure(Rooted(chroot), (), available)
    assert caught.value.message == f"the profile of the stage3: {path}: unsupported: {why}"


def test_a_stage3s_profile_that_the_tree_lacks_is_named(chroot: Path, available: Repositories) -> None:
    link(chroot, "../../var/db/repos/gentoo/profiles/default/linux/amd64/17.0")
    with pytest.raises(UserError, match=r"the profile of the stage3: default/linux/amd64/17\.0: not in the repository"):
        profile.configure(Rooted(chroot), (), available)


@pytest.mark.parametrize("target", ["", "somewhere"])
def test_a_stage3_without_a_profile_is_refused(chroot: Path, available: Repositories, target: str) -> None:
    if target:
        link(chroot, target)
    with pytest.raises(UserError, match="the stage3 names no profile"):
        profile.configure(Rooted(chroot), (), available)


def test_the_stage3s_own_tree_keeps_its_profile_and_takes_no_other(chroot: Path) -> None:
    link(chroot, "../../var/db/repos/gentoo/profiles/x")
    profile.configure(Rooted(chroot), (), NONE)
    assert (chroot / LINK).readlink() == Path("../../var/db/repos/gentoo/profiles/x")
    with pytest.raises(UserError, match="the ebuild tree is the stage3's own"):
        profile.configure(Rooted(chroot), (AMD64,), NONE)
