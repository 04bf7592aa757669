"""A source whose saved options today's adapter does not take any more: it refuses, loses nothing, and is mended by new options."""

import json
from typing import Any

import pytest

import adapters
from adapters.contract import Delivery
from app.base import clock
from app.db.statements import Plan, Sql
from tests.adapters.generic import LEAST
from tests.house import House, eventually

pytestmark = pytest.mark.anyio

OPTIONS: dict[str, Any] = {
    **LEAST,
    "fields": {"external_id": "id", "value": "value", "status": "status", "email": "email"},
    "money": {"unit": "major", "currency": "BRL"},
}
SECRET = "a-made-up-secret-of-32-characters"


def sent(external_id: str, email: str) -> Delivery:
    """A delivery as the source signs it."""
    body = json.dumps(
        {"event": "order", "id": external_id, "value": "10.00", "status": "paid", "email": email}
    ).encode()
    adapter, now = adapters.load("generic"), clock.moment(clock.now())
    delivery = Delivery(body=body, headers={"content-type": "application/json"}, received_at=now, url="")
    return adapter.scheme(adapter.options.model_validate(OPTIONS)).sign(delivery, SECRET, now)


async def outdated(house: House, source: str, options: dict[str, Any]) -> None:
    """The options as an older adapter took them."""

    def plan() -> Plan[None]:
        yield Sql("UPDATE sources SET options = :options WHERE id = :id", options=json.dumps(options), id=source)

    await house.service.store.commit(plan)
    house.service.source_cache.forget()


@pytest.mark.parametrize(
    "options",
    [{**OPTIONS, "signature": {"scheme": "of old"}}, {**OPTIONS, "kind": 7}, {"signature": {}}, {}],
    ids=["scheme", "kind", "little", "nothing"],
)
async def test_such_a_source_refuses_loses_nothing_and_is_mended(house: House, options: dict[str, Any]) -> None:
    source = await house.source("generic", options=OPTIONS, secret=SECRET, unknown_contacts="hold")
    await house.call("PUT", "/v1/contacts/1", {"emails": ["ana@example.com"]})
    made = (await house.deliver(source, sent("1", "ana@example.com"))).json()
    held = (await house.deliver(source, sent("2", "bia@example.com"))).json()
    assert (made["outcome"], held["outcome"]) == ("created", "held")
    path = f"/v1/sources/{source}"
    await outdated(house, source, options)

    (shown,) = await house.data("/v1/sources")
    assert (shown["id"], shown["options"]) == (source, options)
    for asked in (path, "/v1/stats"):
        await house.get(asked)
    assert (await house.deliver(source, sent("3", "ana@example.com"))).status_code == 401
    for call, body, code in (
        (f"/v1/deliveries/{made['delivery_id']}/retry", {}, 409),
        (f"{path}/test", {}, 409),
        (f"{path}/try", {"headers": {}, "body": "{}"}, 200),
        (f"{path}/check", {}, 200),
        (f"{path}/secrets", {"secret": "another-made-up-secret-of-32-chars"}, 201),
    ):
        answer = await house.call("POST", call, body)
        assert answer.status_code == code, (call, answer.text)
        if code == 409 and "deliveries" in call:
            assert "options of its source are not valid any more" in answer.json()["detail"]
    examined = await house.operator.post(
        f"/operator{path.removeprefix('/v1')}/verify",
        json={"headers": {}, "body": "{}"},
        headers={"orders-account": house.account_id},
    )
    assert examined.status_code == 200 and examined.json()["verified"] is False, examined.text
    for begun in (
        await house.call("POST", "/v1/deliveries/retry", {"filter": {}, "dry_run": False}),
        await house.call("POST", "/v1/remap", {"source_id": source, "dry_run": False}),
    ):
        job = await house.get(f"/v1/jobs/{begun.json()['job_id']}?wait=20")
        assert (job["state"], job["failed"]) == ("done", 2), job
        assert "options of its source" in job["failures"][0]["reason"]
    await house.call("PUT", "/v1/contacts/2", {"emails": ["bia@example.com"]})
    await house.service.held.turn()
    (order,) = await house.data("/v1/orders")
    assert (order["external_id"], order["status"]) == ("1", "paid")
    assert (await house.get(f"/v1/deliveries/{held['delivery_id']}"))["outcome"] == "held"

    mended = await house.call("PATCH", path, {"options": OPTIONS})
    assert mended.status_code == 200, mended.text
    await house.service.held.turn()
    orders = await eventually(lambda: house.data("/v1/orders"), lambda found: len(found) == 2)
    assert {one["external_id"] for one in orders} == {"1", "2"}
    assert (await house.call("POST", f"/v1/deliveries/{made['delivery_id']}/retry", {})).status_code == 200
