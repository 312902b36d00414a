"""A stage3 fetched from a mirror on the loopback by the command a user gives: verified, resumed, kept; or refused."""

from __future__ import annotations

import dataclasses
import io
import itertools
import random
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.lib import keys, tables
from tests.lib.clones import Clone, small_clone
from tests.lib.gentoo import ATTACKS, Releases
from tests.lib.mirror import Server

pytestmark = pytest.mark.usefixtures("build_context")


@dataclasses.dataclass(frozen=True)
class Site:
    """A mirror, and a clone that is configured for it."""

    server: Server
    releases: Releases
    clone: Clone

    def build(self) -> tuple[int, str]:
        return self.clone.run("build.stage3")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, secrets: Mapping[str, keys.Key]) -> Iterator[Site]:
    """A clone that has built its stage3 once."""
    folder = tmp_path_factory.mktemp("stage3")
    releases = Releases(folder / "mirror/releases/amd64/autobuilds", secrets)
    releases.publish()
    server = Server(folder / "mirror")
    clone = small_clone(folder / "clone", shared=())
    clone.configure(
        {
            "stage3_url": f"{server.url}/{releases.pointer.relative_to(server.folder)}",
            "stage3_keys": [str(secrets[name].public) for name in ("ours", "old")],
            "sync": {"method": "none"},
        }
    )
    clone.build("build.stage3")
    yield Site(server, releases, clone)
    server.stop()


@pytest.fixture
def site(built: Site, numbers: Iterator[int]) -> Site:
    """The mirror has a new stage3."""
    built.server.requests.clear()
    releases = dataclasses.replace(built.releases, stamp=f"20261129T{next(numbers):06}Z")
    releases.publish()
    return dataclasses.replace(built, releases=releases)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


def test_a_stage3_is_fetched_once(site: Site) -> None:
    for _ in range(2):
        site.clone.build("build.stage3")
    assert site.server.asked(site.releases.name) == [0]
    assert len(site.server.asked(".txt")) == 2
    kept = list(site.clone.cache.glob(f"stage3/*/{site.releases.tarball.name}"))
    assert [path.read_bytes() for path in kept] == [site.releases.tarball.read_bytes()]


def test_a_download_goes_on_where_the_server_went_down(site: Site) -> None:
    reached = 3_000_001
    with tarfile.open(site.releases.tarball, "w:xz", preset=0) as tar:
        noise = tarfile.TarInfo("noise")
        noise.size = 2 * reached
        tar.addfile(noise, io.BytesIO(random.Random(1).randbytes(noise.size)))  # noqa: S311
    site.releases.sign_all()
    site.server.goes_down[f"/{site.releases.tarball.relative_to(site.server.folder)}"] = reached
    process = site.clone.start("build.stage3")
    assert site.server.stopped.wait(60)
    time.sleep(1.5)  # the build finds nobody there
    site.server.start()
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert site.server.asked(site.releases.name) == [0, reached]


# one of each kind; tests/unit/stages/test_gentoo_release.py has all of them
CHOSEN = (
    "a byte flipped", "an expired key", "unsigned", "a pointer with ..", "a gzip bomb",
    "members behind a bad checksum",
)  # fmt: skip


@pytest.mark.parametrize(("attack", "message"), tables.rows(ATTACKS, *CHOSEN))
def test_an_attack_is_refused_and_leaves_no_trace(
    site: Site, attack: Callable[[Releases], object], message: str
) -> None:
    before = site.clone.kept()
    attack(site.releases)
    status, said = site.build()
    assert status == 4, said
    assert f"error: {site.server.url}/" in said
    assert message in said
    assert "Traceback" not in said
    assert site.clone.kept() == before
