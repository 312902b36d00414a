from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from alchemy.host import files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, a script, a link, and a folder in it."""
    made = tmp_path / "folder"
    (made / "sub").mkdir(parents=True)
    (made / "file").write_text("content", encoding="utf-8")
    (made / "script").write_text("#!/bin/sh\n", encoding="utf-8")
    (made / "script").chmod(0o755)
    (made / "link").symlink_to("file")
    (made / "sub" / "other").write_text("other", encoding="utf-8")
    return made


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def test_the_sha256_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\0\xff")
    assert files.sha256(tmp_path / "file") == hashlib.sha256(b"\0\xff").hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: (f / "file").write_text("contenT"), id="content"),
        pytest.param(lambda f: (f / "file").rename(f / "renamed"), id="name"),
        pytest.param(lambda f: (f / "file").rename(f / "sub" / "file"), id="place"),
        pytest.param(lambda f: (f / "file").chmod(0o755), id="executable"),
        pytest.param(lambda f: (f / "script").chmod(0o644), id="not executable"),
        pytest.param(lambda f: relink(f / "link", "script"), id="link target"),
        pytest.param(lambda f: (f / "new").touch(), id="new file"),
        pytest.param(lambda f: (f / "script").unlink(), id="file gone"),
        pytest.param(lambda f: (f / "sub" / "other").write_text(""), id="content below"),
    ],
)
def test_a_digest_changes_with(folder: Path, change: Callable[[Path], object]) -> None:
    before = files.digest(folder)
    change(folder)
    assert files.digest(folder) != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: os.utime(f / "file", (1, 1)), id="time"),
        pytest.param(lambda f: (f / "file").chmod(0o600), id="other mode bits"),
        pytest.param(lambda f: (f / "empty").mkdir(), id="empty folder, which git does not keep"),
        pytest.param(lambda f: f.rename(f.with_name("elsewhere")).rename(f), id="being moved"),
    ],
)
def test_a_digest_stays_with(folder: Path, change: Callable[[Path], object]) -> None:
    before = files.digest(folder)
    change(folder)
    assert files.digest(folder) == before


def test_a_digest_of_several_paths_knows_their_order_and_their_borders(tmp_path: Path) -> None:
    one, two, none = tmp_path / "one", tmp_path / "two", tmp_path / "none"
    one.write_text("1", encoding="utf-8")
    two.write_text("2", encoding="utf-8")
    digests = [files.digest(*paths) for paths in ((one, two), (two, one), (one,), (one, none), (none, one), ())]
    assert len(set(digests)) == len(digests)


def test_a_digest_knows_its_files(tmp_path: Path) -> None:
    folder, file = tmp_path / "etc", tmp_path / "setup.sh"
    (folder / "init.d").mkdir(parents=True)
    for path in (file, folder / "motd", folder / "init.d" / "sshd"):
        path.touch()
    assert set(files.digest(folder).files) == {"motd", "init.d/sshd"}
    assert set(files.digest(file).files) == {"setup.sh"}
    assert set(files.digest(folder, file).files) == {"etc/motd", "etc/init.d/sshd", "setup.sh"}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_what_is_merged_has_the_permissions_that_git_keeps(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        source = tmp_path / "etc"
        (source / "init.d").mkdir(parents=True)
        (source / "motd").touch(mode=0o640)
        (source / "init.d" / "sshd").touch(mode=0o770)
        (source / "link").symlink_to("motd")
        (tmp_path / "image").mkdir()
        files.merge(source, tmp_path / "image" / "etc")
    finally:
        os.umask(before)
    modes = {path.name: oct(path.lstat().st_mode & 0o777) for path in (tmp_path / "image").rglob("[!l]*")}
    assert modes == {"etc": "0o755", "init.d": "0o755", "motd": "0o644", "sshd": "0o755"}
    assert (tmp_path / "image" / "etc" / "link").readlink() == Path("motd")


def test_what_is_merged_takes_the_place_of_a_link_and_leaves_what_it_leads_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_text("the host's", encoding="utf-8")
    image = tmp_path / "etc"
    image.mkdir()
    (image / "kept").touch()
    for name in ("folder", "file"):
        (image / name).symlink_to(outside / name)
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    for name in ("file", "folder/inner"):
        (source / name).write_text("ours", encoding="utf-8")
    files.merge(source, image)
    assert (outside / "file").read_text(encoding="utf-8") == "the host's"
    assert list((outside / "folder").iterdir()) == []
    assert (image / "file").read_text(encoding="utf-8") == "ours"
    assert {path.name for path in image.iterdir()} == {"file", "folder", "kept"}


def test_a_name_that_is_no_utf8_has_a_digest(folder: Path) -> None:
    before = files.digest(folder)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    assert files.digest(folder) != before


def test_what_is_complete_is_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "store" / "output"
    with files.complete(target) as folder:
        (folder / "file").touch()
        assert not target.exists()
    assert [path.relative_to(tmp_path / "store") for path in target.parent.rglob("*")] == [
        Path("output"),
        Path("output/file"),
    ]


@pytest.mark.parametrize("many", [0, 100], ids=["all at once", "file by file"])
def test_the_data_is_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(files, "_MANY_FILES", many)
    monkeypatch.setattr(os, "sync", lambda: seen.append((tmp_path / "output").exists()))
    monkeypatch.setattr(os, "fsync", lambda _: seen.append((tmp_path / "output").exists()))
    with files.complete(tmp_path / "output") as folder:
        (folder / "file").touch()
        (folder / "link").symlink_to("missing")
    assert set(seen) == {False}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_raises_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fill() -> None:
        with files.complete(tmp_path / "output") as folder:
            (folder / "file").touch()
            raise error

    with pytest.raises(error):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_behind_is_replaced(tmp_path: Path) -> None:
    with files.complete(tmp_path / "output") as folder:
        left_behind = folder
    left_behind.mkdir()
    (left_behind / "half").touch()
    (tmp_path / "output").rmdir()
    with files.complete(tmp_path / "output") as folder:
        (folder / "whole").touch()
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["whole"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with path.open(encoding="utf-8") as reader:
        files.write(path, "new €\n")
        assert reader.read() == "old"
    assert path.read_text(encoding="utf-8") == "new €\n"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_written_in_one_form(tmp_path: Path) -> None:
    files.write_json(tmp_path / "one", {"b": 1, "a": [2]})
    files.write_json(tmp_path / "two", {"a": [2], "b": 1})
    assert (tmp_path / "one").read_text(encoding="utf-8") == '{\n  "a": [\n    2\n  ],\n  "b": 1\n}\n'
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("name", ["file", "sub", "link", "missing"])
def test_what_is_removed_is_gone_and_nothing_else(folder: Path, name: str) -> None:
    before = {path.name for path in folder.iterdir()}
    files.remove(folder / name)
    assert {path.name for path in folder.iterdir()} == before - {name}


def test_removing_a_link_to_a_folder_keeps_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    files.remove(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert (folder / "file").exists()


class _NoExchange:
    """A C library on a file system that cannot exchange."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1


@pytest.mark.parametrize("supported", [True, False])
def test_two_folders_are_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, supported: bool) -> None:
    if not supported:
        monkeypatch.setattr(ctypes, "CDLL", _NoExchange)
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"was-{name}").touch()
    files.exchange(tmp_path / "new", tmp_path / "old")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*/*")) == ["new/was-old", "old/was-new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_exchanging_with_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(FileNotFoundError):
        files.exchange(tmp_path / "new", tmp_path / "old")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("# all comment\n\n   \n", []),
        ("a\nb\n", ["a", "b"]),
        ("  a b  # why\n#c\n\td#e", ["a b", "d"]),
        ("a\r\nb\r\n", ["a", "b"]),
    ],
)
def test_the_lines_of_a_list_are_without_comments_and_blanks(tmp_path: Path, text: str, lines: list[str]) -> None:
    (tmp_path / "list").write_bytes(text.encode())
    assert files.lines(tmp_path / "list") == lines


def test_a_template_is_filled_in_and_keeps_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("<{{ name }}>", encoding="utf-8")
    (tmp_path / "whole").write_text("{% include 'part' %} & co\n", encoding="utf-8")
    assert files.render(tmp_path / "whole", name="gold") == "<gold> & co\n"


def test_a_name_that_a_template_is_not_given_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "template").write_text("{{ name }}", encoding="utf-8")
    with pytest.raises(jinja2.UndefinedError, match="name"):
        files.render(tmp_path / "template")
