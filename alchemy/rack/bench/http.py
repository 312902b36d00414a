"""A small HTTP client that behaves as a node does: a connection a request, from an address of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_NONE: Mapping[str, str] = MappingProxyType({})
_PATIENCE = 60.0  # seconds
_MOST_BYTES = 64 << 20


class AnswerError(Exception):
    """There was no complete answer."""


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Returns the document of the body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Makes requests to a server of the loopback interface; `address` is the client's, one of 127.0.0.0/8."""

    port: int
    address: str = "127.0.0.1"

    async def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = _NONE) -> Answer:
        """Makes one request. Raises AnswerError."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._request(method, path, body, headers)
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise AnswerError(f"{method} {path}: {type(error).__name__}") from error

    async def post(self, path: str, document: object, headers: Mapping[str, str] = _NONE) -> Answer:
        """Posts a document as JSON. Raises AnswerError."""
        return await self.request("POST", path, json.dumps(document).encode(), headers)

    async def listen(self, path: str, headers: Mapping[str, str] = _NONE) -> None:
        """Reads an answer without an end, such as server-sent events, until it is cancelled."""
        reader, writer = await self._connect()
        try:
            writer.write(self._head("GET", path, b"", headers))
            while await reader.read(1 << 16):
                pass
        finally:
            writer.close()

    async def _request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        reader, writer = await self._connect()
        try:
            writer.write(self._head(method, path, body, headers))
            writer.write(body)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, length = int(head.split(" ", 2)[1]), -1
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            # without a length, the end of the connection is the end of the body
            found = await (reader.readexactly(length) if 0 <= length <= _MOST_BYTES else reader.read(_MOST_BYTES))
            return Answer(status, found)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.address, 0), limit=1 << 20)

    def _head(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        fields = {"Host": f"127.0.0.1:{self.port}", "Connection": "close", **headers}
        if body:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
