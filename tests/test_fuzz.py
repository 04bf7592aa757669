"""The short form of `make fuzz`: always the same hostile deliveries, proven, of every adapter."""

import pytest

import adapters
from tests.fuzz import inside
from tests.house import House

pytestmark = pytest.mark.anyio

NUMBER = 25  # of each adapter; a minute for all


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.mark.parametrize("name", adapters.names())
async def test_what_is_hostile_inside_a_proven_delivery_does_no_harm(house: House, name: str) -> None:
    door = inside.Door(house)
    faults = []
    for number in range(NUMBER):
        for sample, delivery in inside.deliveries(name, [number]):
            inside.handled(sample, delivery)
            faults += [f"{number}: {one}" for one in await door.send(sample, delivery)]
            faults += [f"{number}, fetched: {one}" for one in await door.fetched(sample, number)]
    assert not faults
    assert door.proven > NUMBER / 5 or name == "paypal"  # of what nobody signs most is no notice
