"""The money of the adapter without code: units and currencies, payments, and refunds."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import Money, Unreadable
from tests.adapters.generic import MONEY, PAYMENT, REFUND, WORDS, said, source
from tests.reading import OrderView, folded


@pytest.mark.parametrize(
    ("unit", "amount", "currency", "text"),
    [
        ("major", "199.9", "BRL", "199.90"),
        ("major", 199.9, "brl", "199.90"),
        ("minor", 19990, "BRL", "199.90"),
        ("minor", "1500", "JPY", "1500"),
        ("minor", 19990.0, "BRL", "199.90"),
        (2, 150000, "JPY", "1500"),
        ("3", 12500, "KWD", "12.500"),
        (0, 5, "USD", "5.00"),
    ],
)
def test_money(unit: object, amount: object, currency: str, text: str) -> None:
    order = said({"v": amount, "c": currency}, fields={"value": "v", "currency": "c"}, money={"unit": unit})
    assert order.value == f"{text} {currency.upper()}"
    constant = said({"v": amount}, fields={"value": "v"}, money={"unit": unit, "currency": currency})
    assert constant.value == order.value


@pytest.mark.parametrize(
    ("written", "text"), [("R$ 1.398,00", "1398.00"), ("1398,5", "1398.50"), (1398.5, "1398.50"), ("1.398", "1398.00")]
)
def test_money_with_a_comma(written: object, text: str) -> None:
    money = {"unit": "major", "currency": "BRL", "decimal": ","}
    assert said({"v": written}, fields={"value": "v"}, money=money).value == f"{text} BRL"


@pytest.mark.parametrize(
    ("unit", "amount", "currency", "text"),
    [
        ("major", "2.5", "IRHT", "25000.00 IRR"),
        ("major", "12.345", "IRHT", "123450.00 IRR"),
        ("major", "398.00", "R$", "398.00 BRL"),
        ("major", "398.00", "986", "398.00 BRL"),
        ("minor", 39800, "R$", "398.00 BRL"),
        ("major", "1", "IRR", "1.00 IRR"),
    ],
)
def test_words_for_currencies(unit: str, amount: object, currency: str, text: str) -> None:
    currencies = {"IRHT": "10000 IRR", "R$": "BRL", "986": "BRL"}
    money = {"unit": unit, "currencies": currencies, "currency": "BRL"}
    assert said({"v": amount, "c": currency}, fields={"value": "v", "currency": "c"}, money=money).value == text


def test_prices_of_items_are_rounded_and_amounts_are_not() -> None:
    fields = {"items": "l", "item_title": "n", "item_unit_value": "v"}
    order = said({"l": [{"n": "Fuel", "v": "5.899"}]}, fields=fields, money=MONEY)
    assert order.items[0].unit_value == Money(590, "BRL")
    for amount in ("5.899", "5.890", Decimal("1.500")):
        with pytest.raises(Unreadable, match="more decimals"):
            said({"v": str(amount)}, fields={"value": "v"}, money=MONEY)


def test_an_amount_in_cents_is_whole() -> None:
    with pytest.raises(Unreadable, match="whole"):
        said({"v": 199.9}, fields={"value": "v"}, money={"unit": "minor", "currency": "BRL"})


def test_no_float_touches_money() -> None:
    given = source(fields={"value": "sum(l[].p)"}, money={"unit": "major", "currency": "BRL"})
    body = b'{"event":"o","id":"1","l":[{"p":0.1},{"p":0.2},{"p":12345678901.15}]}'
    order = given.order(body)
    assert order.value == "12345678901.45 BRL"
    for expression, text in (
        ("to_number('19.90')", "19.90"),
        ("to_number(t)", "0.30"),
        ("avg(l[].p)", "0.15"),
        ("max(l[].p)", "0.20"),
        ("l[?p > `0`] | [0].p", "0.10"),
        ("sort_by(l, &p)[-1].p", "0.20"),
        ("to_number(to_string(l[0].p))", "0.10"),
        ("abs(l[0].p)", "0.10"),
    ):
        order = said(
            {"l": [{"p": 0.1}, {"p": 0.2}], "t": "0.3"},
            fields={"value": expression},
            money={"unit": "major", "currency": "BRL"},
        )
        assert order.value == f"{text} BRL", expression


def test_payments_and_refunds() -> None:
    money = {"unit": "major", "currency": "BRL"}
    fields = {"value": "total", "at": "at", "status": "state", **PAYMENT, **REFUND}
    payments = [
        {"id": 1, "v": "60.00", "s": "ok", "at": "2026-11-20T10:00:00Z"},
        {"id": 2, "v": "40.00", "s": "no"},
        {"id": 3, "v": "40.00", "s": "seen"},
    ]
    part = said(
        {"total": "100.00", "at": "2026-11-20T10:00:00Z", "state": "open", "p": payments},
        fields=fields,
        money=money,
        statuses={"open": "pending"},
        **WORDS,
    )
    assert part.payments == {"1": "60.00 BRL taken", "2": "40.00 BRL failed", "3": "40.00 BRL"}
    assert (folded(part).status, folded(part).paid_value) == ("partially_paid", 6000)

    def later(day: int, **more: Any) -> OrderView:
        return said({"at": f"2026-11-{day}T10:00:00Z", **more}, fields=fields, money=money, **WORDS)

    whole = later(21, p=[{"id": 3, "v": "40.00", "s": "ok"}])
    back = later(22, r=[{"id": "a", "v": "40.00", "s": "ok", "of": "3"}, {"id": "b", "v": "9.00", "s": "sent"}])
    undone = later(23, r=[{"id": "a", "v": "40.00", "s": "won"}])
    assert back.refunds == {"a": "40.00 BRL", "b": "9.00 BRL pending"}
    ends = [folded(*told) for told in ((part, whole), (part, whole, back), (part, whole, back, undone))]
    assert [(one.status, one.value, one.refunded_value) for one in ends] == [
        ("paid", 10000, 0),
        ("paid", 10000, 4000),
        ("paid", 10000, 0),
    ]


def test_one_payment_or_refund_of_an_order_itself() -> None:
    money = {"unit": "minor", "currency": "BRL"}
    fields = {"payment_value": "paid", "payment_state": "s", "refund_value": "back", "refund_id": "back_id"}
    fields |= {"refund_chargeback": "kind == 'chargeback'"}
    told = said({"paid": 500, "s": "ok"}, fields=fields, money=money, **WORDS)
    assert (told.payments, told.refunds) == ({"": "5.00 BRL taken"}, {})
    back = said({"back": 500, "back_id": 7, "kind": "chargeback"}, fields=fields, money=money, **WORDS)
    assert (back.payments, back.refunds) == ({}, {"7": "5.00 BRL"})
    assert [refund.kind for refund in back.order.refunds] == ["chargeback"]
    one = folded(told, back)
    assert (one.status, one.value) == ("refunded", 500)


def test_a_state_that_nobody_knows_takes_and_gives_nothing() -> None:
    money = {"unit": "major", "currency": "BRL"}
    order = said(
        {"p": [{"v": 1, "s": "?"}], "r": [{"v": 1, "s": "?"}]}, fields={**PAYMENT, **REFUND}, money=money, **WORDS
    )
    assert (order.payments, list(order.refunds.values())) == ({"": "1.00 BRL"}, ["1.00 BRL pending"])
    assert order.notes == ("unknown_status",)


def test_a_refund_without_an_amount_is_noted() -> None:
    order = said({"v": 5, "r": [{"id": 1, "s": "ok"}]}, fields={"value": "v", **REFUND}, money=MONEY, **WORDS)
    assert folded(order).notes == ("refund_without_amount",)


def test_refunds() -> None:
    money = {"unit": "major", "currency": "BRL"}
    fields = {"refunded_value": "r.v"}
    refund = {"r": {"v": 5, "id": 7}}
    assert said(refund, fields=fields, money=money).refunds == {"total": "5.00 BRL"}
    assert said(refund, fields={**fields, "refund_id": "r.id"}, money=money).refunds == {"7": "5.00 BRL"}
