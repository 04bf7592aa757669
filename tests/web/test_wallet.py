"""Owner privacy: two reps, orders and deals in every combination of owners, and every path on which anything can be read."""

import asyncio
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from tests.house import House, order_event
from tests.routes import every_route, filled

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
            "contact": contact,
            "title": order.word,
            "external_id": order.word,
            "value": f"{order.value:.2f}",
            "status": dice.choice(["paid", "pending", "canceled"]),
            "origin": dice.choice(["manual", "api"]),
            "deal_of_another_contact": True,
        } | ({"deal_id": deal} if deal else {})
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


# By the CRM's id: what each is known by, and who owns the contact.
PEOPLE: dict[str, tuple[dict[str, str], str | None]] = {
    crm_id: (
        {"name": name, "email": f"{crm_id}@example.com", "phone": f"+55119876500{crm_id[-2:]}", "document": cpf},
        owner,
    )
    for crm_id, name, cpf, owner in (
        ("own-11", "Ana Owned", "11144477735", "rep-1"),
        ("other-22", "Bia Other", "52998224725", "rep-2"),
        ("nobodys-33", "Eva Free", "39053344705", None),
    )
}


async def test_a_rep_reads_no_data_of_anybody_outside_the_wallet_on_any_route(house: House) -> None:
    """Orders from webhooks, in the wallet by their contact, by their deal, and by having been somebody else's before."""
    source = await house.source()

    async def deliver(name: str, who: str, at: str = "2026-11-20T13:00:00Z", **further: str) -> str:
        answered = await house.deliver(source, order_event(name, at=at, contact=PEOPLE[who][0] | further))
        return str(answered.json()["orders"][0])

    for crm_id, (person, owner) in PEOPLE.items():
        known = {"name": person["name"]} | {f"{kind}s": [person[kind]] for kind in ("email", "phone", "document")}
        assert (await house.call("PUT", f"/v1/contacts/{crm_id}", known | {"owner_id": owner})).status_code == 201
    await house.call("PUT", "/v1/deals/D1", {"contact": "own-11", "owner_id": "rep-1"})
    mine = await deliver("mine", "own-11")
    on_my_deal = [await deliver("deal-1", "other-22"), await deliver("deal-2", "nobodys-33")]
    for order_id in on_my_deal:
        change = {"deal_id": "D1", "deal_of_another_contact": True}
        assert (await house.call("PATCH", f"/v1/orders/{order_id}", change)).status_code == 200
    moved = await deliver("moved", "other-22")
    assert (await house.call("PATCH", f"/v1/orders/{moved}", {"contact": "own-11"})).status_code == 200
    renamed = await deliver("renamed", "other-22", at="2026-11-19T13:00:00Z")
    assert await deliver("renamed", "own-11") == renamed
    mixed = await deliver("mixed", "own-11", email=PEOPLE["other-22"][0]["email"])
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep-1"})
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    token = await house.token_of("rep", "rep-1")
    seen = {order["id"] for order in (await house.get("/v1/orders", token=token))["data"]}
    assert {mine, *on_my_deal, moved, renamed} <= seen

    ids = {
        "order": [mine, *on_my_deal, moved, renamed, mixed],
        "contact": [*PEOPLE, *{one["contact_id"] for one in await house.data("/v1/orders")}],
        "deal": ["D1"],
        "source": [source],
        "delivery": [one["id"] for one in await house.data("/v1/deliveries")],
    }
    ids |= {name: ["none"] for name in ("job", "subscription", "name")}
    answered = 0
    for method, path in await every_route(house):
        if method != "GET":
            continue
        for address in filled(path, ids):
            answer = await house.call("GET", address, token=token)
            answered += answer.status_code == 200
            for person, owner in PEOPLE.values():
                for word in person.values():
                    assert owner == "rep-1" or word.lower() not in answer.text.lower(), (address, word)
    assert answered > 20
    for asked in ("email", "phone", "document"):
        assert (await house.get(f"/v1/contacts?{asked}={PEOPLE['other-22'][0][asked]}", token=token))["data"] == []

    own = PEOPLE["own-11"][0]
    assert (await house.get(f"/v1/orders/{mine}", token=token))["buyer_name"] == own["name"]
    (entry,) = (await house.get(f"/v1/orders/{mine}/history", token=token))["data"]
    assert {one["value"] for one in entry["said"]["customer"]["identities"]} == set(own.values()) - {own["name"]}
    early, late = (await house.get(f"/v1/orders/{renamed}/history", token=token))["data"]
    assert "customer" not in early["said"] and late["said"]["customer"]["name"] == own["name"]


async def test_a_wallet_follows_whose_contacts_and_deals_are(house: House) -> None:
    """Whatever moves an order into a wallet or out of it; that all else stays true the fixture looks after."""
    source = await house.source()
    for rep in REPS:
        await house.call("POST", "/v1/members", {"name": rep, "role": "rep", "id": rep})
    tokens = {rep: await house.token_of("rep", rep) for rep in REPS}
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})

    async def wallets() -> tuple[list[str], list[str]]:
        one, two = [
            sorted(row["external_id"] for row in (await house.get("/v1/orders", token=tokens[rep]))["data"])
            for rep in REPS
        ]
        return one, two

    async def put(what: str, **given: Any) -> None:
        assert (await house.call("PUT", f"/v1/{what}", given)).status_code in (200, 201)

    async def deliver(name: str, who: str) -> str:
        answered = await house.deliver(source, order_event(name, contact={"email": f"{who}@example.com"}))
        return str(answered.json()["orders"][0])

    early = await deliver("early", "ana")  # before the CRM knows her
    await put("contacts/1", emails=["ana@example.com"], owner_id="rep-1")
    await put("contacts/2", emails=["bia@example.com"], owner_id="rep-2")
    assert await wallets() == (["early"], [])
    for name, who in (("a", "ana"), ("b", "bia"), ("c", "eva")):
        await deliver(name, who)
    assert await wallets() == (["a", "early"], ["b"])
    await put("contacts/1", owner_id="rep-2")
    assert await wallets() == ([], ["a", "b", "early"])
    await put("contacts/1", name="Ana")  # of whose she is nothing is said
    assert await wallets() == ([], ["a", "b", "early"])
    await put("contacts/2", owner_id=None)
    assert await wallets() == ([], ["a", "early"])
    await put("deals/d", contact="2", owner_id="rep-1")
    edited = await house.call("PATCH", f"/v1/orders/{early}", {"deal_id": "d", "deal_of_another_contact": True})
    assert edited.status_code == 200, edited.text
    assert await wallets() == (["early"], ["a", "early"])
    await put("deals/d", contact="2", owner_id="rep-2")
    assert await wallets() == ([], ["a", "early"])
    await put("deals/d", contact="2", owner_id="rep-1")
    await put("contacts/3", emails=["eva@example.com"])
    await house.call("POST", "/v1/contacts/1/merge", {"into": "3"})  # who has no owner and takes over Ana's
    assert await wallets() == (["early"], ["a", "c", "early"])
    await put("contacts/3", owner_id="rep-1")
    assert await wallets() == (["a", "c", "early"], [])
    await house.call("POST", "/v1/contacts/1/unmerge")
    assert await wallets() == (["c", "early"], ["a", "early"])
    assert (await house.call("PATCH", f"/v1/orders/{early}", {"contact": "2"})).status_code == 200
    assert await wallets() == (["c", "early"], ["a"])
    file = "crm_id,owner_id\n3,rep-2\n"
    taken = await house.client.post(
        "/v1/contacts/import",
        content=file.encode(),
        headers={"Authorization": f"Bearer {house.token}", "Content-Type": "text/csv"},
    )
    assert taken.status_code == 200, taken.text
    assert await wallets() == (["early"], ["a", "c"])
    assert (await house.call("DELETE", "/v1/contacts/3")).status_code == 200
    assert await wallets() == (["early"], ["a"])


async def test_an_owner_changes_while_orders_come_in(house: House) -> None:
    """Neither misses what the other has just written: the fixture looks at every order afterwards."""
    source = await house.source()
    await house.call("PUT", "/v1/contacts/1", {"emails": ["ana@example.com"], "owner_id": "rep-1"})
    await house.call("PUT", "/v1/deals/d", {"contact": "1", "owner_id": "rep-1"})

    async def changes() -> None:
        for number in range(12):
            owner = REPS[number % 2]
            assert (await house.call("PUT", "/v1/contacts/1", {"owner_id": owner})).status_code == 200
            assert (await house.call("PUT", "/v1/deals/d", {"contact": "1", "owner_id": owner})).status_code == 200

    async def orders() -> None:
        for number in range(24):
            delivered = house.deliver(source, order_event(str(number), contact={"email": "ana@example.com"}))
            body = {"contact": "1", "title": "By hand", "value": "1.00", "deal_id": "d"}
            answers = await asyncio.gather(delivered, house.call("POST", "/v1/orders", body))
            assert [answer.status_code for answer in answers] == [200, 201]

    await asyncio.gather(changes(), orders(), orders())
    assert len((await house.get("/v1/contacts/1/orders?limit=200"))["data"]) == 24 * 3
