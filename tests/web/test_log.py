"""The log's pages: whatever the filter, all that matches and nothing else, newest first, each once; and short work each."""

import hashlib
import json
import random
from typing import Any

import pytest

from app.base import clock
from app.base.ids import first_id
from app.db import schema
from app.db.statements import Insert, Plan, Sql
from app.store.delivery_rollups import RollupCounts
from app.store.delivery_search import LOOKED_THROUGH
from app.web.http.filters import MOST_NAMED
from tests.house import House, order_event, signed

pytestmark = pytest.mark.anyio

MINUTE = 60_000_000
REFUND = {
    "id": 9,
    "order_id": 5000000001,
    "created_at": "2026-11-20T14:00:00Z",
    "transactions": [{"kind": "refund", "status": "success", "amount": "98.00", "currency": "BRL"}],
}
PRESENT = clock.since("2026-11-24T00:00:00Z", 0)
KINDS = ("orders/paid",) * 8 + ("orders/create", "app/uninstalled")
OUTCOMES = ("created",) * 6 + ("updated",) * 3 + ("unreadable",)


async def filled(house: House, many: int, sources: list[str], **last: str) -> list[dict[str, Any]]:
    """So many rows put into the log, one a minute, the last of them as given; newest first."""
    dice = random.Random(7)
    rows = []
    for number in range(many):
        at = PRESENT - number * MINUTE
        outcome = dice.choice(OUTCOMES)
        row: dict[str, Any] = {
            "account_id": house.account_id,
            "id": f"{first_id('dlv', at + 1000)[:-5]}{number:05d}",
            "source_id": dice.choice(sources),
            "dedupe_key": str(number),
            "digest": "",
            "kind": dice.choice(KINDS),
            "external_id": f"ext-{dice.randrange(many // 10)}",
            "outcome": outcome,
            "reason": f"line_items.{number % 3}.price is missing" if outcome == "unreadable" else None,
            "notes": "[]",
            "strength": "mac",
            "orders": "[]",
            "received_at": at,
            "committed_at": at,
            "attempts": 1,
            "repeats": 0,
            "last_repeated_at": None,
            "source_delivery_id": None,
        }
        rows.append(row)
    rows[-1] |= last
    columns = [column.name for column in schema.deliveries.columns]

    def plan() -> Plan[None]:
        yield Insert("deliveries").many([[row[name] for name in columns] for row in rows])
        counts = RollupCounts()
        for row in rows:
            counts.add(row["account_id"], row["source_id"], row["outcome"], row["received_at"])
        yield from counts.save()

    await house.service.store.commit(plan)
    return rows


async def walked(house: House, query: str, limit: int) -> list[str]:
    """Every id that the list gives, page by page."""
    found: list[str] = []
    following: str | None = ""
    while following is not None:
        page = await house.get(f"/v1/deliveries?{query}&limit={limit}" + (f"&cursor={following}" if following else ""))
        assert len(page["data"]) <= limit
        found += [row["id"] for row in page["data"]]
        following = page["next_cursor"]
    return found


async def test_what_follows_the_log_is_given_what_was_committed_late(house: House) -> None:
    def made(seconds: float) -> str:
        return first_id("dlv", PRESENT + int(seconds * 1e6))

    source = await house.source()
    rows = (await filled(house, 10, [source]))[:4]
    late, newest = made(11), made(20)

    def plan() -> Plan[None]:
        for row, delivery_id in zip(rows, (made(9), late, newest, made(30)), strict=True):
            yield Sql("UPDATE deliveries SET id = :new WHERE id = :old", new=delivery_id, old=row["id"])

    await house.service.store.commit(plan)
    for query, wanted in (("", [made(30)]), ("&overlap=true", [late, newest, made(30)])):
        found = await house.data(f"/v1/deliveries?newer_than={newest}{query}")
        assert [row["id"] for row in found] == wanted
    assert len(await house.data("/v1/deliveries?newer_than=dlv_&overlap=true")) == 10


async def test_each_filter_gives_all_that_matches_newest_first_each_once(house: House) -> None:
    sources = [await house.source(name=name) for name in ("A", "B")]
    rows = await filled(house, 1_000, sources)
    since, until = PRESENT - 700 * MINUTE, PRESENT - 50 * MINUTE
    checks: dict[str, Any] = {
        f"source_id={sources[0]}": lambda row: row["source_id"] == sources[0],
        "outcome=unreadable": lambda row: row["outcome"] == "unreadable",
        "kind=app/uninstalled": lambda row: row["kind"] == "app/uninstalled",
        "external_id=ext-3": lambda row: row["external_id"] == "ext-3",
        f"since={clock.iso(since)}": lambda row: row["received_at"] >= since,
        f"until={clock.iso(until)}": lambda row: row["received_at"] < until,
        "q=1.PRICE": lambda row: "1.price" in (row["reason"] or ""),
    }
    for first, one in checks.items():
        for second, other in checks.items():
            query = first if first == second else f"{first}&{second}"
            wanted = [row["id"] for row in rows if one(row) and other(row)]
            assert await walked(house, query, 200) == wanted, query
            if len(wanted) < 40:
                assert await walked(house, query, 7) == wanted, query
    everything = "&".join(list(checks)[:3] + list(checks)[4:])
    assert await walked(house, everything, 3) == [
        row["id"] for row in rows if all(check(row) for name, check in checks.items() if "external" not in name)
    ]
    assert await walked(house, "q=100%25", 50) == [], "a wildcard is a character"


async def test_a_search_gives_the_order_itself_first_and_then_reasons_that_name_it(house: House) -> None:
    source = await house.source()
    rows = await filled(house, 300, [source], external_id="b.0", reason="nothing")
    mine = [row["id"] for row in rows if row["external_id"] == "ext-5"]
    assert len(mine) > 3
    for limit in (1, 2, len(mine), 200):
        assert await walked(house, "q=ext-5", limit) == mine
    named = [row["id"] for row in rows if "line_items.0" in (row["reason"] or "")]
    assert await walked(house, "q=line_items.0", 4) == named
    assert await walked(house, "q=b.0", 1) == [rows[-1]["id"]]
    assert await walked(house, "q=b.0&external_id=ext-5", 1) == []


async def test_what_matches_seldom_is_looked_for_so_many_rows_a_page(house: House) -> None:
    source = await house.source()
    many = LOOKED_THROUGH + 500
    rows = await filled(house, many, [source], kind="shop/redact", external_id="the-one", reason="a word apart")
    for query in ("kind=shop/redact", "q=word+apart"):
        first = await house.get(f"/v1/deliveries?{query}")
        assert first["data"] == [] and first["next_cursor"] is not None
        assert await walked(house, query, 50) == [rows[-1]["id"]]
    for query in ("q=the-one", "external_id=the-one", f"until={clock.iso(PRESENT - (many - 2) * MINUTE)}"):
        assert (await house.get(f"/v1/deliveries?{query}"))["data"][0]["id"] == rows[-1]["id"]


async def test_the_deliveries_of_a_contact_in_pages(house: House) -> None:
    source = await house.source()
    ids = []
    for number in range(6):
        answered = await house.deliver(source, order_event(str(number // 2), at=f"2026-11-20T13:00:0{number}Z"))
        ids.append(answered.json()["delivery_id"])
    await house.deliver(source, order_event("9", contact={"email": "bia@example.com"}))
    contact = (await house.get("/v1/contacts?email=ana@example.com"))["data"][0]["id"]
    for limit in (1, 4, 6, 7):
        assert await walked(house, f"contact={contact}", limit) == ids[::-1]
    created = await walked(house, f"contact={contact}&outcome=created", 2)
    assert created == [ids[4], ids[2], ids[0]]
    assert await walked(house, f"contact={contact}&external_id=1&source_id={source}", 1) == [ids[3], ids[2]]
    assert await walked(house, f"contact={contact}&since=1h", 3) == ids[::-1]
    assert await walked(house, f"contact={contact}&until=1h", 3) == []


async def test_the_log_of_a_contact_follows_whose_the_orders_are(house: House) -> None:
    source, held = await house.source(), await house.source(unknown_contacts="hold")
    ana, bia = {"email": "ana@example.com"}, {"email": "bia@example.com"}
    for crm_id, who in (("1", ana), ("2", bia)):
        await house.call("PUT", f"/v1/contacts/{crm_id}", {"emails": [who["email"]]})

    async def told(source: str, external_id: str, who: dict[str, str] | None, **given: Any) -> str:
        answered = await house.deliver(source, order_event(external_id, contact=who, **given))
        assert answered.status_code == 200
        delivery_id: str = answered.json()["delivery_id"]
        return delivery_id

    async def log_of(crm_id: str) -> list[str]:
        whole = await walked(house, f"contact={crm_id}", 1)
        assert whole == [row["id"] for row in (await house.get(f"/v1/deliveries?contact={crm_id}"))["data"]]
        return whole

    a, b = await told(source, "a", ana), await told(held, "b", bia)
    later = await told(source, "a", None, status="refunded", at="2026-11-20T14:00:00Z")
    assert (await log_of("1"), await log_of("2")) == ([later, a], [b])
    await house.call("POST", "/v1/contacts/1/merge", {"into": "2"})
    assert await log_of("1") == await log_of("2") == [later, b, a]
    after = await told(source, "a2", ana)
    await house.call("POST", "/v1/contacts/1/unmerge")
    assert (await log_of("1"), await log_of("2")) == ([later, a], [after, b])
    order = next(one for one in await house.data("/v1/contacts/1/orders") if one["external_id"] == "a")
    assert (await house.call("PATCH", f"/v1/orders/{order['id']}", {"contact": "2"})).status_code == 200
    assert (await log_of("1"), await log_of("2")) == ([], [after, later, b, a])
    assert (await house.call("POST", f"/v1/deliveries/{a}/retry")).status_code == 200
    assert await log_of("2") == [after, later, b, a]
    assert (await house.call("DELETE", "/v1/contacts/2")).status_code == 200
    await house.call("PUT", "/v1/contacts/3", {"emails": ["eva@example.com"]})
    assert await log_of("3") == []


async def test_a_refund_that_came_first_is_in_the_log_of_whose_the_order_turns_out_to_be(house: House) -> None:
    source = await house.source("shopify")
    refund = await house.deliver(
        source, signed("shopify", json.dumps(REFUND).encode(), {"x-shopify-topic": "refunds/create"})
    )
    assert refund.json()["outcome"] == "ignored", refund.text
    paid = {
        "id": 5000000001,
        "name": "#1001",
        "total_price": "398.00",
        "currency": "BRL",
        "financial_status": "paid",
        "created_at": "2026-11-20T13:00:00Z",
        "updated_at": "2026-11-20T13:00:00Z",
        "email": "ana@example.com",
    }
    order = await house.deliver(
        source, signed("shopify", json.dumps(paid).encode(), {"x-shopify-topic": "orders/paid"})
    )
    assert order.json()["outcome"] == "created", order.text
    contact = (await house.get("/v1/contacts?email=ana@example.com"))["data"][0]["id"]
    assert await walked(house, f"contact={contact}", 1) == [order.json()["delivery_id"], refund.json()["delivery_id"]]


async def test_several_outcomes_at_once(house: House) -> None:
    sources = [await house.source(name=name) for name in ("A", "B")]
    rows = await filled(house, 1_000, sources)
    for outcomes in (("unreadable", "ignored"), ("created", "unreadable"), ("held", "unreadable")):
        query = "&".join(f"outcome={one}" for one in outcomes)
        wanted = [row["id"] for row in rows if row["outcome"] in outcomes]
        for limit in (7, 200):
            assert await walked(house, query, limit) == wanted, (query, limit)
        mine = [row["id"] for row in rows if row["outcome"] in outcomes and row["source_id"] == sources[0]]
        assert await walked(house, f"{query}&source_id={sources[0]}", 50) == mine
    refused = await house.call("GET", "/v1/deliveries?outcome=created&outcome=unverified")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    twice = await house.call("GET", "/v1/deliveries?kind=a&kind=b")
    assert "kind: is given more than once" in twice.json()["detail"]
    counted = await house.call(
        "POST", "/v1/deliveries/retry", {"filter": {"outcome": ["unreadable", "ignored"]}, "dry_run": True}
    )
    assert counted.json()["count"] == sum(row["outcome"] in ("unreadable", "ignored") for row in rows)


async def test_a_contact_is_named_by_any_identity(house: House) -> None:
    who = {"email": "ana@example.com", "phone": "+55 11 98765-4321", "document": "529.982.247-25", "name": "Ana"}
    source, holding = await house.source(), await house.source(unknown_contacts="hold")
    made = (await house.deliver(source, order_event("1", contact=who))).json()["delivery_id"]
    late = (await house.deliver(holding, order_event("2", contact={"email": "late@example.com"}))).json()["delivery_id"]
    wrong = order_event("3", contact={"email": "unread@example.com"}, value="a lot")
    unread = (await house.deliver(source, wrong)).json()["delivery_id"]
    for role in ("admin", "manager", "ops"):
        token = await house.token_of(role)
        for word, found in (
            ("ANA@example.com", [made]),
            ("529.982.247-25", [made]),
            ("11 98765-4321", [made]),
            ("%2B5511987654321", [made]),
            ("+5511987654321", [made]),
            ("late@example.com", [late]),
            ("unread@example.com", [unread]),
        ):
            told = await house.get(f"/v1/deliveries?contact={word}", token=token)
            assert [one["id"] for one in told["data"]] == found, (role, word)
        for word in ("nobody@example.com", "no-address@", "935.411.347-80", "+55 11 91111-2222"):
            answer = await house.call("GET", f"/v1/deliveries?contact={word}", token=token)
            assert (answer.status_code, answer.json()["code"]) == (422, "contact_not_found"), (role, word)
    await house.call("PUT", "/v1/contacts/7", {"emails": ["unread@example.com"]})
    assert await walked(house, "contact=unread@example.com", 1) == [unread]
    assert await walked(house, "contact=unread@example.com&outcome=held", 1) == []
    assert await walked(house, "contact=unread@example.com&outcome=held&outcome=unreadable", 1) == [unread]
    (order,) = await house.data("/v1/orders?contact=ana@example.com")
    assert order["external_id"] == "1"
    for path in ("/v1/orders", "/v1/orders.csv", "/v1/reports/orders"):
        answer = await house.call("GET", f"{path}?contact=nobody@example.com")
        assert (answer.status_code, answer.json()["code"]) == (422, "contact_not_found"), path


async def test_an_identity_outside_the_wallet_is_nobodys(house: House) -> None:
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    rep = await house.token_of("rep")
    me = (await house.get("/v1/session", token=rep))["member_id"]
    await house.call("PUT", "/v1/contacts/1", {"emails": ["mine@example.com"], "owner_id": me})
    await house.call("PUT", "/v1/contacts/2", {"emails": ["theirs@example.com"], "owner_id": "else"})
    assert await house.get("/v1/orders?contact=mine@example.com", token=rep) == {"data": [], "next_cursor": None}
    answers = [
        (await house.call("GET", f"/v1/orders?contact={one}@example.com", token=rep)).json()
        for one in ("theirs", "nobody")
    ]
    for one in answers:
        one["detail"] = one["detail"].replace("theirs", "nobody")
    assert answers[0]["code"] == "contact_not_found" and answers[0] == answers[1]
    await house.call("PUT", "/v1/deals/D", {"contact": "2", "owner_id": me})
    order = {"contact": "2", "title": "Shoes", "value": "1.00", "deal_id": "D"}
    await house.call("POST", "/v1/orders", order)
    assert len((await house.get("/v1/orders?contact=theirs@example.com", token=rep))["data"]) == 1


async def test_a_delivery_is_found_by_the_platforms_own_id(house: House) -> None:
    one, other = await house.source(), await house.source()
    long = "x" * 300
    ids = [
        (await house.deliver(source, order_event(number, delivery_id=given))).json()["delivery_id"]
        for source, number, given in ((one, "1", "msg_1"), (other, "2", "msg_1"), (one, "3", long))
    ]
    assert await walked(house, "source_delivery_id=msg_1", 1) == ids[1::-1]
    assert await walked(house, f"source_delivery_id=msg_1&source_id={one}", 5) == ids[:1]
    assert await walked(house, f"source_delivery_id={long}", 5) == ids[2:]
    assert await walked(house, "source_delivery_id=msg_2", 5) == []
    assert (await house.get(f"/v1/deliveries/{ids[0]}"))["source_delivery_id"] == "msg_1"
    await house.call("DELETE", f"/v1/sources/{one}")
    assert await walked(house, "source_delivery_id=msg_1", 5) == ids[1::-1]


async def test_a_platforms_long_id_has_the_key_that_it_always_had(house: House) -> None:
    source = await house.source()
    long = "x" * 1200
    first, repeat = [(await house.deliver(source, order_event("1", delivery_id=long))).json() for _ in range(2)]
    assert (repeat["outcome"], repeat["delivery_id"]) == ("duplicate", first["delivery_id"])
    # Recorded by an older version: its repeats are still to be known.
    (row,) = await house.service.store.all("SELECT dedupe_key, source_delivery_id FROM deliveries")
    assert row["dedupe_key"] == f"id:{hashlib.sha256(long.encode()).hexdigest()}"
    assert row["source_delivery_id"] == "x" * 999 + "…"
    # What is cut off for the log still tells two deliveries apart.
    other = await house.deliver(source, order_event("2", delivery_id=f"{long[:-1]}y"))
    assert other.json()["outcome"] == "created"


async def test_what_is_held_or_unreadable_is_found_by_a_name_by_those_who_read_contacts(house: House) -> None:
    source, holding = await house.source(), await house.source(unknown_contacts="hold")

    async def told(source: str, external_id: str, name: str, **given: Any) -> str:
        who = {"email": f"{external_id}@example.com", "name": name}
        answered = await house.deliver(source, order_event(external_id, contact=who, **given))
        delivery_id: str = answered.json()["delivery_id"]
        return delivery_id

    made = await told(source, "made", "José da Silva")
    held = await told(holding, "held", "José Antônio Silva")  # JSON writes é as an escape
    unread = await told(source, "unread", "JOSE SILVA", value="a lot")
    await told(source, "other", "Josefa Silvana", value="a lot")
    form = signed("standard", b"name=Jos%C3%A9+Dias&what=1", {"content-type": "application/x-www-form-urlencoded"})
    as_form = (await house.deliver(source, form)).json()["delivery_id"]
    for role in ("admin", "manager"):
        token = await house.token_of(role)
        for word, found in (
            ("José", [as_form, unread, held, made]),
            ("silva josé", [unread, held]),
            ("jose antonio", [held]),
            ("JOSÉ DIAS", [as_form]),
            ("Nobody Whatever", []),
            ("?", []),
        ):
            page = await house.get(f"/v1/deliveries?contact={word}", token=token)
            assert [one["id"] for one in page["data"]] == found, (role, word)
            assert "left_out" not in page
    assert await walked(house, "contact=José", 1) == [as_form, unread, held, made]
    assert await walked(house, "contact=José&outcome=held&outcome=created", 1) == [held, made]
    for role in ("ops", "integrator"):
        page = await house.get("/v1/deliveries?contact=José", token=await house.token_of(role))
        assert page == {"data": [], "next_cursor": None}, role
    assert (
        await house.call("GET", "/v1/deliveries?contact=José", token=await house.token_of("rep"))
    ).status_code == 403
    await house.call("PUT", "/v1/contacts/7", {"name": "José Antônio Silva", "emails": ["other@example.com"]})
    # Who was erased is found no more: neither the contact, nor what a body said.
    await house.call("PUT", "/v1/contacts/8", {"emails": ["held@example.com", "unread@example.com"]})
    assert (await house.call("DELETE", "/v1/contacts/8")).status_code == 200
    assert await walked(house, "contact=José Antônio", 5) == [], "the order was taken up, and its person erased"
    assert await walked(house, "contact=silva josé", 5) == []


@pytest.mark.tuned(person_bodies=(4, 2))
async def test_what_a_search_for_a_person_left_out_is_said(house: House) -> None:
    source = await house.source()
    ids = []
    for number in range(5):
        who = {"name": f"Ana P{number}", "email": f"p{number}@example.com"}
        answered = await house.deliver(source, order_event(str(number), contact=who, value="a lot"))
        ids.append(answered.json()["delivery_id"])
    page = await house.get("/v1/deliveries?contact=Ana")
    assert [one["id"] for one in page["data"]] == ids[:0:-1]
    assert "the newest" in page["left_out"]
    assert "the newest" in (await house.get("/v1/deliveries?contact=p4@example.com"))["left_out"]
    missing = await house.call("GET", "/v1/deliveries?contact=p0@example.com")
    assert missing.status_code == 422 and "the newest" in missing.json()["detail"]
    for number in range(MOST_NAMED + 1):
        await house.call("PUT", f"/v1/contacts/{number}", {"name": f"Bia {number:02}"})
    assert f"more than {MOST_NAMED} contacts" in (await house.get("/v1/deliveries?contact=Bia"))["left_out"]
