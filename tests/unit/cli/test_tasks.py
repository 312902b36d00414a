"""The commands: a dozen as a user types them, whose start takes half a second each, and the others in this process."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit

from alchemy.commands.help import overview
from alchemy.config.model import Config
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.rack.records.database import Records, default_url
from cli import build, command, program
from cli.program import Program
from tests import repository
from tests.lib import tables
from tests.unit.conftest import Invoke
from tests.unit.fakes import snapshot

# the commands that users rely on: a name here never changes
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
    "boot.serve",
    "burnin.report",
    "docs.update",
    "ebuild.bump",
    "ebuild.manifest",
    "ebuild.outdated",
    "ebuild.sources",
    "expect.check",
    "hardware.check",
    "hardware.report",
    "release.check",
    "release.cut",
    "release.distfiles",
    "sbom.check",
    "sign.command",
    "cache.info",
    "cache.prune",
    "test.unit",
    "test.integration",
    "test.boot",
    "test.rack",
    "test.all",
    "test.packages",
    "test.exhaustive",
    "bench.build",
    "bench.rebuild",
    "bench.boot",
    "bench.burnin",
    "bench.rack",
    "help",
}


@pytest.fixture
def typed(root: Path, real_processes: None) -> Invoke:
    """Runs a command of the small repository as a user types it."""
    repository.copy_commands(root)

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(repository.ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environ}
        return subprocess.run(
            repository.command(*arguments),
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
        ("packages: [core", ["invalid YAML"]),
        ("- core", ["expected a mapping"]),
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
    assert done.stderr.startswith("error: --version: invalid (expected letters, digits")
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["build.all", "--colour=red"], "error: --colour: unknown task or option\nhint: ./run --list"),
        (["build.everything"], "error: build.everything: unknown task or option\n"),
        (["--help", "build.everything"], "error: build.everything: unknown"),
        (["--list-format"], "list-format"),
        (["build.all", "--json", "--debug-shell"], "--debug-shell: not allowed with --json"),
        (["boot.qemu", "--memory=lots"], "error: lots: not a number\nhint: "),
        (["boot.qemu", "--firmware=efi"], "--firmware: unknown (expected bios or uefi, got 'efi')"),
    ],
)
def test_a_bad_command_line_ends_with_status_2(invoke: Invoke, arguments: list[str], fragment: str) -> None:
    done = invoke(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert fragment in done.stderr


def test_a_missing_file_ends_with_status_2(typed: Invoke, tmp_path: Path) -> None:
    done = typed("config.check", ALCHEMY_CONFIG=str(tmp_path / "missing.yml"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'missing.yml'}: cannot be read")


def test_config_check_accepts_a_valid_file_and_creates_nothing(typed: Invoke, root: Path) -> None:
    (root / "config.yml").write_text("packages: [core, network]\n", encoding="utf-8")
    before = snapshot(root)
    done = typed("config.check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the configuration is valid\n", "")
    assert snapshot(root) == before


@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_help_prints_the_overview(typed: Invoke, arguments: list[str]) -> None:
    done = typed(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, overview(repository.ROOT) + "\n", "")


def test_the_list_has_exactly_the_commands_of_the_contract_each_with_a_summary(typed: Invoke) -> None:
    listed = dict(re.findall(r"^  (\S+)(?: +\(\S+\))?(?:  +(\S.*))?$", typed("--list").stdout, re.MULTILINE))
    assert set(listed) == TASKS
    assert all(listed.values())


def test_the_commands_that_help_names_exist() -> None:
    named = set(re.findall(r"\./run ([a-z][\w.-]+)", overview(repository.ROOT)))
    assert named
    assert named <= TASKS


def test_the_schema_is_json_and_has_every_key(typed: Invoke) -> None:
    assert set(json.loads(typed("config.schema").stdout)["properties"]) == set(Config.model_fields)


def test_build_info_prints_json_and_creates_nothing(invoke: Invoke, root: Path) -> None:
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
        "system-squashfs",
        "identity-squashfs",
        "ramfs",
        "bundle",
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
        (KeyboardInterrupt(), "stopped: complete stages are kept, and the next run resumes after them", 130),
    ],
)
def test_an_error_is_a_message_and_a_status(error: BaseException, message: str, status: int) -> None:
    @command.command
    def body() -> None:
        raise error

    with pytest.raises(Exit) as caught:
        body()
    assert (caught.value.message, caught.value.code) == (message, status)


def test_a_bug_of_ours_stays_a_traceback() -> None:
    @command.command
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
    assert program.rewrite(words) == named


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["sbom.check"], ["sbom.check"]),
        (["sbom.check", "a.json", "b.zip"], ["sbom.check", "--feed=a.json", "--feed=b.zip"]),
        (["sbom.check", "--json", "a.json"], ["sbom.check", "--json", "--feed=a.json"]),
        (["hardware.check", "a", "b=c", "--json"], ["hardware.check", "--file=a", "--file=b=c", "--json"]),
        (["sbom.check", "--feed", "a.json", "b"], ["sbom.check", "--feed", "a.json", "--feed=b"]),
        (["build.info", "a.json"], ["build.info", "a.json"]),
    ],
)
def test_a_task_may_take_any_number_of_words(words: list[str], named: list[str]) -> None:
    assert program.rewrite(words) == named


@pytest.mark.parametrize(
    ("words", "short"),
    [
        (["test.unit", "--k", "init"], ["test.unit", "-k", "init"]),
        (["test.unit", "--k=a or b=1"], ["test.unit", "-k", "a or b=1"]),
        (["test.unit", "--keep"], ["test.unit", "--keep"]),
    ],
)
def test_an_option_of_one_letter_may_have_two_dashes(words: list[str], short: list[str]) -> None:
    assert program.rewrite(words) == short


@pytest.mark.parametrize("kept", [True, False])
def test_python_keeps_compiled_modules_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", not kept)
    ours = Program()
    ours.create_config()
    ours.parse_core(["./run", "help"])
    assert sys.dont_write_bytecode is not kept


@pytest.mark.parametrize("task", ["unit", "integration", "boot", "packages", "exhaustive"])
def test_an_expression_selects_tests(monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, argv: started.append(argv))
    monkeypatch.chdir(repository.ROOT)
    Program().run(["./run", f"test.{task}", "--k", "a or b"])
    assert started[0][1:5] == ["-m", "pytest", "-k", "a or b"]


def test_the_log_of_a_stage_is_printed(invoke: Invoke, root: Path) -> None:
    (root / "work").mkdir(mode=0o700)
    (root / "work" / "log").mkdir()
    (root / "work" / "log" / "kernel.log").write_text("gold\n", encoding="utf-8")
    done = invoke("build.log", "kernel")
    assert (done.returncode, done.stdout, done.stderr) == (0, "gold\n", "")


LOG = b"\x1b[32mgold\x1b[0m\r\n\x1b]52;c;AAAA\x07\xff\n"


@pytest.mark.parametrize(("terminal", "printed"), [(False, LOG), (True, "gold\n\\x1b]52;c;AAAA\\x07\ufffd\n".encode())])
def test_a_log_is_copied_to_a_file_and_escaped_on_a_terminal(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    terminal: bool,
    printed: bytes,
) -> None:
    (root / "work").mkdir(mode=0o700)
    (root / "work" / "log").mkdir()
    (root / "work" / "log" / "kernel.log").write_bytes(LOG)
    monkeypatch.setattr(command, "ROOT", root)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    build.log(InvokeContext(), "kernel")
    assert capfdbinary.readouterr().out == printed


def test_offline_is_an_option_of_the_builds(invoke: Invoke) -> None:
    done = invoke("build.info", "--offline", "--json")
    assert json.loads(done.stdout)["config"]["offline"] is True
    for task in (build.build_all, build.stage3, build.system, build.kernel, build.ramfs):
        assert "offline" in {argument.name for argument in task.get_arguments()}


def test_util_shell_refuses_network_when_offline(invoke: Invoke, root: Path) -> None:
    (root / "config.yml").write_text("offline: true\n", encoding="utf-8")
    done = invoke("util.shell", "--network")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --network: not allowed with offline: true\nhint: ")


SHELLS = {"bash": ["--norc", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}


@pytest.mark.parametrize("shell", tables.rows(list(SHELLS), "bash"))
def test_tab_completes_tasks_and_options(shell: str, real_processes: None, tmp_path: Path) -> None:
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
    ("words", "offered"),
    [("invoke ", "build.all"), ("invoke build.all --", "--version"), ("invoke build.log ", "help")],
)
def test_tasks_and_their_options_complete(typed: Invoke, words: str, offered: str) -> None:
    done = typed("--complete", "--", *words.split(" "))
    assert done.returncode == 0
    assert offered in done.stdout.split()


def test_the_records_of_a_rack_are_copied_by_one_command(typed: Invoke, tmp_path: Path) -> None:
    Records.open(default_url(tmp_path)).close()
    copy = tmp_path / "copy.sqlite"
    arguments = ("boot.serve", f"--state={tmp_path}", f"--backup={copy}")
    done = typed(*arguments)
    assert (done.returncode, done.stderr, copy.is_file()) == (0, "", True)
    again = typed(*arguments)
    assert (again.returncode, again.stderr.splitlines()[0]) == (2, f"error: {copy}: exists already")
