"""./run: what it runs before Alchemy begins, and from where. It is started for real, in a small repository."""

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

import pytest

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


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of ./run and little more, in a folder whose name has blanks in it; `index` has what pip finds."""
    root = tmp_path / "a $(clone) of it"
    (root / "alchemy/host").mkdir(parents=True)
    shutil.copy(repository.ROOT / "run", root)
    (root / "cli").mkdir()
    shutil.copy(repository.ROOT / "cli/invoke", root / "cli")
    (root / "cli/__main__.py").write_text(COMMANDS, encoding="ascii")
    (root / "cli/__init__.py").touch()
    (root / "alchemy/__init__.py").touch()
    (root / "alchemy/host/__init__.py").touch()
    (root / "alchemy/host/depends.py").write_text(DEPENDS, encoding="ascii")
    (tmp_path / "index").mkdir()
    for name in ("requirements.txt", "requirements-rack.txt", "requirements-dev.txt"):
        (root / name).write_text(requirement(wheel(tmp_path / "index")), encoding="ascii")
    return root


@pytest.fixture
def run(clone: Path, tmp_path: Path, real_processes: None) -> Run:
    """Starts ./run by its path, from a folder of somebody's with modules in it."""
    evil = tmp_path / "evil"
    for name in MODULES:
        (evil / name).parent.mkdir(parents=True, exist_ok=True)
        (evil / f"{name}.py").write_text(EVIL, encoding="ascii")

    def start(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index"), "PIP_CONFIG_FILE": os.devnull}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        return subprocess.run(
            [clone / "run", *arguments], cwd=evil, capture_output=True, text=True, check=False,
            env={**inherited, **pip, "PROOF": str(tmp_path / "proof"), **environ},
        )  # fmt: skip

    return start


def test_no_module_of_the_caller_is_imported_and_invoke_runs_the_same_commands(
    run: Run, clone: Path, tmp_path: Path
) -> None:
    done = run("config.check", **{name: str(tmp_path / "evil") for name in ("PYTHONPATH", "PYTHONSTARTUP")})
    assert not (tmp_path / "proof").exists()
    assert (done.returncode, done.stdout) == (0, f"commands config.check {clone} []\n"), done.stderr
    assert done.stderr.endswith("depends config.check\n")

    # a real virtualenv takes seconds to make: this one shows that its invoke runs the same commands, too
    for name in ("invoke", "inv"):
        done = subprocess.run(
            [clone / ".venv/bin" / name, "config.check"],
            cwd=clone,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"commands config.check {clone} []\n"), done.stderr


PYTHON = """\
#!/bin/sh
case "$*" in
*'-m venv'*) for last; do :; done; rm -rf "$last"; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
*'-m pip'*) for last; do :; done; echo "pip installs $last" ;;
*sysconfig*) mktemp -d ;;
esac
"""


@pytest.fixture
def fake(run: Run, tmp_path: Path) -> Run:
    """./run with a Python that makes virtualenvs at once."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(PYTHON, encoding="ascii")
    (tmp_path / "bin" / "python3").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return lambda *arguments: run(*arguments, PATH=path, TMPDIR=str(tmp_path))


def installed(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [line.removeprefix("pip installs ") for line in done.stderr.splitlines() if line.startswith("pip")]


def test_the_virtualenv_is_rebuilt_only_when_a_pin_changes(fake: Run, clone: Path) -> None:
    assert installed(fake("help")) == ["requirements.txt"]
    (clone / ".venv" / "old").touch()
    assert installed(fake("build.all")) == []
    with (clone / "requirements.txt").open("a", encoding="ascii") as file:
        file.write("# another pin\n")
    assert installed(fake("help")) == ["requirements.txt"]
    assert not (clone / ".venv" / "old").exists()


def test_development_tools_are_installed_only_for_tests(fake: Run) -> None:
    assert installed(fake("build.all", "--version=1")) == ["requirements.txt"]
    assert installed(fake("test.unit")) == ["requirements-dev.txt"]
    assert installed(fake("test.boot")) == []
    assert installed(fake("build.info")) == []


def test_a_rack_needs_more_than_a_build_and_less_than_the_tests(fake: Run) -> None:
    assert installed(fake("build.info")) == ["requirements.txt"]
    assert installed(fake("boot.serve", "--proxy")) == ["requirements-rack.txt"]
    assert installed(fake("bench.rack")) == []
    assert installed(fake("build.info")) == []
    assert installed(fake("test.rack")) == ["requirements-dev.txt"]
    assert installed(fake("boot.serve")) == []


def test_a_package_with_a_wrong_digest_is_not_installed(run: Run, clone: Path) -> None:
    path = clone / "requirements.txt"
    path.write_text(f"invoke==3 --hash=sha256:{'0' * 64}\n", encoding="ascii")
    done = run("help")
    assert (done.returncode, done.stdout) == (2, "")
    assert "do not match the hashes" in done.stderr.lower()
    assert not (clone / ".venv" / "requirements.txt").exists()


def test_a_package_without_a_wheel_is_not_built(run: Run, clone: Path, tmp_path: Path) -> None:
    """Its build backend is code that no digest pins."""
    (tmp_path / "index" / "invoke-3-py3-none-any.whl").unlink()
    (clone / "requirements.txt").write_text(requirement(sdist(tmp_path / "index")), encoding="ascii")
    done = run("help")
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "proof").exists()
