"""The iPXE scripts, line by line; and that fetching them changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from alchemy.rack.config import Profile, Rule
from alchemy.rack.records import nodes
from alchemy.rack.records.database import Records
from tests.unit.rack import rigs
from tests.unit.rack.rigs import MAC, UUID, Rig, bearer

LOCAL = "iseq ${platform} efi && exit 1 || sanboot --no-describe --drive 0x80"
QUERY = f"/v1/boot?uuid={UUID}&serial=SN-0001&asset=A00001&mac={MAC}&arch=x86_64&platform=pcbios"
CONSOLES = "console=tty0 console=ttyS0,115200n8"


def script(rig: Rig, query: str = QUERY, **headers: str) -> list[str]:
    answer: httpx.Response = rig.client().get(query, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(answer.content)
    lines = answer.text.splitlines()
    assert lines[0] == "#!ipxe"
    return lines


def test_the_first_script_asks_five_times_and_boots_the_local_disk(rig: Rig) -> None:
    lines = script(rig, "/boot.ipxe")
    chains = [line for line in lines if line.startswith("chain ")]
    assert (
        chains
        == [
            "chain --autofree --replace v1/boot?uuid=${uuid}&serial=${serial:uristring}"
            "&asset=${asset:uristring}&mac=${netX/mac:hexhyp}&arch=${buildarch:uristring}"
            "&platform=${platform:uristring}&vendor=${manufacturer:uristring}&model=${product:uristring} ||"
        ]
        * 5
    )
    assert [line for line in lines if line.startswith("sleep ")] == [
        "sleep 1",
        "sleep 2",
        "sleep 4",
        "sleep 8",
        "sleep 16",
    ]
    assert lines[-1] == LOCAL
    assert script(rig, "/boot.ipxe") == lines


def test_the_script_of_an_unknown_node_boots_the_image(rig: Rig) -> None:
    assert script(rig) == [
        "#!ipxe",
        "# intake: unknown -> intake",
        "echo Alchemy: intake: unknown -> intake",
        "kernel http://192.0.2.1/images/alchemy/alchemy.img initrd=alchemy.ramfs"
        f" {CONSOLES} net lldpd rack_url=http://192.0.2.1 || goto failed",
        "initrd http://192.0.2.1/images/alchemy/alchemy.ramfs || goto failed",
        "boot || goto failed",
        ":failed",
        "echo Alchemy: the image cannot be booted; booting the local disk in 30 s",
        "sleep 30",
        "imgfree",
        LOCAL,
    ]


def test_the_script_of_a_node_that_is_done_boots_the_local_disk(rig: Rig) -> None:
    session = rig.session()
    document = {"inventory": {}, "alchemy": {"schema": 1}}
    rig.client().put(f"/v1/nodes/{session['node']}/inventory", json=document, headers=bearer(session))
    assert script(rig) == [
        "#!ipxe",
        "# local: no rule matches a known node",
        "echo Alchemy: local: no rule matches a known node",
        LOCAL,
    ]


def test_the_disks_own_loader_is_a_profile(records: Records, tmp_path: Path) -> None:
    rig = rigs.make(records, tmp_path, decisions=[Rule(profile="local-efi-disk")])
    assert script(rig)[-2:] == ["iseq ${platform} efi && sanboot --no-describe --drive 0 ||", LOCAL]


@pytest.mark.parametrize(
    ("given", "host", "expected"),
    [
        ("", "rack.example:8080", "http://rack.example:8080"),
        ("", "[2001:db8::1]:80", "http://[2001:db8::1]:80"),
        ("http://192.0.2.9:8080/", "rack.example", "http://192.0.2.9:8080"),
    ],
)
def test_a_node_reports_where_the_script_came_from(
    records: Records, tmp_path: Path, given: str, host: str, expected: str
) -> None:
    rig = rigs.make(records, tmp_path, url=given)
    kernel = next(line for line in script(rig, host=host) if line.startswith("kernel"))
    assert kernel.startswith(f"kernel {expected}/images/alchemy/alchemy.img ")
    assert kernel.endswith(f" rack_url={expected} || goto failed")


@pytest.mark.parametrize("host", ["a b", "x/../y", "${net0/ip}", "a\tb", "-" * 300])
def test_a_malformed_host_is_refused(rig: Rig, host: str) -> None:
    answer = rig.client().get(QUERY, headers={"host": host})
    assert (answer.status_code, answer.json()["error"]) == (400, "Host: malformed (expected a name or an address)")


@pytest.mark.parametrize(
    ("cmdline", "words"),
    [
        ("net  ssh", f"{CONSOLES} net ssh"),
        ("console=ttyS1,9600 net", "console=ttyS1,9600 net"),
        ("BOOTIF=${netX/mac:hexhyp}", f"{CONSOLES} BOOTIF=${{netX/mac:hexhyp}}"),
        ('hostname="a b"', f'{CONSOLES} hostname="a b"'),
    ],
)
def test_the_command_line_of_a_profile(records: Records, tmp_path: Path, cmdline: str, words: str) -> None:
    profile = Profile.model_construct(name="own", image="alchemy", cmdline=cmdline, jobs=(), destructive=False)
    rig = rigs.make(records, tmp_path, profiles=[profile], decisions=[Rule(profile="own")])
    kernel = next(line for line in script(rig) if line.startswith("kernel"))
    assert f" initrd=alchemy.ramfs {words} rack_url=" in kernel


@pytest.mark.parametrize(
    ("cmdline", "reason"),
    [
        ("net || reboot", "'??': iPXE syntax"),
        ("net && reboot", "'??': iPXE syntax"),
        ("net ; reboot", "';': iPXE syntax"),
        ("net #x", "'?x': iPXE syntax"),
        ("net \\", "'??': iPXE syntax"),
        ("né", "'n?': not printable ASCII"),
    ],
)
def test_ipxe_syntax_in_a_command_line_boots_the_local_disk(
    records: Records, tmp_path: Path, cmdline: str, reason: str
) -> None:
    profile = Profile.model_construct(name="own", image="alchemy", cmdline=cmdline, jobs=(), destructive=False)
    rig = rigs.make(records, tmp_path, profiles=[profile], decisions=[Rule(profile="own")])
    lines = script(rig)
    assert lines[1] == f"# local: own cannot be booted: cmdline: {reason}"
    assert lines[-1] == LOCAL
    assert not [line for line in lines if line.startswith(("kernel", "reboot"))]


def test_an_image_that_is_missing_boots_the_local_disk(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "image" / "alchemy.ramfs").unlink()
    lines = script(rig)
    assert lines[1].startswith("# local: intake cannot be booted: image alchemy: missing or empty: alchemy.ramfs")
    assert lines[-1] == LOCAL


def test_a_kernel_that_contains_its_ramfs_has_no_initrd(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "image" / "alchemy.ramfs").unlink()
    (tmp_path / "image" / "boot.ipxe").write_text("#!ipxe\nkernel alchemy.img quiet\nboot\n", encoding="utf-8")
    lines = script(rig)
    assert f"kernel http://192.0.2.1/images/alchemy/alchemy.img {CONSOLES} net lldpd" in lines[3]
    assert "initrd" not in "\n".join(lines)


def pe(machine: int) -> bytes:
    """The beginning of a kernel that UEFI can start."""
    return b"MZ".ljust(0x3C, b"\0") + (0x40).to_bytes(4, "little") + b"PE\0\0" + machine.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("kernels", "arch", "image"),
    [
        ({"alchemy": pe(0x8664)}, "x86_64", "alchemy"),
        ({"alchemy": pe(0x8664)}, "i386", "alchemy"),
        ({"alchemy": pe(0x8664)}, "", "alchemy"),
        ({"alchemy": pe(0x8664)}, "riscv64", "alchemy"),
        ({"alchemy": pe(0x8664), "arm": pe(0xAA64)}, "arm64", "arm"),
        ({"alchemy": pe(0x8664), "broken": b"", "arm": pe(0xAA64)}, "arm64", "arm"),
        ({"alchemy": b"old kernel"}, "arm64", "alchemy"),
        ({"alchemy": pe(0x8664), "old": b"old kernel"}, "arm64", None),
    ],
)
def test_a_machine_boots_an_image_of_its_architecture(
    records: Records, tmp_path: Path, kernels: dict[str, bytes], arch: str, image: str | None
) -> None:
    folders = {name: tmp_path / name for name in kernels}
    for name, kernel in kernels.items():
        folders[name].mkdir()
        (folders[name] / "alchemy.img").write_bytes(kernel)
        (folders[name] / "alchemy.ramfs").write_bytes(b"x")
    lines = script(rigs.make(records, tmp_path, images=folders), f"/v1/boot?serial=SN-0001&arch={arch}")
    if image is None:
        assert lines[1] == "# local: intake cannot be booted: image alchemy: wrong architecture (expected arm64)"
        assert lines[-1] == LOCAL
    else:
        assert lines[3].startswith(f"kernel http://192.0.2.1/images/{image}/alchemy.img ")


HOSTILE = [
    "x\nkernel http://evil/",
    "x\r\nreboot",
    "xy \\",
    "${net0/ip} && reboot",
    "x || reboot ; shell",
    "\N{LINE SEPARATOR}reboot",
    "<script>",
    "\x1b[2J",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_nothing_that_a_node_says_breaks_out_of_the_comment(rig: Rig, said: str) -> None:
    """A conflict names the node's keys in its reason."""
    rig.session()
    lines = script(rig, str(rig.client().build_request("GET", "/v1/boot", params={"serial": said, "mac": MAC}).url))
    assert len(lines) == 4
    assert re.fullmatch(r"# local: [A-Za-z0-9 .,:;/()<>='_+?-]+", lines[1])
    assert re.fullmatch(r"echo Alchemy: local: [A-Za-z0-9 .,:;/()<>='_+?-]+", lines[2])
    assert not {"||", "&&", ";"} & set(lines[1].split() + lines[2].split())
    assert lines[3] == LOCAL


@pytest.mark.parametrize("query", ["/v1/boot", "/v1/boot?uuid=x", "/v1/boot?mac=zz", "/v1/boot?serial=%00%ff"])
def test_a_machine_without_a_usable_key_boots_the_local_disk(rig: Rig, query: str) -> None:
    assert script(rig, query)[-1] == LOCAL


def test_gets_write_nothing(rig: Rig) -> None:
    session = rig.session()
    run = rig.client().post("/v1/runs", json={"node": session["node"]}, headers=bearer(session)).json()["run"]
    before = rigs.dump(rig.records)
    for path in (
        "/boot.ipxe", QUERY, "/v1/boot?serial=never-seen", f"/v1/boot?serial=other&mac={MAC}",
        f"/v1/runs/{run}/lines?from=0", "/metrics", "/healthz", "/none", "/v1/boots",
    ):  # fmt: skip
        rig.client().get(path, headers=bearer(session))
    assert rigs.dump(rig.records) == before
    # and the comparison sees a write
    with rig.records.begin() as connection:
        nodes.update(connection, session["node"], stage="x")
    assert rigs.dump(rig.records) != before
