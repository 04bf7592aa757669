"""VTEX: a header of our own choosing proves the sender; the order is read back from the source's own account."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

import adapters
from adapters.contract import Delivery, Money, Order, Status, Strength, Unreadable, Unverified
from app.base import clock

VTEX = adapters.load("vtex")
OPTIONS = VTEX.options(account="madeupstore")
SECRET = "a-made-up-secret-of-32-characters"
NOW = clock.moment(1_795_000_000_000_000)


def delivery(order_id: str = "1000000001-01", **headers: str) -> Delivery:
    body = json.dumps({"Domain": "Fulfillment", "OrderId": order_id, "State": "invoiced"}).encode()
    return Delivery(body=body, headers=headers, received_at=NOW, url="")


def test_only_the_header_proves() -> None:
    scheme = VTEX.signature
    assert scheme.strength is Strength.TOKEN
    assert scheme.verify(delivery(**{"x-orders-registry-token": SECRET}), [SECRET], NOW) == SECRET
    for headers in ({}, {"x-orders-registry-token": "another"}, {"x-vtex-api-apptoken": SECRET}):
        with pytest.raises(Unverified):
            scheme.verify(delivery(**headers), [SECRET], NOW)


@pytest.mark.parametrize("account", ["", "a.b", "a/b", "A", "-a", "a@b", "x" * 63])
def test_an_account_cannot_lead_elsewhere(account: str) -> None:
    with pytest.raises(ValidationError):
        VTEX.options(account=account)


def test_an_order_id_cannot_lead_elsewhere() -> None:
    for order_id in ("../x", "..", ".", "a/b", "a b", "a?b", ""):
        with pytest.raises(Unreadable, match="OrderId"):
            event = VTEX.read(delivery(order_id), "Fulfillment", OPTIONS)
            VTEX.path(event.payload, event)
    event = VTEX.read(delivery("MKT-10.5_A-01"), "Fulfillment", OPTIONS)
    assert VTEX.path(event.payload, event) == "/api/oms/pvt/orders/MKT-10.5_A-01"


def order(**said: Any) -> Order:
    event = VTEX.read(delivery(), "Fulfillment", OPTIONS)
    document = {"orderId": "1-01", "value": 1160, "storePreferencesData": {"currencyCode": "BRL"}} | said
    [found] = VTEX.translate(VTEX.fetched(event, json.dumps(document).encode()))
    return found


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("payment-pending", Status.PENDING),
        ("payment-approved", Status.PAID),
        ("invoiced", Status.PAID),
        ("cancellation-requested", None),
        ("canceled", Status.CANCELED),
        ("payment-denied", Status.FAILED),
        ("waiting-for-fulfillment", Status.PENDING),
        ("invoice-after-cancellation-deny", Status.PAID),
        ("replaced", None),
    ],
)
def test_states(word: str, status: Status | None) -> None:
    assert order(status=word).status is status


def test_hundredths_whatever_the_currency() -> None:
    assert order().value == Money(1160, "BRL")
    assert order(value=1999000, storePreferencesData={"currencyCode": "CLP"}).value == Money(19990, "CLP")


def test_an_alias_is_nobodys_address_and_a_foreign_number_no_cpf() -> None:
    who = {"email": "x-265@ct.vtex.com.br", "document": "52998224725", "documentType": "cedulaCOL", "firstName": "Ana"}
    found = order(clientProfileData=who).customer
    assert found is not None and (found.emails, found.documents) == ((), ())
    found = order(clientProfileData=who | {"documentType": "cpf", "email": "ana@example.com"}).customer
    assert found is not None and (found.emails, found.documents) == (("ana@example.com",), ("52998224725",))


def test_how_the_key_travels_and_where_to() -> None:
    assert VTEX.api is not None
    assert VTEX.api.authorize("k:t", OPTIONS) == {"x-vtex-api-appkey": "k", "x-vtex-api-apptoken": "t"}
    assert VTEX.api.origin_for(OPTIONS) == "https://madeupstore.vtexcommercestable.com.br"


def test_only_the_ping_itself_is_a_greeting() -> None:
    for body, greeted in ((b'{"hookConfig":"ping"}', True), (b'[{"hookConfig":"ping"}]', False)):
        one = Delivery(body=body, headers={}, received_at=NOW, url="")
        assert (VTEX.handshake(one) is not None) == greeted
