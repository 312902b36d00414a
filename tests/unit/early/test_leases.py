"""The leases that early/udhcpc and early/dhcpcd apply."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.lib.early import EARLY, STUBS, Node

# udhcpc


def lease(node: Node, reason: str, **variables: str) -> list[str]:
    """The commands that udhcpc's script calls, its paths being below the fake root."""
    text = (EARLY / "udhcpc").read_text(encoding="utf-8")
    for path in ("/run/alchemy", "/sys/class/net"):
        text = text.replace(path, f"{node.root}{path}")
    # before the script begins, and behind the functions that it reads
    stubs = f"ROOT={node.root}\n{STUBS}"
    script = node.write("udhcpc", text.replace("ROOT=''", stubs))
    assignments = "".join(f"{name}='{value}'; " for name, value in variables.items())
    node.run(f"early={EARLY}; {assignments} set -- {reason}; . {script}", load="", stubs=stubs)
    return node.calls


LEASES: Mapping[str, tuple[dict[str, str], list[str]]] = {
    "an address": (
        {"ip": "192.0.2.9", "subnet": "255.255.255.128"},
        ["ip address replace 192.0.2.9/25 dev eth0"],
    ),
    "no netmask": ({"ip": "192.0.2.9"}, ["ip address replace 192.0.2.9/24 dev eth0"]),
    "a router": (
        {"ip": "192.0.2.9", "router": "192.0.2.1 192.0.2.2"},
        ["ip address replace 192.0.2.9/24 dev eth0", "ip route replace default via 192.0.2.1 dev eth0 metric 3"],
    ),
    "routes, which rule out the router": (
        {"ip": "192.0.2.9", "router": "192.0.2.1", "staticroutes": "198.51.100.0/24 192.0.2.7 0.0.0.0/0 192.0.2.8"},
        [
            "ip address replace 192.0.2.9/24 dev eth0",
            "ip route replace 198.51.100.0/24 via 192.0.2.7 dev eth0 metric 3",
            "ip route replace 0.0.0.0/0 via 192.0.2.8 dev eth0 metric 3",
        ],
    ),
    "routes of the link before those by gateways that they lead to": (
        {"ip": "192.0.2.9", "subnet": "255.255.255.255", "staticroutes": "0.0.0.0/0 10.0.0.1 10.0.0.1/32 0.0.0.0"},
        [
            "ip address replace 192.0.2.9/32 dev eth0",
            "ip route replace 10.0.0.1/32 dev eth0 metric 3",
            "ip route replace 0.0.0.0/0 via 10.0.0.1 dev eth0 metric 3",
        ],
    ),
    "an MTU": (
        {"ip": "192.0.2.9", "mtu": "9000"},
        ["ip address replace 192.0.2.9/24 dev eth0", "ip link set eth0 mtu 9000"],
    ),
    "an MTU before the routes, as drivers reset the hardware for it": (
        {"ip": "192.0.2.9", "mtu": "9000", "router": "192.0.2.1"},
        [
            "ip address replace 192.0.2.9/24 dev eth0",
            "ip link set eth0 mtu 9000",
            "ip route replace default via 192.0.2.1 dev eth0 metric 3",
        ],
    ),
    "a name": (
        {"ip": "192.0.2.9", "hostname": "node9"},
        ["ip address replace 192.0.2.9/24 dev eth0", "hostname node9"],
    ),
}


@pytest.mark.parametrize(("variables", "calls"), LEASES.values(), ids=LEASES.keys())
@pytest.mark.parametrize("reason", ["bound", "renew"])
def test_a_lease_is_applied(node: Node, reason: str, variables: dict[str, str], calls: list[str]) -> None:
    node.write("sys/class/net/eth0/ifindex", "3\n")
    assert lease(node, reason, interface="eth0", **variables) == calls
    assert node.read("run/alchemy/net/eth0").strip() in variables.values()


@pytest.mark.parametrize("servers", [("192.0.2.53", "192.0.2.54"), tuple(f"192.0.2.{number}" for number in range(4))])
def test_a_lease_brings_the_resolver(node: Node, servers: tuple[str, ...]) -> None:
    node.write("sys/class/net/eth0/ifindex", "3\n")
    lease(node, "bound", interface="eth0", ip="192.0.2.9", dns=" ".join(servers), domain="example.org")
    node.run("user_servers=; write_resolver eth0")
    assert node.lines("etc/resolv.conf") == ["search example.org", *(f"nameserver {server}" for server in servers)]


def test_a_lease_begins_with_the_link_up(node: Node) -> None:
    assert lease(node, "deconfig", interface="eth0") == ["ip link set eth0 up"]


@pytest.mark.parametrize("mtu", ["68", "575", "65536", "0", "x", "1500;reboot"])
def test_an_mtu_that_no_network_has_is_refused(node: Node, mtu: str) -> None:
    node.write("sys/class/net/eth0/ifindex", "3\n")
    assert lease(node, "bound", interface="eth0", ip="192.0.2.9", mtu=mtu) == [
        "ip address replace 192.0.2.9/24 dev eth0"
    ]
    assert node.said == [f"net: eth0: the DHCP server's MTU {mtu} is not used (576 to 65535)"]


def test_an_mtu_of_the_command_line_goes_before_the_servers(node: Node) -> None:
    node.write("sys/class/net/eth0/ifindex", "3\n")
    node.write("run/alchemy/mtu/eth0", "1400\n")
    assert not any("mtu" in call for call in lease(node, "bound", interface="eth0", ip="192.0.2.9", mtu="9000"))


def test_lines_in_a_search_list_are_domains_at_most(node: Node) -> None:
    node.write("sys/class/net/eth0/ifindex", "3\n")
    search = "x\nnameserver 6.6.6.6\noptions ndots:15\tb"
    lease(node, "bound", interface="eth0", ip="192.0.2.9", dns="192.0.2.53", search=search)
    node.run("user_servers=; write_resolver eth0")
    assert node.lines("etc/resolv.conf") == ["search x nameserver 6.6.6.6 options b", "nameserver 192.0.2.53"]


# dhcpcd


def hook(node: Node, reason: str, **variables: str) -> None:
    assignments = "".join(f"{name}='{value}'; " for name, value in variables.items())
    script = f"run=$ROOT/run/alchemy interface=eth0 reason={reason}; {assignments} . {EARLY}/dhcpcd"
    node.run(script, load="", stubs="")


ROUTER = {"nd1_addr1": "2001:db8::9/64", "nd1_rdnss1_servers": "2001:db8::53 fe80::1", "nd1_dnssl1_search": "a.example"}


@pytest.mark.parametrize(("flags", "done"), [("", True), ("h", True), ("O", False), ("M", False), ("MO", False)])
def test_an_advertisement_is_all_there_is_unless_it_says_that_dhcpv6_has_more(
    node: Node, flags: str, done: bool
) -> None:
    hook(node, "ROUTERADVERT", nd1_flags=flags, **ROUTER)
    assert node.read("run/alchemy/net6/eth0") == "2001:db8::9\n"
    assert node.lines("run/alchemy/dns/ra.eth0") == [
        "search a.example", "nameserver 2001:db8::53", "nameserver fe80::1",
    ]  # fmt: skip
    assert (node.root / "run/alchemy/done6/eth0").exists() is done
    assert (node.root / "run/alchemy/router6/eth0").exists()


def test_an_address_of_dhcpv6_goes_before_a_routers(node: Node) -> None:
    hook(node, "ROUTERADVERT", nd1_flags="M", **ROUTER)
    hook(node, "BOUND6", new_dhcp6_ia_na1_ia_addr1="2001:db8::100", new_dhcp6_name_servers="2001:db8::54")
    assert node.read("run/alchemy/net6/eth0") == "2001:db8::100\n"
    assert node.lines("run/alchemy/dns/dhcp6.eth0") == ["nameserver 2001:db8::54"]
    assert (node.root / "run/alchemy/done6/eth0").exists()


def test_what_else_dhcpcd_calls_for_is_no_lease(node: Node) -> None:
    for reason in ("PREINIT", "CARRIER", "NOCARRIER", "STOP6", "TEST"):
        hook(node, reason, new_dhcp6_ia_na1_ia_addr1="2001:db8::100", **ROUTER)
    assert not (node.root / "run/alchemy/net6/eth0").exists()
