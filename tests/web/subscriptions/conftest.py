"""What every test of subscriptions may ask for: a receiver, a subscription, and what came of both."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import adapters
from app.base.settings import Settings
from app.db.statements import Plan, Sql
from tests.house import House, eventually
from tests.receiver import Receiver, receiving

# Nothing need be waited for.
SOON = pytest.mark.tuned(look_every=0.02, retry_waits=(0.01, 3600.0), event_rest=(0.25, 0.01, 0.01))
ALL = ["order.created", "order.status_changed", "order.updated", "contact.erased"]
STANDARD = adapters.load("standard").scheme(adapters.load("standard").options())


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Of an installation whose receivers may be on its own machine."""
    return settings.model_copy(update={"private_receivers": "127.0.0.0/8"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


async def subscribed(house: House, receiver: Receiver, *wanted: str) -> dict[str, Any]:
    made = await house.call("POST", "/v1/subscriptions", {"url": receiver.url, "events": wanted or ALL})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def filtered(house: House, receiver: Receiver, **given: Any) -> dict[str, Any]:
    body = {"url": receiver.url, "events": ["order.created", "order.status_changed"], **given}
    made = await house.call("POST", "/v1/subscriptions", body)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def rows(house: House, sql: str) -> list[dict[str, Any]]:
    def plan() -> Plan[list[dict[str, Any]]]:
        found: list[dict[str, Any]] = yield Sql(sql)
        return found

    return await house.service.store.commit(plan)


async def silent(house: House) -> None:
    """Until nothing waits: every event was taken, or nobody wants it."""
    await eventually(lambda: rows(house, "SELECT * FROM outbox"), lambda found: not found)


async def attempts_of(house: House, subscription: dict[str, Any]) -> list[Any]:
    return await house.data(f"/v1/subscriptions/{subscription['id']}/attempts")


async def attempted(house: House, subscription: dict[str, Any], many: int) -> list[Any]:
    """The attempts, the first one first, once there are so many."""
    found: list[Any] = await eventually(
        lambda: attempts_of(house, subscription), lambda attempts: len(attempts) >= many
    )
    return found[::-1]
