"""The short form of `make fuzz`: always the same hostile deliveries, proven, of every adapter; and its corpus again."""

import pytest

import adapters
from app.ingest.proof import proven
from tests.fuzz import inside, targets
from tests.house import House
from tests.samples import samples

NUMBER = 25  # of each adapter; a minute for all


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.mark.anyio
@pytest.mark.parametrize("name", adapters.names())
async def test_what_is_hostile_inside_a_proven_delivery_does_no_harm(house: House, name: str) -> None:
    door = inside.Door(house)
    faults = []
    for number in range(NUMBER):
        for sample, delivery in inside.deliveries(name, [number]):
            faults += [f"{number}: {one}" for one in await door.send(sample, delivery)]
            faults += [f"{number}, fetched: {one}" for one in await door.fetched(sample, number)]
    assert not faults
    assert door.proven > NUMBER / 5


@pytest.mark.parametrize("name", targets.TARGETS)
def test_the_corpus_is_taken_or_refused_in_the_declared_way(name: str) -> None:
    seeds = list(targets.TARGETS[name].seeds())
    assert seeds
    for seed in seeds:
        targets.check(name, seed)


@pytest.mark.parametrize("name", adapters.names())
def test_the_corpus_of_verify_is_proven(name: str) -> None:
    """Fuzzing that begins with refused deliveries looks at the refusal alone."""
    every = targets.Deliveries(samples(name))
    for seed in every.signed():
        source, delivery = every.delivery(seed)
        proven(source, delivery, targets.AT)


@pytest.mark.parametrize("file", sorted(targets.FOUND.glob("*-*")), ids=lambda file: file.name)
def test_what_was_found_is_mended(file) -> None:
    targets.check(targets.target_of(file), file.read_bytes())


def test_what_is_put_in_does_not_grow() -> None:
    """It did once, with each delivery: none was the same again, and after some 10,000 most of the time went into it."""
    before = repr(inside.HOSTILE)
    made = [body for name in adapters.names() for _, body in inside.deliveries(name, range(80))]
    assert len(made) > 1_000 and repr(inside.HOSTILE) == before
