"""The preliminary init from its console to the hand-over, and what all its pieces have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.node import CHROOT, EARLY, Node


@pytest.mark.parametrize(
    "path",
    [CHROOT / "init", CHROOT / "methods", CHROOT / "adminuser", *sorted(EARLY.glob("*.sh"))],
    ids=lambda path: path.name,
)
def test_nothing_happens_when_it_is_sourced(node: Node, path: Path) -> None:
    before = sorted(node.root.rglob("*"))
    # no program can be found, so any that was called would be complained about
    load = f'early={EARLY}; PATH=/nonexistent; . "{path}"'
    assert node.run("", load=load, stubs="") == ""
    assert sorted(node.root.rglob("*")) == before


# console.sh

CONSOLE = f'. "{EARLY}/console.sh"'


@pytest.mark.parametrize(
    ("active", "names"), [("tty0 ttyS0\n", ["tty0", "ttyS0"]), ("ttyS1\n", ["ttyS1"]), (None, ["console"])]
)
def test_what_is_said_is_on_every_console_and_in_the_kernels_log(
    node: Node, active: str | None, names: list[str]
) -> None:
    if active is not None:
        node.write("sys/class/tty/console/active", active)
    node.run("say 'a  message %s'", stubs=CONSOLE)
    assert {path.name for path in (node.root / "dev").iterdir()} == {*names, "kmsg"}
    for name in names:
        assert node.read(f"dev/{name}") == "[   12.34] alchemy: a  message %s\n"
    assert node.read("dev/kmsg") == "<7>alchemy: a  message %s\n"


def test_a_rescue_shell_comes_with_its_reason(node: Node) -> None:
    node.run('run_shell() { echo shell >>"$ROOT/said"; }; rescue "no init"')
    assert node.said[0] == "no init"
    assert "exit" in node.said[-2]
    assert node.said[-1] == "shell"


# services.sh


@pytest.mark.parametrize(("service", "program"), [("start_ssh", "dropbear"), ("start_lldpd", "lldpd")])
@pytest.mark.parametrize("works", [True, False])
def test_a_service_that_does_not_start_is_said_with_its_reason(
    node: Node, service: str, program: str, works: bool
) -> None:
    chroot = f'chroot() {{ echo "$*" >>"$ROOT/calls"; echo "a reason" >&2; {str(works).lower()}; }}'
    node.run(f"{chroot}; {service}", status=0 if works else 1)
    assert f" {program} " in node.calls[0]
    assert len(node.said) == 1
    assert node.said[0].endswith("does not start: a reason") != works


def test_the_services_are_ended_before_the_real_ones_start(node: Node) -> None:
    node.write("pids", "dropbear 7 8\n")
    script = """
    pidof() { sed -n "s/^$1 //p" "$ROOT/pids" | grep .; }
    kill() { echo "kill $*" >>"$ROOT/calls"; : >"$ROOT/pids"; }
    stop_services
    """
    node.run(script)
    assert node.calls == ["kill 7 8"]


def test_a_service_that_does_not_end_is_killed(node: Node) -> None:
    script = """
    pidof() { [ "$1" = lldpd ] && echo 7; }
    kill() { echo "kill $*" >>"$ROOT/calls"; }
    usleep() { :; }
    stop_services
    """
    node.run(script)
    assert node.calls == ["kill 7", "kill -9 7"]


# init

# The real system's shell and head, which see below /new.
NEW = """
chroot() {
    top=$1; shift
    case $1 in
    /bin/sh) [ -f "$top$4" ] && [ -x "$top$4" ] ;;
    head) head -c 4 "$top$4" ;;
    esac
}
"""


@pytest.mark.parametrize(
    ("name", "content", "mode", "runs"),
    [
        ("script", "#!/bin/sh\n", 0o755, True),
        ("program", "\x7fELF\x02", 0o755, True),
        ("not-executable", "#!/bin/sh\n", 0o644, False),
        ("text", "hello\n", 0o755, False),
        ("empty", "", 0o755, False),
    ],
)
def test_a_real_init_can_run_when_the_kernel_knows_how(
    node: Node, name: str, content: str, mode: int, runs: bool
) -> None:
    node.write(f"new/sbin/{name}", content, mode)
    node.run(f'{NEW} can_run "$1"', f"/sbin/{name}", status=0 if runs else 1)


@pytest.mark.parametrize("path", ["", "/sbin", "/sbin/missing"])
def test_a_real_init_that_is_no_file_cannot_run(node: Node, path: str) -> None:
    node.write("new/sbin/init", "#!/bin/sh\n", 0o755)
    node.run(f'{NEW} can_run "$1"', path, status=1)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("/sbin/init", []),
        ("/bin/other", []),
        ("", ["real_init is empty: there is no init to hand over to"]),
        ("/missing", ["real_init=/missing: not an executable file"]),
    ],
)
def test_without_a_real_init_there_is_a_rescue_shell_and_then_the_default(
    node: Node, wanted: str, said: list[str]
) -> None:
    for name in ("sbin/init", "bin/other"):
        node.write(f"new/{name}", "#!/bin/sh\n", 0o755)
    script = f'{NEW} rescue() {{ say "$1"; }}; p_real_init=$1; check_real_init; echo "$p_real_init"'
    assert node.run(script, wanted) == f"{'/sbin/init' if said else wanted}\n"
    assert node.said == said


def squashfs(node: Node, length: int, bytes_used: int, held: int | None = None) -> str:
    """Two files of a length, whose superblocks say how long they should be; returns a `du` that sees what is held."""
    superblock = b"hsqs".ljust(40, b"\0") + bytes_used.to_bytes(8, "little")
    for layer in ("packages", "identity"):
        (node.root / f"{layer}.squashfs").write_bytes(superblock.ljust(length, b"\0")[:length])
    node.write("proc/meminfo", "MemTotal:         235540 kB\nMemFree: 1 kB\n")
    blocks = -(-(length if held is None else held) // 4096) * 4
    return f'du() {{ printf "{blocks}\\t%s\\n" "$2"; }}\n'


@pytest.mark.parametrize(
    ("length", "held", "bytes_used", "complete"),
    [
        (4096, 4096, 4096, True),
        (4096, 4096, 4000, True),
        (4095, 4095, 4096, False),
        (96, 96, 1 << 33, False),
        (0, 0, 0, False),
        (16384, 4096, 12289, False),
        (16384, 0, 12289, False),
    ],
)
def test_a_system_that_was_cut_short_is_noticed(
    node: Node, length: int, held: int, bytes_used: int, complete: bool
) -> None:
    du = squashfs(node, length, bytes_used, held)
    node.run(f'{du} is_complete "$ROOT/packages.squashfs"', status=0 if complete else 1)
    assert any("cut short" in text for text in node.said) != complete
    assert any("235540 kB" in text for text in node.said) != complete


def test_a_ramdisk_without_a_system_is_said(node: Node) -> None:
    node.run("mount_system", status=1)
    assert "holds no system" in node.said[0]
    assert node.calls == []


@pytest.mark.parametrize("layer", ["packages", "identity"])
def test_a_ramdisk_that_lacks_a_layer_is_said(node: Node, layer: str) -> None:
    du = squashfs(node, 4096, 4096)
    (node.root / f"{layer}.squashfs").unlink()
    node.run(f"{du} mount_system", status=1)
    assert "holds no system" in node.said[0]


def test_the_layers_of_the_system_are_mounted_under_an_overlay_the_identity_over_the_packages(node: Node) -> None:
    du = squashfs(node, 4096, 4096)
    node.run(f"{du} mount_system")
    root = node.root
    rom = f"{root}/run/alchemy/rom"
    assert node.calls[:2] == [
        f"mount -t squashfs -o loop,ro {root}/{layer}.squashfs {rom}/{layer}" for layer in ("packages", "identity")
    ]
    assert node.calls[2].startswith("mount -t tmpfs ")
    assert f"lowerdir={rom}/identity:{rom}/packages," in node.calls[3]
    assert node.calls[3].endswith(f" overlay {root}/new")


# busybox's ash execs its own switch_root, whatever PATH has
@pytest.mark.parametrize("node", ["dash", "bash"], indirect=True)
def test_the_hand_over_says_so_and_ends_in_the_real_init(node: Node) -> None:
    (node.root / "new/dev").mkdir()
    node.write("new/dev/console", "")
    # exec reaches programs only
    (node.root / "bin").mkdir()
    node.write("bin/switch_root", '#!/bin/sh\necho "switch_root $*"\n', 0o755)
    node.run("pidof() { return 1; }; PATH=$ROOT/bin:$PATH; p_real_init=/sbin/init; hand_over")
    assert node.said == ["handing over to /sbin/init"]
    assert node.read("new/dev/console") == f"switch_root {node.root}/new /sbin/init\n"


# methods


def test_a_script_that_dies_says_why(node: Node) -> None:
    node.run('(die "a reason") 2>"$ROOT/said"', load=f'. "{CHROOT}/methods"', status=1)
    assert node.said == ["a reason"]
