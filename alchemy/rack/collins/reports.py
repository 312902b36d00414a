"""Reports burn-ins that have ended to Collins, once each: attributes to search by, and a log entry to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime

from alchemy.commands import node as node_code
from alchemy.rack.collins.assets import Asset
from alchemy.rack.collins.client import JSON, Client
from alchemy.rack.identity import Keys
from alchemy.rack.records import events, managed, nodes, runs
from alchemy.rack.records.database import Records
from alchemy.rack.records.runs import Run

_PAGE = 1000  # lines


def send(client: Client, records: Records, find: Callable[[Keys], Asset | None], now: datetime) -> None:
    """Reports each burn-in that came with a token and that Collins has not got.

    A machine that Collins does not know has nothing to report to. Raises CollinsError where Collins is down: what has
    not been reported is tried again at the next call.
    """
    with records.reading() as connection:
        waiting = managed.unreported(connection)
        owners = {run.id: nodes.get(connection, run.node_id) for run in waiting}
    for run in waiting:
        owner = owners[run.id]
        asset = None if owner is None else find(owner.keys)
        said = "Collins does not know this machine" if asset is None else _report(client, records, asset.tag, run)
        with records.begin() as connection:
            managed.reported(connection, run.id, now=now)
            events.add(connection, run.node_id, "collins", said, {"run": run.id}, now=now)


def _report(client: Client, records: Records, tag: str, run: Run) -> str:
    """Reports one run, and returns what came of it. Raises CollinsError."""
    node_code.find()
    from alchemy_node.burnin import reader, results

    try:
        found = reader.fold(_lines(records, run.id))
        attributes = [("attribute", f"{name};{value}") for name, value in results.attributes(found).items()]
        entry = {"Type": results.kind(found), "Message": {**results.entry(found), "run": run.id}}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # a run that its node has filled with odd lines must not keep the others from Collins
        return f"the result of run {run.id} cannot be read: {type(error).__name__}"
    for answer in (
        client.form("POST", f"/api/asset/{tag}", attributes),
        client.call("PUT", f"/api/asset/{tag}/log", json.dumps(entry).encode("ascii"), JSON),
    ):
        if not answer.succeeded:
            return f"Collins refuses the result of run {run.id}: {answer.reason()}"
    return f"Collins has the result of run {run.id}: {run.result}"


def _lines(records: Records, run_id: str) -> Iterator[bytes]:
    first = 0
    while True:
        with records.reading() as connection:
            page = runs.lines(connection, run_id, first=first, limit=_PAGE)
        yield from (line.encode() for line in page)
        if len(page) < _PAGE:
            return
        first = int(json.loads(page[-1])["sequenceNumber"]) + 1
