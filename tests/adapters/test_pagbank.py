"""PagBank: the token's digest, and orders that are the sum of their charges."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Customer, Ignored, Status, Strength, Unreadable, Unverified
from tests.reading import OrderView, Source, arrived, folded

PAGBANK = Source("pagbank")
CREATED, PAID_AT = "2026-11-20T10:00:00.100-03:00", "2026-11-20T10:00:05.000-03:00"


def charge(status: str, value: int = 39800, *, refunded: int = 0, **fields: Any) -> dict[str, Any]:
    amount = {"value": value, "currency": "BRL", "summary": {"refunded": refunded}}
    paid = {"paid_at": PAID_AT} if status == "PAID" else {}
    return {"id": f"CHAR_{status}_{value}", "status": status, "amount": amount, "created_at": CREATED, **paid, **fields}


def said(*charges: object, **fields: Any) -> OrderView:
    return PAGBANK.order({"id": "ORDE_1", "created_at": CREATED, "charges": list(charges), **fields})


# -- Signature ----------------------------------------------------------------------------------------------------


def test_the_manuals_construction() -> None:
    """`{token}-{payload}`, SHA-256; the manual shows a result without its token, so this value was computed apart."""
    body = '{"id":"CHAR_MADE-UP","status":"WAITING","description":"Ação"}'.encode()
    shown = "837d0940bbf28bf72f475a509110da833e20d1ca1d92e9c7b01244236ce3770c"
    token = "made-up-account-token"
    assert PAGBANK.verify(arrived(body, x_authenticity_token=shown), "old", token) == token
    assert PAGBANK.scheme.strength is Strength.MAC
    for other in (body + b" ", body.replace(b'","', b'", "'), b""):
        assert PAGBANK.refuse(arrived(other, x_authenticity_token=shown), token) == Unverified.MISMATCH
    # The token alone, or the other way round, is another thing.
    for wrong in (token.encode(), body + b"-" + token.encode(), token.encode() + body):
        digest = hashlib.sha256(wrong).hexdigest()
        PAGBANK.refuse(arrived(body, x_authenticity_token=digest), token)


def test_without_a_signature_it_is_refused() -> None:
    for headers in ({}, {"x_payload_signature": "MEYCIQD"}):
        assert PAGBANK.refuse(arrived(b"{}", **headers), "made-up-account-token") == Unverified.MISSING


# -- What it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"), [("ORDE_1", "order"), ("CHAR_1", "charge"), ("CHEC_1", "CHEC"), ("CBKS_1", "CBKS"), ("1", "1")]
)
def test_the_ids_prefix_is_the_kind(name: str, kind: str) -> None:
    assert PAGBANK.kind({"id": name}) == kind


@pytest.mark.parametrize("name", ["CHEC_1", "CBKS_1", "SUBS_1"])
def test_what_is_no_order_is_ignored(name: str) -> None:
    with pytest.raises(Ignored):
        PAGBANK.orders({"id": name, "status": "PAID"})


# -- Orders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status", "value"),
    [
        (["WAITING"], Status.PENDING, "398.00"),
        (["IN_ANALYSIS"], Status.PENDING, "398.00"),
        (["AUTHORIZED"], Status.PENDING, "398.00"),
        (["PAID"], Status.PAID, "398.00"),
        (["DECLINED"], Status.FAILED, "398.00"),
        (["CANCELED"], Status.CANCELED, "398.00"),
        (["SOMETHING_NEW"], Status.PENDING, "398.00"),
        ([""], Status.PENDING, "398.00"),  # which says nothing
        (["PAID", "PAID"], Status.PAID, "796.00"),
        (["PAID", "IN_ANALYSIS"], Status.PARTIALLY_PAID, "796.00"),
        (["PAID", "SOMETHING_NEW"], Status.PARTIALLY_PAID, "796.00"),
        (["DECLINED", "PAID"], Status.PAID, "398.00"),
        (["PAID", "DECLINED"], Status.PAID, "398.00"),
        (["DECLINED", "WAITING"], Status.PENDING, "398.00"),
        (["DECLINED", "CANCELED"], Status.CANCELED, "398.00"),
    ],
)
def test_charges_add_up(words: list[str], status: object, value: str) -> None:
    order = said(*(charge(word) for word in words))
    assert (folded(order).status, order.value) == (status, f"{value} BRL")


def test_a_word_that_is_not_in_the_table_is_unknown() -> None:
    assert said(charge("SOMETHING_NEW")).status is UNKNOWN


def test_a_pix_that_waits_has_no_charge_yet() -> None:
    order = said(qr_codes=[{"amount": {"value": 39800}}])
    assert (order.status, order.value, order.at) == (Status.PENDING, "398.00 BRL", None)
    assert said(qr_codes=[{"amount": {"currency": "BRL"}}]).value is None


def test_the_crms_ids_may_stand_on_different_charges() -> None:
    first, second = charge("PAID", metadata={"deal_id": 7}), charge("PAID", 100, metadata={"crm_contact_id": "42"})
    order = said(charge("WAITING", metadata={}), first, second)
    assert (order.deal_id, order.customer) == ("7", Customer(crm_id="42", country="BR"))


def test_refunds_go_by_the_charge() -> None:
    partly = said(charge("PAID", refunded=9950))
    assert (partly.status, partly.refunds, partly.at) == (Status.PAID, {"total": "99.50 BRL"}, None)
    whole = said(charge("CANCELED", refunded=39800))
    assert (folded(whole).status, whole.refunds, whole.at) == (Status.REFUNDED, {"total": "398.00 BRL"}, None)


def test_no_time_is_the_statements_own() -> None:
    paid, waiting = said(charge("PAID")), said(charge("WAITING"))
    assert (paid.at, paid.paid_at) == (None, datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC))
    assert (waiting.at, waiting.paid_at) == (None, None)
    later = charge("PAID", 100, paid_at="2026-11-20T14:00:00")
    assert said(charge("PAID"), later).paid_at == datetime(2026, 11, 20, 14, tzinfo=UTC)


def test_customer_title_and_items() -> None:
    buyer = {"name": "Ana", "email": "ana@example.com", "tax_id": "52998224725"}
    phones = [{"country": "55", "area": "11", "number": "900000000"}, {"number": None}]
    items = [{"name": "Shoes", "quantity": 2, "unit_amount": 19900}, {"name": "Socks"}]
    order = said(charge("PAID"), customer={**buyer, "phones": phones}, items=items, reference_id="1001")
    assert order.customer
    assert (order.customer.phones, order.customer.documents) == (("+55 11 900000000",), ("52998224725",))
    assert order.title == "#1001 · Shoes +1"
    assert order.items
    assert (order.items[0].quantity, str(order.items[0].unit_value), order.items[1].unit_value) == (2, "199.00", None)
    # PagBank's own plugin for WooCommerce used to put a password there.
    assert said(charge("PAID"), reference_id='{"id":"456","password":"made up"}').title is None


def test_a_charge_alone() -> None:
    holder = {"name": "Ana", "email": "ana@example.com", "tax_id": "52998224725"}
    document = charge("PAID", id="CHAR_1", description="Shoes", payment_method={"boleto": {"holder": holder}})
    order = PAGBANK.order(document)
    assert (order.external_id, order.preference, order.title) == ("CHAR_1", 1, "Shoes")
    assert order.customer
    assert order.customer.documents == ("52998224725",)


@pytest.mark.parametrize(
    "document",
    [
        {"id": "ORDE_1", "charges": [None]},
        {"id": "ORDE_1", "charges": [{"id": "CHAR_1", "status": "PAID"}]},
        {"id": "CHAR_1", "status": "PAID", "amount": {"value": 1.5}},
        {"id": "CHAR_1", "amount": {"value": 1}},
        {"status": "PAID"},
        [],
    ],
)
def test_what_lacks_the_needed_is_unreadable(document: object) -> None:
    with pytest.raises(Unreadable):
        PAGBANK.orders(document)
