"""What every page works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from alchemy.rack.config import RackConfig
from alchemy.rack.pages.operators import Operators
from alchemy.rack.pages.readings import Readings
from alchemy.rack.records.database import Records


def utc_now() -> datetime:
    """Returns the time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Desk:
    """The configuration, the records, and who may look at them."""

    config: RackConfig
    records: Records
    operators: Operators
    clock: Callable[[], datetime] = utc_now
    readings: Readings = field(default_factory=Readings)
