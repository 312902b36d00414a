"""The main job: the image of the embedded default boots over PXE in 256 MB, its tools run, and it is hardened.

Hardened are sudo, the daemons that parse the network, the kernel and its settings.
"""

from __future__ import annotations

import json
import re
import shutil
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import files
from alchemy.portage import settings, soundness
from alchemy.run import Runner
from alchemy.stages import outputs, plan
from tests import tools
from tests.boot import guest
from tests.boot.conftest import VERSION
from tests.boot.guest import Guest
from tests.lib import bom

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

# kind of file system → where it is mounted
MOUNTS = {
    "tmpfs": "/dev/shm",
    "mqueue": "/dev/mqueue",
    "cgroup2": "/sys/fs/cgroup",
    "debugfs": "/sys/kernel/debug",
    "tracefs": "/sys/kernel/tracing",
    "securityfs": "/sys/kernel/security",
    "pstore": "/sys/fs/pstore",
}


@pytest.fixture(scope="module")
def node(default_image: Context, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The image in a machine of 256 MB with something for every tool, and a key from a web server."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    log = default_image.logfile("boot-main-job")
    with (
        guest.serve_folder(folder) as url,
        guest.boot(
            default_image,
            log,
            key,
            f"ssh_keys_url={url}/keys",
            memory=256,
            pxe=True,
            processors=2,
            extra=tools.hardware(folder),
        ) as node,
    ):
        assert node.expect(guest.HAND_OVER)[1] == "/sbin/init"
        node.expect(guest.LOGIN)
        node.wait_for_ssh()
        yield node


def test_the_version_is_in_the_kernel_and_in_the_release_files(node: Guest) -> None:
    assert node.ssh("uname -r").strip().endswith(f"-alchemy-{VERSION}")
    assert f'DISTRIB_ID="Alchemy Linux"\nDISTRIB_RELEASE="{VERSION}"\n' in node.ssh("cat /etc/lsb-release")
    assert f'VERSION_ID="{VERSION}"' in node.ssh("cat /etc/os-release")


def test_the_admin_user_may_do_anything_without_a_password(node: Guest) -> None:
    assert node.ssh("sudo -n id -u").strip() == "0"
    assert "wheel" in node.ssh("id -nG").split()


def test_every_service_runs(node: Guest) -> None:
    status = node.ssh("sudo rc-status -f ini default")
    services = dict(re.findall(r"^\s*(\S+) =\s+(\S+)", status, re.MULTILINE))
    wanted = {"network", "sshd", "lldpd", "syslogd", "klogd", "ntpd", "rasdaemon", "retry", "jobs", "getty"}
    assert {name: services.get(name) for name in wanted} == dict.fromkeys(wanted, "started"), status


def test_no_disk_is_shown_that_no_hardware_has(node: Guest) -> None:
    disks = node.ssh("ls /sys/block").split()
    assert not [name for name in disks if name.startswith(("nbd", "zram", "ram"))]
    # the layers of the root file system, and no loop device without a file
    attached = node.ssh("ls -d /sys/block/loop*/loop").split()
    assert len(attached) == len([name for name in disks if name.startswith("loop")]) == 2


def test_the_retry_service_starts_without_a_warning_when_nothing_is_pending(node: Guest) -> None:
    assert "undefined" not in node.ssh("sudo rc-service retry restart")


@pytest.mark.parametrize("tool", tools.running("core"), ids=str)
def test_tool(node: Guest, tool: tools.Tool) -> None:
    tool.check(node)


@pytest.mark.exhaustive
def test_a_vendor_s_program_in_opt_is_found_by_everybody(node: Guest) -> None:
    node.ssh("sudo mkdir -p /opt/bin && printf '#!/bin/sh\\necho gold\\n' | sudo tee /opt/bin/tool >/dev/null")
    service = "#!/sbin/openrc-run\\nstart() { tool >/run/found; }\\n"
    node.ssh(f"printf '{service}' | sudo tee /etc/init.d/vendor >/dev/null")
    node.ssh("sudo chmod 0755 /opt/bin/tool /etc/init.d/vendor && sudo rc-service vendor start")
    for command in ("tool", "bash --login -c tool", "sudo tool", "cat /run/found"):
        assert node.ssh(command) == "gold\n", command


def test_curl_trusts_the_web_and_not_everybody(node: Guest, tmp_path: Path, runner: Runner) -> None:
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    runner.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=10.0.2.2",
         "-addext", "subjectAltName=IP:10.0.2.2", "-keyout", private, "-out", certificate]
    )  # fmt: skip
    (tmp_path / "page").write_text("gold\n")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    with guest.serve_folder(tmp_path, tls) as url:
        status, output = node.try_ssh(f"curl -sS {url}/page")
        assert status == 60, output  # curl's code for a certificate that cannot be verified
        node.ssh(f"cat >/tmp/ca.pem <<'EOT'\n{certificate.read_text()}EOT")
        assert node.ssh(f"curl -sS --cacert /tmp/ca.pem {url}/page") == "gold\n"
    assert int(node.ssh("grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt")) > 100


def test_nothing_of_the_build_is_in_the_image(node: Guest) -> None:
    folders = "/usr/include /usr/share/man /usr/share/doc /usr/share/locale /var/db/pkg /etc/portage"
    assert node.ssh(f"ls -d {folders} /usr/bin/gcc /usr/bin/emerge 2>/dev/null || true") == ""
    assert node.ssh("find / -xdev \\( -name '*.a' -o -name '*.la' -o -name '*.pc' \\) 2>/dev/null | head") == ""


def test_the_image_is_complete_until_a_library_is_taken_away(
    default_image: Context, runner: Runner, tmp_path: Path
) -> None:
    tree = plan.create(default_image, plan.recall(default_image))["system"].output / outputs.ROOT
    soundness.check(tree)
    runner.run(["cp", "--archive", "--reflink=auto", tree, tmp_path / "root"])
    (library,) = (tmp_path / "root/usr/lib64").glob("libz.so.1.*")
    library.unlink()
    with pytest.raises(BuildError, match=r"(?m)^  /usr/\S+: missing library libz\.so\.1$"):
        soundness.check(tmp_path / "root")


def test_no_file_says_when_it_was_built(default_image: Context) -> None:
    system = plan.create(default_image, plan.recall(default_image))["system"].output
    times = {int(file.read_text(encoding="ascii")) for file in (system / outputs.DATABASE).glob("*/*/BUILD_TIME")}
    days = {datetime.fromtimestamp(time, UTC).date().isoformat().encode() for time in times}
    regular = [path for path in (system / outputs.ROOT).rglob("*") if path.is_file() and not path.is_symlink()]
    # Python writes the time of the source into the bytecode of a module that it imports
    assert [path for path in regular if path.parent.name == "__pycache__"] == []
    assert [path for path in regular if any(day in path.read_bytes() for day in days)] == []


def test_the_ramdisk_is_small(default_image: Context) -> None:
    assert (default_image.bin / "alchemy.ramfs").stat().st_size <= 40_000_000


def test_no_password_opens_the_account(node: Guest) -> None:
    assert node.ssh("sudo grep ^alchemy: /etc/shadow").split(":")[1] == "*"


def test_the_host_key_is_made_at_boot_and_is_the_only_one(node: Guest) -> None:
    assert node.ssh("ls /run/alchemy/rom/*/etc/ssh/ | grep ssh_host || true") == ""
    assert node.ssh("ls /etc/ssh | grep ssh_host").split() == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]


def test_the_fingerprint_of_the_host_key_is_above_the_login(node: Guest) -> None:
    fingerprint = node.ssh("cat /run/alchemy/host_key_fingerprint").strip()
    assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", fingerprint)
    console = node.log.read_text(errors="replace")
    assert f"alchemy: ssh: the host key (ED25519) is {fingerprint}" in console
    assert f"SSH host key (ED25519) {fingerprint}" in console


def test_every_package_of_the_sets_is_in_the_manifest(default_image: Context) -> None:
    manifest = json.loads((default_image.bin / "manifest.json").read_text())
    installed = {f"{package['category']}/{package['name']}" for package in manifest["packages"]}
    wanted = settings.read_set(default_image.root / "packages" / "packages.core")
    # an atom may name a slot, as net-misc/iperf:3
    assert {atom.partition(":")[0] for atom in wanted} <= installed
    assert manifest["version"] == VERSION


def test_the_bill_of_materials_is_valid_and_lists_every_package(default_image: Context) -> None:
    document = bom.read((default_image.bin / "alchemy.cdx.json").read_text(encoding="utf-8"))
    listed = {(component.get("group"), component["name"], component["version"])
              for component in document["components"] if "version" in component}  # fmt: skip
    packages = json.loads((default_image.bin / "manifest.json").read_text(encoding="utf-8"))["packages"]
    assert packages
    assert {(package["category"], package["name"], package["version"]) for package in packages} <= listed


def test_the_digests_are_those_of_the_files(default_image: Context) -> None:
    lines = (default_image.bin / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(listed) == {
        "alchemy.cdx.json", "alchemy.img", "alchemy.ramfs", "boot.ipxe", "grub.cfg", "manifest.json", "modules.alias",
        "pxelinux.cfg/default",
    }  # fmt: skip
    assert {name: files.sha256(default_image.bin / name) for name in listed} == listed


@pytest.mark.parametrize(("kind", "folder"), MOUNTS.items())
def test_the_kernels_file_systems_are_mounted_once_and_run_nothing(node: Guest, kind: str, folder: str) -> None:
    mounts = [line.split() for line in node.ssh("cat /proc/mounts").splitlines()]
    (found,) = [options for _, place, name, options, *_ in mounts if place == folder and name == kind]
    assert {"nosuid", "nodev", "noexec"} <= set(found.split(","))


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
