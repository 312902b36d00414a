"""The command docs.update: rewrites the generated parts of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alchemy.commands import hardware_report, package_tables, stage_picture
from alchemy.parts import parameters


@dataclass(frozen=True)
class Part:
    """A generated part of a Markdown file, between the lines `<!-- NAME -->` and `<!-- /NAME -->`.

    `make` returns its text for a repository, from the current text.
    """

    file: str
    name: str
    make: Callable[[Path, str], str]

    def update(self, root: Path) -> bool:
        """Rewrites the part of the repository at `root`; returns whether it changed."""
        path = root / self.file
        before = path.read_text(encoding="utf-8")
        after = self._renewed(root, before)
        if after != before:
            path.write_text(after, encoding="utf-8")
        return after != before

    def is_stale(self, root: Path) -> bool:
        """Returns whether `update` would change the file."""
        text = (root / self.file).read_text(encoding="utf-8")
        return self._renewed(root, text) != text

    def _renewed(self, root: Path, text: str) -> str:
        begin, end = f"<!-- {self.name} -->\n", f"<!-- /{self.name} -->\n"
        before, _, rest = text.partition(begin)
        current, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{self.file}: no part {self.name}")
        return f"{before}{begin}{self.make(root, current)}\n{end}{after}"


def parts(measured: Mapping[str, str]) -> list[Part]:
    """Returns all generated parts. `measured` has new sizes of packages by atom; the other sizes stay as they are."""

    def boot_parameters(root: Path, _: str) -> str:
        return parameters.markdown(parameters.read(root / "chroot/early/parameters"))

    def packages(root: Path, current: str) -> str:
        return package_tables.markdown(root, {**package_tables.sizes(current), **measured})

    return [
        Part("README.md", "parameters", boot_parameters),
        Part("docs/architecture.md", "stages", lambda root, _: stage_picture.markdown(root)),
        Part(hardware_report.DOCUMENT, "machines", lambda root, _: hardware_report.markdown(root)),
        Part("packages/README.md", "tables", packages),
    ]
