"""Every sample of every adapter through the whole house: as its source would send it, twice, with what its API answers.

What the sample says becomes of it is what becomes of it; the second time it is a duplicate; the log has one row.
"""

import re
from typing import Any

import httpx
import pytest
import respx

import adapters
from adapters.contract import Delivery, Strength
from app.base import clock
from tests.house import House, eventually
from tests.samples import Sample, samples, secret_for

pytestmark = pytest.mark.anyio


def sent(sample: Sample, url: str) -> Delivery:
    """The sample, signed now for this address."""
    now = clock.moment(clock.now())
    plain = sample.delivery
    unsigned = Delivery(body=plain.body, headers=plain.headers, query=plain.query, received_at=now, url=url)
    return sample.scheme.sign(unsigned, secret_for(sample.adapter), now)


def described(order: dict[str, Any]) -> bool:
    """Whether the statement says what the order comes to: a bill, or without one an amount of a payment."""
    return "value" in order or any("value" in one for one in (*order.get("bills", ()), *order.get("payments", ())))


def expected(sample: Sample) -> set[str]:
    """The outcomes that the sample's own result allows."""
    found = sample.source.translation(sample.delivery, sample.fetched)
    if isinstance(found, list) or "orders" in found:
        orders = found if isinstance(found, list) else found["orders"]
        # Of an order that nothing has described yet, what this says is kept until something does.
        return {"created"} if any(described(order) for order in orders) else {"ignored"}
    if "contacts" in found:
        return {"created", "updated", "unchanged"}  # the account's, whichever source tells of them
    if "fetches" in found:
        return {"unfetched"}
    return {"unreadable"} if "unreadable" in found else {"ignored"}


def source_api(router: respx.MockRouter, sample: Sample) -> None:
    """What the source's API answers while this sample is read."""
    router.clear()
    api = sample.adapter.api
    if api is None:
        return
    origin = re.escape(api.origin_for(sample.options))
    if api.token_path:
        router.post(url__regex=f"^{origin}").respond(json={"access_token": "made-up", "expires_in": 3600})
    document = httpx.Response(404) if sample.fetched is None else httpx.Response(200, content=sample.fetched)
    router.get(url__regex=f"^{origin}/").mock(return_value=document)


async def once(house: House, sample: Sample) -> None:
    adapter = sample.adapter
    given: dict[str, Any] = {"options": sample.said.get("options", {}), "secret": secret_for(adapter)}
    if adapter.api is not None:
        given["key"] = "made-up:key"
    source = await house.source(adapter.name, **given)
    shown = await house.get(f"/v1/sources/{source}")
    delivery = sent(sample, shown["webhook_url"])
    first = await house.deliver(source, delivery)
    assert first.status_code == 200, (sample.case, first.text)
    if adapter.handshake(delivery) is not None:
        assert await house.data(f"/v1/deliveries?source_id={source}") == []
        return
    unsigned = sample.scheme.strength is Strength.FETCHED
    if unsigned and adapter.kind_of(delivery, sample.options) not in adapter.fetches:
        # Nobody signed it, and nothing is fetched that could bear it out: it is counted, and not kept.
        assert await house.data(f"/v1/deliveries?source_id={source}") == []
        return
    [row] = await eventually(
        lambda: house.data(f"/v1/deliveries?source_id={source}"), lambda rows: rows and rows[0]["outcome"] != "fetching"
    )
    assert row["outcome"] in expected(sample), (sample.case, row)
    again = await house.deliver(source, delivery)
    assert again.status_code == 200, (sample.case, again.text)
    if adapter.answer is None:
        assert again.json()["outcome"] == "duplicate", (sample.case, again.text)
    else:
        assert again.text == adapter.answer
    assert len(await house.data(f"/v1/deliveries?source_id={source}")) == 1
    orders = await house.data(f"/v1/orders?source_id={source}")
    assert len(orders) == len(row["orders"]), sample.case


@pytest.mark.parametrize("name", adapters.names())
async def test_created_then_duplicate_and_one_row(house: House, name: str) -> None:
    scheme = samples(name)[0].scheme
    assert scheme.can_sign, "a sample that cannot be signed proves nothing here"
    with respx.mock(assert_all_called=False) as router:
        for sample in samples(name):
            source_api(router, sample)
            await once(house, sample)
