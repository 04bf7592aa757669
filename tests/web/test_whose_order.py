"""Whose order it is, in any order of arrival: nobody who contradicts is together, and what agrees ends as one contact."""

import asyncio
from collections.abc import Iterator
from itertools import combinations, count
from typing import Any

import pytest
from hypothesis import given, strategies
from hypothesis import settings as examples

from app.base.settings import Settings
from tests.house import House, order_event

EXAMPLES = 40
CPFS = ("529.982.247-25", "111.444.777-35", "935.411.347-80")
Buyer = dict[str, Any]


def of_people() -> strategies.SearchStrategy[list[Buyer]]:
    """Deliveries of three people who share one landline, by what each happens to say; the third's e-mail has two CPFs."""

    def buyer(person: int, said: frozenset[str]) -> Buyer:
        known = {
            "name": ("Ana Prado", "Bruno Lima", "Carla Reis")[person],
            "email": f"p{min(person, 1)}@example.com",
            "document": CPFS[person],
            "phone": "+551133334444",
            "id": f"c{person}",
        }
        return {name: known[name] for name in sorted(said)}

    words = strategies.frozensets(strategies.sampled_from(("name", "email", "document", "phone", "id")), min_size=1)
    one = strategies.builds(buyer, strategies.integers(0, 2), words.filter(lambda said: said != {"name"}))
    return strategies.lists(one, min_size=2, max_size=6)


def of_one_person_each() -> strategies.SearchStrategy[tuple[list[Buyer], list[int]]]:
    """Deliveries of two people who share nothing, and an order of arrival."""

    def buyer(person: int, said: frozenset[str]) -> Buyer:
        known = {"email": f"p{person}@example.com", "document": CPFS[person], "phone": f"+55113333444{person}"}
        return {"name": ("Ana Prado", "Bruno Lima")[person], **{name: known[name] for name in sorted(said)}}

    words = strategies.frozensets(strategies.sampled_from(("email", "document", "phone")), min_size=1, max_size=2)
    one = strategies.builds(buyer, strategies.integers(0, 1), words)
    return strategies.lists(one, min_size=3, max_size=6).flatmap(
        lambda buyers: strategies.tuples(strategies.just(buyers), strategies.permutations(range(len(buyers))))
    )


async def told(house: House, buyers: list[Buyer], arrival: list[int]) -> tuple[list[str], set[frozenset[str]]]:
    """Deliver an order of each buyer to a new account. Returns the contact of each, and the pairs that are listed."""
    house = await house.another(f"a{next(NUMBERS)}")
    source = await house.source()
    for number in arrival:
        answer = await house.deliver(source, order_event(f"o{number}", contact=buyers[number]))
        assert answer.status_code == 200, answer.text
    orders = {one["external_id"]: one["contact_id"] for one in await house.data("/v1/orders")}
    listed = {frozenset((one["contact_id"], one["belongs_to"])) for one in await house.data("/v1/identity-conflicts")}
    return [orders[f"o{number}"] for number in range(len(buyers))], listed


NUMBERS = count()


def differ(one: Buyer, other: Buyer, word: str) -> bool:
    return word in one and word in other and one[word] != other[word]


def parts(buyers: list[Buyer], words: tuple[str, ...]) -> list[set[int]]:
    """Group buyers who are linked by an equal word, directly or not."""
    groups: list[set[int]] = []
    for number, buyer in enumerate(buyers):
        linked = [
            group
            for group in groups
            if any(buyers[one].get(word) == buyer[word] for one in group for word in words if word in buyer)
        ]
        groups = [group for group in groups if group not in linked] + [{number}.union(*linked)]
    return groups


def together(contacts: list[str]) -> set[frozenset[int]]:
    return {frozenset(at for at, one in enumerate(contacts) if one == contact) for contact in contacts}


def check(buyers: list[Buyer], contacts: list[str], listed: set[frozenset[str]]) -> None:
    for group in together(contacts):
        mine = [buyers[at] for at in sorted(group)]
        for one, other in combinations(mine, 2):
            assert not differ(one, other, "document"), (mine, "two CPFs")
        linked = [[mine[at] for at in part] for part in parts(mine, ("id", "document", "email"))]
        for left, right in combinations(linked, 2):  # joined by the landline alone
            for one in left:
                assert not any(differ(one, other, word) for other in right for word in ("email", "id")), mine
    for at, other in combinations(range(len(buyers)), 2):
        shared = any(buyers[at].get(word) == buyers[other].get(word) is not None for word in ("email", "phone", "id"))
        if shared and contacts[at] != contacts[other]:
            assert frozenset((contacts[at], contacts[other])) in listed, (buyers[at], buyers[other])


def in_a_house(settings: Settings) -> Iterator[tuple[asyncio.Runner, House]]:
    with asyncio.Runner() as runner:
        house = House(settings)
        runner.run(house.__aenter__())
        try:
            yield runner, house
        finally:
            runner.run(house.__aexit__(None, None, None))


running = pytest.fixture(in_a_house)


def test_nobody_who_contradicts_is_together_and_each_refusal_is_listed(running: tuple[asyncio.Runner, House]) -> None:
    runner, house = running

    @examples(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(of_people())
    def holds(buyers: list[Buyer]) -> None:
        check(buyers, *runner.run(told(house, buyers, list(range(len(buyers))))))

    holds()


def test_what_does_not_contradict_ends_in_the_same_contacts(running: tuple[asyncio.Runner, House]) -> None:
    runner, house = running

    @examples(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(of_one_person_each())
    def converges(example: tuple[list[Buyer], list[int]]) -> None:
        buyers, arrival = example
        contacts, listed = runner.run(told(house, buyers, arrival))
        assert together(contacts) == {frozenset(group) for group in parts(buyers, ("email", "document", "phone"))}
        assert not listed

    converges()
