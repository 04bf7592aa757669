"""The account, its members and their tokens. Only the operator creates accounts."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from starlette.responses import Response
from starlette.routing import Route

from app.base.clock import iso
from app.base.identity import document, email, phone
from app.base.roles import Permission, Role
from app.db.statements import Row
from app.store import accounts
from app.store import retention as pruning
from app.store.names import names
from app.web.api.contacts import region_of
from app.web.api.manual_orders import Currency
from app.web.http.errors import invalid, not_found
from app.web.http.filters import ZoneName
from app.web.http.request import ApiRequest, Body, Page, PatchBody, TextPattern, after, answer, null_only_for, page_of
from app.web.http.routing import route
from app.web.http.schemas.accounts import AccountResponse, MemberResponse, TokenMadeResponse, TokenResponse
from app.web.http.schemas.base import Listed

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# It ends up in a Content-Security-Policy: scheme, host and port alone, no wildcard, nothing that ends a directive. http is
# for a machine of one's own.
Origin = Annotated[
    str,
    StringConstraints(max_length=255),
    TextPattern(
        r"^(https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?$",
        "must be scheme and host, with a port if need be, such as https://chat.example.com",
    ),
]


# An e-mail, a phone or a document by which nobody is known, such as the shop's own; the whole list.
NotIdentity = Annotated[str, StringConstraints(min_length=3, max_length=300)]


class AccountMade(Body):
    """A new account."""

    name: Name
    enable: bool = False


Age = Annotated[
    str,
    TextPattern(r"^[1-9]\d{0,4}d$", "must be days, such as 30d"),
    Field(description="days, as in 30d; null: kept for ever"),
]


class RetentionChange(Body):
    """How long each class is kept, in days. A class that is not given stays as it is; null means for ever.

    bodies: the headers and exact bytes of deliveries. deliveries: their rows in the log, and their bodies. refusals:
    samples of rejected deliveries; the counters stay. orders_…: orders by status, counted from their last change at the
    source: open (pending, overdue, partially_paid), closed (paid, refunded), canceled (canceled, failed).
    orders_erased: with 0d the orders of an erased person are deleted, else anonymised orders stay.
    """

    bodies: Age | None = None
    deliveries: Age | None = None
    refusals: Age | None = None
    orders_open: Age | None = None
    orders_closed: Age | None = None
    orders_canceled: Age | None = None
    orders_erased: Literal["0d"] | None = None


class AccountChange(PatchBody):
    """What an admin may change."""

    model_config = ConfigDict(json_schema_extra=null_only_for())

    orders_enabled: bool | None = None
    owner_privacy: bool | None = None
    default_currency: Currency | None = None
    default_region: (
        Annotated[str, TextPattern(r"^[A-Z]{2}$", "must be two capital letters of ISO 3166, such as BR")] | None
    ) = None
    timezone: ZoneName | None = None
    retention: RetentionChange | None = None
    panel_origins: Annotated[list[Origin], Field(max_length=20)] | None = None
    not_identities: Annotated[list[NotIdentity], Field(max_length=200)] | None = None


class MemberMade(Body):
    """A new member. The CRM may give the id."""

    name: Name
    role: Role
    id: (
        Annotated[
            str,
            StringConstraints(min_length=1, max_length=64),
            TextPattern(r"^[\w.@:-]+$", "may hold letters, digits and _ . @ : - alone"),
        ]
        | None
    ) = None


class TokenMade(Body):
    """A new token. Without `member_id` it gets a new member."""

    role: Role
    member_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    name: Annotated[str, StringConstraints(max_length=200)] = ""


def _account(row: Row) -> AccountResponse:
    return {
        "account_id": row["account_id"],
        "name": row["name"],
        "orders_enabled": row["orders_enabled"],
        "owner_privacy": row["owner_privacy"],
        "default_currency": row["default_currency"],
        "default_region": row["default_region"],
        "timezone": row["timezone"],
        "retention": row["retention"],
        "panel_origins": row["panel_origins"],
        "not_identities": row["not_identities"],
        "created_at": iso(row["created_at"]),
    }


async def make_account(asked: ApiRequest) -> Response:
    """Create an account. It is off unless enabled at once. The admin token is shown only once."""
    given = await asked.body(AccountMade)
    account_id, token = await accounts.create(asked.service.store, given.name, enable=given.enable)
    return answer({"account_id": account_id, "admin_token": token}, 201)


async def list_accounts(asked: ApiRequest) -> Response:
    """List all accounts of this installation."""
    rows = await accounts.all_accounts(asked.service.store)
    return answer({"data": [_account(row) for row in rows], "next_cursor": None})


async def show_account(asked: ApiRequest) -> Response:
    """Show the account."""
    row = await accounts.find(asked.service.store, asked.account_id)
    if row is None:
        raise not_found("account")
    return answer(_account(row))


async def change_account(asked: ApiRequest) -> Response:
    """Change the account. Fields that are not given stay as they are."""
    given = await asked.body(AccountChange)
    changes = given.model_dump(exclude_unset=True)
    if "retention" in changes:
        changes["retention"] = await _retention(asked, changes["retention"])
    if "not_identities" in changes:
        region = changes.get("default_region") or await region_of(asked)
        changes["not_identities"] = _canonical(changes["not_identities"], region)
    await accounts.change(asked.service.store, asked.account_id, changes)
    asked.service.source_cache.forget()
    return await show_account(asked)


def _canonical(given: list[str], region: str) -> list[str]:
    """Return these e-mails, phones and documents as identities are written. Raises Problem."""
    found = [email(text) or document(text) or phone(text, region) for text in given]
    if None in found:
        raise invalid(
            f"not_identities.{found.index(None)}", "is no e-mail, phone or document by which anybody is known"
        )
    return sorted({one for one in found if one is not None})


async def _retention(asked: ApiRequest, given: dict[str, str | None]) -> dict[str, str]:
    """Return the new ages, and postpone automatic pruning by a whole turn: a mistake can be corrected."""
    row = await accounts.find(asked.service.store, asked.account_id)
    await pruning.postpone(asked.service.store)
    ages = (row["retention"] if row else {}) | given
    return {name: age for name, age in ages.items() if age is not None}


def _member(row: Row) -> MemberResponse:
    return {"id": row["id"], "name": row["name"], "role": row["role"], "created_at": iso(row["created_at"])}


async def make_member(asked: ApiRequest) -> Response:
    """Create a member."""
    given = await asked.body(MemberMade)
    row = await accounts.add_member(asked.service.store, asked.account_id, given.name, given.role, given.id)
    return answer(_member(row), 201)


async def list_members(asked: ApiRequest) -> Response:
    """List the members."""
    query = asked.query(Page)
    rows = await accounts.members(
        asked.service.store, asked.account_id, after=after(query.cursor, str) or "", limit=query.limit + 1
    )
    return answer(page_of(rows, query.limit, _member, lambda row: row["id"]))


def _token(row: Row, members: Mapping[str | None, str | None]) -> TokenResponse:
    return {
        "id": row["id"],
        "member_id": row["member_id"],
        "member_name": members.get(row["member_id"]),
        "role": row["role"],
        "name": row["name"],
        "created_at": iso(row["created_at"]),
        "revoked_at": iso(row["revoked_at"]),
    }


async def make_token(asked: ApiRequest) -> Response:
    """Create a token. It is shown only once; only its hash is stored."""
    given = await asked.body(TokenMade)
    store, member_id = asked.service.store, given.member_id
    if member_id is None:
        made = await accounts.add_member(store, asked.account_id, given.name or str(given.role), given.role, None)
        member_id = made["id"]
    elif await accounts.member(store, asked.account_id, member_id) is None:
        raise invalid("member_id", "there is no such member; POST /v1/members makes one")
    token_id, token = await accounts.add_token(store, asked.account_id, given.role, member_id, given.name)
    made_now: TokenMadeResponse = {"token": token, "id": token_id, "role": given.role, "member_id": member_id}
    return answer(made_now, 201)


async def list_tokens(asked: ApiRequest) -> Response:
    """List the tokens, without the tokens themselves."""
    query = asked.query(Page)
    rows = await accounts.tokens(
        asked.service.store, asked.account_id, after=after(query.cursor, str) or "", limit=query.limit + 1
    )
    members = await names(asked.service.store, asked.account_id, "member", [row["member_id"] for row in rows])
    return answer(page_of(rows, query.limit, lambda row: _token(row, members), lambda row: row["id"]))


async def revoke_token(asked: ApiRequest) -> Response:
    """Revoke a token. It stops working within a second in every process."""
    if not await accounts.revoke_token(asked.service.store, asked.account_id, asked.path("token")):
        raise not_found("token")
    asked.service.source_cache.forget()
    return Response(status_code=204)


ROUTES: list[Route] = [
    route("POST", "/operator/accounts", make_account, None, operator=True),
    route("GET", "/operator/accounts", list_accounts, None, operator=True),
    route("GET", "/v1/account", show_account, Permission.ACCOUNT, gives=AccountResponse),
    route("PATCH", "/v1/account", change_account, Permission.ACCOUNT, takes=AccountChange, gives=AccountResponse),
    route("POST", "/v1/members", make_member, Permission.ACCOUNT, takes=MemberMade, gives=MemberResponse, status=201),
    route("GET", "/v1/members", list_members, Permission.ACCOUNT, query=Page, gives=Listed[MemberResponse]),
    route("POST", "/v1/tokens", make_token, Permission.ACCOUNT, takes=TokenMade, gives=TokenMadeResponse, status=201),
    route("GET", "/v1/tokens", list_tokens, Permission.ACCOUNT, query=Page, gives=Listed[TokenResponse]),
    route("DELETE", "/v1/tokens/{token}", revoke_token, Permission.ACCOUNT, status=204),
]
