"""PostgreSQL is told of young tables, and left alone once it knows them."""

import pytest

from app.background.analyze import AFTER, GrowingTables
from app.db.engine import Rejected
from tests.house import House, eventually, order_event

pytestmark = pytest.mark.anyio


async def known(house: House, table: str = "deliveries") -> float:
    row = await house.service.store.one(
        "SELECT reltuples FROM pg_class WHERE oid = CAST(CAST(:table AS text) AS regclass)", table=table
    )
    assert row is not None
    return float(row["reltuples"])


async def test_a_young_log_is_looked_at_when_it_has_begun_to_grow(house: House) -> None:
    if house.service.store.on_sqlite:  # which keeps no such plans
        assert house.service.young is None
        return
    assert house.service.young is not None
    source = await house.source()
    for number in range(3):
        assert (await house.deliver(source, order_event(f"{number}", delivery_id=f"m{number}"))).status_code == 200
    young = GrowingTables(house.service.store)
    before = await known(house)
    young.committed([], [], 0.0)
    young._committed = AFTER[0] - 1
    await young.tell()
    assert await known(house) == before
    young._committed = AFTER[0]
    await young.tell()
    assert await known(house) == 3


async def test_tables_that_are_known_are_left_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    if house.service.store.on_sqlite:
        assert house.service.young is None
        return
    asked = []

    async def knows(*_: object) -> bool:
        return True

    async def analyze(*_: object) -> None:
        asked.append(1)

    monkeypatch.setattr("app.background.analyze.maintenance.knows_its_tables", knows)
    monkeypatch.setattr("app.background.analyze.maintenance.analyze", analyze)
    young = GrowingTables(house.service.store)
    young._committed = AFTER[-1]
    for _ in AFTER:
        await young.tell()
    assert asked == []


async def test_a_fault_of_the_telling_holds_up_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: object) -> bool:
        raise Rejected("permission denied")

    monkeypatch.setattr("app.background.analyze.maintenance.knows_its_tables", refuses)
    young = GrowingTables(house.service.store)
    young._committed = AFTER[0]
    await young.tell()


async def test_an_import_into_a_young_registry_has_its_tables_looked_at(house: House) -> None:
    young = house.service.young
    if house.service.store.on_sqlite:
        assert young is None
        return
    assert young is not None
    rows = "external_id,value\n" + "".join(f"{at},1.00\n" for at in range(AFTER[0]))
    sent = await house.client.post(
        "/v1/orders/import",
        content=rows,
        headers={"Authorization": f"Bearer {house.token}", "Content-Type": "text/csv"},
    )
    assert sent.json()["created"] == AFTER[0]
    await eventually(lambda: known(house, "orders"), lambda rows: rows == AFTER[0])
