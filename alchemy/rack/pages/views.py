"""The records as values of JSON: the same for the pages, for /v1 and for CSV."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alchemy.rack.records.events import Event
from alchemy.rack.records.inventories import Inventory
from alchemy.rack.records.nodes import Node
from alchemy.rack.records.orders import Order
from alchemy.rack.records.runs import Run

View = dict[str, Any]

NODE_COLUMNS = (
    "id", "name", "tag", "serial", "asset_tag", "uuid", "macs", "vendor", "model", "port", "status", "state",
    "profile", "reason", "stage", "stage_at", "last_seen", "address", "alarm", "run", "verdict", "progress", "failure",
)  # fmt: skip
EVENT_COLUMNS = ("id", "at", "node", "kind", "message")
STEP_COLUMNS = ("step", "name", "status", "began", "ended", "failures", "failure")
# a run whose node goes on saying that it runs is not over
_MOST_SHARE = 0.99


def node(found: Node, run_found: Run | None) -> View:
    """Returns a node with its last run."""
    keys = found.keys
    return {
        "id": found.id,
        "name": found.name,
        "uuid": keys.uuid,
        "serial": keys.serial,
        "asset_tag": keys.asset_tag,
        "macs": list(keys.macs),
        **{
            name: getattr(found, name)
            for name in (
                "vendor", "model", "port", "tag", "status", "state", "status_at", "profile", "reason", "stage",
                "stage_message", "stage_at", "address", "version", "first_seen", "last_seen", "alarm", "alarm_at",
            )
        },
        "inventory": found.inventory_id,
        "run": None if run_found is None else run(run_found),
    }  # fmt: skip


def node_row(found: Node, run_found: Run | None) -> View:
    """Returns a node as a row of CSV (NODE_COLUMNS)."""
    viewed = node(found, run_found)
    shown = viewed["run"] or {}
    failures = shown.get("failures") or [{}]
    return {
        **viewed,
        "macs": " ".join(viewed["macs"]),
        "run": shown.get("id"),
        "verdict": shown.get("verdict"),
        "progress": shown.get("progress"),
        "failure": failures[0].get("message") or failures[0].get("verdict"),
    }


def run(found: Run) -> View:
    """Returns a run. `progress` is the share of its time that is over, None where it did not say how long it takes."""
    steps = found.summary.get("steps") or {}
    return {
        "id": found.id,
        "node": found.node_id,
        "profile": found.profile,
        "boot_id": found.boot_id,
        "proven": found.proven,
        "resumes": found.resumes,
        "began": found.began,
        "heartbeat": found.heartbeat,
        "ended": found.ended,
        "status": found.status,
        "result": found.result,
        "verdict": verdict(found),
        "progress": progress(found),
        "step": ", ".join(str(step["name"] or name) for name, step in steps.items() if _is_open(found, step)),
        "failures": list(found.summary.get("failures") or []),
        "lines": found.lines,
    }


def verdict(found: Run) -> str:
    """Returns PASS, FAIL (as soon as anything failed), ERROR, SKIP, ABANDONED, or RUNNING."""
    if found.summary.get("failures") or found.result == "FAIL":
        return "FAIL"
    if found.ended is None:
        return "RUNNING"
    if found.status == "COMPLETE":
        return "PASS" if found.result == "PASS" else "ERROR"
    return found.status if found.status in {"SKIP", "ABANDONED"} else "ERROR"


def progress(found: Run) -> float | None:
    """Returns how much of the planned time of an open run is over, from 0 to 1."""
    seconds = found.summary.get("seconds")
    if found.ended is not None or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
        return None
    share = (found.heartbeat - found.began).total_seconds() / seconds
    return round(min(max(share, 0.0), _MOST_SHARE), 3)


def steps(found: Run) -> list[View]:
    """Returns the steps of a run as rows of CSV (STEP_COLUMNS)."""
    rows = []
    for identifier, step in (found.summary.get("steps") or {}).items():
        failure: View = next((each for each in found.summary["failures"] if each["step"] == identifier), {})
        rows.append({"step": identifier, **step, "failure": failure.get("message") or failure.get("verdict")})
    return rows


def inventory(found: Inventory) -> View:
    """Returns an inventory without its document."""
    return {
        "id": found.id,
        "taken": found.taken,
        "proven": found.proven,
        "digest": found.digest,
        "differences": list(found.differences),
    }


def order(found: Order) -> View:
    """Returns an order."""
    return {
        "id": found.id,
        "node": found.node_id,
        **{
            name: getattr(found, name)
            for name in ("profile", "once", "destructive", "operator", "made", "expires", "ended", "outcome")
        },
    }


def event(found: Event) -> View:
    """Returns an event."""
    return {
        "id": found.id,
        "node": found.node_id,
        "at": found.at,
        "kind": found.kind,
        "message": found.message,
        "data": dict(found.data),
    }


def _is_open(found: Run, step: Mapping[str, Any]) -> bool:
    return found.ended is None and step.get("status") is None


def moment(text: str) -> datetime:
    """Returns the moment of RFC 3339. Raises ValueError, also for one without a time zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError("no time zone")
    return parsed
