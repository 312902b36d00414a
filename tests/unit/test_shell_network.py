"""The network of the preliminary init: early/network.sh, and the leases that early/udhcpc applies."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.unit.node import EARLY, TABLE, Node


def test_the_prefix_of_a_netmask(node: Node) -> None:
    masks = {
        "255.255.255.0": "24",
        "255.255.255.255": "32",
        "255.255.254.0": "23",
        "255.128.0.0": "9",
        "128.0.0.0": "1",
        "0.0.0.0": "0",
    }
    assert {mask: bits.strip() for mask, bits in node.each('prefix "$case"', list(masks)).items()} == masks


def test_the_fields_of_a_spec(node: Node) -> None:
    spec = "[2001:db8::9]::[2001:db8::1]:64:node9:eth0:none"
    fields = {"1": "2001:db8::9", "2": "", "3": "2001:db8::1", "4": "64", "5": "node9", "6": "eth0", "8": ""}
    found = node.each(f'field "$case" "{spec}"', list(fields))
    assert {number: value.strip() for number, value in found.items()} == fields


def test_the_mac_of_the_interface_the_node_booted_from(node: Node) -> None:
    macs = {
        "01-52-54-00-AB-cd-56": "52:54:00:ab:cd:56",
        "52-54-00-12-34-56": "52:54:00:12:34:56",
        "52:54:00:12:34:56": "52:54:00:12:34:56",
        "01-52-54-00": "",
        "eth0": "",
        "": "",
    }
    found = node.each("p_BOOTIF=$case; boot_mac", list(macs))
    assert {value: mac.strip() for value, mac in found.items()} == macs


@pytest.mark.parametrize(
    ("bootif", "names"),
    [
        ("", ["eth0", "eth1", "eth2"]),
        ("01-52-54-00-00-00-02", ["eth1", "eth0", "eth2"]),
        ("01-52-54-00-00-00-09", ["eth0", "eth1", "eth2"]),
    ],
)
def test_the_interfaces_are_the_hardware_and_the_one_booted_from_is_first(
    node: Node, bootif: str, names: list[str]
) -> None:
    for number in range(3):
        node.interface(f"eth{number}", f"52:54:00:00:00:0{number + 1}")
    node.interface("lo", "00:00:00:00:00:00", real=False)
    assert node.run("p_BOOTIF=$1; interfaces; by_bootif", bootif).split() == [*names, *(names[:1] if bootif else [])]


def test_without_interfaces_there_are_none(node: Node) -> None:
    assert node.run("p_BOOTIF=; interfaces") == ""


DHCP = {
    "": ["eth0", "eth1"],
    "dhcp": ["eth0", "eth1"],
    "eth1:dhcp": ["eth1"],
    "eth1:dhcp eth0:dhcp": ["eth1", "eth0"],
    "192.0.2.9::192.0.2.1:24:node9:eth0:none": [],
    "192.0.2.9::192.0.2.1:24:node9:eth0:none eth1:dhcp": ["eth1"],
    "192.0.2.9::192.0.2.1:24:node9:eth0:none dhcp": ["eth1"],
    "eth9:dhcp": [],
}


def test_leases_are_asked_for_on(node: Node) -> None:
    node.interface("eth0")
    node.interface("eth1", "52:54:00:00:00:02")
    script = (
        'p_BOOTIF= p_bond= p_vlan= static=; p_ip=$case; for spec in $p_ip; do set_static "$spec"; done; dhcp_interfaces'
    )
    found = node.each(script, list(DHCP))
    assert {spec: names.split() for spec, names in found.items()} == DHCP
    assert node.said == ["ip: there is no interface eth9"]


def test_a_member_of_a_bond_is_not_asked(node: Node) -> None:
    node.interface("eth0")
    node.interface("bond0", real=False)
    (node.root / "sys/class/net/eth0/master").mkdir()
    assert node.run("p_BOOTIF= p_ip= p_vlan= static=; p_bond=bond0:eth0; dhcp_interfaces").split() == ["bond0"]


STATIC: Mapping[str, list[str]] = {
    "192.0.2.9::192.0.2.1:255.255.255.0:node9:eth0:none": [
        "ip address replace 192.0.2.9/24 dev eth0",
        "ip link set eth0 up",
        "ip route replace default via 192.0.2.1 dev eth0",
        "hostname node9",
    ],
    "192.0.2.9:::26::eth1:none": ["ip address replace 192.0.2.9/26 dev eth1", "ip link set eth1 up"],
    "192.0.2.9::192.0.2.1:24:::none": [
        "ip address replace 192.0.2.9/24 dev eth0",
        "ip link set eth0 up",
        "ip route replace default via 192.0.2.1 dev eth0",
    ],
    "192.0.2.9:::24::eth1:none:9000": [
        "ip address replace 192.0.2.9/24 dev eth1",
        "ip link set eth1 up",
        "ip link set eth1 mtu 9000",
    ],
    "[2001:db8::9]::[2001:db8::1]:64::eth0:none": [
        "ip address replace 2001:db8::9/64 dev eth0",
        "ip link set eth0 up",
        "ip route replace default via 2001:db8::1 dev eth0",
    ],
    "dhcp": [],
    "eth0:dhcp": [],
}


@pytest.mark.parametrize("spec", STATIC)
def test_a_static_address_is_set(node: Node, spec: str) -> None:
    node.interface("eth0")
    node.interface("eth1", "52:54:00:00:00:02")
    node.run('p_BOOTIF= static=; set_static "$1"', spec)
    assert node.calls == STATIC[spec]
    assert (node.root / "run/alchemy/net").is_dir() == bool(STATIC[spec])


def test_a_static_address_comes_with_its_name_servers(node: Node) -> None:
    node.interface("eth0")
    node.run('p_BOOTIF= static=; set_static "$1"', "192.0.2.9:::24::eth0:none:192.0.2.53:[2001:db8::53]")
    assert node.read("etc/resolv.conf") == "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"
    assert node.read("run/alchemy/net/eth0") == "192.0.2.9\n"


VLANS = {
    "vlan5:eth0": "ip link add link eth0 name vlan5 type vlan id 5",
    "vlan0005:eth0": "ip link add link eth0 name vlan0005 type vlan id 5",
    "eth0.100:eth0": "ip link add link eth0 name eth0.100 type vlan id 100",
    "eth1.0007:eth1": "ip link add link eth1 name eth1.0007 type vlan id 7",
    "bond0.20:bond0": "ip link add link bond0 name bond0.20 type vlan id 20",
}


def test_a_vlan_has_the_number_at_the_end_of_its_name(node: Node) -> None:
    node.run('for spec; do make_vlan "$spec"; done', *VLANS)
    assert node.calls == [
        call for spec, made in VLANS.items() for call in (made, f"ip link set {spec.split(':')[0]} up")
    ]


BONDS = {
    "bond0:eth0,eth1:mode=active-backup,miimon=50": ({"mode": "active-backup", "miimon": "50"}, ["eth0", "eth1"]),
    "bond0:eth2": ({"mode": "balance-rr", "miimon": "100"}, ["eth2"]),
    "bond0": ({"mode": "balance-rr", "miimon": "100"}, ["eth0", "eth1"]),
    "bond0:eth0:mode=4": ({"mode": "4", "miimon": "100"}, ["eth0"]),
}


@pytest.mark.parametrize("spec", BONDS)
def test_a_bond_has_its_options_and_its_members(node: Node, spec: str) -> None:
    options, members = BONDS[spec]
    for name in ("mode", "slaves"):
        node.write(f"sys/class/net/bond0/bonding/{name}", "")
    node.write("sys/class/net/bond0/bonding/miimon", "0\n")
    node.run('make_bond "$1"', spec)
    assert {name: node.read(f"sys/class/net/bond0/bonding/{name}") for name in options} == options
    assert node.calls == [
        "ip link set bond0 down",
        *(f"ip link set {member} down" for member in members),
        "ip link set bond0 up",
    ]
    assert node.said == []


def test_an_option_that_a_bond_does_not_take_is_said(node: Node) -> None:
    for name in ("mode", "slaves"):
        node.write(f"sys/class/net/bond0/bonding/{name}", "")
    node.write("sys/class/net/bond0/bonding/miimon", "100\n")
    # the kernel takes no new file there, and a path out of the folder is no option
    (node.root / "sys/class/net/bond0/bonding/colour").mkdir()
    node.run("make_bond 'bond0:eth0:colour=red,../../x=y'")
    assert node.said == ["bond: bond0: does not take colour=red"]
    assert not (node.root / "sys/class/net/x").exists()


def test_what_became_of_each_interface_is_said(node: Node) -> None:
    for number, carrier in enumerate("1101"):
        node.interface(f"eth{number}", carrier=carrier)
    node.write("run/alchemy/net/eth0", "192.0.2.9\n")
    (node.root / "sys/class/net/bond0").mkdir()
    (node.root / "sys/class/net/eth3/master").symlink_to("../bond0")
    node.run("p_BOOTIF= p_bond= p_vlan= p_net_timeout=7; report_network")
    assert node.said == [
        "net: eth0 has 192.0.2.9",
        "net: eth1 has a link, but got no lease within 7 s",
        "net: eth2 has no link",
        "net: eth3 belongs to bond0",
    ]


def test_the_real_system_gets_the_resolver_and_leaves_alone_what_is_static(node: Node) -> None:
    node.interface("eth0")
    node.write("etc/resolv.conf", "nameserver 192.0.2.53\n")
    node.write("new/etc/dhcpcd.conf", "duid\n")
    node.run("p_BOOTIF= static=' eth0'; carry_network_over")
    assert node.read("new/etc/resolv.conf") == "nameserver 192.0.2.53\n"
    assert node.read("new/etc/dhcpcd.conf") == "duid\ndenyinterfaces eth0\n"


def test_the_real_system_is_left_alone_where_there_is_nothing_to_tell(node: Node) -> None:
    node.interface("eth0")
    node.write("new/etc/dhcpcd.conf", "duid\n")
    node.run("p_BOOTIF= static=; carry_network_over")
    assert node.read("new/etc/dhcpcd.conf") == "duid\n"
    assert not (node.root / "new/etc/resolv.conf").exists()


def test_a_name_of_the_node_is_that_of_the_real_system_too(node: Node) -> None:
    node.run("set_hostname node9")
    assert (node.calls, node.read("new/etc/hostname")) == (["hostname node9"], "node9\n")


def test_a_bad_name_of_the_node_is_said(node: Node) -> None:
    node.run("hostname() { return 1; }; set_hostname -x")
    assert node.said == ["hostname: -x: not a name"]
    assert not (node.root / "new/etc/hostname").exists()


def test_the_network_is_up_when_every_interface_is_done(node: Node) -> None:
    node.interface("eth0")
    node.interface("eth1", "52:54:00:00:00:02", carrier="0")
    lease = """
    ask_for_lease() { mkdir -p "$ROOT/run/alchemy/net"; ! has_link "$1" || echo 192.0.2.9 >"$ROOT/run/alchemy/net/$1"; }
    """
    node.run(f'{lease} parse_cmdline "{TABLE}" "net nameserver=192.0.2.53"; settle_parameters; start_network')
    assert node.said == ["net: eth0 has 192.0.2.9", "net: eth1 has no link"]
    assert node.read("new/etc/resolv.conf") == "nameserver 192.0.2.53\n"
    assert node.calls == ["ip link set eth0 up", "ip link set eth1 up"]


def test_a_node_without_a_network_interface_says_so(node: Node) -> None:
    node.run(f'parse_cmdline "{TABLE}" "net"; settle_parameters; start_network')
    assert node.said == ["net: there is no network interface"]


def test_a_link_is_waited_for_until_the_time_is_up(node: Node) -> None:
    node.interface("eth0", carrier="0")
    # time goes by as it is slept
    script = """
    usleep() { echo "$(($(uptime_seconds) + 1)).00 0" >"$ROOT/proc/uptime"; }
    timeout() { echo "timeout $*" >>"$ROOT/calls"; }
    ask_for_lease eth0 20
    """
    node.run(script, status=1)
    assert node.read("proc/uptime") == "20.00 0\n"
    assert node.calls == []


def test_a_lease_is_asked_for_in_the_time_that_is_left(node: Node) -> None:
    node.interface("eth0")
    node.run('timeout() { echo "timeout $*" >>"$ROOT/calls"; }; ask_for_lease eth0 20; wait')
    assert sorted(call.split()[1:5] for call in node.calls) == [
        ["10", "udhcpc6", "-i", "eth0"],
        ["9", "udhcpc", "-i", "eth0"],
    ]


@pytest.mark.parametrize("cmdline", ["net", "BOOTIF=01-52-54-00-00-00-01"])
def test_a_lease_of_ipv6_is_not_waited_for(node: Node, cmdline: str) -> None:
    node.interface("eth0")
    script = """
    timeout() {
        case $2 in udhcpc6) ;; *) return ;; esac
        for try in 0 1 2 3 4 5 6 7 8 9; do
            [ ! -e "$ROOT/up" ] || return
            command sleep 0.3
        done
        echo "waited for IPv6" >>"$ROOT/calls"
    }
    """
    node.run(f'{script} parse_cmdline "{TABLE}" "{cmdline}"; settle_parameters; start_network; : >"$ROOT/up"')
    assert node.calls == ["ip link set eth0 up"]


# udhcpc


def lease(node: Node, reason: str, **variables: str) -> list[str]:
    """The commands that udhcpc's script calls, its paths being below the fake root."""
    text = (EARLY / "udhcpc").read_text(encoding="utf-8").replace("/lib/alchemy", str(EARLY))
    for path in ("/run/alchemy", "/etc/resolv.conf", "/sys/class/net"):
        text = text.replace(path, f"{node.root}{path}")
    stubs = "".join(f'{name}() {{ echo {name} "$*" >>{node.root}/calls; }}\n' for name in ("ip", "set_hostname"))
    # network.sh, which is sourced, has a set_hostname of its own
    text = text.replace("ROOT=''", f"ROOT=''\n{stubs}\nhostname() {{ echo '(none)'; }}")
    script = node.write("udhcpc", text)
    assignments = "".join(f"{name}='{value}'; " for name, value in variables.items())
    node.run(f"{assignments} set -- {reason}; . {script}", load="", stubs="")
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
    "an MTU": (
        {"ip": "192.0.2.9", "mtu": "9000"},
        ["ip address replace 192.0.2.9/24 dev eth0", "ip link set eth0 mtu 9000"],
    ),
    "a name": (
        {"ip": "192.0.2.9", "hostname": "node9"},
        ["ip address replace 192.0.2.9/24 dev eth0", "set_hostname node9"],
    ),
    "an IPv6 address": ({"ipv6": "2001:db8::9"}, ["ip address replace 2001:db8::9/128 dev eth0"]),
}


@pytest.mark.parametrize(("variables", "calls"), LEASES.values(), ids=LEASES.keys())
@pytest.mark.parametrize("reason", ["bound", "renew"])
def test_a_lease_is_applied(node: Node, reason: str, variables: dict[str, str], calls: list[str]) -> None:
    node.write("sys/class/net/eth0/ifindex", "3\n")
    assert lease(node, reason, interface="eth0", **variables) == calls
    assert node.read("run/alchemy/net/eth0").strip() in variables.values()


def test_a_lease_brings_the_resolver(node: Node) -> None:
    node.write("sys/class/net/eth0/ifindex", "3\n")
    lease(node, "bound", interface="eth0", ip="192.0.2.9", dns="192.0.2.53 192.0.2.54", domain="example.org")
    assert node.read("etc/resolv.conf") == "search example.org\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n"


def test_a_lease_begins_with_the_link_up(node: Node) -> None:
    assert lease(node, "deconfig", interface="eth0") == ["ip link set eth0 up"]
