"""The supported platforms, and how to set each one up."""

from typing import Any

import adapters
from app.base.roles import Permission
from app.base.samples import described
from app.web.http.request import ApiRequest, listed
from app.web.http.routing import route
from app.web.http.schemas.base import Listed
from app.web.http.schemas.sources import AdapterResponse


async def list_adapters(asked: ApiRequest) -> dict[str, Any]:
    """List the adapters: what each reads, and how to set it up."""
    return listed([described(adapters.load(name)) for name in adapters.names()])


ROUTES = [
    route(
        "GET",
        "/v1/adapters",
        list_adapters,
        (Permission.SOURCES, Permission.LOG, Permission.READ),
        gives=Listed[AdapterResponse],
    ),
]
