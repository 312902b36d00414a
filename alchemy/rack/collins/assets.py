"""Assets of Collins (github.com/tumblr/collins), and which of them is a machine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alchemy.rack.identity import Keys

SERVER = "SERVER_NODE"
# as Collins has them (Asset.scala); bounded, as they become part of a path
_TAG = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LONGEST = 256  # characters of a status, a state or a serial number


@dataclass(frozen=True)
class Asset:
    """A machine as Collins knows it. `attributes` are those without a group; `serial` is empty where it has none."""

    tag: str
    status: str
    state: str = ""
    kind: str = SERVER
    serial: str = ""
    macs: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def is_tag(text: str) -> bool:
    """Returns whether Collins could have an asset of this tag."""
    return _TAG.fullmatch(text) is not None


def parse(found: object) -> Asset:
    """Returns an asset of its JSON, with or without details. Raises ValueError for anything else."""
    document = found if isinstance(found, dict) else {}
    about = _mapping(document.get("ASSET")) or document
    tag, status = _text(about.get("TAG")), _text(about.get("STATUS"))
    if not is_tag(tag) or not status:
        raise ValueError("not an asset of Collins (expected ASSET with TAG and STATUS)")
    state = about.get("STATE")
    hardware = _mapping(document.get("HARDWARE"))
    attributes = {
        name: value
        for name, value in _mapping(_mapping(document.get("ATTRIBS")).get("0")).items()
        if isinstance(value, str)
    }
    nics = hardware.get("NIC")
    macs = [_text(_mapping(nic).get("MAC_ADDRESS")) for nic in nics] if isinstance(nics, list) else []
    return Asset(
        tag=tag,
        status=status,
        state=_text(_mapping(state).get("NAME")),
        kind=_text(about.get("TYPE")) or SERVER,
        serial=(attributes.get("BASE_SERIAL") or _text(_mapping(hardware.get("BASE")).get("SERIAL"))).strip(),
        macs=tuple(sorted({mac.lower() for mac in macs if mac})),
        attributes=attributes,
    )


class Assets:
    """All assets of a Collins, found by the keys of a machine. Safe in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._assets: dict[str, Asset] = {}
        self._by_serial: dict[str, set[str]] = {}
        self._by_mac: dict[str, set[str]] = {}

    def replace(self, assets: Iterable[Asset]) -> None:
        """Takes these in place of all others."""
        with self._lock:
            self._assets, self._by_serial, self._by_mac = {}, {}, {}
            for asset in assets:
                self._add(asset)

    def put(self, asset: Asset) -> None:
        """Takes one, in place of the one with its tag."""
        with self._lock:
            self._drop(asset.tag)
            self._add(asset)

    def remove(self, tag: str) -> None:
        """Forgets an asset that Collins has deleted."""
        with self._lock:
            self._drop(tag)

    def tags(self) -> list[str]:
        """Returns the tags of all."""
        with self._lock:
            return list(self._assets)

    def find(self, keys: Keys) -> Asset | None:
        """Returns the asset of a machine: by its asset tag, else its serial number, else a MAC.

        None where there is none, or where the keys are those of several. An asset with another serial number is
        another machine, whatever tag a person gave to this one.
        """
        with self._lock:
            tagged = self._assets.get(keys.asset_tag or "")
            if tagged is not None and not _differ(tagged.serial, keys.serial):
                return tagged
            tags = set(self._by_serial.get(keys.serial or "", ()))
            if not tags:
                tags = {tag for mac in keys.macs for tag in self._by_mac.get(mac, ())}
                tags = {tag for tag in tags if not _differ(self._assets[tag].serial, keys.serial)}
            return self._assets[tags.pop()] if len(tags) == 1 else None

    def _add(self, asset: Asset) -> None:
        self._assets[asset.tag] = asset
        if asset.serial:
            self._by_serial.setdefault(asset.serial, set()).add(asset.tag)
        for mac in asset.macs:
            self._by_mac.setdefault(mac, set()).add(asset.tag)

    def _drop(self, tag: str) -> None:
        known = self._assets.pop(tag, None)
        if known is not None:
            self._by_serial.get(known.serial, set()).discard(tag)
            for mac in known.macs:
                self._by_mac.get(mac, set()).discard(tag)


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one) and bool(other) and one != other


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) and value.isprintable() else ""
