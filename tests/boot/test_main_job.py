"""The main job: the image of the embedded default boots over PXE in 256 MB, and its tools run."""

from __future__ import annotations

import json
import re
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from alchemy import archive, closure, plan, portage, system
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.run import Runner
from tests import tools
from tests.boot import guest
from tests.boot.conftest import VERSION
from tests.boot.guest import Guest


@pytest.fixture(scope="module")
def node(image: Context, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The image in a machine of 256 MB with something for every tool, and a key from a web server."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(key.with_suffix(".pub"), folder / "keys")
    log = image.logfile("boot-main-job")
    with (
        guest.serve_folder(folder) as url,
        guest.boot(image, log, key, f"ssh_keys_url={url}/keys", memory=256, extra=tools.hardware(folder)) as node,
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
    wanted = {"network", "sshd", "lldpd", "syslogd", "klogd", "ntpd", "rasdaemon", "getty"}
    assert {name: services.get(name) for name in wanted} == dict.fromkeys(wanted, "started"), status


@pytest.mark.parametrize("tool", tools.running("core"), ids=str)
def test_tool(node: Guest, tool: tools.Tool) -> None:
    tool.check(node)


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


def test_the_image_is_complete_until_a_library_is_taken_away(image: Context, runner: Runner, tmp_path: Path) -> None:
    tree = plan.create(image)["system"].output / system.ROOT
    closure.check(tree)
    runner.run(["cp", "--archive", "--reflink=auto", tree, tmp_path / "root"])
    (library,) = (tmp_path / "root/usr/lib64").glob("libz.so.1.*")
    library.unlink()
    with pytest.raises(BuildError, match=r"(?m)^  /usr/\S+: there is no libz\.so\.1$"):
        closure.check(tmp_path / "root")


def test_the_ramdisk_is_small(image: Context) -> None:
    assert (image.bin / "alchemy.ramfs").stat().st_size <= 40_000_000


def test_no_password_opens_the_account(node: Guest) -> None:
    assert node.ssh("sudo grep ^alchemy: /etc/shadow").split(":")[1] == "*"


def test_the_host_keys_are_made_at_boot(node: Guest) -> None:
    assert node.ssh("ls /run/alchemy/rom/*/etc/ssh/ | grep host_key || true") == ""
    assert "ssh_host_ed25519_key.pub" in node.ssh("ls /etc/ssh")


def test_every_package_of_the_sets_is_in_the_manifest(image: Context) -> None:
    manifest = json.loads((image.bin / "manifest.json").read_text())
    installed = {f"{package['category']}/{package['name']}" for package in manifest["packages"]}
    assert set(portage.read_set(image.root / "packages" / "packages.core")) <= installed
    assert manifest["version"] == VERSION


def test_the_bill_of_materials_is_valid_and_lists_every_package(image: Context) -> None:
    text = (image.bin / "alchemy.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = {(component.get("group"), component["name"], component["version"])
              for component in json.loads(text)["components"] if "version" in component}  # fmt: skip
    packages = json.loads((image.bin / "manifest.json").read_text(encoding="utf-8"))["packages"]
    assert packages
    assert {(package["category"], package["name"], package["version"]) for package in packages} <= listed


def test_the_digests_are_those_of_the_files(image: Context) -> None:
    lines = (image.bin / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(listed) == {"alchemy.cdx.json", "alchemy.img", "alchemy.ramfs", "boot.ipxe", "manifest.json"}
    assert {name: archive.sha256(image.bin / name) for name in listed} == listed
