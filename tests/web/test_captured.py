"""What whoever has seen one signed delivery can do with it: send its bytes again, under any header, at any time."""

import json
from typing import Any

import pytest

from adapters.contract import Delivery
from tests.house import SECRET, House, signed
from tests.reading import arrived

pytestmark = pytest.mark.anyio

SHOPIFY: dict[str, Any] = {
    "id": 5001,
    "name": "#1001",
    "total_price": "100.00",
    "currency": "BRL",
    "financial_status": "paid",
    "created_at": "2026-11-20T10:00:00-03:00",
    "updated_at": "2026-11-20T10:00:01-03:00",
    "cancelled_at": None,
    "test": False,
    "email": "ana@example.com",
    "customer": {"id": 7, "email": "ana@example.com"},
}
WOO: dict[str, Any] = {
    "id": 727,
    "number": "727",
    "status": "processing",
    "currency": "BRL",
    "total": "100.00",
    "date_created_gmt": "2026-11-20T13:00:00",
    "date_modified_gmt": "2026-11-20T13:00:01",
    "date_paid_gmt": "2026-11-20T13:00:01",
    "billing": {"email": "ana@example.com"},
}
SALEOR: dict[str, Any] = {
    "issuedAt": "2026-11-20T13:00:01Z",
    "order": {
        "id": "T3",
        "number": "9",
        "total": {"gross": {"amount": 100, "currency": "BRL"}},
        "userEmail": "a@example.com",
    },
}
LATE = "2150-01-01T00:00:00Z"


def captured(adapter: str, body: dict[str, Any]) -> Delivery:
    return signed(adapter, json.dumps(body).encode())


async def order_of(house: House) -> Any:
    (order,) = await house.data("/v1/orders")
    return await house.get(f"/v1/orders/{order['id']}")


async def sums(house: House) -> list[tuple[str, str]]:
    (row,) = await house.data("/v1/reports/orders?group_by=currency")
    return [(one["currency"], one["gross"]) for one in row["currencies"]]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-shopify-topic": "orders/updated", "x-shopify-test": "true"},
        {"x-shopify-topic": "orders/create", "x-shopify-test": "true", "x-shopify-triggered-at": LATE},
        {"x-shopify-topic": "orders/delete", "x-shopify-triggered-at": LATE},
        {"x-shopify-topic": "orders/cancelled", "x-shopify-triggered-at": LATE},
        {"x-shopify-topic": "refunds/create"},
        {"x-shopify-topic": "disputes/update"},
        {"x-shopify-topic": "shop/redact"},
        {"x-shopify-topic": "customers/redact"},
        {"x-shopify-topic": "customers/data_request"},
    ],
    ids=lambda headers: headers["x-shopify-topic"],
)
async def test_shopifys_headers_take_nothing_from_an_order(house: House, headers: dict[str, str]) -> None:
    source, delivery = await house.source("shopify"), captured("shopify", SHOPIFY)
    first = delivery.changed(headers={"x-shopify-topic": "orders/updated", "x-shopify-webhook-id": "1"})
    assert (await house.deliver(source, first)).json()["outcome"] == "created"
    before, counted = await order_of(house), await sums(house)
    assert counted == [("BRL", "100.00")]
    answered = await house.deliver(source, delivery.changed(headers={**headers, "x-shopify-webhook-id": "2"}))
    assert answered.status_code == 200
    for name in ("status", "value", "paid_value", "refunded_value", "test", "contact_id", "refunds", "notes"):
        assert (await order_of(house))[name] == before[name], name
    assert await sums(house) == counted
    assert await house.data("/v1/privacy/requests") == []


async def test_a_body_without_its_own_word_does_not_cancel_what_it_once_described(house: House) -> None:
    """A subscription may trim the body, so that only the topic says what happened: the first that comes counts."""
    trimmed = {name: SHOPIFY[name] for name in ("id", "total_price", "currency", "updated_at")}
    source, delivery = await house.source("shopify"), captured("shopify", trimmed)
    for number, topic in enumerate(("orders/updated", "orders/cancelled")):
        headers = {"x-shopify-topic": topic, "x-shopify-webhook-id": str(number)}
        assert (await house.deliver(source, delivery.changed(headers=headers))).status_code == 200
    order = await order_of(house)
    assert (order["status"], order["notes"]) == ("pending", ["unsigned_kind"])
    listed = await house.data("/v1/deliveries")
    assert [row["notes"] for row in listed] == [["unsigned_kind"], []]
    # Where it is told first that it was cancelled, it is.
    other = captured("shopify", trimmed | {"id": 5002})
    await house.deliver(
        source, other.changed(headers={"x-shopify-topic": "orders/cancelled", "x-shopify-webhook-id": "9"})
    )
    assert [row["status"] for row in await house.data("/v1/orders?status=canceled")] == ["canceled"]


async def test_the_same_bytes_under_another_topic_still_tell_when_it_was_paid(house: House) -> None:
    source, delivery = await house.source("shopify"), captured("shopify", SHOPIFY)
    for number, topic in enumerate(("orders/updated", "orders/paid")):
        headers = {"x-shopify-topic": topic, "x-shopify-webhook-id": str(number)}
        assert (await house.deliver(source, delivery.changed(headers=headers))).json()["outcome"] != "duplicate"
    assert (await order_of(house))["paid_at"] == "2026-11-20T13:00:01Z"


async def test_what_really_cancels_and_deletes_still_does(house: House) -> None:
    source = await house.source("shopify")
    told = {"x-shopify-topic": "orders/updated", "x-shopify-webhook-id": "1"}
    pending = SHOPIFY | {"financial_status": "pending"}
    await house.deliver(source, captured("shopify", pending).changed(headers=told))
    ended = pending | {"cancelled_at": "2026-11-21T10:00:00-03:00", "updated_at": "2026-11-21T10:00:00-03:00"}
    told = {"x-shopify-topic": "orders/cancelled", "x-shopify-webhook-id": "2"}
    await house.deliver(source, captured("shopify", ended).changed(headers=told))
    assert (await order_of(house))["status"] == "canceled"
    other = pending | {"id": 5002}
    told = {"x-shopify-topic": "orders/create", "x-shopify-webhook-id": "3"}
    await house.deliver(source, captured("shopify", other).changed(headers=told))
    told = {"x-shopify-topic": "orders/delete", "x-shopify-webhook-id": "4", "x-shopify-triggered-at": LATE}
    await house.deliver(source, captured("shopify", {"id": 5002}).changed(headers=told))
    assert len(await house.data("/v1/orders?status=canceled")) == 2
    privacy = {"shop_id": 1, "shop_domain": "a.myshopify.com"}
    told = {"x-shopify-topic": "shop/redact", "x-shopify-webhook-id": "5"}
    await house.deliver(source, captured("shopify", privacy).changed(headers=told))
    person = privacy | {"customer": {"id": 7, "email": "ana@example.com"}, "orders_to_redact": [5001]}
    told = {"x-shopify-topic": "customers/redact", "x-shopify-webhook-id": "6"}
    await house.deliver(source, captured("shopify", person).changed(headers=told))
    one, whole = await house.data("/v1/privacy/requests")
    assert (one["request"], whole["request"], whole["concerns"]) == ("erase", "erase_shop", None)
    assert [(it["kind"], it["value"]) for it in one["concerns"]["identities"]] == [
        ("source", "7"),
        ("email", "ana@example.com"),
    ]
    assert one["concerns"]["orders"] == ["5001"]
    # A person's request is none for the whole shop, and nobody is named by one without a customer.
    for number, (topic, body) in enumerate((("shop/redact", person), ("customers/redact", privacy))):
        told = {"x-shopify-topic": topic, "x-shopify-webhook-id": f"x{number}"}
        answered = await house.deliver(source, captured("shopify", body).changed(headers=told))
        assert answered.json()["outcome"] == "unreadable"
    assert len(await house.data("/v1/privacy/requests")) == 2


@pytest.mark.parametrize(
    ("adapter", "body", "header", "first", "then"),
    [
        (
            "woocommerce",
            WOO,
            "x-wc-webhook-topic",
            "order.updated",
            ("order.deleted", "order.restored", "order.created"),
        ),
        (
            "saleor",
            SALEOR,
            "saleor-event",
            "order_updated",
            ("order_cancelled", "order_expired", "order_fully_refunded"),
        ),
    ],
)
async def test_other_shops_topics_take_nothing_either(
    house: House, adapter: str, body: dict[str, Any], header: str, first: str, then: tuple[str, ...]
) -> None:
    source, delivery = await house.source(adapter), captured(adapter, body)
    assert (await house.deliver(source, delivery.changed(headers={header: first}))).json()["outcome"] == "created"
    before = await order_of(house)
    for kind in then:
        assert (await house.deliver(source, delivery.changed(headers={header: kind}))).status_code == 200
        after = await order_of(house)
        assert {name: after[name] for name in ("status", "value", "paid_value", "refunded_value", "test")} == {
            name: before[name] for name in ("status", "value", "paid_value", "refunded_value", "test")
        }, kind


async def test_an_older_body_does_not_overrule_a_newer_one_as_restored(house: House) -> None:
    source = await house.source("woocommerce")
    old = captured("woocommerce", WOO)
    new = captured("woocommerce", WOO | {"total": "80.00", "date_modified_gmt": "2026-11-21T13:00:00"})
    for delivery, kind in ((old, "order.created"), (new, "order.updated"), (old, "order.restored")):
        await house.deliver(source, delivery.changed(headers={"x-wc-webhook-topic": kind}))
    assert (await order_of(house))["value"] == "80.00"


async def test_an_order_comes_back_from_the_bin_with_the_bytes_that_it_had(house: House) -> None:
    source, delivery = await house.source("woocommerce"), captured("woocommerce", WOO)
    await house.deliver(source, delivery.changed(headers={"x-wc-webhook-topic": "order.updated"}))
    gone = captured("woocommerce", {"id": 727}).changed(headers={"x-wc-webhook-topic": "order.deleted"})
    await house.deliver(source, gone)
    await house.deliver(source, delivery.changed(headers={"x-wc-webhook-topic": "order.restored"}))
    assert (await order_of(house))["status"] == "paid"


@pytest.mark.parametrize(
    ("adapter", "header", "kind"),
    [
        ("shopify", "x-shopify-webhook-id", {"x-shopify-topic": "orders/updated"}),
        ("razorpay", "x-razorpay-event-id", {}),
    ],
)
async def test_an_unsigned_id_neither_hides_a_delivery_nor_makes_one(
    house: House, adapter: str, header: str, kind: dict[str, str]
) -> None:
    source = await house.source(adapter)
    if adapter == "shopify":
        bodies = [SHOPIFY, SHOPIFY | {"id": 5002}]
    else:
        entity = {"id": "pay_1", "status": "captured", "amount": 10000, "currency": "INR"}
        bodies = [
            {
                "event": "payment.captured",
                "created_at": 1763640000,
                "payload": {"payment": {"entity": entity | {"id": name}}},
            }
            for name in ("pay_1", "pay_2")
        ]
    mine, real = [captured(adapter, body).changed(headers={header: "next", **kind}) for body in bodies]
    await house.deliver(source, mine)  # under the id that the next delivery will have
    assert (await house.deliver(source, real)).json()["outcome"] == "created"
    for number in range(5):
        answered = await house.deliver(source, mine.changed(headers={header: f"made up {number}"}))
        assert answered.json()["outcome"] == "duplicate"
    assert len(await house.data("/v1/deliveries")) == 2


async def test_a_body_whose_time_stands_in_an_unsigned_header_is_no_repeat_under_a_new_id(house: House) -> None:
    """A state that comes back has the same bytes: only a time in the body tells a repeat from it."""
    source = await house.source("shopify")
    untimed = {name: SHOPIFY[name] for name in ("id", "total_price", "currency")}
    for body, again in ((untimed, "unchanged"), (SHOPIFY | {"id": 5002}, "duplicate")):
        delivery, said = captured("shopify", body), []
        for day in ("20", "21"):
            headers = {"x-shopify-topic": "orders/updated", "x-shopify-triggered-at": f"2026-11-{day}T13:00:00Z"}
            number = {"x-shopify-webhook-id": f"{body['id']}-{day}"}
            said.append((await house.deliver(source, delivery.changed(headers=headers | number))).json()["outcome"])
        assert said == ["created", again]


async def test_bytes_under_kinds_that_are_not_read_are_kept_once(house: House) -> None:
    source, delivery = await house.source("shopify"), captured("shopify", SHOPIFY)
    for number in range(5):
        headers = {"x-shopify-topic": f"made/up{number}", "x-shopify-webhook-id": str(number)}
        assert (await house.deliver(source, delivery.changed(headers=headers))).status_code == 200
    assert len(await house.data("/v1/deliveries")) == 1


@pytest.mark.parametrize("adapter", ["adyen", "generic"])
async def test_a_time_that_nobody_signed_freezes_no_order(house: House, adapter: str) -> None:
    """Where the proof is a `token`, the time in the body is anybody's: one in the future is that of receipt (§6.1)."""
    if adapter == "adyen":
        secret = "44" * 32
        source = await house.source(adapter, secret=secret)
        item = {"pspReference": "P1", "merchantReference": "M1", "amount": {"value": 10000, "currency": "EUR"}}
        told = [
            {"live": "true", "notificationItems": [{"NotificationRequestItem": item | {"success": "true"} | more}]}
            for more in (
                {"eventCode": "AUTHORISATION", "eventDate": LATE},
                {
                    "eventCode": "CANCEL_OR_REFUND",
                    "pspReference": "P2",
                    "originalReference": "P1",
                    "eventDate": "2026-11-21T13:00:00Z",
                },
            )
        ]
        sent = [signed(adapter, json.dumps(body).encode(), secret=secret) for body in told]
    else:
        fields = {"external_id": "id", "status": "state", "value": "total", "at": "at"}
        source = await house.source(
            adapter,
            options={
                "signature": {"scheme": "token", "header": "x-token"},
                "kind": "always:order",
                "fields": fields,
                "statuses": {"PAID": "paid", "BACK": "refunded"},
                "money": {"unit": "major", "currency": "EUR"},
            },
        )
        bodies = [
            {"id": "1", "state": state, "total": "100.00", "at": at} for state, at in (("PAID", LATE), ("BACK", None))
        ]
        sent = [arrived(body, {"x-token": SECRET}) for body in bodies]
    for one in sent:
        assert (await house.deliver(source, one)).status_code == 200
    then, first = await house.data("/v1/deliveries")
    assert (first["outcome"], first["notes"], then["outcome"]) == ("created", ["future_time"], "updated")
    assert (await order_of(house))["status"] == "refunded"
