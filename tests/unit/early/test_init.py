"""The preliminary init from its console to the hand-over, and what all its pieces have in common."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lib.early import CHROOT, EARLY, Node


@pytest.mark.parametrize(
    "path",
    [
        CHROOT / "init",
        CHROOT / "methods",
        CHROOT / "adminuser",
        *sorted(EARLY.glob("*.sh")),
        EARLY / "retry",
        EARLY / "authenticate",
    ],
    ids=lambda path: path.name,
)
def test_nothing_happens_when_it_is_sourced(node: Node, path: Path) -> None:
    before = sorted(node.root.rglob("*"))
    # no program can be found, so any that was called would be complained about
    load = f'early={EARLY}; PATH=/nonexistent; . "{path}"'
    assert node.run("", load=load, stubs="") == ""
    assert sorted(node.root.rglob("*")) == before


# services.sh


@pytest.mark.parametrize(("service", "program"), [("start_ssh", "dropbear"), ("start_lldpd", "lldpd")])
@pytest.mark.parametrize("works", [True, False])
def test_a_service_that_does_not_start_is_said_with_its_reason(
    node: Node, service: str, program: str, works: bool
) -> None:
    node.write("new/etc/ssh/ssh_host_ed25519_key", "")
    chroot = f'chroot() {{ echo "$*" >>"$ROOT/calls"; echo "a reason" >&2; {str(works).lower()}; }}'
    node.run(f"{chroot}; {service}", status=0 if works else 1)
    assert f" {program} " in node.calls[0]
    assert len(node.said) == 1
    assert node.said[0].endswith("does not start: a reason") != works


def test_the_services_are_ended_before_the_real_ones_start(node: Node) -> None:
    node.write("pids", "dropbear 7 8\nntpd 9\ndhcpcd 10\n")
    script = """
    pidof() { for name; do sed -n "s/^$name //p" "$ROOT/pids"; done | xargs | grep .; }
    kill() { echo "kill $*" >>"$ROOT/calls"; : >"$ROOT/pids"; }
    stop_services
    """
    node.run(script)
    assert node.calls == ["kill 7 8 10", "usleep 20000"]


def test_without_services_there_is_nothing_to_wait_for(node: Node) -> None:
    node.run("pidof() { return 1; }; stop_services")
    assert node.calls == []


def test_a_service_that_does_not_end_is_killed(node: Node) -> None:
    script = """
    pidof() { echo 7; }
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
    sh -c "$4" "$1$5"
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


LAYERS = ("packages", "identity")


def squashfs(node: Node, length: int, bytes_used: int, held: int | None = None, layers: Sequence[str] = LAYERS) -> str:
    """Layers of a length, whose superblocks say how long they should be; returns a `stat` that counts held bytes."""
    superblock = b"hsqs".ljust(40, b"\0") + bytes_used.to_bytes(8, "little")
    for layer in layers:
        (node.root / f"{layer}.squashfs").write_bytes(superblock.ljust(length, b"\0")[:length])
    node.write("proc/meminfo", "MemTotal:         235540 kB\nMemFree: 1 kB\n")
    blocks = -(-(length if held is None else held) // 4096) * 8
    return f'stat() {{ echo "{length} {blocks}"; }}\n'


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
def test_a_truncated_system_is_noticed(node: Node, length: int, held: int, bytes_used: int, complete: bool) -> None:
    stat = squashfs(node, length, bytes_used, held)
    node.run(f'{stat} is_complete "$ROOT/packages.squashfs"', status=0 if complete else 1)
    assert any("truncated" in text for text in node.said) != complete
    assert any("235540 kB" in text for text in node.said) != complete


def test_a_ramfs_without_a_system_is_said(node: Node) -> None:
    node.run("mount_system", status=1)
    assert "no system in it" in node.said[0]
    assert node.calls == []


@pytest.mark.parametrize("layer", ["packages", "identity"])
def test_a_ramfs_that_lacks_a_layer_is_said(node: Node, layer: str) -> None:
    stat = squashfs(node, 4096, 4096)
    (node.root / f"{layer}.squashfs").unlink()
    node.run(f"{stat} mount_system", status=1)
    assert "no system in it" in node.said[0]


@pytest.mark.parametrize("layers", [LAYERS, ("packages", "modules", "identity")], ids=["without", "with modules"])
def test_the_layers_of_the_system_are_mounted_under_an_overlay_the_identity_over_the_packages(
    node: Node, layers: Sequence[str]
) -> None:
    stat = squashfs(node, 4096, 4096, layers=layers)
    node.run(f"{stat} mount_system")
    root = node.root
    rom = f"{root}/run/alchemy/rom"
    squashed = [f"mount -t squashfs -o loop,ro {root}/{layer}.squashfs {rom}/{layer}" for layer in layers]
    mounted, (written, overlay, *_) = node.calls[: len(layers)], node.calls[len(layers) :]
    assert mounted == squashed
    assert written.startswith("mount -t tmpfs ")
    assert f"lowerdir={':'.join(f'{rom}/{layer}' for layer in reversed(layers))}," in overlay
    assert overlay.endswith(f" overlay {root}/new")


# busybox's ash execs its own switch_root, whatever PATH has
@pytest.mark.parametrize("node", ["dash", "bash"], indirect=True)
def test_the_hand_over_says_so_and_ends_in_the_real_init(node: Node) -> None:
    node.write("sys/class/tty/console/active", "\n")
    for name in ("dev/console", "new/dev/console"):
        node.write(name, "")
    # exec reaches programs only
    (node.root / "bin").mkdir()
    node.write("bin/switch_root", '#!/bin/sh\necho "switch_root $*"\n', 0o755)
    node.run("pidof() { return 1; }; PATH=$ROOT/bin:$PATH; p_real_init=/sbin/init; hand_over")
    assert node.said == ["handing over to /sbin/init"]
    assert node.read("new/dev/console") == f"switch_root {node.root}/new /sbin/init\n"


# busybox's ash execs its own switch_root, whatever PATH has
@pytest.mark.parametrize("node", ["dash", "bash"], indirect=True)
@pytest.mark.parametrize(("console", "device"), [("console=ttyS1", "ttyS1"), ("console=null", "null")])
def test_the_hand_over_needs_no_console(node: Node, console: str, device: str) -> None:
    (node.root / "dev/console").mkdir()
    node.write("sys/class/tty/console/active", "\n")
    for name in ("dev/ttyS1", "sys/class/tty/ttyS1/type", "new/dev/ttyS1", "new/dev/null"):
        node.write(name, "")
    (node.root / "bin").mkdir()
    node.write("bin/switch_root", '#!/bin/sh\necho "switch_root $*"\n', 0o755)
    script = 'pidof() { return 1; }; PATH=$ROOT/bin:$PATH; read_consoles "$1"; p_real_init=/sbin/init; hand_over'
    node.run(script, console)
    assert node.read(f"new/dev/{device}") == f"switch_root {node.root}/new /sbin/init\n"


def test_the_functions_are_carried_over_for_the_real_system(node: Node) -> None:
    node.write("init", "#!/bin/sh\n", 0o755)
    node.write("early/epoch", "1767225600\n")
    node.run("early=$ROOT/early; carry_functions_over")
    carried = node.root / "run/alchemy/early"
    assert (carried / "epoch").read_text() == "1767225600\n"
    assert (carried / "init").read_text() == "#!/bin/sh\n"
    links = {link.name: str(link.readlink()) for link in (carried / "root").iterdir()}
    assert links == {"dev": "/dev", "proc": "/proc", "sys": "/sys", "run": "/run", "new": "/"}


# What a locked image refuses of the command line.
@pytest.mark.parametrize(
    ("shell", "real_init", "said"),
    [
        ("", "/sbin/init", []),
        ("yes", "/sbin/init", ["shell: refused: this image is locked"]),
        ("", "/bin/sh", ["real_init=/bin/sh: refused: this image is locked"]),
        ("", "", ["real_init=: refused: this image is locked"]),
    ],
)
@pytest.mark.parametrize("locked", [True, False])
def test_a_locked_image_has_no_shell_and_no_other_init(
    node: Node, shell: str, real_init: str, said: list[str], locked: bool
) -> None:
    if locked:
        node.write("new/etc/alchemy/locked", "")
    script = 'p_shell=$1 p_real_init=$2; enforce_lock; printf "%s,%s" "$p_shell" "$p_real_init"'
    assert node.run(script, shell, real_init) == (",/sbin/init" if locked else f"{shell},{real_init}")
    assert node.said == (said if locked else [])


# clock.sh

BUILT = 1767225600


@pytest.mark.parametrize(("now", "set_"), [(991353600, True), (BUILT - 1, True), (BUILT, False), (BUILT + 1, False)])
def test_the_clock_is_at_least_the_builds(node: Node, now: int, set_: bool) -> None:
    node.write("early/epoch", f"{BUILT}\n")
    script = """
    date() { case $* in +%s) echo "$now" ;; *-s*) echo "date $*" >>"$ROOT/calls" ;; *) echo THEN ;; esac; }
    now=$1 early=$ROOT/early; set_clock; printf '%s' "$clock_was_wrong"
    """
    assert node.run(script, str(now)) == ("yes" if set_ else "")
    assert node.calls == ([f"date -u -s @{BUILT}"] if set_ else [])
    assert node.said == (["clock: THEN is earlier than this image: set to its build time"] if set_ else [])


@pytest.mark.parametrize("answers", [True, False])
def test_time_servers_are_asked_once_and_only_when_the_clock_was_wrong(node: Node, answers: bool) -> None:
    node.write("new/etc/ntp.conf", "# ours\nserver 192.0.2.1 iburst\nserver pool.ntp.org\nserver $(reboot)\n")
    script = f"""
    timeout() {{ printf '%s\\n' "$*" >>"$ROOT/calls"; {str(answers).lower()}; }}
    date() {{ echo NOW; }}
    ask_for_time; clock_was_wrong=yes; ask_for_time; ask_for_time
    """
    node.run(script)
    ntpd = "busybox ntpd -n -q -p 192.0.2.1 -p pool.ntp.org"
    assert len(node.calls) == 1
    assert f"chroot {node.root}/new {ntpd}" in node.calls[0]
    assert node.said == [
        "clock: NOW by NTP"
        if answers
        else "clock: no NTP server answers; certificates that are newer than this image are not valid yet"
    ]


# the SSH host key


@pytest.fixture
def keyed(node: Node) -> Node:
    """A node whose dropbearkey makes the key `openssh` of its root."""
    (node.root / "new/etc/ssh").mkdir()
    node.write("new/etc/issue", "Alchemy Linux\n")
    path = node.root / "openssh"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    whole = openssh_fields(path)
    # the type, and the 64 bytes of both keys: what Dropbear's file consists of
    (node.root / "dropbear").write_bytes(whole[106:121] + whole[157:225])
    listing = subprocess.run(["ssh-keygen", "-l", "-f", path], capture_output=True, check=True).stdout.decode()
    public = path.with_suffix(".pub").read_text().strip()
    said = ["Public key portion is:", f"{public} root@node", f"Fingerprint: {listing.split()[1]}"]
    node.write("dropbearkey.out", "".join(f"{line}\n" for line in said))
    return node


def openssh_fields(path: Path) -> bytes:
    return base64.b64decode("".join(path.read_text().splitlines()[1:-1]))


DROPBEARKEY = """
chroot() {
    [ "$*" = "$ROOT/new dropbearkey -t ed25519 -f /etc/dropbear/host_key" ] || return 9
    echo 'Generating 256 bit ed25519 key, this may take a while...' >&2
    cp "$ROOT/dropbear" "$ROOT/new$6"
    cat "$ROOT/dropbearkey.out"
}
"""


def test_the_host_key_is_one_for_both_servers_and_its_fingerprint_is_everywhere(keyed: Node) -> None:
    keyed.run(f"{DROPBEARKEY} make_host_key")
    made = keyed.root / "new/etc/ssh/ssh_host_ed25519_key"
    fingerprint = keyed.read("run/alchemy/host_key_fingerprint").strip()
    assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", fingerprint)
    assert keyed.said == [f"ssh: the host key (ED25519) is {fingerprint}"]
    assert keyed.read("new/etc/issue") == f"Alchemy Linux\nSSH host key (ED25519) {fingerprint}\n\n"
    for path in (made, made.with_suffix(".pub")):
        listing = subprocess.run(["ssh-keygen", "-l", "-f", path], capture_output=True, check=True)
        assert fingerprint in listing.stdout.decode()


def test_openssh_is_given_the_same_key(keyed: Node) -> None:
    keyed.run(f"{DROPBEARKEY} make_host_key")
    made = keyed.root / "new/etc/ssh/ssh_host_ed25519_key"
    assert made.stat().st_mode & 0o777 == 0o600
    ours, theirs = openssh_fields(made), openssh_fields(keyed.root / "openssh")
    # all but the two numbers that prove a passphrase
    assert (ours[:98], ours[106:]) == (theirs[:98], theirs[106:])
    assert ours[98:102] == ours[102:106]
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", made, "-n", "file"], input=b"text", check=True, capture_output=True
    )


def test_a_host_key_that_cannot_be_made_is_said(keyed: Node) -> None:
    keyed.run('chroot() { echo "a reason" >&2; return 1; }; make_host_key', status=1)
    assert keyed.said == ["ssh: there is no host key: a reason"]


# methods


def test_a_script_that_dies_says_why(node: Node) -> None:
    node.run('(die "a reason") 2>"$ROOT/said"', load=f'. "{CHROOT}/methods"', status=1)
    assert node.said == ["a reason"]
