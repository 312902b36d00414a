"""How the tests log in to the stand-in of Collins."""

from __future__ import annotations

from pathlib import Path

from alchemy.rack import config
from tests import collins


def settings(folder: Path, url: str, password: str = collins.PASSWORD) -> config.Collins:
    """The key `collins` of a rack.yml."""
    path = folder / "collins.password"
    path.write_text(f"{password}\n", encoding="utf-8")
    path.chmod(0o600)
    return config.Collins(url=url, user=collins.USER, password_file=path, poll=5)
