"""Retention: each class has its own age, what is pruned leaves what it must, and nothing is brought back by halves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.background.retention import Retention
from app.base import clock
from app.db.engine import Store
from app.db.statements import Plan, Sql
from app.store import accounts
from app.store import retention as pruning
from app.store.outbox import AttemptEnded, settle
from tests.house import SECRET, House, eventually, order_event
from tests.samples import samples

pytestmark = pytest.mark.anyio

DAY = 86_400_000_000
OLD = "2020-03-01T10:00:00Z"


async def _believed() -> None:
    """The clock is as it should be."""


@asynccontextmanager
async def in_days(
    house: House, days: int, steps: tuple[int, int] = (500, 200)
) -> AsyncIterator[tuple[Store, Retention]]:
    """The same database, so many days later."""
    store = Store(house.settings, house.service.vault)
    await store.open()
    try:
        yield store, Retention(store, _believed, steps, clock=lambda: clock.now() + days * DAY)
    finally:
        await store.close()


async def pruned(house: House, days: int, **ages: str) -> dict[str, int]:
    """What goes so many days later, once these ages are set."""
    set_ = await house.call("PATCH", "/v1/account", {"retention": ages})
    assert set_.status_code == 200, set_.text
    async with in_days(house, days) as (store, retention):
        account = await accounts.find(store, house.account_id)
        assert account is not None
        counted = {one.name: one.count for one in await retention.counted(account)}
        found, done = await retention.prune(account)
        assert done
        went = {one.name: one.count for one in found if one.count}
        # The dry run said so; what takes another class along with it was counted for both.
        assert all(counted[name] >= count for name, count in went.items())
        assert not any(one.count for one in await retention.counted(account))
    return went


async def test_each_class_has_its_own_age_and_what_has_none_stays(house: House) -> None:
    answer = await house.call("PATCH", "/v1/account", {"retention": {"bodies": "30d", "orders_open": "90d"}})
    assert answer.json()["retention"] == {"bodies": "30d", "orders_open": "90d"}
    answer = await house.call("PATCH", "/v1/account", {"retention": {"orders_open": None, "refusals": "7d"}})
    assert answer.json()["retention"] == {"bodies": "30d", "refusals": "7d"}
    for wrong in ({"body": "30d"}, {"bodies": "0d"}, {"bodies": "30"}, {"bodies": "1y"}, {"bodies": 30}, []):
        refused = await house.call("PATCH", "/v1/account", {"retention": wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), wrong
    assert (await house.get("/v1/account"))["retention"] == {"bodies": "30d", "refusals": "7d"}


async def test_bodies_go_and_the_log_stays(house: House) -> None:
    source = await house.source()
    said = (await house.deliver(source, order_event())).json()
    assert await pruned(house, 29, bodies="30d") == {}
    assert await pruned(house, 31, bodies="30d") == {"bodies": 1}
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert (row["outcome"], row["body"], row["body_kept"]) == ("created", None, False)
    assert (await house.get(f"/v1/orders/{said['orders'][0]}"))["value"] == "398.00"
    again = await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry")
    assert (again.status_code, "not kept any more" in again.json()["detail"]) == (409, True)


async def test_what_came_of_telling_goes_with_the_log(house: House) -> None:
    source = await house.source()
    await house.service.outbox.stop()
    given = {"url": "https://example.com/", "events": ["order.created"]}
    made = (await house.call("POST", "/v1/subscriptions", given)).json()
    await house.deliver(source, order_event())
    (claimed,) = await house.service.store.all("SELECT * FROM outbox")
    attempt = AttemptEnded(row=claimed, at=clock.now(), took=1000, status=500, reason="it answered HTTP 500", next_at=0)
    await house.service.store.commit(lambda: settle([attempt] * 2))
    assert len(await house.data(f"/v1/subscriptions/{made['id']}/attempts")) == 2
    assert await pruned(house, 6, deliveries="7d") == {}
    assert await pruned(house, 8, deliveries="7d") == {"deliveries": 1 + 2}
    assert await house.data(f"/v1/subscriptions/{made['id']}/attempts") == []


async def test_a_pruned_delivery_is_still_a_duplicate_when_it_comes_again(house: House) -> None:
    source = await house.source()
    delivery = order_event()
    said = (await house.deliver(source, delivery)).json()
    order = await house.get(f"/v1/orders/{said['orders'][0]}")
    assert await pruned(house, 8, deliveries="7d") == {"deliveries": 1}
    assert await house.data("/v1/deliveries") == []
    assert (await house.call("GET", f"/v1/deliveries/{said['delivery_id']}")).status_code == 404
    for _ in range(2):
        again = (await house.deliver(source, delivery)).json()
        assert (again["outcome"], again["delivery_id"]) == ("duplicate", said["delivery_id"])
    assert await house.data("/v1/deliveries") == []
    assert await house.get(f"/v1/orders/{order['id']}") == order
    assert len(await house.data(f"/v1/orders/{order['id']}/history")) == 1
    other = (await house.deliver(source, order_event("1002"))).json()
    assert other["outcome"] == "created"


async def test_many_go_in_small_steps_while_deliveries_come_in(house: House) -> None:
    source = await house.source()
    for number in range(40):
        assert (await house.deliver(source, order_event(f"old-{number}", at=OLD))).status_code == 200
    await house.call("PATCH", "/v1/account", {"retention": {"deliveries": "7d", "orders_closed": "30d"}})
    async with in_days(house, 8, (7, 3)) as (store, retention):
        account = await accounts.find(store, house.account_id)
        assert account is not None
        sent = [house.deliver(source, order_event(f"new-{number}")) for number in range(40)]
        (found, done), *answers = await asyncio.gather(retention.prune(account), *sent)
    assert done and all(answer.json()["outcome"] == "created" for answer in answers)
    went = {one.name: one.count for one in found}
    assert went["orders_closed"] >= 40 and went["deliveries"] >= 40
    assert [one for one in await house.data("/v1/orders?limit=200") if one["external_id"].startswith("old-")] == []


async def test_a_request_prunes_a_part_and_says_that_there_is_more(house: House) -> None:
    source = await house.source()
    for number in range(5):
        await house.deliver(source, order_event(str(number), at=OLD, status="canceled"))
    await house.deliver(source, order_event("6", at=OLD, status="paid"))
    await house.call("PATCH", "/v1/account", {"retention": {"orders_canceled": "365d"}})
    dry = (await house.call("POST", "/v1/prune", {"dry_run": True})).json()
    assert (dry["dry_run"], dry["done"], dry["account_id"]) == (True, True, house.account_id)
    classes = {one["name"]: one for one in dry["classes"]}
    assert set(classes) == {"bodies", "deliveries", "refusals", "orders_open", "orders_closed", "orders_canceled"}
    assert (classes["orders_canceled"]["count"], classes["orders_canceled"]["age"]) == (5, "365d")
    assert (classes["orders_closed"]["count"], classes["orders_closed"]["older_than"]) == (0, None)
    assert len(await house.data("/v1/orders")) == 6
    went = 0
    for _ in range(10):
        said = (await house.call("POST", "/v1/prune", {"limit": 1})).json()
        went += sum(one["count"] for one in said["classes"])
        if said["done"]:
            break
    assert (said["done"], went) == (True, 5)
    assert [one["external_id"] for one in await house.data("/v1/orders")] == ["6"]
    assert (await house.call("POST", "/v1/prune", {"dry": True})).status_code == 422


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("pending", "orders_open"),
        ("overdue", "orders_open"),
        ("partially_paid", "orders_open"),
        ("paid", "orders_closed"),
        ("refunded", "orders_closed"),
        ("canceled", "orders_canceled"),
        ("failed", "orders_canceled"),
    ],
)
async def test_a_late_delivery_does_not_bring_half_of_a_pruned_order_back(house: House, status: str, name: str) -> None:
    source = await house.source()
    said = (await house.deliver(source, order_event("1", at=OLD, status=status))).json()
    young = (await house.deliver(source, order_event("2", status=status))).json()
    assert await pruned(house, 0, **{name: "365d"}) == {name: 1}
    assert [one["id"] for one in await house.data("/v1/orders")] == young["orders"]
    (order,) = said["orders"]
    assert (await house.call("GET", f"/v1/orders/{order}")).status_code == 404
    assert (await house.call("GET", f"/v1/orders/{order}/history")).status_code == 404
    late = (await house.deliver(source, order_event("1", status="refunded"))).json()
    assert (late["outcome"], late["orders"]) == ("ignored", [])
    row = await house.get(f"/v1/deliveries/{late['delivery_id']}")
    assert "pruned" in row["reason"] and row["body_kept"]
    again = (await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry")).json()
    assert again["outcome"] == "ignored"
    assert [one["id"] for one in await house.data("/v1/orders")] == young["orders"]
    async with in_days(house, 0) as (store, _):
        rows = await store.all("SELECT DISTINCT order_id FROM history")
        assert [one["order_id"] for one in rows] == young["orders"]


async def test_an_order_is_as_old_as_the_last_thing_said_of_it(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("1", at=OLD))
    await house.deliver(source, order_event("2", at=OLD))
    await house.deliver(source, order_event("2", at="2026-11-01T10:00:00Z", refunds=[{"id": "r", "value": "20.00"}]))
    assert await pruned(house, 0, orders_closed="1825d") == {"orders_closed": 1}
    assert [one["external_id"] for one in await house.data("/v1/orders")] == ["2"]


async def test_merged_orders_are_pruned_together_when_the_last_of_them_is_old(house: House) -> None:
    source = await house.source()
    kept, gone = [
        (await house.deliver(source, order_event(name, at=at))).json()["orders"][0]
        for name, at in (("1", OLD), ("2", "2026-11-01T10:00:00Z"))
    ]
    assert (await house.call("POST", f"/v1/orders/{gone}/merge", {"into": kept})).status_code == 200
    assert await pruned(house, 0, orders_closed="1825d") == {}
    assert await pruned(house, 2000, orders_closed="1825d") == {"orders_closed": 1}
    async with in_days(house, 0) as (store, _):
        assert await store.all("SELECT * FROM orders") == await store.all("SELECT * FROM history") == []
    late = await house.deliver(source, order_event("2", status="refunded", at="2026-11-02T10:00:00Z"))
    assert late.json()["outcome"] == "ignored"


async def test_an_order_that_nothing_has_described_is_pruned_as_well(house: House) -> None:
    source = await house.source("shopify")
    [sample] = [one for one in samples("shopify") if one.case == "refund_created"]
    said = (await house.deliver(source, sample.signed(SECRET))).json()
    assert said["outcome"] == "ignored"
    async with in_days(house, 0) as (store, _):
        (row,) = await store.all("SELECT status, value FROM orders")
    assert row["value"] is None
    assert sum((await pruned(house, 400, orders_open="30d", orders_closed="30d")).values()) == 1
    async with in_days(house, 0) as (store, _):
        assert await store.all("SELECT * FROM orders") == await store.all("SELECT * FROM history") == []


async def test_samples_of_refusals_go_and_their_counters_stay(house: House) -> None:
    source = await house.source()
    for _ in range(3):
        answer = await house.client.post(f"/webhooks/{source}", content=b"{}")
        assert answer.status_code == 401
    async with in_days(house, 0) as (store, _):
        await eventually(lambda: store.all("SELECT * FROM refusals"), bool)
    assert await pruned(house, 1, refusals="2d") == {}
    assert await pruned(house, 3, refusals="2d") == {"refusals": 3}
    async with in_days(house, 0) as (store, _):
        (row,) = await store.all("SELECT count, samples FROM refusals")
        assert (row["count"], row["samples"]) == (3, "[]")


async def test_what_waits_keeps_its_body_and_becomes_an_order_all_the_same(house: House) -> None:
    source = await house.source(unknown_contacts="hold")
    held = (await house.deliver(source, order_event())).json()
    assert held["outcome"] == "held"
    assert await pruned(house, 31, bodies="30d") == {}
    await house.call("PUT", "/v1/contacts/42", {"emails": ["ana@example.com"]})
    await eventually(lambda: house.data("/v1/contacts/42/orders"), lambda found: len(found) == 1)
    assert await pruned(house, 31, bodies="30d") == {"bodies": 1}


async def test_a_held_delivery_goes_with_the_log(house: House) -> None:
    source = await house.source(unknown_contacts="hold")
    delivery = order_event()
    await house.deliver(source, delivery)
    assert await pruned(house, 91, bodies="30d", deliveries="90d") == {"deliveries": 1}
    async with in_days(house, 0) as (store, _):
        assert await store.all("SELECT * FROM held") == []
        assert await store.all("SELECT delivery_id FROM bodies") == []
    assert (await house.deliver(source, delivery)).json()["outcome"] == "duplicate"


async def test_an_open_privacy_request_keeps_its_delivery(house: House) -> None:
    source = await house.source()
    said = (await house.deliver(source, order_event())).json()
    async with in_days(house, 0) as (store, _):

        def plan() -> Plan[None]:
            yield Sql(
                "INSERT INTO privacy_requests (account_id, id, source_id, kind, request, received_at, due_at, done_at) "
                "VALUES (:account_id, :id, :source_id, 'k', 'erase', 1, 2, NULL)",
                account_id=house.account_id,
                id=said["delivery_id"],
                source_id=source,
            )

        await store.commit(plan)
        assert await pruned(house, 90, bodies="30d", deliveries="30d") == {}

        def done() -> Plan[None]:
            yield Sql("UPDATE privacy_requests SET done_at = 3")

        await store.commit(done)
    assert await pruned(house, 90) == {"bodies": 1, "deliveries": 1}


async def test_a_delivery_that_is_still_asked_for_is_kept(house: House) -> None:
    source = await house.source()
    said = (await house.deliver(source, order_event())).json()
    async with in_days(house, 0) as (store, _):

        def plan() -> Plan[None]:
            yield Sql(
                "INSERT INTO fetches (account_id, delivery_id, source_id, attempts, next_at, claimed_until) "
                "VALUES (:account_id, :id, :source_id, 0, :never, 0)",
                account_id=house.account_id,
                id=said["delivery_id"],
                source_id=source,
                never=2**62,
            )

        await store.commit(plan)
    assert await pruned(house, 90, bodies="30d", deliveries="30d") == {}


async def asked(house: House) -> None:
    """Waits until no source is asked any more."""
    async with in_days(house, 0) as (store, _):
        await eventually(lambda: store.all("SELECT * FROM fetches"), lambda found: not found)


async def test_a_notice_that_only_says_look_again_is_looked_at_again_after_it_was_pruned(house: House) -> None:
    source = await house.source("nuvemshop")
    [sample] = [one for one in samples("nuvemshop") if one.case == "created_unpaid"]
    notice = sample.signed(SECRET)
    first = (await house.deliver(source, notice)).json()
    assert first["outcome"] == "fetching"

    await asked(house)  # in vain, for there is no key to ask with
    assert await pruned(house, 31, bodies="30d") == {"bodies": 1}
    again = (await house.deliver(source, notice)).json()
    assert (again["outcome"], again["delivery_id"]) == ("duplicate", first["delivery_id"])
    row = await house.get(f"/v1/deliveries/{first['delivery_id']}")
    assert row["body_kept"]
    await asked(house)
    assert await pruned(house, 31, deliveries="30d") == {"bodies": 1, "deliveries": 1}
    anew = (await house.deliver(source, notice)).json()
    assert anew["outcome"] == "fetching" and anew["delivery_id"] != first["delivery_id"]
    known = (await house.deliver(source, notice)).json()
    assert (known["outcome"], known["delivery_id"]) == ("duplicate", anew["delivery_id"])


async def test_by_itself_one_process_prunes_and_not_before_a_whole_turn(house: House) -> None:
    hour = 3_600_000_000
    async with in_days(house, 0) as (store, _):
        assert await pruning.turn(store, 0, hour) is False  # nobody has a retention
        await house.call("PATCH", "/v1/account", {"retention": {"bodies": "30d"}})
        assert await pruning.turn(store, 0, hour) is False
        assert await pruning.turn(store, hour - 1, hour) is False
        turns = await asyncio.gather(*(pruning.turn(store, hour, hour) for _ in range(4)))
        assert sorted(turns) == [False, False, False, True]
        await house.call("PATCH", "/v1/account", {"retention": {"bodies": "60d"}})
        assert await pruning.turn(store, 9 * hour, hour) is False


async def test_a_sweep_prunes_every_account_that_has_a_retention(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event())
    await house.call("PATCH", "/v1/account", {"retention": {"bodies": "30d"}})
    async with in_days(house, 29) as (_, retention):
        assert await retention.sweep() == {}
    async with in_days(house, 31) as (_, retention):
        assert await retention.sweep() == {"bodies": 1}


async def test_the_file_does_not_grow_for_ever(house: House) -> None:
    if not house.settings.on_sqlite:
        return  # PostgreSQL's autovacuum does it
    source = await house.source()

    async def pages() -> int:
        async with in_days(house, 0) as (store, _):
            row = await store.one("PRAGMA page_count")
            assert row is not None
            return int(row["page_count"])

    async def fill(word: str) -> None:
        for number in range(60):
            # What does not compress: an order's title is bounded, the rest of the body is not.
            noise = "".join(f"{word}{number}{at:x}" for at in range(600))
            await house.deliver(source, order_event(f"{word}-{number}", at=OLD, noise=noise))

    await fill("a")
    full = await pages()
    went = await pruned(house, 8, deliveries="7d", orders_closed="7d")
    assert (went["deliveries"], went["orders_closed"]) == (60, 60)
    await fill("b")
    assert await pages() <= full * 1.1
