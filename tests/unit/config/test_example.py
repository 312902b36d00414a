from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from alchemy.config import example, model
from alchemy.config.model import Config
from alchemy.config.remotes import Sync
from tests import repository

EXAMPLE = repository.ROOT / "config.yml.example"
# those whose files a build fetches by itself
FREE_SETS = {path.name.removeprefix("packages.") for path in repository.SETS} - {"byhand", "eula"}


def test_the_example_is_every_free_set_on_gentoos_newest_stage3_and_tree() -> None:
    found = model.load(repository.ROOT, {"ALCHEMY_CONFIG": str(EXAMPLE)})
    assert found.stage3_url.endswith("/releases/amd64/autobuilds/latest-stage3-amd64-openrc.txt")
    assert found.sync == Sync(method="webrsync")
    assert sorted(found.packages) == sorted(FREE_SETS)
    assert found.model_fields_set == {"stage3_url", "sync", "packages"}


def test_the_example_explains_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    explained = example.explanations(text)
    assert set(explained) == set(Config.model_fields)
    assert all(len(words.split()) > 2 for words in explained.values())
    assert explained["jobs"] == "Parallel jobs. The default is the number of cores."
    assert explained["image_name"] == explained["ramfs_name"] == "File names in bin/."


def test_the_schema_describes_every_key_as_the_example_explains_it() -> None:
    explained = example.explanations(EXAMPLE.read_text(encoding="utf-8"))
    schema = json.loads(model.schema(explained))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {key: value["description"] for key, value in schema["properties"].items()} == explained


def test_the_example_fits_the_schema_with_all_its_examples() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(model.schema({})))
    text = EXAMPLE.read_text(encoding="utf-8")
    entries = re.findall(r"^#?(\w+:.*(?:\n#?  - .*)*)", text, re.MULTILINE)
    assert len(entries) > len(Config.model_fields)
    for entry in entries:
        validator.validate(yaml.safe_load(re.sub(r"^#", "", entry, flags=re.MULTILINE)))


@pytest.mark.parametrize("made_here", [True, False])
def test_the_values_of_the_example_are_good_ones(tmp_path: Path, made_here: bool) -> None:
    """The examples that go together: those for a stage3 that is made here, or those for one that is fetched; a
    password, or its hash."""
    fetched = ("stage3_url", "stage3_keys", "stage3_sha256", "sync")
    other_password = "password_hash" if made_here else "password"
    lines = re.sub(r"^#(?=\w+:|  - )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    values: dict[str, str] = {}
    for entry in re.findall(r"^\w+:.*(?:\n  - .*)*", lines, re.MULTILINE):
        key = entry.partition(":")[0]
        if key == other_password:
            continue
        if not (made_here and key in fetched) and not (made_here and key in ("linux_keys", "linux_sha256")):
            values[key] = values.get(key, entry) if made_here else entry
    path = tmp_path / "config.yml"
    path.write_text("\n".join(values.values()), encoding="utf-8")
    found = model.load(repository.ROOT, {"ALCHEMY_CONFIG": str(path)})
    assert found.model_fields_set >= {"packages", "ssh_keys", "jobs", "overlays", "binhosts"}
    assert bool(found.password) != bool(found.password_hash)
