"""Answers iPXE's requests for scripts, without changing the records."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from alchemy.rack import decisions, images
from alchemy.rack.decisions import Decision
from alchemy.rack.identity import Keys
from alchemy.rack.images import Architecture, Image
from alchemy.rack.records import nodes
from alchemy.rack.service import bodies, boot_script, looking
from alchemy.rack.service.boot_script import UnbootableError
from alchemy.rack.service.core import Service
from alchemy.rack.service.looking import SMBIOS, Asker
from alchemy.rack.service.refusals import RefusedError

# iPXE's buildarch; its build for BIOS is i386, also on a 64-bit machine
_ARCHITECTURES: Mapping[str, Architecture] = {"i386": "x86_64", "x86_64": "x86_64", "arm64": "arm64"}
_HOST = re.compile(r"[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


def first_script(_service: Service, _request: Request, _body: bytes) -> Response:
    """Answers GET /boot.ipxe."""
    return PlainTextResponse(boot_script.first())


def node_script(service: Service, request: Request, _body: bytes) -> Response:
    """Answers GET /v1/boot with the script for the machine that the query identifies. Changes nothing."""
    decision = _decide_for_query(service, request)
    try:
        text = _script(service, request, decision)
    except UnbootableError as error:
        text = boot_script.local(decisions.LOCAL, f"{decision.profile.name} cannot be booted: {error}")
    return PlainTextResponse(text, headers={"Cache-Control": "no-store"})


def _decide_for_query(service: Service, request: Request) -> Decision:
    fields = {name: bodies.clean(value).strip() for name, value in request.query_params.items()}
    now = service.clock()
    try:
        keys = Keys.parse(fields)
    except ValueError as error:
        return Decision(service.config.profiles[decisions.LOCAL], str(error))
    asker = Asker(keys, *(fields.get(name, "")[:SMBIOS] for name in ("vendor", "model")))
    with service.records.reading() as connection:
        match = nodes.match(connection, keys)
        facts = looking.gather(service, connection, asker, match, now)
    return decisions.decide(service.config, facts, now)


def _script(service: Service, request: Request, decision: Decision) -> str:
    profile = decision.profile
    if profile.image is None:
        return boot_script.local(profile.name, decision.reason)
    name, image = _image(service, profile.image, _ARCHITECTURES.get(request.query_params.get("arch", "")))
    return boot_script.image(profile, name, image, service.url or _own_url(request), decision.reason)


def _image(service: Service, name: str, wanted: Architecture | None) -> tuple[str, Image]:
    """Returns the image of that name, or if its architecture is wrong, the first one with the right architecture.

    Raises UnbootableError.
    """
    image = _find(service, name)
    if wanted is None or images.architecture(image) in (None, wanted):
        return name, image
    for other in service.config.images:
        with contextlib.suppress(UnbootableError):
            image = _find(service, other)
            if images.architecture(image) == wanted:
                return other, image
    raise UnbootableError(f"image {name}: wrong architecture (expected {wanted})")


def _find(service: Service, name: str) -> Image:
    folder = service.config.images.get(name)
    if folder is None:
        raise UnbootableError(f"unknown image {name}")
    try:
        return images.find(folder)
    except ValueError as error:
        raise UnbootableError(f"image {name}: {error}") from error


def _own_url(request: Request) -> str:
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise RefusedError(400, "Host: malformed (expected a name or an address)")
    return f"{request.url.scheme}://{host}"
