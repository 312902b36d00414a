"""The rules of config.yml that concern several keys, or files of the repository: one function each."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alchemy.config.arch import ARCH
from alchemy.config.remotes import is_git
from alchemy.config.values import FINGERPRINT, LINUX_TARBALL, MODULES_FRAGMENT, compact_fingerprint

# beside configurations: documentation, and lists of what a kernel drives
_NO_CONFIGURATION = (".md", ".alias")


@dataclass(frozen=True)
class Given:
    """The values of a config.yml as they were read, of any type; the defaults; and the repository."""

    values: Mapping[str, Any]
    defaults: Mapping[str, Any]
    root: Path

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def get(self, key: str) -> Any:
        """Returns a value, or its default."""
        return self.values.get(key, self.defaults.get(key))

    @property
    def stage3_is_downloaded(self) -> bool:
        return not str(self.get("stage3_url")).startswith("debian:")

    @property
    def kernel_is_tarball(self) -> bool:
        url = str(self.get("linux_url"))
        return LINUX_TARBALL.fullmatch(url) is not None and not is_git(url)

    def sync(self, key: str, default: Any) -> Any:
        """Returns a value of the mapping `sync`."""
        sync = self.values.get("sync")
        return sync.get(key, default) if isinstance(sync, dict) else None


def problems(given: Given) -> list[str]:
    """Returns a line for each violation of a rule: `KEY: problem`."""
    return [problem for rule in _RULES for problem in rule(given)]


def _named_files_exist(given: Given) -> Iterator[str]:
    for key, folder, prefix in (
        ("packages", "packages", "packages."),
        ("kernel_conf", f"kernels/{ARCH.name}", ""),
        ("kernel_fragments", f"kernels/{ARCH.name}/fragments", ""),
    ):
        value = given.values.get(key, [])
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or "/" in name:
                continue  # refused by its type
            if name.endswith(_NO_CONFIGURATION) or not (given.root / folder / (prefix + name)).is_file():
                yield f"{key}: {name}: no file {folder}/{prefix}{name}{_instead(given.root / folder, prefix, name)}"


def _instead(folder: Path, prefix: str, name: str) -> str:
    """Returns the nearest name in a folder, or all of them, for a message."""
    names = sorted(
        path.name.removeprefix(prefix)
        for path in folder.glob(f"{prefix}*")
        if path.is_file() and not path.name.endswith(_NO_CONFIGURATION)
    )
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else f" (expected one of: {', '.join(names) or 'none exist'})"


def _key_files_exist(given: Given) -> Iterator[str]:
    for key in ("stage3_keys", "linux_keys"):
        entries = given.values.get(key)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, str) and not re.fullmatch(r"[0-9A-Fa-fx ]*", entry):
                yield from _missing_file(given, key, entry)
    signer = given.values.get("signing_key")
    if isinstance(signer, str) and not FINGERPRINT.fullmatch(compact_fingerprint(signer)):
        yield from _missing_file(given, "signing_key", signer)


def _missing_file(given: Given, key: str, name: str) -> Iterator[str]:
    if not (given.root / name).is_file():
        yield f"{key}: {name}: no such file"


def _kernel_tarball_is_verified(given: Given) -> Iterator[str]:
    if not given.kernel_is_tarball:
        for key in ("linux_sha256", "linux_keys"):
            if key in given:
                yield f"{key}: only valid when linux_url is a tarball"
    elif not given.values.get("linux_keys") and "linux_sha256" not in given:
        yield "linux_sha256: missing (expected for a kernel tarball, unless linux_keys verify it)"


def _stage3_is_verified(given: Given) -> Iterator[str]:
    if not given.stage3_is_downloaded:
        for key in ("stage3_keys", "stage3_sha256"):
            if key in given:
                yield f"{key}: only valid for a downloaded stage3 (debian:SUITE is built locally)"
    elif given.values.get("stage3_keys") == [] and given.values.get("stage3_sha256") is None:
        yield "stage3_keys: must not be empty without stage3_sha256, which pins the tarball"


def _tree_is_verified(given: Given) -> Iterator[str]:
    verified_by_keys = given.sync("method", None) == "git" and given.sync("verify", True)
    if given.values.get("stage3_keys") == [] and verified_by_keys:
        yield "stage3_keys: must not be empty when sync verifies the tree (expected keys, or verify: false)"


def _sync_fits_the_stage3(given: Given) -> Iterator[str]:
    if not given.stage3_is_downloaded and given.sync("method", None) not in (None, "none"):
        yield "sync: only valid for a downloaded stage3 (debian:SUITE uses overlays/embedded)"


def _one_password(given: Given) -> Iterator[str]:
    if given.values.get("password") is not None and given.values.get("password_hash") is not None:
        yield "password_hash: conflicts with password (expected one of them)"


def _somebody_can_log_in(given: Given) -> Iterator[str]:
    if given.values.get("locked") is True and not any(
        given.values.get(key) for key in ("password", "password_hash", "ssh_keys")
    ):
        yield "locked: nobody could log in (expected ssh_keys, password or password_hash too)"


def _microcode_is_found(given: Given) -> Iterator[str]:
    if given.values.get("microcode") is True and given.values.get("embed_ramfs") is True:
        yield "microcode: conflicts with embed_ramfs (the kernel finds it only in a ramfs of its own)"


def _modules_are_asked_for(given: Given) -> Iterator[str]:
    fragments = given.values.get("kernel_fragments")
    if isinstance(fragments, list) and MODULES_FRAGMENT in fragments:
        yield f"kernel_fragments: {MODULES_FRAGMENT}: belongs to kernel_modules (expected kernel_modules: true)"


def _outputs_differ(given: Given) -> Iterator[str]:
    if given.get("image_name") == given.get("ramfs_name"):
        yield "ramfs_name: must differ from image_name"


_RULES: tuple[Callable[[Given], Iterator[str]], ...] = (
    _named_files_exist, _kernel_tarball_is_verified, _stage3_is_verified, _tree_is_verified, _sync_fits_the_stage3,
    _key_files_exist, _one_password, _somebody_can_log_in, _microcode_is_found, _modules_are_asked_for,
    _outputs_differ,
)  # fmt: skip
