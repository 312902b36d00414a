"""The preflight and Collins agree on documents that nobody has thought of, and repairs make none worse."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from alchemy_node.intake import bounded_xml, lldp_repairs, lshw_repairs, preflight
from alchemy_node.intake.facts import Facts
from tests import collins_parsers
from tests.collins_parsers import RefusedError, Settings

EXAMPLES = int(os.environ.get("ALCHEMY_TEST_EXAMPLES", "60"))
FACTS = Facts({"02:00:00:00:00:01": 10**9}, {"02:00:00:00:00:02": 10**8}, {"nvme0n1": 4096, "sda": 512}, 4, 8)

_NUMBERS = st.sampled_from(["", "0", "1000", "+5", "-1", "9223372036854775808", "1e3", " 1", "x"])
_TEXTS = {
    "size": _NUMBERS,
    "capacity": _NUMBERS,
    "serial": st.sampled_from(["", "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"]),
    "product": st.sampled_from(["", "82599 10-Gig", "NIC"]),
    "logicalname": st.sampled_from(["eth0", "/dev/sda", "/dev/nvme0c0n1", "/dev/ng0n1", "hwmon1", "/dev/nvme0n1"]),
}
_SETTINGS = st.lists(
    st.tuples(st.sampled_from(["cores", "threads", "driver"]), st.sampled_from(["", "2", "cdc_ether"])), max_size=3
)


@st.composite
def _nodes(draw: st.DrawFn, depth: int = 0) -> ET.Element:
    attributes = {
        "id": draw(st.sampled_from(["core", "bank", "bank:0", "network", "disk", "cpu"])),
        "class": draw(st.sampled_from(["system", "processor", "memory", "disk", "volume", "network", "bus"])),
        "handle": draw(st.sampled_from(["", "DMI:1"])),
        "disabled": draw(st.sampled_from(["", "true"])),
    }
    node = ET.Element("node", attributes)
    for tag in draw(st.lists(st.sampled_from(sorted(_TEXTS)), max_size=4)):
        ET.SubElement(node, tag).text = draw(_TEXTS[tag])
    if found := draw(_SETTINGS):
        configuration = ET.SubElement(node, "configuration")
        for name, value in found:
            ET.SubElement(configuration, "setting", {"id": name, "value": value})
    if depth < 3:
        node.extend(draw(st.lists(_nodes(depth + 1), max_size=2)))
    return node


@st.composite
def _lshw(draw: st.DrawFn) -> str:
    node = draw(_nodes())
    if draw(st.booleans()):
        node.set("class", "system")
    if not draw(st.booleans()):
        return bounded_xml.write(node)
    root = ET.Element("list")
    root.extend([node] * draw(st.sampled_from([1, 1, 1, 2])))
    return bounded_xml.write(root)


_NAMES = st.sampled_from(["interface", "chassis", "port", "id", "name", "descr", "vlan", "policy"])


@st.composite
def _tlvs(draw: st.DrawFn, depth: int = 0) -> ET.Element:
    element = ET.Element(draw(_NAMES) if depth else "lldp")
    for name, values in {
        "label": ["", "Interface"],
        "type": ["", "mac"],
        "vlan-id": ["", "7", "x"],
        "pvid": ["yes"],
        "name": ["eth0", "eth1"],
    }.items():
        if draw(st.booleans()):
            element.set(name, draw(st.sampled_from(values)))
    element.text = draw(st.sampled_from(["", "", "text", " "]))
    if depth < 4:
        element.extend(draw(st.lists(_tlvs(depth + 1), max_size=3)))
    return element


# the parts of a neighbour that Collins takes, of which each can lack
@st.composite
def _neighbors(draw: st.DrawFn) -> str:
    root = ET.Element("lldp")
    for name in draw(st.lists(st.sampled_from(["eth0", "eth1"]), max_size=3)):
        neighbor = ET.SubElement(root, "interface", {"label": "Interface", "name": name})
        for parent, tags in {"chassis": ("id", "name", "descr"), "port": ("id", "descr")}.items():
            above = ET.SubElement(neighbor, parent)
            for tag in tags:
                for _ in range(draw(st.sampled_from([1, 1, 1, 1, 1, 0, 2]))):
                    ET.SubElement(above, tag, {"type": "mac"} if tag == "id" else {}).text = "x"
        for number, text in draw(
            st.lists(st.tuples(st.sampled_from(["", "7", "x"]), st.sampled_from(["", "v"])), max_size=2)
        ):
            ET.SubElement(neighbor, "vlan", {"vlan-id": number}).text = text
    return bounded_xml.write(root)


def _takes(check: object, text: str) -> bool:
    try:
        check(text, Settings())  # type: ignore[operator]
    except RefusedError:
        return False
    return True


@settings(max_examples=EXAMPLES, deadline=None)
@given(_lshw())
def test_lshw(text: str) -> None:
    taken = _takes(collins_parsers.lshw, text)
    root = bounded_xml.parse(text)
    assert (preflight.lshw(root) == []) == taken
    root, _ = lshw_repairs.repair(root, FACTS)
    repaired = bounded_xml.write(root)
    assert lshw_repairs.repair(root, FACTS) == (root, [])
    assert (preflight.lshw(root) == []) == _takes(collins_parsers.lshw, repaired)
    assert not taken or preflight.lshw(root) == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(_neighbors(), _tlvs().map(bounded_xml.write)))
def test_lldp(text: str) -> None:
    taken = _takes(collins_parsers.lldp, text)
    root = bounded_xml.parse(text)
    assert (preflight.lldp(root) == []) == taken
    lldp_repairs.repair(root)
    assert lldp_repairs.repair(root) == []
    assert (preflight.lldp(root) == []) == _takes(collins_parsers.lldp, bounded_xml.write(root))
    assert not taken or preflight.lldp(root) == []
