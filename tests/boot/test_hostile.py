"""Surroundings that do not help: what is broken is said on the console, and the boot goes on, or a shell is there."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.run import Runner
from tests.boot import guest
from tests.lib import tables


class Hostile(BaseHTTPRequestHandler):
    """A web server that answers each path in its own bad way."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.strip("/")
        getattr(self, f"send_{name}", self.send_missing)()

    def send_missing(self) -> None:
        self.send_error(404)

    def send_half(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"ssh-ed25519 AAAA")
        self.close_connection = True

    def send_garbage(self) -> None:
        body = bytes(range(256)) * 4000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_huge(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(1024):
                self.wfile.write(bytes(1 << 20))
        except OSError:
            self.close_connection = True

    def send_loop(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/loop")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what matters."""


@pytest.fixture
def expired(tmp_path: Path, runner: Runner) -> Iterator[str]:
    """The URL of a bad web server whose certificate was good for a day of the year 2020."""
    certificate, private, request = (tmp_path / name for name in ("cert.pem", "key.pem", "request.pem"))
    (tmp_path / "index").touch()
    (tmp_path / "ca.cnf").write_text(
        f"[ca]\ndefault_ca = ours\n[ours]\ndatabase = {tmp_path}/index\nrand_serial = yes\nnew_certs_dir = {tmp_path}\n"
        "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n"
    )
    runner.run(
        ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={guest.HOST}", "-keyout", private,
         "-out", request]
    )  # fmt: skip
    runner.run(
        ["openssl", "ca", "-batch", "-selfsign", "-config", tmp_path / "ca.cnf", "-keyfile", private, "-in", request,
         "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-notext", "-out", certificate]
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    with guest.serve(Hostile, tls) as url:
        yield url


ANSWERS = {
    "404-and-redirect-loop": ("missing", "curl: .*404", "loop", "curl: .*redirects"),
    "garbage-and-1-GB": ("garbage", r"not a public key, left out: \d000 lines", "huge", "curl: .*[Mm]aximum"),
}


@pytest.mark.parametrize(
    ("keys", "keys_message", "command", "command_message"), tables.rows(ANSWERS, "garbage-and-1-GB")
)
def test_a_bad_web_server_is_named_and_the_boot_goes_on(
    image: Context, key: Path, console_log: Path, keys: str, keys_message: str, command: str, command_message: str
) -> None:
    with (
        guest.serve(Hostile) as url,
        guest.boot(image, console_log, key, f"ssh_keys_url={url}/{keys} command_url={url}/{command}") as node,
    ):
        node.expect(keys_message)
        node.expect(f"{command}: cannot be fetched: {command_message}")
        node.expect("command_url: tried again in the running system")
        node.expect(guest.HAND_OVER)


def test_an_expired_certificate_is_refused_and_half_a_file_is_not_used(
    image: Context, key: Path, console_log: Path, expired: str
) -> None:
    with (
        guest.serve(Hostile) as url,
        guest.boot(image, console_log, key, f"ssh_keys_url={expired}/garbage command_url={url}/half") as node,
    ):
        node.expect("cannot be fetched: curl: .*certificate")
        # a server that breaks off is asked again for a minute
        node.expect("cannot be fetched: curl: .*(transfer closed|end of response)")
        node.expect("command_url: tried again in the running system")
        node.expect(guest.HAND_OVER)


@pytest.mark.parametrize("pxe", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_parameters_named_like_variables_and_a_long_line_steer_nothing(
    image: Context, key: Path, console_log: Path, pxe: bool
) -> None:
    # with a dot, as a driver's: the kernel hands 32 others to init, and panics at the next
    noise = " ".join(f"noise.{number}={'x' * 20}" for number in range(150))
    named = " ".join(f"{name}=/evil" for name in ("PATH", "MOCK", "ROOT", "IFS", "early", "HOME", "ENV"))
    assert len(noise) > 4000
    cmdline = f"{named} net_timeout=08 shel real_init=/etc/motd {noise}"
    with guest.boot(image, console_log, key, cmdline, pxe=pxe) as node:
        node.expect("unknown parameter shel: did you mean shell")
        node.expect("the command line is longer than the kernel's 2047 characters")
        node.expect("real_init=/etc/motd: not an executable file")
        node.expect(guest.PROMPT)
        node.type("exit")
        assert node.expect(guest.HAND_OVER)[1] == "/sbin/init"
        node.expect(guest.LOGIN)


def test_a_node_without_a_network_interface_boots(image: Context, key: Path, console_log: Path) -> None:
    with guest.boot(image, console_log, key, "net net_timeout=3", network=False) as node:
        node.expect("net: there is no network interface")
        node.expect(guest.HAND_OVER)


def test_an_interface_without_a_link_is_named(image: Context, key: Path, console_log: Path) -> None:
    unplugged = ["-netdev", "hubport,id=out,hubid=9", "-device", "e1000e,netdev=out,romfile=,id=out0"]
    with guest.boot(image, console_log, key, "net net_timeout=6", extra=unplugged, monitor="set_link out0 off") as node:
        node.expect(r"net: eth\d has no link")
        node.expect(guest.HAND_OVER)


def test_a_truncated_ramfs_is_said(image: Context, key: Path, console_log: Path, tmp_path: Path) -> None:
    whole = (image.bin / image.config.ramfs_name).read_bytes()
    short = tmp_path / "ramfs"
    short.write_bytes(whole[: len(whole) * 7 // 10])
    with guest.boot(image, console_log, key, ramfs=short) as node:
        node.expect("ramfs: (truncated system|no system in it)")
        node.expect(guest.PROMPT)


def test_a_node_with_too_little_ram_says_so(image: Context, key: Path, console_log: Path) -> None:
    # RAM holds the kernel and the ramfs, and half of what is left has to hold the ramfs again
    ramfs = (image.bin / image.config.ramfs_name).stat().st_size
    with guest.boot(image, console_log, key, memory=ramfs * 4 >> 20, network=False) as node:
        node.expect(r"ramfs: truncated system .* too little RAM")
        node.expect(r"ramfs: this node has \d+ kB of usable RAM")
        node.expect(guest.PROMPT)
