"""A delivery's headers, and the strict reading of JSON and forms."""

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Delivery, NoDocument, Unreadable, form_body, json_body
from adapters.contract.delivery import MAX_DEPTH, MAX_NUMBER_DIGITS, MAX_VALUES, _strictly, json_answer
from tests.cpu import grows

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def why(parse: Any, body: bytes) -> str:
    with pytest.raises(Unreadable) as fault:
        parse(body)
    return fault.value.reason


# -- JSON ---------------------------------------------------------------------------------------------------------


def test_decimals_are_exact() -> None:
    text = '{"a": 0.1, "b": 12345678901234567890.12, "c": 1E2, "d": -0.0, "e": 19.90, "f": 9007199254740993}'
    read = json_body(text.encode())
    assert read["a"] == Decimal("0.1")
    assert read["b"] == Decimal("12345678901234567890.12")
    assert read["c"] == 100
    assert str(read["e"]) == "19.90"
    assert read["f"] == 9007199254740993 and type(read["f"]) is int
    assert not any(isinstance(value, float) for value in read.values())


@pytest.mark.parametrize("body", [b"NaN", b'{"a": NaN}', b"[Infinity]", b"-Infinity"])
def test_what_is_no_number_is_refused(body: bytes) -> None:
    assert "is not a number" in why(json_body, body)


def test_of_a_name_twice_in_an_apis_answer_the_last_counts() -> None:
    assert json_answer(b'{"number": 1, "id": 7, "number": 101.50}') == {"number": Decimal("101.50"), "id": 7}
    assert why(json_answer, b'{"a": 1e400}') == why(json_body, b'{"a": 1e400}')
    assert why(json_answer, b"[" * 100_000) == "the body is nested too deeply"


def test_a_name_twice_in_one_object_is_refused_and_named() -> None:
    assert "'id' twice" in why(json_body, b'{"data": [{"id": 1, "x": {}, "id": 1}]}')
    assert json_body(b'{"a": {"id": 1}, "b": {"id": 1}}') == {"a": {"id": 1}, "b": {"id": 1}}
    long = why(json_body, json.dumps({"a" * 1000: 1}).encode()[:-1] + b', "' + b"a" * 1000 + b'": 2}')
    assert len(long) < 200


@pytest.mark.parametrize("opened", [b"[", b'{"a":', b'[{"a":'])
def test_depth_is_bounded(opened: bytes) -> None:
    assert why(json_body, opened * 100_000) == "the body is nested too deeply"
    assert why(json_answer, opened * 100_000) == "the body is nested too deeply"


@pytest.mark.parametrize("parse", [json_body, json_answer])
def test_64_levels_are_read_and_65_are_not(parse: Any) -> None:
    read = parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        [read] = read
    assert read == []
    assert why(parse, b"[" * 65 + b"]" * 65) == "the body is nested too deeply"
    assert why(parse, b'{"a":[{"a":' * 30 + b"[[[[[0]]]]]" + b"}]}" * 30) == "the body is nested too deeply"
    assert parse(b"[" + b'{"a":[0]},' * 500 + b"0]")  # many are not deep


@pytest.mark.parametrize("parse", [json_body, json_answer])
def test_the_values_of_a_body_are_counted_before_they_are_made(parse: Any) -> None:
    assert len(parse(b"[" + b"0," * (MAX_VALUES - 2) + b"0]")) == MAX_VALUES - 1
    for many in (b"[" + b"0," * MAX_VALUES + b"0]", b"[" + b"{}," * MAX_VALUES + b"0]"):
        assert why(parse, many) == "the body holds more than 100000 values"


@pytest.mark.parametrize(
    "worst",
    [
        lambda many: b"{" + b",".join(b'"%d":0' % number for number in range(many)) + b',"z":0,"z":0}',
        lambda many: b"{" + b",".join(b'"%d":0' % number for number in range(many)) + b',"0":0}',
        lambda many: b"[" + b'{"a":0},' * many + b'{"a":0,"a":0}]',
        lambda many: b"[" * many,
        lambda many: b"[" + b"{}," * many + b'"\\u003a"]',
        lambda many: b"[" + b"1.5," * many + b"x]",
    ],
)
def test_a_body_four_times_as_long_costs_no_more_than_six_times(worst: Callable[[int], bytes]) -> None:
    def reading(many: int) -> Callable[[], None]:
        body = worst(many)

        def read() -> None:
            with suppress(Unreadable):
                json_body(body)

        return read

    assert grows(reading, 5_000) <= 6


def test_a_body_that_cannot_be_read_is_tried_once() -> None:
    tried: list[bytes] = []

    def parse(body: bytes) -> Any:
        tried.append(body)
        raise NoDocument("no")

    delivery = Delivery(body=b"x", headers={}, received_at=NOW)
    for _ in range(3):
        with pytest.raises(NoDocument, match=r"^no$"):
            delivery.document(parse)
        with pytest.raises(Unreadable):
            delivery.document(form_body)
    assert tried == [b"x"]


@pytest.mark.parametrize(
    "number",
    [
        "1" * 5000,
        "-" + "1" * 5000,
        "0." + "1" * 5000,
        "1e400",
        "-1e400",
        "1e-400",
        "1e999999999",
        "1e-999999999999999999",
        "1e1000000000000000000",  # Decimal itself refuses it
        "-1e-1000000000000000000",
    ],
)
def test_numbers_are_bounded(number: str) -> None:
    assert "number" in why(json_body, f'{{"a": {number}}}'.encode())


def test_numbers_of_forty_digits_are_read() -> None:
    assert json_body(b"1" * MAX_NUMBER_DIGITS) == int("1" * MAX_NUMBER_DIGITS)
    assert json_body(b"1e39") == Decimal("1e39")
    why(json_body, b"1" * (MAX_NUMBER_DIGITS + 1))
    why(json_body, b"1e40")


_NAMES = st.sampled_from(["id", "a:b", ":", '":', "\u003a", "é"])
_NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "1.50",
        "1e5",
        "-1.5E-3",
        "9" * 40,
        "-" + "9" * 40,
        "9" * 41,
        "1e400",
        "18446744073709551616",
        "01",
        "NaN",
    ]
)
_TEXTS = st.sampled_from(
    [
        '"x"',
        '"a:b"',
        r'"\u003a"',
        r'"\u003A:"',
        r'"\u0022:"',
        r'"\":"',
        r'"\ud800"',
        r'"\ud83d\ude00"',
        '"' + "7" * 50 + '"',
        '"\t"',
        '"é"',
        r'"\u0000"',
    ]
)
_SPACES = st.sampled_from(["", " ", "\n", "\t ", "\x0c"])


def _object(members: list[tuple[str, str, str]]) -> str:
    return "{" + ",".join(f'{space}"{name}"{space}:{space}{value}' for name, value, space in members) + "}"


_DOCUMENTS = st.recursive(
    _NUMBERS | _TEXTS | st.sampled_from(["true", "null", "", "{}", "[]"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.lists(
            st.tuples(_NAMES.map(lambda name: json.dumps(name)[1:-1]) | st.just(r"\u0069d"), inner, _SPACES), max_size=4
        ).map(_object)
    ),
    max_leaves=8,
)


def _read_by(parse: Any, body: bytes) -> Any:
    try:
        return repr(parse(body))  # 1, 1.0 and True are equal, and not the same
    except Unreadable as why:
        return why.reason


@settings(max_examples=1500)
@given(
    text=_DOCUMENTS,
    spoilt=st.none() | st.tuples(st.integers(0, 60), st.sampled_from([b"\xff", b'"', b":", b",", b"\\"])),
)
def test_the_quick_reader_and_the_strict_one_read_the_same(text: str, spoilt: tuple[int, bytes] | None) -> None:
    body = text.encode()
    if spoilt:
        at, piece = spoilt
        body = body[:at] + piece + body[at:]
    assert _read_by(json_body, body) == _read_by(_strictly, body)


def test_zero_with_an_exponent_is_bounded_too() -> None:
    why(json_body, b"0e999999999")


def test_a_byte_order_mark_is_skipped() -> None:
    assert json_body(b"\xef\xbb\xbf[1]") == [1]
    why(json_body, b"\xef\xbb\xbf\xef\xbb\xbf[1]")


@pytest.mark.parametrize(
    "body", [b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', '{"é": 1}'.encode("latin-1"), b"\xff\xfe{\0}\0"]
)
def test_what_is_not_utf8_is_refused_with_its_place(body: bytes) -> None:
    assert "is not UTF-8 (byte " in why(json_body, body)


def test_gzip_is_named() -> None:
    assert "gzip" in why(json_body, gzip.compress(b"{}"))


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t", b"\xef\xbb\xbf"])
def test_empty(body: bytes) -> None:
    assert why(json_body, body) == "the body is empty"


@pytest.mark.parametrize(
    "body", [b"{", b"{}{}", b"x", b"{'a': 1}", b'{"a": 1,}', b"a=1", b'"\n"', b"01", b".5", b"+1", b'"\\x"']
)
def test_what_is_not_json(body: bytes) -> None:
    assert why(json_body, body).startswith("the body is not JSON")


@pytest.mark.parametrize(
    ("body", "value"), [(b"[]", []), (b'["a", 1]', ["a", 1]), (b"null", None), (b'"x"', "x"), (b"1", 1)]
)
def test_any_json_value_may_be_the_root(body: bytes, value: object) -> None:
    assert json_body(body) == value


def test_a_reason_never_repeats_the_values() -> None:
    for body in (
        b'{"email": "ana@example.com"',
        b'{"email": "ana@example.com", "x": NaN}',
        b'{"n": 1e400, "ana@example.com": 1}',
    ):
        assert "ana" not in why(json_body, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 10**39, 10**40 - 1) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
)


@given(JSON, st.booleans())
def test_what_json_can_write_is_read_back(value: object, ascii_only: bool) -> None:
    try:
        body = json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return
    assert json_body(body) == value


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    for parse in (json_body, form_body):
        try:
            parse(body)
        except Unreadable as fault:
            assert fault.reason


# -- Forms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=%C3%A7+x%2By", {"a": "ç x+y"}),
        ("ã=á".encode(), {"ã": "á"}),
        (b"\xef\xbb\xbfa=1", {"a": "1"}),
        (b"a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        (b"a%5Bb%5D=1", {"a": {"b": "1"}}),
        (b"a[]=x&a[]=y", {"a": {"0": "x", "1": "y"}}),
        (b"a[2]=x&a[1]=y&a[]=z", {"a": {"2": "x", "1": "y", "3": "z"}}),
        (b"a[0][t]=x&a[1][t]=y", {"a": {"0": {"t": "x"}, "1": {"t": "y"}}}),
    ],
)
def test_forms(body: bytes, form: dict) -> None:
    assert form_body(body) == form


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"a[][b]=1&a[][c]=2", "numbers no group"),
        (b"[a]=1", "numbers no group"),
        (b"{}", "is not a form"),
        (b"a", "is not a form"),
        (b"a=%ff", "is not a form"),
        (b"\xff=1", "is not a form"),
        (b"&".join(b"a=1" for _ in range(2001)), "is not a form"),
        (b"a" + b"[a]" * 10 + b"=1", "nested too deeply"),
        (b"a=1&a[b]=2", "both as a value and as a group"),
        (b"a[b]=1&a=2", "both as a value and as a group"),
        (b"a[b]=1&a[b][c]=2", "both as a value and as a group"),
        (b"a[b][c]=1&a[b]=2", "both as a value and as a group"),
    ],
)
def test_what_is_no_form(body: bytes, reason: str) -> None:
    assert reason in why(form_body, body)


# -- The delivery -------------------------------------------------------------------------------------------------


def test_headers_are_lower_case_and_keep_every_byte() -> None:
    raw = [(b"X-Shop", b"a\xe9\xff"), (b"Content-Type", b"application/json")]
    delivery = Delivery.arrived(raw, b"{}", received_at=NOW)
    assert delivery.headers == {"x-shop": "aéÿ", "content-type": "application/json"}
    assert delivery.headers["x-shop"].encode("latin-1") == b"a\xe9\xff"
    assert (delivery.repeated, delivery.query, delivery.url) == (frozenset(), {}, "")


def test_a_repeated_header_is_known_whatever_its_case() -> None:
    delivery = Delivery.arrived([(b"X-Sig", b"1"), (b"x-other", b"1"), (b"x-sig", b"1")], b"", received_at=NOW)
    assert delivery.repeated == {"x-sig"}


def test_query() -> None:
    delivery = Delivery.arrived(
        [], b"", received_at=NOW, query_string=b"a=1&b=&c=%C3%A9+%ff&data.id=7", url="https://x/"
    )
    assert delivery.query == {"a": "1", "b": "", "c": "é \ufffd", "data.id": "7"}
    assert delivery.url == "https://x/"


def test_a_copy_keeps_the_rest() -> None:
    first = Delivery(body=b"1", headers={"a": "1"}, received_at=NOW, query={"q": "1"}, url="https://x/")
    second = first.changed(headers={"b": "2"}, query={"r": "2"}, body=b"2")
    assert (first.body, first.headers, first.query) == (b"1", {"a": "1"}, {"q": "1"})
    assert (second.body, second.headers, second.query) == (b"2", {"a": "1", "b": "2"}, {"q": "1", "r": "2"})
    assert (second.url, second.received_at) == (first.url, NOW)
    assert first.changed(body=b"").body == b""


def test_a_copy_keeps_what_was_repeated_unless_it_is_set_anew() -> None:
    first = Delivery(body=b"", headers={"a": "1", "b": "1"}, received_at=NOW, repeated=frozenset({"a", "b"}))
    assert first.changed(headers={"a": "2"}).repeated == {"b"}


def test_a_body_is_parsed_once_for_each_way_of_reading() -> None:
    asked: list[bytes] = []

    def parse(body: bytes) -> list[bytes]:
        asked.append(body)
        return [body]

    delivery = Delivery(body=b"[1]", headers={}, received_at=NOW)
    assert delivery.document(parse) is delivery.document(parse)
    assert asked == [b"[1]"]
    assert delivery.document(json_body) == [1]
    assert delivery.changed(body=b"[2]").document(json_body) == [2]
