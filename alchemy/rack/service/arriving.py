"""Answers POST /v1/boots: records the boot of a machine, spends its order, and issues a token if a run is expected.

The preliminary init sends the same body with the stage `init`, which only records that stage.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alchemy.rack import decisions
from alchemy.rack.decisions import Decision
from alchemy.rack.identity import Keys
from alchemy.rack.records import boots, events, nodes, orders, runs
from alchemy.rack.records.boots import TokenHeldError
from alchemy.rack.records.nodes import Match, Node
from alchemy.rack.service import bodies, looking
from alchemy.rack.service.call import address
from alchemy.rack.service.core import Service
from alchemy.rack.service.looking import SMBIOS, Asker
from alchemy.rack.service.refusals import RefusedError

# A node reports every few seconds during a run. After this long without a report it may return with another address,
# because its DHCP lease changed. Before that, a request from another address comes from another machine.
_SILENCE = timedelta(minutes=5)
_ORDER_HINT = "POST /v1/nodes/ID/orders makes a node boot something else"
_ALARM_HINT = "GET /v1/events lists the alarms"

_INIT = "init"

Answer = dict[str, Any] | RefusedError


def report(service: Service, request: Request, body: bytes) -> Response:
    """Answers POST /v1/boots: 201 with a token where a run is expected, else 403 with the reason.

    To the preliminary init the answer is 202.
    """
    fields = bodies.mapping(bodies.parse(body))
    try:
        keys = Keys.parse(fields)
    except ValueError as error:
        raise RefusedError(400, str(error), "dmidecode -t system") from error
    # without a boot id, every report counts as a new boot
    boot_id = bodies.text(fields, "boot_id", 64) or secrets.token_hex(16)
    version, stage = bodies.text(fields, "version", 64), bodies.text(fields, "stage", 32) or "system"
    asker = Asker(keys, bodies.text(fields, "vendor", SMBIOS), bodies.text(fields, "model", SMBIOS))
    service.boots.take(" ".join(next(keys.items())))
    now = service.clock()
    with service.records.begin() as connection:
        arrival = _Arrival(service, connection, asker, boot_id, version, stage, address(request), now)
        answer = arrival.announce() if stage == _INIT else arrival.answer()
    # outside of the transaction, which an exception would roll back
    if isinstance(answer, RefusedError):
        raise answer
    return JSONResponse(answer, 202 if stage == _INIT else 201, headers={"Cache-Control": "no-store"})


@dataclass(frozen=True)
class _Arrival:
    """A machine that has booted, and the transaction that records it."""

    service: Service
    connection: Connection
    asker: Asker
    boot_id: str
    version: str
    stage: str
    address: str
    now: datetime

    def announce(self) -> Answer:
        """Records the stage only. It decides and spends nothing, and leaves tokens alone."""
        match = nodes.match(self.connection, self.asker.keys)
        if match.conflicts:
            return RefusedError(403, self._decide(match).reason, _ALARM_HINT)
        node = match.node or nodes.create(self.connection, self.asker.keys, now=self.now)
        nodes.update(self.connection, node.id, stage=_INIT, stage_message=None, stage_at=self.now)
        events.add(self.connection, node.id, "stage", _INIT, {"address": self.address}, now=self.now)
        return {"node": node.id}

    def answer(self) -> Answer:
        """Records the boot; returns the body of the answer, or the reason why there is no token."""
        match = nodes.match(self.connection, self.asker.keys)
        if match.conflicts:
            return self._conflict(match)
        node = match.node or nodes.create(self.connection, self.asker.keys, now=self.now)
        order = orders.current(self.connection, node.id, now=self.now)
        # an order that was made after the decision takes effect now
        repeated = self._decided_before(node) if order is None else None
        decision = repeated or self._decide(Match(node))
        try:
            token = self._begin(node, decision)
        except TokenHeldError:
            return self._held(node)
        if order is not None:
            orders.spend(self.connection, order, now=self.now)
        nodes.learn(self.connection, node, self.asker.keys, now=self.now)
        self._update(node, decision)
        self._note(node.id, decision, 403 if token is None else 201)
        if token is None:
            return RefusedError(403, f"{decision.profile.name}: {decision.reason}", _ORDER_HINT)
        run = self._open_run(node, is_new=repeated is None)
        burnin = {} if run is None else {"run": run}
        return {"node": node.id, "token": token, "jobs": decision.jobs, "burnin": burnin, "expect_url": ""}

    def _decide(self, match: Match) -> Decision:
        facts = looking.gather(self.service, self.connection, self.asker, match, self.now)
        return decisions.decide(self.service.config, facts, self.now)

    def _decided_before(self, node: Node) -> Decision | None:
        """Returns the decision of the report before, if this one repeats it because its answer was lost.

        Then nothing has happened to the node in between.
        """
        last = next(iter(events.latest(self.connection, node_id=node.id, limit=1)), None)
        if last is None or last.kind != "boot":
            return None
        before = last.data
        if (before.get("boot_id"), before.get("address")) != (self.boot_id, self.address):
            return None
        profile = self.service.config.profiles.get(str(before.get("profile")))
        return None if profile is None else Decision(profile, str(before["reason"]), tuple(before["jobs"]))

    def _begin(self, node: Node, decision: Decision) -> str | None:
        """Records the boot, and returns its token if a run is expected. Raises TokenHeldError."""
        before = boots.latest(self.connection, node.id)
        if before is not None and before.boot_id != self.boot_id and self.now - node.last_seen > _SILENCE:
            boots.end(self.connection, node.id)
        return boots.begin(
            self.connection,
            node.id,
            self.boot_id,
            address=self.address,
            profile=decision.profile.name,
            reason=decision.reason,
            version=self.version or None,
            lifetime=timedelta(seconds=self.service.config.token_seconds) if decision.expected else None,
            now=self.now,
        )

    def _open_run(self, node: Node, *, is_new: bool) -> str | None:
        """Returns the run that this boot resumes, and counts the boot."""
        run = runs.open_of(self.connection, node.id)
        if run is not None and is_new and run.boot_id != self.boot_id:
            runs.resume(self.connection, run.id, now=self.now)
        return None if run is None else run.id

    def _update(self, node: Node, decision: Decision) -> None:
        nodes.update(
            self.connection,
            node.id,
            profile=decision.profile.name,
            reason=decision.reason,
            address=self.address,
            vendor=node.vendor or self.asker.vendor or None,
            model=node.model or self.asker.model or None,
            version=self.version or None,
            stage=self.stage,
            stage_message=None,
            stage_at=self.now,
        )

    def _conflict(self, match: Match) -> RefusedError:
        """Raises the alarm on each node that owns one of the keys."""
        decision = self._decide(match)
        for node_id in dict.fromkeys(conflict.node_id for conflict in match.conflicts):
            said = "; ".join(str(each) for each in match.conflicts if each.node_id == node_id)
            self._alarm(node_id, f"duplicate key, reported from {self.address}: {said[:300]}")
            self._note(node_id, decision, 403)
        return RefusedError(403, decision.reason, _ALARM_HINT)

    def _held(self, node: Node) -> RefusedError:
        said = f"{self.address} reports the keys of node {node.id}, which is running at {node.address}"
        self._alarm(node.id, said)
        self._note(node.id, Decision(self.service.config.profiles[decisions.LOCAL], f"conflict: {said}"), 403)
        return RefusedError(403, f"conflict: {said}", _ALARM_HINT)

    def _alarm(self, node_id: str, message: str) -> None:
        nodes.update(self.connection, node_id, alarm=message, alarm_at=self.now)
        events.add(self.connection, node_id, "alarm", message, now=self.now)

    def _note(self, node_id: str, decision: Decision, status: int) -> None:
        """Records the event, whatever the answer."""
        profile = decision.profile.name
        self.service.metrics.decision(profile)
        data = {
            "profile": profile,
            "reason": decision.reason,
            "jobs": decision.jobs,
            "answer": status,
            "address": self.address,
            "boot_id": self.boot_id,
            "version": self.version,
        }
        events.add(self.connection, node_id, "boot", f"{profile}: {decision.reason}", data, now=self.now)
