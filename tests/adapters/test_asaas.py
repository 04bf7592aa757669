"""Asaas: the token, charges and their statuses, dates without a zone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Money, Status, Strength, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived

ASAAS = Source("asaas")


def said(event: str, status: str = "PENDING", **fields: Any) -> OrderView:
    payment = {"id": "pay_1", "status": status, "value": 398, **fields}
    return ASAAS.order({"id": "evt_1", "event": event, "dateCreated": "2026-11-20 10:00:00", "payment": payment})


def test_the_token_is_compared_whole() -> None:
    token = "a-made-up-token-of-at-least-32-characters"
    assert ASAAS.verify(arrived(b"{}", asaas_access_token=token), "old", token) == token
    assert ASAAS.scheme.strength is Strength.TOKEN
    for shown in (token[:-1], token + " ", token.upper(), f"Bearer {token}"):
        ASAAS.refuse(arrived(b"{}", asaas_access_token=shown), token)
    assert ASAAS.refuse(arrived(b"{}", access_token=token), token) == Unverified.MISSING


def test_the_delivery_id_is_the_same_on_every_try() -> None:
    assert ASAAS.delivery_id(b'{"id": "evt_05b7&3686"}') == "evt_05b7&3686"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", Status.PENDING),
        ("AWAITING_RISK_ANALYSIS", Status.PENDING),
        ("AUTHORIZED", Status.PENDING),
        ("CONFIRMED", Status.PAID),
        ("RECEIVED", Status.PAID),
        ("RECEIVED_IN_CASH", Status.PAID),
        ("DUNNING_RECEIVED", Status.PAID),
        ("REFUND_REQUESTED", Status.PAID),
        ("REFUND_IN_PROGRESS", Status.PAID),
        ("OVERDUE", Status.OVERDUE),
        ("DUNNING_REQUESTED", Status.OVERDUE),
        ("REFUNDED", Status.REFUNDED),
        ("CHARGEBACK_REQUESTED", Status.REFUNDED),
        ("CHARGEBACK_DISPUTE", Status.REFUNDED),
        ("AWAITING_CHARGEBACK_REVERSAL", Status.REFUNDED),
        ("SOMETHING_NEW", UNKNOWN),
    ],
)
def test_statuses_of_the_charge(word: str, status: object) -> None:
    assert said("PAYMENT_UPDATED", word).status is status


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("PAYMENT_CREATED", "PENDING", Status.PENDING),
        ("PAYMENT_CONFIRMED", "CONFIRMED", Status.PAID),
        ("PAYMENT_RECEIVED", "RECEIVED", Status.PAID),
        ("PAYMENT_ANTICIPATED", "CONFIRMED", Status.PAID),
        ("PAYMENT_ANTICIPATED", "PENDING", Status.PENDING),  # a slip that its buyer has yet to pay
        ("PAYMENT_OVERDUE", "PENDING", Status.OVERDUE),
        ("PAYMENT_DELETED", "PENDING", Status.CANCELED),
        ("PAYMENT_RESTORED", "OVERDUE", Status.OVERDUE),
        ("PAYMENT_REFUNDED", "RECEIVED", Status.REFUNDED),
        ("PAYMENT_PARTIALLY_REFUNDED", "RECEIVED", Status.PAID),
        ("PAYMENT_CREDIT_CARD_CAPTURE_REFUSED", "PENDING", Status.FAILED),
        ("PAYMENT_REPROVED_BY_RISK_ANALYSIS", "AWAITING_RISK_ANALYSIS", Status.FAILED),
        ("PAYMENT_RECEIVED_IN_CASH_UNDONE", "OVERDUE", Status.OVERDUE),
        ("PAYMENT_CHARGEBACK_REQUESTED", "RECEIVED", Status.REFUNDED),
        ("PAYMENT_CHARGEBACK_DISPUTE", "CHARGEBACK_DISPUTE", Status.REFUNDED),
        ("PAYMENT_REFUND_DENIED", "RECEIVED", Status.PAID),
        ("PAYMENT_CONFIRMED", "SOMETHING_NEW", UNKNOWN),  # a word nobody knows never becomes paid
    ],
)
def test_what_the_event_itself_says(event: str, word: str, status: object) -> None:
    assert said(event, word).status is status


def test_a_removed_charge_is_canceled_whatever_the_event() -> None:
    assert said("PAYMENT_UPDATED", deleted=True).status is Status.CANCELED


def test_times_are_brasilias_and_paid_is_when_the_customer_paid() -> None:
    order = said(
        "PAYMENT_RECEIVED",
        "RECEIVED",
        dateCreated="2026-11-19",
        confirmedDate="2026-11-21",
        clientPaymentDate="2026-11-20",
        paymentDate="2026-12-22",
    )
    assert order.at == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert order.ordered_at == datetime(2026, 11, 19, 3, tzinfo=UTC)
    assert order.paid_at == datetime(2026, 11, 20, 3, tzinfo=UTC)
    assert said("PAYMENT_CONFIRMED", "CONFIRMED", confirmedDate="2026-11-21").paid_at == datetime(
        2026, 11, 21, 3, tzinfo=UTC
    )
    assert said("PAYMENT_RECEIVED", "RECEIVED", paymentDate="2026-11-22").paid_at == datetime(
        2026, 11, 22, 3, tzinfo=UTC
    )
    assert said("PAYMENT_CREATED").paid_at is None


@pytest.mark.parametrize(("value", "text"), [(100, "100.00"), (94.51, "94.51"), ("19.9", "19.90"), (0, "0.00")])
def test_money_is_in_reais(value: object, text: str) -> None:
    order = said("PAYMENT_CREATED", value=value)
    assert order.value == f"{text} BRL"


def test_refunds_that_are_done_add_up() -> None:
    refunds = [
        {"status": "DONE", "value": 20.0},
        {"status": "DONE", "value": 0.1},
        {"status": "PENDING", "value": 5},
        {"status": "CANCELLED", "value": 5},
    ]
    back = said("PAYMENT_PARTIALLY_REFUNDED", "RECEIVED", refunds=refunds).order.refunds
    assert [(one.kind, one.value) for one in back] == [("refund", Money(2010, "BRL")), ("chargeback", Money(0, "BRL"))]
    under_way = said("PAYMENT_REFUND_IN_PROGRESS", "REFUND_IN_PROGRESS", refunds=refunds[2:]).order.refunds
    assert [one.value for one in under_way] == [Money(0, "BRL")] * 2


def test_the_customer_is_an_id() -> None:
    customer = said("PAYMENT_CREATED", customer="cus_1").customer
    assert customer
    assert (customer.id, customer.emails) == ("cus_1", ())


@pytest.mark.parametrize(
    "event",
    ["PAYMENT_BANK_SLIP_VIEWED", "SUBSCRIPTION_CREATED", "CHECKOUT_PAID", "TRANSFER_DONE", "ACCESS_TOKEN_CREATED"],
)
def test_what_is_no_order_is_ignored(event: str) -> None:
    with pytest.raises(Ignored):
        ASAAS.orders({"event": event})


@pytest.mark.parametrize(
    "payment", [None, [], {}, {"id": "pay_1", "status": "PENDING"}, {"id": "", "status": "x", "value": 1}]
)
def test_a_charge_without_the_needed_is_unreadable(payment: object) -> None:
    with pytest.raises(Unreadable):
        ASAAS.orders({"event": "PAYMENT_CREATED", "payment": payment})


EXPECTED = {
    "PAYMENT_RECEIVED__1": (Status.PAID, "100.00 BRL", "2765d086-c7c5-5cca-898a-4262d212587c"),
    "SUBSCRIPTION_CREATED__1": None,
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("asaas"):
        assert ASAAS.summary(path.read_bytes()) == EXPECTED[path.stem], path.stem
