"""How the preliminary init reads the kernel command line."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from alchemy import parameters
from tests.unit.node import TABLE, Node

PARSE = f"""
say() {{ printf '%s\\n' "! $1"; }}
parse_cmdline "{TABLE}" "$case"
for name in {" ".join(parameter.name for parameter in parameters.read(TABLE))}; do
    eval "value=\\$p_$name has=\\$has_$name"
    [ -z "$has" ] || printf '%s\\n' "$name=$value"
done
"""

CMDLINES: Mapping[str, list[str]] = {
    "": [],
    "   ": [],
    "net": ["net=yes"],
    "quiet net  shell\tssh lldpd init_debug": ["net=yes", "ssh=yes", "lldpd=yes", "shell=yes", "init_debug=yes"],
    "net\n": ["net=yes"],
    "net_timeout=5": ["net_timeout=5"],
    "net_timeout=5 net_timeout=7": ["net_timeout=7"],
    "real_init=": ["real_init="],
    "real_init=/bin/bash": ["real_init=/bin/bash"],
    "real_init=/bin/a=b": ["real_init=/bin/a=b"],
    "ip=dhcp ip=eth1:dhcp": ["ip=dhcp eth1:dhcp"],
    "ip=[2001:db8::9]::[2001:db8::1]:64::eth0:none": ["ip=[2001:db8::9]::[2001:db8::1]:64::eth0:none"],
    "bond=bond0:eth0,eth1:mode=active-backup,miimon=50": ["bond=bond0:eth0,eth1:mode=active-backup,miimon=50"],
    "BOOTIF=01-52-54-00-12-34-56": ["BOOTIF=01-52-54-00-12-34-56"],
    "ssh_keys_url=http://h/?a=b&c=*;d#e%20f": ["ssh_keys_url=http://h/?a=b&c=*;d#e%20f"],
    # those of others
    "BOOT_IMAGE=alchemy.img initrd=alchemy.ramfs quiet ro rw root=/dev/sda1 console=tty0 console=ttyS0,115200n8": [],
    "nomodeset debug splash loglevel=7 panic=10 mem=2G maxcpus=1 init=/bin/sh nosmt acpi=off pci=noaer iommu=pt": [],
    "net.ifnames=0 biosdevname=0 vga=normal nfsroot=/x rd.debug edd=off usb-storage.quirks=a mce=off hpet=force": [],
    "* /* ?": [],
    "-- - -v -f": [],
    # what a letter or two are wrong with
    "shel": ["! unknown parameter shel: did you mean shell?"],
    "Net": ["! unknown parameter Net: did you mean net?"],
    "sshkeys_url=x": ["! unknown parameter sshkeys_url: did you mean ssh_keys_url?"],
    "real-init=/bin/sh": ["! unknown parameter real-init: did you mean real_init?"],
    "comand_url=x": ["! unknown parameter comand_url: did you mean command_url?"],
    "hostnmae=x": ["! unknown parameter hostnmae: did you mean hostname?"],
    # a flag with a value, and the other way round
    "net=yes": ["! net=yes: net takes no value: ignored"],
    "real_init": ["! real_init: needs a value: ignored"],
    # nothing is run
    "ssh_keys_url=$(touch${IFS}pwned)`touch${IFS}pwned`": ["ssh_keys_url=$(touch${IFS}pwned)`touch${IFS}pwned`"],
    "hostname='a\"b\\c": ["hostname='a\"b\\c"],
    "$(touch${IFS}pwned)=x net;touch=x net|x=y p_net=x": [],
    "PATH=/evil IFS=x ROOT=/evil early=/evil": [],
}


def test_the_command_line_is_read(node: Node) -> None:
    found = node.each(PARSE, list(CMDLINES))
    assert {line: printed.splitlines() for line, printed in found.items()} == CMDLINES
    assert not (node.root / "pwned").exists()


def test_a_parameter_is_forgotten_by_the_next_command_line(node: Node) -> None:
    script = f'parse_cmdline "{TABLE}" "net real_init=x"; parse_cmdline "{TABLE}" ""; echo "$p_net$p_real_init$has_net"'
    assert node.run(script) == "\n"


SETTLED: Mapping[str, str] = {
    "": "net= timeout=30 later=31 init=/sbin/init",
    "net": "net=yes timeout=30 later=31 init=/sbin/init",
    "net_timeout=5": "net= timeout=5 later=6 init=/sbin/init",
    "net_timeout=0": "net= timeout=0 later=1 init=/sbin/init",
    "net_timeout=": "net= timeout=30 later=31 init=/sbin/init",
    "real_init=": "net= timeout=30 later=31 init=",
    "real_init=/bin/sh": "net= timeout=30 later=31 init=/bin/sh",
    "shell init_debug": "net= timeout=30 later=31 init=/sbin/init",
    **dict.fromkeys(
        (
            "ip=dhcp",
            "nameserver=192.0.2.1",
            "vlan=eth0.5:eth0",
            "bond=bond0",
            "hostname=node9",
            "BOOTIF=01-52-54-00-12-34-56",
            "ssh",
            "lldpd",
            "ssh_keys_url=http://192.0.2.1/keys",
            "command_url=http://192.0.2.1/command",
        ),
        "net=yes timeout=30 later=31 init=/sbin/init",
    ),
}


def test_what_follows_from_the_command_line(node: Node) -> None:
    script = f"""
    parse_cmdline "{TABLE}" "$case"; settle_parameters
    echo "net=$p_net timeout=$p_net_timeout later=$((1 + p_net_timeout)) init=$p_real_init"
    """
    found = node.each(script, list(SETTLED))
    assert {line: printed.strip() for line, printed in found.items()} == SETTLED


@pytest.mark.parametrize(("length", "warned"), [(10, False), (2046, False), (2047, True)])
def test_a_command_line_that_the_kernel_has_cut_is_said(node: Node, length: int, warned: bool) -> None:
    node.run('warn_cut "$1"', "x" * length)
    assert bool(node.said) == warned


@pytest.mark.parametrize(("value", "later"), [("08", "9"), ("010", "11"), ("00", "1")])
def test_a_timeout_is_decimal(node: Node, value: str, later: str) -> None:
    script = f'parse_cmdline "{TABLE}" "$1"; settle_parameters; echo "$((1 + p_net_timeout))"'
    assert node.run(script, f"net_timeout={value}") == f"{later}\n"


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "5s", "999999", "$(id)"])
def test_a_timeout_that_is_no_number_is_said_and_30(node: Node, value: str) -> None:
    script = f'parse_cmdline "{TABLE}" "$1"; settle_parameters; echo "$p_net_timeout"'
    assert node.run(script, f"net_timeout={value}") == "30\n"
    assert node.said == [f"net_timeout={value}: not a number of seconds, 30 it is"]
