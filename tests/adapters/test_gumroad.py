"""Gumroad: a secret in the address, and pings that are forms, or JSON."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from adapters.contract import Ignored, Status, Strength, Unreadable
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

GUMROAD = Source("gumroad")


def form(resource: str | None = "sale", **fields: str) -> bytes:
    given = {
        "sale_id": "S1==",
        "price": "3980",
        "currency": "usd",
        "quantity": "2",
        "product_name": "Plan",
        "sale_timestamp": "2026-11-20T13:00:00Z",
        "refunded": "false",
        **fields,
    }
    return urlencode(given | ({"resource_name": resource} if resource else {})).encode()


def said(resource: str | None = "sale", **fields: str) -> OrderView:
    return GUMROAD.order(form(resource, **fields))


def test_the_secret_stands_in_the_address_and_proves_no_body() -> None:
    signed = GUMROAD.sign(form(), "made-up secret &=")
    assert signed.query == {"token": "made-up secret &="}
    assert GUMROAD.verify(signed.changed(body=b"x"), "made-up secret &=")
    assert GUMROAD.scheme.strength is Strength.TOKEN
    for query in ({}, {"token": ""}, {"token": "other"}, {"secret": "made-up secret &="}):
        GUMROAD.refuse(arrived(form(), query=query), "made-up secret &=")


@pytest.mark.parametrize(
    ("resource", "fields", "status"),
    [
        ("sale", {}, Status.PAID),
        ("sale", {"refunded": "true"}, Status.REFUNDED),
        ("sale", {"is_preorder_authorization": "true"}, Status.PENDING),
        ("refund", {"refunded": "true"}, Status.REFUNDED),
        ("refund", {}, None),
        ("dispute", {"disputed": "true"}, None),
        ("dispute_won", {"disputed": "true", "dispute_won": "true"}, Status.PAID),
    ],
)
def test_status(resource: str, fields: dict[str, str], status: object) -> None:
    order = said(resource, **fields)
    assert order.status is status
    assert order.at is None, "the time of the sale is no statement's"


@pytest.mark.parametrize(
    ("resource", "fields", "status", "refunded", "notes"),
    [
        ("refund", {"refunded": "true"}, Status.REFUNDED, 3980, ()),
        ("refund", {}, Status.PAID, 0, ("refund_without_amount",)),
        ("dispute", {"disputed": "true"}, Status.PAID, 0, ()),
        ("dispute_won", {"disputed": "true", "dispute_won": "true"}, Status.PAID, 0, ()),
    ],
)
def test_what_comes_after_the_sale(
    resource: str, fields: dict[str, str], status: Status, refunded: int, notes: tuple[str, ...]
) -> None:
    for told in ((said(), said(resource, **fields)), (said(resource, **fields), said())):
        order = folded(*told)
        assert (order.status, order.refunded_value, order.notes) == (status, refunded, notes)
        assert order.paid_at == datetime(2026, 11, 20, 13, tzinfo=UTC).timestamp() * 1_000_000


def test_price_is_in_us_cents_whatever_the_product_is_listed_in() -> None:
    assert said(currency="brl").value == "39.80 USD"
    [item] = said().items or ()
    assert str(item.unit_value) == "19.90"
    [item] = said(quantity="3").items or ()
    assert (item.unit_value, item.quantity) == (None, 3)


def test_a_test_ping_does_not_make_a_test_of_the_sale_that_it_repeats() -> None:
    with pytest.raises(Ignored):
        said(None, test="true")
    assert said(None).status is Status.PAID
    assert said(test="true").test is True  # the seller's own purchase
    assert said().test is None


def test_a_retry_is_the_same_delivery_and_a_refund_of_the_rest_is_another() -> None:
    once, again = arrived(form()), arrived(form(retry_count="1"))
    assert GUMROAD.delivery_id(once) == GUMROAD.delivery_id(again) == "sale:S1==:false"
    part, rest = arrived(form("refund")), arrived(form("refund", refunded="true"))
    assert GUMROAD.delivery_id(part) != GUMROAD.delivery_id(rest)


def test_json_is_read_as_well() -> None:
    order = GUMROAD.order({"sale_id": "S1", "price": 150, "resource_name": "sale", "refunded": False})
    assert (order.status, order.value) == (Status.PAID, "1.50 USD")


@pytest.mark.parametrize("fields", [{"price": "x"}, {"price": ""}, {"sale_id": ""}])
def test_what_cannot_be_read(fields: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        said(**fields)


def test_a_gift_is_what_its_giver_paid() -> None:
    receiver = {"price": "0", "email": "bia@example.com", "full_name": "Bia Lima", "purchaser_id": "9"}
    order = said(is_gift_receiver_purchase="true", gift_price="3980", gifter_email="ana@example.com", **receiver)
    assert (order.status, order.value) == (Status.PAID, "39.80 USD")
    assert order.customer and (order.customer.emails, order.customer.name) == (("ana@example.com",), None)
    assert said(gift_price="1", gifter_email="ana@example.com").value == "39.80 USD", "a checkout field of the seller's"


def test_it_declares_that_what_is_refused_is_lost() -> None:
    assert "lost" in GUMROAD.adapter.retry_policy


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("gumroad", "*.txt"):
        order = GUMROAD.order(path.read_bytes().strip())
        told = (order.status, order.value, order.external_id, order.title)
        sale = "#252699543 · The DynamoDB Book - Plus Package"
        assert told == (Status.PAID, "1.50 USD", "GDxsfC0xDX9MI9i2i6d78A==", sale)
