"""Firmware that boots from boot.serve, up to the decision that it boots its own disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from alchemy.host import ovmf
from tests import repository
from tests.lib import tables
from tests.rack import lan as lans
from tests.rack import machines, serving
from tests.rack.lan import Lan
from tests.rack.machines import LOCAL_DISK, Node
from tests.rack.serving import Serving

_MODES = {"proxy": "--proxy", "range": "--range=192.0.2.70,192.0.2.90"}
_LOCAL = r"Alchemy: local: no rule matches an unknown node"
# OVMF without KVM on a busy machine
_PATIENCE = 600


@pytest.fixture(scope="module")
def rack_yml(folder: Path) -> Path:
    """A rack.yml by which every node boots its own disk."""
    path = serving.images(folder / "images")
    path.write_text(path.read_text(encoding="utf-8").replace(f", arm: {folder}/images/arm", "") + "decisions: []\n")
    return path


@pytest.fixture(scope="module", params=tables.rows(_MODES, "proxy"))
def served(request: pytest.FixtureRequest, lan: Lan, folder: Path, rack_yml: Path) -> Iterator[Serving]:
    """boot.serve, and beside it the network's own DHCP server where it is a proxy."""
    site = lans.site_dhcp(lan, folder) if request.param == _MODES["proxy"] else nullcontext()
    with site, serving.serving(lan, folder, request.param, f"--config={rack_yml}") as running:
        yield running


@pytest.mark.parametrize("kind", tables.rows(("bios", "uefi", "uefi-http"), "bios", "uefi-http"))
def test_firmware_gets_to_ipxe_and_from_there_to_its_disk(
    lan: Lan, served: Serving, folder: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    uefi = ovmf.find()
    if kind != "bios" and uefi is None:
        repository.skip_or_fail("the test needs OVMF")
    node = Node(kind, "52:54:00:00:00:09", uefi=None if kind == "bios" else uefi, http=kind == "uefi-http", memory=256)
    console = repository.logs("rack") / f"{request.node.name}.log"
    before = len(served.log("access"))
    with machines.running(lan, node, folder, console, kvm=False) as machine:
        machine.expect(_LOCAL, _PATIENCE)
        # a BIOS is told to boot the disk; UEFI goes on with its next entry
        machine.expect(LOCAL_DISK if kind == "bios" else r"BdsDxe: ", _PATIENCE)
    fetched = served.log("access")[before:]
    assert ("/ipxe/x64/snponly.efi" in fetched) == (kind == "uefi-http")
    assert "/boot.ipxe" in fetched
