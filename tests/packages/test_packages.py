"""Every free set in one image, and every tool of it at work in a machine with the hardware that it asks for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.portage import settings, soundness
from alchemy.stages import outputs, plan
from tests import repository, tools
from tests.boot import guest
from tests.boot.conftest import build
from tests.boot.guest import Guest

SETS = ("core", "util", "network", "benchmark", "storage", "fabric", "breakin")
TOOLS = [tool for name in SETS for tool in tools.running(name)]

# bytes of the ramfs with all of them
LARGEST = 95_000_000


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The context of a clone whose bin/ holds all free sets."""
    return build(tmp_path_factory.mktemp("clone") / "alchemy", f"packages: [{', '.join(SETS)}]\n")


@pytest.fixture(scope="module")
def node(everything: Context, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The image, booted over PXE, in a machine that has something for every tool."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    with (
        guest.serve_folder(folder) as url,
        guest.boot(
            everything, repository.logs("boot") / "packages.log", key, f"ssh_keys_url={url}/keys",
            memory=1024, pxe=True, processors=2, extra=tools.hardware(folder),
        ) as node,
    ):  # fmt: skip
        node.expect(guest.LOGIN)
        node.wait_for_ssh()
        yield node


@pytest.mark.parametrize("tool", TOOLS, ids=str)
def test_tool(node: Guest, tool: tools.Tool) -> None:
    tool.check(node)


def test_every_package_of_the_sets_is_in_the_manifest(everything: Context) -> None:
    manifest = json.loads((everything.bin / "manifest.json").read_text(encoding="utf-8"))
    installed = {(f"{package['category']}/{package['name']}", package["slot"]) for package in manifest["packages"]}
    for name in SETS:
        for atom in settings.read_set(everything.root / f"packages/packages.{name}"):
            package, _, slot = atom.partition(":")
            assert any(package == found and slot in ("", there) for found, there in installed), atom


def test_the_ramfs_is_small(everything: Context) -> None:
    assert (everything.bin / "alchemy.ramfs").stat().st_size <= LARGEST


def test_nothing_that_a_program_needs_is_missing(everything: Context) -> None:
    soundness.check(plan.create(everything, plan.recall(everything))["system"].output / outputs.ROOT)
