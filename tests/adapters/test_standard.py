"""Standard Webhooks: the published signatures, our own JSON, and what docs/standard.md promises."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import AliasChoices

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable, Unverified
from tests.reading import NOW, OrderView, Source, arrived

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "standard.md").read_text(encoding="utf-8")
STANDARD = Source("standard")


def said(data: object, kind: str = "order.updated", **envelope: object) -> OrderView:
    return STANDARD.order({"type": kind, "timestamp": "2026-11-20T13:00:06Z", "data": data, **envelope})


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", MANUAL, re.DOTALL)
    assert found
    return found[1]


# -- Signature ----------------------------------------------------------------------------------------------------

VECTORS = [
    # standard-webhooks/standard-webhooks, libraries/python/tests
    (
        "webhook-",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    # svix/svix-docs, content/receiving/verifying-payloads/how-manual.mdx
    (
        "svix-",
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
        "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    ),
]


@pytest.mark.parametrize(("family", "secret", "name", "sent", "body", "signature"), VECTORS)
def test_published_vectors(family: str, secret: str, name: str, sent: int, body: bytes, signature: str) -> None:
    at = datetime.fromtimestamp(sent, UTC)
    for listed in (signature, f"v1,{'A' * 43}= {signature} v1a,ignored", f"v2,x {signature}"):
        headers = {f"{family}id": name, f"{family}timestamp": str(sent), f"{family}signature": listed}
        assert STANDARD.verify(arrived(body, headers), secret, now=at) == secret
        for seconds, reason in ((301, Unverified.TOO_OLD), (-301, Unverified.TOO_NEW)):
            assert STANDARD.refuse(arrived(body, headers), secret, now=at + timedelta(seconds=seconds)) == reason


@pytest.mark.parametrize("header", ["webhook-id", "svix-id"])
def test_delivery_id(header: str) -> None:
    assert STANDARD.delivery_id(arrived(b"{}", {header: "msg_9"})) == "msg_9"


def test_the_secret_is_ours_and_has_the_prefix_that_the_key_is_read_after() -> None:
    secret = STANDARD.adapter.secret_prefix + base64.b64encode(bytes(32)).decode()
    signed = STANDARD.sign(b"{}", secret)
    assert STANDARD.verify(signed, secret) == secret
    assert STANDARD.adapter.secret_made_by == "ours"


# -- The manual ---------------------------------------------------------------------------------------------------


def test_the_manuals_python_signs() -> None:
    names: dict = {}
    exec(example("python"), names)  # noqa: S102 - it is our own page that is tested
    secret, body = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode(), '{"Ação": 1}'.encode()
    headers = names["sign"](secret, "msg_1", int(NOW.timestamp()), body)
    assert STANDARD.verify(arrived(body, headers), secret) == secret


def test_the_manuals_vector_is_right() -> None:
    [(secret, name, sent, body, signature)] = re.findall(
        r"secret `(whsec_[^`]+)`, id `([^`]+)`, timestamp `(\d+)`, body\n`([^`]+)` give `([^`]+)`", MANUAL
    )
    headers = {"webhook-id": name, "webhook-timestamp": sent, "webhook-signature": signature}
    at = datetime.fromtimestamp(int(sent), UTC)
    assert STANDARD.verify(arrived(body.encode(), headers), secret, now=at) == secret


@pytest.mark.parametrize("language", ["python", "js", "php", "sh"])
def test_the_manuals_examples_are_short_and_name_the_headers(language: str) -> None:
    code = example(language)
    assert len(code.splitlines()) <= 15
    for word in ("webhook-id", "webhook-timestamp", "webhook-signature", "v1,", "whsec_"):
        assert word in code


def test_the_manuals_json_is_read_as_it_says() -> None:
    event = json.loads(example("json"))
    order = said(event["data"], event["type"], timestamp=event["timestamp"])
    assert (order.external_id, order.status, order.value, order.title) == (
        "1001",
        Status.PAID,
        "398.00 BRL",
        "#1001 · Running shoes",
    )
    assert order.items
    assert str(order.items[0].unit_value) == "199.00"
    assert order.customer
    assert order.customer.emails == ("ana.souza@example.com",)


def test_the_manual_names_every_field_kind_and_status() -> None:
    for word in [*STANDARD.adapter.topics, *Status]:
        assert f"`{word}`" in MANUAL
    fields = STANDARD.adapter.reads["order.created"].model_fields
    for name, field in fields.items():
        where = field.validation_alias
        path = ".".join(map(str, where.choices[0].path)) if isinstance(where, AliasChoices) else name  # type: ignore[union-attr]
        assert f"`{path}`" in MANUAL
    for name in fields["contact"].annotation.__args__[0].model_fields:  # type: ignore[union-attr]
        assert f"`{name}`" in MANUAL


# -- The JSON -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "word", "status"),
    [
        *(("order.updated", word.value, word) for word in Status),
        ("order.paid", "pending", Status.PENDING),  # the status decides, not the kind
        ("order.paid", None, None),
        ("order.refunded", None, None),
        ("order.deleted", None, Status.CANCELED),
        ("order.deleted", "", Status.CANCELED),
        ("order.deleted", "refunded", Status.REFUNDED),
        ("order.updated", "Paid", UNKNOWN),
        ("order.updated", "cancelled", UNKNOWN),
    ],
)
def test_status(kind: str, word: str | None, status: object) -> None:
    order = said({"id": "1", "status": word}, kind)
    assert order.status is status
    assert order.source_status == (word or None)


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        ('"398.00"', "BRL", "398.00"),
        ("398", "BRL", "398.00"),
        ("0.1", "brl", "0.10"),
        ("12345678901.23", "BRL", "12345678901.23"),
        ('"1500"', "JPY", "1500"),
        ('"1.005"', "KWD", "1.005"),
        ("0", "BRL", "0.00"),
    ],
)
def test_money(value: str, currency: str, text: str) -> None:
    body = f'{{"type":"order.paid","timestamp":"2026-11-20T13:00:05Z","data":{{"id":"1","value":{value},"currency":"{currency}"}}}}'
    assert STANDARD.order(body.encode()).value == f"{text} {currency.upper()}"


@pytest.mark.parametrize(
    ("value", "currency", "reason"),
    [
        ('"1.500"', "BRL", "1.500 has more decimals than BRL has"),  # perhaps 1,500 is meant
        ("0.30000000000000004", "BRL", "more decimals"),  # what JavaScript makes of 0.1 + 0.2
        ('"100.00"', "JPY", "more decimals"),
        ('"100.00"', "XYZ", "XYZ is no currency"),
    ],
)
def test_money_is_read_exactly_or_refused(value: str, currency: str, reason: str) -> None:
    body = f'{{"type":"order.paid","timestamp":"2026-11-20T13:00:05Z","data":{{"id":"1","value":{value},"currency":"{currency}"}}}}'
    with pytest.raises(Unreadable, match=reason):
        STANDARD.order(body.encode())


@pytest.mark.parametrize(
    ("data", "refunds"),
    [
        ({}, None),
        ({"refunds": []}, None),
        ({"refunds": [{"id": "r-1", "value": "1"}, {"id": 2, "value": 2.5}]}, {"r-1": "1.00", "2": "2.50"}),
        ({"refunded_value": "3"}, {"total": "3.00"}),
        ({"refunded_value": 0}, {"total": "0.00"}),  # it was taken back
    ],
)
def test_refunds(data: dict, refunds: dict | None) -> None:
    order = said({"id": "1", "currency": "BRL", **data})
    assert order.refunds == {name: f"{back} BRL" for name, back in (refunds or {}).items()}


def test_what_is_left_out_is_left_alone() -> None:
    order = said({"id": "1"})
    assert order.mentioned == {"external_id", "at"}


def test_no_items_is_said_too() -> None:
    assert said({"id": "1", "items": []}).items == ()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"order_id": "1"}, "data.id"),
        ({"id": ""}, "id is empty"),
        ({"id": "x" * 256}, "longer than 255"),
        ({"id": "1", "value": "1"}, "data.currency"),
        ({"id": "1", "items": [{"title": "x", "unit_value": "1"}]}, "data.currency"),
        ({"id": "1", "refunded_value": "1"}, "data.currency"),
        ({"id": "1", "value": "-1", "currency": "BRL"}, "data.value"),
        ({"id": "1", "value": "R$ 1,00", "currency": "BRL"}, "data.value"),
        ({"id": "1", "value": True, "currency": "BRL"}, "data.value"),
        ({"id": "1", "value": "NaN", "currency": "BRL"}, "data.value"),
        ({"id": "1", "value": "1e999999999", "currency": "BRL"}, "too large"),
        ({"id": "1", "value": "1", "currency": "real"}, "currency"),
        ({"id": "1", "currency": "BRL", "refunds": [], "refunded_value": 1}, "one of the two"),
        ({"id": "1", "currency": "BRL", "refunds": [{"value": 1}]}, "data.refunds.0.id"),
        ({"id": "1", "items": [{"name": "x"}]}, "data.items.0.title"),
        ({"id": "1", "items": [{"title": "x", "quantity": "1e999999999"}]}, "quantity"),
        ({"id": "1", "paid_at": "yesterday"}, "data.paid_at"),
        ({"id": "1", "url": "javascript:alert(1)"}, "data.url"),
        ({"id": "1", "contact": "Ana"}, "data.contact"),
        (None, "data"),
    ],
)
def test_what_is_wrong_is_named(data: object, field: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(field)):
        said(data)


def test_a_time_is_needed_and_may_be_of_any_zone() -> None:
    with pytest.raises(Unreadable, match="timestamp"):
        said({"id": "1"}, timestamp=None)
    for text in ("2026-11-20T10:00:06-03:00", "2026-11-20T13:00:06", "2026-11-20T13:00:06.000Z"):
        assert said({"id": "1"}, timestamp=text).at == NOW


@pytest.mark.parametrize("kind", ["ping", "cart.updated", "order.shipped", "invoice.paid"])
def test_other_kinds_are_ignored(kind: str) -> None:
    with pytest.raises(Ignored):
        said({"id": "1"}, kind)
