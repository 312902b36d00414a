"""A link with too few lanes, a BMC that hangs, and a program that takes all memory, while the burn-in runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from alchemy.context import Context
from tests.boot import bmc, faults, guest
from tests.boot.bmc import Bmc
from tests.boot.faults import BurnIn
from tests.boot.guest import Guest

pytestmark = pytest.mark.exhaustive

# QEMU's cards have one lane: this one says that it has four, as its port does
CLAIM = """\
device=$(readlink -f /sys/bus/pci/drivers/e1000e/0000:*)
echo 4 >/tmp/lanes
sudo -n mount --bind /tmp/lanes "$device/max_link_width"
echo "$device"
"""

# takes memory until the kernel kills it
HOG = "a = []\nwhile True: a.append(bytes(range(256)) * 4096)"


@dataclass(frozen=True)
class Machine:
    """The machine of these tests."""

    node: Guest
    bmc: Bmc


@pytest.fixture(scope="module")
def machine(image: Context, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("hangs")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    log = image.logfile("boot-hangs")
    with (
        bmc.running(folder / "bmc") as controller,
        guest.serve_folder(folder) as url,
        guest.boot(
            image, log, key, f"ssh_keys_url={url}/keys", memory=faults.MEMORY,
            extra=[*faults.port(lanes=4), *faults.nvme("TESTNVME", folder / "disk"), *controller.options],
        ) as node,
    ):  # fmt: skip
        node.expect(guest.HAND_OVER)
        node.wait_for_ssh()
        yield Machine(node, controller)


def test_a_link_with_fewer_lanes_than_its_ends_have_fails_the_run_and_names_the_card(machine: Machine) -> None:
    device = machine.node.ssh(CLAIM).split()[-1]
    run = BurnIn(machine.node, "--only pcie --time 5s")
    assert run.status() == 1
    machine.node.ssh(f"sudo -n umount {device}/max_link_width")
    failed = faults.diagnoses(run.lines())
    assert set(failed) == {"link-degraded"}
    card = re.escape(device.rpartition("/")[2])
    assert re.match(
        rf"reseat .*{card}.*, then replace it: the width of its link is 1 of 4 lanes", failed["link-degraded"]
    )


def test_a_bmc_that_hangs_during_the_run_fails_it(machine: Machine) -> None:
    run = BurnIn(machine.node, faults.ENDLESS)
    run.wait_for_samples()
    machine.bmc.hang()
    run.wait_for("it does not answer")
    run.send("INT")
    assert run.status() == 1
    failed = faults.diagnoses(run.lines())
    assert set(failed) == {"bmc-silent"}
    assert failed["bmc-silent"].startswith("reset BMC")


def test_a_program_that_takes_all_memory_is_an_error_and_the_machine_goes_on_answering(
    image: Context, key: Path, console_log: Path, web: Path
) -> None:
    with (
        guest.serve_folder(web) as url,
        guest.boot(image, console_log, key, f"ssh_keys_url={url}/keys", memory=faults.MEMORY) as node,
    ):
        node.expect(guest.HAND_OVER)
        node.wait_for_ssh()
        assert node.ssh("cat /sys/kernel/mm/lru_gen/enabled /sys/kernel/mm/lru_gen/min_ttl_ms").split()[1] == "1000"
        run = BurnIn(node, "--only memory --time 60s")
        run.wait_for("step memory: RUNNING")
        node.ssh(f"setsid python3 -c '{HOG}' >/dev/null 2>&1 </dev/null &")
        guest.wait_for(run.ended_patiently, "end of the burn-in", 600)
        assert run.status() == 3
        lines = run.lines()
        assert node.ssh("cat /run/alchemy/verdict").strip() == "ERROR"
    assert faults.diagnoses(lines) == {}
    assert "out-of-memory " in faults.messages(lines)
