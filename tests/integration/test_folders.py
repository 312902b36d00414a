"""What another user of the build host can do with the work directory and the cache: nothing."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.commands import build
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host import folders, locking
from alchemy.stages import plan

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

# a build chroot that was entered, and an output of an earlier build
PLANT = 'mkdir "$1"/var/tmp/portage && touch "$1"/tmp/planted'
SETUID = 'test -u "$1"/usr/bin/passwd && test -x "$1"/usr/bin/passwd'


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, as /srv is."""
    with tempfile.TemporaryDirectory(prefix="alchemy-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def built(build_context: Context, open_folder: Path) -> Context:
    """A work directory and a cache with a whole root in it, made as a build makes them."""
    made = dataclasses.replace(build_context, work=open_folder / "work", cache=open_folder / "cache")
    folders.prepare(made)
    (made.cache / "stage3").symlink_to(build_context.cache / "stage3")
    with locking.exclusive(made):
        plan.realize(made, [plan.create(made, plan.recall(made))["tools"]])
        (made.cache / "stages" / "system-1").mkdir(parents=True)
    return made


def as_nobody(context: Context, script: str, *arguments: Path) -> str:
    return context.runner.capture([*NOBODY, "sh", "-c", script, "sh", *arguments])


def test_nobody_finds_nothing_in_the_work_directory_and_the_cache(built: Context) -> None:
    find = 'find "$@" -mindepth 1 2>/dev/null || true'
    assert as_nobody(built, find, built.work, built.cache) == ""
    # it would find a whole root, if the folders were open
    assert len(built.runner.capture(["find", built.cache / "tools"]).splitlines()) > 1000


@pytest.mark.parametrize("attack", [PLANT, SETUID], ids=["plant in /var/tmp and /tmp", "reach a setuid program"])
def test_nobody_can_neither_plant_files_in_a_chroot_nor_reach_its_setuid_programs(built: Context, attack: str) -> None:
    root = plan.create(built, plan.recall(built))["tools"].output / "root"
    with pytest.raises(BuildError):
        as_nobody(built, attack, root)
    # the attack is a real one: with folders as they were before, it works
    built.cache.chmod(0o755)
    try:
        as_nobody(built, attack, root)
    finally:
        built.cache.chmod(0o700)


def test_a_folder_that_nobody_made_beforehand_is_refused(built: Context, tmp_path: Path) -> None:
    """Under a name that is known, in a folder such as /tmp."""
    public = Path(tempfile.mkdtemp(prefix="alchemy-public-"))
    try:
        public.chmod(0o1777)
        as_nobody(built, 'mkdir -m 0700 "$1" && touch "$1"/wedding.jpg && ln -s /etc/hostname "$1"/.lock', public / "w")
        theirs = dataclasses.replace(built, work=public / "w")
        for use in (lambda: build.clean(theirs, everything=False), lambda: folders.prepare(theirs)):
            with pytest.raises(UserError, match=f"work_dir: {public}/w: belongs to nobody"):
                use()
        assert (public / "w" / "wedding.jpg").exists()
    finally:
        built.runner.run(["rm", "-rf", public])
