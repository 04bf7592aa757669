"""A remap is a clean ingest with today's adapter: whatever a broken one made of the same deliveries, on both engines."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies
from hypothesis import settings as examples

import adapters
from adapters.contract import Adapter, Customer, Delivery, Event, Money, Order, Status, Unreadable
from adapters.standard import Standard
from app.settings import Settings
from app.store.statements import Plan, Sql
from tests.house import House, order_event
from tests.jobs import changes, done, registry_of

EXAMPLES = 20

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
    value = order.value and Money(minor=order.value.minor * 100, currency=order.value.currency)
    yield replace(order, value=value)


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
            customer=order.customer and Customer(
                name=order.customer.name,
                emails=({"ana@example.com": "bia@example.com"}.get(str(order.customer.emails[0]), "ana@example.com"),),
            ),
        )
    ],
    "another name": lambda order, event: [
        replace(order, customer=order.customer and replace(order.customer, name="Mr Nobody"))
    ],
}  # fmt: skip

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
    {"external_id": "c-1", "status": "refunded", "at": "2026-11-20T13:00:00Z", "value": None, "currency": None, "contact": None},
    {"external_id": "d-1", "status": "paid", "at": "2026-11-20T13:00:00Z", "contact": {"email": "cid@example.com"}},
]  # fmt: skip


def deliveries() -> list[Delivery]:
    """Signed now: an old signature is refused."""
    return [
        order_event(delivery_id=f"m{at}", **({"title": f"Title {at}", "value": f"{at + 1}0.00"} | said))
        for at, said in enumerate(SAID)
    ]


@contextmanager
def with_adapter(house: House, adapter: Adapter[Any]) -> Iterator[None]:
    """Another adapter under the same name: the deploy before, or after."""
    load, registry = adapters.load, registry_of(house)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapters, "load", lambda name: adapter if name == adapter.name else load(name))
        registry.directory.forget()
        yield
    registry.directory.forget()


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

    return await registry_of(house).store.commit(plan)


ORDER = ("external_id", "origin", "deal_id", "title", "value", "refunded_value", "currency", "status", "source_status",
         "ordered_at", "paid_at", "url", "test", "items")  # fmt: skip
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
