"""Subscriptions: made, tried, sent again, rotated, turned off, deleted; and what may be done by those who only read."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Opened, Shop, Watch
from tests.console.test_amounts import speaking
from tests.console.test_log import settled


class Receiver(ThreadingHTTPServer):
    """A subscriber: keeps the headers and bodies that it was sent, and answers with a status."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], Any]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.told.append((dict(self.headers), json.loads(body)))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/orders"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_a_subscription_is_made_tried_and_sent_again(opened: Opened, shop: Shop, receiver: Receiver) -> None:
    page = settled(opened("integrator", "subscriptions"))
    page.get_by_role("link", name="Add a subscription").first.click()
    page.get_by_label("Address").fill(receiver.url)
    page.get_by_label("contact.erased").check()
    page.get_by_label("paid", exact=True).check()
    page.get_by_label("Only from this value on").fill("1,000.00")
    page.get_by_label("Only in these currencies").fill("brl usd")
    page.get_by_label("Headers of its own").fill("X-Key: made-up-0001")
    page.get_by_role("button", name="Make the subscription").click()
    dialog = page.get_by_role("dialog")
    secret = dialog.locator(".copied").inner_text()
    assert secret.startswith("whsec_")
    dialog.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(receiver.url)
    main = page.locator("main")
    expect(main).not_to_contain_text(secret)
    expect(main).not_to_contain_text("made-up-0001")
    with shop.api() as api:
        (one,) = api.get("/v1/subscriptions").json()["data"]
    assert one["events"] == ["order.created", "order.updated", "order.status_changed", "contact.erased"]
    assert one["filter"] == {"status": ["paid"], "currency": ["BRL", "USD"], "minimum_value": "1000.00"}
    assert one["headers"] == ["x-key"]

    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".notice.good")).to_contain_text("accepted")
    (headers, said), *_ = receiver.told
    assert headers["x-key"] == "made-up-0001" and said["data"]["test"] is True
    attempts = page.get_by_role("region", name="Attempts").locator("tbody tr")
    expect(attempts).to_have_count(1)
    receiver.status = 500
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".notice.bad")).to_contain_text("HTTP 500")
    expect(attempts).to_have_count(2)
    receiver.status = 200

    page.get_by_role("button", name="Send again…").click()
    page.get_by_role("dialog").get_by_label("From").fill("2020-01-01T00:00")
    page.get_by_role("dialog").get_by_role("button", name="Send again").click()
    expect(page.locator(".toast")).to_contain_text("in line")

    page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Only from this value on")).to_have_value("1,000.00")
    dialog.get_by_label("contact.erased").uncheck()
    dialog.get_by_label("paid", exact=True).uncheck()
    dialog.get_by_label("Only from this value on").fill("")
    dialog.get_by_label("Only in these currencies").fill("")
    dialog.get_by_label("Test orders, too").uncheck()
    dialog.get_by_label("Remove its headers").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    with shop.api() as api:
        (one,) = api.get("/v1/subscriptions").json()["data"]
    assert (one["filter"], one["headers"]) == ({"include_test": False}, [])
    assert "contact.erased" not in one["events"]

    page.get_by_role("button", name="Rotate the secret…").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("region", name="Secrets").locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Turn off…").click()
    page.get_by_role("dialog").get_by_role("button", name="Turn off…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("off")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("working")

    page = settled(opened("ops", f"subscriptions/{one['id']}"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(receiver.url)
    for name in ("Send a test", "Edit", "Rotate the secret…", "Delete the subscription"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)

    page = settled(opened("admin", "subscriptions"))
    page.get_by_role("link", name=receiver.url).click()
    page.get_by_role("button", name="Delete the subscription").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the subscription").click()
    expect(page.get_by_role("heading", name="Nothing yet")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "address", "make", "headers", "problem", "line"),
    [
        ("en", "Address", "Make the", "Headers of its own", "not public", "Each line must be"),
        ("pt-BR", "Endereço", "Criar a inscrição", "Cabeçalhos próprios", "Algo no que foi enviado", "Cada linha"),
    ],
)
def test_what_is_wrong_with_a_subscription_is_said_at_the_field(
    opened: Opened,
    shop: Shop,
    watch: Watch,
    language: str,
    address: str,
    make: str,
    headers: str,
    problem: str,
    line: str,
) -> None:
    watch.expected.append("/v1/subscriptions")
    page = speaking(settled(opened("admin", "subscriptions/new")), language)
    page.get_by_label(address).fill("https://10.0.0.1/")
    page.get_by_label(headers).fill("no header")
    page.get_by_role("button", name=make).click()
    expect(page.locator("[data-field=headers] .wrong")).to_contain_text(line)
    page.get_by_label(headers).fill("")
    page.get_by_role("button", name=make).click()
    expect(page.get_by_role("alert")).to_contain_text(problem)
    expect(page.get_by_label(address)).to_have_attribute("aria-invalid", "true")
