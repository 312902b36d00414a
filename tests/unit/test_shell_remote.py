"""What the preliminary init fetches and may run: early/remote.sh."""

from __future__ import annotations

import hashlib
import os

import pytest

from tests.unit.node import Node

# A web that has what is in $ROOT/web, and an ssh-keygen that takes what begins like a key.
REMOTE = """
fetch() { [ -e "$ROOT/web/${1##*/}" ] && cp "$ROOT/web/${1##*/}" "$ROOT/new$2"; }
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


def test_the_keys_of_the_image_are_the_only_ones(node: Node) -> None:
    node.write("new/etc/alchemy/command_keys", "ssh-ed25519 AAAA\nssh-ed25519 BBBB\n")
    node.write("web/command.sig", "signature")
    command(node, key="ssh-ed25519:EVIL", good="true")
    assert node.read("new/run/alchemy/command_signers") == "alchemy ssh-ed25519 AAAA\nalchemy ssh-ed25519 BBBB\n"
    assert "command_key: ignored, as the image has keys of its own for this" in node.said


def test_a_command_that_is_not_there_is_refused(node: Node) -> None:
    node.run(f"{REMOTE} p_command_url=http://h/missing p_command_sha256= p_command_key=; run_command", status=1)
    assert node.read("new/run/alchemy/command.status") == "refused\n"
    assert not ran(node)
