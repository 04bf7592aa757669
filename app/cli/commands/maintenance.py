"""`migrate`, `doctor`, `backup`, `rotate-master-key`: maintenance of an installation."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import ApiClient, locked, settings_of
from app.cli.command import Answer, command, group
from app.cli.output import CommandFailed, listed

main = group("Upkeep.")


@command(main, "migrate", "migrate")
def migrate() -> Any:
    """Migrate the database to this version's schema. Safe to repeat; `serve` does it by itself."""
    import asyncio

    from app.db.engine import Unavailable
    from app.db.migrate import Newer
    from app.db.migrate import migrate as run

    settings = settings_of()
    with locked("migrate", settings) as mine:
        if not mine:
            raise CommandFailed("a server is running on this database; it migrated when it started")
        try:
            before, after = asyncio.run(run(settings))
        except (Newer, Unavailable, OSError) as why:
            raise CommandFailed(str(why)) from None
    return {"before": before, "after": after}


CHECKS: dict[str, Any] = {
    "check": "check",
    "": lambda one: "well" if one["well"] else "NOT WELL",
    "found": "found",
    "what to do": lambda one: one["advice"] or "",
}


@command(main, "doctor", "doctor", "doctor --make-key", show=listed(CHECKS, of="checks"), migrates=False)
def doctor(
    client: ApiClient,
    make_key: Annotated[bool, typer.Option("--make-key", help="Print a new master key, and check nothing.")] = False,
) -> Any:
    """Check the installation: engine, durability, migrations, disk, master key, clock."""
    if make_key:
        from app.base.vault import make_key as made

        print(made())
        return None
    found = client.get("/operator/doctor")
    # On PostgreSQL servers run where they like: nobody here knows.
    found["server_running"] = client.running if client.settings.on_sqlite else None
    return Answer(found, found, None if found["well"] else "the installation has problems")


@command(main, "backup", "backup /var/backups/orders.db")
def backup(client: ApiClient, file: Path) -> Any:
    """Copy a SQLite database, also while it serves. Store the master key elsewhere."""
    return client.post("/operator/backup", {"path": str(file.absolute())})


@command(main, "rotate-master-key", "rotate-master-key")
def rotate_master_key(client: ApiClient) -> Any:
    """Encrypt every secret again with the newest key in ORDERS_MASTER_KEY. Older keys can then be removed.

    First start the server with both keys, the new one first: ORDERS_MASTER_KEY=NEW,OLD. On SQLite the old key is in
    master.key beside the database. Keep it as long as you keep backups from its time.
    """
    return client.post("/operator/rotate-master-key")
