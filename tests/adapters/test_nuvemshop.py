"""Nuvemshop: how it signs, as its PHP sample does, and what two axes of status become."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from adapters.contract import Delivery, Item, Money, Status, Unreadable
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived

NUVEMSHOP = Source("nuvemshop")
SECRET = "made-up-client-secret"
BODY = b'{"store_id":271146,"event":"order/paid","id":450789469}'


def delivery(signature: str = "", body: bytes = BODY) -> Delivery:
    return arrived(body, x_linkedstore_hmac_sha256=signature)


def test_the_signature_is_lower_case_hex_over_the_raw_body() -> None:
    signature = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert NUVEMSHOP.verify(delivery(signature), SECRET) == SECRET
    for given in (signature.upper(), signature[:-1], ""):
        NUVEMSHOP.refuse(delivery(given), SECRET)


def order(document: dict[str, Any]) -> OrderView:
    return NUVEMSHOP.order(delivery(), document)


@pytest.mark.parametrize(
    ("status", "payment", "expected"),
    [
        ("open", "pending", Status.PENDING),
        ("open", "authorized", Status.PENDING),
        ("open", "paid", Status.PAID),
        ("closed", "paid", Status.PAID),
        ("cancelled", "paid", Status.CANCELED),
        ("cancelled", "refunded", Status.REFUNDED),
        ("open", "refunded", Status.REFUNDED),
        ("open", "voided", Status.CANCELED),
        ("open", "abandoned", Status.CANCELED),
        ("open", "unpaid", Status.PENDING),
        ("open", "partially_paid", Status.PARTIALLY_PAID),
        ("open", "partially_refunded", Status.PAID),
    ],
)
def test_two_axes_of_status(status: str, payment: str, expected: Status) -> None:
    found = order({"id": 1, "total": "10.00", "currency": "BRL", "status": status, "payment_status": payment})
    assert found.status is expected


def test_a_store_cannot_lead_elsewhere() -> None:
    body = b'{"store_id":"../x","event":"order/paid","id":1}'
    with pytest.raises(Unreadable):
        NUVEMSHOP.path(delivery(body=body))


def test_real_documents(payloads: Payloads) -> None:
    """An older example of the manual says `price` for `total`."""
    for file in payloads("nuvemshop", "order_api_response*.json"):
        told = json.loads(file.read_text())
        document = told[0] if isinstance(told, list) else told
        one = order(document)
        status = Status.PAID if document["payment_status"] == "paid" else Status.PENDING
        value = Money.major(document.get("total") or document["price"], document["currency"])
        assert (one.external_id, one.status, one.value) == (str(document["id"]), status, f"{value} {value.currency}")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"store_id":1}', "store/redact"),
        (b'{"store_id":1,"customer":{"id":2},"orders_to_redact":[3]}', "customers/redact"),
        (
            b'{"store_id":1,"customer":{"id":2},"orders_requested":[3],"data_request":{"id":4}}',
            "customers/data_request",
        ),
    ],
)
def test_privacy_notices_may_not_name_their_event(body: bytes, kind: str) -> None:
    assert NUVEMSHOP.kind(delivery(body=body)) == kind
    with pytest.raises(Unreadable):
        NUVEMSHOP.kind(delivery(body=b'{"store_id":1,"id":2}'))


def test_an_identification_is_brazilian_only_in_brazil() -> None:
    person = {"customer": {"id": 1, "identification": "52998224725"}}
    for currency, documents in (("BRL", ("52998224725",)), ("ARS", ())):
        found = order({"id": 1, "total": "10.00", "currency": currency} | person)
        assert found.customer is not None and found.customer.documents == documents


def test_a_line_without_a_quantity_is_one() -> None:
    for line in ({"name": "Caneca", "quantity": None}, {"name": "Caneca"}):
        found = order({"id": 1, "total": "10.00", "currency": "BRL", "products": [line]})
        assert found.items == (Item(title="Caneca", quantity=1),)


def test_how_the_key_travels() -> None:
    api = NUVEMSHOP.adapter.api
    assert api is not None
    assert api.authorize("k", None)["authentication"] == "bearer k"
