"""An event is sent again until it is taken; what becomes of a receiver that fails, of one that is off, and of what is given up."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.base import clock
from app.base.tuning import Tuning
from app.store import outbox as events
from app.store.outbox import AttemptEnded
from tests.house import House, eventually, order_event
from tests.receiver import Receiver, receiving
from tests.web.subscriptions.conftest import SOON, attempted, attempts_of, rows, silent, subscribed

pytestmark = [pytest.mark.anyio, SOON]


async def test_what_is_no_yes_is_tried_again(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    elsewhere = {"location": receiver.url.replace("/orders", "/elsewhere")}
    receiver.answers = [(500, {}, b""), (302, elsewhere, b""), (400, {}, b"x" * 100_000), (404, {}, b"")]
    await house.deliver(source, order_event())
    attempts = await attempted(house, made, 5)
    assert [one["status"] for one in attempts] == [500, 302, 400, 404, 200]
    assert [one["number"] for one in attempts] == [1, 2, 3, 4, 5]
    assert len({one["event_id"] for one in attempts}) == 1
    assert "redirects are not followed" in attempts[1]["reason"]
    assert all(one["next_at"] > one["at"] for one in attempts[:4]) and attempts[4]["next_at"] is None
    assert {one.path for one in receiver.told} == {"/orders"}
    assert "xxx" not in str(await rows(house, "SELECT * FROM attempts"))
    assert (await house.get(f"/v1/subscriptions/{made['id']}"))["state"] == "working"


async def test_a_receiver_that_is_away_is_shown_as_failing(house: House, receiver: Receiver) -> None:
    async with receiving() as gone:
        made = await subscribed(house, gone, "order.created")
    source = await house.source()
    await house.deliver(source, order_event())
    await attempted(house, made, Tuning().event_tired + 1)
    shown = await house.get(f"/v1/subscriptions/{made['id']}")
    assert (shown["state"], shown["waiting"]) == ("failing", 1) and shown["failing_since"]
    assert "could not be reached" in shown["failing_reason"]
    alerts = (await house.get("/v1/stats"))["alerts"]
    [alert] = [one for one in alerts if one["code"] == "subscription_failing"]
    assert made["id"] in alert["advice"] and "could not be reached" in alert["message"]
    await house.service.metrics.poll()
    text = (await house.client.get("/metrics")).text
    assert "orders_events_waiting 1.0" in text and "orders_subscriptions_failing 1.0" in text
    # Another address: what waited is told at once.
    await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"url": receiver.url})
    await silent(house)
    assert (await house.get(f"/v1/subscriptions/{made['id']}"))["state"] == "working"
    assert 'orders_event_attempts_total{ended="delivered"} 1.0' in (await house.client.get("/metrics")).text


@pytest.mark.tuned(event_tired=1, retry_waits=(3600.0, 3600.0))
async def test_a_receiver_that_is_back_is_told_what_it_missed_at_once(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answers = [(500, {}, b"")]
    await house.deliver(source, order_event("1"))
    await attempted(house, made, 1)
    await house.deliver(source, order_event("2"))
    await silent(house)
    assert [one["data"]["order"]["external_id"] for one in receiver.events()] == ["1", "2", "1"]


async def test_a_receiver_that_asks_to_wait_is_left_alone(house: House, receiver: Receiver) -> None:
    source = await house.source()
    later = format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)
    for number, given in enumerate(("10800", later)):
        made = await subscribed(house, receiver, "order.created")
        receiver.answers = [(429, {"retry-after": given}, b"")]
        receiver.told.clear()
        await house.deliver(source, order_event(f"a{number}"))
        [attempt] = await attempted(house, made, 1)
        [row] = await rows(house, f"SELECT * FROM subscriptions WHERE id = '{made['id']}'")
        assert 10_700 < (row["rests_until"] - clock.now()) / 1e6 <= 10_800
        wait = clock.since(attempt["next_at"], 0) - clock.since(attempt["at"], 0)
        assert 10_700 < wait / 1e6 <= 10_801
        # Nothing else is sent there either.
        await house.deliver(source, order_event(f"b{number}"))
        assert not [one for one in await outbox_ready(house) if one["id"] == made["id"]]
        await house.call("DELETE", f"/v1/subscriptions/{made['id']}")


async def outbox_ready(house: House) -> list[dict[str, Any]]:
    return await events.standing(house.service.store, clock.now())


async def test_410_switches_it_off(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answers = [(410, {}, b"")]
    await house.deliver(source, order_event("1"))
    shown = await eventually(lambda: house.get(f"/v1/subscriptions/{made['id']}"), lambda one: not one["enabled"])
    assert shown["state"] == "off" and "410" in shown["off_reason"]
    [alert] = [one for one in (await house.get("/v1/stats"))["alerts"] if one["code"] == "subscription_off"]
    assert made["id"] in alert["advice"]
    await house.deliver(source, order_event("2"))
    assert await rows(house, "SELECT * FROM outbox") == []
    on = await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"enabled": True})
    assert (on.json()["state"], on.json()["off_reason"]) == ("working", None)
    await house.deliver(source, order_event("3"))
    await eventually(lambda: asyncio.sleep(0, receiver.told), lambda told: len(told) >= 2)
    assert receiver.events()[-1]["data"]["order"]["external_id"] == "3"


@pytest.mark.tuned(event_clears=0.0)
async def test_what_waits_for_one_that_is_off_or_deleted_is_dropped(house: House, receiver: Receiver) -> None:
    source = await house.source()
    for last in ({"enabled": False}, None):
        made = await subscribed(house, receiver, "order.created")
        receiver.answer = (503, {"retry-after": "3600"}, b"")
        await house.deliver(source, order_event(f"{last}"))
        await attempted(house, made, 1)
        path = f"/v1/subscriptions/{made['id']}"
        done = await (house.call("PATCH", path, last) if last else house.call("DELETE", path))
        assert done.status_code in (200, 204)
        await silent(house)
    assert await rows(house, f"SELECT * FROM attempts WHERE subscription_id = '{made['id']}'") == []
    assert await rows(house, f"SELECT * FROM secrets WHERE source_id = '{made['id']}'") == []


@pytest.mark.tuned(event_clears=0.0, event_life=0.0, event_tries=3)
async def test_after_three_days_an_event_is_given_up_and_it_says_so(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answer = (500, {}, b"")
    await house.deliver(source, order_event())
    await attempted(house, made, 1)
    await silent(house)
    [newest, *tried] = await attempts_of(house, made)
    assert (newest["reason"], newest["next_at"], newest["delivered"]) == (events.GIVEN_UP, None, False)
    assert newest["took_ms"] is None and newest["status"] is None
    assert len(tried) >= 3


@pytest.mark.tuned(event_clears=0.0, event_life=0.0, event_tries=1)
async def test_an_event_that_was_never_tried_is_never_given_up(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answer = (503, {"retry-after": "86400"}, b"")
    await house.deliver(source, order_event("1", delivery_id="1"))
    await attempted(house, made, 1)
    await house.deliver(source, order_event("2", delivery_id="2"))  # behind one that rests
    receiver.answer = (200, {}, b"")
    house.service.outbox.wake()
    assert {one["reason"] for one in await attempted(house, made, 2)} >= {events.GIVEN_UP}  # the first
    for _ in range(3):
        await events.clear(house.service.store, clock.now(), life=0, tries=1)
    await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"enabled": True})
    await silent(house)
    assert [one["data"]["order"]["external_id"] for one in receiver.events()] == ["1", "2"]


async def test_what_ended_together_is_recorded_together(house: House, receiver: Receiver) -> None:
    """In their order: a failure before one that was taken says nothing any more, one after it does; a 410 always."""
    await house.service.outbox.loop.stop()  # it is done by hand
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    for name in "abcde":
        await house.deliver(source, order_event(name, delivery_id=name))
    store = house.service.store
    claim = {"present": clock.now(), "until": clock.now() + 60_000_000, "room": 9, "at_once": lambda _: 9}

    async def claimed(*ended: AttemptEnded) -> list[Any]:
        standing = await events.standing(store, claim["present"])
        return await store.commit(lambda: events.turn(ended, standing, **claim))

    def ended(row: Any, at: int, **more: Any) -> AttemptEnded:
        return AttemptEnded(row=row, at=at, took=1, status=200, **more)

    first, second, third, fourth, fifth = await claimed()
    later = clock.now() + 3_600_000_000
    await claimed(
        ended(first, 1, reason="early", next_at=later),
        ended(second, 2),
        ended(third, 3),
        ended(fourth, 4, reason="late", next_at=later, rests_until=later),
    )
    [shown] = await rows(house, "SELECT * FROM subscriptions")
    assert (shown["failures"], shown["failing_since"], shown["failing_reason"]) == (1, 4, "late")
    assert (shown["last_sent_at"], shown["rests_until"]) == (3, later)
    waiting = await rows(house, "SELECT id, attempts, next_at, claimed_until FROM outbox ORDER BY id")
    assert [one["id"] for one in waiting] == [first["id"], fourth["id"], fifth["id"]]
    assert [(one["attempts"], one["next_at"] == later) for one in waiting] == [(1, True), (1, True), (0, False)]
    assert [bool(one["claimed_until"]) for one in waiting] == [False, False, True]
    await claimed(ended(fifth, 5, reason="gone", off=True), ended(first, 6, back=True))
    [shown] = await rows(house, "SELECT * FROM subscriptions")
    assert (bool(shown["enabled"]), shown["off_reason"], shown["failures"]) == (False, "gone", 0)
    [waits] = await rows(house, "SELECT id, next_at FROM outbox")
    assert waits["id"] == fourth["id"] and waits["next_at"] <= clock.now()  # it is back
    assert len(await attempts_of(house, made)) == 6


@pytest.mark.tuned(event_within=0.05)
async def test_a_receiver_that_is_slow_is_not_waited_for(house: House, receiver: Receiver) -> None:
    go_on = asyncio.Event()

    async def wait(_: Any) -> None:
        await go_on.wait()

    receiver.before = wait
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event())
    [attempt, *_] = await attempted(house, made, 1)
    assert "did not answer within" in attempt["reason"] and attempt["status"] is None
    receiver.before = None
    go_on.set()
    await silent(house)


async def test_a_fault_of_ours_is_an_attempt_that_failed_and_holds_up_nobody(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    shown, faults = house.service.outbox._shown, iter([RuntimeError("a fault")])

    def stumbles(row: Any, crm_contact_id: str | None) -> Any:
        for fault in faults:
            raise fault
        return shown(row, crm_contact_id)

    monkeypatch.setattr(house.service.outbox, "_shown", stumbles)
    await house.deliver(source, order_event())
    attempts = await attempted(house, made, 2)
    assert "a fault of ours (RuntimeError)" in attempts[0]["reason"] and attempts[1]["delivered"]


async def test_nothing_is_told_while_the_registry_is_off(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answers = [(503, {}, b"")]
    await house.deliver(source, order_event())
    await attempted(house, made, 1)
    await house.call("PATCH", "/v1/account", {"orders_enabled": False})
    assert await outbox_ready(house) == []
    await house.call("PATCH", "/v1/account", {"orders_enabled": True})
    await silent(house)


async def test_attempts_are_paged(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    for number in range(5):
        await house.deliver(source, order_event(f"{number}"))
    await attempted(house, made, 5)
    found: list[str] = []
    cursor = ""
    while True:
        page = await house.get(f"/v1/subscriptions/{made['id']}/attempts?limit=2{cursor}")
        found += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == sorted(found, reverse=True) and len(found) == 5
