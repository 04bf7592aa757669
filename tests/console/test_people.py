"""Contacts and orders: looked up, read as a timeline, written and edited, each within what the role may."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Opened, Shop, Watch
from tests.console.test_log import settled
from tests.house import WHSEC, order_event


@pytest.mark.parametrize("word", ["ana.souza@example.com", "+55 11 98765-4321", "41", "(11) 98765-4321", "ana so"])
def test_a_contact_is_found_through_any_identity(word: str, opened: Opened) -> None:
    page = settled(opened("manager", "contacts"))
    expect(page.get_by_role("heading", name="Who ordered last")).to_be_visible()
    page.get_by_label("Name, e-mail, phone, document, order or CRM id").fill(word)
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
    expect(entries.first).to_contain_text("Lia Castro")
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


def pair(shop: Shop, number: int) -> tuple[str, str]:
    """Two contacts who share a phone and nothing else, and are listed as possible duplicates."""
    source = shop.scene.sources.get("house")
    with shop.api() as api:
        if source is None:
            made = api.post("/v1/sources", json={"adapter": "standard", "name": "house", "secret": WHSEC}).json()
            source = shop.scene.sources["house"] = made["source_id"]
        phone, ids = f"+55 11 97777-10{number:02}", list[str]()
        for name in (f"Gilda {number}", f"Hugo {number}"):
            buyer = {"name": name, "email": f"{name.replace(' ', '').lower()}@example.com", "phone": phone}
            told = order_event(name, contact=buyer)
            answer = api.post(f"/webhooks/{source}", content=told.body, headers=dict(told.headers))
            assert answer.json()["outcome"] == "created", answer.text
            (order,) = answer.json()["orders"]
            ids.append(api.get(f"/v1/orders/{order}").json()["contact_id"])
    return ids[0], ids[1]


def test_possible_duplicates_are_worked_off_with_one_key_each(opened: Opened, shop: Shop) -> None:
    first, second, third = pair(shop, 1), pair(shop, 2), pair(shop, 3)
    page = settled(opened("manager", "contacts"))
    page.get_by_role("link", name="Possible duplicates").click()
    expect(page.locator(".duel .card")).to_have_count(2)
    expect(page.locator("main")).to_contain_text("3 pairs are left.")
    expect(page.locator(".duel")).to_contain_text("Gilda 1")
    expect(page.locator("main")).to_contain_text("+5511977771001")
    expect(page.locator("main")).to_contain_text("different e-mails")
    page.keyboard.press("n")
    expect(page.locator(".duel")).to_contain_text("Gilda 2")
    page.keyboard.press("m")
    expect(page.locator("main")).to_contain_text(re.compile("(Gilda|Hugo) 2 was merged into"))
    with shop.api() as api:
        assert len({api.get(f"/v1/contacts/{one}").json()["id"] for one in second}) == 1
        expect(page.locator(".duel")).to_contain_text("Gilda 3")
        page.keyboard.press("u")
        expect(page.locator(".duel")).to_contain_text("Gilda 2")
        assert len({api.get(f"/v1/contacts/{one}").json()["id"] for one in second}) == 2
        page.get_by_role("button", name="Keep apart").click()
        expect(page.locator("main")).to_contain_text(
            re.compile("Gilda 2 and Hugo 2 are two people|Hugo 2 and Gilda 2 are two people")
        )
        page.get_by_label("Language").select_option("pt-BR")
        expect(page.locator("main")).to_contain_text("Restam 2 pares.")
        page.keyboard.press("m")  # is no key in Portuguese
        page.keyboard.press("j")
        expect(page.locator("main")).to_contain_text("Resta um par.")
        page.get_by_role("button", name="Manter separados").click()
        expect(page.get_by_role("heading", name="Não há mais pares")).to_be_visible()
        merged = [len({api.get(f"/v1/contacts/{one}").json()["id"] for one in each}) for each in (first, second, third)]
        assert sorted(merged) == [1, 2, 2] and merged[1] == 2
        assert api.get("/v1/possible-duplicates").json()["data"] == []
    page.get_by_label("Idioma").select_option("en")


def test_an_erasure_says_beforehand_what_it_takes(opened: Opened, shop: Shop) -> None:
    gilda, hugo = pair(shop, 4)
    page = settled(opened("admin", f"contacts/{gilda}"))
    page.get_by_role("button", name="Erase").click()
    box = page.get_by_role("dialog")
    expect(box).to_contain_text("orders, made anonymous")
    expect(box).to_contain_text("gilda4@example.com")
    expect(box.locator("tr", has_text="+5511977771004")).to_contain_text("Hugo 4")
    expect(box.locator("tr", has_text="gilda4@example.com")).to_contain_text("nobody")
    with shop.api() as api:
        assert api.get(f"/v1/contacts/{gilda}").status_code == 200
        box.get_by_role("button", name="Erase for good").click()
        expect(page.locator(".toast")).to_contain_text("erased")
        assert [api.get(f"/v1/contacts/{one}").status_code for one in (gilda, hugo)] == [404, 200]
    expect(settled(opened("manager", f"contacts/{hugo}")).get_by_role("button", name="Erase")).to_have_count(0)


def test_two_orders_that_are_one_sale_are_merged_and_split(opened: Opened, shop: Shop) -> None:
    with shop.api() as api:
        made = [
            api.post("/v1/orders", json={"contact": "42", "title": title, "value": "70.00"}).json()
            for title in ("From the shop", "From the bank")
        ]
    page = settled(opened("manager", f"orders/{made[1]['id']}"))
    page.get_by_role("button", name="Merge into another").click()
    page.get_by_label("The order that stays").select_option(made[0]["id"])
    page.get_by_role("dialog").get_by_role("button", name="Merge into another").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("From the shop")
    expect(page.get_by_role("region", name="Merged into it")).to_contain_text("From the bank")
    page.get_by_role("button", name="Split off").click()
    page.get_by_role("dialog").get_by_role("button", name="Split off").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("From the bank")
    with shop.api() as api:
        assert [api.get(f"/v1/orders/{one['id']}").json()["id"] for one in made] == [one["id"] for one in made]
