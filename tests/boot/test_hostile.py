"""Surroundings that do not help: what is broken is said on the console, and the boot goes on, or a shell is there."""

from __future__ import annotations

import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from alchemy.context import Context
from alchemy.run import Runner
from tests.boot import guest

PROMPT = r"/ # "


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
        body = bytes(range(256)) * 40
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


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing", "cannot be fetched: curl: .*404"),
        ("half", "cannot be fetched: curl: .*(transfer closed|end of response)"),
        ("garbage", "not a public key, left out"),
        ("huge", "cannot be fetched: curl: .*[Mm]aximum file size"),
        ("loop", "cannot be fetched: curl: .*redirects"),
    ],
)
def test_a_bad_web_server_is_named_and_the_boot_goes_on(
    image: Context, key: Path, console_log: Path, path: str, message: str
) -> None:
    with (
        guest.serve(Hostile) as url,
        guest.boot(image, console_log, key, f"ssh_keys_url={url}/{path}") as node,
    ):
        node.expect(message)
        node.expect(guest.HAND_OVER)


def test_an_expired_certificate_is_refused(image: Context, key: Path, console_log: Path, tmp_path: Path) -> None:
    runner = Runner()
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    runner.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={guest.HOST}",
         "-keyout", private, "-out", certificate]
    )  # fmt: skip
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"https://{guest.HOST}:{server.server_address[1]}/garbage"
        with guest.boot(image, console_log, key, f"ssh_keys_url={url}") as node:
            node.expect("cannot be fetched: curl: .*certificate")
            node.expect(guest.HAND_OVER)
    finally:
        server.shutdown()
        server.server_close()


def test_parameters_named_like_variables_and_a_long_line_steer_nothing(
    image: Context, key: Path, console_log: Path
) -> None:
    # iPXE and the kernel take some 2,000 characters more than this test needs
    noise = " ".join(f"noise{number}={'x' * 20}" for number in range(45))
    cmdline = f"PATH=/evil MOCK=echo ROOT=/evil IFS=x early=/evil HOME=/evil ENV=/evil {noise} net_timeout=08 shel"
    with guest.boot(image, console_log, key, cmdline) as node:
        node.expect("unknown parameter shel: did you mean shell")
        node.expect(guest.HAND_OVER)
        node.expect(guest.LOGIN)


def test_a_real_init_that_cannot_run_gives_a_rescue_shell(image: Context, key: Path, console_log: Path) -> None:
    with guest.boot(image, console_log, key, "real_init=/etc/motd") as node:
        node.expect("real_init=/etc/motd: not an executable file")
        node.expect(PROMPT)
        node.type("exit")
        node.expect(guest.HAND_OVER)


def test_a_node_without_a_network_interface_boots(image: Context, key: Path, console_log: Path) -> None:
    with guest.boot(image, console_log, key, "net", network=False) as node:
        node.expect("net: there is no network interface")
        node.expect(guest.HAND_OVER)


def test_an_interface_without_a_link_is_named(image: Context, key: Path, console_log: Path) -> None:
    unplugged = ["-netdev", "hubport,id=out,hubid=9", "-device", "e1000e,netdev=out,romfile=,id=out0"]
    with guest.boot(image, console_log, key, "net net_timeout=6", extra=unplugged, monitor="set_link out0 off") as node:
        node.expect(r"net: eth\d has no link")
        node.expect(guest.HAND_OVER)


def test_a_truncated_ramdisk_is_said(image: Context, key: Path, console_log: Path, tmp_path: Path) -> None:
    whole = (image.bin / image.config.ramfs_name).read_bytes()
    short = tmp_path / "ramfs"
    short.write_bytes(whole[: len(whole) * 7 // 10])
    with guest.boot(image, console_log, key, ramfs=short) as node:
        node.expect("the ramdisk (was cut short|holds no system)")
        node.expect(PROMPT)


def test_too_little_ram_is_said(image: Context, key: Path, console_log: Path) -> None:
    with guest.boot(image, console_log, key, memory=128) as node:
        node.expect("too little RAM")
