"""Lemon Squeezy: its signature, and what orders and the invoices of subscriptions come to."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Delivery, Ignored, Order, Status, Unverified
from adapters.lemonsqueezy import LemonSqueezy, LemonSqueezyOptions

ROOT = Path(__file__).parents[2]
# Bodies as the platform documents them, where the checkout has such a folder beside it; none of them is ours to keep.
PAYLOADS = ROOT.parent / "shared" / "payloads" / "lemonsqueezy"
NOW = datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
COUNT, SKIP = LemonSqueezyOptions(), LemonSqueezyOptions(first_invoices="skip")
LEMON = LemonSqueezy()


def arrived(body: bytes, **headers: str) -> Delivery:
    return Delivery(body=body, headers=headers, received_at=NOW)


def read(document: object, options: LemonSqueezyOptions = COUNT) -> Order:
    delivery = arrived(json.dumps(document).encode())
    [order] = LEMON.translate(LEMON.read(delivery, LEMON.kind_of(delivery, options), options))
    return order


def said(event: str = "order_created", options: LemonSqueezyOptions = COUNT, **fields: Any) -> Order:
    attributes = {
        "status": "paid",
        "currency": "BRL",
        "total": 39800,
        "created_at": "2026-11-20T13:00:00.000000Z",
        "updated_at": "2026-11-20T13:00:05.000000Z",
        **fields,
    }
    return read({"meta": {"event_name": event}, "data": {"id": "1", "attributes": attributes}}, options)


def test_signature_is_hexadecimal_over_the_raw_body() -> None:
    """No vector is published; computed with `openssl dgst -sha256 -hmac made-up-secret`."""
    body = b'{"meta":{"event_name":"order_created"}}'
    mac = "c911b43e6b5ac6d5b977bddd0b9df3920208d75b5164cca771f328bfd2e49df1"
    delivery = LEMON.signature.sign(arrived(body), "made-up-secret", NOW)
    assert delivery.headers == {"x-signature": mac}
    for wrong, sent in ((body + b" ", mac), (body, mac.upper()), (body, f"sha256={mac}")):
        with pytest.raises(Unverified):
            LEMON.signature.verify(arrived(wrong, **{"x-signature": sent}), ["made-up-secret"], NOW)


@pytest.mark.parametrize(
    ("event", "word", "fields", "status"),
    [
        ("order_created", "pending", {}, Status.PENDING),
        ("order_created", "paid", {"refunded": None}, Status.PAID),
        ("order_created", "failed", {}, Status.FAILED),
        ("order_refunded", "refunded", {"refunded": True}, Status.REFUNDED),
        ("order_refunded", "paid", {"refunded": True}, Status.REFUNDED),
        ("order_refunded", "paid", {"refunded": False, "refunded_amount": 100}, Status.PAID),
        ("order_refunded", "partial_refund", {"refunded": False, "refunded_amount": 100}, Status.PAID),
        ("order_created", "fraudulent", {}, Status.FAILED),
        ("order_refunded", "fraudulent", {"refunded": True}, Status.REFUNDED),
        ("order_created", "something_new", {}, UNKNOWN),
        ("order_refunded", "something_new", {"refunded": True}, UNKNOWN),
        ("subscription_payment_success", "paid", {}, Status.PAID),
        ("subscription_payment_failed", "pending", {}, Status.OVERDUE),
        ("subscription_payment_failed", "void", {}, Status.CANCELED),
        ("subscription_payment_recovered", "paid", {}, Status.PAID),
        ("subscription_payment_refunded", "refunded", {}, Status.REFUNDED),
    ],
)
def test_status(event: str, word: str, fields: dict[str, Any], status: object) -> None:
    order = said(event, status=word, **fields)
    assert (order.status, order.source_status) == (status, word)


def test_refunds_are_the_total_so_far() -> None:
    order = said("order_refunded", refunded_amount=10000)
    assert {name: str(money) for name, money in (order.refunds or {}).items()} == {"total": "100.00"}
    assert said(refunded_amount=0).refunds is None
    assert said(refunded_amount=None).refunds is None


def test_an_invoice_and_an_order_of_the_same_number_are_two() -> None:
    assert said().external_id == "1"
    assert said("subscription_payment_success").external_id == "invoice:1"


def test_the_first_invoice_of_a_subscription_may_be_left_to_its_order() -> None:
    assert said("subscription_payment_success", billing_reason="initial").status is Status.PAID
    assert said("subscription_payment_success", SKIP, billing_reason="renewal").status is Status.PAID
    assert said("order_created", SKIP).status is Status.PAID
    with pytest.raises(Ignored):
        said("subscription_payment_success", SKIP, billing_reason="initial")


def test_times() -> None:
    created, updated = datetime(2026, 11, 20, 13, tzinfo=UTC), datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    order = said()
    assert (order.at, order.ordered_at, order.paid_at) == (updated, created, created)
    assert said("subscription_payment_success").paid_at == updated
    assert said("order_refunded", status="refunded").paid_at is None
    assert said(updated_at=None).at == created


EXPECTED = {
    "order_created__2": (Status.PAID, "18.59", "1"),
    "order_rest__1": (Status.PAID, "11.99", "1"),
    "subscription_payment_success__1": (Status.PAID, "9.99", "invoice:1"),
}


def test_documented_bodies() -> None:
    found = sorted(PAYLOADS.glob("*.json"))
    print(f"{len(found)} documented bodies found")
    for path in found:
        document = json.loads(path.read_bytes())
        order = read({"meta": {"event_name": "order_created"}, **document})  # what the API returns names no event
        assert (order.status, str(order.value), order.external_id) == EXPECTED[path.stem], path.stem
