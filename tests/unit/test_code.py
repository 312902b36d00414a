"""The keys of stages see the code that makes their outputs."""

from __future__ import annotations

import ast
import dataclasses
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.host import code
from alchemy.portage import preflight
from alchemy.stage import Inputs, Stage
from alchemy.stages import outputs
from tests.unit.fakes import FakeRunner, planned, put

MODULES = sorted(path.relative_to(code.PACKAGE) for path in code.PACKAGE.rglob("*.py"))


def of_stages(context: Context, package: Path) -> Mapping[str, str]:
    """The digest of the code of each stage, with our modules in the folder `package`."""
    context = dataclasses.replace(context, config=Config(embed_ramfs=True))
    found = {}
    for name, stage in planned(context).stages.items():
        folders = ("alchemy.stages", "alchemy.fetch") if stage.external else ("alchemy",)
        found[name] = code.digest(stage.build.__module__, folders, package)
        if package == code.PACKAGE:
            assert found[name] == stage.code
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of our modules, to edit."""
    return Path(shutil.copytree(code.PACKAGE, tmp_path / "alchemy", ignore=shutil.ignore_patterns("__pycache__")))


def test_the_same_code_elsewhere_has_the_same_digest(context: Context, copy: Path) -> None:
    found = of_stages(context, copy)
    assert found == of_stages(context, code.PACKAGE)
    assert all(len(digest) == 64 for digest in found.values())


def test_comments_docstrings_and_blank_lines_change_no_key(context: Context, copy: Path) -> None:
    before = of_stages(context, copy)
    for module in MODULES:
        path = copy / module
        text = path.read_text(encoding="utf-8")
        documented = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        ]
        lines = text.splitlines()
        for node in documented:
            string = node.body[0]
            at = string.lineno - 1
            lines[at] = lines[at].replace('"""', '"""Changed. ', 1)
        path.write_text("# a comment\n\n" + "\n".join(lines) + "\n\n# another\n", encoding="utf-8")
    assert copy.joinpath("stage.py").read_text(encoding="utf-8") != (code.PACKAGE / "stage.py").read_text()
    assert of_stages(context, copy) == before


ALL = {
    "stage3", "tools", "linux", "system", "kernel", "system-squashfs", "identity-squashfs", "ramfs", "embedded",
    "bundle",
}  # fmt: skip


# the stages whose code changes with a line of a module
MAKES = {
    "stages/ramfs.py": {"ramfs"},
    "stages/bundle.py": {"bundle"},
    "parts/sbom.py": {"bundle"},
    "parts/firmware.py": {"ramfs"},
    "parts/squashfs.py": {"system-squashfs", "identity-squashfs"},
    "config/passwords.py": {"identity-squashfs"},
    "portage/preflight.py": {"system"},
    "stages/kernel.py": {"kernel", "embedded"},
    "stages/linux.py": {"linux"},
    "host/tarball.py": {"tools", "system", "kernel", "embedded"},
    "host/files.py": ALL - {"stage3", "linux"},
    "host/confine.py": ALL - {"stage3", "linux"},
    "run.py": ALL - {"stage3", "linux"},
    "ui/views.py": set(),
    "config/model.py": set(),
    "stages/plan.py": set(),
    "commands/build.py": set(),
}


def test_a_changed_line_changes_the_code_of_the_stages_that_it_makes(context: Context, copy: Path) -> None:
    before = of_stages(context, copy)
    changed = {}
    for module in MAKES:
        text = (copy / module).read_text(encoding="utf-8")
        (copy / module).write_text(f"{text}\n_ADDED = 1\n", encoding="utf-8")
        after = of_stages(context, copy)
        changed[module] = {name for name in after if after[name] != before[name]}
        (copy / module).write_text(text, encoding="utf-8")
    assert changed == MAKES


def test_a_module_that_is_imported_late_counts(tmp_path: Path) -> None:
    for name, text in {
        "__init__.py": "",
        "run.py": "",
        "one.py": "def late():\n    from alchemy import two\n    import alchemy.three\n",
        "two.py": "from alchemy.four import VALUE\n",
        "three.py": "",
        "four.py": "VALUE = 1\n",
    }.items():
        (tmp_path / "alchemy").mkdir(exist_ok=True)
        (tmp_path / "alchemy" / name).write_text(text, encoding="utf-8")
    found = code.digest("alchemy.one", package=tmp_path / "alchemy").files
    assert found.keys() == {f"alchemy.{name}" for name in ("run", "one", "two", "three", "four")}


class Watched:
    """Builds stages, and notes which modules of ours run meanwhile."""

    def __init__(self) -> None:
        self.ran: dict[str, set[str]] = {}

    def make(self, stage: Stage) -> None:
        ran = self.ran.setdefault(stage.name, set())

        def note(frame: FrameType, event: str, _: Any) -> None:
            path = Path(frame.f_code.co_filename)
            if event == "call" and path.is_relative_to(code.PACKAGE):
                ran.add(".".join([code.NAME, *path.relative_to(code.PACKAGE).with_suffix("").parts]))

        def build(output: Path, inputs: Inputs) -> None:
            sys.setprofile(note)
            try:
                stage.build(output, inputs)
                if stage.content is not None:
                    stage.content(output)
            finally:
                sys.setprofile(None)

        dataclasses.replace(stage, build=build).make()


def play(argv: list[str]) -> None:
    """Leaves behind what the programs of a build would."""

    def outside(inside: str) -> Path:
        return Path(argv[argv.index(inside) - 1])

    def write(path: Path, content: bytes = b"") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    if "--extract" in argv and "/etc" not in argv:
        root = Path(argv[argv.index("--directory") + 1])
        (root / "etc/portage").mkdir(parents=True)
        (root / "etc/portage/make.profile").symlink_to("../../var/db/repos/embedded/profiles/default")
    elif "--root=/image" in argv:
        write(outside("/image") / "usr/bin/busybox")
        (outside("/image") / "var/db/pkg").mkdir(parents=True, exist_ok=True)
    elif argv[-1] == "allnoconfig":
        tree = outside("/mnt/linux")
        shutil.copy(tree / ".config.requested", tree / ".config")
    elif outputs.KERNEL in argv:
        for name in ("arch/x86/boot/bzImage", outputs.MODINFO, "scripts/package/install-extmod-build"):
            write(outside("/mnt/linux") / name, bytes(0x400))
        write(outside("/mnt/linux") / "include/config/kernel.release", b"6.12.1\n")
    elif "modules_install" in argv:
        write(outside("/mnt/modules") / "lib/modules/6.12.1/modules.order")
    elif "--archive" in argv:
        (Path(argv[-1]) / "etc").mkdir(parents=True)
    elif "/mnt/out" in argv:
        write(outside("/mnt/out") / "ramfs")


@pytest.fixture
def watched(context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Stage, set[str]]]:
    """All stages that are not fetched, each with the modules that ran while it was built."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(preflight, "check", lambda *_, **__: preflight.Needs())
    runner.answers["bwrap"] = json.dumps({})
    runner.on_run = play
    watch = Watched()
    stages = planned(dataclasses.replace(context, config=Config(embed_ramfs=True, kernel_modules=True, jobs=1))).stages
    for name, stage in stages.items():
        if stage.external:
            put(stage, lambda folder, file=f"{name}.tar.xz": (folder / file).touch())  # type: ignore[misc]
        else:
            watch.make(stage)
    return {name: (stages[name], ran) for name, ran in watch.ran.items()}


def missing(stage: Stage, ran: set[str]) -> set[str]:
    """The modules that ran, and neither count for the key nor are in the list of those that don't."""
    keyed = code.digest(stage.build.__module__).files
    base = tuple(f"{name}." for name in code.BASE)
    return {name for name in ran if name not in keyed and not f"{name}.".startswith(base)}


def test_every_module_that_runs_while_a_stage_is_built_is_in_its_key(
    watched: dict[str, tuple[Stage, set[str]]],
) -> None:
    assert watched.keys() == (ALL - {"stage3", "linux"}) | {"modules-squashfs"}
    for stage, ran in watched.values():
        assert stage.build.__module__ in ran
        assert stage.code == code.digest(stage.build.__module__)
        assert missing(stage, ran) == set()


TAKEN_OUT = {
    "tools": "alchemy.host.tarball",
    "system": "alchemy.portage.binpkgs",
    "kernel": "alchemy.portage.trust",
    "system-squashfs": "alchemy.parts.package_sizes",
    "modules-squashfs": "alchemy.parts.modules",
    "identity-squashfs": "alchemy.parts.layer",
    "ramfs": "alchemy.parts.firmware",
    "embedded": "alchemy.stages.kernel",
    "bundle": "alchemy.parts.memory",
}


def test_a_module_that_is_taken_out_of_a_key_is_missed(
    watched: dict[str, tuple[Stage, set[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = code._path
    for name, module in TAKEN_OUT.items():
        with monkeypatch.context() as patched:
            patched.setattr(
                code, "_path", lambda named, package, out=module: None if named == out else path(named, package)
            )
            assert module in missing(*watched[name])
