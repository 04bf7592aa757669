"""Contacts that a CRM's webhooks tell of, and privacy requests that shops pass on."""

import json
from typing import Any

import pytest

from adapters.contract import Delivery
from app.base import clock
from tests.house import SECRET, House, eventually, order_event, signed
from tests.samples import samples

pytestmark = pytest.mark.anyio


def contact(number: int, event: str = "contact_created", *, nth: str = "", **said: Any) -> Delivery:
    body = json.dumps({"event": event, "id": number, "name": "Ana Souza", **said}).encode()
    return signed("chatwoot", body, {"x-chatwoot-delivery": f"{event}-{number}{nth}"})


async def test_a_contact_is_made_changed_and_left_alone(house: House) -> None:
    source = await house.source("chatwoot")
    said = [
        (await house.deliver(source, one)).json()["outcome"]
        for one in (
            contact(7, email="Ana@Example.com"),
            contact(7, email="Ana@Example.com"),
            contact(7, "contact_updated", nth="a", email="ana@example.com"),
            contact(
                7, "contact_updated", nth="b", email="ana@example.com", phone_number="+5511987654321", name="Ana S."
            ),
        )
    ]
    assert said == ["created", "duplicate", "unchanged", "updated"]
    found = await house.get("/v1/contacts/7")
    assert found["name"] == "Ana S."
    [by_phone] = (await house.get("/v1/contacts?phone=%2B5511987654321"))["data"]
    assert by_phone["crm_id"] == "7"


async def test_the_crm_takes_over_a_contact_that_an_order_made(house: House) -> None:
    shop, crm = await house.source(), await house.source("chatwoot")
    await house.deliver(shop, order_event())
    assert (await house.deliver(crm, contact(7, email="ana@example.com"))).json()["outcome"] == "updated"
    [order] = await house.data("/v1/contacts/7/orders")
    assert order["external_id"] == "1001"


async def test_an_order_that_waited_for_the_contact_is_taken_up(house: House) -> None:
    shop, crm = await house.source(unknown_contacts="hold"), await house.source("chatwoot")
    held = (await house.deliver(shop, order_event())).json()
    assert held["outcome"] == "held"
    await house.deliver(crm, contact(7, email="ana@example.com"))
    await eventually(
        lambda: house.get(f"/v1/deliveries/{held['delivery_id']}"), lambda row: row["outcome"] == "created"
    )
    [order] = await house.data("/v1/contacts/7/orders")
    assert order["external_id"] == "1001"


async def test_an_identity_that_is_somebody_elses_is_reported(house: House) -> None:
    source = await house.source("chatwoot")
    await house.deliver(source, contact(7, email="ana@example.com"))
    said = (await house.deliver(source, contact(8, email="ana@example.com", phone_number="+5511987654322"))).json()
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert (row["outcome"], row["notes"]) == ("created", ["identity_conflict"])


async def test_a_mexican_mobile_keeps_its_phone_with_and_without_the_1(house: House) -> None:
    """WhatsApp, and so Chatwoot, writes the 1 behind +52 that was given up in 2019; shops leave it out."""
    shop, crm = await house.source(), await house.source("chatwoot")
    said = (await house.deliver(crm, contact(7, phone_number="+5215512345678"))).json()
    assert (await house.get(f"/v1/deliveries/{said['delivery_id']}"))["notes"] == []
    for written in ("5215512345678", "525512345678"):
        [found] = await house.data(f"/v1/contacts?phone=%2B{written}")
        assert found["crm_id"] == "7"
    await house.deliver(shop, order_event(contact={"name": "Ana Souza", "phone": "55 1234 5678", "country": "MX"}))
    await house.deliver(shop, order_event("1002", contact={"name": "Ana Souza", "phone": "+52 1 55 1234 5678"}))
    assert {one["external_id"] for one in await house.data("/v1/contacts/7/orders")} == {"1001", "1002"}


FIRST = {"email": "ana@example.com", "phone_number": "+5511987654321", "custom_attributes": {"cpf": "529.982.247-25"}}


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (("email",), "unchanged"),
        (("phone_number",), "updated"),  # a phone may be several people's
        (("email", "phone_number"), "updated"),
        (("custom_attributes",), "unchanged"),
    ],
)
@pytest.mark.parametrize("event", ["contact_created", "contact_updated"])
async def test_two_contacts_of_the_crm_are_parked_and_never_merged(
    house: House, event: str, told: tuple[str, ...], outcome: str
) -> None:
    shop, crm = await house.source(), await house.source("chatwoot")
    await house.deliver(crm, contact(7, **FIRST))
    await house.deliver(shop, order_event())
    if event == "contact_updated":
        await house.deliver(crm, contact(8))
    said = (await house.deliver(crm, contact(8, event, nth="b", **{word: FIRST[word] for word in told}))).json()
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    outcome = outcome if event == "contact_updated" else "created"
    assert (row["outcome"], row["notes"]) == (outcome, ["identity_conflict"])
    ours, theirs = await house.get("/v1/contacts/7"), await house.get("/v1/contacts/8")
    assert {one["kind"] for one in ours["identities"]} == {"crm", "email", "phone", "document"}
    assert {one["kind"] for one in theirs["identities"]} == {"crm", *(["phone"] if "phone_number" in told else [])}
    [order] = await house.data("/v1/orders")
    assert order["contact_id"] == ours["id"] != theirs["id"]
    pairs = await house.data("/v1/possible-duplicates")
    assert [{one["contact"]["crm_id"], one["other"]["crm_id"]} for one in pairs] == [{"7", "8"}] * len(told)
    assert all("crm" in one["against"] for one in pairs)
    assert [one["belongs_to"] for one in theirs["identity_conflicts"]] == [ours["id"]] * len(told)


async def test_privacy_requests_are_recorded_with_their_due_date(house: House) -> None:
    source = await house.source("shopify")
    sent = [one for one in samples("shopify") if one.case.startswith("privacy_")]
    for one in sent:
        said = (await house.deliver(source, one.signed(SECRET))).json()
        assert said["outcome"] == "ignored"
        again = (await house.deliver(source, one.signed(SECRET))).json()
        assert again["outcome"] == "duplicate"
        await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry", {})
    found = await house.data("/v1/privacy/requests")
    assert {(row["kind"], row["request"]) for row in found} == {
        ("customers/redact", "erase"),
        ("customers/data_request", "export"),
        ("shop/redact", "erase_shop"),
    }
    assert len(found) == len(sent) == 3
    for row in found:
        received, due = (clock.since(row[name], 0) for name in ("received_at", "due_at"))
        assert due - received == 30 * 86_400_000_000 and row["done_at"] is None and row["source_id"] == source
