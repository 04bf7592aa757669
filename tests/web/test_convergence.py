"""Any order of arrival, with repetitions, gives the same order and the same history: through the door, on both engines."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, strategies
from hypothesis import settings as examples

from adapters.contract import Delivery
from app.base.settings import Settings
from tests.house import House, order_event, signed

EXAMPLES = 25


def shopify(kind: str, number: int, body: dict[str, Any]) -> Delivery:
    headers = {
        "x-shopify-topic": kind,
        "x-shopify-webhook-id": f"w-{number}",
        "x-shopify-triggered-at": "2026-11-20T15:00:00Z",
    }
    return signed("shopify", json.dumps({"id": 5000000001, **body}).encode(), headers)


def shopify_order(status: str, at: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "#1001", "currency": "BRL", "total_price": "398.00", "financial_status": status,
        "created_at": "2026-11-20T13:00:00Z", "updated_at": at, "email": "ana@example.com", "refunds": [],
        "customer": {"id": 7, "first_name": "Ana", "email": "ana@example.com", "phone": "+5511987654321"}, **more,
    }  # fmt: skip


REFUND = {"id": 9, "order_id": 5000000001, "created_at": "2026-11-20T14:00:00Z",
          "transactions": [{"kind": "refund", "status": "success", "amount": "98.00", "currency": "BRL"}]}  # fmt: skip


def stripe(number: int, kind: str, at: int, **thing: Any) -> Delivery:
    said = {
        "id": f"evt_{number}",
        "object": "event",
        "type": kind,
        "created": at,
        "livemode": True,
        "data": {"object": thing},
    }
    return signed("stripe", json.dumps(said).encode())


CHARGE = {"object": "charge", "id": "ch_1", "payment_intent": "pi_1", "amount": 2500, "amount_captured": 2500, "amount_refunded": 0,
          "captured": True, "paid": True, "refunded": False, "status": "succeeded", "currency": "brl", "created": 1795366800,
          "billing_details": {"email": "ana@example.com", "name": "Ana"}}  # fmt: skip
INTENT = {"object": "payment_intent", "id": "pi_1", "amount": 2500, "amount_received": 2500, "currency": "brl",
          "status": "succeeded", "created": 1795366790, "receipt_email": "ana@example.com"}  # fmt: skip
SESSION = {"object": "checkout.session", "id": "cs_1", "payment_intent": "pi_1", "mode": "payment", "status": "complete",
           "payment_status": "paid", "amount_total": 2500, "currency": "brl", "created": 1795366780, "customer": "cus_1",
           "customer_details": {"email": "ana@example.com", "name": "Ana Souza"}}  # fmt: skip


def of_shopify() -> list[Delivery]:
    return [
        shopify("orders/create", 1, shopify_order("pending", "2026-11-20T13:00:00Z")),
        shopify("orders/paid", 2, shopify_order("paid", "2026-11-20T13:00:05Z")),
        shopify("orders/updated", 3, shopify_order("paid", "2026-11-20T13:00:06Z", total_price="408.00")),
        shopify("refunds/create", 4, REFUND),
        shopify("orders/updated", 5, shopify_order("partially_refunded", "2026-11-20T14:00:01Z", refunds=[REFUND])),
        shopify("orders/delete", 6, {}),
    ]


def of_stripe() -> list[Delivery]:
    return [
        stripe(1, "payment_intent.succeeded", 1795366801, **INTENT),
        stripe(2, "charge.succeeded", 1795366800, **CHARGE),
        stripe(3, "checkout.session.completed", 1795366802, **SESSION),
        stripe(4, "charge.refunded", 1795366900, **{**CHARGE, "amount_refunded": 500}),
        stripe(5, "charge.refunded", 1795367000, **{**CHARGE, "amount_refunded": 2500, "refunded": True}),
    ]


def of_standard() -> list[Delivery]:
    return [
        order_event(at="2026-11-20T13:00:00Z", status="pending", delivery_id="m1", title="first"),
        order_event(at="2026-11-20T13:00:00Z", status="paid", delivery_id="m2", title="second"),
        order_event(at="2026-11-20T13:00:01Z", status=None, delivery_id="m3", title=None, value="400.00"),
        order_event(at="2026-11-20T13:00:02Z", status="canceled", delivery_id="m4", title=None),
        order_event(at="2026-11-20T13:00:03Z", status="canceled", delivery_id="m5", title="a second later"),
    ]


SALES = {"shopify": of_shopify, "stripe": of_stripe, "standard": of_standard}
OWN = {"id", "contact_id", "source_id", "created_at", "updated_at"}


async def told(house: House, adapter: str, deliveries: list[Delivery]) -> tuple[Any, Any]:
    """The order and its history after these deliveries, without what each example has of its own."""
    source = await house.source(adapter)
    for one in deliveries:
        answer = await house.deliver(source, one)
        assert answer.status_code == 200, answer.text
    (order,) = await house.data(f"/v1/orders?source_id={source}")
    history = await house.data(f"/v1/orders/{order['id']}/history")
    entries = [{"at": entry["at"], "said": entry["said"]} for entry in history]
    shown = json.dumps(entries).replace(source, "SOURCE")
    return {name: value for name, value in order.items() if name not in OWN}, json.loads(shown)


@pytest.mark.parametrize("adapter", SALES)
def test_any_order_of_arrival_gives_the_same(settings: Settings, adapter: str) -> None:
    with asyncio.Runner() as runner:
        house = House(settings)
        runner.run(house.__aenter__())
        try:
            deliveries = SALES[adapter]()
            wanted = runner.run(told(house, adapter, deliveries))
            arrivals = strategies.permutations(range(len(deliveries))).flatmap(
                lambda order: strategies.lists(strategies.sampled_from(order), max_size=4).map(
                    lambda again: [*order, *again]
                )
            )

            @examples(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
            @given(arrivals)
            def converges(order: list[int]) -> None:
                assert runner.run(told(house, adapter, [deliveries[at] for at in order])) == wanted

            converges()
        finally:
            runner.run(house.__aexit__(None, None, None))
