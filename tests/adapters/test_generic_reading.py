"""What the adapter without code reads: the kind and the id of a delivery, and an order by its expressions."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable
from tests.adapters.generic import said, sent, source
from tests.reading import NOW, arrived


@pytest.mark.parametrize(
    ("place", "kind"),
    [("header:X-Topic", "h"), ("query:topic", "q"), ("field:data.type", "f"), ("always:sale", "sale")],
)
def test_where_the_kind_and_the_id_are(place: str, kind: str) -> None:
    delivery = sent({"data": {"type": "f"}}, {"x-topic": "h"}, {"topic": "q"})
    assert source(kind=place).kind(delivery) == kind
    if not place.startswith("always"):
        assert source(delivery_id=place).delivery_id(delivery) == kind
        with pytest.raises(Unreadable, match="option kind"):
            source(kind=place).kind({})
        assert source(delivery_id=place).delivery_id(b"not json") is None
    assert source().delivery_id(delivery) is None


def test_which_kinds_are_read() -> None:
    given = source(reads="order.*, sale", ignores=["order.draft"])
    for kind, is_read in (
        ("order.paid", True),
        ("sale", True),
        ("order.draft", False),
        ("sales", False),
        ("cart", False),
    ):
        body = {"event": kind, "id": "1"}
        if is_read:
            assert given.orders(body)
        else:
            with pytest.raises(Ignored):
                given.orders(body)


@pytest.mark.parametrize(
    ("word", "status", "source_status"),
    [
        ("paid", Status.PAID, "paid"),
        ("PAID", UNKNOWN, "PAID"),
        ("sent", None, "sent"),
        (7, Status.REFUNDED, "7"),
        ("order.closed", Status.CANCELED, "order.closed"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_status(word: object, status: object, source_status: str | None) -> None:
    statuses = {"paid": "paid", "sent": "none", "7": "refunded", "order.closed": "canceled"}
    order = said({"state": word}, fields={"status": "state"}, statuses=statuses)
    assert (order.status, order.source_status) == (status, source_status)


def test_without_a_status_the_kind_is_the_word() -> None:
    given = source(**{"statuses": {"order.paid": "paid"}})
    assert [order.status for order in given.orders({"event": "order.paid", "id": "1"})] == [Status.PAID]
    assert [order.status for order in given.orders({"event": "order.seen", "id": "1"})] == [UNKNOWN]


@pytest.mark.parametrize(
    ("times", "zone", "written", "expected"),
    [
        ("iso", "UTC", "2026-11-20T13:00:06Z", NOW),
        ("iso", "America/Sao_Paulo", "2026-11-20 10:00:06", NOW),
        ("iso", "-03:00", "2026-11-20T10:00:06", NOW),
        ("iso", "-03:00", "2026-11-20T13:00:06+00:00", NOW),
        (
            "iso",
            "America/Sao_Paulo",
            "2018-11-20T11:00:06",
            datetime(2018, 11, 20, 13, 0, 6, tzinfo=UTC),
        ),  # summer time
        ("seconds", "UTC", 1795179606, NOW),
        ("seconds", "UTC", "1795179606", NOW),
        ("milliseconds", "UTC", 1795179606000, NOW),
        ("%d/%m/%Y %H:%M:%S", "-03:00", "20/11/2026 10:00:06", NOW),
        ("%Y%m%d", "+05:30", "20261120", datetime(2026, 11, 19, 18, 30, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M:%S %z", "+05:30", "2026-11-20 10:00:06 -0300", NOW),
    ],
)
def test_times(times: str, zone: str, written: object, expected: datetime) -> None:
    order = said({"t": written}, fields={"at": "t", "paid_at": "t"}, times=times, zone=zone)
    assert (order.at, order.paid_at, order.ordered_at) == (expected, expected, None)


@pytest.mark.parametrize("times", ["iso", "seconds", "%d/%m/%Y"])
def test_a_time_that_is_not_there_yet(times: str) -> None:
    order = said({"t": "", "u": None}, fields={"paid_at": "t", "ordered_at": "u"}, times=times, zone="UTC")
    assert (order.paid_at, order.ordered_at) == (None, None)


def test_customer_and_the_rest() -> None:
    order = said(
        {
            "b": {"m": ["a@example.com", None, ""], "p": "+55 11 90000-0001", "d": 52998224725, "n": ""},
            "t": True,
            "d": 9,
        },
        fields={
            "email": "b.m",
            "phone": "b.p",
            "document": "b.d",
            "name": "b.n",
            "crm_id": "d",
            "deal_id": "d",
            "test": "t",
        },
    )
    assert order.customer
    assert order.customer.emails == ("a@example.com",)
    assert order.customer.phones == ("+55 11 90000-0001",)
    assert order.customer.documents == ("52998224725",)
    assert (order.customer.name, order.customer.crm_id, order.deal_id, order.test) == (None, "9", "9", True)


def test_what_is_not_found_is_left_alone() -> None:
    names = (
        "status at number title currency ordered_at paid_at url test deal_id crm_id customer_id name email phone document "
        "items item_title value refunded_value"
    )
    fields = dict.fromkeys(names.split(), "nowhere")
    order = said({}, fields=fields, money={"unit": "major", "currency": "BRL"})
    assert order.mentioned == {"external_id"}


def test_items_and_titles() -> None:
    fields = {"items": "l", "item_title": "n", "item_quantity": "q", "item_sku": "s", "number": "no"}
    order = said({"no": 12, "l": [{"n": "Shoes", "q": "2.5"}, {"n": "Socks", "s": 3}]}, fields=fields)
    assert order.items
    assert [(item.title, item.quantity, item.sku) for item in order.items] == [
        ("Shoes", Decimal("2.5"), None),
        ("Socks", Decimal(1), "3"),
    ]
    assert order.title == "#12 · Shoes +1"
    assert said({"no": 12, "l": []}, fields=fields).items == ()
    assert said({"no": 12, "t": "Mine"}, fields={**fields, "title": "t"}).title == "Mine"


def test_several_orders_in_one_delivery() -> None:
    given = source(fields={"orders": "data.list", "external_id": "no"})
    assert [
        order.external_id for order in given.orders({"event": "o", "data": {"list": [{"no": 1}, {"no": "2"}]}})
    ] == [
        "1",
        "2",
    ]
    empty: list[dict[str, Any]] = [{}, {"data": {"list": []}}]
    for nothing in empty:
        with pytest.raises(Ignored):
            given.orders({"event": "o", **nothing})
    with pytest.raises(Unreadable, match="orders: is not a list"):
        given.orders({"event": "o", "data": {"list": "x"}})


def test_a_form() -> None:
    given = source(body="form", kind="field:topic", fields={"external_id": "order.id", "status": "order.state"})
    body = urlencode({"topic": "sale", "order[id]": "A-1", "order[state]": "paid"}).encode()
    order = given.order(body)
    assert (order.external_id, order.status) == ("A-1", Status.PAID)
    with pytest.raises(Unreadable):
        given.orders(b"\xff\xfe")


def test_the_document_without_options_is_what_the_content_type_says() -> None:
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert source().adapter.document_of(arrived(b"a[b]=1", form)) == {"a": {"b": "1"}}
    assert source().adapter.document_of(arrived(b'{"a":1}')) == {"a": 1}
