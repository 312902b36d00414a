"""The names of the files in the outputs of stages, by which other stages find them.

They are apart from the modules that make the outputs: whoever imports such a module has its code in the key.
"""

from __future__ import annotations

from pathlib import Path

from alchemy.host.chroot import Chroot

# tools: a stage3 with all the programs that the other stages run
TOOLS = "root"

# system: the root tree, and beside it the firmware, Portage's database, the list of packages, and what else the
# manifest says of the system: the profile, the scripts that were left out, the libraries of the compiler
ROOT = "root"
FIRMWARE = "firmware"
DATABASE = "database"
PACKAGES = "packages.json"
ABOUT = "about.json"

# system-squashfs: the layer, named as chroot/init mounts it, and the compressed bytes of each package
SYSTEM_SQUASHFS = "packages.squashfs"
WEIGHTS = "weights.json"

# identity-squashfs
IDENTITY_SQUASHFS = "identity.squashfs"

# kernel, embedded; MODINFO is about the modules too
KERNEL = "bzImage"
KERNEL_CONFIG = "config"
RELEASE = "release"
MODINFO = "modules.builtin.modinfo"

# kernel, with kernel_modules: what belongs in lib/modules/RELEASE, and what modules of others are compiled against
MODULES = "modules"
BUILD_TREE = "build"

# modules-squashfs: the layer, beside a MODINFO about the modules of packages
MODULES_SQUASHFS = "modules.squashfs"

# ramfs: alchemy.ramfs, the list of firmware in it, and the bytes that it unpacks to
RAMFS = "ramfs"
FIRMWARE_LIST = "firmware.json"
UNPACKED = "unpacked"

# bundle
MANIFEST = "manifest.json"
SBOM = "alchemy.cdx.json"
SUMS = "SHA256SUMS"


def tools(output: Path) -> Chroot:
    """Returns a read-only chroot in the output of the tools stage."""
    return Chroot(output / TOOLS)
