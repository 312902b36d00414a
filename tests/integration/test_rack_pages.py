"""The pages of a rack in a real browser: with JavaScript and without, on a phone, by keyboard, and for axe-core."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.applications import Starlette

from alchemy.rack.pages.routes import routes
from alchemy.rack.records import events, nodes
from alchemy.rack.records.database import Records, default_url
from tests.lib import browser
from tests.unit.rack import scenes
from tests.unit.rack.scenes import NOW

PATIENCE = 60_000  # milliseconds
DESKTOP, PHONE = (1400, 900), (390, 844)


@dataclass(frozen=True)
class Rack:
    """Pages that are served."""

    url: str
    records: Records
    ids: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    folder = tmp_path_factory.mktemp("rack")
    records = Records.open(default_url(folder))
    ids = {**scenes.fill(records, folder), "hostile": scenes.hostile(records, folder)}
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=routes(scenes.desk(records)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield Rack(f"http://127.0.0.1:{listener.getsockname()[1]}", records, ids)
    server.should_exit = True
    thread.join(60)
    records.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a sandbox, as tests may run as root."""
    program = browser.program()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()


@pytest.fixture
def screenshots(pytestconfig: pytest.Config) -> Path:
    """The folder of pictures that people look at."""
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("screenshots")


def log_in(context: BrowserContext, rack: Rack, path: str = "/") -> Page:
    """Opens a page, by way of the login."""
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(rack.url + path)
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill("gold")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(rack.url + path)
    return page


@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "none"])
def test_an_operator_finds_a_node_and_orders(rack: Rack, chromium: Browser, scripts: bool) -> None:
    with chromium.new_context(java_script_enabled=scripts) as context:
        page = log_in(context, rack)
        page.get_by_label("Status").select_option("Maintenance")
        page.get_by_label("failed", exact=True).check()
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url(re.compile("failed=1"))
        rows = page.get_by_role("row")
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("replace DIMM A1")
        page.get_by_role("link", name="r1-u14").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("r1-u14")
        page.get_by_label("Profile").select_option("wipe")
        page.get_by_role("button", name="Order").click()
        expect(page.get_by_text("DESTRUCTIVE")).to_be_visible()
        page.get_by_label("Type the serial").fill("EX0012")
        page.get_by_role("button", name="Order wipe").click()
        expect(page.get_by_role("alert")).to_contain_text("not the serial of the node")
        page.get_by_label("Type the serial").fill("EX0014")
        page.get_by_role("button", name="Order wipe").click()
        page.wait_for_url(f"{rack.url}/nodes/{rack.ids['failed']}#orders")
        expect(page.locator("#order")).to_contain_text("wipe, ordered by alice")
        page.get_by_role("button", name="Cancel the order").click()
        expect(page.locator("#order")).to_contain_text("No order")
        page.locator("#runs").get_by_role("link", name="burnin").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("burnin")
        expect(page.get_by_role("img", name="failures so far")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{rack.url}/login")


def test_a_page_follows_what_happens(rack: Rack, chromium: Browser) -> None:
    with chromium.new_context() as context:
        page = log_in(context, rack, f"/nodes/{rack.ids['passed']}")
        expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
        # what an operator has opened and focused stays
        page.get_by_text("Keys of this machine").click()
        page.get_by_label("Profile").focus()
        with rack.records.begin() as connection:
            nodes.update(connection, rack.ids["passed"], stage="kernel fetched", stage_at=NOW)
            events.add(connection, rack.ids["passed"], "stage", "news <b>of a node</b>", now=NOW)
        expect(page.locator("#timeline")).to_contain_text("news <b>of a node</b>", timeout=PATIENCE)
        expect(page.locator("#state")).to_contain_text("kernel fetched", timeout=PATIENCE)
        expect(page.get_by_label("Profile")).to_be_focused()
        expect(page.get_by_role("button", name="Release serial EX0012")).to_be_visible()


LOOK = [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)]


@pytest.mark.parametrize(("scheme", "size"), LOOK, ids=["light", "dark", "phone"])
def test_axe_finds_no_violation(
    rack: Rack, chromium: Browser, screenshots: Path, scheme: str, size: tuple[int, int]
) -> None:
    pages = {
        "nodes": "/",
        "no-node": "/?q=nothing",
        "node": f"/nodes/{rack.ids['failed']}",
        "alarm": f"/nodes/{rack.ids['alarm']}",
        "hostile": f"/nodes/{rack.ids['hostile']}",
        "run": "/runs/3",
        "running": "/runs/2",
        "order": f"/nodes/{rack.ids['failed']}/orders?profile=wipe",
        "events": "/events",
        "refused": "/nodes/999",
        "login": "/login",
    }
    said: list[str] = []
    violations: dict[str, list[str]] = {}
    viewport = {"width": size[0], "height": size[1]}
    kind = "phone" if size == PHONE else scheme
    with chromium.new_context(color_scheme=scheme, viewport=viewport) as context:  # type: ignore[arg-type]
        page = log_in(context, rack)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        for name, path in pages.items():
            if name == "login":
                context.clear_cookies()
            page.goto(rack.url + path)
            page.screenshot(path=screenshots / f"rack-{name}-{kind}.png", full_page=True)
            found = Axe().run(page).response["violations"]
            violations[name] = [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= size[0], f"{name}: {width} pixels wide; see {screenshots}"
    assert {name: found for name, found in violations.items() if found} == {}, f"see {screenshots}"
    # no policy was broken, and nothing of a node ran; the browser notes the answer 404
    assert [text for text in said if "404" not in text] == []


def test_the_keyboard_reaches_everything(rack: Rack, chromium: Browser) -> None:
    with chromium.new_context() as context:
        page = log_in(context, rack)
        page.goto(rack.url)
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
        for name in ("failed", "q", "model", "Filter", "Serial", "r1-u12", "CSV"):
            assert name in reached
        page.get_by_role("link", name="r1-u14").focus()
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


def test_a_table_is_a_table_on_a_phone_too(rack: Rack, chromium: Browser) -> None:
    with chromium.new_context(viewport={"width": PHONE[0], "height": PHONE[1]}) as context:
        page = log_in(context, rack)
        expect(page.get_by_role("table")).to_have_count(1)
        row = page.get_by_role("row").filter(has_text="r1-u14")
        expect(row.get_by_role("rowheader")).to_have_text("r1-u14")
        expect(row.get_by_role("cell")).to_have_count(7)
