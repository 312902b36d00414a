"""chroot/ebuild-digests.py: the digest of all that an ebuild is built from."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests import repository


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """chroot/ebuild-digests.py, without Portage."""
    monkeypatch.setitem(sys.modules, "portage", ModuleType("portage"))
    spec = importlib.util.spec_from_file_location("ebuild_digests", repository.ROOT / "chroot/ebuild-digests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one package, which has two versions, and an eclass."""
    files = {
        "app-misc/gold/gold-1.ebuild": "EAPI=8\ninherit meson\n",
        "app-misc/gold/gold-2.ebuild": "EAPI=8\n",
        "app-misc/gold/files/a.patch": "a patch\n",
        "app-misc/gold/metadata.xml": "<pkgmetadata/>\n",
        "app-misc/gold/Manifest": (
            "AUX a.patch 8 SHA512 00\nDIST gold-1.tar.gz 9 SHA512 01\nDIST gold-2.tar.gz 9 SHA512 02\n"
            "EBUILD gold-1.ebuild 9 SHA512 03\nEBUILD gold-2.ebuild 9 SHA512 04\nMISC metadata.xml 9 SHA512 05\n"
        ),
        "eclass/meson.eclass": "# an eclass\n",
        "eclass/other.eclass": "# nobody's\n",
        "profiles/repo_name": "tree\n",
    }
    for name, text in files.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(text, encoding="utf-8")
    return tmp_path / "tree"


def replace(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(tree: Path) -> None:
        text = (tree / name).read_text(encoding="utf-8")
        assert old in text
        (tree / name).write_text(text.replace(old, new), encoding="utf-8")

    return change


def write(name: str) -> Callable[[Path], object]:
    return lambda tree: (tree / name).write_text("something else\n", encoding="utf-8")


MANIFEST = "app-misc/gold/Manifest"

# a change of the tree, and whether a binary package of gold-1 counts no longer
CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "nothing": (lambda tree: None, False),
    "the text of the ebuild": (write("app-misc/gold/gold-1.ebuild"), True),
    "a blank in the ebuild": (replace("app-misc/gold/gold-1.ebuild", "meson\n", "meson \n"), True),
    "another version": (write("app-misc/gold/gold-2.ebuild"), False),
    "a new version": (write("app-misc/gold/gold-3.ebuild"), False),
    "an inherited eclass": (write("eclass/meson.eclass"), True),
    "an eclass that is not inherited": (write("eclass/other.eclass"), False),
    "a new eclass": (write("eclass/new.eclass"), False),
    "the text of a patch": (write("app-misc/gold/files/a.patch"), True),
    "a new patch": (write("app-misc/gold/files/b.patch"), True),
    "the name of a patch": (
        lambda tree: (tree / "app-misc/gold/files/a.patch").rename(tree / "app-misc/gold/files/c.patch"), True
    ),
    "a patch that is gone": (lambda tree: (tree / "app-misc/gold/files/a.patch").unlink(), True),
    "a link among the patches": (lambda tree: (tree / "app-misc/gold/files/link").symlink_to("a.patch"), True),
    "the digest of its source": (replace(MANIFEST, "SHA512 01", "SHA512 ff"), True),
    "its source is gone from the Manifest": (replace(MANIFEST, "DIST gold-1.tar.gz 9 SHA512 01\n", ""), True),
    "the digest of its ebuild": (replace(MANIFEST, "SHA512 03", "SHA512 ff"), True),
    "the digest of its patch": (replace(MANIFEST, "SHA512 00", "SHA512 ff"), True),
    "the digest of another version's source": (replace(MANIFEST, "SHA512 02", "SHA512 ff"), False),
    "the digest of another version's ebuild": (replace(MANIFEST, "SHA512 04", "SHA512 ff"), False),
    "the digest of its metadata": (replace(MANIFEST, "SHA512 05", "SHA512 ff"), False),
    "the order of the Manifest": (
        lambda tree: (tree / MANIFEST).write_text(
            "\n".join(reversed((tree / MANIFEST).read_text(encoding="utf-8").splitlines())), encoding="utf-8"
        ),
        False,
    ),
    "its metadata": (write("app-misc/gold/metadata.xml"), False),
    "the mode and time of the ebuild": (lambda tree: os.utime(tree / "app-misc/gold/gold-1.ebuild", (0, 0)), False),
}  # fmt: skip


def digest(script: ModuleType, tree: Path, name: str = "tree") -> str:
    eclasses, sources = [tree / "eclass/meson.eclass"], {"gold-1.tar.gz": ()}
    found: str = script.digest(name, tree / "app-misc/gold/gold-1.ebuild", eclasses, sources, [])
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_a_binary_package_counts_for_the_ebuild_eclasses_files_and_manifest_that_it_was_made_of(
    script: ModuleType, tree: Path, name: str
) -> None:
    change, counts_no_longer = CHANGES[name]
    before = digest(script, tree)
    change(tree)
    assert (digest(script, tree) != before) == counts_no_longer


def test_going_back_gives_the_same_digest_again(script: ModuleType, tree: Path) -> None:
    before = digest(script, tree)
    text = (tree / "app-misc/gold/gold-1.ebuild").read_bytes()
    write("app-misc/gold/gold-1.ebuild")(tree)
    (tree / "app-misc/gold/gold-1.ebuild").write_bytes(text)
    assert digest(script, tree) == before


def test_the_same_ebuild_of_another_repository_or_another_eclass_is_another(script: ModuleType, tree: Path) -> None:
    before = digest(script, tree)
    assert digest(script, tree, "overlay") != before
    ebuild = tree / "app-misc/gold/gold-1.ebuild"
    assert script.digest("tree", ebuild, [tree / "eclass/other.eclass"], {"gold-1.tar.gz": ()}, []) != before
    assert script.digest("tree", ebuild, [], {"gold-1.tar.gz": ()}, []) != before


def test_a_manifest_may_be_missing_signed_or_of_other_bytes(script: ModuleType, tree: Path) -> None:
    armour = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
    before = digest(script, tree)
    (tree / MANIFEST).write_bytes(armour + (tree / MANIFEST).read_bytes() + b"\xff\nDIST\n")
    assert digest(script, tree) == before
    (tree / MANIFEST).unlink()
    assert digest(script, tree) != before


KERNEL = {"include/config/kernel.release": "6.12.1", ".config": "CONFIG_MODULES=y\n", "Module.symvers": "0 printk\n"}


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The build tree of a kernel, where ebuilds find it."""
    folder = tmp_path / "kernel"
    for name, text in KERNEL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("KERNEL_DIR", str(folder))
    return folder


@pytest.mark.parametrize("name", KERNEL)
@pytest.mark.parametrize("eclass", ["linux-mod-r1", "linux-mod"])
def test_a_package_of_modules_counts_for_one_kernel(script: ModuleType, kernel: Path, eclass: str, name: str) -> None:
    before = list(script.of_kernel(["edo", eclass]))
    assert list(script.of_kernel(["edo", eclass])) == before
    (kernel / name).write_text("another\n", encoding="utf-8")
    assert list(script.of_kernel(["edo", eclass])) != before


def test_other_packages_count_for_any_kernel(script: ModuleType, kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(script.of_kernel(["meson", "linux-info"])) == []
    monkeypatch.delenv("KERNEL_DIR")
    assert list(script.of_kernel(["linux-mod-r1"])) == []
