"""The options of the adapter without code: the manual's examples, what is saved, and what is refused."""

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Unverified
from adapters.generic import GenericOptions
from tests.adapters.generic import LEAST, MANUAL, MONEY, WORDS, blocks, from_the_command_line, source
from tests.reading import NOW, Source, arrived, folded


def wrong(given: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        GenericOptions.model_validate(given)
    return {".".join(map(str, error["loc"])): error["msg"] for error in refused.value.errors()}


# -- The manual's examples ----------------------------------------------------------------------------------------


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


# -- What is saved, what is refused -------------------------------------------------------------------------------


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
            source().adapter.scheme(broken).verify(arrived({}), ["a-made-up-secret"], NOW)


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
