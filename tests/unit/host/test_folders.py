"""The work directory and the cache: what is taken as ours, what is refused, and that the message says what to do."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy import context as contexts
from alchemy.commands import build, cache
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import folders, locking
from alchemy.host.folders import CACHE, WORK, Kind
from tests.unit.conftest import Invoke
from tests.unit.fakes import snapshot

KINDS = pytest.mark.parametrize("kind", [CACHE, WORK], ids=lambda kind: kind.key)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def folder(path: Path, mode: int, *names: str) -> Path:
    """A folder with some files in it."""
    path.mkdir()
    for name in names:
        (path / name).touch()
    path.chmod(mode)
    return path


@KINDS
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_folder_is_made_private_and_marked_whatever_the_umask(root: Path, kind: Kind, umask: int) -> None:
    before = os.umask(umask)
    try:
        folders.make(kind, root / "new", root)
    finally:
        os.umask(before)
    assert mode(root / "new") == 0o700
    assert [(path.name, path.read_text(encoding="ascii")) for path in (root / "new").iterdir()] == [
        (kind.mark, kind.content)
    ]


def test_the_cache_has_the_tag_of_the_standard(root: Path) -> None:
    """bford.info/cachedir: the file begins with these 43 bytes."""
    folders.make(CACHE, root / "cache", root)
    tag = (root / "cache" / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")


def test_missing_parents_are_made_as_mkdir_makes_them(root: Path) -> None:
    folders.make(CACHE, root / "a" / "b" / "cache", root)
    assert [mode(root / "a"), mode(root / "a/b"), mode(root / "a/b/cache")] == [0o755, 0o755, 0o700]


@KINDS
@pytest.mark.parametrize("names", [(), (".lock",), ("lost+found",), (".CACHEDIR.TAG.tmp", ".lock")])
@pytest.mark.parametrize("given", [0o700, 0o755, 0o775])
def test_an_empty_folder_of_ours_becomes_private(root: Path, kind: Kind, names: tuple[str, ...], given: int) -> None:
    path = folder(root / "given", given, *names)
    folders.make(kind, path, root)
    assert mode(path) == 0o700
    assert (path / kind.mark).is_file()


@KINDS
@pytest.mark.parametrize("given", [0o700, 0o750, 0o710, 0o2750])
def test_a_marked_folder_may_let_its_group_read(root: Path, kind: Kind, given: int) -> None:
    path = root / "given"
    folders.make(kind, path, root)
    path.chmod(given)
    folders.make(kind, path, root)
    assert mode(path) == given


@KINDS
def test_a_folder_from_before_marks_is_taken_and_marked(root: Path, kind: Kind) -> None:
    path = folder(root / "given", 0o700, ".lock", *kind.layout)
    folders.make(kind, path, root)
    assert (path / kind.mark).read_text(encoding="ascii") == kind.content


def other_mode(bits: int) -> Callable[[Kind, Path, Path], None]:
    def give(kind: Kind, path: Path, root: Path) -> None:
        folders.make(kind, path, root)
        path.chmod(bits)

    return give


def linked(kind: Kind, path: Path, root: Path) -> None:
    folders.make(kind, root / "real", root)
    path.symlink_to(root / "real")


def open_parent(kind: Kind, path: Path, root: Path) -> None:
    folders.make(kind, path, root)
    path.parent.chmod(0o777)


MODE = "mode {} lets {} (expected 0700)"
REFUSED: dict[str, tuple[Callable[[Kind, Path, Path], object], str, str]] = {
    "others may read it": (other_mode(0o755), MODE.format("0755", "others read"), "chmod 0700 {path}"),
    "others may enter it": (other_mode(0o701), MODE.format("0701", "others read"), "chmod 0700 {path}"),
    "others may write into it, though it is empty": (
        lambda kind, path, root: folder(path, 0o1777), MODE.format("1777", "others write"), "chmod 0700 {path}",
    ),
    "its group may write": (other_mode(0o770), MODE.format("0770", "its group write"), "chmod 0700 {path}"),
    "it was made before marks, and others may read it": (
        lambda kind, path, root: folder(path, 0o755, kind.layout[0]),
        MODE.format("0755", "others read"),
        "chmod 0700 {path}",
    ),
    "it holds something else": (
        lambda kind, path, root: folder(path, 0o700, "wedding.jpg", kind.layout[0]),
        "holds files that are not Alchemy's (expected an empty folder, or {mark} in it)",
        "set {key} to a folder of its own",
    ),
    "it has the mark of another program": (
        lambda kind, path, root: (folder(path, 0o700) / kind.mark).write_text("Signature: of others\n"),
        "holds files that are not Alchemy's (expected an empty folder, or {mark} in it)",
        "set {key} to a folder of its own",
    ),
    "it is a link": (linked, "a symbolic link (expected a folder)", "set {key} to {root}/real itself"),
    "it is a file": (lambda kind, path, root: path.write_text("x"), "not a folder", "see {key} of config.yml"),
    "its parent may be written to by others": (
        open_parent,
        "{parent}: mode 0777 lets others replace what is in it (expected no write permission for others, or the sticky "
        "bit)",
        "chmod o-w {parent}",
    ),
}  # fmt: skip


@KINDS
@pytest.mark.parametrize(("give", "message", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_a_folder_is_refused_when(
    root: Path, kind: Kind, give: Callable[[Kind, Path, Path], object], message: str, hint: str
) -> None:
    path = root / "around" / "given"
    path.parent.mkdir()
    give(kind, path, root)
    before = snapshot(root)
    for use in (folders.make, folders.check):
        with pytest.raises(UserError) as caught:
            use(kind, path, root)
        words = {"path": path, "parent": path.parent, "root": root, "mark": kind.mark, "key": kind.key}
        assert caught.value.message == f"{kind.key}: {path}: {message.format(**words)}"
        assert caught.value.hint == hint.format(**words)
    assert snapshot(root) == before


@KINDS
@pytest.mark.parametrize("marked", [False, True])
def test_the_folder_of_another_user_is_refused_though_it_is_private(
    root: Path, kind: Kind, marked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has made it beforehand, under a name that is known."""
    path = folder(root / "given", 0o700)
    if marked:
        folders.make(kind, path, root)
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    for use in (folders.make, folders.check):
        with pytest.raises(UserError) as caught:
            use(kind, path, root)
        assert caught.value.message.startswith(f"{kind.key}: {path}: belongs to ")
        assert "(expected uid 4321)" in caught.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder away")
@KINDS
def test_a_folder_in_the_folder_of_another_user_is_refused(root: Path, kind: Kind) -> None:
    parent = folder(root / "theirs", 0o755)
    folders.make(kind, parent / "given", root)
    os.chown(parent, 4321, 4321)
    with pytest.raises(UserError, match=rf"{parent} belongs to uid 4321, who can replace what is in it"):
        folders.check(kind, parent / "given", root)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder away")
def test_the_repository_may_belong_to_another_user_whose_code_runs_anyway(root: Path) -> None:
    os.chown(root, 4321, 4321)
    folders.make(CACHE, root / "cache", root)
    assert mode(root / "cache") == 0o700


def test_checking_what_is_not_there_makes_nothing(root: Path) -> None:
    before = snapshot(root)
    assert not folders.check(CACHE, root / "a" / "cache", root)
    assert snapshot(root) == before


@pytest.mark.parametrize("kind", ["link", "hard link", "folder", "fifo"])
def test_a_lock_that_is_no_plain_file_of_ours_is_refused_and_nothing_is_written(
    context: Context, tmp_path: Path, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="ascii")
    folders.prepare(context)
    path = context.work / ".lock"
    plant: dict[str, Callable[[], None]] = {
        "link": lambda: path.symlink_to(victim),
        "hard link": lambda: path.hardlink_to(victim),
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
    }
    plant[kind]()
    with pytest.raises(UserError, match=f"{path}: not a lock of ours") as caught, locking.exclusive(context):
        pytest.fail("locked")
    assert caught.value.hint == f"rm {path}"
    assert victim.read_text(encoding="ascii") == "precious"


def test_a_lock_is_readable_by_its_owner_only(context: Context) -> None:
    with locking.exclusive(context):
        assert [mode(folder / ".lock") for folder in (context.work, context.cache)] == [0o600, 0o600]


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("names", [("wedding.jpg",), ("log",), ("stages",)])
def test_cleaning_removes_marked_folders_only(context: Context, everything: bool, names: tuple[str, ...]) -> None:
    folders.prepare(context)
    unmarked = context.cache if everything else context.work
    for path in unmarked.iterdir():
        path.unlink()
    for name in names:
        (unmarked / name).touch()
    before = snapshot(context.root)
    with pytest.raises(UserError, match=str(unmarked)):
        build.clean(context, everything=everything)
    assert snapshot(context.root) == before


def test_what_a_killed_cleaning_left_is_cleaned_by_the_next(context: Context) -> None:
    folders.prepare(context)
    (context.work / WORK.mark).unlink()
    (context.work / ".lock").touch()
    assert build.clean(context, everything=False) == [str(context.work)]
    assert not context.work.exists()


def test_a_link_in_place_of_a_folder_is_seen_by_the_context(root: Path, tmp_path: Path) -> None:
    (root / "cache").symlink_to(tmp_path)
    context = contexts.create(root)
    assert context.cache == root / "cache"
    with pytest.raises(UserError, match="a symbolic link"):
        folders.verify(context)


def test_a_cache_that_borrows_from_another_is_private(context: Context) -> None:
    folders.prepare(context)
    made = cache.borrow(context, context.work / "verify" / "cache", ["stages"])
    assert mode(made) == 0o700


READERS = [
    ["build.info"], ["build.info", "--sizes"], ["build.log"], ["build.log", "kernel"], ["build.lock"], ["cache.info"],
    ["cache.prune"], ["build.all"], ["build.verify"], ["util.shell"], ["util.clean", "--all"], ["boot.qemu"],
    ["bench.boot"], ["bench.build"], ["bench.burnin"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_a_command_that_reads_the_folders_refuses_one_that_others_can_write_to(
    root: Path, invoke: Invoke, arguments: list[str]
) -> None:
    (root / "work" / "log").mkdir(parents=True)
    (root / "work" / "log" / "kernel.log").write_text("planted", encoding="ascii")
    (root / "work").chmod(0o777)
    done = invoke(*arguments)
    rights = "others read and others write and its group write"
    message = f"error: work_dir: {root}/work: mode 0777 lets {rights} (expected 0700)\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{message}hint: chmod 0700 {root}/work\n")


def test_a_folder_is_followed_by_no_link_on_the_way(context: Context) -> None:
    (context.root / "real").mkdir()
    (context.root / "way").symlink_to(context.root / "real")
    swapped = dataclasses.replace(context, cache=context.root / "way" / "cache")
    with pytest.raises(UserError, match=f"cache_dir: {context.root}/way: Not a directory"):
        folders.prepare(swapped)
    assert list((context.root / "real").iterdir()) == []
