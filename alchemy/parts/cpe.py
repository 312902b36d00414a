"""Names packages as the National Vulnerability Database does: CPE 2.3 (NISTIR 7695)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

# values that stand for every version, and for none
_ANY = ("", "*", "-")

# the name of a product, as metadata.xml has it; _formatted would have to escape other characters
_NAME = re.compile(r"cpe:/(?P<part>[ao]):(?P<vendor>[a-z0-9._-]+):(?P<product>[a-z0-9._-]+)")

# a version of an ebuild (PMS, section 3.2): its suffix is CPE's update, its revision is the ebuild's and not upstream's
_VERSION = re.compile(r"(?P<version>.+?)(?:_(?P<suffix>alpha|beta|pre|rc|p)(?P<number>\d*))?(?:-r\d+)?")


def of_package(name: str, version: str) -> str | None:
    """Returns the CPE of a package at the version of an ebuild (1.9.16_p2: version 1.9.16, update p2). `name` is that
    of metadata.xml, cpe:/a:VENDOR:PRODUCT; None for any other."""
    match = _VERSION.fullmatch(version)
    parts = _NAME.fullmatch(name)
    if parts is None or match is None:
        return None
    update = f"{match['suffix']}{match['number']}" if match["suffix"] else "*"
    return _formatted(parts["part"], parts["vendor"], parts["product"], match["version"], update)


def release(version: str) -> str:
    """Returns the release of upstream that the version of an ebuild stands for: 1.9.16p2 for 1.9.16_p2-r1."""
    return re.sub(r"-r\d+$", "", version).replace("_", "")


@dataclass(frozen=True)
class Name:
    """A CPE: `product` is its part, vendor and product; `release` its version with its update, or None for any."""

    product: str
    release: str | None


def parse(text: str) -> Name:
    """Parses a CPE of version 2.3 (`cpe:2.3:a:gnu:tar:1.35:*:…`) or 2.2 (`cpe:/a:gnu:tar:1.35`).

    Raises ValueError when it is neither.
    """
    if text.startswith("cpe:2.3:"):
        values = re.split(r"(?<!\\):", text.removeprefix("cpe:2.3:"))
    elif text.startswith("cpe:/"):
        values = [unquote(value) for value in text.removeprefix("cpe:/").split(":")]
    else:
        values = []
    part, vendor, product, version, update, *_ = [
        re.sub(r"\\(.)", r"\1", value.lower()) for value in [*values, *[""] * 5]
    ]
    if part not in ("a", "o", "h") or not vendor or not product:
        raise ValueError(f"not a CPE ({text[:80]!r})")
    suffix = "" if update in _ANY else update
    return Name(f"{part}:{vendor}:{product}", None if version in _ANY else f"{version}{suffix}")


def of_kernel(version: str) -> str:
    """Returns the CPE of a Linux release."""
    return _formatted("o", "linux", "linux_kernel", version, "*")


def _formatted(part: str, vendor: str, product: str, version: str, update: str) -> str:
    """Formats a CPE (NISTIR 7695, section 6.2): all but letters, digits, `.`, `-` and `_` is escaped by a backslash."""
    values = [re.sub(r"[^\w.-]", r"\\\g<0>", value) if value != "*" else "*" for value in (version, update)]
    return ":".join(["cpe:2.3", part, vendor, product, *values, *"******"])
