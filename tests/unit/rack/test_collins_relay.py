from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

import pytest

from alchemy.rack.collins.client import FORM, JSON, Client, CollinsError
from alchemy.rack.collins.relay import MOST_BYTES, Relay, RelayError
from alchemy.rack.identity import Keys
from alchemy.rack.records.nodes import Node
from tests import collins
from tests.collins_parsers import Hardware
from tests.unit.rack.collins_settings import settings

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
NODE = Node("7", Keys(serial="S1", asset_tag="R1-07"), NOW, NOW)
ASSET = "asset/R1-07"


class Rig:
    """A relay to the stand-in, and the tags whose status may have changed."""

    def __init__(self, folder: Path, server: collins.Collins) -> None:
        self.server = server
        self.changed: list[str] = []
        self.relay = Relay(Client(settings(folder, server.url)), self.changed.append)

    def form(self, method: str, path: str, *fields: tuple[str, str], node: Node = NODE) -> HTTPStatus:
        return self.relay.call(node, method, path, FORM, urlencode(fields).encode())[0]

    def log(self, body: bytes, kind: str = JSON) -> HTTPStatus:
        return self.relay.call(NODE, "PUT", f"{ASSET}/log", kind, body)[0]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with collins.serving(collins.Collins()) as server:
        yield Rig(tmp_path, server)


def test_a_node_creates_its_own_asset(rig: Rig) -> None:
    assert rig.form("PUT", ASSET, ("type", "SERVER_NODE"), ("generate_ipmi", "false")) == 201
    assert rig.server.assets["R1-07"].status == "Incomplete"
    assert rig.changed == ["R1-07"]


def test_a_node_sees_what_its_intake_needs_and_no_password(rig: Rig) -> None:
    attributes = {"IPMI_PASSWORD": "gEn3r4t3d", "INTAKE_RETURN": "New:"}
    rig.server.assets["R1-07"] = collins.Asset("Maintenance", "MAINT_NOOP", attributes=attributes)
    status, document = rig.relay.call(NODE, "GET", ASSET, "", b"")
    assert (status, document) == (
        200,
        {
            "data": {
                "ASSET": {
                    "TAG": "R1-07",
                    "STATUS": "Maintenance",
                    "STATE": {"NAME": "MAINT_NOOP"},
                    "TYPE": "SERVER_NODE",
                },
                "ATTRIBS": {"0": {"BASE_SERIAL": "", "INTAKE_RETURN": "New:"}},
            }
        },
    )


def test_a_node_moves_its_asset_to_maintenance_and_back(rig: Rig) -> None:
    asset = rig.server.assets["R1-07"] = collins.Asset("Allocated", "SPARE")
    assert rig.form("POST", ASSET, ("attribute", "INTAKE_RETURN;Allocated:SPARE")) == 200
    moved = (("status", "Maintenance"), ("state", "MAINT_NOOP"), ("reason", "intake by Alchemy Linux"))
    assert rig.form("POST", f"{ASSET}/status", *moved) == 200
    assert asset.status == "Maintenance"
    back = (("status", "Allocated"), ("state", "SPARE"), ("reason", "intake is done"))
    assert rig.form("POST", f"{ASSET}/status", *back) == 200
    assert rig.form("POST", ASSET, ("attribute", "INTAKE_RETURN;")) == 200
    assert (asset.status, asset.state, asset.attributes) == ("Allocated", "SPARE", {})


def test_a_node_adds_to_the_log(rig: Rig) -> None:
    rig.server.assets["R1-07"] = collins.Asset()
    assert rig.log(b'{"Type": "NOTE", "Message": {"a": ["b"]}}') == 201
    assert rig.server.assets["R1-07"].log == [{"Type": "NOTE", "Message": {"a": ["b"]}}]


STATUS = (("status", "Maintenance"), ("reason", "because"))
# the asset; the call; what is said
REFUSED: Mapping[str, tuple[collins.Asset | None, tuple[str, str, tuple[tuple[str, str], ...]], str]] = {
    "an asset of another tag": (None, ("GET", "asset/R1-08", ()), r"not the asset of this node \(expected R1-07\)"),
    "all assets": (None, ("GET", "assets", ()), r"not passed on to Collins \(expected asset/TAG\)"),
    "a path out of it": (None, ("GET", "asset/R1-07/../R1-08", ()), "not passed on to Collins"),
    "a tag that is a path": (None, ("GET", "asset/..%2f", ()), "not passed on to Collins"),
    "its deletion": (None, ("DELETE", ASSET, ()), "not passed on to Collins"),
    "IPMI settings": (None, ("POST", f"{ASSET}/ipmi", ()), "not passed on to Collins"),
    "a generated password": (None, ("PUT", ASSET, (("type", "SERVER_NODE"),)), "only a server without IPMI settings"),
    "another type": (
        None,
        ("PUT", ASSET, (("type", "CONFIGURATION"), ("generate_ipmi", "false"))),
        "only a server without IPMI settings",
    ),
    "an invalid asset": (None, ("POST", ASSET, (("attribute", "LLDP_PVID;1"),)), "unknown to Collins"),
    "a configuration": (
        collins.Asset(kind="CONFIGURATION"),
        ("POST", ASSET, (("attribute", "LLDP_PVID;1"),)),
        "not a server in Collins",
    ),
    "another machine": (
        collins.Asset(hardware=Hardware(serial="S2")),
        ("POST", ASSET, (("lshw", "a"), ("lldp", "b"), ("CHASSIS_TAG", "c"))),
        "duplicate tag: Collins has serial number S2, this is S1",
    ),
    "other fields": (collins.Asset(), ("POST", ASSET, (("lshw", "a"), ("status", "b"))), "a form of other fields"),
    "a field twice": (collins.Asset(), ("POST", ASSET, (("lshw", "a"), ("lshw", "b"))), "lshw: duplicate field"),
    "no field": (collins.Asset(), ("POST", ASSET, ()), "a form of other fields"),
    "an attribute of the operators": (
        collins.Asset(),
        ("POST", ASSET, (("attribute", "NODECLASS;web"),)),
        "attribute NODECLASS: not passed on",
    ),
    "an attribute of the service": (
        collins.Asset(),
        ("POST", ASSET, (("attribute", "BURNIN_COMPLETE;true"),)),
        "attribute BURNIN_COMPLETE: not passed on",
    ),
    "an attribute of two lines": (collins.Asset(), ("POST", ASSET, (("attribute", "LLDP_PVID;a\nb"),)), "invalid"),
    "a long attribute": (collins.Asset(), ("POST", ASSET, (("attribute", f"LLDP_PVID;{'x' * 1001}"),)), "invalid"),
    "a return to elsewhere": (
        collins.Asset("New"),
        ("POST", ASSET, (("attribute", "INTAKE_RETURN;Provisioned:"),)),
        "not where the asset is",
    ),
    "a return out of Maintenance": (
        collins.Asset("Maintenance", "HW_TESTING"),
        ("POST", ASSET, (("attribute", "INTAKE_RETURN;Maintenance:HW_TESTING"),)),
        "not where the asset is",
    ),
    "Maintenance without a note of where it was": (
        collins.Asset("Allocated"),
        ("POST", f"{ASSET}/status", STATUS),
        "a node moves its asset to Maintenance and back only",
    ),
    "the end of it": (
        collins.Asset("New"),
        ("POST", f"{ASSET}/status", (("status", "Decommissioned"), ("reason", "because"))),
        "to Maintenance and back only",
    ),
    "a state that a person has set since": (
        collins.Asset("Maintenance", "HW_TESTING", attributes={"INTAKE_RETURN": "Allocated:"}),
        ("POST", f"{ASSET}/status", (("status", "Allocated"), ("reason", "because"))),
        "to Maintenance and back only",
    ),
    "a status with another field": (
        collins.Asset("New"),
        ("POST", f"{ASSET}/status", (*STATUS, ("groupId", "1"))),
        "not a status of alchemy-intake",
    ),
    "hardware of a machine that is gone": (
        collins.Asset("Decommissioned"),
        ("POST", ASSET, (("lshw", "a"), ("lldp", "b"), ("CHASSIS_TAG", "c"))),
        "it is Decommissioned in Collins",
    ),
    "what Collins itself refuses": (
        collins.Asset(),
        ("POST", ASSET, (("lshw", "<x/>"), ("lldp", "b"), ("CHASSIS_TAG", "c"))),
        "Collins refuses: 500 Internal Server Error ",
    ),
}


@pytest.mark.parametrize(("asset", "call", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_all_else_is_refused(
    rig: Rig,
    asset: collins.Asset | None,
    call: tuple[str, str, tuple[tuple[str, str], ...]],
    message: str,
) -> None:
    if asset is not None:
        rig.server.assets["R1-07"] = asset
    with pytest.raises(RelayError, match=message):
        rig.form(call[0], call[1], *call[2])
    assert rig.changed == []
    assert {method for method, _ in rig.server.requests} <= {"GET", "POST"}


LOGS = {
    "no JSON": b"{",
    "NaN": b'{"Type": "NOTE", "Message": NaN}',
    "another field": b'{"Type": "NOTE", "Message": 1, "User": "root"}',
    "another type": b'{"Type": "EMERGENCY", "Message": 1}',
    "a list": b"[]",
    "a type that is a list": b'{"Type": ["NOTE"], "Message": 1}',
    "depth": b'{"Type": "NOTE", "Message": ' + b"[" * 17 + b"]" * 17 + b"}",
    "great depth": b"[" * 60000,
    "size": json.dumps({"Type": "NOTE", "Message": "x" * 65536}).encode(),
}


@pytest.mark.parametrize("body", LOGS.values(), ids=LOGS.keys())
def test_a_log_entry_that_is_none_is_refused(rig: Rig, body: bytes) -> None:
    rig.server.assets["R1-07"] = collins.Asset()
    with pytest.raises(RelayError, match=r"^log: "):
        rig.log(body)
    assert rig.server.assets["R1-07"].log == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [(JSON, b"a=b"), (FORM, b"\xff"), (FORM, b"a"), (FORM, b"a=%ff"), (FORM, b"&".join([b"a=b"] * 33))],
)
def test_a_form_that_is_none_is_refused(rig: Rig, kind: str, body: bytes) -> None:
    rig.server.assets["R1-07"] = collins.Asset()
    with pytest.raises(RelayError, match=r"^body: not a form"):
        rig.relay.call(NODE, "POST", ASSET, kind, body)


def test_a_form_that_is_too_large_is_refused(rig: Rig) -> None:
    with pytest.raises(RelayError, match="too large") as caught:
        rig.relay.call(NODE, "POST", ASSET, FORM, b"a" * (MOST_BYTES + 1))
    assert caught.value.status == 413


def test_a_node_without_a_tag_reaches_nothing(rig: Rig) -> None:
    with pytest.raises(RelayError, match="asset tag: this node has none") as caught:
        rig.form("GET", ASSET, node=Node("7", Keys(serial="S1"), NOW, NOW))
    assert caught.value.hint.startswith("boot it with asset_tag=TAG")


def test_the_tag_in_collins_counts_before_that_of_dmi(rig: Rig) -> None:
    node = Node("7", Keys(serial="S1", asset_tag="R1-08"), NOW, NOW, tag="R1-07")
    rig.server.assets["R1-07"] = collins.Asset()
    assert rig.relay.call(node, "GET", ASSET, "", b"")[0] == 200
    with pytest.raises(RelayError, match="not the asset of this node"):
        rig.relay.call(node, "GET", "asset/R1-08", "", b"")


@pytest.mark.parametrize("status", [401, 403, 302])
def test_collins_own_login_is_not_the_nodes(rig: Rig, status: int) -> None:
    rig.server.assets["R1-07"] = collins.Asset()
    rig.server.faults = [0, status]
    error = CollinsError if status == 302 else RelayError
    with pytest.raises(error) as caught:
        rig.form("POST", ASSET, ("attribute", "LLDP_PVID;1"))
    assert getattr(caught.value, "status", 502) == 502
