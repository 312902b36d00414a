"""An image with kernel_modules: a driver of the kernel's and one that a package brings, each loaded for its device."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemy.commands import hardware
from alchemy.context import Context
from alchemy.parts.hardware import alias_file
from tests.boot import guest
from tests.boot.conftest import build
from tests.boot.guest import Guest

pytestmark = pytest.mark.exhaustive

# the device that QEMU has for people who learn to write drivers (its docs/specs/edu.rst): it inverts what is written
DRIVER = r"""
#include <linux/module.h>
#include <linux/pci.h>

#define EDU_LIVENESS 0x04

static int probe(struct pci_dev *device, const struct pci_device_id *id)
{
	void __iomem *registers;
	int error = pcim_enable_device(device);

	if (!error)
		error = pcim_iomap_regions(device, BIT(0), "edu");
	if (error)
		return error;
	registers = pcim_iomap_table(device)[0];
	iowrite32(0x12345678, registers + EDU_LIVENESS);
	dev_info(&device->dev, "inverted %08x\n", ioread32(registers + EDU_LIVENESS));
	return 0;
}

static const struct pci_device_id ids[] = { { PCI_DEVICE(0x1234, 0x11e8) }, { } };
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver edu_driver = { .name = "edu", .id_table = ids, .probe = probe };
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("The educational device of QEMU");
MODULE_LICENSE("GPL");
"""
EBUILD = """\
# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit linux-mod-r1

DESCRIPTION="A driver for the educational device of QEMU"
HOMEPAGE="https://www.qemu.org/docs/master/specs/edu.html"
S=${WORKDIR}

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_prepare() {
	default
	cp "${FILESDIR}/edu-driver.c" . || die
	printf 'obj-m := edu-driver.o\\nall:\\n\\t$(MAKE) -C $(KDIR) M=$(CURDIR) modules\\n' > Makefile || die
}

src_compile() {
	local modlist=( edu-driver=drivers/edu )
	local modargs=( KDIR="${KV_OUT_DIR}" )
	linux-mod-r1_src_compile
}
"""
FILES = {
    "overlays/alchemy/sys-kernel/edu/edu-1.ebuild": EBUILD,
    "overlays/alchemy/sys-kernel/edu/files/edu-driver.c": DRIVER,
    "packages/packages.edu": "sys-kernel/edu\n",
    "kernels/x86_64/fragments/loose": "CONFIG_E1000E=m\nCONFIG_VIRTIO_NET=m\n",
}
CONFIGURATION = """\
kernel_modules: true
kernel_fragments: [loose]
packages: [core, edu]
ssh_keys: ["{key}"]
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Context:
    """The context of a clone whose bin/ has modules."""
    public = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
    return build(tmp_path_factory.mktemp("modules") / "alchemy", CONFIGURATION.format(key=public), FILES)


@pytest.fixture(scope="module")
def node(image: Context, key: Path) -> Iterator[Guest]:
    """A node whose interfaces and educational device have modules for drivers, in another order than by address."""
    cards = [
        "-device", "e1000e,addr=0x10,netdev=second,mac=52:54:00:00:00:02", "-netdev", "hubport,id=second,hubid=0",
        "-device", "edu,addr=0x11",
    ]  # fmt: skip
    log = image.logfile("boot-modules")
    with guest.boot(image, log, key, "net", extra=cards, memory=512) as node:
        node.expect(r"modules: loaded .*\n")
        node.expect(guest.HAND_OVER)
        node.wait_for_ssh()
        yield node


def test_a_driver_that_a_package_brings_drives_its_device(node: Guest) -> None:
    assert "inverted edcba987" in node.ssh("sudo dmesg | grep edu")
    assert node.ssh("readlink /sys/bus/pci/devices/0000:00:11.0/driver/module").strip().endswith("/edu_driver")


def test_interfaces_are_in_the_order_of_their_addresses(node: Guest) -> None:
    drivers = [node.ssh(f"readlink /sys/class/net/eth{n}/device/driver").strip() for n in (0, 1)]
    assert [driver.rpartition("/")[2] for driver in drivers] == ["virtio_net", "e1000e"]


def test_modprobe_finds_modules_and_what_they_need(node: Guest) -> None:
    node.ssh("sudo modprobe vfio-pci && lsmod | grep -q ^vfio_pci_core")
    node.ssh("sudo modprobe -r vfio-pci")
    assert node.ssh("modinfo -F filename edu-driver").strip().endswith("/drivers/edu/edu-driver.ko")


def test_the_list_of_what_is_driven_has_the_modules(image: Context, tmp_path: Path) -> None:
    aliases = (image.bin / alias_file.NAME).read_text(encoding="ascii")
    assert " edu_driver\n" in aliases
    assert "# driver e1000e E1000E\n" in aliases
    (tmp_path / "dump").write_text("00:11.0 Unclassified device [00ff]: QEMU edu [1234:11e8]\n", encoding="utf-8")
    (report,) = hardware.check([tmp_path / "dump"], image.root, image.bin)
    assert not report.failing
    packages = json.loads((image.bin / "manifest.json").read_text(encoding="utf-8"))["packages"]
    assert ("sys-kernel", "edu") in {(package["category"], package["name"]) for package in packages}
