"""A machine that resets in the middle of a burn-in, and a supervisor that is killed: the run goes on, and says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from alchemy.context import Context
from tests import ocp
from tests.boot import faults, guest
from tests.boot.guest import Guest
from tests.boot.racks import Rack

pytestmark = pytest.mark.exhaustive

SECONDS = 110
SPENT = 20
# two boots and a run, without KVM on a busy machine
PATIENCE = 900
PROFILE = f"""\
time = "{SECONDS}s"

[[phases]]
share = 1
steps = ["cpu"]

[options]
sample_seconds = 2
"""
# what QEMU's monitor is told, and what the finding says of the last words of the kernel
RESETS = {
    # VAL, UC, EN, MISCV, ADDRV and PCC: an error of the memory controller after which no program can go on
    "fatal machine check": (
        "mce 0 5 0xbe00000000000134 4 0x12345000 0x8c",
        r"last words of the kernel: mce: \[Hardware Error\]: CPU 0: Machine Check .*Kernel panic - not syncing: Fatal",
    ),
    "reset": ("system_reset", "the kernel left no last words"),
}


@dataclass(frozen=True)
class Running:
    """A machine that the rack service has burn in."""

    node: Guest
    rack: Rack

    def spent(self) -> float:
        """Returns the seconds since the load began, as far as the rack service knows."""
        lines = self.rack.lines
        began = [line for line in lines if line.get("testStepArtifact", {}).get("testStepId") == "1-cpu"]
        return (moment(lines[-1]) - moment(began[0])).total_seconds() if began else 0

    def verdict(self) -> str:
        """Waits for the verdict on the console, and returns it."""
        return self.node.expect(r"jobs: burnin (\w+)\s", PATIENCE)[1]


def moment(line: dict[str, str]) -> datetime:
    return datetime.fromisoformat(line["timestamp"])


@contextmanager
def burning_in(image: Context, key: Path, log: Path, web: Path, folder: Path) -> Iterator[Running]:
    """Boots a machine whose burn-in has run for SPENT seconds. Its firmware keeps the last words of the kernel."""
    (web / "profile").write_text(PROFILE, encoding="ascii")
    rack = Rack()
    extra = [*faults.nvme("TESTNVME", folder / "disk"), *faults.last_words(folder / "erst")]
    with guest.serve(rack.handler()) as service, guest.serve_folder(web) as url:
        # a timer that QEMU's guest finds broken while its host is busy makes the second boot take minutes
        cmdline = f"ssh_keys_url={url}/keys rack_url={service} burnin_profile={url}/profile no_timer_check"
        with guest.boot(image, log, key, cmdline, memory=768, extra=extra, resets=True) as node:
            node.expect(guest.HAND_OVER)
            running = Running(node, rack)
            guest.wait_for(lambda: running.spent() >= SPENT, "first part of the run", PATIENCE)
            yield running


@pytest.mark.parametrize(("command", "words"), RESETS.values(), ids=RESETS.keys())
def test_a_reset_during_a_run_is_its_finding_and_the_run_goes_on(
    image: Context, key: Path, console_log: Path, web: Path, tmp_path: Path, command: str, words: str
) -> None:
    with burning_in(image, key, console_log, web, tmp_path) as running:
        running.node.monitor(command)
        running.node.expect(guest.HAND_OVER, PATIENCE)
        assert running.verdict() == "FAIL"
        running.node.wait_for_ssh()
        planned = running.node.ssh("sudo -n cat /var/log/alchemy/burnin.log")
    assert len(running.rack.boots) == 2
    lines = ocp.validate(running.rack.record)
    found = faults.diagnoses(lines)
    assert set(found) == {"unexpected-reset"}
    assert found["unexpected-reset"].startswith("unexpected reset during cpu (last sign of life ")
    assert re.search(words, found["unexpected-reset"]), found
    assert "the run goes on: the machine was reset" in faults.messages(lines)
    assert "cpu-load" in faults.diagnoses(lines, "PASS")
    left = re.search(r"^profile .*: (\d+) s, on ", planned, re.MULTILINE)
    assert left is not None, planned
    assert int(left[1]) <= SECONDS - SPENT


def test_a_supervisor_that_is_killed_during_a_job_is_started_again_and_the_run_passes(
    image: Context, key: Path, console_log: Path, web: Path, tmp_path: Path
) -> None:
    with burning_in(image, key, console_log, web, tmp_path) as running:
        running.node.ssh("sudo -n pkill -KILL -o -f '^/usr/bin/python3 -I .*alchemy-burnin'")
        running.node.expect(r"burnin: killed by signal 9; it goes on\s", PATIENCE)
        assert running.verdict() == "PASS"
    assert len(running.rack.boots) == 1
    lines = ocp.validate(running.rack.record)
    assert faults.diagnoses(lines) == {}
    assert "the run goes on: the supervisor ended" in faults.messages(lines)
    assert "cpu-load" in faults.diagnoses(lines, "PASS")
