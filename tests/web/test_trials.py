"""A source put to the test: a sample signed and sent through the front door, and the delivery that it became."""

import pytest

from tests.house import House

pytestmark = pytest.mark.anyio


async def test_a_test_gives_the_delivery_that_it_became(house: House) -> None:
    source = await house.source()
    answer = await house.call("POST", f"/v1/sources/{source}/test", {"kind": "order.created"})
    assert answer.status_code == 200
    told = answer.json()
    assert "nothing about the shop" in told.pop("proves")
    row = await house.get(f"/v1/deliveries/{told['delivery_id']}")
    assert told == {name: row[name] for name in told if name != "delivery_id"} | {"delivery_id": row["id"]}
    assert (told["id"], told["outcome"], told["kind"]) == (told["delivery_id"], "created", "order.created")
    again = (await house.call("POST", f"/v1/sources/{source}/test", {"kind": "order.created"})).json()
    assert (again["outcome"], again["delivery_id"]) == ("duplicate", told["delivery_id"])


async def test_a_source_that_is_off_says_so(house: House) -> None:
    source = await house.source()
    await house.call("PATCH", f"/v1/sources/{source}", {"enabled": False})
    answer = await house.call("POST", f"/v1/sources/{source}/test", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "registry_disabled")
