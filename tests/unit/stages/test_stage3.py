from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.fetch import debian
from alchemy.stages import stage3
from tests.unit.fakes import FakeRunner

NAMES = ["a blank", "$(touch evaluated)", "`touch evaluated`", "it's; touch evaluated #", '"quoted" \\ $HOME']


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_no_shell_code_to_mmdebstrap(
    context: Context, runner: FakeRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The hook is run as mmdebstrap runs it: by `sh -c HOOK exec ROOT` (mmdebstrap(1), --customize-hook)."""
    root = context.root.rename(tmp_path / name)
    (root / "chroot" / "stage3-debian.sh").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="ascii")
    (root / "chroot" / "stage3-debian.sh").chmod(0o755)
    here = dataclasses.replace(context, root=root, work=root / "work", cache=root / "cache")
    monkeypatch.setattr(debian, "python_source", lambda *_: here.work / "mmdebstrap" / "portage-1.tar.gz")
    monkeypatch.setattr(debian, "debian_sources", lambda *_: [])
    stage = stage3.stage(here, {}, {})
    assert stage is not None
    stage.build(tmp_path, {})
    argument = "--customize-hook="
    hook = next(word.removeprefix(argument) for call in runner.calls for word in call.argv if word.startswith(argument))
    done = subprocess.run(
        ["sh", "-c", hook, "exec", "/the root"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"/the root\n{here.work}/mmdebstrap/portage-1.tar.gz\n", "")
    assert not (tmp_path / "evaluated").exists()
