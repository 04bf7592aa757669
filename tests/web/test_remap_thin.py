"""Thin sources: what their API answered is not kept, so a remap asks again, and a dry run asks nobody."""

from collections.abc import Iterator

import pytest
import respx

from tests.house import House, eventually
from tests.jobs import changes, done
from tests.web.test_fetching import API, ended, payment, shop, told

pytestmark = pytest.mark.anyio


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.mark.parametrize("path", ["/v1/remap", "/v1/deliveries/retry"])
async def test_thin_deliveries_are_asked_for_again(house: House, api: respx.MockRouter, path: str) -> None:
    route = api.get(API + "130000000001").respond(json=payment("130000000001"))
    source = await shop(house)
    delivery = await told(house, source)
    await ended(house, delivery, "created")
    whole = await done(house, "/v1/remap", {"source_id": source, "dry_run": True})
    assert (whole["done"], whole["changed"], route.call_count) == (1, 0, 1)
    [change] = await changes(house, whole)
    assert change["fields"]["outcome"] == {"before": "created", "after": "fetching"}
    route.respond(json=payment("130000000001", description="Another title"))
    body = {"source_id": source} if path == "/v1/remap" else {"filter": {"source_id": source}}
    job = await done(house, path, body)
    assert (job["done"], job["failed"]) == (1, 0)
    await eventually(lambda: house.get(f"/v1/deliveries/{delivery}"), lambda row: row["outcome"] != "fetching")
    assert route.call_count == 2
    assert len(await house.data("/v1/orders")) == 1
