"""Who sends an event: one claim for each, a few at a time, by several processes, and after the end of one."""

import asyncio
from typing import Any

import pytest

from app.base import clock
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.store import source_health
from tests.house import House, order_event
from tests.receiver import Receiver
from tests.web.subscriptions.conftest import SOON, attempted, rows, silent, subscribed

pytestmark = [pytest.mark.anyio, SOON]


async def test_what_was_committed_is_told_after_a_restart(
    settings: Settings, tuning: Tuning, receiver: Receiver
) -> None:
    async with House(settings, tuning=tuning) as house:
        await house.service.outbox.stop()  # as when the process dies between the commit and the sending
        token, source = house.token, await house.source()
        await subscribed(house, receiver, "order.created")
        await house.deliver(source, order_event())
        assert len(await rows(house, "SELECT * FROM outbox")) == 1 and receiver.told == []
    async with House(settings, "another", tuning=tuning) as house:
        house.token = token
        await silent(house)
    assert len(receiver.told) == 1


async def test_what_a_process_that_died_had_claimed_is_told_by_the_next(
    settings: Settings, tuning: Tuning, receiver: Receiver
) -> None:
    async with House(settings, tuning=tuning) as house:
        await house.service.outbox.stop()
        source = await house.source()
        await subscribed(house, receiver, "order.created")
        await house.deliver(source, order_event())
        # Elsewhere the claim has to run out; where there is but one process, its next start knows better.
        until = clock.now() + (3_600_000_000 if settings.on_sqlite else 200_000)
        await rows(house, f"UPDATE outbox SET claimed_until = {until}")
    async with House(settings, "another", tuning=tuning) as house:
        await silent(house)
    assert len(receiver.told) == 1


@pytest.mark.tuned(stop_within=0.01)
async def test_a_receiver_that_never_answers_does_not_hold_up_the_end(
    settings: Settings, tuning: Tuning, receiver: Receiver
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> None:
        begun.set()
        await go_on.wait()

    receiver.before = wait
    async with House(settings, tuning=tuning) as house:
        token, source = house.token, await house.source()
        await subscribed(house, receiver, "order.created")
        await house.deliver(source, order_event())
        await begun.wait()
    go_on.set()
    receiver.before = None
    async with House(settings, "another", tuning=tuning) as house:
        house.token = token
        await silent(house)
    assert len(receiver.told) == 2  # at least once, with the same id
    assert len({one.said["id"] for one in receiver.told}) == 1


async def test_what_is_under_way_is_not_begun_a_second_time(house: House, receiver: Receiver) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold_the_first(_: Any) -> None:
        if not begun.is_set():
            begun.set()
            await go_on.wait()

    receiver.before = hold_the_first
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event("1"))
    await begun.wait()
    await house.deliver(source, order_event("2"))
    await attempted(house, made, 1)
    await house.deliver(source, order_event("3"))
    await attempted(house, made, 2)
    go_on.set()
    await silent(house)
    assert [one["data"]["order"]["external_id"] for one in receiver.events()] == ["1", "2", "3"]


async def test_one_claim_per_event_and_few_at_a_time(settings: Settings, tuning: Tuning, receiver: Receiver) -> None:
    """Two processes on PostgreSQL; on SQLite one, as everywhere."""
    running = most = 0

    async def meanwhile(_: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _turn in range(20):  # others get their turn
            await asyncio.sleep(0)
        running -= 1

    receiver.before = meanwhile
    async with House(settings, tuning=tuning) as house:
        source, made = await house.source(), await subscribed(house, receiver, "order.created")

        async def deliver(one: House, number: int) -> None:
            await one.deliver(source, order_event(f"o{number}", contact={"email": f"p{number}@example.com"}))

        if settings.on_sqlite:
            await asyncio.gather(*(deliver(house, number) for number in range(60)))
            await silent(house)
        else:
            async with House(settings, "another", tuning=tuning) as other:
                await asyncio.gather(*(deliver((house, other)[number % 2], number) for number in range(60)))
                await silent(house)
        attempts = await house.data(f"/v1/subscriptions/{made['id']}/attempts?limit=200")
    assert len(receiver.told) == len({one.said["id"] for one in receiver.told}) == len(attempts) == 60
    assert 1 < most <= tuning.event_per_subscription[1]


async def test_more_are_sent_at_a_time_to_a_receiver_that_takes_them(
    house: House, tuning: Tuning, receiver: Receiver
) -> None:
    first, _ = tuning.event_per_subscription
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    allowed, asked = house.service.outbox._at_once, {"id": made["id"], "failures": 0}
    assert allowed(asked) == first
    for number in range(3):
        await house.deliver(source, order_event(f"o{number}", delivery_id=f"d{number}"))
    await attempted(house, made, 3)
    assert allowed(asked) == first + 3
    receiver.answers = [(500, {}, b"")]
    await house.deliver(source, order_event("o4", delivery_id="d4"))
    await attempted(house, made, 5)
    assert allowed(asked) == (first + 3) // 2 + 1
    assert allowed(asked | {"failures": tuning.event_tired}) == 1


async def test_one_process_looks_after_the_sources_at_a_time(house: House) -> None:
    store, present = house.service.store, clock.now() + 3_600_000_000
    assert await source_health.turn(store, present, 1_000)
    assert not await source_health.turn(store, present, 1_000)
    assert await source_health.turn(store, present + 1_001, 1_000)
    assert await source_health.turn(store, present - 10**9, 1_000)  # the clock was set back
