"""Reads of a large registry: does a page cost the same in an account of a million orders as in one of ten thousand?

Both accounts are filled with rows made up here, each in a database of its own, a contact with 10,000 orders and a rep's
wallet of 200 contacts and 50 deals among them. Then pages of ten are read through the application (in this process, without
a port): page 1 and page 1,000 (or the last one there is), for every filter, the two accounts in turns. The figure is the
median; the bar is the ratio of the large account's to the small one's for the same page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from app.base import clock
from app.base.roles import ACCOUNT_HEADER, IN_PROCESS
from app.base.settings import Settings, read_settings
from app.base.vault import make_key
from app.db import schema
from app.db.migrate import migrate
from app.web.application import create_app
from bench.harness import RUNS, fresh_directory
from bench.ours import postgresql

BAR = 1.5
PAGE = 10
FAR = 1_000  # the far page
OF_CONTACT = 10_000  # orders of the one large contact, in both accounts
WALLET, WALLET_DEALS, WALLET_ORDERS = 200, 50, 12_000
DAY = 86_400_000_000
MANUAL = 200  # orders written by hand, in both accounts
SOURCES = 4
_STATUSES = ("paid",) * 80 + ("pending",) * 8 + ("refunded",) * 6 + ("canceled",) * 5 + ("failed",)
_CURRENCIES = ("BRL",) * 95 + ("USD",) * 4 + ("JPY",)
_TITLES = ("Tênis de corrida", "Camisa", "Café 500g", "Running shoes", "Livro")
COLUMNS = tuple(column.name for column in schema.orders.columns)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench registry` takes."""
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--small", type=int, default=10_000, help="orders beside the contact's and the wallet's")
    parser.add_argument("--large", type=int, default=1_000_000, help="in the large account, all together")
    parser.add_argument("--times", type=int, default=40, help="reads of each page (default 40)")
    add_places(parser)


def add_places(parser: argparse.ArgumentParser) -> None:
    """Where the databases are: filled for this run alone, or once for many."""
    parser.add_argument("--dir", type=Path, default=RUNS, help="where databases go while it runs; a real disk")
    parser.add_argument("--kept", type=Path, help="a directory whose databases stay: the next run finds them filled")
    parser.add_argument("--fill", action="store_true", help="with --kept: only fill, measure nothing")


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures."""
    return on_engines(given, _measure)


def on_engines(
    given: argparse.Namespace,
    measure: Callable[[Console, str, Path, str, argparse.Namespace], Coroutine[Any, Any, None]],
) -> int:
    """Measures on each engine that is asked for: in a directory of its own, on PostgreSQL with that server's address."""
    for engine in ["sqlite", "postgresql"] if given.engine == "both" else [given.engine]:
        with ExitStack() as stack:
            if given.kept is None:
                directory = stack.enter_context(fresh_directory(given.dir))
            else:
                directory = given.kept.resolve()
                directory.mkdir(parents=True, exist_ok=True)
            address = postgresql(directory, stack) if engine == "postgresql" else ""
            asyncio.run(measure(Console(), engine, directory, address, given))
    return 0


@dataclass(slots=True)
class House:
    """One running registry and what is asked of it."""

    client: httpx.AsyncClient  # at the operator's door
    stranger: httpx.AsyncClient  # who shows a token
    account: str

    async def get(self, path: str, token: str | None = None) -> Any:
        """An answer, which must be 200."""
        if token:
            answer = await self.stranger.get(path, headers={"Authorization": f"Bearer {token}"})
        else:
            answer = await self.client.get(path, headers={ACCOUNT_HEADER: self.account})
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()


async def _measure(console: Console, engine: str, directory: Path, address: str, given: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        houses, tokens = [], []
        for name, rows in (("small", given.small), ("large", max(given.large - OF_CONTACT - WALLET_ORDERS, 0))):
            begun = time.perf_counter()
            house = await stack.enter_async_context(filled(engine, directory, address, f"orders_{name}", rows, _fill))
            console.print(
                f"{engine}: {rows + OF_CONTACT + WALLET_ORDERS:,} orders in {time.perf_counter() - begun:.0f} s"
            )
            houses.append(house)
            tokens.append(await _rep(house))
        if given.fill:
            return
        shown = Table("what is read", ">page", "µs small", "µs large", "ratio", "", title=engine)
        worst = 0.0
        for words, path, rep in _reads():
            # A search in vain looks through as much on every page but its last.
            for far in (False,) if "nowhere" in path or "ext-" in path else (False, True):
                urls = [
                    await _place(house, path, token if rep else None, far)
                    for house, token in zip(houses, tokens, strict=True)
                ]
                small, large = await turns(houses, urls, tokens if rep else [None, None], given.times)
                ratio = large / small
                worst = max(worst, ratio)
                verdict = "pass" if ratio <= BAR else "miss"
                console.print(f"  {words}, page {urls[1][1]}: {ratio:.2f}", style="dim")
                shown.add_row(words, urls[1][1], f"{small:.0f}", f"{large:.0f}", f"{ratio:.2f}", verdict)
        console.print(shown)
        console.print(f"{'pass' if worst <= BAR else 'miss':>12}  large <= {BAR} x small for every page ({worst:.2f})")
        for words, path in _sums():
            times = []
            for house in houses:
                begun = time.perf_counter()
                await house.get(path)
                times.append(1000 * (time.perf_counter() - begun))
            console.print(f"{words:40} {times[0]:8.0f} ms small {times[1]:8.0f} ms large")


def _reads() -> Iterator[tuple[str, str, bool]]:
    """What, where, and whether as a rep under owner privacy."""
    yield "all orders", "/v1/orders?", False
    yield "a contact with 10,000 orders", "/v1/contacts/crm-0/orders?", False
    yield "  its status=paid", "/v1/contacts/crm-0/orders?status=paid&", False
    yield "contact=", "/v1/orders?contact=crm-0&", False
    yield "deal_id=", "/v1/orders?deal_id=deal-0&", False
    for name, often, seldom in (("status", "paid", "failed"), ("currency", "BRL", "JPY")):
        yield f"{name}={often}", f"/v1/orders?{name}={often}&", False
        yield f"{name}={seldom}", f"/v1/orders?{name}={seldom}&", False
    yield "status=overdue (none is)", "/v1/orders?status=overdue&", False
    yield "origin=webhook", "/v1/orders?origin=webhook&", False
    yield "origin=manual (a few)", "/v1/orders?origin=manual&", False
    yield "source_id=", "/v1/orders?source_id=src_2&", False
    yield "status, currency and source together", "/v1/orders?status=failed&currency=USD&source_id=src_1&", False
    yield "until=", "/v1/orders?until=2026-01-15T00:00:00Z&", False
    yield "since=", "/v1/orders?since=2020-06-01T00:00:00Z&", False
    yield "q=, a word in a fifth of all titles", "/v1/orders?q=running&", False
    yield "q=, a word in no title", "/v1/orders?q=nowhere&", False
    yield "q=, an id", "/v1/orders?q=ext-1-77&", False
    yield "a rep's wallet", "/v1/orders?", True
    yield "  its status=canceled", "/v1/orders?status=canceled&", True
    yield "  its contact=", "/v1/orders?contact=crm-1&", True
    yield "contacts' report", "/v1/reports/contacts?cursor=&", False


def _sums() -> Iterator[tuple[str, str]]:
    """What is summed up over all orders: as long as there are orders."""
    yield "summary of the contact", "/v1/contacts/crm-0/summary"
    for what in ("month", "status", "source", "owner"):
        yield f"report by {what}", f"/v1/reports/orders?group_by={what}"
    yield "report of the last 30 days by status", "/v1/reports/orders?group_by=status&since=2026-10-25T00:00:00Z"


async def _place(house: House, path: str, token: str | None, far: bool) -> tuple[str, str]:
    """The address of page 1, or of page 1,000 or the last full one; and its number."""
    if "cursor=&" in path:  # the first page also works out the rule; what follows is what pages cost
        first = await house.get(path.replace("cursor=&", f"limit={PAGE}"), token)
        cursor = first["next_cursor"]
        path, number = path.replace("cursor=&", ""), 2
    else:
        cursor, number = None, 1
    url = f"{path}limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
    if not far:
        return url, str(number)
    while number < FAR:
        step = min(200, (FAR - number) * PAGE)
        page = await house.get(f"{path}limit={step}" + (f"&cursor={cursor}" if cursor else ""), token)
        if page["next_cursor"] is None:
            break
        cursor, number = page["next_cursor"], number + step // PAGE
        url = f"{path}limit={PAGE}&cursor={cursor}"
    return url, str(number)


async def turns(
    houses: list[House], urls: list[tuple[str, str]], tokens: Sequence[str | None], times: int
) -> tuple[float, float]:
    """Medians in microseconds, the houses in turns."""
    waits: list[list[float]] = [[] for _ in houses]
    for turn in range(times + 3):
        for at, house in enumerate(houses):
            begun = time.perf_counter()
            await house.get(urls[at][0], tokens[at])
            if turn >= 3:
                waits[at].append(time.perf_counter() - begun)
    small, large = (1e6 * statistics.median(wait) for wait in waits)
    return small, large


@asynccontextmanager
async def filled(
    engine: str,
    directory: Path,
    address: str,
    name: str,
    rows: int,
    fill: Callable[[Settings, str, int], Awaitable[None]],
) -> AsyncIterator[House]:
    """A running registry whose database has so many rows, put there by `fill` unless an earlier run has left it here."""
    note = directory / f"{engine}-{name}-{rows}.json"
    known = json.loads(note.read_text()) if note.exists() else {"key": make_key()}
    settings = await _settings(engine, directory, address, f"{name}_{rows}", known["key"], there="account" in known)
    async with _running(settings, known.get("account")) as house:
        if "account" not in known:
            await fill(settings, house.account, rows)
            note.write_text(json.dumps(known | {"account": house.account}))
        yield house


async def _settings(engine: str, directory: Path, address: str, name: str, key: str, *, there: bool) -> Settings:
    """The settings of a migrated database of this name; a new one unless it is there."""
    if engine == "sqlite":
        settings = read_settings(database_url=f"sqlite:///{directory / name}.db", master_key=key)
    else:
        if not there:
            connection = await asyncpg.connect(address)
            await connection.execute(f"CREATE DATABASE {name}")
            await connection.close()
        head, _, query = address.partition("?")
        url = f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
        settings = read_settings(database_url=url, master_key=key)
    await migrate(settings)
    return settings


@asynccontextmanager
async def _running(settings: Settings, account: str | None) -> AsyncIterator[House]:
    """A running registry with an account that is on; a new one unless it is named."""
    app = create_app(settings)
    await app.service.open()

    async def door(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "server": (IN_PROCESS, None)}, receive, send)

    try:
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://registry") as client,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://registry") as stranger,
        ):
            if account is None:
                made = await client.post("/operator/accounts", json={"name": "bench", "enable": True})
                account = made.json()["account_id"]
            yield House(client, stranger, account)
    finally:
        await app.service.close()


async def _rep(house: House) -> str:
    """A rep's token, once owner privacy is on."""
    who = {ACCOUNT_HEADER: house.account}
    await house.client.patch("/v1/account", json={"owner_privacy": True}, headers=who)
    await house.client.post("/v1/members", json={"name": "Rep", "role": "rep", "id": "rep"}, headers=who)
    made = await house.client.post("/v1/tokens", json={"role": "rep", "member_id": "rep"}, headers=who)
    token: str = made.json()["token"]
    return token


def _orders(account: str, rows: int) -> Iterator[tuple[Any, ...]]:
    """Made-up orders over six years, as they came in: late by up to a day."""
    dice = random.Random(11)
    present, span = clock.since("2026-11-24T00:00:00Z", 0), 6 * 365 * DAY
    people = max(rows // 10, 100)
    whose = bytearray(b"c" * OF_CONTACT + b"w" * WALLET_ORDERS + b"o" * rows)
    dice.shuffle(whose)
    for number, kind in enumerate(whose):
        deal, source = None, f"src_{number % SOURCES}"
        contact = f"cnt_{WALLET + 1 + dice.randrange(people)}"
        if kind == ord("c"):
            contact, deal = "cnt_0", "deal-0"
        elif kind == ord("w") and number % 5 == 0:
            deal = f"deal-{1 + dice.randrange(WALLET_DEALS)}"
        elif kind == ord("w"):
            contact = f"cnt_{1 + dice.randrange(WALLET)}"
        at = present - span + span * number // len(whose) - dice.randrange(DAY)
        status, currency = dice.choice(_STATUSES), dice.choice(_CURRENCIES)
        manual = (
            number % (len(whose) // MANUAL) == 7
        )  # as many in both accounts, so that both have the same combinations
        said = dict.fromkeys(COLUMNS) | {
            "account_id": account,
            "id": f"ord_{number:026d}",
            "scope": "manual" if manual else source,
            "external_id": f"ext-{number % SOURCES}-{number}",
            "source_id": None if manual else source,
            "origin": "manual" if manual else "webhook",
            "contact_id": contact,
            "deal_id": deal,
            "title": f"#{number} · {dice.choice(_TITLES)}",
            "value": dice.randrange(100, 100_000),
            "refunded_value": 0,
            "paid_value": 0,
            "notes": "[]",
            "currency": currency,
            "status": status,
            "source_status": status,
            "ordered_at": at,
            "paid_at": at if status == "paid" else None,
            "url": None,
            "test": False,
            "items": "[]",
            "created_at": at,
            "updated_at": at,
            "owner_id": _owner(contact),
            "deal_owner_id": deal and _deal_owner(deal),
        }
        yield tuple(said[name] for name in COLUMNS)


def _owner(contact: str) -> str | None:
    number = int(contact.removeprefix("cnt_"))
    return "rep" if 0 < number <= WALLET else "other" if number % 2 else None


def _deal_owner(deal: str) -> str:
    return "other" if deal == "deal-0" else "rep"


def _people(account: str, rows: int) -> Iterator[tuple[Any, ...]]:
    for number in range(WALLET + 1 + max(rows // 10, 100)):
        yield (
            account,
            f"cnt_{number}",
            f"crm-{number}",
            f"Contact {number}",
            _owner(f"cnt_{number}"),
            None,
            False,
            1,
            1,
            "[]",
        )


async def _fill(settings: Settings, account: str, rows: int) -> None:
    """Puts the rows in, past the application: only reads are measured here."""
    people = list(_people(account, rows))
    tables: list[tuple[str, tuple[str, ...], Any]] = [
        ("orders", COLUMNS, _orders(account, rows)),
        ("contacts", tuple(column.name for column in schema.contacts.columns), people),
        (
            "identities",
            tuple(column.name for column in schema.identities.columns),
            [(account, "crm", row[2], row[1], None, 1) for row in people],
        ),
        (
            "deals",
            tuple(column.name for column in schema.deals.columns),
            [
                (account, deal, "cnt_0", None, _deal_owner(deal), 1, 1)
                for deal in (f"deal-{number}" for number in range(WALLET_DEALS + 1))
            ],
        ),
        (
            "sources",
            tuple(column.name for column in schema.sources.columns),
            [
                (account, f"src_{number}", "standard", f"Shop {number}", True, "create", json.dumps({}), None, 1, None)
                for number in range(SOURCES)
            ],
        ),
    ]
    await load(settings, tables)


async def load(settings: Settings, tables: list[tuple[str, tuple[str, ...], Any]]) -> None:
    """Puts rows into tables (name, columns, rows), past the application."""
    if settings.on_sqlite:
        connection = sqlite3.connect(settings.database_path, isolation_level=None, timeout=60)
        for pragma in ("synchronous = OFF", "cache_size = -400000", "wal_autocheckpoint = 0"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        for table, columns, found in tables:
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", found)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return
    database = await asyncpg.connect(settings.database_url)
    for table, columns, found in tables:
        await database.copy_records_to_table(table, records=found, columns=columns, timeout=600)
    await database.execute("VACUUM ANALYZE", timeout=600)
    await database.close()
