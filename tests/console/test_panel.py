"""The panel in another page's frame: shown where the account allows it, to whoever signed in, for whom the page names."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Frame, FrameLocator, Page, expect

from tests.console.conftest import Opened, Shop, Watch

CONTACT = {"id": 41, "name": "Ana Souza", "email": "ana.souza@example.com", "phone_number": "+5511987654321"}


class Crm:
    """A page of another origin, with the panel in a frame; it answers the panel's question as Chatwoot does."""

    def __init__(self) -> None:
        self.page = b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(outer.page if self.path == "/" else b"")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def show(self, address: str, contact: object = CONTACT) -> None:
        context = json.dumps(json.dumps({"event": "appContext", "data": {"contact": contact}}))
        self.page = f"""<!doctype html><html lang="en"><title>CRM</title><link rel="icon" href="data:,">
            <iframe title="Orders" src="{address}" width="700" height="800"></iframe>
            <script>addEventListener("message", (event) => {{
                if (event.data === "chatwoot-dashboard-app:fetch-info") event.source.postMessage({context}, "*");
            }});</script>""".encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def crm(watch: Watch) -> Iterator[Crm]:
    made = Crm()
    watch.own.add(made.origin)
    yield made
    made.close()


def allow(shop: Shop, *origins: str) -> None:
    with shop.api() as api:
        assert api.patch("/v1/account", json={"panel_origins": list(origins)}).status_code == 200


def panel_of(page: Page, crm: Crm) -> FrameLocator:
    page.goto(crm.origin)
    return page.frame_locator("iframe")


def sign_in(frame: FrameLocator, token: str) -> None:
    frame.get_by_label("Token").fill(token)
    frame.get_by_role("button", name="Sign in").click()


def test_the_contact_that_the_page_names_is_shown(opened: Opened, shop: Shop, crm: Crm) -> None:
    allow(shop, crm.origin)
    crm.show(f"{shop.address}/console/panel?account={shop.scene.account_id}")
    page = opened(None, "panel")
    frame = panel_of(page, crm)
    sign_in(frame, shop.scene.tokens["rep"])
    expect(frame.get_by_role("heading", level=1)).to_have_text("Ana Souza")
    expect(frame.locator(".total strong").first).to_contain_text("R$")
    frame.locator(".entry").first.get_by_text("History").click()
    expect(frame.locator(".entry .history li").first).to_be_visible()
    page.frames[1].evaluate("1")  # the frame is alive
    page.evaluate("""() => frames[0].postMessage(JSON.stringify(
        {event: "appContext", data: {contact: {email: "bruno.lima@example.com"}}}), "*")""")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Bruno Lima")
    page.evaluate(
        """() => frames[0].postMessage(JSON.stringify({event: "appContext", data: {contact: {id: "no-one"}}}), "*")"""
    )
    expect(frame.get_by_text("Nothing known of this contact")).to_be_visible()
    page.reload()
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text("Ana Souza")


def test_the_panel_follows_a_merge_and_shows_nobody_elses_orders(opened: Opened, shop: Shop, crm: Crm) -> None:
    allow(shop, crm.origin)
    with shop.api() as api:
        for number, name, email in ((900, "Rita Gone", "rita@example.com"), (901, "Rita Alves", "alves@example.com")):
            body = {"name": name, "emails": [email], "phones": ["+55 61 3333-4455"]}
            assert api.put(f"/v1/contacts/{number}", json=body).status_code == 201
        assert api.put("/v1/contacts/902", json={"name": "Caio", "phones": ["+55 61 3333-4455"]}).status_code == 201
        assert api.post("/v1/contacts/900/merge", json={"into": "901"}).status_code == 200
    crm.show(f"{shop.address}/console/panel?account={shop.scene.account_id}", {"id": 900})
    page = opened(None, "panel")
    frame = panel_of(page, crm)
    sign_in(frame, shop.scene.tokens["manager"])
    expect(frame.get_by_role("heading", level=1)).to_have_text("Rita Alves")
    others = frame.get_by_text("is on another contact, or on several")
    for contact in (
        {"id": 950, "email": "rita@example.com"},  # another contact of the CRM's
        {"phone_number": "+556133334455"},  # two people's
    ):
        page.evaluate(
            "(contact) => frames[0].postMessage(JSON.stringify({event: 'appContext', data: {contact}}), '*')", contact
        )
        expect(others).to_be_visible()
        page.evaluate(
            "() => frames[0].postMessage(JSON.stringify({event: 'appContext', data: {contact: {id: 901}}}), '*')"
        )
        expect(frame.get_by_role("heading", level=1)).to_have_text("Rita Alves")


def test_a_panels_session_reads_and_nothing_else(opened: Opened, shop: Shop, crm: Crm) -> None:
    allow(shop, crm.origin)
    crm.show(f"{shop.address}/console/panel?account={shop.scene.account_id}")
    page = opened(None, "panel")
    frame = panel_of(page, crm)
    sign_in(frame, shop.scene.tokens["admin"])
    expect(frame.get_by_role("heading", level=1)).to_have_text("Ana Souza")
    inside: Frame = page.frames[1]
    codes = inside.evaluate("""async () => {
        const ask = (method, path) => fetch(path, {method, headers: {"Orders-Console": "1"}, body: method === "GET" ? undefined : "{}"});
        const answers = [];
        for (const [method, path] of [["GET", "/v1/account"], ["GET", "/v1/deliveries"], ["POST", "/v1/orders"], ["GET", "/v1/orders"]]) {
            answers.push((await ask(method, path)).status);
        }
        return answers;
    }""")
    assert codes == [403, 403, 403, 200]


@pytest.fixture(autouse=True)
def refusals_are_expected(watch: Watch) -> None:
    watch.expected += ["/v1/account", "/v1/deliveries", "/v1/orders"]


def test_a_page_that_is_not_named_shows_nothing(opened: Opened, shop: Shop, crm: Crm, watch: Watch) -> None:
    allow(shop, "https://chat.example.com")
    page = opened(None, "panel")
    for path in (f"panel?account={shop.scene.account_id}", "panel", "", "deliveries"):
        crm.show(f"{shop.address}/console/{path}")
        page.goto(crm.origin)
        expect(page.frame_locator("iframe").get_by_label("Token")).to_have_count(0)
        assert page.frames[1].url.startswith("chrome-error:"), path
    refused = [fault for fault in watch.faults if "frame-ancestors" in fault]
    assert len(refused) == 4
    watch.faults[:] = [fault for fault in watch.faults if fault not in refused]


def test_whoever_may_not_read_sees_no_contact(opened: Opened, shop: Shop, crm: Crm, watch: Watch) -> None:
    watch.expected.append("/v1/session")
    allow(shop, crm.origin)
    crm.show(f"{shop.address}/console/panel?account={shop.scene.account_id}")
    frame = panel_of(opened(None, "panel"), crm)
    sign_in(frame, shop.scene.tokens["ops"])
    expect(frame.get_by_role("alert")).to_contain_text("the panel shows contacts and orders")


def test_another_accounts_token_does_not_open_this_panel(opened: Opened, shop: Shop, crm: Crm, watch: Watch) -> None:
    watch.expected.append("/v1/session")
    allow(shop, crm.origin)
    crm.show(f"{shop.address}/console/panel?account={shop.scene.account_id}")
    frame = panel_of(opened(None, "panel"), crm)
    sign_in(frame, shop.scene.tokens["nobody yet"])
    expect(frame.get_by_role("alert")).to_contain_text("belongs to another account")
