"""What metadata.xml says of a package's upstream (GLEP 68): where it is developed, and its name in vulnerability
databases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from alchemy.host.rooted import Rooted

FILE = "metadata.xml"

_REPOSITORIES = {
    "github": "https://github.com/{}",
    "gitlab": "https://gitlab.com/{}",
    "codeberg": "https://codeberg.org/{}",
    "gnome-gitlab": "https://gitlab.gnome.org/{}",
}
_REMOTE_ID = re.compile(r'<remote-id type="([a-z-]+)">\s*([^<\s]+)\s*</remote-id>')


@dataclass(frozen=True)
class Metadata:
    """The remote-ids of a package by their types. `cpe` is one of them, in the form cpe:/a:VENDOR:PRODUCT."""

    remote_ids: tuple[tuple[str, str], ...] = ()

    def get(self, kind: str) -> str | None:
        return next((value for name, value in self.remote_ids if name == kind), None)

    @property
    def repository(self) -> str | None:
        """The URL of upstream's git repository."""
        return next((form.format(value) for kind, form in _REPOSITORIES.items() if (value := self.get(kind))), None)


def read(repository: Path, atom: str) -> Metadata:
    """Reads the metadata of a package in a repository; nothing where there is no metadata.xml."""
    tree, path = Rooted(repository), f"{atom}/{FILE}"
    return Metadata(tuple(_REMOTE_ID.findall(tree.text(path)))) if tree.is_file(path) else Metadata()
