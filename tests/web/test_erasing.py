"""Erasing a person: nothing that names them is left, in no table and no file, and nothing brings them back."""

import asyncio
import json
import sqlite3
import zlib
from contextlib import closing
from typing import Any

import asyncpg
import pytest

from adapters.contract import Delivery
from app.base import clock
from app.ingest.parse import read
from tests.house import SECRET, House, eventually, order_event, signed
from tests.samples import samples

pytestmark = pytest.mark.anyio

ANA = {
    "name": "Zuleika Marca",
    "email": "zuleika.marca@example.com",
    "phone": "+55 11 98765-4321",
    "document": "529.982.247-25",
    "id": "zk-77",
}
MARKS = ("zuleika", "marca", "98765-4321", "987654321", "52998224725", "529.982.247-25", "zk-77", "presente-secreto")


def zuleika(external_id: str = "1001", **given: Any) -> Delivery:
    return order_event(
        external_id,
        contact=ANA,
        title=f"#{external_id} · presente-secreto",
        url="https://example.com/o/presente-secreto",
        items=[{"title": "presente-secreto", "quantity": 1}],
        **given,
    )


async def everything(house: House) -> str:
    """All rows of all tables as one text in lower case, bodies opened."""
    texts: list[str] = []

    def told(value: Any) -> str:
        if isinstance(value, bytes):
            return zlib.decompress(value).decode(errors="replace")
        return str(value)

    if house.settings.on_sqlite:
        with closing(sqlite3.connect(house.settings.database_path)) as connection:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                texts += [told(value) for row in connection.execute(f"SELECT * FROM {table}") for value in row]
    else:
        link = await asyncpg.connect(house.settings.database_url)
        for row in await link.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            texts += [told(value) for one in await link.fetch(f"SELECT * FROM {row['tablename']}") for value in one]
        await link.close()
    return "\n".join(texts).casefold()


async def nothing_is_left(house: House) -> None:
    text = await everything(house)
    for mark in MARKS:
        at = text.find(mark)
        assert at < 0, (mark, text[max(0, at - 200) : at + 100])
    if house.settings.on_sqlite:
        for file in house.settings.database_path.parent.glob("orders.db*"):
            raw = file.read_bytes().lower()
            assert not [mark for mark in MARKS if mark.encode() in raw], file


async def erase(house: House, contact: str) -> Any:
    done = await house.call("DELETE", f"/v1/contacts/{contact}")
    assert done.status_code == 200, done.text
    return done.json()


async def contact_of(house: House, query: str = "email=zuleika.marca@example.com") -> str:
    (found,) = await house.data(f"/v1/contacts?{query}")
    contact_id: str = found["id"]
    return contact_id


async def test_nothing_is_left_but_stubs_and_hashes(house: House) -> None:
    source, holding = await house.source(), await house.source(unknown_contacts="hold")
    await house.deliver(source, zuleika())
    await house.deliver(source, zuleika(status="refunded", at="2026-11-21T13:00:00Z"))
    await house.deliver(source, order_event("other", contact={"email": "bia@example.com"}))
    await house.call(
        "PUT", "/v1/contacts/zk-77-crm", {"name": "Zuleika Marca", "emails": ["zuleika.marca@example.com"]}
    )
    await house.call("PUT", "/v1/deals/D1", {"contact": "zk-77-crm", "title": "presente-secreto"})
    made = await house.call(
        "POST",
        "/v1/orders",
        {"contact": "zk-77-crm", "title": "presente-secreto", "value": "5.00", "deal_id": "D1"},
        **{"Idempotency-Key": "k"},
    )
    assert made.status_code == 201
    held = (await house.deliver(holding, order_event("h", contact={"phone": "11 3333-4444", "name": "Zuleika"}))).json()
    assert held["outcome"] == "held"
    await house.call("PUT", "/v1/contacts/old-zk-77", {"name": "Marca, Zuleika", "phones": ["11 3333-4444"]})
    cart = json.dumps(
        {"type": "cart.updated", "timestamp": "2026-11-20T13:00:00Z", "data": {"email": "Zuleika.Marca@Example.com"}}
    ).encode()
    ignored = (await house.deliver(source, signed("standard", cart))).json()
    contact_id = await contact_of(house)
    await house.call("POST", "/v1/contacts/old-zk-77/merge", {"into": contact_id})

    proof = await erase(house, "old-zk-77")  # a merged id answers as the survivor, and both are erased
    assert (proof["action"], proof["counts"]["orders"], proof["counts"]["contacts"]) == ("erase", 2 + 1, 2)
    await nothing_is_left(house)

    for word in (contact_id, "zk-77-crm", "old-zk-77"):
        for path in ("", "/orders", "/summary", "/export"):
            assert (await house.call("GET", f"/v1/contacts/{word}{path}")).status_code == 404
    stub, by_hand, other = sorted(
        [one for one in await house.data("/v1/orders") if one["external_id"] != "h"], key=lambda one: one["external_id"]
    )
    assert (stub["value"], stub["status"], stub["currency"], stub["source_id"]) == ("398.00", "refunded", "BRL", source)
    assert (stub["contact_id"], stub["title"], stub["items"], stub["url"]) == (None, None, [], None)
    assert (by_hand["value"], by_hand["contact_id"], by_hand["deal_id"]) == ("5.00", None, None)
    assert other["contact_id"] is not None
    row = await house.get(f"/v1/deliveries/{ignored['delivery_id']}")
    assert (row["body_kept"], row["notes"]) == (False, ["erased"])
    # The same request again is a new one, and there is no such contact.
    again = await house.call(
        "POST",
        "/v1/orders",
        {"contact": "zk-77-crm", "title": "presente-secreto", "value": "5.00", "deal_id": "D1"},
        **{"Idempotency-Key": "k"},
    )
    assert (again.status_code, again.json()["code"]) == (422, "contact_not_found")


@pytest.mark.parametrize("hold", ["create", "hold"])
async def test_nothing_that_comes_late_brings_the_person_back(house: House, hold: str) -> None:
    source = await house.source(unknown_contacts=hold)
    await house.call("PUT", "/v1/contacts/77", {"emails": [ANA["email"]]})
    first = zuleika(delivery_id="one")
    said = (await house.deliver(source, first)).json()
    assert said["outcome"] == "created"
    await erase(house, "77")
    assert (await house.deliver(source, first)).json()["outcome"] == "duplicate"
    retried = await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry")
    assert (retried.status_code, retried.json()["code"]) == (409, "conflict")
    late = [
        zuleika(status="refunded", at="2026-11-21T13:00:00Z"),  # a late word on an order of theirs
        order_event(
            "1001", status=None, contact=None, title="presente-secreto", at="2026-11-22T13:00:00Z"
        ),  # naming nobody
        zuleika("2002"),  # an order that was not known
        order_event("2002", contact={"name": "Zuleika"}, title="presente-secreto", at="2026-11-23T13:00:00Z"),
        order_event("3003", contact={"name": "Zuleika", "document": ANA["document"]}),  # by another identity
    ]
    for number, one in enumerate(late):
        answer = (await house.deliver(source, one)).json()
        assert answer["outcome"] in ("created", "updated", "unchanged"), number
        row = await house.get(f"/v1/deliveries/{answer['delivery_id']}")
        assert (row["notes"], row["body_kept"]) == (["erased"], False)
    cart = {"type": "cart.updated", "timestamp": "2026-11-20T13:00:00Z", "data": {"email": ANA["email"].upper()}}
    ignored = (await house.deliver(source, signed("standard", json.dumps(cart).encode()))).json()
    assert (await house.get(f"/v1/deliveries/{ignored['delivery_id']}"))["notes"] == ["erased"]
    await nothing_is_left(house)
    found = {one["external_id"]: one for one in await house.data("/v1/orders")}
    assert (found["1001"]["status"], found["2002"]["status"]) == ("refunded", "paid")
    assert {one["contact_id"] for one in found.values()} == {None}
    assert await house.data("/v1/contacts?email=zuleika.marca@example.com") == []


async def test_a_phone_alone_is_blanked_and_makes_nobody_the_erased_person(house: House) -> None:
    source = await house.source()
    await house.deliver(source, zuleika())
    await erase(house, await contact_of(house))
    new = {"name": "Bruno Prado", "email": "bruno@example.com", "phone": "(11) 8765-4321"}
    said = (await house.deliver(source, order_event("2001", contact=new))).json()
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert (row["outcome"], row["notes"], row["body_kept"]) == ("created", ["erased"], True)
    (bruno,) = await house.data("/v1/contacts?email=bruno@example.com")
    assert [one["kind"] for one in bruno["identities"]] == ["email"] and bruno["name"] == "Bruno Prado"
    await nothing_is_left(house)
    retried = await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry")
    assert retried.json()["outcome"] == "unchanged"
    await nothing_is_left(house)


async def test_the_crm_brings_them_back_only_when_that_is_meant(house: House) -> None:
    source, crm = await house.source(), await house.source("chatwoot")
    await house.call("PUT", "/v1/contacts/77", {"emails": [ANA["email"]], "name": "Zuleika"})
    await erase(house, "77")
    for crm_id, given in (("77", {}), ("78", {"emails": [ANA["email"]]})):
        put = await house.call("PUT", f"/v1/contacts/{crm_id}", given)
        assert (put.status_code, put.json()["code"]) == (409, "conflict"), put.text
    body = json.dumps({"event": "contact_created", "id": 78, "name": "Zuleika", "email": ANA["email"]}).encode()
    said = await house.deliver(crm, signed("chatwoot", body, {"x-chatwoot-delivery": "d"}))
    assert said.json()["outcome"] == "ignored"
    await nothing_is_left(house)
    put = await house.call("PUT", "/v1/contacts/78", {"emails": [ANA["email"]], "after_erasure": True})
    assert put.status_code == 201
    await house.deliver(source, order_event("new", contact={"email": ANA["email"]}))
    assert [one["external_id"] for one in await house.data("/v1/contacts/78/orders")] == ["new"]


async def test_an_account_may_keep_no_stubs(house: House) -> None:
    await house.call("PATCH", "/v1/account", {"retention": {"orders_erased": "0d"}})
    source = await house.source()
    await house.deliver(source, zuleika())
    await erase(house, await contact_of(house))
    assert await house.data("/v1/orders") == []
    for number in ("1001", "2002"):
        said = (await house.deliver(source, zuleika(number, at="2026-11-22T13:00:00Z"))).json()
        assert (said["outcome"], said["orders"]) == ("ignored", [])
    assert await house.data("/v1/orders") == []
    await nothing_is_left(house)


async def test_a_person_named_in_an_order_of_somebody_elses(house: House) -> None:
    source = await house.source()
    said = (await house.deliver(source, zuleika())).json()
    await house.call("PUT", "/v1/contacts/2", {"name": "Bia"})
    await house.call("PATCH", f"/v1/orders/{said['orders'][0]}", {"contact": "2", "title": "Bia's"})
    await erase(house, await contact_of(house))
    order = await house.get(f"/v1/orders/{said['orders'][0]}")
    assert (order["crm_contact_id"], order["title"]) == ("2", "Bia's")
    assert "zuleika" not in json.dumps(await house.get(f"/v1/orders/{order['id']}/history")).casefold()
    text = await everything(house)
    assert not [mark for mark in MARKS if mark in text and mark != "presente-secreto"]


async def test_the_export_holds_everything_with_who_told_it(house: House) -> None:
    source = await house.source()
    first = (await house.deliver(source, zuleika())).json()
    await house.call("PUT", "/v1/contacts/77", {"emails": [ANA["email"]], "name": "Zuleika"})
    await house.call("PUT", "/v1/contacts/78", {"emails": ["zm@example.com"]})
    await house.call("POST", "/v1/contacts/78/merge", {"into": "77"})
    await house.call("PUT", "/v1/deals/D1", {"contact": "77", "title": "One"})
    cart = b'{"type": "cart.updated", "timestamp": "2026-11-20T13:00:00Z", "data": {"email": "ZM@Example.com"}}'
    ignored = (await house.deliver(source, signed("standard", cart))).json()
    await house.deliver(source, order_event("other", contact={"email": "bia@example.com"}))
    found = await house.get("/v1/contacts/77/export")
    assert (found["contact"]["crm_id"], found["contact"]["name"]) == ("77", "Zuleika")
    told = {(one["kind"], one["value"]): one["told_by"] for one in found["contact"]["identities"]}
    assert told["email", "zuleika.marca@example.com"] == source and told["email", "zm@example.com"] is None
    assert [one["crm_id"] for one in found["merged"]] == ["78"]
    assert [one["crm_id"] for one in found["deals"]] == ["D1"]
    (order,) = found["orders"]
    assert order["external_id"] == "1001" and order["history"][0]["said"]["customer"]["name"] == "Zuleika Marca"
    assert {one["id"] for one in found["deliveries"]} == {first["delivery_id"], ignored["delivery_id"]}
    assert all("zuleika" in one["body"].casefold() or "zm@" in one["body"].casefold() for one in found["deliveries"])
    (proof,) = await house.data("/v1/privacy/proofs")
    assert (proof["action"], proof["counts"]) == ("export", {})


def shopify(kind: str, body: Any, number: int) -> Delivery:
    return signed(
        "shopify",
        json.dumps(body).encode(),
        {
            "x-shopify-topic": kind,
            "x-shopify-webhook-id": f"w{number}",
            "content-type": "application/json",
        },
    )


async def shopify_orders(house: House, source: str) -> dict[str, Any]:
    """A paid order from the samples; gives its body."""
    sample = next(one for one in samples("shopify") if one.case == "paid")
    assert (await house.deliver(source, sample.signed(SECRET))).status_code == 200
    body: dict[str, Any] = json.loads(sample.delivery.body)
    return body


async def asked(house: House, source: str, kind: str, body: dict[str, Any], number: int = 1) -> str:
    said = (await house.deliver(source, shopify(kind, body, number))).json()
    request_id: str = said["delivery_id"]
    return request_id


async def carry_out(house: House, request_id: str) -> Any:
    done = await house.call("POST", f"/v1/privacy/requests/{request_id}/carry-out")
    assert done.status_code == 200, done.text
    return done.json()


async def test_a_sources_request_reaches_no_further_than_the_source(house: House) -> None:
    shop, other = await house.source("shopify"), await house.source()
    order = await shopify_orders(house, shop)
    customer = order["customer"]
    await house.deliver(other, order_event("1", contact={"email": customer["email"], "name": "Ana", "id": "c1"}))
    (contact,) = await house.data(f"/v1/contacts?email={customer['email']}")
    about = {"customer": {"id": customer["id"], "email": customer["email"]}, "orders_to_redact": [order["id"]]}
    request = await asked(house, shop, "customers/redact", about)
    done = await carry_out(house, request)
    assert done["done_at"] is not None and done["proof"]["source_id"] == shop and done["proof"]["counts"]["orders"] == 1
    assert customer["email"] not in json.dumps(done)
    (row,) = await house.data("/v1/privacy/requests")
    assert row["done_at"] is not None
    assert (await carry_out(house, request))["proof"] == done["proof"]
    # What the other source told stands: the contact, its e-mail, its order.
    found = await house.get(f"/v1/contacts/{contact['id']}")
    assert found["name"] == "Ana"
    told = {(one["kind"], one["value"]): one["told_by"] for one in found["identities"]}
    assert told == {("email", customer["email"]): other, ("source", "c1"): other}
    assert [one["external_id"] for one in await house.data(f"/v1/contacts/{contact['id']}/orders")] == ["1"]
    # And the source itself does not bring them back, while the other goes on.
    late = {**order, "updated_at": "2026-11-25T10:00:00Z", "id": order["id"] + 1}
    said = (await house.deliver(shop, shopify("orders/paid", late, 2))).json()
    assert (await house.get(f"/v1/deliveries/{said['delivery_id']}"))["notes"] == ["erased"]
    await house.deliver(other, order_event("2", contact={"email": customer["email"]}))
    assert len(await house.data(f"/v1/contacts/{contact['id']}/orders")) == 2


async def test_a_data_request_gives_what_that_source_told(house: House) -> None:
    shop, other = await house.source("shopify"), await house.source()
    order = await shopify_orders(house, shop)
    customer = order["customer"]
    await house.deliver(other, order_event("1", contact={"email": customer["email"], "id": "c1"}))
    about = {"customer": {"id": customer["id"], "email": customer["email"]}, "orders_requested": [order["id"]]}
    request = await asked(house, shop, "customers/data_request", about)
    done = await carry_out(house, request)
    assert done["done_at"] is not None and done["proof"]["action"] == "export"
    export = done["export"]
    assert (export["source_id"], [one["external_id"] for one in export["orders"]]) == (shop, [str(order["id"])])
    assert {one["source_id"] for one in export["deliveries"]} == {shop}
    assert {one["told_by"] for one in export["contact"]["identities"]} == {shop}
    with_key = await house.call("POST", f"/v1/privacy/requests/{request}/carry-out", **{"Idempotency-Key": "k"})
    assert with_key.json()["export"]["orders"] == export["orders"]


async def test_a_shop_is_erased_as_a_whole_and_nothing_else(house: House) -> None:
    shop, other = await house.source("shopify"), await house.source()
    order = await shopify_orders(house, shop)
    email = order["customer"]["email"]
    await house.deliver(other, order_event("1", contact={"email": "bia@example.com"}))
    request = await asked(house, shop, "shop/redact", {"shop_id": 1})
    done = await carry_out(house, request)
    assert done["proof"]["counts"]["orders"] == 1
    assert await house.data(f"/v1/contacts?email={email}") == []
    assert email not in await everything(house)
    found = {one["source_id"]: one for one in await house.data("/v1/orders")}
    assert found[shop]["contact_id"] is None and found[other]["contact_id"] is not None
    late = {
        **order,
        "id": 99,
        "email": "eva@example.com",
        "customer": {**order["customer"], "email": "eva@example.com"},
    }
    await house.deliver(shop, shopify("orders/paid", late, 3))
    assert "eva@example.com" not in await everything(house)


async def test_a_proof_is_found_by_the_identity_that_was_erased(house: House) -> None:
    await house.call("PUT", "/v1/contacts/77", {"emails": [ANA["email"]], "phones": [ANA["phone"]]})
    proof = await erase(house, "77")
    for query in ("email=ZULEIKA.marca@example.com", "phone=11%208765-4321", "crm_id=77"):
        assert [one["id"] for one in await house.data(f"/v1/privacy/proofs?{query}")] == [proof["id"]]
    assert await house.data("/v1/privacy/proofs?email=bia@example.com") == []
    assert await house.data("/v1/privacy/proofs") == [proof]
    assert (await house.call("GET", "/v1/privacy/proofs?email=x")).status_code == 422


async def test_deliveries_that_come_while_somebody_is_erased_leave_nothing(house: House) -> None:
    source = await house.source()
    await house.deliver(source, zuleika("first"))
    contact_id = await contact_of(house)
    before = [house.deliver(source, zuleika(f"b{number}")) for number in range(20)]
    after = [house.deliver(source, zuleika(f"a{number}")) for number in range(20)]
    answers = await asyncio.gather(*before, house.call("DELETE", f"/v1/contacts/{contact_id}"), *after)
    assert {answer.status_code for answer in answers} == {200}
    found = await house.data("/v1/orders?limit=200")
    assert len(found) == 41 and {one["contact_id"] for one in found} == {None}
    await nothing_is_left(house)


async def test_a_person_who_stands_where_nobody_belongs(house: House) -> None:
    """In ids of orders, in status words, and in what somebody searched for: it goes, and late words find the order still."""
    source = await house.source()
    ids = (
        "zuleika.marca@example.com",
        "Zuleika.Marca@example.com-2",
        "o-529.982.247-25",
        "11987654321",
        "x Zuleika Marca",
    )
    for external_id, status in zip(ids, (ANA["email"], ANA["name"], "paid", "paid", "paid"), strict=True):
        await house.deliver(source, zuleika(external_id, status=status))
    await house.deliver(source, order_event("1", contact={"email": "bia@example.com"}, status="strange"))
    by_hand = {"contact": "77", "title": "By hand", "value": "5.00", "external_id": ids[0]}
    await house.call("PUT", "/v1/contacts/77", {"emails": [ANA["email"]]})
    assert (await house.call("POST", "/v1/orders", by_hand)).status_code == 201
    for filter_ in ({"q": ANA["email"]}, {"external_id": ids[0]}, {"q": "paid"}):
        job = await house.call("POST", "/v1/deliveries/retry", {"filter": filter_})
        assert job.status_code == 202, job.text
    await eventually(lambda: house.data("/v1/jobs?state=done"), lambda jobs: len(jobs) == 3)
    proof = await erase(house, await contact_of(house))
    assert proof["counts"]["orders"] == len(ids) + 1
    found = {one["id"]: one for one in await house.data("/v1/orders") if one["contact_id"] is None}
    assert len(found) == len(ids) + 1 and all(one["external_id"].startswith("erased:") for one in found.values())
    jobs = [one["filter"] for one in await house.data("/v1/jobs")]
    assert jobs == [{"q": "paid"}, {"external_id": "noreply@erased.invalid"}, {"q": "noreply@erased.invalid"}]
    words = await house.service.store.all("SELECT word FROM unknown_words")
    assert [one["word"] for one in words] == ["strange"]
    await nothing_is_left(house)
    # Late: naming them, and naming nobody; under an id that was known, and under a new one.
    for external_id, given in (
        (ids[0], {"contact": ANA, "status": "Zuleika.Marca@example.com"}),
        (ids[1], {"contact": None, "status": None}),
        ("zuleika.marca@example.com-new", {"contact": ANA}),
        ("zuleika.marca@example.com-new", {"contact": None, "status": "refunded"}),
    ):
        said = (await house.deliver(source, order_event(external_id, at="2026-11-25T13:00:00Z", **given))).json()
        assert said["outcome"] != "unreadable"
    after = [one for one in await house.data("/v1/orders") if one["contact_id"] is None]
    assert len(after) == len(found) + 1 and sum(one["status"] == "refunded" for one in after) == 1
    await nothing_is_left(house)


async def test_whom_a_delivery_names_is_found_out_before_the_transaction(house: House) -> None:
    """It takes a while with a large one, and everybody's deliveries wait for the writer."""
    source_id = await house.source()
    await house.deliver(source_id, zuleika())
    await erase(house, await contact_of(house))
    source = await house.service.source_cache.fresh(source_id)
    cart = {"type": "cart.updated", "timestamp": "2026-11-20T13:00:00Z", "data": {"email": "bia@example.com"}}
    assert source is not None
    rec = read(source, signed("standard", json.dumps(cart).encode()), clock.now())
    assert rec.mentioned == [("email", "bia@example.com")]
