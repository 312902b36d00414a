"""How much a client may send, and what monitoring sees of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request

from alchemy.rack.records import events
from alchemy.rack.records.database import Records, RecordsError
from alchemy.rack.service import bodies, call, limits
from alchemy.rack.service.limits import Limiter, Rate
from alchemy.rack.service.metrics import Metrics
from alchemy.rack.service.refusals import RefusedError
from tests.unit.rack.rigs import Rig, bearer


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_takes_a_burst_and_then_its_rate() -> None:
    clock = Seconds()
    limiter = Limiter(Rate(2, 3), clock)
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(RefusedError, match=r"too many requests \(expected at most 2 a second\)") as raised:
        limiter.take("a")
    assert (raised.value.status, raised.value.headers, raised.value.hint) == (
        429,
        {"Retry-After": "1"},
        "try again in 1 s",
    )
    # another one is not concerned
    limiter.take("b")
    clock.now += 0.5
    limiter.take("a")
    with pytest.raises(RefusedError):
        limiter.take("a")
    # no more than a burst is saved up, and a clock that jumps back takes nothing away
    clock.now += 1000
    for _ in range(3):
        limiter.take("a")
    clock.now -= 500
    with pytest.raises(RefusedError):
        limiter.take("a")


def test_a_slow_bucket_says_how_long_to_wait() -> None:
    limiter = Limiter(Rate(0.1, 1), Seconds())
    limiter.take("a")
    with pytest.raises(RefusedError) as raised:
        limiter.take("a")
    assert raised.value.headers == {"Retry-After": "10"}


def test_buckets_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST_BUCKETS", 2)
    limiter = Limiter(Rate(1, 1), Seconds())
    for key in "abc":
        limiter.take(key)
    limiter.take("a")  # forgotten, as it was idle for longest
    with pytest.raises(RefusedError):
        limiter.take("c")


def test_a_node_that_floods_is_limited_and_another_is_not(rig: Rig) -> None:
    noisy = rig.session()
    quiet = rig.session("192.0.2.8", serial="SN-0002", uuid="", macs=["52:54:00:00:00:02"])
    rig.limit("nodes", 20)
    client = rig.client()
    answers = [client.post("/v1/nodes/1/events", json={"stage": "x"}, headers=bearer(noisy)) for _ in range(30)]
    assert [answer.status_code for answer in answers] == [201] * 20 + [429] * 10
    assert int(answers[-1].headers["retry-after"]) > 0
    answer = rig.client("192.0.2.8").post("/v1/nodes/2/events", json={"stage": "x"}, headers=bearer(quiet))
    assert answer.status_code == 201
    with rig.records.reading() as connection:
        assert len(events.since(connection, node_id="1")) == 1 + 20


def test_a_flood_reaches_neither_the_records_nor_a_thread(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it slows nobody down: the records have one writer, and the threads are 40."""
    headers = bearer(rig.session())
    rig.limit("nodes", 0)

    def fail(*_: object) -> None:
        raise AssertionError("a refused call has gone further")

    for name in ("begin", "reading"):
        monkeypatch.setattr(Records, name, fail)
    monkeypatch.setattr(bodies, "read", fail)
    monkeypatch.setattr(call, "to_thread", None)
    answer = rig.client().put("/v1/nodes/1/inventory", content=b"[" * 1000, headers=headers)
    assert answer.status_code == 429


def test_a_machine_that_boots_without_end_is_limited(rig: Rig) -> None:
    rig.limit("boots", 3)
    assert [rig.boot(boot_id=f"boot-{count}").status_code for count in range(5)] == [201] * 3 + [429] * 2


def test_a_node_cannot_fill_the_disk(rig: Rig) -> None:
    headers = bearer(rig.session())
    rig.limit("volume", 1000)
    client = rig.client()
    body = {"stage": "x", "message": "m" * 370}
    answers = [client.post("/v1/nodes/1/events", json=body, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[-1].json()["error"].startswith("too many ")


def test_a_bucket_of_bytes_says_so() -> None:
    limiter = Limiter(Rate(100, 1000, "bytes"), Seconds())
    limiter.take("a", 900)
    with pytest.raises(RefusedError, match=r"too many bytes \(expected at most 100 a second\)") as raised:
        limiter.take("a", 400)
    assert raised.value.headers == {"Retry-After": "3"}
    # what was refused costs nothing
    limiter.take("a", 100)


@pytest.mark.parametrize(("address", "last"), [("192.0.2.66", 429), ("127.0.0.1", 200), ("::1", 200)])
def test_an_address_is_limited_unless_it_is_this_hosts(rig: Rig, address: str, last: int) -> None:
    rig.limit("addresses", 5)
    client = rig.client(address)
    assert [client.get("/boot.ipxe").status_code for _ in range(6)] == [200] * 5 + [last]


def test_a_body_that_drips_is_cut_off() -> None:
    async def receive() -> dict[str, object]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(RefusedError, match="too slow") as raised:
        asyncio.run(bodies.read(request, 1 << 20, patience=0.1))
    assert raised.value.status == 408


def test_a_body_whose_sender_goes_away_is_truncated() -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(RefusedError, match="truncated") as raised:
        asyncio.run(bodies.read(request, 1 << 20))
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("plain", "plain"),
        ("tab\tline\n", "tab\tline\n"),
        ("naïve 東京", "naïve 東京"),
        ("\x00\x1b[2J\x7f", "��[2J�"),
        ("\u202egnp.exe", "�gnp.exe"),
        ("\ud800", "�"),
        ("\u2028", "�"),
        ("x" * 100_000, "x" * 65536),
    ],
)
def test_strings_of_a_node_are_cleaned(said: str, kept: str) -> None:
    assert bodies.clean(said) == kept
    assert bodies.parse(json.dumps({"k": [said]}).encode()) == {"k": [kept]}


def test_each_request_is_a_line_of_json_without_secrets(rig: Rig) -> None:
    session = rig.session()
    rig.client().post("/v1/nodes/1/events?token=sesame", json={"stage": "x"}, headers=bearer(session))
    rig.client().get("/%0a%1b[2J<b>?password=sesame")
    lines = [json.loads(line) for line in rig.log]
    assert [(line["method"], line["path"], line["status"], line["address"]) for line in lines] == [
        ("POST", "/v1/boots", 201, "192.0.2.7"),
        ("POST", "/v1/nodes/1/events", 201, "192.0.2.7"),
        ("GET", "/\n\x1b[2J<b>", 404, "192.0.2.7"),
    ]
    assert all(set(line) == {"at", "address", "method", "path", "status", "ms"} for line in lines)
    text = "".join(rig.log)
    assert "sesame" not in text
    assert session["token"] not in text
    assert text.isascii()
    assert text.isprintable()


def samples(rig: Rig) -> Iterator[tuple[str, float]]:
    answer = rig.client().get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for line in answer.text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            yield name, float(value)


def test_metrics(rig: Rig) -> None:
    session = rig.session()
    rig.client().post("/v1/runs", json={"node": "1"}, headers=bearer(session))
    rig.client().post("/v1/nodes/1/events", json={"stage": 'a"b\\'}, headers=bearer(session))
    rig.client().get("/someone/elses/path")
    rig.client().get("/login")
    rig.boot("192.0.2.66")
    found = dict(samples(rig))
    assert found['alchemy_requests_total{call="POST /v1/boots",status="201"}'] == 1
    assert found['alchemy_requests_total{call="POST /v1/boots",status="403"}'] == 1
    assert found['alchemy_requests_total{call="unknown path",status="404"}'] == 1
    assert found['alchemy_requests_total{call="page",status="200"}'] == 1
    assert found['alchemy_decisions_total{profile="intake"}'] == 1
    assert found['alchemy_decisions_total{profile="local"}'] == 1
    assert found['alchemy_request_seconds_count{call="POST /v1/boots"}'] == 2
    assert found['alchemy_request_seconds_bucket{call="POST /v1/boots",le="+Inf"}'] == 2
    assert found['alchemy_nodes{status="",stage="a\\"b\\\\"}'] == 1
    assert (found["alchemy_alarms"], found["alchemy_open_runs"]) == (1, 1)


def test_a_histogram_counts_each_bound() -> None:
    metrics = Metrics()
    for seconds in (0.004, 0.04, 0.4):
        metrics.request("GET /", 200, seconds)
    text = metrics.text({})
    assert 'alchemy_request_seconds_bucket{call="GET /",le="0.005"} 1' in text
    assert 'alchemy_request_seconds_bucket{call="GET /",le="0.05"} 2' in text
    assert 'alchemy_request_seconds_bucket{call="GET /",le="+Inf"} 3' in text
    assert 'alchemy_request_seconds_sum{call="GET /"} 0.444' in text


def test_health(rig: Rig) -> None:
    answer = rig.client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/v1/boot?serial=SN-0001", "/metrics"])
def test_a_database_that_does_not_answer_is_503(
    rig: Rig, path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Records) -> None:
        raise RecordsError("database: no space left on device")

    monkeypatch.setattr(Records, "reading", fail)
    answer = rig.client().get(path)
    assert (answer.status_code, answer.json()["error"]) == (503, "database: no space left on device")
    assert answer.headers["retry-after"] == "5"


def test_a_bug_is_answered_and_says_nothing_of_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Records, "reading", None)
    answer = rig.client().get("/healthz")
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "the service has failed: a bug", "hint": "the log has the traceback"},
    )
    assert json.loads(rig.log[-1])["status"] == 500
