"""What a delivery costs when all sources send at once, against Shopify alone.

Each adapter's samples that become an order (or a fetch) are made into new deliveries by writing new ids into them, and
signed. They enter the intake in this process, without HTTP (which costs every source the same), 64 at a time, onto a
SQLite database on a real disk, and are on it before they are answered. Fetches themselves are not part of it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

import adapters
from adapters.contract import Adapter, Delivery
from app.base import clock, samples
from app.base.outcome import Outcome
from app.base.settings import read_settings
from app.base.vault import make_key
from app.db.migrate import migrate
from app.ingest.parse import read
from app.ingest.receive import RawHeaders
from app.ingest.source_cache import Source
from app.service import Service
from app.store import accounts, sources
from app.web.http import serializers
from bench.harness import RUNS, fresh_directory
from tests.samples import secret_for

BAR = 1.3
AT_ONCE = 64
SECRET = "5a" * 32

Sent = tuple[Source, RawHeaders, bytes, bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m bench mixed` takes."""
    parser.add_argument("--deliveries", type=int, default=4000, help="in each turn (default 4000)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    parser.add_argument("--dir", type=Path, default=RUNS, help="where databases go while it runs; a real disk")


def run(given: argparse.Namespace) -> int:
    """Measure, print, and end with 0 whatever the figures."""
    console = Console()
    with fresh_directory(given.dir) as directory:
        names, alone, mixed = asyncio.run(_measure(directory, given.deliveries, given.rounds))
    left_out = sorted(set(adapters.names()) - set(names))
    one, all_ = statistics.median(alone), statistics.median(mixed)
    console.print(f"shopify alone  {one:8.0f} µs a delivery   {min(alone):.0f}-{max(alone):.0f}")
    console.print(f"all {len(names)} mixed   {all_:8.0f} µs a delivery   {min(mixed):.0f}-{max(mixed):.0f}")
    console.print(f"left out, because no new delivery could be made of a sample: {', '.join(left_out) or 'none'}")
    word = "pass" if all_ <= BAR * one else "miss"
    console.print(f"{word:>12}  mixed <= {BAR} x shopify  ({all_ / one:.2f})")
    return 0


class _Template:
    """A sample whose ids can be written anew: those of its orders and its own."""

    def __init__(self, adapter: Adapter[Any], said: dict[str, Any], body: bytes, options: Any) -> None:
        self._adapter, self._said, self._body = adapter, said, body
        self._scheme = adapter.scheme(options)
        self._ids: re.Pattern[bytes] | None = None

    def knows(self, *ids: str | None) -> None:
        """What its ids are; parts that are joined by `:` or `/` may stand apart."""
        words = {word.encode() for one in ids if one for word in re.split("[:/?]", one) if len(word) > 2}
        words.discard(str(self._said.get("kind")).encode())
        if words:
            found = b"|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
            self._ids = re.compile(b"(?<![0-9A-Za-z])(?:" + found + b")(?![0-9A-Za-z])")

    def delivery(self, number: int, present: datetime, url: str) -> Delivery:
        """The sample with its ids ending in `number`, signed; as it is before it knows any."""

        def renumber(found: re.Match[bytes]) -> bytes:
            return found[0][:-8] + f"{number:08d}".encode()

        def again(text: str) -> str:
            return again_bytes(text.encode()).decode()

        def again_bytes(text: bytes) -> bytes:
            return self._ids.sub(renumber, text) if self._ids else text

        unsigned = Delivery(
            body=again_bytes(self._body),
            headers={name: again(value) for name, value in self._said.get("headers", {}).items()},
            query={name: again(value) for name, value in self._said.get("query", {}).items()},
            received_at=present,
            url=url,
        )
        return self._scheme.sign(unsigned, secret_for(self._adapter, SECRET), present)


async def _measure(directory: Path, count: int, rounds: int) -> tuple[list[str], list[float], list[float]]:
    settings = read_settings(database_url=f"sqlite:///{directory / 'orders.db'}", master_key=make_key())
    await migrate(settings)
    registry = Service(settings, shown=serializers.order)
    await registry.store.open()
    registry.group_commit.start()
    try:
        account = (await accounts.create(registry.store, "bench", enable=True))[0]
        made = [found async for found in _templates(registry, account)]
        numbers = iter(range(30_000_000, 100_000_000))
        only = [pair for pair in made if pair[0].adapter.name == "shopify"]
        alone: list[float] = []
        mixed: list[float] = []
        for _ in range(rounds):
            alone.append(await _turn(registry, _sent(only, numbers, count)))
            mixed.append(await _turn(registry, _sent(made, numbers, count)))
        return sorted({source.adapter.name for source, _ in made}), alone, mixed
    finally:
        await registry.group_commit.stop()
        await registry.store.close()


async def _templates(registry: Service, account: str) -> AsyncIterator[tuple[Source, _Template]]:
    present = clock.moment(clock.now())
    for name in adapters.names():
        adapter = adapters.load(name)
        source: Source | None = None
        for _, said, body in samples.cases(name):
            options = adapter.options.model_validate(said.get("options", {}))
            template = _Template(adapter, said, body, options)
            if source is None or source.options != options:
                source = await _source(registry, account, adapter, said.get("options", {}))
            plain = template.delivery(0, present, source.url)
            rec = read(source, plain, clock.now())
            given = adapter.delivery_id_of(plain, options)
            template.knows(*(name for one in rec.statements for name in one.names), given, rec.path)
            first, second = (
                read(source, template.delivery(number, present, source.url), clock.now())
                for number in (11_111_111, 22_222_222)
            )
            named = [[one.names[0] for one in rec.statements] for rec in (first, second)]
            fetching = first.outcome is Outcome.FETCHING and first.path != second.path
            if (fetching or (first.statements and named[0] != named[1])) and first.dedupe_key != second.dedupe_key:
                yield source, template


async def _source(registry: Service, account: str, adapter: Adapter[Any], options: dict[str, Any]) -> Source:
    source_id = await sources.add(
        registry.store, account, adapter=adapter.name, name=adapter.name, unknown_contacts="create", options=options,
        sealed_key=None, sealed_secret=registry.vault.seal(secret_for(adapter, SECRET)),
    )  # fmt: skip
    found = await registry.source_cache.source(source_id)
    assert found is not None
    return found


def _sent(made: list[tuple[Source, _Template]], numbers: Iterator[int], count: int) -> list[Sent]:
    present = clock.moment(clock.now())
    by_name: dict[str, list[tuple[Source, _Template]]] = {}
    for source, template in made:
        by_name.setdefault(source.adapter.name, []).append((source, template))
    families = list(by_name.values())
    found = []
    for at in range(count):
        family = families[at % len(families)]
        source, template = family[at // len(families) % len(family)]
        one = template.delivery(next(numbers), present, source.url)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in one.headers.items()]
        query = "&".join(f"{name}={value}" for name, value in one.query.items()).encode()
        found.append((source, headers, query, one.body))
    return found


async def _turn(registry: Service, sent: list[Sent]) -> float:
    """Microseconds a delivery."""
    waiting = iter(sent)

    async def client() -> None:
        for source, headers, query, body in waiting:
            answer = await registry.receiver.receive(source, headers, query, body)
            assert answer.status == 200, (source.adapter.name, answer)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return (time.perf_counter() - begun) * 1e6 / len(sent)
