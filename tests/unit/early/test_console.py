"""The consoles of the preliminary init: which there are, what is said there, and the shells it gives."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.lib.early import EARLY, Node

CONSOLE = f'. "{EARLY}/cmdline.sh"; . "{EARLY}/console.sh"'


def terminals(node: Node, active: str | None, *names: str, absent: tuple[str, ...] = ()) -> None:
    """Terminals of a machine; `absent` have a device file and no hardware (`type` is PORT_UNKNOWN)."""
    for name in (*names, *absent):
        node.write(f"dev/{name}", "")
        node.write(f"sys/class/tty/{name}/type", "0\n" if name in absent else "4\n")
    if active is not None:
        node.write("sys/class/tty/console/active", active)


# kernel command line, what the kernel uses → the consoles of a machine with tty0, tty1, ttyS0, ttyS1, hvc0 and ttyUSB0
# that has files for ttyS2 and ttyS3 too
CONSOLES: Mapping[tuple[str, str], list[str]] = {
    ("", "tty0\n"): ["tty0"],
    ("quiet", "tty0 ttyS0\n"): ["tty0", "ttyS0"],
    ("console=tty0 console=ttyS0,115200n8 console=ttyS1,115200n8", "tty0 ttyS0\n"): ["tty0", "ttyS0", "ttyS1"],
    ("console=ttyS1,115200n8 console=ttyS0 console=tty0", "tty0 ttyS1\n"): ["ttyS1", "ttyS0", "tty0"],
    ("console=ttyS0 console=ttyS0,9600", "ttyS0\n"): ["ttyS0"],
    ("console=hvc0 console=ttyUSB0,115200", "ttyS0\n"): ["hvc0", "ttyUSB0", "ttyS0"],
    # serial over LAN alone
    ("console=ttyS1,115200n8", "ttyS1\n"): ["ttyS1"],
    # no such device: a port without hardware, a driver that is not there
    ("console=ttyS2", "\n"): [],
    ("console=tty0 console=ttyS3", "tty0\n"): ["tty0"],
    ("console=ttyAMA0", "\n"): [],
    ("console=hvc1 console=ttyS1", "ttyS1\n"): ["ttyS1"],
    # none at all
    ("console=null", "ttynull0\n"): [],
    ("console=", "\n"): [],
    ('console=""', ""): [],
    # as the kernel completes the names
    ("console=0,9600", "ttyS0\n"): ["ttyS0"],
    ("console=1", "\n"): ["ttyS1"],
    ("console=tty", "tty0\n"): ["tty0"],
    ("console=ttyS,115200", "\n"): ["ttyS0"],
    ('console="ttyS1,115200n8"', "\n"): ["ttyS1"],
    ('"console=ttyS1,115200n8"', "\n"): ["ttyS1"],
    # an early console is not a device, and its kernel console is in use
    ("console=uart8250,io,0x3f8,115200n8", "ttyS0\n"): ["ttyS0"],
    ("console=uart,mmio32,0xfe000000", "ttyS1\n"): ["ttyS1"],
    # not consoles, and devices that must never be written to
    ("netconsole=6665@192.0.2.9/eth0,6666@192.0.2.1/ consoleblank=0 Console=ttyS1", "tty0\n"): ["tty0"],
    ("console=sda console=../sda console=mem console=zero console=kmsg console=console console=ptmx", "tty0\n"): [
        "tty0"
    ],
    ("console=*", "tty0\n"): ["tty0"],
    ("console=ttyS1;reboot console=$(reboot)", "tty0\n"): ["tty0"],
    ('dyndbg="file a.c console=ttyS1 +p" console=tty0', "tty0\n"): ["tty0"],
}


@pytest.mark.parametrize(("given", "names"), CONSOLES.items(), ids=lambda value: " ".join(value).strip() or "none")
def test_every_console_of_the_command_line_that_exists_is_one(
    node: Node, given: tuple[str, str], names: list[str]
) -> None:
    terminals(node, given[1], "tty0", "tty1", "ttyS0", "ttyS1", "hvc0", "ttyUSB0", absent=("ttyS2", "ttyS3"))
    for other in ("sda", "sda0", "mem", "zero", "kmsg", "null", "console", "ptmx", "tty"):
        node.write(f"dev/{other}", "")
    assert node.run('read_consoles "$1"; consoles', given[0], stubs=CONSOLE).split() == names


SPEEDS = {
    "console=ttyS1": "",
    "console=ttyS1,115200n8": "115200",
    "console=ttyS1,57600": "57600",
    "console=ttyS1,9600n8r": "9600",
    "console=ttyS0,9600 console=ttyS1,115200": "115200",
    "console=ttyS1,38400 console=ttyS1,115200": "38400",
    "console=ttyS1,n8": "",
    "console=ttyS1,115200;reboot": "",
    "console=1,19200": "19200",
    "console=ttyS11,19200": "",
}


def test_the_speed_of_a_console_is_what_the_command_line_says(node: Node) -> None:
    found = node.each('read_consoles "$case"; console_speed ttyS1', list(SPEEDS))
    assert {line: speed.strip() for line, speed in found.items()} == SPEEDS


def test_only_consoles_that_the_kernel_does_not_use_are_given_a_speed(node: Node) -> None:
    terminals(node, "tty0 ttyS0\n", "tty0", "ttyS0", "ttyS1", "ttyUSB0")
    script = """
    stty() { echo "stty $*" >>"$ROOT/calls"; case $3 in 110) return 1 ;; esac; }
    read_consoles "console=ttyS0,9600 console=ttyS1,115200n8 console=ttyUSB0,110"; set_speeds
    """
    node.run(script)
    assert node.calls == [f"stty -F {node.root}/dev/ttyS1 115200", f"stty -F {node.root}/dev/ttyUSB0 110"]
    assert node.said == ["console=ttyUSB0: does not take the speed 110"]


@pytest.mark.parametrize(
    ("active", "names"), [("tty0 ttyS0\n", ["tty0", "ttyS0"]), ("ttyS1\n", ["ttyS1"]), (None, ["console"])]
)
def test_what_is_said_is_on_every_console_and_in_the_kernels_log(
    node: Node, active: str | None, names: list[str]
) -> None:
    terminals(node, active, *names)
    node.run("say 'a  message %s'", stubs=CONSOLE)
    assert {path.name for path in (node.root / "dev").iterdir()} == {*names, "kmsg"}
    for name in names:
        assert node.read(f"dev/{name}") == "[   12.34] alchemy: a  message %s\n"
    assert node.read("dev/kmsg") == "<7>alchemy: a  message %s\n"


def test_a_console_that_does_not_open_costs_its_own_line_only(node: Node) -> None:
    terminals(node, "tty0 ttyS0\n", "ttyS0")
    (node.root / "dev/tty0").mkdir()
    (node.root / "sys/class/tty/tty0").mkdir()
    node.run("say hello", stubs=CONSOLE)
    assert node.read("dev/ttyS0") == "[   12.34] alchemy: hello\n"
    assert node.read("dev/kmsg") == "<7>alchemy: hello\n"


# a directory is what does not open for writing, as /dev/console without a console
@pytest.mark.parametrize(
    ("console", "asked", "active", "terminal"),
    [
        ("opens", "", "tty0\n", "console"),
        ("opens", "", "\n", "console"),
        ("opens", "console=tty0 console=ttyS0", "tty0 ttyS0\n", "console"),
        # the kernel takes one console= of each driver; the last that exists is the one that is meant
        ("opens", "console=tty0 console=ttyS0 console=ttyS1", "tty0 ttyS0\n", "ttyS1"),
        ("opens", "console=tty0 console=ttyS0 console=ttyS9", "tty0 ttyS0\n", "console"),
        ("opens", "console=ttyS1 console=ttyS0 console=tty0", "tty0 ttyS1\n", "console"),
        ("missing", "console=ttyS1 console=ttyS0", "\n", "ttyS0"),
        ("fails", "console=ttyS1", "\n", "ttyS1"),
        ("fails", "console=ttyS9", "\n", "null"),
        ("fails", "console=null", "\n", "null"),
        ("missing", "", "\n", "null"),
        ("missing", "", "ttyS0\n", "ttyS0"),
    ],
)
def test_a_terminal_is_the_last_console_that_exists_another_that_opens_or_null(
    node: Node, console: str, asked: str, active: str, terminal: str
) -> None:
    terminals(node, active, "tty0", "ttyS0", "ttyS1", absent=("ttyS9",))
    if console == "opens":
        node.write("dev/console", "")
    elif console == "fails":
        (node.root / "dev/console").mkdir()
    assert node.run('read_consoles "$1"; terminal', asked) == f"{terminal}\n"


@pytest.mark.parametrize(("opened", "files"), [("<&- >&- 2>&-", "/dev/null"), ("<ours >ours 2>ours", "ours")])
def test_an_init_that_is_started_without_open_files_reads_and_writes_null(node: Node, opened: str, files: str) -> None:
    node.write("ours", "")
    script = f"""
    exec {opened}; hold_stdio
    links=$(for file in 0 1 2; do readlink "/proc/$$/fd/$file"; done)
    printf '%s' "$links" >"$ROOT/files"
    """
    node.run(script, stubs=CONSOLE)
    assert [path.rpartition("/")[2] for path in node.lines("files")] == [files.rpartition("/")[2]] * 3


RESCUE = """
run_shell() { echo shell >>"$ROOT/said"; }
reboot() { echo "reboot $*" >>"$ROOT/calls"; }
"""


def test_a_rescue_shell_comes_with_its_reason(node: Node) -> None:
    terminals(node, "console\n", "console")
    node.run(f'{RESCUE} rescue "no init"')
    assert node.said[0] == "no init"
    assert "exit" in node.said[-2]
    assert node.said[-1] == "shell"
    assert node.calls == []


def test_a_rescue_without_a_console_says_so_and_sleeps(node: Node) -> None:
    terminals(node, "\n")
    node.run(f'{RESCUE} rescue "no init"')
    assert node.said == ["no init", "there is no console for a rescue shell: the boot goes on in 60 seconds"]
    assert node.calls == ["sleep 60"]


@pytest.mark.parametrize("where", ["new/etc/alchemy/locked", "early/locked"])
def test_a_locked_image_has_no_rescue_shell_and_restarts(node: Node, where: str) -> None:
    terminals(node, "console\n", "console")
    node.write(where, "")
    node.run(f'early=$ROOT/early; {RESCUE} rescue "no init"')
    assert node.said == [
        "no init",
        "this image is locked: there is no rescue shell, and the node restarts in 5 minutes",
    ]
    assert node.calls == ["sleep 300", "reboot -f"]


def test_a_shell_that_ends_at_once_is_no_busy_loop(node: Node) -> None:
    terminals(node, "console\n", "console")
    node.run("run_shell")
    assert node.calls[-1] == "sleep 1"
    assert "setsid -c /bin/sh -l" in node.read("calls") + node.read("dev/console")
