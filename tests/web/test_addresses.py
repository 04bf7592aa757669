"""Addresses: each is spelt in one way, none leads elsewhere, and the Host header decides none."""

import pytest

from tests.house import House, order_event
from tests.routes import every_route, filled

pytestmark = pytest.mark.anyio

EVIL = {"Host": "evil.example"}
NAMES = (
    "contact",
    "order",
    "deal",
    "source",
    "source_id",
    "delivery",
    "job",
    "subscription",
    "token",
    "secret",
    "request",
)
IDS = {name: ["none"] for name in NAMES}


async def test_no_address_leads_to_another(house: House) -> None:
    for method, path in await every_route(house):
        for address in filled(path, IDS):
            for spelt in (f"{address}/", f"/{address}", f"{address}%2f"):
                answer = await house.client.request(method, spelt, headers=EVIL)
                assert "location" not in answer.headers, (method, spelt)
                assert answer.status_code in (404, 405), (method, spelt, answer.status_code)


async def test_the_host_decides_no_address_that_is_given_out(house: House) -> None:
    made = await house.call("POST", "/v1/sources", {"adapter": "standard"}, **EVIL)
    assert made.status_code == 201
    assert made.json()["webhook_url"].startswith(house.settings.webhooks_at)
    for path in ("/openapi.json", "/docs", "/console", "/v1/sources", "/v1/adapters", "/v1/deliveries/sources"):
        answer = await house.call("GET", path, **EVIL)
        assert answer.status_code == 200 and "evil" not in answer.text + str(answer.headers), path


@pytest.mark.parametrize(
    "spelt", ["/webhooks%2f{}", "/webhook%73/{}", "/%77ebhooks/{}", "//webhooks/{}", "/webhooks/{}/"]
)
async def test_a_webhooks_address_is_spelt_in_one_way(house: House, spelt: str) -> None:
    source, delivery = await house.source(), order_event()
    answer = await house.client.post(spelt.format(source), content=delivery.body, headers=delivery.headers)
    assert answer.status_code == 404
    assert await house.data("/v1/deliveries") == []
    assert (await house.deliver(source, delivery)).status_code == 200
