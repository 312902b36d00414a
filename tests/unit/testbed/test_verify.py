from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alchemy.commands import build
from alchemy.context import Context
from alchemy.errors import VerificationError
from alchemy.host import folders
from alchemy.stage import Pins
from alchemy.stages import plan
from alchemy.stages.plan import Plan
from alchemy.testbed import verify
from tests.unit.fakes import fake_stage


@contextmanager
def planned(context: Context, monkeypatch: pytest.MonkeyPatch, contents: Iterator[str]) -> Iterator[None]:
    """A build of a kernel, whose content is another one each time, and of a ramfs, which is cheap."""

    def write(folder: Path) -> None:
        (folder / "made").write_text(next(contents), encoding="utf-8")

    def create(context: Context, _: Pins) -> Plan:
        tools = fake_stage(context.work / "tools", "tools")
        source = fake_stage(context.cache / "kernel", "linux", external=True)
        kernel = fake_stage(context.cache / "stages", "kernel", source, tools, build=write)
        ramfs = fake_stage(context.cache / "stages", "ramfs", kernel, cheap=True)
        image = fake_stage(context.cache / "stages", "bundle", ramfs, cheap=True)
        return Plan({stage.name: stage for stage in (tools, source, kernel, ramfs, image)})

    folders.prepare(context)
    monkeypatch.setattr(plan, "create", create)
    monkeypatch.setattr(build, "build", lambda context, name: plan.realize(context, [create(context, {})[name]]))
    yield


@pytest.mark.parametrize("everything", [False, True])
def test_the_same_bytes_verify(context: Context, monkeypatch: pytest.MonkeyPatch, everything: bool) -> None:
    with planned(context, monkeypatch, iter(["gold", "gold"])):
        names = verify.verify(context, everything=everything)
    assert names == (["kernel", "ramfs", "bundle"] if everything else ["ramfs", "bundle"])
    assert not (context.work / "verify").exists()


def test_other_bytes_are_reported_with_their_offset(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        planned(context, monkeypatch, iter(["gold", "golf"])),
        pytest.raises(VerificationError, match=r"kernel: made: differs from byte 3 on \(4 and 4 bytes\)"),
    ):
        verify.verify(context, everything=True)


def test_each_difference_is_listed(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, text in ((one, "gold"), (other, "golden")):
        (folder / "sub").mkdir(parents=True)
        for name in ("same", "stage.json"):
            (folder / name).write_text("same" if name == "same" else text, encoding="utf-8")
        (folder / "sub" / "longer").write_text(text, encoding="utf-8")
        (folder / "mode").touch()
        (folder / "link").symlink_to(text)
        (folder / f"only-{folder.name}").touch()
    (one / "mode").chmod(0o644)
    (other / "mode").chmod(0o600)
    assert [line.split(" ", 2)[:2] for line in verify.differences(one, other)] == [
        ["link:", "a"],
        ["mode:", "mode"],
        ["only-one:", "only"],
        ["only-other:", "only"],
        ["sub/longer:", "differs"],
    ]
