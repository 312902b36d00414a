from __future__ import annotations

import base64
import dataclasses
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.parts import signing
from alchemy.run import Runner
from tests.lib import keys


@pytest.fixture
def sums(context: Context, real_processes: None) -> Path:
    """A file to sign."""
    path = context.root / "SHA256SUMS"
    path.write_text("digests\n", encoding="ascii")
    return path


@pytest.fixture
def short_path() -> Iterator[Path]:
    """gpg's agent wants a short path."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def configured(context: Context, key: str) -> Context:
    config = context.config.model_copy(update={"signing_key": key})
    return dataclasses.replace(context, config=config, runner=Runner())


def ssh_key(context: Context, name: str = "key") -> str:
    path = context.root / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return name


def test_an_ssh_key_signs_and_signs_again(context: Context, sums: Path) -> None:
    signer = configured(context, ssh_key(context))
    for text in ("digests\n", "other digests\n"):
        sums.write_text(text, encoding="ascii")
        signing.sign(signer, sums)
        allowed = context.root / "allowed"
        allowed.write_text(f"builder {(context.root / 'key.pub').read_text()}", encoding="ascii")
        command = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", "builder", "-n", "file", "-s", f"{sums}.sig"]
        subprocess.run(command, input=text.encode(), check=True)
        assert subprocess.run(command, input=b"forged", check=False).returncode != 0


def test_an_openpgp_key_signs(context: Context, sums: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = keys.make(short_path, "builder")
    monkeypatch.setenv("GNUPGHOME", str(key.home))
    signing.sign(configured(context, key.fingerprint), sums)
    key.gpg("--verify", f"{sums}.asc", str(sums))


def test_without_a_key_nothing_is_signed(context: Context, sums: Path) -> None:
    before = sorted(context.root.iterdir())
    signing.sign(context, sums)
    assert sorted(context.root.iterdir()) == before


def test_a_key_that_cannot_sign_fails_the_build(context: Context, sums: Path) -> None:
    (context.root / "key").write_text("no key\n", encoding="ascii")
    with pytest.raises(BuildError, match="signing with signing_key failed"):
        signing.sign(configured(context, "key"), sums)


def test_another_key_is_another_identity(context: Context, real_processes: None) -> None:
    names = [ssh_key(context, name) for name in ("one", "other")]
    identities = {signing.identity(configured(context, name)) for name in (*names, "A" * 40)}
    assert len({*identities, signing.identity(context)}) == 4


KEYS = {
    "ed25519": ["-t", "ed25519", "-N", ""],
    "with a passphrase": ["-t", "ed25519", "-N", "gold and lead"],
    "rsa": ["-t", "rsa", "-b", "2048", "-N", ""],
    "ecdsa": ["-t", "ecdsa", "-N", ""],
    "in PEM": ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
}


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("options", KEYS.values(), ids=KEYS.keys())
def test_the_identity_of_a_key_is_of_its_public_half_alone(context: Context, options: list[str]) -> None:
    path = context.root / "key"
    subprocess.run(["ssh-keygen", "-q", *options, "-f", path], check=True)
    told = subprocess.run(["ssh-keygen", "-l", "-f", f"{path}.pub"], check=True, capture_output=True, text=True).stdout
    private = signing.identity(configured(context, "key"))
    assert private == signing.identity(configured(context, "key.pub"))
    fingerprint = base64.b64encode(bytes.fromhex(private.removeprefix("SHA256:"))).decode().rstrip("=")
    assert f"SHA256:{fingerprint}" in told.split()


@pytest.mark.usefixtures("real_processes")
def test_an_old_private_key_without_its_public_half_is_refused_with_the_way_to_convert_it(context: Context) -> None:
    path = context.root / "key"
    subprocess.run(["ssh-keygen", "-q", *KEYS["in PEM"], "-f", path], check=True)
    (context.root / "key.pub").unlink()
    with pytest.raises(UserError, match="signing_key: key: private key in an old format") as caught:
        signing.identity(configured(context, "key"))
    assert caught.value.hint == f"ssh-keygen -p -f {path}"
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "", "-P", "", "-f", path], check=True)
    assert signing.identity(configured(context, "key")).startswith("SHA256:")


@pytest.mark.parametrize(
    "text",
    ["", "no key\n", "ssh-ed25519 AAAA", "ssh-ed25519 !", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
     "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA/////w==\n-----END OPENSSH PRIVATE KEY-----\n"],
)  # fmt: skip
def test_what_is_no_key_is_left_to_signing_to_refuse(context: Context, text: str) -> None:
    (context.root / "key").write_text(text, encoding="ascii")
    (context.root / "key.pub").write_text(text, encoding="ascii")
    if "PRIVATE" in text:
        with pytest.raises(UserError, match="private key in an old format"):
            signing.identity(configured(context, "key"))
    else:
        assert signing.identity(configured(context, "key")) == "no key"
