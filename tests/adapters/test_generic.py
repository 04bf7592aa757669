"""The adapter without code: its options, its schemes, its expressions, and the manual's example."""

import base64
import hmac
import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from adapters.contract import UNKNOWN, Delivery, Ignored, Money, Status, Strength, Unreadable, Unverified
from adapters.generic import GenericOptions
from tests.reading import NOW, OrderView, Source, arrived, folded

MANUAL = (Path(__file__).parents[2] / "docs" / "generic.md").read_text()
SECRET = "a-made-up-secret-of-32-characters"

LEAST: dict[str, Any] = {
    "signature": {"scheme": "hmac", "header": "x-signature", "algorithm": "sha256", "encoding": "hex"},
    "kind": "field:event",
    "fields": {"external_id": "id"},
    "statuses": {"paid": "paid"},
}

MONEY = {"unit": "major", "currency": "BRL"}
PAYMENT = {"payments": "p", "payment_id": "id", "payment_value": "v", "payment_state": "s", "payment_at": "at"}
REFUND = {"refunds": "r", "refund_id": "id", "refund_value": "v", "refund_state": "s", "refund_payment": "of"}
WORDS = {
    "payment_states": {"ok": "taken", "held": "authorized", "no": "failed", "seen": "none"},
    "refund_states": {"ok": "done", "sent": "pending", "lost": "failed", "won": "reversed"},
}


def source(**more: Any) -> Source:
    given = {**LEAST, **more}
    given["fields"] = {**LEAST["fields"], **given["fields"]}
    return Source("generic", **given)


def sent(body: object, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> Delivery:
    return arrived(body, headers, query=query, url="https://registry.example/webhooks/src_1")


def said(document: dict[str, Any], **more: Any) -> OrderView:
    return source(**more).order({"event": "order", "id": "1", **document})


def wrong(given: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        GenericOptions.model_validate(given)
    return {".".join(map(str, error["loc"])): error["msg"] for error in refused.value.errors()}


# -- The manual's example -----------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)


def from_the_command_line() -> dict[str, str]:
    words = shlex.split(blocks("sh")[0].replace("\\\n", ""))
    pairs = [words[at + 1] for at, word in enumerate(words) if word == "--option"]
    return dict(pair.split("=", 1) for pair in pairs)


def test_the_manuals_example_runs() -> None:
    body, as_json, expected = (json.loads(block) for block in blocks("json")[:3])
    headers = dict(line.split(": ", 1) for line in blocks("http")[0].splitlines())
    generic = Source("generic", **as_json)
    delivery = arrived(blocks("json")[0].rstrip("\n").encode(), headers)
    secret = re.search(r"--secret (\S+)", blocks("sh")[0])
    assert secret
    assert generic.verify(delivery, secret[1]) == secret[1]
    assert generic.delivery_id(delivery) == "d-17"
    order = generic.order(delivery)
    value, currency = (order.value or "").split()
    assert order.customer and order.items and order.at and order.ordered_at and order.paid_at
    assert {
        "external_id": order.external_id,
        "at": f"{order.at:%Y-%m-%dT%H:%M:%SZ}",
        "status": order.status,
        "source_status": order.source_status,
        "title": order.title,
        "value": value,
        "currency": currency,
        "ordered_at": f"{order.ordered_at:%Y-%m-%dT%H:%M:%SZ}",
        "paid_at": f"{order.paid_at:%Y-%m-%dT%H:%M:%SZ}",
        "test": order.test,
        "customer": {
            "id": order.customer.id,
            "name": order.customer.name,
            "emails": list(order.customer.emails),
            "phones": list(order.customer.phones),
            "documents": list(order.customer.documents),
        },
        "items": [
            {"title": i.title, "quantity": str(i.quantity), "unit_value": str(i.unit_value), "sku": i.sku}
            for i in order.items
        ],
    } == expected
    assert body["order"]["id"] == 8841


def test_the_manuals_shop_that_itemises_its_money() -> None:
    shown = MANUAL.partition("A shop that itemises its money:")[2]
    given = dict(re.findall(r"`((?:fields|payment_states|refund_states)\.\w+)=([^`]+)`", shown))
    options = {
        "signature": LEAST["signature"],
        "kind": "field:event",
        "fields.external_id": "order.id",
        "fields.value": "order.total",
        "statuses": {"paid": "paid"},
        "money": MONEY,
    }
    order = Source("generic", **options, **given).order(blocks("json")[3].encode())
    one = folded(order)
    assert (one.status, one.value, one.refunded_value) == ("paid", 10000, 2500)
    assert order.payments == {"p-1": "60.00 BRL taken", "p-2": "40.00 BRL taken"}


def test_the_command_line_says_the_same_as_the_json() -> None:
    assert GenericOptions.model_validate(from_the_command_line()) == GenericOptions.model_validate(
        json.loads(blocks("json")[1])
    )


def test_every_option_is_in_the_manual() -> None:
    for name in GenericOptions.model_fields:
        assert f"`{name}`" in MANUAL
    for group in ("signature", "fields", "money"):
        model = GenericOptions.model_fields[group].annotation
        model = model if isinstance(model, type) else model.__args__[0]  # type: ignore[union-attr]  # X | None
        for name in model.model_fields:
            assert re.search(rf"[`{{ ]{name}[`:]", MANUAL), f"{group}.{name}"


# -- Options: what is saved, what is refused ----------------------------------------------------------------------


def test_what_is_saved_is_read_back_the_same() -> None:
    given = GenericOptions.model_validate(from_the_command_line())
    saved = given.model_dump(mode="json", exclude_unset=True)
    assert saved == json.loads(json.dumps(saved))
    assert GenericOptions.model_validate(saved) == given
    # Lists of sources build the options without validating them.
    generic = Source("generic", **from_the_command_line())
    assert generic.adapter.scheme(GenericOptions.model_construct(**saved)).description == generic.scheme.description


def test_no_signature_is_refused() -> None:
    assert wrong({name: value for name, value in LEAST.items() if name != "signature"}) == {
        "signature": "Field required"
    }
    signatures: list[object] = [{}, {"scheme": "none"}, {"scheme": None}, None, "hmac", []]
    for signature in signatures:
        assert any(name.startswith("signature") for name in wrong({**LEAST, "signature": signature}))
    unchecked: Any = GenericOptions.model_construct
    for broken in (unchecked(), unchecked(signature={"scheme": "hmac"}), None):
        with pytest.raises(Unverified):
            source().adapter.scheme(broken)


def test_every_wrong_option_is_named_at_once() -> None:
    faults = wrong(
        {
            "signature": {"scheme": "hmac", "header": "x y", "algorithm": "md5", "encoding": "hex", "bogus": 1},
            "body": "xml",
            "kind": "topic",
            "delivery_id": "always:1",
            "reads": 7,
            "fields": {"external_id": "a[", "value": "nope(a)", "status": "join(a)", "at": "`1.5`", "colour": "c"},
            "statuses": {"PAGO": "bezahlt"},
            "money": {"unit": 9, "currency": "real", "decimal": ";"},
            "times": "yesterday",
            "zone": "Mars/Olympus",
            "secret": "x",
        }
    )
    assert set(faults) == {
        "signature.header",
        "signature.algorithm",
        "signature.bogus",
        "body",
        "kind",
        "delivery_id",
        "reads",
        "fields.external_id",
        "fields.value",
        "fields.status",
        "fields.at",
        "fields.colour",
        "statuses.PAGO",
        "money.unit",
        "money.currency",
        "money.decimal",
        "times",
        "zone",
        "secret",
    }
    assert "nope()" in faults["fields.value"]
    assert "takes 2" in faults["fields.status"]


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"signature": {"scheme": "hmac", "header": "a"}}, {"signature.algorithm", "signature.encoding"}),
        ({"signature": {**LEAST["signature"], "query": "b"}}, {"signature.header"}),
        ({"signature": {"scheme": "hmac", "algorithm": "sha1", "encoding": "hex"}}, {"signature.header"}),
        ({"signature": {**LEAST["signature"], "signed": "{timestamp}.{body}"}}, {"signature.timestamp"}),
        ({"signature": {**LEAST["signature"], "timestamp": "x-time"}}, {"signature.signed"}),
        ({"signature": {**LEAST["signature"], "signed": "{secret}{body}"}}, {"signature.signed"}),
        ({"signature": {**LEAST["signature"], "signed": "always the same"}}, {"signature.signed"}),
        ({"signature": {**LEAST["signature"], "tolerance": 0}}, {"signature.tolerance"}),
        ({"signature": {**LEAST["signature"], "field": "a"}}, {"signature.field"}),
        ({"signature": {"scheme": "token"}}, {"signature.header"}),
        ({"signature": {"scheme": "token", "header": "a", "field": "b"}}, {"signature.header"}),
        ({"signature": {"scheme": "token", "query": "a", "prefix": "Bearer "}}, {"signature.prefix"}),
        ({"signature": {"scheme": "token", "query": "a", "encoding": "hex"}}, {"signature.encoding"}),
        ({"signature": {"scheme": "basic", "header": "a"}}, {"signature.header"}),
        ({"signature": {"scheme": "standard", "algorithm": "sha1"}}, {"signature.algorithm"}),
        ({"fields": {}}, {"fields.external_id"}),
        ({"fields": {"external_id": "id", "item_title": "t"}}, {"fields.item_title"}),
        ({"fields": {"external_id": "id", "items": "l"}}, {"fields.item_title"}),
        ({"fields": {"external_id": "id", "refund_id": "r"}}, {"fields.refund_value"}),
        ({"fields": {"external_id": "id", "refunds": "r", "refunded_value": "v"}}, {"fields.refund_value"}),
        ({"fields": {"external_id": "id", "refund_value": "r", "refunded_value": "v"}}, {"fields.refunded_value"}),
        ({"fields": {"external_id": "id", "payments": "p"}}, {"fields.payment_value", "fields.payment_state"}),
        (
            {"fields": {"external_id": "id", "payment_value": "p", "payment_state": "s"}, "money": {"unit": "major"}},
            {"payment_states"},
        ),
        ({"fields": {"external_id": "id", "payment_value": "p", "payment_state": "s"}, **WORDS}, {"money"}),
        ({"money": {"unit": "major", "currency": "ZZZ"}}, {"money.currency"}),
        ({"money": {"unit": "major", "currencies": {"IRHT": "10000 IRHT"}}}, {"money.currencies.IRHT"}),
        ({"refund_states": {"ok": "given"}}, {"refund_states.ok"}),
        ({"fields": {"external_id": "id", "value": "v"}}, {"money"}),
        ({"fields": {"external_id": "id", "value": "v"}, "money": {"unit": "major"}}, {"money.currency"}),
        ({"money": {"currency": "BRL"}}, {"money.unit"}),
        ({"statuses": {}}, {"statuses"}),
        ({"statuses.paid": "paid"}, {"statuses"}),  # both whole and in parts
        ({"fields": "id"}, {"fields"}),
        ({"kind": "header: x"}, {"kind"}),
        ({"kind": "field:"}, {"kind"}),
        ({"times": "%H:%M"}, {"times"}),
        ({"times": "%Q"}, {"times"}),
        ({"zone": "../etc/passwd"}, {"zone"}),
        ({"zone": "America"}, {"zone"}),
        ({"zone": "+25:00"}, {"zone"}),
    ],
)
def test_what_does_not_fit_together(more: dict[str, Any], names: set[str]) -> None:
    assert set(wrong({**LEAST, **more})) == names


def test_options_that_are_no_options() -> None:
    shapes: list[object] = [None, [], "x", {"a.b": 1}, {1: 2}]
    for given in shapes:
        assert wrong(given)


# -- Signatures ---------------------------------------------------------------------------------------------------

BODY = b'{"event":"order","id":"1"}'


def proves(
    signature: dict[str, Any],
    headers: dict[str, str],
    query: dict[str, str] | None = None,
    body: bytes = BODY,
    secret: str = SECRET,
) -> str:
    return source(signature=signature).verify(sent(body, headers, query), "another-secret", secret)


def mac(message: bytes, algorithm: str = "sha256", key: bytes = SECRET.encode()) -> bytes:
    return hmac.digest(key, message, algorithm)


HMAC = LEAST["signature"]
STAMPED = {**HMAC, "signed": "{timestamp}.{body}", "timestamp": "X-Time"}


@pytest.mark.parametrize(
    ("signature", "headers", "query"),
    [
        (HMAC, {"x-signature": mac(BODY).hex()}, None),
        ({**HMAC, "prefix": "sha256="}, {"x-signature": f"sha256={mac(BODY).hex()}"}, None),
        ({**HMAC, "header": "X-Signature"}, {"x-signature": mac(BODY).hex()}, None),
        (
            {"scheme": "hmac", "query": "sig", "algorithm": "sha512", "encoding": "base64"},
            {},
            {"sig": base64.b64encode(mac(BODY, "sha512")).decode()},
        ),
        (STAMPED, {"x-time": "1795179606", "x-signature": mac(b"1795179606." + BODY).hex()}, None),
        (
            {**STAMPED, "timestamp_unit": "milliseconds"},
            {"x-time": "1795179606000", "x-signature": mac(b"1795179606000." + BODY).hex()},
            None,
        ),
        (
            {**HMAC, "signed": "{url}|{header:X-Request}|{query:shop}|{body}"},
            {
                "x-request": "r-1",
                "x-signature": mac(b"https://registry.example/webhooks/src_1|r-1|sol|" + BODY).hex(),
            },
            {"shop": "sol"},
        ),
        ({"scheme": "token", "header": "x-token"}, {"x-token": SECRET}, None),
        (
            {"scheme": "token", "header": "authorization", "prefix": "Bearer "},
            {"authorization": f"Bearer {SECRET}"},
            None,
        ),
        ({"scheme": "token", "query": "key"}, {}, {"key": SECRET}),
        ({"scheme": "basic"}, {"authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}, None),
    ],
)
def test_schemes(signature: dict[str, Any], headers: dict[str, str], query: dict[str, str] | None) -> None:
    assert proves(signature, headers, query) == SECRET
    for name, value in headers.items():
        with pytest.raises(Unverified):
            proves(signature, {**headers, name: f"{value}0"}, query)
        with pytest.raises(Unverified):
            proves(signature, {other: its for other, its in headers.items() if other != name}, query)
    for name in query or {}:
        with pytest.raises(Unverified):
            proves(signature, headers, {name: "0"})
    if signature["scheme"] == "hmac":
        with pytest.raises(Unverified):
            proves(signature, headers, query, BODY + b" ")
    # What `sign` makes is what `verify` takes.
    signing = source(signature=signature)
    assert signing.verify(signing.sign(sent(BODY, {"x-request": "r-1"}, {"shop": "sol"}), SECRET), SECRET) == SECRET


@pytest.mark.parametrize(
    ("secret", "body", "shown"),
    [
        (
            "It's a Secret to Everybody",
            b"Hello, World!",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        (
            "mysecret",
            b'{"foo":"bar"}',
            "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3",
        ),
    ],
)
def test_a_family_of_headers_that_many_senders_copy(secret: str, body: bytes, shown: str) -> None:
    """GitHub's, with its published examples (docs.github.com, octokit/webhooks-methods.js test/sign.test.ts)."""
    family = {**HMAC, "header": "X-Hub-Signature-256", "prefix": "sha256="}
    assert proves(family, {"x-hub-signature-256": shown}, body=body, secret=secret) == secret


@pytest.mark.parametrize(
    ("word", "secret"), [("hex", bytes(range(32)).hex()), ("base64", base64.b64encode(bytes(range(32))).decode())]
)
def test_keys_in_hex_and_base64(word: str, secret: str) -> None:
    headers = {"x-signature": mac(BODY, key=bytes(range(32))).hex()}
    assert source(signature={**HMAC, "key": word}).verify(arrived(BODY, headers), secret) == secret
    source(signature=HMAC).refuse(arrived(BODY, headers), secret)


def test_standard_webhooks() -> None:
    # The specification's own example.
    secret, sent_at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(sent_at),
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    standard, at = source(signature={"scheme": "standard"}), datetime.fromtimestamp(sent_at, UTC)
    assert standard.verify(arrived(b'{"test": 2432232314}', headers, at=at), secret) == secret
    standard.refuse(arrived(b'{"test": 2432232315}', headers, at=at), secret)


@pytest.mark.parametrize(("age", "reason"), [(301, Unverified.TOO_OLD), (-301, Unverified.TOO_NEW), (300, None)])
def test_a_signed_time_may_be_so_old(age: int, reason: str | None) -> None:
    headers = {"x-time": "1795179606", "x-signature": mac(b"1795179606." + BODY).hex()}
    stamped, delivery = source(signature=STAMPED), arrived(BODY, headers, at=NOW + timedelta(seconds=age))
    if reason is None:
        assert stamped.verify(delivery, SECRET) == SECRET
    else:
        assert stamped.refuse(delivery, SECRET) == reason


@pytest.mark.parametrize("sent_at", ["", "now", "17951796O6", "-1795179606", "1795179606.5", "9" * 40])
def test_a_signed_time_that_is_none(sent_at: str) -> None:
    headers = {"x-time": sent_at, "x-signature": mac(sent_at.encode() + b"." + BODY).hex()}
    with pytest.raises(Unverified):
        proves(STAMPED, headers)


@pytest.mark.parametrize("body", ["json", "form"])
def test_a_token_in_the_body(body: str) -> None:
    given = source(signature={"scheme": "token", "field": "auth.token"}, body=body, kind="always:order")
    shown = {"id": "1", "auth": {"token": SECRET}}
    bytes_ = json.dumps(shown).encode() if body == "json" else urlencode({"id": "1", "auth[token]": SECRET}).encode()
    assert given.verify(bytes_, SECRET) == SECRET
    for other in (b"", b"[]", b"null", b'{"auth": null}', b"auth=1", b"auth[token]=", b'{"auth": {"token": 1}}'):
        given.refuse(other, SECRET)
    signed = given.sign(b'{"id":"1"}' if body == "json" else b"id=1", SECRET)
    assert given.verify(signed, SECRET) == SECRET


def test_strength() -> None:
    assert source().scheme.strength is Strength.MAC
    assert source(signature={**HMAC, "signed": "{header:x-id}"}).scheme.strength is Strength.TOKEN
    assert source(signature={"scheme": "token", "query": "k"}).scheme.strength is Strength.TOKEN


# -- Kinds and ids ------------------------------------------------------------------------------------------------


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


# -- Expressions --------------------------------------------------------------------------------------------------


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


def test_an_amount_in_cents_is_whole() -> None:
    with pytest.raises(Unreadable, match="whole"):
        said({"v": 199.9}, fields={"value": "v"}, money={"unit": "minor", "currency": "BRL"})


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


def test_the_document_without_options_is_what_the_content_type_says() -> None:
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert source().adapter.document_of(arrived(b"a[b]=1", form)) == {"a": {"b": "1"}}
    assert source().adapter.document_of(arrived(b'{"a":1}')) == {"a": 1}


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
