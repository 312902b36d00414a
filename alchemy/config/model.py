"""config.yml, validated as a whole before anything runs."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from alchemy.config import checks, strictyaml
from alchemy.config.remotes import Binhost, Mirror, Overlay, OverlayOrUrl, Sync
from alchemy.config.values import (
    VERSION,
    FileName,
    Firmware,
    Folder,
    KernelVersion,
    Licence,
    LinuxUrl,
    OpenPgpKey,
    OutputName,
    Password,
    PasswordHash,
    Profiles,
    Sha256,
    SshKey,
    Stage3Url,
    Username,
    no_duplicates,
)
from alchemy.errors import UserError

# Gentoo's release keys: they sign stage3s and snapshots of the tree today, or did so before
GENTOO_KEYS = (
    "13EBBDBEDE7A12775DFDB1BABB572E0E2D182910",
    "DCD05B71EAB94199527F44ACDB6B8C1F96D8BF6D",
    "D99EAC7379A850BCE47DA5F29E6438C817072058",
    "EF9538C9E8E64311A52CDEDFA13D0EF1914E7A72",
)

# the licence of sys-firmware/intel-microcode
INTEL_LICENCE = "intel-ucode"

_OVERRIDES = {"work_dir": "ALCHEMY_WORK_DIR", "cache_dir": "ALCHEMY_CACHE_DIR"}


def _default_sync(stage3_url: str) -> Sync:
    return Sync(method="none" if stage3_url.startswith("debian:") else "webrsync")


class Config(BaseModel):
    """The effective configuration. All keys are optional; config.yml.example explains them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stage3_url: Stage3Url = "debian:trixie"
    stage3_keys: tuple[OpenPgpKey, ...] | None = None
    stage3_sha256: Sha256 | None = None
    sync: Sync = Field(default_factory=lambda data: _default_sync(data.get("stage3_url", "")))
    linux_url: LinuxUrl = "debian:linux-source-6.12"
    linux_sha256: Sha256 | None = None
    linux_keys: tuple[OpenPgpKey, ...] = ()
    kernel_ver: KernelVersion = "latest"
    kernel_conf: FileName = "6.12"
    kernel_fragments: tuple[FileName, ...] = ()
    kernel_modules: bool = False
    packages: Annotated[tuple[FileName, ...], Field(min_length=1)] = ("core",)
    overlays: Annotated[tuple[OverlayOrUrl, ...], AfterValidator(no_duplicates)] = ()
    binhosts: tuple[Binhost, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    accept_licenses: tuple[Licence, ...] = ()
    keep_scripts: bool = False
    profile: Profiles = ()
    username: Username = "alchemy"
    password: Password | None = None
    password_hash: PasswordHash | None = None
    ssh_keys: tuple[SshKey, ...] = ()
    locked: bool = False
    embed_ramfs: bool = False
    image_name: OutputName = "alchemy.img"
    ramfs_name: OutputName = "alchemy.ramfs"
    compression: Literal["xz", "zstd"] = "xz"
    firmware: tuple[Firmware, ...] = ()
    microcode: bool | None = None
    ram_budget: Annotated[int, Field(ge=1)] | None = None
    command_keys: tuple[SshKey, ...] = ()
    signing_key: OpenPgpKey | None = None
    offline: bool = False
    work_dir: Folder = "work"
    cache_dir: Folder = "cache"
    jobs: Annotated[int, Field(ge=1, le=1024)] = Field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def has_microcode(self) -> bool:
        """Whether the ramfs begins with microcode: by default unless the ramfs is inside the kernel, which looks for it
        elsewhere."""
        return not self.embed_ramfs if self.microcode is None else self.microcode

    @property
    def has_intel_microcode(self) -> bool:
        """Whether Intel's microcode is installed: by default where its licence is accepted."""
        return self.microcode is True or (self.has_microcode and INTEL_LICENCE in self.accept_licenses)


# the models of the keys that hold mappings
_NESTED: Mapping[str, type[BaseModel]] = {"sync": Sync, "overlays": Overlay}


def schema(explanations: Mapping[str, str]) -> str:
    """Returns the JSON schema of config.yml, with the explanation of each key as its description."""
    described = Config.model_json_schema()
    for key, text in explanations.items():
        described["properties"][key]["description"] = text
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **described}, indent=2)


def file_of(root: Path, environ: Mapping[str, str]) -> Path:
    """Returns the path that `load` reads: config.yml of the repository, or the value of ALCHEMY_CONFIG."""
    named = environ.get("ALCHEMY_CONFIG")
    return Path(named) if named else root / "config.yml"


def load(root: Path, environ: Mapping[str, str]) -> Config:
    """Loads config.yml of the repository at `root`, or the file that ALCHEMY_CONFIG names. Without either, returns the
    defaults.

    Raises UserError with all mistakes at once.
    """
    path = file_of(root, environ)
    values: dict[str, Any] = {}
    if environ.get("ALCHEMY_CONFIG") or path.exists():
        values = _read(path)
    defaults = {name: field.default for name, field in Config.model_fields.items()}
    problems = checks.problems(checks.Given(values, defaults, root))
    config = None
    try:
        # YAML has lists where the configuration has tuples
        config = Config.model_validate({k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except ValidationError as error:
        problems = [_explain(detail) for detail in error.errors()] + problems
    if config is None or problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise UserError(f"{path}: invalid configuration\n{lines}", hint="config.yml.example explains every key")
    overrides = {key: environ[name] for key, name in _OVERRIDES.items() if environ.get(name)}
    return config.model_copy(update=overrides)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        values = strictyaml.parse(text)
    except ValueError as error:
        raise UserError(f"{path}: invalid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: invalid configuration (expected a mapping of keys to values, got {_kind(values)})")
    return {str(key): value for key, value in values.items()}


def _kind(value: object) -> str:
    names = {"list": "a list", "str": "a string"}
    return names.get(type(value).__name__, type(value).__name__)


def _explain(detail: ErrorDetails) -> str:
    """Returns pydantic's error as `KEY: problem`."""
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _NESTED.get(str(detail["loc"][0]), Config) if len(detail["loc"]) > 1 else Config
        close = difflib.get_close_matches(str(detail["loc"][-1]), known.model_fields, n=1)
        return f"{where}: unknown key" + (f"; did you mean {close[0]}?" if close else "")
    if detail["type"] == "value_error":
        return f"{where}: {detail['ctx']['error']}"
    if detail["type"] == "tuple_type":
        return f"{where}: must be a list"
    if detail["type"] == "string_type" and not isinstance(detail["input"], list | dict):
        return f"{where}: must be text: quote it"
    return f"{where}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def check_version(version: str) -> str:
    """Returns `version`. Raises UserError unless it is a valid version of an image."""
    if not VERSION.fullmatch(version):
        raise UserError(
            f"--version: invalid (expected letters, digits and . _ + -, at most 32 characters, got {version!r})",
            hint="./run build.all --version=1.2",
        )
    return version
