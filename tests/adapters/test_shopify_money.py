"""Shopify's money: what an order comes to, what was taken, and what went back by refunds and chargebacks."""

from datetime import UTC, datetime

import pytest

from adapters.contract import Ignored, Unreadable
from tests.adapters.shopify import money_set, order, refund, said, sample, transaction
from tests.reading import folded


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({}, "100.00"),
        ({"total_price": None}, None),
        ({"currency": "JPY", "total_price": "1500"}, "1500"),
        ({"total_price": "1234567890123.45"}, "1234567890123.45"),
        ({"current_total_price": "100.00", "refunds": []}, "100.00"),
        # Given back: the value stays, the refund is told beside it.
        ({"current_total_price": "70.00", "refunds": [refund(transaction("30.00"))]}, "100.00"),
        ({"current_total_price": "100.00", "refunds": [refund(transaction("30.00"))]}, "100.00"),
        ({"financial_status": "refunded", "current_total_price": "0.00", "refunds": []}, "100.00"),
        ({"financial_status": "partially_refunded", "current_total_price": "70.00", "refunds": []}, "100.00"),
        ({"current_total_price": "70.00"}, "100.00"),  # the refunds are trimmed away
        # Edited down before it was paid, and then given back in part.
        ({"current_total_price": "70.00", "refunds": []}, "70.00"),
        ({"current_total_price": "70.00", "refunds": [refund()]}, "70.00"),
        ({"current_total_price": "50.00", "refunds": [refund(transaction("20.00"))]}, "70.00"),
        (
            {
                "financial_status": "refunded",
                "current_total_price": "0.00",
                "refunds": [refund(), refund(transaction("70.00"), id=8)],
            },
            "70.00",
        ),
        # Edited down or returned, and the money is still to go back.
        ({"current_total_price": "70.00", "total_outstanding": "-30.00", "refunds": []}, "100.00"),
        ({"current_total_price": "70.00", "refunds": [refund(transaction("30.00", "pending"))]}, "100.00"),
        # Nothing was ever paid: what it would have been.
        ({"financial_status": "voided", "current_total_price": "0.00", "refunds": [refund()]}, "100.00"),
        ({"cancelled_at": "2026-11-20T10:00:01-03:00", "current_total_price": "0.00", "refunds": []}, "100.00"),
        # Edited up: `total_price` says so itself, or we do not know.
        ({"current_total_price": "130.00", "refunds": []}, "100.00"),
    ],
)
def test_value(fields: dict, value: str | None) -> None:
    read = said("orders/updated", order(**fields))
    currency = fields.get("currency", "BRL")
    assert read.value == (value and f"{value} {currency}")


@pytest.mark.parametrize(
    ("refunds", "told"),
    [
        ([], None),
        ([refund()], None),
        ([refund(transaction("30.00"))], {"7": "30.00 BRL"}),
        ([refund(transaction("30.00"), transaction("12.50"))], {"7": "42.50 BRL"}),
        ([refund(transaction("30.00")), refund(transaction("5"), id=8)], {"7": "30.00 BRL", "8": "5.00 BRL"}),
        ([refund(transaction("30.00", currency=None))], {"7": "30.00 BRL"}),
        ([refund(transaction("30.00", "pending"))], {"7": "30.00 BRL pending"}),
        ([refund(transaction("30.00", "failure"))], {"7": "30.00 BRL failed"}),
        ([refund(transaction("30.00", "error"), transaction("5.00", "pending"))], {"7": "5.00 BRL pending"}),
        ([refund(transaction("30.00"), transaction("5.00", "failure"))], {"7": "30.00 BRL"}),
        ([refund(transaction("30.00", kind="void"))], None),
        ([refund(transaction("0.00"))], None),
        ([refund(transaction(None))], None),
        ([refund(transaction("30.00", currency="USD"))], {"7": "30.00 USD"}),  # nobody says what that is in reais
    ],
)
def test_refunds_of_an_order(refunds: list, told: dict | None) -> None:
    assert said("orders/updated", order(refunds=refunds)).refunds == (told or {})


@pytest.mark.parametrize(
    ("amounts", "back"),
    [(["33.33"], 16665), (["100.00"], 50000), (["0.01"], 5), (["99.99", "0.01"], 50000)],
)
def test_refunds_of_an_order_in_another_currency(amounts: list[str], back: int) -> None:
    read = said(
        "orders/updated",
        order(
            total_price="500.00",
            current_total_price="0.03",  # to the cent only in the buyer's currency, see below
            total_price_set=money_set("500.00", "100.00", "USD"),
            refunds=[refund(*(transaction(amount, currency="USD") for amount in amounts))],
        ),
    )
    result = folded(read)
    assert (result.value, result.refunded_value, result.notes) == (50000, back, ())
    assert result.status == ("refunded" if back == 50000 else "paid")


@pytest.mark.parametrize(
    ("now", "back", "value"),
    [("60.00", None, 30000), ("100.00", None, 50000), ("27.00", "33.00", 30000), ("67.00", "33.00", 50000)],
)
def test_an_order_in_another_currency_that_was_edited_down(now: str, back: str | None, value: int) -> None:
    read = said(
        "orders/updated",
        order(
            total_price="500.00",
            total_price_set=money_set("500.00", "100.00", "USD"),
            current_total_price="0.00",
            current_total_price_set=money_set("0.00", now, "USD"),
            refunds=[refund(transaction(back, currency="USD"))] if back else [],
        ),
    )
    result = folded(read)
    assert (result.status, result.value, result.paid_value) == ("paid", value, value)
    assert result.refunded_value == (16500 if back else 0)


def test_a_lost_chargeback_in_the_buyers_currency() -> None:
    sold = said("orders/paid", order(total_price_set=money_set("100.00", "20.00", "USD")))
    dispute = {"id": 5, "order_id": 1, "type": "chargeback", "amount": "20.00", "currency": "USD"}
    lost = said("disputes/update", {**dispute, "status": "lost", "finalized_on": "2026-12-10T10:00:00-03:00"})
    assert (folded(sold, lost).status, folded(sold, lost).refunded_value) == ("refunded", 10000)
    won = said("disputes/update", {**dispute, "status": "won", "finalized_on": "2026-12-20T10:00:00-03:00"})
    assert (folded(sold, lost, won).status, folded(sold, lost, won).refunded_value) == ("paid", 0)


def test_a_refund_whose_order_tells_no_second_total_is_converted_by_its_lines() -> None:
    lines = [
        {"subtotal_set": money_set("40.00", "8.00", "USD")},
        {"subtotal_set": money_set("10.00", "2.00", "USD")},
        {},
    ]
    back = said("refunds/create", refund(transaction("10.00", currency="USD"), refund_line_items=lines))
    assert folded(said("orders/paid", order()), back).refunded_value == 5000
    bare = said("refunds/create", refund(transaction("10.00", currency="USD"), refund_line_items=[{}]))
    result = folded(said("orders/paid", order()), bare)
    assert (result.refunded_value, result.notes) == (0, ("other_currency",))
    # Where the order tells it, the order's own two totals count: all of it is all.
    uneven = [{"subtotal_set": money_set("33.33", "6.67", "USD")}]
    everything = said("refunds/create", refund(transaction("20.00", currency="USD"), refund_line_items=uneven))
    sold = said("orders/paid", order(total_price_set=money_set("100.00", "20.00", "USD")))
    assert folded(sold, everything).status == "refunded"


@pytest.mark.parametrize(
    ("fields", "status", "paid"),
    [
        ({}, "paid", 10000),
        ({"financial_status": "partially_paid", "total_outstanding": "60.00"}, "partially_paid", 4000),
        ({"financial_status": "partially_paid"}, "partially_paid", 0),  # and noted
        ({"financial_status": "authorized"}, "pending", 0),
        ({"financial_status": "voided"}, "canceled", 0),
        ({"cancelled_at": "2026-11-20T10:00:01-03:00"}, "paid", 10000),  # and nothing went back
        ({"financial_status": "pending", "cancelled_at": "2026-11-20T10:00:01-03:00"}, "canceled", 0),
        ({"financial_status": "refunded"}, "refunded", 10000),  # the refunds are trimmed away
        ({"financial_status": "in_review"}, "pending", 0),
    ],
)
def test_what_was_taken(fields: dict, status: str, paid: int) -> None:
    result = folded(said("orders/updated", order(**fields)))
    assert (result.status, result.value, result.paid_value) == (status, 10000, paid)
    assert ("canceled_unrefunded" in result.notes) is (fields.get("cancelled_at") is not None and paid > 0)
    assert ("paid_value_unknown" in result.notes) is (status == "partially_paid" and not paid)


def test_cash_that_was_rounded_at_the_counter() -> None:
    rounded = {"total_cash_rounding_payment_adjustment_set": money_set("0.02", "0.02", "BRL")}
    result = folded(
        said("orders/updated", order(total_price="9.98", refunds=[refund(transaction("10.00"))], **rounded))
    )
    assert (result.status, result.value, result.paid_value, result.refunded_value) == ("refunded", 998, 1000, 998)
    assert result.notes == ()


def test_cash_that_was_rounded_down_is_what_the_order_comes_to() -> None:
    rounded = {"total_cash_rounding_payment_adjustment_set": money_set("-0.02", "-0.02", "BRL")}
    paid = said("orders/paid", order(total_price="10.02", **rounded))
    assert (folded(paid).status, folded(paid).value, folded(paid).paid_value) == ("paid", 1000, 1000)
    result = folded(paid, said("refunds/create", refund(transaction("10.00"))))
    assert (result.status, result.value, result.refunded_value) == ("refunded", 1000, 1000)


def test_a_refund_that_failed_later_is_none() -> None:
    paid, back = said("orders/paid", order()), said("refunds/create", refund(transaction("30.00")))
    failed = said(
        "orders/updated",
        order(refunds=[refund(transaction("30.00", "failure"))], updated_at="2026-11-25T10:00:00-03:00"),
    )
    assert [folded(paid, back).refunded_value, folded(paid, back, failed).refunded_value] == [3000, 0]


def test_a_created_refund() -> None:
    read = said("refunds/create", refund(transaction("30.00"), order_id=450789469))
    assert (read.external_id, read.status, read.value) == ("450789469", None, None)
    assert read.at == datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert read.refunds == {"7": "30.00 BRL"}
    later = refund(transaction("30.00"), processed_at="2026-11-22T10:00:00-03:00")
    assert said("refunds/create", later).at == datetime(2026, 11, 22, 13, tzinfo=UTC)


def test_the_currency_of_a_created_refund() -> None:
    """The sample notification leaves the transactions' currency empty; the refund names the shop's elsewhere."""
    bare = refund(transaction("30.00", currency=None))
    assert said("refunds/create", {**bare, "total_duties_set": money_set("0.00", "0.00", "USD")}).refunds == {
        "7": "30.00 BRL"
    }
    with pytest.raises(Unreadable, match=r"transactions\.currency"):
        said("refunds/create", bare)


@pytest.mark.parametrize("transactions", [[], [transaction("0.00")], [transaction("30.00", kind="void")]])
def test_a_refund_that_moved_no_money_is_ignored(transactions: list) -> None:
    with pytest.raises(Ignored, match="no money"):
        said("refunds/create", refund(*transactions))


def test_a_created_refund_in_another_currency_waits_for_the_order() -> None:
    created = refund(transaction("33.33", currency="USD"), id=800000021, order_id=5000000001004)
    assert said("refunds/create", created).refunds == {"800000021": "33.33 USD"}
    result = folded(sample("other_currency"), said("refunds/create", created), sample("other_currency_refunded_partly"))
    assert (result.value, result.refunded_value) == (50000, 16665)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        ("lost", "chargeback", "100.00 BRL"),
        ("accepted", "chargeback", "100.00 BRL"),
        ("won", "chargeback", "100.00 BRL reversed"),
        ("needs_response", "chargeback", "100.00 BRL pending"),
        ("under_review", "chargeback", "100.00 BRL pending"),
        ("prevented", "chargeback", "100.00 BRL reversed"),
        ("charge_refunded", "chargeback", "100.00 BRL reversed"),  # it comes as a refund
        ("new_word", "chargeback", None),
        ("accepted", "inquiry", None),
        ("lost", None, None),
    ],
)
def test_chargebacks(status: str, kind: str | None, told: str | None) -> None:
    dispute = {"id": 5, "order_id": 1, "type": kind, "status": status, "amount": "100.00", "currency": "BRL"}
    if told:
        read = said("disputes/update", {**dispute, "finalized_on": "2026-12-10T10:00:00-03:00"})
        assert read.refunds == {"dispute:5": told}
        assert read.order.refunds[0].kind == "chargeback"
        assert read.at == datetime(2026, 12, 10, 13, tzinfo=UTC)
    else:
        with pytest.raises(Ignored, match="no chargeback"):
            said("disputes/update", dispute)
