"""Renders the templates. Every value that they show is escaped, bounded, and without invisible characters."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from alchemy.errors import visible
from alchemy.rack.pages import static

_TEMPLATES = Path(__file__).with_name("templates")
_LONGEST = 500
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


@cache
def environment() -> Environment:
    """Returns the environment of the templates; a name that a template lacks is an error."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(age=age, clip=clip, moment=moment, size=size, span=span, speed=speed, stamp=stamp)
    made.globals["asset"] = static.url
    return made


def render(template: str, **values: object) -> str:
    """Returns a page."""
    return environment().get_template(template).render(values)


def clip(text: object, most: int) -> str:
    """Returns a text on one line, with the characters visible that would be hidden, and with at most `most` of them."""
    # most texts of a long table are plain
    if isinstance(text, str) and len(text) <= most and text.isascii() and text.isprintable() and "://" not in text:
        return text
    shown = " ".join(visible(str("" if text is None else text)[: most * 4]).split())
    if not shown.isprintable():
        # private and unassigned characters, which a font may draw as nothing
        shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def moment(value: datetime | None) -> str:
    """Returns a moment with the name of its zone."""
    return "" if value is None else f"{stamp(value)} UTC"


def stamp(value: datetime | None) -> str:
    """Returns a moment in UTC."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def age(value: datetime | None, now: datetime) -> str:
    """Returns how long ago a moment was: `5 s`, `12 min`, `3 h`, `2 d`."""
    return "" if value is None else span((now - value).total_seconds())


def span(seconds: float) -> str:
    """Returns a duration, rounded down to its largest unit."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds / length)} {unit}"
    return f"{max(0, int(seconds))} s"


def size(value: object) -> str:
    """Returns a number of bytes in the units of makers of disks; empty for a value that is not a number."""
    return _scaled(value, ("B", "kB", "MB", "GB", "TB", "PB"), 1000)


def speed(value: object) -> str:
    """Returns Mbit/s in the units of switches; empty for a value that is not a number."""
    return _scaled(value, ("Mb/s", "Gb/s", "Tb/s"), 1000)


def _scaled(value: object, units: tuple[str, ...], base: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < base ** (len(units) + 1):
        return ""
    number, index = float(value), 0
    while number >= base and index < len(units) - 1:
        number, index = number / base, index + 1
    return f"{number:.3g} {units[index]}"


def _shown(value: object) -> object:
    """Makes the value of an expression safe to show; Jinja2 then escapes it. Markup is what a template made."""
    return value if isinstance(value, Markup) else clip(value, _LONGEST)
