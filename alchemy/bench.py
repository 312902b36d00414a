"""Measurements, as plain figures. Nothing here is a test."""

from __future__ import annotations

import time
from typing import Any

from alchemy import build, lock, plan
from alchemy.context import Context


def cold_build(context: Context) -> dict[str, Any]:
    """Removes work directory and cache, builds everything one stage after the other, and then as the user would.

    Seconds of wall time a stage, and bytes of both outputs.
    """
    build.clean(context, everything=True)
    build.require_host(context)
    seconds = {}
    started = time.monotonic()
    build.build(context, "image")
    total = time.monotonic() - started
    started = time.monotonic()
    build.build(context, "image")
    again = time.monotonic() - started
    with lock.exclusive(context):
        seconds = {name: stage.seconds for name, stage in plan.create(context).stages.items()}
    paths = (context.bin / context.config.image_name, context.bin / context.config.ramfs_name)
    return {
        "seconds": {"total": round(total, 1), "again": round(again, 2), "stages": seconds},
        "bytes": {path.name: path.stat().st_size for path in paths},
    }


def boot(context: Context, memory: int) -> dict[str, Any]:
    """Boots bin/ over PXE in QEMU."""
    raise NotImplementedError
