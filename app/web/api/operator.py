"""What only the operator may do, on the Unix socket: look up owners, maintain, sign."""

from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints
from starlette.responses import Response
from starlette.routing import Route

from app.base.clock import iso
from app.db import maintenance
from app.observability import doctor
from app.store import tombstones
from app.web.http.errors import Problem, invalid, not_found
from app.web.http.request import ApiRequest, Body, Query, answer
from app.web.http.routing import route


class OwnerQuery(Query):
    """The id to look up."""

    id: Annotated[str, StringConstraints(min_length=5, max_length=64)]


class BackupBody(Body):
    """Where the copy goes."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


async def owner(asked: ApiRequest) -> Response:
    """Return the account that owns an id. The command line needs it: users give it ids alone."""
    thing = asked.query(OwnerQuery).id
    account_id = await maintenance.owner(asked.service.store, thing)
    if account_id is None:
        raise not_found(f"thing as {thing[:64]}")
    return answer({"account_id": account_id})


async def examine(asked: ApiRequest) -> Response:
    """Check the installation."""
    service = asked.service
    findings = await doctor.examine(
        service.store, service.vault, service.settings, service.readiness, service.clock_guard
    )
    return answer({"well": all(one.well for one in findings), "checks": doctor.as_json(findings)})


async def back_up(asked: ApiRequest) -> Response:
    """Write a consistent copy of the database while the service runs."""
    if not asked.service.settings.on_sqlite:
        raise Problem("conflict", "on PostgreSQL use its own tools: pg_dump, or base backups with WAL archiving")
    path = _free(Path((await asked.body(BackupBody)).path))
    await maintenance.copy(asked.service.settings.database_path, path)
    return answer({"path": str(path), "bytes": path.stat().st_size}, 201)


def _free(path: Path) -> Path:
    """Return the path if a new file can be created there. Raises Problem."""
    if not path.is_absolute():
        raise invalid("path", "must be absolute")
    if path.exists():
        raise Problem("conflict", f"{path} is there already; a backup overwrites nothing")
    if not path.parent.is_dir():
        raise invalid("path", f"there is no folder {path.parent}")
    return path


async def confirm_clock(asked: ApiRequest) -> Response:
    """Confirm that the clock is right, after it was found to have jumped. Pruning then continues."""
    return answer({"clock": iso(await asked.service.clock_guard.confirm())})


async def reseal(asked: ApiRequest) -> Response:
    """Encrypt every secret and key again with the newest master key."""
    await tombstones.seal_salts(asked.service.store)
    count = await maintenance.reseal(asked.service.store, asked.service.vault.reseal)
    asked.service.source_cache.forget()
    return answer({"resealed": count})


ROUTES: list[Route] = [
    route("GET", "/operator/owner", owner, None, operator=True),
    route("GET", "/operator/doctor", examine, None, operator=True),
    route("POST", "/operator/backup", back_up, None, operator=True),
    route("POST", "/operator/confirm-clock", confirm_clock, None, operator=True),
    route("POST", "/operator/rotate-master-key", reseal, None, operator=True),
]
