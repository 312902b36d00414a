"""The iPXE binaries that firmware fetches, as distributions or the user install them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alchemy.errors import UserError

BIOS, X64, ARM64 = "undionly.kpxe", "x64/snponly.efi", "arm64/snponly.efi"

# Debian, Fedora and Arch, in this order. snponly.efi uses the network driver of the firmware, which booted just now;
# ipxe.efi brings its own. Debian's snponly.efi is for x64; the one binary for arm64 comes with Debian 13.
_PACKAGED = {
    BIOS: ("/usr/lib/ipxe/undionly.kpxe", "/usr/share/ipxe/undionly.kpxe"),
    X64: (
        "/usr/lib/ipxe/snponly.efi",
        "/usr/lib/ipxe/ipxe.efi",
        "/usr/share/ipxe/ipxe-snponly-x86_64.efi",
        "/usr/share/ipxe/x86_64/snponly.efi",
        "/usr/share/ipxe/x86_64/ipxe.efi",
    ),
    ARM64: (
        "/usr/lib/ipxe/ipxe-arm64.efi",
        "/usr/share/ipxe/arm64-efi/snponly.efi",
        "/usr/share/ipxe/arm64/ipxe.efi",
    ),
}


@dataclass(frozen=True)
class Binary:
    """A file of this host, and its name below the root of TFTP."""

    name: str
    path: Path


def find(own: Path, *, arm64: bool, root: Path = Path("/")) -> tuple[Binary, ...]:
    """Returns the binaries for BIOS, for UEFI on x86-64, and for UEFI on arm64 if that is asked for.

    A file below `own` replaces that of the distribution. Raises UserError, which lists all that are missing.
    """
    wanted = (BIOS, X64, ARM64) if arm64 else (BIOS, X64)
    found = {name: _first([own / name, *(root / path.lstrip("/") for path in _PACKAGED[name])]) for name in wanted}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise UserError(
            f"iPXE: no {' and no '.join(missing)} on this host",
            hint=f"apt-get install ipxe (Debian 13 or newer for arm64), or put your own into {own}",
        )
    return tuple(Binary(name, path) for name, path in found.items() if path is not None)


def _first(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
