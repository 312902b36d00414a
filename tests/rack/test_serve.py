"""What boot.serve says and serves, and what it refuses."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rack import serving
from tests.rack.lan import SERVER, Lan, inside
from tests.rack.serving import Serving, wait_for


@pytest.fixture(scope="module")
def served(lan: Lan, folder: Path, rack_yml: Path) -> Iterator[Serving]:
    with serving.serving(lan, folder, "--proxy", f"--config={rack_yml}") as running:
        yield running


def test_it_says_what_it_serves_and_where(served: Serving, rack_yml: Path) -> None:
    said = served.said
    for text in (
        "serving br0 (192.0.2.1/24), beside the network's DHCP server",
        f"image alchemy: {rack_yml.parent}/alchemy",
        f"firmware gets arm64/snponly.efi: {served.state}/ipxe/arm64/snponly.efi",
        f"logs: {served.state}/log/service.log, nginx.log, access.log, dnsmasq.log",
        f"page: http://{SERVER}/",
    ):
        assert text in said


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/images/alchemy/alchemy.img", "application/vnd.efi-img"),
        ("/images/alchemy/alchemy.ramfs", "application/octet-stream"),
        ("/images//alchemy/alchemy.ramfs", "application/octet-stream"),
        ("/ipxe/x64/snponly.efi", "application/efi"),
        ("/ipxe/arm64/snponly.efi", "application/efi"),
        ("/ipxe/x64/snponly.efi?mac=1", "application/efi"),
    ],
)
def test_files_have_a_type_a_length_and_no_redirect(
    lan: Lan, served: Serving, rack_yml: Path, path: str, kind: str
) -> None:
    status, said, body = lan.get(path)
    assert (status, said) == (200, kind)
    name = path.partition("?")[0].rpartition("/")[2]
    folder = served.state / "tftp" / path.split("/")[2] if path.startswith("/ipxe") else rack_yml.parent / "alchemy"
    assert body == (folder / name).read_bytes()


@pytest.mark.parametrize(
    "path",
    ["/images/alchemy/../arm/../../etc/passwd", "/images/alchemy%2f..%2f..%2fstate/.lock", "/images/alchemy../rack.yml",
     "/ipxe/../dnsmasq.conf", "/records.sqlite", "/images/", "/images/alchemy/"],
)  # fmt: skip
def test_nothing_else_is_served(lan: Lan, served: Serving, path: str) -> None:
    status, _, body = lan.get(path)
    assert status in (400, 401, 403, 404)
    assert b"root:" not in body


def test_a_body_that_is_too_large_is_refused_as_json(lan: Lan, served: Serving) -> None:
    def ask() -> bytes:
        with socket.create_connection((SERVER, 80), timeout=20) as client:
            client.sendall(b"POST /v1/boots HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n{")
            answer = b""
            while part := client.recv(4096):
                answer += part
            return answer

    head, _, body = inside(lan.node, ask).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert json.loads(body)["error"].startswith("body: too large")


def test_each_request_is_a_line_of_json(lan: Lan, served: Serving) -> None:
    lan.get('/images/alchemy/none?name="%0a')
    wanted = ("192.0.2.60", 404, '/images/alchemy/none?name="%0a')

    def requests() -> list[tuple[str, int, str]]:
        # nginx writes a line after it has answered
        entries = [json.loads(line) for line in served.log("access").splitlines(keepends=True) if line.endswith("\n")]
        return [(entry["address"], entry["status"], entry["uri"]) for entry in entries]

    wait_for(lambda: wanted in requests(), f"{wanted} in {served.log('access')}")


def test_a_second_one_with_the_same_state_is_refused(lan: Lan, folder: Path, served: Serving, rack_yml: Path) -> None:
    other = serving.start(lan, folder, f"--config={rack_yml}", "--port=8080")
    assert other.process.wait(serving.SECONDS) == 2
    assert f"{served.state}: in use by the boot.serve of process " in other.said


def test_the_holder_of_a_port_is_named(lan: Lan, folder: Path, served: Serving, rack_yml: Path) -> None:
    serving.own_binaries(folder / "other")
    other = serving.start(lan, folder, "--range=192.0.2.70,192.0.2.80", f"--config={rack_yml}", state="other")
    assert other.process.wait(serving.SECONDS) == 2
    assert f"TCP port 80 of {SERVER}: held by nginx (process " in other.said
    assert "UDP port 67 of br0: held by dnsmasq (process " in other.said


def test_the_records_are_for_root_alone(served: Serving) -> None:
    files = list(served.state.glob("records.sqlite*"))
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
