from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.rack import config
from alchemy.rack.config import Profile, RackConfig, Rule
from tests.unit.configs import HASH
from tests.unit.rack import configs
from tests.unit.rack.configs import COLLINS, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return configs.make(tmp_path)


GOOD: Mapping[str, tuple[str, str, object]] = {
    "nothing": ("# nothing\n", "token_seconds", 7 * 86400),
    "an interface": ("interface: enp1s0f0", "interface", "enp1s0f0"),
    "a VLAN": ("interface: eth1.100", "interface", "eth1.100"),
    "a file of SQLite": ("database: sqlite:////var/lib/rack.db", "database", "sqlite:////var/lib/rack.db"),
    "PostgreSQL": ("database: postgresql://rack@db/rack", "database", "postgresql+psycopg://rack@db/rack"),
    "PostgreSQL by a socket": ("database: 'postgresql:///rack'", "database", "postgresql+psycopg:///rack"),
    "an operator": (f"operators: {{alice: {HASH}}}", "operators", {"alice": HASH}),
    "one who looks": (f"operators:\n  noc:view: {HASH}", "operators", {"noc:view": HASH}),
    "a short token": ("token_seconds: 1", "token_seconds", 1),
    "days": ("retention_days: 30", "retention_days", 30),
    "no decision": ("decisions: []", "decisions", ()),
    "rules": (
        "decisions:\n  - {mac: 52-54-00-AB-CD-EF, profile: rescue}\n  - {unknown: true, model: 'PowerEdge R640',"
        " profile: intake}\n  - {status: Maintenance, state: HW_TESTING, profile: burnin}\n  - {profile: local}",
        "decisions",
        (
            Rule(mac="52:54:00:ab:cd:ef", profile="rescue"),
            Rule(unknown=True, model="PowerEdge R640", profile="intake"),
            Rule(status="Maintenance", state="HW_TESTING", profile="burnin"),
            Rule(profile="local"),
        ),
    ),
    "a MAC as Cisco writes it": (
        "decisions: [{mac: 5254.00ab.cdef, profile: local}]",
        "decisions",
        (Rule(mac="52:54:00:ab:cd:ef", profile="local"),),
    ),
}


@pytest.mark.parametrize(("text", "key", "value"), GOOD.values(), ids=GOOD.keys())
def test_a_valid_rack_is_accepted(write: Write, text: str, key: str, value: object) -> None:
    assert getattr(config.read(write(text)), key) == value


def test_without_a_file_the_defaults_serve_bin() -> None:
    found = config.read(None)
    assert found == RackConfig()
    assert [(name, path.name) for name, path in found.images.items()] == [("alchemy", "bin")]
    assert (found.decisions, found.collins, found.database, found.operators) == (None, None, "", {})
    assert {name: (profile.name, profile.image, profile.jobs) for name, profile in found.profiles.items()} == {
        "local": ("local", None, ()),
        "local-efi-disk": ("local-efi-disk", None, ()),
        "intake": ("intake", "alchemy", ("inventory", "intake", "burnin")),
        "burnin": ("burnin", "alchemy", ("inventory", "burnin")),
        "rescue": ("rescue", "alchemy", ()),
    }


def test_a_profile_of_the_user_replaces_a_built_in_one(write: Write) -> None:
    found = config.read(write("profiles: {burnin: {cmdline: net burnin_profile=quick, jobs: [burnin]}}"))
    assert found.profiles["burnin"] == Profile(
        name="burnin", image="alchemy", cmdline="net burnin_profile=quick", jobs=("burnin",)
    )
    assert found.profiles["local"] == Profile(name="local")


def test_paths_are_relative_to_rack_yml(write: Write, tmp_path: Path) -> None:
    found = config.read(write(f"images: {{alchemy-1.2: image}}\n{COLLINS}"))
    assert found.images == {"alchemy-1.2": tmp_path / "image"}
    assert found.profiles["rescue"].image == "alchemy-1.2"
    assert found.collins is not None
    assert (found.collins.poll, found.collins.password()) == (60, "correct horse")


def test_the_built_in_profiles_boot_the_image_alchemy_where_there_is_one(write: Write) -> None:
    found = config.read(write("images: {old: image, alchemy: image}\nprofiles: {shell: {image: old, cmdline: shell}}"))
    assert (found.profiles["burnin"].image, found.profiles["shell"].image) == ("alchemy", "old")


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        RackConfig().token_seconds = 1


BROKEN: Mapping[str, tuple[str, str]] = {
    "a duplicate key": ("interface: a\ninterface: b", "rack.yml: invalid YAML: duplicate key: interface, line 2"),
    "a list": ("- a", "rack.yml: invalid configuration (expected a mapping of keys to values, got a list)"),
    "a MAC that YAML takes for a number": (
        "decisions: [{mac: 52:54:00:12:34:56, profile: local}]",
        "rack.yml: invalid YAML: ambiguous number (write it without leading zeros, or quote it), line 1",
    ),
    "a flood": ("#" * 1048577, "rack.yml: too large (expected at most 1048576 characters)"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_is_no_configuration_is_refused(write: Write, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        config.read(write(text))
    assert message in caught.value.message


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rack\.yml: cannot be read: No such file"):
        config.read(tmp_path / "rack.yml")
    (tmp_path / "rack.yml").write_bytes(b"interface: \xff")
    with pytest.raises(UserError, match=r"rack\.yml: cannot be read: not UTF-8"):
        config.read(tmp_path / "rack.yml")


def test_a_hash_is_in_no_description(write: Write) -> None:
    assert HASH not in repr(config.read(write(f"operators: {{alice: {HASH}}}")))


def test_an_empty_password_is_refused(write: Write, tmp_path: Path) -> None:
    found = config.read(write(COLLINS)).collins
    assert found is not None
    (tmp_path / "password").write_text("\nsecond line", encoding="utf-8")
    with pytest.raises(ValueError, match="password: empty"):
        found.password()
