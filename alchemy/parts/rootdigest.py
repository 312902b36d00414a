"""The digest of root trees: of all that a squashfs of them holds."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Container, Iterator
from pathlib import Path

from alchemy.host import files


def digest(folder: Path, without: Container[str]) -> str:
    """Returns the digest of all that is in a folder, but for the entries that `without` names.

    Counts names, contents, link targets, devices, owners, all mode bits, extended attributes, and which names are hard
    links of one file. Times do not count: an image has the same for every file. No link is followed.
    """
    total = hashlib.sha256()
    links: dict[tuple[int, int], str] = {}
    for top in sorted(path for path in folder.iterdir() if path.name not in without):
        for name, path in _walk(top, top.name):
            total.update("\0".join([name, *_entry(path, name, links), "\n"]).encode(errors="surrogateescape"))
    return total.hexdigest()


def _walk(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    yield name, path
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            yield from _walk(child, f"{name}/{child.name}")


def _entry(path: Path, name: str, links: dict[tuple[int, int], str]) -> Iterator[str]:
    """Yields what there is to say of one file. `links` has the first name of each file with several."""
    status = path.lstat()
    yield f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
    for attribute in sorted(os.listxattr(path, follow_symlinks=False)):
        yield f"{attribute}={os.getxattr(path, attribute, follow_symlinks=False).hex()}"
    if stat.S_ISLNK(status.st_mode):
        yield os.readlink(path)  # noqa: PTH115 (Path would tidy it)
    elif not stat.S_ISREG(status.st_mode):
        yield str(status.st_rdev)
    else:
        first = links.setdefault((status.st_dev, status.st_ino), name)
        yield files.sha256(path) if first == name else f"link {first}"
