"""Response schemas: accounts, members, tokens."""

from typing_extensions import TypedDict

from app.base.roles import Role
from app.web.http.schemas.base import Currency, Time


class AccountResponse(TypedDict):
    """The account. `retention`: how long each class is kept; a class that is not named is kept for ever.

    `not_identities`: e-mails, phones and documents by which nobody is known.
    """

    account_id: str
    name: str
    orders_enabled: bool
    owner_privacy: bool
    default_currency: Currency
    default_region: str
    timezone: str
    retention: dict[str, str]
    panel_origins: list[str]
    not_identities: list[str]
    created_at: Time


class MemberResponse(TypedDict):
    """A person of the CRM who holds tokens."""

    id: str
    name: str
    role: Role
    created_at: Time


class TokenResponse(TypedDict):
    """A token, without the token itself."""

    id: str
    member_id: str
    member_name: str | None
    role: Role
    name: str
    created_at: Time
    revoked_at: Time | None


class TokenMadeResponse(TypedDict):
    """A new token. It is shown only this once (null where an Idempotency-Key is used again); only its hash is stored."""

    token: str | None
    id: str
    role: Role
    member_id: str
