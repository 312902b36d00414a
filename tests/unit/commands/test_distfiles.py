"""release.distfiles: the sources of the image in bin/, without those that nobody may publish."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from alchemy.commands import distfiles
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.portage import settings
from alchemy.run import Runner

pytestmark = pytest.mark.usefixtures("real_processes")

GOLD, LEAD, LINUX = b"gold" * 50, b"lead" * 50, b"linux" * 50


def _sha512(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


def _package(name: str, licence: str, content: bytes, repository: str = "embedded") -> dict[str, Any]:
    sources = [{"name": f"{name}.tar.gz", "sha512": _sha512(content)}]
    named = {"category": "app-misc", "name": name, "version": "1", "licence": licence}
    return {**named, "repository": repository, "sources": sources}


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def built(context: Context, monkeypatch: pytest.MonkeyPatch) -> Context:
    """The context of an image of app-misc/gold, and of app-misc/lead, which only its user may fetch."""
    monkeypatch.setattr(settings, "debian_mirror", lambda _: None)
    for name, restrict in (("gold", ""), ("lead", "bindist fetch mirror")):
        text = (
            f'EAPI=8\nSRC_URI="{name}.tar.gz"\nRESTRICT="{restrict}"\nLICENSE="MIT"\nSLOT="0"\nHOMEPAGE="https://x"\n'
        )
        _write(context.root / f"overlays/embedded/app-misc/{name}/{name}-1.ebuild", text)
    context.cache.mkdir(mode=0o700)
    (context.cache / "distfiles").mkdir()
    _write(context.cache / "distfiles/gold.tar.gz", GOLD)
    _write(context.root / "distfiles/lead.tar.gz", LEAD)
    for name in ("linux-0", "linux-1"):
        _write(context.cache / f"kernel/{name}/linux-source-{name[-1]}.tar.xz", LINUX)
        _write(context.cache / f"kernel/{name}/identity", name)
    packages = [_package("gold", "MIT", GOLD), _package("lead", "Lead-EULA", LEAD)]
    _manifest(context, packages)
    return dataclasses.replace(context, runner=Runner())


def _manifest(context: Context, packages: list[dict[str, Any]], linux: str = "linux-1") -> None:
    inputs = {"linux": {"sha256": linux}}
    _write(context.bin / "manifest.json", json.dumps({"packages": packages, "inputs": inputs}))


def test_the_sources_of_packages_and_kernel_are_in_one_folder(built: Context, tmp_path: Path) -> None:
    said = distfiles.collect(built, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "gold.tar.gz": GOLD,
        "linux-source-1.tar.xz": LINUX,
        "layout.conf": b"[structure]\n0=flat\n",
        "SHA512SUMS": f"{_sha512(GOLD)}  gold.tar.gz\n{_sha512(LINUX)}  linux-source-1.tar.xz\n".encode(),
    }
    assert said.splitlines() == [
        f"{tmp_path}/out: 2 source files, 0 MiB",
        "left out: lead.tar.gz (app-misc/lead-1: licence Lead-EULA)",
    ]
    assert distfiles.collect(built, tmp_path / "out") == said


@pytest.mark.parametrize(
    ("accepted", "left_out"), [((), False), (("Tin-EULA",), True), (("@EULA",), True), (("Other-EULA",), False)]
)
def test_a_licence_that_had_to_be_accepted_may_forbid_to_publish(
    built: Context, tmp_path: Path, accepted: tuple[str, ...], left_out: bool
) -> None:
    _write(built.cache / "distfiles/tin.tar.gz", b"tin")
    _manifest(built, [_package("tin", "|| ( MIT Tin-EULA )", b"tin", "gentoo")])
    built = dataclasses.replace(built, config=Config(accept_licenses=accepted))
    said = distfiles.collect(built, tmp_path / "out")
    assert (tmp_path / "out/tin.tar.gz").exists() != left_out
    assert ("left out: tin.tar.gz (app-misc/tin-1: licence || ( MIT Tin-EULA ) may forbid it)" in said) == left_out


def test_a_source_that_the_cache_lacks_is_fetched_by_its_manifest(built: Context, tmp_path: Path) -> None:
    (built.cache / "distfiles/gold.tar.gz").unlink()
    entry = f"DIST gold.tar.gz {len(GOLD)} BLAKE2B {hashlib.blake2b(GOLD).hexdigest()} SHA512 {_sha512(GOLD)}\n"
    _write(built.root / "overlays/embedded/app-misc/gold/Manifest", entry)
    _write(tmp_path / "mirror/gold.tar.gz", GOLD)
    with pytest.raises(BuildError, match=r"gold.tar.gz, of app-misc/gold-1"):
        distfiles.collect(built, tmp_path / "out")
    mirrored = dataclasses.replace(built, config=Config(mirrors=(str(tmp_path / "mirror"),)))
    distfiles.collect(mirrored, tmp_path / "out")
    assert (tmp_path / "out/gold.tar.gz").read_bytes() == GOLD


def test_sources_of_unknown_places_are_listed(built: Context, tmp_path: Path) -> None:
    _manifest(built, [_package("tin", "MIT", b"tin", "gentoo"), _package("zinc", "MIT", b"zinc", "gentoo")])
    with pytest.raises(UserError) as caught:
        distfiles.collect(built, tmp_path / "out")
    assert caught.value.message.splitlines()[1:] == ["  app-misc/tin-1: tin.tar.gz", "  app-misc/zinc-1: zinc.tar.gz"]
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_that_of_the_image_is_refused(built: Context, tmp_path: Path) -> None:
    _write(built.cache / "distfiles/gold.tar.gz", LEAD)
    with pytest.raises(VerificationError, match=r"gold.tar.gz: digest mismatch"):
        distfiles.collect(built, tmp_path / "out")


def test_a_folder_with_other_files_is_left_alone(built: Context, tmp_path: Path) -> None:
    _write(tmp_path / "out/secret", "mine")
    with pytest.raises(UserError, match=r"has other files \(secret\)"):
        distfiles.collect(built, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["secret"]
    with pytest.raises(UserError, match="not a folder"):
        distfiles.collect(built, tmp_path / "out/secret")


def test_a_kernel_that_the_cache_lacks_is_said(built: Context, tmp_path: Path) -> None:
    _manifest(built, [], linux="linux-9")
    assert "left out: the kernel's source is not in the cache" in distfiles.collect(built, tmp_path / "out")


def test_there_is_an_image_first(context: Context, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        distfiles.collect(context, tmp_path / "out")
