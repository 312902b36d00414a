from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, VerificationError
from alchemy.portage import binhosts
from alchemy.portage.preflight import Binary

PACKAGE = b"a signed package of gold\n"
PATH = "app-misc/gold/gold-1-1.gpkg.tar"
INDEX = "file:///mnt/binhosts/1/Packages"


def entry(path: str = PATH, **changes: str | None) -> str:
    """A paragraph of an index, without what is changed to None."""
    fields: dict[str, str | None] = {
        "CPV": "app-misc/gold-1", "PATH": path, "SIZE": str(len(PACKAGE)),
        "SHA1": hashlib.sha1(PACKAGE, usedforsecurity=False).hexdigest(), **changes,
    }  # fmt: skip
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value is not None)


def index(*entries: str, header: str = "") -> str:
    return "\n".join([f"ARCH: amd64\nTIMESTAMP: 1795366800\n{header}", *entries])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a host that has one package."""
    path = tmp_path / "host"
    (path / PATH).parent.mkdir(parents=True)
    (path / PATH).write_bytes(PACKAGE)
    (path / "Packages").write_text(index(entry()), encoding="utf-8")
    return path


@pytest.fixture
def configured(context: Context, folder: Path) -> Context:
    return dataclasses.replace(context, config=Config(binhosts=(folder.as_uri(),)))


def fetch(context: Context, *wanted: Binary) -> binhosts.Binhost:
    (host,) = binhosts.look(context, "system")
    binhosts.fetch(context, [host], wanted or [Binary(index=INDEX, path=PATH)])
    return host


@pytest.mark.parametrize("compressed", [False, True])
def test_a_host_is_copied_as_far_as_it_is_needed(configured: Context, folder: Path, compressed: bool) -> None:
    if compressed:
        (folder / "Packages.gz").write_bytes(gzip.compress((folder / "Packages").read_bytes()))
        (folder / "Packages").unlink()
    host = fetch(configured)
    assert {str(path.relative_to(host.copy)) for path in host.copy.rglob("*") if path.is_file()} == {"Packages", PATH}
    assert (host.copy / "Packages").read_text(encoding="utf-8") == index(entry())
    assert binhosts.binds([host]) == {"/mnt/binhosts/1": host.copy}


def test_the_packages_may_be_elsewhere_and_are_beside_the_index_in_the_copy(
    configured: Context, folder: Path, tmp_path: Path
) -> None:
    (folder / "app-misc").rename(tmp_path / "app-misc")
    (folder / "Packages").write_text(index(entry(), header=f"URI: {tmp_path.as_uri()}\n"), encoding="utf-8")
    host = fetch(configured)
    assert (host.copy / PATH).read_bytes() == PACKAGE
    assert "URI" not in (host.copy / "Packages").read_text(encoding="utf-8")


def test_a_package_that_is_there_is_not_fetched_again(configured: Context, folder: Path) -> None:
    fetch(configured)
    (folder / PATH).unlink()
    fetch(configured)


def test_a_host_without_an_index_is_named_and_left_out(
    configured: Context, folder: Path, messages: io.StringIO
) -> None:
    (folder / "Packages").unlink()
    assert binhosts.look(configured, "system") == []
    assert f"{folder.as_uri()}: no binary packages of this host are used: " in messages.getvalue()


def change(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def with_index(text: str) -> Callable[[Path], None]:
    return lambda folder: change(folder / "Packages", text.encode())


REFUSED = {
    "a package that was changed": (lambda f: change(f / PATH, PACKAGE.upper()), PATH, "digest mismatch (expected SHA1"),
    "a truncated package": (lambda f: change(f / PATH, PACKAGE[:4]), PATH, "truncated (expected 25 bytes, got 4)"),
    "a larger package": (lambda f: change(f / PATH, PACKAGE + b"!"), PATH, "size mismatch (expected 25 bytes"),
    "an entry without a size": (with_index(index(entry(SIZE=None))), PATH, "the index gives no size and digest"),
    "an invalid size": (with_index(index(entry(SIZE="-1"))), PATH, "the index gives no size and digest"),
    "a size beyond bounds": (with_index(index(entry(SIZE=str(1 << 50)))), PATH, "the index gives no size and digest"),
    "an entry without a digest": (with_index(index(entry(SHA1=None))), PATH, "the index gives no size and digest"),
    "a malformed digest": (with_index(index(entry(SHA1="00"))), PATH, "malformed SHA1 digest"),
    "a path upwards": (with_index(index(entry("../gold.gpkg.tar"))), "../gold.gpkg.tar", "malformed path of a package"),
    "a path upwards inside": (lambda _: None, "a/../../gold.gpkg.tar", "malformed path of a package"),
    "an absolute path": (lambda _: None, "/etc/gold.gpkg.tar", "malformed path of a package"),
    "an old format": (lambda _: None, "app-misc/gold-1.tbz2", "malformed path of a package"),
    "no path": (lambda _: None, "", "malformed path of a package (got '')"),
    "an unlisted package": (lambda _: None, "app-misc/lead/lead-1-1.gpkg.tar", "the index gives no size and digest"),
    "packages on the disk": (with_index(index(header="URI: ftp://x\n")), PATH, "unsupported URI of its packages"),
    "a corrupt index": (lambda f: change(f / "Packages.gz", b"gold"), PATH, "Packages.gz: corrupt"),
    "a truncated index": (
        lambda f: change(f / "Packages.gz", gzip.compress(b"gold" * 100)[:-12]), PATH, "Packages.gz: truncated"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("attack", "path", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_host_has_wrong_is_refused(
    configured: Context, folder: Path, attack: Callable[[Path], None], path: str, message: str
) -> None:
    attack(folder)
    with pytest.raises(VerificationError) as caught:
        fetch(configured, Binary(index=INDEX, path=path))
    assert message in caught.value.message
    assert [found.name for found in (configured.work / "binhosts").rglob("*gpkg*")] == []


def test_an_index_that_grows_without_bounds_is_refused(
    configured: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alchemy.portage.binhosts._LARGEST_INDEX", 1 << 20)
    (folder / "Packages.gz").write_bytes(gzip.compress(bytes(8 << 20)))
    with pytest.raises(VerificationError, match="too large"):
        binhosts.look(configured, "system")


def test_a_package_of_a_host_that_is_not_configured_is_refused(configured: Context) -> None:
    with pytest.raises(VerificationError, match="unknown binary package host"):
        fetch(configured, Binary(index="file:///etc/Packages", path=PATH))


def test_all_packages_that_are_gone_are_named(configured: Context, folder: Path) -> None:
    other = "app-misc/lead/lead-1-1.gpkg.tar"
    (folder / "Packages").write_text(index(entry(), entry(other)), encoding="utf-8")
    (folder / PATH).unlink()
    with pytest.raises(BuildError) as caught:
        fetch(configured, *(Binary(index=INDEX, path=path) for path in (PATH, other)))
    assert [f"{name}: not found" in caught.value.message for name in (PATH, other)] == [True, True]


def test_a_host_on_the_network_may_not_name_files_of_this_host(context: Context, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="unsupported URI of its packages"):
        binhosts._read("https://example.org", tmp_path, "/mnt/binhosts/1", index(header="URI: file:///etc\n"))
