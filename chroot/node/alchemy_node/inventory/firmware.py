"""How the machine booted: BIOS or UEFI, Secure Boot, TPM."""

from __future__ import annotations

from alchemy_node.inventory.facts import Found, Json, Unknown, present
from alchemy_node.machine import Machine

_EFI = "/sys/firmware/efi"
# A variable of the UEFI specification: four bytes of attributes, then one of value.
_SECURE_BOOT = f"{_EFI}/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_TPM = "/sys/class/tpm/tpm0"


def collect(machine: Machine, dmi: Json) -> Found[Json]:
    """The firmware; `dmi` has what DMI says of it."""
    uefi = machine.exists(_EFI)
    variable = machine.read_bytes(_SECURE_BOOT, 5) if uefi else None
    secure = variable[4] == 1 if variable and len(variable) == 5 else None
    unknown = (
        (Unknown("firmware secure_boot", _SECURE_BOOT, "absent or unreadable"),) if uefi and secure is None else ()
    )
    major = (machine.read(f"{_TPM}/tpm_version_major", 8) or "").strip()
    tpm = {"1": "1.2", "2": "2.0"}.get(major)
    return Found(dmi | present(mode="uefi" if uefi else "bios", secure_boot=secure, tpm=tpm), unknown)
