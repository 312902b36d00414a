"""What the node believes: signatures, digests, certificates, its clock; and what it tries again."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy.context import EPOCH, Context
from alchemy.parts import command_signature
from alchemy.run import Runner
from tests.boot import guest
from tests.lib import tables

MUST_NOT = "#!/bin/sh\necho fool\n"


DOUBTS = {
    "bad digest": ("command_sha256=", "command_sha256 is not a SHA-256"),
    "misspelt": (f"command_sha265={'0' * 64}", "the unknown parameter command_sha265 may have been to verify it"),
    "bad key": ("command_key=", "command_key is not a public key"),
}


@pytest.mark.parametrize(("parameter", "reason"), tables.rows(DOUBTS, "misspelt"))
def test_a_verifying_parameter_in_doubt_refuses_the_command(
    image: Context, key: Path, web: Path, console_log: Path, parameter: str, reason: str
) -> None:
    (web / "command").write_text(MUST_NOT)
    with (
        guest.serve_folder(web) as url,
        guest.boot(image, console_log, key, f"command_url={url}/command {parameter}") as node,
    ):
        node.expect(f"command_url: refused: {reason}")
        node.expect("command_url: nothing is run")
        node.expect(guest.LOGIN)
    assert not re.search(r"^fool", console_log.read_text(), re.MULTILINE)


@pytest.mark.parametrize("case", tables.rows(["expired", "other name", "other namespace"], "expired"))
def test_a_signature_for_something_else_is_refused(
    image: Context, key: Path, web: Path, console_log: Path, runner: Runner, case: str
) -> None:
    script = web / "command"
    script.write_text(MUST_NOT)
    today = date(2026, 1, 2) if case == "expired" else None
    command_signature.sign(runner, script, key, 3 if case == "expired" else 30, today)
    reason = r"command_url: refused: expired signature \(valid until 2026-01-05, today is "
    if case == "other name":
        for suffix in ("", ".sig"):
            (web / f"command{suffix}").rename(web / f"burn-in{suffix}")
        script = web / "burn-in"
        reason = "command_url: refused: bad signature line"
    elif case == "other namespace":
        (web / "command.sig").unlink()
        runner.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "file", script])
        reason = "command_url: refused: bad signature: "
    kind, blob, _ = (web / "keys").read_text().split()
    with guest.serve_folder(web) as url:
        cmdline = f"command_url={url}/{script.name} command_key={kind}:{blob}"
        with guest.boot(image, console_log, key, cmdline) as node:
            node.expect(reason)
            node.expect("command_url: nothing is run")
            node.expect(guest.LOGIN)
    assert not re.search(r"^fool", console_log.read_text(), re.MULTILINE)


@pytest.mark.exhaustive
def test_a_profile_by_url_has_to_be_signed_by_the_key_of_the_command_line(
    image: Context, key: Path, web: Path, console_log: Path, runner: Runner
) -> None:
    own = web / "own.toml"
    own.write_text('time = "5m"\n[[phases]]\nshare = 1\nsteps = ["cpu"]\n')
    kind, blob, _ = (web / "keys").read_text().split()
    with guest.serve_folder(web) as url:
        profile = f"{url}/own.toml"
        cmdline = f"ssh_keys_url={url}/keys job=burnin burnin_profile={profile} burnin_profile_key={kind}:{blob}"
        with guest.boot(image, console_log, key, cmdline) as node:
            node.expect(rf"burnin: alchemy-burnin: {profile}\.sig: cannot be fetched: curl: ")
            node.expect("jobs: burnin ERROR")
            node.wait_for_ssh()

            def plan(signer: str = f"{kind}:{blob}") -> str:
                return node.ssh(f"sudo alchemy-burnin --plan --profile {profile} --profile-key {signer} 2>&1 || true")

            command_signature.sign(runner, own, key, 30)
            assert plan().startswith("profile custom: 5 min, on ")
            assert "burnin_profile: refused: bad signature: " in plan("ssh-ed25519:AAAA")
            own.write_text(own.read_text() + "# changed\n")
            assert "burnin_profile: refused: bad signature: " in plan()
            own.with_name("own.toml.sig").unlink()
            command_signature.sign(runner, own, key, 3, date(2026, 1, 2))
            assert "burnin_profile: refused: expired signature (valid until 2026-01-05, today is " in plan()
            assert node.ssh("cat /run/alchemy/doubts") == ""


def test_a_clock_that_is_too_early_is_set_to_the_builds(image: Context, key: Path, console_log: Path) -> None:
    early = ["-rtc", "base=2001-06-01T00:00:00"]
    with guest.boot(image, console_log, key, "shell", extra=early, network=False) as node:
        node.expect("clock: 2001-06-01 00:00 is earlier than this image: set to its build time")
        node.expect(guest.PROMPT)
        node.type("date -u +now-%s")
        now = int(node.expect(r"now-(\d+)\s")[1])
    assert EPOCH <= now < EPOCH + 3600


@pytest.fixture
def downgrade(tmp_path: Path, runner: Runner) -> Iterator[str]:
    """The URL of a web server with https, which redirects to one without; its certificate is nobody's."""

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://{guest.HOST}:1/keys")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test says what matters."""

    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    runner.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={guest.HOST}",
         "-addext", f"subjectAltName=IP:{guest.HOST}", "-keyout", private, "-out", certificate]
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    with guest.serve(Redirect, tls) as url:
        yield url


def test_https_is_not_redirected_to_http(
    image: Context, key: Path, console_log: Path, downgrade: str, tmp_path: Path
) -> None:
    certificate = (tmp_path / "cert.pem").read_text(encoding="ascii")
    with guest.boot(image, console_log, key, "net shell") as node:
        node.expect(guest.PROMPT)
        for line in ("cat >>/new/etc/ssl/certs/ca-certificates.crt <<EOT", *certificate.splitlines(), "EOT"):
            node.type(line)
        node.type(f". /init; ROOT=''; patience=0; fetch {downgrade}/keys /tmp/keys; echo \"why: $fetch_error\"")
        node.expect(r"why: https://\S+: cannot be fetched: curl: \(1\) Protocol .http. ")


class Failing(SimpleHTTPRequestHandler):
    """A web server that is out of order until `works` is set, and counts what it has `refused`."""

    works = threading.Event()
    refused = 0
    folder = ""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, directory=self.folder, **named)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.works.is_set():
            super().do_GET()
        else:
            type(self).refused += 1
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what matters."""


@pytest.mark.exhaustive
def test_what_failed_before_the_hand_over_is_tried_again_until_it_works(
    image: Context, key: Path, web: Path, console_log: Path
) -> None:
    (web / "command").write_text("#!/bin/sh\necho gold by $(id -un)\n")

    class Server(Failing):
        works = threading.Event()
        folder = str(web)

    with guest.serve(Server) as url:
        cmdline = f"ssh_keys_url={url}/keys command_url={url}/command"
        with guest.boot(image, console_log, key, cmdline) as node:
            node.expect("ssh_keys_url: tried again in the running system")
            node.expect("command_url: tried again in the running system")
            node.expect(guest.LOGIN)
            before = Server.refused
            # one of each: what is tried after the server works comes in another order
            guest.wait_for(lambda: Server.refused >= before + 2, "try of both by the running system")
            Server.works.set()
            node.expect("ssh_keys_url: 1 keys added for alchemy")
            node.expect("gold by root")
            node.expect("command_url: ended with status 0")
            node.wait_for_ssh()
            assert node.ssh("cat /run/alchemy/command.status").strip() == "0"
            assert "cannot be fetched" in node.ssh("sudo cat /var/log/retry.log")
            assert node.ssh("sudo cat /run/alchemy/pending") == ""


@pytest.mark.exhaustive
def test_both_ssh_servers_have_the_same_host_key(image: Context, key: Path, web: Path, console_log: Path) -> None:
    with (
        guest.serve_folder(web) as url,
        guest.boot(image, console_log, key, f"ssh shell ssh_keys_url={url}/keys") as node,
    ):
        fingerprint = node.expect(r"the host key \(ED25519\) is (SHA256:\S+)\s")[1]
        node.expect(guest.PROMPT)
        node.wait_for_ssh()
        assert node.host_keys() == {fingerprint}
        node.type("exit")
        node.expect(guest.HAND_OVER)
        node.expect(re.escape(f"SSH host key (ED25519) {fingerprint}"))
        node.expect(guest.LOGIN)
        node.wait_for_ssh()
        assert "dropbear" not in node.ssh("ps -e")
        assert node.host_keys() == {fingerprint}
