"""What the preliminary init may run: early/command.sh."""

from __future__ import annotations

import hashlib
import os
import subprocess

import pytest

from tests.lib.early import Node
from tests.unit.early.test_remote import REMOTE

# A command from the web: whether it may run, and that nothing runs that may not.


def command(node: Node, script: str = "echo hello\n", sha256: str = "", key: str = "", good: str = "false") -> None:
    """Runs the command, with an ssh-keygen that finds every signature `good`."""
    node.write("web/command", script)
    node.write("sys/class/tty/console/active", "\n")
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


def test_a_command_needs_no_shebang(node: Node) -> None:
    node.write("web/command", "echo gold by $((6 * 7))\nexit 7\n")
    node.write("sys/class/tty/console/active", "\n")
    # what the shell of the real system runs, which has /run and /var below /new here
    setsid = """
    setsid() {
        shift 4
        inner=$(printf '%s' "$1" | sed "s:/run/:$ROOT/new/run/:g; s:/var/:$ROOT/new/var/:g; s:/dev/kmsg:$ROOT/kmsg:")
        /bin/sh -c "$inner" "$ROOT/new$2"
    }
    """
    node.run(f"{REMOTE}{setsid} p_command_url=http://h/command p_command_sha256= p_command_key=; run_command; wait")
    assert node.read("new/var/log/command_url.log") == "gold by 42\n"
    assert node.read("new/run/alchemy/command.status") == "7\n"


# what a signature needs to bind it to its URL and to a time
BOUND = "# alchemy-command: command not-after 2999-12-31\necho hello\n"
COMMAND = hashlib.sha256(b"echo hello\n").hexdigest()


@pytest.mark.parametrize(("sha256", "runs"), [(COMMAND, True), ("0" * 64, False), ("x", False)])
def test_a_command_runs_only_with_the_digest_it_must_have(node: Node, sha256: str, runs: bool) -> None:
    command(node, sha256=sha256)
    assert ran(node) == runs
    assert node.read("new/run/alchemy/command.status") == ("running\n" if runs else "refused\n")


@pytest.mark.parametrize(
    ("signed", "good", "status"),
    [(True, "true", "running"), (True, "false", "refused"), (False, "true", "waiting")],
)
@pytest.mark.parametrize("baked", [True, False], ids=["key in the image", "key on the command line"])
def test_a_command_runs_only_with_the_signature_it_must_have(
    node: Node, baked: bool, signed: bool, good: str, status: str
) -> None:
    if baked:
        node.write("new/etc/alchemy/command_keys", "ssh-ed25519 AAAA\n")
    if signed:
        node.write("web/command.sig", "signature")
    command(node, BOUND, key="" if baked else "ssh-ed25519:AAAA", good=good)
    assert ran(node) == (status == "running")
    assert node.read("new/run/alchemy/command.signers") == "alchemy ssh-ed25519 AAAA\n"
    assert node.read("new/run/alchemy/command.status") == f"{status}\n"


def test_the_keys_of_the_image_are_the_only_ones(node: Node) -> None:
    node.write("new/etc/alchemy/command_keys", "ssh-ed25519 AAAA\nssh-ed25519 BBBB\n")
    node.write("web/command.sig", "signature")
    command(node, BOUND, key="ssh-ed25519:EVIL", good="true")
    assert node.read("new/run/alchemy/command.signers") == "alchemy ssh-ed25519 AAAA\nalchemy ssh-ed25519 BBBB\n"
    assert "command_key: ignored, as the image has keys of its own for this" in node.said


def test_a_command_that_is_not_there_is_waited_for(node: Node) -> None:
    node.run(f"{REMOTE} p_command_url=http://h/missing p_command_sha256= p_command_key=; run_command", status=2)
    assert node.read("new/run/alchemy/command.status") == "waiting\n"
    assert not ran(node)


def test_a_command_and_its_log_are_roots_alone(node: Node) -> None:
    command(node)
    assert (node.root / "new/run/alchemy/command").stat().st_mode & 0o777 == 0o700
    assert (node.root / "new/var/log/command_url.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("script", "runs"),
    [
        ("#!/bin/sh\r\necho hello\r\n", False),
        ("#!/bin/sh\r\necho hello\n", False),
        ("#!/bin/sh\r", False),
        ("#!/bin/sh\necho hello\r\n", True),
        ("#!/bin/sh\n", True),
    ],
)
def test_a_command_whose_first_line_ends_in_cr_lf_is_refused(node: Node, script: str, runs: bool) -> None:
    command(node, script)
    assert ran(node) == runs
    assert ("command_url: refused: its first line ends in CR LF (convert it to LF)" in node.said) != runs


# A locked image: keys and commands as it says itself, or as its keys have signed.


@pytest.mark.parametrize("keys", [True, False], ids=["with command_keys", "without"])
@pytest.mark.parametrize(("signed", "good"), [(True, True), (True, False), (False, False)])
def test_a_locked_image_runs_only_what_its_keys_have_signed(node: Node, keys: bool, signed: bool, good: bool) -> None:
    node.write("new/etc/alchemy/locked", "")
    if keys:
        node.write("new/etc/alchemy/command_keys", "ssh-ed25519 AAAA\n")
    if signed:
        node.write("web/command.sig", "signature")
    command(node, BOUND, key="ssh-ed25519:EVIL", good=str(good).lower())
    assert ran(node) == (keys and signed and good)
    reason = "command_url: refused: this image is locked, and has no command_keys that could have signed it"
    assert (reason in node.said) != keys


@pytest.mark.parametrize(("namespace", "runs"), [("file", False), ("alchemy-keys", False), ("alchemy-command", True)])
def test_a_signature_of_another_namespace_is_refused(node: Node, namespace: str, runs: bool) -> None:
    key, script = node.root / "key", node.write("web/command", BOUND)
    node.write("sys/class/tty/console/active", "\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", namespace, script], check=True)
    kind, blob, *_ = key.with_suffix(".pub").read_text(encoding="ascii").split()
    # the real ssh-keygen, on the files below /new
    stubs = f"""
    {REMOTE}
    chroot() {{
        top=$1; shift
        [ "$1 $2 $3 $4" = "ssh-keygen -Y verify -f" ] &&
            ssh-keygen -Y verify -f "$top$5" -I "$7" -n "$9" -s "$top${{11}}"
    }}
    """
    node.run(
        f"{stubs}\np_command_url=http://h/command p_command_sha256= p_command_key=$1; run_command || :; wait",
        f"{kind}:{blob}",
    )
    assert ran(node) == runs
    assert any("bad signature: " in said for said in node.said) != runs
