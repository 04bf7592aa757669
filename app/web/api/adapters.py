"""The supported platforms, and how to set each one up."""

from starlette.responses import Response
from starlette.routing import Route

import adapters
from app.base.roles import Permission
from app.base.samples import described
from app.web.http.request import ApiRequest, Query, answer
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.sources import AdapterResponse


async def list_adapters(asked: ApiRequest) -> Response:
    """List the adapters: what each reads, and how to set it up."""
    asked.query(Query)
    return answer({"data": [described(adapters.load(name)) for name in adapters.names()], "next_cursor": None})


ROUTES: list[Route] = [
    route(
        "GET",
        "/v1/adapters",
        list_adapters,
        None,
        any_of=(Permission.SOURCES, Permission.LOG, Permission.READ),
        gives=Listed[AdapterResponse],
    ),
]
