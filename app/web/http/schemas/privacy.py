"""Response schemas: privacy requests and proofs of erasures."""

from typing import Any

from typing_extensions import TypedDict

from app.web.http.schemas.base import Time


class PrivacyRequestResponse(TypedDict):
    """A privacy request that a shop passed on. The delivery says whom it concerns."""

    id: str
    delivery_id: str
    source_id: str
    kind: str
    request: str
    received_at: Time
    due_at: Time
    done_at: Time | None


class ProofResponse(TypedDict):
    """Proof that somebody was erased or got their data, without personal data. `counts`: how much of what."""

    id: str
    action: str
    source_id: str | None
    request_id: str | None
    member_id: str | None
    counts: dict[str, int]
    done_at: Time


class CarriedOut(PrivacyRequestResponse):
    """A privacy request that was carried out: its proof and, for an export, the data."""

    proof: ProofResponse
    export: dict[str, Any] | None
