"""What the tests of Shopify share: its bodies, and an order out of one."""

from tests import samples
from tests.reading import OrderView, Source

SHOPIFY = Source("shopify")


def said(kind: str, document: object, **headers: str) -> OrderView:
    return SHOPIFY.order(document, x_shopify_topic=kind, **headers)


def sample(name: str) -> OrderView:
    return SHOPIFY.order(samples.sample("shopify", name).delivery)


def order(**fields: object) -> dict:
    return {
        "id": 1,
        "name": "#1001",
        "financial_status": "paid",
        "created_at": "2026-11-20T10:00:00-03:00",
        "updated_at": "2026-11-20T10:00:01-03:00",
        "currency": "BRL",
        "total_price": "100.00",
        **fields,
    }


def transaction(amount: object, status: str = "success", currency: str | None = "BRL", kind: str = "refund") -> dict:
    return {"id": 9, "kind": kind, "status": status, "amount": amount, "currency": currency}


def refund(*transactions: dict, **fields: object) -> dict:
    return {"id": 7, "order_id": 1, "created_at": "2026-11-21T10:00:00-03:00", "transactions": transactions, **fields}


def money_set(shop: str, buyer: str, currency: str) -> dict:
    return {
        "shop_money": {"amount": shop, "currency_code": "BRL"},
        "presentment_money": {"amount": buyer, "currency_code": currency},
    }
