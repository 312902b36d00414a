"""config.yml.example, where each key is explained: in a paragraph of comments, above its default and its examples."""

from __future__ import annotations

import re

NAME = "config.yml.example"

_KEY = re.compile(r"^#?(\w+):", re.MULTILINE)


def explanations(text: str) -> dict[str, str]:
    """Returns the explanation of each key. Keys of one paragraph share it."""
    found: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        comments = [line[2:] for line in paragraph.splitlines() if re.match(r"# \S", line)]
        if comments:
            found |= dict.fromkeys(_KEY.findall(paragraph), " ".join(comments))
    return found
