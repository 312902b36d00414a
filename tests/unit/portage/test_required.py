from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host.chroot import Chroot
from alchemy.portage import required
from tests import repository
from tests.unit.fakes import FakeRunner

SETUP = """\
require() {
	command -v "$1"
}

main() {
	require busybox sys-apps/busybox
	require python3 dev-lang/python
	python3 -m compileall
}
"""

# what emerge of Portage 3.0.83 says
PLANNED = """\
[ebuild  N     ] dev-lang/python-3.13.5-r1
[binary  N     ] sys-apps/baselayout-2.17-1::gentoo to /tmp/empty/
[ebuild  N     ] sys-apps/busybox-1.37.0::gentoo to /tmp/empty/ USE="static"
"""


def check(context: Context, tmp_path: Path, *atoms: str) -> None:
    (context.root / "chroot/setup.sh").write_text(SETUP, encoding="utf-8")
    sets = {"packages/packages.mine": list(atoms), "packages/packages.core": []}
    required.check(context, Chroot(tmp_path), sets, context.logfile("system"))


@pytest.mark.parametrize(
    "python",
    [
        "dev-lang/python", "dev-lang/python::vendor", "dev-lang/python:3.13", "=dev-lang/python-3.13*",
        ">=dev-lang/python-3.13.5-r1:3.13::vendor[ssl]", "~dev-lang/python-3.13.5", "dev-lang/python[ssl,-tk]",
    ],
)  # fmt: skip
def test_portage_is_not_asked_where_the_sets_name_what_every_image_needs(
    context: Context, runner: FakeRunner, tmp_path: Path, python: str
) -> None:
    check(context, tmp_path, "sys-apps/busybox", python)
    assert runner.calls == []


_PYTHON = "  dev-lang/python: missing (expected in a set: chroot/setup.sh runs its python3)"
_BUSYBOX = "  sys-apps/busybox: missing (expected in a set: chroot/setup.sh runs its busybox)"

# what the sets name, what emerge would install, the lines of the message and the hint
LACKING = {
    "what the build chroot gets is not in the image": (
        ("app-misc/gold",), PLANNED, (_PYTHON,), "echo dev-lang/python >>packages/packages.mine",
    ),
    "a package of a similar name": (
        ("dev-lang/python-exec", "sys-apps/busybox"), "[ebuild N ] dev-lang/python-exec-2 to /tmp/empty/\n", (_PYTHON,),
        "echo dev-lang/python >>packages/packages.mine",
    ),
    "both": (
        ("app-misc/gold",), "", (_PYTHON, _BUSYBOX),
        "echo dev-lang/python >>packages/packages.mine; echo sys-apps/busybox >>packages/packages.mine",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("atoms", "printed", "lines", "hint"), LACKING.values(), ids=LACKING)
def test_each_package_that_every_image_needs_and_no_set_brings_is_named_with_the_remedy(
    context: Context, runner: FakeRunner, tmp_path: Path, atoms: tuple[str, ...], printed: str, lines: tuple[str, ...],
    hint: str,
) -> None:  # fmt: skip
    runner.answers["bwrap"] = printed
    with pytest.raises(UserError) as caught:
        check(context, tmp_path, *atoms)
    assert caught.value.message.splitlines() == ["the package sets lack what every image needs", *lines]
    assert caught.value.hint == hint


def test_a_package_that_comes_as_a_dependency_is_enough(context: Context, runner: FakeRunner, tmp_path: Path) -> None:
    runner.answers["bwrap"] = (
        f"{PLANNED}\x1b[32m[binary  N     ]\x1b[0m dev-lang/python-3.13.5::gentoo to /tmp/empty/\n"
    )
    check(context, tmp_path, "app-misc/gold")
    (call,) = runner.calls
    assert call.env == {}
    assert call.argv[call.argv.index("ACCEPT_LICENSE") + 1] == "*"


def test_what_portage_cannot_resolve_is_left_to_the_check_that_says_why(
    context: Context, runner: FakeRunner, tmp_path: Path
) -> None:
    def refuse(_: list[str]) -> None:
        raise BuildError("emerge failed")

    runner.on_run = refuse
    check(context, tmp_path, "app-misc/nowhere")
    assert len(runner.calls) == 1


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        ("sh", 0, ""),
        ("gold3", 1, "gold3: not in the image (expected the package app-misc/gold: add it to a set in packages/)\n"),
    ],
)
def test_the_script_ends_at_a_program_that_the_image_lacks(program: str, status: int, said: str) -> None:
    script = f". {repository.ROOT}/chroot/methods; require {program} app-misc/gold; echo went on"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, said)
    assert done.stdout == ("went on\n" if status == 0 else "")


def test_the_script_that_sets_up_an_image_says_what_it_needs(context: Context, tmp_path: Path) -> None:
    text = (repository.ROOT / "chroot/setup.sh").read_text(encoding="utf-8")
    assert required.programs(text) == {
        "dev-lang/python": "python3", "sys-apps/busybox": "busybox", "sys-apps/openrc": "openrc-run",
    }  # fmt: skip
