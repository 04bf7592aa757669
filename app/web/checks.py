"""A source's key and secrets, checked over HTTP."""

from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import TypedDict

from app import moments
from app.key_check import check_key
from app.roles import Permission
from app.web.requests import Asked, Body, answer, route
from app.web.sources import source_of


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
        "usable_secrets": len(source.usable_secrets(moments.now())),
        "key": {
            "needed": source.adapter.api is not None, "set": source.sealed_key is not None,
            "accepted": checked.accepted, "words": checked.words,
        },
    })  # fmt: skip


ROUTES: list[Route] = [
    route("POST", "/v1/sources/{source}/check", check, Permission.SOURCES, takes=Body, gives=SourceChecked),
]
