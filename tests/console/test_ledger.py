"""An order's page: its payments and refunds, each with its state, in both languages."""

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Opened, Shop
from tests.house import order_event


@pytest.mark.parametrize(
    ("locale", "title", "payment", "refund", "note"),
    [
        ("en-GB", "Payments and refunds", "payment p-1 taken", "refund r-1 failed", "More was given back than the order is worth"),
        ("pt-BR", "Pagamentos e reembolsos", "pagamento p-1 recebido", "reembolso r-1 falhou", "Foi reembolsado mais do que o pedido vale"),
    ],
)  # fmt: skip
def test_an_order_shows_what_was_paid_and_given_back(
    opened: Opened, shop: Shop, locale: str, title: str, payment: str, refund: str, note: str
) -> None:
    delivery = order_event(
        f"LEDGER-{locale}",
        payments=[{"id": "p-1", "value": "398.00", "at": "2026-11-20T13:00:00Z"}],
        refunds=[
            {"id": "r-1", "value": "40.00", "state": "failed"},
            {"id": "c-1", "value": "400.00", "kind": "chargeback"},
        ],
    )
    path = f"/webhooks/{shop.scene.sources['standard']}"
    with shop.api() as api:
        said = api.post(path, content=delivery.body, headers=dict(delivery.headers)).json()
    page = opened("admin", f"orders/{said['orders'][0]}")
    page.get_by_label("Language").or_(page.get_by_label("Idioma")).select_option(locale.replace("en-GB", "en"))
    ledger = page.get_by_role("region", name=title)
    rows = ledger.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("398")
    for place, words in ((0, payment), (1, refund)):
        for word in words.split():
            expect(rows.nth(place)).to_contain_text(word)
    expect(page.get_by_role("main")).to_contain_text(note)
