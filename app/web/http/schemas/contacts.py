"""Response schemas: contacts, their identities and merges."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from app.web.http.schemas.base import Time


class IdentityResponse(TypedDict):
    """One identity of a contact. `source_id` is set for a shop's customer id, which counts only within that shop."""

    kind: str
    value: str
    source_id: str | None


class KnownIdentity(IdentityResponse):
    """An identity of a contact. `told_by` is the source it came from; null: a member or the CRM."""

    told_by: str | None


class ContactResponse(TypedDict):
    """The person an order belongs to. `crm_id` is null for a contact that a delivery created."""

    id: Annotated[str, Field(examples=["cnt_01JD6Z8M3T0V9X5K2R7Q4W1YBC"])]
    crm_id: str | None
    name: str | None
    owner_id: str | None
    identities: list[KnownIdentity]
    created_at: Time
    updated_at: Time


class ConflictResponse(KnownIdentity):
    """An identity that a source gave to one contact but that belongs to another."""

    belongs_to: str
    told_at: Time


class ConflictOfContact(ConflictResponse):
    """An identity conflict, with the contact that the source gave it to."""

    contact_id: str


class ContactWhole(ContactResponse):
    """A contact with its owner's name, its identities, and those that a source gave it but that belong to another contact.

    The latter are empty for a rep with a wallet: they are other people's.
    """

    owner_name: str | None
    identity_conflicts: list[ConflictResponse]


class MovedCounts(TypedDict):
    """How much moved."""

    orders: int
    identities: int
    deals: int


class MergedResponse(TypedDict):
    """The result of a merge or its undoing. `contact` is who the requested id leads to now."""

    contact: ContactWhole
    contact_id: str
    survivor_id: str
    moved: MovedCounts


class SplitResponse(TypedDict):
    """The result of a split: the contact that was taken apart, the new one, and how much moved to it."""

    contact: ContactWhole
    split_off: ContactWhole
    moved: dict[str, int]


class Candidate(TypedDict):
    """One of two contacts that may be the same person."""

    id: str
    crm_id: str | None
    name: str | None


class PossibleDuplicate(TypedDict):
    """Two contacts that were told to have the same identity, and whose match was refused.

    `shared` is that identity; `against` says what speaks against one person: `crm`, `cpf`, `source`, `email`, `name`.
    """

    contact: Candidate
    other: Candidate
    shared: IdentityResponse
    against: list[str]
    told_by: str | None
    told_by_name: str | None
    told_at: Time


class ProposedPart(TypedDict):
    """Orders of a contact that belong together, whom they name, and by which of the contact's identities."""

    stays: bool
    name: str | None
    identities: list[IdentityResponse]
    orders: list[str]


class SplitProposal(TypedDict):
    """A contact whose orders are several people's by today's rule. Nothing is changed until somebody splits it."""

    contact: Candidate
    parts: list[ProposedPart]
