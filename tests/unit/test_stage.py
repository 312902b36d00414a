from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alchemy.host import files
from alchemy.stage import Stage
from tests.unit.fakes import fake_stage


def write(text: str) -> Callable[[Path], None]:
    """A build whose output is a file with `text`."""

    def build(folder: Path) -> None:
        (folder / "made").write_text(text, encoding="utf-8")

    return build


def test_a_stage_is_fresh_once_it_is_made(tmp_path: Path) -> None:
    stage = fake_stage(tmp_path, "kernel", inputs={"version": "1"})
    assert (stage.fresh, stage.why()) == (False, "not built yet")
    stage.make()
    assert (stage.fresh, stage.why()) == (True, "fresh")
    assert (stage.output / "made").read_text(encoding="utf-8") == "kernel"


def test_a_stage_is_made_once(tmp_path: Path) -> None:
    built: list[Path] = []
    stage = fake_stage(tmp_path, "kernel", build=built.append)
    stage.make()
    stage.make()
    assert len(built) == 1


def test_a_build_fills_a_folder_that_is_not_the_output_yet(tmp_path: Path) -> None:
    seen = []

    def build(folder: Path) -> None:
        seen.append((folder == stage.output, stage.fresh, list(folder.iterdir())))

    stage = fake_stage(tmp_path, "kernel", build=build)
    stage.make()
    assert seen == [(False, False, [])]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_build_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def build(folder: Path) -> None:
        (folder / "half").touch()
        raise error

    stage = fake_stage(tmp_path / "store", "kernel", build=build)
    with pytest.raises(error):
        stage.make()
    assert not stage.fresh
    assert list((tmp_path / "store").iterdir()) == []


def test_a_failed_build_keeps_the_outputs_of_before(tmp_path: Path) -> None:
    good = fake_stage(tmp_path, "kernel", inputs={"version": "1"})
    good.make()

    def build(folder: Path) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (it is ours)
        fake_stage(tmp_path, "kernel", inputs={"version": "2"}, build=build).make()
    assert good.fresh


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "1"}, {"a": "2"}),
        ({"a": "1"}, {"b": "1"}),
        ({"a": "1"}, {"a": "1", "b": ""}),
        ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}),
        ({"a": "1,b=2"}, {"a": "1", "b": "2"}),
    ],
)
def test_the_key_changes_with_the_inputs(tmp_path: Path, one: dict[str, str], other: dict[str, str]) -> None:
    assert fake_stage(tmp_path, "kernel", inputs=one).key != fake_stage(tmp_path, "kernel", inputs=other).key


def test_the_key_does_not_depend_on_the_order_of_the_inputs_or_on_where_the_store_is(tmp_path: Path) -> None:
    one = fake_stage(tmp_path / "one", "kernel", inputs={"a": "1", "b": "2"})
    other = fake_stage(tmp_path / "other", "kernel", inputs={"b": "2", "a": "1"})
    assert one.key == other.key


def test_the_key_changes_with_that_of_a_need(tmp_path: Path) -> None:
    keys = {
        fake_stage(tmp_path, "image", fake_stage(tmp_path, "kernel", inputs={"version": version})).key
        for version in ("1", "2")
    }
    assert len(keys) == 2


def test_the_key_changes_through_a_chain_of_needs(tmp_path: Path) -> None:
    def key(version: str) -> str | None:
        kernel = fake_stage(tmp_path, "kernel", inputs={"version": version})
        return fake_stage(tmp_path, "bin", fake_stage(tmp_path, "image", kernel)).key

    assert key("1") != key("2")


def test_the_key_does_not_change_with_what_a_need_holds(tmp_path: Path) -> None:
    kernel = fake_stage(tmp_path, "kernel")
    image = fake_stage(tmp_path, "image", kernel)
    before = image.key
    kernel.make()
    (kernel.output / "made").write_text("other", encoding="utf-8")
    assert image.key == before


def test_what_needs_an_external_stage_has_no_key_until_that_is_built(tmp_path: Path) -> None:
    source = fake_stage(tmp_path, "linux", external=True)
    kernel = fake_stage(tmp_path, "kernel", source)
    image = fake_stage(tmp_path, "image", kernel)
    assert source.key is not None
    assert (kernel.key, image.key, kernel.fresh, kernel.identity) == (None, None, False, None)
    with pytest.raises(RuntimeError, match="kernel"):
        _ = kernel.output
    source.make()
    assert None not in (kernel.key, image.key)


def test_an_external_stage_is_known_by_what_it_yields_not_by_what_was_asked_for(tmp_path: Path) -> None:
    def key(request: str, content: str) -> str | None:
        source = fake_stage(tmp_path, "linux", inputs={"url": request}, build=write(content), external=True)
        source.make()
        return fake_stage(tmp_path, "kernel", source).key

    assert key("mirror one", "content") == key("mirror two", "content")
    assert key("mirror three", "other content") != key("mirror one", "content")


def test_why_names_the_stages_to_wait_for(tmp_path: Path) -> None:
    needs = [fake_stage(tmp_path, name, external=True) for name in ("stage3", "linux")]
    stage = fake_stage(tmp_path, "kernel", *needs)
    assert stage.why() == "after stage3, linux"
    needs[0].make()
    assert stage.why() == "after linux"


def stages(store: Path, version: str, config: str, need: str) -> Stage:
    return fake_stage(
        store, "kernel", fake_stage(store, "tools", inputs={"x": need}), inputs={"version": version, "config": config}
    )


@pytest.mark.parametrize(
    ("version", "config", "need", "why"),
    [
        ("1", "c", "n", "fresh"),
        ("2", "c", "n", "changed: version"),
        ("2", "d", "n", "changed: config, version"),
        ("1", "c", "m", "changed: tools"),
    ],
)
def test_why_names_what_has_changed(tmp_path: Path, version: str, config: str, need: str, why: str) -> None:
    stages(tmp_path, "1", "c", "n").make()
    assert stages(tmp_path, version, config, need).why() == why


def test_why_names_inputs_that_came_and_went(tmp_path: Path) -> None:
    fake_stage(tmp_path, "kernel", inputs={"old": "1"}).make()
    assert fake_stage(tmp_path, "kernel", inputs={"new": "1"}).why() == "changed: new, old"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"motd": "new"}, "changed: etc (motd)"),
        ({"init.d/sshd": "new"}, "changed: etc (init.d/sshd)"),
        ({"issue": "another"}, "changed: etc (issue)"),
        (dict.fromkeys("dcbae", "new"), "changed: etc (a, b, c, 2 more)"),
    ],
)
def test_why_names_the_files_that_have_changed(tmp_path: Path, written: dict[str, str], why: str) -> None:
    def stage() -> Stage:
        return fake_stage(tmp_path / "store", "identity", inputs={"etc": files.digest(tmp_path / "etc")})

    (tmp_path / "etc/init.d").mkdir(parents=True)
    for name in ("motd", "init.d/sshd", "kept"):
        (tmp_path / "etc" / name).write_text("old", encoding="utf-8")
    stage().make()
    for name, text in written.items():
        (tmp_path / "etc" / name).write_text(text, encoding="utf-8")
    assert stage().why() == why


def test_why_names_no_file_where_an_older_record_has_none(tmp_path: Path) -> None:
    fake_stage(tmp_path, "identity", inputs={"script": "1"}).make()
    (tmp_path / "file").touch()
    assert fake_stage(tmp_path, "identity", inputs={"script": files.digest(tmp_path / "file")}).why() == (
        "changed: script"
    )


def test_why_compares_with_the_last_output(tmp_path: Path) -> None:
    older, newer = (fake_stage(tmp_path, "kernel", inputs={"a": text, "b": text}) for text in ("1", "2"))
    newer.make()
    older.make()
    os.utime(older.output / "stage.json", (1, 1))
    assert fake_stage(tmp_path, "kernel", inputs={"a": "3", "b": "2"}).why() == "changed: a"


def test_the_record_has_the_inputs_and_the_seconds(tmp_path: Path) -> None:
    stage = fake_stage(tmp_path, "kernel", inputs={"version": "1"})
    stage.make()
    record = json.loads((stage.output / "stage.json").read_text(encoding="utf-8"))
    assert record["inputs"] == {"version": "1"}
    assert stage.seconds == record["seconds"] >= 0


def test_a_stage_of_the_same_key_is_found_by_the_next_run(tmp_path: Path) -> None:
    stage = fake_stage(tmp_path, "kernel", inputs={"version": "1"})
    stage.make()
    assert replace(stage, inputs={"version": "1"}).fresh


def made_of(store: Path, version: str, content: str) -> Stage:
    """A stage that is keyed by its version, and known by its content."""
    stage = fake_stage(store, "system", inputs={"version": version}, build=write(content))
    return replace(stage, content=lambda folder: (folder / "made").read_text(encoding="utf-8"))


def test_what_needs_a_rebuilt_stage_with_the_same_content_stays_fresh(tmp_path: Path) -> None:
    old = made_of(tmp_path, "1", "gold")
    old.make()
    packed = fake_stage(tmp_path, "squashfs", old)
    packed.make()
    new = made_of(tmp_path, "2", "gold")
    again = fake_stage(tmp_path, "squashfs", new)
    assert (again.fresh, again.why()) == (False, "after system")
    new.make()
    assert new.output != old.output
    assert again.fresh


def test_what_needs_a_rebuilt_stage_with_another_content_is_built_again(tmp_path: Path) -> None:
    old, new = made_of(tmp_path, "1", "gold"), made_of(tmp_path, "2", "lead")
    for stage in (old, new):
        stage.make()
    assert fake_stage(tmp_path, "squashfs", old).key != fake_stage(tmp_path, "squashfs", new).key


def test_a_build_gets_the_outputs_of_its_needs_and_nothing_else(tmp_path: Path) -> None:
    given: dict[str, Path] = {}
    tools, fresh, stale = (fake_stage(tmp_path, name) for name in ("tools", "fresh", "stale"))
    for stage in (tools, fresh):
        stage.make()
    stage = replace(
        fake_stage(tmp_path, "kernel", inputs={"version": "1"}),
        needs={"chroot": tools},
        optional={"fresh": fresh, "stale": stale},
        build=lambda _, inputs: given.update(inputs),
    )
    stage.make()
    assert given == {"chroot": tools.output, "fresh": fresh.output}


def test_an_optional_stage_is_in_no_key(tmp_path: Path) -> None:
    stage = fake_stage(tmp_path, "system")
    assert replace(stage, optional={"tools": fake_stage(tmp_path, "tools")}).key == stage.key


@pytest.mark.parametrize(
    ("inputs", "extended"),
    [
        ({"packages.core": "1", "etc": "1"}, True),
        ({"packages.core": "2", "packages.more": "1", "etc": "1"}, True),
        ({"packages.core": "1", "etc": "2"}, False),
    ],
)
def test_a_stage_that_extends_gets_an_output_that_differs_in_nothing_else(
    tmp_path: Path, inputs: dict[str, str], extended: bool
) -> None:
    earlier = fake_stage(tmp_path, "system", inputs=inputs)
    earlier.make()
    given: dict[str, Path] = {}
    stage = fake_stage(tmp_path, "system", inputs={"packages.core": "3", "etc": "1"})
    replace(stage, extends="packages.", build=lambda _, handed: given.update(handed)).make()
    assert given == ({"earlier": earlier.output} if extended else {})


def test_the_code_is_part_of_the_key_and_why_names_the_module(tmp_path: Path) -> None:
    def stage(text: str) -> Stage:
        code = files.Digest(text * 64)
        code.files = {"alchemy.parts.layer": text, "alchemy.run": "same"}
        return replace(fake_stage(tmp_path, "identity"), code=code)

    stage("1").make()
    assert stage("1").fresh
    assert stage("2").why() == "changed: code (alchemy.parts.layer)"


def test_a_record_of_an_older_version_is_read(tmp_path: Path) -> None:
    stage = fake_stage(tmp_path, "kernel", inputs={"version": "1", "script": "2"})
    stage.make()
    old = {"inputs": {"version": "1", "tools": "key"}, "files": {}, "seconds": 1.5}
    (stage.output / "stage.json").write_text(json.dumps(old), encoding="utf-8")
    assert stage.seconds == 1.5
    assert fake_stage(tmp_path, "kernel", inputs={"version": "1"}).why() == "changed: tools"
