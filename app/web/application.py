"""Builds the HTTP application from all routes. Nothing connects before its lifespan begins."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.base.log import log
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.db.engine import Store
from app.ingest.group_commit import GroupCommit
from app.service import Service
from app.web.api import (
    accounts,
    adapters,
    contact_merges,
    contact_splits,
    contacts,
    deals,
    deliveries,
    exports,
    imports,
    jobs,
    manual_orders,
    operator,
    order_merges,
    orders,
    privacy,
    reports,
    retention,
    session,
    source_tests,
    sources,
    stats,
    subscriptions,
    tail,
)
from app.web.api.webhooks import PREFIX, Webhooks
from app.web.http import health, openapi, reference, serializers, static
from app.web.http.errors import Problem
from app.web.http.limits import Limits


def create_app(
    settings: Settings,
    *,
    tuning: Tuning = Tuning(),
    group_commit: Callable[[Store, Tuning], GroupCommit] = GroupCommit,
    background: bool = True,
) -> "Application":
    """Return the whole service as one ASGI application. Raises BadSettings.

    `group_commit` is replaced by the benchmark that stores nothing.
    """
    service = Service(
        settings, shown=serializers.order, tuning=tuning, group_commit=group_commit, background=background
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await service.open()
        try:
            yield
        finally:
            await service.close()

    api = Starlette(
        routes=[
            *health.ROUTES,
            *stats.ROUTES,
            *imports.ROUTES,
            *exports.ROUTES,
            *contacts.ROUTES,
            *orders.ROUTES,
            *manual_orders.ROUTES,
            *order_merges.ROUTES,
            *deals.ROUTES,
            *tail.ROUTES,  # before the deliveries: their ids stand in the same place
            *deliveries.ROUTES,
            *jobs.ROUTES,
            *adapters.ROUTES,
            *sources.ROUTES,
            *source_tests.ROUTES,
            *subscriptions.ROUTES,
            *accounts.ROUTES,
            *contact_merges.ROUTES,
            *contact_splits.ROUTES,
            *privacy.ROUTES,
            *session.ROUTES,
            *static.ROUTES,
            *reports.ROUTES,
            *retention.ROUTES,
            *operator.ROUTES,
            *openapi.ROUTES,
            *reference.ROUTES,
        ],
        lifespan=lifespan,
        exception_handlers={Problem: _problem, HTTPException: _http, ClientDisconnect: _gone, Exception: _fault},
    )
    api.state.service, api.state.limits = service, Limits()
    api.router.redirect_slashes = False  # it would send people to whatever address stands in the Host header
    return Application(service, api)


class Application:
    """Dispatches to the webhook route, which is plain ASGI, or to everything else."""

    def __init__(self, service: Service, api: Starlette) -> None:
        self.service = service
        self._api: ASGIApp = api
        self._webhooks = Webhooks(service)
        self.shed = self._webhooks.shed  # what the server need not read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or the lifespan."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
        elif scope["path"].startswith(PREFIX) and _is_plain(scope):
            await self._webhooks(scope, receive, send)
        else:
            with suppress(Exception):  # `_fault` has logged and answered it; the server would log it a second time
                await self._api(scope, receive, static.under_headers(send, _HEADERS))


# What an answer says of itself unless its route says otherwise: it is nobody's to keep, and is what it says it is.
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def _is_plain(scope: Scope) -> bool:
    """Return whether the path came as it reads: `/webhooks%2f…` passes by the rules of a proxy in front, and is no address."""
    path: str = scope["path"]
    return scope.get("raw_path") in (None, path.encode())


async def _problem(request: Request, problem: Any) -> Response:
    response: Response = problem.response()
    return response


async def _http(request: Request, fault: Any) -> Response:
    """Return Starlette's own errors (no such route, wrong method) as problems."""
    if fault.status_code == 405:
        return Problem("method_not_allowed", "see the documentation", headers=dict(fault.headers or {})).response()
    return Problem("not_found", "there is no such address").response()


async def _gone(request: Request, fault: Exception) -> Response:
    """Return what nobody will read: who asked hung up, or was too slow, and that is no fault."""
    return Response(status_code=400)


async def _fault(request: Request, fault: Exception) -> Response:
    path = request.scope["path"]
    for name, value in request.path_params.items():  # a contact may be named by an e-mail address
        path = path.replace(str(value), f"{{{name}}}") if value else path
    log.error("a request failed", method=request.method, path=path, fault=type(fault).__name__, exc_info=fault)
    return Problem("internal", "the fault is in the log").response()
