"""The command line of alchemy-burnin, and the profile that it means."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alchemy_node import signature, web
from alchemy_node.burnin import profile
from alchemy_node.burnin.profile import STEPS, WATCHES, Profile, ProfileError
from alchemy_node.machine import Machine

# what `./run sign.command` signs a profile for
NAMESPACE = "alchemy-profile"

_MOST = 65537


@dataclass(frozen=True)
class Options:
    """What was asked for. `arguments` say the same again, for a run that goes on after a reset."""

    profile: str = "short"
    sha256: str = ""
    key: str = ""
    time: str = ""
    scale: str = "1"
    disks: str = "read"
    only: tuple[str, ...] = ()
    resume: bool = False
    self_test: bool = False
    plan: bool = False
    boot: bool = False
    journal: str = ""
    arguments: tuple[str, ...] = ()


def parse(arguments: Sequence[str]) -> Options:
    """Parses the command line; ends the program with 2 for one that is invalid."""
    found = _parser().parse_args(arguments)
    only = tuple(name for name in found.only.split(",") if name)
    return Options(
        found.profile, found.profile_sha256 or "", found.profile_key or "", found.time, found.scale, found.disks, only,
        found.resume, found.self_test, found.plan, found.boot, found.journal,
        tuple(argument for argument in arguments if argument not in {"--resume", "--boot"}),
    )  # fmt: skip


def again(stored: Options, given: Options) -> Options:
    """Returns the options of a run that goes on. What verifies a profile by URL counts from both starts.

    The record may come from a server, and `stored` with it. Raises ProfileError when they contradict.
    """
    found = replace(stored, boot=given.boot)
    for name in ("sha256", "key") if web.is_url(stored.profile) else ():
        before, now = getattr(stored, name), getattr(given, name)
        if before and now and before != now:
            raise ProfileError(f"--profile-{name}: contradicts the run that goes on (expected {before}, got {now})")
        found = replace(found, **{name: before or now})
    return found


def choose(options: Options, machine: Machine) -> Profile:
    """Returns the profile that the options mean. Raises ProfileError."""
    chosen = _load(options, machine)
    if options.time:
        chosen = replace(chosen, seconds=profile.seconds(options.time))
    chosen = chosen.scaled(profile.factor(options.scale))
    return chosen.only(options.only) if options.only else chosen


def _load(options: Options, machine: Machine) -> Profile:
    name = options.profile
    if web.is_url(name):
        return profile.parse(_fetch(options, machine), web.shown(name))
    for option, value in (("--profile-sha256", options.sha256), ("--profile-key", options.key)):
        if value:
            raise ProfileError(f"{option}: needs a profile by URL (got {name})")
    if "/" not in name and not name.endswith(".toml"):
        return profile.load(name)
    if options.boot and signature.locked(machine):
        raise ProfileError(f"profile {name}: refused: this image is locked (expected a name or a URL, got a file)")
    try:
        with Path(name).open("rb") as file:
            return profile.parse(file.read(_MOST), name)
    except OSError as error:
        raise ProfileError(f"profile {name}: cannot be read ({error.strerror})") from error


def _fetch(options: Options, machine: Machine) -> bytes:
    """Downloads a profile that has the digest and the signature that it must have. Raises ProfileError."""
    url = options.profile
    try:
        data = web.fetch(url, sha256=options.sha256, limit=_MOST)
        signature.demand(machine, "burnin_profile", url, data, NAMESPACE, options.key)
    except web.WebError as error:
        raise ProfileError(f"profile {error}") from error
    except signature.SignatureError as error:
        raise ProfileError(str(error)) from error
    except OSError as error:
        raise ProfileError(f"profile {web.shown(url)}: cannot be authenticated ({error.strerror})") from error
    return data


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise argparse.ArgumentTypeError(f"not a SHA-256 (expected 64 hex digits, got {text!r})")
    return text.lower()


def _key(text: str) -> str:
    if not re.fullmatch(r"[a-z][A-Za-z0-9@.+/=-]*:[A-Za-z0-9][A-Za-z0-9@.+/=-]*", text):
        raise argparse.ArgumentTypeError(f"not a public key (expected TYPE:BASE64, got {text!r})")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alchemy-burnin",
        allow_abbrev=False,
        description="Puts this machine under load, watches it for errors, and names the part to replace.",
        epilog="Exit status: 0 pass, 1 fail: replace what it names, 2 the command line, 3 error: nothing was proven. "
        "`alchemy-burnin status` says how a run goes.",
    )
    add = parser.add_argument
    add(
        "--profile",
        default="short",
        metavar="P",
        help=f"{', '.join(profile.BUILT_IN)}, or a TOML file or its URL (short)",
    )
    add(
        "--profile-sha256",
        type=_sha256,
        metavar="HEX",
        help="the SHA-256 that a profile by URL must have",
    )
    add(
        "--profile-key",
        type=_key,
        metavar="TYPE:BASE64",
        help="an SSH key that must have signed a profile by URL (the signature is at the URL + .sig)",
    )
    add("--time", default="", metavar="T", help="how long, such as 90m, 2h or 1d12h (as the profile says)")
    add("--scale", default="1", metavar="F", help="multiplies all times: 0.01 tries the profile out")
    add(
        "--disks",
        default="read",
        metavar="WHICH",
        help="read: writes nothing; blank: writes blank disks; or SERIAL,...",
    )
    add("--only", default="", metavar="STEP,...", help=f"only these of {', '.join(STEPS + WATCHES)}")
    add("--resume", action="store_true", help="goes on with the run that has no end")
    add("--self-test", action="store_true", help="injects a fault into each step, and demands that it fails")
    add("--plan", action="store_true", help="prints what would be done, and ends")
    add("--journal", default="", metavar="URL", help="a folder that takes PUT, for the lines (the rack service)")
    add("--boot", action="store_true", help="shows the run on every console, and goes on with one without an end")
    return parser
