"""Whether what was fetched may be used: early/verify.sh, and early/authenticate for the programs of the system."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lib.early import EARLY, TABLE, Node
from tests.unit.early.test_remote import REMOTE

# What a signed script says it is for, at http://h/command on 2026-11-28 → why it is refused.
OVER = "expired signature (valid until"
SAYS = "bad signature line"
MEANT = {
    "# alchemy-command: command not-after 2026-11-28": "",
    "# alchemy-command: command not-after 2027-01-01": "",
    "echo 1\necho 2\n# alchemy-command: command not-after 2026-12-01\necho 3": "",
    # over
    "# alchemy-command: command not-after 2026-11-27": f"{OVER} 2026-11-27, today is 2026-11-28)",
    "# alchemy-command: command not-after 1999-12-31": f"{OVER} 1999-12-31, today is 2026-11-28)",
    # another script
    "# alchemy-command: burn-in not-after 2026-12-01": SAYS,
    "# alchemy-command: command2 not-after 2026-12-01": SAYS,
    "# alchemy-command: * not-after 2026-12-01": SAYS,
    "# alchemy-command: ? not-after 2026-12-01": SAYS,
    # for another use
    "# alchemy-profile: command not-after 2026-12-01": SAYS,
    # nothing, twice, malformed
    "": SAYS,
    "# alchemy-command: command not-after 2026-12-01\n# alchemy-command: command not-after 2027-01-01": SAYS,
    "# alchemy-command: other not-after 2026-12-01\n# alchemy-command: command not-after 2027-01-01": SAYS,
    "# alchemy-command: command": SAYS,
    "# alchemy-command: command not-after": SAYS,
    "# alchemy-command: command not-after 2026-12": SAYS,
    "# alchemy-command: command not-after 2026-12-01 or later": SAYS,
    "# alchemy-command: command not-after 99999-12-01": SAYS,
    "# alchemy-command: command not-after tomorrow": SAYS,
    "#alchemy-command: command not-after 2026-12-01": SAYS,
    "echo # alchemy-command: command not-after 2026-12-01": SAYS,
    "# alchemy-command: command not-after 2026-12-01\r": SAYS,
}
TODAY = "date() { case $* in *+%Y-%m-%d) echo 2026-11-28 ;; esac; }"


@pytest.mark.parametrize(("lines", "reason"), MEANT.items())
def test_a_signed_command_runs_only_under_its_name_and_until_its_last_day(node: Node, lines: str, reason: str) -> None:
    node.write("new/script", f"#!/bin/sh\n{lines}\n")
    script = f'{TODAY}; is_meant /script "http://h/command?a=/b#/c" alchemy-command command_url'
    node.run(script, status=1 if reason else 0)
    assert bool(node.said) == bool(reason)
    assert all(said.startswith(f"command_url: refused: {reason}") for said in node.said)


def test_a_url_without_a_name_is_no_name(node: Node) -> None:
    node.write("new/script", "# alchemy-command:  not-after 2999-12-31\n")
    node.run("is_meant /script http://h/ alchemy-command command_url", status=1)


# A burn-in profile at http://h/own.toml on 2026-11-28, for which alchemy-burnin asks.

GOOD = '# alchemy-profile: own.toml not-after 2026-11-28\ntime = "6h"\n'
PROFILE = "burnin_profile: refused:"
UNSIGNED = "http://h/own.toml.sig: no"


@pytest.fixture
def key(tmp_path: Path, real_processes: None) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def public(key: Path, between: str) -> str:
    return between.join(key.with_suffix(".pub").read_text(encoding="ascii").split()[:2])


def sign(node: Node, key: Path, namespace: str = "alchemy-profile", name: str = "own.toml") -> None:
    """Leaves a signature of the profile on the web."""
    signed = node.write(f"signed/{name}", node.read("new/run/alchemy/burnin_profile"))
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", namespace, signed], check=True)
    node.write("web/own.toml.sig", node.read(f"signed/{name}.sig"))


def ask(node: Node, key: str) -> list[str]:
    """What authenticate prints for the profile; ssh-keygen is the real one, on the files below /new."""
    stubs = f"""
    {REMOTE} {TODAY}
    say() {{ printf '%s\\n' "$1"; }}
    chroot() {{
        top=$1; shift
        [ "$1 $2 $3 $4" = "ssh-keygen -Y verify -f" ] &&
            ssh-keygen -Y verify -f "$top$5" -I "$7" -n "$9" -s "$top${{11}}"
    }}
    . "{EARLY}/authenticate"
    """
    call = 'authenticate /run/alchemy/burnin_profile http://h/own.toml alchemy-profile "$1" burnin_profile'
    return node.run(f"{stubs}\n{call}", key).splitlines()


def test_a_profile_needs_no_signature_where_no_key_asks_for_one(node: Node) -> None:
    node.write("new/run/alchemy/burnin_profile", 'time = "6h"\n')
    assert ask(node, "") == ["authentic"]


@pytest.mark.parametrize("baked", [True, False], ids=["key in the image", "key on the command line"])
def test_a_signed_profile_is_authentic(node: Node, key: Path, baked: bool) -> None:
    node.write("new/run/alchemy/burnin_profile", GOOD)
    sign(node, key)
    if baked:
        node.write("new/etc/alchemy/command_keys", f"{public(key, ' ')}\n")
        node.write("new/etc/alchemy/locked", "")
    assert ask(node, "" if baked else public(key, ":")) == ["authentic"]


def test_the_keys_of_the_image_count_alone(node: Node, key: Path) -> None:
    node.write("new/run/alchemy/burnin_profile", GOOD)
    node.write("new/etc/alchemy/command_keys", "ssh-ed25519 AAAA\n")
    sign(node, key)
    ignored, refused = ask(node, public(key, ":"))
    assert ignored == "burnin_profile_key: ignored, as the image has keys of its own for this"
    assert refused.startswith(f"{PROFILE} bad signature: ")


@pytest.mark.parametrize("baked", [True, False], ids=["key in the image", "key on the command line"])
@pytest.mark.parametrize(
    ("profile", "signature", "reason"),
    [
        # no signature, none that is one, another's, another use's
        (GOOD, None, UNSIGNED),
        (GOOD, "", f"{PROFILE} bad signature: "),
        (GOOD, "hello\n", f"{PROFILE} bad signature: "),
        (GOOD, "of another file", f"{PROFILE} bad signature: "),
        (GOOD, "file", f"{PROFILE} bad signature: "),
        (GOOD, "alchemy-command", f"{PROFILE} bad signature: "),
        (GOOD, "alchemy-keys", f"{PROFILE} bad signature: "),
        # signed, for something else
        ("", "alchemy-profile", f"{PROFILE} {SAYS}"),
        ('time = "6h"\n', "alchemy-profile", f"{PROFILE} {SAYS}"),
        (GOOD + GOOD, "alchemy-profile", f"{PROFILE} {SAYS}"),
        (GOOD.replace("own.toml", "other.toml"), "alchemy-profile", f"{PROFILE} {SAYS}"),
        (GOOD.replace("alchemy-profile", "alchemy-command"), "alchemy-profile", f"{PROFILE} {SAYS}"),
        (GOOD.replace("2026-11-28", "soon"), "alchemy-profile", f"{PROFILE} {SAYS}"),
        (GOOD.replace("2026-11-28", "2026-11-27"), "alchemy-profile", f"{PROFILE} {OVER} 2026-11-27, today is"),
    ],
)
def test_a_profile_without_a_good_signature_is_refused(
    node: Node, key: Path, baked: bool, profile: str, signature: str | None, reason: str
) -> None:
    node.write("new/run/alchemy/burnin_profile", profile)
    if baked:
        node.write("new/etc/alchemy/command_keys", f"{public(key, ' ')}\n")
    if signature == "of another file":
        node.write("new/run/alchemy/burnin_profile", f"{GOOD}share = 1\n")
        sign(node, key)
        node.write("new/run/alchemy/burnin_profile", GOOD)
    elif signature is not None and signature.startswith(("alchemy-", "file")):
        sign(node, key, signature)
    elif signature is not None:
        node.write("web/own.toml.sig", signature)
    [said] = ask(node, "" if baked else public(key, ":"))
    assert said.startswith(reason)


def test_a_locked_image_without_keys_refuses_every_profile(node: Node, key: Path) -> None:
    node.write("new/run/alchemy/burnin_profile", GOOD)
    node.write("new/etc/alchemy/locked", "")
    sign(node, key)
    reason = f"{PROFILE} this image is locked, and has no command_keys that could have signed it"
    assert ask(node, public(key, ":")) == [reason]


@pytest.mark.parametrize(
    "given", ["ssh-ed25519", ":AAAA", "ssh-ed25519 AAAA", "* ssh-ed25519:AAAA", "a:b\nalchemy c:d"]
)
def test_what_is_no_key_verifies_nothing(node: Node, given: str) -> None:
    node.write("new/run/alchemy/burnin_profile", GOOD)
    said = ask(node, given)
    assert said[0].startswith("burnin_profile_key: not a public key (expected TYPE:BASE64, got '")
    assert "authentic" not in said


# What is in doubt, for the programs of the running system.

SHA256 = "0123456789abcdef" * 4
DOUBTS = {
    "burnin_profile_sha256=": "burnin_profile burnin_profile_sha256 is not a SHA-256 (expected 64 hex digits, got '')",
    "burnin_profile_sha256": "burnin_profile burnin_profile_sha256 has no value",
    f"burnin_profile_sha265={SHA256}": "burnin_profile the unknown parameter burnin_profile_sha265 may have been",
    f"burnin_profile_sha256={SHA256} burnin_profile_sha256={'0' * 64}": "burnin_profile burnin_profile_sha256 is given",
    "burnin_profile_key=": "burnin_profile burnin_profile_key is not a public key (expected TYPE:BASE64, got '')",
    "burnin_profile_key=ssh-ed25519": "burnin_profile burnin_profile_key is not a public key",
    '"burnin_profile_key=a\nb"': "burnin_profile burnin_profile_key is not a public key (expected TYPE:BASE64, got",
    "burnin_profile_keys=ssh-ed25519:AAAA": "burnin_profile the unknown parameter burnin_profile_keys may have been",
    "expect_sha256=": "expect_url expect_sha256 is not a SHA-256",
    "command_key=": "command_url command_key is not a public key",
    "": "",
    f"burnin_profile_sha256={SHA256} burnin_profile_key=ssh-ed25519:AAAA expect_sha256={SHA256}": "",
    "burnin_profile=quick burnin_disks=blank": "",
}


@pytest.mark.parametrize(("line", "expected"), DOUBTS.items())
def test_the_running_system_is_told_what_is_in_doubt(node: Node, line: str, expected: str) -> None:
    node.run(f'parse_cmdline "{TABLE}" "$1"; note_doubts', line)
    doubts = node.lines("run/alchemy/doubts")
    assert len(doubts) == bool(expected)
    assert all(doubt.startswith(expected) for doubt in doubts)
