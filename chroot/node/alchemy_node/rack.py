"""Reports a machine to the rack service."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from time import sleep
from typing import Any

from alchemy_node import image, manager, private_files, web
from alchemy_node.machine import Machine
from alchemy_node.manager import ManagerError, Server
from alchemy_node.text import printable

# The answer to this boot's POST /v1/boots: it is asked for once a boot, as it spends a one-shot order.
SESSION = Path("/run/alchemy/rack.json")


class NoRunError(ManagerError):
    """The rack service expects no run of this machine now."""


class UnavailableError(ManagerError):
    """The rack service does not answer, or is busy: a later attempt may succeed."""


@dataclass(frozen=True)
class Session:
    """What the rack service said to this boot; the token belongs to it and ends with it."""

    url: str
    node: str
    token: str = field(repr=False)
    jobs: tuple[str, ...] = ()
    burnin: Mapping[str, Any] = field(default_factory=dict)
    expect_url: str = ""


def identity(machine: Machine, asset_tag: str) -> dict[str, Any]:
    """Returns who the machine is: the body of POST /v1/boots."""

    def dmi(name: str) -> str:
        return printable(machine.read(f"/sys/class/dmi/id/{name}", 4096) or "")

    addresses = {(machine.read(f"{path}/address") or "").strip().lower() for path in machine.glob("/sys/class/net/*")}
    return {
        "uuid": dmi("product_uuid").lower(),
        "serial": dmi("product_serial"),
        "asset_tag": asset_tag,
        "vendor": dmi("sys_vendor"),
        "model": dmi("product_name"),
        "macs": sorted(addresses - {"", "00:00:00:00:00:00"}),
        "version": printable(image.version(machine) or ""),
        "boot_id": (machine.read("/proc/sys/kernel/random/boot_id") or "").strip(),
    }


def open_session(url: str, who: Mapping[str, Any], store: Path, pause: Callable[[float], None] = sleep) -> Session:
    """Returns this boot's session; asks the rack service where there is none yet.

    Raises NoRunError, UnavailableError, ManagerError.
    """
    session = _load(store)
    if session is not None and session.url == url:
        return session
    try:
        answer = Server(url, pause=pause).json("POST", "/v1/boots", who)
    except ManagerError as error:
        if isinstance(error.__cause__, web.UrlError):
            raise
        raise UnavailableError(str(error)) from error
    if answer.status in web.TRANSIENT:
        raise UnavailableError(f"{web.shown(url)}: {manager.reason(answer)}")
    if answer.status == HTTPStatus.FORBIDDEN:
        raise NoRunError(f"{web.shown(url)}: no run is expected of this machine: {manager.reason(answer)}")
    if answer.status != HTTPStatus.CREATED:
        raise ManagerError(f"{web.shown(url)}: the boot is refused: {manager.reason(answer)}")
    session = _session(url, manager.document(answer))
    if session is None:
        raise ManagerError(f"{web.shown(url)}: the answer is not from a rack service (expected `node` and `token`)")
    kept = {**vars(session), "jobs": list(session.jobs), "burnin": dict(session.burnin)}
    private_files.write(store, json.dumps(kept))
    return session


def put_inventory(session: Session, document: Mapping[str, Any], pause: Callable[[float], None] = sleep) -> None:
    """Sends the inventory document. Raises ManagerError."""
    _send(session, "PUT", "inventory", document, pause)


def post_event(session: Session, stage: str, message: str, pause: Callable[[float], None] = sleep) -> None:
    """Says where the machine is. Raises ManagerError."""
    _send(session, "POST", "events", {"stage": stage, "message": printable(message)}, pause)


def collins(session: Session, pause: Callable[[float], None] = sleep) -> Server | None:
    """Returns the Collins that the rack service passes calls on to, with its own password; None where it has none.

    Raises ManagerError.
    """
    below = f"/v1/nodes/{session.node}/collins"
    headers = {"Authorization": f"Bearer {session.token}"}
    answer = Server(session.url, headers, pause=pause).get(below)
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if not manager.is_success(answer):
        said = manager.reason(answer).replace(session.token, "(removed)")
        raise ManagerError(f"{web.shown(session.url)}: collins: refused: {said}")
    has_one = manager.document(answer).get("collins") is True
    return Server(session.url.rstrip("/") + below, headers, pause=pause) if has_one else None


def _send(session: Session, method: str, what: str, body: Mapping[str, Any], pause: Callable[[float], None]) -> None:
    server = Server(session.url, {"Authorization": f"Bearer {session.token}"}, pause=pause)
    answer = server.json(method, f"/v1/nodes/{session.node}/{what}", body)
    if not manager.is_success(answer):
        said = manager.reason(answer).replace(session.token, "(removed)")
        raise ManagerError(f"{web.shown(session.url)}: {what}: refused: {said}")


def _session(url: str, found: Mapping[str, Any]) -> Session | None:
    """Returns the session of an answer or a stored one; None for a malformed one."""
    node, token, jobs, burnin, expect = (found.get(key) for key in ("node", "token", "jobs", "burnin", "expect_url"))
    # both become part of a request: its path and its header
    if not _is_word(node) or not _is_word(token):
        return None
    return Session(
        url,
        str(node),
        str(token),
        tuple(job for job in jobs if isinstance(job, str)) if isinstance(jobs, list) else (),
        burnin if isinstance(burnin, dict) else {},
        expect if isinstance(expect, str) else "",
    )


def _is_word(text: object) -> bool:
    """Returns whether it is a number, or a text of 1 to 512 letters, digits, `-`, `_`, `.` and `=`."""
    word = str(text) if isinstance(text, int | str) else ""
    return 0 < len(word) <= 512 and word.isascii() and word.translate(str.maketrans("", "", "-_.=")).isalnum()


def _load(store: Path) -> Session | None:
    try:
        found = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return _session(str(found.get("url", "")), found) if isinstance(found, dict) else None
