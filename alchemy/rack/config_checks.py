"""The rules of rack.yml that concern several keys, or files: one function each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alchemy.rack import images
from alchemy.rack.config_values import nearest, shown


@dataclass(frozen=True)
class Given:
    """The values of a rack.yml as they were read, of any type; its folder; and the names of the built-in profiles.

    `defaults` are those that the decisions lead to when rack.yml has none.
    """

    values: Mapping[str, Any]
    folder: Path
    builtin: tuple[str, ...]
    defaults: tuple[str, ...]

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Returns a mapping of rack.yml; an empty one where there is none."""
        value = self.values.get(key)
        return {str(name): item for name, item in value.items()} if isinstance(value, dict) else {}

    @property
    def rules(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The decisions that are mappings, each with its key."""
        rules = self.values.get("decisions")
        found = enumerate(rules if isinstance(rules, list) else [])
        return [(f"decisions.{at}", rule) for at, rule in found if isinstance(rule, dict)]

    def is_destructive(self, profile: object) -> bool:
        """Returns whether rack.yml says that this profile destroys data."""
        found = self.mapping("profiles").get(str(profile))
        return isinstance(found, dict) and found.get("destructive") is True


def problems(given: Given) -> list[str]:
    """Returns a line for each violation of a rule: `KEY: problem`."""
    return [problem for rule in _RULES for problem in rule(given)]


def _keys_have_values(given: Given) -> Iterator[str]:
    """A condition without a value would be none, and its rule match every node."""
    pending: list[tuple[str, Any]] = [(key, value) for key, value in given.values.items()]
    while pending:
        key, value = pending.pop(0)
        if value is None:
            yield f"{key}: empty (expected a value, or no such key)"
        elif isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            pending += [(f"{key}.{name}", item) for name, item in items]


def _images_are_whole(given: Given) -> Iterator[str]:
    for name, folder in given.mapping("images").items():
        if isinstance(folder, str) and folder and "\0" not in folder:
            try:
                images.find(given.folder / Path(folder).expanduser())
            except ValueError as error:
                yield f"images.{name}: {error}"
    if given.values.get("images") == {}:
        yield "images: empty (expected at least one image, or no key for bin/)"


def _profiles_have_images(given: Given) -> Iterator[str]:
    known = given.mapping("images") or {"alchemy": None}
    for name, profile in given.mapping("profiles").items():
        if not isinstance(profile, dict):
            continue
        if "name" in profile:
            yield f"profiles.{name}.name: unknown key (expected none: the name is {name})"
        image = profile.get("image")
        if image is None and len(known) > 1:
            yield f"profiles.{name}.image: missing (expected one of: {', '.join(known)})"
        elif isinstance(image, str) and image not in known:
            yield f"profiles.{name}.image: unknown image {shown(image)}{nearest(image, known)}"


def _local_is_built_in(given: Given) -> Iterator[str]:
    if "local" in given.mapping("profiles"):
        yield "profiles.local: built in, and boots the disk (expected another name)"


def _rules_lead_to_profiles(given: Given) -> Iterator[str]:
    known = [*given.builtin, *(name for name in given.mapping("profiles") if name not in given.builtin)]
    for key, rule in given.rules:
        profile = rule.get("profile")
        if isinstance(profile, str) and profile not in known:
            yield f"{key}.profile: unknown profile {shown(profile)}{nearest(profile, known)}"


def _no_rule_destroys(given: Given) -> Iterator[str]:
    expected = "expected an operator's order, POST /v1/nodes/ID/orders"
    for key, rule in given.rules:
        if given.is_destructive(rule.get("profile")):
            yield f"{key}.profile: {rule['profile']} is destructive ({expected}, got a rule that leads to it)"
    if given.values.get("decisions") is None:
        for name in given.defaults:
            if given.is_destructive(name):
                yield f"profiles.{name}.destructive: the default decisions lead to it ({expected}, got true)"


def _rules_are_reachable(given: Given) -> Iterator[str]:
    """An earlier rule takes all that a later one would match when the later one has each of its conditions."""
    earlier: list[tuple[str, set[tuple[str, str]]]] = []
    for key, rule in given.rules:
        conditions = {(str(name), repr(value)) for name, value in rule.items() if name != "profile"}
        cover = next((other for other, needed in earlier if needed <= conditions), None)
        if cover is not None:
            yield f"{key}: unreachable (expected before {cover}, which matches all that it would match)"
        earlier.append((key, conditions))


def _certificate_has_its_key(given: Given) -> Iterator[str]:
    for one, other in (("certificate", "key"), ("key", "certificate")):
        if given.values.get(one) is not None and given.values.get(other) is None:
            yield f"{other}: missing (expected beside {one})"


def _operators_are_unique(given: Given) -> Iterator[str]:
    names = list(given.mapping("operators"))
    for name in names:
        if name.endswith(":view") and name.removesuffix(":view") in names:
            yield f"operators.{name}: duplicate operator (expected one entry for {name.removesuffix(':view')})"


_RULES = (
    _keys_have_values,
    _images_are_whole,
    _profiles_have_images,
    _local_is_built_in,
    _rules_lead_to_profiles,
    _no_rule_destroys,
    _rules_are_reachable,
    _certificate_has_its_key,
    _operators_are_unique,
)
