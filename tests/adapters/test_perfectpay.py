"""Perfect Pay: the token in the body, the numbers of the status, two times only."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Customer, Delivery, Ignored, Status, Strength, Unreadable
from tests.reading import OrderView, Source, arrived

TOKEN = "0123456789abcdef0123456789abcdef"
PERFECT_PAY = Source("perfectpay")


def said(number: object, **fields: Any) -> OrderView:
    return PERFECT_PAY.order({"token": TOKEN, "code": "PPCP1", "sale_status_enum": number, **fields})


def test_the_token_is_in_the_body() -> None:
    def shown(token: object) -> Delivery:
        return arrived({"token": token, "code": "PPCP1"})

    assert PERFECT_PAY.verify(shown(TOKEN), "old", TOKEN) == TOKEN
    assert PERFECT_PAY.scheme.strength is Strength.TOKEN
    for token in (TOKEN[:-1], TOKEN.upper(), "", None, 0, True, {"token": TOKEN}):
        PERFECT_PAY.refuse(shown(token), TOKEN)
    for body in (b"", b"[]", b"null", b"{}", b"token=" + TOKEN.encode(), b"\xff"):
        PERFECT_PAY.refuse(body, TOKEN)
    signed = PERFECT_PAY.sign(shown(""), TOKEN)
    assert json.loads(signed.body) == {"token": TOKEN, "code": "PPCP1"}


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (0, None),
        (1, Status.PENDING),
        (2, Status.PAID),
        ("2", Status.PAID),
        (3, Status.PENDING),
        (4, Status.PAID),
        (5, Status.FAILED),
        (6, Status.CANCELED),
        (7, Status.REFUNDED),
        (8, Status.PENDING),  # authorized is not captured
        (9, Status.REFUNDED),
        (10, Status.PAID),
        (11, Status.FAILED),
        (13, Status.CANCELED),
        (14, UNKNOWN),
        (16, Status.PENDING),
        (15, Status.CANCELED),  # from here on only the manual of the API has them
        (17, Status.PAID),
        (18, Status.PAID),
        (19, Status.REFUNDED),
        (20, Status.PAID),
        (21, UNKNOWN),
        ("approved", UNKNOWN),
    ],
)
def test_statuses(number: object, status: object) -> None:
    order = said(number)
    assert (order.status, order.source_status) == (status, str(number))
    assert said(number, sale_status_enum_key="their word").source_status == "their word"


@pytest.mark.parametrize("number", [12, "12"])
def test_a_cart_is_no_order(number: object) -> None:
    with pytest.raises(Ignored):
        PERFECT_PAY.orders({"code": "PPCP1", "sale_status_enum": number})


@pytest.mark.parametrize("number", [1, 2, 4, 10, 3, 6, 7])
def test_times_are_brasilias_and_none_is_the_statements_own(number: int) -> None:
    order = said(number, date_created="2026-11-20 10:00:00", date_approved="2026-11-20 10:00:05")
    created, approved = datetime(2026, 11, 20, 13, 0, 0, tzinfo=UTC), datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert order.at is None
    assert (order.ordered_at, order.paid_at) == (created, approved)
    assert said(1, date_created="", date_approved=None).ordered_at is None


@pytest.mark.parametrize(
    ("fields", "text", "currency"),
    [
        ({"sale_amount": 385, "currency_enum": 1}, "385.00", "BRL"),
        ({"sale_amount": 226.9}, "226.90", "BRL"),
        ({"sale_amount": "19.90", "currency_enum": "2"}, "19.90", "USD"),
        ({"sale_amount": 5, "currency_enum": 3}, "5.00", "EUR"),
        ({"sale_amount": 5, "currency_enum": 77, "currency_enum_key": "MXN"}, "5.00", "MXN"),
        ({"sale_amount": 5, "commission": [{"commission_amount": 3.7}]}, "5.00", "BRL"),
    ],
)
def test_money_is_in_units(fields: dict[str, Any], text: str, currency: str) -> None:
    order = said(2, **fields)
    assert order.value == f"{text} {currency}"


@pytest.mark.parametrize(
    ("parts", "number"),
    [
        ({"phone_extension": "55", "phone_area_code": "11", "phone_number": "900000001"}, ("+5511900000001",)),
        ({"phone_extension": "+55", "phone_area_code": "11", "phone_number": "900000001"}, ("+5511900000001",)),
        ({"phone_area_code": "11", "phone_number": "900000001"}, ("11900000001",)),
        ({"phone_extension": "55"}, ()),
        ({}, ()),
    ],
)
def test_the_phone_comes_in_parts(parts: dict[str, str], number: tuple[str, ...]) -> None:
    assert (said(2, customer=parts).customer or Customer()).phones == number


def test_the_plan_names_the_goods() -> None:
    assert said(2, plan={"name": "3 potes"}, product={"name": "Chá"}).title == "#PPCP1 · 3 potes"
    assert said(2, plan=None, product={"name": "Chá"}).title == "#PPCP1 · Chá"
    assert said(2, plan={"name": ""}, product=[]).items is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"code": "PPCP1"},
        {"sale_status_enum": 2},
        {"code": "", "sale_status_enum": 2},
        {"code": "1", "sale_status_enum": None},
        {"code": "1", "sale_status_enum": 2, "sale_amount": 5, "currency_enum": 77},
        {"code": "1", "sale_status_enum": 2, "date_approved": "soon"},
    ],
)
def test_what_cannot_be_read(document: object) -> None:
    with pytest.raises(Unreadable):
        PERFECT_PAY.orders(document)
