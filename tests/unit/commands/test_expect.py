"""expect.check: an expectations file, checked on a build host."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from alchemy.commands import expect
from alchemy.errors import BuildError, UserError
from alchemy_node import web

GOOD = """
[[machine]]
name = "storage"
when = { product = "SSG-*" }
firmware.version = "3.4"
dimms.count = 12

[[machine]]
when = { product = "PowerEdge R640" }
bmc.firmware = "4.*"
"""


def test_a_good_file_names_its_machines(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(GOOD)
    assert expect.check(str(tmp_path / "x.toml")) == "storage: 2 tables\nPowerEdge R640: 1 table\n"


def test_an_invalid_file_is_an_error_with_all_mistakes(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(GOOD.replace("dimms", "dims").replace("bmc", "bmcs"))
    with pytest.raises(UserError) as error:
        expect.check(str(tmp_path / "x.toml"))
    assert str(error.value).splitlines()[:2] == [
        f"{tmp_path}/x.toml: machine 1: dims: unknown key (nearest: dimms)",
        f"{tmp_path}/x.toml: machine 2: bmcs: unknown key (nearest: bmc)",
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.toml", "missing.toml: cannot be read: No such file or directory"),
        (".", ".: cannot be read: Is a directory"),
        ("http://user:secret@h/x", "http://h/x: a user or password in the URL is refused"),
    ],
)
def test_an_unreadable_file_has_a_message(source: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        expect.check(source)


def test_a_failing_server_is_not_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str, **_: object) -> NoReturn:
        raise web.WebError(f"{url}: connection refused (5 attempts)")

    monkeypatch.setattr(web, "fetch", fetch)
    with pytest.raises(BuildError, match=r"^http://h/x: connection refused"):
        expect.check("http://h/x")
