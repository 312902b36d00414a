"""One rack from end to end: machines that nobody knows become judged ones, in the records, in Collins, on the page."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alchemy.context import Context
from alchemy.host import ovmf
from alchemy.testbed import qemu
from tests import collins, repository
from tests.boot import guest
from tests.boot.conftest import build
from tests.boot.guest import Guest
from tests.collins import Asset, Collins
from tests.rack import lan as lans
from tests.rack import machines, serving
from tests.rack.lan import SERVER, Lan, inside
from tests.rack.machines import LOCAL_DISK, Node
from tests.rack.serving import Serving

# a burn-in that shows that everything works, and little of the machine
BURNIN = """\
time = "20s"

[[phases]]
share = 100
steps = ["cpu", "disks"]
"""
CONFIGURATION = """\
images: {{alchemy: {image}}}
profiles:
  intake:
    cmdline: "net lldpd burnin_profile=http://{server}/images/alchemy/burnin.toml"
    jobs: [inventory, intake, burnin]
  burnin:
    cmdline: "net lldpd burnin_profile=http://{server}/images/alchemy/burnin.toml"
    jobs: [inventory, burnin]
collins: {{url: "{collins}", user: {user}, password_file: collins.password, poll: 5}}
operators: {{gold: "{password}"}}
"""
# minutes without KVM
pytestmark = pytest.mark.exhaustive

OPERATOR, PASSWORD = "gold", "gold"
HASH = "$5$rounds=1000$saltsalt$Ww0OrpzQmDtwWpbUG.FLwi81q3/EN.cVNq54D8/zrcA"
# a whole boot and burn-in of two machines without KVM, on a busy host
_PATIENCE = 1500


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The context of a clone whose bin/ holds the embedded default, with a profile of the burn-in beside it."""
    context = build(tmp_path_factory.mktemp("clone") / "alchemy")
    (context.bin / "burnin.toml").write_text(BURNIN, encoding="utf-8")
    return context


@pytest.fixture(scope="module")
def manager(lan: Lan) -> Iterator[Collins]:
    """A stand-in for Collins that the rack reaches, and nobody else."""
    with ExitStack() as stack:
        yield inside(lan.rack, lambda: stack.enter_context(collins.serving(Collins())))


@pytest.fixture(scope="module")
def served(lan: Lan, folder: Path, image: Context, manager: Collins) -> Iterator[Serving]:
    """boot.serve beside the network's own DHCP server."""
    password = folder / "collins.password"
    password.write_text(collins.PASSWORD, encoding="utf-8")
    password.chmod(0o600)
    rack_yml = folder / "rack.yml"
    text = CONFIGURATION.format(image=image.bin, server=SERVER, collins=manager.url, user=collins.USER, password=HASH)
    rack_yml.write_text(text, encoding="utf-8")
    with lans.site_dhcp(lan, folder), serving.serving(lan, folder, "--proxy", f"--config={rack_yml}") as running:
        yield running


def console(node: Node) -> Path:
    """Where the serial console of a machine is kept."""
    return repository.logs("rack") / f"{node.name}.log"


def record(lan: Lan, node: Node) -> Any:
    """The record of a node, as an operator sees it; None while there is none."""
    header = base64.b64encode(f"{OPERATOR}:{PASSWORD}".encode()).decode()
    status, _, body = lan.get("/v1/nodes", headers={"Authorization": f"Basic {header}"})
    assert status == 200, body
    found = json.loads(body)
    return next((one for one in found["nodes"] if one["serial"] == node.serial), None)


def page(lan: Lan, path: str) -> str:
    header = base64.b64encode(f"{OPERATOR}:{PASSWORD}".encode()).decode()
    status, _, body = lan.get(path, headers={"Authorization": f"Basic {header}", "Accept": "text/html"})
    assert status == 200, body
    return body.decode()


def result(asset: Asset) -> str:
    """The result of a burn-in that Collins gets."""
    serving.wait_for(lambda: "BURNIN_RESULT" in asset.attributes, "the result in Collins")
    return asset.attributes["BURNIN_RESULT"]


def judge(lan: Lan, manager: Collins, node: Node, machine: Guest) -> None:
    """Follows a machine from its first boot to its verdict, and to its disk at the second."""
    machine.expect(r"Alchemy: intake: unknown -> intake", _PATIENCE)
    machine.expect(guest.HAND_OVER, _PATIENCE)
    assert machine.expect(r"burnin: (PASS|FAIL|ERROR)\W", _PATIENCE)[1] == "PASS"
    asset = manager.assets[node.tag]
    assert (asset.status, result(asset)) == ("New", "PASS")
    assert asset.hardware is not None
    assert asset.neighbors
    found = record(lan, node)
    assert found["run"]["verdict"] == "PASS"
    assert found["run"]["proven"]
    assert "PASS" in page(lan, f"/nodes/{found['id']}")
    machine.monitor("system_reset")
    machine.expect(r"Alchemy: local: New -> burnin: burn-in has passed", _PATIENCE)
    # UEFI goes on with its next entry
    machine.expect(r"BdsDxe: " if node.uefi else LOCAL_DISK, _PATIENCE)


def test_machines_that_nobody_knows_are_judged_and_then_boot_their_disk(
    lan: Lan, served: Serving, image: Context, manager: Collins, folder: Path
) -> None:
    kvm = qemu.kvm_works(image)
    bios, uefi = Node("bios", "52:54:00:00:00:01"), Node("uefi", "52:54:00:00:00:02", uefi=ovmf.find())
    assert uefi.uefi is not None
    with (
        machines.running(lan, bios, folder, console(bios), kvm=kvm) as first,
        machines.running(lan, uefi, folder, console(uefi), kvm=kvm) as second,
        # a console that nobody reads stops its machine
        ThreadPoolExecutor() as threads,
    ):
        list(threads.map(partial(judge, lan, manager), (bios, uefi), (first, second)))


def test_a_machine_with_a_fault_fails_and_does_not_boot_its_disk(
    lan: Lan, served: Serving, image: Context, manager: Collins, folder: Path
) -> None:
    node = Node("broken", "52:54:00:00:00:03", broken=True)
    with machines.running(lan, node, folder, console(node), kvm=qemu.kvm_works(image)) as machine:
        assert machine.expect(r"burnin: (PASS|FAIL|ERROR)\W", _PATIENCE)[1] == "FAIL"
        assert result(manager.assets[node.tag]) == "FAIL"
        found = record(lan, node)
        assert found["run"]["verdict"] == "FAIL"
        assert "FAIL" in page(lan, f"/nodes/{found['id']}")
        machine.monitor("system_reset")
        machine.expect(r"Alchemy: burnin: New -> burnin", _PATIENCE)
