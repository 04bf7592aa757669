"""Fields that lie deep in a body, what stands for nothing, tables of statuses, and what leaves an adapter settled."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.contract import (
    Customer,
    Iso,
    Item,
    ListOf,
    Metadata,
    Money,
    OptionalOf,
    Payload,
    Status,
    Unreadable,
    full_name,
    latest,
    order_title,
    path,
    refunded_so_far,
    status_map,
    validated,
)


class Good(Payload):
    name: str | None = None


class Sale(Payload):
    id: str = path("data.object.id", "id", otherwise=...)
    email: str | None = path("customer.email")
    amount: Decimal | None = path("payments.0.amount.value")
    goods: ListOf[Good] = ()
    gift: OptionalOf[Good] = None
    notes: Metadata = path("notes", "meta.data", otherwise={})


def read(document: Any) -> Sale:
    sale = validated(Sale, document)
    assert isinstance(sale, Sale)
    return sale


def test_a_field_is_found_where_it_lies() -> None:
    sale = read(
        {
            "data": {"object": {"id": 5}},
            "customer": {"email": "ana@example.com"},
            "payments": [{"amount": {"value": Decimal("1.5")}}],
        }
    )
    assert (sale.id, sale.email, sale.amount) == ("5", "ana@example.com", Decimal("1.5"))
    assert read({"id": "x"}).id == "x"
    assert read({"id": "x", "data": {"object": {"id": "first"}}}).id == "first"


@pytest.mark.parametrize("between", [None, "", "x", 0, [], [1], {}, True, {"email": None}])
def test_what_a_path_leads_through_may_be_anything(between: Any) -> None:
    assert read({"id": "x", "customer": between, "payments": between}).email is None


def test_a_wrong_field_is_named_by_its_path() -> None:
    with pytest.raises(Unreadable, match=r"^data\.object\.id: Field required$"):
        read({})
    dear = read({"id": "x", "payments": [{"amount": {"value": "dear"}}]})
    assert dear.left_out.startswith("payments.0.amount.value: ")
    assert read({"id": "x", "payments": [{"amount": {"value": ""}}]}).amount is None  # says nothing


@pytest.mark.parametrize("nothing", [None, "", False, {}, []])
def test_a_list_where_there_is_none(nothing: Any) -> None:
    assert read({"id": "x", "goods": nothing}).goods == ()


def test_a_list_that_is_something_else() -> None:
    assert [good.name for good in read({"id": "x", "goods": [{"name": "Tea"}, {}]}).goods] == ["Tea", None]
    other = read({"id": "x", "goods": {"0": {"name": "Tea"}}})
    assert (other.goods, other.left_out) == ((), "goods: Input should be a valid list")


@pytest.mark.parametrize("nothing", [None, "", 0, [], [{"name": "Tea"}], "x"])
def test_an_object_where_there_is_none(nothing: Any) -> None:
    assert read({"id": "x", "gift": nothing}).gift is None


@pytest.mark.parametrize(
    ("written", "notes"),
    [
        ([{"name": "crm", "value": " 42 "}, {"key": "deal", "value": 7}], {"crm": "42", "deal": "7"}),
        ({"crm": "42", "deal": 7}, {"crm": "42", "deal": "7"}),
        ([{"name": "crm", "value": " "}, {"name": "crm", "value": "1"}, {"name": "crm", "value": "2"}], {"crm": "1"}),
        ([{"name": "crm", "value": True}, {"name": "deal", "value": ["7"]}, {"name": 5, "value": "x"}, {}], {}),
        ([None, "x", [{"name": "crm", "value": "42"}]], {}),
        (None, {}),
        ("", {}),
        (7, {}),
    ],
)
def test_what_was_written_beside_an_order(written: Any, notes: dict[str, str]) -> None:
    assert read({"id": "x", "notes": written}).notes == notes
    assert read({"id": "x", "meta": {"data": written}}).notes == notes
    assert read({"id": "x"}).notes == {}


def test_a_table_of_statuses() -> None:
    statuses = status_map(pending="open waiting", paid=("all paid",), nothing="seen")
    assert statuses == {"open": Status.PENDING, "waiting": Status.PENDING, "all paid": Status.PAID, "seen": None}
    assert status_map("invoice", canceled="void") == {"invoice.void": Status.CANCELED}
    with pytest.raises(ValueError, match="'open' stands twice"):
        status_map(pending="open", paid="open")


def test_what_says_nothing_leaves_a_customer() -> None:
    assert Customer(name="", id="", emails=(None, ""), phones=(), documents=(None,)).tells_nothing
    known = Customer(name="Ana", crm_id="", emails=("a@example.com", None, "a@example.com"))
    assert known == Customer(name="Ana", emails=("a@example.com",))


def test_names_titles_and_times_from_parts() -> None:
    assert full_name(" Ana ", None, "", "Souza") == "Ana Souza"
    assert full_name(None, " ") is None
    assert (full_name("-", "."), full_name("Ana", "-")) == (None, "Ana")
    assert order_title("7", [Item(title="Tea"), Item(), "Cup"]) == "#7 · Tea +1"
    assert Item(title="", quantity=None, sku="") == Item(title="–", quantity=1, sku=None)
    first, last = datetime(2026, 1, 1, 12, 0), datetime(2026, 1, 1, 13, 0, tzinfo=UTC)
    assert latest(first, None, last) == last
    assert latest(None) is None


def test_money_that_may_be_missing() -> None:
    assert Money.major(None, "BRL") is None
    assert Money.of(None, None) is None
    assert Money.of(150, "brl") == Money(150, "BRL")
    assert Money.total([Money(1, "BRL"), None, Money(2, "BRL")]) == Money(3, "BRL")
    assert Money.total([None]) is None
    for wrong in (
        lambda: Money.major(1, None),
        lambda: Money.of(1, ""),
        lambda: Money.total([Money(1, "BRL"), Money(1, "USD")]),
    ):
        with pytest.raises(Unreadable):
            wrong()


# -- What an order can be without ---------------------------------------------------------------------------------


class Entry(Payload):
    id: str
    at: Iso | None = None


class Deep(Payload):
    amount: int = path("price.gross.amount", otherwise=...)


class Sold(Payload):
    id: str
    total: int
    at: Iso | None = None
    entries: ListOf[Entry] = ()
    deep: ListOf[Deep] = ()


@pytest.mark.parametrize(
    "fault",
    [
        {"at": "the day before"},
        {"at": ["x"]},
        {"entries": "none"},
        {"entries": [{"id": "1", "at": "x"}]},
        {"entries": [{"at": "2026-11-20T13:00:00Z"}, {"id": "1"}, {}]},
        {"entries": [{"id": ["x"], "at": "2026-11-20T13:00:00Z"}, {"id": "1"}, {"id": None}]},
        {"entries": [{"id": "1"}], "deep": [{"price": {"gross": {}}}, {"price": None}]},
    ],
)
def test_what_a_model_can_be_without_is_left_out_when_it_cannot_be_read(fault: dict[str, object]) -> None:
    found = validated(Sold, {"id": "1", "total": 5, **fault})
    assert found.left_out
    assert not validated(Sold, {"id": "1", "total": 5}).left_out
    assert (found.id, found.total, found.at) == ("1", 5, None)
    assert all(entry.id == "1" for entry in found.entries)
    assert len(found.entries) == (isinstance(fault.get("entries"), list))


@pytest.mark.parametrize("fault", [{"total": "much"}, {"total": None}, {"id": ["x"]}, {"id": None, "at": "x"}])
def test_what_a_model_needs_is_not_left_out(fault: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        validated(Sold, {"id": "1", "total": 5, **fault})


def test_the_sum_of_all_that_went_back() -> None:
    nothing, some = Money(0, "BRL"), Money(5, "BRL")
    assert [refund.value for refund in refunded_so_far(some, Status.REFUNDED)] == [some]
    assert [(refund.value, refund.total) for refund in refunded_so_far(nothing, Status.PAID)] == [(nothing, True)]
    assert refunded_so_far(nothing, Status.REFUNDED) == () == refunded_so_far(None, Status.PAID)


@pytest.mark.parametrize(
    ("buyer", "name", "phones", "country"),
    [
        (Customer(), "Bia", ("2",), "US"),
        (Customer(name="Bia", phones=(None, "")), "Bia", ("2",), "US"),
        (Customer(name="Ana", country="BR"), "Ana", (), "BR"),
        (Customer(phones=("1",)), "Bia", ("1",), "US"),
    ],
)
def test_the_recipient_stands_in_for_the_buyer(
    buyer: Customer, name: str, phones: tuple[str, ...], country: str
) -> None:
    found = buyer.or_recipient("Bia", "2", "US")
    assert (found.name, found.phones, found.country) == (name, phones, country)
