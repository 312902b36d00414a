"""The commands hardware.*: which devices of a machine the image drives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from alchemy.config.arch import ARCH
from alchemy.errors import UserError
from alchemy.parts.hardware import alias_file, dumps, kernel, verdicts
from alchemy.parts.hardware.kernel import Kernel
from alchemy.parts.hardware.verdicts import Image, Report
from alchemy.stages import outputs

# in the folder of an architecture below kernels/: what the fragments drive, and what later series do
_FRAGMENTS = "fragments.alias"
_LATER = "later"

_EXAMPLE = "./run hardware.check lspci.txt    # of: lspci -nnvvk"


def check(paths: Sequence[Path], root: Path, bin_folder: Path) -> list[Report]:
    """Judges machine dumps by the bundle in a folder. Raises UserError for an unknown dump or a missing bundle."""
    if not paths:
        raise UserError("hardware.check: no file (expected dumps of machines)", hint=_EXAMPLE)
    made = image(root, bin_folder)
    return [verdicts.report(dump, made) for dump in dumps.read(paths)]


def image(root: Path, bin_folder: Path) -> Image:
    """Returns what judges: the kernel and the firmware of a bundle, and what else the repository knows of."""
    made = kernel.read(bin_folder / alias_file.NAME)
    return Image(
        made,
        _missing_firmware(bin_folder / outputs.MANIFEST),
        elsewhere(root / "kernels" / ARCH.name, made.release),
    )


def elsewhere(folder: Path, release: str = "") -> list[tuple[str, Kernel]]:
    """Returns the kernels that drive more than that of the image, each with a phrase for it: a fragment, or a series
    later than `release`."""
    found: list[tuple[str, Kernel]] = []
    if (folder / _FRAGMENTS).is_file():
        fragments = kernel.read(folder / _FRAGMENTS)
        found += [(f"kernel_fragments: [{name}]", some) for name, some in _by_fragment(folder, fragments)]
    later = sorted((folder / _LATER).glob("*.alias"), key=lambda path: _series(path.stem))
    found += [(f"Linux {path.stem}", kernel.read(path)) for path in later if _series(path.stem) > _series(release)]
    return found


def _series(release: str) -> tuple[int, ...]:
    """Returns the series of a release, to compare: (6, 12) of 6.12.118-alchemy; nothing of an unknown one."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return tuple(int(number) for number in match.groups()) if match else ()


def _by_fragment(folder: Path, fragments: Kernel) -> Iterable[tuple[str, Kernel]]:
    for path in sorted((folder / "fragments").iterdir()):
        lines = path.read_text(encoding="utf-8").splitlines()
        drivers = {driver for driver, symbol in fragments.symbols.items() if f"CONFIG_{symbol}=y" in lines}
        if drivers and path.name != "all-drivers":
            yield path.name, fragments.only(drivers)


def _missing_firmware(manifest: Path) -> list[str]:
    if not manifest.is_file():
        return []
    missing: list[str] = json.loads(manifest.read_text(encoding="utf-8"))["firmware"]["missing"]
    return missing


def as_value(reports: Iterable[Report]) -> dict[str, object]:
    """Returns the reports as a value for JSON."""
    return {
        "machines": [
            {
                "name": report.dump.name,
                "format": report.dump.format,
                "not_driven": len(report.failing),
                "functions": [verdict.record for verdict in report.verdicts],
            }
            for report in reports
        ],
    }
