"""The main job: the image of the embedded default boots over PXE in 256 MB, and its tools run."""

from __future__ import annotations

import json
import re
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy import archive, portage
from alchemy.context import Context
from alchemy.run import Runner
from tests.boot import guest
from tests.boot.conftest import VERSION
from tests.boot.guest import Guest


@pytest.fixture(scope="module")
def node(image: Context, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The image in a machine of 256 MB, with a disk, a key from a web server, and a BMC."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    disk = folder / "disk.img"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    hardware = [
        "-drive", f"if=none,id=disk,file={disk},format=raw", "-device", "ide-hd,drive=disk,serial=ALCHEMY1",
        "-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc",
    ]  # fmt: skip
    log = image.logfile("boot-main-job")
    with (
        guest.serve_folder(folder) as url,
        guest.boot(image, log, key, f"ssh_keys_url={url}/keys", memory=256, extra=hardware) as node,
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
    wanted = {"network", "sshd", "lldpd", "syslogd", "klogd", "ntpd", "getty"}
    assert {name: services.get(name) for name in wanted} == dict.fromkeys(wanted, "started"), status


# each of these has to print this, seen in the booted image
TOOLS = {
    "sudo lldpcli -f xml show chassis": r"Alchemy Linux 1\.2",
    "sudo lshw -xml": r'<node id="core"',
    "lspci": r"Virtio.*network device",
    "sudo dmidecode -t system": r"Manufacturer: QEMU",
    "sudo ipmitool mc info": r"Manufacturer ID",
    "sudo smartctl -i /dev/sda": r"Serial Number:\s+ALCHEMY1",
    "sudo ethtool -i eth0": r"driver: virtio_net",
    "sudo memtester 1M 1": r"Done\.",
    "stress --cpu 1 --timeout 2": r"successful run completed",
    "stressapptest -s 2 -M 16 -m 1": r"Status: PASS",
    "curl --version": r"Protocols:.* https",
    "ip -brief address show eth0": r"10\.0\.2\.\d+",
    "htop --version": r"htop \d",
    "lsblk --nodeps --noheadings --output NAME,SIZE /dev/sda": r"sda\s+64M",
    "sudo mkfs.ext4 -q /dev/sda && sudo blkid /dev/sda": r'TYPE="ext4"',
    "ps -e": r"dhcpcd",
    "lsmod || true; kmod --version": r"kmod version",
    "ssh -V": r"OpenSSH_",
    "dropbear -V": r"Dropbear v",
    "for tool in awk find grep less sed tar vi; do command -v $tool || exit; done": r"/usr/bin/vi",
}


@pytest.mark.parametrize("command", TOOLS)
def test_tool_runs(node: Guest, command: str) -> None:
    output = node.ssh(command)
    assert re.search(TOOLS[command], output), output


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


def test_every_program_finds_its_libraries(node: Guest) -> None:
    files = "/usr/bin/* /usr/lib64/*.so* /usr/libexec/*"
    script = f"for f in {files}; do ldd $f 2>/dev/null | grep -q 'not found' && echo $f; done; true"
    assert node.ssh(script, 300) == ""


def test_no_password_opens_the_account(node: Guest) -> None:
    assert node.ssh("sudo grep ^alchemy: /etc/shadow").split(":")[1] == "*"


def test_the_host_keys_are_made_at_boot(node: Guest) -> None:
    assert node.ssh("ls /run/alchemy/rom/etc/ssh/ | grep host_key || true") == ""
    assert "ssh_host_ed25519_key.pub" in node.ssh("ls /etc/ssh")


def test_every_package_of_the_sets_is_in_the_manifest(image: Context) -> None:
    manifest = json.loads((image.bin / "manifest.json").read_text())
    installed = {f"{package['category']}/{package['name']}" for package in manifest["packages"]}
    assert set(portage.read_set(image.root / "packages" / "packages.core")) <= installed
    assert manifest["version"] == VERSION


def test_the_digests_are_those_of_the_files(image: Context) -> None:
    lines = (image.bin / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(listed) == {"alchemy.img", "alchemy.ramfs", "boot.ipxe", "manifest.json"}
    assert {name: archive.sha256(image.bin / name) for name in listed} == listed
