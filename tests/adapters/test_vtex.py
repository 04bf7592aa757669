"""VTEX: a header of our own choosing proves the sender; the order is read back from the source's own account."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.contract import Delivery, Status, Strength, Unreadable
from tests.reading import OrderView, Source, arrived

VTEX = Source("vtex", account="madeupstore")
SECRET = "a-made-up-secret-of-32-characters"


def delivery(order_id: str = "1000000001-01", **headers: str) -> Delivery:
    return arrived({"Domain": "Fulfillment", "OrderId": order_id, "State": "invoiced"}, headers)


def test_only_the_header_proves() -> None:
    assert VTEX.scheme.strength is Strength.TOKEN
    assert VTEX.verify(delivery(**{"x-orders-registry-token": SECRET}), SECRET) == SECRET
    for headers in ({}, {"x-orders-registry-token": "another"}, {"x-vtex-api-apptoken": SECRET}):
        VTEX.refuse(delivery(**headers), SECRET)


@pytest.mark.parametrize("account", ["", "a.b", "a/b", "A", "-a", "a@b", "x" * 63])
def test_an_account_cannot_lead_elsewhere(account: str) -> None:
    with pytest.raises(ValidationError):
        Source("vtex", account=account)


def test_an_order_id_cannot_lead_elsewhere() -> None:
    for order_id in ("../x", "..", ".", "a/b", "a b", "a?b", ""):
        with pytest.raises(Unreadable, match="OrderId"):
            VTEX.path(delivery(order_id))
    assert VTEX.path(delivery("MKT-10.5_A-01")) == "/api/oms/pvt/orders/MKT-10.5_A-01"


def order(**said: Any) -> OrderView:
    document = {"orderId": "1-01", "value": 1160, "storePreferencesData": {"currencyCode": "BRL"}} | said
    return VTEX.order(delivery(), document)


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
        ("replaced", Status.CANCELED),
    ],
)
def test_states(word: str, status: Status | None) -> None:
    assert order(status=word).status is status


def test_hundredths_whatever_the_currency() -> None:
    assert order().value == "11.60 BRL"
    assert order(value=1999000, storePreferencesData={"currencyCode": "CLP"}).value == "19990 CLP"


def test_an_alias_is_nobodys_address_and_a_foreign_number_no_cpf() -> None:
    who = {"email": "x-265@ct.vtex.com.br", "document": "52998224725", "documentType": "cedulaCOL", "firstName": "Ana"}
    found = order(clientProfileData=who).customer
    assert found is not None and (found.emails, found.documents) == ((), ())
    found = order(clientProfileData=who | {"documentType": "cpf", "email": "ana@example.com"}).customer
    assert found is not None and (found.emails, found.documents) == (("ana@example.com",), ("52998224725",))


def test_how_the_key_travels_and_where_to() -> None:
    api = VTEX.adapter.api
    assert api is not None
    assert api.authorize("k:t", VTEX.options) == {"x-vtex-api-appkey": "k", "x-vtex-api-apptoken": "t"}
    assert api.origin_for(VTEX.options) == "https://madeupstore.vtexcommercestable.com.br"


def test_only_the_ping_itself_is_a_greeting() -> None:
    for body, greeted in ((b'{"hookConfig":"ping"}', True), (b'[{"hookConfig":"ping"}]', False)):
        assert (VTEX.greeting(body) is not None) == greeted
