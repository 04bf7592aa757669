"""An account's own list of what names nobody, and where phones are read."""

import pytest

from tests.house import House, order_event

pytestmark = pytest.mark.anyio


async def test_an_account_adds_what_is_nobodys(house: House) -> None:
    put = await house.call("PATCH", "/v1/account", {"not_identities": ["(11) 3333-4444", "Balcao@Example.com"]})
    assert (put.status_code, put.json()["not_identities"]) == (200, ["+551133334444", "balcao@example.com"])
    source = await house.source()
    contact = {"phone": "11 3333-4444", "email": "balcao@example.com"}
    for number, name in enumerate(("Ana Prado", "Bruno Lima")):
        said = (await house.deliver(source, order_event(str(number), contact={"name": name, **contact}))).json()
        assert (await house.get(f"/v1/deliveries/{said['delivery_id']}"))["notes"] == ["identity_left_out"]
    assert await house.data("/v1/contacts?email=balcao@example.com") == []
    wrong = await house.call("PATCH", "/v1/account", {"not_identities": ["x@example.com", "nobody"]})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "not_identities.1")


async def test_a_phone_is_read_in_the_buyers_country_then_the_sources_then_the_accounts(house: House) -> None:
    for options, country, expected in (
        ({}, None, "+554155552671"),
        ({"region": "US"}, None, "+14155552671"),
        ({"region": "US"}, "BR", "+554155552671"),
    ):
        source = await house.source(options=options)
        contact = {"phone": "(41) 5555-2671", "country": country, "id": "1"}
        await house.deliver(source, order_event(contact={key: one for key, one in contact.items() if one}))
        found = [one for one in await house.data(f"/v1/contacts?phone={expected.replace('+', '%2B')}")]
        assert source in [one["told_by"] for each in found for one in each["identities"]], expected
    wrong = await house.call("POST", "/v1/sources", {"adapter": "shopify", "options": {"region": "Brasil"}})
    assert wrong.status_code == 422


async def test_a_marketplaces_alias_speaks_against_nobody(house: House) -> None:
    source = await house.source()
    phone = "+55 11 98765-4321"
    for number, email in enumerate(("a1@marketplace.amazon.com.br", "ana@example.com", "a2@marketplace.amazon.com.br")):
        await house.deliver(source, order_event(str(number), contact={"name": "Ana", "phone": phone, "email": email}))
    assert len({one["contact_id"] for one in await house.data("/v1/orders")}) == 1
