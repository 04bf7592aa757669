"""A source's key, checked: one document is asked for, and the answer says whether the key is taken."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from tests.house import House
from tests.web.test_fetching import notice, shop

pytestmark = pytest.mark.anyio
API = "https://api.mercadopago.com/"


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


async def checked(house: House, source: str) -> dict[str, Any]:
    answer = await house.call("POST", f"/v1/sources/{source}/check", {})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("answered", "accepted", "words"),
    [
        (200, True, "taken"),
        (404, True, "sample"),
        (401, False, "refused"),
        (403, False, "refused"),
        (500, None, "HTTP 500"),
        (302, None, "redirects"),
    ],
)
async def test_what_the_source_answers(
    house: House, api: respx.MockRouter, answered: int, accepted: bool | None, words: str
) -> None:
    api.get(url__startswith=API).mock(return_value=httpx.Response(answered, json={}))
    found = await checked(house, await shop(house))
    assert (found["key"]["needed"], found["key"]["set"], found["key"]["accepted"]) == (True, True, accepted)
    assert words in found["key"]["words"] and found["usable_secrets"] == 1
    assert await house.data("/v1/deliveries") == []


async def test_the_latest_delivery_is_asked_for_and_nothing_becomes_of_it(house: House, api: respx.MockRouter) -> None:
    source = await shop(house, key=None)
    await house.deliver(source, notice("777"))
    asked = api.get(f"{API}v1/payments/777").mock(return_value=httpx.Response(404))
    found = await checked(house, source)
    assert found["key"]["accepted"] is False and "no key yet" in found["key"]["words"] and not asked.called
    await house.call("PATCH", f"/v1/sources/{source}", {"key": "APP_USR-made-up"})
    found = await checked(house, source)
    assert found["key"]["accepted"] is True and "latest delivery" in found["key"]["words"] and asked.called
    assert await house.data("/v1/orders") == []


async def test_a_source_that_sends_whole_orders_needs_none(house: House) -> None:
    found = await checked(house, await house.source())
    assert (found["key"]["needed"], found["key"]["accepted"]) == (False, None)
