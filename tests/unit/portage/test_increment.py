from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.host.chroot import Chroot
from alchemy.portage import increment
from tests.unit.fakes import FakeRunner

PLANNED = """\
[binary  N     ] sys-apps/baselayout-2.17-1::embedded to /tmp/empty/
[binary  N     ] app-misc/gold-1.1-1::embedded to /tmp/empty/ USE="-lead"
"""


def note(database: Path, package: str, build_id: str = "1") -> None:
    """Has a package be installed."""
    (database / package).mkdir(parents=True)
    (database / package / "BUILD_ID").write_text(build_id, encoding="utf-8")
    (database / package / "DEFINED_PHASES").write_text("install\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("brought_along", "added"),
    [
        ([], True),
        (["sys-apps/baselayout-2.17"], True),
        (["app-misc/golden-1.1"], True),
        (["app-misc/gold-1.1"], False),
        (["app-misc/gold-1.0-r3"], False),
    ],
)
def test_a_package_that_the_stage3_brought_along_is_not_added_by_a_version_of_its_own(
    context: Context, runner: FakeRunner, tmp_path: Path, brought_along: list[str], added: bool
) -> None:
    inside, earlier, image = Chroot(tmp_path / "chroot"), tmp_path / "earlier", tmp_path / "image"
    for package in brought_along:
        note(inside / "var/db/pkg", package)
    note(earlier, "sys-apps/baselayout-2.17")
    image.mkdir()
    runner.answers["bwrap"] = PLANNED

    def emerge(argv: list[str]) -> None:
        if "cp" in argv:
            note(image / "var/db/pkg", "sys-apps/baselayout-2.17")
        if "--nodeps" in argv:
            note(image / "var/db/pkg", "app-misc/gold-1.1")

    runner.on_run = emerge
    parts = {earlier: Path("var/db/pkg")}
    assert increment.add(context, inside, parts, image, ["@alchemy"], ["--root=/image"]) == added
    assert any(image.iterdir()) == added
