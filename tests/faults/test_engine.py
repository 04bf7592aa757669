"""An engine that fails, is cut or falls silent: nothing is acknowledged that is not kept, and intake comes back by itself."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import asyncpg
import pytest

from app.base.settings import Settings
from app.base.tuning import Tuning
from app.base.vault import Vault, make_key
from app.db import engine as engine_module
from app.db import maintenance
from app.db.engine import Store, Unavailable
from app.db.statements import Plan, Sql
from app.ingest.group_commit import GroupCommit
from tests.faults.proxy import Proxy, proxied
from tests.house import House, eventually, order_event

pytestmark = pytest.mark.anyio

on_postgresql = pytest.mark.parametrize("engine", ["postgresql"])
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"])
CUT_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-registry'"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orders-registry' AND wait_event_type = 'Lock'"
)


class Sender:
    """A shop: sends deliveries, and the same ones again."""

    def __init__(self, house: House, source: str) -> None:
        self.house, self._source = house, source

    async def send(self, name: str) -> tuple[int, str | None]:
        """The status and the outcome of the delivery about the order of this name."""
        answer = await self.house.deliver(self._source, order_event(name, delivery_id=f"msg_{name}"))
        return answer.status_code, answer.json()["outcome"]

    async def until_taken(self, name: str) -> str | None:
        """The outcome, once the delivery is taken."""

        async def sent() -> tuple[int, str | None]:
            return await self.send(name)

        return (await eventually(sent, lambda answer: answer[0] == 200))[1]

    async def orders(self) -> list[str]:
        """The orders that are there, by name."""
        return sorted(order["external_id"] for order in await self.house.data("/v1/orders"))


@asynccontextmanager
async def sending(settings: Settings, tuning: Tuning = Tuning()) -> AsyncIterator[Sender]:
    async with House(settings, tuning=tuning) as house:
        yield Sender(house, await house.source())


@asynccontextmanager
async def altered(store: Store, done: list[str], undone: list[str]) -> AsyncIterator[None]:
    """Somebody changes the schema, and changes it back."""

    def run(statements: list[str]) -> Plan[None]:
        for statement in statements:
            yield Sql(statement)

    await store.commit(lambda: run(done))
    try:
        yield
    finally:
        await store.commit(lambda: run(undone))


@pytest.fixture
async def sender(settings: Settings, tuning: Tuning) -> AsyncIterator[Sender]:
    async with sending(settings, tuning) as found:
        yield found


@pytest.fixture
async def wire(settings: Settings, tuning: Tuning) -> AsyncIterator[tuple[Proxy, Sender]]:
    """A registry on PostgreSQL behind a wire."""
    async with (
        proxied(settings.database_url) as (proxy, address),
        sending(settings.model_copy(update={"database_url": address}), tuning) as found,
    ):
        yield proxy, found
        proxy.speak()


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else at the same database."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        yield connection
    finally:
        await connection.close()


@on_postgresql
async def test_a_connection_cut_after_the_commit_was_sent(wire: tuple[Proxy, Sender]) -> None:
    proxy, sender = wire
    assert await sender.send("before") == (200, "created")
    for cut in range(3):
        proxy.cut_next_commit = True
        # Whoever commits first is cut; where it was a background loop, this delivery is none the worse.
        first = await sender.send(f"cut-{cut}")
        assert first in {(503, "busy"), (200, "created")}
        again = await sender.send(f"cut-{cut}")
        assert again == (200, "duplicate")
        assert proxy.cuts == cut + 1
    assert await sender.send("after") == (200, "created")
    assert await sender.orders() == ["after", "before", "cut-0", "cut-1", "cut-2"]


@on_postgresql
async def test_connections_terminated_in_the_middle_of_a_commit(sender: Sender, other: asyncpg.Connection) -> None:
    async with other.transaction():
        await other.execute("LOCK TABLE orders")
        sent = asyncio.create_task(sender.send("cut"))
        await eventually(lambda: other.fetchval(WAITING), lambda waiting: waiting > 0)
        await other.execute(CUT_ALL)
        assert await sent == (503, "busy")
    assert await sender.send("cut") == (200, "created")


@on_postgresql
async def test_connections_terminated_while_nobody_uses_them(sender: Sender, other: asyncpg.Connection) -> None:
    await other.execute(CUT_ALL)
    assert await sender.until_taken("after") == "created"
    assert await sender.orders() == ["after"]


@on_postgresql
@pytest.mark.tuned(postgresql_lock=0.05)
async def test_a_table_that_somebody_has_locked_says_nothing_about_a_delivery(
    sender: Sender, other: asyncpg.Connection
) -> None:
    async with other.transaction():
        await other.execute("LOCK TABLE orders")
        assert await sender.send("o0") == (503, "busy")
        answers = await asyncio.gather(*(sender.send(f"o{number}") for number in range(4)))
        assert answers == [(503, "busy")] * 4
    assert [await sender.send(f"o{number}") for number in range(4)] == [(200, "created")] * 4


async def test_a_table_that_is_away_says_nothing_about_a_delivery(sender: Sender) -> None:
    service = sender.house.service
    there, away = "ALTER TABLE orders RENAME TO away", "ALTER TABLE away RENAME TO orders"
    async with altered(service.store, [there], [away]):
        assert await sender.send("o0") == (503, "busy")
        answers = await asyncio.gather(*(sender.send(f"o{number}") for number in range(4)))
        assert answers == [(503, "busy")] * 4
        assert service.group_commit.trouble
    assert [await sender.send(f"o{number}") for number in range(4)] == [(200, "created")] * 4
    assert service.group_commit.trouble is None


def refusing(engine: str, name: str) -> tuple[list[str], list[str]]:
    """What makes the database refuse orders whose name is LIKE this, and what takes that back."""
    if engine == "sqlite":
        refuse = f"WHEN NEW.external_id LIKE '{name}' BEGIN SELECT RAISE(ABORT, 'refused'); END"
        return [f"CREATE TRIGGER refuse BEFORE INSERT ON orders {refuse}"], ["DROP TRIGGER refuse"]
    refuse = f"IF NEW.external_id LIKE '{name}' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF"
    return [
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refuse}; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse()",
    ], ["DROP FUNCTION refuse CASCADE"]


async def together(sender: Sender, names: list[str]) -> list[tuple[int, str | None]]:
    """The answers to these deliveries, which are one batch."""
    service = sender.house.service
    held, service.receiver._group_commit = service.receiver._group_commit, GroupCommit(service.store, service.tuning)
    gathering = service.receiver._group_commit
    sent = [asyncio.create_task(sender.send(name)) for name in names]

    async def waiting() -> int:
        return gathering.waiting

    await eventually(waiting, lambda count: count == len(names))
    gathering.start()
    answers = await asyncio.gather(*sent)
    await gathering.stop()
    service.receiver._group_commit = held
    return answers


async def test_a_delivery_that_the_database_refuses_sinks_no_other(engine: str, sender: Sender) -> None:
    async with altered(sender.house.service.store, *refusing(engine, "bad%")):
        answers = await together(sender, ["a", "b", "bad", "c", "d"])
        assert answers == [(200, "created")] * 2 + [(200, "unreadable")] + [(200, "created")] * 2
        assert await sender.send("bad-alone") == (200, "unreadable")


async def test_a_database_that_refuses_every_delivery_is_at_fault_itself(engine: str, sender: Sender) -> None:
    async with altered(sender.house.service.store, *refusing(engine, "%")):
        assert await together(sender, ["a", "b", "c"]) == [(503, "busy")] * 3
    assert [await sender.send(name) for name in "abc"] == [(200, "created")] * 3


@on_postgresql
@pytest.mark.tuned(source_cache_remembers=60.0, commit_answer=0.5)
async def test_what_waits_for_a_silent_database_is_answered_and_withdrawn(wire: tuple[Proxy, Sender]) -> None:
    proxy, sender = wire
    assert await sender.until_taken("before") in {"created", "duplicate"}
    proxy.silence()
    assert await sender.send("in-a-transaction") == (503, "busy")
    assert await sender.send("waiting") == (503, "busy")
    proxy.speak()
    assert await sender.until_taken("after") in {"created", "duplicate"}
    assert "waiting" not in await sender.orders()
    # What was in the transaction is perhaps kept; sent again, it is there once.
    assert await sender.until_taken("in-a-transaction") in {"created", "duplicate"}
    assert await sender.orders() == ["after", "before", "in-a-transaction"]


@on_postgresql
@pytest.mark.tuned(source_cache_remembers=60.0, source_cache_look_up=0.5, commit_statement=0.5, postgresql_connect=1.0)
@pytest.mark.parametrize("met_by", ["commit", "look-up of the source"])
async def test_a_connection_that_falls_silent_is_given_up(wire: tuple[Proxy, Sender], met_by: str) -> None:
    proxy, sender = wire
    assert await sender.until_taken("before") in {"created", "duplicate"}
    proxy.silence()
    if met_by != "commit":
        sender.house.service.source_cache.forget()
    assert await sender.send("silent") == (503, "busy")
    proxy.speak_to_new_ones()
    assert await sender.until_taken("silent") in {"created", "duplicate"}
    assert await sender.orders() == ["before", "silent"]


@on_postgresql
@pytest.mark.tuned(postgresql_connect=1.0)
async def test_after_one_connection_was_in_doubt_the_idle_ones_are_asked(wire: tuple[Proxy, Sender]) -> None:
    proxy, sender = wire
    pool = sender.house.service.store._writer._backend
    doubted, idle = await pool.take(), await pool.take()
    await pool.give_back(idle)
    proxy.silence()
    await pool.give_back(doubted, in_doubt=True)
    with pytest.raises(TimeoutError):  # it did not answer, and neither does a new one
        await pool.take()


@on_postgresql
@pytest.mark.tuned(postgresql_connect=1.0)
async def test_a_pool_that_cannot_connect_says_so(settings: Settings, tuning: Tuning) -> None:
    async with proxied(settings.database_url) as (proxy, address):
        proxy.silence()
        store = Store(settings.model_copy(update={"database_url": address}), Vault([make_key()]), tuning)
        with pytest.raises(Unavailable, match="in time"):
            await store.open()
        proxy.speak()
        await store.open()
        await store.close()


@on_postgresql
@pytest.mark.parametrize(("lifetime", "replaced"), [(1_800.0, False), (0.0, True)])
async def test_connections_are_kept_alive_and_replaced_in_time(
    settings: Settings, lifetime: float, replaced: bool
) -> None:
    async def served_by(store: Store) -> tuple[int, int]:
        async with store._writer.connection() as connection:
            session = connection.raw_connection
            line = session._transport.get_extra_info("socket")
            return session.get_server_pid(), line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    async with proxied(settings.database_url) as (_, address):  # over TCP
        behind = settings.model_copy(update={"database_url": address})
        store = Store(behind, Vault([make_key()]), Tuning(postgresql_lifetime=lifetime))
        await store.open()
        (first, alive), (second, _) = await served_by(store), await served_by(store)
        await store.close()
    assert alive == 1
    assert (second != first) is replaced


@on_sqlite
@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
async def test_a_file_that_is_deleted_while_it_is_open(sender: Sender, settings: Settings, end: str) -> None:
    path = settings.database_path.with_name(f"orders.db{end}")
    assert await sender.send("before") == (200, "created")
    away = path.rename(path.with_name("away"))
    assert await sender.send("after") == (503, "busy")
    fault = sender.house.service.store.fault
    assert (
        fault
        == f"{path} was deleted, moved or replaced while it is open: stop the server, restore the database, start again"
    )
    assert (await sender.house.call("POST", "/v1/sources", {"adapter": "standard"})).status_code == 503
    away.rename(path)  # the very same file
    assert sender.house.service.store.fault is None
    assert await sender.send("after") == (200, "created")


@on_sqlite
async def test_a_backup_that_is_moved_over_the_open_file(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings.database_path
    copy, old = path.with_name("copy.db"), path.with_name("old.db")
    async with sending(settings) as sender:
        assert await sender.send("before") == (200, "created")
        await maintenance.copy(path, copy)
        assert await sender.send("since") == (200, "created")
        old.hardlink_to(path)
        copy.replace(path)
        assert await sender.send("after") == (503, "busy")
        assert "stop the server, restore the database" in capsys.readouterr().out
    # The log of the one is not taken for the other's; both are whole.
    for file, orders in ((path, ["before"]), (old, ["before", "since"])):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = connection.execute("SELECT external_id FROM orders ORDER BY external_id").fetchall()
            assert [name for (name,) in found] == orders


@on_sqlite
async def test_a_file_that_is_deleted_during_a_commit(sender: Sender, settings: Settings) -> None:
    def deleting() -> Plan[None]:
        yield Sql("INSERT INTO marks (name, value) VALUES ('deleted', 'x')")
        settings.database_path.unlink()

    with pytest.raises(Unavailable, match="deleted"):
        await sender.house.service.store.commit(deleting)


@on_sqlite
async def test_a_damaged_file_is_the_engines_fault(sender: Sender, settings: Settings) -> None:
    store = sender.house.service.store
    size = settings.database_path.stat().st_size
    with settings.database_path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (size - 4096))
    with pytest.raises(Unavailable):
        await store.all("SELECT count(*) FROM jobs, proofs, idempotency, refusals")
    assert "is damaged" in (store.fault or "")
    assert await sender.send("after") == (503, "busy")


@on_sqlite
async def test_a_transaction_that_cannot_be_undone_does_not_stay(sender: Sender) -> None:
    store = sender.house.service.store

    def stuck() -> Plan[None]:
        yield Sql("INSERT INTO marks (name, value) VALUES ('stuck', 'x')")
        raise OSError("as if ROLLBACK had failed, too")

    undo = pytest.MonkeyPatch()
    undo.setattr(engine_module, "_undo", lambda _: None)
    with pytest.raises(Unavailable):
        await store.commit(stuck)
    undo.undo()
    assert await sender.send("after") == (200, "created")
    assert await store.all("SELECT * FROM marks WHERE name = 'stuck'") == []
