"""A stand-in for Collins that refuses what Collins refuses (tumblr/collins at 8647892), and breaks on demand."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests import collins_parsers
from tests.collins_parsers import Hardware, RefusedError, Settings

USER, PASSWORD = "blake", "correct horse"
# of a generated IPMI record: what no log may ever hold
IPMI_PASSWORD = "gEn3r4t3d"

# State -> the status that it belongs to; None: to all (evolutions/9.sql, and one of an operator's own).
STATES = {"NEW": None, "RUNNING": None, "MAINT_NOOP": "Maintenance", "HW_TESTING": "Maintenance", "SPARE": "Allocated"}
# AssetMeta.scala and AssetLifecycle.scala:36-42
RESTRICTED = {"SERVICE_TAG", "RACK_POSITION", "CPU_COUNT", "MAC_ADDRESS", "LLDP_VLAN_ID", "STATUS", "TAG", "IP_ADDRESS"}


@dataclass
class Asset:
    """An asset of Collins."""

    status: str = "Incomplete"
    state: str = ""
    kind: str = "SERVER_NODE"
    attributes: dict[str, str] = field(default_factory=dict)
    hardware: Hardware | None = None
    neighbors: list[dict[str, str]] = field(default_factory=list)
    log: list[Any] = field(default_factory=list)


class Reply(Exception):  # noqa: N818 - an answer, not an error
    """Ends a request with an answer."""

    def __init__(self, status: int, data: object) -> None:
        super().__init__(status)
        self.status = status
        self.data = data


def error(status: int, message: str) -> Reply:
    """An error, nested as ApiResponse.scala nests it."""
    return Reply(status, {"status": "error", "data": {"message": message}})


def authorization(password: str) -> str:
    """The user and a password, as HTTP Basic has them."""
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


@dataclass
class Collins:
    """The state of a Collins. `faults` say how the next answers break: a status, "half", "never"; 0 for not at all."""

    settings: Settings = field(default_factory=Settings)
    assets: dict[str, Asset] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[int | str] = field(default_factory=list)
    url: str = ""
    # the firehose: what was sent of it, and whether this Collins has one
    has_firehose: bool = True
    events: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, name: str, tag: str) -> None:
        """Sends an event of an asset down the firehose (FirehoseProcessor.scala)."""
        event = {"name": name, "tag": tag, "category": "Asset", "data": self._shown(tag, self.assets[tag])}
        with self.changed:
            self.events.append(json.dumps(event))
            self.changed.notify_all()

    def move(self, tag: str, status: str, state: str = "") -> None:
        """Moves an asset to another status, as a person does."""
        self.assets[tag].status, self.assets[tag].state = status, state
        self.tell("asset_update", tag)

    def delete(self, tag: str) -> None:
        """Deletes an asset."""
        self.tell("asset_delete", tag)
        del self.assets[tag]

    def answer(self, method: str, path: str, kind: str, body: bytes, header: str) -> Reply:
        """Answers one request."""
        self.requests.append((method, path))
        if header != f"Basic {authorization(PASSWORD)}":
            return error(401, f"Invalid credentials {header}")
        _, api, collection, tag, *rest = [*urlsplit(path).path.split("/"), "", ""][:6]
        if (method, api, collection) == ("GET", "api", "assets"):
            return self._page(dict(parse_qsl(urlsplit(path).query)))
        if (api, collection) != ("api", "asset"):
            return error(404, "no such page")
        # what is beyond parsers.text.maxLength is cut off
        text = body[: self.settings.max_length].decode(errors="replace")
        fields = [] if kind == "application/json" else parse_qsl(text, keep_blank_values=True)
        try:
            return self._route(method, tag, rest[0], fields, text)
        except Reply as reply:
            return reply
        except RefusedError as refused:
            return error(500, f"Error updating asset: {refused}")

    def _route(self, method: str, tag: str, action: str, fields: list[tuple[str, str]], text: str) -> Reply:
        if (method, action) == ("PUT", ""):
            return self._create(tag, dict(fields))
        if tag not in self.assets:
            return error(404, f"Asset with tag '{tag}' does not exist")
        asset = self.assets[tag]
        match method, action:
            case "GET", "":
                return Reply(200, self._shown(tag, asset))
            case "PUT", "log":
                asset.log.append(json.loads(text))
                return Reply(201, {"SUCCESS": True})
            case "POST", "status":
                reply = self._status(asset, dict(fields))
            case "POST", "":
                reply = self._update(asset, fields)
            case _:
                return error(404, "no such page")
        if reply.status == 200:
            self.tell("asset_update", tag)
        return reply

    def _page(self, query: dict[str, str]) -> Reply:
        """A page of assets (FindAction.scala, Page.scala)."""
        kind, size, page = query.get("type"), int(query.get("size", "10")), int(query.get("page", "0"))
        tags = sorted(tag for tag, asset in self.assets.items() if kind in (None, asset.kind))
        chosen = tags[page * size : (page + 1) * size]
        shown = [self._shown(tag, self.assets[tag]) for tag in chosen]
        if query.get("details", "true") != "true":
            shown = [asset["ASSET"] for asset in shown]
        following = page + 1 if page * size + len(chosen) < len(tags) else page
        numbers = {"PreviousPage": max(0, page - 1), "CurrentPage": page, "NextPage": following}
        return Reply(200, {"Pagination": numbers | {"TotalResults": len(tags)}, "Data": shown})

    def _create(self, tag: str, fields: dict[str, str]) -> Reply:
        if not tag or not tag.replace("-", "").replace("_", "").isalnum() or not tag.isascii():
            return error(500, "Could not create asset: Tag must be non-empty alpha numeric")
        if tag in self.assets:
            return error(409, f"Duplicate asset tag '{tag}'")
        generate = fields.get("generate_ipmi", "true") == "true"
        if generate and not self.settings.has_ipmi_pool:
            return error(500, "Could not create asset: Invalid IPMI pool default specified")
        self.assets[tag] = Asset()
        self.tell("asset_create", tag)
        shown = self._shown(tag, self.assets[tag])
        if generate:
            shown["IPMI"] = {"IPMI_USERNAME": "root", "IPMI_PASSWORD": IPMI_PASSWORD}
        return Reply(201, shown)

    def _shown(self, tag: str, asset: Asset) -> dict[str, Any]:
        state = {"NAME": asset.state} if asset.state else None
        about = {"TAG": tag, "STATUS": asset.status, "STATE": state, "TYPE": asset.kind}
        found = asset.hardware or Hardware()
        # LshwRepresentation.scala
        nics = [{"SPEED": speed, "MAC_ADDRESS": mac} for speed, mac in found.nics]
        return {
            "ASSET": about,
            "HARDWARE": {"NIC": nics, "BASE": {"SERIAL": found.serial}},
            "ATTRIBS": {"0": asset.attributes} if asset.attributes else {},
        }

    def _status(self, asset: Asset, fields: dict[str, str]) -> Reply:
        if len(fields.get("reason", "")) < 2:
            return error(400, "invalid reason")
        status, state = fields.get("status", asset.status), fields.get("state", asset.state)
        if state and STATES[state] not in (None, status):
            return error(409, f"State {state} conflicts with status {status}")
        asset.status, asset.state = status, state
        return Reply(200, {"SUCCESS": True})

    def _update(self, asset: Asset, fields: list[tuple[str, str]]) -> Reply:
        given = dict(fields)
        for name in ("lshw", "lldp", "CHASSIS_TAG", "RACK_POSITION"):
            if name in given and not given[name].strip():
                return error(400, f"{name} is invalid")
        attributes = {}
        for name, value in fields:
            if name == "attribute":
                if ";" not in value:
                    return error(500, "attribute.invalid")
                key, _, rest = value.partition(";")
                attributes[key] = rest
        for key in attributes:
            if key.upper() in RESTRICTED:
                return error(500, f"Error updating asset: Attribute {key} is restricted")
            if not key.replace("-", "").replace("_", "").isalnum() or not key.isupper():
                return error(500, f"Error updating asset: Name must be all upper case, alpha numeric: {key}")
        if set(given) == {"attribute"}:
            self._set(asset, attributes)
        elif asset.status == "Incomplete":
            for name in ("lshw", "lldp", "CHASSIS_TAG"):
                if name not in given:
                    return error(500, f"Error updating asset: {name} parameter not specified")
            self._parse(asset, given)
            self._set(asset, attributes)
            asset.status, asset.state = "New", "NEW"
        elif asset.status == "New":
            return error(500, "Error updating asset: RACK_POSITION parameter not specified")
        elif asset.status in self.settings.allowed_statuses:
            self._parse(asset, given)
        else:
            allowed = ", ".join(self.settings.allowed_statuses)
            return error(500, f"Only updates for servers in statuses {allowed} are currently supported")
        return Reply(200, {"SUCCESS": True})

    def _set(self, asset: Asset, attributes: dict[str, str]) -> None:
        # MetaWrapper.scala: an attribute without a value is deleted
        asset.attributes = {key: value for key, value in {**asset.attributes, **attributes}.items() if value}

    def _parse(self, asset: Asset, given: dict[str, str]) -> None:
        hardware = collins_parsers.lshw(given["lshw"], self.settings)
        asset.neighbors = collins_parsers.lldp(given["lldp"], self.settings)
        asset.hardware = hardware
        asset.attributes["CHASSIS_TAG"] = given["CHASSIS_TAG"]
        if hardware.serial:
            asset.attributes["BASE_SERIAL"] = hardware.serial


class _Handler(BaseHTTPRequestHandler):
    collins: Collins
    over: threading.Event

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path == "/api/firehose" and self.collins.has_firehose:
            self._stream()
            return
        fault = self.collins.faults.pop(0) if self.collins.faults else None
        if fault == "never":
            self.over.wait(30)
            return
        kind = self.headers.get("Content-Type", "")
        authorization = self.headers.get("Authorization", "")
        if fault and isinstance(fault, int):
            reply = error(fault, "on demand")
        else:
            reply = self.collins.answer(self.command, self.path, kind, body, authorization)
        data = json.dumps({"status": "success:ok", "data": reply.data}).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if fault == "half" else data)

    def _stream(self) -> None:
        """Sends events as they come, until the server ends or the client leaves."""
        if self.headers.get("Authorization") != f"Basic {authorization(PASSWORD)}":
            self.send_error(401)
            return
        sent = len(self.collins.events)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while not self.over.is_set():
            with self.collins.changed:
                if len(self.collins.events) == sent:
                    self.collins.changed.wait(0.2)
                fresh = self.collins.events[sent:]
            try:
                for event in fresh:
                    self.wfile.write(f"data: {event}\n\n".encode())
            except OSError:
                return
            sent += len(fresh)

    do_GET = do_PUT = do_POST = _serve  # noqa: N815 - names of http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
        pass


@contextmanager
def serving(collins: Collins) -> Iterator[Collins]:
    """Serves it on the loopback interface."""
    over = threading.Event()
    handler = type("Handler", (_Handler,), {"collins": collins, "over": over})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    collins.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collins
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
