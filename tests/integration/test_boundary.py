"""The build chroot is a boundary: what code of others tries from inside is refused.

One program makes all attempts. Builds run it as they run anything: in two phases of an ebuild, as root and as the user
that compiles, and from the Makefile of a kernel. It prints what the kernel says to each attempt.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import shutil
import socket
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.portage import buildroot, repositories
from alchemy.run import Runner
from alchemy.stages import plan
from tests.lib.clones import MAKEFILE

KEY = "alchemy-boundary"
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")

PROBE = '''\
import ctypes, errno, fcntl, json, os, pty, socket, stat, sys

PORT, ABSTRACT, HOST_PID, DISK, KEY = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT_BIND = 0x1020
THROUGH = "went through"


def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def system_call(number, *arguments):
    call("syscall", number, *arguments)


def writes(*folders):
    """Opens every file below for writing, and is content with one."""
    refusals = set()
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in names:
                try:
                    os.close(os.open(os.path.join(path, name), os.O_WRONLY | os.O_NONBLOCK))
                    return
                except OSError as error:
                    refusals.add(error.errno)
    raise OSError((refusals & {errno.EROFS} or refusals).pop(), "all refused")


def core_pattern():
    with open("/proc/sys/kernel/core_pattern", "w") as file:
        file.write("|/bin/alchemy-boundary")


def opens_a_disk():
    path = f"/tmp/disk-{os.getuid()}-{os.getpid()}"
    os.mknod(path, stat.S_IFBLK | 0o600, DISK)
    os.close(os.open(path, os.O_RDONLY))


def connects(family, address):
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect(address)


def types_into_a_terminal():
    _, terminal = pty.openpty()
    fcntl.ioctl(terminal, 0x5412, b"x")


ATTEMPTS = {
    "mount": lambda: call("mount", b"tmpfs", b"/mnt", b"tmpfs", 0, None),
    "remount_proc": lambda: call("mount", None, b"/proc", None, MS_REMOUNT_BIND, None),
    "remount_sys": lambda: call("mount", None, b"/sys", None, MS_REMOUNT_BIND, None),
    "umount_proc_keys": lambda: call("umount2", b"/proc/keys", 2),
    "mount_of_a_new_kind": lambda: system_call(430, b"tmpfs", 0),
    "disk": opens_a_disk,
    "core_pattern": core_pattern,
    "sysctls": lambda: writes("/proc/sys"),
    "rest_of_proc": lambda: writes("/proc/irq", "/proc/bus", "/proc/fs", "/proc/scsi", "/proc/acpi"),
    "sysrq": lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY),
    "sysfs": lambda: writes("/sys/kernel", "/sys/module", "/sys/power", "/sys/bus"),
    "loopback": lambda: connects(socket.AF_INET, ("127.0.0.1", PORT)),
    "abstract_socket": lambda: connects(socket.AF_UNIX, "\\0" + ABSTRACT),
    "hypervisor": lambda: socket.socket(socket.AF_VSOCK),
    "key": lambda: system_call(250, 10, -3, b"user", KEY.encode(), 0),
    "list_of_keys": lambda: open("/proc/keys").read(),
    "user_namespace": lambda: system_call(272, 0x10000000),
    "mount_namespace": lambda: system_call(272, 0x20000),
    "namespace_of_another": lambda: call("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0),
    "kill": lambda: os.kill(HOST_PID, 0),
    "ptrace": lambda: system_call(101, 16, HOST_PID, 0, 0),
    "ptrace_of_a_child": lambda: system_call(101, 0, 0, 0, 0),
    "module": lambda: system_call(313, 0, b"", 0),
    "bpf": lambda: system_call(321, 0, None, 0),
    "kexec": lambda: system_call(246, 0, 0, None, 0),
    "clock": lambda: system_call(227, 99, b"\\0" * 16),
    "kernel_log": lambda: system_call(103, 3, ctypes.create_string_buffer(99), 99),
    "terminal": types_into_a_terminal,
}

said = {}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        said[name] = THROUGH
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
for folder in ("/tmp", "/dev/shm"):
    with open(f"{folder}/boundary-{os.getpid()}", "x"):
        pass
said["uid"] = os.getuid()
with open("/proc/self/status") as file:
    said["capabilities"] = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
said["devices"] = sorted(name for name in os.listdir("/dev") if stat.S_ISBLK(os.lstat(f"/dev/{name}").st_mode))
json.dump(said, sys.stdout)
'''

EBUILD = """\
EAPI=8

DESCRIPTION="Tries what it must not"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}

probe() {
	python3 /var/db/repos/embedded/app-misc/probe/files/probe.py 'ARGUMENTS' >"${T}/${EBUILD_PHASE}.json" || die
}

pkg_setup() {
	probe
}

src_compile() {
	probe
}

src_install() {
	insinto /usr/share/probe
	doins "${T}"/*.json
}
"""

Said = Mapping[str, object]

# what a program in the chroot has no way to, and what the kernel says: EPERM is the filter or a capability, EROFS a
# mount, ECONNREFUSED the other network, ESRCH the other process IDs
REFUSALS = {
    "mount": {"EPERM"}, "remount_proc": {"EPERM"}, "remount_sys": {"EPERM"}, "umount_proc_keys": {"EPERM"},
    "mount_of_a_new_kind": {"EPERM"}, "disk": {"EPERM"}, "core_pattern": {"EROFS", "EACCES"},
    "sysctls": {"EROFS", "EACCES"}, "rest_of_proc": {"EROFS", "EACCES"}, "sysrq": {"EROFS", "EACCES", "ENOENT"},
    "sysfs": {"EROFS", "EACCES"}, "loopback": {"ECONNREFUSED"}, "abstract_socket": {"ECONNREFUSED"},
    "hypervisor": {"EAFNOSUPPORT"}, "key": {"EPERM"}, "list_of_keys": {"EACCES"}, "user_namespace": {"EPERM"},
    "mount_namespace": {"EPERM"}, "namespace_of_another": {"EPERM"}, "kill": {"ESRCH"}, "ptrace": {"EPERM"},
    "ptrace_of_a_child": {"EPERM"}, "module": {"EPERM"}, "bpf": {"EPERM"}, "kexec": {"EPERM"}, "clock": {"EPERM"},
    "kernel_log": {"EPERM"}, "terminal": {"EPERM"},
}  # fmt: skip


@pytest.fixture(scope="module")
def core_pattern() -> Iterator[str]:
    """What the host had there, and has again."""
    before = CORE_PATTERN.read_text()
    yield before
    if CORE_PATTERN.read_text() != before:
        CORE_PATTERN.write_text(before)


@pytest.fixture(scope="module")
def arguments(core_pattern: str) -> Iterator[str]:
    """What the program has to reach, as its argument: services on the loopback and of an abstract name, this process,
    the disk of /, a key of our session."""
    libc = ctypes.CDLL(None, use_errno=True)
    # a session keyring of this process alone, so that the key goes when it ends
    assert libc.syscall(250, 1, None) != -1
    assert libc.syscall(248, b"user", KEY.encode(), b"secret", 6, -3) != -1
    abstract = f"alchemy-boundary-{os.getpid()}"
    with socket.socket() as loopback, socket.socket(socket.AF_UNIX) as unix:
        loopback.bind(("127.0.0.1", 0))
        loopback.listen()
        unix.bind("\0" + abstract)
        unix.listen()
        yield json.dumps([loopback.getsockname()[1], abstract, os.getpid(), Path("/").stat().st_dev, KEY])


@pytest.fixture(scope="module")
def context(build_context: Context, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The context of a copy, with a small kernel configuration, and a cache of its own but for the stage3."""
    folder = tmp_path_factory.mktemp("boundary")
    root = folder / "alchemy"
    shutil.copytree(build_context.root, root, symlinks=True)
    (root / "kernels" / "x86_64" / "6.12").write_text("CONFIG_64BIT=y\n")
    cache = folder / "cache"
    cache.mkdir()
    (cache / "stage3").symlink_to(build_context.cache / "stage3")
    return dataclasses.replace(
        build_context, root=root, work=folder / "work", cache=cache, bin=root / "bin", runner=Runner()
    )


@pytest.fixture(scope="module")
def phases(context: Context, arguments: str) -> dict[str, Said]:
    """What was said in the phases of an ebuild."""
    folder = context.root / "overlays/embedded/app-misc/probe"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "probe.py").write_text(PROBE)
    (folder / "probe-1.ebuild").write_text(EBUILD.replace("ARGUMENTS", arguments))
    stage3 = plan.create(context, plan.recall(context))["stage3"]
    plan.realize(context, [stage3])
    sets = {"probe": ["app-misc/probe"]}
    inside, _ = buildroot.prepare(
        context, stage3.output, context.work / "chroot", repositories.collect(context, {}), sets, "probe"
    )
    buildroot.emerge(context, inside, ["--nodeps", "app-misc/probe"], context.logfile("probe"))
    files = (inside / "usr/share/probe").iterdir()
    return {file.stem: json.loads(file.read_text()) for file in files}


@pytest.fixture(scope="module")
def makefile(context: Context, arguments: str) -> Said:
    """What was said to the Makefile of a kernel."""
    tarball = context.work.parent / "linux.tar.gz"
    tree = context.work.parent / "linux"
    tree.mkdir()
    (tree / "probe.py").write_text(PROBE)
    (tree / "Makefile").write_text(f"{MAKEFILE}\tpython3 probe.py '{arguments}' >probe.json\n")
    with tarfile.open(tarball, "w:gz") as file:
        file.add(tree, "linux")
    values = {"linux_url": f"file://{tarball}", "linux_sha256": files.sha256(tarball)}
    building = dataclasses.replace(context, config=context.config.model_copy(update=values))
    plan.realize(building, [plan.create(building, plan.recall(building))["kernel"]])
    (printed,) = building.cache.glob("objects/*/probe.json")
    said: Said = json.loads(printed.read_text())
    return said


@pytest.fixture(params=["pkg_setup", "src_compile", "Makefile of a kernel"])
def said(request: pytest.FixtureRequest) -> Said:
    if request.param == "Makefile of a kernel":
        makefile: Said = request.getfixturevalue("makefile")
        return makefile
    phases: dict[str, Said] = request.getfixturevalue("phases")
    return phases[request.param.partition("_")[2]]


@pytest.mark.parametrize("attempt", REFUSALS)
def test_refused_inside_is(said: Said, attempt: str) -> None:
    assert said[attempt] in REFUSALS[attempt]


def test_every_attempt_has_its_refusal(said: Said) -> None:
    assert set(said) == {*REFUSALS, "uid", "capabilities", "devices"}


def test_no_disk_is_in_dev(said: Said) -> None:
    assert said["devices"] == []


def test_core_pattern_of_the_host_is_as_it_was(core_pattern: str, said: Said) -> None:
    assert CORE_PATTERN.read_text() == core_pattern


def test_an_ebuild_compiles_as_the_user_of_portage(phases: dict[str, Said]) -> None:
    assert (phases["setup"]["uid"], phases["compile"]["uid"]) == (0, 250)


def test_neither_what_compiles_nor_a_makefile_has_a_capability(phases: dict[str, Said], makefile: Said) -> None:
    assert (phases["compile"]["capabilities"], makefile["capabilities"]) == (0, 0)
    assert phases["setup"]["capabilities"]


def test_a_device_that_may_be_made_cannot_be_opened(build_context: Context, tools: Chroot) -> None:
    """What packs the ramfs makes /dev/console."""
    packing = dataclasses.replace(tools, capabilities=("MKNOD",))
    script = "mknod /tmp/null c 1 3 && if cat /tmp/null; then echo opened; else echo refused; fi"
    assert build_context.runner.capture(packing.argv(["sh", "-c", script])) == "refused\n"
