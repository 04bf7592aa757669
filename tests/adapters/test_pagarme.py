"""Pagar.me: Basic authentication, orders, and charges that speak for their orders."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Strength, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

PAGARME = Source("pagarme")


def said(kind: str, status: str | None, **fields: Any) -> OrderView:
    data = {"id": "or_1" if kind.startswith("order") else "ch_1", "amount": 41990, "status": status, **fields}
    return PAGARME.order({"id": "hook_1", "type": kind, "created_at": "2026-11-20T13:00:06", "data": data})


def test_user_and_password_are_demanded() -> None:
    secret = "hooks:a long made up password: with a colon"
    shown = "Basic " + base64.b64encode(secret.encode()).decode()
    assert PAGARME.verify(arrived(b"{}", authorization=shown), "old:one", secret) == secret
    assert PAGARME.scheme.strength is Strength.TOKEN
    for other in (secret, shown[6:], shown.replace("Basic", "basic"), shown[:-2], "Bearer x", "Basic "):
        PAGARME.refuse(arrived(b"{}", authorization=other), secret)
    assert PAGARME.refuse(b"{}", secret) == Unverified.MISSING


@pytest.mark.parametrize(
    ("kind", "word", "status"),
    [
        ("order.created", "pending", Status.PENDING),
        ("order.updated", "paid", Status.PAID),
        ("order.closed", "canceled", Status.CANCELED),
        ("order.paid", "paid", Status.PAID),
        ("order.paid", None, Status.PAID),
        ("order.payment_failed", "failed", Status.FAILED),
        ("order.payment_failed", "pending", Status.FAILED),
        ("order.canceled", "canceled", Status.CANCELED),
        ("order.paid", "something_new", UNKNOWN),
        ("charge.created", "pending", Status.PENDING),
        ("charge.processing", "processing", Status.PENDING),
        ("charge.updated", "paid", Status.PAID),
        ("charge.pending", "authorized", Status.PENDING),
        ("charge.paid", "paid", Status.PAID),
        ("charge.overpaid", "overpaid", Status.PAID),
        ("charge.underpaid", "underpaid", Status.PARTIALLY_PAID),
        ("charge.payment_failed", "failed", Status.FAILED),
        ("charge.antifraud_reproved", "failed", Status.FAILED),
        ("charge.partial_canceled", "paid", Status.PAID),
        ("charge.refunded", "canceled", Status.REFUNDED),
        ("charge.chargedback", "chargedback", Status.REFUNDED),
        ("charge.paid", "something_new", UNKNOWN),
    ],
)
def test_statuses(kind: str, word: str | None, status: object) -> None:
    assert said(kind, word).status is status


def test_a_charge_speaks_for_its_order() -> None:
    order = said("charge.paid", "paid", paid_at="2026-11-20T13:00:05", order={"id": "or_9", "amount": 41990})
    assert (order.external_id, order.aliases, order.preference) == ("or_9", ("ch_1",), 0)
    assert (order.status, order.value) == (Status.PAID, "419.90 BRL")
    alone = said("charge.paid", "paid")
    assert (alone.external_id, alone.aliases, alone.preference) == ("ch_1", (), 1)


def test_a_charge_that_only_names_its_order() -> None:
    order = said("charge.paid", "paid", order_id="or_9")
    assert (order.external_id, order.aliases, order.preference) == ("or_9", ("ch_1",), 0)


def test_what_came_back_of_an_order_is_told_by_its_charges() -> None:
    paid = {"amount": 41990, "paid_at": "2026-11-20T13:00:05"}
    charges = [{"id": "ch_1", "status": "chargedback", **paid}, {"id": "ch_2", "status": "paid", **paid}]
    order = said("order.updated", "paid", amount=83980, charges=charges)
    assert (folded(order).status, folded(order).refunded_value) == (Status.PAID, 41990)
    voided = {"paid_at": "2026-11-20T13:00:05", "canceled_amount": 41990}
    assert folded(said("charge.updated", "canceled", **voided)).status is Status.REFUNDED
    assert folded(said("charge.updated", "canceled", canceled_amount=41990)).status == Status.CANCELED


def test_one_of_two_cards_does_not_make_the_order_paid() -> None:
    parent = {"id": "or_9", "amount": 83980}
    order = said("charge.paid", "paid", order=parent, paid_at="2026-11-20T13:00:05")
    assert (order.status, order.value, order.paid_at) == (None, "839.80 BRL", None)
    assert said("charge.payment_failed", "failed", order={**parent, "status": "pending"}).status is Status.PENDING
    refunded = folded(order, said("charge.refunded", "canceled", order=parent, canceled_amount=41990))
    assert (refunded.paid_value, refunded.refunded_value) == (41990, 41990)


def test_refunds_go_by_the_charge() -> None:
    assert folded(said("charge.partial_canceled", "paid", canceled_amount=9950)).refunded_value == 9950
    assert folded(said("charge.refunded", "canceled")).refunded_value == 41990
    assert folded(said("charge.paid", "paid", canceled_amount=0)).refunded_value == 0


def test_a_chargeback_that_was_won_and_a_refund_that_failed_are_taken_back() -> None:
    paid, lost = said("charge.paid", "paid"), said("charge.chargedback", "chargedback")
    assert folded(paid, lost).status is Status.REFUNDED
    won = said("charge.updated", "paid", paid_at="2026-11-20T13:00:05", updated_at="2026-12-24T13:00:05Z")
    assert (folded(paid, lost, won).status, folded(paid, lost, won).refunded_value) == (Status.PAID, 0)


def test_what_was_captured_of_a_part_is_all_that_comes() -> None:
    order = folded(said("charge.paid", "paid", paid_amount=20000))
    assert (order.status, order.value, order.notes) == (Status.PAID, 20000, ("captured_in_part",))


def test_an_order_that_was_canceled_after_it_was_paid_is_refunded() -> None:
    paid = {
        "id": "ch_1",
        "amount": 41990,
        "status": "canceled",
        "paid_at": "2026-11-20T13:00:05",
        "canceled_amount": 41990,
    }
    order = said("order.canceled", "canceled", charges=[paid])
    assert (folded(order).status, folded(order).refunded_value) == (Status.REFUNDED, 41990)
    voided = {**paid, "paid_at": None}
    order = said("order.canceled", "canceled", charges=[voided])
    assert (order.status, order.refunds) == (Status.CANCELED, {})


def test_times_are_utc() -> None:
    order = said("order.paid", "paid", created_at="2026-11-20T13:00:00", updated_at="2026-11-20T13:00:05.1234567Z")
    assert order.at == datetime(2026, 11, 20, 13, 0, 5, 123456, tzinfo=UTC)
    assert order.ordered_at == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert said("order.paid", "paid").at == datetime(2026, 11, 20, 13, 0, 6, tzinfo=UTC)


def test_the_customer() -> None:
    phones = {"mobile_phone": {"country_code": "55", "area_code": "11", "number": "900000000"}, "home_phone": None}
    buyer = {"id": "cus_1", "name": "Ana ", "email": "ana@example.com", "document": "52998224725", "phones": phones}
    customer = said("order.paid", "paid", customer=buyer, metadata={"crm_contact_id": "42", "deal_id": "7"}).customer
    assert customer
    assert (customer.id, customer.name, customer.crm_id) == ("cus_1", "Ana", "42")
    assert (customer.phones, customer.documents) == (("+55 11 900000000",), ("52998224725",))
    assert said("order.paid", "paid", customer=None, metadata=[]).customer is None
    counter = said("charge.paid", "paid", customer={"id": "cus_2", "name": "Unknown customer", "phones": {}}).customer
    assert counter
    assert (counter.id, counter.name) == ("cus_2", None)


@pytest.mark.parametrize(
    "kind", ["charge.antifraud_approved", "customer.created", "subscription.created", "plan.created"]
)
def test_what_is_no_order_is_ignored(kind: str) -> None:
    with pytest.raises(Ignored):
        PAGARME.orders({"type": kind, "data": {}})


@pytest.mark.parametrize(
    "data", [None, {}, {"id": "or_1"}, {"id": "or_1", "amount": 10.5}, {"id": "or_1", "amount": 1, "currency": "R$"}]
)
def test_an_order_without_the_needed_is_unreadable(data: object) -> None:
    with pytest.raises(Unreadable):
        PAGARME.orders({"type": "order.paid", "data": data})


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("pagarme"):
        order = PAGARME.order(path.read_bytes())
        assert (order.external_id, order.status, order.value, order.title) == (
            "or_ZdnB5BBCmYhk534R",
            Status.PAID,
            "123.56 BRL",
            "#1303724 · Produto",
        )
