"""The document's schema, for tests."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from tests import repository

SCHEMA = json.loads((repository.ROOT / "chroot/node/alchemy_node/inventory/schema.json").read_text(encoding="utf-8"))


def check_schema() -> None:
    """Raises jsonschema.SchemaError for an invalid schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def check(document: Any) -> None:
    """Raises AssertionError with the first places where a document breaks the schema."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    errors = sorted(validator.iter_errors(document), key=str)
    assert not errors, "\n".join(f"{error.json_path}: {error.message[:200]}" for error in errors[:5])
