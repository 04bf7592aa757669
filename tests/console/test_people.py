"""Contacts and orders: looked up, read as a timeline, written and edited, each within what the role may."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Opened, Shop, Watch
from tests.console.test_log import settled


@pytest.mark.parametrize("word", ["ana.souza@example.com", "+55 11 98765-4321", "41", "(11) 98765-4321"])
def test_a_contact_is_found_through_any_identity(word: str, opened: Opened) -> None:
    page = settled(opened("manager", "contacts"))
    expect(page.get_by_role("heading", name="Who ordered last")).to_be_visible()
    page.get_by_label("E-mail, phone, document or CRM id").fill(word)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Ana Souza").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ana Souza")


def test_nobody_is_found_and_said_so(opened: Opened) -> None:
    page = settled(opened("manager", "contacts?word=nobody@example.com"))
    expect(page.get_by_role("heading", name="Nobody is known by that")).to_be_visible()


def test_a_contacts_purchases_as_a_timeline(opened: Opened, shop: Shop) -> None:
    page = settled(opened("admin", "contacts/41"))
    with shop.api() as api:
        sums = api.get("/v1/contacts/41/summary").json()["currencies"]
        first = api.get("/v1/contacts/41/orders", params={"limit": 1}).json()["data"][0]
    shown = [re.sub(r"\D", "", text) for text in page.locator(".total strong").all_inner_texts()]
    assert shown == [one["net"].replace(".", "") for one in sums]
    expect(page.locator("svg.chart rect.fill").first).to_be_attached()
    entry = page.locator(".entry").first
    expect(entry).to_contain_text(first["external_id"])
    entry.get_by_text("History").click()
    expect(entry.locator(".history li").first).to_be_visible()
    page.get_by_role("button", name=re.compile("Show all")).click()
    expect(page.locator(".entry")).to_have_count(sum(one["orders"] for one in sums))
    page.get_by_role("link", name="New order").click()
    expect(page.get_by_label("Contact")).to_have_value("41")


def test_an_order_is_written_and_edited_and_its_history_tells_who(opened: Opened, shop: Shop, watch: Watch) -> None:
    watch.expected.append("/v1/orders")
    page = settled(opened("manager", "orders"))
    page.get_by_role("link", name="New order").click()
    page.get_by_label("Title").fill("By hand")
    page.get_by_label("Contact").fill("no such contact")
    page.get_by_label("Value").fill("1,250.50")
    page.get_by_label("Status").select_option("pending")
    page.get_by_role("button", name="Add an item").click()
    page.get_by_label("Item", exact=True).fill("A thing")
    page.get_by_label("Unit value").fill("1250.50")
    page.get_by_role("button", name="Make the order").click()
    expect(page.get_by_role("alert")).to_contain_text("no contact is known")
    expect(page.get_by_label("Contact")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Contact").fill("42")
    page.get_by_role("button", name="Make the order").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("By hand")
    expect(page.get_by_role("region", name="Items")).to_contain_text("A thing")
    expect(page.locator(".side-facts")).to_contain_text("1,250.50")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Status").select_option("paid")
    page.get_by_label("Title").fill("By hand, paid")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("By hand, paid")
    entries = page.locator(".history > li")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("manager-1")
    expect(entries.first).to_contain_text("paid")
    with shop.api() as api:
        (order,) = api.get("/v1/orders", params={"q": "By hand, paid"}).json()["data"]
    assert (order["value"], order["status"], order["origin"]) == ("1250.50", "paid", "manual")


def test_only_what_was_changed_is_sent(opened: Opened, shop: Shop) -> None:
    with shop.api() as api:
        order = api.get("/v1/orders", params={"source_id": shop.scene.sources["shopify"], "limit": 1}).json()["data"][0]
    page = settled(opened("admin", f"orders/{order['id']}/edit"))
    page.get_by_label("Title").fill("Named by us")
    with page.expect_request(lambda asked: asked.method == "PATCH") as sent:
        page.get_by_role("button", name="Save").click()
    assert sent.value.post_data_json == {"title": "Named by us"}
    expect(page.get_by_role("heading", level=1)).to_contain_text("Named by us")


def test_orders_are_searched_and_filtered(opened: Opened, shop: Shop) -> None:
    page = settled(opened("rep", "orders"))
    rows = page.locator(".list tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_label("Title or external id").fill("Sports watch")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=Sports"))
    settled(page)
    for text in rows.all_inner_texts():
        assert "Sports watch" in text
    page.get_by_label("Status", exact=True).select_option("refunded")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Older").click()
    expect(page).to_have_url(re.compile("cursor="))


def test_a_rep_reads_their_own_wallet_alone(opened: Opened, shop: Shop, watch: Watch) -> None:
    watch.expected.append("/v1/contacts/42")
    with shop.api() as api:
        assert api.patch("/v1/account", json={"owner_privacy": True}).status_code == 200
        page = settled(opened("rep", "contacts/41"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Ana Souza")
        expect(page.get_by_role("link", name="New order")).to_have_count(0)
        page.goto(f"{shop.address}/console/contacts/42")
        expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
        page.goto(f"{shop.address}/console/contacts?word=42")
        expect(page.get_by_role("heading", name="Nobody is known by that")).to_be_visible()
        page.goto(f"{shop.address}/console/contacts/41")
        page.locator(".entry .strong").first.click()
        expect(page.get_by_role("heading", name="History")).to_be_visible()
        expect(page.get_by_role("link", name="Edit")).to_have_count(0)
        api.patch("/v1/account", json={"owner_privacy": False})


def test_the_accounts_settings(opened: Opened, shop: Shop, watch: Watch) -> None:
    watch.expected.append("/v1/account")
    page = settled(opened("admin", "settings"))
    page.get_by_label("Pages that may show the panel").fill("https://chat.example.com/\nhttps://*.example.com")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("alert")).to_contain_text("panel_origins")
    page.get_by_label("Pages that may show the panel").fill("https://chat.example.com/")
    page.get_by_role("button", name="Save").last.click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    expect(page.get_by_label("Pages that may show the panel")).to_have_value("https://chat.example.com")
    expect(page.locator(".copied").last).to_contain_text(f"/console/panel?account={shop.scene.account_id}")
    page.get_by_label("The registry is on").uncheck()
    page.get_by_role("button", name="Save").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Turn the registry off").click()
    expect(page.get_by_text("The registry is off for this account").first).to_be_visible()
    page.get_by_label("The registry is on").check()
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("The registry is off for this account")).to_have_count(0)
