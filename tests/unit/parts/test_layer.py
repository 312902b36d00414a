from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy.parts import layer


def tree(folder: Path) -> Path:
    """A small root."""
    for name, text in {"etc/motd": "lead", "etc/runlevels/boot/sshd": "", "usr/bin/gold": "gold", "empty": ""}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "bin").symlink_to("usr/bin")
    (folder / "tmp").mkdir(mode=0o755)
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def turn(path: Path) -> None:
    """A file in the place of a folder."""
    shutil.rmtree(path)
    path.touch()


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


WHITEOUT = "gone"

CHANGES: dict[str, tuple[Callable[[Path], None], dict[str, str]]] = {
    "nothing": (lambda root: None, {}),
    "a time": (lambda root: os.utime(root / "etc/motd", (0, 0)), {}),
    "a new file": (lambda root: write(root / "etc/new/file", "new"), {"etc/new/file": "new"}),
    "a new folder": (lambda root: (root / "home").mkdir(), {"home": "folder"}),
    "a text of the same length": (lambda root: write(root / "etc/motd", "gold"), {"etc/motd": "gold"}),
    "another text": (lambda root: write(root / "etc/motd", "silver"), {"etc/motd": "silver"}),
    "the permissions of a file": (lambda root: (root / "usr/bin/gold").chmod(0o755), {"usr/bin/gold": "gold"}),
    "the permissions of a folder": (lambda root: (root / "tmp").chmod(0o1777), {"tmp": "folder"}),
    "a removed file": (lambda root: (root / "etc/motd").unlink(), {"etc/motd": WHITEOUT}),
    "a removed folder": (lambda root: shutil.rmtree(root / "etc/runlevels"), {"etc/runlevels": WHITEOUT}),
    "a folder that is a file now": (lambda root: turn(root / "etc/runlevels"), {"etc/runlevels": ""}),
    "a link to elsewhere": (lambda root: relink(root / "bin", "sbin"), {"bin": "-> sbin"}),
    "a file that is a link now": (lambda root: relink(root / "empty", "etc/motd"), {"empty": "-> etc/motd"}),
}


def entry(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISCHR(mode):
        assert path.lstat().st_rdev == 0
        return WHITEOUT
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return "folder" if path.is_dir() else path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_the_layer_holds_what_is_other_and_nothing_else(
    tmp_path: Path, change: Callable[[Path], None], expected: dict[str, str]
) -> None:
    base = tree(tmp_path / "base")
    changed = tmp_path / "changed"
    shutil.copytree(base, changed, symlinks=True)
    change(changed)
    (tmp_path / "layer").mkdir()
    layer.difference(base, changed, tmp_path / "layer")
    found = {str(path.relative_to(tmp_path / "layer")): entry(path) for path in (tmp_path / "layer").rglob("*")}
    parents = {str(parent) for name in expected for parent in Path(name).parents}
    assert {name: text for name, text in found.items() if name not in parents} == expected
    for name in found:
        path = changed / name
        if os.path.lexists(path):
            assert (tmp_path / "layer" / name).lstat().st_mode == path.lstat().st_mode
