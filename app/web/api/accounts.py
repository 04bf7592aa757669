"""The account, its members and their tokens. Only the operator creates accounts."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from app.base.clock import iso
from app.base.identity import document, email, phone
from app.base.roles import Permission, Role
from app.db.statements import Row
from app.store import accounts, retention
from app.store.names import names
from app.web.api.contacts import region_of
from app.web.api.manual_orders import Currency
from app.web.http.errors import existing, invalid, not_found
from app.web.http.filters import ZoneName
from app.web.http.request import (
    ApiRequest,
    Body,
    Id,
    Name,
    Page,
    PatchBody,
    TextPattern,
    listed,
    page_of,
)
from app.web.http.routing import route
from app.web.http.schemas.accounts import AccountResponse, MemberResponse, TokenMadeResponse, TokenResponse
from app.web.http.schemas.base import Listed

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
    member_id: Id | None = None
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


async def make_account(asked: ApiRequest) -> dict[str, Any]:
    """Create an account. It is off unless enabled at once. The admin token is shown only once."""
    given = await asked.body(AccountMade)
    account_id, token = await accounts.create(asked.store, given.name, enable=given.enable)
    return {"account_id": account_id, "admin_token": token}


async def list_accounts(asked: ApiRequest) -> dict[str, Any]:
    """List all accounts of this installation."""
    return listed([_account(row) for row in await accounts.all_accounts(asked.store)])


async def show_account(asked: ApiRequest) -> AccountResponse:
    """Show the account."""
    return _account(existing(await accounts.find(asked.store, asked.account_id), "account"))


async def change_account(asked: ApiRequest) -> AccountResponse:
    """Change the account. Fields that are not given stay as they are."""
    given = await asked.body(AccountChange)
    changes = given.model_dump(exclude_unset=True)
    if "retention" in changes:
        changes["retention"] = await _retention(asked, changes["retention"])
    if "not_identities" in changes:
        region = changes.get("default_region") or await region_of(asked)
        changes["not_identities"] = _canonical(changes["not_identities"], region)
    await accounts.change(asked.store, asked.account_id, changes)
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
    await retention.postpone(asked.store)
    ages = (await asked.account())["retention"] | given
    return {name: age for name, age in ages.items() if age is not None}


def _member(row: Row) -> MemberResponse:
    return {"id": row["id"], "name": row["name"], "role": row["role"], "created_at": iso(row["created_at"])}


async def make_member(asked: ApiRequest) -> MemberResponse:
    """Create a member."""
    given = await asked.body(MemberMade)
    return _member(await accounts.add_member(asked.store, asked.account_id, given.name, given.role, given.id))


async def list_members(asked: ApiRequest) -> dict[str, Any]:
    """List the members."""
    query = asked.query(Page)
    rows = await accounts.members(asked.store, asked.account_id, after=query.last_id or "", limit=query.limit + 1)
    return page_of([_member(row) for row in rows], query.limit)


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


async def make_token(asked: ApiRequest) -> TokenMadeResponse:
    """Create a token. It is shown only once; only its hash is stored."""
    given = await asked.body(TokenMade)
    member_id = given.member_id
    if member_id is None:
        made = await accounts.add_member(asked.store, asked.account_id, given.name or str(given.role), given.role, None)
        member_id = made["id"]
    elif await accounts.member(asked.store, asked.account_id, member_id) is None:
        raise invalid("member_id", "there is no such member; POST /v1/members makes one")
    token_id, token = await accounts.add_token(asked.store, asked.account_id, given.role, member_id, given.name)
    return {"token": token, "id": token_id, "role": given.role, "member_id": member_id}


async def list_tokens(asked: ApiRequest) -> dict[str, Any]:
    """List the tokens, without the tokens themselves."""
    query = asked.query(Page)
    rows = await accounts.tokens(asked.store, asked.account_id, after=query.last_id or "", limit=query.limit + 1)
    members = await names(asked.store, asked.account_id, "member", [row["member_id"] for row in rows])
    return page_of([_token(row, members) for row in rows], query.limit)


async def revoke_token(asked: ApiRequest) -> None:
    """Revoke a token. It stops working within a second in every process."""
    if not await accounts.revoke_token(asked.store, asked.account_id, asked.path("token")):
        raise not_found("token")
    asked.service.source_cache.forget()


ROUTES = [
    route("POST", "/operator/accounts", make_account, None, operator=True, status=201),
    route("GET", "/operator/accounts", list_accounts, None, operator=True),
    route("GET", "/v1/account", show_account, Permission.ACCOUNT, gives=AccountResponse),
    route("PATCH", "/v1/account", change_account, Permission.ACCOUNT, takes=AccountChange, gives=AccountResponse),
    route("POST", "/v1/members", make_member, Permission.ACCOUNT, takes=MemberMade, gives=MemberResponse, status=201),
    route("GET", "/v1/members", list_members, Permission.ACCOUNT, query=Page, gives=Listed[MemberResponse]),
    route("POST", "/v1/tokens", make_token, Permission.ACCOUNT, takes=TokenMade, gives=TokenMadeResponse, status=201),
    route("GET", "/v1/tokens", list_tokens, Permission.ACCOUNT, query=Page, gives=Listed[TokenResponse]),
    route("DELETE", "/v1/tokens/{token}", revoke_token, Permission.ACCOUNT, status=204),
]
