"""The adapters over HTTP: what is supported, and how it is set up."""

from starlette.responses import Response
from starlette.routing import Route

import adapters
from app.catalog import described
from app.roles import Permission
from app.web.answers import AdapterShown, Listed
from app.web.requests import Asked, Query, answer, route


async def list_adapters(asked: Asked) -> Response:
    """Every adapter: what it reads and how to set it up."""
    asked.query(Query)
    return answer({"data": [described(adapters.load(name)) for name in adapters.names()], "next_cursor": None})


ROUTES: list[Route] = [
    route(
        "GET", "/v1/adapters", list_adapters, None,
        any_of=(Permission.SOURCES, Permission.LOG, Permission.READ), gives=Listed[AdapterShown],
    ),
]  # fmt: skip
