"""The system call filter of the chroot: what it answers, as the kernel would read it, and at work in real processes."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import pyseccomp  # type: ignore[import-untyped]  # annotated, but without py.typed
import pytest

from alchemy.host import confine
from tests import repository

PROGRAM = repository.ROOT / "alchemy/host/confine.py"

ALLOW = 0
ABIS = {"x86_64": pyseccomp.Arch.X86_64, "i386": pyseccomp.Arch.X86}
X32 = 1 << 30

Instruction = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def program() -> list[Instruction]:
    """The instructions of the filter: code, jt, jf, k."""
    with os.fdopen(os.memfd_create("filter"), "r+b", buffering=0) as file:
        confine.write_filter(pyseccomp, file)
        file.seek(0)
        return list(struct.iter_unpack("=HBBI", file.read()))


def answer(program: list[Instruction], arch: int, number: int, *arguments: int) -> int:
    """The errno with which the filter refuses a call; 0 where it allows it. Classic BPF, as of linux/filter.h."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, arch, 0, *padded)
    position = accumulator = 0
    while True:
        code, if_true, if_false, k = program[position]
        position += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, k)
            case 0x54:
                accumulator &= k
            case 0x05:
                position += k
            case 0x15:
                position += if_true if accumulator == k else if_false
            case 0x25:
                position += if_true if accumulator > k else if_false
            case 0x35:
                position += if_true if accumulator >= k else if_false
            case 0x06 if k == pyseccomp.ALLOW:
                return ALLOW
            case 0x06:
                assert k & 0xFFFF0000 == pyseccomp.ERRNO(0), f"the filter returns {k:#x}"
                return k & 0xFFFF
            case _:
                pytest.fail(f"the filter has an instruction {code:#x}")


def number(arch: int, name: str) -> int:
    """The number of a call; less than 0 where the ABI lacks it."""
    # libseccomp has a number of its own for it, as socketcall has it too
    found: int = 359 if (arch, name) == (pyseccomp.Arch.X86, "socket") else pyseccomp.resolve_syscall(arch, name)
    return found


DENIED = [(abi, name) for abi in ABIS for name in confine.DENIED if number(ABIS[abi], name) >= 0]


def test_what_is_denied_exists_in_one_abi_at_least() -> None:
    assert {name for _, name in DENIED} == set(confine.DENIED)
    assert len(set(confine.DENIED)) == len(confine.DENIED)


@pytest.mark.parametrize(("abi", "name"), DENIED)
def test_a_call_that_no_build_needs_is_refused(program: list[Instruction], abi: str, name: str) -> None:
    assert answer(program, ABIS[abi], number(ABIS[abi], name)) == errno.EPERM


NAMESPACE = ("clone", "unshare")
NEW = {"NS": 0x20000, "CGROUP": 0x2000000, "UTS": 0x4000000, "IPC": 0x8000000, "USER": 0x10000000,
       "PID": 0x20000000, "NET": 0x40000000}  # fmt: skip
THREAD = 0x3D0F00
FORK = 0x1200011


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("name", NAMESPACE)
@pytest.mark.parametrize("flag", NEW.values(), ids=NEW)
def test_a_new_namespace_is_refused_among_whatever_flags(
    program: list[Instruction], flag: int, name: str, abi: str
) -> None:
    found = number(ABIS[abi], name)
    for flags in (flag, flag | FORK, flag | THREAD, flag | 1 << 34):
        assert answer(program, ABIS[abi], found, flags) == errno.EPERM


@pytest.mark.parametrize("abi", ABIS)
def test_a_new_time_namespace_is_refused(program: list[Instruction], abi: str) -> None:
    assert answer(program, ABIS[abi], number(ABIS[abi], "unshare"), 0x80) == errno.EPERM


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("clone", [FORK], id="a process"),
        pytest.param("clone", [THREAD], id="a thread"),
        pytest.param("unshare", [0x600], id="files of its own"),
        pytest.param("ioctl", [0, 0x5413], id="the size of a terminal"),
        pytest.param("ioctl", [0, 0x540E], id="a controlling terminal"),
        pytest.param("socket", [1, 1], id="AF_UNIX"),
        pytest.param("socket", [2, 1], id="AF_INET"),
        pytest.param("socket", [10, 1], id="AF_INET6"),
        pytest.param("socket", [16, 3], id="AF_NETLINK"),
        pytest.param("openat", [], id="openat"),
        pytest.param("execve", [], id="execve"),
        pytest.param("chroot", [], id="chroot"),
        pytest.param("fchmodat2", [], id="fchmodat2"),
        pytest.param("prctl", [], id="prctl"),
    ],
)
def test_what_builds_need_is_allowed(program: list[Instruction], name: str, arguments: list[int], abi: str) -> None:
    assert answer(program, ABIS[abi], number(ABIS[abi], name), *arguments) == ALLOW


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("request_", [0x5412, 0x541C], ids=["TIOCSTI", "TIOCLINUX"])
def test_typing_into_the_terminal_is_refused(program: list[Instruction], request_: int, abi: str) -> None:
    found = number(ABIS[abi], "ioctl")
    assert answer(program, ABIS[abi], found, 0, request_) == errno.EPERM


def test_bits_that_the_kernel_ignores_hide_no_request(program: list[Instruction]) -> None:
    assert answer(program, ABIS["x86_64"], number(ABIS["x86_64"], "ioctl"), 0, 1 << 32 | 0x5412) == errno.EPERM


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("family", [0, 3, 4, 15, 17, 29, 38, 40, 42, 44, 1 << 31])
def test_a_family_of_sockets_that_no_namespace_keeps_apart_is_refused(
    program: list[Instruction], family: int, abi: str
) -> None:
    found = number(ABIS[abi], "socket")
    assert answer(program, ABIS[abi], found, family, 1) == errno.EAFNOSUPPORT


def test_socketcall_which_hides_the_family_makes_no_socket(program: list[Instruction]) -> None:
    found = number(ABIS["i386"], "socketcall")
    assert answer(program, ABIS["i386"], found, 1) == errno.EAFNOSUPPORT
    assert answer(program, ABIS["i386"], found, 3) == ALLOW


@pytest.mark.parametrize("abi", ABIS)
def test_clone3_does_not_exist_so_that_a_libc_falls_back(program: list[Instruction], abi: str) -> None:
    assert answer(program, ABIS[abi], number(ABIS[abi], "clone3")) == errno.ENOSYS


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("newer", [457, 467, 511, 100000, X32 - 1])
def test_a_call_newer_than_the_filter_does_not_exist(program: list[Instruction], newer: int, abi: str) -> None:
    assert answer(program, ABIS[abi], newer) == errno.ENOSYS


@pytest.mark.parametrize("call", [0, 1, 39, 165, 250, 456, 520])
def test_the_x32_abi_does_not_exist(program: list[Instruction], call: int) -> None:
    assert answer(program, ABIS["x86_64"], X32 | call) == errno.ENOSYS


def test_another_architecture_does_not_exist(program: list[Instruction]) -> None:
    assert answer(program, pyseccomp.Arch.AARCH64, 93) == errno.ENOSYS


def test_a_libseccomp_that_does_not_know_a_call_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(confine, "DENIED", ("mount", "transmute"))
    with (tmp_path / "filter").open("wb", buffering=0) as file, pytest.raises(ValueError, match="transmute"):
        confine.write_filter(pyseccomp, file)
    assert (tmp_path / "filter").stat().st_size == 0


# In the place of bubblewrap: loads the filter of the descriptor, then makes calls that succeed without it, as any user
# and in both ABIs, the second by int 0x80, and prints their errors. Each is made by a child, as some change a process.
STAND_IN = """\
#!{python}
import ctypes, errno, mmap, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)

def error(body):
    if (child := os.fork()) == 0:
        os._exit(body())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def call(number, *arguments):
    return error(lambda: ctypes.get_errno() if libc.syscall(number, *map(ctypes.c_long, arguments)) == -1 else 0)

code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# push rbx; mov eax, edi; mov ebx, esi; mov ecx, edx; xor edx, edx; int 0x80; pop rbx; ret
code.write(bytes.fromhex("53 89 f8 89 f3 89 d1 31 d2 cd 80 5b c3"))
enter = ctypes.CFUNCTYPE(*[ctypes.c_int] * 4)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

def call32(number, first=0, second=0):
    return error(lambda: max(0, -enter(number, first, second)))

program = os.pread(int(sys.argv[2]), 1 << 20, 0) if sys.argv[1] == "--seccomp" else {allow!r}
buffer = ctypes.create_string_buffer(program)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
assert libc.prctl(22, 2, struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))) == 0, "PR_SET_SECCOMP"
results = dict(
    getppid=call(110), getppid32=call32(64), ptrace=call(101, 0), ptrace32=call32(26),
    keyctl=call(250, 0, -3, 1), keyctl32=call32(288, 0, -3), socket=call(41, 38, 5), socket32=call32(359, 38, 5),
    x32=call(1 << 30 | 110), newer=call(457),
)
print(*(f"{{name}}={{errno.errorcode.get(value, value)}}" for name, value in results.items() if value))
"""

ALLOW_ALL = struct.pack("=HBBI", 0x06, 0, 0, pyseccomp.ALLOW)


def launch(program: Path, *launcher: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*launcher, str(program), "--"], capture_output=True, text=True, check=False)


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    path = tmp_path / "bwrap"
    path.write_text(STAND_IN.format(python=sys.executable, allow=ALLOW_ALL))
    path.chmod(0o755)
    return path


def test_a_process_with_the_filter_is_refused_in_both_abis(stand_in: Path, real_processes: None) -> None:
    done = launch(stand_in, sys.executable, "-I", str(PROGRAM))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [
        "ptrace=EPERM", "ptrace32=EPERM", "keyctl=EPERM", "keyctl32=EPERM",
        "socket=EAFNOSUPPORT", "socket32=EAFNOSUPPORT", "x32=ENOSYS", "newer=ENOSYS",
    ]  # fmt: skip


def test_the_same_process_is_not_refused_without_it(stand_in: Path, real_processes: None) -> None:
    done = launch(stand_in)
    assert not {"ptrace", "ptrace32", "keyctl", "keyctl32"} & {word.split("=")[0] for word in done.stdout.split()}
    assert (done.returncode, done.stderr) == (0, "")


# Adds a key to a session keyring of its own, and runs the rest of its command line.
KEY_OWNER = """\
import ctypes, subprocess, sys
libc = ctypes.CDLL(None)
assert libc.syscall(250, 1, None) != -1, "KEYCTL_JOIN_SESSION_KEYRING"
assert libc.syscall(248, b"user", b"alchemy-test", b"gold", 4, -3) != -1, "add_key"
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""

# In the place of bubblewrap, without the filter: looks for the key in its session keyring.
KEY_SEEKER = """\
#!{python}
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
found = libc.syscall(250, 10, -3, b"user", b"alchemy-test", 0) != -1
print("found" if found else errno.errorcode[ctypes.get_errno()])
"""


def test_a_session_key_of_whoever_starts_it_is_out_of_reach(tmp_path: Path, real_processes: None) -> None:
    seeker = tmp_path / "bwrap"
    seeker.write_text(KEY_SEEKER.format(python=sys.executable))
    seeker.chmod(0o755)
    owner = [sys.executable, "-c", KEY_OWNER]
    unconfined = launch(seeker, *owner)
    confined = launch(seeker, *owner, sys.executable, "-I", str(PROGRAM))
    assert (unconfined.stdout, confined.stdout) == ("found\n", "ENOKEY\n")
    assert (unconfined.stderr, confined.stderr) == ("", "")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("sys.modules['pyseccomp'] = None", "pyseccomp"),
        ("ctypes.util.find_library = lambda name: name == 'c' and 'libc.so.6' or None", "Unable to find libseccomp"),
        ("resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))", "Too many open files"),
    ],
    ids=["pyseccomp", "libseccomp", "a descriptor"],
)
def test_nothing_is_started_where_the_filter_cannot_be_made_for_want_of(
    stand_in: Path, broken: str, said: str, real_processes: None
) -> None:
    script = (
        "import ctypes.util, importlib.util, os, resource, sys\n"
        f"sys.argv = {['confine.py', str(stand_in)]!r}\n"
        f"spec = importlib.util.spec_from_file_location('confine', {str(PROGRAM)!r})\n"
        "confine = importlib.util.module_from_spec(spec)\n"
        f"spec.loader.exec_module(confine)\n{broken}\nconfine.main()\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"confine: {stand_in} was not started: " in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
