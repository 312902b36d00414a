from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.rack.serving import ipxe
from alchemy.rack.serving.ipxe import ARM64, BIOS, X64, Binary

DEBIAN_12 = ("usr/lib/ipxe/undionly.kpxe", "usr/lib/ipxe/snponly.efi", "usr/lib/ipxe/ipxe.efi")


def install(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_debians_binaries_are_found(tmp_path: Path) -> None:
    root = install(tmp_path, *DEBIAN_12)
    assert ipxe.find(tmp_path / "own", arm64=False, root=root) == (
        Binary(BIOS, root / "usr/lib/ipxe/undionly.kpxe"),
        Binary(X64, root / "usr/lib/ipxe/snponly.efi"),
    )


def test_the_users_own_binary_replaces_that_of_the_distribution(tmp_path: Path) -> None:
    root = install(tmp_path, *DEBIAN_12, "own/undionly.kpxe")
    assert ipxe.find(tmp_path / "own", arm64=False, root=root)[0] == Binary(BIOS, tmp_path / "own" / BIOS)


@pytest.mark.parametrize(
    ("there", "arm64", "missing"),
    [
        (DEBIAN_12, True, "no arm64/snponly.efi on"),
        ((), False, "no undionly.kpxe and no x64/snponly.efi on"),
        (DEBIAN_12[1:], False, "no undionly.kpxe on"),
    ],
)
def test_all_missing_binaries_are_named(tmp_path: Path, there: tuple[str, ...], arm64: bool, missing: str) -> None:
    with pytest.raises(UserError) as caught:
        ipxe.find(tmp_path / "own", arm64=arm64, root=install(tmp_path, *there))
    assert caught.value.message == f"iPXE: {missing} this host"
    assert str(tmp_path / "own") in str(caught.value.hint)


def test_the_binary_for_arm64_is_that_of_debian_13(tmp_path: Path) -> None:
    root = install(tmp_path, *DEBIAN_12, "usr/lib/ipxe/ipxe-arm64.efi")
    assert ipxe.find(tmp_path, arm64=True, root=root)[-1] == Binary(ARM64, root / "usr/lib/ipxe/ipxe-arm64.efi")
