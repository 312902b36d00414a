"""A rack service under test: its application, its records, a clock that a test turns, and clients at addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import httpx
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alchemy.rack.collins.assets import Asset
from alchemy.rack.collins.client import CollinsError
from alchemy.rack.config import Collins, Profile, RackConfig, Rule, builtin_profiles
from alchemy.rack.identity import Keys
from alchemy.rack.records.database import Records
from alchemy.rack.records.nodes import Node
from alchemy.rack.records.schema import metadata
from alchemy.rack.service import app
from alchemy.rack.service.core import Service
from alchemy.rack.service.limits import Limiter, Rate

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HERE = "192.0.2.7"
UUID = "11111111-2222-3333-4444-5555555555aa"
MAC = "52:54:00:00:00:01"


@dataclass
class Clock:
    """A clock that stands still."""

    now: datetime = START

    def __call__(self) -> datetime:
        """Returns the time."""
        return self.now

    def turn(self, **span: float) -> None:
        """Turns the clock on by a timedelta."""
        self.now += timedelta(**span)


@dataclass
class StandIn:
    """Collins, as far as the service asks it."""

    at: datetime | None = None
    before: datetime | None = None
    assets: dict[str, Asset] = field(default_factory=dict)

    def start(self) -> None:
        """Follows nothing."""

    def stop(self) -> None:
        """Follows nothing."""

    def answered(self) -> datetime | None:
        """Returns when it last answered."""
        return self.at

    def remembered(self) -> datetime | None:
        """Returns when it last answered, also before the service started."""
        return self.at or self.before

    def find(self, keys: Keys) -> Asset | None:
        """Returns the asset of a serial."""
        return self.assets.get(keys.serial or "")

    def call(self, node: Node, method: str, path: str, kind: str, body: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        """Passes on a call: this one is down."""
        raise CollinsError("http://c/api: no connection")


@dataclass(frozen=True)
class Rig:
    """The service, and what a test looks at."""

    app: Starlette
    records: Records
    clock: Clock
    collins: StandIn
    log: list[str] = field(default_factory=list)

    @property
    def service(self) -> Service:
        """What the calls work with."""
        return cast(Service, self.app.user_middleware[0].kwargs["service"])

    def limit(self, kind: str, burst: int) -> None:
        """Replaces a limiter of the service by one that gives a burst and next to nothing afterwards."""
        object.__setattr__(self.service, kind, Limiter(Rate(0.001, burst)))

    def client(self, address: str = HERE) -> TestClient:
        """Returns a client at an address."""
        return TestClient(self.app, base_url="http://192.0.2.1", client=(address, 40000), raise_server_exceptions=False)

    def boot(self, address: str = HERE, **changes: object) -> httpx.Response:
        """Sends POST /v1/boots."""
        answer: httpx.Response = self.client(address).post("/v1/boots", json={**identity(), **changes})
        return answer

    def session(self, address: str = HERE, **changes: object) -> dict[str, Any]:
        """Returns the answer of a boot of which a run is expected."""
        answer = self.boot(address, **changes)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


def identity() -> dict[str, object]:
    """Returns who the machine is: the body of POST /v1/boots."""
    return {
        "uuid": UUID, "serial": "SN-0001", "asset_tag": "A00001", "macs": [MAC], "version": "2.0", "boot_id": "boot-1",
    }  # fmt: skip


def dump(records: Records) -> list[str]:
    """Returns every row of every table, as text."""
    with records.reading() as connection:
        return [
            f"{table.name} {tuple(row)}"
            for table in metadata.sorted_tables
            for row in connection.execute(table.select().order_by(*table.primary_key.columns))
        ]


def bearer(session: Mapping[str, Any]) -> dict[str, str]:
    """Returns the header that a node sends."""
    return {"Authorization": f"Bearer {session['token']}"}


def make(
    records: Records,
    folder: Path,
    *,
    profiles: Sequence[Profile] = (),
    decisions: Sequence[Rule] | None = None,
    collins: bool = False,
    url: str = "",
    **changes: object,
) -> Rig:
    """Builds a service with an image in a folder; `changes` are keys of rack.yml."""
    for name in ("alchemy.img", "alchemy.ramfs"):
        (folder / "image").mkdir(exist_ok=True)
        (folder / "image" / name).write_bytes(b"x")
    values: dict[str, Any] = {
        "images": {"alchemy": folder / "image"},
        "profiles": {**builtin_profiles("alchemy"), **{profile.name: profile for profile in profiles}},
        "decisions": None if decisions is None else tuple(decisions),
        **changes,
    }
    if collins:
        password = folder / "password"
        values["collins"] = Collins.model_construct(url="http://c", user="u", password_file=password, poll=60)
    clock, stand_in, log = Clock(), StandIn(START if collins else None), list[str]()
    built = app.create(
        RackConfig.model_construct(**{**RackConfig().__dict__, **values}),
        records,
        url=url,
        clock=clock,
        collins=stand_in if collins else None,
        log=log.append,
    )
    return Rig(built, records, clock, stand_in, log)
