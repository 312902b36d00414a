"""The tasks `bench.*`."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from alchemy.testbed import bench, bench_rebuild
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
