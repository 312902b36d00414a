from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host import ovmf
from alchemy.host.ovmf import Firmware, Image
from alchemy.testbed import qemu
from alchemy.testbed.qemu import Direct, Machine
from tests.unit.fakes import FakeRunner

SCRIPT = "#!ipxe\n# kernel of Alchemy\nkernel alchemy.img initrd=alchemy.ramfs quiet\ninitrd alchemy.ramfs\nboot\n"
TFTP = Path("/srv/tftp")
UEFI = Firmware(Image(Path("/ovmf/code.fd"), "raw"), Image(Path("/ovmf/vars,4M.qcow2"), "qcow2"))


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine(TFTP), ["-boot", "n"]),
        (Machine(TFTP), ["-netdev", "user,id=pxe,tftp=/srv/tftp,bootfile=boot.ipxe"]),
        (Machine(TFTP), ["-device", "virtio-net-pci,netdev=pxe"]),
        (Machine(TFTP), ["-m", "1024", "-smp", "2"]),
        (Machine(TFTP), ["-accel", "tcg", "-cpu", "max"]),
        (Machine(TFTP), ["-serial", "mon:stdio"]),
        (Machine(TFTP, memory=256, processors=1), ["-m", "256", "-smp", "1"]),
        (Machine(TFTP, kvm=True), ["-accel", "kvm", "-cpu", "host"]),
        (Machine(TFTP, serial="unix:/tmp/s,server"), ["-serial", "unix:/tmp/s,server"]),
        (
            Machine(TFTP, direct=Direct(Path("/b/k"), Path("/b/r"), "quiet net")),
            ["-kernel", "/b/k", "-initrd", "/b/r", "-append", "quiet net"],
        ),
        (
            Machine(TFTP, direct=Direct(Path("/b/k"), None, "quiet net")),
            ["-kernel", "/b/k", "-append", "quiet net"],
        ),
        (Machine(TFTP, uefi=UEFI), ["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/ovmf/code.fd"]),
        (Machine(TFTP, uefi=UEFI), ["-drive", "if=pflash,unit=1,format=qcow2,snapshot=on,file=/ovmf/vars,,4M.qcow2"]),
        (Machine(TFTP, extra=["-device", "nvme"]), ["-device", "nvme"]),
        (
            Machine(TFTP, ssh_port=2222),
            ["-netdev", "user,id=pxe,tftp=/srv/tftp,bootfile=boot.ipxe,hostfwd=tcp:127.0.0.1:2222-:22"],
        ),
    ],
)
def test_the_command_line_has(machine: Machine, words: list[str]) -> None:
    argv = qemu.argv(machine)
    assert argv[0] == "qemu-system-x86_64"
    assert any(argv[n : n + len(words)] == words for n in range(len(argv)))


def test_a_machine_has_no_disk_and_no_screen_and_ends_instead_of_rebooting() -> None:
    argv = qemu.argv(Machine(TFTP))
    assert {"-nodefaults", "-no-reboot"} < set(argv)
    assert not {"-drive", "-hda", "-cdrom", "-kernel", "-initrd"} & set(argv)


def test_a_machine_without_a_network_has_no_interface() -> None:
    words = " ".join(qemu.argv(Machine(TFTP, network=False)))
    assert "netdev" not in words
    assert "virtio-net" not in words


@pytest.fixture
def built(context: Context) -> Context:
    context.bin.mkdir()
    for name, text in {"boot.ipxe": SCRIPT, "alchemy.img": "kernel", "alchemy.ramfs": "ramdisk"}.items():
        (context.bin / name).write_text(text, encoding="utf-8")
    return context


def test_tftp_serves_bin(built: Context) -> None:
    with qemu.boot_folder(built, "") as folder:
        assert {path.name: path.read_text(encoding="utf-8").replace(" \n", "\n") for path in folder.iterdir()} == {
            "boot.ipxe": SCRIPT,
            "alchemy.img": "kernel",
            "alchemy.ramfs": "ramdisk",
        }


def test_without_pxe_the_kernel_has_the_same_command_line(built: Context) -> None:
    found = qemu.direct(built, "net shell")
    assert found == Direct(built.bin / "alchemy.img", built.bin / "alchemy.ramfs", "quiet net shell")


def test_parameters_are_added_to_the_kernels_line_and_bin_stays_as_it_is(built: Context) -> None:
    with qemu.boot_folder(built, "net shell") as folder:
        served = (folder / "boot.ipxe").read_text(encoding="utf-8")
    assert served == SCRIPT.replace(" quiet\n", " quiet net shell\n")
    assert (built.bin / "boot.ipxe").read_text(encoding="utf-8") == SCRIPT


def test_the_folder_is_removed_at_the_end(built: Context) -> None:
    with pytest.raises(RuntimeError), qemu.boot_folder(built, "") as folder:
        raise RuntimeError
    assert not folder.exists()
    assert (built.bin / "alchemy.img").exists()


def test_without_an_image_there_is_nothing_to_boot(context: Context) -> None:
    with pytest.raises(UserError, match="no image") as caught, qemu.boot_folder(context, ""):
        pytest.fail("served")
    assert "build.all" in str(caught.value.hint)
    with pytest.raises(UserError, match="no image"):
        qemu.direct(context, "")


def test_a_command_line_with_a_newline_is_refused(built: Context) -> None:
    with pytest.raises(UserError, match="--cmdline"), qemu.boot_folder(built, "net\nshell"):
        pytest.fail("served")


def test_booting_hands_the_terminal_to_a_machine_of_that_size(
    built: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "kvm_works", lambda context: False)
    assert qemu.boot(built, "net", 256, None) == 0
    argv = runner.calls[-1].argv
    assert argv[argv.index("-m") + 1] == "256"
    assert not any("pflash" in word for word in argv)
    assert qemu.boot(built, "net", 256, UEFI) == 0
    assert sum("pflash" in word for word in runner.calls[-1].argv) == 2


def test_the_firmware_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ovmf, "find", lambda: UEFI)
    assert (qemu.firmware("bios"), qemu.firmware("uefi")) == (None, UEFI)


@pytest.mark.parametrize("name", ["", "efi", "UEFI", "ovmf"])
def test_an_unknown_firmware_is_refused(name: str) -> None:
    with pytest.raises(UserError) as caught:
        qemu.firmware(name)
    assert caught.value.message == f"--firmware: unknown (expected bios or uefi, got '{name}')"


def test_a_host_without_uefi_firmware_is_told_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ovmf, "find", lambda: None)
    with pytest.raises(UserError, match="apt-get install ovmf\n"):
        qemu.firmware("uefi")


@pytest.mark.parametrize(
    ("device", "starts", "works"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_kvm_works_only_when_a_machine_starts(
    context: Context, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, device: bool, starts: bool, works: bool
) -> None:
    def start(argv: list[str]) -> None:
        if not starts:
            raise BuildError("qemu failed")

    runner.on_run = start
    runner.answers["timeout"] = ""
    monkeypatch.setattr(Path, "exists", lambda path: device)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert qemu.kvm_works(context) == works


@pytest.mark.parametrize(
    ("greeting", "answers"), [(b"SSH-2.0-OpenSSH_10.0\r\n", True), (b"HTTP/1.1 400 Bad\r\n", False), (b"", False)]
)
def test_an_ssh_server_answers_when_it_greets(greeting: bytes, answers: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()
        assert qemu.ssh_answers(server.getsockname()[1]) == answers
        thread.join()


def test_no_ssh_server_answers_on_a_closed_port() -> None:
    assert not qemu.ssh_answers(qemu.free_port())
