"""What only the operator may do, on the Unix socket: look up owners, maintain, sign."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints

from app.base.clock import iso
from app.db import maintenance
from app.observability import doctor
from app.store import tombstones
from app.web.http.errors import Problem, existing, invalid
from app.web.http.request import ApiRequest, Body, Query
from app.web.http.routing import route


class OwnerQuery(Query):
    """The id to look up."""

    id: Annotated[str, StringConstraints(min_length=5, max_length=64)]


class BackupBody(Body):
    """Where the copy goes."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


async def owner(asked: ApiRequest) -> dict[str, Any]:
    """Return the account that owns an id. The command line needs it: users give it ids alone."""
    thing = asked.query(OwnerQuery).id
    return {"account_id": existing(await maintenance.owner(asked.store, thing), f"thing as {thing}")}


async def examine(asked: ApiRequest) -> dict[str, Any]:
    """Check the installation."""
    service = asked.service
    findings = await doctor.examine(
        service.store, service.vault, service.settings, service.readiness, service.clock_guard
    )
    return {"well": all(one.well for one in findings), "checks": doctor.as_json(findings)}


async def back_up(asked: ApiRequest) -> dict[str, Any]:
    """Write a consistent copy of the database while the service runs."""
    if not asked.service.settings.on_sqlite:
        raise Problem("conflict", "on PostgreSQL use its own tools: pg_dump, or base backups with WAL archiving")
    path = _free(Path((await asked.body(BackupBody)).path))
    await maintenance.copy(asked.service.settings.database_path, path)
    return {"path": str(path), "bytes": path.stat().st_size}


def _free(path: Path) -> Path:
    """Return the path if a new file can be created there. Raises Problem."""
    if not path.is_absolute():
        raise invalid("path", "must be absolute")
    if path.exists():
        raise Problem("conflict", f"{path} is there already; a backup overwrites nothing")
    if not path.parent.is_dir():
        raise invalid("path", f"there is no folder {path.parent}")
    return path


async def confirm_clock(asked: ApiRequest) -> dict[str, Any]:
    """Confirm that the clock is right, after it was found to have jumped. Pruning then continues."""
    return {"clock": iso(await asked.service.clock_guard.confirm())}


async def reseal(asked: ApiRequest) -> dict[str, Any]:
    """Encrypt every secret and key again with the newest master key."""
    await tombstones.seal_salts(asked.store)
    count = await maintenance.reseal(asked.store, asked.service.vault.reseal)
    asked.service.source_cache.forget()
    return {"resealed": count}


ROUTES = [
    route("GET", "/operator/owner", owner, None, operator=True),
    route("GET", "/operator/doctor", examine, None, operator=True),
    route("POST", "/operator/backup", back_up, None, operator=True, status=201),
    route("POST", "/operator/confirm-clock", confirm_clock, None, operator=True),
    route("POST", "/operator/rotate-master-key", reseal, None, operator=True),
]
