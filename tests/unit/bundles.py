"""Bundles of the tests: a stage that has yielded one, and what a folder holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from alchemy.context import Context
from alchemy.stage import Stage
from tests.unit.fakes import fake_stage

FILES = {
    "alchemy.img": "kernel",
    "alchemy.ramfs": "ramdisk",
    "boot.ipxe": "#!ipxe",
    "pxelinux.cfg/default": "LABEL alchemy",
    "SHA256SUMS": "sums",
}


def built(context: Context, files: dict[str, str]) -> Stage:
    """An image stage that has yielded `files`."""

    def build(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    stage = fake_stage(context.cache, "bundle", inputs=files, build=build)
    stage.make()
    return stage


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """The files of a folder and of those in it, by their paths."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in found}
