from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from alchemy.config.model import GENTOO_KEYS, Config
from alchemy.config.remotes import Overlay, Sync
from alchemy.context import Context
from alchemy.portage import trust

STAGE3 = "https://example.org/stage3.tar.xz"
LINUX = "https://example.org/linux-6.12.tar.xz"
GIT = "https://example.org/linux.git"
COMMIT = "0" * 40

# pairs of configurations, and whether their builds share what code in a build chroot can write to
CHROOTS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "other packages and another kernel": ({}, {"accept_licenses": ("EULA",), "linux_url": GIT}, True),
    "an overlay": ({}, {"overlays": ("a",)}, False),
    "an overlay more": ({"overlays": ("a",)}, {"overlays": ("a", "b")}, False),
    "the order of overlays": ({"overlays": ("a", "b")}, {"overlays": ("b", "a")}, True),
    "another commit of an overlay": ({"overlays": ("a",)}, {"overlays": ("a", COMMIT)}, True),
    "a binhost": ({}, {"binhosts": ("https://example.org/x",)}, False),
    "a stage3 of Gentoo": ({}, {"stage3_url": STAGE3}, False),
    "a newer stage3 of the same keys": ({"stage3_url": STAGE3}, {"stage3_url": f"{STAGE3}.tar.xz"}, True),
    "a stage3 of Gentoo's keys by name": (
        {"stage3_url": STAGE3}, {"stage3_url": STAGE3, "stage3_keys": GENTOO_KEYS}, True
    ),
    "a stage3 of other keys": ({"stage3_url": STAGE3}, {"stage3_url": STAGE3, "stage3_keys": ("A" * 40,)}, False),
    "a stage3 of another digest": (
        {"stage3_url": STAGE3, "stage3_sha256": "0" * 64}, {"stage3_url": STAGE3, "stage3_sha256": "1" * 64}, False
    ),
    "a tree of the stage3's keys": (
        {"stage3_url": STAGE3, "sync": Sync(method="none")},
        {"stage3_url": STAGE3, "sync": Sync(method="webrsync")}, True
    ),
    "a tree that is not verified": (
        {"stage3_url": STAGE3}, {"stage3_url": STAGE3, "sync": Sync(method="git", url=GIT, verify=False)}, False
    ),
}  # fmt: skip

# the same for what a kernel's Makefile can write to
KERNELS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    **{name: pair for name, pair in CHROOTS.items() if "kernel" not in name},
    "another package of Debian": ({}, {"linux_url": "debian:linux-source-6.18"}, True),
    "a kernel in git": ({}, {"linux_url": GIT}, False),
    "another tag of a kernel in git": ({"linux_url": GIT}, {"linux_url": GIT, "kernel_ver": "6.18"}, True),
    "a pinned kernel": ({}, {"linux_url": LINUX, "linux_sha256": "0" * 64}, False),
    "another pinned kernel": (
        {"linux_url": LINUX, "linux_sha256": "0" * 64}, {"linux_url": LINUX, "linux_sha256": "1" * 64}, False
    ),
    "a signed kernel": ({}, {"linux_url": LINUX, "linux_keys": ("A" * 40,)}, False),
    "a newer kernel of the same keys": (
        {"linux_url": LINUX, "linux_keys": ("A" * 40,)},
        {"linux_url": f"{LINUX}.tar.xz", "linux_keys": ("A" * 40,)}, True
    ),
}  # fmt: skip


def configured(context: Context, values: dict[str, Any]) -> Context:
    overlays = [name for name in values.get("overlays", ()) if name != COMMIT]
    pinned = COMMIT if COMMIT in values.get("overlays", ()) else None
    found = tuple(Overlay(url=f"https://example.org/{name}.git", commit=pinned) for name in overlays)
    return dataclasses.replace(context, config=Config(**{**values, "overlays": found}))


@pytest.mark.parametrize("name", CHROOTS)
def test_builds_share_what_the_code_of_the_same_parties_has_written(context: Context, name: str) -> None:
    one, other, shared = CHROOTS[name]
    assert (trust.chroot(configured(context, one)) == trust.chroot(configured(context, other))) == shared


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_share_what_the_code_of_the_same_parties_has_compiled(context: Context, name: str) -> None:
    one, other, shared = KERNELS[name]
    assert (trust.kernel(configured(context, one)) == trust.kernel(configured(context, other))) == shared


def test_a_key_file_counts_by_its_content(context: Context) -> None:
    values = {"stage3_url": STAGE3, "stage3_keys": ("ours.asc",)}
    names = set()
    for text in ("one", "two"):
        (context.root / "ours.asc").write_text(text, encoding="utf-8")
        names.add(trust.chroot(configured(context, values)))
    assert len(names) == 2


def test_what_is_this_repository_s_own_has_a_name(context: Context) -> None:
    assert trust.chroot(context) == trust.kernel(context) == trust.OWN
