"""What this registry signs and sends itself: a test order, in no sum, that ends no alert; nobody else can make one."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.contract import Delivery
from app.base import clock, samples
from app.base.vault import Vault, make_key
from app.store import fetches
from tests.house import House, eventually, order_event, signed
from tests.jobs import done

pytestmark = pytest.mark.anyio

BODY: dict[str, Any] = {
    "type": "order.updated",
    "timestamp": "2026-11-21T13:00:00Z",
    "data": {"id": "1001", "status": "refunded"},
}


async def sample(house: House, source: str, **body: Any) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """What `send` posts: headers, body, and the header that marks it as a sample."""
    given: dict[str, Any] = {"case": "created"}
    if body:
        given = {"body": base64.b64encode(json.dumps(body).encode()).decode(), "kind": body.get("type", "orders/paid")}
    answer = await house.operator.post(
        f"/operator/sources/{source}/sign", json=given, headers={"Orders-Account": house.account_id}
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told["headers"], base64.b64decode(told["body"]), told["mark"]


async def post(house: House, source: str, headers: Mapping[str, str], body: bytes) -> Any:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await house.client.post(f"/webhooks/{source}", content=body, headers=raw)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send(house: House, source: str, **body: Any) -> Any:
    headers, content, mark = await sample(house, source, **body)
    return await post(house, source, headers | mark, content)


async def order_of(house: House, said: Any) -> Any:
    (order_id,) = said["orders"]
    return await house.get(f"/v1/orders/{order_id}")


async def sums(house: House) -> list[Any]:
    found: list[Any] = (await house.get("/v1/reports/orders?group_by=source"))["data"]
    return found


async def test_a_sample_is_a_test_order_in_no_sum_and_says_what_it_proves(house: House) -> None:
    source = await house.source()
    said = (await house.call("POST", f"/v1/sources/{source}/test", {"kind": "order.created"})).json()
    assert (said["outcome"], said["notes"], said["proves"]) == ("created", ["sample"], samples.PROVES)
    assert "nothing about the shop" in said["proves"]
    order = await order_of(house, said)
    assert (order["test"], order["status"]) == (True, "pending") and await sums(house) == []
    assert [one["id"] for one in await house.data("/v1/deliveries?note=sample")] == [said["delivery_id"]]
    shown = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert shown["headers"][samples.MARK] == "[not kept]"
    (entry,) = await house.data(f"/v1/orders/{order['id']}/history")
    assert entry["said"]["sample"] is True and "a sample that this registry sent itself" in entry["words"]
    # Whoever reads it again, with whatever adapter, reads a sample.
    await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry")
    await done(house, "/v1/remap", {"source_id": source})
    again = await house.get(f"/v1/orders/{order['id']}")
    assert again["test"] is True and await sums(house) == []
    assert (await house.get(f"/v1/deliveries/{said['delivery_id']}"))["notes"] == ["sample"]


async def test_samples_end_no_alert_and_count_nowhere(house: House) -> None:
    failing, silent = await house.source(name="Failing"), await house.source(name="Silent")
    await house.deliver(failing, order_event("1"))
    await house.deliver(failing, order_event("2").changed(headers={"webhook-signature": "v1,x"}))
    await house.service.refused.flush()

    async def shown() -> Any:
        stats = await house.get("/v1/stats")
        metrics = (await house.call("GET", "/metrics")).text
        counted = [one for one in metrics.splitlines() if one.startswith(("orders_deliveries", "orders_source_last"))]
        seen = [one["last_delivery_at"] for one in await house.data("/v1/sources")]
        await house.service.source_health.look(house.account_id)
        states = await house.service.store.all("SELECT source_id, code FROM failing_sources")
        return stats["alerts"], stats["sources"], stats["hours"], stats["acknowledgement"], counted, seen, states

    before = await shown()
    assert [one["code"] for one in before[0]] == ["only_rejected", "never_received"] and before[-1]
    for source in (failing, silent):
        assert (await send(house, source))["outcome"] == "created"
        assert (await send(house, source))["outcome"] == "duplicate"
        for case in ({"type": "order.updated", "data": {}}, {**BODY, "data": {**BODY["data"], "status": "strange"}}):
            await send(house, source, **case)
    await house.service.metrics.poll()
    assert await shown() == before
    # A shop's own delivery does end it, also of the bytes that a sample had.
    headers, body, _ = await sample(house, silent)
    said = await post(house, silent, headers, body)
    assert said["outcome"] == "updated" and (await order_of(house, said))["test"] is False
    assert "never_received" not in [one["code"] for one in (await house.get("/v1/stats"))["alerts"]]


async def test_what_a_sample_is_noted_for_raises_no_alert(house: House) -> None:
    source = await house.source("shopify")
    order = {"id": 1, "financial_status": "paid", "total_price": "10.00", "currency": "BRL"}
    said = await send(house, source, **order, note_attributes=[{"name": "crm_contact_id", "value": "66"}])
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert row["notes"] == ["sample", "buyers_id_not_used"]
    assert [one["code"] for one in (await house.get("/v1/stats"))["alerts"]] == ["never_received"]


async def test_a_sample_says_nothing_of_an_order_that_its_source_tells_of(house: House) -> None:
    source = await house.source()
    first = (await house.deliver(source, order_event("1001"))).json()
    before, summed = await order_of(house, first), await sums(house)
    said = await send(house, source, **BODY)
    assert (said["outcome"], said["orders"]) == ("unchanged", first["orders"])
    assert await order_of(house, first) == before and await sums(house) == summed != []
    # Nor does it hide what the shop says later with the same bytes.
    late = (await house.deliver(source, signed("standard", json.dumps(BODY).encode()))).json()
    assert late["outcome"] == "updated" and (await order_of(house, late))["status"] == "refunded"
    # What a member says of a sample's order does not make it the shop's.
    alone = await send(house, source, **{**BODY, "data": {**order_data(), "id": "2002"}})
    patched = await house.call("PATCH", f"/v1/orders/{alone['orders'][0]}", {"title": "Mine"})
    assert (patched.json()["title"], patched.json()["value"], patched.json()["test"]) == ("Mine", "398.00", True)


def order_data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(order_event().body)["data"]
    return found


async def test_nobody_else_makes_a_sample_or_gains_anything_by_a_mark(house: House) -> None:
    source, other = await house.source(), await house.source()
    vault, present = house.service.vault, clock.now()

    async def counts(mark: str, number: int) -> bool:
        """Whether a delivery with this mark is an order like any other."""
        event = order_event(str(number))
        said = await post(house, source, {**event.headers, samples.MARK: mark}, event.body)
        row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
        return row["notes"] == [] and (await order_of(house, said))["test"] is False

    def marked(number: int, **given: Any) -> str:
        made = {"source_id": source, "body": order_event(str(number)).body, "present": present, **given}
        return samples.mark(made.pop("vault", vault), **made)

    forged = {
        1: "true",
        2: "\xe9" * 50,
        3: "x" * 5000,
        4: marked(4, vault=Vault([make_key()])),
        5: marked(5, source_id=other),
        6: marked(1),  # of another body
        7: marked(7, present=present - 10**10),
        8: vault.seal("a secret"),
        9: vault.seal(f"{samples.MARK}\n{source}"),
    }
    assert [number for number, mark in forged.items() if not await counts(mark, number)] == []
    assert not await counts(marked(10), 10)
    # And where nothing is proven, a mark proves nothing.
    unsigned = Delivery(body=b"{}", headers={}, received_at=clock.moment(present))
    answer = await house.deliver(source, unsigned)
    refused = await house.deliver(source, unsigned.changed(headers={samples.MARK: marked(0, body=b"{}")}))
    assert (refused.status_code, refused.json()) == (401, answer.json())


async def test_an_order_of_a_sample_stays_a_sample_when_its_person_is_erased(house: House) -> None:
    source = await house.source()
    said = await send(house, source)
    contact = (await order_of(house, said))["contact_id"]
    assert (await house.call("DELETE", f"/v1/contacts/{contact}")).status_code == 200
    assert (await order_of(house, said))["test"] is True
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert row["notes"] == ["sample", "erased"]
    # And a sample beside what the shop told says nothing of the stub.
    told = (await house.deliver(source, order_event("3003", contact={"email": "bia@example.com"}))).json()
    await send(house, source, **{**BODY, "data": {**BODY["data"], "id": "3003"}})
    contact = (await order_of(house, told))["contact_id"]
    assert (await house.call("DELETE", f"/v1/contacts/{contact}")).status_code == 200
    await house.deliver(source, order_event("3003", contact=None, at="2026-11-20T14:00:00Z"))
    stub = await order_of(house, told)
    assert (stub["contact_id"], stub["status"], stub["test"]) == (None, "paid", False)


async def test_a_sample_that_waits_stays_one(house: House) -> None:
    """On hold until its contact appears, or until its source has a key: it is still counted nowhere."""
    holding, thin = await house.source(unknown_contacts="hold"), await house.source("mercadopago")
    held = await send(house, holding, **{**BODY, "data": {**order_data(), "contact": {"email": "bia@example.com"}}})
    assert held["outcome"] == "held"
    fetched = (await house.call("POST", f"/v1/sources/{thin}/test", {"kind": "payment"})).json()

    async def row(said: Any) -> Any:
        return await house.get(f"/v1/deliveries/{said['delivery_id']}")

    await eventually(lambda: row(fetched), lambda one: one["outcome"] == "unfetched")
    await house.call("PUT", "/v1/contacts/7", {"emails": ["bia@example.com"]})
    taken = await eventually(lambda: row(held), lambda one: one["outcome"] == "created")
    assert taken["notes"] == ["sample"] and (await order_of(house, taken))["test"] is True
    await fetches.new_key(house.service.store, house.account_id, thin, clock.now(), "")  # it is asked for anew
    assert (await house.get("/v1/stats"))["hours"] == [] == await sums(house)
    assert (await row(fetched))["notes"] == ["sample"]
