from __future__ import annotations

import dataclasses
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy import signing
from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.run import Runner
from tests.unit import keys


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
