"""Trees that others filled. `secret` is a file of the host beside the tree, to which the links in it lead."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from alchemy.errors import UserError, VerificationError
from alchemy.host import rooted
from alchemy.host.rooted import Rooted
from tests.unit.fakes import snapshot

SECRET = "the host's\n"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of the host, outside of the tree."""
    (tmp_path / "host/folder").mkdir(parents=True)
    for name in ("secret", "folder/secret"):
        (tmp_path / "host" / name).write_text(SECRET, encoding="utf-8")
    return tmp_path / "host"


@pytest.fixture
def tree(tmp_path: Path, host: Path) -> Rooted:
    root = tmp_path / "tree"
    (root / "etc/conf.d").mkdir(parents=True)
    (root / "etc/file").write_text("inside\n", encoding="utf-8")
    os.mkfifo(root / "etc/pipe")
    links: dict[str, str | Path] = {
        "absolute": host / "secret",
        "relative": "../host/secret",
        "folder": host / "folder",
        "climbing": "../../../../../../etc/file",
        "inner": "/etc",
        "loop": "loop",
        "magic": "/proc/self/root",
        "etc/dangling": "nowhere",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return Rooted(root)


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("etc/file", "etc/file"),
        ("/etc/file", "etc/file"),
        ("inner/file", "etc/file"),
        ("climbing", "etc/file"),
        ("etc/../../../etc/file", "etc/file"),
        ("etc/conf.d", "etc/conf.d"),
        ("/", ""),
        ("", ""),
        ("..", ""),
        ("absolute", None),
        ("relative", None),
        ("folder/secret", None),
        ("../host/secret", None),
        ("loop", None),
        ("magic/etc", None),
        ("etc/dangling", None),
        ("etc/file/below", None),
        ("x" * 300, None),
    ],
)
def test_a_path_leads_where_it_would_in_a_chroot(tree: Rooted, path: str, leads: str | None) -> None:
    assert tree.resolve(path) == (None if leads is None else tree.root / leads)


def test_without_links_a_path_that_has_one_leads_nowhere(tree: Rooted) -> None:
    assert tree.resolve("inner/file", links=False) is None
    assert tree.resolve("etc/file", links=False) == tree.root / "etc/file"


def test_a_root_may_be_reached_through_links(tree: Rooted, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(tmp_path)
    assert Rooted(tmp_path / "other/tree").resolve("inner/file") == tmp_path / "other/tree/etc/file"


def test_a_root_that_is_a_link_itself_is_empty(tree: Rooted, tmp_path: Path, host: Path) -> None:
    (tmp_path / "link").symlink_to(host)
    assert Rooted(tmp_path / "link").glob("*") == []
    assert not Rooted(tmp_path / "link").is_file("secret")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("absolute", "/absolute: no such file"),
        ("relative", "/relative: no such file"),
        ("folder/secret", "/folder/secret: no such file"),
        ("../host/secret", "no such file"),
        ("magic/etc/passwd", "no such file"),
        ("etc/pipe", "/etc/pipe: not a regular file"),
        ("etc", "/etc: not a regular file"),
        ("missing", "/missing: no such file"),
    ],
)
def test_what_is_not_a_file_of_the_tree_is_not_read(tree: Rooted, tmp_path: Path, path: str, problem: str) -> None:
    with pytest.raises(VerificationError, match=problem):
        tree.read_bytes(path)
    with pytest.raises(VerificationError, match=problem):
        tree.copy_out(path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_file_that_is_too_large_is_not_read(tree: Rooted) -> None:
    assert tree.read_bytes("etc/file", most=7) == b"inside\n"
    with pytest.raises(VerificationError, match=r"/etc/file: too large \(expected at most 6 bytes\)"):
        tree.read_bytes("etc/file", most=6)


def test_a_file_that_is_not_utf8_is_named(tree: Rooted) -> None:
    (tree.root / "latin1").write_bytes(b"\xe9")
    with pytest.raises(VerificationError, match="/latin1: not UTF-8"):
        tree.read_text("latin1")


CHANGES: Mapping[str, tuple[Callable[[Rooted], object], Mapping[str, str]]] = {
    "a file is written": (lambda tree: tree.write_text("new/x", "gold"), {"new/x": "gold"}),
    "a link is replaced": (lambda tree: tree.write_text("absolute", "gold"), {"absolute": "gold"}),
    "a dangling link is replaced": (lambda tree: tree.write_text("etc/dangling", "gold"), {"etc/dangling": "gold"}),
    "a pipe is replaced": (lambda tree: tree.write_text("etc/pipe", "gold"), {"etc/pipe": "gold"}),
    "a link to a folder of the tree is followed": (lambda tree: tree.write_text("inner/x", "gold"), {"etc/x": "gold"}),
}


@pytest.mark.parametrize(("change", "files"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_written_lies_in_the_tree(
    tree: Rooted, host: Path, change: Callable[[Rooted], object], files: Mapping[str, str]
) -> None:
    before = snapshot(host)
    change(tree)
    assert snapshot(host) == before
    for name, text in files.items():
        assert not (tree.root / name).is_symlink()
        assert (tree.root / name).read_text(encoding="utf-8") == text
        assert (tree.root / name).stat().st_mode & 0o777 == 0o644


REFUSED: Mapping[str, tuple[Callable[[Rooted, Path], object], str]] = {
    "writing below a link": (lambda tree, _: tree.write_text("folder/x", "gold"), "/folder: in the way"),
    "writing below a file": (lambda tree, _: tree.write_text("etc/file/x", "gold"), "/etc/file: in the way"),
    "writing over a folder": (lambda tree, _: tree.write_text("etc", "gold"), "/etc: in the way"),
    "writing over the root": (lambda tree, _: tree.write_text("/", "gold"), "does not name a file below the root"),
    "writing above the root": (lambda tree, _: tree.write_text("a/..", "gold"), "does not name a file below the root"),
    "a folder below a link": (lambda tree, _: tree.make_folder("folder/x"), "/folder: in the way"),
    "moving a link": (lambda tree, to: tree.move_out("folder", to), "/folder: not a folder"),
    "moving behind a link": (lambda tree, to: tree.move_out("folder/secret", to), "/folder/secret: not a folder"),
    "mounting over a link": (lambda tree, _: tree.refuse_links("etc/dangling"), "/etc/dangling: a link"),
    "mounting behind a link": (lambda tree, _: tree.refuse_links("folder/x/y"), "/folder: a link"),
}


@pytest.mark.parametrize(("change", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_leave_the_tree_is_refused(
    tree: Rooted, host: Path, tmp_path: Path, change: Callable[[Rooted, Path], object], problem: str
) -> None:
    before = snapshot(host)
    with pytest.raises(VerificationError, match=problem):
        change(tree, tmp_path / "target")
    assert snapshot(host) == before
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("path", ["absolute", "folder", "folder/secret", "../host/secret", "magic", "missing", "etc"])
def test_removing_takes_nothing_of_the_host(tree: Rooted, host: Path, path: str) -> None:
    (tree.root / "etc/out").symlink_to(host)
    before = snapshot(host)
    tree.remove(path)
    assert snapshot(host) == before
    assert tree.lstat(path) is None


def test_a_folder_is_merged_over_links_and_leaves_the_host_alone(tree: Rooted, host: Path, tmp_path: Path) -> None:
    (tmp_path / "ours/secret").mkdir(parents=True)
    (tmp_path / "ours/secret/x").write_text("gold", encoding="utf-8")
    before = snapshot(host)
    tree.merge(tmp_path / "ours", "folder")
    assert snapshot(host) == before
    assert (tree.root / "folder/secret/x").read_text(encoding="utf-8") == "gold"
    assert not (tree.root / "folder").is_symlink()


def test_files_and_folders_come_out(tree: Rooted, tmp_path: Path) -> None:
    (tree.root / "etc/file").chmod(0o4711)
    tree.copy_out("inner/file", tmp_path / "copy")
    assert (tmp_path / "copy").read_text(encoding="utf-8") == "inside\n"
    assert (tmp_path / "copy").stat().st_mode & 0o7777 == 0o755
    tree.move_out("inner/conf.d", tmp_path / "moved")
    assert (tmp_path / "moved").is_dir()
    assert tree.lstat("etc/conf.d") is None


def test_patterns_match_what_is_in_the_tree(tree: Rooted) -> None:
    for name in ("a-b/x", "a/y", "a/x"):
        (tree.root / "db" / name).mkdir(parents=True)
    assert tree.glob("db/*/*") == ["db/a/x", "db/a/y", "db/a-b/x"]
    assert tree.glob("inner/f*") == ["inner/file"]
    assert tree.glob("folder/*") == []
    assert tree.glob("etc/missing") == []


def test_a_rename_elsewhere_is_waited_for(tree: Rooted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel answers EAGAIN then."""
    real, answers = rooted._LIBC, [errno.EAGAIN, errno.EAGAIN]

    class Busy:
        def syscall(self, *arguments: object) -> int:
            if answers:
                ctypes.set_errno(answers.pop())
                return -1
            found: int = real.syscall(*arguments)
            return found

    monkeypatch.setattr(rooted, "_LIBC", Busy())
    assert tree.is_file("etc/file")
    assert answers == []


def test_a_kernel_without_openat2_is_named(tree: Rooted, monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def syscall(self, *_: object) -> int:
            ctypes.set_errno(errno.ENOSYS)
            return -1

    monkeypatch.setattr(rooted, "_LIBC", Old())
    with pytest.raises(UserError, match=r"openat2\(2\): not supported by this kernel \(expected Linux 5\.6 or newer"):
        tree.read_text("etc/file")
