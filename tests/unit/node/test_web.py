from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from alchemy.run import Runner
from alchemy_node import web

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A server on loopback that sends scripted bytes: an answer a connection, and the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[bytes | list[bytes]] = []
        self.requests: list[bytes] = []
        self.stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/file"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.stopped.set()
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if self.stopped.is_set():
                    return
                request = b""
                # a TLS handshake is one message
                while (
                    b"\r\n\r\n" not in request and not request.startswith(b"\x16") and (block := connection.recv(4096))
                ):
                    request += block
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                self._send(connection, answer)

    def _send(self, connection: socket.socket, answer: bytes | list[bytes]) -> None:
        """Sends an answer whole, or a list of blocks slowly."""
        try:
            for block in [answer] if isinstance(answer, bytes) else answer:
                connection.sendall(block)
                if isinstance(answer, list):
                    self.stopped.wait(0.05)
        except OSError:
            return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


def ok(body: bytes, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def status(code: int, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code} \x1b[31mevil", "Content-Length: 0", *fields, "", ""]).encode()


def no_pause(_: float) -> None:
    pass


def test_a_file_is_fetched_and_its_digest_compared(server: Server) -> None:
    server.answers = [ok(b"content")]
    assert web.fetch(server.url, sha256=hashlib.sha256(b"content").hexdigest().upper()) == b"content"
    assert b"Accept-Encoding: identity" in server.requests[0]
    with pytest.raises(web.WebError, match=r"/file: digest mismatch \(expected SHA-256 0{64}, got [0-9a-f]{64}\)$"):
        web.fetch(server.url, sha256="0" * 64)


def test_what_may_pass_is_tried_again_with_growing_pauses(server: Server) -> None:
    server.answers = [status(503), b"", ok(b"content")[:-3], status(429), ok(b"content")]
    pauses: list[float] = []
    assert web.fetch(server.url, pause=pauses.append) == b"content"
    assert pauses == [1, 2, 4, 8]


def test_what_will_not_pass_is_not_tried_again(server: Server) -> None:
    server.answers = [status(404)]
    with pytest.raises(web.WebError, match=r"/file: the server answers 404 Not Found \(expected 200 OK\)$"):
        web.fetch(server.url, pause=no_pause)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (status(500), "the server answers 500 Internal Server Error (expected 200 OK)"),
        (status(599), "the server answers 599 (expected 200 OK)"),
        (b"", "the connection broke (2 attempts)"),
        (b"\x1b]0;evil\x07\r\n\r\n", "the server's answer is not HTTP (2 attempts)"),
        (ok(b"content")[:-1], "truncated: the connection broke (2 attempts)"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncon",
            "truncated: the connection broke (2 attempts)",
        ),
        (ok(b"x" * 101), "too large (expected at most 100 bytes)"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000, "too large (expected at most 100 bytes)"),
        (ok(b"x", "Content-Encoding: gzip"), "the server sends a compressed body, which was not asked for"),
        (status(302, "Location: /file"), "more than 5 redirects"),
        (status(302, "Location: ftp://127.0.0.1/x"), "unsupported scheme (expected http or https)"),
        (status(302, "Location: file:///etc/passwd"), "unsupported scheme (expected http or https)"),
        (status(302, "Location: http://[evil"), "it redirects to an invalid URL"),
        (status(302), "the server answers 302 Found (expected 200 OK)"),
    ],
)
def test_what_a_server_may_do_wrong_has_a_message(server: Server, answer: bytes, message: str) -> None:
    server.answers = [answer]
    with pytest.raises(web.WebError, match=f": {re.escape(message)}$") as error:
        web.fetch(server.url, limit=100, attempts=2, pause=no_pause)
    assert str(error.value).isprintable()


def test_a_server_that_drips_is_ended(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_WHOLE", 0.3)
    for endless in ([b"HTTP/1.1 200 OK\r\n", *[b"x: y\r\n"] * 90], [ok(b"y" * 100)[:-99], *[b"y"] * 98]):
        server.answers = [endless]
        with pytest.raises(web.WebError, match=r": no complete answer within 0\.3 s$"):
            web.fetch(server.url, attempts=1)


def test_a_silent_server_is_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_STEP", 0.03)
    server.answers = [[b"", b"", b""]]
    with pytest.raises(web.WebError, match=r": no answer within 0\.03 s$"):
        web.fetch(server.url, attempts=1)


def test_a_closed_port_has_a_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(web.WebError, match=r"^http://127\.0\.0\.1:\d+/x: connection refused \(2 attempts\)$"):
        web.fetch(f"http://127.0.0.1:{port}/x?token=secret", attempts=2, pause=no_pause)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "file:///etc/passwd: unsupported scheme (expected http or https)"),
        ("expect.toml", "expect.toml: unsupported scheme (expected http or https)"),
        ("http://", "http://: malformed URL"),
        ("http://h:99999/", "http://h:99999/: malformed URL"),
        ("http://[::1/", "http://[::1/: malformed URL"),
        ("http://h/a b", "http://h/a b: malformed URL"),
        ("http://h/a\x1b[31m", "http://h/a\\x1b[31m: malformed URL"),
        ("http://h/ä", "http://h/\\xe4: malformed URL"),
        (
            "http://user:secret@h/x",
            "http://h/x: a user or password in the URL is refused: it would be in logs",
        ),
    ],
)
def test_a_bad_url_is_refused_before_anything_is_sent(url: str, message: str) -> None:
    with pytest.raises(web.UrlError) as error:
        web.fetch(url)
    assert str(error.value) == message


def test_https_is_never_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def once(*_: object) -> web.Answer:
        return web.Answer(301, {"location": server.url}, b"")

    monkeypatch.setattr(web, "_once", once)
    with pytest.raises(web.WebError, match=r"^https://h/x: refused: it redirects away from https$"):
        web.fetch("https://h/x")
    assert server.requests == []


def test_a_password_is_not_sent_to_another_server(server: Server) -> None:
    other = Server()
    server.answers, other.answers = [status(302, f"Location: {other.url}")], [ok(b"content")]
    try:
        answer = web.request("GET", server.url, headers={"Authorization": "Bearer secret", "X-Else": "kept"})
    finally:
        other.stop()
    assert answer.body == b"content"
    assert b"secret" in server.requests[0]
    assert b"secret" not in other.requests[0]
    assert b"X-Else: kept" in other.requests[0]


def test_a_post_follows_no_redirect_and_gives_any_status(server: Server) -> None:
    server.answers = [status(307, f"Location: {server.url}")]
    answer = web.request("POST", server.url, body=b"{}", headers={"Content-Type": "application/json"})
    assert (answer.status, answer.phrase) == (307, "307 Temporary Redirect")
    assert len(server.requests) == 1
    assert server.requests[0].startswith(b"POST /file HTTP/1.1\r\n")
    assert b"Content-Length: 2\r\n" in server.requests[0]


def test_which_answers_are_tried_again_is_up_to_the_caller(server: Server) -> None:
    server.answers = [status(409), status(201)]
    answer = web.request("POST", server.url, body=b"{}", attempts=5, again=web.TRANSIENT | {409}, pause=no_pause)
    assert answer.status == 201


def test_what_is_no_tls_has_a_message(server: Server) -> None:
    server.answers = [b"this is not TLS"]
    with pytest.raises(web.WebError, match=r"/file: TLS failed$"):
        web.fetch(server.url.replace("http:", "https:"), attempts=1)


@pytest.fixture
def tls(tmp_path: Path, real_processes: None) -> Iterator[tuple[str, Path]]:
    """A URL of a TLS server on loopback, and its certificate, which is its own authority and names 127.0.0.1."""
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    Runner().run([*argv, "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(4096)
            connection.sendall(ok(b"content"))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/file", certificate
    thread.join()
    listener.close()


def test_a_certificate_of_a_known_authority_is_trusted(tls: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    url, certificate = tls
    monkeypatch.setattr(web, "_BUNDLE", certificate)
    assert web.fetch(url, attempts=1) == b"content"


def test_a_certificate_of_an_unknown_authority_is_not_trusted(tls: tuple[str, Path]) -> None:
    with pytest.raises(web.WebError, match=r"/file: its certificate is not trusted \(self-signed certificate\)$"):
        web.fetch(tls[0], attempts=1)


def test_a_certificate_of_another_name_is_not_trusted(tls: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    url, certificate = tls
    monkeypatch.setattr(web, "_BUNDLE", certificate)
    with pytest.raises(web.WebError, match=r"/file: its certificate is not trusted \(Hostname mismatch"):
        web.fetch(url.replace("127.0.0.1", "localhost"), attempts=1)
