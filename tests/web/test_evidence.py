"""A delivery's evidence: the exact bytes, and what it changed in its orders, field by field."""

from typing import Any

import pytest

from tests.house import House, order_event, signed

pytestmark = pytest.mark.anyio


async def told(house: House, source: str, *given: Any, **more: Any) -> str:
    answer = await house.deliver(source, order_event(*given, **more))
    assert answer.status_code == 200, answer.text
    delivery_id: str = answer.json()["delivery_id"]
    return delivery_id


def fields(order: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {one["field"]: (one["before"], one["after"]) for one in order["changes"]}


async def test_the_exact_bytes_are_a_file(house: House) -> None:
    source = await house.source()
    raw = b'{ "type" : "order.updated","timestamp":"2026-11-20T13:00:00Z", "data": {"id":"1","title":"\xc3\xa9","value":"1.50","currency":"BRL"}}\n'
    id_ = (await house.deliver(source, signed("standard", raw))).json()["delivery_id"]
    answer = await house.call("GET", f"/v1/deliveries/{id_}/body")
    assert answer.content == raw
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{id_}.body"'
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (await house.call("GET", "/v1/deliveries/dlv_none/body")).status_code == 404


async def test_what_each_delivery_changed_as_things_stood_when_it_came(house: House) -> None:
    source = await house.source()
    paid = await told(house, source, status="paid", at="2026-11-20T13:00:05Z")
    late = await told(house, source, status="pending", at="2026-11-20T13:00:00Z", title="#1001", delivery_id="late")
    dearer = await told(house, source, status="paid", at="2026-11-20T14:00:00Z", value="400.00", delivery_id="dearer")
    (first,) = await house.data(f"/v1/deliveries/{paid}/changes")
    assert first["made"] is True and first["external_id"] == "1001"
    assert fields(first)["status"] == (None, "paid") and fields(first)["value"] == (None, "398.00")
    assert fields(first)["identities"][1][0]["value"] == "ana@example.com"
    (second,) = await house.data(f"/v1/deliveries/{late}/changes")
    assert second["made"] is False
    assert fields(second) == {"ordered_at": ("2026-11-20T13:00:05Z", "2026-11-20T13:00:00Z")}
    (third,) = await house.data(f"/v1/deliveries/{dearer}/changes")
    assert fields(third) == {"value": ("398.00", "400.00"), "paid_value": ("398.00", "400.00")}


async def test_whoever_reads_neither_orders_nor_bodies_sees_names_of_fields_alone(house: House) -> None:
    source = await house.source()
    id_ = await told(house, source)
    for role, values in (("manager", True), ("integrator", True), ("ops", False)):
        (order,) = (await house.get(f"/v1/deliveries/{id_}/changes", token=await house.token_of(role)))["data"]
        assert order["values"] is values
        assert {one["field"] for one in order["changes"]} >= {"status", "value", "title"}
        if not values:
            assert order["title"] is None
            assert all(one["before"] is None and one["after"] is None for one in order["changes"])


async def test_a_delivery_that_told_of_no_order(house: House) -> None:
    source = await house.source()
    id_ = await told(house, source, value="a lot")
    assert await house.data(f"/v1/deliveries/{id_}/changes") == []
    assert (await house.call("GET", "/v1/deliveries/dlv_none/changes")).status_code == 404
