"""Privacy requests over HTTP: what sources told us that somebody's right to privacy asks for."""

from starlette.responses import Response
from starlette.routing import Route

from app.moments import iso
from app.roles import Permission
from app.store import privacy
from app.store.statements import Row
from app.web.answers import Listed, PrivacyRequestShown
from app.web.requests import Asked, Page, after, answer, page_of, route


def _shown(row: Row) -> PrivacyRequestShown:
    return {
        "delivery_id": row["id"],
        "source_id": row["source_id"],
        "kind": row["kind"],
        "request": row["request"],
        "received_at": iso(row["received_at"]),
        "due_at": iso(row["due_at"]),
        "done_at": iso(row["done_at"]),
    }


async def index(asked: Asked) -> Response:
    """The account's privacy requests, newest first; whom each is about stands in its delivery."""
    query = asked.query(Page)
    rows = await privacy.page(
        asked.registry.store, asked.account_id, after=after(query.cursor, str), limit=query.limit + 1
    )
    return answer(page_of(rows, query.limit, _shown, lambda row: row["id"]))


ROUTES: list[Route] = [
    route("GET", "/v1/privacy/requests", index, Permission.PERSON, query=Page, gives=Listed[PrivacyRequestShown]),
]
