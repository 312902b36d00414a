"""ebuild.outdated: ebuilds beside recorded answers of upstream and of Debian."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from datetime import date
from pathlib import Path

import pytest

from alchemy.commands import outdated
from alchemy.commands.outdated import Answers, Row
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.fetch import debian_sources, download, python_index, upstream
from alchemy.portage import settings, sources
from alchemy.portage.ebuilds import Ebuild
from alchemy.stages import stage3
from tests.unit.fakes import FakeRunner

TODAY = date(2026, 11, 28)
POOL = "mirror://debian/pool/main/g/gold/gold_1.tar.gz"


def ebuild(
    version: str, uri: str = f"{POOL} -> gold.tar.gz", restrict: str = "", folder: Path = Path("/x/app-misc/gold")
) -> Ebuild:
    variables = {"SRC_URI": uri, "RESTRICT": restrict, "LICENSE": "MIT", "SLOT": "0/3", "HOMEPAGE": "https://g.example"}
    return Ebuild(folder / f"gold-{version}.ebuild", "app-misc", "gold", version, variables)


def row(version: str, released: str | None = None, stable: str = "", newest: str = "") -> Row:
    key = ("app-misc/gold", "0")
    suites = {"trixie": [stable] if stable else [], "sid": [newest] if newest else []}
    answers = Answers(
        upstream={key: released} if released else {},
        reasons={} if released else {key: "g.example cannot be reached"},
        debian={"gold": suites},
        stable="trixie",
        published={"gold.tar.gz": date(2026, 11, 18)},
    )
    (found,) = outdated.compare([ebuild(version)], answers, TODAY)
    return found


@pytest.mark.parametrize(
    ("version", "released", "stable", "newest", "status", "reason"),
    [
        ("1.2", "1.2", "", "", "current", ""),
        ("1.2-r3", "1.2.0", "1.1-1", "1.2-4", "current", ""),
        ("1.2", "1.10", "", "", "behind", "1.10 is newer"),
        ("1.9.16_p2", "1.9.17p1", "", "", "behind", "1.9.17p1 is newer"),
        ("1.9.17_p2", "1.9.17p2", "1.9.16p2-3+deb13u5", "", "current", ""),
        ("1.2", "1.2", "1.1-1", "1.3-1", "behind", "1.3 is newer"),
        ("1.2", None, "1.1-1", "1.3-1", "behind", "1.3 is newer"),
        # never current by Debian alone
        ("1.2", None, "1.2-1", "1.2-9", "unknown", "g.example cannot be reached"),
        ("1.2", None, "", "", "unknown", "g.example cannot be reached"),
        ("1.3", "1.2", "", "", "current", ""),
        # what Debian makes of a version
        ("2.9.14", None, "", "2.12.7+dfsg+really2.9.14-2.1", "unknown", "g.example cannot be reached"),
        ("1.3.1", None, "", "1:1.3.dfsg+really1.3.2-4", "behind", "1.3.2 is newer"),
        ("2.2.0_p20200805", None, "", "2.2.0+git20200805-1.2", "unknown", "g.example cannot be reached"),
        ("6.5_p20250216", None, "", "6.6+20260608-2", "behind", "6.6_p20260608 is newer"),
        ("20250419", None, "", "20260816+nmu1", "behind", "20260816 is newer"),
        ("1.2", None, "", "1:1.3~rc2-1", "behind", "1.3_rc2 is newer"),
        ("1.2", None, "", "not a version", "unknown", "g.example cannot be reached"),
        # Debian's patches to the same release
        ("1.2", "1.2", "1.2-1+deb13u2", "1.2-4", "current", "Debian patches it (1.2-1+deb13u2)"),
        ("1.2", "1.2", "1.2-1~deb13u1", "1.2-1", "current", ""),
        ("1.2", "1.2", "1.2-1~deb13u3", "1.2-1", "current", "Debian patches it (1.2-1~deb13u3)"),
        ("1.2", "1.3", "1.2-1+deb13u2", "", "behind", "1.3 is newer; Debian patches it (1.2-1+deb13u2)"),
        ("1.3", "1.3", "1.2-1+deb13u2", "", "current", ""),
    ],
)
def test_an_ebuild_is_behind_what_is_newer(
    version: str, released: str | None, stable: str, newest: str, status: str, reason: str
) -> None:
    found = row(version, released, stable, newest)
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.parametrize(
    ("revision", "stable", "patches"),
    [
        ("-1+deb13u2", "1.2-1+deb13u2", None),
        ("-1+deb13u2", "1:1.2-1+deb13u2", None),
        ("-1+deb13u1", "1.2-1+deb13u2", "1.2-1+deb13u2"),
        ("-1", "1.2-1+deb13u2", "1.2-1+deb13u2"),
    ],
)
def test_an_ebuild_that_repacks_a_binary_package_has_its_patches(
    revision: str, stable: str, patches: str | None
) -> None:
    uri = f"mirror://debian/pool/main/g/gold/gold_1.2{revision}_amd64.deb"
    answers = Answers({}, {}, {"gold": {"trixie": [stable]}}, "trixie", {})
    (found,) = outdated.compare([ebuild("1.2", uri)], answers, TODAY)
    assert found.debian_patches == patches


def test_a_row_has_the_versions_and_the_age() -> None:
    found = row("1.2", "1.3", "1.1-1", "1.2-4").as_json()
    assert found == {
        "atom": "app-misc/gold", "slot": "0", "version": "1.2", "upstream": "1.3", "debian_stable": "1.1-1",
        "debian_newest": "1.2-4", "debian_patches": None, "published": "2026-11-18", "age_days": 10, "status": "behind",
        "reason": "1.3 is newer",
    }  # fmt: skip


def test_the_table_begins_with_what_is_behind() -> None:
    rows = [row("1.2", "1.3"), row("1.2")]
    lines = outdated.text(rows).splitlines()
    assert lines[1].split() == ["app-misc/gold", "1.2", "1.3", "-", "-", "10", "d", "behind:", "1.3", "is", "newer"]
    assert lines[-1] == "1 behind, 1 unknown, 0 current"


def test_offline_nothing_is_claimed(context: Context) -> None:
    context = dataclasses.replace(context, config=Config(offline=True))
    with pytest.raises(UserError, match="offline"):
        outdated.check(context, TODAY)


REFS = "\n".join(
    f"{'0' * 40}\trefs/tags/{tag}"
    for tag in (
        "v1.9",
        "v1.10",
        "v1.10^{}",
        "gold-1_11",
        "2.0-rc1",
        "GOLD_1_12_1",
        "20261101",
        "nightly",
        "1.8p1",
        "<x>",
    )
)


@pytest.mark.parametrize(
    ("current", "found"),
    [("1.9", ["1.9", "1.10", "1.11", "1.12.1", "1.8p1"]), ("20250101", ["20261101"])],
)
def test_tags_are_versions(context: Context, runner: FakeRunner, current: str, found: list[str]) -> None:
    runner.answers["git"] = REFS
    assert upstream.Lookup(context).tags("https://git.example/gold", current) == found
    assert runner.calls[0].env == {"GIT_TERMINAL_PROMPT": "0"}


PAGE = b"""<a href="gold-1.9.tar.gz">x</a> <A HREF='no'> <a href="/up/gold-1.10.tar.gz">x</a>
<a href="gold-1.11.tar.gz.asc">x</a> <a href="gold-2.0rc1.tar.gz">x</a> <a href="lead-3.tar.gz">x</a>"""


def index(*versions: str) -> bytes:
    """A page of the Python package index, as PEP 503 describes it."""
    names = [f"portage-{version}.tar.gz" for version in versions] + [
        "portage-99-py3-none-any.whl",
        "portage-98rc1.tar.gz",
    ]
    return "".join(f'<a href="../../packages/{name}#sha256=00">{name}</a>' for name in names).encode()


# what the index answers, and what is said of the Portage that the stage3 has
PORTAGES = {
    "a newer one": (index("3.0.9", stage3.PORTAGE, "3.0.100"), "3.0.100", "behind", "3.0.100 is newer"),
    "no newer one": (index("3.0.9", stage3.PORTAGE), stage3.PORTAGE, "current", ""),
    "none": (b"", None, "unknown", "the Python package index has no source archive of portage"),
    "no answer": (BuildError("pypi.example cannot be reached"), None, "unknown", "pypi.example cannot be reached"),
}


@pytest.mark.parametrize(("answer", "newest", "status", "reason"), PORTAGES.values(), ids=PORTAGES)
def test_the_portage_of_the_stage3_is_behind_what_is_newer(
    context: Context, monkeypatch: pytest.MonkeyPatch, answer: bytes | BuildError,
    newest: str | None, status: str, reason: str
) -> None:  # fmt: skip
    def small(_: Context, url: str, **__: object) -> bytes:
        assert url == "https://index.example/simple/portage/"
        if isinstance(answer, BuildError):
            raise answer
        return answer

    found = python_index.Index(("https://index.example/simple",), (), {})
    monkeypatch.setattr(python_index, "configured", lambda *_: found)
    monkeypatch.setattr("alchemy.fetch.download.small", small)
    row = outdated.portage(context)
    assert (row.atom, row.version, row.upstream) == ("sys-apps/portage", stage3.PORTAGE, newest)
    assert (row.status, row.reason) == (status, reason)


def test_an_index_without_portage_is_passed_over(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(_: Context, url: str, **__: object) -> bytes:
        if url != "file:///srv/simple/portage/index.html":
            raise download.NotThereError(f"{url}: not found")
        return index(stage3.PORTAGE)

    found = python_index.Index(("https://index.example/simple", "file:///srv/simple"), (), {})
    monkeypatch.setattr(python_index, "configured", lambda *_: found)
    monkeypatch.setattr("alchemy.fetch.download.small", small)
    assert outdated.portage(context).status == "current"


def test_files_beside_a_tarball_are_versions(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemy.fetch.download.small", lambda *_, **__: PAGE)
    found = upstream.Lookup(context).listed("https://g.example/up/gold-1.9.tar.gz", "1.9")
    assert found == ["1.9", "1.10", "2.0rc1"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BuildError("connection refused"), "g.example cannot be reached"), (UserError("404 Not Found"), "404 Not Found")],
)
def test_a_host_that_cannot_be_reached_is_asked_once(
    context: Context, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    asked = []

    def fail(_: Context, url: str, **__: object) -> bytes:
        asked.append(url)
        raise error

    monkeypatch.setattr("alchemy.fetch.download.small", fail)
    lookup = upstream.Lookup(context)
    for _ in range(2):
        with pytest.raises(BuildError, match=reason):
            lookup.listed("https://g.example/up/gold-1.9.tar.gz", "1.9")
    assert len(asked) == (1 if isinstance(error, BuildError) else 2)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (ebuild("1", uri=""), "it has no source file"),
        (ebuild("1", uri="gold.zip", restrict="fetch"), "its files are fetched by hand"),
        (ebuild("1"), "metadata.xml and SRC_URI name no upstream"),
        (ebuild("1", uri="https://g.example/latest.tar.gz"), "has no version in its name"),
        (ebuild("1", uri="https://github.com/gold/gold/archive/1.tar.gz"), "https://github.com/gold/gold: no versions"),
    ],
)
def test_what_is_not_known_is_told(context: Context, runner: FakeRunner, found: Ebuild, reason: str) -> None:
    context = dataclasses.replace(context, config=Config())
    runner.answers["git"] = "<html>no versions here</html>"
    answers = _look(context, [found])
    (compared,) = outdated.compare([found], answers, TODAY)
    assert compared.status == "unknown"
    assert reason in compared.reason


def _look(context: Context, found: list[Ebuild]) -> Answers:
    """The answers of a host without Debian's mirrors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(debian_sources, "versions", lambda _: {})
        patch.setattr(settings, "debian_mirror", lambda _: None)
        return outdated.look(context, found)


def test_metadata_names_the_repository_of_upstream(context: Context, runner: FakeRunner, tmp_path: Path) -> None:
    folder = tmp_path / "app-misc/gold"
    folder.mkdir(parents=True)
    (folder / "metadata.xml").write_text('<remote-id type="github">gold/mine</remote-id>\n', encoding="utf-8")
    runner.answers["git"] = REFS
    found = ebuild("1.9", folder=folder)
    assert _look(context, [found]).upstream == {("app-misc/gold", "0"): "1.12.1"}
    assert runner.calls[0].argv == ["git", "ls-remote", "--tags", "https://github.com/gold/mine"]


@pytest.mark.parametrize(("content", "day"), [("tar", date(2025, 1, 2)), ("noise", None)])
def test_a_source_is_as_old_as_what_is_packed_in_it(context: Context, content: str, day: date | None) -> None:
    path = sources.folder(context) / "gold.tar.gz"
    if content == "tar":
        with tarfile.open(path, "w:gz") as archive:
            for name, time in (("a", 1600000000), ("b", 1735787045)):
                member = tarfile.TarInfo(name)
                member.mtime = time
                archive.addfile(member, io.BytesIO())
    else:
        path.write_bytes(b"\x1f\x8bnoise")
    assert _look(context, [ebuild("1")]).published == ({"gold.tar.gz": day} if day else {})


def test_debians_versions_are_those_of_its_signed_indexes(
    context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "alchemy.fetch.debian.debian_sources",
        lambda _, suite: [f"deb http://m.example/debian {suite} main", f"deb http://s.example/s {suite}-security main"],
    )
    lists = context.work / "debian-sources/state/lists"
    stable = "Package: gold\nVersion: 1:1.2-1\n\nPackage: tin\nVersion: 3\n"
    written = []

    def update(argv: list[str]) -> None:
        written.extend((context.work / "debian-sources/etc/sources.list").read_text().splitlines())
        for name, text in {
            "m.example_debian_dists_trixie_main_source_Sources": stable,
            "m.example_debian_dists_sid_main_source_Sources": "Package: gold\nBinary: gold\nVersion: 1:1.3-1\n",
        }.items():
            (lists / name).write_text(text, encoding="utf-8")

    runner.on_run = update
    assert debian_sources.versions(context) == {
        "gold": {"trixie": ["1:1.2-1"], "sid": ["1:1.3-1"]},
        "tin": {"trixie": ["3"]},
    }
    assert [line.split("] ")[1] for line in written] == [
        "http://m.example/debian trixie main",
        "http://s.example/s trixie-security main",
        "http://m.example/debian trixie-backports main",
        "http://m.example/debian sid main",
    ]
    assert all(line.startswith("deb-src [signed-by=") for line in written)
    assert not (context.work / "debian-sources").exists()
