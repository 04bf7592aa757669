"""Signing in and out: a cookie that no script reads, for as long as the token counts, and each role's own menu."""

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Opened, Shop, Watch, sign_in

MENUS = {
    "admin": ["Overview", "Deliveries", "Sources", "Contacts", "Orders", "Subscriptions", "Settings"],
    "manager": ["Overview", "Deliveries", "Contacts", "Orders", "Subscriptions"],
    "rep": ["Contacts", "Orders"],
    "integrator": ["Overview", "Deliveries", "Sources", "Subscriptions"],
    "ops": ["Overview", "Deliveries", "Subscriptions"],
}


@pytest.mark.parametrize("role", MENUS)
def test_every_role_sees_only_what_it_may(role: str, opened: Opened) -> None:
    page = opened(role)
    expect(page.locator("#menu a")).to_have_text(MENUS[role])
    first = "Contacts" if role == "rep" else "Overview"
    expect(page.get_by_role("heading", level=1)).to_have_text(first)


def test_what_is_not_for_the_role_says_so(opened: Opened, shop: Shop) -> None:
    page = opened("rep")
    page.goto(f"{shop.address}/console/deliveries")
    expect(page.get_by_role("heading", name="This is not for your role")).to_be_visible()
    page.goto(f"{shop.address}/console/nowhere")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_a_wrong_token_is_refused_in_words(opened: Opened, watch: Watch) -> None:
    watch.expected.append("/v1/session")
    page = opened(None)
    page.get_by_label("Token").fill("ort_not-a-token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown or revoked")
    assert page.context.cookies() == []


def test_the_session_is_in_a_cookie_that_no_script_reads(opened: Opened, shop: Shop) -> None:
    shop.signed_in.clear()
    page = opened("ops")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert shop.scene.tokens["ops"] not in cookie["value"]
    kept = page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])")
    assert "ort_" not in kept and cookie["value"] not in kept
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_signing_out_ends_it(opened: Opened) -> None:
    page = opened("ops")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.context.cookies() == []
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_revoked_token_ends_its_session(opened: Opened, shop: Shop, watch: Watch) -> None:
    watch.expected.append("/v1/")
    with shop.api() as api:
        made = api.post("/v1/tokens", json={"role": "ops", "name": "for a moment"}).json()
        page = opened(None, "deliveries")
        sign_in(page, made["token"])
        expect(page.get_by_role("heading", level=1)).to_have_text("Deliveries")
        assert api.delete(f"/v1/tokens/{made['id']}").status_code == 204
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_label("Token")).to_be_visible()


def test_language_and_theme_are_chosen_and_remembered(opened: Opened) -> None:
    page = opened("admin", "orders", color_scheme="light")
    page.get_by_label("Language").select_option("pt-BR")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pedidos")
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_label("Tema").select_option("dark")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pedidos")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != light
    expect(page.locator("tbody tr").first).to_contain_text("R$")


def test_the_keyboard_reaches_everything(opened: Opened) -> None:
    page = opened("admin", "orders")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Title or external id")).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    page.reload()
    expect(page.locator("tbody tr").first).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for name in ("Import orders", "New order"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name)).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_on_a_phone_nothing_is_wider_than_the_screen(opened: Opened, shop: Shop) -> None:
    page = opened("admin", "orders", viewport={"width": 360, "height": 740})
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Deliveries").click()
    ids = shop.scene
    for path in (
        "",
        "deliveries",
        f"deliveries/{ids.deliveries['mischief']}",
        "sources",
        f"sources/{ids.sources['standard']}",
        "sources/new",
        "contacts",
        "contacts/41",
        "orders",
        "orders/new",
        "orders/import",
        "subscriptions",
        "subscriptions/new",
        "settings",
    ):
        page.goto(f"{shop.address}/console/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
