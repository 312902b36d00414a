"""The shell that runs on the node, in each shell that might run it, below a fake root."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy import parameters
from tests import repository

CHROOT = repository.ROOT / "chroot"
EARLY = CHROOT / "early"
TABLE = EARLY / "parameters"

SHELLS: Mapping[str, list[str]] = {"ash": ["busybox", "ash"], "dash": ["dash"], "bash": ["bash", "--posix"]}

# What a test must not run: instead it is noted in $ROOT/calls. `say` is noted in $ROOT/said.
STUBS = """
for stub in ip hostname chown mount umount setsid switch_root sleep usleep udhcpc udhcpc6 kill; do
    eval "$stub() { printf '%s\\n' \\"$stub \\$*\\" >>\\"\\$ROOT/calls\\"; }"
done
say() { printf '%s\\n' "$1" >>"$ROOT/said"; }
"""

LOAD = f'early={EARLY}; . "{CHROOT}/init"'


class Node:
    """A shell with the functions of the preliminary init, and a fake root for them."""

    def __init__(self, shell: list[str], root: Path) -> None:
        self._shell = shell
        self.root = root
        for name in ("proc", "dev", "sys/class/net", "run/alchemy", "etc", "new/etc", "new/run/alchemy", "new/tmp"):
            (root / name).mkdir(parents=True)
        self.write("proc/uptime", "12.34 20.00\n")

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def lines(self, name: str) -> list[str]:
        return self.read(name).splitlines() if (self.root / name).exists() else []

    @property
    def said(self) -> list[str]:
        return self.lines("said")

    @property
    def calls(self) -> list[str]:
        return self.lines("calls")

    def interface(self, name: str, mac: str = "52:54:00:00:00:01", *, carrier: str = "1", real: bool = True) -> None:
        self.write(f"sys/class/net/{name}/address", f"{mac}\n")
        self.write(f"sys/class/net/{name}/carrier", f"{carrier}\n")
        if real:
            (self.root / f"sys/class/net/{name}/device").mkdir()

    def run(self, script: str, *arguments: str, load: str = LOAD, stubs: str = STUBS, status: int = 0) -> str:
        """What a script prints that has the init's functions; the messages of the shell fail the test."""
        done = subprocess.run(
            [*self._shell, "-c", f"ROOT=$1; shift\n{load}\n{stubs}\n{script}", "test", str(self.root), *arguments],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, "")
        return done.stdout

    def each(self, script: str, cases: list[str]) -> dict[str, str]:
        """What a script prints for each case, which is its $case, in a shell of its own."""
        output = self.run(f"for case; do ( {script} ); printf '\\036'; done", *cases)
        return dict(zip(cases, output.split("\036"), strict=False))


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path, real_processes: None) -> Node:
    shell = SHELLS[request.param]
    if shutil.which(shell[0]) is None:
        repository.skip_or_fail(f"{shell[0]} is not installed")
    return Node(shell, tmp_path / "root")


@pytest.mark.parametrize(
    "path",
    [CHROOT / "init", CHROOT / "methods", CHROOT / "adminuser", *sorted(EARLY.glob("*.sh"))],
    ids=lambda path: path.name,
)
def test_nothing_happens_when_it_is_sourced(node: Node, path: Path) -> None:
    before = sorted(node.root.rglob("*"))
    # no program can be found, so any that was called would be complained about
    load = f'early={EARLY}; PATH=/nonexistent; . "{path}"'
    assert node.run("", load=load, stubs="") == ""
    assert sorted(node.root.rglob("*")) == before


# parse_cmdline

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


@pytest.mark.parametrize(("value", "later"), [("08", "9"), ("010", "11"), ("00", "1")])
def test_a_timeout_is_decimal(node: Node, value: str, later: str) -> None:
    script = f'parse_cmdline "{TABLE}" "$1"; settle_parameters; echo "$((1 + p_net_timeout))"'
    assert node.run(script, f"net_timeout={value}") == f"{later}\n"


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "5s", "999999", "$(id)"])
def test_a_timeout_that_is_no_number_is_said_and_30(node: Node, value: str) -> None:
    script = f'parse_cmdline "{TABLE}" "$1"; settle_parameters; echo "$p_net_timeout"'
    assert node.run(script, f"net_timeout={value}") == "30\n"
    assert node.said == [f"net_timeout={value}: not a number of seconds, 30 it is"]


# console.sh

CONSOLE = f'. "{EARLY}/console.sh"'


@pytest.mark.parametrize(
    ("active", "names"), [("tty0 ttyS0\n", ["tty0", "ttyS0"]), ("ttyS1\n", ["ttyS1"]), (None, ["console"])]
)
def test_what_is_said_is_on_every_console_and_in_the_kernels_log(
    node: Node, active: str | None, names: list[str]
) -> None:
    if active is not None:
        node.write("sys/class/tty/console/active", active)
    node.run("say 'a  message %s'", stubs=CONSOLE)
    assert {path.name for path in (node.root / "dev").iterdir()} == {*names, "kmsg"}
    for name in names:
        assert node.read(f"dev/{name}") == "[   12.34] alchemy: a  message %s\n"
    assert node.read("dev/kmsg") == "<7>alchemy: a  message %s\n"


def test_a_rescue_shell_comes_with_its_reason(node: Node) -> None:
    node.run('run_shell() { echo shell >>"$ROOT/said"; }; rescue "no init"')
    assert node.said[0] == "no init"
    assert "exit" in node.said[-2]
    assert node.said[-1] == "shell"


# network.sh


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


# remote.sh

# A web that has what is in $ROOT/web, and an ssh-keygen that takes what begins like a key.
REMOTE = """
fetch() { [ -e "$ROOT/web/${1##*/}" ] && cp "$ROOT/web/${1##*/}" "$ROOT/new$2"; }
chroot() { grep -q '^ssh-' "$1/run/alchemy/ssh_key"; }
"""
PASSWD = "root:x:0:0:root:/root:/bin/sh\nsmith:x:1000:1000:Administrator:/home/smith:/bin/bash\n"
AUTHORIZED = "new/home/smith/.ssh/authorized_keys"


def add_keys(node: Node, keys: str, sha256: str = "") -> None:
    node.write("new/etc/passwd", PASSWD)
    node.write("web/keys", keys)
    node.run(f"{REMOTE} p_ssh_keys_url=http://h/keys p_ssh_keys_sha256=$1; add_ssh_keys || :", sha256)


@pytest.mark.parametrize(
    ("there", "keys", "result", "said"),
    [
        ("", "ssh-rsa A\nssh-rsa B\n", "ssh-rsa A\nssh-rsa B\n", ["2 keys added for smith"]),
        ("ssh-rsa A\n", "ssh-rsa A\nssh-rsa B", "ssh-rsa A\nssh-rsa B\n", ["1 keys added for smith"]),
        ("ssh-rsa A", "ssh-rsa B\n", "ssh-rsa A\nssh-rsa B\n", ["1 keys added for smith"]),
        ("", "# comment\n\nssh-rsa A \\x me\n", "ssh-rsa A \\x me\n", ["1 keys added for smith"]),
        (
            "ssh-rsa A\n",
            "<html>\x1b[2J\n",
            "ssh-rsa A\n",
            ["not a public key, left out: <html>?[2J", "0 keys added for smith"],
        ),
    ],
)
def test_keys_are_added_to_those_of_the_admin_user(
    node: Node, there: str, keys: str, result: str, said: list[str]
) -> None:
    node.write(AUTHORIZED, there)
    add_keys(node, keys)
    assert node.read(AUTHORIZED) == result
    assert node.said == [f"ssh_keys_url: {text}" for text in said]
    assert (node.root / AUTHORIZED).stat().st_mode & 0o777 == 0o600
    assert (node.root / AUTHORIZED).parent.stat().st_mode & 0o777 == 0o700
    assert node.calls == [f"chown -R 1000:1000 {node.root}/new/home/smith/.ssh"]


KEYS = "ssh-rsa A\n"


@pytest.mark.parametrize(
    ("sha256", "taken"), [(hashlib.sha256(KEYS.encode()).hexdigest(), True), ("0" * 64, False), ("x", False)]
)
def test_keys_are_taken_only_with_the_digest_they_must_have(node: Node, sha256: str, taken: bool) -> None:
    node.write(AUTHORIZED, "")
    add_keys(node, KEYS, sha256)
    assert (node.read(AUTHORIZED) == KEYS) == taken
    assert (f"not {sha256}: not used" in node.said[0]) != taken


def test_without_the_file_no_keys_change(node: Node) -> None:
    node.write("new/etc/passwd", PASSWD)
    node.write(AUTHORIZED, "ssh-rsa A\n")
    node.run(f"{REMOTE} p_ssh_keys_url=http://h/missing p_ssh_keys_sha256=; add_ssh_keys", status=1)
    assert node.read(AUTHORIZED) == "ssh-rsa A\n"


def test_a_fetch_that_fails_is_said_with_its_reason_and_leaves_no_file(node: Node) -> None:
    script = """
    timeout() { echo half >"$ROOT/new/tmp/x"; printf 'noise\\ncurl: (22) 404\\n' >&2; return 22; }
    fetch http://h/x /tmp/x
    """
    node.run(script, status=1)
    assert node.said == ["http://h/x: cannot be fetched: curl: (22) 404"]
    assert not (node.root / "new/tmp/x").exists()


def test_a_fetch_verifies_servers_and_takes_http_and_https_only(node: Node) -> None:
    node.run('timeout() { printf "%s\\n" "$*" >"$ROOT/argv"; }; fetch "http://h/x?a b" /tmp/x')
    words = node.read("argv")
    assert f"chroot {node.root}/new curl " in words
    assert " --proto =http,https " in words
    assert " --fail " in words
    assert "--insecure" not in words
    assert words.endswith(" --output /tmp/x http://h/x?a b\n")


# A command from the web: whether it may run, and that nothing runs that may not.


def command(node: Node, script: str = "echo hello\n", sha256: str = "", key: str = "", good: str = "false") -> None:
    """Runs the command, with an ssh-keygen that finds every signature `good`."""
    node.write("web/command", script)
    stubs = f'{REMOTE} chroot() {{ cat >/dev/null; {good}; }}; setsid() {{ echo "setsid $*" >>"$ROOT/calls"; }}'
    node.run(
        f"{stubs}\np_command_url=http://h/command p_command_sha256=$1 p_command_key=$2; run_command || :; wait",
        sha256,
        key,
    )


def ran(node: Node) -> bool:
    return any(call.startswith("setsid chroot ") for call in node.calls)


def test_a_command_runs_in_the_real_system(node: Node) -> None:
    command(node)
    assert ran(node)
    assert node.read("new/run/alchemy/command") == "echo hello\n"
    assert os.access(node.root / "new/run/alchemy/command", os.X_OK)
    assert node.read("new/run/alchemy/command.status") == "running\n"


COMMAND = hashlib.sha256(b"echo hello\n").hexdigest()


@pytest.mark.parametrize(("sha256", "runs"), [(COMMAND, True), ("0" * 64, False), ("x", False)])
def test_a_command_runs_only_with_the_digest_it_must_have(node: Node, sha256: str, runs: bool) -> None:
    command(node, sha256=sha256)
    assert ran(node) == runs
    assert node.read("new/run/alchemy/command.status") == ("running\n" if runs else "refused\n")


@pytest.mark.parametrize(
    ("signed", "good", "runs"), [(True, "true", True), (True, "false", False), (False, "true", False)]
)
@pytest.mark.parametrize("baked", [True, False], ids=["key in the image", "key on the command line"])
def test_a_command_runs_only_with_the_signature_it_must_have(
    node: Node, baked: bool, signed: bool, good: str, runs: bool
) -> None:
    if baked:
        node.write("new/etc/alchemy/command_keys", "ssh-ed25519 AAAA\n")
    if signed:
        node.write("web/command.sig", "signature")
    command(node, key="" if baked else "ssh-ed25519:AAAA", good=good)
    assert ran(node) == runs
    assert node.read("new/run/alchemy/command_signers") == "alchemy ssh-ed25519 AAAA\n"
    assert node.read("new/run/alchemy/command.status") == ("running\n" if runs else "refused\n")


def test_a_command_that_is_not_there_is_refused(node: Node) -> None:
    node.run(f"{REMOTE} p_command_url=http://h/missing p_command_sha256= p_command_key=; run_command", status=1)
    assert node.read("new/run/alchemy/command.status") == "refused\n"
    assert not ran(node)


# services.sh


@pytest.mark.parametrize(("service", "program"), [("start_ssh", "dropbear"), ("start_lldpd", "lldpd")])
@pytest.mark.parametrize("works", [True, False])
def test_a_service_that_does_not_start_is_said_with_its_reason(
    node: Node, service: str, program: str, works: bool
) -> None:
    chroot = f'chroot() {{ echo "$*" >>"$ROOT/calls"; echo "a reason" >&2; {str(works).lower()}; }}'
    node.run(f"{chroot}; {service}", status=0 if works else 1)
    assert f" {program} " in node.calls[0]
    assert len(node.said) == 1
    assert node.said[0].endswith("does not start: a reason") != works


def test_the_services_are_ended_before_the_real_ones_start(node: Node) -> None:
    node.write("pids", "dropbear 7 8\n")
    script = """
    pidof() { sed -n "s/^$1 //p" "$ROOT/pids" | grep .; }
    kill() { echo "kill $*" >>"$ROOT/calls"; : >"$ROOT/pids"; }
    stop_services
    """
    node.run(script)
    assert node.calls == ["kill 7 8"]


def test_a_service_that_does_not_end_is_killed(node: Node) -> None:
    script = """
    pidof() { [ "$1" = lldpd ] && echo 7; }
    kill() { echo "kill $*" >>"$ROOT/calls"; }
    usleep() { :; }
    stop_services
    """
    node.run(script)
    assert node.calls == ["kill 7", "kill -9 7"]


# init

# The real system's shell and head, which see below /new.
NEW = """
chroot() {
    top=$1; shift
    case $1 in
    /bin/sh) [ -f "$top$4" ] && [ -x "$top$4" ] ;;
    head) head -c 4 "$top$4" ;;
    esac
}
"""


@pytest.mark.parametrize(
    ("name", "content", "mode", "runs"),
    [
        ("script", "#!/bin/sh\n", 0o755, True),
        ("program", "\x7fELF\x02", 0o755, True),
        ("not-executable", "#!/bin/sh\n", 0o644, False),
        ("text", "hello\n", 0o755, False),
        ("empty", "", 0o755, False),
    ],
)
def test_a_real_init_can_run_when_the_kernel_knows_how(
    node: Node, name: str, content: str, mode: int, runs: bool
) -> None:
    node.write(f"new/sbin/{name}", content, mode)
    node.run(f'{NEW} can_run "$1"', f"/sbin/{name}", status=0 if runs else 1)


@pytest.mark.parametrize("path", ["", "/sbin", "/sbin/missing"])
def test_a_real_init_that_is_no_file_cannot_run(node: Node, path: str) -> None:
    node.write("new/sbin/init", "#!/bin/sh\n", 0o755)
    node.run(f'{NEW} can_run "$1"', path, status=1)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("/sbin/init", []),
        ("/bin/other", []),
        ("", ["real_init is empty: there is no init to hand over to"]),
        ("/missing", ["real_init=/missing: not an executable file"]),
    ],
)
def test_without_a_real_init_there_is_a_rescue_shell_and_then_the_default(
    node: Node, wanted: str, said: list[str]
) -> None:
    for name in ("sbin/init", "bin/other"):
        node.write(f"new/{name}", "#!/bin/sh\n", 0o755)
    script = f'{NEW} rescue() {{ say "$1"; }}; p_real_init=$1; check_real_init; echo "$p_real_init"'
    assert node.run(script, wanted) == f"{'/sbin/init' if said else wanted}\n"
    assert node.said == said


def squashfs(node: Node, length: int, bytes_used: int) -> None:
    """A file of a length, whose superblock says how long it should be."""
    superblock = b"hsqs".ljust(40, b"\0") + bytes_used.to_bytes(8, "little")
    (node.root / "system.squashfs").write_bytes(superblock.ljust(length, b"\0")[:length])
    node.write("proc/meminfo", "MemTotal:         235540 kB\nMemFree: 1 kB\n")


@pytest.mark.parametrize(
    ("length", "bytes_used", "complete"),
    [(4096, 4096, True), (4096, 4000, True), (4095, 4096, False), (96, 1 << 33, False), (0, 0, False)],
)
def test_a_system_that_was_cut_short_is_noticed(node: Node, length: int, bytes_used: int, complete: bool) -> None:
    squashfs(node, length, bytes_used)
    node.run('is_complete "$ROOT/system.squashfs"', status=0 if complete else 1)
    assert any("cut short" in text for text in node.said) != complete
    assert any("235540 kB" in text for text in node.said) != complete


def test_a_ramdisk_without_a_system_is_said(node: Node) -> None:
    node.run("mount_system", status=1)
    assert "holds no system" in node.said[0]
    assert node.calls == []


def test_the_system_is_mounted_under_an_overlay(node: Node) -> None:
    squashfs(node, 4096, 4096)
    node.run("mount_system")
    root = node.root
    assert node.calls[0] == f"mount -t squashfs -o loop,ro {root}/system.squashfs {root}/run/alchemy/rom"
    assert node.calls[1].startswith("mount -t tmpfs ")
    assert f"lowerdir={root}/run/alchemy/rom" in node.calls[2]
    assert node.calls[2].endswith(f" overlay {root}/new")


# busybox's ash execs its own switch_root, whatever PATH has
@pytest.mark.parametrize("node", ["dash", "bash"], indirect=True)
def test_the_hand_over_says_so_and_ends_in_the_real_init(node: Node) -> None:
    (node.root / "new/dev").mkdir()
    node.write("new/dev/console", "")
    # exec reaches programs only
    (node.root / "bin").mkdir()
    node.write("bin/switch_root", '#!/bin/sh\necho "switch_root $*"\n', 0o755)
    node.run("pidof() { return 1; }; PATH=$ROOT/bin:$PATH; p_real_init=/sbin/init; hand_over")
    assert node.said == ["handing over to /sbin/init"]
    assert node.read("new/dev/console") == f"switch_root {node.root}/new /sbin/init\n"


# methods


def test_a_script_that_dies_says_why(node: Node) -> None:
    node.run('(die "a reason") 2>"$ROOT/said"', load=f'. "{CHROOT}/methods"', status=1)
    assert node.said == ["a reason"]
