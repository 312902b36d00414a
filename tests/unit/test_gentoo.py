from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from alchemy import gentoo, pins, stage3
from alchemy.config import Config
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.run import Runner
from tests.gentoo import ATTACKS, POINTER, Releases, throw_away_keys
from tests.unit import keys
from tests.unit.fakes import snapshot

pytestmark = pytest.mark.usefixtures("real_processes")


@pytest.fixture(scope="module")
def secrets() -> Iterator[Mapping[str, keys.Key]]:
    with throw_away_keys() as made:
        yield made


@pytest.fixture
def releases(tmp_path: Path, secrets: Mapping[str, keys.Key]) -> Releases:
    made = Releases(tmp_path / "mirror", secrets)
    made.publish()
    return made


@pytest.fixture
def by_pointer(context: Context, releases: Releases) -> Context:
    trusted = (str(releases.key.public), str(releases.secrets["old"].public))
    config = Config(stage3_url=releases.pointer.as_uri(), stage3_keys=trusted)
    return dataclasses.replace(context, config=config, runner=Runner())


def fetch(context: Context) -> Path:
    pins.look(context, filter(None, [gentoo.pointer(context)]))
    stage = stage3.stage(context)
    stage.make()
    return stage.output


def test_a_pointer_leads_to_a_verified_tarball(by_pointer: Context, releases: Releases) -> None:
    assert stage3.stage(by_pointer).key is None
    assert (fetch(by_pointer) / releases.tarball.name).read_bytes() == releases.tarball.read_bytes()


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


def test_a_signed_list_of_digests_will_do(by_pointer: Context, releases: Releases) -> None:
    releases.list_digests()
    fetch(by_pointer)


def test_a_pinned_tarball_needs_no_signature(by_pointer: Context, releases: Releases) -> None:
    releases.unsign()
    digest = hashlib.sha256(releases.tarball.read_bytes()).hexdigest()
    pinned = Config(stage3_url=releases.tarball.as_uri(), stage3_sha256=digest)
    fetch(dataclasses.replace(by_pointer, config=pinned))
    wrong = Config(stage3_url=releases.tarball.as_uri(), stage3_sha256="0" * 64)
    with pytest.raises(VerificationError, match=f"has the SHA-256 {digest}, not 0000"):
        fetch(dataclasses.replace(by_pointer, config=wrong))


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
    monkeypatch.setattr("alchemy.openpgp._KEY_FOLDERS", ())
    config = Config(stage3_url=by_pointer.config.stage3_url)
    with pytest.raises(UserError, match="stage3_keys: none of these keys is on this host: 13EBBDBE"):
        gentoo.keys(dataclasses.replace(by_pointer, config=config))


def test_a_fingerprint_is_found_in_a_key_package(
    by_pointer: Context, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alchemy.openpgp._KEY_FOLDERS", (releases.key.public.parent,))
    config = by_pointer.config.model_copy(update={"stage3_keys": (releases.key.fingerprint,)})
    fetch(dataclasses.replace(by_pointer, config=config))
