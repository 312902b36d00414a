"""boot.serve, killed and stopped, whole and in parts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.rack.serving import open_files
from tests.rack import firmware, serving
from tests.rack.firmware import UNDI, Firmware
from tests.rack.lan import Lan
from tests.rack.serving import Serving

SERVERS = ("service", "nginx", "dnsmasq")


@pytest.fixture
def served(lan: Lan, folder: Path, rack_yml: Path) -> Iterator[Serving]:
    with serving.serving(lan, folder, "--proxy", f"--config={rack_yml}") as running:
        yield running


def processes(running: Serving, name: str) -> set[int]:
    """The processes of one of its servers. It has their logs open itself while it starts them."""
    writers = open_files.writers(running.state / "log" / f"{name}.log")
    return {process.pid for process in writers} - {running.process.pid}


def all_processes(running: Serving) -> set[int]:
    return {pid for name in SERVERS for pid in processes(running, name)}


def answers(lan: Lan) -> bool:
    """Whether all three serve: the service through nginx, and dnsmasq."""
    try:
        status, _, _ = lan.get("/healthz")
    except OSError:
        return False
    return status == 200 and firmware.discover(lan, Firmware(UNDI, 0), 2) != []


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_is_up_again(lan: Lan, served: Serving, name: str) -> None:
    assert answers(lan)
    before = processes(served, name)
    # the first is nginx's master, whose workers keep its port
    os.kill(min(before), signal.SIGKILL)
    serving.wait_for(lambda: bool(processes(served, name) - before) and answers(lan), f"another {name}")
    assert f"{name} killed by signal 9; it is started again (log: {served.state}/log/{name}.log)" in served.said
    assert processes(served, name) & before == set()


def test_a_service_that_hangs_sends_nodes_to_the_local_disk(lan: Lan, served: Serving) -> None:
    (service,) = processes(served, "service")
    os.kill(service, signal.SIGSTOP)
    try:
        status, _, body = lan.get("/boot.ipxe")
    finally:
        os.kill(service, signal.SIGCONT)
    assert status == 200
    assert body.startswith(b"#!ipxe\n")
    assert b"sanboot --no-describe --drive 0x80" in body


def test_one_that_keeps_dying_ends_the_command_with_the_reason(lan: Lan, served: Serving) -> None:
    killed: set[int] = set()

    def kill() -> bool:
        for pid in processes(served, "service") - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        return served.process.poll() is not None

    serving.wait_for(kill, "the end of the command")
    assert served.process.returncode == 3
    assert "error: service: died 6 times within 60 s (killed by signal 9)" in served.said
    assert f"log: {served.state}/log/service.log" in served.said
    assert all_processes(served) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_all_that_it_started(served: Serving, number: int) -> None:
    assert len(all_processes(served)) >= len(SERVERS)
    assert served.stop(number) == 0
    assert all_processes(served) == set()
    assert served.said.endswith("stopping\n")


def test_after_a_kill_of_itself_it_starts_again_and_replaces_what_is_left(
    lan: Lan, folder: Path, rack_yml: Path
) -> None:
    first = serving.start(lan, folder, "--proxy", f"--config={rack_yml}")
    first.wait_for("Ctrl-C stops it")
    before = all_processes(first)
    first.process.kill()
    first.process.wait()
    with serving.serving(lan, folder, "--proxy", f"--config={rack_yml}") as second:
        assert answers(lan)
        assert all_processes(second) & before == set()
