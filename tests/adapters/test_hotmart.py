"""Hotmart: the Hottok, purchases and their events, whose money the value is, times in milliseconds."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Customer, Delivery, Ignored, Order, Status, Strength, Unreadable, Unverified
from adapters.hotmart import Hotmart

ROOT = Path(__file__).parents[2]
# Captured test sends, where the checkout has such a folder beside it; none of them is ours to keep.
PAYLOADS = ROOT.parent / "shared" / "payloads" / "hotmart"
NOW = datetime(2026, 11, 20, 13, 0, 6, tzinfo=UTC)
HOTMART = Hotmart()


def arrived(body: bytes, **headers: str) -> Delivery:
    return Delivery(
        body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}, received_at=NOW
    )


def read(document: object) -> list[Order]:
    delivery = arrived(json.dumps(document).encode())
    return HOTMART.translate(HOTMART.read(delivery, HOTMART.kind_of(delivery, None), None))


def said(event: str, status: str | None = None, *, data: Any = None, **purchase: Any) -> Order:
    document = {
        "id": "d-1",
        "creation_date": 1795179606120,
        "event": event,
        "data": {"purchase": {"transaction": "HP1", "status": status, **purchase}, **(data or {})},
    }
    [order] = read(document)
    return order


def test_the_hottok_is_compared_whole() -> None:
    token = "a-made-up-hottok-of-32-characters"
    assert HOTMART.signature.verify(arrived(b"{}", x_hotmart_hottok=token), ["old", token], NOW) == token
    assert HOTMART.signature.strength is Strength.TOKEN
    for shown in (token[:-1], token + " ", token.upper()):
        with pytest.raises(Unverified):
            HOTMART.signature.verify(arrived(b"{}", x_hotmart_hottok=shown), [token], NOW)
    # The body's copy of it, which version 1 sent, is not looked at.
    with pytest.raises(Unverified):
        HOTMART.signature.verify(arrived(json.dumps({"hottok": token}).encode()), [token], NOW)


def test_the_delivery_has_an_id() -> None:
    assert HOTMART.delivery_id_of(arrived(b'{"id": "545e7d21"}'), None) == "545e7d21"


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
    assert str(order.value) == "1997.00"
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
    assert order.value
    assert (str(order.value), order.value.currency) == (text, currency)
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
        read({"event": event})


@pytest.mark.parametrize("data", [None, [], {}, {"purchase": None}, {"purchase": {"status": "APPROVED"}}])
def test_a_purchase_without_the_needed_is_unreadable(data: object) -> None:
    with pytest.raises(Unreadable):
        read({"event": "PURCHASE_APPROVED", "data": data})


EXPECTED = {
    "PURCHASE_APPROVED__2": Status.PAID,
    "PURCHASE_CANCELED__2": Status.CANCELED,
    "PURCHASE_COMPLETE__2": Status.PAID,
    "PURCHASE_EXPIRED__2": Status.CANCELED,
    "PURCHASE_PROTEST__2": Status.PAID,
}


def test_captured_bodies() -> None:
    found = sorted(PAYLOADS.glob("*.json"))
    print(f"{len(found)} captured bodies found")
    for path in found:
        try:
            [order] = read(json.loads(path.read_bytes()))
        except Ignored:
            assert path.stem not in EXPECTED
        else:
            assert (order.status, str(order.value), order.external_id, order.test) == (
                EXPECTED[path.stem],
                "1500.00",
                "HP16015479281022",
                True,
            )
