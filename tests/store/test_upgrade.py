"""A database of the first revision, brought to today's: what waited there is taken up."""

import sqlite3
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

import migrations
from app.base.settings import Settings, read_settings
from app.base.vault import make_key
from app.db.migrate import _config, _run, differences, migrate, newest, standing
from tests.conftest import admin, named, now
from tests.house import House

pytestmark = pytest.mark.anyio


async def test_thin_deliveries_of_an_older_version_are_fetched_after_the_upgrade(tmp_path: Path) -> None:
    file = tmp_path / "orders.db"
    engine = create_engine(f"sqlite:///{file}")
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        for name, outcome in (("dlv_1", "fetching"), ("dlv_2", "created")):
            connection.execute(
                "INSERT INTO deliveries VALUES ('acc', ?, 'src', ?, 'd', 'payment', NULL, ?, NULL, '[]', 'mac', '[]', 5, 6, 1)",
                (name, name, outcome),
            )
    before, after = await migrate(read_settings(database_url=f"sqlite:///{file}"))
    assert (before, after) == ("0001", newest())
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT * FROM fetches").fetchall() == [("acc", "dlv_1", "src", 0, 5, 0)]


def test_the_newest_revision_is_the_one_that_the_revisions_lead_to() -> None:
    assert newest() == ScriptDirectory.from_config(_config()).get_current_head()


async def test_what_is_up_to_date_needs_no_alembic(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("alembic.config", "alembic.migration", "sqlalchemy.ext.asyncio"):
        monkeypatch.setitem(sys.modules, module, None)  # how Python says "not to be found"
    assert await migrate(settings) == await standing(settings) == (newest(), newest())


@pytest.fixture
def unmigrated(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """The settings of a database without any tables."""
    if engine == "sqlite":
        return read_settings(database_url=f"sqlite:///{tmp_path}/older.db")
    address, name = request.getfixturevalue("postgresql"), f"older_{uuid4().hex}"
    now(admin(address, f"CREATE DATABASE {name}"))
    return read_settings(database_url=named(address, name), master_key=make_key())


async def to_revision(settings: Settings, revision: str, *statements: str) -> None:
    """Brings the database to this revision, and runs these statements there."""

    def upgrade(connection: Connection) -> tuple[str | None, str]:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.exec_driver_sql(statement)
        return None, revision

    await _run(settings, upgrade)


async def rows(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    """What a read of the database gives."""
    found: list[tuple[object, ...]] = []

    def read(connection: Connection) -> tuple[str | None, str]:
        found.extend(tuple(row) for row in connection.exec_driver_sql(sql))
        return None, ""

    await _run(settings, read)
    return found


async def test_whose_an_order_is_is_carried_into_its_history(unmigrated: Settings) -> None:
    orders = [
        "INSERT INTO orders (account_id, id, scope, external_id, origin, contact_id, refunded_value, status, test, items, "
        f"created_at, updated_at) VALUES ('acc', '{order}', 's', '{order}', 'webhook', {contact}, 0, 'paid', false, '[]', 1, 1)"
        for order, contact in (("ord_1", "'cnt_1'"), ("ord_2", "NULL"))
    ]
    history = [
        "INSERT INTO history (account_id, order_id, at, rank, digest, recorded_at, delivery_id, said) "
        f"VALUES ('acc', '{order}', {at}, 0, 'd', 1, {delivery}, '{{}}')"
        for order in ("ord_1", "ord_2")
        for at, delivery in enumerate(("'dlv_1'", "NULL"))
    ]
    await to_revision(unmigrated, "0008", *orders, *history)
    assert await migrate(unmigrated) == ("0008", newest())
    found = await rows(unmigrated, "SELECT order_id, contact_id FROM history ORDER BY order_id, at")
    assert found == [("ord_1", "cnt_1")] * 2 + [("ord_2", None)] * 2


async def test_whose_contacts_and_deals_are_is_carried_to_their_orders(unmigrated: Settings) -> None:
    people = [
        f"INSERT INTO contacts (account_id, id, owner_id, by_webhook, created_at, updated_at) VALUES ('acc', '{name}', {owner}, false, 1, 1)"
        for name, owner in (("cnt_1", "'rep'"), ("cnt_2", "NULL"))
    ]
    deal = "INSERT INTO deals (account_id, crm_id, contact_id, owner_id, created_at, updated_at) VALUES ('acc', 'd', 'cnt_1', 'boss', 1, 1)"
    orders = [
        "INSERT INTO orders (account_id, id, scope, external_id, origin, contact_id, deal_id, value, refunded_value, status, test, "
        f"items, created_at, updated_at) VALUES ('acc', '{order}', 's', '{order}', 'webhook', {contact}, {deal_id}, {value}, 0, 'paid', "
        "false, '[]', 1, 1)"
        for order, contact, deal_id, value in (
            ("1", "'cnt_1'", "NULL", 5),
            ("2", "'cnt_2'", "'d'", 5),
            ("3", "'cnt_1'", "'d'", "NULL"),
            ("4", "NULL", "'gone'", 5),
        )
    ]
    await to_revision(unmigrated, "0008", *people, deal, *orders)
    await migrate(unmigrated)
    found = await rows(unmigrated, "SELECT id, owner_id, deal_owner_id FROM orders ORDER BY id")
    assert found == [("1", "rep", None), ("2", None, "boss"), ("3", None, None), ("4", None, None)]


async def test_the_migrations_and_the_tables_tell_the_same(settings: Settings) -> None:
    """Tables, columns, indexes and keys, on both engines."""
    assert await differences(settings) == []


CHANGES = {
    "DROP INDEX orders_of_contact": ["index orders_of_contact is missing"],
    "DROP TABLE held": ["index held_of_delivery is missing", "table held is missing"],
    "ALTER TABLE orders RENAME COLUMN title TO name": [
        "column orders.name is unknown",
        "column orders.title is missing",
    ],
    "ALTER TABLE orders ADD COLUMN more text": ["column orders.more is unknown"],
    "CREATE TABLE of_somebody_else (id text)": [],
    "CREATE INDEX of_somebody_else ON orders (account_id, title)": [],
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_somebody_changes_is_noticed(unmigrated: Settings, change: str) -> None:
    await migrate(unmigrated)
    await to_revision(unmigrated, "head", change)
    assert await differences(unmigrated) == CHANGES[change]
    async with House(unmigrated) as house:
        checks = (await house.operator.get("/operator/doctor")).json()["checks"]
    (found,) = [one for one in checks if one["check"] == "schema"]
    assert (found["well"], found["found"]) == (
        not CHANGES[change],
        "; ".join(CHANGES[change]) or "as this version expects it",
    )


# A migration that has landed is never edited: a database that had the old one would differ and say the same number.
# A new one is added here when it lands: `sha256sum migrations/versions/*.py`.
LANDED = {
    "0001_first.py": "3b398a3668eef18a1503253f26a4d6635ac9fdc5836732d05b54b46b965a82dd",
    "0002_fetches_and_privacy_requests.py": "acaed0c63825fa27354088a61deb47c0ceb4795fc23c561d5b0f81e1d4adfe02",
    "0003_people.py": "cd1006508b8a4fe71015ec6ba7f8f5eabbf294b301717512d33e0557639b7dce",
    "0004_retention.py": "c64de4afff032acc71f6cfb81756ba09e1061c10c3413eff036664c8527da516",
    "0005_transfer.py": "4141ab2c7927cc983ce70b5f531836f007214121521e2dba21027c367a05b8b3",
    "0006_tallies.py": "b16fc530d26da6c2eb30001eddb4f0909460b7c31fe3b4dbacb48274a0cc98f5",
    "0007_jobs.py": "0f29bece82da3705849e96a30688d6208e7604ccaf5006e2e4584d90beb7e946",
    "0008_console.py": "692d1557596a5446d9d7b6744577c2018df6f37fed81f781e729e2a7f3af9955",
    "0009_pages.py": "471c0919b786a52c6ebe1ea41d2e59f440863b85adbc9aa953c1fd46fcba357c",
    "0010_subscriptions.py": "90a8efce8112e7ffa5b2ce3cf8a077f9dbf8e7a83bf1ec2ff672644f761c05ac",
    "0011_held.py": "e23f477ce2ec0de468ef3b62619b777a86ecc6117b534196d6c0d4abc3c734e1",
    "0012_money.py": "ee79e8a2f17e09828ac3d30670c83c6bb6b351464c98b266231f0415ff4620b5",
    "0013_tries.py": "fc3bd275f2e3f7bdaf96e0241abc3516ccb8f99b8a8448d20d5e25ee7f4a2df8",
    "0014_health.py": "1ea886abb70ad06dc6b9ac75bb27fa4d10944cb12991c3d9e955720e73b7616c",
    "0015_timezone.py": "d6b32dadeda28bd60a2d47d709f3e31461d1981d6e6c6ee5a5746ed0e82aa8f8",
    "0016_source_delivery_id.py": "a4b6262621c9ba30d353129213f797ced8ecb1bc8d968338a078cac8014d4606",
    "0017_subscription_filters.py": "bbb4ee63f5eea1b4b706a7bf02c6b3187bb38475757b2156a3992bf47b4b0607",
    "0018_shared_identities.py": "e6a9c4701aa12c49260741afd94621034fe772e4d32e4bad4a303683843810f5",
    "0019_merged_orders.py": "b74a7b069601bed1f4eb3adc4d2f73ce52ec867e1fe2ce8da54e5f0e733bdfb9",
    "0020_erased_contacts.py": "8cef0f3602bdd9eaea0a958588aaf3bdd315c41c858ff4e69c4443a2d5b03d1d",
}


def test_what_has_landed_is_as_it_was() -> None:
    folder = Path(migrations.__file__).parent / "versions"
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("[0-9]*.py"))}
    assert found == LANDED
