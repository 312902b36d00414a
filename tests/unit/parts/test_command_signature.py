from __future__ import annotations

import subprocess
import tomllib
from datetime import date
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.parts import command_signature
from alchemy.run import Runner
from tests.unit.fakes import FakeRunner

DAY = date(2026, 12, 28)
LINE = b"# alchemy-command: burn-in not-after 2026-12-28\n"
OLD = b"# alchemy-command: other not-after 2020-01-01\n"


@pytest.mark.parametrize(
    ("script", "bound"),
    [
        (b"#!/bin/sh\necho 1\n", b"#!/bin/sh\n" + LINE + b"echo 1\n"),
        (b"echo 1\n", LINE + b"echo 1\n"),
        (b"echo 1", LINE + b"echo 1"),
        (b"", LINE),
        (b"#!/bin/sh", b"#!/bin/sh\n" + LINE),
        # renewed, moved, and never there twice
        (b"#!/bin/sh\n" + OLD + b"echo 1\n", b"#!/bin/sh\n" + LINE + b"echo 1\n"),
        (b"#!/bin/sh\n" + LINE + b"echo 1\n", b"#!/bin/sh\n" + LINE + b"echo 1\n"),
        (b"#!/bin/sh\necho 1\n" + OLD + OLD, b"#!/bin/sh\n" + LINE + b"echo 1\n"),
        (OLD + b"echo 1\n", LINE + b"echo 1\n"),
        # what only looks like it
        (b"#alchemy-command: x\n # alchemy-command: x\n", LINE + b"#alchemy-command: x\n # alchemy-command: x\n"),
        # bytes of any encoding
        (b"#!/bin/sh\necho \xff\r\n", b"#!/bin/sh\n" + LINE + b"echo \xff\r\n"),
    ],
)
def test_a_script_is_bound_by_one_line_behind_its_shebang(script: bytes, bound: bytes) -> None:
    assert command_signature.bind(script, "burn-in", DAY) == bound


def test_a_profile_is_bound_by_a_comment_of_its_own_and_stays_the_same_toml() -> None:
    text = b'# alchemy-profile: old.toml not-after 2020-01-01\ntime = "6h"\n# alchemy-command: x\n'
    bound = command_signature.bind(text, "own.toml", DAY)
    line = b"# alchemy-profile: own.toml not-after 2026-12-28\n"
    assert bound == line + b'time = "6h"\n# alchemy-command: x\n'
    assert tomllib.loads(bound.decode()) == tomllib.loads(text.decode())


@pytest.mark.parametrize(
    ("script", "name", "message"),
    [
        (b"#" * (1 << 16), "own.toml", r"own\.toml: too large for a node \(expected at most 65536 bytes"),
        (b"echo 1\n", "burn in", "burn in: not a name for a URL"),
        (b"echo 1\n", "burn?in", "burn.in: not a name for a URL"),
        (b"echo 1\n", "-x", "-x: not a name for a URL"),
        (b"echo 1\n", "a\nb", "not a name for a URL"),
        (b"\x7fELF\0\0", "burn-in", "burn-in: not a text file"),
        (b"#!/bin/sh\r\necho 1\r\n", "burn-in", "burn-in: the first line ends in CR LF"),
        (b"#" * (1 << 20), "burn-in", "burn-in: too large for a node"),
    ],
)
def test_a_script_that_could_not_run_on_a_node_is_refused(script: bytes, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        command_signature.bind(script, name, DAY)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "burn-in"
    path.write_bytes(b"#!/bin/sh\necho 1\n")
    path.chmod(0o750)
    return path


@pytest.fixture
def key(tmp_path: Path, real_processes: None) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.mark.parametrize(
    ("name", "namespace", "other"),
    [("burn-in", "alchemy-command", "alchemy-profile"), ("own.toml", "alchemy-profile", "alchemy-command")],
)
def test_the_signature_is_good_for_its_namespace_alone(
    script: Path, key: Path, tmp_path: Path, name: str, namespace: str, other: str
) -> None:
    script = script.rename(tmp_path / name)
    for today, last in ((date(2026, 11, 28), "2026-12-28"), (date(2026, 11, 29), "2026-12-29")):
        line = command_signature.sign(Runner(), script, key, 30, today)
        assert line == f"# {namespace}: {name} not-after {last}"
        assert script.read_text(encoding="ascii") == f"#!/bin/sh\n{line}\necho 1\n"
    assert script.stat().st_mode & 0o777 == 0o750
    allowed = tmp_path / "allowed"
    allowed.write_text(f"alchemy {key.with_suffix('.pub').read_text(encoding='ascii')}", encoding="ascii")

    def verify(namespace: str) -> int:
        command = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", "alchemy", "-n", namespace]
        return subprocess.run([*command, "-s", f"{script}.sig"], input=script.read_bytes(), check=False).returncode

    assert verify(namespace) == 0
    assert verify(other) != 0
    assert verify("file") != 0


def test_an_agent_is_asked_for_a_public_key(
    script: Path, key: Path, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    command_signature.sign(runner, script, key.with_suffix(".pub"), 1)
    (call,) = runner.calls
    assert call.env == {"SSH_AUTH_SOCK": "/run/agent"}
    assert call.argv[-6:] == ["sign", "-f", f"{key}.pub", "-n", "alchemy-command", str(script)]


@pytest.mark.parametrize("days", [0, -1, 3651, 10**9])
def test_a_number_of_days_out_of_range_is_refused(script: Path, runner: FakeRunner, days: int) -> None:
    before = script.read_bytes()
    with pytest.raises(UserError, match="--days: out of range"):
        command_signature.sign(runner, script, script, days)
    assert (script.read_bytes(), runner.calls) == (before, [])


@pytest.mark.parametrize("missing", ["burn-in", "key"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, runner: FakeRunner, missing: str) -> None:
    for name in {"burn-in", "key"} - {missing}:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=f"{missing}: no such file"):
        command_signature.sign(runner, tmp_path / "burn-in", tmp_path / "key", 30)


def test_a_key_that_cannot_sign_leaves_no_old_signature(script: Path, tmp_path: Path, real_processes: None) -> None:
    bad = tmp_path / "bad"
    bad.write_text("no key\n", encoding="ascii")
    bad.chmod(0o600)
    signature = tmp_path / "burn-in.sig"
    signature.write_text("old\n", encoding="ascii")
    with pytest.raises(UserError, match=f"{bad}: cannot sign {script}"):
        command_signature.sign(Runner(), script, bad, 30)
    assert not signature.exists()
