"""rack.yml, validated as a whole before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from alchemy.config import strictyaml
from alchemy.errors import UserError
from alchemy.rack import config_checks
from alchemy.rack.config_values import (
    Cmdline,
    Database,
    Days,
    File,
    Folder,
    Header,
    HttpUrl,
    Interface,
    Jobs,
    List,
    Mac,
    Match,
    Name,
    Networks,
    OperatorName,
    PasswordHash,
    PollSeconds,
    SecretFile,
    StateName,
    StatusName,
    TokenSeconds,
    nearest,
    shown,
)

EXAMPLE = "rack.yml.example"

_ROOT = Path(__file__).resolve().parents[2]
_MOST_BYTES = 1024 * 1024
# the keys whose values no message shows
_SECRET = ("operators",)
_KINDS = {
    "string_type": "text (quote it)",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "is_instance_of": "the name of a file or folder",
    "too_short": "at least one entry",
}
_REQUIRED = {
    "profile": "the name of a profile",
    "url": "the URL of the server",
    "user": "the user to log in as",
    "password_file": "a file with the password, mode 0600",
    "addresses": "the addresses of the proxies",
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Profile(_Model):
    """What a node boots: an image with a kernel command line. `jobs` are what it then does by itself.

    `name` is the key in rack.yml. A profile without an image starts nothing of ours: `local` and `local-efi-disk` boot
    the disk. A `destructive` profile needs an operator's order.
    """

    name: str = ""
    image: Name | None = None
    cmdline: Cmdline = ""
    jobs: Jobs = ()
    destructive: bool = False


class Rule(_Model):
    """A decision: a node that meets every condition boots `profile`. None means no condition.

    `port` is a switch and its port as LLDP names them, `status` and `state` are those of Collins.
    """

    profile: str
    serial: Match | None = None
    mac: Mac | None = None
    model: Match | None = None
    vendor: Match | None = None
    port: Match | None = None
    status: StatusName | None = None
    state: StateName | None = None
    unknown: bool | None = None


class Collins(_Model):
    """The Collins server to ask; `poll` is in seconds."""

    url: HttpUrl
    user: Match
    password_file: SecretFile
    poll: PollSeconds = 60

    def password(self) -> str:
        """Reads the password: the first line of its file. Raises OSError, ValueError."""
        text = self.password_file.read_text(encoding="utf-8")
        password = text.partition("\n")[0].rstrip("\r")
        if not password:
            raise ValueError(f"{self.password_file}: empty (expected the password of {self.user})")
        return password


class TrustedProxy(_Model):
    """The reverse proxies that log operators in, and the header with the operator's name.

    The header counts only from `addresses`. Those of `operate` may give orders; everyone else only looks.
    """

    addresses: Networks
    header: Header = "X-Remote-User"
    operate: Annotated[tuple[Match, ...], List] = ()


class RackConfig(_Model):
    """The effective configuration. All keys are optional; rack.yml.example explains them.

    `profiles` has the built-in ones too. `operators` maps the key in rack.yml, NAME or NAME:view, to a crypt(5) hash.
    `decisions` is None for the default decisions, and `database` empty for a file of SQLite in the state folder.
    """

    interface: Interface | None = None
    images: Mapping[Name, Folder] = Field(default_factory=lambda: {"alchemy": _ROOT / "bin"})
    profiles: Mapping[Name, Profile] = Field(default_factory=lambda: builtin_profiles("alchemy"))
    decisions: Annotated[tuple[Rule, ...], List] | None = None
    collins: Collins | None = None
    database: Database = ""
    operators: Mapping[OperatorName, PasswordHash] = Field(default_factory=dict, repr=False)
    trusted_proxy: TrustedProxy | None = None
    token_seconds: TokenSeconds = 7 * 86400
    retention_days: Days = 365
    certificate: File | None = None
    key: SecretFile | None = None


# the profiles that the default decisions lead to
_DEFAULT_DECISIONS = ("local", "intake", "burnin", "rescue")


def builtin_profiles(image: str) -> dict[str, Profile]:
    """Returns the profiles that exist without a rack.yml, with the image that they boot."""
    profiles = (
        Profile(name="local"),
        Profile(name="local-efi-disk"),
        Profile(name="intake", image=image, cmdline="net lldpd", jobs=("inventory", "intake", "burnin")),
        Profile(name="burnin", image=image, cmdline="net lldpd", jobs=("inventory", "burnin")),
        Profile(name="rescue", image=image, cmdline="net ssh lldpd"),
    )
    return {profile.name: profile for profile in profiles}


def read(path: Path | None) -> RackConfig:
    """Reads rack.yml; returns the defaults for None.

    Raises UserError with all mistakes at once, each as `rack.yml: KEY: problem (expected X, got Y)`.
    """
    if path is None:
        return RackConfig()
    values = _values(path)
    folder = path.resolve().parent
    given = config_checks.Given(values, folder, tuple(builtin_profiles("alchemy")), _DEFAULT_DECISIONS)
    problems: list[str] = []
    config = None
    try:
        config = RackConfig.model_validate(_without_empty(values), context={"folder": folder})
    except ValidationError as error:
        problems = [_explained(detail) for detail in error.errors()]
    problems += config_checks.problems(given)
    if config is None or problems:
        lines = "\n".join(f"  {path.name}: {problem}" for problem in dict.fromkeys(problems))
        raise UserError(f"{path}: invalid configuration\n{lines}", hint=f"{EXAMPLE} explains every key")
    own = {
        name: profile.model_copy(update={"name": name, "image": profile.image or _usual_image(config.images)})
        for name, profile in config.profiles.items()
        if "profiles" in values
    }
    return config.model_copy(update={"profiles": {**builtin_profiles(_usual_image(config.images)), **own}})


def _values(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise UserError(f"{path}: cannot be read: {reason}", hint=f"cp {EXAMPLE} rack.yml") from None
    if len(text) > _MOST_BYTES:
        raise UserError(f"{path}: too large (expected at most {_MOST_BYTES} characters)")
    try:
        values = strictyaml.parse(text)
    except ValueError as error:
        raise UserError(f"{path}: invalid YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: invalid configuration (expected a mapping of keys to values, got {shown(values)})")
    return {str(key): value for key, value in values.items()}


def _usual_image(images: object) -> str:
    """Returns the image of profiles that name none: `alchemy`, else the first."""
    names = [str(name) for name in images] if isinstance(images, Mapping) else []
    return "alchemy" if "alchemy" in names or not names else names[0]


def _without_empty(value: Any) -> Any:
    """Returns the values without the keys that have none, which config_checks refuses."""
    if isinstance(value, dict):
        return {key: _without_empty(item) for key, item in value.items() if item is not None}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def _explained(detail: ErrorDetails) -> str:
    """Returns pydantic's error as `KEY: problem`."""
    where = [str(part) for part in detail["loc"] if part != "[key]"]
    return f"{'.'.join(where)}: {_problem(detail, where)}"


def _problem(detail: ErrorDetails, where: list[str]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key{nearest(where[-1], _known_keys(where))}"
    if kind == "missing":
        return f"missing (expected {_REQUIRED[where[-1]]})"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    got = "another type" if where[0] in _SECRET else shown(detail["input"])
    return f"invalid value (expected {_KINDS.get(kind, detail['msg'])}, got {got})"


def _known_keys(where: list[str]) -> list[str]:
    models: Mapping[str, type[BaseModel]] = {
        "profiles": Profile,
        "decisions": Rule,
        "collins": Collins,
        "trusted_proxy": TrustedProxy,
    }
    model = models.get(where[0], RackConfig) if len(where) > 1 else RackConfig
    return [key for key in model.model_fields if (model, key) != (Profile, "name")]
