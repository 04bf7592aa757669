"""Hotmart: the Hottok, purchases and their events, whose money the value is, times in milliseconds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Customer, Ignored, Status, Strength, Unreadable
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived

HOTMART = Source("hotmart")


def said(event: str, status: str | None = None, *, data: Any = None, **purchase: Any) -> OrderView:
    document = {
        "id": "d-1",
        "creation_date": 1795179606120,
        "event": event,
        "data": {"purchase": {"transaction": "HP1", "status": status, **purchase}, **(data or {})},
    }
    return HOTMART.order(document)


def test_the_hottok_is_compared_whole() -> None:
    token = "a-made-up-hottok-of-32-characters"
    assert HOTMART.verify(arrived(b"{}", x_hotmart_hottok=token), "old", token) == token
    assert HOTMART.scheme.strength is Strength.TOKEN
    for shown in (token[:-1], token + " ", token.upper()):
        HOTMART.refuse(arrived(b"{}", x_hotmart_hottok=shown), token)
    # The body's copy of it, which version 1 sent, is not looked at.
    HOTMART.refuse({"hottok": token}, token)


def test_the_delivery_has_an_id() -> None:
    assert HOTMART.delivery_id(b'{"id": "545e7d21"}') == "545e7d21"


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("PURCHASE_BILLET_PRINTED", "BILLET_PRINTED", Status.PENDING),
        ("PURCHASE_APPROVED", "APPROVED", Status.PAID),
        ("PURCHASE_APPROVED", None, Status.PAID),
        ("PURCHASE_COMPLETE", "COMPLETED", Status.PAID),
        ("PURCHASE_PROTEST", "DISPUTE", Status.PAID),  # asked for, not given back
        ("PURCHASE_DELAYED", "DELAYED", Status.OVERDUE),
        ("PURCHASE_CANCELED", "CANCELED", Status.CANCELED),
        ("PURCHASE_EXPIRED", "EXPIRED", Status.CANCELED),
        ("PURCHASE_REFUNDED", "REFUNDED", Status.REFUNDED),
        ("PURCHASE_CHARGEBACK", "CHARGEBACK", Status.REFUNDED),
        ("PURCHASE_REFUNDED", "APPROVED", Status.REFUNDED),
        ("PURCHASE_APPROVED", "SOMETHING_NEW", UNKNOWN),  # a word nobody knows never becomes paid
    ],
)
def test_statuses(event: str, word: str | None, status: object) -> None:
    order = said(event, word)
    assert (order.status, order.source_status) == (status, word)


def test_a_declined_card_is_a_failed_purchase() -> None:
    assert said("PURCHASE_CANCELED", "CANCELED", payment={"refusal_reason": "no funds"}).status is Status.FAILED
    assert said("PURCHASE_CANCELED", "CANCELED", payment={"refusal_reason": ""}).status is Status.CANCELED
    assert said("PURCHASE_REFUNDED", "REFUNDED", payment={"refusal_reason": "x"}).status is Status.REFUNDED


def test_the_value_is_the_price_and_nobodys_share() -> None:
    order = said(
        "PURCHASE_APPROVED",
        price={"value": 1997, "currency_value": "BRL"},
        full_price={"value": 2626.56, "currency_value": "BRL"},
        original_offer_price={"value": 2497, "currency_value": "BRL"},
        data={"commissions": [{"value": 10.5, "source": "PRODUCER"}], "product": {"id": 7, "name": "Curso"}},
    )
    assert order.value == "1997.00 BRL"
    assert order.items
    assert [(item.title, str(item.unit_value)) for item in order.items] == [("Curso", "2497.00")]


@pytest.mark.parametrize(
    ("purchase", "text", "currency"),
    [
        ({"price": {"value": 158.49}}, "158.49", "BRL"),
        ({"price": {"value": "0.1", "currency_value": "usd"}}, "0.10", "USD"),
        ({"price": {"value": 1500, "currency_value": "CLP"}}, "1500", "CLP"),
        ({"full_price": {"value": 5}}, "5.00", "BRL"),
    ],
)
def test_money_is_in_units(purchase: dict[str, Any], text: str, currency: str) -> None:
    order = said("PURCHASE_APPROVED", **purchase)
    assert order.value == f"{text} {currency}"
    assert said("PURCHASE_APPROVED").value is None


def test_times() -> None:
    dates: dict[str, Any] = {"order_date": 1795179600000, "approved_date": 1795179605000}
    paid = said("PURCHASE_APPROVED", **dates)
    assert paid.at == datetime(2026, 11, 20, 13, 0, 6, 120000, tzinfo=UTC)
    assert paid.ordered_at == datetime(2026, 11, 20, 13, 0, 0, tzinfo=UTC)
    assert paid.paid_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    # Days later: paid when it was approved, not when the guarantee ended.
    assert said("PURCHASE_COMPLETE", **dates).paid_at == paid.paid_at
    assert said("PURCHASE_REFUNDED", **dates).paid_at == paid.paid_at
    # Test sends carry a date of approval whatever they say.
    assert said("PURCHASE_CANCELED", **dates).paid_at is None
    assert said("PURCHASE_EXPIRED", **dates).paid_at is None


def test_the_buyers_name_and_document() -> None:
    def buyer(**fields: str) -> Customer:
        return said("PURCHASE_APPROVED", data={"buyer": fields}).customer or Customer()

    assert buyer(first_name="Ana", last_name="Souza").name == "Ana Souza"
    assert buyer(document="52998224725").documents == ("52998224725",)
    assert buyer(document="52998224725", document_type="CC").documents == ()  # Colombia's


def test_a_part_given_back_leaves_it_paid() -> None:
    assert said("PURCHASE_REFUNDED", "PARTIALLY_REFUNDED").status is Status.PAID


@pytest.mark.parametrize(
    ("phone", "area", "expected"),
    [
        ("90000-0000", "011", ("1190000-0000",)),
        ("11900000001", "", ("11900000001",)),
        ("11900000001", "11", ("11900000001",)),
        ("900000001", "11", ("11900000001",)),
        ("30000001", "11", ("1130000001",)),
        ("99999999900", "999999999", ("99999999900",)),
        ("900000001", "999999999", ("900000001",)),
        ("", "11", ()),
        (None, None, ()),
    ],
)
def test_the_phone_gets_its_area_code(phone: str | None, area: str | None, expected: tuple[str, ...]) -> None:
    order = said("PURCHASE_APPROVED", data={"buyer": {"checkout_phone": phone, "checkout_phone_code": area}})
    assert (order.customer or Customer()).phones == expected


def test_product_0_is_a_test() -> None:
    assert said("PURCHASE_APPROVED", data={"product": {"id": 0, "name": "Produto test postback2"}}).test is True
    assert said("PURCHASE_APPROVED", data={"product": {"id": 3120077}}).test is None


@pytest.mark.parametrize(
    "event",
    [
        "PURCHASE_OUT_OF_SHOPPING_CART",
        "SUBSCRIPTION_CANCELLATION",
        "SWITCH_PLAN",
        "UPDATE_SUBSCRIPTION_CHARGE_DATE",
        "CLUB_FIRST_ACCESS",
    ],
)
def test_what_is_no_order_is_ignored(event: str) -> None:
    with pytest.raises(Ignored):
        HOTMART.orders({"event": event})


@pytest.mark.parametrize("data", [None, [], {}, {"purchase": None}, {"purchase": {"status": "APPROVED"}}])
def test_a_purchase_without_the_needed_is_unreadable(data: object) -> None:
    with pytest.raises(Unreadable):
        HOTMART.orders({"event": "PURCHASE_APPROVED", "data": data})


EXPECTED = {
    "PURCHASE_APPROVED__2": Status.PAID,
    "PURCHASE_CANCELED__2": Status.CANCELED,
    "PURCHASE_COMPLETE__2": Status.PAID,
    "PURCHASE_EXPIRED__2": Status.CANCELED,
    "PURCHASE_PROTEST__2": Status.PAID,
    "SUBSCRIPTION_CANCELLATION__2": None,
    "SWITCH_PLAN__2": None,
}


def test_captured_bodies(payloads: Payloads) -> None:
    for path in payloads("hotmart"):
        try:
            order = HOTMART.order(path.read_bytes())
        except Ignored:
            assert EXPECTED[path.stem] is None
        else:
            assert (order.status, order.value, order.test) == (EXPECTED[path.stem], "1500.00 BRL", True)
            assert order.external_id == "HP16015479281022"
