"""axe-core finds no serious fault on any page, in either theme, nor in a dialog."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console import axe
from tests.console.conftest import Opened, Shop
from tests.console.test_log import settled

GRAVE = {"serious", "critical"}
PAGES = {
    "overview": "",
    "deliveries": "deliveries",
    "nothing matches": "deliveries?q=no+such+words",
    "delivery": "deliveries/{updated}",
    "new order's delivery": "deliveries/{mischief}",
    "sources": "sources",
    "source": "sources/{standard}",
    "platforms": "sources/new",
    "add": "sources/new?adapter=mercadopago",
    "contacts": "contacts",
    "contact": "contacts/41",
    "orders": "orders",
    "new order": "orders/new",
    "import": "orders/import",
    "subscriptions": "subscriptions",
    "new subscription": "subscriptions/new",
    "settings": "settings",
    "nowhere": "nowhere",
}


def faults(page: Page) -> list[str]:
    """What axe-core calls serious or critical: rule, and where."""
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    # As text evaluated from outside: the page's own policy lets no foreign script in.
    page.evaluate(axe.FILE.read_text())
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((told) => told.violations)")
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page(theme: str, opened: Opened, shop: Shop) -> None:
    page = opened("admin", color_scheme=theme)
    ids = {**shop.scene.deliveries, **shop.scene.sources}
    found = {}
    for name, path in PAGES.items():
        page.goto(f"{shop.address}/console/{path.format(**ids)}")
        found[name] = faults(settled(page))
    assert not any(found.values()), "\n".join(f"{name}: {one}" for name, ones in found.items() for one in ones)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_signing_in_and_dialogs_and_a_phone(theme: str, opened: Opened, shop: Shop) -> None:
    page = opened(None, color_scheme=theme, viewport={"width": 390, "height": 844})
    expect(page.get_by_label("Token")).to_be_visible()
    assert faults(page) == []
    page = opened(
        "admin", f"sources/{shop.scene.sources['standard']}", color_scheme=theme, viewport={"width": 390, "height": 844}
    )
    settled(page).get_by_role("button", name="Rotate the secret…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").click()
    assert faults(page) == []
    page.goto(f"{shop.address}/console/orders")
    assert faults(settled(page)) == []
