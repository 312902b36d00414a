from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.host import mounts

TABLE = r"""/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw,nosuid 0 0
tmpfs /srv/with\040a\040blank tmpfs rw 0 0
tmpfs /srv/tab\011new\012line\134backslash tmpfs rw 0 0
tmpfs /srv/under tmpfs rw 0 0

/dev/sdb1 /srv/under/it xfs ro 0 0
"""


def test_mount_points_are_read_in_order_with_their_octal_escapes() -> None:
    assert mounts.parse(TABLE) == [
        Path("/"),
        Path("/proc"),
        Path("/srv/with a blank"),
        Path("/srv/tab\tnew\nline\\backslash"),
        Path("/srv/under"),
        Path("/srv/under/it"),
    ]


def test_an_empty_table_has_no_mount_points() -> None:
    assert mounts.parse("") == []


def test_the_mount_points_below_a_folder_are_it_and_those_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: TABLE)
    assert mounts.below(Path("/srv/under")) == [Path("/srv/under"), Path("/srv/under/it")]


def test_nothing_is_mounted_in_a_new_folder(tmp_path: Path) -> None:
    assert mounts.below(tmp_path) == []


def test_a_link_to_a_mount_point_counts_as_the_mount_point(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    assert Path("/proc") in mounts.below(tmp_path / "link")
