from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from alchemy.host import chroot
from alchemy.host.chroot import Chroot
from tests import repository

PLAIN = Chroot(Path("/srv/root"))


def has(argv: list[str], *words: str) -> bool:
    """Whether `words` stand in argv, one after the other."""
    return any(tuple(argv[n : n + len(words)]) == words for n in range(len(argv)))


def test_the_command_stands_at_the_end_of_the_command_line() -> None:
    argv = PLAIN.argv(["emerge", "--oneshot", "a b"])
    assert argv[-4:] == ["--", "emerge", "--oneshot", "a b"]


def test_bubblewrap_is_started_by_the_program_that_confines_it() -> None:
    python, isolated, program, *rest = PLAIN.argv(["true"])
    assert (python, isolated, rest[0]) == (sys.executable, "-I", "bwrap")
    assert Path(program) == repository.ROOT / "alchemy/host/confine.py"


@pytest.mark.parametrize("capabilities", [(), ("CHOWN",), ("CHOWN", "MKNOD")])
def test_root_has_the_capabilities_asked_for_and_no_others(capabilities: tuple[str, ...]) -> None:
    argv = replace(PLAIN, capabilities=capabilities).argv(["true"])
    assert argv.index("--cap-drop") < argv.index("--ro-bind")
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
    added = [argv[at + 1] for at, word in enumerate(argv) if word == "--cap-add"]
    assert added == [f"CAP_{name}" for name in capabilities]


def test_portage_may_not_make_devices_nor_administer_anything() -> None:
    assert PLAIN.capabilities == chroot.PORTAGE
    refused = {"DAC_READ_SEARCH", "MKNOD", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO"}
    assert not refused & set(chroot.PORTAGE)


def test_bubblewrap_is_named_where_it_is_confined_and_nowhere_else() -> None:
    """But for mmdebstrap, which runs Debian's own code, and for the package that it is in."""
    modules = (repository.ROOT / "alchemy").rglob("*.py")
    named = {path.stem: path.read_text(encoding="utf-8").count('"bwrap"') for path in modules}
    assert {name: count for name, count in named.items() if count} == {"chroot": 2, "depends": 1}


def test_proc_is_made_read_only_when_all_is_in_its_place() -> None:
    argv = PLAIN.argv(["true"])
    assert has(argv, "--proc", "/proc", "--ro-bind", "/dev/null", "/proc/keys", "--remount-ro", "/proc")


@pytest.mark.parametrize(
    ("chroot", "words"),
    [
        (PLAIN, ("--ro-bind", "/srv/root", "/")),
        (replace(PLAIN, writable=True), ("--bind", "/srv/root", "/")),
        (PLAIN, ("--unshare-net",)),
        (PLAIN, ("--unshare-pid",)),
        (PLAIN, ("--die-with-parent", "--clearenv", "--new-session")),
        (PLAIN, ("--proc", "/proc")),
        (PLAIN, ("--dev", "/dev")),
        (PLAIN, ("--ro-bind", "/sys", "/sys")),
        (PLAIN, ("--unshare-ipc",)),
        (PLAIN, ("--unshare-cgroup",)),
        (PLAIN, ("--perms", "1777", "--tmpfs", "/tmp")),
        (PLAIN, ("--perms", "1777", "--tmpfs", "/dev/shm")),
        (PLAIN, ("--tmpfs", "/run")),
        (PLAIN, ("--tmpfs", "/mnt")),
        (PLAIN, ("--chdir", "/")),
        (PLAIN, ("--setenv", "HOME", "/root")),
        (PLAIN, ("--setenv", "LC_ALL", "C.UTF-8")),
        (replace(PLAIN, network=True), ("--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf")),
        (replace(PLAIN, binds={"/mnt/out": Path("/tmp/out")}), ("--bind", "/tmp/out", "/mnt/out")),
        (replace(PLAIN, ro_binds={"/mnt/in": Path("/tmp/in")}), ("--ro-bind", "/tmp/in", "/mnt/in")),
        (replace(PLAIN, env={"MAKEOPTS": "-j2"}), ("--setenv", "MAKEOPTS", "-j2")),
        (replace(PLAIN, env={"HOME": "/tmp"}), ("--setenv", "HOME", "/tmp")),
    ],
)
def test_the_command_line_has(chroot: Chroot, words: tuple[str, ...]) -> None:
    assert has(chroot.argv(["true"]), *words)


@pytest.mark.parametrize(
    ("chroot", "word"),
    [
        (replace(PLAIN, network=True), "--unshare-net"),
        (PLAIN, "/etc/resolv.conf"),
        (PLAIN, "--dev-bind"),
        (replace(PLAIN, env={"HOME": "/tmp"}), "/root"),
    ],
)
def test_the_command_line_lacks(chroot: Chroot, word: str) -> None:
    assert word not in chroot.argv(["true"])


def test_an_interactive_command_keeps_the_terminal() -> None:
    argv = PLAIN.argv(["bash"], interactive=True, cwd="/root")
    assert "--new-session" not in argv
    assert has(argv, "--chdir", "/root", "--", "bash")


def test_a_bind_stands_behind_the_tmpfs_it_goes_into() -> None:
    argv = replace(PLAIN, binds={"/mnt/out": Path("/tmp/out")}).argv(["true"])
    assert argv.index("/mnt") < argv.index("/mnt/out")


def test_a_path_inside_maps_to_one_outside() -> None:
    assert PLAIN / "etc/motd" == PLAIN / "/etc/motd" == Path("/srv/root/etc/motd")


@pytest.mark.parametrize("name", ["MODULE", "RAWIO", "BOOT", "TIME", "PTRACE"])
def test_a_host_command_cannot_reach_the_kernel_and_the_hardware(name: str) -> None:
    assert has(chroot.host(["mmdebstrap"]), "--cap-drop", f"CAP_SYS_{name}")


def test_a_host_command_runs_in_a_pid_namespace_that_ends_with_us() -> None:
    argv = chroot.host(["mmdebstrap", Path("/tmp/out")])
    assert argv[0] == "bwrap"
    assert {"--unshare-pid", "--die-with-parent"} < set(argv)
    assert argv[-2:] == ["mmdebstrap", "/tmp/out"]
