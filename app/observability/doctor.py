"""The checks of `doctor`: what each found, whether it is well, and what to do if not."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.settings import Settings
from app.base.vault import Sealed, Vault
from app.db import maintenance
from app.db.engine import Store
from app.db.migrate import newest

LEAST_FREE = 1 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """Holds the result of one check."""

    check: str
    well: bool
    found: str
    advice: str = ""


async def examine(store: Store, vault: Vault, settings: Settings) -> list[Finding]:
    """Run all checks. Raises Unavailable."""
    engine = await maintenance.engine(store)
    version = engine.pop("version")
    findings = [Finding("engine", True, f"{'SQLite' if store.on_sqlite else 'PostgreSQL'} {version}")]
    shown = ", ".join(f"{name} {value}" for name, value in engine.items())
    if store.on_sqlite:
        durable = engine.get("journal_mode") == "wal" and engine.get("synchronous") == "2"
    else:
        durable = engine.get("fsync") == "on" and engine.get("synchronous_commit") in {"on", "remote_apply"}
    findings.append(
        Finding("durability", durable, shown, "a commit may be lost with the power; see the settings named")
    )
    at, head = await maintenance.revision(store), newest()
    findings.append(Finding("migrations", at == head, f"at {at}, this version needs {head}", "orders-registry migrate"))
    findings.append(_disk(settings))
    findings.append(await _key(store, vault))
    year = time.gmtime().tm_year
    findings.append(
        Finding("clock", 2025 <= year < 2100, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "set the clock")
    )
    return findings


def _disk(settings: Settings) -> Finding:
    if not settings.on_sqlite:
        return Finding("disk", True, "the database server's own")
    folder: Path = settings.database_path.parent
    free = shutil.disk_usage(folder).free
    return Finding("disk", free >= LEAST_FREE, f"{free / (1 << 30):.1f} GB free", "make room, or move the database")


async def _key(store: Store, vault: Vault) -> Finding:
    sealed = await maintenance.sealed(store)
    lost = 0
    for row in sealed:
        try:
            vault.open(row["sealed"])
        except Sealed:
            lost += 1
    found = f"opens {len(sealed) - lost} of {len(sealed)} secrets and keys"
    return Finding("master key", not lost, found, "add the key they were sealed with to ORDERS_MASTER_KEY")


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """Return the findings for the API."""
    return [
        {"check": one.check, "well": one.well, "found": one.found, "advice": None if one.well else one.advice}
        for one in findings
    ]
