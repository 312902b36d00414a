"""Brings a machine into Collins (github.com/tumblr/collins, API of 8647892).

An asset is created as Incomplete, and lshw, lldp and CHASSIS_TAG make it New. An asset that is neither Incomplete nor
in Maintenance takes none of them (AssetLifecycle.scala:171), so it goes through Maintenance and back. Every step can
be repeated: a run that breaks off leaves an attribute that says where the asset has to return to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from alchemy_node import manager, web
from alchemy_node.intake.refusal import Refusal
from alchemy_node.manager import Login, ManagerError, Server
from alchemy_node.status import Status

# Body of a form, as Collins ships it (parsers.text.maxLength): the rest is cut off.
MAX_FORM = 1 << 20

_RETURN = "INTAKE_RETURN"
_MAINTENANCE = "Maintenance"
# A state that belongs to Maintenance, and asks nobody for anything (evolutions/9.sql).
_STATE = "MAINT_NOOP"
_ENDED = frozenset({"Cancelled", "Decommissioned"})


@dataclass(frozen=True)
class Intake:
    """What Collins gets of a machine. `serial` is that of the system; `report` is any JSON, and goes to the log."""

    tag: str
    chassis_tag: str
    serial: str
    lshw: str
    lldp: str
    attributes: dict[str, str] = field(default_factory=dict)
    report: object = None
    generate_ipmi: bool = False
    replace: bool = False

    def form(self) -> list[tuple[str, str]]:
        """Returns the fields that make an Incomplete asset New."""
        return [("lshw", self.lshw), ("lldp", self.lldp), ("CHASSIS_TAG", self.chassis_tag)]


def refusals(intake: Intake) -> list[Refusal]:
    """Returns why Collins would refuse the form itself."""
    size = len(urlencode(intake.form()))
    if size <= MAX_FORM:
        return []
    problem = f"the form is too large for Collins (expected at most {MAX_FORM} bytes, got {size})"
    cure = f"set parsers.text.maxLength={size + 65536} in Collins"
    return [Refusal("lshw.xml and lldp.xml", "", problem, "application.conf:parsers.text.maxLength", cure)]


@dataclass(frozen=True)
class Collins:
    """A Collins and a user of it; `say` gets one line a step.

    Behind a rack service there is no user: the password of `login` is then the token of this boot.
    """

    server: Server
    login: Login
    say: Callable[[str], None]

    def bring_in(self, intake: Intake) -> str:
        """Makes all calls, and returns the asset's status at the end. Raises ManagerError."""
        asset = self._find(intake.tag)
        if asset is None:
            asset = self._create(intake)
        status, state = _status(asset)
        self._check(intake, asset, status)
        back = _left_behind(asset) if status == _MAINTENANCE else ""
        if status not in ("Incomplete", _MAINTENANCE):
            back = f"{status}:{state}"
            self._to_maintenance(intake.tag, back)
        try:
            self._expect(self.server.form("POST", _path(intake.tag), intake.form()), "lshw, lldp and CHASSIS_TAG")
            self.say("collins: took lshw, lldp and CHASSIS_TAG")
        finally:
            if back:
                self._go_back(intake.tag, back)
        if intake.attributes:
            self._attribute(intake.tag, intake.attributes)
        self._log(intake.tag, intake.report)
        return _status(self._find(intake.tag) or {})[0]

    def report(self, tag: str, attributes: dict[str, str], entry: object, kind: str = "NOTE") -> None:
        """Sets attributes and adds a log entry, in every status and changing none. Raises ManagerError.

        An attribute with an empty value is deleted. `kind` is a type of Collins' log, such as CRITICAL.
        """
        self._attribute(tag, attributes)
        self._log(tag, entry, kind)
        self.say(f"collins: {', '.join(attributes)}")

    def _find(self, tag: str) -> dict[str, Any] | None:
        """Returns what Collins knows of the asset; None when it knows none."""
        answer = self.server.get(_path(tag))
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        data = self._expect(answer, f"the asset {tag}").get("data")
        if not isinstance(data, dict) or not isinstance(data.get("ASSET"), dict):
            raise ManagerError(f"{web.shown(self.server.url)}: the answer is not from Collins (expected data.ASSET)")
        return data

    def _create(self, intake: Intake) -> dict[str, Any]:
        fields = [("type", "SERVER_NODE"), ("generate_ipmi", "true" if intake.generate_ipmi else "false")]
        answer = self.server.form("PUT", _path(intake.tag), fields)
        # 409: an earlier attempt whose answer was lost. The body of a 201 holds a generated IPMI password in clear: it
        # is neither kept nor shown.
        if answer.status != HTTPStatus.CONFLICT:
            self._expect(answer, f"the new asset {intake.tag}")
            self.say(f"collins: created the asset {intake.tag}")
        asset = self._find(intake.tag)
        if asset is None:
            raise ManagerError(f"{web.shown(self.server.url)}: the asset {intake.tag} is missing after its creation")
        return asset

    def _check(self, intake: Intake, asset: dict[str, Any], status: str) -> None:
        """Refuses to overwrite the asset of another machine, one that is not a server, and a decommissioned one."""
        kind = asset["ASSET"].get("TYPE")
        if kind != "SERVER_NODE":
            raise ManagerError(f"asset {intake.tag}: not a server in Collins (expected SERVER_NODE, got {kind!r})")
        if status in _ENDED:
            hint = f"collins-shell asset set_status --status=Maintenance --state=MAINT_NOOP --tag={intake.tag}"
            raise ManagerError(f"asset {intake.tag}: it is {status} in Collins", hint)
        known = _attributes(asset).get("BASE_SERIAL", "").strip()
        if known and intake.serial and known != intake.serial and not intake.replace:
            message = (
                f"asset {intake.tag}: duplicate tag: Collins has serial number {known!r}, this is {intake.serial!r}"
            )
            raise ManagerError(message, "correct the tag; or, where the board was replaced: alchemy-intake --replace")

    def _to_maintenance(self, tag: str, back: str) -> None:
        self._attribute(tag, {_RETURN: back})
        fields = [("status", _MAINTENANCE), ("reason", "intake by Alchemy Linux")]
        answer = self.server.form("POST", f"{_path(tag)}/status", fields)
        if answer.status == HTTPStatus.CONFLICT:
            # the asset's state belongs to the status that it leaves
            answer = self.server.form("POST", f"{_path(tag)}/status", [*fields, ("state", _STATE)])
        self._expect(answer, "the status Maintenance")
        self.say(f"collins: {back.rstrip(':')} -> Maintenance")

    def _go_back(self, tag: str, back: str) -> None:
        status, _, state = back.partition(":")
        fields = [("status", status), ("reason", "intake by Alchemy Linux is done")]
        if state:
            fields.append(("state", state))
        self._expect(self.server.form("POST", f"{_path(tag)}/status", fields), f"the status {back.rstrip(':')}")
        # an attribute without a value is deleted (MetaWrapper.scala)
        self._attribute(tag, {_RETURN: ""})
        self.say(f"collins: Maintenance -> {back.rstrip(':')}")

    def _attribute(self, tag: str, attributes: dict[str, str]) -> None:
        """Sets attributes, which Collins takes alone in every status (UpdateAction.scala:67)."""
        fields = [("attribute", f"{name};{value}") for name, value in attributes.items()]
        self._expect(self.server.form("POST", _path(tag), fields), f"the attributes {', '.join(attributes)}")

    def _log(self, tag: str, entry: object, kind: str = "NOTE") -> None:
        answer = self.server.json("PUT", f"{_path(tag)}/log", {"Type": kind, "Message": entry})
        self._expect(answer, "the log entry")

    def _expect(self, answer: web.Answer, what: str) -> dict[str, Any]:
        """Returns the answer's document. Raises ManagerError when Collins refuses."""
        if manager.is_success(answer):
            return manager.document(answer)
        said = self.login.redact(manager.reason(answer))
        message = f"{web.shown(self.server.url)}: {what}: refused: {said}"
        if not self.login.user:
            raise ManagerError(message)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise ManagerError(message, f"check the user {self.login.user!r} and the password file", Status.USAGE)
        if answer.status == HTTPStatus.FORBIDDEN:
            raise ManagerError(message, "grant controllers.AssetApi.* to the user in Collins' permissions.yaml")
        raise ManagerError(message)


def _path(tag: str) -> str:
    return f"/api/asset/{tag}"


def _status(asset: dict[str, Any]) -> tuple[str, str]:
    """Returns the names of the asset's status and state; empty where there is none."""
    found = asset.get("ASSET", {})
    state = found.get("STATE")
    name = state.get("NAME") if isinstance(state, dict) else None
    return str(found.get("STATUS", "")), name if isinstance(name, str) else ""


def _left_behind(asset: dict[str, Any]) -> str:
    """Returns where an asset in Maintenance has to go after a run that broke off.

    Empty where there was none, or where a person has since given it another state.
    """
    back = _attributes(asset).get(_RETURN, "")
    return back if _status(asset)[1] in (back.partition(":")[2], _STATE) else ""


def _attributes(asset: dict[str, Any]) -> dict[str, str]:
    """Returns the attributes without a group, which Collins files under "0"."""
    groups = asset.get("ATTRIBS")
    found = groups.get("0") if isinstance(groups, dict) else None
    return {name: value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
