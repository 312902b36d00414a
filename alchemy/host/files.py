"""Files and folders on disk: digests of them, and putting them in place so that none is ever seen half-written."""

from __future__ import annotations

import codecs
import ctypes
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2

_MANY_FILES = 100

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digest(str):
    """A digest in hexadecimal. `files` has its parts by name, to tell which of them has changed."""

    files: Mapping[str, str]


def size(path: Path) -> int:
    """Bytes of the files at or below a path."""
    return sum(file.lstat().st_size for _, file in _walk(path, ""))


def digest(*paths: Path, without: Container[str] = ()) -> Digest:
    """A digest of files and whole folders: names below each path, contents, link targets and the executable bit.

    Other mode bits and times are left out, as git does not keep them and two clones must agree. So are the files that
    `without` names, by their names below a path.
    """
    total = hashlib.sha256()
    files = {}
    for path in paths:
        for name, file in _walk(path, ""):
            if name.lstrip("/") in without:
                continue
            if file.is_symlink():
                entry = f"link {file.readlink()}"
            elif not file.is_file():
                # a pipe or a device is never opened
                entry = f"special {file.lstat().st_mode:o} {file.lstat().st_rdev}"
            else:
                entry = f"{'x' if os.access(file, os.X_OK) else '-'} {sha256(file)}"
            total.update(f"{name}\0{entry}\0".encode(errors="surrogateescape"))
            files[f"{path.name}{name}" if len(paths) > 1 or not name else name.lstrip("/")] = entry
        total.update(b"\0")
    made = Digest(total.hexdigest())
    made.files = files
    return made


def _walk(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            yield from _walk(child, f"{name}/{child.name}")
    elif path.is_symlink() or path.exists():
        yield name, path


@contextmanager
def complete(target: Path) -> Iterator[Path]:
    """Gives a new folder to fill, which becomes `target` when the block ends well, and is removed when it raises.

    The next run removes what a killed one left. The data is on the disk before the name is.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.tmp"
    remove(temporary)
    temporary.mkdir()
    try:
        yield temporary
        _flush(temporary)
        temporary.rename(target)
    except BaseException:
        remove(temporary)
        raise


def _flush(folder: Path) -> None:
    """Writes a new folder to the disk. A large tree is quicker written with everything else that waits to be."""
    paths = [path for path in folder.rglob("*") if not path.is_symlink() and (path.is_file() or path.is_dir())]
    if len(paths) > _MANY_FILES:
        os.sync()
        return
    for path in [*paths, folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, text: str) -> None:
    """Replaces a file whole. The data is on the disk before the name is."""
    temporary = path.with_name(f".{path.name}.tmp")
    # a folder of ours that a chroot may write to can have a link there
    remove(temporary)
    with temporary.open("x", encoding="utf-8") as file:
        file.write(text)
    _sync(temporary)
    temporary.replace(path)


def copy_whole(source: Path, target: Path, *, temporary: Path) -> None:
    """Copies a file whole, by way of a `temporary` path. The data is on the disk before the name is."""
    shutil.copyfile(source, temporary)
    _sync(temporary)
    temporary.replace(target)


def write_json(path: Path, value: Any) -> None:
    """Replaces a file whole by `value` as JSON, in a fixed form."""
    write(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def merge(source: Path, target: Path) -> None:
    """Copies a file, or a folder over what there is of it, with the permissions that git keeps: two clones must
    agree, whatever the umask they were made with. A link in the way is replaced, and never followed."""
    if source.is_symlink():
        remove(target)
        target.symlink_to(source.readlink())
    elif source.is_dir():
        if target.is_symlink() or not target.is_dir():
            remove(target)
            target.mkdir()
            target.chmod(0o755)
        for child in source.iterdir():
            merge(child, target / child.name)
    else:
        remove(target)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def copy(source: Path, target: Path) -> None:
    """Copies a file or a link as it is, with its permissions and times. shutil would follow a link."""
    if source.is_symlink():
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211 (Path would tidy it)
        shutil.copystat(source, target, follow_symlinks=False)
    else:
        shutil.copy2(source, target)


def remove(path: Path) -> None:
    """Removes a file or a whole folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def exchange(new: Path, old: Path) -> None:
    """Puts the folder `new` in the place of the folder `old` in one step, and the other way round (renameat2(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code), str(old))
        # a file system that cannot: the moment between the two renames is the price
        aside = old.with_name(f".{old.name}.old")
        remove(aside)
        old.rename(aside)
        new.rename(old)
        aside.rename(new)


def decoded(content: bytes) -> str:
    """Decodes a text file that somebody else wrote.

    Drops a byte order mark, and keeps bytes that are not UTF-8 as surrogates (PEP 383): a comment may be in Latin-1.
    """
    return content.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")


def text(path: Path) -> str:
    """Reads a text file that somebody else wrote, as `decoded` does."""
    return decoded(path.read_bytes())


def lines(path: Path) -> list[str]:
    """The lines of a commented list: without comments (`#` to the end of the line), blanks and empty lines."""
    return uncommented(text(path))


def uncommented(text: str) -> list[str]:
    """The same of a text."""
    stripped = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def render(template: Path, **values: object) -> str:
    """A Jinja2 template, which may include others of its folder, with `values`; a name it lacks is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (configuration files, not HTML)
    )
    text: str = environment.get_template(template.name).render(**values)
    return text
