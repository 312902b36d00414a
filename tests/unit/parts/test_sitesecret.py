from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from alchemy.commands import cache
from alchemy.context import Context
from alchemy.errors import UserError
from alchemy.host import folders
from alchemy.parts import sitesecret


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    assert sitesecret.read(tmp_path) is None
    sitesecret.create(tmp_path)
    first = sitesecret.read(tmp_path)
    sitesecret.create(tmp_path)
    assert sitesecret.read(tmp_path) == first
    assert len(first or b"") == 32
    assert (tmp_path / sitesecret.NAME).stat().st_mode & 0o7777 == 0o600
    assert names(tmp_path) == [sitesecret.NAME]


def test_each_site_has_its_own(tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        sitesecret.create(tmp_path / name)
        found.append(sitesecret.read(tmp_path / name))
    assert found[0] != found[1]


def test_the_secret_of_who_was_quicker_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def be_quicker(count: int) -> bytes:
        (tmp_path / sitesecret.NAME).write_bytes(b"q" * count)
        (tmp_path / sitesecret.NAME).chmod(0o600)
        return bytes(count)

    monkeypatch.setattr("secrets.token_bytes", be_quicker)
    sitesecret.create(tmp_path)
    assert sitesecret.read(tmp_path) == b"q" * 32
    assert names(tmp_path) == [sitesecret.NAME]


def test_a_secret_that_could_not_be_written_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        sitesecret.create(tmp_path)
    assert names(tmp_path) == []


def be_short(path: Path) -> None:
    path.write_bytes(b"short")


def be_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def be_a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def be_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def be_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


BAD: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "a link": (be_a_link, "not a regular file"),
    "a dangling link": (be_a_dangling_link, "not a regular file"),
    "a folder": (be_a_folder, "not a regular file"),
    "a FIFO": (be_a_fifo, "not a regular file"),
    "one that a group may read": (lambda path: path.chmod(0o640), "expected mode 0600, got 0640"),
    "one that others may write": (lambda path: path.chmod(0o602), "expected mode 0600, got 0602"),
    "a short one": (be_short, "expected 32 bytes, got 5"),
}


@pytest.mark.parametrize(("change", "problem"), BAD.values(), ids=BAD.keys())
def test_a_secret_that_others_know_or_made_is_refused(
    tmp_path: Path, change: Callable[[Path], None], problem: str
) -> None:
    sitesecret.create(tmp_path)
    change(tmp_path / sitesecret.NAME)
    with pytest.raises(UserError, match=problem) as caught:
        sitesecret.read(tmp_path)
    assert str(caught.value.hint).startswith(f"rm {tmp_path / sitesecret.NAME};")


def test_a_secret_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sitesecret.create(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(UserError, match=r"wrong owner \(expected uid 4711, got "):
        sitesecret.read(tmp_path)


def test_pruning_keeps_the_secret(context: Context) -> None:
    folders.prepare(context)
    sitesecret.create(context.cache)
    os.utime(context.cache / sitesecret.NAME, (0, 0))
    assert cache.prune(context, 0) == []
    assert sitesecret.read(context.cache) is not None


def test_a_cache_that_borrows_another_has_its_secret(context: Context, tmp_path: Path) -> None:
    context.cache.mkdir()
    sitesecret.create(context.cache)
    borrowed = cache.borrow(context, tmp_path / "borrowed", ())
    assert sitesecret.read(borrowed) == sitesecret.read(context.cache)
