"""The network as servers, switches and machines in the field have it: a boot ends as soon as it has shown its case."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alchemy.context import Context
from tests.boot import dhcp, guest
from tests.lib import tables

MAC = "52:54:00:12:34:56"
BOOTIF = "BOOTIF=01-52-54-00-12-34-56"
KEYS = "ssh_keys_url=http://192.0.2.1:8000/keys"
ADDED = "ssh_keys_url: 1 keys added"
PLAIN = {"1": "ffffff00", "3": "c0000201", "51": "00000e10"}
DUMP = "ip addr show dev eth0; ip route; ip -6 route; cat /etc/resolv.conf; hostname; echo shown"


@pytest.fixture
def web(tmp_path: Path, key: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    return folder


@contextmanager
def booted(
    image: Context, key: Path, log: Path, lan: dhcp.Network, cmdline: str, *extra: str, plugged: bool = True
) -> Iterator[guest.Guest]:
    """A guest on the namespace's tap, loaded by QEMU itself."""
    devices = lan.device(MAC) if plugged else lan.device(MAC)[:2]
    with guest.boot(
        image, log, key, cmdline, network=False, prefix=lan.prefix, extra=[*devices, *extra]
    ) as node:  # fmt: skip
        yield node


SLOW = {"net": ("net", 20), "BOOTIF": (BOOTIF, 20), "net_timeout": ("net net_timeout=60", 45)}


@pytest.mark.parametrize(("cmdline", "silent"), tables.rows(SLOW, "net"))
def test_a_slow_switch_port_or_server_gives_its_lease_within_the_time(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path, cmdline: str, silent: float
) -> None:
    lease = dhcp.Lease("192.0.2.9", "192.0.2.1", PLAIN, silent)
    with (
        dhcp.network(tmp_path, ["192.0.2.1/24"], lease=lease, web=web) as lan,
        booted(image, key, console_log, lan, f"{cmdline} {KEYS}") as node,
    ):
        node.expect(r"net: eth0 has 192\.0\.2\.9")
        node.expect(ADDED)


UNREACHABLE = {
    "lease": "net",
    "netmask": "ip=198.51.100.91::10.255.255.1:255.255.255.255:node9:eth0:none",
    "peer": "ip=198.51.100.91:10.255.255.1:10.255.255.1:32:node9:eth0:none",
}


@pytest.mark.parametrize("cmdline", tables.rows(UNREACHABLE, "lease"))
def test_a_gateway_that_is_not_on_the_link(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path, cmdline: str
) -> None:
    lease = dhcp.Lease("198.51.100.91", "10.255.255.1", {"1": "ffffffff", "3": "0affff01", "51": "00000e10"})
    with (
        dhcp.network(
            tmp_path, ["10.255.255.1/32", "203.0.113.5/32"], ["198.51.100.91/32"], lease=lease, web=web
        ) as lan,
        booted(image, key, console_log, lan, f"{cmdline} ssh_keys_url=http://203.0.113.5:8000/keys") as node,
    ):
        node.expect(ADDED)


@pytest.mark.exhaustive
def test_option_121_has_its_gateways_after_the_routes_through_them(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path
) -> None:
    # 0.0.0.0/0 by 10.255.255.1, and that one is on the link
    routes = "00" + "0affff01" + "20" + "0affff01" + "00000000"
    lease = dhcp.Lease("198.51.100.91", "10.255.255.1", {"1": "ffffffff", "51": "00000e10", "121": routes})
    with (
        dhcp.network(
            tmp_path, ["10.255.255.1/32", "203.0.113.5/32"], ["198.51.100.91/32"], lease=lease, web=web
        ) as lan,
        booted(image, key, console_log, lan, "net ssh_keys_url=http://203.0.113.5:8000/keys") as node,
    ):
        node.expect(ADDED)


def test_the_dhcp_servers_name_is_the_nodes_and_none_of_ours_is_asked_for(
    image: Context, key: Path, tmp_path: Path, console_log: Path
) -> None:
    lease = dhcp.Lease("192.0.2.9", "192.0.2.1", {**PLAIN, "12": b"node7".hex(), "15": b"example.com".hex()})
    with (
        dhcp.network(tmp_path, ["192.0.2.1/24"], lease=lease) as lan,
        booted(image, key, console_log, lan, "net") as node,
    ):
        node.expect("node7 login:")
        # two packets of udhcpc, and then those of the real system's dhcpcd
        guest.wait_for(lambda: len(lan.log.read_text(encoding="utf-8").splitlines()) >= 4, "request of dhcpcd")
        answers = set(lan.log.read_text(encoding="utf-8").splitlines())
    assert answers == {"answered "}


# As servers in the field send them: names with a NUL at their end, four name servers, a search list whose second name
# ends in a pointer to the first one's `example.com` (RFC 1035, 4.1.4; RFC 3397), a time server.
FIELD = {
    **PLAIN,
    "6": "".join(f"c00002{number:02x}" for number in (51, 52, 53, 54)),
    "12": b"node7\0".hex(),
    "15": b"example.com\0".hex(),
    "42": f"c00002{123:02x}",
    "119": (b"\3eng\7example\3com\0" + b"\3lab\xc0\4").hex(),
}
# the system's resolver before dhcpcd has a lease, and with it
RESOLVERS = """\
echo early; cat /etc/resolv.conf
until pgrep -f "ntpd .*-p 192.0.2.123"; do sleep 1; done
echo late; cat /etc/resolv.conf; hostname
"""


@pytest.mark.exhaustive
def test_names_with_a_nul_four_name_servers_a_compressed_search_list_and_a_time_server(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path
) -> None:
    (web / "command").write_text(RESOLVERS, encoding="ascii")
    with (
        dhcp.network(tmp_path, ["192.0.2.1/24"], lease=dhcp.Lease("192.0.2.9", "192.0.2.1", FIELD), web=web) as lan,
        booted(image, key, console_log, lan, "net command_url=http://192.0.2.1:8000/command") as node,
    ):
        for time_of_boot in ("early", "late"):
            node.expect(time_of_boot)
            node.expect(r"search eng\.example\.com lab\.example\.com\s")
            for number in (51, 52, 53, 54):
                node.expect(rf"nameserver 192\.0\.2\.{number}\s")
        node.expect(r"node7\s")


@pytest.mark.exhaustive
def test_a_driver_that_drops_its_link_for_the_mtu_of_a_lease(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path
) -> None:
    lease = dhcp.Lease("192.0.2.9", "192.0.2.1", {**PLAIN, "26": f"{9000:04x}"})
    device = ["-device", f"e1000e,netdev=lan,mac={MAC},romfile="]
    with (
        dhcp.network(tmp_path, ["192.0.2.1/24"], lease=lease, web=web) as lan,
        booted(image, key, console_log, lan, f"net {KEYS} real_init=/bin/bash", *device, plugged=False) as node,
    ):
        node.expect(r"net: eth0 has 192\.0\.2\.9")
        node.expect(ADDED)
        node.expect(guest.HAND_OVER)
        node.type("dmesg | grep -c 'eth0.* Link is Up'; " + DUMP)
        node.expect(r"\s[2-9]\s")
        node.expect(r"eth0: .* mtu 9000 .* state UP")
        node.expect(r"default via 192\.0\.2\.1 dev eth0")


def test_a_usb_interface(image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path) -> None:
    device = ["-device", "qemu-xhci", "-device", f"usb-net,netdev=lan,mac={MAC}"]
    with (
        dhcp.network(tmp_path, ["192.0.2.1/24"], lease=dhcp.Lease("192.0.2.9", "192.0.2.1", PLAIN), web=web) as lan,
        booted(image, key, console_log, lan, f"net {KEYS}", *device, plugged=False) as node,
    ):
        node.expect(r"net: (eth|usb)0 has 192\.0\.2\.9")
        node.expect(ADDED)


@pytest.mark.exhaustive
def test_28_interfaces_of_which_one_has_a_server(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path
) -> None:
    others = [
        word
        for number in range(1, 28)
        for word in (
            "-netdev", f"hubport,id=n{number},hubid={number}", "-device", f"virtio-net-pci,netdev=n{number},romfile=",
        )
    ]  # fmt: skip
    with (
        dhcp.network(tmp_path, ["192.0.2.1/24"], lease=dhcp.Lease("192.0.2.9", "192.0.2.1", PLAIN), web=web) as lan,
        booted(image, key, console_log, lan, f"net {KEYS}", *others) as node,
    ):
        node.expect(r"net: eth0 has 192\.0\.2\.9")
        node.expect(ADDED)
        node.expect(guest.HAND_OVER)
    assert console_log.read_text().count("has a link, but got no lease within ") == 27


def test_the_interfaces_follow_their_pci_addresses_whatever_their_drivers(
    image: Context, key: Path, console_log: Path
) -> None:
    devices = [
        word
        for slot, model in enumerate(("virtio-net-pci", "e1000e", "virtio-net-pci", "e1000e"), start=0x10)
        for word in (
            "-netdev", f"hubport,id=n{slot},hubid={slot}", "-device", f"{model},netdev=n{slot},addr={slot:#x},romfile=",
        )
    ]  # fmt: skip
    with guest.boot(image, console_log, key, "shell", network=False, extra=devices) as node:
        node.expect(guest.PROMPT)
        node.type("for name in eth0 eth1 eth2 eth3; do readlink -f /sys/class/net/$name/device; done; echo shown")
        node.expect(r"\nshown\r")
    found = re.findall(
        r"^/sys/devices/pci0000:00/0000:00:([0-9a-f]{2})\.0(/virtio\d)?\s*$", console_log.read_text(), re.M
    )
    assert [(slot, bool(virtio)) for slot, virtio in found] == [
        ("10", True),
        ("11", False),
        ("12", True),
        ("13", False),
    ]


ADVERTISED = (
    "port=53\nenable-ra\ndhcp-option=option6:dns-server,[2001:db8:5::1]\nhost-record=web.lab.example,2001:db8:5::1"
)
RANGES = {
    "DHCPv6": "dhcp-range=2001:db8:5::100,2001:db8:5::1ff,64,1h",
    "router advertisements": "dhcp-range=2001:db8:5::,ra-only,64",
}


@pytest.mark.parametrize("kind", tables.rows(list(RANGES), "DHCPv6"))
def test_ipv6_alone_has_one_address_and_its_name_servers(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path, kind: str
) -> None:
    with (
        dhcp.network(tmp_path, ["2001:db8:5::1/64"], dnsmasq=f"{ADVERTISED}\n{RANGES[kind]}", web=web) as lan,
        booted(image, key, console_log, lan, "net ssh_keys_url=http://web.lab.example:8000/keys real_init=/bin/bash")
        as node,
    ):  # fmt: skip
        address = node.expect(r"net: eth0 has (2001:db8:5:\S+)\s")[1]
        node.expect(ADDED)
        node.expect(guest.HAND_OVER)
        node.type("/sbin/dhcpcd -w -t 20 eth0 >/dev/null 2>&1; " + DUMP)
        node.expect(rf"inet6 {address}/")
        node.expect("nameserver 2001:db8:5::1")
        node.expect("shown")
    assert f"inet6 {address}" in console_log.read_text()


@pytest.mark.exhaustive
def test_a_url_may_have_an_ipv6_literal_and_a_command_no_shebang(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path
) -> None:
    (web / "command").write_text("echo gold by $((6 * 7))\n", encoding="ascii")
    url = "http://[2001:db8:5::1]:8000"
    advertised = f"port=0\nenable-ra\n{RANGES['router advertisements']}"
    with (
        dhcp.network(tmp_path, ["2001:db8:5::1/64"], dnsmasq=advertised, web=web) as lan,
        booted(image, key, console_log, lan, f"net ssh_keys_url={url}/keys command_url={url}/command") as node,
    ):
        node.expect(ADDED)
        node.expect("gold by 42")
        node.expect("command_url: ended with status 0")


def test_an_interface_that_is_plugged_in_during_the_boot_is_asked(
    image: Context, key: Path, tmp_path: Path, web: Path, console_log: Path
) -> None:
    port = ["-device", "pcie-root-port,id=port1,chassis=1"]
    with (
        dhcp.network(tmp_path, ["192.0.2.1/24"], lease=dhcp.Lease("192.0.2.9", "192.0.2.1", PLAIN), web=web) as lan,
        booted(image, key, console_log, lan, f"net {KEYS}", *port, plugged=False) as node,
    ):
        node.expect("there is no network interface")
        time.sleep(1.5)
        node.monitor(f"device_add virtio-net-pci,netdev=lan,mac={MAC},romfile=,bus=port1")
        node.expect(r"net: eth0 has 192\.0\.2\.9")
        node.expect(ADDED)


SECOND = ["-netdev", "hubport,id=second,hubid=9", "-device", "virtio-net-pci,netdev=second,id=second,romfile="]


SECONDS = {
    f"{cmdline} {link}": (cmdline, link)
    for cmdline in ("net", BOOTIF, "BOOTIF=01-aa-bb-cc-dd-ee-ff")
    for link in ("on", "off")
}


@pytest.mark.parametrize(("cmdline", "link"), tables.rows(SECONDS, "net off", f"{BOOTIF} on"))
def test_a_second_interface_without_a_link_or_a_server_is_not_waited_for(
    image: Context, key: Path, tmp_path: Path, console_log: Path, cmdline: str, link: str
) -> None:
    lease = dhcp.Lease("192.0.2.9", "192.0.2.1", PLAIN)
    with dhcp.network(tmp_path, ["192.0.2.1/24"], lease=lease) as lan:
        # QEMU's second device is the first one's neighbour on the bus, so that it is eth1
        devices = [*lan.device(MAC), *SECOND]
        monitor = f"set_link second {link}"
        with guest.boot(
            image, console_log, key, cmdline, network=False, prefix=lan.prefix, extra=devices, monitor=monitor
        ) as node:  # fmt: skip
            start = float(node.expect(r"\[ *([\d.]+)\] alchemy: net: eth0 has 192\.0\.2\.9")[1])
            problem = r"has no link" if link == "off" else r"has a link, but got no lease within \d s"
            node.expect(rf"net: eth1 {problem}")
            node.expect(guest.HAND_OVER)
    assert start < 30
