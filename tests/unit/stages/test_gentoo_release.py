from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.fetch import download, openpgp, pins
from alchemy.run import Runner
from alchemy.stages import gentoo_release
from tests.lib import keys
from tests.lib.gentoo import ATTACKS, POINTER, Releases
from tests.lib.mirror import Server
from tests.unit.fakes import snapshot

pytestmark = pytest.mark.usefixtures("real_processes")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, secrets: Mapping[str, keys.Key]) -> Releases:
    made = Releases(tmp_path_factory.mktemp("published") / "mirror", secrets)
    made.publish()
    return made


@pytest.fixture
def releases(published: Releases, tmp_path: Path) -> Releases:
    """A copy of the signed releases, to change."""
    return dataclasses.replace(published, folder=shutil.copytree(published.folder, tmp_path / "mirror"))


@pytest.fixture
def by_pointer(context: Context, releases: Releases) -> Context:
    trusted = (str(releases.key.public), str(releases.secrets["old"].public))
    config = Config(stage3_url=releases.pointer.as_uri(), stage3_keys=trusted)
    return dataclasses.replace(context, config=config, runner=Runner())


def fetch(context: Context) -> Path:
    seen = pins.look(context, filter(None, [gentoo_release.source(context)]), pins.read(context.cache))
    pins.write(context.cache, seen)
    stage = gentoo_release.stage(context, seen, {})
    assert stage is not None
    stage.make()
    return stage.output


def test_a_pointer_leads_to_a_verified_tarball(by_pointer: Context, releases: Releases) -> None:
    unknown = gentoo_release.stage(by_pointer, {}, {})
    assert unknown is not None
    assert unknown.key is None
    assert (fetch(by_pointer) / releases.tarball.name).read_bytes() == releases.tarball.read_bytes()


def test_a_signed_pointer_may_have_lines_that_end_in_cr_lf(by_pointer: Context, releases: Releases) -> None:
    releases.pointer.write_bytes(releases.pointer.read_bytes().replace(b"\n", b"\r\n"))
    assert (fetch(by_pointer) / releases.tarball.name).exists()


BELOW = "https://mirror.example/releases/amd64/autobuilds"
POINTERS = {
    "stage3-a.tar.xz 9\n": f"{BELOW}/stage3-a.tar.xz",
    "20261122T170000Z/stage3-a.tar.xz 9\n": f"{BELOW}/20261122T170000Z/stage3-a.tar.xz",
    "current/20261122/a+b/stage3-a.tar.zst 9": f"{BELOW}/current/20261122/a%2Bb/stage3-a.tar.zst",
    "# Latest\r\n# ts=1\r\n\r\n20261122/stage3-a.tar.xz 9\r\n": f"{BELOW}/20261122/stage3-a.tar.xz",
    "# Latest\n\tstage3-a.tar.xz\t9 \nolder.tar.xz 8\n": f"{BELOW}/stage3-a.tar.xz",
}


@pytest.mark.parametrize(("text", "url"), POINTERS.items())
def test_a_pointer_names_a_tarball_in_its_folder_or_a_subfolder(text: str, url: str) -> None:
    assert gentoo_release.parse_pointer(text, f"{BELOW}/latest.txt") == gentoo_release.Pointed(url, 9)


def test_it_is_not_fetched_again_while_the_pointer_names_the_same(by_pointer: Context, releases: Releases) -> None:
    output = fetch(by_pointer)
    releases.tarball.unlink()
    assert fetch(by_pointer) == output


def test_offline_the_last_answer_counts(by_pointer: Context, releases: Releases) -> None:
    offline = dataclasses.replace(by_pointer, config=by_pointer.config.model_copy(update={"offline": True}))
    with pytest.raises(UserError, match=f"stage3: .*{POINTER}: is not in the cache, and this build is offline"):
        fetch(offline)
    output = fetch(by_pointer)
    releases.pointer.unlink()
    assert fetch(offline) == output


def test_an_older_stage3_than_the_last_time_is_refused_as_a_rollback(by_pointer: Context, releases: Releases) -> None:
    fetch(by_pointer)
    older = dataclasses.replace(releases, stamp="20261122T165959Z")
    older.publish()
    with pytest.raises(
        VerificationError, match=r"rollback: names a stage3 of 2026-11-22 16:59 \(expected .* 17:00 or"
    ) as caught:
        fetch(by_pointer)
    assert caught.value.hint == f"stage3_url: {older.tarball.as_uri()} builds of the older one all the same"
    releases.publish()
    fetch(by_pointer)
    by_hand = by_pointer.config.model_copy(update={"stage3_url": older.tarball.as_uri()})
    assert (fetch(dataclasses.replace(by_pointer, config=by_hand)) / older.tarball.name).exists()


def test_another_pointer_may_name_an_older_stage3(by_pointer: Context, releases: Releases) -> None:
    fetch(by_pointer)
    other = dataclasses.replace(releases, folder=releases.folder.with_name("other"), stamp="20261121T170000Z")
    other.publish()
    moved = by_pointer.config.model_copy(update={"stage3_url": other.pointer.as_uri()})
    assert (fetch(dataclasses.replace(by_pointer, config=moved)) / other.tarball.name).exists()


@pytest.mark.parametrize(("days", "stale"), [(61, True), (59, False)])
def test_a_pointer_that_nobody_updates_is_warned_of(
    by_pointer: Context, releases: Releases, messages: io.StringIO, days: int, stale: bool
) -> None:
    made = datetime.now(UTC) - timedelta(days=days, minutes=1)
    dataclasses.replace(releases, stamp=made.strftime("%Y%m%dT%H%M%SZ")).publish()
    fetch(by_pointer)
    assert (f"stale: its newest stage3 was made {days} days ago" in messages.getvalue()) == stale


@pytest.mark.parametrize(
    ("name", "then"),
    [
        ("stage3-amd64-openrc-20261122T170000Z.tar.xz", datetime(2026, 11, 22, 17, tzinfo=UTC)),
        ("stage3-amd64-20160102.tar.bz2", datetime(2016, 1, 2, tzinfo=UTC)),
        ("20261122T170000Z/stage3-latest.tar.xz", None),
        ("stage3-20261399T000000Z.tar.xz", None),
        ("stage3-202611221.tar.xz", None),
    ],
)
def test_when_a_stage3_was_made_is_in_its_name(name: str, then: datetime | None) -> None:
    assert gentoo_release.made(f"https://example.org/{name}") == then


def test_a_signed_list_of_digests_will_do(by_pointer: Context, releases: Releases) -> None:
    releases.list_digests()
    fetch(by_pointer)


def test_a_pinned_tarball_needs_no_signature(by_pointer: Context, releases: Releases) -> None:
    releases.unsign()
    digest = hashlib.sha256(releases.tarball.read_bytes()).hexdigest()
    pinned = Config(stage3_url=releases.tarball.as_uri(), stage3_sha256=digest)
    fetch(dataclasses.replace(by_pointer, config=pinned))
    wrong = Config(stage3_url=releases.tarball.as_uri(), stage3_sha256="0" * 64)
    with pytest.raises(VerificationError, match=rf"digest mismatch \(stage3_sha256 expects 0000.*, got {digest}\)"):
        fetch(dataclasses.replace(by_pointer, config=wrong))


@pytest.mark.parametrize("trusted", [None, ()], ids=["stage3_keys not given", "stage3_keys empty"])
def test_a_pinned_tarball_needs_no_key_on_this_host(
    by_pointer: Context, releases: Releases, monkeypatch: pytest.MonkeyPatch, trusted: tuple[str, ...] | None
) -> None:
    monkeypatch.setattr(openpgp, "_KEY_FOLDERS", ())
    digest = hashlib.sha256(releases.tarball.read_bytes()).hexdigest()
    config = Config(stage3_url=releases.tarball.as_uri(), stage3_sha256=digest, stage3_keys=trusted)
    assert (fetch(dataclasses.replace(by_pointer, config=config)) / releases.tarball.name).is_file()


@pytest.mark.parametrize(("attack", "message"), ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_is_refused_and_leaves_no_trace(
    by_pointer: Context, releases: Releases, attack: Callable[[Releases], object], message: str
) -> None:
    attack(releases)
    with pytest.raises(VerificationError) as caught:
        fetch(by_pointer)
    assert caught.value.status == 4
    assert releases.folder.as_uri() in caught.value.message
    assert message in caught.value.message
    left = {name for name in snapshot(by_pointer.cache) if name not in ("seen.json", "stage3")}
    assert left == set()


def test_text_around_a_signed_pointer_does_not_count(by_pointer: Context, releases: Releases) -> None:
    pointer = releases.pointer
    pointer.write_bytes(b"evil/stage3.tar.xz 1\n" + pointer.read_bytes())
    assert (fetch(by_pointer) / releases.tarball.name).exists()


def test_a_fingerprint_needs_a_key_package(by_pointer: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemy.fetch.openpgp._KEY_FOLDERS", ())
    config = Config(stage3_url=by_pointer.config.stage3_url)
    with pytest.raises(UserError, match="stage3_keys: none of these keys is on this host: 13EBBDBE"):
        gentoo_release.keys(dataclasses.replace(by_pointer, config=config))


def test_a_fingerprint_is_found_in_a_key_package(
    by_pointer: Context, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alchemy.fetch.openpgp._KEY_FOLDERS", (releases.key.public.parent,))
    config = by_pointer.config.model_copy(update={"stage3_keys": (releases.key.fingerprint,)})
    fetch(dataclasses.replace(by_pointer, config=config))


@pytest.fixture
def by_http(by_pointer: Context, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """The context with the pointer on a web server."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server(releases.folder)
    config = by_pointer.config.model_copy(update={"stage3_url": f"{server.url}/{POINTER}"})
    yield dataclasses.replace(by_pointer, config=config)
    server.stop()


@pytest.mark.parametrize(("pointed", "bound"), [(True, None), (False, 1 << 10)], ids=["pointed to", "named"])
def test_no_more_of_a_stage3_is_fetched_than_its_signed_size_or_a_bound(
    by_http: Context, releases: Releases, monkeypatch: pytest.MonkeyPatch, pointed: bool, bound: int | None
) -> None:
    with releases.tarball.open("r+b") as file:
        file.truncate(64 << 20)
    if not pointed:
        monkeypatch.setattr("alchemy.stages.gentoo_release._LARGEST", bound)
        url = by_http.config.stage3_url.replace(POINTER, releases.name)
        by_http = dataclasses.replace(by_http, config=by_http.config.model_copy(update={"stage3_url": url}))
    sizes = []
    real = download.fetch

    def fetch_and_measure(context: Context, url: str, target: Path, **options: Any) -> None:
        real(context, url, target, **options)
        sizes.append(target.stat().st_size)

    monkeypatch.setattr("alchemy.fetch.download.fetch", fetch_and_measure)
    with pytest.raises(VerificationError, match="bytes"):
        fetch(by_http)
    assert max(sizes) < 2 << 20
