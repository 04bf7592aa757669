"""`migrate`, `doctor`, `backup`, `rotate-master-key`: what keeps an installation sound."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import CommandFailed, Json, as_json, command, facts, group, table

main = group("Upkeep.")


@command(main, "migrate", "migrate")
def migrate(json: Json = False) -> None:
    """Bring the database to this version's schema. Safe to run again; `serve` does it by itself."""
    import asyncio

    from app.base.file_lock import AlreadyLocked, FileLock
    from app.cli.client import answers, settings_of
    from app.db.engine import Unavailable
    from app.db.migrate import Newer
    from app.db.migrate import migrate as run

    settings = settings_of()
    lock = FileLock(settings, "migrate") if settings.on_sqlite else None
    try:
        if lock and not lock.wait(unless=lambda: answers(settings)):
            raise CommandFailed("a server runs on this database, and it migrated when it started")
        before, after = asyncio.run(run(settings))
    except (AlreadyLocked, Newer, Unavailable, OSError) as why:
        raise CommandFailed(str(why)) from None
    finally:
        if lock:
            lock.release()
    as_json({"before": before, "after": after}) if json else facts({"before": before, "after": after})


@command(main, "doctor", "doctor", "doctor --make-key")
def doctor(
    make_key: Annotated[bool, typer.Option("--make-key", help="Only print a new master key.")] = False,
    json: Json = False,
) -> None:
    """Examine the installation: engine, durability, migrations, disk, master key, clock."""
    if make_key:
        from app.base.vault import make_key as made

        print(made())
        return
    from app.cli.client import opened

    with opened("doctor", migrates=False) as door:
        found = door.get("/operator/doctor")
        # On PostgreSQL servers run where they like: nobody here knows.
        found["server_running"] = door.running if door.settings.on_sqlite else None
    if json:
        as_json(found)
    else:
        rows = [
            (one["check"], "well" if one["well"] else "NOT WELL", one["found"], one["advice"] or "")
            for one in found["checks"]
        ]
        table(None, ("check", "", "found", "what to do"), rows)
    if not found["well"]:
        raise CommandFailed("not everything is well")


@command(main, "backup", "backup /var/backups/orders.db")
def backup(file: Path, json: Json = False) -> None:
    """Copy a SQLite database while it serves. Keep the master key apart from it, and safe."""
    from app.cli.client import opened

    with opened("backup") as door:
        made = door.post("/operator/backup", {"path": str(file.absolute())})
    as_json(made) if json else facts(made)


@command(main, "rotate-master-key", "rotate-master-key")
def rotate_master_key(json: Json = False) -> None:
    """Seal every secret anew with the newest key of ORDERS_MASTER_KEY; then the older ones can be taken out.

    First start the server with both keys, the newer one first: ORDERS_MASTER_KEY=NEWER,OLDER. On SQLite the older one
    is what stands in master.key beside the database. Keep it for as long as you keep backups of that time.
    """
    from app.cli.client import opened

    with opened("rotate-master-key") as door:
        made = door.post("/operator/rotate-master-key")
    as_json(made) if json else facts(made)
