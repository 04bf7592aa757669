"""Bodies that come again where a source gives no delivery id: a repeat, or a state that came back."""

import json
from typing import Any

import pytest

from adapters.contract import Delivery
from app.base import clock
from tests.house import SECRET, House, order_event

pytestmark = pytest.mark.anyio

OPTIONS = {
    "signature": {"scheme": "token", "header": "x-token"},
    "kind": "always:order",
    "reads": ["order"],
    "fields": {"external_id": "id", "status": "state", "value": "total", "email": "email", "refunded_value": "back"},
    "statuses": {"OPEN": "pending", "PAID": "paid", "DISPUTED": "refunded", "VOID": "canceled"},
    "money": {"unit": "major", "currency": "BRL"},
}


def untimed(state: str, number: str = "1", **more: Any) -> Delivery:
    """A delivery that tells neither its own id nor a time."""
    body = json.dumps({"id": number, "state": state, "total": "100.00", "email": "ana@example.com", **more}).encode()
    return Delivery(body=body, headers={"x-token": SECRET}, received_at=clock.moment(clock.now()), url="")


async def told(house: House, source: str, *states: str) -> list[tuple[str, str]]:
    """Outcome, and the id of the delivery, of each of these, sent one after the other."""
    answers = [(await house.deliver(source, untimed(state))).json() for state in states]
    return [(answer["outcome"], answer["delivery_id"]) for answer in answers]


async def test_an_equal_body_is_a_repeat_only_while_it_is_the_last_thing_said(house: House) -> None:
    source = await house.source("generic", options=OPTIONS)
    paid, again, disputed, won, won_again = await told(house, source, "PAID", "PAID", "DISPUTED", "PAID", "PAID")
    assert [one[0] for one in (paid, again, disputed, won, won_again)] == [
        "created", "duplicate", "updated", "updated", "duplicate",
    ]  # fmt: skip
    assert (again[1], won_again[1]) == (paid[1], won[1])
    assert won[1] != paid[1]
    (order,) = await house.data("/v1/orders")
    assert (order["status"], order["refunded_value"]) == ("paid", "0.00")
    history = await house.data(f"/v1/orders/{order['id']}/history")
    assert [one["delivery_id"] for one in history] == [paid[1], disputed[1], won[1]]
    for delivery_id, repeats in ((paid[1], 1), (disputed[1], 0), (won[1], 1)):
        shown = await house.get(f"/v1/deliveries/{delivery_id}")
        assert shown["repeats"] == repeats
        assert (shown["last_repeated_at"] is not None) == bool(repeats)
    log = {row["id"]: row["repeats"] for row in await house.data("/v1/deliveries")}
    assert log == {paid[1]: 1, disputed[1]: 0, won[1]: 1}


async def test_an_earlier_state_that_comes_back_untakes_no_money(house: House) -> None:
    source = await house.source("generic", options=OPTIONS)
    assert [one[0] for one in await told(house, source, "OPEN", "PAID", "OPEN")] == ["created", "updated", "unchanged"]
    (order,) = await house.data("/v1/orders")
    assert (order["status"], order["paid_value"]) == ("paid", "100.00")


async def test_a_retry_and_a_remap_keep_what_came_back(house: House) -> None:
    source = await house.source("generic", options=OPTIONS)
    ids = [one[1] for one in await told(house, source, "PAID", "DISPUTED", "PAID", "DISPUTED", "PAID")]
    (order,) = await house.data("/v1/orders")
    path = f"/v1/orders/{order['id']}/history"
    before = await house.data(path)
    assert len(before) == len(ids) == 5
    for one in (ids[0], ids[2], ids[1]):
        assert (await house.call("POST", f"/v1/deliveries/{one}/retry")).status_code == 200
    assert await house.data(path) == before
    assert await house.data("/v1/orders") == [order]


async def test_members_have_not_said_what_the_source_says(house: House) -> None:
    source = await house.source("generic", options=OPTIONS)
    await told(house, source, "PAID")
    (order,) = await house.data("/v1/orders")
    changed = await house.call("PATCH", f"/v1/orders/{order['id']}", {"status": "canceled"})
    assert changed.json()["status"] == "canceled"
    assert [one[0] for one in await told(house, source, "PAID")] == ["duplicate"]
    (order,) = await house.data("/v1/orders")
    assert order["status"] == "canceled"


async def test_the_same_words_under_two_ids_of_the_source_are_two_entries_where_no_time_is_told(house: House) -> None:
    source = await house.source("generic", options=OPTIONS | {"delivery_id": "header:x-id"})
    for number, state in enumerate(("PAID", "DISPUTED", "PAID")):
        sent = untimed(state).changed(headers={"x-id": str(number)})
        assert (await house.deliver(source, sent)).status_code == 200
    (order,) = await house.data("/v1/orders")
    assert order["status"] == "paid"
    assert len(await house.data(f"/v1/orders/{order['id']}/history")) == 3


async def test_deliveries_of_one_moment_keep_the_order_in_which_they_came(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await house.source("generic", options=OPTIONS)
    present = clock.now()
    monkeypatch.setattr(clock, "now", lambda: present)
    for _ in range(3):
        for back in ("10.00", "20.00", "30.00", "5.00"):
            await house.deliver(source, untimed("PAID", back=back))
        (order,) = await house.data("/v1/orders")
        assert order["refunded_value"] == "5.00"
    received = [row["received_at"] for row in await house.data("/v1/deliveries")]
    assert received == sorted(set(received), reverse=True)


async def test_a_time_in_the_future_counts_as_that_of_receipt(house: House) -> None:
    source = await house.source()
    late = clock.iso(clock.now() + 6 * 60_000_000)
    soon = clock.iso(clock.now() + 4 * 60_000_000)
    first = (await house.deliver(source, order_event(status="paid", at=late))).json()
    shown = await house.get(f"/v1/deliveries/{first['delivery_id']}")
    assert "future_time" in shown["notes"]
    (entry,) = await house.data(f"/v1/orders/{first['orders'][0]}/history")
    assert (entry["at"], entry["recorded_at"]) == (None, shown["received_at"])
    second = (await house.deliver(source, order_event(status="refunded", at=soon))).json()
    assert "future_time" not in (await house.get(f"/v1/deliveries/{second['delivery_id']}"))["notes"]
    (order,) = await house.data("/v1/orders")
    assert order["status"] == "refunded"
