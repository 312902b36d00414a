"""The jobs of a boot: which programs run, what is said of them, and what is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alchemy_node import cmdline
from alchemy_node.jobs import plan, program
from alchemy_node.jobs.plan import Job, PlanError
from alchemy_node.jobs.program import Surroundings
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from alchemy_node.status import Status
from tests import web_stand_in
from tests.recorded import Recorded
from tests.web_stand_in import Request

ROUTES = "Iface\tDestination\neth0\t00000000\n"


@dataclass
class Node:
    """A node with two consoles, whose programs end as `outputs` says (PASS without a word)."""

    root: Path
    outputs: dict[str, Output] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    slept: float = 0

    def __post_init__(self) -> None:
        self.file("sys/class/tty/console/active", "tty0 ttyS0\n")
        self.file("dev/tty0", "")
        self.file("dev/ttyS0", "")
        self.file("etc/issue", "Alchemy Linux 1.2\n")
        self.file("proc/net/route", ROUTES)
        self.file("proc/uptime", "12.34 40.00\n")

    def file(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def program(self, argv: Sequence[str]) -> Output:
        self.calls.append(list(argv))
        return self.outputs.get(" ".join(argv), self.outputs.get(argv[0], Output(0)))

    def pause(self, seconds: float) -> None:
        self.slept += seconds

    def boot(self, line: str) -> int:
        self.file("proc/cmdline", f"{line}\n")
        return program.main(Surroundings(Machine(self.root, Recorded(self.root / "tools")), self.program, self.pause))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_boot_without_jobs_does_nothing(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert node.boot("console=ttyS0 net ssh") == Status.PASS
    assert (node.calls, capsys.readouterr().out) == ([], "")
    assert node.text("etc/issue") == "Alchemy Linux 1.2\n"


def test_the_jobs_run_in_their_order(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.outputs = {
        "alchemy-inventory": Output(0, "a server\n"),
        "alchemy-intake": Output(1, "repair: x\n", "error: lldp.xml: \x1b[2Jno neighbour\n\nhint: enable LLDP\n"),
        "alchemy-burnin": Output(0),
    }
    assert node.boot("net job=inventory,intake,burnin burnin_profile=quick burnin_disks=blank") == Status.FAIL
    assert node.calls == [
        ["alchemy-inventory"],
        ["alchemy-intake"],
        ["alchemy-burnin", "--boot", "--profile=quick", "--disks=blank"],
    ]
    log = node.root / "var/log/alchemy"
    lines = [
        "alchemy: inventory: started",
        f"alchemy: inventory: PASS, see {log}/inventory.log",
        "alchemy: intake: started",
        "alchemy: intake: error: lldp.xml: ?[2Jno neighbour",
        "alchemy: intake: hint: enable LLDP",
        f"alchemy: intake: FAIL, see {log}/intake.log",
        "alchemy: burnin: started",
        f"alchemy: burnin: PASS, see {log}/burnin.log",
        "alchemy: jobs: inventory PASS, intake FAIL, burnin PASS",
    ]
    lines = [f"[   12.34] {line}" for line in lines]
    assert capsys.readouterr().out.splitlines() == lines
    for console in ("tty0", "ttyS0"):
        # a file in place of a terminal is written from its beginning each time
        assert node.text(f"dev/{console}").startswith(f"{lines[-1]}\n")
    assert node.text("var/log/alchemy/inventory.log") == "a server\n"
    assert node.text("run/alchemy/verdict") == "FAIL\n"
    verdict = "inventory PASS, intake FAIL, burnin PASS: see /var/log/alchemy\n\n"
    assert node.text("etc/issue") == f"Alchemy Linux 1.2\n{verdict}"


@pytest.mark.parametrize(
    ("output", "word"),
    [
        (Output(0), "PASS"),
        (Output(1), "FAIL"),
        (Output(2), "ERROR"),
        (Output(3), "ERROR"),
        (Output(77), "ERROR"),
        (Output(problem="not installed"), "ERROR"),
        (Output(problem="killed by signal 9"), "ERROR"),
    ],
)
def test_the_verdict_of_a_program(node: Node, output: Output, word: str) -> None:
    node.outputs = {"alchemy-intake": output}
    assert node.boot("job=intake") == {"PASS": 0, "FAIL": 1, "ERROR": 3}[word]
    assert node.text("run/alchemy/verdict") == f"{word}\n"


def test_a_port_without_a_neighbour_is_named(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.file("sys/class/net/eth0/device/vendor", "0x8086\n")
    node.file("sys/class/net/eth0/carrier", "1\n")
    (node.root / "tools").mkdir()
    assert node.boot("job=inventory") == Status.PASS
    assert "alchemy: inventory: no LLDP neighbour on eth0" in capsys.readouterr().out


def test_a_program_that_is_missing_is_named(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.outputs = {"alchemy-burnin": Output(problem="not installed")}
    assert node.boot("job=burnin") == Status.ERROR
    assert "alchemy: burnin: alchemy-burnin: not installed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("job=inventroy", "unknown job 'inventroy' (expected inventory, intake, burnin)"),
        ("job=intake,rm", "unknown job 'rm' (expected inventory, intake, burnin)"),
        ("job=inventory expect_sha256=00", "expect_sha256= without a URL in expect_url=: there is nothing to verify"),
    ],
)
def test_what_cannot_be_done_runs_nothing(
    node: Node, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    assert node.boot(line) == Status.ERROR
    assert node.calls == []
    assert f"alchemy: jobs: error: {message}" in capsys.readouterr().out
    assert node.text("run/alchemy/verdict") == "ERROR\n"


def test_a_network_that_comes_late_is_waited_for(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.file("proc/net/route", "Iface\n")
    node.file("proc/net/ipv6_route", "fe80" + "0" * 28 + " 40 eth0\n" + "0" * 31 + "1 80 lo\n")
    assert node.boot("job=inventory") == Status.PASS
    assert node.slept == 120
    assert "no interface has an address after 120 s" in capsys.readouterr().out
    node.slept = 0
    node.file("proc/net/ipv6_route", "20010db8" + "0" * 24 + " 40 eth0\n")
    assert node.boot("job=inventory") == Status.PASS
    assert node.slept == 0


def test_what_verifies_a_file_reaches_the_program(node: Node) -> None:
    digest = "0" * 64
    assert node.boot(f"job=inventory,burnin expect_url=http://a/e expect_sha256={digest}") == Status.PASS
    assert node.calls[0] == ["alchemy-inventory", "--expect=http://a/e", f"--expect-sha256={digest}"]


def _rack(request: Request) -> tuple[int, object]:
    if request.path == "/v1/boots":
        return 201, {
            "node": "7",
            "token": "t0k3n",
            "jobs": ["inventory", "burnin"],
            "burnin": {"profile": "short", "disks": "--help"},
        }
    return 204, {}


def test_the_rack_service_says_what_to_do(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.outputs = {"alchemy-inventory --json": Output(0, '{"inventory": {}, "alchemy": {"schema": 1}}')}
    with web_stand_in.serving(_rack) as served:
        assert node.boot(f"rack_url={served.url}") == Status.PASS
        assert node.boot(f"rack_url={served.url} job=intake") == Status.PASS
    assert node.calls == [
        ["alchemy-inventory"],
        ["alchemy-inventory", "--json"],
        ["alchemy-burnin", "--boot", "--profile=short", "--disks=--help"],
        ["alchemy-intake", f"--rack={served.url}"],
    ]
    calls = [request.path for request in served.requests]
    assert calls.count("/v1/boots") == 1
    assert [request.document for request in served.requests if request.path == "/v1/nodes/7/events"] == [
        {"stage": "system", "message": "jobs: inventory, burnin"},
        {"stage": "inventory", "message": "started"},
        {"stage": "inventory", "message": "PASS"},
        {"stage": "burnin", "message": "started"},
        {"stage": "burnin", "message": "PASS"},
        {"stage": "system", "message": "jobs: intake"},
        {"stage": "intake", "message": "started"},
        {"stage": "intake", "message": "PASS"},
    ]
    inventory = next(request for request in served.requests if request.path == "/v1/nodes/7/inventory")
    assert inventory.document == {"inventory": {}, "alchemy": {"schema": 1}}
    assert "t0k3n" not in capsys.readouterr().out


def test_a_rack_service_that_expects_no_run(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    with web_stand_in.serving(lambda _: (403, {"error": "profile local has no jobs"})) as served:
        assert node.boot(f"rack_url={served.url}") == Status.PASS
        assert "no run is expected of this machine" in capsys.readouterr().out
        assert node.boot(f"rack_url={served.url} job=inventory") == Status.PASS
    assert node.calls == [["alchemy-inventory"]]


def test_a_rack_service_that_comes_up_later_is_waited_for(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    answers = [503] * 17

    def rack(request: Request) -> tuple[int, object]:
        return (answers.pop(), {"error": "not running"}) if answers else _rack(request)

    node.outputs = {"alchemy-inventory --json": Output(0, "{}")}
    with web_stand_in.serving(rack) as served:
        assert node.boot(f"rack_url={served.url}") == Status.PASS
    # three times five attempts with 15 s between them, each time followed by a longer pause; then two more attempts
    assert node.slept == 3 * 15 + 5 + 10 + 20 + 1 + 2
    said = "503 Service Unavailable (not running); retrying until it answers"
    assert capsys.readouterr().out.count(said) == 1


def test_named_jobs_do_not_wait_for_a_rack_service(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert node.boot("rack_url=http://127.0.0.1:9 job=inventory") == Status.PASS
    assert "alchemy: rack: http://127.0.0.1:9/v1/boots: connection refused" in capsys.readouterr().out
    assert node.calls == [["alchemy-inventory"]]


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("ftp://192.0.2.1", 0, "unsupported scheme (expected http or https)"),
        ("", 400, "the boot is refused: 400 Bad Request (serial: not text)"),
    ],
)
def test_what_waiting_does_not_cure_is_an_error(
    node: Node, capsys: pytest.CaptureFixture[str], url: str, status: int, message: str
) -> None:
    with web_stand_in.serving(lambda _: (status, {"error": "serial: not text"})) as served:
        assert node.boot(f"rack_url={url or served.url}") == Status.ERROR
    assert message in capsys.readouterr().out
    assert node.slept == 0


def test_the_kernels_parameters_count_before_the_rack() -> None:
    parameters = {"burnin_profile": "long", "expect_url": "http://a/e"}
    said = {"profile": "quick", "disks": "read"}
    assert plan.make(parameters, ("inventory", "burnin"), said, "http://b/e") == [
        Job("inventory", ("alchemy-inventory", "--expect=http://a/e")),
        Job("burnin", ("alchemy-burnin", "--boot", "--profile=long", "--disks=read")),
    ]


def test_a_profile_by_url_is_the_programs_to_verify() -> None:
    parameters = {"burnin_profile": "http://a/p.toml", "burnin_profile_sha256": "0" * 64}
    argv = ("alchemy-burnin", "--boot", "--profile=http://a/p.toml", f"--profile-sha256={'0' * 64}")
    assert plan.make(parameters, ("burnin",), {}, "") == [Job("burnin", argv)]


def test_the_key_that_must_have_signed_a_profile_reaches_the_program() -> None:
    parameters = {"burnin_profile": "http://a/p.toml", "burnin_profile_key": "ssh-ed25519:AAAA"}
    argv = ("alchemy-burnin", "--boot", "--profile=http://a/p.toml", "--profile-key=ssh-ed25519:AAAA")
    assert plan.make(parameters, ("burnin",), {}, "") == [Job("burnin", argv)]


@pytest.mark.parametrize(
    ("doubts", "job", "message"),
    [
        (
            "burnin_profile burnin_profile_key has no value",
            "burnin",
            "burnin_profile: refused: burnin_profile_key has no",
        ),
        ("burnin_profile burnin_profile_key has no value", "inventory", ""),
        ("expect_url expect_sha256 has no value", "inventory", "expect_url: refused: expect_sha256 has no value"),
        ("expect_url expect_sha256 has no value", "burnin", ""),
        ("command_url command_key has no value", "burnin", ""),
    ],
)
def test_a_job_does_not_run_with_a_file_in_doubt(
    node: Node, capsys: pytest.CaptureFixture[str], doubts: str, job: str, message: str
) -> None:
    node.file("run/alchemy/doubts", f"{doubts}\n")
    assert node.boot(f"job={job}") == (Status.ERROR if message else Status.PASS)
    assert (f"jobs: error: {message}" in capsys.readouterr().out) == bool(message)
    assert bool(node.calls) != bool(message)


def test_a_digest_of_the_command_line_is_not_that_of_the_racks_file() -> None:
    with pytest.raises(PlanError, match="expect_sha256= without a URL"):
        plan.make({"expect_sha256": "0" * 64}, ("inventory",), {}, "http://b/e")
    with pytest.raises(PlanError, match="burnin_profile_sha256= without a URL"):
        plan.make({"burnin_profile_sha256": "0" * 64}, ("burnin",), {"profile": "http://b/p"}, "")
    with pytest.raises(PlanError, match="burnin_profile_key= without a URL"):
        plan.make({"burnin_profile_key": "ssh-ed25519:AAAA"}, ("burnin",), {"profile": "http://b/p"}, "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('job=a asset_tag="x y" quiet', {"job": "a", "asset_tag": "x y"}),
        ('"job=a b" job=c', {"job": "c"}),
        ("a=b=c d=", {"a": "b=c", "d": ""}),
        ('open="never closed', {"open": "never closed"}),
        ("", {}),
    ],
)
def test_the_words_of_the_kernels_command_line(tmp_path: Path, line: str, expected: dict[str, str]) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cmdline").write_text(f"{line}\n", encoding="utf-8")
    assert cmdline.values(Machine(tmp_path)) == expected


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize(
    ("script", "expected"),
    [("echo out; echo err >&2; exit 3", (3, "out\n", "err\n")), ("kill -9 $$", (None, "", ""))],
)
def test_a_program_runs_to_its_end(script: str, expected: tuple[int | None, str, str]) -> None:
    output = program.run(["sh", "-c", script])
    assert (output.status, output.stdout, output.stderr) == expected


def test_a_program_that_is_not_installed() -> None:
    assert program.run(["alchemy-none"]).problem == "not installed"


def test_the_kernel_does_not_kill_what_a_burn_in_dies_with(node: Node) -> None:
    node.file("proc/self/oom_score_adj", "0\n")
    node.boot("job=inventory")
    assert node.text("proc/self/oom_score_adj") == "0\n"
    node.boot("job=burnin")
    assert node.text("proc/self/oom_score_adj") == "-1000"


KILLED = Output(problem="killed by signal 9")


@pytest.mark.parametrize(
    ("outputs", "runs", "status"),
    [
        ([Output(0)], 1, Status.PASS),
        ([KILLED, Output(1, problem="exit status 1")], 2, Status.FAIL),
        ([KILLED, KILLED, KILLED, Output(0)], 4, Status.PASS),
        ([KILLED] * 9, 4, Status.ERROR),
        ([Output(3, problem="exit status 3"), Output(0)], 1, Status.ERROR),
        ([Output(problem="not installed"), Output(0)], 1, Status.ERROR),
    ],
)
def test_a_burn_in_that_is_killed_goes_on(
    node: Node, capsys: pytest.CaptureFixture[str], outputs: list[Output], runs: int, status: Status
) -> None:
    left = list(outputs)
    node.file("proc/cmdline", "job=burnin\n")

    def run(argv: Sequence[str]) -> Output:
        node.calls.append(list(argv))
        return left.pop(0)

    assert program.main(Surroundings(Machine(node.root), run, node.pause)) == status
    assert node.calls == [["alchemy-burnin", "--boot"]] * runs
    assert capsys.readouterr().out.count("alchemy: burnin: killed by signal 9; it goes on\n") == runs - 1


def test_no_other_job_is_started_again(node: Node) -> None:
    node.outputs = {"alchemy-intake": KILLED}
    assert node.boot("job=intake") == Status.ERROR
    assert len(node.calls) == 1
