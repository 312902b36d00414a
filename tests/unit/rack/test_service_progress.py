"""What nginx's access log tells of a machine on its way to the preliminary init."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from alchemy.rack.records import events, nodes
from alchemy.rack.service.progress import Progress
from tests.unit.rack.rigs import HERE, MAC, Rig

SCRIPT = f"/v1/boot?uuid=&serial=SN-0001&mac={MAC.replace(':', '%3A')}&arch=x86_64"
KERNEL = "/images/alchemy/alchemy.img"
RAMFS = "/images/alchemy/alchemy.ramfs"


def entry(uri: str, address: str = HERE, status: int = 200, method: str = "GET") -> str:
    """A line as nginx.conf has it."""
    found = {"time": "2026-11-28T12:00:00+00:00", "address": address, "method": method, "uri": uri, "status": status}
    return json.dumps({**found, "bytes": 7340032, "seconds": 1.25, "agent": "iPXE/1.0"}) + "\n"


def stages(rig: Rig) -> list[str]:
    with rig.records.reading() as connection:
        return [event.message for event in events.since(connection) if event.kind == "stage"]


class Log:
    def __init__(self, rig: Rig, path: Path) -> None:
        self.path = path
        self.progress = Progress(rig.service, path)

    def add(self, *lines: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
        self.progress.look()


@pytest.fixture
def log(rig: Rig, tmp_path: Path) -> Log:
    rig.session()
    return Log(rig, tmp_path / "access.log")


def test_kernel_and_ramfs_are_stages_of_the_node_that_asked_for_its_script(rig: Rig, log: Log) -> None:
    log.add(entry(SCRIPT), entry(KERNEL))
    log.add(entry(RAMFS))
    assert stages(rig) == ["kernel: 7340032 bytes in 1.2 s", "ramfs: 7340032 bytes in 1.2 s"]
    with rig.records.reading() as connection:
        node = nodes.get(connection, "1")
    assert node is not None
    assert (node.stage, node.stage_message, node.stage_at) == ("ramfs", "7340032 bytes in 1.2 s", rig.clock())


def test_a_line_is_taken_when_it_is_whole(rig: Rig, log: Log) -> None:
    log.add(entry(SCRIPT))
    line = entry(KERNEL)
    log.add(line[:40])
    assert stages(rig) == []
    log.add(line[40:])
    assert len(stages(rig)) == 1


@pytest.mark.parametrize(
    "lines",
    [
        [entry(KERNEL)],
        [entry(SCRIPT, "192.0.2.8"), entry(KERNEL)],
        [entry(SCRIPT, status=503), entry(KERNEL)],
        [entry("/v1/boot?serial=SN-9999"), entry(KERNEL)],
        [entry("/v1/boot?serial=%00&mac=zz"), entry(KERNEL)],
        [entry(SCRIPT), entry(KERNEL, status=404)],
        [entry(SCRIPT), entry(KERNEL, method="HEAD")],
        [entry(SCRIPT), entry("/images/alchemy/SHA256SUMS")],
        [entry(SCRIPT), entry("/images/other/alchemy.img")],
        [entry(SCRIPT), entry("/images/")],
        [entry(SCRIPT), "no json\n", "[]\n", "{}\n", '{"address": 1}\n', "[" * 5000 + "\n", "\xff\n"],
    ],
)
def test_all_else_is_no_stage_and_no_node(rig: Rig, log: Log, lines: list[str]) -> None:
    log.add(*lines)
    assert stages(rig) == []
    with rig.records.reading() as connection:
        assert nodes.get(connection, "2") is None


def test_a_log_that_is_emptied_or_replaced_is_followed_from_its_beginning(rig: Rig, log: Log) -> None:
    log.add(entry(SCRIPT), entry(KERNEL))
    log.path.write_text("", encoding="utf-8")
    log.progress.look()
    log.add(entry(RAMFS))
    log.path.rename(log.path.with_suffix(".1"))
    log.progress.look()
    log.add(entry(KERNEL))
    assert [stage.partition(":")[0] for stage in stages(rig)] == ["kernel", "ramfs", "kernel"]


def test_what_was_there_before_the_service_started_is_over(rig: Rig, log: Log) -> None:
    log.path.write_text(entry(SCRIPT) + entry(KERNEL), encoding="utf-8")
    over = threading.Event()
    over.set()
    log.progress.run(over)
    assert stages(rig) == []
