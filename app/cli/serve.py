"""`serve`: migrates, then serves until it is told to end."""

import os
from typing import Annotated

import typer

from app.cli.output import Misuse, command, group, on_terminal

main = group("Serve the registry.")

SERVE = """Migrate, then serve.

Ends in good order on SIGTERM, SIGHUP, SIGQUIT and Ctrl-C: what was accepted is committed and answered first.

Settings, from the environment (all faults are named at once):

\b
ORDERS_DATABASE_URL    sqlite:///data/orders.db, unless set;
                       or postgresql://user:password@host/name
ORDERS_MASTER_KEY      encrypts secrets and keys at rest; newest first,
                       with commas; made once beside the database on
                       SQLite (mode 0600), required with PostgreSQL
ORDERS_HOST            address to listen on (127.0.0.1)
ORDERS_PORT            port to listen on (8080); 0 takes a free one
ORDERS_PUBLIC_URL      what webhook URLs start with (http://HOST:PORT)
ORDERS_MAX_BODY_BYTES  larger bodies are answered 413 (1048576)
ORDERS_PRIVATE_RECEIVERS
                       networks such as 10.1.0.0/16 that events may be sent to
                       beside the internet, also by http; none, unless set
ORDERS_LOG_FORMAT      console or json; else console on a terminal only
OTEL_EXPORTER_OTLP_ENDPOINT
                       where OpenTelemetry traces go, by HTTP; with its
                       other OTEL_… variables; nowhere, unless set
"""


@command(main, "serve", "serve", "serve --host 0.0.0.0 --port 8000 --workers 4", help_=SERVE)
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; wins over ORDERS_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one; wins over ORDERS_PORT.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes; more than one only with PostgreSQL.")] = 1,
) -> None:
    """See SERVE."""
    from app.base.log import log, set_up
    from app.cli.client import settings_of

    settings = settings_of(serves=True, host=host, port=port)
    if workers > 1 and settings.on_sqlite:
        raise Misuse(
            "--workers: on SQLite one process writes, so there is one worker; several need PostgreSQL "
            "(ORDERS_DATABASE_URL=postgresql://…)"
        )
    set_up(as_json=settings.logs_json)

    from app.cli.server import leave, prepared, server
    from app.cli.workers import Workers

    with prepared(settings, "serve") as (settings, sockets):

        def ready(processes: list[int]) -> None:
            if on_terminal():
                typer.echo(
                    f"listening on {settings.listens_at} · webhooks at {settings.webhooks_at}/webhooks/… · Ctrl-C ends"
                )
            else:
                log.info(
                    "listening",
                    address=settings.listens_at,
                    webhooks=f"{settings.webhooks_at}/webhooks/",
                    engine="sqlite" if settings.on_sqlite else "postgresql",
                    processes=processes,
                )

        if workers > 1:
            Workers(settings, sockets[0], workers).serve(ready)
        else:
            server(settings, lambda: ready([os.getpid()])).listen(sockets)
    leave()
