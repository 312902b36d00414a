"""Deletes records that are older than retention_days."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta

from alchemy.rack.records import retention
from alchemy.rack.records.database import RecordsError
from alchemy.rack.service.core import Service

_INTERVAL = 3600.0  # seconds


def run(service: Service, over: threading.Event, log: Callable[[str], None]) -> None:
    """Deletes old records every hour until `over` is set. After a database error it retries an hour later."""
    while True:
        try:
            said = f"removed {retention.apply(service.records, _age(service), now=service.clock())}"
        except RecordsError as error:
            said = error.message
        log(json.dumps({"retention": said}))
        if over.wait(_INTERVAL):
            return


def _age(service: Service) -> timedelta:
    return timedelta(days=service.config.retention_days)
