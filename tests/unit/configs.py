"""Configurations of the tests: a loader, and values that are valid."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from alchemy.config import model
from alchemy.config.model import Config
from alchemy.errors import UserError

SHA = "0123456789abcdef" * 4
HASH = "$y$j9T$AlchemyLinuxExampleSalt0$oPAMvxsNgp8h4XW6Ed11Vl3hMDQxDawXtS431EMdx30"
TARBALL = "stage3_url: https://example.org/stage3.tar.xz"


def ssh_key(inner: str = "ssh-ed25519", outer: str | None = None) -> str:
    """An SSH public key of the type `inner`, that says it is of the type `outer`."""
    blob = len(inner).to_bytes(4, "big") + inner.encode() + (32).to_bytes(4, "big") + bytes(32)
    return f"{outer or inner} {base64.b64encode(blob).decode()}"


@dataclass(frozen=True)
class Loader:
    """Loads a config.yml of a text, for a repository."""

    root: Path
    path: Path

    def __call__(self, text: str, **environ: str) -> Config:
        self.path.write_text(text, encoding="utf-8")
        return model.load(self.root, {"ALCHEMY_CONFIG": str(self.path), **environ})

    def message(self, text: str) -> str:
        """The message for a text that must be refused."""
        with pytest.raises(UserError) as caught:
            self(text)
        assert str(self.path) in caught.value.message
        return caught.value.message
