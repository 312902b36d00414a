"""The tasks `bench.*`."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from alchemy.testbed import bench, bench_burnin, bench_rebuild
from cli.command import VERSION_HELP, as_json, checked, command


@task(name="build", help={"version": VERSION_HELP})
@command
def bench_build(_: Context, version: str = "bench") -> None:
    """Measure a cold build: seconds per stage, and sizes, as JSON."""
    print(as_json(bench.cold_build(checked(version))))


@task(help={"fresh": "in a fresh clone with a fresh work directory and a shared cache, as in CI"})
@command
def rebuild(_: Context, fresh: bool = False) -> None:
    """Measure builds after a small change against their limits, as JSON."""
    measure = bench_rebuild.measure_fresh if fresh else bench_rebuild.measure
    print(as_json(measure(checked("bench"))))


@task(name="boot", help={"memory": "MB of RAM (default: 256)"})
@command
def bench_boot(_: Context, memory: int = 256) -> None:
    """Measure boots over PXE, without PXE, and with one of two links up: seconds to the hand-over, as JSON."""
    print(as_json(bench.boot(checked(), memory)))


@task(
    help={
        "memory": "MB of RAM (default: 1024)",
        "seconds": "how long it watches (default: 240; at least 180)",
    }
)
@command
def burnin(_: Context, memory: int = 1024, seconds: int = 240) -> None:
    """Measure what the burn-in's supervisor takes while it watches: its share of a core and its memory, as JSON."""
    print(as_json(bench_burnin.measure(checked(), memory, seconds)))


@task(
    name="rack",
    help={
        "nodes": "simulated nodes (default: 2000)",
        "seconds": "the time within which they boot (default: 600)",
        "records": "nodes that are known already (default: 10000)",
        "image": "folder like bin/ (default: bin)",
    },
)
@command
def bench_rack(_: Context, nodes: int = 2000, seconds: int = 600, records: int = 10_000, image: str = "bin") -> None:
    """Measure the rack service under the load of many nodes and an operator, and nginx, as JSON. Needs root."""
    # only this task needs the rack's packages
    from alchemy.rack.bench import measure

    load = measure.Load(nodes, seconds, records)
    print(as_json(measure.measure(load, Path(image).absolute())))
