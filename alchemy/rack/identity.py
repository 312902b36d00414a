"""Identifies a machine: its SMBIOS UUID, its serial number, its asset tag and the MACs of its ports."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

# A port of a large server has up to 256 virtual functions; a machine with more ports than this is refused.
MOST_MACS = 1024
_LONGEST = 128  # characters of a serial or an asset tag; SMBIOS strings are mostly below 64

_HEX_UUID = re.compile(r"[0-9a-f]{32}")
_MAC = re.compile(r"(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{12}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}")
# tunnels (4 or 16 octets) and InfiniBand (20) have a link-layer address, but no MAC
_OTHER_ADDRESS = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){1,31}")

# UUIDs that are on many boards
_WIDESPREAD = (
    "03000200-0400-0500-0006-000700080009",
    "03020100-0504-0706-0809-0a0b0c0d0e0f",
    "01020304-0506-0708-090a-0b0c0d0e0f10",
    "10000000-0000-8000-0040-000000000000",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "4c4c4544-0000-2010-8020-80c04f202020",  # Dell's form, with blanks in place of a service tag
)
# SMBIOS before 2.6 did not say in which order the bytes of the first three fields are
_BAD_UUIDS = frozenset(form for each in map(UUID, _WIDESPREAD) for form in (str(each), str(UUID(bytes_le=each.bytes))))
# what makers leave in place of a serial, in lower case, letters and digits only
_BAD_SERIALS = frozenset(
    {
        "baseboardserialnumber",
        "chassisserialnumber",
        "default",
        "defaultstring",
        "empty",
        "invalid",
        "na",
        "no",
        "none",
        "noserialnumber",
        "notapplicable",
        "notavailable",
        "notprovided",
        "notset",
        "notspecified",
        "null",
        "oem",
        "other",
        "serial",
        "serialnumber",
        "systemserialnumber",
        "tbd",
        "tobefilled",
        "tobefilledbyoem",
        "undefined",
        "unknown",
        "unspecified",
    }
)
# one repeated character, or counted up
_BAD_SERIAL = re.compile(r"(.)\1*|0?123456789?(?:0|a?b?c?d?e?f?)")
_BAD_MACS = frozenset(
    {"00:00:00:00:00:00", "be:3a:f2:b6:05:9f"}
)  # the second: the USB port to the BMC, on boards of many makers


@dataclass(frozen=True)
class Keys:
    """The keys of a machine, normalised. None and () stand for a key that it lacks, or shares with every machine."""

    uuid: str | None = None
    serial: str | None = None
    asset_tag: str | None = None
    macs: tuple[str, ...] = ()

    @classmethod
    def parse(cls, fields: Mapping[str, object]) -> Keys:
        """Returns the keys of the body of POST /v1/boots, or of the query of GET /v1/boot.

        Reads `uuid`, `serial`, `asset_tag` or `asset`, `macs` (a list) or `mac` (text). Raises ValueError where one
        of them is malformed, and where no usable key is left.
        """
        listed = fields.get("macs", [])
        if not isinstance(listed, list | tuple):
            raise ValueError("macs: not a list")
        if len(listed) > MOST_MACS:
            raise ValueError(f"macs: too many (expected at most {MOST_MACS}, got {len(listed)})")
        macs = {mac for mac in map(_mac, [*listed, *([fields["mac"]] if fields.get("mac") else [])]) if mac}
        serial, tag = _text("serial", fields.get("serial")), _text("asset_tag", fields.get("asset_tag"))
        keys = cls(
            uuid=_uuid(fields.get("uuid")),
            serial=None if _is_placeholder(serial) else serial,
            asset_tag=(tag or _text("asset", fields.get("asset"))) or None,
            macs=tuple(sorted(macs)),
        )
        if not any(keys.items()):
            raise ValueError("keys: missing (expected a serial, a uuid or a MAC that only this machine has)")
        return keys

    def items(self) -> Iterator[tuple[str, str]]:
        """Yields the keys that identify a machine, each as its kind (`serial`, `uuid`, `mac`) and its value.

        An asset tag identifies none: it is what a person typed.
        """
        if self.serial:
            yield "serial", self.serial
        if self.uuid:
            yield "uuid", self.uuid
        for mac in self.macs:
            yield "mac", mac

    def without(self, items: Collection[tuple[str, str]]) -> Keys:
        """Returns the keys that are left without some; each is a kind and a value, as `items` yields them."""
        return Keys(
            uuid=None if ("uuid", self.uuid) in items else self.uuid,
            serial=None if ("serial", self.serial) in items else self.serial,
            asset_tag=self.asset_tag,
            macs=tuple(mac for mac in self.macs if ("mac", mac) not in items),
        )

    def is_same_machine(self, other: Keys) -> bool:
        """Returns whether both are keys of one machine.

        A part may have been replaced: the serial or the UUID differs (a new board), but not both, and two other kinds
        of key agree. MACs alone may differ, as ports are added and replaced.
        """
        pairs = ((self.serial, other.serial), (self.uuid, other.uuid))
        agreeing = sum(bool(ours) and ours == theirs for ours, theirs in pairs)
        differing = sum(bool(ours and theirs) and ours != theirs for ours, theirs in pairs)
        return agreeing + bool(set(self.macs) & set(other.macs)) > differing

    def merged(self, newer: Keys) -> Keys:
        """Returns the keys after the machine has said `newer`, which replace those that were known."""
        return Keys(
            uuid=newer.uuid or self.uuid,
            serial=newer.serial or self.serial,
            asset_tag=newer.asset_tag or self.asset_tag,
            macs=newer.macs or self.macs,
        )


def _text(name: str, value: object) -> str:
    """Returns a text without blanks around it; empty for None. Raises ValueError."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name}: not text")
    if len(value) > _LONGEST:
        raise ValueError(f"{name}: too long (expected at most {_LONGEST} characters, got {len(value)})")
    stripped = value.strip()
    if not stripped.isprintable():
        raise ValueError(f"{name}: has a control character")
    return stripped


def _is_placeholder(serial: str) -> bool:
    bare = re.sub(r"[^a-z0-9]", "", serial.lower())
    return not bare or bare in _BAD_SERIALS or _BAD_SERIAL.fullmatch(bare) is not None


def _uuid(value: object) -> str | None:
    text = _text("uuid", value).lower()
    if not text:
        return None
    digits = text.replace("-", "")
    if not _HEX_UUID.fullmatch(digits):
        raise ValueError("uuid: not a UUID (expected 32 hexadecimal digits)")
    uuid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return None if uuid in _BAD_UUIDS or digits == digits[:2] * 16 else uuid


def _mac(value: object) -> str | None:
    """Returns a MAC as aa:bb:cc:dd:ee:ff; None where it identifies no port. Raises ValueError."""
    text = _text("mac", value).lower()
    if not _MAC.fullmatch(text):
        if text and not _OTHER_ADDRESS.fullmatch(text):
            raise ValueError("mac: not a MAC (expected a form like aa:bb:cc:dd:ee:ff)")
        return None
    digits = re.sub(r"[^0-9a-f]", "", text)
    mac = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    # the lowest bit of the first octet marks a group of ports (IEEE 802, section 8.2)
    return None if mac in _BAD_MACS or int(digits[:2], 16) & 1 else mac
