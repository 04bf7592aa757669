"""The one door to both engines: what it says when an engine cannot answer, and plans that are committed together."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from app.db.engine import Store, Unavailable
from app.db.statements import Plan, Sql
from tests.house import House

Plans = AsyncGenerator[Callable[[], Plan[str]]]


@pytest.mark.parametrize(
    ("fault", "says"),
    [(TimeoutError(), "the database did not answer in time"), (OSError("disk full"), "disk full"), ("gone", "gone")],
)
def test_why_the_database_is_unavailable_is_never_empty(fault: Exception | str, says: str) -> None:
    assert str(Unavailable(fault)) == says


def marking(name: str, *, fault: Exception | None = None) -> Callable[[], Plan[str]]:
    def plan() -> Plan[str]:
        yield Sql("INSERT INTO marks (name, value) VALUES (:name, 'x')", name=name)
        if fault:
            raise fault
        return name

    return plan


async def marks(store: Store) -> list[str]:
    return [row["name"] for row in await store.all("SELECT name FROM marks WHERE value = 'x' ORDER BY name")]


@pytest.mark.anyio
async def test_plans_that_are_committed_together_are_there_when_the_last_is(house: House) -> None:
    store = house.service.store
    meanwhile: list[list[str]] = []
    other: list[asyncio.Task[str]] = []

    async def plans() -> Plans:
        for name in "abc":
            yield marking(name)
            meanwhile.append(await marks(store))
            if name == "a":
                other.append(asyncio.create_task(store.commit(marking("other"))))

    assert await store.commit_together(plans()) == ["a", "b", "c"]
    if store.on_sqlite:
        assert meanwhile == [[], [], []]
    assert await other[0] == "other"
    assert await marks(store) == ["a", "b", "c", "other"]


@pytest.mark.anyio
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_fault_undoes_what_was_to_be_committed_together(house: House, at: int) -> None:
    store = house.service.store
    ended = []

    async def plans() -> Plans:
        try:
            for number, name in enumerate("abc"):
                yield marking(name, fault=ValueError(name) if number == at else None)
        finally:
            ended.append(True)

    with pytest.raises(ValueError, match="abc"[at]):
        await store.commit_together(plans())
    assert ended == [True]
    assert await marks(store) == ([] if store.on_sqlite else list("abc"[:at]))
    assert await store.commit(marking("after")) == "after"


@pytest.mark.anyio
async def test_whoever_gives_up_half_way_leaves_the_writing_to_others(house: House) -> None:
    store = house.service.store
    begun, never = asyncio.Event(), asyncio.Event()

    async def plans() -> Plans:
        yield marking("a")
        begun.set()
        await never.wait()

    task = asyncio.create_task(store.commit_together(plans()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if store.on_sqlite:
        assert await marks(store) == []
    assert await store.commit(marking("after")) == "after"


@pytest.mark.anyio
async def test_what_sqlite_undid_by_itself_is_not_gone_on_with(house: House) -> None:
    store = house.service.store
    if not store.on_sqlite:
        return

    def undoing() -> Plan[str]:
        yield Sql("INSERT OR ROLLBACK INTO marks SELECT name, value FROM marks LIMIT 1")
        return "never"

    async def plans() -> Plans:
        for plan in (marking("a"), undoing, marking("b")):
            yield plan

    with pytest.raises(Exception, match="UNIQUE"):
        await store.commit_together(plans())
    assert await marks(store) == []
