from __future__ import annotations

import dataclasses
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.fetch import pins
from alchemy.run import Runner
from alchemy.stages import linux
from tests.lib import gits, keys
from tests.lib.gits import Repository
from tests.unit.fakes import FakeRunner

MIRROR = "Debian|trixie|http://mirror.example/debian/\n"
MADISON = "linux-source-6.12 | 6.12.57-1 | http://mirror.example/debian trixie/main amd64 Packages\n"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


def fetch(context: Context, runner: FakeRunner, output: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    runner.answers["apt-get"] = MIRROR

    def debian(argv: list[str]) -> None:
        """apt-get and dpkg-deb, with a package that holds `content`."""
        if argv[0] == "apt-cache":
            runner.answers["apt-cache"] = "linux-source-6.12\n" if "pkgnames" in argv else MADISON
        if "download" in argv:
            (output / "linux-source-6.12_6.12.57-1_all.deb").touch()
        if argv[0] == "dpkg-deb":
            (Path(argv[-1]) / content).parent.mkdir(parents=True)
            (Path(argv[-1]) / content).write_text("source", encoding="utf-8")

    runner.on_run = debian
    linux.stage(context, {}, {}).build(output, {})


def test_the_source_of_a_debian_package_is_its_tarball_with_its_version(
    context: Context, runner: FakeRunner, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(context, runner, output, "usr/src/linux-source-6.12.tar.xz", monkeypatch)
    assert sorted(path.name for path in output.iterdir()) == ["debian-version", "linux-source-6.12.tar.xz"]
    assert (output / "debian-version").read_text(encoding="ascii") == "6.12.57-1\n"


@pytest.mark.parametrize(
    ("kernel_ver", "wanted"), [("latest", "linux-source-6.12"), ("6.12.57-1", "linux-source-6.12=6.12.57-1")]
)
def test_a_version_of_a_debian_package_can_be_asked_for(
    context: Context, runner: FakeRunner, output: Path, monkeypatch: pytest.MonkeyPatch, kernel_ver: str, wanted: str
) -> None:
    context = dataclasses.replace(context, config=Config(kernel_ver=kernel_ver))
    fetch(context, runner, output, "usr/src/linux-source-6.12.tar.xz", monkeypatch)
    assert [call.argv[-2:] for call in runner.calls if "download" in call.argv] == [["download", wanted]]


def test_a_debian_package_without_a_kernel_source_is_the_users_error(
    context: Context, runner: FakeRunner, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"linux_url: Debian's linux-source-6\.12 contains no kernel source"):
        fetch(context, runner, output, "usr/src/other.tar.xz", monkeypatch)


# ── a tarball ────────────────────────────────────────────────────────────────────────────────────────────────────


def tar() -> bytes:
    """The source of a kernel."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as made:
        made.addfile(tarfile.TarInfo("linux-6.12/Makefile"))
    return content.getvalue()


CONTENT = tar()


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    path = tmp_path / "mirror/linux-6.12.tar.xz"
    path.parent.mkdir()
    path.write_bytes(lzma.compress(CONTENT))
    return path


def signed(context: Context, tarball: Path, key: keys.Key) -> Context:
    config = Config(linux_url=tarball.as_uri(), linux_keys=(str(key.public),))
    return dataclasses.replace(context, config=config, runner=Runner())


Sign = Callable[[Path, keys.Key], None]


def sign_content(path: Path, key: keys.Key) -> None:
    """As kernel.org does."""
    path.with_suffix(".sign").write_bytes(key.detached(CONTENT))


def sign_file(suffix: str) -> Sign:
    def sign(path: Path, key: keys.Key) -> None:
        path.with_name(path.name + suffix).write_bytes(key.detached(path.read_bytes()))

    return sign


SIGNERS = [sign_content, sign_file(".asc"), sign_file(".sig"), sign_file(".sign")]


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("sign", SIGNERS)
def test_a_tarball_may_be_signed_as_it_is_or_as_kernel_org_does(
    context: Context, tarball: Path, output: Path, secrets: Mapping[str, keys.Key], sign: Sign
) -> None:
    sign(tarball, secrets["ours"])
    linux.stage(signed(context, tarball, secrets["ours"]), {}, {}).build(output, {})
    assert [path.name for path in output.iterdir()] == [tarball.name]


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("sign", SIGNERS)
def test_a_tarball_signed_by_another_or_changed_since_is_refused(
    context: Context, tarball: Path, output: Path, secrets: Mapping[str, keys.Key], sign: Sign
) -> None:
    sign(tarball, secrets["other"])
    stage = linux.stage(signed(context, tarball, secrets["ours"]), {}, {})
    with pytest.raises(VerificationError, match="not trusted"):
        stage.build(output, {})
    sign(tarball, secrets["ours"])
    tarball.write_bytes(lzma.compress(CONTENT + bytes(512)))
    with pytest.raises(VerificationError, match="bad signature"):
        stage.build(output, {})


@pytest.mark.usefixtures("real_processes")
def test_a_tarball_without_a_signature_is_refused(
    context: Context, tarball: Path, output: Path, secrets: Mapping[str, keys.Key]
) -> None:
    with pytest.raises(VerificationError, match=r": not signed \(expected"):
        linux.stage(signed(context, tarball, secrets["ours"]), {}, {}).build(output, {})


@pytest.mark.usefixtures("real_processes")
def test_what_is_signed_has_to_be_a_whole_tarball(
    context: Context, tarball: Path, output: Path, secrets: Mapping[str, keys.Key]
) -> None:
    sign_content(tarball, secrets["ours"])
    tarball.write_bytes(tarball.read_bytes()[:-8])
    with pytest.raises(VerificationError, match="truncated or corrupt tarball"):
        linux.stage(signed(context, tarball, secrets["ours"]), {}, {}).build(output, {})


@pytest.mark.usefixtures("real_processes")
def test_a_tarball_is_not_decompressed_without_bounds_before_it_is_verified(
    context: Context, tarball: Path, output: Path, secrets: Mapping[str, keys.Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alchemy.stages.linux._LARGEST_SOURCE", 1 << 20)
    tarball.write_bytes(lzma.compress(bytes(32 << 20)))
    sign_content(tarball, secrets["other"])
    context = signed(context, tarball, secrets["ours"])
    with pytest.raises(VerificationError, match="unpacks to more than 1 MiB"):
        linux.stage(context, {}, {}).build(output, {})
    assert sum(path.stat().st_size for path in context.work.rglob("*") if path.is_file()) <= 1 << 20


@pytest.mark.parametrize("pinned", [False, True])
def test_a_tarball_that_is_no_kernel_by_its_size_is_refused(
    context: Context, tarball: Path, output: Path, monkeypatch: pytest.MonkeyPatch, pinned: bool
) -> None:
    monkeypatch.setattr("alchemy.stages.linux._LARGEST_TARBALL", 1 << 10)
    tarball.write_bytes(bytes(1 << 20))
    config = Config(linux_url=tarball.as_uri(), linux_sha256="0" * 64 if pinned else None)
    with pytest.raises(VerificationError, match=f"{tarball.as_uri()}: "):
        linux.stage(dataclasses.replace(context, config=config), {}, {}).build(output, {})


# ── git ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def repository(tmp_path: Path, real_processes: None) -> Repository:
    made = gits.make(tmp_path / "linux.git")
    for version in ("6.12", "6.13"):
        made.commit("Makefile", f"{version}\n")
        made.git("tag", "--annotate", "-m", version, f"v{version}")
    made.git("branch", "stable", "v6.12")
    return made


@pytest.mark.parametrize(
    ("kernel_ver", "version"),
    [("latest", "6.13"), ("v6.12", "6.12"), ("6.12", "6.12"), ("stable", "6.12"), ("main", "6.13")],
)
def test_a_branch_or_a_tag_or_a_version_is_fetched(
    context: Context, repository: Repository, tmp_path: Path, kernel_ver: str, version: str
) -> None:
    config = Config(linux_url=repository.folder.as_uri(), kernel_ver=kernel_ver)
    context = dataclasses.replace(context, config=config, runner=Runner())
    assert linux.stage(context, {}, {}).key is None
    stage = linux.stage(context, pins.look(context, filter(None, [linux.source(context)]), {}), {})
    assert stage.inputs["commit"] == repository.git("rev-parse", f"v{version}^{{commit}}")
    stage.make()
    (tarball,) = stage.output.glob("linux-*.tar.gz")
    context.runner.run(["tar", "-xf", tarball, "-C", tmp_path])
    assert (tmp_path / "linux/Makefile").read_text(encoding="utf-8") == f"{version}\n"


def test_a_version_that_is_nowhere_is_named(context: Context, repository: Repository) -> None:
    config = Config(linux_url=repository.folder.as_uri(), kernel_ver="6.99")
    context = dataclasses.replace(context, config=config, runner=Runner())
    with pytest.raises(UserError, match=r"linux\.git: no branch or tag v6\.99"):
        pins.look(context, filter(None, [linux.source(context)]), {})
