"""What real trees have, in packages made for the purpose: one image of all that build, and the messages of the others.

The tree is in Gentoo's layout, the configuration as a user writes it, and the image boots.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from alchemy import context as contexts
from alchemy import stage
from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.portage import binpkgs, buildroot, preflight, repositories, required, soundness
from alchemy.stages import outputs, plan, system
from tests import repository
from tests.boot import guest
from tests.boot.conftest import PASSWORD, VERSION
from tests.integration import layout, realtree, systemd_utils
from tests.lib.clones import Clone, small_clone
from tests.lib.keys import Key
from tests.lib.mirror import Server

pytestmark = pytest.mark.exhaustive

ATOMS = [
    *realtree.STAGE3,
    # not a later one of the tree: that would be compiled
    "dev-lang/python::vendor",
    layout.SCRIPTS,
    *sorted({f"app-misc/{name.rpartition('-')[0]}" for name in realtree.GOOD}),
]


@pytest.fixture(scope="module")
def clone(
    build_context: Context, secrets: Mapping[str, Key], kernel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clone]:
    """A clone whose user has configured a Gentoo stage3, its tree in git, a profile and an overlay, with an image."""
    folder = tmp_path_factory.mktemp("realtree")
    server = Server(folder / "mirror")
    (folder / "mirror").mkdir(exist_ok=True)
    tarball = folder / "mirror/stage3.tar.zst"
    furnished = layout.furnished(build_context, realtree.STAGE3, folder)
    layout.stage3(furnished, tarball, "gentoo", secrets["ours"])
    layout.serve(realtree.main(folder / "tree"), folder / "mirror/git/gentoo.git")
    clone = small_clone(folder / "clone", ATOMS, shared=("distfiles",))
    shutil.copy(repository.ROOT / "chroot/setup.sh", clone.root / "chroot/setup.sh")
    realtree.overlay(clone.root / "overlays/vendor")
    realtree.settings(clone.root / "etc/portage")
    clone.configure(
        {
            "stage3_url": f"{server.url}/{tarball.name}",
            "stage3_sha256": files.sha256(tarball),
            "sync": {"method": "git", "url": f"{server.url}/git/gentoo.git", "verify": False},
            "profile": realtree.PROFILES,
            "accept_licenses": ["@VENDOR"],
            "password": PASSWORD,
            "linux_url": kernel.as_uri(),
            "linux_sha256": files.sha256(kernel),
            "compression": "zstd",
        }
    )
    try:
        clone.build("build.all", f"--version={VERSION}")
        yield clone
    finally:
        server.stop()


def systems(clone: Clone) -> set[Path]:
    """The outputs of the system stage."""
    return {path.parent for path in clone.cache.glob(f"stages/system-*/{outputs.PACKAGES}")}


@pytest.fixture(scope="module")
def output(clone: Clone) -> Path:
    """The output of the system stage."""
    (found,) = systems(clone)
    return found


@pytest.fixture(scope="module")
def context(clone: Clone) -> Iterator[Context]:
    """The context of the clone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone.root)
        patch.setenv("ALCHEMY_CACHE_DIR", str(clone.cache))
        patch.setenv("ALCHEMY_WORK_DIR", str(clone.work))
        context = contexts.create(clone.root, VERSION)
    yield context
    context.runner.stop()


@pytest.fixture(scope="module")
def built(context: Context) -> tuple[Context, Chroot]:
    """The context of the clone, and the chroot that its build has left."""
    planned = plan.create(context, plan.recall(context))
    available = repositories.collect(context, {name: made.output for name, made in planned.trees.items()})
    inside = buildroot.chroot(context, system.folder(context), available)
    folder = binpkgs.folder(context, "test")
    folder.mkdir(parents=True)
    return context, dataclasses.replace(inside, binds={**inside.binds, "/var/cache/binpkgs": folder})


def test_the_image_boots_to_a_login_and_runs_programs_of_the_tree(context: Context, tmp_path: Path) -> None:
    with guest.console(context, tmp_path, PASSWORD) as node:
        node.type(realtree.PROGRAM)
        node.expect(realtree.PRINTED)
        node.type(realtree.COIN)
        node.expect(realtree.COIN_PRINTED)
        # what tmpfiles.d asks for is there
        node.type("stat -c %n=%a=%U /run/gold /var/lib/gold")
        node.expect(r"/run/gold=750=metal\s+/var/lib/gold=700=metal\s")
        # and services of packages do not start
        node.type("cd /etc/runlevels && echo sysinit/* boot/*")
        node.expect(r"sysinit/kernfs boot/hostname boot/loopback boot/sysctl boot/tmpfiles\s")


def manifest(clone: Clone) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((clone.root / "bin/manifest.json").read_text(encoding="utf-8"))
    return read


def test_the_manifest_lists_the_profiles_and_what_came_in_and_was_left_out_unasked(clone: Clone) -> None:
    found = manifest(clone)
    left_out = {"path": layout.PERL_SCRIPT, "interpreter": "/usr/bin/perl", "package": f"{layout.SCRIPTS}-1"}
    assert found["profile"] == realtree.PROFILES
    assert found["left_out"] == [left_out]
    assert found["compiler_libraries"] == [f"{layout.OF_32_BITS} (32 bits)", "libgcc_s.so.1", "libstdc++.so.6"]


def test_packages_of_the_stage3_are_not_built_again(clone: Clone) -> None:
    log = (clone.work / "log/system.log").read_text(encoding="utf-8")
    built = re.findall(r"^>>> Emerging \(\d+ of \d+\) (\S+?)-\d[^-]*(?:-r\d+)?::", log, re.MULTILINE)
    assert "app-misc/furnace" in built
    assert not set(built) & set(realtree.STAGE3)


SHOWN = {
    "USE_EXPAND of a parent profile": ("usr/share/real/targets", "python_targets_gold"),
    "an eclass of another repository": ("usr/share/real/borrowed", "gold"),
    "patches of the user": ("usr/share/real/patched", "gold"),
    "package.env, a folder, and env": ("usr/share/real/environment", "gold"),
    "bashrc": ("usr/share/real/hooked", "gold"),
    "package.mask, a folder": ("usr/share/real/masked", "1"),
    "package.provided, a folder": ("usr/share/real/provider", "gold"),
    "CONFIG_PROTECT": ("etc/protected.conf", "gold"),
    "pkg_pretend that checks the kernel": ("usr/share/real/checking", "gold"),
    "a profile of another repository": ("usr/share/real/profiled", "gold"),
    "USE of the user": ("usr/share/real/tuned", "gold"),
    "a live ebuild that the user asks for": ("usr/share/real/asked", "gold"),
    "a licence in a group that the user accepts": ("usr/share/real/agreed", "gold"),
    "RESTRICT of mirrors and of binary packages": ("usr/share/real/restricted", "gold"),
    "tmpfiles": ("usr/lib/tmpfiles.d/temporary.conf", realtree.TEMPORARY),
    "rules of udev": (systemd_utils.RULES, systemd_utils.RULE),
}


@pytest.mark.parametrize(("path", "text"), SHOWN.values(), ids=SHOWN)
def test_the_image_has_what_the_packages_of_a_real_tree_install(output: Path, path: str, text: str) -> None:
    assert (output / outputs.ROOT / path).read_text(encoding="utf-8") == f"{text}\n"


def test_no_file_waits_to_be_merged_by_hand(output: Path) -> None:
    assert not list((output / outputs.ROOT / "etc").rglob("._cfg*"))


def test_accounts_of_packages_are_those_of_the_image_and_own_their_files(output: Path) -> None:
    root = output / outputs.ROOT
    accounts = [line.split(":") for line in (root / "etc/passwd").read_text(encoding="utf-8").splitlines()]
    assert ["464", "464"] in [fields[2:4] for fields in accounts if fields[0] == "metal"]
    assert "metal" in (root / "etc/group").read_text(encoding="utf-8")
    owned = (root / "usr/share/real/account").stat()
    assert (owned.st_uid, owned.st_gid) == (464, 464)


@pytest.mark.parametrize("name", ["libgold.so.1", "liballoy.so.1"])
def test_libraries_of_both_abis_are_in_their_folders(output: Path, name: str) -> None:
    # the class of an ELF file: 1 for 32 bits, 2 for 64
    found = {folder: (output / outputs.ROOT / "usr" / folder / name).read_bytes()[4] for folder in ("lib", "lib64")}
    assert found == {"lib": 1, "lib64": 2}


def test_tmpfiles_are_applied_to_the_build_chroot_and_not_to_the_image_that_does_not_run(
    clone: Clone, output: Path
) -> None:
    made = (clone.work / "chroot/var/lib/gold").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (464, 464, 0o700)
    assert not (output / outputs.ROOT / "var/lib/gold").exists()
    assert systemd_utils.NOT_APPLIED in (clone.work / "log/system.log").read_text(encoding="utf-8")


def test_a_program_has_its_library_in_a_folder_of_its_own_and_no_unit_of_systemd_is_there(output: Path) -> None:
    root = output / outputs.ROOT
    assert (root / systemd_utils.SHARED).is_file()
    assert not (root / systemd_utils.MASKED).exists()
    printed = subprocess.run(["chroot", root, "/usr/bin/udevadm"], capture_output=True, check=True)
    assert printed.stdout == b"260\n"


def test_a_program_keeps_its_file_capabilities(output: Path) -> None:
    assert os.getxattr(output / outputs.ROOT / "usr/bin/ping", "security.capability")


def test_no_news_item_is_announced(clone: Clone) -> None:
    assert "news items need reading" not in (clone.work / "log/system.log").read_text(encoding="utf-8")


def test_what_a_package_says_when_it_is_installed_is_in_the_log(clone: Clone) -> None:
    assert realtree.MESSAGE in (clone.work / "log/system.log").read_text(encoding="utf-8")


# the packages to build, what the message says, and the remedy
REFUSED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "a REQUIRED_USE conflict": (("choosy",), ("app-misc/choosy-1", "gold? ( lead )"), "etc/portage/package.use"),
    "a slot conflict": (("old", "new"), ("app-misc/metal-1", "app-misc/metal-2"), "etc/portage/package.mask"),
    "a blocker": (("acid", "base"), ("app-misc/base", "app-misc/acid-1"), "block each other"),
    "a circular dependency": (("hen",), ("app-misc/hen-1", "app-misc/egg-1"), "etc/portage/package.use"),
    "a live ebuild": (("live",), ("app-misc/live-9999", "keyword"), "etc/portage/package.accept_keywords"),
    "a keyword for testing": (("testing",), ("app-misc/testing-1", "~amd64"), "etc/portage/package.accept_keywords"),
    "USE of a dependency": (("picky",), ("app-misc/choosy", "lead"), "etc/portage/package.use"),
    "a mask of the profile": (("unsafe",), ("app-misc/unsafe-1", "breaks the furnace"), "etc/portage/package.unmask"),
    "a licence in a group": (("licensed",), ("app-misc/licensed-1: not accepted: vendor-eula",), "accept_licenses"),
    "a file to fetch by hand": (("byhand",), ("gold.zip has to be fetched by hand",), "distfiles"),
    "EAPI 9 where bash is too old": (
        ("eapi",),
        ("app-misc/eapi", "EAPI 9 requires >=bash-5.3 but only 5.2 was found"),
        "name such a one in stage3_url",
    ),
    "EAPI 9 in a tree with a cache of metadata": (
        ("cached",),
        ("app-misc/cached-1: EAPI 9 requires >=bash-5.3 but only 5.2 was found",),
        "bash-5.3 or newer",
    ),
    "an unknown EAPI": (("future",), ("app-misc/future-1", "EAPI 99"), "Portage"),
    "a dependency that is nowhere": (("lost",), ("app-misc/nowhere", "app-misc/lost-1"), "overlays"),
}


@pytest.mark.parametrize(("names", "said", "hint"), REFUSED.values(), ids=REFUSED)
def test_a_package_that_cannot_be_built_is_refused_with_the_cause_and_the_remedy(
    built: tuple[Context, Chroot], names: tuple[str, ...], said: tuple[str, ...], hint: str
) -> None:
    context, inside = built
    atoms = [f"app-misc/{name}" for name in names]
    with pytest.raises(AlchemyError) as caught:
        preflight.check(context, inside, atoms, context.logfile("test"), sets={"packages/packages.core": atoms})
    assert not [text for text in said if text not in caught.value.message]
    assert hint in str(caught.value.hint)


def test_a_check_of_a_package_before_it_is_built_is_told(built: tuple[Context, Chroot]) -> None:
    context, inside = built
    with pytest.raises(BuildError) as caught:
        buildroot.emerge(context, inside, ["app-misc/pretender"], context.logfile("test"))
    assert "app-misc/pretender-1" in caught.value.message
    assert "CONFIG_GOLD is not set in the kernel" in caught.value.message


def sets_that_lack(built: tuple[Context, Chroot], atom: str) -> str:
    """What a build of a set with one atom says of packages that every image needs; empty when it goes on."""
    context, inside = built
    listed = inside.root / "etc/portage/sets/alchemy"
    before = listed.read_text(encoding="utf-8")
    listed.write_text(f"{atom}\n", encoding="utf-8")
    try:
        required.check(context, inside, {"packages/packages.core": [atom]}, context.logfile("test"))
    except AlchemyError as error:
        return f"{error.message}\n{error.hint}"
    finally:
        listed.write_text(before, encoding="utf-8")
    return ""


def test_sets_that_do_not_bring_what_every_image_needs_are_refused(built: tuple[Context, Chroot]) -> None:
    said = sets_that_lack(built, f"app-misc/{realtree.PROGRAM}")
    assert "dev-lang/python: missing (expected in a set: chroot/setup.sh runs its python3)" in said
    assert "echo dev-lang/python >>packages/packages.core" in said
    assert "sys-apps/busybox: missing" in said
    assert sets_that_lack(built, "app-misc/mine") == ""


def test_a_program_of_32_bits_without_its_c_library_is_refused_with_the_package_that_has_it(
    built: tuple[Context, Chroot], output: Path, tmp_path: Path
) -> None:
    shutil.copytree(output / outputs.ROOT, tmp_path / "root", symlinks=True)
    files.remove(tmp_path / "root/usr/lib32")
    with pytest.raises(BuildError) as caught:
        soundness.check(tmp_path / "root", built[1].root)
    program = f"/usr/bin/{realtree.COIN}"
    assert f"{program}: missing loader /lib/ld-linux.so.2 (expected a C library of 32 bits)" in caught.value.message
    has_it = r"missing library libc\.so\.6 of 32 bits \(it is in sys-libs/i386-runtime-\S+\)"
    assert re.search(f"{program}: {has_it}", caught.value.message)
    assert "USE=multilib" in str(caught.value.hint)


def test_a_package_more_gives_what_installing_all_would(clone: Clone, output: Path) -> None:
    sets = clone.root / "packages/packages.core"
    sets.write_text("".join(f"{atom}\n" for atom in [*ATOMS, realtree.ADDED]), encoding="utf-8")
    clone.build("build.system")
    (whole,) = systems(clone) - {output}
    expected = stage.identity(whole), (whole / outputs.PACKAGES).read_text(encoding="utf-8")
    files.remove(whole)
    status, said = clone.run("build.system")
    assert status == 0, said
    assert f"system: adding {realtree.ADDED}-1 to the image" in said
    assert (stage.identity(whole), (whole / outputs.PACKAGES).read_text(encoding="utf-8")) == expected
    assert (whole / outputs.ROOT / "usr/share/real/ore").read_text(encoding="utf-8") == "gold\n"


def test_scripts_are_kept_with_the_package_of_their_interpreter(clone: Clone) -> None:
    configured = json.loads((clone.root / "config.yml").read_text(encoding="utf-8"))
    sets, before = clone.root / "packages/packages.core", systems(clone)
    sets.write_text("".join(f"{atom}\n" for atom in [*ATOMS, "app-misc/poem"]), encoding="utf-8")
    clone.configure(configured | {"keep_scripts": True})
    try:
        clone.build("build.system")
    finally:
        clone.configure(configured)
    (output,) = systems(clone) - before
    assert json.loads((output / outputs.ABOUT).read_text(encoding="utf-8"))["left_out"] == []
    packages = json.loads((output / outputs.PACKAGES).read_text(encoding="utf-8"))
    assert "dev-lang/perl" in [f"{package['category']}/{package['name']}" for package in packages]
    printed = subprocess.run(["chroot", output / outputs.ROOT, "/usr/bin/poem"], capture_output=True, check=True)
    assert printed.stdout == b"2"


# These builds end early, and take the chroot of the image away. What the user has edited, and what the message has.
NO_IMAGE: Mapping[str, tuple[Mapping[str, object], list[str], tuple[str, ...]]] = {
    "a profile of systemd": (
        {"profile": realtree.SYSTEMD},
        ATOMS,
        (
            f"profile: {realtree.SYSTEMD}: unsupported: its init is systemd (expected OpenRC)",
            "profile of glibc, GCC and OpenRC",
        ),
    ),
    "sets without Python": (
        {},
        [atom for atom in ATOMS if "python" not in atom],
        ("dev-lang/python: missing (expected in a set: chroot/setup.sh runs its python3)", "echo dev-lang/python >>"),
    ),
}


@pytest.mark.parametrize(("changed", "atoms", "said"), NO_IMAGE.values(), ids=NO_IMAGE)
def test_what_no_image_is_built_from_is_refused_before_anything_is_compiled(
    clone: Clone, changed: Mapping[str, object], atoms: list[str], said: tuple[str, ...]
) -> None:
    configured = json.loads((clone.root / "config.yml").read_text(encoding="utf-8"))
    sets = clone.root / "packages/packages.core"
    sets.write_text("".join(f"{atom}\n" for atom in atoms), encoding="utf-8")
    clone.configure(configured | changed)
    try:
        status, message = clone.run("build.system")
    finally:
        clone.configure(configured)
        sets.write_text("".join(f"{atom}\n" for atom in ATOMS), encoding="utf-8")
    assert status == 2, message
    assert not [text for text in said if text not in message], message
    assert "Emerging" not in message
