"""Passes on to Collins what a node may ask of it, and nothing else: nodes hold no password.

A node reaches the asset of its own tag only, and only while the serial number in Collins is its own or none. It may
create that asset, send what intake sends, set a few attributes, add to the log, and move the asset to Maintenance and
back to where it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from alchemy.rack.collins import assets
from alchemy.rack.collins.assets import Asset
from alchemy.rack.collins.client import FORM, JSON, Answer, Client
from alchemy.rack.records.nodes import Node

# Collins takes a form of 1 MiB (parsers.text.maxLength)
MOST_BYTES = 1 << 20

_MOST_LOG = 64 << 10
_DEEPEST = 16
_LONGEST = 1000  # characters of an attribute or a reason
_KINDS = frozenset({"NOTE", "INFORMATIONAL", "NOTICE", "WARNING", "CRITICAL"})
_INTAKE = frozenset({"lshw", "lldp", "CHASSIS_TAG"})
# where an asset has to return to after its intake, as alchemy-intake notes it: STATUS:STATE
_RETURN = "INTAKE_RETURN"
_ATTRIBUTES = frozenset({"LLDP_PVID", _RETURN})
_MAINTENANCE = "Maintenance"
# the state of Maintenance that asks nobody for anything (evolutions/9.sql)
_IDLE = "MAINT_NOOP"
_ENDED = frozenset({"Cancelled", "Decommissioned"})


class RelayError(Exception):
    """A call that is not passed on: the status of the answer, the reason, and a hint."""

    def __init__(self, status: HTTPStatus, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.status = status
        self.hint = hint


class Relay:
    """Passes on the calls of nodes. `changed` gets the tag of an asset whose status may be another one now."""

    def __init__(self, client: Client, changed: Callable[[str], None]) -> None:
        self._client = client
        self._changed = changed

    def call(self, node: Node, method: str, path: str, kind: str, body: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        """Makes a call for a node, `path` being one of Collins' own below /api/, and returns status and document.

        Raises RelayError for a call that is not passed on or that Collins refuses, CollinsError where it is down.
        """
        tag, action = _split(path)
        _check_tag(node, tag)
        if len(body) > MOST_BYTES:
            raise RelayError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: too large (expected at most {MOST_BYTES} bytes)"
            )
        match method, action:
            case "GET", "":
                return self._show(tag)
            case "PUT", "":
                return self._create(tag, _form(kind, body))
            case "POST", "":
                return self._update(node, tag, _form(kind, body), body)
            case "POST", "status":
                return self._move(node, tag, _form(kind, body), body)
            case "PUT", "log":
                return self._log(node, tag, kind, body)
        raise RelayError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "not passed on to Collins (expected GET, PUT, POST asset/TAG, POST asset/TAG/status, PUT asset/TAG/log)",
        )

    def _show(self, tag: str) -> tuple[HTTPStatus, dict[str, Any]]:
        """Shows what alchemy-intake looks at: an asset may have IPMI passwords and secrets among its attributes."""
        asset = self._client.asset(tag)
        if asset is None:
            raise RelayError(HTTPStatus.NOT_FOUND, f"asset {tag}: unknown to Collins")
        shown = {"BASE_SERIAL": asset.serial, _RETURN: asset.attributes.get(_RETURN, "")}
        about = {"TAG": tag, "STATUS": asset.status, "TYPE": asset.kind}
        state = {"STATE": {"NAME": asset.state} if asset.state else None}
        return HTTPStatus.OK, {"data": {"ASSET": about | state, "ATTRIBS": {"0": shown}}}

    def _create(self, tag: str, fields: Mapping[str, str]) -> tuple[HTTPStatus, dict[str, Any]]:
        if fields != {"type": assets.SERVER, "generate_ipmi": "false"}:
            raise _refused(f"asset {tag}: only a server without IPMI settings is created for a node")
        answer = self._client.form("PUT", f"/api/asset/{tag}", list(fields.items()))
        # the body of a 201 may hold a password of IPMI
        return self._done(answer, tag, HTTPStatus.CREATED)

    def _update(
        self, node: Node, tag: str, fields: Mapping[str, str], body: bytes
    ) -> tuple[HTTPStatus, dict[str, Any]]:
        asset = self._own(node, tag)
        if set(fields) == _INTAKE:
            if asset.status in _ENDED:
                raise _refused(f"asset {tag}: it is {asset.status} in Collins")
        elif fields and all(name.startswith("attribute ") for name in fields):
            for name, value in fields.items():
                _check_attribute(asset, name.removeprefix("attribute "), value)
        else:
            raise _refused(f"asset {tag}: a form of other fields (expected lshw, lldp, CHASSIS_TAG, or attributes)")
        return self._done(self._client.call("POST", f"/api/asset/{tag}", body, FORM), tag, HTTPStatus.OK)

    def _move(self, node: Node, tag: str, fields: Mapping[str, str], body: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        """Moves an asset to Maintenance or back, as its attribute INTAKE_RETURN says."""
        asset = self._own(node, tag)
        if not set(fields) <= {"status", "state", "reason"} or len(fields.get("reason", "")) > _LONGEST:
            raise _refused(f"asset {tag}: not a status of alchemy-intake (expected status, state, reason)")
        wanted = fields.get("status", ""), fields.get("state", "")
        noted = asset.attributes.get(_RETURN, "")
        to_maintenance = wanted[0] == _MAINTENANCE and wanted[1] in ("", _IDLE) and noted == _place(asset)
        # a person who has given the asset another state since wants it there
        untouched = asset.status == _MAINTENANCE and asset.state in (noted.partition(":")[2], _IDLE)
        back = bool(noted) and untouched and ":".join(wanted) == noted
        if not (to_maintenance or back):
            raise _refused(f"asset {tag}: a node moves its asset to Maintenance and back only, during its intake")
        return self._done(self._client.call("POST", f"/api/asset/{tag}/status", body, FORM), tag, HTTPStatus.OK)

    def _log(self, node: Node, tag: str, kind: str, body: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        self._own(node, tag)
        if kind != JSON or len(body) > _MOST_LOG:
            raise _refused(f"log: not JSON of at most {_MOST_LOG} bytes")
        try:
            entry = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise _refused("log: not JSON") from None
        if not isinstance(entry, dict) or set(entry) != {"Type", "Message"} or str(entry["Type"]) not in _KINDS:
            raise _refused(f"log: not an entry (expected Message, and Type of {', '.join(sorted(_KINDS))})")
        if _depth(entry) > _DEEPEST:
            raise _refused(f"log: nested too deeply (expected at most {_DEEPEST} levels)")
        answer = self._client.call("PUT", f"/api/asset/{tag}/log", json.dumps(entry).encode("ascii"), JSON)
        return self._done(answer, tag, HTTPStatus.CREATED)

    def _own(self, node: Node, tag: str) -> Asset:
        """Returns the asset of a node. Raises RelayError where it is another machine's, or no server."""
        asset = self._client.asset(tag)
        if asset is None:
            raise RelayError(HTTPStatus.NOT_FOUND, f"asset {tag}: unknown to Collins")
        if asset.kind != assets.SERVER:
            raise _refused(f"asset {tag}: not a server in Collins (expected {assets.SERVER}, got {asset.kind})")
        if asset.serial and asset.serial != (node.keys.serial or asset.serial):
            raise _refused(
                f"asset {tag}: duplicate tag: Collins has serial number {asset.serial}, this is {node.keys.serial}",
                "correct the tag; or, where the board was replaced: alchemy-intake --collins URL --user U --replace",
            )
        return asset

    def _done(self, answer: Answer, tag: str, status: HTTPStatus) -> tuple[HTTPStatus, dict[str, Any]]:
        if not answer.succeeded:
            # with a status that is not an error, it would not be a refusal
            refused = answer.status if 400 <= answer.status < 600 else HTTPStatus.BAD_GATEWAY
            # 401 and 403 are the service's own login; a node has a token, which is good
            if refused in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                refused = HTTPStatus.BAD_GATEWAY
            raise RelayError(HTTPStatus(refused), f"Collins refuses: {answer.reason()}")
        self._changed(tag)
        return status, {"data": {"SUCCESS": True}}


def _split(path: str) -> tuple[str, str]:
    """Returns the tag and the action of a path below /api/."""
    kind, _, rest = path.partition("/")
    tag, _, action = rest.partition("/")
    if kind != "asset" or not assets.is_tag(tag):
        raise RelayError(HTTPStatus.NOT_FOUND, "not passed on to Collins (expected asset/TAG)")
    return tag, action


def _check_tag(node: Node, tag: str) -> None:
    own = node.tag or node.keys.asset_tag
    if own is None:
        raise _refused("asset tag: this node has none", "boot it with asset_tag=TAG, or set DMI's asset tag")
    if tag != own:
        raise _refused(f"asset {tag}: not the asset of this node (expected {own})")


def _form(kind: str, body: bytes) -> dict[str, str]:
    """Returns the fields of a form; that of an attribute NAME as `attribute NAME`. Raises RelayError."""
    if kind != FORM:
        raise _refused(f"body: not a form (expected {FORM})")
    try:
        pairs = parse_qsl(body.decode("ascii"), True, True, encoding="utf-8", errors="strict", max_num_fields=32)
    except ValueError:
        raise _refused("body: not a form of at most 32 fields in UTF-8") from None
    fields: list[tuple[str, str]] = []
    for name, value in pairs:
        key, _, rest = value.partition(";")
        fields.append((f"attribute {key}", rest) if name == "attribute" else (name, value))
    if double := next((name for name, count in Counter(name for name, _ in fields).items() if count > 1), None):
        raise _refused(f"{double[:100]}: duplicate field")
    return dict(fields)


def _check_attribute(asset: Asset, name: str, value: str) -> None:
    if name not in _ATTRIBUTES:
        raise _refused(f"attribute {name[:100]}: not passed on (expected {', '.join(sorted(_ATTRIBUTES))})")
    if len(value) > _LONGEST or not value.isprintable():
        raise _refused(f"attribute {name}: invalid (expected at most {_LONGEST} printable characters)")
    leaves = asset.status not in (_MAINTENANCE, "Incomplete", *_ENDED) and value == _place(asset)
    if name == _RETURN and value and not leaves:
        raise _refused(f"attribute {name}: not where the asset is (expected {_place(asset)})")


def _place(asset: Asset) -> str:
    return f"{asset.status}:{asset.state}"


def _refused(problem: str, hint: str = "") -> RelayError:
    return RelayError(HTTPStatus.UNPROCESSABLE_ENTITY, problem, hint)


def _no_constant(text: str) -> object:
    raise ValueError(f"{text}: not a number of JSON")


def _depth(value: object) -> int:
    """Returns how deeply lists and objects are nested."""
    deepest, pending = 0, [(value, 1)]
    while pending:
        item, level = pending.pop()
        deepest = max(deepest, level)
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        pending += [(each, level + 1) for each in inner]
    return deepest
