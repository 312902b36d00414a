"""The generated parts of the documentation, and the task that updates them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alchemy.commands import docs, package_tables, stage_picture
from alchemy.commands.docs import Part
from tests import repository
from tests.unit import tree

SIZES = """
| atom | version | in the ramfs | licence | how it is tested |
| --- | --- | ---: | --- | --- |
| sys-apps/busybox | 1.37.0 | 872.6 KB | GPL-2 | run in the booted image |
| sys-apps/new | 1 | - | GPL-2 | run in the booted image |
"""


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("part", docs.parts({}), ids=lambda part: f"{part.file} {part.name}")
def test_generated_parts_are_up_to_date(part: Part) -> None:
    assert not part.is_stale(repository.ROOT), f"{part.file}: stale; run ./run docs.update"


def test_a_stale_part_is_rewritten_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("before\n<!-- x -->\nold\n<!-- /x -->\nafter\n", encoding="utf-8")
    part = Part(
        "a.md",
        "x",
        lambda root, current: f"{root.name}: {current.strip()} and new" if "new" not in current else current.strip(),
    )
    assert part.is_stale(tmp_path)
    assert part.update(tmp_path)
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert text == f"before\n<!-- x -->\n{tmp_path.name}: old and new\n<!-- /x -->\nafter\n"
    assert not part.is_stale(tmp_path)
    assert not part.update(tmp_path)


@pytest.mark.parametrize("text", ["", "<!-- x -->\n", "<!-- /x -->\n", "<!-- x -->\n<!-- /y -->\n"])
def test_a_file_without_the_part_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.md: no part x"):
        Part("a.md", "x", lambda _, current: current).update(tmp_path)


@pytest.mark.usefixtures("real_processes")
def test_the_picture_has_every_stage_and_no_arrow_that_others_imply() -> None:
    picture = stage_picture.markdown(repository.ROOT)
    names = re.findall(r"^\| ([\w-]+) \| .*`alchemy/stages/\w+\.py`", picture, re.MULTILINE)
    assert {"stage3", "tree", "overlays", "tools", "linux", "system", "kernel", "ramfs", "embedded"} <= set(names)
    assert all(re.search(rf"^    {name.replace('-', '_')}\(?\[{name}\]", picture, re.MULTILINE) for name in names)
    assert "    linux --> kernel\n" in picture
    assert "    linux --> embedded\n" not in picture


def test_the_sizes_of_a_table_are_read() -> None:
    assert package_tables.sizes(SIZES) == {"sys-apps/busybox": "872.6 KB"}


def test_the_sizes_of_a_build_are_those_of_its_packages_and_of_the_firmware() -> None:
    described = {
        "packages": [{"name": "sys-apps/busybox", "bytes": 872_600}],
        "parts": [{"name": "packages", "bytes": 1}, {"name": "firmware", "bytes": 4_400_000}],
    }
    assert package_tables.measured(described) == {
        "sys-apps/busybox": "872.6 KB",
        "sys-kernel/linux-firmware": "4.4 MB",
    }


def test_a_measured_size_replaces_one_of_the_table_and_a_new_package_needs_none() -> None:
    tables = package_tables.markdown(repository.ROOT, {"sys-apps/busybox": "1.0 MB"})
    assert "| sys-apps/busybox | 1.37.0 | 1.0 MB | GPL-2 |" in tables
    assert "| sys-apps/less | 668 | - | GPL-3+ |" in tables


def test_the_table_says_where_the_file_is_that_only_a_user_may_fetch() -> None:
    tables = package_tables.markdown(repository.ROOT, {})
    assert "| net-analyzer/nepim | 0.54 | https://github.com/udhos/nepim/tags | GPL-2+ |" in tables


PAGES = sorted(path for path in tree.files() if path.suffix == ".md")


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(repository.ROOT)))
def test_a_link_within_the_repository_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
