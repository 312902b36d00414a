"""How the preliminary init reads the kernel command line."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from alchemy.parts import parameters
from tests.lib.early import TABLE, Node

PARSE = f"""
say() {{ printf '%s\\n' "! $1"; }}
parse_cmdline "{TABLE}" "$case"
for name in {" ".join(parameter.name for parameter in parameters.read(TABLE))}; do
    eval "value=\\$p_$name has=\\$has_$name"
    [ -z "$has" ] || printf '%s\\n' "$name=$value"
done
"""

# the parameters that verify a download
VERIFYING = [
    "ssh_keys_sha256", "command_sha256", "command_key",
    "burnin_profile_sha256", "burnin_profile_key", "expect_sha256",
]  # fmt: skip

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
    "command_url=http://[2001:db8::1]:8000/a": ["command_url=http://[2001:db8::1]:8000/a"],
    # those of others
    "BOOT_IMAGE=alchemy.img initrd=alchemy.ramfs quiet ro rw root=/dev/sda1 console=tty0 console=ttyS0,115200n8": [],
    "nomodeset debug splash loglevel=7 panic=10 mem=2G maxcpus=1 init=/bin/sh nosmt acpi=off pci=noaer iommu=pt": [],
    "net.ifnames=0 biosdevname=0 vga=normal nfsroot=/x rd.debug edd=off usb-storage.quirks=a mce=off hpet=force": [],
    "* /* ?": [],
    "-- - -v -f": [],
    # what a letter or two are wrong with
    "shel": ["! unknown parameter shel: did you mean shell?"],
    "bootif=x": ["! unknown parameter bootif: did you mean BOOTIF?"],
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


# What next_arg in the kernel's lib/cmdline.c makes of a line, a word a string.
WORDS: Mapping[str, list[str]] = {
    "": [],
    " \t\n ": [],
    "a": ["a"],
    "  a  b\t c\n": ["a", "b", "c"],
    "a\vb\fc\rd": ["a", "b", "c", "d"],
    "a=b c=d": ["a=b", "c=d"],
    "a=": ["a="],
    # around the value
    'a="b"': ["a=b"],
    'a="b c" d': ["a=b c", "d"],
    'a=""': ["a="],
    'a="" b': ["a=", "b"],
    'a="b=c d"': ["a=b=c d"],
    # around the whole word
    '"a=b c" d': ["a=b c", "d"],
    '"a b"': ["a b"],
    '"a"': ["a"],
    '""': [],
    '"" a': ["a"],
    # in the middle they protect, and stay
    'a="b"c': ['a=b"c'],
    'a=b" c"': ['a=b" c"'],
    'a=x"b c"y d': ['a=x"b c"y', "d"],
    'a"b c"=d': ['a"b c"=d'],
    '"a"=b': ['a"=b'],
    '""a=b': ['"a=b'],
    # never closed: to the end
    'a="b c d=e': ["a=b c d=e"],
    '"a b c': ["a b c"],
    '"': [],
    'a="': ["a="],
    'a b"': ["a", 'b"'],
    # no other character protects, and none is special
    "a='b c'": ["a='b", "c'"],
    'a=b\\ c\\"d e': ["a=b\\", 'c\\"d e'],
    "* ? [a-z] /*": ["*", "?", "[a-z]", "/*"],
    "$HOME `id` $(id) ~": ["$HOME", "`id`", "$(id)", "~"],
    "=a b==c": ["=a", "b==c"],
    # a newline that is protected does not begin a word
    'a="b\nshell" c': ["a=b shell", "c"],
    'dyndbg="file drivers/net/* +p shell real_init=/bin/sh" quiet': [
        "dyndbg=file drivers/net/* +p shell real_init=/bin/sh",
        "quiet",
    ],
    '"ssh_keys_url=http://192.0.2.1:8000/keys" net': ["ssh_keys_url=http://192.0.2.1:8000/keys", "net"],
}


def test_quotes_are_read_by_the_kernels_rule(node: Node) -> None:
    # none of these may turn into names of files
    for name in ("a", "b", "z"):
        node.write(name, "")
    found = node.each('split_words "$case"', list(WORDS))
    assert {line: printed.splitlines() for line, printed in found.items()} == WORDS


QUOTED: Mapping[str, list[str]] = {
    'net hostname="node9" ssh_keys_url="http://192.0.2.1:8000/keys"': [
        "net=yes",
        "hostname=node9",
        "ssh_keys_url=http://192.0.2.1:8000/keys",
    ],
    'dyndbg="file drivers/net/* +p shell real_init=/bin/sh" quiet': [],
    '"ssh_keys_url=http://192.0.2.1:8000/keys" net': ["net=yes", "ssh_keys_url=http://192.0.2.1:8000/keys"],
    '"net" "shell"': ["net=yes", "shell=yes"],
    'command_url="http://192.0.2.1/run?a=b c"': ["command_url=http://192.0.2.1/run?a=b c"],
    'x="a\nshell\nnet"': [],
    # the values of a list are told apart by blanks
    'ip="dhcp eth1:dhcp"': ["! ip=dhcp eth1:dhcp: a blank or a wildcard in ip: ignored"],
    "ip=* nameserver=192.0.2.?": [
        "! ip=*: a blank or a wildcard in ip: ignored",
        "! nameserver=192.0.2.?: a blank or a wildcard in nameserver: ignored",
    ],
}


def test_quotes_do_what_they_are_for_and_give_no_words_of_ours(node: Node) -> None:
    found = node.each(PARSE, list(QUOTED))
    assert {line: printed.splitlines() for line, printed in found.items()} == QUOTED


SHA256 = "0123456789abcdef" * 4
NOT_SHA256 = "is not a SHA-256 (expected 64 hex digits, got"
NOT_KEY = "is not a public key (expected TYPE:BASE64, got"
LOST = "may have been to verify it"
# what is wrong with a verifying parameter → why the download that it verifies is refused
DOUBTFUL: Mapping[str, str] = {
    "command_sha256=": f"command_sha256 {NOT_SHA256} '')",
    "command_sha256=abc": f"command_sha256 {NOT_SHA256} 'abc')",
    f"command_sha256={SHA256[:-1]}": f"command_sha256 {NOT_SHA256} '{SHA256[:-1]}')",
    f"command_sha256={SHA256[:-1]}g": f"command_sha256 {NOT_SHA256} '{SHA256[:-1]}g')",
    f"command_sha256=sha256:{SHA256}": f"command_sha256 {NOT_SHA256} 'sha256:{SHA256}')",
    "command_sha256": "command_sha256 has no value",
    f"command_sha256 = {SHA256}": "command_sha256 has no value",
    f"command_sha265={SHA256}": f"the unknown parameter command_sha265 {LOST}",
    f"comand_sha256={SHA256}": f"the unknown parameter comand_sha256 {LOST}",
    f"command-sha256={SHA256}": f"the unknown parameter command-sha256 {LOST}",
    f"COMMAND_SHA256={SHA256}": f"the unknown parameter COMMAND_SHA256 {LOST}",
    f"command_sha256:{SHA256}": f"the unknown parameter command_sha256:{SHA256} {LOST}",
    f"command_sha256sum={SHA256}": f"the unknown parameter command_sha256sum {LOST}",
    f'"command_sha256 ={SHA256}"': f"the unknown parameter command_sha256 {LOST}",
    f"command_sha256={SHA256} command_sha256={'0' * 64}": "command_sha256 is given twice",
    f"command_sha256={SHA256} command_sha256=": f"command_sha256 {NOT_SHA256} '')",
    "command_key=": f"command_key {NOT_KEY} '')",
    "command_key": "command_key has no value",
    "command_key=ssh-ed25519": f"command_key {NOT_KEY} 'ssh-ed25519')",
    "command_key=ssh-ed25519:": f"command_key {NOT_KEY} 'ssh-ed25519:')",
    "command_key=:AAAA": f"command_key {NOT_KEY} ':AAAA')",
    'command_key="ssh-ed25519 AAAA"': f"command_key {NOT_KEY} 'ssh-ed25519 AAAA')",
    "command_key=a:b:c": f"command_key {NOT_KEY} 'a:b:c')",
    "comand_key=ssh-ed25519:AAAA": f"the unknown parameter comand_key {LOST}",
    "command_keys=ssh-ed25519:AAAA": f"the unknown parameter command_keys {LOST}",
    "command_key=ssh-ed25519:AAAA command_key=ssh-rsa:BBBB": "command_key is given twice",
    "ssh_keys_sha256=": f"ssh_keys_sha256 {NOT_SHA256} '')",
    "ssh_keys_sha256": "ssh_keys_sha256 has no value",
    f"ssh_key_sha256={SHA256}": f"the unknown parameter ssh_key_sha256 {LOST}",
    f"sshkeys_sha256={SHA256}": f"the unknown parameter sshkeys_sha256 {LOST}",
    # nothing is wrong
    "": "",
    f"command_sha256={SHA256}": "",
    f"command_sha256={SHA256.upper()}": "",
    f"command_sha256={SHA256} command_sha256={SHA256}": "",
    "command_key=ssh-ed25519:AAAAC3NzaC1lZDI1NTE5+/==": "",
    "command_key=sk-ssh-ed25519@openssh.com:AAAA": "",
    f"ssh_keys_sha256={SHA256}": "",
    # misspelt, and verifies nothing
    "comand_url=x": "",
    "shel": "",
}


def test_a_verifying_parameter_in_doubt_refuses_what_it_was_to_verify(node: Node) -> None:
    script = f"""
    parse_cmdline "{TABLE}" "$case"
    for what in command_url ssh_keys_url; do
        eval "reason=\\$refused_$what"
        [ -z "$reason" ] || printf '%s\n' "$what: $reason"
    done
    """
    found = node.each(script, list(DOUBTFUL))
    wanted = {
        line: f"{'ssh_keys_url' if line.startswith('ssh') else 'command_url'}: {reason}" if reason else ""
        for line, reason in DOUBTFUL.items()
    }
    assert {line: printed.strip() for line, printed in found.items()} == wanted


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
    assert node.said == [f"net_timeout={value}: not a number of seconds: 30 is used"]


def levenshtein(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for left in one:
        above, row[0] = row[0], row[0] + 1
        for at, right in enumerate(other, 1):
            above, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, above + (left != right))
    return row[-1]


def test_a_word_is_misspelt_by_its_distance_from_the_nearest_name(node: Node) -> None:
    """Against a plain table of Levenshtein's, with words that are up to three letters off."""
    names = [parameter.name for parameter in parameters.read(TABLE)]
    chance = random.Random(7)  # noqa: S311 # any words do, the same each time
    words = []
    for name in names * 6:
        letters = list(name)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(letters) + 1)
            letters[at : at + chance.randint(0, 1)] = chance.choice(["", "x", "_", "ab", "E"])
        words.append("".join(letters) or "x")
    expected = []
    for word in words:
        lower = word.lower()
        near = [(levenshtein(lower, name.lower()), at) for at, name in enumerate(names) if len(name) > 2]
        best, at = min(near)
        found = names[at] if best <= (2 if len(word) > 6 else 1) else ""
        for name in VERIFYING:
            if lower.startswith(name):
                found = name
        if found:
            expected.append(f"{word} {found}")
    assert len(expected) > len(words) // 3
    assert node.run('misspelt "$1" "$2"', " ".join(words), " ".join(names)).splitlines() == expected
