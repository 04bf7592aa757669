"""Everything at once, over real ports: one process on SQLite, two on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from adapters.contract import Delivery
from app.base.settings import Settings
from app.base.vault import open_vault
from app.db.engine import Store
from app.store import delivery_rollups
from tests.house import House, order_event
from tests.server import Server

pytestmark = pytest.mark.anyio

COUNT = 500


@pytest.fixture
async def made(settings: Settings) -> tuple[str, str]:
    """A source and the admin's token, made before any server has the database."""
    async with House(settings) as house:
        return await house.source(), house.token


@pytest.fixture
def source(made: tuple[str, str]) -> str:
    return made[0]


@pytest.fixture
async def servers(settings: Settings, source: str, tmp_path: Path) -> AsyncIterator[list[str]]:
    running = [Server(settings, tmp_path, f"server-{n}") for n in range(1 if settings.on_sqlite else 2)]
    try:
        yield [await server.start() for server in running]
    finally:
        for server in running:
            server.stop()
    store = Store(settings, open_vault(settings))
    await store.open()
    assert await delivery_rollups.differences(store, 0) == []
    await store.close()


async def storm(servers: list[str], source: str, deliveries: list[Delivery]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        return await asyncio.gather(
            *(
                client.post(
                    f"{servers[n % len(servers)]}/webhooks/{source}", content=one.body, headers=dict(one.headers)
                )
                for n, one in enumerate(deliveries)
            )
        )


async def test_copies_of_one_delivery(source: str, servers: list[str]) -> None:
    answers = await storm(servers, source, [order_event(delivery_id="msg_1")] * COUNT)
    assert {answer.status_code for answer in answers} == {200}
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert (outcomes.count("created"), outcomes.count("duplicate")) == (1, COUNT - 1)
    assert len({tuple(answer.json()["orders"]) for answer in answers}) == 1
    assert len({answer.json()["delivery_id"] for answer in answers}) == 1


async def test_different_deliveries_of_one_order(made: tuple[str, str], source: str, servers: list[str]) -> None:
    said = [
        order_event(at=f"2026-11-20T13:{n // 60:02}:{n % 60:02}Z", value=f"{100 + n}.00", delivery_id=f"msg_{n}")
        for n in range(COUNT)
    ]
    answers = await storm(servers, source, said[::2] + said[::-2])
    assert {answer.status_code for answer in answers} == {200}
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert outcomes.count("created") == 1
    assert set(outcomes) <= {"created", "updated", "unchanged"}
    (order_id,) = {order for answer in answers for order in answer.json()["orders"]}
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {made[1]}"}) as client:
        (order,) = (await client.get(f"{servers[-1]}/v1/orders")).json()["data"]
        history = (await client.get(f"{servers[0]}/v1/orders/{order_id}/history")).json()["data"]
    assert (order["id"], order["value"]) == (order_id, f"{100 + COUNT - 1}.00")
    assert [entry["said"]["value"] for entry in history] == [f"{100 + n}.00" for n in range(COUNT)]
