"""The VLANs and bonds that the preliminary init makes."""

from __future__ import annotations

import pytest

from tests.lib.early import Node

VLANS = {
    "vlan5:eth0": "ip link add link eth0 name vlan5 type vlan id 5",
    "vlan0005:eth0": "ip link add link eth0 name vlan0005 type vlan id 5",
    "eth0.100:eth0": "ip link add link eth0 name eth0.100 type vlan id 100",
    "eth1.0007:eth1": "ip link add link eth1 name eth1.0007 type vlan id 7",
    "bond0.20:bond0": "ip link add link bond0 name bond0.20 type vlan id 20",
}


def test_a_vlan_has_the_number_at_the_end_of_its_name(node: Node) -> None:
    for name in ("eth0", "eth1", "bond0"):
        node.interface(name)
    node.run('for spec; do make_vlan "$spec"; done', *VLANS)
    assert node.calls == [
        call for spec, made in VLANS.items() for call in (made, f"ip link set {spec.split(':')[0]} up")
    ]


BONDS = {
    "bond0:eth0,eth1:mode=active-backup,miimon=50": ({"mode": "active-backup", "miimon": "50"}, ["eth0", "eth1"]),
    "bond0:eth2": ({"mode": "balance-rr", "miimon": "100"}, ["eth2"]),
    "bond0": ({"mode": "balance-rr", "miimon": "100"}, ["eth0", "eth1"]),
    "bond0:eth0:mode=4": ({"mode": "4", "miimon": "100"}, ["eth0"]),
    "bond0::mode=1": ({"mode": "1", "miimon": "100"}, ["eth0", "eth1"]),
    "bond0:eth9,eth2": ({"mode": "balance-rr", "miimon": "100"}, ["eth2"]),
    "bond0:eth0:mode=1,arp_interval=100,arp_ip_target=192.0.2.1;192.0.2.2": (
        {"mode": "1", "miimon": "0\n", "arp_interval": "100", "arp_ip_target": "+192.0.2.2"},
        ["eth0"],
    ),
}


@pytest.mark.parametrize("spec", BONDS)
def test_a_bond_has_its_options_and_its_members(node: Node, spec: str) -> None:
    options, members = BONDS[spec]
    for number in range(3):
        node.interface(f"eth{number}", f"52:54:00:00:00:0{number}")
    for name in ("mode", "slaves"):
        node.write(f"sys/class/net/bond0/bonding/{name}", "")
    node.write("sys/class/net/bond0/bonding/miimon", "0\n")
    node.run('tried=" " hardware=" eth0 eth1 eth2"; make_bond "$1"', spec)
    assert {name: node.read(f"sys/class/net/bond0/bonding/{name}") for name in options} == options
    assert node.calls == [
        "ip link set bond0 down",
        *(f"ip link set {member} down" for member in members),
        "ip link set bond0 up",
    ]
    assert node.said == []


def test_the_mtu_of_a_bond_is_no_option(node: Node) -> None:
    for name in ("mode", "slaves", "miimon"):
        node.write(f"sys/class/net/bond0/bonding/{name}", "")
    node.run("tried=' ' hardware=; make_bond bond0:eth0:mode=802.3ad:9000; make_bond bond0:eth0:mode=802.3ad:90")
    assert node.read("sys/class/net/bond0/bonding/mode") == "802.3ad"
    assert [call for call in node.calls if "mtu" in call] == ["ip link set bond0 mtu 9000"]
    assert node.said == ['bond=bond0:eth0:mode=802.3ad:90: field 4 "90": not an MTU (576 to 65535)']


def test_a_member_that_does_not_come_is_said(node: Node) -> None:
    node.interface("eth0", "52:54:00:00:00:01")
    node.run("hardware=' eth0'; say_missing_members bond0:eth0,eth1")
    assert node.said == ["bond: bond0: there is no interface eth1 (there are: eth0 52:54:00:00:00:01)"]


def test_an_option_that_a_bond_does_not_take_is_said(node: Node) -> None:
    for name in ("mode", "slaves"):
        node.write(f"sys/class/net/bond0/bonding/{name}", "")
    node.write("sys/class/net/bond0/bonding/miimon", "100\n")
    # the kernel takes no new file there, and no path leads out of the folder
    (node.root / "sys/class/net/bond0/bonding/colour").mkdir()
    node.run("tried=' ' hardware=; make_bond 'bond0:eth0:colour=red,../../x=y'")
    assert node.said == ["bond: bond0: does not take colour=red", "bond: bond0: unknown option: ../../x=y"]
    assert not (node.root / "sys/class/net/x").exists()
