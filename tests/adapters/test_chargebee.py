"""Chargebee: HTTP Basic, invoices in the order of their own versions, and refunds that are told more than once."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Strength
from tests.reading import OrderView, Source, arrived, folded

START = int(datetime(2026, 11, 20, 13, tzinfo=UTC).timestamp())
CHARGEBEE = Source("chargebee")


def read(event: str, **content: Any) -> list[OrderView]:
    body = {"id": "ev_1", "event_type": event, "occurred_at": START + 100, "content": content}
    return CHARGEBEE.orders(body)


def invoice(status: str = "paid", **fields: Any) -> dict[str, Any]:
    named = {"id": "1001", "status": status, "currency_code": "BRL", "total": 39800, "date": START}
    return {**named, "resource_version": (START + 5) * 1000 + 123, **fields}


def said(status: str = "paid", event: str = "invoice_updated", **fields: Any) -> OrderView:
    [order] = read(event, invoice=invoice(status, **fields))
    return order


def refund(status: str = "success", *parts: tuple[str | None, int | None], **fields: Any) -> dict[str, Any]:
    notes = [{"cn_id": "CN-1", "cn_reference_invoice_id": paid, "applied_amount": amount} for paid, amount in parts]
    named = {"id": "txn_9", "type": "refund", "status": status, "currency_code": "BRL", "amount": 10000}
    return {**named, "linked_credit_notes": notes, **fields}


def note(*refunds: tuple[str, str, int], paid: str | None = "1001") -> dict[str, Any]:
    linked = [{"txn_id": name, "txn_status": status, "applied_amount": amount} for name, status, amount in refunds]
    return {"id": "CN-1", "reference_invoice_id": paid, "currency_code": "BRL", "linked_refunds": linked}


def test_user_and_password_prove_the_sender() -> None:
    secret = f"{CHARGEBEE.adapter.secret_prefix}made-up-password"
    signed = CHARGEBEE.sign(b"{}", secret)
    # RFC 7617: the base64 of `registry:made-up-password`
    assert signed.headers == {"authorization": "Basic cmVnaXN0cnk6bWFkZS11cC1wYXNzd29yZA=="}
    assert CHARGEBEE.verify(signed.changed(body=b"x"), secret) == secret
    assert CHARGEBEE.scheme.strength is Strength.TOKEN
    for sent in ("cmVnaXN0cnk6bWFkZS11cC1wYXNzd29yZA==", "Basic cmVnaXN0cnk6", "Bearer x", ""):
        CHARGEBEE.refuse(arrived(b"{}", authorization=sent), secret)


@pytest.mark.parametrize(
    ("word", "paid", "status"),
    [
        ("paid", 39800, Status.PAID),
        ("paid", 0, Status.PAID),  # with credits
        ("posted", 0, Status.PENDING),
        ("pending", None, Status.PENDING),
        ("payment_due", 0, Status.OVERDUE),
        ("not_paid", 0, Status.FAILED),
        ("voided", 0, Status.CANCELED),
        ("voided", 10000, Status.CANCELED),
        ("posted", 10000, Status.PARTIALLY_PAID),
        ("payment_due", 10000, Status.PARTIALLY_PAID),
        ("not_paid", 10000, Status.PARTIALLY_PAID),
        ("in_review", 10000, UNKNOWN),
    ],
)
def test_status(word: str, paid: int | None, status: object) -> None:
    order = said(word, amount_paid=paid)
    assert (order.status, order.source_status) == (status, word)


def test_a_deleted_invoice_is_canceled() -> None:
    assert said("posted", "invoice_deleted").status is Status.CANCELED
    assert said("posted", deleted=True).status is Status.CANCELED


def test_the_invoices_own_version_is_its_time() -> None:
    assert said().at == datetime(2026, 11, 20, 13, 0, 5, 123000, tzinfo=UTC)
    assert said(resource_version=None, updated_at=START + 7).at == datetime(2026, 11, 20, 13, 0, 7, tzinfo=UTC)
    assert said(resource_version=None).at == datetime(2026, 11, 20, 13, 1, 40, tzinfo=UTC)


def test_amounts_are_in_the_smallest_unit() -> None:
    assert said().value == "398.00 BRL"
    assert said(currency_code="JPY", total=10).value == "10 JPY"


def test_one_refund_counts_once_however_it_is_told() -> None:
    told = [
        read("payment_refunded", transaction=refund("success", ("1001", 10000))),
        read("credit_note_created", credit_note=note(("txn_9", "success", 10000))),
        read(
            "payment_refunded",
            invoice=invoice(),
            transaction=refund("success", ("1001", 10000)),
            credit_note=note(("txn_9", "success", 10000)),
        ),
        read("payment_refunded", invoice=invoice(), transaction=refund()),
    ]
    for [order] in told:
        assert (order.external_id, order.refunds) == ("1001", {"txn_9": "100.00 BRL"})
    assert len(list(itertools.chain(*told))) == len(told)


def test_a_refund_of_two_invoices_tells_of_both() -> None:
    orders = read("payment_refunded", transaction=refund("success", ("1001", 4000), ("1002", 6000)))
    assert {order.external_id: order.refunds for order in orders} == {
        "1001": {"txn_9/CN-1": "40.00 BRL"},
        "1002": {"txn_9/CN-1": "60.00 BRL"},
    }


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("success", ""),
        ("late_failure", " failed"),
        ("voided", " failed"),
        ("failure", " failed"),
        ("in_progress", " pending"),
        ("needs_attention", " pending"),
        ("something_new", " pending"),
    ],
)
def test_only_what_has_moved_counts(status: str, state: str) -> None:
    [order] = read("payment_refunded", transaction=refund(status, ("1001", 10000)))
    assert order.refunds == {"txn_9": f"100.00 BRL{state}"}


@pytest.mark.parametrize(
    ("fields", "status", "value", "paid"),
    [
        ({"amount_paid": 39800}, Status.PAID, 39800, 39800),
        ({"amount_paid": 19800, "credits_applied": 20000}, Status.PAID, 39800, 39800),
        ({"amount_paid": 29800, "amount_adjusted": 10000}, Status.PAID, 29800, 29800),
        ({"amount_paid": 0, "amount_adjusted": 39800}, Status.CANCELED, 0, 0),
        ({"amount_paid": 0, "amount_adjusted": 39800, "write_off_amount": 39800}, Status.CANCELED, 39800, 0),
        ({"amount_paid": 9800, "amount_adjusted": 30000, "write_off_amount": 30000}, Status.PAID, 9800, 9800),
        ({"amount_paid": 35820}, Status.PAID, 35820, 35820),  # tax that the buyer withheld
    ],
)
def test_what_a_paid_invoice_came_to(fields: dict[str, int], status: Status, value: int, paid: int) -> None:
    order = folded(said("posted", resource_version=START * 1000), said(**fields))
    assert (order.status, order.value, order.paid_value) == (status, value, paid)


def test_a_payment_that_bounced_is_not_there_any_more() -> None:
    paid = said(amount_paid=39800, linked_payments=[{"txn_id": "txn_1"}])
    bounced = said(
        "payment_due", amount_paid=0, linked_payments=[{"txn_id": "txn_1"}], resource_version=(START + 9) * 1000
    )
    order = folded(paid, bounced)
    assert (order.status, order.paid_value, order.refunded_value) == (Status.OVERDUE, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"credit_note": note()},
        {"credit_note": note(("txn_9", "success", 1), paid=None)},
        {"transaction": {**refund(), "type": "payment"}},
        {"transaction": refund()},
    ],
)
def test_what_holds_no_order(content: dict[str, Any]) -> None:
    with pytest.raises(Ignored):
        read("payment_refunded", **content)


def test_the_customer_may_know_the_crm() -> None:
    buyer = {"id": "C1", "email": "ana.souza@example.com", "meta_data": {"crm_contact_id": 42}}
    [order] = read("invoice_generated", invoice=invoice(customer_id="C1"), customer=buyer)
    assert order.customer is not None
    assert (order.customer.id, order.customer.crm_id, order.customer.emails) == ("C1", "42", ("ana.souza@example.com",))
    customer = said(customer_id="C1").customer
    assert customer is not None
    assert (customer.id, customer.emails) == ("C1", ())
