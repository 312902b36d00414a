from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.errors import BuildError
from alchemy.portage import runtime, soundness
from tests.unit.portage.test_soundness import elf, program, write

OLD, NEW = "usr/lib/gcc/x86_64-pc-linux-gnu/13", "usr/lib/gcc/x86_64-pc-linux-gnu/14"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root tree with a program that needs libstdc++, which needs libgcc_s."""
    write(tmp_path, "root/lib64/ld-linux-x86-64.so.2", elf())
    write(tmp_path, "root/usr/bin/x", program("libstdc++.so.6"))
    return tmp_path / "root"


@pytest.fixture
def chroot(tmp_path: Path) -> Path:
    """A build chroot with two versions of GCC, of which the older one is in use, and with a library of its own."""
    for folder in (OLD, NEW):
        write(tmp_path, f"chroot/{folder}/libstdc++.so.6.0.33", elf("libgcc_s.so.1"))
        (tmp_path / "chroot" / folder / "libstdc++.so.6").symlink_to("libstdc++.so.6.0.33")
        write(tmp_path, f"chroot/{folder}/libgcc_s.so.1", elf())
    write(tmp_path, f"chroot/{OLD}/libstdc++.so.6.0.33", elf("libgcc_s.so.1", rpath="/in/use"))
    write(tmp_path, "chroot/etc/ld.so.conf", f"/{OLD}\n/{NEW}\n")
    write(tmp_path, "chroot/usr/lib64/libfoo.so.1", elf())
    write(tmp_path, "chroot/var/db/pkg/dev-libs/foo-1.2/CONTENTS", "obj /usr/lib64/libfoo.so.1 0123 1\n")
    return tmp_path / "chroot"


def test_what_programs_need_of_the_compiler_comes_with_what_that_needs(root: Path, chroot: Path) -> None:
    assert runtime.add(root, chroot) == ["libgcc_s.so.1", "libstdc++.so.6"]
    assert list(soundness.missing_libraries(root)) == []
    assert not (root / "usr/lib64/libstdc++.so.6").is_symlink()


def test_the_libraries_are_those_of_the_version_in_use(root: Path, chroot: Path) -> None:
    runtime.add(root, chroot)
    assert (root / "usr/lib64/libstdc++.so.6").read_bytes() == (chroot / OLD / "libstdc++.so.6").read_bytes()


def test_an_image_that_needs_nothing_of_the_compiler_gets_nothing(root: Path, chroot: Path) -> None:
    (root / "usr/bin/x").unlink()
    assert runtime.add(root, chroot) == []
    assert not (root / "usr/lib64").exists()


def test_a_library_of_a_package_is_not_copied_and_its_package_is_named(root: Path, chroot: Path) -> None:
    write(root, "usr/bin/x", program("libfoo.so.1", "libbar.so.2"))
    assert runtime.add(root, chroot) == []
    with pytest.raises(BuildError) as caught:
        soundness.check(root, chroot)
    assert "/usr/bin/x: missing library libfoo.so.1 (it is in dev-libs/foo-1.2)\n" in f"{caught.value.message}\n"
    assert "/usr/bin/x: missing library libbar.so.2\n" in f"{caught.value.message}\n"
    assert "add the package of the library to a set" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["../x", "/usr/lib/gcc/x", "libnone.so.1"])
def test_a_name_that_is_no_library_of_the_compiler_is_left(root: Path, chroot: Path, name: str) -> None:
    write(root, "usr/bin/x", program(name))
    assert runtime.add(root, chroot) == []


@pytest.mark.parametrize(
    ("loader", "folder"), [("lib/ld-linux.so.2", "lib"), ("usr/lib32/ld-linux.so.2", "usr/lib32"), ("", "usr/lib")]
)
def test_a_program_of_32_bits_gets_the_compiler_s_libraries_of_32_bits_beside_its_loader(
    root: Path, chroot: Path, loader: str, folder: str
) -> None:
    of_32_bits = elf(bits=32, machine=3)
    write(root, "usr/bin/coin", elf("libstdc++.so.6", interpreter="/lib/ld-linux.so.2", bits=32, machine=3))
    if loader:
        write(root, loader, of_32_bits)
    if loader.startswith("usr"):
        (root / "lib").mkdir()
        (root / "lib/ld-linux.so.2").symlink_to(f"/{loader}")
        write(root, "etc/ld.so.conf", "/usr/lib32\n")
    write(chroot, f"{OLD}/32/libstdc++.so.6", of_32_bits)
    assert runtime.add(root, chroot) == ["libgcc_s.so.1", "libstdc++.so.6", "libstdc++.so.6 (32 bits)"]
    assert (root / folder / "libstdc++.so.6").read_bytes() == of_32_bits
    assert list(soundness.missing_libraries(root)) == []
