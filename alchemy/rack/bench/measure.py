"""bench.rack: the service and nginx as boot.serve starts them, under the load of many nodes and an operator."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alchemy.errors import BuildError, UserError
from alchemy.rack import images
from alchemy.rack.bench import downloads, figures, fill, node
from alchemy.rack.bench.figures import Times
from alchemy.rack.bench.http import AnswerError, Client
from alchemy.rack.bench.node import Node
from alchemy.rack.serving import render, setup
from alchemy.rack.serving.interfaces import Interface
from alchemy.rack.serving.setup import Setup
from alchemy.run import Runner, tail

# of the loopback interface
_LOOPBACK = Interface("lo", IPv4Interface("127.0.0.1/8"))
# the password `bench`, hashed cheaply: what a hash costs is not measured
_HASH = "$5$rounds=1000$alchemybench$4X1DyhtODKQnxedxmi5YVWvWrH3E5G/kLumb2Fy5Ia2"
_LOGIN = {"Authorization": "Basic " + base64.b64encode(b"bench:bench").decode("ascii")}
_HTML = {**_LOGIN, "Accept": "text/html"}
_START_SECONDS = 60.0
_AT_ONCE = 256  # requests of nodes
_LIST = "GET /"
_LIST_REQUESTS = 20
_PARALLEL = 64

# the limits that a machine with two cores has to keep
LIMITS = {"decision_p95_ms": 50.0, "errors": 0.0, "memory_mb": 300.0, "list_p95_ms": 300.0}


@dataclass(frozen=True)
class Load:
    """How much is asked of the service: `nodes` boot within `seconds`, beside `records` nodes that are known."""

    nodes: int = 2000
    seconds: float = 600.0
    records: int = 10_000


@dataclass(frozen=True)
class _Served:
    port: int
    service: int  # its process


def measure(load: Load, image: Path) -> dict[str, Any]:
    """Returns the figures. Raises UserError for a missing image, BuildError where a server does not start."""
    try:
        found = images.find(image)
    except ValueError as error:
        raise UserError(f"image: {error}", hint="./run build.all") from None
    before = os.getloadavg()[0]
    with TemporaryDirectory(prefix="alchemy-bench-") as folder:
        (Path(folder) / "records").mkdir(mode=0o700)
        database = f"sqlite:///{folder}/records/bench.sqlite"
        fill.fill(database, load.records)
        with _serving(Path(folder), image, database) as served:
            listing = asyncio.run(_list(served))
            times, seconds, used = asyncio.run(_load(served, load))
            largest = max(found.files, key=lambda name: (image / name).stat().st_size)
            size = (image / largest).stat().st_size
            download = downloads.measure(served.port, f"/images/alchemy/{largest}", size, _PARALLEL)
            memory = figures.most_memory(served.service)
    found_figures = _figures(load, times, seconds, used, listing, memory)
    return {"cpus": os.cpu_count(), "load_before": round(before, 1), **found_figures, "download": download}


def _figures(
    load: Load,
    times: Times,
    seconds: float,
    used: float,
    listing: dict[str, float],
    memory: float,
) -> dict[str, Any]:
    calls = times.shown()
    reached = {
        "decision_p95_ms": calls.get(node.DECISION, {}).get("p95_ms", float("inf")),
        "errors": float(times.errors),
        "memory_mb": memory,
        "list_p95_ms": listing["p95_ms"],
    }
    return {
        "nodes": load.nodes,
        "seconds": round(seconds, 1),
        "calls": calls,
        "requests_s": round(sum(len(each) for each in times.calls.values()) / seconds, 1),
        "errors": times.errors,
        "first_errors": times.first_errors,
        "service_cpu_ms_a_node": round(1000 * used / load.nodes, 1),
        "service_cpu_share": round(used / seconds, 2),
        "service_memory_mb": memory,
        "list": {"records": load.records, **listing},
        "limits": {
            name: {"limit": LIMITS[name], "got": got, "kept": got <= LIMITS[name]} for name, got in reached.items()
        },
    }


async def _list(served: _Served) -> dict[str, float]:
    """Measures the page with the list of nodes while nothing else happens."""
    times = []
    client = Client(served.port)
    for _ in range(_LIST_REQUESTS):
        started = time.perf_counter()
        answer = await client.request("GET", "/", headers=_HTML)
        times.append(time.perf_counter() - started)
        if answer.status != 200:
            raise BuildError(f"GET /: {answer.status}: {answer.body[:200].decode(errors='replace')}")
    return {**figures.summary(times), "bytes": len(answer.body)}


async def _load(served: _Served, load: Load) -> tuple[Times, float, float]:
    """Lets the nodes boot at random times while an operator looks; returns times, seconds, and the service's CPU."""
    times = Times()
    document = node.inventory()
    gate = asyncio.Semaphore(_AT_ONCE)
    all_nodes = [Node(number, served.port, document, times, gate) for number in range(load.nodes)]
    before, started = figures.cpu_seconds(served.service), time.monotonic()
    operator = [asyncio.create_task(_look(served, times)), asyncio.create_task(_keep_open(served))]
    try:
        waits = (random.uniform(0, load.seconds) for _ in all_nodes)  # noqa: S311 - not a secret
        await asyncio.gather(*(each.live(wait) for each, wait in zip(all_nodes, waits, strict=True)))
    finally:
        for task in operator:
            task.cancel()
        await asyncio.gather(*operator, return_exceptions=True)
    return times, time.monotonic() - started, figures.cpu_seconds(served.service) - before


async def _look(served: _Served, times: Times) -> None:
    """Reads the list every two seconds, as a page without JavaScript is read again."""
    client = Client(served.port)
    while True:
        try:
            with times.of(_LIST):
                answer = await client.request("GET", "/", headers=_HTML)
            if answer.status != 200:
                times.failed(f"{_LIST}: {answer.status}")
        except AnswerError as error:
            times.failed(str(error))
        await asyncio.sleep(2)


async def _keep_open(served: _Served) -> None:
    """Has the page open, which hears of each change."""
    with suppress(OSError):
        await Client(served.port).listen("/live", _LOGIN)


@contextmanager
def _serving(folder: Path, image: Path, database: str) -> Iterator[_Served]:
    """Starts the service and nginx as boot.serve does, on a free port of the loopback interface."""
    config = folder / "rack.yml"
    config.write_text(
        f"images: {{alchemy: {str(image.resolve())!r}}}\ndatabase: {database}\noperators: {{bench: {_HASH}}}\n",
        encoding="utf-8",
    )
    images_served = {"alchemy": image.resolve()}
    made = Setup(
        _LOOPBACK, None, _free_port(), folder, images_served, (), setup.account(folder, images_served.values())
    )
    render.write(made)
    runner = Runner()
    try:
        service_log, nginx_log = folder / "log" / "service.log", folder / "log" / "nginx.log"
        service = runner.start(render.service_argv(made, config), log=service_log, env=render.service_environment())
        nginx = runner.start(render.nginx_argv(folder), log=nginx_log)
        end = time.monotonic() + _START_SECONDS
        while not _answers(made.port):
            if time.monotonic() > end or service.poll() is not None or nginx.poll() is not None:
                raise BuildError(f"bench.rack: a server does not start\n{tail(service_log)}\n{tail(nginx_log)}")
            time.sleep(0.1)
        yield _Served(made.port, service.pid)
    finally:
        runner.stop()


def _answers(port: int) -> bool:
    """Returns whether the service answers behind nginx."""
    try:
        return asyncio.run(Client(port).request("GET", "/healthz")).status == 200
    except AnswerError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
