from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import UserError, VerificationError
from alchemy.portage import buildroot, preflight, repositories
from tests.unit.fakes import FakeRunner


def demand(**values: object) -> dict[str, object]:
    return {"package": "sys-block/tool-1", "page": "https://example.org", "files": [], "unknown": [],
            "licences": [], **values}  # fmt: skip


@pytest.fixture(autouse=True)
def script(context: Context) -> None:
    (context.root / "chroot").mkdir(exist_ok=True)
    (context.root / "chroot/by-hand.py").write_text("print()", encoding="utf-8")


SETS = {"packages/packages.core": ["sys-apps/gold", "sys-apps/lead[static]"], "packages/packages.util": ["a/b"]}


def check(
    context: Context,
    runner: FakeRunner,
    *demands: dict[str, object],
    refusal: str = "",
    said: str = "",
    **more: object,
) -> preflight.Needs:
    answer = {"said": said or refusal, "refusal": refusal, "demands": demands, **more}
    return read(context, runner, json.dumps(answer))


def read(context: Context, runner: FakeRunner, printed: str) -> preflight.Needs:
    runner.answers["bwrap"] = printed
    inside = buildroot.chroot(context, context.work / "chroot", repositories.NONE)
    return preflight.check(context, inside, ["@alchemy"], context.logfile("system"), sets=SETS)


def source(**values: object) -> dict[str, object]:
    return {
        "package": "sys-block/tool-1", "file": "tool-1.tar.xz", "size": 4,
        "digests": {"SHA512": hashlib.sha512(b"gold").hexdigest()},
        "places": [["mirror", "https://mirror.example"], ["uri", "https://example.org/tool-1.tar.xz"]], **values,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        (
            {"files": ["tool.zip"]},
            "sys-block/tool-1: tool.zip has to be fetched by hand from https://example.org",
            "distfiles",
        ),
        ({"unknown": ["tool.zip"]}, "sys-block/tool-1: its Manifest has no digest of tool.zip", "manifest"),
        ({"licences": ["LSI", "areca"]}, "sys-block/tool-1: not accepted: LSI, areca", "accept_licenses: [LSI, areca]"),
    ],
)
def test_what_is_asked_for_is_said_with_what_to_do(
    context: Context, runner: FakeRunner, asked: dict[str, object], said: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        check(context, runner, demand(**asked))
    assert caught.value.message.splitlines()[1:] == [f"  {said}"]
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert ";" not in caught.value.hint


def test_all_packages_are_listed_at_once_and_each_licence_is_hinted_at_once(
    context: Context, runner: FakeRunner
) -> None:
    with pytest.raises(UserError) as caught:
        check(
            context,
            runner,
            demand(files=["a.zip", "b.zip"], licences=["LSI"]),
            demand(package="sys-block/other-2"),
            demand(package="sys-block/third-3", licences=["LSI"]),
        )
    assert [line.split(":")[0].strip() for line in caught.value.message.splitlines()[1:]] == [
        "sys-block/tool-1", "sys-block/tool-1", "sys-block/tool-1", "sys-block/third-3"
    ]  # fmt: skip
    assert str(caught.value.hint).count("LSI") == 1


def test_nothing_asked_for_is_no_error(context: Context, runner: FakeRunner) -> None:
    check(context, runner, demand())
    check(context, runner)


def test_the_sources_of_a_build_are_told_with_their_places(context: Context, runner: FakeRunner) -> None:
    (found,) = check(context, runner, demand(), sources=[source()]).sources
    assert (found.file, found.size) == ("tool-1.tar.xz", 4)
    assert found.places == (("mirror", "https://mirror.example"), ("uri", "https://example.org/tool-1.tar.xz"))


def test_offline_each_source_that_is_missing_is_named(context: Context, runner: FakeRunner) -> None:
    names = ("there.tar.xz", "other.tar.xz", "tool-1.patch")
    wanted = [source(file=name) for name in names]
    folder = context.cache / "distfiles"
    folder.mkdir(parents=True)
    (folder / "there.tar.xz").write_bytes(b"gold")
    (folder / "other.tar.xz").write_bytes(b"lead")
    check(context, runner, sources=wanted)
    offline = dataclasses.replace(context, config=Config(offline=True))
    with pytest.raises(UserError) as caught:
        check(offline, runner, demand(), sources=wanted)
    assert caught.value.message.splitlines()[1:] == [
        f"  sys-block/tool-1: {file} is not in the cache, and this build is offline" for file in names[1:]
    ]
    assert "--offline" in str(caught.value.hint)


HOSTILE = {
    "no JSON": ("gold", "answer: Invalid JSON"),
    "a file with a slash": (source(file="../../etc/passwd"), "sources.0.file: not a plain file name"),
    "an absolute path": (source(file="/etc/passwd"), "not a plain file name (got '/etc/passwd')"),
    "a hidden file": (source(file=".lock"), "not a plain file name"),
    "an option": (source(file="-rf"), "not a plain file name"),
    "no name": (source(file=""), "not a plain file name"),
    "a newline": (source(file="a\nb"), "not a plain file name"),
    "an escape sequence": (source(file="\x1b[2J"), r"not a plain file name (got '\x1b[2J')"),
    "a layout of the folder": (source(file="layout.conf"), "not a plain file name"),
    "a name that is too long": (source(file="x" * 250), "not a plain file name"),
    "a size below one": (source(size=0), "sources.0.size: Input should be greater than 0"),
    "a size beyond bounds": (source(size=1 << 50), "sources.0.size: Input should be less than"),
    "a size in words": (source(size="4"), "sources.0.size: Input should be a valid integer"),
    "no digest": (source(digests={}), "no digest that counts (expected BLAKE2B or SHA512, got none)"),
    "a weak digest": (source(digests={"MD5": "0" * 32}), "(expected BLAKE2B or SHA512, got MD5)"),
    "an unknown digest": (source(digests={"GOLD": "00"}), "no digest that counts"),
    "a short digest": (source(digests={"SHA512": "00"}), "malformed SHA512 digest"),
    "no digits": (source(digests={"BLAKE2B": "g" * 128}), "malformed BLAKE2B digest"),
    "a URL with blanks": (source(places=[["uri", "http://a/b c"]]), "sources.0.places.0.1: not a URL"),
    "a URL with an escape": (source(places=[["uri", "http://a/\x1b"]]), "not a URL"),
    "a malformed port": (source(places=[["uri", "http://a:b/"]]), "Port could not be cast"),
    "a place of another kind": (source(places=[["command", "true"]]), "Input should be 'uri' or 'mirror'"),
    "an invalid package": (source(package="x"), "sources.0.package: String should match pattern"),
    "more than asked for": (source(command="true"), "sources.0.command: Extra inputs are not permitted"),
    "a list": ([], "sources.0: Input should be"),
}  # fmt: skip


@pytest.mark.parametrize(("entry", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_malformed_answer_of_the_chroot_is_refused(
    context: Context, runner: FakeRunner, entry: object, message: str
) -> None:
    printed = entry if isinstance(entry, str) else json.dumps({"sources": [entry]})
    with pytest.raises(VerificationError, match="malformed answer") as caught:
        read(context, runner, printed)
    assert message in caught.value.message
    assert caught.value.message.replace("\n", "").isprintable()
    if isinstance(entry, dict):
        assert str(entry["package"]) in caught.value.message


@pytest.mark.parametrize(
    ("said", "named", "hint"),
    [
        (
            'emerge: there are no ebuilds to satisfy "sys-apps/gold".',
            ["core: sys-apps/gold"],
            "edit packages/packages.core",
        ),
        (
            'no ebuilds built with USE flags to satisfy "sys-apps/lead[static]".\n- lead-1 (Change USE: +static)',
            ["core: sys-apps/lead[static]"],
            "edit etc/portage/package.use",
        ),
        (
            "All ebuilds that could satisfy 'a/b' have been masked.\n- a/b-1 (masked by: ~amd64 keyword)",
            ["util: a/b"],
            "edit etc/portage/package.accept_keywords",
        ),
        ("- a/b-1::gentoo (masked by: package.mask)", [], "edit etc/portage/package.unmask"),
        (
            'no ebuilds to satisfy "x/y".\n(dependency required by "sys-apps/gold-1")',
            [],
            "add the repository that has it to overlays",
        ),
    ],
)
def test_sets_that_portage_cannot_build_are_explained_by_itself_with_the_file_to_edit(
    context: Context, runner: FakeRunner, said: str, named: list[str], hint: str
) -> None:
    noise = "\n!!! CONFIG_PROTECT is empty\n\x1b[31m[ebuild  N    ] sys-apps/other-1 \n"
    with pytest.raises(UserError) as caught:
        check(context, runner, refusal=noise + said + "\n\n")
    lines = [line.strip() for line in caught.value.message.splitlines()[1:]]
    assert lines == [*(f"packages/packages.{line}" for line in named), *said.splitlines()]
    assert str(caught.value.hint).startswith(hint)


# what emerge of Portage 3.0.83 says, and the remedy
REMEDIES = {
    "a slot conflict": (
        "!!! Multiple package instances within a single package slot have been pulled\n"
        "!!! into the dependency graph, resulting in a slot conflict:\n",
        "mask one of the versions in etc/portage/package.mask, or leave out what needs it",
    ),
    "a blocker": (
        '[blocks B      ] app-misc/base ("app-misc/base" is hard blocking app-misc/acid-1)\n',
        "leave out one of the packages that block each other",
    ),
    "a circle": (
        " * Error: circular dependencies:\n(app-misc/egg-1) depends on\n",
        "turn off the USE flag that closes the circle, in etc/portage/package.use",
    ),
    "an EAPI that Portage does not know": (
        "- app-misc/future-1::vendor (masked by: EAPI 99)\n",
        "name a stage3 with a newer Portage in stage3_url",
    ),
    "an EAPI for a newer bash": (
        " *   EAPI 9 requires >=bash-5.3 but only 5.2 was found\n",
        "EAPI 9 needs bash-5.3 or newer in the stage3: name such a one in stage3_url, or mask this version in "
        "etc/portage/package.mask",
    ),
    "a package of a repository that is not there": (
        'emerge: there are no ebuilds to satisfy "app-misc/nowhere".\n'
        '(dependency required by "app-misc/lost-1::vendor" [ebuild])\n',
        "add the repository that has it to overlays",
    ),
    "two at once": (
        "- app-misc/a-1 (masked by: package.mask)\n- app-misc/b-1 (masked by: ~amd64 keyword)\n",
        "edit etc/portage/package.accept_keywords; or edit etc/portage/package.unmask",
    ),
}


@pytest.mark.parametrize(("said", "hint"), REMEDIES.values(), ids=REMEDIES)
def test_each_kind_of_refusal_has_its_remedy(context: Context, runner: FakeRunner, said: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        check(context, runner, refusal=said)
    assert caught.value.hint == hint


def test_the_script_runs_in_the_chroot_without_the_network(context: Context, runner: FakeRunner) -> None:
    check(context, runner)
    call = runner.calls[-1]
    assert call.stdin == b"print()"
    assert call.argv[-3:] == ["python3", "-", "@alchemy"]
    assert "--unshare-net" in call.argv


SAID = """\
[31m*[0m Digest verification failed:
 * /var/db/repos/mine/app-misc/gold/gold-1.1.ebuild
 * Reason: Filesize does not match recorded size
 * Got: 10
 * Expected: 11
[ebuild  N     ] app-misc/gold-1.0
"""


@pytest.mark.parametrize("refusal", ["", SAID])
@pytest.mark.parametrize(
    "said",
    [
        SAID,
        " * Missing digest for '/var/db/repos/mine/app-misc/gold/gold-1.1.ebuild'\n",
        " * Manifest not found for '/var/db/repos/mine/app-misc/gold/gold-1.1.ebuild'\n",
        " * A file listed in the Manifest could not be found: 'gold-1.1.ebuild'\n",
        " * A file is not listed in the Manifest: 'gold-1.1.ebuild'\n",
    ],
)
def test_an_ebuild_that_does_not_fit_its_manifest_ends_the_build_whatever_else_emerge_would_take(
    context: Context, runner: FakeRunner, refusal: str, said: str
) -> None:
    with pytest.raises(VerificationError, match="does not fit its Manifest") as caught:
        check(context, runner, refusal=refusal, said=f"Calculating dependencies\n{said}")
    assert "gold-1.1.ebuild" in caught.value.message
    assert "Calculating" not in caught.value.message
    assert "\x1b" not in caught.value.message
