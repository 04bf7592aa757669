"""The overview and the log: what came, what became of it, what it changed, and what is pressed."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Opened, Shop, Watch
from tests.console.scene import MISCHIEF
from tests.console.test_amounts import speaking
from tests.house import WHSEC, order_event, signed


def settled(page: Page) -> Page:
    """The page, once what it waits for is there."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    return page


def rows(page: Page) -> list[str]:
    """The keys of the list's rows, in their order."""
    found: list[str] = page.locator(".list tbody tr").evaluate_all("rows => rows.map(row => row.dataset.key)")
    return found


def test_the_overview_tells_what_came_and_what_is_wrong(opened: Opened, shop: Shop) -> None:
    page = settled(opened("ops"))
    wrong = page.locator(".alerts")
    expect(wrong.get_by_role("listitem").filter(has_text="Outlet")).to_be_visible()
    expect(wrong.get_by_role("listitem").filter(has_text="Nuvemshop")).to_be_visible()
    expect(page.locator(".figure-card")).to_have_count(5)
    fast = page.locator(".figure-card", has_text="Answered in")
    expect(fast).to_contain_text(re.compile(r"\d.*ms"))
    expect(fast).to_contain_text(re.compile(r"99.*\d.*ms"))
    expect(page.locator("svg.chart rect.fill").first).to_be_attached()
    expect(page.get_by_role("region", name="Sources").locator("tbody tr")).to_have_count(len(shop.scene.sources))
    expect(page.get_by_role("region", name="Refused, by reason")).to_contain_text("does not match the secret")
    expect(page.get_by_role("region", name="Unknown status words")).to_contain_text("half_paid")
    never = page.get_by_role("region", name="Sources").locator("tr", has_text="Nuvemshop")
    expect(never).to_contain_text("never")
    expect(never.locator("td").last).to_have_text("–")
    page.get_by_role("button", name="7 days").click()
    expect(page).to_have_url(re.compile(r"range=7d"))
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="30 days").click()
    settled(page).get_by_text("As a table").click()
    expect(page.locator(".as-table tbody tr").first).to_be_visible()


def test_each_filter_narrows_the_log_and_stands_in_the_address(opened: Opened, shop: Shop) -> None:
    page = settled(opened("ops", "deliveries"))
    for label, value, words in (
        ("Source", "Store counter", "source_id="),
        ("Outcome", "unreadable", "outcome=unreadable"),
        ("Period", "24 hours", "since=24h"),
    ):
        page.get_by_label(label, exact=True).select_option(label=value)
        expect(page).to_have_url(re.compile(words))
        settled(page)
    assert rows(page) == [shop.scene.deliveries["unreadable"]]
    expect(page.locator(".list tbody")).to_contain_text("data.value")
    shared = page.url
    page.goto(shared)
    assert rows(settled(page)) == [shop.scene.deliveries["unreadable"]]
    expect(page.get_by_label("Outcome", exact=True)).to_have_value("unreadable")
    page.get_by_label("Reason or external id").fill("no such words")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.locator(".list tbody tr")).to_have_count(50)
    expect(page).to_have_url(f"{shop.address}/console/deliveries")


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("Kind", "orders/create", "kind="),
        ("External id", "5000009001", "external_id="),
        ("Contact", "41", "contact=41"),
        ("Before", "2026-01-01", "until="),
    ],
)
def test_filters_that_are_written(label: str, value: str, words: str, opened: Opened) -> None:
    page = settled(opened("ops", "deliveries"))
    page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Reason or external id").focus()
    expect(page).to_have_url(re.compile(words))
    settled(page)
    expect(
        page.locator(".list tbody tr").first.or_(page.get_by_role("heading", name="Nothing matches"))
    ).to_be_visible()


def test_page_after_page_and_back(opened: Opened) -> None:
    page = settled(opened("ops", "deliveries"))
    first = rows(page)
    page.get_by_role("button", name="Older").click()
    expect(page).to_have_url(re.compile("cursor="))
    expect(page.locator(f'tr[data-key="{first[0]}"]')).to_have_count(0)
    second = rows(settled(page))
    assert len(first) == len(second) == 50 and not set(first) & set(second)
    page.get_by_role("button", name="First page").click()
    expect(page.locator(f'tr[data-key="{first[0]}"]')).to_be_visible()
    page.go_back()
    expect(page.locator(f'tr[data-key="{second[0]}"]')).to_be_visible()


def test_an_empty_log_is_not_an_empty_filter(opened: Opened, shop: Shop) -> None:
    page = settled(opened("nobody yet", "deliveries"))
    expect(page.get_by_role("heading", name="Nothing yet")).to_be_visible()
    for path in ("", "sources", "orders", "contacts"):
        page.goto(f"{shop.address}/console/{path}")
        expect(page.get_by_role("heading", name="Nothing yet")).to_be_visible()


def test_the_log_grows_while_one_looks(opened: Opened, shop: Shop) -> None:
    page = settled(opened("ops", "deliveries"))
    with page.expect_response(lambda answer: "/deliveries/tail" in answer.url) as following:
        page.get_by_role("button", name="Live").click()
    assert following.value.status == 200
    delivery = order_event("LIVE-1", delivery_id="live-1")
    with shop.api() as api:
        path = f"/webhooks/{shop.scene.sources['standard']}"
        said = api.post(path, content=delivery.body, headers=dict(delivery.headers)).json()
    row = page.locator(".list tbody tr").first
    expect(row).to_have_attribute("data-key", said["delivery_id"])
    expect(row).to_contain_text("LIVE-1")
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")


def test_what_came_too_fast_is_said(opened: Opened) -> None:
    page = settled(opened("ops", "deliveries"))
    told = "".join(f'event: missed\ndata: {{"count": {count}}}\n\n' for count in (1200, 34))
    page.route("**/deliveries/tail", lambda route: route.fulfill(body=told, content_type="text/event-stream"))
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("status").filter(has_text="1,234 more deliveries")).to_be_visible()
    page.unroute("**/deliveries/tail")
    page.route(
        "**/deliveries/tail",
        lambda route: route.fulfill(body='event: missed\ndata: {"count": null}\n\n', content_type="text/event-stream"),
    )
    expect(page.get_by_text("More deliveries came than can be shown live")).to_be_visible()
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_text("than can be shown live")).to_have_count(1)
    expect(page.get_by_text("than can be shown live")).to_be_hidden()


def test_a_delivery_shows_what_it_changed_field_by_field(opened: Opened, shop: Shop, tmp_path: Path) -> None:
    id_ = shop.scene.deliveries["updated"]
    page = settled(opened("admin", f"deliveries/{id_}"))
    changed = page.get_by_role("region", name="What it changed")
    expect(changed.locator("tr", has_text="status").first).to_contain_text("pending")
    expect(changed.locator("tr", has_text="status").first).to_contain_text("paid")
    expect(page.get_by_text("proves sender and body")).to_be_visible()
    expect(page.get_by_role("region", name="Headers")).to_contain_text("x-shopify-hmac-sha256")
    command = page.locator(".copied", has_text="curl -X POST").inner_text()
    assert shop.scene.sources["shopify"] in command and "made-up-secret" not in command
    body = page.get_by_role("region", name="Body")
    expect(body).to_contain_text('"financial_status": "paid"')
    with page.expect_download() as coming:
        page.get_by_role("link", name="Exact bytes").click()
    coming.value.save_as(tmp_path / "body")
    with shop.api() as api:
        assert (tmp_path / "body").read_bytes() == api.get(f"/v1/deliveries/{id_}/body").content


def test_retry_and_try_with_todays_adapter(opened: Opened, shop: Shop) -> None:
    page = settled(opened("admin", f"deliveries/{shop.scene.deliveries['updated']}"))
    page.get_by_role("button", name="Try with today's adapter").click()
    tried = page.locator(".tried")
    expect(tried).to_contain_text("#9001")
    expect(tried).to_contain_text("right")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".toast")).to_contain_text("Taken up again")
    expect(page.locator(".facts")).to_contain_text(re.compile(r"Attempts\s*2"))


def test_the_body_is_not_for_ops(opened: Opened, shop: Shop) -> None:
    page = settled(opened("ops", f"deliveries/{shop.scene.deliveries['updated']}"))
    expect(page.get_by_role("heading", name="The body is not for your role")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Changed:")
    expect(page.locator("main")).not_to_contain_text("Running shoes")
    expect(page.locator("main")).not_to_contain_text("example.com")
    expect(page.get_by_role("button", name="Try with today's adapter")).to_have_count(0)


def test_a_strangers_markup_stays_text(opened: Opened, shop: Shop) -> None:
    page = settled(opened("admin", f"deliveries/{shop.scene.deliveries['mischief']}"))
    expect(page.locator("main").get_by_text(MISCHIEF).first).to_be_visible()
    page.locator("main h3 a").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(MISCHIEF)
    page.get_by_role("link", name="Show", exact=True).first.click()
    settled(page)
    for path in ("orders?q=script", "contacts?word=eve@example.com", f"deliveries?external_id={'X-<script>'}"):
        page.goto(f"{shop.address}/console/{path}")
        settled(page)
    assert "taken" not in page.title()
    assert page.locator("main script, main img").count() == 0


def test_everything_that_a_filter_matches_is_retried(opened: Opened) -> None:
    page = settled(opened("ops", "deliveries?outcome=unreadable"))
    page.get_by_role("button", name="Retry all…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("One delivery matches")
    dialog.get_by_role("button", name="Retry one delivery").click()
    expect(dialog.get_by_role("status").first).to_contain_text("Done: 1 of 1")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_form_is_shown_field_by_field_and_numbers_keep_their_digits(opened: Opened, shop: Shop) -> None:
    raw = b'{"type":"order.updated","timestamp":"2026-11-20T13:00:00Z","data":{"id":"BIG-1","title":"Much","value":"12345678901.10","currency":"BRL","extra":12345678901234567890.12}}'
    delivery = signed("standard", raw, {"webhook-id": "big-1"}, secret=WHSEC)
    with shop.api() as api:
        path = f"/webhooks/{shop.scene.sources['standard']}"
        said = api.post(path, content=raw, headers=dict(delivery.headers)).json()
    page = settled(opened("integrator", f"deliveries/{said['delivery_id']}"))
    expect(page.get_by_role("region", name="Body")).to_contain_text("12345678901234567890.12")


def test_the_log_grows_within_every_filter(opened: Opened, shop: Shop) -> None:
    page = settled(opened("ops", "deliveries?since=24h&kind=order.updated"))
    with page.expect_response(lambda answer: "/deliveries/tail" in answer.url) as following:
        page.get_by_role("button", name="Live").click()
    assert following.value.status == 200 and "since" not in following.value.url
    # The stream does not know contacts; the list does, and is asked.
    other = settled(opened("ops", "deliveries?contact=41"))
    with other.expect_response(lambda answer: "newer_than=" in answer.url):
        other.get_by_role("button", name="Live").click()
    mine = order_event("LIVE-3", delivery_id="live-3", contact={"email": "ana.souza@example.com"})
    strangers = order_event("LIVE-4", delivery_id="live-4", contact={"email": "carla.mendes@example.com"})
    path = f"/webhooks/{shop.scene.sources['standard']}"
    with shop.api() as api:
        ids = [
            api.post(path, content=one.body, headers=dict(one.headers)).json()["delivery_id"]
            for one in (strangers, mine)
        ]
    expect(page.locator(".list tbody tr").first).to_have_attribute("data-key", ids[1])
    expect(other.locator(".list tbody tr").first).to_have_attribute("data-key", ids[1], timeout=15_000)
    expect(other.locator(f'tr[data-key="{ids[0]}"]')).to_have_count(0)


def test_where_nothing_streams_the_log_is_asked_for(opened: Opened, shop: Shop, watch: Watch) -> None:
    watch.expected.append("/v1/deliveries/tail")
    page = settled(opened("ops", "deliveries"))
    page.route("**/v1/deliveries/tail*", lambda route: route.fulfill(status=502, body="no streams through here"))
    with page.expect_response(lambda answer: "limit=1" in answer.url):
        page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")
    delivery = order_event("LIVE-2", delivery_id="live-2")
    with shop.api() as api:
        path = f"/webhooks/{shop.scene.sources['standard']}"
        said = api.post(path, content=delivery.body, headers=dict(delivery.headers)).json()
    expect(page.locator(".list tbody tr").first).to_have_attribute("data-key", said["delivery_id"], timeout=15_000)


@pytest.mark.parametrize(
    ("language", "in_the_log", "on_it"),
    [("en", "came again 2 times", "Came again"), ("pt-BR", "veio de novo 2 vezes", "Veio de novo")],
)
def test_a_delivery_shows_how_often_it_came_again(
    opened: Opened, shop: Shop, language: str, in_the_log: str, on_it: str
) -> None:
    delivery = order_event(f"AGAIN-{language}", delivery_id=f"again-{language}")
    path = f"/webhooks/{shop.scene.sources['standard']}"
    with shop.api() as api:
        said = [api.post(path, content=delivery.body, headers=dict(delivery.headers)).json() for _ in range(3)]
    assert [one["outcome"] for one in said] == ["created", "duplicate", "duplicate"]
    page = speaking(settled(opened("ops", f"deliveries?external_id=AGAIN-{language}")), language)
    expect(page.locator(".list tbody tr")).to_contain_text(in_the_log)
    page.goto(f"{shop.address}/console/deliveries/{said[0]['delivery_id']}")
    fact = page.locator(".side-facts .facts > div", has_text=on_it)
    expect(fact).to_contain_text("2")
    expect(fact.locator("time")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "contact", "nobody"), [("en", "Contact", "nobody is known"), ("pt-BR", "Contato", "nobody is known")]
)
def test_ops_find_deliveries_by_an_identity_typed_in_full(
    opened: Opened, shop: Shop, watch: Watch, language: str, contact: str, nobody: str
) -> None:
    watch.expected.append("/v1/deliveries")
    page = speaking(settled(opened("ops", "deliveries?since=30d")), language)
    page.get_by_label(contact, exact=True).fill("gil.teles@example.com")  # on hold: no contact has it
    page.keyboard.press("Enter")
    expect(page.locator(".list tbody tr")).to_have_count(1)
    assert rows(page) == [shop.scene.deliveries["held"]]
    page.get_by_label(contact, exact=True).fill("nobody@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(nobody)


@pytest.mark.parametrize(("language", "contact"), [("en", "Contact"), ("pt-BR", "Contato")])
def test_managers_find_what_is_on_hold_by_a_name(opened: Opened, shop: Shop, language: str, contact: str) -> None:
    page = speaking(settled(opened("manager", "deliveries?since=30d")), language)
    page.get_by_label(contact, exact=True).fill("gil teles")
    page.keyboard.press("Enter")
    expect(page.locator(".list tbody tr")).to_have_count(1)
    assert rows(page) == [shop.scene.deliveries["held"]]
