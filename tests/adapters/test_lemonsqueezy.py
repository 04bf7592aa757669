"""Lemon Squeezy: its signature, and what orders and the invoices of subscriptions come to."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived

LEMON, SKIP = Source("lemonsqueezy"), Source("lemonsqueezy", first_invoices="skip")


def said(event: str = "order_created", source: Source = LEMON, **fields: Any) -> OrderView:
    attributes = {
        "status": "paid",
        "currency": "BRL",
        "total": 39800,
        "created_at": "2026-11-20T13:00:00.000000Z",
        "updated_at": "2026-11-20T13:00:05.000000Z",
        **fields,
    }
    return source.order({"meta": {"event_name": event}, "data": {"id": "1", "attributes": attributes}})


def test_signature_is_hexadecimal_over_the_raw_body() -> None:
    """No vector is published; computed with `openssl dgst -sha256 -hmac made-up-secret`."""
    body = b'{"meta":{"event_name":"order_created"}}'
    mac = "c911b43e6b5ac6d5b977bddd0b9df3920208d75b5164cca771f328bfd2e49df1"
    delivery = LEMON.sign(body, "made-up-secret")
    assert delivery.headers == {"x-signature": mac}
    for wrong, sent in ((body + b" ", mac), (body, mac.upper()), (body, f"sha256={mac}")):
        LEMON.refuse(arrived(wrong, x_signature=sent), "made-up-secret")


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
    assert order.refunds == {"total": "100.00 BRL"}
    assert said(refunded_amount=0).refunds == {}
    assert said(refunded_amount=None).refunds == {}


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
    "order_created__2": (Status.PAID, "18.59 EUR", "1"),
    "order_rest__1": (Status.PAID, "11.99 USD", "1"),
    "subscription_payment_success__1": (Status.PAID, "9.99 USD", "invoice:1"),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("lemonsqueezy"):
        document = json.loads(path.read_bytes())
        named = {"meta": {"event_name": "order_created"}, **document}  # what the API returns names no event
        assert LEMON.summary(named) == EXPECTED[path.stem], path.stem
