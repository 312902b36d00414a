"""config.yml: read and validated whole, before anything runs."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from alchemy.errors import UserError
from alchemy.remotes import Binhost, Overlay, OverlayOrUrl, Sync, git_url, is_git

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,31}")

_SUITE = re.compile(r"debian:[a-z]+")
_STAGE3 = re.compile(r"(https?|file)://\S+(\.tar\.(xz|zst|gz|bz2)|/[\w.+-]+\.txt)")
_LINUX = re.compile(r"(https?|file)://\S+\.tar\.(xz|gz|bz2|zst)")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_KEY_ID = re.compile(r"(0x)?[0-9A-Fa-f]{8,39}")
_DEBIAN_PACKAGE = re.compile(r"debian:[a-z0-9][a-z0-9.+-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_USERNAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_SSH_KEY = re.compile(r"(?P<type>ssh-\S+|ecdsa-sha2-\S+|sk-\S+@openssh\.com) (?P<key>[A-Za-z0-9+/]+=*)( .*)?")

# Users and groups that any image has, of Gentoo's baselayout and of what the core packages run as.
_SYSTEM_ACCOUNTS = frozenset(
    {
        "adm", "audio", "bin", "cdrom", "chrony", "cron", "daemon", "dhcpcd", "dialout", "disk", "floppy",
        "halt", "input", "kmem", "kvm", "lldpd", "lp", "mail", "man", "nobody", "nogroup", "operator",
        "portage", "render", "root", "shutdown", "sshd", "sync", "sys", "tape", "tty", "usb", "users", "utmp",
        "uucp", "video", "wheel",
    }
)  # fmt: skip

# Gentoo's release keys: of stage3s, of snapshots of the tree, and of what they used to be
GENTOO_KEYS = (
    "13EBBDBEDE7A12775DFDB1BABB572E0E2D182910",
    "DCD05B71EAB94199527F44ACDB6B8C1F96D8BF6D",
    "D99EAC7379A850BCE47DA5F29E6438C817072058",
    "EF9538C9E8E64311A52CDEDFA13D0EF1914E7A72",
)

# what else is in bin/
_OTHER_OUTPUTS = frozenset(
    {"alchemy.cdx.json", "boot.ipxe", "manifest.json", "SHA256SUMS", "SHA256SUMS.asc", "SHA256SUMS.sig", "stage.json"}
)


def _plain_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", value):
        raise ValueError("must be a plain file name, without a folder")
    return value


def _output_name(value: str) -> str:
    if value in _OTHER_OUTPUTS:
        raise ValueError("is the name of another file of bin/")
    return _plain_name(value)


def _stage3_url(value: str) -> str:
    if not (_SUITE.fullmatch(value) or _STAGE3.fullmatch(value)):
        raise ValueError("must be debian:SUITE, or the http(s) or file URL of a stage3 tarball or of a pointer (.txt)")
    return value


def _linux_url(value: str) -> str:
    if is_git(value):
        return git_url(value)
    if not (_DEBIAN_PACKAGE.fullmatch(value) or _LINUX.fullmatch(value)):
        raise ValueError("must be debian:PACKAGE or the URL of a tarball (http, https, file) or of a git repository")
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError("must be 64 lower-case hexadecimal digits")
    return value


def _openpgp_key(value: str) -> str:
    """A fingerprint in gpg's form, without its blanks, or the name of a file."""
    compact = _compact(value)
    if _FINGERPRINT.fullmatch(compact):
        return compact
    if _KEY_ID.fullmatch(value) or not value:
        raise ValueError("must be a whole fingerprint, 40 hexadecimal digits, or a file with a key")
    return value


def _compact(fingerprint: str) -> str:
    return fingerprint.replace(" ", "").upper()


def _username(value: str) -> str:
    if not _USERNAME.fullmatch(value):
        raise ValueError("must be a login name: lower-case letters, digits, _ and -, 31 characters at most")
    if value == "root":
        raise ValueError("must not be root, who has no login")
    if value in _SYSTEM_ACCOUNTS:
        raise ValueError(f"must not be {value}, which is an account of the system")
    return value


def _ssh_key(value: str) -> str:
    match = _SSH_KEY.fullmatch(value.strip())
    if match is None:
        raise ValueError("must be an OpenSSH public key: TYPE BASE64 [COMMENT] on one line")
    try:
        blob = base64.b64decode(match["key"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"is an SSH key whose base64 is broken: {error}") from error
    # RFC 4253 section 6.6: the blob begins with the type, behind its length
    if blob[4 : 4 + int.from_bytes(blob[:4], "big")] != match["type"].encode():
        raise ValueError("is an SSH key whose type isn't the one inside it")
    return value.strip()


def _no_newline(value: SecretStr) -> SecretStr:
    if not value.get_secret_value() or any(c in value.get_secret_value() for c in "\n\r\0"):
        raise ValueError("must be one line, and not empty")
    return value


def _firmware(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/") or not value.strip():
        raise ValueError("must be a pattern of names below /lib/firmware, such as bnx2x/*")
    return value


FileName = Annotated[str, AfterValidator(_plain_name)]
SshKey = Annotated[str, AfterValidator(_ssh_key)]
OpenPgpKey = Annotated[str, AfterValidator(_openpgp_key)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Licence = Annotated[str, Field(pattern=r"^@?[A-Za-z0-9][A-Za-z0-9+_.-]*$")]


def _default_sync(stage3_url: str) -> Sync:
    return Sync(method="none" if stage3_url.startswith("debian:") else "webrsync")


class Config(BaseModel):
    """The effective configuration. Every key is optional; config.yml.example explains each."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stage3_url: Annotated[str, AfterValidator(_stage3_url)] = "debian:trixie"
    stage3_keys: tuple[OpenPgpKey, ...] | None = None
    stage3_sha256: Sha256 | None = None
    sync: Sync = Field(default_factory=lambda data: _default_sync(data.get("stage3_url", "")))
    linux_url: Annotated[str, AfterValidator(_linux_url)] = "debian:linux-source-6.12"
    linux_sha256: Sha256 | None = None
    linux_keys: tuple[OpenPgpKey, ...] = ()
    kernel_ver: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~_-]*$")] = "latest"
    kernel_conf: FileName = "6.12"
    kernel_fragments: tuple[FileName, ...] = ()
    packages: Annotated[tuple[FileName, ...], Field(min_length=1)] = ("core",)
    overlays: tuple[OverlayOrUrl, ...] = ()
    binhosts: tuple[Binhost, ...] = ()
    accept_licenses: tuple[Licence, ...] = ()
    username: Annotated[str, AfterValidator(_username)] = "alchemy"
    password: Annotated[SecretStr, AfterValidator(_no_newline)] | None = None
    ssh_keys: tuple[SshKey, ...] = ()
    embed_ramfs: bool = False
    image_name: Annotated[str, AfterValidator(_output_name)] = "alchemy.img"
    ramfs_name: Annotated[str, AfterValidator(_output_name)] = "alchemy.ramfs"
    compression: Literal["xz", "zstd"] = "xz"
    firmware: tuple[Annotated[str, AfterValidator(_firmware)], ...] = ()
    ram_budget: Annotated[int, Field(ge=1)] | None = None
    command_keys: tuple[SshKey, ...] = ()
    signing_key: OpenPgpKey | None = None
    offline: bool = False
    work_dir: Annotated[str, Field(min_length=1)] = "work"
    cache_dir: Annotated[str, Field(min_length=1)] = "cache"
    jobs: Annotated[int, Field(ge=1, le=1024)] = Field(default_factory=lambda: os.cpu_count() or 1)


# the models of keys that are mappings themselves
_NESTED: Mapping[str, type[BaseModel]] = {"sync": Sync, "overlays": Overlay}


def schema() -> str:
    """The JSON schema of config.yml."""
    return json.dumps(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}, indent=2
    )


def load(root: Path, environ: Mapping[str, str]) -> Config:
    """Reads config.yml of the repository at `root`, or what ALCHEMY_CONFIG names; with neither, the defaults.

    Raises UserError with every mistake in the file at once.
    """
    named = environ.get("ALCHEMY_CONFIG")
    path = Path(named) if named else root / "config.yml"
    values: dict[str, Any] = {}
    if named or path.exists():
        values = _read(path)
    problems = _problems(values, root)
    config = None
    try:
        # YAML has lists where the configuration has tuples
        config = Config.model_validate({k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except ValidationError as error:
        problems = [_explain(detail) for detail in error.errors()] + problems
    if config is None or problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise UserError(f"{path}: not a valid configuration\n{lines}", hint="config.yml.example explains every key")
    overrides = {key: environ[name] for key, name in _OVERRIDES.items() if environ.get(name)}
    return config.model_copy(update=overrides)


_OVERRIDES = {"work_dir": "ALCHEMY_WORK_DIR", "cache_dir": "ALCHEMY_CACHE_DIR"}


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        values = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        # without the lines themselves, which may hold the password
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{path}: not valid YAML: {error.problem or error.context}{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: must be a mapping of keys to values, not a {type(values).__name__}")
    return {str(key): value for key, value in values.items()}


class _UniqueKeys(yaml.SafeLoader):
    """YAML forbids a key that stands twice; PyYAML would take the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} stands twice", key_node.start_mark)
            seen.add(str(key))
        return super().construct_mapping(node, deep)


def _problems(values: Mapping[str, Any], root: Path) -> list[str]:
    """What the types cannot say: files that have to exist, keys that need each other."""
    problems = []
    for key, folder, prefix in (
        ("packages", "packages", "packages."),
        ("kernel_conf", "kernels", ""),
        ("kernel_fragments", "kernels/fragments", ""),
    ):
        given = values.get(key, [])
        names = given if isinstance(given, list) else [given]
        for name in names:
            if (
                isinstance(name, str)
                and "/" not in name
                and (name.endswith(".md") or not (root / folder / (prefix + name)).is_file())
            ):
                problems.append(
                    f"{key}: {name}: there is no file {folder}/{prefix}{name}{_available(root / folder, prefix, name)}"
                )
    problems += _linux_problems(values, root)
    problems += _stage3_problems(values, root)
    problems += _twice(values.get("overlays"))
    signer = values.get("signing_key")
    if isinstance(signer, str) and not _FINGERPRINT.fullmatch(_compact(signer)) and not (root / signer).is_file():
        problems.append(f"signing_key: {signer}: there is no such file")
    if values.get("image_name", "alchemy.img") == values.get("ramfs_name", "alchemy.ramfs"):
        problems.append("ramfs_name: must differ from image_name")
    return problems


def _stage3_problems(values: Mapping[str, Any], root: Path) -> list[str]:
    """What may be wrong with what verifies the stage3."""
    problems = []
    keys, digest = values.get("stage3_keys"), values.get("stage3_sha256")
    made_here = str(values.get("stage3_url", "debian:")).startswith("debian:")
    if made_here:
        problems += [
            f"{key}: is for a stage3 that is fetched, and stage3_url is one that is made here"
            for key in ("stage3_keys", "stage3_sha256")
            if key in values
        ]
    elif keys == [] and digest is None:
        problems.append("stage3_keys: without a key, stage3_sha256 has to pin the stage3")
    sync = values.get("sync")
    if made_here and isinstance(sync, dict) and sync.get("method") != "none":
        problems.append("sync: is for a stage3 that is fetched, and one that is made here has its own")
    return problems + _missing_keys("stage3_keys", keys, root)


def _linux_problems(values: Mapping[str, Any], root: Path) -> list[str]:
    """What may be wrong with what verifies the kernel's source."""
    url, keys = str(values.get("linux_url", "debian:")), values.get("linux_keys")
    if _LINUX.fullmatch(url) and not is_git(url):
        problems = []
        if not keys and "linux_sha256" not in values:
            problems.append("linux_sha256: a kernel tarball needs its sha256 here, or linux_keys that may sign it")
    else:
        problems = [
            f"{key}: is for a tarball, and linux_url is none" for key in ("linux_sha256", "linux_keys") if key in values
        ]
    return problems + _missing_keys("linux_keys", keys, root)


def _missing_keys(key: str, entries: Any, root: Path) -> list[str]:
    """The files of a list of OpenPGP keys that are not there."""
    return [
        f"{key}: {entry}: there is no such file"
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, str) and not re.fullmatch(r"[0-9A-Fa-fx ]*", entry) and not (root / entry).is_file()
    ]


def _twice(overlays: Any) -> list[str]:
    """The overlays of a list that are there twice."""
    entries = overlays if isinstance(overlays, list) else []
    urls = [str(entry.get("url") if isinstance(entry, dict) else entry) for entry in entries]
    return [f"overlays: {url}: stands twice" for url in dict.fromkeys(urls) if urls.count(url) > 1]


def _available(folder: Path, prefix: str, name: str) -> str:
    names = sorted(
        path.name.removeprefix(prefix)
        for path in folder.glob(f"{prefix}*")
        if path.is_file() and not path.name.endswith(".md")
    )
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else f" (there are: {', '.join(names) or 'none'})"


def _explain(detail: ErrorDetails) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _NESTED.get(str(detail["loc"][0]), Config) if len(detail["loc"]) > 1 else Config
        close = difflib.get_close_matches(str(detail["loc"][-1]), known.model_fields, n=1)
        return f"{where}: no such key" + (f"; did you mean {close[0]}?" if close else "")
    if detail["type"] == "value_error":
        return f"{where}: {detail['ctx']['error']}"
    if detail["type"] == "tuple_type":
        return f"{where}: must be a list"
    return f"{where}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def check_version(version: str) -> str:
    """Raises UserError unless `version` can be a version of Alchemy Linux; returns it."""
    if not VERSION.fullmatch(version):
        raise UserError(
            f"--version: {version!r} isn't a version",
            hint="letters, digits and . _ + -, beginning with a letter or digit, 32 characters at most",
        )
    return version
