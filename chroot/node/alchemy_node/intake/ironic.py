"""Reports a machine to OpenStack Ironic, which takes the inventory document as it is.

POST /v1/continue_inspection needs no login (ironic/api/config.py). Ironic finds the node by its MACs or the address of
its BMC; each key but `inventory` and a few of its own is kept as the node's plugin data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import sleep
from typing import Any

from alchemy_node import manager, web
from alchemy_node.manager import ManagerError, Server

# From this version on the interface is Ironic's own; before it was that of ironic-inspector.
_VERSION = {"X-OpenStack-Ironic-API-Version": "1.84"}
# 409: another request holds the node
_AGAIN = web.TRANSIENT | {HTTPStatus.CONFLICT}


def report(url: str, document: Mapping[str, Any], pause: Callable[[float], None] = sleep) -> str:
    """Posts the document, and returns the node's UUID; empty where Ironic names none. Raises ManagerError."""
    server = Server(url, again=_AGAIN, pause=pause)
    answer = server.json("POST", "/v1/continue_inspection", {**document, "error": None}, _VERSION)
    if manager.is_success(answer):
        return str(manager.document(answer).get("uuid", ""))
    message = f"{web.shown(url)}: the inventory is refused: {manager.reason(answer)}"
    if answer.status == HTTPStatus.NOT_FOUND:
        hint = "openstack baremetal port create --node NODE MAC; or enable auto_discovery in ironic.conf"
        raise ManagerError(message, hint)
    raise ManagerError(message)
