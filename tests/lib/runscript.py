"""./run, started for real in a small repository, from a folder of somebody's with modules in it."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests import repository

Run = Callable[..., subprocess.CompletedProcess[str]]

COMMANDS = """\
import os, sys
print("commands", *sys.argv[1:], os.getcwd(), sorted(name for name in os.environ if name.startswith("PYTHON")))
"""
DEPENDS = "import sys\nprint('depends', *sys.argv[1:], file=sys.stderr)\n"
EVIL = "import os, sys\nopen(os.environ['PROOF'], 'a').write(f'{__name__} of the caller ran\\n')\n"
MODULES = (
    "alchemy/__init__",
    "cli/__init__",
    "cli/__main__",
    "alchemy/host/depends",
    "ensurepip",
    "venv",
    "pip",
    "sysconfig",
    "invoke",
    "sitecustomize",
)


def wheel(folder: Path) -> Path:
    """The wheel of a program called invoke."""
    path = folder / "invoke-3-py3-none-any.whl"
    info = "invoke-3.dist-info"
    files = {
        "invoke/__init__.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: invoke\nVersion: 3\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ninvoke = invoke:missing\n",
    }
    digests = {name: hashlib.sha256(text.encode()).digest() for name, text in files.items()}
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}," for name, digest in digests.items()
    ]
    with zipfile.ZipFile(path, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
        file.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))
    return path


def sdist(folder: Path) -> Path:
    """A source archive of it, whose build backend says that it ran."""
    tree = folder / "invoke-3"
    tree.mkdir()
    (tree / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: invoke\nVersion: 3\n")
    (tree / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    )
    (tree / "evil.py").write_text(EVIL)
    with tarfile.open(folder / "invoke-3.tar.gz", "w:gz") as file:
        file.add(tree, tree.name)
    shutil.rmtree(tree)
    return folder / "invoke-3.tar.gz"


def requirement(archive: Path) -> str:
    return f"invoke==3 --hash=sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}\n"


def clone(folder: Path) -> Path:
    """A repository of ./run and little more, in a folder whose name has blanks in it; `index` has what pip finds."""
    root = folder / "a $(clone) of it"
    (root / "alchemy/host").mkdir(parents=True)
    shutil.copy(repository.ROOT / "run", root)
    (root / "cli").mkdir()
    shutil.copy(repository.ROOT / "cli/invoke", root / "cli")
    (root / "cli/__main__.py").write_text(COMMANDS, encoding="ascii")
    (root / "cli/__init__.py").touch()
    (root / "alchemy/__init__.py").touch()
    (root / "alchemy/host/__init__.py").touch()
    (root / "alchemy/host/depends.py").write_text(DEPENDS, encoding="ascii")
    (folder / "index").mkdir()
    line = requirement(wheel(folder / "index"))  # made once: an archive has the time of its making
    for name in ("requirements.txt", "requirements-rack.txt", "requirements-dev.txt"):
        (root / name).write_text(line, encoding="ascii")
    return root


def starter(folder: Path, root: Path) -> Run:
    """What starts the ./run of `root` by its path. The modules that it must not import leave a `proof` in `folder`."""
    evil = folder / "evil"
    for name in MODULES:
        (evil / name).parent.mkdir(parents=True, exist_ok=True)
        (evil / f"{name}.py").write_text(EVIL, encoding="ascii")

    def start(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "index"), "PIP_CONFIG_FILE": os.devnull}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        return subprocess.run(
            [root / "run", *arguments], cwd=evil, capture_output=True, text=True, check=False,
            env={**inherited, **pip, "PROOF": str(folder / "proof"), **environ},
        )  # fmt: skip

    return start
