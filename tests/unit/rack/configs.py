"""A folder of the files that a rack.yml names, and texts of a rack.yml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Write = Callable[[str], Path]

COLLINS = "collins: {url: 'https://collins.example', user: rack, password_file: password}"


def make(folder: Path) -> Write:
    """Fills a folder with an image, a password that only its owner reads, and one that all can read."""
    for name in ("alchemy.img", "alchemy.ramfs"):
        (folder / "image").mkdir(exist_ok=True)
        (folder / "image" / name).write_bytes(b"x")
    (folder / "empty").mkdir()
    for name, mode in (("password", 0o600), ("public", 0o644)):
        (folder / name).write_text("correct horse\n", encoding="utf-8")
        (folder / name).chmod(mode)

    def write(text: str) -> Path:
        path = folder / "rack.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
