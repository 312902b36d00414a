"""HTTPS beside HTTP, where rack.yml has a certificate."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from alchemy.run import Runner
from tests.rack import serving
from tests.rack.lan import SERVER, Lan, inside


@pytest.fixture
def certificate(folder: Path, runner: Runner) -> Path:
    """A certificate for the server's address; the key is beside it."""
    path = folder / "rack.pem"
    runner.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=rack",
         "-addext", f"subjectAltName=IP:{SERVER}", "-keyout", folder / "rack.key", "-out", path]
    )  # fmt: skip
    (folder / "rack.key").chmod(0o600)
    return path


def test_the_calls_are_on_port_443_too_and_http_stays(
    lan: Lan, folder: Path, rack_yml: Path, certificate: Path
) -> None:
    with rack_yml.open("a", encoding="utf-8") as file:
        file.write(f"certificate: {certificate}\nkey: {folder}/rack.key\n")
    trusting = ssl.create_default_context(cafile=str(certificate))
    with serving.serving(lan, folder, "--proxy", f"--config={rack_yml}"):
        plain = inside(lan.node, lambda: socket.create_connection((SERVER, 443), timeout=20))
        with trusting.wrap_socket(plain, server_hostname=SERVER) as client:
            client.sendall(f"GET /healthz HTTP/1.1\r\nHost: {SERVER}\r\nConnection: close\r\n\r\n".encode())
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert lan.get("/boot.ipxe")[0] == 200
