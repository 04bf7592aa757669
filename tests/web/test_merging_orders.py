"""Orders that a member merges: sums count one sale, later deliveries follow, and a split restores exactly what was."""

from collections.abc import Iterable
from typing import Any

import pytest

from adapters.contract import Event, Money, Order, replace
from tests.house import House, order_event
from tests.jobs import done
from tests.test_remap import Change, broken, with_adapter
from tests.web.test_erasing import asked, carry_out, shopify_orders
from tests.web.test_merging import contact, unmerge
from tests.web.test_merging import merge as merge_contacts

pytestmark = pytest.mark.anyio

LATER, LATEST = "2026-11-21T13:00:00Z", "2026-11-22T13:00:00Z"
SEEN = ("title", "value", "paid_value", "refunded_value", "currency", "status", "external_id", "items", "merged")


async def order(house: House, source: str, external_id: str, **said: Any) -> str:
    answer = await house.deliver(source, order_event(external_id, **said))
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["orders"]
    return str(found)


async def two(house: House, **said: Any) -> tuple[str, str, str, str]:
    """The shop's order, still pending, and the payment platform's of the same sale, paid; with their sources."""
    shop, bank = await house.source(name="shop"), await house.source(name="bank")
    kept = await order(house, shop, "s1", status="pending", title="Shoes")
    gone = await order(house, bank, "p1", **{"title": "Charge", "at": LATER, **said})
    return kept, gone, shop, bank


async def merged(house: House, one: str, into: str) -> Any:
    told = await house.call("POST", f"/v1/orders/{one}/merge", {"into": into})
    assert told.status_code == 200, told.text
    return told.json()


async def split(house: House, one: str) -> Any:
    told = await house.call("POST", f"/v1/orders/{one}/split")
    assert told.status_code == 200, told.text
    return told.json()


async def refused(house: House, one: str, into: str, word: str) -> None:
    answer = await house.call("POST", f"/v1/orders/{one}/merge", {"into": into})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), answer.text
    assert word in answer.json()["detail"]


def money(found: Any) -> tuple[str, str, str, str]:
    return found["status"], found["value"], found["paid_value"], found["refunded_value"]


async def sums(house: House) -> Any:
    (contact_id,) = {one["contact_id"] for one in await house.data("/v1/orders")}
    (found,) = (await house.get(f"/v1/contacts/{contact_id}/summary"))["currencies"]
    return found["orders"], found["gross"], found["refunded"], found["open"]


async def test_a_merged_sale_is_counted_once_and_both_ids_answer(house: House) -> None:
    kept, gone, shop, _ = await two(house)
    assert await sums(house) == (2, "398.00", "0.00", "398.00")
    told = await merged(house, gone, kept)
    assert (told["id"], told["title"], told["external_id"], told["source_id"]) == (kept, "Shoes", "s1", shop)
    assert money(told) == ("paid", "398.00", "398.00", "0.00")
    assert [(one["id"], one["external_id"]) for one in told["merged"]] == [(gone, "p1")]
    assert await sums(house) == (1, "398.00", "0.00", "0.00")
    for word in (gone, kept):
        assert (await house.get(f"/v1/orders/{word}"))["id"] == kept
    assert [one["id"] for one in await house.data("/v1/orders")] == [kept]
    for q in ("s1", "p1"):
        assert [one["id"] for one in await house.data(f"/v1/orders?q={q}")] == [kept]
    assert gone not in (await house.call("GET", "/v1/orders.csv")).text
    told = [(one["order_id"], one["words"]) for one in await house.data(f"/v1/orders/{gone}/history")]
    assert {one for one, _ in told} == {kept, gone} and any(
        f"merged into this order: {gone}" in words for _, words in told
    )
    assert await merged(house, gone, kept) == await house.get(f"/v1/orders/{kept}")  # again: the same answer


async def test_what_both_tell_is_no_money_twice(house: House) -> None:
    kept, gone, shop, bank = await two(house)
    await merged(house, gone, kept)
    await order(house, shop, "s1", status="paid", at=LATEST)
    assert money(await house.get(f"/v1/orders/{kept}")) == ("paid", "398.00", "398.00", "0.00")
    # Only the bank hears of the refund, and of the rest of it.
    for refunded, status in (("98.00", "paid"), ("398.00", "refunded")):
        at = "2026-11-23T13:00:00Z" if status == "paid" else "2026-11-24T13:00:00Z"
        assert await order(house, bank, "p1", status=status, refunded_value=refunded, at=at) == kept
        assert money(await house.get(f"/v1/orders/{kept}")) == (status, "398.00", "398.00", refunded)
    assert await sums(house) == (1, "398.00", "398.00", "0.00")


async def test_a_split_restores_both_with_what_came_since(house: House) -> None:
    # The twin account hears of the same and merges nothing: it says what each order is by itself.
    twin = await house.another("twin")
    found: list[Any] = []
    for one in (house, twin):
        kept, gone, shop, bank = await two(one)
        if one is house:
            await merged(one, gone, kept)
        await order(one, shop, "s1", status="canceled", at=LATEST)
        await order(one, bank, "p1", status="refunded", refunded_value="398.00", at=LATEST)
        if one is house:
            assert money(await one.get(f"/v1/orders/{kept}")) == ("refunded", "398.00", "398.00", "398.00")
            told = await split(one, gone)
            assert (told["order"]["id"], [each["id"] for each in told["split_off"]]) == (kept, [gone])
            again = await one.call("POST", f"/v1/orders/{gone}/split")
            assert (again.status_code, again.json()["code"]) == (409, "conflict")
        both = [await one.get(f"/v1/orders/{word}") for word in (kept, gone)]
        found.append([{name: each[name] for name in SEEN} for each in both])
        assert await order(one, bank, "p1", status="paid", at="2026-11-25T00:00:00Z") == gone
        assert len({each["contact_id"] for each in both}) == 1
    assert found[0] == found[1]
    assert [each["status"] for each in found[0]] == ["canceled", "refunded"]


async def test_chains_come_apart_one_by_one_or_all_at_once(house: House) -> None:
    source = await house.source()
    a, b, c = [await order(house, source, name) for name in "abc"]
    await merged(house, a, b)
    told = await merged(house, b, c)
    assert [one["id"] for one in told["merged"]] == [a, b]
    await refused(house, c, a, "ring")
    await refused(house, c, c, "itself")
    other = await order(house, source, "d")
    await refused(house, a, other, "already")
    assert (await merged(house, other, a))["id"] == c  # a answers as c
    await split(house, b)
    assert {one["id"] for one in await house.data("/v1/orders")} == {b, c}
    assert {one["id"] for one in (await split(house, c))["split_off"]} == {a, other}
    assert {one["id"] for one in await house.data("/v1/orders")} == {a, b, c, other}


async def test_what_cannot_be_one_sale_is_refused(house: House) -> None:
    source = await house.source()
    ana = await order(house, source, "a")
    bia = await order(house, source, "b", contact={"email": "bia@example.com"})
    dollars = await order(house, source, "c", currency="USD")
    test = await order(house, source, "t", test=True)
    await refused(house, bia, ana, "two contacts")
    await refused(house, dollars, ana, "USD")
    await refused(house, test, ana, "test")
    assert (await house.call("POST", "/v1/orders/ord_none/merge", {"into": ana})).status_code == 404
    unknown = await house.call("POST", f"/v1/orders/{ana}/merge", {"into": "ord_none"})
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "into")


async def test_a_member_speaks_of_the_whole_sale(house: House) -> None:
    await contact(house, "1", emails=["ana@example.com"])
    made = await house.call(
        "POST", "/v1/orders", {"contact": "1", "title": "By hand", "value": "398.00", "external_id": "m"}
    )
    hand, source = made.json()["id"], await house.source()
    shop = await order(house, source, "s1", at=LATER)
    told = await merged(house, shop, hand)
    assert (told["title"], *money(told)) == ("By hand", "paid", "398.00", "398.00", "0.00")
    await house.call("PATCH", f"/v1/orders/{hand}", {"status": "canceled"})
    assert (await house.get(f"/v1/orders/{hand}"))["status"] == "canceled"
    await house.call("PATCH", f"/v1/orders/{shop}", {"refunded_value": "98.00", "status": "paid"})
    assert money(await house.get(f"/v1/orders/{hand}")) == ("paid", "398.00", "398.00", "98.00")
    # The same body again is the same order, though it is part of another now.
    again = await house.call(
        "POST", "/v1/orders", {"contact": "1", "title": "By hand", "value": "398.00", "external_id": "m"}
    )
    assert (again.status_code, again.json()["id"]) == (200, hand)
    assert (await house.call("DELETE", f"/v1/orders/{hand}")).status_code == 409
    await split(house, shop)
    assert (await house.call("DELETE", f"/v1/orders/{hand}")).status_code == 204
    assert money(await house.get(f"/v1/orders/{shop}")) == ("paid", "398.00", "398.00", "0.00")


async def test_other_figures_are_noted_and_never_more_than_was_told(house: House) -> None:
    kept, gone, _, bank = await two(house, value="97.00")
    told = await merged(house, gone, kept)
    assert (*money(told), told["notes"]) == ("partially_paid", "398.00", "97.00", "0.00", ["merged_values_differ"])
    await order(house, bank, "p1", value="500.00", refunded_value="450.00", at=LATEST)
    found = await house.get(f"/v1/orders/{kept}")
    assert money(found) == ("refunded", "398.00", "500.00", "398.00")
    assert found["notes"] == ["merged_values_differ", "refund_exceeds_value"]


def _tenfold(told: Order, event: Event[Any]) -> Iterable[Order]:
    yield replace(
        told, bills=tuple(replace(bill, value=Money(bill.value.minor * 10, "BRL")) for bill in told.bills if bill.value)
    )


def _linked(to: str) -> Change:
    return lambda told, event: [replace(told, aliases=(to,))]


async def test_a_retry_and_a_remap_respect_the_merge(house: House) -> None:
    with with_adapter(house, broken(_tenfold)):
        kept, gone, _, bank = await two(house)
        assert (await merged(house, gone, kept))["value"] == "3980.00"
        await order(house, bank, "p1", at=LATEST)
    job = await done(house, "/v1/remap", {"source_id": bank})
    assert job["changed"] == 1, dict(job)
    assert money(await house.get(f"/v1/orders/{kept}")) == ("partially_paid", "3980.00", "398.00", "0.00")
    told = await house.data(f"/v1/deliveries?source_id={bank}")
    for one in told:
        assert one["orders"] == [kept]
        again = await house.call("POST", f"/v1/deliveries/{one['id']}/retry")
        assert (again.status_code, again.json()["orders"]) == (200, [kept]), again.text
    await split(house, gone)
    assert money(await house.get(f"/v1/orders/{gone}")) == ("paid", "398.00", "398.00", "0.00")
    assert money(await house.get(f"/v1/orders/{kept}"))[:2] == ("pending", "3980.00")


async def test_what_a_source_joins_itself_goes_on_being_part_of_the_sale(house: House) -> None:
    shop, bank = await house.source(name="shop"), await house.source(name="bank")
    oldest = await order(house, shop, "s0", status="pending")
    kept, gone = await order(house, shop, "s1", status="pending"), await order(house, bank, "p1")
    other = await order(house, bank, "p2", at=LATER)
    await merged(house, gone, kept)
    with with_adapter(house, broken(_linked("p1"))):
        assert await order(house, bank, "p2", at=LATEST) == kept
    assert {one["id"] for one in await house.data("/v1/orders")} == {kept, oldest}
    for word in (gone, other):
        assert (await house.get(f"/v1/orders/{word}"))["id"] == kept
    with with_adapter(house, broken(_linked("s0"))):  # the order that stands for the sale becomes part of an older one
        assert await order(house, shop, "s1", status="pending", at=LATER) == oldest
    assert [one["id"] for one in await house.data("/v1/orders")] == [oldest]
    for word in (gone, other, kept, oldest):
        found = await house.get(f"/v1/orders/{word}")
        assert (found["id"], found["status"]) == (oldest, "paid")
    assert {one["id"] for one in (await split(house, gone))["split_off"]} == {gone}
    assert {one["external_id"] for one in await house.data("/v1/orders")} == {"s0", "p1"}


async def test_orders_that_are_one_sale_stay_with_one_contact(house: House) -> None:
    kept, gone, _, bank = await two(house)
    await merged(house, gone, kept)
    ana = (await house.get(f"/v1/orders/{kept}"))["contact_id"]
    bia = await contact(house, "2", emails=["bia@example.com"])
    await house.call("PATCH", f"/v1/orders/{kept}", {"contact": bia})
    await order(house, bank, "p1", at=LATEST)
    assert (await house.get(f"/v1/orders/{gone}"))["contact_id"] == bia
    await split(house, gone)
    assert (
        (await house.get(f"/v1/orders/{gone}"))["contact_id"],
        (await house.get(f"/v1/orders/{kept}"))["contact_id"],
    ) == (ana, bia)


async def test_contacts_that_come_apart_keep_merged_orders_together(house: House) -> None:
    await contact(house, "1", emails=["ana@example.com"])
    await contact(house, "2", emails=["bia@example.com"])
    source = await house.source()
    a = await order(house, source, "a")
    b = await order(house, source, "b", contact={"email": "bia@example.com"})
    await merge_contacts(house, "2", "1")
    await merged(house, b, a)
    await unmerge(house, "2")  # the order of 2 was merged into one of 1's since
    assert await house.data("/v1/contacts/2/orders") == []
    assert (await house.get(f"/v1/orders/{b}"))["id"] == a
    await split(house, b)
    assert [one["id"] for one in await house.data("/v1/contacts/2/orders")] == [b]
    # Both of 2's, merged before: they go with 2, and are split off with it.
    c = await order(house, source, "c", contact={"email": "bia@example.com"})
    await merged(house, c, b)
    await merge_contacts(house, "2", "1")
    await unmerge(house, "2")
    assert [one["id"] for one in await house.data("/v1/contacts/2/orders")] == [b]
    await merge_contacts(house, "2", "1")
    identities = {"identities": [{"kind": "email", "value": "bia@example.com"}]}
    off = (await house.call("POST", "/v1/contacts/1/split", identities)).json()["split_off"]["id"]
    assert [one["id"] for one in await house.data(f"/v1/contacts/{off}/orders")] == [b]
    assert (await house.get(f"/v1/orders/{c}"))["id"] == b


async def test_a_merged_order_is_exported_and_erased_with_the_person(house: House) -> None:
    kept, gone, _, bank = await two(house, contact={"name": "Aninha Secret", "email": "ana@example.com"})
    await merged(house, gone, kept)
    ana = (await house.get(f"/v1/orders/{kept}"))["contact_id"]
    whole = await house.get(f"/v1/contacts/{ana}/export")
    assert [len(one["history"]) for one in whole["orders"]] == [3] and len(whole["deliveries"]) == 2
    assert (await house.call("DELETE", f"/v1/contacts/{ana}")).status_code == 200
    found = await house.call("GET", f"/v1/orders/{gone}/history")
    assert found.status_code == 200 and "Secret" not in found.text
    assert (
        await order(house, bank, "p1", contact={"name": "Aninha Secret", "email": "ana@example.com"}, at=LATEST) == kept
    )
    for path in ("/v1/contacts?email=ana@example.com", "/v1/orders", f"/v1/orders/{gone}/history"):
        assert "Secret" not in (await house.call("GET", path)).text
    assert money(await house.get(f"/v1/orders/{kept}")) == ("paid", "398.00", "398.00", "0.00")


async def test_a_rep_sees_the_sale_by_either_id_or_not_at_all(house: House) -> None:
    kept, gone, _, _ = await two(house)
    await merged(house, gone, kept)
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    for member in ("r1", "r2"):
        await house.call("POST", "/v1/members", {"name": member, "role": "rep", "id": member})
    await house.call("PUT", "/v1/contacts/1", {"emails": ["ana@example.com"], "owner_id": "r1"})
    mine, other = await house.token_of("rep", "r1"), await house.token_of("rep", "r2")
    for word in (kept, gone):
        assert (await house.get(f"/v1/orders/{word}", token=mine))["id"] == kept
        assert (await house.call("GET", f"/v1/orders/{word}", token=other)).status_code == 404
    listed = (await house.call("GET", "/v1/orders", token=mine)).json()["data"]
    assert [one["id"] for one in listed] == [kept]
    await split(house, gone)
    listed = (await house.call("GET", "/v1/orders", token=mine)).json()["data"]
    assert {one["id"] for one in listed} == {kept, gone}


@pytest.mark.parametrize("keeps", [True, False])
async def test_what_one_source_told_is_erased_and_the_rest_of_the_sale_stays(house: House, keeps: bool) -> None:
    if not keeps:
        await house.call("PATCH", "/v1/account", {"retention": {"orders_erased": "0d"}})
    shop, bank = await house.source("shopify"), await house.source(name="bank")
    body = await shopify_orders(house, shop)
    (kept,) = [one["id"] for one in await house.data("/v1/orders")]
    email = body["customer"]["email"]
    bought = {"currency": body["currency"], "value": body["total_price"], "title": "Charge"}
    gone = await order(house, bank, "p1", contact={"email": email}, **bought)
    await merged(house, gone, kept)
    await carry_out(house, await asked(house, shop, "shop/redact", {"shop_id": 1}))
    (contact_id,) = [one["id"] for one in await house.data(f"/v1/contacts?email={email}")]
    found = await house.get(f"/v1/orders/{gone}")
    assert (found["id"], found["title"], found["contact_id"], found["status"]) == (gone, "Charge", contact_id, "paid")
    assert [one["id"] for one in await house.data(f"/v1/contacts/{contact_id}/orders")] == [gone]
    left = await house.call("GET", f"/v1/orders/{kept}")
    assert (left.status_code, left.json().get("contact_id")) == (200 if keeps else 404, None)
