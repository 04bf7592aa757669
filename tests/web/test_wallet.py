"""Owner privacy: two reps, orders and deals in every combination of owners, and every path on which anything can be read."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest

from tests.house import House

pytestmark = pytest.mark.anyio

REPS = ("rep-1", "rep-2")
OWNERS = (*REPS, None)
GROUPS = ("month", "status", "currency", "origin", "source", "deal", "owner")


class Order:
    """What was written, and whose it is."""

    def __init__(self, number: int, contact_owner: str | None, deal_owner: str | None, deal: str | None) -> None:
        self.number, self.owners, self.deal = number, {contact_owner, deal_owner} - {None}, deal
        self.word = f"order-{number:03d}-word"  # in its title and external id
        self.id = ""
        self.value = Decimal(0)


async def made(house: House, dice: random.Random) -> tuple[list[Order], dict[str, str | None], dict[str, str | None]]:
    """Orders, contacts and deals (with their owners), in the registry."""
    contacts = {f"contact-{n:02d}-word": dice.choice(OWNERS) for n in range(8)}
    for crm_id, owner in contacts.items():
        body: dict[str, Any] = {"name": crm_id, "emails": [f"{crm_id}@example.com"]} | (
            {"owner_id": owner} if owner else {}
        )
        assert (await house.call("PUT", f"/v1/contacts/{crm_id}", body)).status_code == 201
    deals: dict[str, str | None] = {}
    for n in range(6):
        crm_id, owner = f"deal-{n:02d}-word", dice.choice(OWNERS)
        deals[crm_id] = owner
        body = {"contact": dice.choice(list(contacts)), "title": crm_id} | ({"owner_id": owner} if owner else {})
        assert (await house.call("PUT", f"/v1/deals/{crm_id}", body)).status_code == 201
    orders = []
    for number in range(24):
        contact = dice.choice(list(contacts))
        deal = dice.choice([None, *deals])
        order = Order(number, contacts[contact], deals[deal] if deal else None, deal)
        order.value = Decimal(dice.randint(100, 99999)) / 100
        body = {
            "contact": contact, "title": order.word, "external_id": order.word, "value": f"{order.value:.2f}",
            "status": dice.choice(["paid", "pending", "canceled"]), "origin": dice.choice(["manual", "api"]),
            "deal_of_another_contact": True,
        } | ({"deal_id": deal} if deal else {})  # fmt: skip
        answer = await house.call("POST", "/v1/orders", body)
        assert answer.status_code == 201, answer.text
        order.id = answer.json()["id"]
        orders.append(order)
    return orders, contacts, deals


async def everything(house: House, path: str, token: str) -> str:
    """Every page of what a path gives, as text."""
    found, cursor = "", ""
    while True:
        joint = "&" if "?" in path else "?"
        answer = await house.call("GET", f"{path}{joint}cursor={cursor}" if cursor else path, token=token)
        assert answer.status_code == 200, (path, answer.text)
        found += answer.text
        if answer.headers["content-type"] != "application/json":
            return found
        cursor = answer.json().get("next_cursor") or ""
        if not cursor:
            return found


@pytest.mark.parametrize("seed", range(3))
async def test_a_rep_sees_the_own_wallet_and_nothing_else_on_any_path(house: House, seed: int) -> None:
    orders, contacts, deals = await made(house, random.Random(seed))
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    for rep in REPS:
        await house.call("POST", "/v1/members", {"name": rep, "role": "rep", "id": rep})
        token = await house.token_of("rep", rep)
        mine = [order for order in orders if rep in order.owners]
        others = [order for order in orders if rep not in order.owners]
        foreign = [crm_id for crm_id, owner in contacts.items() if owner != rep]

        lists = ["/v1/orders", "/v1/orders?limit=3", "/v1/orders?q=word", "/v1/orders.csv", "/v1/orders.jsonl"]
        for path in lists:
            text = await everything(house, path, token)
            assert all(order.word in text for order in mine), path
            assert not any(order.word in text or order.id in text for order in others), path
        narrow = ["?status=paid", "?origin=api", "?currency=BRL", "?since=30d", *(f"?deal_id={one}" for one in deals)]
        narrow += [f"?contact={one}" for one in contacts]
        reports = [f"/v1/reports/orders?group_by={group}" for group in GROUPS]
        for path in [f"/v1/orders{one}" for one in narrow] + reports + ["/v1/reports/contacts"]:
            text = await everything(house, path, token)
            assert not any(order.word in text or order.id in text for order in others), path
        for path in ("/v1/contacts.csv", "/v1/contacts.jsonl", "/v1/reports/contacts"):
            answer = await house.call("GET", path, token=token)
            assert answer.status_code in (200, 403), (path, answer.text)
            assert answer.status_code == 403 or not any(crm_id in answer.text for crm_id in foreign), path

        for order in orders:
            for path in (f"/v1/orders/{order.id}", f"/v1/orders/{order.id}/history"):
                status = (await house.call("GET", path, token=token)).status_code
                assert status == (200 if order in mine else 404), (path, rep, order.owners)
        for crm_id, owner in contacts.items():
            for path in (f"/v1/contacts/{crm_id}", f"/v1/contacts/{crm_id}/orders", f"/v1/contacts/{crm_id}/summary"):
                answer = await house.call("GET", path, token=token)
                assert answer.status_code == (200 if owner == rep else 404), (path, rep, owner)
            known = await house.get(f"/v1/contacts?email={crm_id}@example.com", token=token)
            assert bool(known["data"]) == (owner == rep)
        for crm_id, owner in deals.items():
            for path in (f"/v1/deals/{crm_id}", f"/v1/deals/{crm_id}/orders"):
                answer = await house.call("GET", path, token=token)
                assert answer.status_code == 200 or owner != rep, (path, rep)
                assert not any(order.word in answer.text for order in others), path

        # Sums cover the wallet, and not a cent more.
        for group in GROUPS:
            rows = json.loads(await everything(house, f"/v1/reports/orders?group_by={group}", token))["data"]
            assert sum(one["orders"] for row in rows for one in row["currencies"]) == len(mine), group

        # Nothing can be written, and nothing that is the others' is even named.
        assert (await house.call("PATCH", f"/v1/orders/{orders[0].id}", {"title": "x"}, token=token)).status_code == 403
