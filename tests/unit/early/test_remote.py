"""What the preliminary init fetches, tries again, and adds as keys: early/remote.sh, retry, keys.sh, verify.sh."""

from __future__ import annotations

import hashlib

import pytest

from tests.lib.early import EARLY, Node

# A web that has what is in $ROOT/web, and an ssh-keygen that takes what begins like a key.
REMOTE = """
fetch() { fetch_error="$1: no"; [ -e "$ROOT/web/${1##*/}" ] && cp "$ROOT/web/${1##*/}" "$ROOT/new$2"; }
chroot() { grep -q '^ssh-rsa ' "$1/run/alchemy/ssh_key"; }
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
        ("", "ssh-rsa A\r\n\r\n", "ssh-rsa A\n", ["1 keys added for smith"]),
        ("", "# comment\n\nssh-rsa A \\x me\n", "ssh-rsa A \\x me\n", ["1 keys added for smith"]),
        (
            "ssh-rsa A\n",
            "<html>\x1b[2J\n",
            "ssh-rsa A\n",
            ["not a public key, left out: 1 lines, the first is <html>?[2J", "0 keys added for smith"],
        ),
        (
            "",
            "<html>\nssh-rsa A\nssh- x\nhello\n",
            "ssh-rsa A\n",
            ["not a public key, left out: 3 lines, the first is <html>", "1 keys added for smith"],
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


def test_what_does_not_look_like_a_key_costs_no_process(node: Node) -> None:
    node.write("new/etc/passwd", PASSWD)
    node.write(AUTHORIZED, "")
    node.write("web/keys", "<p>\n" * 2000)
    script = 'chroot() { echo "$*" >>"$ROOT/calls"; }; p_ssh_keys_url=http://h/keys p_ssh_keys_sha256=; add_ssh_keys'
    node.run(f"{REMOTE} {script}")
    assert node.calls == [f"chown -R 1000:1000 {node.root}/new/home/smith/.ssh"]


KEYS = "ssh-rsa A\n"


@pytest.mark.parametrize(
    ("sha256", "taken"), [(hashlib.sha256(KEYS.encode()).hexdigest(), True), ("0" * 64, False), ("x", False)]
)
def test_keys_are_taken_only_with_the_digest_they_must_have(node: Node, sha256: str, taken: bool) -> None:
    node.write(AUTHORIZED, "")
    add_keys(node, KEYS, sha256)
    assert (node.read(AUTHORIZED) == KEYS) == taken
    assert (f"refused: SHA-256 mismatch (expected {sha256}, got " in node.said[0]) != taken


def test_without_the_file_no_keys_change(node: Node) -> None:
    node.write("new/etc/passwd", PASSWD)
    node.write(AUTHORIZED, "ssh-rsa A\n")
    node.run(f"{REMOTE} p_ssh_keys_url=http://h/missing p_ssh_keys_sha256=; add_ssh_keys", status=2)
    assert node.read(AUTHORIZED) == "ssh-rsa A\n"


def test_a_fetch_that_fails_has_its_reason_and_leaves_no_file(node: Node) -> None:
    script = """
    timeout() { echo half >"$ROOT/new/tmp/x"; printf 'noise\\ncurl: (22) 404\\n' >&2; return 22; }
    fetch http://h/x /tmp/x || echo "$fetch_error"
    """
    assert node.run(script) == "http://h/x: cannot be fetched: curl: (22) 404\n"
    assert node.said == []
    assert not (node.root / "new/tmp/x").exists()


def test_a_fetch_verifies_servers_and_takes_http_and_https_only(node: Node) -> None:
    node.run('timeout() { printf "%s\\n" "$*" >"$ROOT/argv"; }; fetch "http://h/x?a b" /tmp/x')
    words = node.read("argv")
    assert f"chroot {node.root}/new curl " in words
    assert " --proto =http,https " in words
    assert " --fail " in words
    assert "--insecure" not in words
    assert words.endswith(" --output /tmp/x http://h/x?a b\n")


def test_a_fetch_leaves_an_ipv6_literal_as_it_is(node: Node) -> None:
    # not even where a file has a name that the brackets match
    node.write("http:/d:8000/x", "")
    node.run('timeout() { printf "%s\n" "$*" >"$ROOT/argv"; }; fetch "http://[2001:db8::1]:8000/x" /tmp/x')
    assert node.read("argv").endswith(" http://[2001:db8::1]:8000/x\n")


@pytest.mark.parametrize(
    ("url", "redirects"),
    [
        ("https://h/x", "=https"),
        ("HTTPS://h/x", "=https"),
        ("http://h/x", "=http,https"),
        ("h/x", "=http,https"),
    ],
)
def test_https_never_falls_back_to_http_by_a_redirect(node: Node, url: str, redirects: str) -> None:
    node.run('timeout() { printf "%s\n" "$*" >"$ROOT/argv"; }; fetch "$1" /tmp/x', url)
    assert f" --proto-redir {redirects} " in node.read("argv")


def test_what_is_fetched_is_roots_alone(node: Node) -> None:
    node.run('timeout() { : >"$ROOT/new/tmp/x"; }; fetch http://h/x /tmp/x')
    assert (node.root / "new/tmp/x").stat().st_mode & 0o777 == 0o600


# A file of keys, the lines of authorized_keys it gives, and how many keys `ssh-keygen -l` counts in it. Dropbear takes
# a space between the fields only.
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIJ3Jc6VXGw+dRXE61K8iV9jvJ5q9lmGS9QHYexPQT1vH"
BOM = "\ufeff"
FORMS = {
    f"ssh-ed25519\t{KEY}\tkey1@example.com\n": [f"ssh-ed25519 {KEY} key1@example.com"],
    f"ssh-ed25519\t{KEY}\n": [f"ssh-ed25519 {KEY}"],
    f"\tssh-ed25519 {KEY} a\n": [f"ssh-ed25519 {KEY} a"],
    f"restrict\tssh-ed25519\t{KEY}\n": [f"restrict ssh-ed25519 {KEY}"],
    f'command="a\tb" ssh-ed25519 {KEY}\n': [f'command="a\tb" ssh-ed25519 {KEY}'],
    f'from="192.0.2.0/24,!192.0.2.9",no-pty ssh-ed25519 {KEY} a b\n': [
        f'from="192.0.2.0/24,!192.0.2.9",no-pty ssh-ed25519 {KEY} a b'
    ],
    f'environment="A=1",command="echo \\"a b\\" # c" ssh-ed25519 {KEY}\n': [
        f'environment="A=1",command="echo \\"a b\\" # c" ssh-ed25519 {KEY}'
    ],
    f"{BOM}ssh-ed25519 {KEY} a\r\nssh-ed25519 {KEY} b\r\n": [f"ssh-ed25519 {KEY} a", f"ssh-ed25519 {KEY} b"],
    f"{BOM}# a comment\n\t\n  # another\nssh-ed25519 {KEY}\n": [f"ssh-ed25519 {KEY}"],
}


@pytest.mark.parametrize(
    ("text", "lines"), FORMS.items(),
    ids=["tabs", "tab", "indented", "option", "quoted", "options", "quotes in quotes", "BOM", "comments"],
)  # fmt: skip
def test_keys_with_options_tabs_and_a_byte_order_mark_are_keys(node: Node, text: str, lines: list[str]) -> None:
    node.write("new/etc/passwd", PASSWD)
    node.write("web/keys", text)
    script = """
    chroot() { [ "$2 $3 $4" = "ssh-keygen -l -f" ] && ssh-keygen -l -f "$1$5"; }
    p_ssh_keys_url=http://h/keys p_ssh_keys_sha256=; add_ssh_keys
    """
    node.run(f"{REMOTE} {script}")
    assert node.lines(AUTHORIZED) == lines
    assert node.said == [f"ssh_keys_url: {len(lines)} keys added for smith"]


# A download whose verification is in doubt is refused before it is fetched.
@pytest.mark.parametrize(("what", "status"), [("ssh_keys_url", ""), ("command_url", "refused\n")])
def test_what_is_in_doubt_is_refused_and_not_fetched(node: Node, what: str, status: str) -> None:
    script = f"""
    fetch() {{ echo "fetch $*" >>"$ROOT/calls"; }}
    refused_{what}="a reason"; get {what}
    """
    node.run(script)
    assert node.calls == []
    assert node.said[0] == f"{what}: refused: a reason"
    assert "".join(f"{line}\n" for line in node.lines("new/run/alchemy/command.status")) == status
    assert not (node.root / "run/alchemy/pending").exists()


def test_what_cannot_be_fetched_is_noted_for_the_running_system(node: Node) -> None:
    script = """
    fetch() { fetch_error="$1: cannot be fetched: a reason"; return 1; }
    p_ssh_keys_url=http://h/keys p_command_url=http://h/command; get ssh_keys_url; get command_url
    """
    node.run(script)
    assert node.lines("run/alchemy/pending") == ["ssh_keys_url", "command_url"]
    assert node.said == [
        "http://h/keys: cannot be fetched: a reason",
        "ssh_keys_url: tried again in the running system",
        "http://h/command: cannot be fetched: a reason",
        "command_url: tried again in the running system",
    ]
    assert node.read("new/run/alchemy/command.status") == "waiting\n"


RETRY = f"""
. "{EARLY}/retry"
date() {{ echo NOW; }}
p_ssh_keys_url=http://h/keys p_command_url=http://h/command known=
"""


def test_what_is_pending_is_tried_until_it_is_done_or_refused(node: Node) -> None:
    node.write("run/alchemy/pending", "ssh_keys_url\ncommand_url\n")
    script = """
    add_ssh_keys() { fetch_error="keys: no"; echo keys >>"$ROOT/calls"; [ "$round" -lt 3 ] && return 2; return 0; }
    run_command() { fetch_error="command: no"; echo command >>"$ROOT/calls"; [ "$round" -lt 2 ] && return 2; return 1; }
    for round in 1 2 3; do try_pending; echo "left: $(tr '\\n' ' ' <"$pending")"; done
    """
    printed = node.run(f"{RETRY}{script}")
    # each reason once
    assert printed.splitlines() == [
        "NOW keys: no",
        "NOW command: no",
        "left: ssh_keys_url command_url ",
        "left: ssh_keys_url ",
        "left: ",
    ]
    assert node.calls == ["keys", "command", "keys", "command", "keys"]


def test_the_pauses_between_the_tries_grow_up_to_a_minute(node: Node) -> None:
    node.write("run/alchemy/pending", "ssh_keys_url\n")
    script = """
    try_pending() {
        pending=$ROOT/run/alchemy/pending
        count=$((${count:-0} + 1))
        [ "$count" -lt 7 ] || : >"$pending"
    }
    wait_for_pending
    """
    node.run(f"{RETRY}{script}")
    assert node.calls == [f"sleep {seconds}" for seconds in (5, 10, 20, 40, 60, 60)]


@pytest.mark.parametrize("keys", [True, False], ids=["with command_keys", "without"])
@pytest.mark.parametrize(("signed", "good"), [(True, True), (True, False), (False, False)])
def test_a_locked_image_adds_only_keys_that_its_own_have_signed(
    node: Node, keys: bool, signed: bool, good: bool
) -> None:
    node.write("new/etc/alchemy/locked", "")
    node.write("new/etc/passwd", PASSWD)
    node.write(AUTHORIZED, "")
    node.write("web/keys", KEYS)
    if keys:
        node.write("new/etc/alchemy/command_keys", "ssh-ed25519 AAAA\n")
    if signed:
        node.write("web/keys.sig", "signature")
    script = f"""
    chroot() {{ case $* in
        *" -Y verify "*) echo "$*" >>"$ROOT/calls"; cat >/dev/null; {str(good).lower()} ;;
        *) grep -q '^ssh-rsa ' "$1/run/alchemy/ssh_key" ;;
    esac; }}
    p_ssh_keys_url=http://h/keys p_ssh_keys_sha256=; add_ssh_keys || :
    """
    node.run(f"{REMOTE} {script}")
    assert (node.read(AUTHORIZED) == KEYS) == (keys and signed and good)
    assert all("-n alchemy-keys" in call for call in node.calls if "verify" in call)
    reason = "ssh_keys_url: refused: this image is locked, and has no command_keys that could have signed it"
    assert (reason in node.said) != keys
