"""The forms of ip=, nameserver=, vlan=, bond=, BOOTIF= and net_timeout=, each with exactly what it does.

The forms are those of dracut.cmdline(7), of the kernel's Documentation/admin-guide/nfs/nfsroot.rst, of pxelinux's
IPAPPEND and of MAAS. The node has eth0 and eth1, whose servers answer at once; both are set up before all else, which
the table leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.lib.early import TABLE, Node

MAC0 = "52:54:00:12:34:56"
MAC1 = "52:54:00:12:34:57"
THERE = f"(there are: eth0 {MAC0}, eth1 {MAC1})"

START = f"""
rm -rf "$ROOT/run/alchemy" "$ROOT/etc/resolv.conf" "$ROOT/new/etc" "$ROOT/said" "$ROOT/calls"
mkdir -p "$ROOT/run/alchemy/net" "$ROOT/run/alchemy/done4" "$ROOT/run/alchemy/done6" "$ROOT/new/etc"
for interface in bond0 vlan5; do rm -rf "$ROOT/sys/class/net/$interface"; done
echo 12.34 >"$ROOT/proc/uptime"
usleep() {{ read -r now _ <"$ROOT/proc/uptime"; echo "$((${{now%.*}} + 1)).34" >"$ROOT/proc/uptime"; }}
ask_for_ipv4() {{ echo "ask $1 for IPv4" >>"$ROOT/calls"; : >"$ROOT/run/alchemy/done4/$1"; }}
ask_for_ipv6() {{
    echo "ask $1 for IPv6" $(cat "$ROOT/run/alchemy/ask6/$1" 2>/dev/null) >>"$ROOT/calls"
    : >"$ROOT/run/alchemy/done6/$1"
}}
cd "$ROOT"
parse_cmdline "{TABLE}" "$case"
settle_parameters
start_network
cat calls 2>/dev/null
[ ! -e said ] || grep -v '^net: eth' said | sed 's/^/! /'
[ ! -e etc/resolv.conf ] || cat etc/resolv.conf
[ ! -e new/etc/dhcpcd.conf ] || cat new/etc/dhcpcd.conf
"""

ALL = ["ask eth0 for IPv4", "ask eth0 for IPv6", "ask eth1 for IPv4", "ask eth1 for IPv6"]
ETH0 = ALL[:2]
ETH1 = ALL[2:]
NODE9 = ["hostname node9"]
# in the real system the name is kept, and servers are told
NAMED = ["hostname_short", "nohook hostname"]
DENY0 = ["denyinterfaces eth0"]
ADDRESS = ["ip address replace 192.0.2.9/24 dev eth0", "ip link set eth0 up"]
ROUTE = ["ip route replace default via 192.0.2.1 dev eth0"]
STATIC = [*ADDRESS, *ROUTE]
IPV6 = ["ip address replace 2001:db8::9/64 dev eth0", "ip link set eth0 up"]
LONG = "ip=192.0.2.9::192.0.2.1:24:node9:eth0:none"


def said(spec: str, number: int, value: str, problem: str) -> str:
    return f'! ip={spec}: field {number} "{value}": {problem}'


def ignored(spec: str, number: int, value: str, problem: str) -> list[str]:
    """A spec that is not done at all, so that every interface is asked."""
    return [*ALL, said(spec, number, value, problem), f"! ip={spec}: ignored"]


FORMS: Mapping[str, list[str]] = {
    "net": ALL,
    # one word
    "ip=dhcp": ALL,
    "ip=on": ALL,
    "ip=any": ALL,
    "ip=both": ALL,
    "ip=single-dhcp": ALL,
    "ip=dhcp4": [ALL[0], ALL[2]],
    "ip=dhcp6": ["ask eth0 for IPv6 ia_na", "ask eth1 for IPv6 ia_na",
                 "interface eth0", "ia_na", "interface eth1", "ia_na"],
    "ip=auto6": ["ask eth0 for IPv6 nodhcp6", "ask eth1 for IPv6 nodhcp6",
                 "interface eth0", "nodhcp6", "interface eth1", "nodhcp6"],
    "ip=either6": [ALL[1], ALL[3]],
    "ip=link6": [],
    "ip=off": [],
    "ip=none": [],
    "ip=bootp": [*ALL, said("bootp", 1, "bootp", "not supported: DHCP is asked")],
    "ip=ibft": [*ALL, said("ibft", 1, "ibft", "not supported: DHCP is asked")],
    "ip=eth0": ignored("eth0", 1, "eth0", "not an address"),
    # IF:METHOD[:MTU[:MAC]]
    "ip=eth1:dhcp": ETH1,
    "ip=eth1:dhcp ip=eth0:dhcp4": ["ask eth0 for IPv4", *ETH1],
    "ip=eth0:auto6": ["ask eth0 for IPv6 nodhcp6", "interface eth0", "nodhcp6"],
    "ip=eth1:off": [*ETH0, "denyinterfaces eth1"],
    "ip=eth0:dhcp:9000": ["ip link set eth0 mtu 9000", *ETH0, "interface eth0", "nooption interface_mtu"],
    "ip=eth0:dhcp:9000:52-54-00-AA-BB-CC": [
        "ip link set eth0 down", "ip link set eth0 address 52:54:00:aa:bb:cc", "ip link set eth0 up",
        "ip link set eth0 mtu 9000", *ETH0, "interface eth0", "nooption interface_mtu"],
    "ip=eth0:dhcp::52:54:00:aa:bb:cc": [
        "ip link set eth0 down", "ip link set eth0 address 52:54:00:aa:bb:cc", "ip link set eth0 up", *ETH0],
    "ip=eth0:dhcp:x": [*ETH0, said("eth0:dhcp:x", 3, "x", "neither an MTU (576 to 65535) nor an address")],
    "ip=52-54-00-12-34-57:dhcp": ETH1,
    "ip=eno1:dhcp": [*ALL, f"! ip: there is no interface eno1 {THERE}"],
    "ip=../../x:dhcp": ignored("../../x:dhcp", 1, "../../x", "not an interface"),
    # the long form, with DHCP
    "ip=::::node9::dhcp": [*NODE9, *ALL, *NAMED],
    "ip=::::node9:eth0:dhcp": [*NODE9, *ETH0, *NAMED],
    "ip=:::::eth1:dhcp": ETH1,
    "ip=:::::eth1": ETH1,
    "ip=::::node9": [*NODE9, *ALL, *NAMED],
    "ip=::::node9:eth0:dhcp hostname=node7": ["hostname node7", *ETH0, *NAMED],
    "ip=::::no_de:eth0:dhcp": [*ETH0, said("::::no_de:eth0:dhcp", 5, "no_de", "not a host name")],
    "ip=:::::eth0:dhcp:1400": ["ip link set eth0 mtu 1400", *ETH0, "interface eth0", "nooption interface_mtu"],
    "ip=:::::eth0:dhcp:192.0.2.53": [*ETH0, "nameserver 192.0.2.53"],
    "ip=192.0.2.9::192.0.2.1:24::eth0:dhcp": [
        *ETH0,
        *(said("192.0.2.9::192.0.2.1:24::eth0:dhcp", number, value, "not used with dhcp")
          for number, value in ((1, "192.0.2.9"), (3, "192.0.2.1"), (4, "24")))],
    # BOOTIF
    "BOOTIF=01-52-54-00-12-34-57": [*ETH1, *ETH0],
    "BOOTIF=52-54-00-12-34-57": [*ETH1, *ETH0],
    "BOOTIF=52:54:00:12:34:57": [*ETH1, *ETH0],
    "BOOTIF=01:52:54:00:12:34:57": [*ETH1, *ETH0],
    "BOOTIF=06-52-54-00-12-34-57": [*ETH1, *ETH0],
    "BOOTIF=525400123457": [*ETH1, *ETH0],
    "BOOTIF=01-AA-bb-cc-dd-ee-ff": [*ALL, f"! BOOTIF=01-AA-bb-cc-dd-ee-ff: no interface has this MAC {THERE}"],
    "BOOTIF=eth0": [*ALL, "! BOOTIF=eth0: not a MAC address"],
    "ip=::::node9:BOOTIF:dhcp BOOTIF=01-52-54-00-12-34-57": [*NODE9, *ETH1, *NAMED],
    "ip=::::node9:BOOTIF BOOTIF=01-52-54-00-12-34-57": [*NODE9, *ETH1, *NAMED],
    "ip=BOOTIF:dhcp BOOTIF=01-52-54-00-12-34-57": ETH1,
    "ip=BOOTIF:dhcp": [*ALL, f"! ip: there is no interface BOOTIF {THERE}"],
    "ip=192.0.2.9:192.0.2.2:192.0.2.1:255.255.255.0 BOOTIF=01-52-54-00-12-34-57": [
        *(call.replace("eth0", "eth1") for call in STATIC), "denyinterfaces eth1"],
    # static
    "ip=192.0.2.9::192.0.2.1:255.255.255.0": [*STATIC, *DENY0],
    "ip=192.0.2.9": [*ADDRESS, *DENY0],
    "ip=192.0.2.9/24::192.0.2.1": [*STATIC, *DENY0],
    "ip=192.0.2.9:192.0.2.2:0.0.0.0:255.255.255.0": [*ADDRESS, *DENY0],
    LONG: [*NODE9, *STATIC, *NAMED, *DENY0],
    "ip=192.0.2.9::192.0.2.1:24:node9:52-54-00-12-34-56:none": [*NODE9, *STATIC, *NAMED, *DENY0],
    "ip=192.0.2.9::192.0.2.1:24::eno1:none": [*ALL, f"! ip: there is no interface eno1 {THERE}"],
    "ip=192.0.2.9::192.0.2.1:24::eth0:off ip=eth1:dhcp": [*STATIC, *ETH1, *DENY0],
    f"{LONG} ip=dhcp": [*NODE9, *STATIC, *ETH1, *NAMED, *DENY0],
    "ip=192.0.2.9:::24::eth0:none ip=eth0:either6": [*ADDRESS, ALL[1], "interface eth0", "noipv4"],
    f"{LONG}:1500:90:1b:0e:12:34:56": [
        *NODE9, "ip link set eth0 down", "ip link set eth0 address 90:1b:0e:12:34:56", "ip link set eth0 up",
        "ip link set eth0 mtu 1500", *STATIC, *NAMED, *DENY0],
    f"{LONG}::90:1b:0e:12:34:56": [
        *NODE9, "ip link set eth0 down", "ip link set eth0 address 90:1b:0e:12:34:56", "ip link set eth0 up",
        *STATIC, *NAMED, *DENY0],
    f"{LONG}:90:1b:0e:12:34:56": [
        *NODE9, "ip link set eth0 down", "ip link set eth0 address 90:1b:0e:12:34:56", "ip link set eth0 up",
        *STATIC, *NAMED, *DENY0],
    f"{LONG}::01:00:5e:00:00:01": [
        *NODE9, *STATIC, said(f"{LONG[3:]}::01:00:5e:00:00:01", 9, "01:00:5e:00:00:01",
                              "not a MAC that an interface can have"), *NAMED, *DENY0],
    f"{LONG}::90:1b": [
        *NODE9, *STATIC, *(said(f"{LONG[3:]}::90:1b", number, value, "neither a MAC nor an address")
                           for number, value in ((9, "90"), (10, "1b"))), *NAMED, *DENY0],
    f"{LONG}:90": [*NODE9, *STATIC, said(f"{LONG[3:]}:90", 8, "90", "neither an MTU (576 to 65535) nor an address"),
                   *NAMED, *DENY0],
    f"{LONG}:192.0.2.53:[2001:db8::53]:192.0.2.123": [
        *NODE9, *STATIC, said(f"{LONG[3:]}:192.0.2.53:[2001:db8::53]:192.0.2.123", 10, "192.0.2.123",
                              "time servers are not taken from here"),
        "nameserver 192.0.2.53", "nameserver 2001:db8::53", *NAMED, *DENY0],
    "ip=[2001:db8::9]::[2001:db8::1]:64::eth0:none": [
        *IPV6, "ip route replace default via 2001:db8::1 dev eth0", *DENY0],
    "ip=[2001:db8::9/64]:::::eth0:none": [*IPV6, *DENY0],
    "ip=[2001:db8::9]/64:::::eth0:none": [*IPV6, *DENY0],
    "ip=[2001:db8::9]:::64::eth0:none:1000": [
        *IPV6, said("[2001:db8::9]:::64::eth0:none:1000", 8, "1000", "neither an MTU (1280 to 65535) nor an address"),
        *DENY0],
    # gateways that are not on the link, and the peer
    "ip=198.51.100.91:10.255.255.1:10.255.255.1:32::eth0:none": [
        "ip address replace 198.51.100.91/32 dev eth0", "ip link set eth0 up",
        "ip route replace 10.255.255.1/32 dev eth0", "ip route replace default via 10.255.255.1 dev eth0", *DENY0],
    # what is malformed is said, and sets nothing else
    "ip=192.0.2.09::192.0.2.1:24::eth0:none": ignored(
        "192.0.2.09::192.0.2.1:24::eth0:none", 1, "192.0.2.09", "not an address"),
    "ip=192.0.2.256": ignored("192.0.2.256", 1, "192.0.2.256", "not an address"),
    "ip=2001:db8::9:::64::eth0:none": ignored("2001:db8::9:::64::eth0:none", 7, "64",
                                              "not a method (none, dhcp, dhcp6, auto6, …)"),
    "ip=192.0.2.9:::255.255.08.0::eth0:none": ignored(
        "192.0.2.9:::255.255.08.0::eth0:none", 4, "255.255.08.0", "not a netmask"),
    "ip=192.0.2.9:::255.0.255.0::eth0:none": ignored(
        "192.0.2.9:::255.0.255.0::eth0:none", 4, "255.0.255.0", "not a netmask"),
    "ip=192.0.2.9:::33::eth0:none": ignored("192.0.2.9:::33::eth0:none", 4, "33", "not a netmask"),
    "ip=192.0.2.9:::08::eth0:none": ignored("192.0.2.9:::08::eth0:none", 4, "08", "not a netmask"),
    "ip=192.0.2.9:::24::eth0:static6": ignored(
        "192.0.2.9:::24::eth0:static6", 7, "static6", "not a method (none, dhcp, dhcp6, auto6, …)"),
    "ip=192.0.2.9::2001:24::eth0:none": [
        *ADDRESS, said("192.0.2.9::2001:24::eth0:none", 3, "2001", "not an address like 192.0.2.9"), *DENY0],
    "ip=*:?::[a-z]": [*ALL, "! ip=*:?::[a-z]: a blank or a wildcard in ip: ignored"],
    # name servers
    "nameserver=192.0.2.77": [*ALL, "nameserver 192.0.2.77"],
    "nameserver=[2001:db8::53] nameserver=192.0.2.77": [*ALL, "nameserver 2001:db8::53", "nameserver 192.0.2.77"],
    "nameserver=192.0.2.077": [*ALL, "! nameserver=192.0.2.077: not an address"],
    # VLANs
    "vlan=vlan5:eth0 ip=dhcp4": [
        "ip link add link eth0 name vlan5 type vlan id 5", "ip link set vlan5 up", ALL[0], ALL[2]],
    "vlan=eth0.0100:eth0 ip=off": [
        "ip link add link eth0 name eth0.0100 type vlan id 100", "ip link set eth0.0100 up"],
    "vlan=vlan0008:BOOTIF ip=off BOOTIF=01-52-54-00-12-34-57": [
        "ip link add link eth1 name vlan0008 type vlan id 8", "ip link set vlan0008 up"],
    "vlan=vlan:eth0 ip=off": ["! vlan=vlan:eth0: \"\": not a VLAN's number (1 to 4094)"],
    "vlan=5:eth0 ip=off": ['! vlan=5:eth0: "5": not a name with the VLAN\'s number at its end'],
    "vlan=vlan4095:eth0 ip=off": ["! vlan=vlan4095:eth0: \"4095\": not a VLAN's number (1 to 4094)"],
    "vlan=vlan5:eth9 ip=off": [f"! vlan=vlan5:eth9: there is no interface eth9 {THERE}"],
    # the time
    "net_timeout=08 net": ALL,
    "net_timeout=0 net": ALL,
    "net_timeout=soon net": [*ALL, "! net_timeout=soon: not a number of seconds: 30 is used"],
}  # fmt: skip


@pytest.fixture
def node(node: Node) -> Node:
    node.interface("eth0", MAC0)
    node.interface("eth1", MAC1)
    return node


def without_raising(lines: list[str]) -> list[str]:
    """Without the calls that set up both interfaces, which come first."""
    for call in ("ip link set eth0 up", "ip link set eth1 up"):
        lines.remove(call)
    return lines


def test_each_form_does_what_it_says_and_what_is_not_done_is_said(node: Node) -> None:
    found = node.each(START, list(FORMS))
    assert len(FORMS) >= 60
    for form, lines in FORMS.items():
        assert without_raising(found[form].splitlines()) == lines, form


def test_nothing_of_a_form_is_run_or_expanded(node: Node) -> None:
    hostile = ["ip=$(touch${IFS}pwned)", "ip=`touch${IFS}pwned`:dhcp", "bond=$(touch${IFS}pwned)", "vlan=x;touch:eth0"]
    node.each(START, hostile)
    assert not (node.root / "pwned").exists()
