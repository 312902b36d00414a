"""A simulated node: it boots, posts its inventory, and runs a burn-in."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from alchemy.rack.bench.figures import Times
from alchemy.rack.bench.http import Answer, AnswerError, Client

DECISION = "GET /v1/boot"
INVENTORY_BYTES = 200_000

_BATCHES, _BATCH = 10, 20  # posts of a burn-in, and lines in each
_PAUSE = 2.0  # seconds between two calls of a node, on average
_SERIAL = "BENCH-SERIAL"
# of 127.0.0.0/8, of which 127.0.0.x is the server and the operator
_SUBNET = 1 << 16


def inventory(size: int = INVENTORY_BYTES) -> str:
    """Returns an inventory document of about `size` bytes, for a machine with the serial number BENCH-SERIAL."""
    dimms = [
        {"locator": f"A{at}", "size": 34359738368, "serial": f"{_SERIAL}-{at}", "part": "EX-32G", "speed": 3200}
        for at in range(32)
    ]
    disks = [
        {"name": f"nvme{at}n1", "model": "EX-NVME", "serial": f"{_SERIAL}-D{at}", "size": 3840755982336}
        for at in range(24)
    ]
    document: dict[str, Any] = {
        "inventory": {"hostname": "node", "system_vendor": {"product_name": "EX-1", "serial_number": _SERIAL}},
        "alchemy": {"schema": 1, "system": {"serial": _SERIAL}, "dimms": dimms, "disks": disks, "pci": []},
    }
    left = size - len(json.dumps(document))
    function = {"vendor": "8086", "device": "1521", "driver": "igb", "name": "Ethernet controller of an example"}
    each = len(json.dumps({"address": "0000:00:00.0", **function})) + 2
    document["alchemy"]["pci"] = [
        {"address": f"0000:{at >> 8:02x}:{at & 255:02x}.0", **function} for at in range(left // each)
    ]
    return json.dumps(document)


@dataclass(frozen=True)
class Node:
    """The machine with a number. `document` is the inventory of all of them; `gate` bounds what runs at once."""

    number: int
    port: int
    document: str
    times: Times
    gate: asyncio.Semaphore

    @property
    def serial(self) -> str:
        """Its serial number."""
        return f"B{self.number:011d}"

    @property
    def mac(self) -> str:
        """The MAC of its only port."""
        return "52:54:" + ":".join(f"{self.number >> shift & 255:02x}" for shift in (24, 16, 8, 0))

    async def live(self, wait: float) -> None:
        """Boots after `wait` seconds, and does all that a node does in an intake and a burn-in."""
        await asyncio.sleep(wait)
        try:
            await self._boot()
        except (AnswerError, LookupError, ValueError) as error:
            self.times.failed(f"node {self.number}: {type(error).__name__}: {error}")

    async def _boot(self) -> None:
        query = urlencode({"serial": self.serial, "mac": self.mac, "arch": "x86_64", "platform": "pcbios"})
        script = await self._call(DECISION, "GET", f"/v1/boot?{query}")
        if b"kernel" not in script.body:
            raise ValueError(f"no kernel in the script: {script.body[:200]!r}")
        who = {"serial": self.serial, "macs": [self.mac], "asset_tag": "", "version": "bench", "boot_id": self.serial}
        session = (await self._call("POST /v1/boots", "POST", "/v1/boots", json.dumps(who))).json()
        node, token = session["node"], session["token"]
        await self._event(node, token, "inventory", "started")
        document = self.document.replace(_SERIAL, self.serial)
        await self._call("PUT inventory", "PUT", f"/v1/nodes/{node}/inventory", document, token)
        await self._event(node, token, "burnin", "started")
        run = (await self._call("POST /v1/runs", "POST", "/v1/runs", json.dumps({"node": node}), token)).json()["run"]
        for batch in range(_BATCHES):
            lines = [_line(batch * _BATCH + at) for at in range(_BATCH)]
            if batch == _BATCHES - 1:
                lines.append(_end(_BATCHES * _BATCH))
            await self._call("POST lines", "POST", f"/v1/runs/{run}/lines", json.dumps(lines), token)
        await self._event(node, token, "burnin", "PASS")

    async def _event(self, node: str, token: str, stage: str, message: str) -> None:
        body = json.dumps({"stage": stage, "message": message})
        await self._call("POST event", "POST", f"/v1/nodes/{node}/events", body, token)

    async def _call(self, name: str, method: str, path: str, body: str = "", token: str = "") -> Answer:
        """Makes a call, and measures it without the wait for its turn; then pauses. Raises AnswerError."""
        client = Client(self.port, f"127.{1 + self.number // _SUBNET}.{self.number >> 8 & 255}.{self.number & 255}")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.gate:
            with self.times.of(name):
                answer = await client.request(method, path, body.encode(), headers)
        if answer.status not in (200, 201):
            raise AnswerError(f"{name}: {answer.status}: {answer.body[:200].decode(errors='replace')}")
        await asyncio.sleep(random.uniform(0, 2 * _PAUSE))  # noqa: S311 - not a secret
        return answer


def _line(sequence: int) -> dict[str, Any]:
    """Returns a line of OCP's test output 2.0: a start first, then measurements."""
    if sequence == 0:
        inner: dict[str, Any] = {
            "testRunArtifact": {
                "testRunStart": {
                    "name": "alchemy-burnin",
                    "version": "bench",
                    "commandLine": "alchemy-burnin",
                    "parameters": {"profile": "short"},
                    "dutInfo": {"dutInfoId": "0"},
                }
            }
        }
    else:
        measurement = {"name": "temperature", "value": 40 + sequence % 30, "unit": "C", "hardwareInfoId": "cpu-0"}
        inner = {"testStepArtifact": {"testStepId": "cpu", "measurement": measurement}}
    return {**inner, "sequenceNumber": sequence, "timestamp": "2026-11-28T03:30:00Z"}


def _end(sequence: int) -> dict[str, Any]:
    end = {"testRunArtifact": {"testRunEnd": {"status": "COMPLETE", "result": "PASS"}}}
    return {**end, "sequenceNumber": sequence, "timestamp": "2026-11-28T03:40:00Z"}
