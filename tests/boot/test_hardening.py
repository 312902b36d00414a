"""What a process on the node can reach: sudo, the daemons that parse the network, the kernel and its settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.context import Context
from tests.boot import guest
from tests.boot.guest import Guest

# The kernel's own list of its settings (/proc/config.gz) has each of these.
KERNEL = (
    "FORTIFY_SOURCE", "HARDENED_USERCOPY", "INIT_ON_ALLOC_DEFAULT_ON", "INIT_STACK_ALL_ZERO", "LIST_HARDENED",
    "RANDOMIZE_BASE", "RANDOMIZE_KSTACK_OFFSET_DEFAULT", "RANDOMIZE_MEMORY", "SECURITY_DMESG_RESTRICT", "SECURITY_YAMA",
    "SHUFFLE_PAGE_ALLOCATOR", "SLAB_FREELIST_HARDENED", "SLAB_FREELIST_RANDOM", "X86_KERNEL_IBT",
)  # fmt: skip

SYSCTLS = {
    "fs/protected_fifos": "2",
    "fs/protected_hardlinks": "1",
    "fs/protected_regular": "2",
    "fs/protected_symlinks": "1",
    "kernel/dmesg_restrict": "1",
    "kernel/io_uring_disabled": "1",
    "kernel/kptr_restrict": "1",
    "kernel/sysrq": "176",
    "kernel/yama/ptrace_scope": "1",
    "net/ipv4/conf/eth0/accept_redirects": "0",
    "net/ipv4/conf/eth0/rp_filter": "2",
    "net/ipv4/conf/eth0/send_redirects": "0",
    "net/ipv6/conf/eth0/accept_redirects": "0",
}


@pytest.fixture(scope="module")
def node(image: Context, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    log = image.logfile("boot-hardening")
    with (
        guest.serve_folder(folder) as url,
        guest.boot(image, log, key, f"ssh_keys_url={url}/keys") as node,
    ):
        node.expect(guest.LOGIN)
        node.wait_for_ssh()
        yield node


def test_sudo_reads_nothing_below_a_root_that_a_user_names(node: Guest) -> None:
    # CVE-2025-32463: sudo -R read nsswitch.conf below the given root, and loaded the libraries named there. Whoever
    # opens a fifo waits until somebody writes.
    prepare = "d=$(mktemp -d) && cd $d && chmod 0755 . && mkdir -p woot/etc && mkfifo -m 0644 woot/etc/nsswitch.conf"
    status, said = node.try_ssh(f"{prepare} && sudo timeout 20 sudo -u nobody sudo -n -R woot woot")
    assert status == 1, said
    assert "a password is required" in said


def test_a_user_reads_neither_the_kernel_log_nor_its_addresses(node: Guest) -> None:
    status, said = node.try_ssh("sudo -u nobody dmesg")
    assert status != 0
    assert "Operation not permitted" in said
    addresses = node.ssh("sudo -u nobody head -n 3 /proc/kallsyms")
    assert {line.split()[0] for line in addresses.splitlines()} == {"0" * 16}


def test_the_kernel_lies_elsewhere_than_in_the_published_image(node: Guest) -> None:
    # without KASLR the text of a kernel that is linked at 0xffffffff81000000 starts there
    symbols = node.ssh("sudo grep -w _stext /proc/kallsyms")
    assert symbols.split()[0] != "ffffffff81000000"


@pytest.mark.parametrize("symbol", KERNEL)
def test_the_kernel_is_hardened(node: Guest, symbol: str) -> None:
    assert node.ssh(f"zcat /proc/config.gz | grep -x CONFIG_{symbol}=y").strip()


def test_the_settings_of_the_kernel_are_those_of_etc(node: Guest) -> None:
    read = node.ssh(f"cd /proc/sys && sudo head -n 1 {' '.join(SYSCTLS)}")
    found = dict(zip(SYSCTLS, [line for line in read.splitlines() if line and not line.startswith("==>")], strict=True))
    assert found == SYSCTLS


def privileges(node: Guest, program: str) -> list[tuple[str, str]]:
    """The user of each process of a program, and its seccomp mode: 0 none, 2 a filter (proc_pid_status(5))."""
    each = "grep -E '^(Uid|Seccomp):' /proc/$pid/status | tr '\\n' ' '; echo"
    printed = node.ssh(f"pgrep -x {program} | while read pid; do {each}; done")
    return [(words[1], words[words.index("Seccomp:") + 1]) for words in map(str.split, printed.splitlines())]


def test_dhcpcd_parses_the_network_without_privileges_and_in_a_seccomp_filter(node: Guest) -> None:
    found = privileges(node, "dhcpcd")
    assert set(found) == {("0", "0"), ("252", "2")}
    assert found.count(("0", "0")) == 1


def test_lldpd_parses_the_network_without_privileges_and_its_monitor_is_filtered(node: Guest) -> None:
    assert set(privileges(node, "lldpd")) == {("253", "2"), ("253", "0")}
