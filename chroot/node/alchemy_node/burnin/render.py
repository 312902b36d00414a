"""Writes what people and machines read of a run, beside its record."""

from __future__ import annotations

import os
from pathlib import Path

from alchemy_node.burnin import junit, page, report
from alchemy_node.burnin.model import Run


def write(run: Run, folder: Path) -> list[Path]:
    """Writes report.txt, report.html and junit.xml, each whole or not at all. Raises OSError."""
    texts = {"report.txt": report.text(run), "report.html": page.text(run), "junit.xml": junit.text(run)}
    return [replace(folder / name, text) for name, text in texts.items()]


def replace(path: Path, text: str) -> Path:
    """Puts a file in place of the one before, whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
