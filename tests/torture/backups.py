"""Backups and restores while it serves; another master key; rotation of the key, killed half-way."""

import asyncio
import subprocess
import time

from tests.torture.invariants import rows_of_file
from tests.torture.load import Load
from tests.torture.server import KEY, OTHER_KEY, PROGRAM, Server
from tests.torture.source import Line, event
from tests.torture.trial import Trial
from tests.torture.waiting import do

ORDERS = {"created", "updated", "unchanged"}
BACKUPS = 3


async def copies(trial: Trial, server: Server, load: Load) -> str | None:
    """Make copies under load; each holds what was acknowledged before it began. Returns the last one's address."""
    for number in range(BACKUPS):
        before = list(load.acknowledged.values())
        copy = trial.folder / f"copy{number}"
        if trial.engine == "sqlite":
            await do(server.cli, "backup", copy)
            rows = rows_of_file(copy)
            trial.must(copy.stat().st_mode & 0o077 == 0, "others can read the backup")
        else:
            address = trial.database.url()
            dump = [str(trial.database.programs / "pg_dump"), "-Fc", "-f", str(copy), "-d", address]
            await do(subprocess.run, dump, check=True)
            restored = await do(trial.database.fresh, copy.name)
            words = [str(trial.database.programs / "pg_restore"), "-d", restored, str(copy)]
            await do(subprocess.run, words, check=True)

            def rows(sql: str, name: str = copy.name) -> list[dict[str, object]]:
                return trial.database.rows(sql, name)

        trial.invariants(rows, before, ORDERS, f"backup {number}: ")
        trial.figures[f"backup_{number}"] = len(before)
    return trial.database.url(f"copy{BACKUPS - 1}") if trial.engine == "postgresql" else None


async def refused(trial: Trial, server: Server) -> None:
    """A backup overwrites nothing, and one that is killed leaves nothing under its name (SQLite)."""
    copy, killed = trial.folder / "copy0", trial.folder / "killed"
    trial.must((await do(server.cli, "backup", copy, check=False)).returncode, "a backup overwrites a file")
    command = [*PROGRAM, "backup", str(killed)]
    for _ in range(3):
        process = subprocess.Popen(command, env=server.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await asyncio.sleep(trial.random.uniform(0.3, 1.5))
        process.kill()
        await do(process.wait)
        if killed.exists():
            rows_of_file(killed)  # whole, or not there
            killed.unlink()


def restored(trial: Trial, name: str, url: str | None, token: str, **env: str) -> Server:
    """A server on the last copy."""
    server = trial.server(name, url=url or f"sqlite:///{trial.folder}/{name}/orders.db", **env)
    if url is None:
        server.file.write_bytes((trial.folder / f"copy{BACKUPS - 1}").read_bytes())
    server.token = token
    return server


async def run(trial: Trial) -> None:
    """Copies under load are whole and can be served; a wrong key is red; a rotation that is killed can be done again."""
    server = trial.server(workers=2 if trial.engine == "postgresql" else 1)
    await do(server.prepare)
    source = await do(server.source)
    load = Load(server, source, trial.random, clients=8).start()
    await asyncio.sleep(1.5)
    url = await copies(trial, server, load)
    if trial.engine == "sqlite":
        await refused(trial, server)

    again = restored(trial, "restored", url, server.token)
    await do(again.start)
    trial.must((await do(again.cli, "doctor", check=False)).returncode == 0, "doctor is not well with a restored copy")
    status, answer = await source.send(Line(again.port), event("restored"), "restored")
    trial.must((status, answer["outcome"]) == (200, "created"), f"a restored copy answers {status} {answer}")
    trial.must(await do(again.stop) == 0, "SIGTERM does not end a restored one well")

    wrong = restored(trial, "wrong", url, server.token, ORDERS_MASTER_KEY=OTHER_KEY)
    doctor = await do(wrong.cli, "doctor", check=False)
    trial.must(doctor.returncode == 1 and "master key" in doctor.stdout, "doctor does not find the wrong master key")
    with (trial.folder / "wrong.log").open("wb") as out:
        wrong.process = subprocess.Popen(
            [*PROGRAM, "serve"], cwd=wrong.folder, env=wrong.env, stdout=out, stderr=out, start_new_session=True
        )
    await trial.becomes(wrong, 503, 30)
    status, answer = await source.send(Line(wrong.port), event("wrong"), "wrong")
    trial.must(status == 503, f"with a wrong master key a delivery is answered {status} {answer}")
    trial.must("master key" in wrong.said(), "the log does not say that the master key is wrong")
    trial.must(await do(wrong.stop) == 0, "SIGTERM does not end it well with a wrong master key")

    await rotation(trial, server)
    before = time.monotonic()
    await trial.recovers(load, before)
    await load.stop()
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.invariants(server.rows, load.acknowledged.values(), ORDERS)
    trial.figures["acknowledged"] = len(load.acknowledged)
    if trial.engine == "sqlite":
        kept = b"".join(file.read_bytes() for file in server.folder.glob("orders.db*"))
        for secret in (source.secret, source.secret.removeprefix("whsec_"), server.token):
            trial.must(secret.encode() not in kept, "a secret is in the clear in the database")


async def rotation(trial: Trial, server: Server) -> None:
    """Both keys, a restart, the rotation killed four times and then done, a restart with the new key alone."""
    for _ in range(20):
        await do(server.source)
    await do(server.stop)
    server.env["ORDERS_MASTER_KEY"] = f"{OTHER_KEY},{KEY}"
    await do(server.start)
    command = [*PROGRAM, "rotate-master-key"]
    for _ in range(4):
        process = subprocess.Popen(command, env=server.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await asyncio.sleep(trial.random.uniform(0.3, 1.5))
        process.kill()
        await do(process.wait)
    await do(server.cli, "rotate-master-key")
    await do(server.stop)
    server.env["ORDERS_MASTER_KEY"] = OTHER_KEY
    await do(server.start)
    trial.must(
        (await do(server.cli, "doctor", check=False)).returncode == 0, "doctor is not well with the new key alone"
    )
