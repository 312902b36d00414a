"""The preflight names what Collins refuses, and nothing else: each case is put to both."""

from __future__ import annotations

import pytest

from alchemy_node.intake import bounded_xml, preflight
from tests import collins_parsers
from tests.collins_parsers import RefusedError, Settings
from tests.unit.node import intake_xml as xml

LSHW = {
    "LshwParser.scala:188 no node id=core": (
        xml.lshw(xml.CPU, core="motherboard"),
        "there is no node with id=core",
        "Expected id=core node attribute",
    ),
    "LshwParser.scala:198 two roots": (
        "<list>" + 2 * '<node id="a" class="system"><node id="core" class="bus"/></node>' + "</list>",
        "expected one root node of class=system, got 2",
        "Expected root class=system node attribute",
    ),
    "LshwParser.scala:198 no root": (
        '<list><node id="core" class="bus"/></list>',
        "expected one root node of class=system, got 1",
        "Expected root class=system node attribute",
    ),
    "LshwParser.scala:68 size of a CPU": (
        xml.lshw(xml.CPU.replace("2000000000", "2GHz")),
        "<size> is not an integer (got '2GHz')",
        "For input string",
    ),
    "LshwParser.scala:71 no cores": (
        xml.lshw(xml.CPU.replace('<setting id="cores" value="4"/>', "")),
        "the CPU has settings, but no `cores`",
        "Could not find cpu configuration.setting.cores",
    ),
    "LshwParser.scala:82 no threads": (
        xml.lshw(xml.CPU.replace('<setting id="threads" value="8"/>', "")),
        "the CPU has settings, but no `threads`",
        "Could not find cpu configuration.setting.threads",
    ),
    "LshwParser.scala:77 cores are empty": (
        xml.lshw(xml.CPU.replace('value="4"', 'value=""')),
        "`cores` is not an integer (got '')",
        "For input string",
    ),
    "LshwParser.scala:98 size of a DIMM": (
        xml.lshw(xml.MEMORY.replace("bank", "bank:0").replace("1073741824", "1 GiB")),
        "<size> is not an integer (got '1 GiB')",
        "For input string",
    ),
    "LshwParser.scala:119 two sizes of a disk": (
        xml.lshw(xml.NVME.replace("</node></node>", f"<size>{'9' * 19}</size></node></node>")),
        f"<size> is not an integer (got '1048576{'9' * 19}')",
        "For input string",
    ),
    "LshwParser.scala:137 capacity of a NIC": (
        xml.lshw(xml.NIC.replace("1000000000", "1Gbit/s")),
        "<capacity> is not an integer (got '1Gbit/s')",
        "For input string",
    ),
    "LshwParser.scala:155 a 25G NIC": (
        xml.lshw(xml.FAST_NIC),
        "the NIC has neither <capacity> nor <size>, and the kernel knows no speed of it",
        "Could not find capacity for network interface for ConnectX-4 Lx",
    ),
}
LLDP = {
    "LldpParser.scala:88 no neighbour": (
        xml.lldp(),
        "there is no LLDP neighbour on any port",
        "Couldn't find interface nodes in XML",
    ),
    "LldpParser.scala:46 no SysName": (
        xml.lldp(xml.neighbor(chassis=f"{xml.CHASSIS_ID}<descr>a switch</descr>")),
        "the neighbour sends no System Name",
        "Found empty chassis name",
    ),
    "LldpParser.scala:46 no SysDescr": (
        xml.lldp(xml.neighbor(chassis=f"{xml.CHASSIS_ID}<name>sw8</name>")),
        "the neighbour sends no System Description",
        "Found empty chassis description",
    ),
    "LldpParser.scala:46 no chassis id": (
        xml.lldp(xml.neighbor(chassis=xml.CHASSIS.replace(xml.CHASSIS_ID, ""))),
        "the neighbour sends no Chassis ID",
        "Found empty chassis id type",
    ),
    "LldpParser.scala:46 two chassis ids": (
        xml.lldp(xml.neighbor(chassis=xml.CHASSIS + xml.CHASSIS_ID)),
        "the neighbour has 2 elements for its Chassis ID",
        "Found empty chassis id type",
    ),
    "LldpParser.scala:59 no port id": (
        xml.lldp(xml.neighbor(port="<descr>ge-0/0/7.0</descr>")),
        "the neighbour sends no Port ID",
        "Found empty port id type",
    ),
    "LldpParser.scala:59 a port id without a type": (
        xml.lldp(xml.neighbor(port=xml.PORT.replace(' type="local"', ""))),
        "the Port ID has no type",
        "Found empty port id type",
    ),
    "LldpParser.scala:59 no PortDescr": (
        xml.lldp(xml.neighbor(port=xml.PORT_ID)),
        "the neighbour sends no Port Description",
        "Found empty port description",
    ),
    "LldpParser.scala:69 a PVID without a name": (
        xml.lldp(xml.neighbor(more=xml.PVID)),
        "the VLAN has no name",
        "Found empty vlan name",
    ),
    "LldpParser.scala:69 the VLAN of a MED policy": (
        xml.lldp(xml.neighbor(more=xml.MED)),
        "the VLAN has no name",
        "Found empty vlan name",
    ),
    "LldpParser.scala:82 an invalid VLAN number": (
        xml.lldp(xml.neighbor(more=xml.VLAN.replace("106", "trunk"))),
        "the VLAN's number is not an integer",
        "For input string",
    ),
}


@pytest.mark.parametrize("case", LSHW.values(), ids=LSHW)
def test_lshw_is_refused(case: tuple[str, str, str]) -> None:
    text, problem, message = case
    found = preflight.lshw(bounded_xml.parse(text))
    assert [refusal.problem for refusal in found] == [problem]
    assert found[0].cure
    with pytest.raises(RefusedError, match=message):
        collins_parsers.lshw(text, Settings())


@pytest.mark.parametrize("case", LLDP.values(), ids=LLDP)
def test_lldp_is_refused(case: tuple[str, str, str]) -> None:
    text, problem, message = case
    found = preflight.lldp(bounded_xml.parse(text))
    assert [refusal.problem for refusal in found] == [problem]
    assert found[0].cure
    with pytest.raises(RefusedError, match=message):
        collins_parsers.lldp(text, Settings())


TAKEN = {
    "a machine": xml.lshw(xml.CPU, xml.MEMORY, xml.NIC, xml.NVME),
    "a root without a list": xml.lshw(xml.CPU).replace("<list>", "").replace("</list>", ""),
    "a CPU without settings": xml.lshw('<node id="cpu" class="processor" handle="D"><product>Xeon</product></node>'),
    "an empty socket": xml.lshw('<node id="cpu:1" class="processor" handle="D"><size>none</size></node>'),
    "a disabled CPU": xml.lshw(xml.OLD_CPU.replace("handle", 'disabled="true" handle')),
    "a 10-Gigabit NIC by its name": xml.lshw(xml.FAST_NIC.replace("ConnectX-4 Lx", "82599ES 10-Gigabit")),
    "a NIC outside of core": xml.lshw(xml.CPU).replace("</node></list>", f"{xml.FAST_NIC}</node></list>"),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_lshw_is_taken(text: str) -> None:
    assert preflight.lshw(bounded_xml.parse(text)) == []
    collins_parsers.lshw(text, Settings())


@pytest.mark.parametrize("more", ["", xml.VLAN, xml.VLAN.replace(' vlan-id="106"', ""), "<vlan> </vlan>"])
def test_lldp_is_taken(more: str) -> None:
    text = xml.lldp(xml.neighbor(more=more))
    assert preflight.lldp(bounded_xml.parse(text)) == []
    assert len(collins_parsers.lldp(text, Settings())) == 1


def test_settings_of_collins_change_what_it_takes() -> None:
    nic, vlan = xml.lshw(xml.FAST_NIC), xml.lldp(xml.neighbor(more=xml.PVID))
    allowances = frozenset(preflight.ALLOWANCES)
    assert preflight.lshw(bounded_xml.parse(nic), allowances) == []
    assert preflight.lldp(bounded_xml.parse(vlan), allowances) == []
    settings = Settings(require_vlan_name=False, default_nic_capacity=10**9)
    assert collins_parsers.lshw(nic, settings).nics == [(10**9, "02:00:00:00:00:02")]
    assert collins_parsers.lldp(vlan, settings)[0]["vlans"] == "100= "


def test_a_refusal_names_the_node_the_line_and_the_cure() -> None:
    hostile = xml.FAST_NIC.replace("ConnectX-4 Lx", "evil&#x9;\u202e<x>[2J</x>name")
    lines = preflight.lshw(bounded_xml.parse(xml.lshw(hostile)))[0].lines()
    assert lines[0].startswith("error: lshw.xml: core/network (eth1, evil ?, 02:00:00:00:00:02): the NIC has neither")
    assert lines[0].endswith("(LshwParser.scala:155)")
    assert lines[1].startswith("hint: connect the port; or set lshw.defaultNicCapacity in Collins")


def test_a_nic_without_an_interface_has_another_cure() -> None:
    nic = xml.FAST_NIC.replace("<serial>02:00:00:00:00:02</serial>", "")
    found = preflight.lshw(bounded_xml.parse(xml.lshw(nic)))
    assert found[0].cure.startswith("load a driver, as the NIC has no interface; or set")


BOMB = '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><lldp>&b;</lldp>'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "contains a DOCTYPE"),
        ('<!DOCTYPE l SYSTEM "file:///etc/passwd"><l/>', "contains a DOCTYPE"),
        ("<a>" * 65 + "</a>" * 65, "nested too deeply"),
        (f"<a>{'x' * (1 << 20)}</a>", "too large"),
        ("warning: no root\n<?xml version='1.0'?><a/>", "not well-formed"),
        (xml.lshw(xml.CPU)[:-20], "not well-formed"),
        ("", "not well-formed"),
        ("<a>&nbsp;</a>", "not well-formed"),
    ],
)
def test_xml_that_is_not_read(text: str, problem: str) -> None:
    with pytest.raises(bounded_xml.XmlError, match=problem):
        bounded_xml.parse(text)


def test_an_encoding_that_the_document_claims_does_not_count() -> None:
    root = bounded_xml.parse('<?xml version="1.0" encoding="UTF-16"?><a>é</a>')
    assert root.text == "é"
