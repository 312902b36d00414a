"""Reads a CycloneDX bill of materials, and fails on one that is not valid."""

from __future__ import annotations

import json
import re
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

# what no IRI reference holds (RFC 3987): the validator's own check loads its grammars for two seconds
_NO_IRI = re.compile(r"[\s<>\"{}|\\^`]")


def read(text: str) -> Any:
    """Returns the document. Fails on one that the schema of CycloneDX 1.6 does not allow."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    references = [entry for component in document["components"] for entry in component.get("externalReferences", ())]
    assert [entry["url"] for entry in references if not entry["url"] or _NO_IRI.search(entry["url"])] == []
    return document
