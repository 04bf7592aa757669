"""`migrate`, `doctor`, `backup`, `rotate-master-key`: maintenance of an installation."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import CommandFailed, Json, as_json, command, facts, group, table

main = group("Upkeep.")


@command(main, "migrate", "migrate")
def migrate(json: Json = False) -> None:
    """Migrate the database to this version's schema. Safe to repeat; `serve` does it by itself."""
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
            raise CommandFailed("a server is running on this database; it migrated when it started")
        before, after = asyncio.run(run(settings))
    except (AlreadyLocked, Newer, Unavailable, OSError) as why:
        raise CommandFailed(str(why)) from None
    finally:
        if lock:
            lock.release()
    as_json({"before": before, "after": after}) if json else facts({"before": before, "after": after})


@command(main, "doctor", "doctor", "doctor --make-key")
def doctor(
    make_key: Annotated[bool, typer.Option("--make-key", help="Print a new master key, and check nothing.")] = False,
    json: Json = False,
) -> None:
    """Check the installation: engine, durability, migrations, disk, master key, clock."""
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
        raise CommandFailed("the installation has problems")


@command(main, "backup", "backup /var/backups/orders.db")
def backup(file: Path, json: Json = False) -> None:
    """Copy a SQLite database, also while it serves. Store the master key elsewhere."""
    from app.cli.client import opened

    with opened("backup") as door:
        made = door.post("/operator/backup", {"path": str(file.absolute())})
    as_json(made) if json else facts(made)


@command(main, "rotate-master-key", "rotate-master-key")
def rotate_master_key(json: Json = False) -> None:
    """Encrypt every secret again with the newest key in ORDERS_MASTER_KEY. Older keys can then be removed.

    First start the server with both keys, the new one first: ORDERS_MASTER_KEY=NEW,OLD. On SQLite the old key is in
    master.key beside the database. Keep it as long as you keep backups from its time.
    """
    from app.cli.client import opened

    with opened("rotate-master-key") as door:
        made = door.post("/operator/rotate-master-key")
    as_json(made) if json else facts(made)
