"""Which orders a subscription is about, and the headers of its own that it sends."""

from typing import Any

import pytest

from adapters.contract import Unverified
from tests.house import House, order_event
from tests.receiver import Receiver
from tests.web.subscriptions.conftest import ALL, SOON, STANDARD, filtered, rows, silent

pytestmark = [pytest.mark.anyio, SOON]


@pytest.mark.parametrize(
    ("only", "told"),
    [
        ({"status": ["paid", "refunded"]}, "13"),
        ({"currency": ["USD"]}, "3"),
        ({"minimum_value": "100.00"}, "12"),
        ({"include_test": False}, "123"),
        ({"include_test": True, "status": ["pending"]}, "2T"),
        ({"status": ["paid"], "currency": ["BRL"], "minimum_value": "398.00"}, "1"),
        ({}, "123T"),
    ],
)
async def test_a_filter_says_which_orders(house: House, receiver: Receiver, only: dict[str, Any], told: str) -> None:
    source = await house.source()
    made = await filtered(house, receiver, filter=only)
    assert made["filter"] == only
    for number, given in (
        ("1", {"status": "paid", "value": "398.00"}),
        ("2", {"status": "pending", "value": "100.00"}),
        ("3", {"status": "paid", "value": "99.99", "currency": "USD"}),
        ("T", {"status": "pending", "value": "1.00", "test": True}),
    ):
        await house.deliver(source, order_event(number, **given))
    await silent(house)
    assert {one["data"]["order"]["external_id"] for one in receiver.events("order.created")} == set(told)


async def test_a_filter_looks_at_what_the_order_becomes(house: House, receiver: Receiver) -> None:
    source, other = await house.source(), await house.source()
    await filtered(house, receiver, filter={"status": ["paid"], "source_id": [source]}, events=["order.status_changed"])
    for one in (source, other):
        await house.deliver(one, order_event("1", status="pending"))
        await house.deliver(one, order_event("1", status="paid", at="2026-11-20T14:00:00Z"))
        await house.deliver(one, order_event("1", status="refunded", at="2026-11-20T15:00:00Z"))
    await silent(house)
    (event,) = receiver.events()
    assert (event["data"]["new_status"], event["data"]["order"]["source_id"]) == ("paid", source)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"status": ["payed"]}, "filter.status.0"),
        ({"source_id": ["src_none"]}, "filter.source_id"),
        ({"currency": ["X"]}, "filter.currency.0"),
        ({"minimum_value": "-1"}, "filter.minimum_value"),
        ({"colour": "red"}, "filter.colour"),
    ],
)
async def test_what_is_no_filter(house: House, receiver: Receiver, wrong: dict[str, Any], field: str) -> None:
    body = {"url": receiver.url, "events": ALL, "filter": wrong}
    answer = await house.call("POST", "/v1/subscriptions", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


async def test_own_headers_are_sent_and_never_shown(house: House, receiver: Receiver) -> None:
    made = await filtered(house, receiver, headers={"X-Key": "k-very-secret", "authorization": "Bearer abc"})
    assert made["headers"] == ["authorization", "x-key"]
    await house.deliver(await house.source(), order_event("1"))
    await silent(house)
    (told,) = receiver.told
    assert (told.headers["x-key"], told.headers["authorization"]) == ("k-very-secret", "Bearer abc")
    assert not isinstance(STANDARD.verify(told.delivery, [made["secret"]], told.delivery.received_at), Unverified)
    path = f"/v1/subscriptions/{made['id']}"
    for answer in (await house.call("GET", path), await house.call("GET", "/v1/subscriptions")):
        assert "k-very-secret" not in answer.text
    (row,) = await rows(house, "SELECT headers FROM subscriptions")
    assert "k-very-secret" not in row["headers"]
    await house.operator.post("/operator/rotate-master-key")
    for headers, names in (({"x-other": "2"}, ["x-other"]), ({}, [])):
        changed = await house.call("PATCH", path, {"headers": headers})
        assert (changed.json()["headers"], changed.json()["filter"]) == (names, {})
    for wrong in ({"host": "x"}, {"Webhook-Id": "x"}, {"a b": "x"}, {"x": "a\nb"}, {"x": "é"}, {"Content-Length": "0"}):
        refused = await house.call("PATCH", path, {"headers": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "headers"), wrong
        assert "a\\nb" not in refused.text
