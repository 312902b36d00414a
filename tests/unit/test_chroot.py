from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alchemy import chroot
from alchemy.chroot import Chroot

PLAIN = Chroot(Path("/srv/root"))


def has(argv: list[str], *words: str) -> bool:
    """Whether `words` stand in argv, one after the other."""
    return any(tuple(argv[n : n + len(words)]) == words for n in range(len(argv)))


def test_the_command_stands_at_the_end_of_the_command_line() -> None:
    argv = PLAIN.argv(["emerge", "--oneshot", "a b"])
    assert argv[0] == "bwrap"
    assert argv[-3:] == ["emerge", "--oneshot", "a b"]


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
    assert has(argv, "--chdir", "/root", "bash")


def test_a_bind_stands_behind_the_tmpfs_it_goes_into() -> None:
    argv = replace(PLAIN, binds={"/mnt/out": Path("/tmp/out")}).argv(["true"])
    assert argv.index("/mnt") < argv.index("/mnt/out")


def test_a_path_inside_maps_to_one_outside() -> None:
    assert PLAIN / "etc/motd" == PLAIN / "/etc/motd" == Path("/srv/root/etc/motd")


def test_a_host_command_runs_in_a_pid_namespace_that_ends_with_us() -> None:
    argv = chroot.host(["mmdebstrap", Path("/tmp/out")])
    assert argv[0] == "bwrap"
    assert {"--unshare-pid", "--die-with-parent"} < set(argv)
    assert argv[-2:] == ["mmdebstrap", "/tmp/out"]
