"""Values that several tests of the records use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alchemy.rack.identity import Keys
from alchemy.rack.records import boots, nodes, runs

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ADDRESS = "192.0.2.7"
START = {"testRunArtifact": {"testRunStart": {"parameters": {"seconds": 7200, "steps": ["0", "1"]}}}}
PASS = {"testRunArtifact": {"testRunEnd": {"status": "COMPLETE", "result": "PASS"}}}
FAIL = {"testRunArtifact": {"testRunEnd": {"status": "COMPLETE", "result": "FAIL"}}}


def keys(number: int = 1) -> Keys:
    """Returns the keys of a machine that shares none with another number's."""
    return Keys(f"8d1c1f34-5c2b-4a55-9d0e-{number:012x}", f"S-{number}", None, (mac(number),))


def mac(number: int) -> str:
    """Returns a MAC of a number below 65536."""
    return f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"


def node(connection: Connection, number: int = 1) -> nodes.Node:
    """Adds the node of a number."""
    return nodes.create(connection, keys(number), now=NOW)


def boot(
    connection: Connection,
    node_id: str,
    boot_id: str = "b1",
    *,
    address: str = ADDRESS,
    lifetime: timedelta | None = HOUR,
    now: datetime = NOW,
) -> str | None:
    """Begins a boot and returns its token."""
    return boots.begin(
        connection,
        node_id,
        boot_id,
        address=address,
        profile="burnin",
        reason="New -> burnin",
        version="1.2",
        lifetime=lifetime,
        now=now,
    )


def run(connection: Connection, node_id: str, boot_id: str = "b1", *, proven: bool = True) -> runs.Run:
    """Opens a run."""
    return runs.open(connection, node_id, boot_id, profile="burnin", proven=proven, now=NOW)


def numbered(*artifacts: dict[str, Any], first: int = 0) -> list[dict[str, Any]]:
    """Returns lines of a run with sequence numbers."""
    return [
        {**artifact, "sequenceNumber": number, "timestamp": "2030-01-02T03:04:05.000Z"}
        for number, artifact in enumerate(artifacts, first)
    ]


def step(identifier: str, **artifact: Any) -> dict[str, Any]:
    """Returns an artifact of a step."""
    return {"testStepArtifact": {"testStepId": identifier, **artifact}}
