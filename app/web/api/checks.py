"""A source's key and secrets, checked over HTTP."""

from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import TypedDict

from app.base import clock
from app.base.roles import Permission
from app.ingest.key_check import check_key
from app.web.api.sources import source_of
from app.web.http.request import Asked, Body, answer, route


class KeyChecked(TypedDict):
    """Whether the source's API takes the key; `accepted` null: nobody can say, `words` tell why."""

    needed: bool
    set: bool
    accepted: bool | None
    words: str


class SourceChecked(TypedDict):
    """What a source proves itself with, and what we show to it."""

    usable_secrets: int
    key: KeyChecked


async def check(asked: Asked) -> Response:
    """How many secrets count now, and whether the source's API takes our key."""
    await asked.body(Body)
    source, registry = await source_of(asked), asked.registry
    checked = await check_key(registry.store, registry.vault, registry.retry, registry.source_api, source)
    return answer({
        "usable_secrets": len(source.usable_secrets(clock.now())),
        "key": {
            "needed": source.adapter.api is not None, "set": source.sealed_key is not None,
            "accepted": checked.accepted, "words": checked.words,
        },
    })  # fmt: skip


ROUTES: list[Route] = [
    route("POST", "/v1/sources/{source}/check", check, Permission.SOURCES, takes=Body, gives=SourceChecked),
]
