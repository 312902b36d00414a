"""What goes wrong between a node and an infrastructure manager."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from time import sleep
from typing import Any
from urllib.parse import urlencode

from alchemy_node import web
from alchemy_node.status import Status
from alchemy_node.text import printable


class ManagerError(Exception):
    """A call that failed. `hint` is a command or a setting, `status` the program's exit status."""

    def __init__(self, message: str, hint: str = "", status: Status = Status.ERROR) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status


@dataclass(frozen=True)
class Login:
    """A user of a manager. The password is in no repr, and `redact` takes it out of what a server says."""

    user: str
    password: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """Returns the header of HTTP Basic (RFC 7617)."""
        return {"Authorization": "Basic " + self._encoded()}

    def redact(self, text: str) -> str:
        """Returns the text without the password, in each form in which a server could echo it."""
        for secret in (self.password, self._encoded()):
            text = text.replace(secret, "(removed)") if secret else text
        return text

    def _encoded(self) -> str:
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True)
class Server:
    """A manager's HTTP interface, of which each call is repeated with back-off while the server is down or busy."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    again: frozenset[int] = web.TRANSIENT
    pause: Callable[[float], None] = sleep

    def form(self, method: str, path: str, fields: list[tuple[str, str]]) -> web.Answer:
        """Sends fields as a form. Raises ManagerError without a complete answer."""
        return self._send(method, path, urlencode(fields).encode("ascii"), "application/x-www-form-urlencoded")

    def json(self, method: str, path: str, document: object, headers: Mapping[str, str] | None = None) -> web.Answer:
        """Sends a JSON document. Raises ManagerError without a complete answer."""
        return self._send(method, path, json.dumps(document).encode("ascii"), "application/json", headers)

    def get(self, path: str) -> web.Answer:
        """Asks. Raises ManagerError without a complete answer."""
        return self._send("GET", path, None, "")

    def _send(
        self, method: str, path: str, body: bytes | None, kind: str, headers: Mapping[str, str] | None = None
    ) -> web.Answer:
        sent = {"Accept": "application/json", **self.headers, **(headers or {})}
        if kind:
            sent["Content-Type"] = kind
        try:
            return web.request(
                method,
                self.url.rstrip("/") + path,
                body=body,
                headers=sent,
                attempts=web.ATTEMPTS,
                again=self.again,
                pause=self.pause,
            )
        except web.WebError as error:
            raise ManagerError(str(error)) from error


def is_success(answer: web.Answer) -> bool:
    """Returns whether the status is one of 2xx."""
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def document(answer: web.Answer) -> dict[str, Any]:
    """Returns the JSON object of an answer; empty for anything else."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def reason(answer: web.Answer) -> str:
    """Returns the status, and in brackets what the server says of it, bounded and fit for a console."""
    found: Any = document(answer)
    # Collins nests it: {"data": {"data": {"message": ...}}}, and Ironic: {"error_message": {"faultstring": ...}}
    for _ in range(4):
        if not isinstance(found, dict):
            break
        names = ("message", "faultstring", "error", "data", "error_message")
        found = next((found[name] for name in names if name in found), None)
    said = printable(found, 300) if isinstance(found, str) else ""
    return f"{answer.phrase} ({said})" if said else answer.phrase
