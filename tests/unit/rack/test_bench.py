from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from alchemy.errors import UserError
from alchemy.rack.bench import downloads, figures, fill, measure, node
from alchemy.rack.bench.figures import Times
from alchemy.rack.bench.http import AnswerError, Client
from alchemy.rack.bench.measure import Load
from alchemy.rack.bench.node import Node
from alchemy.rack.records import listing, runs
from alchemy.rack.records.database import Records, default_url
from alchemy.rack.records.listing import Filters
from tests import web_stand_in
from tests.unit.rack import rigs
from tests.unit.rack.loopback import serving


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def test_times_are_summed_up_in_milliseconds() -> None:
    assert figures.summary([]) == {"count": 0}
    times = [number / 1000 for number in range(1, 101)]
    assert figures.summary(times) == {"count": 100, "p50_ms": 51.0, "p95_ms": 96.0, "max_ms": 100.0}


def test_a_call_that_fails_has_no_time() -> None:
    times = Times()
    with pytest.raises(ValueError, match="no"), times.of("call"):
        raise ValueError("no")
    with times.of("call"):
        pass
    for number in range(10):
        times.failed(f"error {number}")
    assert (times.shown()["call"]["count"], times.errors, times.first_errors[0]) == (1, 10, "error 0")
    assert len(times.first_errors) == 5


def test_what_a_process_has_used() -> None:
    assert figures.cpu_seconds(os.getpid()) > 0
    assert figures.most_memory(os.getpid()) > 1


def test_the_inventory_has_the_size_that_was_asked_for() -> None:
    document = node.inventory()
    assert abs(len(document) - node.INVENTORY_BYTES) < 500
    assert json.loads(document)["alchemy"]["system"] == {"serial": "BENCH-SERIAL"}


def test_simulated_nodes_come_to_an_end_without_an_error(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_PAUSE", 0.0)
    rig = rigs.make(records, tmp_path)
    times = Times()

    async def live(port: int) -> None:
        gate = asyncio.Semaphore(2)
        document = node.inventory(5000)
        await asyncio.gather(*(Node(number, port, document, times, gate).live(0) for number in (1, 70_000)))

    with serving(rig.app) as url:
        asyncio.run(live(port_of(url)))
    assert (times.errors, times.first_errors) == (0, [])
    assert times.shown()["POST lines"]["count"] == 20
    with records.reading() as connection:
        found = listing.search(connection, Filters())
        serials = sorted(each.node.keys.serial or "" for each in found.nodes)
        results = [each.run.result for each in found.nodes if each.run]
        lines = [len(runs.lines(connection, each.run.id)) for each in found.nodes if each.run]
    assert (serials, results, lines) == (["B00000000001", "B00000070000"], ["PASS", "PASS"], [201, 201])


def test_a_node_that_is_refused_is_an_error() -> None:
    times = Times()
    with web_stand_in.serving(lambda _: (503, {"error": "down"})) as served:
        one = Node(1, port_of(served.url), "{}", times, asyncio.Semaphore(1))
        asyncio.run(one.live(0))
    assert times.first_errors == ['node 1: AnswerError: GET /v1/boot: 503: {"error": "down"}']


def test_nobody_listens() -> None:
    with pytest.raises(AnswerError, match=r"^GET /: ConnectionRefusedError$"):
        asyncio.run(Client(1).request("GET", "/"))


def test_the_records_are_filled(tmp_path: Path) -> None:
    url = default_url(tmp_path)
    fill.fill(url, 30)
    records = Records.open(url)
    with records.reading() as connection:
        assert listing.search(connection, Filters()).total == 30
        assert listing.search(connection, Filters(failed=True)).total == 2
        assert listing.search(connection, Filters(status="New")).total == 8
    records.close()


def test_a_file_is_fetched_many_times_at_once() -> None:
    with web_stand_in.serving(lambda _: (200, "x" * 1000)) as served:
        found = downloads.measure(port_of(served.url), "/file", 1002, 4)
    assert (found["bytes"], found["parallel"], len(served.requests)) == (1002, 4, 6)


@pytest.mark.parametrize(("status", "size"), [(404, 1002), (200, 1003)])
def test_a_file_that_is_not_whole_is_an_error(status: int, size: int) -> None:
    with web_stand_in.serving(lambda _: (status, "x" * 1000)) as served, pytest.raises(ValueError, match="/file: "):
        downloads.measure(port_of(served.url), "/file", size, 2)


def test_without_an_image_nothing_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="image: missing or empty: ") as caught:
        measure.measure(Load(), tmp_path)
    assert caught.value.hint == "./run build.all"
