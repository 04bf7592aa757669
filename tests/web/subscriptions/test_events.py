"""What a subscription is told: every change of an order, of a contact and of a source, and nothing that is no change."""

import json

import pytest

from app.base import clock
from tests.house import House, order_event
from tests.jobs import done
from tests.receiver import Receiver
from tests.test_remap import _glued, broken, with_adapter
from tests.web.subscriptions.conftest import ALL, SOON, attempted, attempts_of, rows, silent, subscribed
from tests.web.test_erasing import MARKS, contact_of, nothing_is_left, zuleika

pytestmark = [pytest.mark.anyio, SOON]


async def test_an_order_made_changed_and_erased(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver)
    assert made["secret"].startswith("whsec_") and (made["state"], made["enabled"]) == ("working", True)
    before = clock.now()
    said = (await house.deliver(source, order_event(status="pending"))).json()
    order = said["orders"][0]
    await silent(house)
    [created] = receiver.told
    [shown] = await house.data("/v1/orders")
    assert created.said["type"] == "order.created"
    told = created.said["data"]["order"]  # as it is listed, but for the names of what it names
    assert created.said["data"] == {"order_id": order, "order": {name: shown[name] for name in told}}
    assert shown.keys() - told.keys() == {"buyer", "source_name", "owner_id", "owner_name"}
    assert created.headers["webhook-id"] == created.said["id"]
    assert before <= clock.since(created.said["timestamp"], 0) <= clock.now()

    await house.deliver(source, order_event(status="paid", at="2026-11-20T14:00:00Z"))
    await silent(house)
    [updated] = receiver.events("order.updated")
    [changed] = receiver.events("order.status_changed")
    assert updated["data"]["order"]["status"] == "paid" and "old_status" not in updated["data"]
    assert (changed["data"]["old_status"], changed["data"]["new_status"]) == ("pending", "paid")
    assert len({one.said["id"] for one in receiver.told}) == len(receiver.told) == 3

    contact = shown["contact_id"]
    assert (await house.call("DELETE", f"/v1/contacts/{contact}")).status_code == 200
    await silent(house)
    [erased] = receiver.events("contact.erased")
    assert erased["data"] == {"contact_id": contact, "merged": []}
    stub = receiver.events("order.updated")[1]["data"]["order"]
    assert (stub["id"], stub["title"], stub["contact_id"]) == (order, None, None)

    attempts = await attempts_of(house, made)
    assert [one["delivered"] for one in attempts] == [True] * 5
    assert {one["status"] for one in attempts} == {200} and all(one["took_ms"] > 0 for one in attempts)
    assert {one["order_id"] for one in attempts if one["type"] != "contact.erased"} == {order}
    # Nothing names whoever was erased, once the receiver knows.
    assert contact not in json.dumps(attempts) and await rows(house, "SELECT * FROM outbox") == []


async def test_what_is_not_wanted_or_no_change_is_not_told(house: House, receiver: Receiver) -> None:
    source = await house.source()
    await subscribed(house, receiver, "order.status_changed")
    one = order_event(status="pending", delivery_id="m1")
    await house.deliver(source, one)
    await house.deliver(source, one)
    assert (await house.deliver(source, order_event(status="pending", delivery_id="m2"))).json()[
        "outcome"
    ] == "unchanged"
    # Older than what is known already: the status stays.
    late = order_event(status="failed", at="2026-11-19T13:00:00Z", delivery_id="m3")
    await house.deliver(source, late)
    await house.deliver(source, order_event(status="pending", title="Another", at="2026-11-20T14:00:00Z"))
    await house.call("PUT", "/v1/contacts/42", {"emails": ["ana@example.com"], "name": "Ana", "owner_id": "rep"})
    assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []
    await house.deliver(source, order_event(status="paid", at="2026-11-20T15:00:00Z"))
    await silent(house)
    [told] = receiver.events()
    assert told["data"]["new_status"] == "paid"


async def test_what_says_nothing_new_is_told_to_nobody(house: House, receiver: Receiver) -> None:
    source = await house.source()
    order = (await house.deliver(source, order_event(delivery_id="m1"))).json()["orders"][0]
    await subscribed(house, receiver)
    # Heard, and kept in the history; but the order is what it was.
    again = order_event(delivery_id="m2", at="2026-11-20T14:00:00Z", ordered_at="2026-11-20T13:00:00Z")
    assert (await house.deliver(source, again)).json()["outcome"] == "unchanged"
    [row] = await house.data("/v1/deliveries?limit=1")
    assert (await house.call("POST", f"/v1/deliveries/{row['id']}/retry", {})).json()["outcome"] == "unchanged"
    [shown] = await house.data("/v1/orders")
    await house.call("PATCH", f"/v1/orders/{order}", {"title": shown["title"]})
    assert len((await house.get(f"/v1/orders/{order}/history"))["data"]) == 3
    assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []


async def test_orders_by_hand(house: House, receiver: Receiver) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    await subscribed(house, receiver)
    given = {"contact": "42", "title": "By hand", "value": "10.00", "currency": "BRL"}
    order = (await house.call("POST", "/v1/orders", given)).json()["id"]
    await house.call("PATCH", f"/v1/orders/{order}", {"status": "paid"})
    await silent(house)
    assert sorted(one["type"] for one in receiver.events()) == ALL[:3]
    assert receiver.events("order.created")[0]["data"]["order"]["crm_contact_id"] == "42"


async def test_test_orders_are_told_and_say_so(house: House, receiver: Receiver) -> None:
    source, _ = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event(test=True))
    await silent(house)
    [told] = receiver.events()
    assert told["data"]["order"]["test"] is True


async def test_a_source_that_fails_and_recovers_is_told_once(house: House, receiver: Receiver) -> None:
    source, off = await house.source(name="Shop"), await house.source(name="Off")
    good, forged = order_event("1"), order_event("2").changed(headers={"webhook-signature": "v1,x"})
    await house.deliver(source, good)
    for one in (source, off):
        await house.deliver(one, forged)
    await house.service.refused.flush()
    health = house.service.source_health
    await health._turn()  # nobody asked to be told
    await subscribed(house, receiver, "source.failing", "source.recovered")
    for _ in range(2):
        await health.look(house.account_id)
    await silent(house)
    failing = {one["data"]["source_id"]: one["data"] for one in receiver.events("source.failing")}
    assert failing.keys() == {source, off} and len(receiver.told) == 2
    assert (failing[source]["name"], failing[source]["adapter"], failing[source]["code"]) == (
        "Shop",
        "standard",
        "only_rejected",
    )
    assert failing[source]["since"] > failing[source]["last_good_at"] and failing[off]["last_good_at"] is None
    assert "the secret does not match" in failing[source]["message"]
    await house.deliver(source, order_event("3"))
    await house.call("PATCH", f"/v1/sources/{off}", {"enabled": False})  # that is no recovery
    for _ in range(2):
        await health.look(house.account_id)
    await silent(house)
    [recovered] = receiver.events("source.recovered")
    assert (recovered["data"]["source_id"], recovered["data"]["code"]) == (source, "only_rejected")
    assert "order" not in recovered["data"] and len(receiver.told) == 3
    assert await rows(house, "SELECT * FROM failing_sources") == []


async def test_an_import_tells_nobody(house: House, receiver: Receiver) -> None:
    source, _ = await house.source(), await subscribed(house, receiver)
    row = {
        "external_id": "1",
        "title": "Old",
        "value": "5.00",
        "currency": "BRL",
        "status": "paid",
        "source_id": source,
    }
    later = row | {"title": "Corrected", "updated_at": "2026-11-20T13:00:00Z"}
    for one in (row, later):
        done = await house.client.post(
            "/v1/orders/import",
            content=json.dumps(one) + "\n",
            headers={"Authorization": f"Bearer {house.token}", "content-type": "application/x-ndjson"},
        )
        assert done.status_code == 200, done.text
    [order] = await house.data("/v1/orders")
    assert order["title"] == "Corrected"
    assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []


async def test_orders_that_turn_out_to_be_one_sale_and_are_taken_apart_again(house: House, receiver: Receiver) -> None:
    source = await house.source()
    first, second = [(await house.deliver(source, order_event(name))).json()["orders"][0] for name in ("a-1", "a-2")]
    await subscribed(house, receiver, "order.created", "order.updated")
    with with_adapter(house, broken(_glued)):
        await house.deliver(source, order_event("a-1", value="99.00", at="2026-11-20T15:00:00Z"))
        await house.deliver(source, order_event("a-2", value="77.00", at="2026-11-20T16:00:00Z"))
    await silent(house)
    [merged] = [one["data"] for one in receiver.events() if "replaces" in one["data"]]
    assert (merged["order_id"], merged["replaces"]) == (first, [second])
    # A remap tells whoever was told the misreading what is right; a rehearsal of it tells nobody.
    receiver.told.clear()
    for dry_run in (True, False):
        await done(house, "/v1/remap", {"source_id": source, "dry_run": dry_run})
        if dry_run:
            assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []
    await silent(house)
    told = {one["data"]["order"]["external_id"]: one["type"] for one in receiver.events()}
    assert told == {"a-1": "order.updated", "a-2": "order.created"}


@pytest.mark.parametrize("stubs", [True, False], ids=["a stub", "nothing"])
async def test_whoever_was_erased_before_it_was_told_is_not_told_of(
    house: House, receiver: Receiver, stubs: bool
) -> None:
    if not stubs:
        await house.call("PATCH", "/v1/account", {"retention": {"orders_erased": "0d"}})
    source, made = await house.source(), await subscribed(house, receiver)
    receiver.answer = (503, {"retry-after": "3600"}, b"")
    order = (await house.deliver(source, zuleika())).json()["orders"][0]
    await attempted(house, made, 1)
    contact = await contact_of(house)
    receiver.told.clear()
    await house.call("DELETE", f"/v1/contacts/{contact}")
    waiting = await rows(house, "SELECT event, subject FROM outbox ORDER BY id")
    assert [one["subject"] for one in waiting] == [order, order, contact]
    await nothing_is_left(house)
    receiver.answer = (200, {}, b"")
    await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"enabled": True})
    await silent(house)
    shown = [one["data"]["order"] for one in receiver.events() if "order" in one["data"]]
    assert [one and (one["title"], one["contact_id"]) for one in shown] == [(stubs and (None, None)) or None] * 2
    assert not [mark for mark in MARKS if any(mark.encode() in one.body.lower() for one in receiver.told)]
    await nothing_is_left(house)
