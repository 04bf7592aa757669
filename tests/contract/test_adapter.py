"""What the base class gives every adapter: where words stand, what is read, and what leaves it."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

import adapters
from adapters.contract import (
    UNKNOWN,
    Adapter,
    Api,
    Bill,
    BodyField,
    Constant,
    Delivery,
    Event,
    Header,
    Ignored,
    Iso,
    Money,
    OptionalOf,
    Options,
    Order,
    Payload,
    Query,
    Refund,
    Status,
    TaughtOptions,
    Unreadable,
    json_body,
    validated,
)
from adapters.contract.where import Where, describe
from tests.samples import RECEIVED_AT


def arrived(body: bytes = b"{}", headers: dict[str, str] | None = None, **query: str) -> Delivery:
    return Delivery(body=body, headers=headers or {}, received_at=RECEIVED_AT, query=query)


class Sale(Payload):
    id: str
    total: Decimal | None = None
    status: str | None = None
    notes: OptionalOf[dict[str, str]] = None


class Notice(Payload):
    id: str


class Shop(Adapter[Sale]):
    name, title = "shop", "Shop"
    kind = BodyField("type")
    delivery_id: ClassVar[Where | None] = Header("x-id")
    reads = {"sale": Sale}
    ignores = frozenset({"cart", "ping/*"})
    statuses = {"done": Status.PAID, "noted": None}
    fetches = {"changed": Notice}
    resource = Sale
    api = Api(
        origin=lambda options: "https://api.example.com", authorize=lambda key, options: {}, key_description="a key"
    )

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        if payload.id != "none":
            bills = () if payload.total is None else (Bill(value=Money.major(payload.total, "BRL")),)
            yield Order(external_id=payload.id, at=None, status=self.status(payload.status), bills=bills)


SHOP = Shop()


def told(body: bytes) -> list[Order]:
    delivery = arrived(body)
    return SHOP.translate(SHOP.read(delivery, SHOP.kind_of(delivery, None), None))


def why(body: bytes) -> str:
    with pytest.raises(Unreadable) as fault:
        told(body)
    return fault.value.reason


def test_of_several_words_the_first_in_the_table_counts() -> None:
    assert SHOP.status("done.today", "done") is Status.PAID
    assert SHOP.status("noted", "done") is None
    assert SHOP.status("new", "newer") is UNKNOWN
    assert SHOP.status(None, "", "done") is Status.PAID
    assert SHOP.status(None, "") is None


def test_ids_that_say_nothing_or_the_same_are_no_aliases() -> None:
    settled = SHOP._settled(Order(external_id="a", aliases=(None, "b", "", "a", "b"), at=None, url="javascript:x"))
    assert (settled.aliases, settled.url) == (("b",), None)


# -- Where words stand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Header("x-kind"), "paid"),
        (Header("x-none", "x-kind"), "paid"),
        (Header("x-empty", "x-kind"), "paid"),
        (Header("x-none"), None),
        (Header("X-Kind"), None),
        (Query("k"), "q"),
        (Query("empty"), None),
        (Query("none"), None),
        (Constant("sale"), "sale"),
        (BodyField("a.b"), "c"),
        (BodyField("n"), "7"),
        (BodyField("a.b", "n"), "c:7"),
        (BodyField("a.b", "none"), None),
        (BodyField("a"), None),
        (BodyField("a.b.c"), None),
        (BodyField("list.0"), None),
        (BodyField("yes"), None),
        (BodyField("amount"), None),
        (BodyField("empty"), None),
        (BodyField("none"), None),
    ],
)
def test_where(where: Where, found: str | None) -> None:
    body = b'{"a": {"b": "c"}, "n": 7, "list": ["x"], "yes": true, "amount": 1.5, "empty": ""}'
    delivery = arrived(body, {"x-kind": "paid", "x-empty": ""}, k="q", empty="")
    assert where.read(delivery, lambda: delivery.document(json_body)) == found
    assert describe(where)


def test_a_header_is_read_without_the_body() -> None:
    def never() -> Any:
        raise AssertionError("the body was parsed")

    for where in (Header("x-kind"), Query("k"), Constant("sale")):
        where.read(arrived(b"not JSON"), never)


def test_a_delivery_that_does_not_say_what_happened() -> None:
    for body in (b"{}", b"[]", b"null", b'{"type": null}', b'{"type": {}}'):
        with pytest.raises(Unreadable) as fault:
            SHOP.kind_of(arrived(body), None)
        assert "the field type is missing" in fault.value.reason


def test_a_delivery_id_is_optional() -> None:
    assert SHOP.delivery_id_of(arrived(headers={"x-id": "7"}), None) == "7"
    assert SHOP.delivery_id_of(arrived(), None) is None

    class Nameless(Shop):
        delivery_id = None

    class InBody(Shop):
        delivery_id = BodyField("id")

    assert Nameless().delivery_id_of(arrived(headers={"x-id": "7"}), None) is None
    assert InBody().delivery_id_of(arrived(b'{"id": 7}'), None) == "7"
    assert InBody().delivery_id_of(arrived(b"not JSON"), None) is None


# -- What is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("cart", "is not about an order"),
        ("ping/1", "is not about an order"),
        ("carts", "is not among the kinds that are read"),
        ("CART", "is not among the kinds that are read"),
        ("Sale", "is not among the kinds that are read"),
        ("x" * 10_000, "is not among the kinds that are read"),
    ],
)
def test_ignored(kind: str, reason: str) -> None:
    with pytest.raises(Ignored) as fault:
        SHOP.read(arrived(b"not even JSON"), kind, None)
    assert reason in fault.value.reason
    assert len(fault.value.reason) < 200


def test_no_order_is_ignored() -> None:
    with pytest.raises(Ignored):
        told(b'{"type": "sale", "id": "none"}')


def test_every_wrong_field_is_named_and_no_value_repeated() -> None:
    reason = why(b'{"type": "sale", "id": ["ana@example.com"], "total": "ana@example.com", "status": {"ana": 1}}')
    assert [fault.partition(":")[0] for fault in reason.split("; ")] == ["id", "total", "status"]
    assert "ana" not in reason
    assert "the body" in why_body(b"[]")
    assert "nested too deeply" in why(b'{"type": "sale", "id": ' + b"[" * 100_000)


def why_body(body: bytes) -> str:
    with pytest.raises(Unreadable) as fault:
        SHOP.read(arrived(body), "sale", None)
    return fault.value.reason


def test_reasons_stay_short() -> None:
    class Many(Payload):
        rows: list[Notice]

    class Lists(Shop):
        reads = {"sale": Many}

    body = b'{"rows": [' + b",".join([b"{}"] * 1000) + b"]}"
    with pytest.raises(Unreadable) as fault:
        Lists().read(arrived(body), "sale", None)
    assert fault.value.reason.endswith("and 995 more")


def test_numbers_are_taken_for_text_and_other_fields_skipped() -> None:
    event = SHOP.read(arrived(b'{"id": 7, "status": 1.50, "more": {"x": [1]}, "total": "9.90"}'), "sale", None)
    assert event.payload == Sale(id="7", status="1.50", total=Decimal("9.90"))


@pytest.mark.parametrize("nothing", ["[]", '""', "0", "false", "null", '[{"a": "b"}]', '"x"'])
def test_if_object(nothing: str) -> None:
    event = SHOP.read(arrived(f'{{"id": "1", "notes": {nothing}}}'.encode()), "sale", None)
    assert event.payload.notes is None


class Part(Payload):
    id: str
    amount: Decimal | None = None


class Whole(Payload):
    id: str
    at: Iso | None = None
    count: int | None = None
    part: Part | None = None
    parts: list[Part] | None = None


@pytest.mark.parametrize("blank", ['""', '" "', "[]", "{}", "false"])
@pytest.mark.parametrize("field", ["at", "part", "parts"])
def test_what_says_nothing_is_missing(field: str, blank: str) -> None:
    read = validated(Whole, json_body(f'{{"id": 7, "count": "3", "{field}": {blank}}}'.encode()))
    assert (read.id, read.count) == ("7", 3)
    assert not getattr(read, field)


def test_what_says_nothing_is_missing_inside_as_well() -> None:
    body = b'{"id": 7, "count": "", "part": {"id": 1, "amount": ""}, "parts": [{"id": 2, "amount": {}}, {"id": 3, "amount": "4.5"}]}'
    read = validated(Whole, json_body(body))
    assert read.model_dump() == {
        "id": "7",
        "at": None,
        "count": None,
        "part": {"id": "1", "amount": None},
        "parts": [{"id": "2", "amount": None}, {"id": "3", "amount": Decimal("4.5")}],
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"id": []}', "^id: Input should be a valid string$"),
        ('{"id": [], "count": "x", "at": ""}', "^id: .*; at: .*; count: Input should be a valid integer"),
        ("{}", "^id: Field required$"),
        ("[]", "^the body: "),
        ('{"id": 7, "parts": [' + ", ".join(['{"id": 1, "amount": ""}'] * 200) + "]}", "and 195 more$"),
    ],
)
def test_what_is_needed_or_wrong_is_still_named(body: str, reason: str) -> None:
    with pytest.raises(Unreadable) as why:
        validated(Whole, json_body(body.encode()))
    assert re.search(reason, why.value.reason), why.value.reason


def test_an_object_that_is_there_is_still_checked() -> None:
    assert SHOP.read(arrived(b'{"id": "1", "notes": {"a": "b"}}'), "sale", None).payload.notes == {"a": "b"}
    assert "notes.a" in SHOP.read(arrived(b'{"id": "1", "notes": {"a": [1]}}'), "sale", None).payload.left_out


def test_what_could_not_be_read_is_noted_where_the_order_still_tells_money() -> None:
    body = b'{"type": "sale", "id": "1", "total": 5, "status": "done", "notes": {"a": [1]}}'
    [order] = SHOP.translate(SHOP.read(arrived(body), "sale", None))
    assert order.notes == ("field_left_out",)
    with pytest.raises(Unreadable, match=r"^total: "):
        SHOP.translate(SHOP.read(arrived(b'{"type": "sale", "id": "1", "total": "much"}'), "sale", None))


def test_status() -> None:
    assert SHOP.status("done") is Status.PAID
    assert SHOP.status("noted") is None
    assert SHOP.status("odd") is SHOP.status("Done") is UNKNOWN
    assert SHOP.status(None) is SHOP.status("") is None


def test_a_fetched_document_takes_the_notices_place() -> None:
    event = SHOP.read(arrived(b'{"id": "1"}'), "changed", None)
    fetched = SHOP.fetched(event, b'{"id": "1", "total": 5}')
    assert (fetched.notice, fetched.payload) == (Notice(id="1"), Sale(id="1", total=Decimal(5)))
    assert SHOP.translate(fetched)[0].bills == (Bill(value=Money(500, "BRL")),)
    for answer in (b"", b"<html>", b"[]", b"{}"):
        with pytest.raises(Unreadable):
            SHOP.fetched(event, answer)
    assert SHOP.api.origin_for(None) == "https://api.example.com"


# -- What leaves it -----------------------------------------------------------------------------------------------


def test_ids_are_bounded() -> None:
    assert told(b'{"type": "sale", "id": "%s"}' % (b"x" * 255))
    for name in (b"", b"   ", "\u00a0".encode(), b"x" * 256):
        assert "id is empty or longer" in why(b'{"type": "sale", "id": "%s"}' % name)


def test_amounts_less_than_nothing_are_unreadable() -> None:
    assert told(b'{"type": "sale", "id": "1", "total": 0}')[0].bills == (Bill(value=Money(0, "BRL")),)
    assert "less than nothing" in why(b'{"type": "sale", "id": "1", "total": -0.01}')

    class GivesBack(Shop):
        def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
            yield Order(external_id="1", at=None, refunds=(Refund(id="a", value=Money(-1, "BRL")),))

    with pytest.raises(Unreadable):
        GivesBack().translate(SHOP.read(arrived(b'{"id": "1"}'), "sale", None))


def test_options_of_an_unknown_name_are_an_error() -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"zone": "x"})
    assert Shop.options() == Options()


# -- The folder is the registry -----------------------------------------------------------------------------------


def test_names_and_load() -> None:
    assert adapters.names() == tuple(sorted(adapters.names()))
    assert "contract" not in adapters.names() and "samples" not in adapters.names()
    for name in ("", "contract", "samples", "no_such_adapter", "../app", "contract.money"):
        with pytest.raises(KeyError):
            adapters.load(name)
    assert adapters.load("shopify") is adapters.load("shopify")


def test_words_are_taught_together_or_one_by_one() -> None:
    together = TaughtOptions.model_validate({"statuses": {"shipped": "paid"}})
    assert together == TaughtOptions.model_validate({"statuses.shipped": "paid"})
    assert together.statuses == {"shipped": Status.PAID}
    assert TaughtOptions.model_validate({}).statuses == {}
    for wrong in (
        {"statuses": {"shipped": "sent"}},
        {"statuses": {"": "paid"}},
        {"statuses": {}, "statuses.shipped": "paid"},
    ):
        with pytest.raises(ValidationError):
            TaughtOptions.model_validate(wrong)
