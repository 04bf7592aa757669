"""Reads of a large delivery log: do a page and the overview cost the same with a million deliveries as with ten thousand?

Both logs are filled with rows made up here, over the same thirty days, each in a database of its own: four sources, one of
which came only in the oldest tenth; a kind that one delivery in ten thousand has; a contact with 2,000 deliveries. Pages of
fifty are read through the application (in this process, without a port): page 1 for every filter, and page 1,000 (or the
last one there is) where there are many, the two logs in turns. The overview's roll-ups are per hour, source and outcome: each of these is there in
both, with other counts. The figure is the median; the bar is the ratio of the large log's to the small one's.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.base import clock
from app.base.ids import first_id
from app.base.settings import Settings
from app.db import schema
from app.store.delivery_rollups import HOUR
from bench.registry import BAR, House, add_places, filled, load, on_engines, turns

PAGE = 50
FAR = 1_000  # the far page
DAYS = 30
OF_CONTACT = 2_000  # deliveries of the one contact, in both logs
HELD = 100  # deliveries that wait for their contact, in both logs
SOURCES = 4  # the last one is long silent
_OUTCOMES = ("created",) * 60 + ("updated",) * 25 + ("unchanged",) * 9 + ("ignored",) * 5 + ("unreadable",)
_KINDS = ("orders/paid",) * 70 + ("orders/updated",) * 29 + ("refunds/create",)
_HISTORY = 5  # one delivery in so many has a history, the contact's apart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench log` takes."""
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--small", type=int, default=10_000, help="deliveries in the small log")
    parser.add_argument("--large", type=int, default=1_000_000, help="in the large one")
    parser.add_argument("--times", type=int, default=30, help="reads of each page (default 30)")
    add_places(parser)


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures."""
    return on_engines(given, _measure)


async def _measure(console: Console, engine: str, directory: Path, address: str, given: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        houses = []
        for name, deliveries in (("small", given.small), ("large", given.large)):
            begun = time.perf_counter()
            house = await stack.enter_async_context(
                filled(engine, directory, address, f"log_{name}", deliveries, _fill)
            )
            console.print(f"{engine}: {deliveries:,} deliveries in {time.perf_counter() - begun:.0f} s")
            houses.append(house)
        if given.fill:
            return
        shown = Table("what is read", ">page", "µs small", "µs large", "ratio", "", title=engine)
        worst = 0.0
        for words, path in _reads():
            for far in (False, True) if words in _FAR else (False,):
                urls = [await _place(house, path, far) for house in houses]
                small, large = await turns(houses, urls, [None, None], given.times)
                worst = max(worst, ratio := large / small)
                console.print(f"  {words}, page {urls[1][1]}: {ratio:.2f}", style="dim")
                verdict = "pass" if ratio <= BAR else "miss"
                shown.add_row(words, urls[1][1], f"{small:.0f}", f"{large:.0f}", f"{ratio:.2f}", verdict)
        console.print(shown)
        console.print(f"{'pass' if worst <= BAR else 'miss':>12}  large <= {BAR} x small for every page ({worst:.2f})")


def _reads() -> Iterator[tuple[str, str]]:
    """What, and where."""
    log = "/v1/deliveries?"
    yield "the log", log
    yield "source_id=", f"{log}source_id=src_1&"
    yield "source_id= of one long silent", f"{log}source_id=src_{SOURCES - 1}&"
    yield "outcome=created", f"{log}outcome=created&"
    yield "outcome=unreadable", f"{log}outcome=unreadable&"
    yield "outcome=unfetched (none is)", f"{log}outcome=unfetched&"
    yield "source and outcome together", f"{log}source_id=src_2&outcome=unreadable&"
    yield "  of one long silent, created", f"{log}source_id=src_{SOURCES - 1}&outcome=created&"
    yield "kind=, frequent", f"{log}kind=orders/paid&"
    yield "kind=, one in ten thousand", f"{log}kind=shop/redact&"
    yield "kind=, none", f"{log}kind=nothing&"
    yield "external_id=", f"{log}external_id=ext-77&"
    yield "contact=, with 2,000", f"{log}contact=crm-0&"
    yield "contact= and outcome", f"{log}contact=crm-0&outcome=unreadable&"
    yield "since=", f"{log}since=2026-11-10T00:00:00Z&"
    yield "until=", f"{log}until=2026-11-10T00:00:00Z&"
    yield "since= and until=, one day", f"{log}since=2026-11-09T00:00:00Z&until=2026-11-10T00:00:00Z&"
    yield "q=, words in one reason of a hundred", f"{log}q=price&"
    yield "q=, words in no reason", f"{log}q=nowhere&"
    yield "q=, an external id", f"{log}q=ext-77&"
    yield "outcome= and q=", f"{log}outcome=unreadable&q=price&"
    for days in (1, 7, DAYS):
        since = clock.iso(_present() - days * 24 * HOUR)
        yield f"overview, {days} d", f"/v1/stats?since={since}&until={clock.iso(_present())}&"


_FAR = ("the log", "source_id=", "outcome=created", "kind=, frequent", "contact=, with 2,000", "since=")


def _present() -> int:
    return clock.since("2026-11-24T00:00:00Z", 0)


async def _place(house: House, path: str, far: bool) -> tuple[str, str]:
    """The address of page 1, or of page 1,000 or the last one; and its number."""
    if not path.startswith("/v1/deliveries"):
        return path.rstrip("&"), "1"
    url, number = f"{path}limit={PAGE}", 1
    while far and number < FAR:
        step = min(200, (FAR - number) * PAGE)
        page = await house.get(f"{url.replace(f'limit={PAGE}', f'limit={step}')}")
        if page["next_cursor"] is None:
            break
        number += step // PAGE
        url = f"{path}limit={PAGE}&cursor={page['next_cursor']}"
    return url, str(number)


def _deliveries(account: str, many: int) -> Iterator[tuple[Any, ...]]:
    """Made-up log rows, oldest first."""
    dice = random.Random(11)
    begin, width = _present() - DAYS * 24 * HOUR, DAYS * 24 * HOUR // many
    of_contact = max(many // OF_CONTACT, 1)
    for number in range(many):
        at = begin + number * width
        awake = SOURCES if number < many // 10 else SOURCES - 1
        outcome = "held" if number % max(many // HELD, 1) == 1 else dice.choice(_OUTCOMES)
        reason = f"line_items.{number % 3}.price is missing" if outcome == "unreadable" else None
        order = f"ord_{number // 2:026d}" if number % _HISTORY == 0 or number % of_contact == 0 else None
        yield (
            account,
            _id(at, number),
            f"src_{number % awake}",
            f"{dice.getrandbits(64):x}",
            "0" * 32,
            "shop/redact" if number % 10_000 == 5_000 else dice.choice(_KINDS),
            f"ext-{number // 2}",
            outcome,
            reason,
            "[]",
            "mac",
            f'["{order}"]' if order else "[]",
            at,
            at + 5_000,
            1,
            0,
            None,
            f"{dice.getrandbits(64):x}",
        )


def _id(at: int, number: int) -> str:
    return f"{first_id('dlv', at + 1_000)[:-8]}{number:08d}"


def _history(account: str, many: int) -> Iterator[tuple[Any, ...]]:
    begin, width = _present() - DAYS * 24 * HOUR, DAYS * 24 * HOUR // many
    of_contact, whose = max(many // OF_CONTACT, 1), _whose(many)
    for number in range(many):
        if number % _HISTORY == 0 or number % of_contact == 0:
            at = begin + number * width
            order, person = f"ord_{number // 2:026d}", f"cnt_{whose[number // 2]}"
            yield account, order, at, number % 2, "0" * 16, at, _id(at, number), None, "{}", person


def _whose(many: int) -> dict[int, int]:
    """Which order is of which contact: the one with many, or one of the others."""
    of_contact = max(many // OF_CONTACT, 1)
    whose: dict[int, int] = {}
    for number in range(many):
        if number % of_contact == 0:
            whose[number // 2] = 0
        elif number % _HISTORY == 0:
            whose.setdefault(number // 2, 1 + number % max(many // 10, 1))
    return whose


def _orders(account: str, many: int) -> Iterator[tuple[Any, ...]]:
    columns = [column.name for column in schema.orders.columns]
    for order, person in _whose(many).items():
        said = dict.fromkeys(columns) | {
            "account_id": account,
            "id": f"ord_{order:026d}",
            "scope": f"src_{order % SOURCES}",
            "external_id": f"ext-{order}",
            "source_id": f"src_{order % SOURCES}",
            "origin": "commerce",
            "contact_id": f"cnt_{person}",
            "title": f"#{order}",
            "value": 100,
            "refunded_value": 0,
            "paid_value": 100,
            "notes": "[]",
            "currency": "BRL",
            "status": "paid",
            "ordered_at": order,
            "test": False,
            "items": "[]",
            "created_at": 1,
            "updated_at": 1,
        }
        yield tuple(said[name] for name in columns)


def _tallies(account: str, many: int) -> Iterator[tuple[Any, ...]]:
    begin, outcomes = _present() - DAYS * 24 * HOUR, sorted(set(_OUTCOMES))
    count = max(many // (DAYS * 24 * SOURCES * len(outcomes)), 1)
    for hour in range(DAYS * 24):
        at = begin + hour * HOUR
        for source in range(SOURCES):
            for outcome in outcomes:
                yield account, f"src_{source}", at, outcome, 0, count, at, at + HOUR - 1


async def _fill(settings: Settings, account: str, many: int) -> None:
    """Puts the rows in, past the application: only reads are measured here."""
    latencies = (
        (account, _present() - (hour + 1) * HOUR, bucket, 0, many) for hour in range(DAYS * 24) for bucket in range(20)
    )
    person = (account, "cnt_0", "crm-0", "Contact 0", None, None, False, 1, 1, "[]")
    rows: list[tuple[str, Any]] = [
        (
            "sources",
            [
                (account, f"src_{number}", "standard", f"Shop {number}", True, "create", "{}", None, 1, None)
                for number in range(SOURCES)
            ],
        ),
        ("contacts", [person]),
        ("identities", [(account, "crm", "crm-0", "cnt_0", None, 1)]),
        ("deliveries", _deliveries(account, many)),
        ("orders", _orders(account, many)),
        ("history", _history(account, many)),
        ("tallies", _tallies(account, many)),
        ("latencies", latencies),
    ]
    await load(
        settings,
        [
            (table, tuple(column.name for column in schema.metadata.tables[table].columns), found)
            for table, found in rows
        ],
    )
