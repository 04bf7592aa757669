"""A remap is a clean ingest with today's adapter: whatever a broken one made of the same deliveries, on both engines."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, strategies
from hypothesis import settings as examples
from msgspec.structs import replace

import adapters
from adapters.contract import (
    Adapter,
    Customer,
    Delivery,
    Event,
    Money,
    Order,
    Payment,
    PaymentState,
    Status,
    Unreadable,
)
from adapters.standard import Standard
from app.background.remap import RemapJob
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.db.statements import Plan, Sql
from app.store import jobs
from tests.house import House, order_event
from tests.jobs import begun, changes, done, ended

EXAMPLES = 5

Change = Callable[[Order, Event[Any]], Iterable[Order]]


def broken(change: Change) -> Adapter[Any]:
    """The `standard` adapter as it might have been written by mistake."""

    class Broken(Standard):
        def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
            for order in super().orders(payload, event):
                yield from change(order, event)

    return Broken()


def _unreadable(order: Order, event: Event[Any]) -> Iterable[Order]:
    raise Unreadable("data.value: is what it never was")


def _crashing(order: Order, event: Event[Any]) -> Iterable[Order]:
    raise RuntimeError("a fault")


def _first_letter(order: Order, event: Event[Any]) -> Iterable[Order]:
    yield replace(order, external_id=order.external_id[0])


def _torn(order: Order, event: Event[Any]) -> Iterable[Order]:
    yield replace(order, external_id=f"{order.external_id}-{order.at}")


def _swapped(order: Order, event: Event[Any]) -> Iterable[Order]:
    other = {"a-1": "a-2", "a-2": "a-1", "b-1": "c-1", "c-1": "b-1"}
    yield replace(order, external_id=other.get(order.external_id, order.external_id))


def _glued(order: Order, event: Event[Any]) -> Iterable[Order]:
    yield replace(order, aliases=(f"letter {order.external_id[0]}",))


def _cents(order: Order, event: Event[Any]) -> Iterable[Order]:
    yield replace(
        order,
        bills=tuple(
            replace(bill, value=bill.value and Money(minor=bill.value.minor * 100, currency=bill.value.currency))
            for bill in order.bills
        ),
    )


def _also_a_cart(order: Order, event: Event[Any]) -> Iterable[Order]:
    yield order
    yield replace(order, external_id=f"cart {order.external_id}")


def _two_of_three(order: Order, event: Event[Any]) -> Iterable[Order]:
    if order.status is Status.PAID:
        raise Unreadable("data.status: is not known")
    yield replace(order, title=None)


BROKEN: dict[str, Change] = {
    "unreadable": _unreadable,
    "crashing": _crashing,
    "one order for all of a letter": _first_letter,
    "an order for each delivery": _torn,
    "ids swapped": _swapped,
    "sales glued together by an alias": _glued,
    "a hundred times the value": _cents,
    "carts taken for orders": _also_a_cart,
    "some unreadable, some without a title": _two_of_three,
    "another status": lambda order, event: [replace(order, status=Status.CANCELED, source_status="nonsense")],
    "no time": lambda order, event: [replace(order, at=None)],
    "nothing wrong": lambda order, event: [order],
}
PEOPLE: dict[str, Change] = {
    "nobody": lambda order, event: [replace(order, customer=None)],
    "everybody the shop itself": lambda order, event: [
        replace(order, customer=order.customer and replace(order.customer, emails=("shop@example.com",)))
    ],
    "other people": lambda order, event: [
        replace(
            order,
            customer=order.customer
            and Customer(
                name=order.customer.name,
                emails=({"ana@example.com": "bia@example.com"}.get(str(order.customer.emails[0]), "ana@example.com"),),
            ),
        )
    ],
    "another name": lambda order, event: [
        replace(order, customer=order.customer and replace(order.customer, name="Mr Nobody"))
    ],
}

ANA = {"name": "Ana", "email": "ana@example.com", "phone": "+55 11 98765-4321"}
BIA = {"name": "Bia", "email": "bia@example.com", "phone": "+55 11 98765-1234"}
SAID: list[dict[str, Any]] = [
    {"external_id": "a-1", "status": "pending", "at": "2026-11-20T13:00:00Z", "contact": ANA},
    {"external_id": "a-1", "status": "paid", "at": "2026-11-20T13:00:00Z", "contact": ANA, "title": "Shoes"},
    {"external_id": "a-1", "status": "canceled", "at": "2026-11-20T13:00:05Z", "contact": ANA, "value": "12.00"},
    {"external_id": "a-2", "status": "paid", "at": "2026-11-20T13:01:00Z", "contact": BIA},
    {"external_id": "a-2", "status": None, "at": "2026-11-20T13:02:00Z", "contact": BIA, "refunded_value": "5.00"},
    {"external_id": "b-1", "status": "overdue", "at": "2026-11-20T13:00:00Z", "contact": BIA},
    {"external_id": "b-1", "status": "nonsense", "at": "2026-11-20T13:00:01Z", "contact": BIA, "value": "1.00"},
    {
        "external_id": "c-1",
        "status": "refunded",
        "at": "2026-11-20T13:00:00Z",
        "value": None,
        "currency": None,
        "contact": None,
    },
    {"external_id": "d-1", "status": "paid", "at": "2026-11-20T13:00:00Z", "contact": {"email": "cid@example.com"}},
]


def deliveries() -> list[Delivery]:
    """Signed now: an old signature is refused."""
    return [
        order_event(delivery_id=f"m{at}", **({"title": f"Title {at}", "value": f"{at + 1}0.00"} | said))
        for at, said in enumerate(SAID)
    ]


@contextmanager
def with_adapter(house: House, adapter: Adapter[Any]) -> Iterator[None]:
    """Another adapter under the same name: the deploy before, or after."""
    load, service = adapters.load, house.service
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapters, "load", lambda name: adapter if name == adapter.name else load(name))
        service.source_cache.forget()
        yield
    service.source_cache.forget()


async def new_account(house: House) -> None:
    """Another account: contacts are shared by all sources of one."""
    made = await house.operator.post(
        "/operator/accounts", json={"name": f"a{id(object())}{house.account_id}", "enable": True}
    )
    house.account_id, house.token = made.json()["account_id"], made.json()["admin_token"]


async def ingested(house: House, said: list[Delivery]) -> tuple[str, dict[str, str]]:
    """A new source that has got these deliveries: its id, and which delivery got which id."""
    source = await house.source()
    names: dict[str, str] = {}
    for one in said:
        answer = await house.deliver(source, one)
        assert answer.status_code == 200, answer.text
        names[answer.json()["delivery_id"]] = one.headers["webhook-id"]
    return source, names


async def all_rows(house: House, sql: str, **values: Any) -> list[dict[str, Any]]:
    def plan() -> Plan[list[dict[str, Any]]]:
        found: list[dict[str, Any]] = yield Sql(sql, **values)
        return found

    return await house.service.store.commit(plan)


ORDER = (
    "external_id",
    "origin",
    "deal_id",
    "title",
    "value",
    "refunded_value",
    "currency",
    "status",
    "source_status",
    "ordered_at",
    "paid_at",
    "url",
    "test",
    "items",
)
HISTORY = ("at", "rank", "digest", "member_id", "said")


async def standing(house: House, source: str, names: dict[str, str]) -> dict[str, Any]:
    """Every order of the source as it stands in the tables, ids and our own times aside."""
    account = house.account_id
    found: dict[str, Any] = {}
    for order in await all_rows(
        house, "SELECT * FROM orders WHERE account_id = :a AND scope = :s", a=account, s=source
    ):
        key = {"a": account, "id": order["id"]}
        history = await all_rows(house, "SELECT * FROM history WHERE account_id = :a AND order_id = :id", **key)
        aliases = await all_rows(house, "SELECT * FROM aliases WHERE account_id = :a AND order_id = :id", **key)
        contact = None
        if order["contact_id"]:
            key["id"] = order["contact_id"]
            [person] = await all_rows(house, "SELECT * FROM contacts WHERE account_id = :a AND id = :id", **key)
            known = await all_rows(house, "SELECT * FROM identities WHERE account_id = :a AND contact_id = :id", **key)
            contact = {"name": person["name"], "identities": sorted((one["kind"], one["value"]) for one in known)}
        found[order["external_id"]] = {
            "order": {name: order[name] for name in ORDER},
            "names": {one["name"] for one in aliases if one["scope"] == source} | {order["external_id"]},
            "contact": contact,
            "history": sorted(
                [*(one[name] for name in HISTORY), one["delivery_id"] and names[one["delivery_id"]]] for one in history
            ),
        }
    contacts = await all_rows(house, "SELECT id FROM contacts WHERE account_id = :a", a=account)
    text = json.dumps([found, len(contacts)], sort_keys=True, default=sorted)
    said: dict[str, Any] = json.loads(text.replace(source, "SOURCE"))
    return said


async def log_of(house: House, source: str) -> list[dict[str, Any]]:
    rows = await house.data(f"/v1/deliveries?source_id={source}&limit=200")
    return [{name: row[name] for name in ("id", "kind", "outcome", "reason", "orders", "attempts")} for row in rows]


async def tallied(house: House, source: str) -> dict[str, int]:
    sql = "SELECT outcome, CAST(sum(count) AS BIGINT) AS many FROM tallies WHERE source_id = :s GROUP BY outcome"
    return {row["outcome"]: row["many"] for row in await all_rows(house, sql, s=source) if row["many"]}


async def logged(house: House, source: str) -> dict[str, int]:
    sql = "SELECT outcome, COUNT(*) AS many FROM deliveries WHERE source_id = :s GROUP BY outcome"
    return {row["outcome"]: row["many"] for row in await all_rows(house, sql, s=source)}


@pytest.mark.parametrize("how", [*BROKEN, *PEOPLE])
def test_a_remap_is_a_clean_ingest(settings: Settings, how: str) -> None:
    wrong = broken((BROKEN | PEOPLE)[how])
    with asyncio.Runner() as runner:
        house = House(settings)
        runner.run(house.__aenter__())
        try:

            async def once(order: list[int]) -> None:
                said = deliveries()
                arrived = [said[at] for at in order]
                await new_account(house)
                wanted = await standing(house, *await ingested(house, arrived))
                await new_account(house)
                with with_adapter(house, wrong):
                    source, names = await ingested(house, arrived)
                before = await standing(house, source, names)
                dry = await done(house, "/v1/remap", {"source_id": source, "dry_run": True})
                assert await standing(house, source, names) == before
                job = await done(house, "/v1/remap", {"source_id": source})
                assert await standing(house, source, names) == wanted
                assert (job["done"], job["failed"]) == (len(arrived), 0)
                assert await tallied(house, source) == await logged(house, source)
                assert (dry["done"], dry["changed"]) == (job["done"], job["changed"])
                assert _kinds(await changes(house, dry)) == _kinds(await changes(house, job))
                log = await log_of(house, source)
                again = await done(house, "/v1/remap", {"source_id": source})
                assert (again["changed"], await changes(house, again)) == (0, [])
                assert (await standing(house, source, names), await log_of(house, source)) == (wanted, log)

            @examples(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
            @given(strategies.lists(strategies.sampled_from(range(len(SAID))), unique=True, min_size=1))
            def remaps(order: list[int]) -> None:
                runner.run(once(order))

            remaps()
        finally:
            runner.run(house.__aexit__(None, None, None))


def _kinds(found: list[Any]) -> list[Any]:
    return sorted((one["kind"], one["change"], one["external_id"] or "", sorted(one["fields"])) for one in found)


# -- One thing at a time ----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_diff_says_what_would_change_field_by_field(house: House) -> None:
    with with_adapter(house, broken(_two_of_three)):
        source, _ = await ingested(house, deliveries()[:4])
    job = await done(house, "/v1/remap", {"source_id": source, "dry_run": True})
    assert (job["kind"], job["dry_run"], job["filter"]) == ("remap", True, {"source_id": source})
    assert (job["total"], job["done"], job["changed"], job["failed"]) == (4, 4, 2, 0)
    made, changed = sorted(await changes(house, job, "order"), key=lambda one: one["id"] or "")
    [order] = await house.data("/v1/orders")
    assert (made["change"], made["id"], made["external_id"]) == ("created", None, "a-2")
    assert made["fields"]["value"] == {"before": None, "after": "40.00"}
    assert made["fields"]["contact_id"] == {"before": None, "after": "new"}
    assert (changed["change"], changed["id"], changed["external_id"]) == ("changed", order["id"], "a-1")
    assert changed["fields"] == {"title": {"before": None, "after": "Title 2"}}
    outcomes = [one["fields"]["outcome"] for one in await changes(house, job, "delivery")]
    assert outcomes == [{"before": "unreadable", "after": "updated"}, {"before": "unreadable", "after": "created"}]
    for role, sees in (("integrator", True), ("ops", False)):
        page = await house.get(f"/v1/jobs/{job['id']}/changes?kind=order", token=await house.token_of(role))
        assert all((values is not None) == sees for one in page["data"] for values in one["fields"].values())
    assert len(await house.data("/v1/orders")) == 1


@pytest.mark.anyio
async def test_what_a_member_set_stays_also_when_the_order_gets_its_right_name(house: House) -> None:
    with with_adapter(house, broken(_torn)):
        source, _ = await ingested(house, deliveries()[:1])
    [order] = await house.data("/v1/orders")
    said = json.dumps({"title": "What the member calls it", "deal_id": "deal-7"})
    entry = {
        "account_id": house.account_id,
        "order_id": order["id"],
        "at": 1_900_000_000_000_000,
        "rank": -1,
        "digest": "by hand",
        "recorded_at": 1_900_000_000_000_000,
        "delivery_id": None,
        "member_id": "mem_1",
        "said": said,
        "contact_id": order["contact_id"],
    }
    columns = ", ".join(entry)
    await all_rows(
        house, f"INSERT INTO history ({columns}) VALUES ({', '.join(f':{name}' for name in entry)})", **entry
    )
    await done(house, "/v1/remap", {"source_id": source})
    [after] = await house.data("/v1/orders")
    assert (after["id"], after["external_id"]) == (order["id"], "a-1")
    assert (after["title"], after["deal_id"], after["status"]) == ("What the member calls it", "deal-7", "pending")
    history = await house.data(f"/v1/orders/{order['id']}/history")
    assert [one["member_id"] for one in history] == [None, "mem_1"]


@pytest.mark.anyio
async def test_an_order_that_is_none_any_more_vanishes_with_its_contact(house: House) -> None:
    with with_adapter(house, broken(_also_a_cart)):
        source, _ = await ingested(house, deliveries()[:2])
    cart = next(one for one in await house.data("/v1/orders") if one["external_id"] == "cart a-1")
    job = await done(house, "/v1/remap", {"source_id": source})
    assert [one["external_id"] for one in await house.data("/v1/orders")] == ["a-1"]
    [gone] = await changes(house, job, "order")
    assert (gone["change"], gone["id"]) == ("removed", cart["id"])
    assert gone["fields"]["status"] == {"before": "paid", "after": None}
    for row in await house.data("/v1/deliveries"):
        assert cart["id"] not in row["orders"]


@pytest.mark.anyio
async def test_a_part_of_the_time_is_remapped_and_the_rest_stands(house: House) -> None:
    with with_adapter(house, broken(_cents)):
        source, _ = await ingested(house, deliveries()[:3])
    rows = await house.data("/v1/deliveries")
    job = await done(house, "/v1/remap", {"source_id": source, "since": rows[0]["received_at"]})
    assert (job["total"], job["changed"]) == (1, 1)
    [order] = await house.data("/v1/orders")
    history = await house.data(f"/v1/orders/{order['id']}/history")
    assert [one["said"]["value"] for one in history] == ["1000.00", "2000.00", "12.00"]
    assert order["value"] == "12.00"


@pytest.mark.anyio
async def test_held_ones_are_told_to_who_has_come_meanwhile(house: House) -> None:
    wrong = broken(PEOPLE["other people"])
    with with_adapter(house, wrong):
        source = await house.source(unknown_contacts="hold")
        for one in deliveries()[:2]:
            assert (await house.deliver(source, one)).json()["outcome"] == "held"
    await house.call("PUT", "/v1/contacts/7", {"emails": ["ana@example.com"]})
    assert await house.data("/v1/orders") == []
    await done(house, "/v1/remap", {"source_id": source})
    [order] = await house.data("/v1/orders")
    assert (order["crm_contact_id"], order["status"]) == ("7", "paid")
    assert await all_rows(house, "SELECT * FROM held") == []


@pytest.mark.anyio
async def test_a_body_that_is_not_kept_leaves_what_it_said(house: House) -> None:
    with with_adapter(house, broken(_cents)):
        source, names = await ingested(house, deliveries()[:2])
    first = min(names)
    await all_rows(house, "DELETE FROM bodies WHERE delivery_id = :id", id=first)
    job = await done(house, "/v1/remap", {"source_id": source})
    assert (job["done"], job["failed"], job["failures"]) == (
        2,
        1,
        [{"reason": "its body is not kept any more", "count": 1}],
    )
    [order] = await house.data("/v1/orders")
    history = await house.data(f"/v1/orders/{order['id']}/history")
    assert [one["said"]["value"] for one in history] == ["1000.00", "20.00"]


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["ids swapped", "an order for each delivery", "one order for all of a letter"])
async def test_killed_in_the_middle_it_goes_on_and_ends_equal(settings: Settings, how: str) -> None:
    """The process dies between any two of the remap's commits; the next one takes the job over, and nothing is missing."""
    tuning = Tuning(remap_at_once=2, remap_batch=(1, 1))
    async with House(settings, tuning=tuning) as house:
        token, account = house.token, house.account_id
        await new_account(house)
        wanted = await standing(house, *await ingested(house, deliveries()))
        house.token, house.account_id = token, account
        with with_adapter(house, broken(BROKEN[how])):
            source, names = await ingested(house, deliveries())
        service = house.service
        await service.jobs.stop()
        job_id = await begun(house, "/v1/remap", {"source_id": source})
        lives = 0
        while (job := await house.get(f"/v1/jobs/{job_id}"))["state"] in {"waiting", "running"}:
            # A life of two steps, and then it is gone without a word: its claim is still there, and runs out.
            until = 10 + lives
            [mine] = await jobs.claim(service.store, claim=f"life {lives}", present=until, until=until + 1, limit=1)
            story = RemapJob(service.store, service.retry, tuning)
            for _ in range(2):
                further = await story.step(mine, until + 1)
                if further is None:
                    await jobs.finish(service.store, mine, jobs.DONE)
                    break
                mine = further
            lives += 1
        assert lives > 3 and (job["state"], job["done"], job["failed"]) == ("done", len(SAID), 0)
        assert await standing(house, source, names) == wanted
        assert await all_rows(house, "SELECT * FROM remap_links") == []


@pytest.mark.anyio
async def test_what_arrives_meanwhile_is_not_lost(settings: Settings) -> None:
    async with House(settings, tuning=Tuning(remap_at_once=2, remap_batch=(1, 200))) as house:
        with with_adapter(house, broken(_first_letter)):
            source, names = await ingested(house, deliveries())
        fresh = [
            order_event(f"{letter}-{n}", at=f"2026-11-20T14:0{n}:00Z", value="77.00", delivery_id=f"{letter}{n}")
            for letter in "abcd"
            for n in (1, 2)
        ]
        job_id = await begun(house, "/v1/remap", {"source_id": source})
        answers = await asyncio.gather(*(house.deliver(source, one) for one in fresh))
        assert {answer.status_code for answer in answers} == {200}
        assert (await ended(house, job_id))["state"] == "done"
        again = await done(house, "/v1/remap", {"source_id": source, "dry_run": True})
        assert again["changed"] == 0
        names |= {
            answer.json()["delivery_id"]: one.headers["webhook-id"] for one, answer in zip(fresh, answers, strict=True)
        }
        found = await standing(house, source, names)
        await new_account(house)
        wanted = await standing(house, *await ingested(house, [*deliveries(), *fresh]))
        assert [found[0][one]["order"] for one in sorted(found[0])] == [
            wanted[0][one]["order"] for one in sorted(wanted[0])
        ]
        assert {one: found[0][one]["history"] for one in found[0]} == {
            one: wanted[0][one]["history"] for one in wanted[0]
        }


@pytest.mark.anyio
async def test_orders_that_are_one_sale_answer_under_each_of_their_ids(house: House) -> None:
    with with_adapter(house, broken(_torn)):
        source, _ = await ingested(house, [deliveries()[0], deliveries()[2]])
    torn = sorted(order["id"] for order in await house.data("/v1/orders"))
    assert len(torn) == 2
    await done(house, "/v1/remap", {"source_id": source})
    assert [(await house.get(f"/v1/orders/{one}"))["id"] for one in torn] == [torn[0], torn[0]]


def _attempts(order: Order, event: Event[Any]) -> Iterable[Order]:
    state = PaymentState.TAKEN if order.status is Status.PAID else PaymentState.FAILED
    value = order.bills[0].value if order.bills else None
    paid = Payment(id=order.external_id, value=value, state=state)
    yield replace(order, attempt_of=("PED-1",), payments=(paid,), bills=())


@pytest.mark.anyio
async def test_attempts_that_share_the_shops_reference_are_one_sale_and_stay_it(house: House) -> None:
    """One that brought no money joins; a second one that did, and another person's, are orders of their own."""
    said: list[tuple[str, str, dict[str, Any]]] = [
        ("x-1", "failed", ANA),
        ("x-2", "paid", ANA),
        ("x-3", "paid", ANA),
        ("x-4", "failed", BIA),
    ]

    def told() -> list[Delivery]:
        return [
            order_event(name, status=word, contact=who, at=f"2026-11-20T13:0{number}:00Z", delivery_id=f"t{number}")
            for number, (name, word, who) in enumerate(said)
        ]

    async def found() -> list[tuple[str, str]]:
        return sorted((order["external_id"], order["status"]) for order in await house.data("/v1/orders"))

    with with_adapter(house, broken(_attempts)):
        source, _ = await ingested(house, told())
        joined = await found()
        assert len(joined) == 3
        assert [word for _, word in joined] == ["paid", "paid", "failed"]
        again = await done(house, "/v1/remap", {"source_id": source})
        assert (again["changed"], await changes(house, again)) == (0, [])
        assert await found() == joined
    await done(house, "/v1/remap", {"source_id": source})
    assert len(await found()) == 4
    with with_adapter(house, broken(_attempts)):
        await done(house, "/v1/remap", {"source_id": source})
        assert await found() == joined


@pytest.mark.anyio
async def test_what_was_pruned_is_not_brought_back(house: House) -> None:
    source, _ = await ingested(
        house, [order_event("1", at="2020-03-01T10:00:00Z", status="canceled", delivery_id="m1")]
    )
    await house.call("PATCH", "/v1/account", {"retention": {"orders_canceled": "365d"}})
    assert (await house.call("POST", "/v1/prune", {})).json()["done"] and await house.data("/v1/orders") == []
    log = await log_of(house, source)
    job = await done(house, "/v1/remap", {"source_id": source})
    assert (job["done"], job["changed"], await changes(house, job)) == (1, 0, [])
    assert await house.data("/v1/orders") == [] and await log_of(house, source) == log


@pytest.mark.anyio
async def test_a_retry_corrects_the_history_too(house: House) -> None:
    """Under the same time, rank and digest a delivery may say something else now; the next one folds what is kept."""
    with with_adapter(house, broken(_cents)):
        source, _ = await ingested(house, deliveries()[:2])
    await done(house, "/v1/deliveries/retry", {"filter": {"source_id": source}})
    [order] = await house.data("/v1/orders")
    history = await house.data(f"/v1/orders/{order['id']}/history")
    assert [one["said"]["value"] for one in history] == ["10.00", "20.00"] and order["value"] == "20.00"


@pytest.mark.anyio
async def test_a_person_who_was_erased_is_not_brought_back_and_stands_in_no_diff(house: House) -> None:
    with with_adapter(house, broken(_two_of_three)):
        source, _ = await ingested(house, deliveries()[:4])
    await done(house, "/v1/remap", {"source_id": source, "dry_run": True})
    [order] = await house.data("/v1/orders")
    assert (await house.call("DELETE", f"/v1/contacts/{order['contact_id']}")).status_code == 200
    assert await all_rows(house, "SELECT * FROM job_changes WHERE kind = 'order'") == []
    dry = await done(house, "/v1/remap", {"source_id": source, "dry_run": True})
    job = await done(house, "/v1/remap", {"source_id": source})
    assert (dry["state"], job["state"]) == ("done", "done")
    known = await all_rows(house, "SELECT value FROM identities WHERE account_id = :a", a=house.account_id)
    assert {one["value"] for one in known} == {"bia@example.com", "+5511987651234"}
    text = json.dumps(await all_rows(house, "SELECT said FROM history WHERE account_id = :a", a=house.account_id))
    assert "ana@example.com" not in text and "bia@example.com" in text
