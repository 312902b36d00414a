"""The pages, and the JSON and CSV of the same URLs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from alchemy.rack.pages import html, parts
from alchemy.rack.records import events, inventories, runs
from alchemy.rack.records.database import Records
from tests.unit.node.burnin import runs as node_runs
from tests.unit.rack import scenes
from tests.unit.rack.scenes import NOW

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
MOST_BYTES = 100 * 1000


def names(client: TestClient, query: str) -> list[str]:
    """The names of the nodes that the list shows."""
    answer = client.get(f"/?{query}", headers=HTML)
    assert answer.status_code == 200, answer.text
    return re.findall(r'<th scope="row"><a href="/nodes/\d+">([^<]*)</a>', answer.text)


# an unproven inventory gives r1-u16 no port
ALL = ["r1-u12", "r1-u14", "r1-u13", "r1-u15", "r1-u17", "r1-u16", "02:00:00:00:ff:01"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("failed=1", ["r1-u14"]),
        ("failed=true", ["r1-u14"]),
        ("failed=0", ALL),
        ("silent=1", ["r1-u15"]),
        ("running=1", ["r1-u13", "r1-u15"]),
        ("alarm=on", ["r1-u17"]),
        ("status=new", ["r1-u13", "r1-u15", "r1-u16"]),
        ("status=Maintenance&state=HW_TESTING", ["r1-u14"]),
        ("status=Maintenance&failed=1&silent=1", []),
        ("model=EX-2200&status=Unallocated", ["r1-u12"]),
        ("model=EX", []),
        ("q=u17", ["r1-u17"]),
        ("q=EX0016", ["r1-u16"]),
        ("q=ethernet1/15", ["r1-u15"]),
        ("q=%25", []),
        ("q=_", []),
        ("q='", []),
        ("q=", ALL),
        ("sort=node", ["r1-u12", "r1-u13", "r1-u14", "r1-u15", "r1-u16", "r1-u17", "02:00:00:00:ff:01"]),
        ("sort=-node", ["r1-u17", "r1-u16", "r1-u15", "r1-u14", "r1-u13", "r1-u12", "02:00:00:00:ff:01"]),
        ("sort=-serial&rows=2", ["r1-u17", "r1-u16"]),
        ("sort=-serial&rows=2&page=2", ["r1-u15", "r1-u14"]),
        ("sort=-serial&rows=2&page=9", []),
    ],
)
def test_filters_of_the_list(reader: TestClient, ids: Mapping[str, str], query: str, expected: list[str]) -> None:
    assert names(reader, query) == expected


def test_the_list_counts_what_to_look_at(reader: TestClient, ids: Mapping[str, str]) -> None:
    text = reader.get("/?q=u12", headers=HTML).text
    found = re.findall(r'<li><a href="([^"]*)"[^>]*>(\w+)</a> (\d+)</li>', text)
    assert found == [
        ("/", "all", "7"), ("/?failed=1", "failed", "1"), ("/?silent=1", "silent", "1"),
        ("/?running=1", "running", "2"), ("/?alarm=1", "alarm", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("failed=maybe", "failed: invalid (expected true or false, got maybe)"),
        ("page=0", "page: invalid (expected 1 to 1000000, got 0)"),
        ("page=²", "page: invalid (expected 1 to 1000000, got ²)"),
        ("rows=201", "rows: invalid (expected 1 to 200, got 201)"),
        ("sort=color", "sort: unknown column (expected one of: node, port, model, serial, status, boots, stage, "),
        ("modle=EX", "modle: unknown parameter (expected one of: failed, silent, running,"),
        ("q=" + "x" * 201, "q: too long (expected at most 200 characters)"),
        ("q=%00", "q: has a control character"),
        ("format=xml", "format: unknown (expected html, json or csv, got xml)"),
        ("%1b%5d=1", r"\x1b]: unknown parameter"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_url_is_named(operator: TestClient, query: str, error: str) -> None:
    answer = operator.get(f"/?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/html"),
        ("text/html", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("text/html;q=0.1, text/csv;q=0.5", "text/csv"),
        ("application/*", "application/json"),
        ("image/png, text/csv", "text/csv"),
        ("text/csv;q=x, application/json;q=0.2", "application/json"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/nodes/1", "/runs/1", "/events"])
def test_accept_chooses_the_format(
    reader: TestClient, ids: Mapping[str, str], path: str, accept: str, kind: str
) -> None:
    answer = reader.get(path, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert reader.get(f"{path}?format=csv", headers={"Accept": accept}).headers["content-type"].startswith("text/csv")


def test_nothing_acceptable_is_said(operator: TestClient) -> None:
    answer = operator.get("/", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["hint"]) == (406, "?format=json")


@pytest.mark.parametrize("path", ["/nodes", "/nodes/3", "/runs/3", "/events"])
def test_v1_is_never_a_page(reader: TestClient, ids: Mapping[str, str], path: str) -> None:
    of_page = reader.get(f"{path}?format=json")
    answer = reader.get(f"/v1{path}", headers=HTML)
    assert answer.headers["content-type"] == "application/json"
    assert {**answer.json(), "next": None} == {**of_page.json(), "next": None}
    assert reader.get(f"/v1{path}?format=csv").headers["content-type"].startswith("text/csv")


def test_json_of_the_list_has_pages(reader: TestClient, ids: Mapping[str, str]) -> None:
    first = reader.get("/v1/nodes?rows=5").json()
    assert (len(first["nodes"]), first["total"], first["page"], first["next"]) == (5, 7, 1, "/v1/nodes?page=2&rows=5")
    last = reader.get("/v1/nodes?rows=5&page=2").json()
    assert (len(last["nodes"]), last["next"]) == (2, None)
    failed = next(node for node in first["nodes"] if node["id"] == ids["failed"])
    assert failed["serial"] == "EX0014"
    assert failed["macs"] == ["02:00:00:00:00:0e"]
    assert failed["last_seen"] == "2026-11-28T04:59:00.000Z"
    assert (failed["run"]["verdict"], failed["run"]["failures"][0]["verdict"]) == ("FAIL", "dimm-ce")
    running = next(node for node in first["nodes"] if node["id"] == ids["running"])
    assert (running["run"]["verdict"], running["run"]["progress"], running["run"]["step"]) == ("RUNNING", 0.492, "cpu")


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_of_the_list_has_all_nodes(reader: TestClient, ids: Mapping[str, str]) -> None:
    answer = reader.get("/?format=csv&rows=2")
    rows = table(answer.text)
    assert answer.headers["content-disposition"] == 'attachment; filename="nodes.csv"'
    assert [row["name"] for row in rows] == ALL
    failed = next(row for row in rows if row["id"] == ids["failed"])
    assert (failed["verdict"], failed["failure"]) == ("FAIL", "replace DIMM A1, serial 00AB: 3 corrected errors")
    assert failed["stage_at"] == "2026-11-28T03:00:00.000Z"


def test_csv_of_a_node_and_a_run(reader: TestClient, ids: Mapping[str, str]) -> None:
    of_node = table(reader.get(f"/nodes/{ids['failed']}?format=csv").text)
    assert {"kind": "Disks", "slot": "bay 3"}.items() <= of_node[-6].items()
    dimm = next(row for row in of_node if row["slot"] == "DIMM_A4")
    assert dimm["part"] == "Size: 32 GiB; Type: DDR5; MT/s: 4400/4800; Part: Example EX-32G-4800; Serial: D4A77"
    of_run = table(reader.get("/runs/3?format=csv").text)
    assert [(row["step"], row["status"], row["failures"]) for row in of_run] == [
        ("memory", "COMPLETE", "1"), ("network", "SKIP", "0"),
    ]  # fmt: skip


def test_a_node_shows_all_that_is_known(reader: TestClient, ids: Mapping[str, str]) -> None:
    text = reader.get(f"/nodes/{ids['failed']}", headers=HTML).text
    for shown in (
        "Maintenance/HW_TESTING", "tor-7 Ethernet1/12", "DIMM_A4: replaced", "disk bay 2: gone",
        "UEFI, Secure Boot off", "nvme3n1", "20 burnin", "system is up", "256 GiB", "3.84 TB", 'href="/runs/3"',
        "replace DIMM A1",
    ):  # fmt: skip
        assert shown in text
    assert "N0002" in text  # the disk that is gone
    assert '<select name="profile"' in text


def test_a_viewer_sees_no_form(records: Records, filled: Mapping[str, str]) -> None:
    viewer = scenes.client(records)
    viewer.auth = ("bob", "lead")
    text = viewer.get(f"/nodes/{filled['alarm']}", headers=HTML).text
    assert "ALARM" in text
    assert re.findall(r'action="([^"]*)"', text) == ["/logout"]
    assert viewer.get(f"/nodes/{filled['alarm']}/orders?profile=local").status_code == 403


def test_a_run_shows_steps_and_charts(reader: TestClient, ids: Mapping[str, str]) -> None:
    text = reader.get("/runs/3", headers=HTML).text
    for shown in ("FAIL", "DIMM A1, serial 00AB", "no partner was found", "edac-ce-delta", "<svg", "failures so far"):
        assert shown in text
    assert "style=" not in text
    assert "UNPROVEN" in reader.get("/runs/5", headers=HTML).text
    assert "49 %" in reader.get("/runs/2", headers=HTML).text


def test_a_run_is_read_on_where_it_was_left(
    operator: TestClient, records: Records, filled: Mapping[str, str], tmp_path: Path
) -> None:
    lines = scenes.lines(tmp_path / "passed.jsonl")

    def steps() -> list[Any]:
        return re.findall(r'<th scope="row">([^<]*)</th><td><span class="is (\w+)"', operator.get("/runs/2").text)

    def post(some: list[scenes.Json]) -> None:
        with records.begin() as connection:
            runs.append(connection, "2", some, now=NOW)

    assert steps() == [("cpu", "RUNNING")]
    # the last but one comes late
    post(lines[-1:])
    assert "RUNNING" not in operator.get("/runs/2?format=json").json()["verdict"]
    steps()
    post(lines[6:])
    assert steps() == [("cpu", "PASS")]
    downloaded = operator.get("/runs/2/run.jsonl")
    assert downloaded.headers["content-disposition"] == 'attachment; filename="run-2.jsonl"'
    assert len(downloaded.text.splitlines()) == len(lines)


@pytest.mark.parametrize(
    "path",
    ["/nodes/99", "/nodes/x", "/nodes/1'--", "/nodes/99/inventory", "/nodes/7/inventory", "/nodes/1/inventory?id=1",
     "/runs/99", "/runs/x/run.jsonl", "/static/../routes.py", "/static/x"],
)  # fmt: skip
def test_what_is_not_there(reader: TestClient, ids: Mapping[str, str], path: str) -> None:
    assert reader.get(path).status_code == 404


def test_the_raw_documents(reader: TestClient, ids: Mapping[str, str]) -> None:
    node = ids["failed"]
    taken = reader.get(f"/v1/nodes/{node}").json()["inventories"]
    latest, first = (reader.get(f"/nodes/{node}/inventory?id={each['id']}").json() for each in taken)
    assert latest == reader.get(f"/nodes/{node}/inventory").json()
    assert len(first["alchemy"]["disks"]) == len(latest["alchemy"]["disks"]) + 1
    assert taken[0]["differences"]
    assert taken[1]["differences"] == []


def test_events_page_by_page(reader: TestClient, ids: Mapping[str, str]) -> None:
    listed = reader.get("/v1/events").json()["events"]
    found = [event["id"] for event in listed]
    assert found == sorted(found, reverse=True)
    assert len(found) >= 14
    assert reader.get(f"/v1/events?before={found[3]}").json()["events"] == listed[4:]
    assert [event["id"] for event in reader.get(f"/v1/events?since={found[3]}").json()["events"]] == found[2::-1]
    of_node = reader.get(f"/v1/events?node={ids['failed']}").json()["events"]
    assert {event["node"] for event in of_node} == {ids["failed"]}
    assert "failed: system is up" in reader.get(f"/events?node={ids['failed']}", headers=HTML).text
    for query in ("before=x", "before=-1", "since=99999999999999999999", "nodes=1"):
        assert reader.get(f"/v1/events?{query}").status_code == 400


def test_pages_of_many_nodes_are_small(operator: TestClient, records: Records) -> None:
    scenes.many(records, 250)
    text = operator.get("/?rows=200", headers=HTML).text
    assert text.count("<tr>") == 201
    assert 'href="/?page=2&amp;rows=200"' in text
    assert len(text.encode()) <= MOST_BYTES


def test_a_page_of_a_large_node_is_small(operator: TestClient, records: Records) -> None:
    document = scenes.document()
    alchemy = document["alchemy"]
    for kind, count in (
        ("dimms", 48),
        ("disks", 500),
        ("nics", 300),
        ("pci", 500),
        ("kernel_errors", 200),
        ("cpus", 8),
    ):
        alchemy[kind] = [alchemy[kind][0]] * count
    with records.begin() as connection:
        node = scenes.add(connection, 1)
        inventories.add(connection, node, document, proven=True, now=NOW)
        for number in range(300):
            events.add(connection, node.id, "stage", f"number {number} " * 30, now=NOW)
    text = operator.get(f"/nodes/{node.id}", headers=HTML).text
    assert "and 436 more, in the raw document" in text
    assert len(text.encode()) <= MOST_BYTES


def test_a_page_of_a_long_run_is_small(operator: TestClient, records: Records, tmp_path: Path) -> None:
    record = node_runs.begin(tmp_path / "run.jsonl")
    record.step_start("cpu", "cpu")
    for part in range(40):
        series = record.series("cpu", f"temperature {part}", "C")
        other = record.series("cpu", f"counter {part}", "1")
        for number in range(200):
            series.add(40 + number % 7)
            other.add(number)
    with records.begin() as connection:
        run = scenes.burn(connection, scenes.add(connection, 1), tmp_path / "run.jsonl")
    text = operator.get(f"/runs/{run}", headers=HTML).text
    assert "more charts" in text
    assert text.count("<figure>") > 3
    assert len(text.encode()) <= MOST_BYTES


@pytest.mark.parametrize(
    "document",
    [{}, {"alchemy": []}, {"alchemy": {"dimms": {}, "nics": [[], 1, {"neighbours": "x"}], "cpus": [{"socket": 1}]}},
     {"alchemy": {"disks": [{"size": -1, "health": {"passed": "x"}}, {"size": 1e308, "health": 3}]}},
     {"alchemy": {"dimms": [{"size": True}, {"size": 1 << 70}, {"size": "x"}], "bmc": 3}, "inventory": {"memory": []}},
     {"alchemy": {"pci": [{"slot": "s", "link": {"width": {}, "speed": []}}], "firmware": {"secure_boot": 1}}}],
)  # fmt: skip
def test_a_made_up_inventory_breaks_no_page(operator: TestClient, records: Records, document: scenes.Json) -> None:
    with records.begin() as connection:
        node = scenes.add(connection, 1)
        inventories.add(connection, node, document, proven=True, now=NOW)
    assert operator.get(f"/nodes/{node.id}", headers=HTML).status_code == 200
    assert operator.get(f"/nodes/{node.id}?format=csv").status_code == 200
    assert isinstance(parts.facts(document), list)


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("plain", 10, "plain"),
        ("a\u202eb", 20, "a\\u202eb"),
        ("a\x00\x1b]0;x\x07", 40, "a\\x00\\x1b]0;x\\x07"),
        ("a\n\tb", 10, "a b"),
        ("\u200b\ufeff", 20, "\\u200b\\ufeff"),
        ("\udcff", 20, "\\udcff"),
        ("\ufffe\ue000", 20, "\\ufffe\\ue000"),
        ("x" * 30, 10, "xxxxxxxxx…"),
        (None, 10, ""),
        (0, 10, "0"),
    ],
)
def test_hidden_characters_are_visible(text: object, most: int, shown: str) -> None:
    assert html.clip(text, most) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86400 * 40, "40 d")]
)
def test_spans(seconds: float, shown: str) -> None:
    assert html.span(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(3_840_755_982_336, "3.84 TB"), (0, "0 B"), ("x", ""), (True, ""), (-1, ""), (1e300, "")]
)
def test_sizes(value: object, shown: str) -> None:
    assert html.size(value) == shown
