"""The checks of `doctor`: what each found, whether it is well, and what to do if not."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.background.clock_guard import CONFIRM, ClockGuard
from app.base.clock import iso, now
from app.base.settings import Settings
from app.base.vault import Vault
from app.db import maintenance
from app.db.engine import Store, Unavailable
from app.db.migrate import differences, newest
from app.observability.readiness import ADVICE, DATABASE, WORDS, Readiness, lost_secrets
from app.store import delivery_rollups

LEAST_FREE = 1 << 30  # bytes
EACH = 6  # seconds for a check
COMPARED = 24  # hours of which the counts are compared with the log


@dataclass(frozen=True, slots=True)
class Finding:
    """Holds the result of one check."""

    check: str
    well: bool
    found: str
    advice: str = ""


async def examine(
    store: Store, vault: Vault, settings: Settings, readiness: Readiness, clock_guard: ClockGuard
) -> list[Finding]:
    """Run all checks. One that the database does not answer says so."""
    findings: list[Finding] = []
    checks: tuple[tuple[str, Callable[[], Awaitable[list[Finding]]]], ...] = (
        ("engine", lambda: _engine(store)),
        ("migrations", lambda: _migrations(store, settings)),
        ("disk", lambda: _disk(settings)),
        ("master key", lambda: _key(store, vault)),
        ("readiness", lambda: _readiness(readiness)),
        ("counts", lambda: _counts(store)),
        ("clock", lambda: _clock(clock_guard)),
    )
    for check, examined in checks:
        try:
            async with asyncio.timeout(EACH):  # somebody may hold a lock on what is looked at
                findings += await examined()
        except TimeoutError:
            findings.append(Finding(check, False, f"no answer within {EACH} s", ADVICE[DATABASE]))
        except Unavailable as fault:
            findings.append(Finding(check, False, str(fault)[:300], ADVICE[DATABASE]))
    return findings


async def _engine(store: Store) -> list[Finding]:
    engine = await maintenance.engine(store)
    version = engine.pop("version")
    shown = ", ".join(f"{name} {value}" for name, value in engine.items())
    if store.on_sqlite:
        durable = engine.get("journal_mode") == "wal" and engine.get("synchronous") == "2"
    else:
        durable = engine.get("fsync") == "on" and engine.get("synchronous_commit") in {"on", "remote_apply"}
    return [
        Finding("engine", True, f"{'SQLite' if store.on_sqlite else 'PostgreSQL'} {version}"),
        Finding("durability", durable, shown, "a commit may be lost with the power; see the settings named"),
    ]


async def _migrations(store: Store, settings: Settings) -> list[Finding]:
    at, head = await maintenance.revision(store), newest()
    found = [Finding("migrations", at == head, f"at {at}, this version needs {head}", "orders-registry migrate")]
    if at == head:
        different = await differences(settings)
        advice = "somebody has changed the tables: undo it, or restore a backup"
        found.append(Finding("schema", not different, "; ".join(different) or "as this version expects it", advice))
    return found


async def _readiness(readiness: Readiness) -> list[Finding]:
    with suppress(Unavailable):  # then the database says so itself
        await readiness.look_at_key()
    faults = await readiness.look()
    if not faults:
        return [Finding("readiness", True, "a delivery would be committed now")]
    return [Finding("readiness", False, f"{WORDS[name]}: {why}", ADVICE[name]) for name, why in faults.items()]


async def _counts(store: Store) -> list[Finding]:
    """Compare the statistics with the log."""
    wrong = await delivery_rollups.differences(store, now() - COMPARED * delivery_rollups.HOUR)
    found = f"those of the last {COMPARED} hours agree with the log"
    if wrong:
        first = wrong[0]
        found = (
            f"{len(wrong)} of the last {COMPARED} hours differ from the log; the first: {iso(first['hour'])} "
            f"{first['source_id']} {first['outcome']}, {first['counted']} counted and {first['logged']} in the log"
        )
    advice = "nothing is lost, and the log is right; this is a fault of ours: please report it"
    return [Finding("counts", not wrong, found, advice)]


async def _clock(clock_guard: ClockGuard) -> list[Finding]:
    why = await clock_guard.doubt()
    if why is None and not 2025 <= time.gmtime().tm_year < 2100:
        why = iso(now())
    advice = f"set the clock; where it is right, and nothing is pruned meanwhile: {CONFIRM}"
    return [Finding("clock", why is None, why or iso(now()), advice)]


async def _disk(settings: Settings) -> list[Finding]:
    if not settings.on_sqlite:
        return [Finding("disk", True, "the database server's own")]
    folder: Path = settings.database_path.parent
    free = shutil.disk_usage(folder).free
    return [Finding("disk", free >= LEAST_FREE, f"{free / (1 << 30):.1f} GB free", "make room, or move the database")]


async def _key(store: Store, vault: Vault) -> list[Finding]:
    sealed = await maintenance.sealed(store)
    lost = lost_secrets(vault, sealed)
    found = f"opens {len(sealed) - lost} of {len(sealed)} secrets and keys"
    return [Finding("master key", not lost, found, "add the key they were sealed with to ORDERS_MASTER_KEY")]


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """Return the findings for the API."""
    return [
        {"check": one.check, "well": one.well, "found": one.found, "advice": None if one.well else one.advice}
        for one in findings
    ]
