"""What the pages do with hostile strings and hostile callers."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from alchemy.rack.pages import answers
from alchemy.rack.pages.operators import COOKIE
from alchemy.rack.pages.routes import routes
from alchemy.rack.records import events, inventories
from alchemy.rack.records.database import Records
from tests.unit.node.burnin import runs as node_runs
from tests.unit.rack import scenes
from tests.unit.rack.scenes import NOW

HTML = {"Accept": "text/html"}


class Elements(HTMLParser):
    """Collects the elements of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def elements(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    found.close()
    return found


@pytest.mark.parametrize(
    "path",
    ["/", "/nodes/1", "/runs/1", "/events", "/events?node=1", "/nodes/1/orders?profile=wipe", "/?q=%3Cscript%3E%22%27",
     "/?model=%3Cscript%3Ealert(1)%3C/script%3E%22%27%26"],
)  # fmt: skip
def test_a_hostile_node_writes_no_markup(operator: TestClient, records: Records, tmp_path: Path, path: str) -> None:
    scenes.hostile(records, tmp_path)
    answer = operator.get(path, headers=HTML)
    assert answer.status_code == 200
    found = elements(answer.text)
    scripts = [attributes for tag, attributes in found.seen if tag == "script"]
    assert [set(attributes) for attributes in scripts] == [{"src", "defer"}]
    assert str(scripts[0]["src"]).startswith("/static/rack.js?")
    names = {name for _, attributes in found.seen for name in attributes}
    assert not {name for name in names if name.startswith("on")} | ({"style"} & names)
    assert {tag for tag, _ in found.seen}.isdisjoint({"style", "iframe", "object", "embed", "img", "base"})
    links = [value for _, attributes in found.seen for name, value in attributes.items() if name in ("href", "action")]
    assert all(str(link).startswith(("/", "#")) for link in links)
    # nothing of a node was a template, and nothing is hidden or controls the browser
    assert "49" not in "".join(found.words).replace("1149", "")
    assert all(character.isprintable() or character in "\n" for character in answer.text)


def test_hidden_characters_of_a_node_can_be_seen(operator: TestClient, records: Records, tmp_path: Path) -> None:
    node = scenes.hostile(records, tmp_path)
    text = operator.get(f"/nodes/{node}", headers=HTML).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;{{7*7}}\\u202e" in text


@pytest.mark.parametrize("path", ["/?format=csv", "/nodes/1?format=csv", "/runs/1?format=csv", "/events?format=csv"])
def test_a_spreadsheet_finds_no_formula(operator: TestClient, records: Records, tmp_path: Path, path: str) -> None:
    with records.begin() as connection:
        for index, begin in enumerate(("=", "+", "-", "@", "\t=", "\r=", "\n=", " =")):
            text = f'{begin}cmd|"/C calc"!A0'
            node = scenes.add(connection, index, tag=text, model=text, reason=text)
            document = scenes.document()
            for part in document["alchemy"]["dimms"]:
                part["locator"] = text
            inventories.add(connection, node, document, proven=True, now=NOW)
            events.add(connection, node.id, text, text, now=NOW)
        record = tmp_path / "run.jsonl"
        node_runs.failed(record, "=1+1")
        scenes.burn(connection, node, record)
    cells = [cell for row in csv.reader(io.StringIO(operator.get(path).text)) for cell in row]
    assert len(cells) > 10
    assert [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/login", 303), ("/nodes/1", 200), ("/nodes/99", 404), ("/?format=json", 200), ("/?format=csv", 200),
     ("/?page=x", 400), ("/events", 200), ("/v1/nodes", 200), ("/runs/1/run.jsonl", 200), ("/nodes/1/inventory", 200)],
)  # fmt: skip
def test_every_answer_has_the_headers(reader: TestClient, ids: Mapping[str, str], path: str, status: int) -> None:
    answer = reader.get(path, headers=HTML)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "kind"), [("rack.css", "text/css"), ("rack.js", "text/javascript"), ("rack.svg", "image/svg+xml")]
)
def test_static_files_need_no_login(records: Records, name: str, kind: str) -> None:
    answer = scenes.client(records).get(f"/static/{name}")
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert "immutable" in answer.headers["cache-control"]
    assert len(answer.content) < 16_000


READ = [route.path for route in routes(scenes.desk(None)) if "GET" in (route.methods or ())]  # type: ignore[arg-type]
WRITE = [route.path for route in routes(scenes.desk(None)) if "POST" in (route.methods or ())]  # type: ignore[arg-type]
OPEN = {"/login", "/static/{name}"}


def filled_in(path: str) -> str:
    return path.replace("{node}", "3").replace("{run}", "3").replace("{name}", "rack.css")


@pytest.mark.parametrize("path", sorted(set(READ) - OPEN))
def test_nothing_is_shown_without_a_login(records: Records, filled: Mapping[str, str], path: str) -> None:
    client, path = scenes.client(records), filled_in(path)
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert set(answer.json()) == {"error", "hint"}
    browser = client.get(f"{path}?x=1&y=/", headers=HTML)
    if path.startswith("/v1/"):
        assert browser.status_code == 401
    else:
        assert browser.status_code == 303
        assert re.fullmatch(r"/login(\?next=%2F.*%3Fx%3D1%26y%3D%2F)?", browser.headers["location"])


@pytest.mark.parametrize("path", sorted(set(WRITE) - OPEN))
def test_nothing_changes_without_login_role_and_token(records: Records, filled: Mapping[str, str], path: str) -> None:
    path = filled_in(path)
    body = {"content": '{"profile":"local"}'} if path.startswith("/v1/") else {"data": {"profile": "local"}}
    anonymous, viewer, browser = (scenes.client(records) for _ in range(3))
    viewer.auth = ("bob", "lead")
    log_in(browser, "alice", "gold")
    before = dump(records)
    assert anonymous.post(path, **body).status_code == 401
    assert browser.post(path, **body).status_code == 403
    if path != "/logout":
        assert viewer.post(path, **body).status_code == 403
        assert browser.get(path).status_code in (200, 404, 405)
    assert dump(records) == before


def dump(records: Records) -> list[str]:
    """All that the records hold, as SQL."""
    with records.reading() as connection:
        path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
    copy = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return list(copy.iterdump())
    finally:
        copy.close()


def test_no_get_changes_anything(operator: TestClient, records: Records, filled: Mapping[str, str]) -> None:
    before = dump(records)
    # /live has no end
    for path in set(READ) - {"/live"}:
        for form in ("html", "json", "csv"):
            operator.get(f"{filled_in(path)}?format={form}&profile=wipe", headers=HTML)
    assert dump(records) == before
    for path in WRITE:
        operator.get(filled_in(path), headers=HTML)
    assert dump(records) == before


def log_in(client: TestClient, name: str, password: str) -> str:
    """Logs in as a browser does; returns the CSRF token of the page."""
    answer = client.post("/login", data={"username": name, "password": password}, headers=HTML)
    assert answer.status_code == 303, answer.text
    found = re.search(r'<meta name="csrf-token" content="([^"]+)">', client.get("/", headers=HTML).text)
    assert found is not None
    return found[1]


def test_a_browser_logs_in_and_out(records: Records) -> None:
    client = scenes.client(records)
    page = client.get("/login?next=/events", headers=HTML)
    assert 'name="next" value="/events"' in page.text
    form = {"username": "alice", "password": "wrong", "next": "/events"}
    refused = client.post("/login", data=form, headers=HTML)
    assert (refused.status_code, COOKIE in client.cookies) == (401, False)
    assert "wrong user name or password" in refused.text
    assert 'name="next" value="/events"' in refused.text
    accepted = client.post("/login", data={**form, "password": "gold"}, headers=HTML)
    assert (accepted.status_code, accepted.headers["location"]) == (303, "/events")
    cookie = accepted.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert client.get("/login?next=/events", headers=HTML).headers["location"] == "/events"
    token = log_in(client, "alice", "gold")
    assert client.post("/logout", headers=HTML, data={"next": "/"}).status_code == 403
    assert client.post("/logout", headers=HTML, data={"csrf_token": token}).headers["location"] == "/login"
    assert client.get("/", headers=HTML).status_code == 303
    messages = [event["message"] for event in client.get("/v1/events", auth=("alice", "gold")).json()["events"]]
    assert messages == ["alice logged in"] * 2


def test_the_cookie_is_secure_under_https(records: Records) -> None:
    client = scenes.client(records)
    client.base_url = "https://rack.example"
    answer = client.post("/login", data={"username": "alice", "password": "gold"}, headers=HTML)
    assert "Secure" in answer.headers["set-cookie"].split("; ")


def test_a_json_client_logs_in(records: Records) -> None:
    client = scenes.client(records)
    answer = client.post("/login", data={"username": "alice", "password": "gold"})
    token = answer.json()["csrf_token"]
    assert answer.json() == {"operator": "alice", "role": "operate", "csrf_token": token}
    assert client.get("/v1/nodes").status_code == 200
    wrong = client.post("/login", data={"username": "alice", "password": "lead"})
    assert (wrong.status_code, wrong.json()["error"]) == (401, "login: wrong user name or password")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/nodes/1?format=html", "/nodes/1?format=html"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/%0d%0aSet-Cookie: a=b", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("/login?next=/login", "/"),
        ("/" + "x" * 600, "/"),
        ("/é", "/"),
        ("", "/"),
    ],
)
def test_a_login_goes_on_to_a_page_of_ours(records: Records, target: str, location: str) -> None:
    form = {"username": "alice", "password": "gold", "next": target}
    answer = scenes.client(records).post("/login", data=form, headers=HTML)
    assert answer.headers["location"] == location
    assert len(answer.headers.get_list("set-cookie")) == 1


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ("username=a&username=b", "application/x-www-form-urlencoded", 400),
        ("&".join(f"f{number}=" for number in range(30)), "application/x-www-form-urlencoded", 400),
        ("username=%ff", "application/x-www-form-urlencoded", 400),
        ("username=\xe9", "application/x-www-form-urlencoded", 400),
        ("a=" + "x" * 20_000, "application/x-www-form-urlencoded", 413),
        ("{}", "application/json", 415),
        ("--x", "multipart/form-data; boundary=x", 415),
        ("", "", 415),
    ],
)
def test_a_malformed_form_is_refused(records: Records, content: str, kind: str, status: int) -> None:
    answer = scenes.client(records).post("/login", content=content.encode(), headers={"Content-Type": kind})
    assert answer.status_code == status
    assert set(answer.json()) <= {"error", "hint"}


def test_a_cell_of_csv() -> None:
    rows = [{"a": "x\ny", "b": 'q"', "c": -1.5, "d": None, "e": True, "f": NOW, "g": "\u202e\x00", "h": "-1"}]
    text = bytes(answers.as_csv("x", tuple("abcdefgh"), rows).body).decode()
    assert text.splitlines()[1] == r'x y,"q""",-1.5,,true,2026-11-28T05:00:00.000Z,\u202e\x00,' + "'-1"


def test_json_has_only_what_json_has() -> None:
    body = bytes(answers.as_json({"text": "\udcff</script>", "at": NOW}).body)
    assert json.loads(body) == {"text": "\udcff</script>", "at": "2026-11-28T05:00:00.000Z"}
