"""The ramfs: cpio archives one after the other, of microcode, of the preliminary init, of firmware, and of the layers.

The kernel unpacks concatenated archives, each compressed or not (its Documentation/driver-api/early-userspace/
buffer-format.rst). The layers are compressed already and stay as they are: a change of the init repacks a megabyte.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import files
from alchemy.host.rooted import Rooted
from alchemy.parts import firmware, microcode
from alchemy.stage import Inputs, Pins, Stage, needed
from alchemy.stages import outputs

NAME = "ramfs"

# the files of chroot/ that are the preliminary init, and the script that packs them
_EARLY = ("init", "early")
_PACK = "pack-ramfs.sh"

# where packages have it: /bin is a folder of its own in a system whose /usr is not merged
_BUSYBOX = ("usr/bin/busybox", "bin/busybox")

# the squashfs of each layer, by the stage that makes it; there may be no modules
_LAYERS = {
    "system-squashfs": outputs.SYSTEM_SQUASHFS,
    "modules-squashfs": outputs.MODULES_SQUASHFS,
    "identity-squashfs": outputs.IDENTITY_SQUASHFS,
}

# The kernel's xz decoder knows CRC32 only. Two blocks are compressed at once, on one processor in the same bytes.
_COMPRESSION = {"xz": "xz --check=crc32 --lzma2=preset=6e --block-size=1MiB --threads=2", "zstd": "zstd -19"}


def stage(context: Context, _: Pins, made: Mapping[str, Stage]) -> Stage:
    """Declares the stage that makes the ramfs, the list of the firmware in it, and the bytes that it unpacks to.

    It needs the kernel, whose drivers name the firmware.
    """
    return Stage(
        name=NAME,
        store=context.cache / "stages",
        inputs={
            **{f"chroot/{name}": files.digest(context.root / "chroot" / name) for name in (*_EARLY, _PACK)},
            "compression": context.config.compression,
            "firmware": " ".join(context.config.firmware),
            "microcode": str(context.config.has_microcode),
            "epoch": str(context.epoch),
        },
        needs=needed(made, "system", "kernel", *(name for name in _LAYERS if name in made), "tools"),
        build=lambda output, inputs: _build(context, output, inputs),
        cheap=True,
    )


def _build(context: Context, output: Path, inputs: Inputs) -> None:
    early = output / "early"
    early.mkdir()
    for name in _EARLY:
        files.merge(context.root / "chroot" / name, early / name)
    system = Rooted(inputs["system"] / outputs.ROOT)
    system.copy_out(next(filter(system.is_file, _BUSYBOX), _BUSYBOX[0]), early / "busybox")
    chosen = output / "firmware"
    chosen.mkdir()
    archive = microcode.archive(_microcode(context, inputs))
    (output / outputs.RAMFS).write_bytes(archive)
    _choose_firmware(context, inputs, chosen, output / outputs.FIRMWARE_LIST, len(archive))
    layers = {squashfs: inputs[name] / squashfs for name, squashfs in _LAYERS.items() if name in inputs}
    packing = dataclasses.replace(
        outputs.tools(inputs["tools"]),
        ro_binds={
            f"/mnt/{_PACK}": context.root / "chroot" / _PACK,
            "/mnt/early": early,
            "/mnt/firmware": chosen,
            **{f"/mnt/system/{name}": path for name, path in layers.items()},
        },
        binds={"/mnt/out": output},
        # the archive has /dev/console
        capabilities=("DAC_OVERRIDE", "MKNOD"),
    )
    command = ["bash", f"/mnt/{_PACK}", _COMPRESSION[context.config.compression], str(context.epoch)]
    with context.log.step("ramfs: packing"):
        context.runner.run(packing.argv(command), log=context.logfile(NAME), what=f"chroot/{_PACK}")
    unpacked = sum(map(files.size, [early, chosen, *layers.values()]))
    (output / outputs.UNPACKED).write_text(f"{unpacked}\n", encoding="ascii")
    files.remove(early)
    files.remove(chosen)


def _microcode(context: Context, inputs: Inputs) -> Mapping[str, bytes]:
    """Returns the microcode that the packages have brought, by vendor; none where config.yml wants none.

    Raises BuildError when Intel's package brought none.
    """
    found = microcode.collect(inputs["system"] / outputs.FIRMWARE) if context.config.has_microcode else {}
    if context.config.has_intel_microcode and microcode.INTEL not in found:
        raise BuildError(
            "sys-firmware/intel-microcode: no microcode (expected files in lib/firmware/intel-ucode)",
            hint="its USE flag split-ucode has to be on: etc/portage/package.use",
        )
    return found


def _choose_firmware(context: Context, inputs: Inputs, target: Path, listing: Path, microcode_size: int) -> None:
    configured = context.config.firmware
    asking = [inputs[name] / outputs.MODINFO for name in ("kernel", "modules-squashfs") if name in inputs]
    patterns = configured or firmware.asked_for(b"".join(path.read_bytes() for path in asking))
    source = inputs["system"] / outputs.FIRMWARE
    copied, missing = firmware.copy(source, patterns, target, required=bool(configured))
    about = {"files": copied, "missing": missing, "size": files.size(target), "sizes": firmware.sizes(target)}
    files.write_json(listing, {**about, "microcode": microcode_size})
