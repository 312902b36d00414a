"""How the preliminary init brings the network up, and what it tells the real system.

What each form of ip= and the others does is in test_ip_forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.lib.early import TABLE, Node


@pytest.mark.parametrize(
    ("bootif", "names", "boot"),
    [
        ("", ["eth0", "eth1", "eth2"], ""),
        ("01-52-54-00-00-00-02", ["eth1", "eth0", "eth2"], "eth1"),
        # no interface takes the place of one that is not there
        ("01-52-54-00-00-00-09", ["eth0", "eth1", "eth2"], ""),
    ],
)
def test_the_interfaces_are_the_hardware_and_the_one_booted_from_is_first(
    node: Node, bootif: str, names: list[str], boot: str
) -> None:
    for number in range(3):
        node.interface(f"eth{number}", f"52:54:00:00:00:0{number + 1}")
    node.interface("lo", "00:00:00:00:00:00", real=False)
    script = """
    p_BOOTIF=$1 p_bond= p_vlan= boot_interface=
    boot_address=$(boot_mac)
    find_interfaces
    find_boot_interface
    echo $hardware "|" $boot_interface
    """
    assert node.run(script, bootif).split() == [*names, "|", *([boot] if boot else [])]


def test_without_interfaces_there_are_none(node: Node) -> None:
    assert node.run('p_bond= p_vlan= boot_address=; find_interfaces; echo "$all"') == "\n"


# Time goes by as it is slept: half a second at a time. The servers answer as the script has it.
CLOCK = """
usleep() {
    read -r now _ <"$ROOT/proc/uptime"
    fraction=${now#*.}
    if [ "$fraction" = 00 ]; then now=${now%.*}.50; else now=$((${now%.*} + 1)).00; fi
    echo "$now 0" >"$ROOT/proc/uptime"
    happen "$now"
}
happen() { :; }
lease() { mkdir -p "$ROOT/run/alchemy/net" "$ROOT/run/alchemy/done4"; echo 192.0.2.9 >"$ROOT/run/alchemy/net/$1"
    : >"$ROOT/run/alchemy/done4/$1"; }
udhcpc() { :; }
chroot() { :; }
"""


def start(node: Node, cmdline: str, script: str = "") -> float:
    """Starts the network; the seconds that it takes."""
    node.write("proc/uptime", "12.00 0\n")
    node.write("new/sbin/dhcpcd", "")
    for folder in node.root.glob("sys/class/net/*"):
        (folder / "type").write_text("1\n", encoding="utf-8")
    if not (node.root / "new/etc/dhcpcd.conf").exists():
        node.write("new/etc/dhcpcd.conf", "")
    node.run(f'{CLOCK} {script}\nparse_cmdline "{TABLE}" "{cmdline}"; settle_parameters; start_network')
    return float(node.read("proc/uptime").split()[0]) - 12


def test_a_member_of_a_bond_is_not_asked(node: Node) -> None:
    node.interface("eth0")
    node.interface("bond0", real=False)
    node.write("sys/class/net/bond0/bonding/miimon", "100\n")
    (node.root / "sys/class/net/eth0/master").symlink_to("../bond0")
    start(node, "bond=bond0:eth0", 'ask_for_ipv4() { echo "ask $1" >>"$ROOT/calls"; lease "$1"; }')
    assert [call for call in node.calls if call.startswith("ask")] == ["ask bond0"]
    assert node.read("new/etc/dhcpcd.conf") == "denyinterfaces eth0\n"


# the seconds until a lease, by interface, None being never; the line, the links that are there → how long it takes
WAITS: Mapping[str, tuple[str, dict[str, float | None], str, float, list[str]]] = {
    "a slow server": ("net", {"eth0": 20}, "1", 20, ["eth0 has 192.0.2.9"]),
    "a slow server behind BOOTIF": ("BOOTIF=01-52-54-00-00-00-00", {"eth0": 20}, "1", 20, ["eth0 has 192.0.2.9"]),
    "a server slower than the time": (
        "net net_timeout=15", {"eth0": 20}, "1", 15, ["eth0 has a link, but got no lease within 15 s"]),
    "a long time": ("net net_timeout=60", {"eth0": 48}, "1", 48, ["eth0 has 192.0.2.9"]),
    "no time": ("net net_timeout=0", {"eth0": 1}, "1", 0, ["eth0 has a link, but got no lease within 0 s"]),
    "no link on the second": ("net", {"eth0": 1, "eth1": None}, "10", 1, ["eth0 has 192.0.2.9", "eth1 has no link"]),
    "no answer on the second": (
        "net", {"eth0": 1, "eth1": None}, "11", 3,
        ["eth0 has 192.0.2.9", "eth1 has a link, but got no lease within 3 s"]),
    "BOOTIF's lease in hand": (
        "BOOTIF=01-52-54-00-00-00-01", {"eth1": 1, "eth0": None}, "11", 1,
        ["eth1 has 192.0.2.9", "eth0 has a link, but got no lease within 1 s"]),
    "BOOTIF's switch port is slow": (
        "BOOTIF=01-52-54-00-00-00-01", {"eth1": 20, "eth0": 1}, "11", 20, ["eth1 has 192.0.2.9", "eth0 has 192.0.2.9"]),
    "BOOTIF without a link": (
        "BOOTIF=01-52-54-00-00-00-01", {"eth1": None, "eth0": 1}, "10", 3, ["eth1 has no link", "eth0 has 192.0.2.9"]),
    "BOOTIF of no interface": (
        "BOOTIF=01-52-54-00-00-00-09", {"eth0": 1, "eth1": None}, "10", 1, ["eth0 has 192.0.2.9", "eth1 has no link"]),
    "one that is not asked": (
        "ip=eth1:dhcp", {"eth0": None, "eth1": 1}, "11", 1, ["eth0 is not asked for a lease", "eth1 has 192.0.2.9"]),
    "addresses by hand": (
        "ip=192.0.2.7:::::eth0:none", {"eth0": None, "eth1": None}, "11", 0,
        ["eth0 has 192.0.2.7", "eth1 is not asked for a lease"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WAITS)
def test_the_time_taken(node: Node, case: str) -> None:
    cmdline, leases, links, seconds, report = WAITS[case]
    for number, carrier in zip(range(len(leases)), links, strict=True):
        node.interface(f"eth{number}", f"52:54:00:00:00:0{number}", carrier=carrier)
    happen = "".join(f"{12 + at}.00) lease {name} ;; " for name, at in leases.items() if at is not None)
    assert start(node, cmdline, f"happen() {{ case $1 in {happen or 'x) ;;'} esac; }}") == seconds
    assert [line.removeprefix("net: ") for line in node.said if line.startswith("net: eth")] == report


def test_a_link_that_drops_with_the_lease_is_not_waited_for(node: Node) -> None:
    """Some drivers reset the hardware to set the MTU of a lease."""
    node.interface("eth0")
    dropping = 'happen() { case $1 in 13.00) lease eth0; echo 0 >"$ROOT/sys/class/net/eth0/carrier" ;; esac; }'
    assert start(node, "net", dropping) == 1
    assert node.said == ["net: eth0 has 192.0.2.9"]


def test_28_interfaces_are_all_asked_and_one_lease_ends_the_wait(node: Node) -> None:
    names = [f"eth{number}" for number in range(28)]
    for number, name in enumerate(names):
        node.interface(name, f"52:54:00:00:00:{number:02x}")
    script = """
    ask_for_ipv4() { echo "ask $1" >>"$ROOT/calls"; }
    happen() { case $1 in 13.00) lease eth27 ;; esac; }
    """
    assert start(node, "net", script) == 3
    assert sorted(call for call in node.calls if call.startswith("ask")) == sorted(f"ask {name}" for name in names)
    silent = (f"net: {name} has a link, but got no lease within 3 s" for name in names[:-1])
    assert sorted(node.said) == sorted(["net: eth27 has 192.0.2.9", *silent])


def test_an_interface_that_comes_late_is_asked(node: Node) -> None:
    late = """
    happen() {
        case $1 in 17.00)
            mkdir -p "$ROOT/sys/class/net/eth0/device"
            echo 52:54:00:00:00:01 >"$ROOT/sys/class/net/eth0/address"
            echo 1 | tee "$ROOT/sys/class/net/eth0/type" >"$ROOT/sys/class/net/eth0/carrier" ;;
        esac
    }
    ask_for_ipv4() { lease "$1"; }
    """
    assert start(node, "net", late) == 5
    assert node.said[0] == "net: there is no network interface"
    assert node.said[-1] == "net: eth0 has 192.0.2.9"


def test_ipv6_alone_is_enough(node: Node) -> None:
    node.interface("eth0")
    node.write("new/etc/dhcpcd.conf", "duid ll\n")
    advert = """
    happen() { case $1 in 14.00)
        mkdir -p "$ROOT/run/alchemy/net6" "$ROOT/run/alchemy/done6" "$ROOT/run/alchemy/dns"
        echo 2001:db8::9 >"$ROOT/run/alchemy/net6/eth0"; : >"$ROOT/run/alchemy/done6/eth0"
        echo nameserver 2001:db8::53 >"$ROOT/run/alchemy/dns/ra.eth0" ;; esac; }
    """
    # IPv4 gets its grace, where it is asked for at all
    assert start(node, "net", advert) == 4
    assert node.said[-1] == "net: eth0 has 2001:db8::9"
    assert node.read("new/etc/resolv.conf") == "nameserver 2001:db8::53\n"


def test_ipv6_is_asked_by_the_identifiers_of_the_real_system(node: Node) -> None:
    node.interface("eth0", "52:54:00:00:00:01")
    node.write("new/etc/dhcpcd.conf", "duid ll\n")
    start(node, "ip=eth0:dhcp6 net_timeout=1", 'chroot() { echo "chroot $*" >>"$ROOT/calls"; }')
    assert node.read("new/var/lib/dhcpcd/duid") == "00:03:00:01:52:54:00:00:00:01\n"
    assert node.calls[-1] == (
        f"chroot {node.root}/new /sbin/dhcpcd -B -f /run/alchemy/dhcpcd/eth0.conf -c /run/alchemy/dhcpcd/hook eth0"
    )
    assert node.read("run/alchemy/dhcpcd/eth0.conf") == "duid ll\nipv6only\nnodelay\npersistent\nia_na\n"
    assert (node.root / "run/alchemy/dhcpcd/hook").stat().st_mode & 0o777 == 0o755
    assert node.read("new/etc/dhcpcd.conf") == "duid ll\ninterface eth0\nia_na\n"


def test_routers_are_looked_for_again_until_there_is_one(node: Node) -> None:
    node.run('now=30 solicited=" eth0:77:10 eth1:78:20"; solicit_again; echo "$solicited"')
    assert node.calls == ["kill -HUP 77"]
    (node.root / "run/alchemy/router6").mkdir()
    node.write("run/alchemy/router6/eth0", "")
    assert node.run('now=50 solicited=" eth0:77:10"; solicit_again; echo "$solicited"') == "\n"


ROUTES: Mapping[str, tuple[str, list[str], list[str]]] = {
    "on the link": (":", ["ip route replace default via 192.0.2.1 dev eth0"], []),
    "not on the link": (
        "! grep -q 192.0.2.1/32 calls",
        [
            "ip route replace default via 192.0.2.1 dev eth0",
            "ip route replace 192.0.2.1/32 dev eth0",
            "ip route replace default via 192.0.2.1 dev eth0",
        ],
        [],
    ),
    "impossible": (
        "true",
        ["ip route replace default via 192.0.2.1 dev eth0", "ip route replace 192.0.2.1/32 dev eth0"],
        ["route to default via 192.0.2.1 on eth0: cannot be set: Network is down"],
    ),
}


@pytest.mark.parametrize("case", ROUTES)
def test_a_gateway_that_is_not_on_the_link_is_put_there_and_a_failure_is_said(node: Node, case: str) -> None:
    fails, calls, said = ROUTES[case]
    condition = {"on the link": "return 0", "impossible": "true"}.get(case, fails)
    script = f"""
    cd "$ROOT"
    ip() {{
        echo "ip $*" >>calls
        if {condition}; then echo 'ip: RTNETLINK answers: Network is down'; return 2; fi
    }}
    add_route default 192.0.2.1 eth0 || :
    """
    node.run(script)
    assert (node.calls, node.said) == (calls, said)


def test_what_became_of_each_interface_is_said(node: Node) -> None:
    for number, carrier in enumerate("1101"):
        node.interface(f"eth{number}", carrier=carrier)
    node.write("run/alchemy/net/eth0", "192.0.2.9\n")
    (node.root / "sys/class/net/bond0").mkdir()
    (node.root / "sys/class/net/eth3/master").symlink_to("../bond0")
    node.run("all='eth0 eth1 eth2 eth3' asked4=' eth1 eth2 ' asked6= waited=7; report_network")
    assert node.said == [
        "net: eth0 has 192.0.2.9",
        "net: eth1 has a link, but got no lease within 7 s",
        "net: eth2 has no link",
        "net: eth3 belongs to bond0",
    ]


CARRY = "all=eth0 static= left_alone= asked4=' ' asked6=' ' asking= user_name= user_servers="


def test_the_real_system_gets_the_resolver_and_leaves_alone_what_is_static(node: Node) -> None:
    node.interface("eth0")
    node.write("etc/resolv.conf", "nameserver 192.0.2.53\n")
    node.write("new/etc/dhcpcd.conf", "duid\n")
    node.run(f"{CARRY} static=' eth0' user_servers=' 192.0.2.53'; carry_network_over")
    assert node.read("new/etc/resolv.conf") == "nameserver 192.0.2.53\n"
    # dhcpcd's resolv.conf begins with it
    assert node.read("new/etc/resolv.conf.head") == "nameserver 192.0.2.53\n"
    assert node.read("new/etc/dhcpcd.conf") == "duid\ndenyinterfaces eth0\n"


def test_the_real_system_is_left_alone_where_there_is_nothing_to_tell(node: Node) -> None:
    node.interface("eth0")
    node.write("new/etc/dhcpcd.conf", "duid\n")
    node.run(f"{CARRY}; carry_network_over")
    assert node.read("new/etc/dhcpcd.conf") == "duid\n"
    assert not (node.root / "new/etc/resolv.conf").exists()
    assert not (node.root / "new/etc/resolv.conf.head").exists()


def test_the_resolver_asks_first_what_the_command_line_names_and_takes_no_injected_line(node: Node) -> None:
    node.write("run/alchemy/dns/dhcp.eth0", "search x\nnameserver 6.6.6.6\nsearch a_b\nsearch a;b\nnameserver x\n")
    node.write("run/alchemy/dns/ra.eth0", "nameserver fe80::1%eth0\noptions ndots:15\nnameserver 6.6.6.6\n")
    node.write("run/alchemy/dns/dhcp.eth1", "".join(f"nameserver 192.0.2.{number}\n" for number in range(9)))
    node.run("user_servers=' 192.0.2.77'; write_resolver eth0 eth1")
    servers = ["192.0.2.77", "6.6.6.6", "fe80::1%eth0", "192.0.2.0", "192.0.2.1", "192.0.2.2"]
    assert node.lines("etc/resolv.conf") == ["search x", *(f"nameserver {server}" for server in servers)]
    assert node.said == [
        "search domain a_b: not a domain name",
        "search domain a;b: not a domain name",
        "name server x: not an address",
    ]


def test_a_name_of_the_node_is_that_of_the_real_system_too(node: Node) -> None:
    node.run("set_hostname node9")
    assert (node.calls, node.read("new/etc/hostname")) == (["hostname node9"], "node9\n")


def test_a_bad_name_of_the_node_is_said(node: Node) -> None:
    node.run("set_hostname -x || :; hostname() { return 1; }; set_hostname x || :")
    assert node.said == ["hostname: -x: not a host name", "hostname: x: not a host name"]
    assert not (node.root / "new/etc/hostname").exists()


def test_the_name_of_a_dhcp_server_counts_where_the_command_line_has_none(node: Node) -> None:
    node.run("offer_hostname node7.example.org; offer_hostname node8")
    assert (node.calls, node.read("new/etc/hostname")) == (["hostname node7"], "node7\n")


def test_a_dhcp_server_does_not_rename_what_the_command_line_named(node: Node) -> None:
    node.interface("eth0")
    start(node, "hostname=node9", "ask_for_ipv4() { offer_hostname node7; lease eth0; }")
    assert [call for call in node.calls if call.startswith("hostname")] == ["hostname node9"]
    assert node.read("new/etc/dhcpcd.conf") == "hostname_short\nnohook hostname\n"


def test_a_hostile_name_of_a_dhcp_server_is_refused(node: Node) -> None:
    node.run("offer_hostname 'a;reboot' || :; offer_hostname \"$(printf 'x\\ny')\" || :")
    assert node.said == ["hostname: a;reboot: not a host name", "hostname: x?y: not a host name"]
    assert node.calls == []


def test_the_network_is_up_when_every_interface_is_done(node: Node) -> None:
    node.interface("eth0")
    node.interface("eth1", "52:54:00:00:00:02", carrier="0")
    assert start(node, "net nameserver=192.0.2.53", "ask_for_ipv4() { lease $1; }") == 0
    assert node.said == ["net: eth0 has 192.0.2.9", "net: eth1 has no link"]
    assert node.read("new/etc/resolv.conf") == "nameserver 192.0.2.53\n"
    assert node.calls == ["ip link set eth0 up", "ip link set eth1 up"]


def test_a_node_without_a_network_interface_says_so(node: Node) -> None:
    # one may come
    assert start(node, "net net_timeout=7") == 7
    assert node.said == ["net: there is no network interface"]


def test_a_link_is_waited_for_until_the_time_is_up(node: Node) -> None:
    node.interface("eth0", carrier="0")
    assert start(node, "net net_timeout=8", "udhcpc() { echo asked >>calls; }") == 8
    assert node.calls == ["ip link set eth0 up"]


def test_a_lease_is_asked_for_until_there_is_one(node: Node) -> None:
    node.interface("eth0")
    start(node, "net net_timeout=1", 'udhcpc() { echo "udhcpc $*" >>"$ROOT/calls"; }')
    (call,) = [call for call in node.calls if call.startswith("udhcpc")]
    assert call.startswith("udhcpc -i eth0 -s /lib/alchemy/udhcpc -f -q -t 2 -T 1 ")
    # neither -n nor -b: it goes on until it is ended
    assert not re.search(r" -[nb]\b", call)
    assert node.said[-1] == "net: eth0 has a link, but got no lease within 1 s"
