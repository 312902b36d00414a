"""What the files CONTENTS of Portage's database list: the files that each package has installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alchemy.host.rooted import Rooted


def entries(database: Rooted, path: str) -> Iterator[tuple[str, str]]:
    """The kind and the name of each file and link in a CONTENTS: `obj NAME MD5 MTIME`, `sym NAME -> TARGET MTIME`.

    The name may have blanks, and PMS leaves the format to Portage. Lines of other kinds are passed over.
    """
    for line in database.text(path).split("\n"):
        kind, _, rest = line.partition(" ")
        name = rest.rsplit(" ", 2)[0] if kind == "obj" else rest.split(" -> ", 1)[0]
        if kind in ("obj", "sym") and name.startswith("/"):
            yield kind, name


@dataclass(frozen=True)
class Owned:
    """A file that a package has installed: its path on this host, its name in CONTENTS, and `category/name-version`."""

    path: Path
    name: str
    package: str


def owned(tree: Rooted) -> Iterator[Owned]:
    """Lists the files that packages own in a root tree. /bin/ip and /usr/bin/ip have one path where /bin is a link."""
    for file in tree.glob("var/db/pkg/*/*/CONTENTS"):
        package = "/".join(file.split("/")[-3:-1])
        for _, name in entries(tree, file):
            folder = tree.resolve(PurePosixPath(name).parent)
            yield Owned((folder or tree.root) / PurePosixPath(name).name, name, package)
