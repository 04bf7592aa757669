"""Every filter of the orders' list, alone and together, against the same said in Python; and searches."""

import itertools
import random
from typing import Any

import pytest

from app.base.tuning import Tuning
from tests.house import House, order_event

pytestmark = pytest.mark.anyio

STATUSES = ("paid", "pending", "refunded", "canceled")


async def all_of(house: House, query: str, *, token: str | None = None, limit: int = 4) -> list[dict[str, Any]]:
    """Every page of the list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await house.get(f"/v1/orders?limit={limit}{query}{cursor}", token=token)
        assert len(page["data"]) <= limit
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def filled(house: House, orders: int = 60) -> list[str]:
    """Orders of three sources and six contacts, two of them a rep's, some on deals; gives the sources."""
    dice = random.Random(4)
    sources = [await house.source(name=f"Shop {number}") for number in range(3)]
    for number in range(6):
        owner = {"owner_id": f"rep-{number % 3}"} if number < 4 else {}
        await house.call("PUT", f"/v1/contacts/{number}", {"emails": [f"c{number}@example.com"], **owner})
    for number in range(2):
        await house.call("PUT", f"/v1/deals/d{number}", {"contact": "5", "owner_id": f"rep-{number}"})
    for number in range(orders):
        event = order_event(
            str(1000 + number),
            at=f"2026-{dice.randint(1, 9):02d}-{dice.randint(1, 28):02d}T10:00:00Z",
            status=dice.choice(STATUSES),
            currency=dice.choice(("BRL", "USD")),
            title=dice.choice(("Tênis de corrida", "Camisa", "CAFÉ 500g", f"#{1000 + number} · Running shoes")),
            contact={"email": f"c{dice.randint(0, 5)}@example.com"},
        )
        said = (await house.deliver(dice.choice(sources), event)).json()
        if number % 6 == 0:
            linked = await house.call(
                "PATCH",
                f"/v1/orders/{said['orders'][0]}",
                {"deal_id": f"d{number % 4 // 2}", "deal_of_another_contact": True},
            )
            assert linked.status_code == 200, linked.text
    return sources


def newest_first(orders: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in sorted(orders, key=lambda one: (one["ordered_at"], one["id"]), reverse=True)]


@pytest.mark.parametrize("tuning", [Tuning(), Tuning(list_runs=1)], ids=["by its runs", "as a whole"])
async def test_every_filter_alone_and_together(house: House) -> None:
    sources = await filled(house)
    everything = await all_of(house, "", limit=200)
    assert len(everything) == 60 and [one["id"] for one in everything] == newest_first(everything)
    filters: list[list[tuple[str, Any]]] = [
        [
            ("", lambda one: True),
            *((f"&status={word}", lambda one, word=word: one["status"] == word) for word in STATUSES[:2]),
            ("&status=overdue", lambda one: False),
        ],
        [("", lambda one: True), ("&currency=BRL", lambda one: one["currency"] == "BRL")],
        [
            ("", lambda one: True),
            (f"&source_id={sources[0]}", lambda one: one["source_id"] == sources[0]),
            ("&origin=webhook", lambda one: one["origin"] == "webhook"),
            ("&origin=manual", lambda one: False),
        ],
        [
            ("", lambda one: True),
            ("&contact=5", lambda one: one["crm_contact_id"] == "5"),
            ("&deal_id=d1", lambda one: one["deal_id"] == "d1"),
        ],
        [
            ("", lambda one: True),
            (
                "&since=2026-03-01T00:00:00Z&until=2026-07-01T00:00:00Z",
                lambda one: "2026-03-01" <= one["ordered_at"] < "2026-07-01",
            ),
        ],
    ]
    owned = {"0": "rep-0", "1": "rep-1", "2": "rep-2", "3": "rep-0"}

    def mine(one: dict[str, Any]) -> bool:
        return owned.get(one["crm_contact_id"]) == "rep-1" or one["deal_id"] == "d1"

    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep-1"})
    token = await house.token_of("rep", "rep-1")
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    for chosen in itertools.product(*filters):
        query = "".join(words for words, _ in chosen)
        wanted = [one for one in everything if all(holds(one) for _, holds in chosen)]
        assert [one["id"] for one in await all_of(house, query, limit=20)] == newest_first(wanted), query
        own = [one["id"] for one in await all_of(house, query, token=token, limit=9)]
        assert own == newest_first([one for one in wanted if mine(one)]), query
    assert any(mine(one) for one in everything)


@pytest.mark.tuned(list_chunks=(7, 7), list_searched=14)
async def test_a_search_knows_neither_case_nor_accents_and_finds_an_id_at_once(house: House) -> None:
    sources = await filled(house)
    everything = await all_of(house, "", limit=200)
    for word, title in (
        ("tenis", "Tênis de corrida"),
        ("TÊNIS", "Tênis de corrida"),
        ("café", "CAFÉ 500g"),
        ("500", "CAFÉ 500g"),
    ):
        wanted = [one for one in everything if one["title"] == title]
        assert wanted
        assert [one["id"] for one in await all_of(house, f"&q={word}", limit=3)] == newest_first(wanted), word
    last = everything[-1]
    first_page = await house.get(f"/v1/orders?limit=1&q={last['external_id']}")
    assert [one["id"] for one in first_page["data"]] == [last["id"]]
    assert {one["id"] for one in await all_of(house, f"&q={last['external_id']}", limit=1)} == {last["id"]}
    # A page may hold none and go on all the same.
    nothing = await house.get("/v1/orders?limit=5&q=no such title")
    assert nothing["data"] == [] and nothing["next_cursor"] is not None
    assert await all_of(house, "&q=no such title") == []
    both = await all_of(house, f"&q=shoes&status=paid&source_id={sources[1]}")
    assert [one["id"] for one in both] == newest_first(
        [
            one
            for one in everything
            if "shoes" in one["title"] and one["status"] == "paid" and one["source_id"] == sources[1]
        ]
    )
    assert await all_of(house, f"&q={last['external_id']}&currency=JPY") == []
