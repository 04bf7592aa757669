"""Payments and refunds of an order: how the API shows them, what they sum up to, and that nothing is lost on a way round."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, strategies
from hypothesis import settings as examples
from msgspec.structs import replace

import adapters
from adapters.contract import Bill, Event, Money, Order, Payment, PaymentState, Refund, RefundKind, RefundState
from adapters.standard import Standard
from app.base.settings import Settings
from tests.house import House, order_event


class Itemising(Standard):
    """The `standard` adapter, which reads a title of JSON as bills, payments and refunds."""

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        for order in super().orders(payload, event):
            told = json.loads(order.title or "{}")
            yield replace(
                order,
                title="#1001",
                bills=tuple(Bill(**{**one, "value": _money(one)}) for one in told.get("bills", ())),
                payments=tuple(
                    Payment(**{**one, "value": _money(one), "state": PaymentState(one["state"])})
                    for one in told.get("payments", ())
                ),
                refunds=tuple(
                    Refund(
                        **{
                            **one,
                            "value": _money(one),
                            "state": RefundState(one.get("state", "done")),
                            "kind": RefundKind(one.get("kind", "refund")),
                        }
                    )
                    for one in told.get("refunds", ())
                ),
            )


def _money(one: dict[str, Any]) -> Money | None:
    minor, _, currency = one["value"].partition(" ") if "value" in one else ("", "", "")
    return Money(minor=int(minor), currency=currency or "BRL") if minor else None


@pytest.fixture
def itemising(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    load, adapter = adapters.load, Itemising()
    monkeypatch.setattr(adapters, "load", lambda name: adapter if name == "standard" else load(name))
    yield


async def tell(house: House, source: str, at: int, status: str | None = None, number: str = "1001", **told: Any) -> Any:
    """Sends what is told at this minute; the delivery's answer."""
    event = order_event(number, at=f"2026-11-20T13:{at:02}:00Z", status=status, title=json.dumps(told))
    answer = await house.deliver(source, event)
    assert answer.status_code == 200, answer.text
    return answer.json()


BILL = [{"id": "b", "value": "10000"}]
TAKEN = {"id": "pi_1", "value": "10000", "state": "taken"}


@pytest.mark.anyio
@pytest.mark.usefixtures("itemising")
async def test_an_order_shows_its_payments_and_refunds_and_what_each_entry_said(house: House) -> None:
    source = await house.source()
    (order_id,) = (await tell(house, source, 0, "paid", bills=BILL, payments=[TAKEN]))["orders"]
    back = {"id": "re_1", "value": "4000", "payment": "pi_1"}
    await tell(house, source, 1, refunds=[back])
    await tell(house, source, 2, refunds=[back | {"state": "failed"}])
    await tell(house, source, 3, refunds=[{"id": "cb_1", "value": "2500", "kind": "chargeback"}])
    order = await house.get(f"/v1/orders/{order_id}")
    assert (order["value"], order["paid_value"], order["refunded_value"], order["status"]) == (
        "100.00",
        "100.00",
        "25.00",
        "paid",
    )
    assert order["payments"] == [
        {"id": "pi_1", "kind": "payment", "value": "100.00", "currency": "BRL", "state": "taken", "at": None}
    ]
    assert [(one["id"], one["kind"], one["value"], one["state"]) for one in order["refunds"]] == [
        ("re_1", "refund", "40.00", "failed"),
        ("cb_1", "chargeback", "25.00", "done"),
    ]
    assert order["notes"] == []
    words = [one["words"] for one in await house.data(f"/v1/orders/{order_id}/history")]
    assert "bill b of 100.00 BRL; payment pi_1 of 100.00 BRL taken" in words[0]
    assert "refund re_1 of 40.00 BRL of payment pi_1 done" in words[1]
    assert "refund re_1 of 40.00 BRL of payment pi_1 failed" in words[2]
    assert "chargeback cb_1 of 25.00 BRL done" in words[3]
    (listed,) = await house.data("/v1/orders")
    assert {name: order[name] for name in listed} == listed
    (row,) = (await house.call("GET", "/v1/orders.jsonl")).text.splitlines()
    assert json.loads(row)["paid_value"] == "100.00"
    assert "100.00,100.00,25.00" in (await house.call("GET", "/v1/orders.csv")).text


@pytest.mark.anyio
@pytest.mark.usefixtures("itemising")
async def test_what_does_not_fit_is_noted_and_found(house: House) -> None:
    source = await house.source()
    await tell(house, source, 0, "paid", "1", bills=BILL, payments=[TAKEN])
    said = await tell(house, source, 1, None, "1", refunds=[{"id": "cb", "value": "9000 EUR", "kind": "chargeback"}])
    await tell(house, source, 0, "paid", "2", bills=BILL, payments=[TAKEN])
    (order,) = await house.data("/v1/orders?note=other_currency")
    assert (order["external_id"], order["refunded_value"]) == ("1", "0.00")
    assert (await house.get(f"/v1/orders/{order['id']}"))["notes"] == ["other_currency"]
    assert await house.data("/v1/orders?note=other&status=paid") == []
    assert len(await house.data("/v1/orders?note=other_currency&status=paid")) == 1
    (delivery,) = await house.data("/v1/deliveries?note=other_currency")
    assert delivery["id"] == said["delivery_id"]
    assert (await house.call("POST", f"/v1/deliveries/{delivery['id']}/retry")).status_code == 200
    assert [one["id"] for one in await house.data("/v1/deliveries?note=other_currency")] == [delivery["id"]]


@pytest.mark.anyio
@pytest.mark.usefixtures("itemising")
async def test_sums_count_what_was_paid_went_back_and_is_still_to_come(house: House) -> None:
    source = await house.source()
    await tell(house, source, 0, "pending", "1", bills=BILL, payments=[TAKEN | {"value": "4000"}])
    await tell(house, source, 0, "pending", "2", bills=BILL)
    await tell(house, source, 0, "paid", "3", bills=BILL, payments=[TAKEN, TAKEN | {"id": "pi_2"}])
    await tell(house, source, 1, None, "3", refunds=[{"id": "r", "value": "13000"}])
    await tell(house, source, 0, "canceled", "4", bills=BILL)
    shown = {one["external_id"]: one for one in await house.data("/v1/orders")}
    assert [(shown[one]["status"], shown[one]["paid_value"], shown[one]["refunded_value"]) for one in "1234"] == [
        ("partially_paid", "40.00", "0.00"),
        ("pending", "0.00", "0.00"),
        ("paid", "200.00", "30.00"),
        ("canceled", "0.00", "0.00"),
    ]
    (contact,) = await house.data("/v1/contacts?email=ana@example.com")
    (summary,) = (await house.get(f"/v1/contacts/{contact['id']}/summary"))["currencies"]
    (group,) = (await house.get("/v1/reports/orders?group_by=currency"))["data"]
    for sums in (summary, group["currencies"][0]):
        assert {name: sums[name] for name in ("orders", "paid_orders", "gross", "refunded", "net", "open")} == {
            "orders": 4,
            "paid_orders": 2,
            "gross": "140.00",
            "refunded": "30.00",
            "net": "110.00",
            "open": "160.00",
        }


STATES = strategies.lists(
    strategies.one_of(
        strategies.fixed_dictionaries({"status": strategies.sampled_from(["pending", "paid", "canceled", "refunded"])}),
        strategies.fixed_dictionaries({"bills": strategies.just(BILL)}),
        strategies.builds(
            lambda name, value, state: {"payments": [{"id": name, "value": str(value), "state": state}]},
            strategies.sampled_from("pq"),
            strategies.sampled_from([4000, 6000, 10000]),
            strategies.sampled_from(["authorized", "taken", "failed"]),
        ),
        strategies.builds(
            lambda name, value, state: {"refunds": [{"id": name, "value": str(value), "state": state}]},
            strategies.sampled_from("rs"),
            strategies.sampled_from([1000, 10000]),
            strategies.sampled_from(["pending", "done", "failed"]),
        ),
    ),
    max_size=5,
)


async def _state(house: House, source: str) -> Any:
    shown = []
    for one in await house.data(f"/v1/orders?limit=200&source_id={source}"):
        path = f"/v1/orders/{one['id']}"
        shown.append((await house.get(path), await house.data(f"{path}/history")))
    return shown


async def _round_trip(house: House, told: list[dict[str, Any]]) -> None:
    source = await house.source()
    for at, one in enumerate([{"status": "pending", "bills": BILL}, *told]):
        await tell(house, source, at, one.get("status"), source, **{k: v for k, v in one.items() if k != "status"})
    before = await _state(house, source)
    ((order, _),) = before
    value, paid, back = (float(order[name]) for name in ("value", "paid_value", "refunded_value"))
    assert 0 <= back <= value
    assert back <= paid
    for delivery in await house.data(f"/v1/deliveries?source_id={source}"):
        assert (await house.call("POST", f"/v1/deliveries/{delivery['id']}/retry")).status_code == 200
    assert await _state(house, source) == before
    rows = (await house.call("GET", f"/v1/orders.jsonl?source_id={source}")).text
    told_back = await _imported(house, rows)
    assert (told_back["unchanged"], told_back["refused"]) == (1, 0)
    assert await _state(house, source) == before
    # In another registry, where nothing but the file is known, it is the same money.
    row = json.loads(rows) | {"id": None, "source_id": None, "contact_id": None, "external_id": f"copy of {source}"}
    assert (await _imported(house, json.dumps(row)))["created"] == 1
    (copy,) = await house.data(f"/v1/orders?q={quote(row['external_id'])}")
    for name in ("value", "paid_value", "refunded_value", "currency", "source_status"):
        assert copy[name] == order[name], name
    if order["status"] not in ("pending", "canceled") or order["paid_value"] == "0.00":
        assert copy["status"] == order["status"]


async def _imported(house: House, rows: str) -> Any:
    answer = await house.client.post(
        "/v1/orders/import",
        content=rows.encode(),
        headers={"Authorization": f"Bearer {house.token}", "Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_retry_and_the_import_of_an_export_change_nothing(settings: Settings, itemising: None) -> None:
    with asyncio.Runner() as runner:
        house = House(settings)
        runner.run(house.__aenter__())
        try:

            @examples(max_examples=15, deadline=None, derandomize=True, database=None)
            @given(STATES)
            def holds(told: list[dict[str, Any]]) -> None:
                runner.run(_round_trip(house, told))

            holds()
        finally:
            runner.run(house.__aexit__(None, None, None))
