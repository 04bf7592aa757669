"""An answer means durable: what was acknowledged is there after kill -9, once."""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import httpx
import pytest

from app.base.settings import Settings
from tests.house import House, order_event
from tests.server import Server

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("ORDERS_TEST_KILLS", "3"))
SENDERS = 16


@pytest.mark.timeout(600)
async def test_what_was_acknowledged_is_there_once_after_kill_9(settings: Settings, tmp_path: Path) -> None:
    """`ORDERS_TEST_KILLS=20 make test ARGS='-k kill_9 -s'` for the long way, with its figures."""
    async with House(settings) as house:
        source, token = await house.source(), house.token
    aggregates: dict[str, str] = {}  # delivery id: the order's external id
    chance = random.Random(9)
    numbers = iter(range(10**9))
    for kill in range(KILLS):
        server = Server(settings, tmp_path, f"server-{kill}")
        address = await server.start()
        enough = len(aggregates) + chance.randrange(40, 200)
        reached = asyncio.Event()

        async def send(address: str = address, enough: int = enough, reached: asyncio.Event = reached) -> None:
            async with httpx.AsyncClient(timeout=30) as client:
                while True:
                    name = f"o{next(numbers)}"
                    said = order_event(name, delivery_id=f"msg_{name}")
                    try:
                        answer = await client.post(
                            f"{address}/webhooks/{source}", content=said.body, headers=dict(said.headers)
                        )
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 200
                    aggregates[answer.json()["delivery_id"]] = name
                    if len(aggregates) >= enough:
                        reached.set()

        senders = [asyncio.create_task(send()) for _ in range(SENDERS)]
        await asyncio.wait_for(reached.wait(), 60)
        server.kill()
        await asyncio.gather(*senders)

    server = Server(settings, tmp_path, "after")
    address = await server.start()
    try:
        rows: list[tuple[str, str]] = []
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
            for path, field in (("/v1/deliveries", "id"), ("/v1/orders", "external_id")):
                cursor: dict[str, str] = {}
                while True:
                    page = (await client.get(f"{address}{path}", params={"limit": 200, **cursor})).json()
                    rows += [(path, one[field]) for one in page["data"]]
                    if page["next_cursor"] is None:
                        break
                    cursor = {"cursor": page["next_cursor"]}
    finally:
        server.stop()
    found = Counter(rows)
    lost = [
        one for one, name in aggregates.items() if not found["/v1/deliveries", one] or not found["/v1/orders", name]
    ]
    doubled = [row for row, count in found.items() if count > 1]
    print(
        f"{KILLS} kills: {len(aggregates)} acknowledged, {len(rows)} rows found, {len(lost)} lost, {len(doubled)} doubled"
    )
    assert (lost, doubled) == ([], [])
