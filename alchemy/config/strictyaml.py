"""Strict YAML: duplicate keys are errors, and every error has its line and column."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

# the beginnings of PyYAML's messages that quote a value, and our messages without it
_PROBLEMS = {
    "found undefined alias": "undefined alias (quote a value that begins with *)",
    "found duplicate anchor": "duplicate anchor (quote a value that begins with &)",
    "could not determine a constructor": "unsupported tag (quote a value that begins with !)",
    "found undefined tag handle": "unsupported tag (quote a value that begins with !)",
}


def parse(text: str) -> Any:
    """Returns the value of a YAML document with merge keys (`<<: *anchor`) applied; None for an empty one.

    Raises ValueError with the problem, its line and its column. It never quotes a value, which may be a password.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = error.problem or error.context or ""
        known = (said for begin, said in _PROBLEMS.items() if problem.startswith(begin))
        raise ValueError(f"{next(known, problem)}{where}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        where = f"line {len(before)}, column {len(before[-1]) + 1}"
        raise ValueError(f"character #x{ord(text[error.position]):04x} is not allowed, {where}") from None
    except RecursionError:
        raise ValueError("nested too deeply, or an anchor contains itself") from None


class _Loader(yaml.SafeLoader):
    """A SafeLoader whose errors all have a mark, and that refuses duplicate keys, where PyYAML takes the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Checks the keys as written; afterwards, merge keys are replaced by the entries that they merge."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        counts = Counter(key.value for key in keys)
        for key in reversed(keys):
            if counts[key.value] > 1:
                problem = f"duplicate key: {key.value}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Refuses octal and sexagesimal numbers of YAML 1.1, which people read as decimal or as text: 010, 6:12."""
        if re.fullmatch(r"[-+]?(0[0-9_]+|[0-9_]+(:[0-9]+)+)", node.value):
            problem = "ambiguous number (write it without leading zeros, or quote it)"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_yaml_int(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Turns an exception of PyYAML's conversions (a date of month 13, `!!int x`) into a YAML error."""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(None, None, f"not a valid {kind}", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
