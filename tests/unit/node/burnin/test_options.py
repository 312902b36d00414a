"""The command line, and the profile that it means; one by URL, and what it has to be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy_node.burnin import options
from alchemy_node.burnin.profile import ProfileError
from alchemy_node.machine import Machine
from alchemy_node.processes import Output
from tests.lib import web

KEY = "ssh-ed25519:AAAA"
OWN = b'time = "5m"\n[[phases]]\nshare = 1\nsteps = ["cpu"]\n'
DIGEST = hashlib.sha256(OWN).hexdigest()


@pytest.mark.parametrize(
    ("arguments", "seconds", "steps"),
    [
        ([], 7200, 4),
        (["--profile", "quick"], 900, 3),
        (["--profile", "quick", "--time", "1h"], 3600, 3),
        (["--profile", "long", "--scale", "0.01"], 1728, 4),
        (["--profile", "quick", "--only", "cpu"], 900, 2),
        (["--profile", "quick", "--only", "pcie,bmc"], 900, 0),
    ],
)
def test_the_profile_that_the_command_line_means(arguments: list[str], seconds: float, steps: int) -> None:
    chosen = options.choose(options.parse(arguments), Machine())
    assert (chosen.seconds, len(chosen.phases)) == (seconds, steps)


def test_a_profile_from_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('time = "5m"\n[[phases]]\nshare = 1\nsteps = ["cpu"]\n', encoding="ascii")
    assert options.choose(options.parse(["--profile", str(own)]), Machine()).seconds == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "qick"], "did you mean quick"),
        (["--profile", "/nowhere/own.toml"], "cannot be read \\(No such file or directory\\)"),
        (["--time", "soon"], "not a duration"),
        (["--scale", "fast"], "is not a factor"),
        (["--only", "disk"], "did you mean disks"),
        (["--profile-sha256", "0" * 64], "--profile-sha256: needs a profile by URL \\(got short\\)"),
        (["--profile-key", KEY, "--profile", "./a"], "--profile-key: needs a profile by URL \\(got ./a\\)"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        options.choose(options.parse(arguments), Machine())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--disk", "read"], "unrecognized arguments: --disk read"),
        (["--wipe"], "unrecognized arguments: --wipe"),
        (["quick"], "unrecognized arguments: quick"),
        (["--profile-sha256="], "not a SHA-256 (expected 64 hex digits, got '')"),
        (["--profile-sha256=abc"], "not a SHA-256 (expected 64 hex digits, got 'abc')"),
        ([f"--profile-sha256={'g' * 64}"], "not a SHA-256"),
        (["--profile-key="], "not a public key (expected TYPE:BASE64, got '')"),
        (["--profile-key=ssh-ed25519"], "not a public key"),
        (["--profile-key=ssh-ed25519 AAAA"], "not a public key"),
        (["--profile-key=ssh-ed25519:AAAA\nalchemy ssh-rsa:BBBB"], "not a public key"),
    ],
)
def test_a_wrong_option_ends_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        options.parse(arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_a_run_that_goes_on_has_the_same_options_again() -> None:
    arguments = ["--boot", "--profile", "quick", "--disks", "S1", "--resume"]
    first = options.parse(arguments)
    again = options.parse(first.arguments)
    assert (again.profile, again.disks, again.resume, again.boot) == ("quick", "S1", False, False)


# A profile by URL: its digest and its signature, which chroot/early/authenticate judges.


@dataclass
class Judge:
    """Stands in for chroot/early/authenticate on a machine, and keeps what it was asked, and of which file."""

    root: Path
    output: Output
    asked: list[Sequence[str]] = field(default_factory=list)
    judged: bytes = b""

    def __call__(self, argv: Sequence[str], seconds: float, limit: int) -> Output:
        self.asked.append(argv)
        file = self.root / "run/alchemy/burnin_profile"
        assert file.stat().st_mode & 0o777 == 0o600
        self.judged = file.read_bytes()
        return self.output


class Served(web.Quiet, BaseHTTPRequestHandler):
    """Serves OWN as own.toml."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/own.toml" else 404)
        self.send_header("Content-Length", str(len(OWN)))
        self.end_headers()
        self.wfile.write(OWN)


@pytest.fixture
def url() -> Iterator[str]:
    with web.serving(Served) as port:
        yield f"http://127.0.0.1:{port}/own.toml"


@pytest.mark.parametrize("key", ["", KEY])
def test_a_profile_by_url_is_taken_when_it_is_authentic(tmp_path: Path, url: str, key: str) -> None:
    # what was there before is not what is judged
    (tmp_path / "run/alchemy").mkdir(parents=True)
    (tmp_path / "run/alchemy/burnin_profile").write_bytes(b"older and longer than the profile, by some words")
    judge = Judge(tmp_path, Output(0, "a note\nauthentic\n"))
    arguments = ["--profile", url, f"--profile-sha256={DIGEST.upper()}", *([f"--profile-key={key}"] if key else [])]
    assert options.choose(options.parse(arguments), Machine(tmp_path, judge)).seconds == 300
    program = "/run/alchemy/early/authenticate"
    file = "/run/alchemy/burnin_profile"
    assert judge.asked == [["sh", program, file, url, "alchemy-profile", key, "burnin_profile"]]
    assert judge.judged == OWN


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (Output(0, "burnin_profile: refused: a reason\n"), "burnin_profile: refused: a reason"),
        (Output(0, "one\n\x1b[2Jtwo\n"), "one\n?[2Jtwo"),
        (Output(0, "authentic\nburnin_profile: refused: it\n"), "authentic\nburnin_profile: refused: it"),
        (Output(1, "authentic\n", "", "exit status 1"), "authentic"),
        (Output(0, "not authentic\n"), "not authentic"),
        (Output(0, "authentic \n"), "authentic"),
        # an empty script; none; no shell; one that hangs
        (Output(0), "burnin_profile: refused: cannot be authenticated (no answer)"),
        (
            Output(2, "", "sh: cannot open authenticate\n", "exit status 2"),
            "burnin_profile: refused: cannot be authenticated (exit status 2): sh: cannot open authenticate",
        ),
        (Output(problem="not installed"), "burnin_profile: refused: cannot be authenticated (not installed)"),
        (Output(problem="timed out after 150 s"), "burnin_profile: refused: cannot be authenticated (timed out after"),
    ],
)
def test_a_profile_by_url_that_is_not_authentic_is_refused(
    tmp_path: Path, url: str, output: Output, message: str
) -> None:
    with pytest.raises(ProfileError) as raised:
        options.choose(options.parse(["--profile", url]), Machine(tmp_path, Judge(tmp_path, output)))
    assert str(raised.value).startswith(message)


def test_a_profile_of_another_digest_is_not_even_judged(tmp_path: Path, url: str) -> None:
    judge = Judge(tmp_path, Output(0, "authentic\n"))
    arguments = ["--profile", url, f"--profile-sha256={'0' * 64}"]
    with pytest.raises(ProfileError, match="digest mismatch"):
        options.choose(options.parse(arguments), Machine(tmp_path, judge))
    assert judge.asked == []


def test_a_folder_that_takes_no_file_refuses_the_profile(tmp_path: Path, url: str) -> None:
    (tmp_path / "run").write_bytes(b"no folder")
    with pytest.raises(ProfileError, match=r"own\.toml: cannot be authenticated \("):
        options.choose(options.parse(["--profile", url]), Machine(tmp_path, Judge(tmp_path, Output(0, "authentic\n"))))


@pytest.mark.parametrize(("locked", "boot", "taken"), [(False, True, True), (True, False, True), (True, True, False)])
def test_a_command_line_names_no_file_of_a_locked_image(tmp_path: Path, locked: bool, boot: bool, taken: bool) -> None:
    own = tmp_path / "own.toml"
    own.write_bytes(OWN)
    if locked:
        (tmp_path / "etc/alchemy").mkdir(parents=True)
        (tmp_path / "etc/alchemy/locked").touch()
    chosen = options.parse(["--profile", str(own), *(["--boot"] if boot else [])])
    if taken:
        assert options.choose(chosen, Machine(tmp_path)).seconds == 300
    else:
        with pytest.raises(ProfileError, match="refused: this image is locked"):
            options.choose(chosen, Machine(tmp_path))


@pytest.mark.parametrize(
    ("stored", "given", "expected"),
    [
        # what verified the profile at either start verifies it again
        (["--profile-key", KEY], [], ("", KEY)),
        ([], ["--profile-key", KEY], ("", KEY)),
        (["--profile-sha256", DIGEST], ["--profile-key", KEY], (DIGEST, KEY)),
        (["--profile-sha256", DIGEST], ["--profile-sha256", DIGEST.upper()], (DIGEST, "")),
        ([], [], ("", "")),
    ],
)
def test_a_run_that_goes_on_verifies_its_profile_again(
    stored: list[str], given: list[str], expected: tuple[str, str]
) -> None:
    again = options.again(options.parse(["--profile", "http://h/own.toml", *stored]), options.parse(["--boot", *given]))
    assert (again.sha256, again.key, again.boot) == (*expected, True)


@pytest.mark.parametrize(
    ("stored", "given", "message"),
    [
        (["--profile-key", KEY], ["--profile-key", "ssh-rsa:BBBB"], "--profile-key: contradicts the run that goes on"),
        (["--profile-sha256", DIGEST], ["--profile-sha256", "0" * 64], "--profile-sha256: contradicts the run"),
    ],
)
def test_a_run_whose_profile_has_to_be_another_by_now_does_not_go_on(
    stored: list[str], given: list[str], message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        options.again(options.parse(["--profile", "http://h/own.toml", *stored]), options.parse(given))


def test_a_run_of_a_built_in_profile_goes_on_whatever_the_command_line_says_now() -> None:
    given = options.parse(["--boot", "--profile", "http://h/own.toml", "--profile-key", KEY])
    assert options.again(options.parse(["--profile", "quick"]), given).key == ""
