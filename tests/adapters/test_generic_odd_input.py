"""Odd input to the adapter without code: it is named, or left out with a note, and breaks nothing."""

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Unreadable
from adapters.generic import GenericOptions
from tests.adapters.generic import PAYMENT, REFUND, WORDS, blocks, said, source


@pytest.mark.parametrize(
    ("fields", "document", "reason"),
    [
        ({"external_id": "nowhere"}, {}, "external_id"),
        ({}, {"id": ["1"]}, "external_id"),
        ({}, {"id": "x" * 256}, "longer than 255"),
        ({"value": "v"}, {"v": "free"}, "value"),
        ({"value": "v"}, {"v": -1}, "value"),
        ({"value": "v"}, {"v": True}, "value"),
        ({"value": "v"}, {"v": "1e999999999"}, "too large"),
        ({"value": "sum(l)"}, {"l": ["1"]}, "value: the expression fails"),
        ({"value": "sum(l)"}, {}, "value: the expression fails"),
        ({"name": "join(' ', n)"}, {"n": [1]}, "name: the expression fails"),
        ({"status": "s"}, {"s": True}, "status"),
        ({"currency": "c", "value": "v"}, {"v": 1, "c": "real"}, "currency"),
        ({"currency": "c", "value": "v"}, {"v": 1, "c": "ZZZ"}, "currency"),
        ({"currency": "c", "value": "v"}, {"v": 1, "c": [1]}, "currency"),
        ({"value": "v"}, {"v": "1.500"}, "more decimals than BRL"),
        ({"value": "v", **PAYMENT}, {"p": "x"}, "payments"),
        ({"value": "v", **PAYMENT}, {"p": [{"v": "free", "s": "ok"}]}, "payments.0.payment_value"),
        ({"value": "v", **REFUND}, {"r": [{"v": "1.234"}]}, "more decimals"),
        ({"items": "l", "item_title": "n", "item_quantity": "q"}, {"l": [{"n": "a", "q": "1e99"}]}, "quantity"),
        ({"items": "l", "item_title": "length(n)"}, {"l": [{"n": 1}]}, "items.0.item_title: the expression fails"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, str], document: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(reason)):
        said(document, fields=fields, money={"unit": "major", "currency": "BRL"}, **WORDS)


@pytest.mark.parametrize(
    ("fields", "document"),
    [
        ({"at": "t"}, {"t": "yesterday"}),
        ({"paid_at": "t"}, {"t": {"a": 1}}),
        ({"at": "t"}, {"t": "0001-01-01T00:00:00Z"}),
        ({"at": "t"}, {"t": "1969-01-01T00:00:00Z"}),
        ({"url": "u"}, {"u": "javascript:alert(1)"}),
        ({"test": "t"}, {"t": "perhaps"}),
        ({"email": "e"}, {"e": [{"a": 1}]}),
        ({"country": "c"}, {"c": "Brasil"}),
        ({"sequence": "n"}, {"n": [1]}),
        ({"items": "l", "item_title": "n"}, {"l": "x"}),
        ({"items": "l", "item_title": "n"}, {"l": [{"n": "a"}, None]}),
        ({"items": "l", "item_title": "n", "item_unit_value": "v"}, {"l": [{"n": "a", "v": "free"}]}),
        ({**PAYMENT}, {"p": [{"id": 1, "v": 5, "s": "ok", "at": "0000-00-00"}]}),
    ],
)
def test_a_side_field_that_cannot_be_read_is_left_out_with_a_note(
    fields: dict[str, str], document: dict[str, Any]
) -> None:
    fields = {"value": "total", **fields}
    order = said({"total": 0, **document}, fields=fields, money={"unit": "major", "currency": "BRL"}, **WORDS)
    assert (order.value, order.notes) == ("0.00 BRL", ("field_left_out",))


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"null", b"1", b'"x"', b"{}", b"\xff"])
def test_a_body_of_any_shape(body: bytes) -> None:
    given = source(kind="always:sale")
    with pytest.raises(Unreadable):
        given.orders(body)


def test_numbers_that_would_take_the_machine_along() -> None:
    money = {"unit": "major", "currency": "BRL"}
    assert said({"t": "1e999999999"}, fields={"value": "to_number(t)"}, money=money).value is None
    with pytest.raises(Unreadable):
        said({"t": "1e999999999"}, fields={"value": "ceil(to_number(t))"}, money=money)


@pytest.mark.parametrize(
    "odd", [None, "", "x", 0, -1, True, [], {}, [None], {"a": None}, "{", "[", "{}", "1e9", "é" * 5000]
)
def test_options_of_any_shape_are_taken_or_named(odd: object) -> None:
    whole = json.loads(blocks("json")[1])
    for name, value in whole.items():
        for given in (
            {**whole, name: odd},
            *({**whole, name: {**value, part: odd}} for part in value if isinstance(value, dict)),
        ):
            try:
                GenericOptions.model_validate(given)
            except ValidationError as refused:
                assert all(error["loc"] and error["loc"][0] == name for error in refused.errors())
