"""`serve`: migrate the database, then serve until a signal ends it."""

import os
from typing import Annotated

import typer

from app.cli.client import settings_of
from app.cli.command import command, group
from app.cli.output import Misuse, on_terminal

main = group("Run the server.")

SERVE = """Migrate the database, then serve.

Ends in good order on SIGTERM, SIGHUP, SIGQUIT and Ctrl-C: what was accepted is committed and answered first.

Settings come from the environment. All mistakes are reported at once:

\b
ORDERS_DATABASE_URL    sqlite:///path or postgresql://user:password@host/name
                       (default: sqlite:///data/orders.db)
ORDERS_MASTER_KEY      encrypts secrets at rest; comma-separated, newest first
                       (SQLite: generated once, beside the database, mode 0600;
                       PostgreSQL: required)
ORDERS_HOST            address to listen on (default: 127.0.0.1)
ORDERS_PORT            port to listen on; 0 takes a free one (default: 8080)
ORDERS_PUBLIC_URL      what webhook URLs start with (default: http://HOST:PORT)
ORDERS_MAX_BODY_BYTES  larger bodies are answered 413 (default: 4194304)
ORDERS_PRIVATE_RECEIVERS
                       private networks that events, and questions to a CRM,
                       may go to, also by http, such as 10.1.0.0/16
                       (default: none)
ORDERS_LOG_FORMAT      console or json (default: console on a terminal, else json)
OTEL_EXPORTER_OTLP_ENDPOINT
                       where OpenTelemetry traces go, by HTTP; the other OTEL_…
                       variables count too (default: nowhere)
"""


@command(main, "serve", "serve", "serve --host 0.0.0.0 --port 8000 --workers 4", help_=SERVE)
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; overrides ORDERS_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one; overrides ORDERS_PORT.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Number of processes; more than one needs PostgreSQL.")
    ] = 1,
) -> None:
    """See SERVE."""
    from app.base.log import log, set_up

    settings = settings_of(serves=True, host=host, port=port)
    if workers > 1 and settings.on_sqlite:
        raise Misuse(
            "--workers: SQLite allows one worker. Several workers need PostgreSQL (ORDERS_DATABASE_URL=postgresql://…)"
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
            Workers(settings, sockets, workers).serve(ready)
        else:
            server(settings, lambda: ready([os.getpid()])).listen(sockets)
    leave()
