"""Files, repositories and servers of others, as their formats allow them: cases that users of such systems reported."""

from __future__ import annotations

import dataclasses
import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from alchemy.commands import build
from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.fetch import download, git, openpgp
from alchemy.host import files
from alchemy.host.chroot import Chroot
from alchemy.portage import repositories, settings
from alchemy.portage.settings import Package, Source
from alchemy.run import Runner
from alchemy.stages import gentoo_release, kernel
from tests import repository
from tests.lib import gits, keys, web

BUGFOO = Package("app-misc", "bugfoo", "1.0", "0", "mine", (), "MIT", 1)
SIGNED = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

DIST bugfoo-1.0.tar.gz 3 BLAKE2B aa SHA512 bb
-----BEGIN PGP SIGNATURE-----

iQEcBAEBCAAGBQJV
=abcd
-----END PGP SIGNATURE-----
"""

MANIFESTS = {
    "signed": (SIGNED, [Source("bugfoo-1.0.tar.gz", "bb")]),
    "keywords of GLEP 74": (
        "TIMESTAMP 2026-01-01T00:00:00Z\nIGNORE local\nMANIFEST a/Manifest 3 SHA512 cc\nOPTIONAL x\n"
        "DIST bugfoo-1.0.tar.gz 3 BLAKE2B aa SHA512 bb\n",
        [Source("bugfoo-1.0.tar.gz", "bb")],
    ),
    "a # in a name": ("DIST bugfoo#1.0.tar.gz 3 SHA512 bb\n", [Source("bugfoo#1.0.tar.gz", "bb")]),
    "an odd number of digests": ("DIST bugfoo-1.0.tar.gz 3 SHA512 bb BLAKE2B\n", [Source("bugfoo-1.0.tar.gz", "bb")]),
    "no digest": ("DIST bugfoo-1.0.tar.gz 3\n", [Source("bugfoo-1.0.tar.gz", "")]),
    "a cut line": ("DIST bugfoo-1.0.tar.gz\nDIST\n\n", []),
    "Latin-1": ("EBUILD f\xfcr 3 SHA512 aa\n", []),
    "empty": ("", []),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_f16_a_manifest_may_be_signed_and_have_every_keyword(tmp_path: Path, name: str) -> None:
    text, sources = MANIFESTS[name]
    folder = tmp_path / "app-misc/bugfoo"
    folder.mkdir(parents=True)
    (folder / "Manifest").write_bytes(text.encode("latin-1"))
    (package,) = settings.with_sources([BUGFOO], {"mine": tmp_path})
    assert list(package.sources) == sources


AUTOCRLF = "[core]\n\tautocrlf = true\n"
LFS = '[filter "lfs"]\n\tsmudge = git-lfs smudge -- %f\n\tprocess = git-lfs filter-process\n\trequired = true\n'
EVERYWHERE = "[core]\n\tattributesFile = ~/attributes\n"


@pytest.fixture
def real(context: Context, real_processes: None) -> Context:
    return dataclasses.replace(context, runner=Runner())


@pytest.mark.parametrize(
    ("configured", "attributes"),
    [
        (AUTOCRLF, ""),
        (LFS, "* filter=lfs\n"),
        (AUTOCRLF, "* text=auto\n"),
        ("", "* text eol=crlf\n"),
        ("", "* working-tree-encoding=UTF-16\n"),
        ("", "* ident\n"),
        ("", "file export-ignore\nother export-subst\n"),
        (EVERYWHERE, ""),
    ],
    ids=["autocrlf", "lfs", "text=auto", "eol=crlf", "encoding", "ident", "export", "attributesFile"],
)
def test_f17_a_checkout_has_the_bytes_of_the_commit_whatever_git_is_configured_to_do(
    real: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str, attributes: str
) -> None:
    texts = {"file": "one\ntwo $Id$\n", "other": "$Format:%H$\n"}
    made = gits.make(tmp_path / "made")
    for name, text in texts.items():
        (made.folder / name).write_text(text)
    if attributes:
        # committed as it is: what the attributes do to the index does not matter here
        (made.folder / ".git/info").mkdir(exist_ok=True)
        (made.folder / ".git/info/attributes").write_text(
            "* -text -filter -ident -working-tree-encoding\n", encoding="ascii"
        )
        (made.folder / ".gitattributes").write_text(attributes, encoding="ascii")
    commit = made.commit("last", "\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(configured, encoding="ascii")
    (home / "attributes").write_text("* text eol=crlf\n", encoding="ascii")
    monkeypatch.setenv("HOME", str(home))
    log = tmp_path / "log"
    git.fetch(real, made.folder.as_uri(), None, commit, tmp_path / "bare", log)
    git.checkout(real, tmp_path / "bare", tmp_path / "files", log)
    git.archive(real, tmp_path / "bare", "linux", tmp_path / "linux.tar.gz", log)
    subprocess.run(["tar", "-xf", "linux.tar.gz"], cwd=tmp_path, check=True)
    for folder in (tmp_path / "files", tmp_path / "linux"):
        assert {name: (folder / name).read_text() for name in texts} == texts


ATOMS = {
    "app-misc/bugfoo::mine": True,
    "=app-misc/bugfoo-1.0:0::mine[static]": True,
    "app-misc/bugfoo:0/1=::my-repo_2[a,-b,c?,!d=,e(+)]": True,
    "~Virtual/libc-1": True,
    "_x/y": True,
    "app-misc/bugfoo::": False,
    "app-misc/bugfoo::-mine": False,
    "app-misc/bugfoo:::mine": False,
    "app-misc/bugfoo[static]::mine": False,
    "@world": False,
    "app-misc/b\xfcgfoo": False,
    "!app-misc/bugfoo": False,
}


@pytest.mark.parametrize("atom", ATOMS)
def test_f19_a_set_takes_the_atoms_that_portage_takes(tmp_path: Path, atom: str) -> None:
    file = tmp_path / "packages.bug"
    file.write_text(f"{atom}\n", encoding="utf-8")
    if ATOMS[atom]:
        assert settings.read_set(file) == [atom]
    else:
        with pytest.raises(UserError, match=r"packages\.bug: not a package atom: "):
            settings.read_set(file)


def test_f19_the_check_of_the_configuration_reads_the_sets_and_names_every_bad_line(context: Context) -> None:
    (context.root / "packages/packages.core").write_text("a/b\nc\x1b[2J\nd/\n", encoding="utf-8")
    with pytest.raises(UserError) as failed:
        build.check_files(context)
    assert failed.value.message.splitlines() == [
        f"{context.root}/packages/packages.core: not a package atom: c\\x1b[2J",
        f"{context.root}/packages/packages.core: not a package atom: d/",
    ]


LAYOUTS = {
    "repo-name = mine\nmasters = gentoo\nthin-manifests = true\n": ("", "mine"),
    "masters=gentoo\nrepo-name=mine # ours\n": ("other\n", "mine"),
    "masters = gentoo\n": ("other\n", "other"),
    "": ("\N{ZERO WIDTH NO-BREAK SPACE}other\r\n", "other"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_f20_layout_conf_names_a_repository_over_its_profiles(tmp_path: Path, layout: str) -> None:
    repo_name, name = LAYOUTS[layout]
    for file, text in {"metadata/layout.conf": layout, "profiles/repo_name": repo_name}.items():
        (tmp_path / file).parent.mkdir()
        if text:
            (tmp_path / file).write_text(text, encoding="utf-8")
    assert repositories.name_of(tmp_path) == name


def test_f20_an_overlay_of_ours_may_have_its_name_in_layout_conf_alone(context: Context) -> None:
    (context.root / "overlays/alchemy/profiles/repo_name").unlink()
    (context.root / "overlays/alchemy/metadata").mkdir()
    (context.root / "overlays/alchemy/metadata/layout.conf").write_text("repo-name = gold\n", encoding="utf-8")
    assert repositories.local(context)["gold"] == context.root / "overlays/alchemy"


@pytest.mark.parametrize("name", ["../x", "a b", "\xe4", "-x", ""])
def test_a_repository_with_another_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/repo_name").write_bytes(f"{name}\n".encode("latin-1"))
    with pytest.raises(UserError, match="not an ebuild repository: no valid name"):
        repositories.name_of(tmp_path)


class Bucket:
    """A web server with `files`, that answers `status` for any other path, as S3 does without the right to list."""

    def __init__(self, status: int) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        bucket = self

        class Handler(web.Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bucket.asked.append(self.path)
                content = bucket.files.get(self.path)
                self.send_response(status if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

        self.handler = Handler
        self.url = ""


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda _: None)
    made = Bucket(getattr(request, "param", 403))
    with web.serving(made.handler) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path, as the socket of gpg's agent needs."""
    with tempfile.TemporaryDirectory(prefix="alchemy-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("bucket", [400, 403, 404, 405, 406, 410, 451], indirect=True)
def test_f21_whatever_a_server_answers_for_a_missing_file_it_is_asked_once(
    context: Context, bucket: Bucket, tmp_path: Path
) -> None:
    with pytest.raises(download.NotThereError, match=r"/x: the server answers 4\d\d "):
        download.fetch(context, f"{bucket.url}/x", tmp_path / "x")
    assert bucket.asked == ["/x"]


@pytest.mark.parametrize("bucket", [401, 407], indirect=True)
def test_f21_missing_credentials_are_not_a_missing_file(context: Context, bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the server answers 40[17].*\nhint: .* ~/\.netrc") as failed:
        download.fetch(context, f"{bucket.url}/x", tmp_path / "x")
    assert not isinstance(failed.value, download.NotThereError)


def test_f21_the_next_name_is_tried_after_a_403_and_the_403_is_named_at_the_end(
    real: Context, bucket: Bucket, tmp_path: Path, short_folder: Path
) -> None:
    key = keys.make(short_folder, "signer")
    bucket.files["/stage3.tar.xz"] = b"content"
    url = f"{bucket.url}/stage3.tar.xz"
    config = Config(stage3_url=url, stage3_keys=(str(key.public),))
    with pytest.raises(VerificationError) as failed:
        gentoo_release.fetch(dataclasses.replace(real, config=config), {"url": url}, tmp_path)
    assert bucket.asked == ["/stage3.tar.xz", *(f"/stage3.tar.xz{end}" for end in (".asc", ".DIGESTS", ".sha256"))]
    assert f"{url}.asc: the server answers 403 Forbidden" in failed.value.message


def test_f25_a_byte_of_latin_1_is_no_reason_to_fail(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"# f\xfcr alle\nnet-misc/curl\n")
    assert files.lines(file) == ["net-misc/curl"]
    assert settings.read_set(file) == ["net-misc/curl"]
    file.write_bytes(b"# f\xfcr alle\nCONFIG_X=y\n")
    assert kernel.read_config([file]) == {"X": "y"}


def test_f28_a_byte_order_mark_and_cr_lf_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbfapp-misc/foo\r\n")
    assert settings.read_set(file) == ["app-misc/foo"]
    file.write_bytes(b"\xef\xbb\xbfCONFIG_X=y\r\n")
    assert kernel.read_config([file]) == {"X": "y"}


def test_f27_a_head_that_names_no_branch_is_said_with_the_branches(real: Context, tmp_path: Path) -> None:
    made = gits.make(tmp_path / "a")
    made.commit("file", "text")
    made.git("symbolic-ref", "HEAD", "refs/heads/master")
    with pytest.raises(UserError, match=r"HEAD names a branch that does not exist\nhint: .*: main$"):
        git.tip(real, made.folder.as_uri(), None, tmp_path / "log")
    with pytest.raises(UserError, match=r"no branch or tag stable\nhint: .*: main$"):
        git.tip(real, made.folder.as_uri(), "stable", tmp_path / "log")


def test_f27_a_repository_without_a_commit_is_empty(real: Context, tmp_path: Path) -> None:
    made = gits.make(tmp_path / "a")
    with pytest.raises(UserError, match="empty repository: it has no branch"):
        git.tip(real, made.folder.as_uri(), None, tmp_path / "log")


def test_f27_submodules_are_said_to_be_missing(real: Context, tmp_path: Path, messages: io.StringIO) -> None:
    made = gits.make(tmp_path / "a")
    (made.folder / "profiles").mkdir()
    (made.folder / "profiles/repo_name").write_text("mine\n", encoding="utf-8")
    made.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/lib")
    made.git("add", "profiles")
    made.git("commit", "--quiet", "-m", "x")
    commit = made.git("rev-parse", "HEAD")
    git.fetch(real, made.folder.as_uri(), None, commit, tmp_path / "bare", tmp_path / "log")
    assert "submodules are not fetched, their folders stay empty: vendor/lib" in messages.getvalue()


def test_f32_gnupg_is_run_without_the_configuration_of_the_host(
    real: Context, tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("bwrap") is None:
        repository.skip_or_fail("bwrap is not installed")
    host = tmp_path / "gnupg"
    host.mkdir()
    (host / "common.conf").write_text("use-keyboxd\n", encoding="ascii")
    monkeypatch.setattr(openpgp, "_HOST_CONFIGURATION", host)
    listed = real.runner.capture(openpgp.unconfigured(["ls", "-A", host]))
    assert listed == ""
    assert (host / "common.conf").exists()
    key = keys.make(short_folder, "signer")
    trusted = openpgp.keyring(real, [str(key.public)], "linux_keys")
    signed = tmp_path / "file"
    signed.write_bytes(b"content")
    found = openpgp.verify_detached(real, trusted, signed, key.detached(b"content"), "file")
    assert found == key.fingerprint


@pytest.fixture
def stage3(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chroot:
    """The root of a stage3 with an empty /etc/portage."""
    monkeypatch.setattr("alchemy.portage.settings.debian_mirror", lambda _: None)
    (tmp_path / "stage3/etc/portage").mkdir(parents=True)
    return Chroot(tmp_path / "stage3")


MAKE_CONFS = {
    "a file in Latin-1": {"make.conf": b'# f\xfcr alle\nUSE="x"\n'},
    "a folder": {
        "make.conf/10-use": b'USE="x"\n', "make.conf/20/more": b'# f\xfcr alle\n', "make.conf/.hidden": b"HIDDEN=1\n",
        "make.conf/old~": b"OLD=1\n",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MAKE_CONFS)
def test_f25_make_conf_of_a_stage3_may_be_a_folder_and_have_any_bytes(
    context: Context, stage3: Chroot, name: str
) -> None:
    for file, content in MAKE_CONFS[name].items():
        path = stage3 / "etc/portage" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    settings.configure(context, stage3, repositories.NONE, [])
    written = (stage3 / "etc/portage/make.conf").read_bytes()
    assert b'USE="x"\n' in written
    assert b"f\xfcr alle" in written
    assert b"HIDDEN" not in written
    assert b"OLD" not in written
    assert written.index(b'USE="x"') < written.index(b"FEATURES=")


def test_f25_our_own_configuration_of_portage_may_have_what_portage_takes(context: Context, stage3: Chroot) -> None:
    ours = context.root / "etc/portage"
    (ours / "package.use").unlink()
    for name in ("package.use/net", "env/debug.conf", "patches/a/b/fix.patch", "bashrc", "package.env"):
        (ours / name).parent.mkdir(parents=True, exist_ok=True)
        (ours / name).write_text(f"# {name}\n", encoding="utf-8")
    settings.configure(context, stage3, repositories.NONE, [])
    target = stage3 / "etc/portage"
    for name in ("package.use/net", "env/debug.conf", "patches/a/b/fix.patch", "bashrc"):
        assert (target / name).read_text(encoding="utf-8") == f"# {name}\n"
    assert (target / "package.env/alchemy").read_text(encoding="utf-8") == "# package.env\n"
    assert not list(target.rglob("*.j2"))


@pytest.mark.parametrize("file", ["SIZE", "LICENSE", "PF"])
def test_a_database_with_bytes_of_others_is_read_or_refused_with_its_path(tmp_path: Path, file: str) -> None:
    entry = tmp_path / "var/db/pkg/app-misc/bugfoo-1.0"
    entry.mkdir(parents=True)
    (tmp_path / "var/db/pkg/app-misc/-MERGING-bugfoo-1.0").mkdir()
    (tmp_path / "var/db/pkg/app-misc/.bugfoo:0.portage_lockfile").touch()
    (entry / file).write_bytes(b"\xfc \xb2")
    if file == "PF":
        with pytest.raises(VerificationError, match=r"/var/db/pkg/app-misc/bugfoo-1\.0: not a package"):
            settings.installed(tmp_path)
    else:
        (package,) = settings.installed(tmp_path)
        assert (package.name, package.version, package.size) == ("bugfoo", "1.0", 0)
