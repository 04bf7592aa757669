"""Many sources: alerts that are folded, lists that are paged; and what is asked before the registry is turned off."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Opened, Shop
from tests.console.test_amounts import speaking

MANY = 210  # more than a page of any list


@pytest.fixture(scope="module", autouse=True)
def many(shop: Shop) -> None:
    with shop.api() as api:
        for number in range(MANY):
            made = api.post("/v1/sources", json={"adapter": "standard", "name": f"Shop {number:03}"})
            assert made.status_code == 201, made.text


@pytest.mark.parametrize(
    ("language", "folded", "worst", "which", "all_of_them"),
    [
        ("en", "sources have never received anything", "Outlet", "Which sources", "Show all"),
        ("pt-BR", "fontes nunca receberam nada", "Outlet", "Quais fontes", "Mostrar todas"),
    ],
)
def test_alerts_are_sorted_and_folded(
    opened: Opened, language: str, folded: str, worst: str, which: str, all_of_them: str
) -> None:
    page = speaking(opened("integrator"), language)
    alerts = page.locator(".alerts > li")
    expect(alerts.first).to_contain_text(worst)
    expect(alerts.first).to_have_class(re.compile("bad"))
    never = alerts.filter(has_text=folded)
    expect(never).to_have_count(1)
    expect(never).to_contain_text(str(MANY + 2))
    never.get_by_text(which).click()
    expect(never.get_by_role("link", name=f"Shop {MANY - 1}")).to_be_visible()
    rows = page.locator("tr[data-key^=src_]")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name=all_of_them).click()
    expect(rows).to_have_count(MANY + 6)


def test_every_source_can_be_chosen_and_is_on_a_page(opened: Opened) -> None:
    last = f"Shop {MANY - 1}"
    for path in ("deliveries", "orders"):
        page = opened("admin", path)
        expect(page.get_by_label("Source", exact=True).locator("option", has_text=last)).to_be_attached()
    page = opened("integrator", "sources")
    for _ in range(2):
        expect(page.get_by_role("link", name=last)).to_have_count(0)
        page.get_by_role("button", name="Older").click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=last)).to_be_visible()


@pytest.mark.parametrize(
    ("language", "save", "title", "cancel"),
    [("en", "Save", "Turn the registry off", "Cancel"), ("pt-BR", "Salvar", "Desligar o registro", "Cancelar")],
)
def test_turning_the_registry_off_asks_and_says_what_shops_are_told(
    opened: Opened, shop: Shop, language: str, save: str, title: str, cancel: str
) -> None:
    page = speaking(opened("admin", "settings"), language)

    def enabled() -> bool:
        with shop.api() as api:
            return bool(api.get("/v1/account").json()["orders_enabled"])

    page.locator("input[name=orders_enabled]").uncheck()
    page.get_by_role("button", name=save).first.click()
    asks = page.get_by_role("dialog", name=title)
    expect(asks).to_contain_text("403")
    asks.get_by_role("button", name=cancel).click()
    assert enabled()
    page.get_by_role("button", name=save).first.click()
    asks.get_by_role("button", name=title).click()
    expect(page.locator(".notice.warn").first).to_be_visible()
    assert not enabled()
    page.locator("input[name=orders_enabled]").check()
    page.get_by_role("button", name=save).first.click()
    expect(page.locator(".page > .notice.warn")).to_have_count(0)
    assert enabled()
