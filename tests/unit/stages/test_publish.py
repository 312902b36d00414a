from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.host import files
from alchemy.stages import bundle, outputs
from tests.unit.bundles import FILES, built, contents
from tests.unit.fakes import snapshot


def test_what_is_published_is_all_of_the_image_and_nothing_else(context: Context) -> None:
    assert bundle.publish(context, built(context, FILES))
    assert contents(context.bin) == FILES


def test_publishing_the_same_again_changes_nothing(context: Context) -> None:
    stage = built(context, FILES)
    bundle.publish(context, stage)
    before = context.bin.stat().st_ino
    assert not bundle.publish(context, stage)
    assert context.bin.stat().st_ino == before


def test_publishing_the_same_bytes_of_another_build_changes_nothing(context: Context) -> None:
    bundle.publish(context, built(context, FILES))
    again = built(context, {**FILES})
    copied = dataclasses.replace(again, store=context.work / "other")
    copied.make()
    assert not bundle.publish(context, copied)


def test_a_new_image_replaces_the_old_one(context: Context) -> None:
    bundle.publish(context, built(context, FILES))
    new = {name: f"new {text}" for name, text in FILES.items()}
    assert bundle.publish(context, built(context, new))
    assert contents(context.bin) == new


def test_a_new_image_of_the_same_sizes_and_times_replaces_the_old_one(context: Context) -> None:
    # as in a cache that was restored without its times
    for letter in "ab":
        made = {"alchemy.img": letter * bundle.LARGE, outputs.SUMS: f"digest {letter}"}
        stage = built(context, made)
        for name in made:
            os.utime(stage.output / name, (context.epoch, context.epoch))
        assert bundle.publish(context, stage)
        assert contents(context.bin) == made
        assert not bundle.publish(context, stage)


def test_a_large_file_that_was_written_since_is_published_again(context: Context) -> None:
    stage = built(context, {"alchemy.img": "a" * bundle.LARGE})
    bundle.publish(context, stage)
    (context.bin / "alchemy.img").write_text("b" * bundle.LARGE, encoding="utf-8")
    assert bundle.publish(context, stage)
    assert contents(context.bin)["alchemy.img"][0] == "a"


@pytest.mark.parametrize("mounted", [False, True])
def test_what_else_is_in_bin_is_kept(context: Context, monkeypatch: pytest.MonkeyPatch, mounted: bool) -> None:
    (context.bin / "pxelinux.cfg").mkdir(parents=True)
    (context.bin / "pxelinux.cfg" / "default").write_text("LABEL old", encoding="utf-8")
    own = {"undionly.kpxe": "iPXE", "pxelinux.cfg/01-02-00-00-00-00-01": "LABEL node", "keys/alice": "ssh-ed25519"}
    (context.bin / "keys").mkdir()
    for name, text in own.items():
        (context.bin / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(Path, "is_mount", lambda _: mounted)
    bundle.publish(context, built(context, FILES))
    assert contents(context.bin) == {**FILES, **own}


def test_a_link_to_a_folder_elsewhere_is_replaced_and_not_written_through(context: Context, tmp_path: Path) -> None:
    elsewhere = tmp_path / "tftp"
    elsewhere.mkdir()
    context.bin.mkdir()
    (context.bin / "pxelinux.cfg").symlink_to(elsewhere)
    bundle.publish(context, built(context, FILES))
    assert contents(context.bin) == FILES
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("damage", ["missing", "other", "longer", "folder"])
def test_a_damaged_file_is_published_again(context: Context, name: str, damage: str) -> None:
    stage = built(context, FILES)
    bundle.publish(context, stage)
    (context.bin / name).unlink()
    if damage == "folder":
        (context.bin / name).mkdir()
    elif damage != "missing":
        (context.bin / name).write_text("x" * len(FILES[name]) if damage == "other" else "longer" * 9, encoding="utf-8")
    assert bundle.publish(context, stage)
    assert contents(context.bin) == FILES


def test_writing_into_a_published_file_does_not_reach_the_cache(context: Context) -> None:
    stage = built(context, FILES)
    bundle.publish(context, stage)
    with (context.bin / "alchemy.img").open("r+", encoding="utf-8") as file:
        file.write("KERNEL")
    assert contents(stage.output)["alchemy.img"] == "kernel"


def test_when_publishing_fails_the_last_good_set_stays(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.publish(context, built(context, FILES))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(OSError, match="No space"):
        bundle.publish(context, built(context, {**FILES, "alchemy.img": "new kernel"}))
    assert contents(context.bin) == FILES


@pytest.mark.parametrize("mounted", [False, True])
def test_a_failed_publishing_leaves_nothing_behind(
    context: Context, monkeypatch: pytest.MonkeyPatch, mounted: bool
) -> None:
    bundle.publish(context, built(context, FILES))
    before = snapshot(context.root)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "is_mount", lambda _: mounted)
    monkeypatch.setattr("shutil.copy2", full)
    new = built(context, {**FILES, "alchemy.img": "new kernel"})
    with pytest.raises(OSError, match="No space"):
        bundle.publish(context, new)
    files.remove(new.output)
    assert snapshot(context.root) == before


def test_the_files_of_a_mounted_bin_are_replaced_one_by_one_the_digests_last(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.publish(context, built(context, FILES))
    (context.bin / "undionly.kpxe").write_text("iPXE", encoding="utf-8")
    monkeypatch.setattr(Path, "is_mount", lambda _: True)
    order = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        order.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    new = {name: f"new {text}" for name, text in FILES.items()}
    assert bundle.publish(context, built(context, new))
    assert contents(context.bin) == {**new, "undionly.kpxe": "iPXE"}
    assert order[-1] == "SHA256SUMS"


def test_what_a_killed_run_left_behind_is_not_published(context: Context) -> None:
    left_behind = context.bin.with_name(f".{context.bin.name}.tmp")
    left_behind.mkdir()
    (left_behind / "half").touch()
    bundle.publish(context, built(context, FILES))
    assert contents(context.bin) == FILES
    assert not left_behind.exists()


def test_all_files_are_replaced_in_one_step(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.publish(context, built(context, FILES))
    new = {name: f"new {text}" for name, text in FILES.items()}
    seen = []
    exchange = files.exchange

    def watched(one: Path, other: Path) -> None:
        seen.append(contents(context.bin))
        exchange(one, other)
        seen.append(contents(context.bin))

    monkeypatch.setattr(files, "exchange", watched)
    bundle.publish(context, built(context, new))
    assert seen == [FILES, new]
