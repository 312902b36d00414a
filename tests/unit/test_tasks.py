"""The commands as a user types them. Each start of Invoke costs half a second: a handful only."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from invoke.exceptions import Exit

import tasks
from alchemy import documentation
from alchemy.config import Config
from alchemy.errors import BuildError, UserError, VerificationError
from tests import repository
from tests.unit.fakes import snapshot

# DESIGN.md's contract
TASKS = {
    "build.all",
    "build.info",
    "build.check-depends",
    "build.stage3",
    "build.system",
    "build.kernel",
    "build.ramfs",
    "build.lock",
    "build.verify",
    "build.log",
    "config.check",
    "config.schema",
    "util.shell",
    "util.clean",
    "boot.qemu",
    "cache.info",
    "cache.prune",
    "test.unit",
    "test.integration",
    "test.boot",
    "test.all",
    "test.packages",
    "bench.build",
    "bench.rebuild",
    "bench.boot",
    "help",
}
NOT_YET: set[str] = set()

Invoke = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def invoke(root: Path, real_processes: None) -> Invoke:
    """Runs a command of the small repository."""
    shutil.copy(repository.ROOT / "tasks.py", root)

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(repository.ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environ}
        return subprocess.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=root,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("packages: [core", ["not valid YAML"]),
        ("- core", ["must be a mapping"]),
        (
            "jobs: 0\ncolour: red\npackages: [cor]\nkernel_conf: '6.13'\nusername: root\nstage3_url: x\nsync: {}\n",
            ["jobs: ", "colour: ", "packages: cor", "kernel_conf: 6.13", "username: ", "stage3_url: ", "sync.method: "],
        ),
    ],
    ids=["broken", "no mapping", "many mistakes"],
)
def test_a_bad_configuration_ends_every_command_with_status_2_and_a_message(
    invoke: Invoke, root: Path, text: str, fragments: list[str]
) -> None:
    (root / "config.yml").write_text(text, encoding="utf-8")
    (root / "cache").mkdir()
    (root / "cache" / "kept").write_text("kept", encoding="utf-8")
    before = snapshot(root)
    done = invoke("build.all", "--version=1.2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {root / 'config.yml'}: ")
    assert all(fragment in done.stderr for fragment in fragments)
    assert "Traceback" not in done.stderr
    assert snapshot(root) == before


def test_a_bad_version_ends_with_status_2(invoke: Invoke, root: Path) -> None:
    before = snapshot(root)
    done = invoke("build.all", "--version=../1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --version: '../1' isn't a version\nhint: ")
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["build.all", "--colour=red"], "colour"),
        (["build.everything"], "build.everything"),
        (["boot.qemu", "--memory=lots"], "lots"),
    ],
)
def test_a_bad_command_line_ends_with_status_2(invoke: Invoke, arguments: list[str], fragment: str) -> None:
    done = invoke(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert fragment in done.stderr


def test_a_file_that_is_not_there_ends_with_status_2(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("config.check", ALCHEMY_CONFIG=str(tmp_path / "missing.yml"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'missing.yml'}: cannot be read")


def test_a_good_configuration_is_called_valid_and_nothing_is_made(invoke: Invoke, root: Path) -> None:
    (root / "config.yml").write_text("packages: [core, network]\n", encoding="utf-8")
    before = snapshot(root)
    done = invoke("config.check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the configuration is valid\n", "")
    assert snapshot(root) == before


@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_help_says_what_this_is(invoke: Invoke, arguments: list[str]) -> None:
    done = invoke(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, documentation.overview(repository.ROOT) + "\n", "")


def test_the_list_has_every_command_of_the_contract_with_a_word_on_it(invoke: Invoke) -> None:
    listed = dict(re.findall(r"^  (\S+)(?: +\(\S+\))?(?:  +(\S.*))?$", invoke("--list").stdout, re.MULTILINE))
    assert set(listed) <= TASKS
    assert set(listed) >= TASKS - NOT_YET
    assert all(listed.values())


def test_the_commands_that_help_names_exist() -> None:
    named = set(re.findall(r"\./run ([a-z][\w.-]+)", documentation.overview(repository.ROOT)))
    assert named
    assert named <= TASKS - NOT_YET


def test_the_schema_is_json_for_every_key(invoke: Invoke) -> None:
    assert set(json.loads(invoke("config.schema").stdout)["properties"]) == set(Config.model_fields)


def test_the_info_is_json_and_makes_nothing(invoke: Invoke, root: Path) -> None:
    (root / "config.yml").write_text("password: hunter2\n", encoding="utf-8")
    before = snapshot(root)
    done = invoke("build.info", "--json", "--version=1.2")
    described = json.loads(done.stdout)
    assert described["version"] == "1.2"
    assert described["config"]["packages"] == ["core"]
    assert {stage["name"] for stage in described["stages"]} >= {
        "stage3",
        "system",
        "kernel",
        "packages",
        "identity",
        "ramfs",
        "image",
    }
    assert all(stage.keys() == {"name", "key", "fresh", "why"} for stage in described["stages"])
    assert "hunter2" not in done.stdout + done.stderr
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/cache/x"), "error: /cache/x: No space left on device", 3),
        (OSError(errno.ENOSPC, "No space left on device"), "error: the disk: No space left on device", 3),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "error: /x: Permission denied", 2),
        (UserError("no", hint="yes"), "error: no\nhint: yes", 2),
        (BuildError("no"), "error: no", 3),
        (VerificationError("no"), "error: no", 4),
        (KeyboardInterrupt(), "stopped: what was complete is kept, the next run goes on from there", 130),
    ],
)
def test_an_error_is_a_message_and_a_status(error: BaseException, message: str, status: int) -> None:
    @tasks.command
    def body() -> None:
        raise error

    with pytest.raises(Exit) as caught:
        body()
    assert (caught.value.message, caught.value.code) == (message, status)


def test_a_bug_of_ours_stays_a_traceback() -> None:
    @tasks.command
    def body() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/x")

    with pytest.raises(FileNotFoundError):
        body()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["build.log"], ["build.log"]),
        (["build.log", "kernel"], ["build.log", "--stage=kernel"]),
        (["build.log", "--stage", "kernel"], ["build.log", "--stage", "kernel"]),
        (["build.log", "cache.info"], ["build.log", "cache.info"]),
        (["build.kernel", "kernel"], ["build.kernel", "kernel"]),
    ],
)
def test_the_stage_of_build_log_needs_no_option(words: list[str], named: list[str]) -> None:
    assert tasks.name_stage(words) == named


def test_the_log_of_a_stage_is_printed(invoke: Invoke, root: Path) -> None:
    (root / "work" / "log").mkdir(parents=True)
    (root / "work" / "log" / "kernel.log").write_text("gold\n", encoding="utf-8")
    done = invoke("build.log", "kernel")
    assert (done.returncode, done.stdout, done.stderr) == (0, "gold\n", "")


def test_offline_may_be_said_on_the_command_line(invoke: Invoke) -> None:
    done = invoke("build.info", "--offline", "--json")
    assert json.loads(done.stdout)["config"]["offline"] is True
    for task in (tasks.build_all, tasks.build_stage3, tasks.build_system, tasks.build_kernel, tasks.build_ramfs):
        assert "offline" in {argument.name for argument in task.get_arguments()}


SHELLS = {"bash": ["--norc", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_completes_tasks_and_options_in(shell: str, real_processes: None, tmp_path: Path) -> None:
    """By the line that README.md has for this shell."""
    if shutil.which(shell) is None:
        repository.skip_or_fail(f"{shell} is not installed")
    readme = (repository.ROOT / "README.md").read_text(encoding="utf-8")
    line = next(line.strip() for line in readme.splitlines() if f"completion-script={shell}" in line)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "TERM": "xterm", "HOME": str(tmp_path)}
    child = pexpect.spawn(
        shell, SHELLS[shell], cwd=str(repository.ROOT), env=environ,
        encoding="utf-8", timeout=60, dimensions=(24, 200),
    )  # fmt: skip
    child.sendline(f"{line}; echo re''ady")
    child.expect("ready")
    child.send("invoke build.ker\t")
    child.expect("build.kernel")
    child.send("--vers\t")
    child.expect("--version")
    child.close(force=True)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("invoke ", "build.all"), ("invoke build.all --", "--version"), ("invoke build.log ", "help")],
)
def test_tasks_and_their_options_complete(invoke: Invoke, typed: str, offered: str) -> None:
    done = invoke("--complete", "--", *typed.split(" "))
    assert done.returncode == 0
    assert offered in done.stdout.split()
