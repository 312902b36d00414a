"""Runs bubblewrap with the kernel's attack surface cut down: `python -I confine.py bwrap ARGUMENT…`.

A program, started by its path: it stands in front of bubblewrap on the command line, so that a command pasted from an
error message is confined as the build was. It joins a new session keyring, compiles the system call filter, and
executes bubblewrap with the filter as its first options. It imports nothing else of Alchemy. What it cannot set up is
an error: nothing ever runs without the filter.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Any

# Calls that no build needs, and that reach the host. They fail with EPERM, as without the capability.
DENIED = (
    # mounts
    "mount", "umount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
    "mount_setattr", "open_by_handle_at", "fanotify_init",
    # namespaces; see also _NAMESPACES
    "setns",
    # keyrings
    "add_key", "keyctl", "request_key",
    # code and memory of the kernel, and what most of its exploits begin with
    "bpf", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "perf_event_open",
    "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "lookup_dcookie", "uselib", "_sysctl",
    "nfsservctl",
    # hardware
    "iopl", "ioperm", "modify_ldt", "vm86", "vm86old",
    # state of the whole machine
    "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "vhangup",
    "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64", "settimeofday", "stime",
    # other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "move_pages",
    "migrate_pages",
)  # fmt: skip

# CLONE_NEWTIME, _NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET (clone(2)). For clone itself the first
# is a part of the signal's number, which no signal has.
_NAMESPACES = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)

# TIOCSTI types into the terminal, TIOCLINUX pastes (ioctl_tty(2), ioctl_console(2)). The kernel looks at 32 bits.
_TERMINAL = (0x5412, 0x541C)
_LOW_BITS = 0xFFFFFFFF

# AF_UNIX, _INET, _INET6 and _NETLINK, which a network namespace keeps apart. Others reach the host or its hypervisor
# from any namespace (AF_VSOCK), or are rarely used code of the kernel.
_FAMILIES = (1, 2, 10, 16)

# futex_requeue of Linux 6.7, the last call that this list was made for: those with higher numbers, which are the same
# on all architectures, do not exist here. Nor does any of the x32 ABI, whose numbers begin at 1 << 30.
_NEWEST = 456

_KEYCTL_JOIN_SESSION_KEYRING = 1

# struct sock_filter, and classic BPF (linux/filter.h): A = data->nr; A > k; return k
_INSTRUCTION = "=HBBI"
_LOAD, _JUMP_GREATER, _RETURN = 0x20, 0x25, 0x06


def write_filter(seccomp: Any, file: Any) -> None:
    """Writes the filter to an unbuffered file, as bubblewrap reads it: an array of struct sock_filter.

    `seccomp` is the module pyseccomp. Raises ValueError for a call that libseccomp does not know.
    """
    refuse, absent = seccomp.ERRNO(errno.EPERM), seccomp.ERRNO(errno.ENOSYS)
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    rules.add_arch(seccomp.Arch.X86)
    rules.set_attr(seccomp.Attr.ACT_BADARCH, absent)
    for name in DENIED:
        number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
        if number == -1:
            raise ValueError(f"libseccomp is too old: it does not know the system call {name}")
        rules.add_rule(refuse, number)
    for flag in _NAMESPACES:
        for name in ("clone", "unshare"):
            rules.add_rule(refuse, name, seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    # its flags are in memory, where no filter sees them; C libraries fall back to clone
    rules.add_rule(absent, "clone3")
    for request in _TERMINAL:
        rules.add_rule(refuse, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, _LOW_BITS, request))
    unsupported = seccomp.ERRNO(errno.EAFNOSUPPORT)
    # socketcall of i386 has the family in memory too: libseccomp refuses all of its sockets
    rules.add_rule(unsupported, "socket", seccomp.Arg(0, seccomp.GT, max(_FAMILIES)))
    for family in set(range(max(_FAMILIES))) - set(_FAMILIES):
        rules.add_rule(unsupported, "socket", seccomp.Arg(0, seccomp.EQ, family))
    # jumps are relative: instructions in front of a program leave it as it is
    for instruction in ((_LOAD, 0, 0, 0), (_JUMP_GREATER, 0, 1, _NEWEST), (_RETURN, 0, 0, absent)):
        file.write(struct.pack(_INSTRUCTION, *instruction))
    rules.export_bpf(file)


def _join_session_keyring(seccomp: Any) -> None:
    """Leaves the session keyring of whoever started us for an empty one."""
    libc = ctypes.CDLL(None, use_errno=True)
    keyctl = seccomp.resolve_syscall(seccomp.Arch.NATIVE, "keyctl")
    if libc.syscall(keyctl, _KEYCTL_JOIN_SESSION_KEYRING, None) == -1:
        raise OSError(ctypes.get_errno(), "cannot join a session keyring")


def main() -> None:
    """Never returns: executes the program named on the command line, or exits with a message."""
    program, *arguments = sys.argv[1:]
    try:
        # pyseccomp raises RuntimeError where libseccomp is missing
        import pyseccomp  # type: ignore[import-untyped]  # annotated, but without py.typed

        _join_session_keyring(pyseccomp)
        # inherited by the program, hence without MFD_CLOEXEC
        descriptor = os.memfd_create("seccomp", 0)
        with open(descriptor, "wb", buffering=0, closefd=False) as file:
            write_filter(pyseccomp, file)
            file.seek(0)
        os.execvp(program, [program, "--seccomp", str(descriptor), *arguments])  # noqa: S606 (argv, no shell)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"confine: {program} was not started: {error}\nhint: invoke build.check-depends names what is missing")


if __name__ == "__main__":
    main()
