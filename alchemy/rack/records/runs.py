"""Runs: burn-ins and their lines, which a node sends as often as need be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from alchemy.rack.records import nodes, summary
from alchemy.rack.records.schema import lines as line_table
from alchemy.rack.records.schema import runs

# of a run: more than 48 hours of a large machine
MOST_LINES = 1_000_000
MOST_CHARACTERS = 512 << 20
# of a line: its longest is the list of the hardware
LONGEST_LINE = 4 << 20
_LARGEST_SEQUENCE = (1 << 53) - 1

ABANDONED = "ABANDONED"


@dataclass(frozen=True)
class Run:
    """A run. It is open while `ended` is None. `summary` is what its lines say so far (summary.empty has its form).

    `profile` is what the node booted when it began. `status` and `result` are those of OCP's testRunEnd; the status is
    ABANDONED where another run took its place. `resumes` counts the boots that went on with it. `proven`: it came with
    a token.
    """

    id: str
    node_id: str
    boot_id: str
    profile: str
    proven: bool
    resumes: int
    began: datetime
    heartbeat: datetime
    ended: datetime | None
    status: str | None
    result: str | None
    lines: int
    size: int
    summary: Mapping[str, Any]


class LineError(ValueError):
    """A line that is refused, or one too many; the message says why."""


def open(  # noqa: A001
    connection: Connection, node_id: str, boot_id: str, *, profile: str, proven: bool, now: datetime
) -> Run:
    """Begins a run of a node. One that is open is abandoned; an unproven one moves nothing of its node.

    Where the open one is of the same boot and has no lines, it is returned: the answer may have been lost.
    """
    nodes.lock(connection, node_id)
    current = open_of(connection, node_id) if proven else None
    if current is not None and (current.boot_id, current.lines) == (boot_id, 0):
        return current
    if current is not None:
        finish(connection, current.id, ABANDONED, None, now=now)
    row: dict[str, Any] = {
        "node_id": node_id,
        "boot_id": boot_id,
        "profile": profile,
        "proven": proven,
        "resumes": 0,
        "began": now,
        "heartbeat": now,
        "ended": None,
        "status": None,
        "result": None,
        "lines": 0,
        "size": 0,
        "summary": summary.empty(),
    }
    identifier = connection.execute(runs.insert().values(row).returning(runs.c.id)).scalar_one()
    if proven:
        nodes.update(connection, node_id, run_id=identifier)
    return Run(id=identifier, **row)


def append(connection: Connection, run_id: str, lines: Sequence[object], *, now: datetime) -> Run | None:
    """Adds lines to a run, each by its sequenceNumber: a number that is there is not written again.

    Returns the run as it then is; None where there is none. All lines of the call are kept, or none. A line testRunEnd
    ends the run. Raises LineError.
    """
    fresh: dict[int, tuple[Mapping[str, Any], str]] = {}
    for each in lines:
        sequence, line, text = _checked(each)
        fresh.setdefault(sequence, (line, text))
    row = connection.execute(select(runs).where(runs.c.id == run_id).with_for_update()).mappings().one_or_none()
    if row is None:
        return None
    wanted = list(fresh)
    for at in range(0, len(wanted), 500):
        chosen = line_table.c.sequence.in_(wanted[at : at + 500])
        known = connection.execute(select(line_table.c.sequence).where(line_table.c.run_id == run_id, chosen))
        for sequence in known.scalars().all():
            del fresh[sequence]
    count, size = row["lines"] + len(fresh), row["size"] + sum(len(text) for _, text in fresh.values())
    if count > MOST_LINES or size > MOST_CHARACTERS:
        raise LineError(f"lines: too many (expected at most {MOST_LINES} in {MOST_CHARACTERS} characters)")
    if fresh:
        rows = [{"run_id": run_id, "sequence": each, "line": kept} for each, (_, kept) in fresh.items()]
        connection.execute(line_table.insert(), rows)
    total = row["summary"]
    for sequence, (line, _) in fresh.items():
        summary.take(total, sequence, line)
    changes = {"heartbeat": now, "lines": count, "size": size, "summary": total}
    if total["status"] is not None and row["ended"] is None:
        changes |= {"ended": now, "status": total["status"], "result": total["result"]}
    connection.execute(runs.update().where(runs.c.id == run_id).values(changes))
    return Run(**{**row, **changes})


def lines(connection: Connection, run_id: str, *, first: int = 0, limit: int = 1000) -> list[str]:
    """Returns lines of a run as JSON text, in order, from a sequenceNumber on."""
    query = select(line_table.c.line).where(line_table.c.run_id == run_id, line_table.c.sequence >= first)
    return list(connection.execute(query.order_by(line_table.c.sequence).limit(limit)).scalars())


def resume(connection: Connection, run_id: str, *, now: datetime) -> int:
    """Notes that a boot goes on with a run; returns how many have."""
    changes = runs.update().where(runs.c.id == run_id).values(resumes=runs.c.resumes + 1, heartbeat=now)
    resumes: int = connection.execute(changes.returning(runs.c.resumes)).scalar_one()
    return resumes


def finish(connection: Connection, run_id: str, status: str, result: str | None, *, now: datetime) -> bool:
    """Ends a run; returns whether it was open."""
    open_one = runs.update().where(runs.c.id == run_id, runs.c.ended.is_(None))
    return connection.execute(open_one.values(ended=now, status=status, result=result)).rowcount == 1


def get(connection: Connection, run_id: str) -> Run | None:
    """Returns a run by its id."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().one_or_none()
    return None if row is None else Run(**row)


def open_of(connection: Connection, node_id: str) -> Run | None:
    """Returns the open run of a node, if it is proven."""
    query = (
        select(runs).where(runs.c.node_id == node_id, runs.c.proven, runs.c.ended.is_(None)).order_by(runs.c.id.desc())
    )
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else Run(**row)


def history(connection: Connection, node_id: str, *, limit: int = 50) -> list[Run]:
    """Returns the runs of a node, the newest first."""
    query = select(runs).where(runs.c.node_id == node_id).order_by(runs.c.id.desc()).limit(limit)
    return [Run(**row) for row in connection.execute(query).mappings()]


def passed(connection: Connection, node_id: str) -> Run | None:
    """Returns the newest run of a node that was proven and came to a verdict, if that is PASS."""
    query = select(runs).where(runs.c.node_id == node_id, runs.c.proven, runs.c.result.is_not(None))
    row = connection.execute(query.order_by(runs.c.id.desc()).limit(1)).mappings().first()
    return Run(**row) if row is not None and row["result"] == "PASS" else None


def _checked(line: object) -> tuple[int, Mapping[str, Any], str]:
    """Returns the sequenceNumber of a line, the line, and its text. Raises LineError."""
    if not isinstance(line, dict):
        raise LineError("lines: not a list of objects")
    sequence = line.get("sequenceNumber")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 <= sequence <= _LARGEST_SEQUENCE:
        raise LineError("sequenceNumber: missing or not a whole number from 0 on")
    try:
        text = json.dumps(line, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise LineError(f"line {sequence}: not JSON: a number is not finite") from error
    if len(text) > LONGEST_LINE:
        raise LineError(f"line {sequence}: too long (expected at most {LONGEST_LINE} characters, got {len(text)})")
    return sequence, line, text
