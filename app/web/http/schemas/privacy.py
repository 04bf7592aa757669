"""Response schemas: privacy requests and proofs of erasures."""

from typing import Any

from typing_extensions import TypedDict

from app.web.http.schemas.base import Time
from app.web.http.schemas.contacts import IdentityResponse


class Concerned(TypedDict):
    """Whom a privacy request concerns, as its body names them: identities, and the shop's ids of orders."""

    identities: list[IdentityResponse]
    orders: list[str]


class PrivacyRequestResponse(TypedDict):
    """A privacy request that a shop passed on.

    `concerns` is null if it is for the whole shop, or if its body is not kept any more.
    """

    id: str
    delivery_id: str
    source_id: str
    source_name: str | None
    kind: str
    request: str
    received_at: Time
    due_at: Time
    done_at: Time | None
    concerns: Concerned | None


class ProofResponse(TypedDict):
    """Proof that somebody was erased or got their data, without personal data. `counts`: how much of what."""

    id: str
    action: str
    source_id: str | None
    source_name: str | None
    request_id: str | None
    member_id: str | None
    member_name: str | None
    counts: dict[str, int]
    done_at: Time


class SharedIdentity(IdentityResponse):
    """An identity of somebody who may be erased. `shared_with`: contacts that have it too, or are told to have it."""

    shared_with: list[str]


class ErasurePreview(TypedDict):
    """What erasing somebody would take. `counts` as in the proof; `blanked` deliveries keep what they say of others."""

    dry_run: bool
    counts: dict[str, int]
    identities: list[SharedIdentity]


class CarriedOut(PrivacyRequestResponse):
    """A privacy request that was carried out: its proof and, for an export, the data."""

    proof: ProofResponse
    export: dict[str, Any] | None
