from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from alchemy.config.model import Config
from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError, UserError
from alchemy.host import files
from alchemy.parts.hardware import alias_file, device_tables
from alchemy.stage import identity
from alchemy.stages import kernel, outputs
from tests.unit.fakes import FakeRunner, configure, planned, put, snapshot
from tests.unit.vmlinux import ANY, PREFIX, module, pci, vmlinux


def read(folder: Path, *texts: str) -> dict[str, str]:
    paths = [folder / f"config{number}" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return kernel.read_config(paths)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("", {}),
        ("# a comment\n\n#\n", {}),
        ("CONFIG_64BIT=y\n", {"64BIT": "y"}),
        ("# CONFIG_MODULES is not set\n", {"MODULES": "n"}),
        ("CONFIG_MODULES=n\n", {"MODULES": "n"}),
        ('CONFIG_CMDLINE="a=b # c"\n', {"CMDLINE": '"a=b # c"'}),
        ('CONFIG_EXTRA_FIRMWARE=""\n', {"EXTRA_FIRMWARE": '""'}),
        ("CONFIG_HZ=250\nCONFIG_BASE=0x1000\n", {"HZ": "250", "BASE": "0x1000"}),
        ("  CONFIG_NET=y  \r\n", {"NET": "y"}),
        ("\t# an indented comment\n", {}),
        # a line that someone has put a # before
        ("# CONFIG_NET=y\n", {}),
        ("#CONFIG_NET=y\n", {}),
    ],
)
def test_a_kernel_configuration_is_read(tmp_path: Path, text: str, symbols: dict[str, str]) -> None:
    assert read(tmp_path, text) == symbols


def test_a_later_file_wins(tmp_path: Path) -> None:
    assert read(tmp_path, "CONFIG_A=y\nCONFIG_B=y\n", "# CONFIG_A is not set\nCONFIG_C=7\n") == {
        "A": "n",
        "B": "y",
        "C": "7",
    }


@pytest.mark.parametrize(
    "line",
    ["NET=y", "CONFIG_NET", "CONFIG_NET =y", "CONFIG_NET=", "CONFIG_NET is not set", "include other"],
)
def test_a_line_that_is_no_symbol_is_refused_with_its_place(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError, match=r"config0:2: not a line of a kernel configuration: "):
        read(tmp_path, f"CONFIG_A=y\n{line}\n")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [("NET", "y", "CONFIG_NET=y"), ("NET", "n", "# CONFIG_NET is not set"), ("X", '"a b"', 'CONFIG_X="a b"')],
)
def test_a_symbol_is_written_as_it_is_read(tmp_path: Path, name: str, value: str, line: str) -> None:
    assert kernel.line(name, value) == line
    assert read(tmp_path, f"{line}\n") == {name: value}


@pytest.mark.parametrize(
    ("requested", "final"),
    [
        ({}, {"NET": "y"}),
        ({"NET": "y"}, {"NET": "y", "INET": "y"}),
        ({"NET": "n"}, {}),
        ({"NET": "n"}, {"NET": "n"}),
    ],
)
def test_a_configuration_that_holds_is_fine(requested: Mapping[str, str], final: Mapping[str, str]) -> None:
    assert kernel.check(requested, final, []) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("requested", "final", "line"),
    [
        ({"EDAC": "y"}, {}, "  CONFIG_EDAC=y, but it came out as n"),
        ({"EDAC": "y"}, {"EDAC": "n"}, "  CONFIG_EDAC=y, but it came out as n"),
        ({"NET": "n"}, {"NET": "y"}, "  # CONFIG_NET is not set, but it came out as y"),
        ({"HZ": "250"}, {"HZ": "100"}, "  CONFIG_HZ=250, but it came out as 100"),
    ],
)
def test_a_symbol_that_was_dropped_or_changed_is_named(
    requested: Mapping[str, str], final: Mapping[str, str], line: str
) -> None:
    with pytest.raises(UserError) as caught:
        kernel.check(
            {"GOOD": "y", **requested}, {"GOOD": "y", **final}, [Path("kernels/x86_64/6.12"), Path("fragment")]
        )
    lines = caught.value.message.splitlines()
    assert lines == ["kernels/x86_64/6.12, fragment: the kernel cannot be configured like this", line]
    assert caught.value.hint


def test_every_symbol_that_was_dropped_is_named() -> None:
    with pytest.raises(UserError) as caught:
        kernel.check({"A": "y", "B": "y", "C": "y"}, {"B": "y"}, [])
    assert [name for name in "ABC" if f"CONFIG_{name}=" in caught.value.message] == ["A", "C"]


def test_the_ramdisk_goes_inside_the_kernel_as_it_is(context: Context, runner: FakeRunner) -> None:
    stages = planned(dataclasses.replace(context, config=Config(embed_ramfs=True)))
    made = {
        "stage3": "stage3.tar.zst",
        "tools": "root",
        "linux": "linux.tar.xz",
        "kernel": "bzImage",
        "system": "packages.json",
        "ramfs": "ramfs",
    }
    for name, file in made.items():

        def build(folder: Path, file: str = file) -> None:
            (folder / file).touch()

        put(stages[name], build)
    tree = context.cache / "objects" / f"own-{stages['linux'].output.name}"

    def make(argv: list[str]) -> None:
        """A kernel whose image is the configuration that was asked for."""
        if argv[-1] == "allnoconfig":
            shutil.copy(tree / ".config.requested", tree / ".config")
        if argv[-1] == outputs.KERNEL:
            assert not (tree / "usr/initramfs_inc_data").exists()
            for name in ("arch/x86/boot/bzImage", outputs.MODINFO):
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(tree / ".config", tree / name)
            (tree / "include/config").mkdir(parents=True, exist_ok=True)
            (tree / "include/config/kernel.release").write_text("6.12.1\n", encoding="ascii")
            (tree / "usr").mkdir(exist_ok=True)
            (tree / "usr/initramfs_inc_data").touch()

    runner.on_run = make
    for _ in range(2):
        stages["embedded"].make()
        files.remove(stages["embedded"].output)
    stages["embedded"].make()
    symbols = kernel.read_config([stages["embedded"].output / outputs.KERNEL])
    assert symbols["INITRAMFS_COMPRESSION_NONE"] == "y"
    source = symbols["INITRAMFS_SOURCE"].strip('"')
    # what the kernel's usr/Makefile takes for an archive, and does not pack again
    assert source.endswith(".cpio")
    bound = {call.argv[at + 2]: call.argv[at + 1] for call in runner.calls for at in range(len(call.argv) - 2)
             if call.argv[at] == "--ro-bind"}  # fmt: skip
    assert bound[source] == str(stages["ramfs"].output / "ramfs")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder of the host, with files named as those of a kernel's source are."""
    for name in ("bzImage", "kernel.release", "modules.builtin.modinfo", ".config", "requested", "initramfs_inc_data"):
        (tmp_path / "host").mkdir(exist_ok=True)
        (tmp_path / "host" / name).write_text("CONFIG_SECRET=y\n", encoding="utf-8")
    return tmp_path / "host"


HOSTILE = {
    ".config.requested": "requested",
    "arch/x86/boot/bzImage": "bzImage",
    "arch/x86/boot": ".",
    "include/config/kernel.release": "kernel.release",
    "include/config": ".",
    outputs.MODINFO: outputs.MODINFO,
    "modules.builtin": outputs.MODINFO,
    "include/linux/module.h": "requested",
    "vmlinux": "bzImage",
    ".config": ".config",
    "usr": ".",
    ".alchemy-source": "requested",
}


@pytest.mark.parametrize("replaced", [False, True], ids=["in the tarball", "by the Makefile"])
@pytest.mark.parametrize(("place", "target"), HOSTILE.items(), ids=HOSTILE.keys())
def test_no_link_of_a_kernels_source_is_followed(
    context: Context, runner: FakeRunner, tmp_path: Path, secret: Path, place: str, target: str, replaced: bool
) -> None:
    stages = planned(dataclasses.replace(context, config=Config(embed_ramfs=True)))
    for name, file in {
        "stage3": "s",
        "tools": "root",
        "linux": "l.tar.xz",
        "kernel": "k",
        "system": "s",
        "ramfs": "ramfs",
    }.items():

        def build(folder: Path, file: str = file) -> None:
            (folder / file).touch()

        put(stages[name], build)

    def link(tree: Path) -> None:
        files.remove(tree / place)
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        (tree / place).symlink_to(secret / target)

    def make(argv: list[str]) -> None:
        if "--extract" in argv and not replaced:
            link(Path(argv[argv.index("--directory") + 1]))
        if argv[-1] in ("allnoconfig", outputs.KERNEL):
            tree = context.cache / "objects" / f"own-{stages['linux'].output.name}"
            for name in (".config", "arch/x86/boot/bzImage", "include/config/kernel.release", outputs.MODINFO):
                if not (tree / name).exists():
                    (tree / name).parent.mkdir(parents=True, exist_ok=True)
                    (tree / name).write_text((tree / ".config.requested").read_text(encoding="ascii"), encoding="ascii")
            if replaced:
                link(tree)

    before = snapshot(secret)
    runner.on_run = make
    with suppress(AlchemyError):
        stages["embedded"].make()
    assert snapshot(secret) == before
    found = [path.read_text(encoding="utf-8") for path in stages["embedded"].output.parent.rglob("*")
             if path.is_file() and path.is_relative_to(stages["embedded"].output)]  # fmt: skip
    assert not [text for text in found if "SECRET" in text]


LINES = {
    "CONFIG_X=y # why": "put the comment on its own line",
    "CONFIG_X = y": "no blanks around the =",
    "CONFIG_X= y": "no blanks around the =",
    "X=y": "CONFIG_NAME=VALUE",
}


@pytest.mark.parametrize("text", LINES)
def test_a_bad_line_of_a_kernel_configuration_gets_the_hint_that_fits(tmp_path: Path, text: str) -> None:
    (tmp_path / "fragment").write_text(f"\n{text}\n", encoding="utf-8")
    with pytest.raises(UserError) as failed:
        kernel.read_config([tmp_path / "fragment"])
    assert failed.value.message == f"{tmp_path}/fragment:2: not a line of a kernel configuration: {text}"
    assert LINES[text] in (failed.value.hint or "")


def test_a_module_for_a_kernel_without_modules_gets_the_hint_that_fits(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hint: this kernel has no modules: write =y instead of =m"):
        kernel.check({"X": "m"}, {"X": "y"}, [tmp_path])


def compiling(context: Context, runner: FakeRunner, make: Callable[[Path], None]) -> list[str]:
    """Builds the kernel, `make` in place of make IMAGE; returns the kinds of programs that ran."""
    stages = planned(context)
    for name in ("stage3", "tools", "linux"):
        put(stages[name], lambda folder: (folder / "x.tar.xz").touch())

    def run(argv: list[str]) -> None:
        tree = context.cache / "objects" / f"own-{stages['linux'].output.name}"
        if argv[-1] == "allnoconfig":
            shutil.copy(tree / ".config.requested", tree / ".config")
        elif argv[-1] == outputs.KERNEL:
            make(tree)
            for name in ("arch/x86/boot/bzImage", "include/config/kernel.release", outputs.MODINFO):
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text("6.12.1\n", encoding="ascii")

    runner.on_run = run
    begin = len(runner.calls)
    with suppress(BuildError):
        stages["kernel"].make()
    return ["tar" if "--extract" in call.argv else call.argv[-1] for call in runner.calls[begin:]]


def test_the_devices_that_the_kernel_drives_are_listed(context: Context, runner: FakeRunner) -> None:
    header = "#define MODULE_DEVICE_TABLE(type, name)\n"

    def unpacked(tree: Path) -> None:
        (tree / "include/linux").mkdir(parents=True, exist_ok=True)
        (tree / device_tables.HEADER).write_text(header, encoding="utf-8")
        raise BuildError("make was killed")

    def compiled(tree: Path) -> None:
        """What make would leave, when the header names the tables."""
        assert header not in (tree / device_tables.HEADER).read_text(encoding="utf-8")
        table = pci(0x8086, 0x1533, ANY, ANY, 0, 0) + bytes(40)
        (tree / "vmlinux").write_bytes(vmlinux([(f"{PREFIX}igb__pci__t", table)]))
        (tree / "modules.builtin").write_text("kernel/drivers/igb/igb.ko\n", encoding="utf-8")
        (tree / "drivers/igb").mkdir(parents=True)
        (tree / "drivers/igb/Makefile").write_text("obj-$(CONFIG_IGB) += igb.o\n", encoding="utf-8")

    stages = planned(context)
    compiling(context, runner, unpacked)
    tree = context.cache / "objects" / f"own-{stages['linux'].output.name}"
    (tree / ".alchemy-source").write_text(identity(stages["linux"].output), encoding="utf-8")
    compiling(context, runner, compiled)
    assert (stages["kernel"].output / alias_file.NAME).read_text(encoding="utf-8") == (
        "# kernel 6.12.1\n# driver igb IGB\nalias pci:v00008086d00001533sv*sd*bc*sc*i* igb\n"
    )


def test_the_objects_are_shared_by_all_that_have_the_cache(context: Context, runner: FakeRunner) -> None:
    first = compiling(context, runner, lambda tree: (tree / "object").touch())
    assert first == ["tar", "allnoconfig", outputs.KERNEL]
    clone = dataclasses.replace(context, work=context.root / "other-work", version="1.3")
    there: list[bool] = []
    assert compiling(clone, runner, lambda tree: there.append((tree / "object").exists())) == first[1:]
    assert there == [True]


def test_the_objects_of_a_build_that_ended_early_are_not_taken(context: Context, runner: FakeRunner) -> None:
    def killed(tree: Path) -> None:
        (tree / "object").write_text("half", encoding="utf-8")
        raise BuildError("make was killed")

    compiling(context, runner, killed)
    there: list[bool] = []
    assert "tar" in compiling(context, runner, lambda tree: there.append((tree / "object").exists()))
    assert there == [False]


def installing(
    context: Context, runner: FakeRunner, *, series: bool = True, release: str = "6.12.1-alchemy-1.2"
) -> Path:
    """Builds a kernel with modules, of a series that can tell what others are compiled against; returns the output."""
    modular = configure(kernel_modules=True)(context)
    stages = planned(modular)
    for name in ("stage3", "tools", "linux"):
        put(stages[name], lambda folder: (folder / "x.tar.xz").touch())
    tree = context.cache / "objects" / f"own-{stages['linux'].output.name}-modules"

    def bound(argv: list[str], point: str) -> Path:
        return Path(argv[argv.index(point) - 1])

    def run(argv: list[str]) -> None:
        if argv[-1] == "allnoconfig":
            shutil.copy(tree / ".config.requested", tree / ".config")
        elif argv[-2:] == [outputs.KERNEL, "modules"]:
            files = {
                "arch/x86/boot/bzImage": "", "include/config/kernel.release": f"{release}\n",
                outputs.MODINFO: "igb.license=GPL\0", "modules.order": "drivers/uio/uio.o\n",
                "drivers/uio/Makefile": "obj-$(CONFIG_UIO) += uio.o\n",
                **({"scripts/package/install-extmod-build": ""} if series else {}),
            }  # fmt: skip
            for name, text in files.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text(text, encoding="ascii")
        elif "modules_install" in argv:
            folder = bound(argv, "/mnt/modules") / "lib/modules" / release
            (folder / "kernel").mkdir(parents=True)
            (folder / "kernel/uio.ko").write_bytes(module(b"alias=pci:v00001234d*\0"))
            (folder / "build").symlink_to("/mnt/linux")
        elif argv[-1] == "run-command":
            (bound(argv, "/mnt/build") / "Module.symvers").touch()
            (bound(argv, "/mnt/build") / ".config").symlink_to(context.root / "stolen")

    runner.on_run = run
    stages["kernel"].make()
    return stages["kernel"].output


def test_with_kernel_modules_there_are_modules_and_what_others_are_compiled_against(
    context: Context, runner: FakeRunner
) -> None:
    output = installing(context, runner)
    assert sorted(path.name for path in (output / outputs.MODULES).iterdir()) == ["kernel"]
    assert (output / outputs.BUILD_TREE / "Module.symvers").exists()
    # a link that the kernel's scripts have left is replaced
    assert "CONFIG_MODULES=y" in (output / outputs.BUILD_TREE / ".config").read_text(encoding="ascii")
    assert not (context.root / "stolen").exists()
    assert (output / outputs.MODINFO).read_bytes() == b"igb.license=GPL\0uio.alias=pci:v00001234d*\0"
    listed = (output / "modules.alias").read_text(encoding="ascii").splitlines()
    assert {"# driver uio UIO", "alias pci:v00001234d* uio"} < set(listed)
    assert not (output / "install").exists()


def test_a_series_that_cannot_tell_what_modules_are_compiled_against_is_refused(
    context: Context, runner: FakeRunner
) -> None:
    with pytest.raises(UserError, match=r"kernel_modules: .*lacks scripts/package/install-extmod-build"):
        installing(context, runner, series=False)


@pytest.mark.parametrize("release", ["../../x", "", "a b", ".", "6.12\n6.13"])
def test_a_release_that_cannot_be_the_name_of_a_folder_is_refused(
    context: Context, runner: FakeRunner, release: str
) -> None:
    with pytest.raises(BuildError, match=r"kernel: release .*: invalid"):
        installing(context, runner, release=release)
