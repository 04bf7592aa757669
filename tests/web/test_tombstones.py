"""The key of tombstones: the account's own, random, sealed with the master key; they work on through rotation and upgrade."""

from typing import Any

import pytest

from app.base.settings import Settings
from app.base.vault import Sealed, Vault, make_key
from app.store.tombstones import hashed
from tests.house import House, order_event

pytestmark = pytest.mark.anyio

OLD, NEW = make_key(), make_key()
ANA = ("email", "ana@example.com")


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"master_key": ",".join(keys)})


async def erased(house: House) -> str:
    """A source, one buyer of which was erased."""
    source = await house.source()
    await house.deliver(source, order_event("1"))
    (ana,) = await house.data(f"/v1/contacts?email={ANA[1]}")
    assert (await house.call("DELETE", f"/v1/contacts/{ana['id']}")).status_code == 200
    return source


async def salt(house: House) -> str:
    (row,) = await house.service.store.all("SELECT salt FROM salts WHERE account_id = :id", id=house.account_id)
    found: str = row["salt"]
    return found


async def late(house: House, source: str, external_id: str) -> Any:
    """The notes of a late delivery that names her."""
    said = (await house.deliver(source, order_event(external_id))).json()
    (row,) = await house.service.store.all("SELECT notes FROM deliveries WHERE id = :id", id=said["delivery_id"])
    return row["notes"]


async def test_the_key_is_sealed_and_each_account_has_its_own(house: House) -> None:
    other = await house.another("other")
    await erased(house)
    await erased(other)
    found = [await salt(house), await salt(other)]
    opened = {house.service.vault.open(one) for one in found}
    assert len(opened) == 2 and {len(bytes.fromhex(one)) for one in opened} == {32}
    with pytest.raises(Sealed):
        Vault([make_key()]).open(found[0])
    marks = {row["hash"] for row in await house.service.store.all("SELECT hash FROM tombstones")}
    assert {hashed(one, ANA) for one in opened} <= marks
    assert [one["action"] for one in await house.data(f"/v1/privacy/proofs?email={ANA[1]}")] == ["erase"]


async def test_tombstones_work_on_when_the_master_key_is_rotated(settings: Settings) -> None:
    async with House(with_keys(settings, OLD)) as house:
        source, account_id = await erased(house), house.account_id
        before = await salt(house)
    async with House(with_keys(settings, NEW, OLD), "second") as house:
        assert await late(house, source, "2") == '["erased"]'
        assert (await house.operator.post("/operator/rotate-master-key", json={})).json()["resealed"] >= 2
    async with House(with_keys(settings, NEW), "third") as house:
        assert await late(house, source, "3") == '["erased"]'
        house.account_id = account_id
        after = await salt(house)
        assert after != before and house.service.vault.open(after) == Vault([OLD]).open(before)


async def test_where_the_key_cannot_be_opened_nothing_is_said_to_be_well(settings: Settings) -> None:
    async with House(with_keys(settings, OLD)) as house:
        await house.call("PUT", "/v1/contacts/7", {"emails": [ANA[1]]})
        assert (await house.call("DELETE", "/v1/contacts/7")).status_code == 200
    async with House(with_keys(settings, NEW), "second") as house:
        assert (await house.client.get("/readyz")).status_code == 503
    async with House(with_keys(settings, NEW, OLD), "third") as house:
        assert (await house.client.get("/readyz")).status_code == 200


async def test_what_an_older_version_kept_bare_is_sealed_and_counts_on(settings: Settings) -> None:
    async with House(settings) as house:
        source, account_id = await erased(house), house.account_id
        bare = house.service.vault.open(await salt(house))
        await house.service.store._writer.execute(f"UPDATE salts SET salt = '{bare}'")
        assert await late(house, source, "2") == '["erased"]'  # written since we began
    async with House(settings, "again") as house:
        house.account_id = account_id
        sealed = await salt(house)
        assert sealed != bare and house.service.vault.open(sealed) == bare
        assert await late(house, source, "3") == '["erased"]'
