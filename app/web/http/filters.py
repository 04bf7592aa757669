"""The filters of orders and deliveries: the models of the API, and the filters of the store that they mean.

Lists, exports, reports, jobs and the tail inherit them; the command line's options are in `app/cli/filters.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from adapters.contract import Origin, Status, currency_code
from adapters.contract.errors import Unreadable
from app.base import clock
from app.base.identity import document, email, phone, precedence
from app.base.outcome import RECORDED, Outcome
from app.base.roles import Permission
from app.db.statements import Row
from app.store import contacts, deliveries, orders, privacy
from app.store.deliveries import DeliveryFilter
from app.web.http.errors import Problem, invalid, quoted
from app.web.http.request import ApiRequest, Query
from app.web.http.visibility import wallet_of


def _a_time(text: str) -> str:
    text = re.sub(r"(T[0-9:.]+) ([0-9:]+)$", r"\1+\2", text)  # a plus that was not encoded arrives as a blank
    clock.since(text, clock.now())
    return text


def _a_currency(text: str) -> str:
    try:
        return currency_code(text)
    except Unreadable:
        raise ValueError("is not an ISO 4217 code of three letters") from None


def _a_zone(name: str) -> str:
    clock.zone_named(name)
    return name


ZoneName = Annotated[
    str, StringConstraints(max_length=64), AfterValidator(_a_zone), Field(examples=["America/Sao_Paulo"])
]
# Sources may speak of currencies that are not in our table of them.
Code = Annotated[str, AfterValidator(_a_currency)]
# A text still: what it means depends on when it is asked (`moment_of`). The document says more of it than its type.
Since = Annotated[
    str,
    AfterValidator(_a_time),
    WithJsonSchema(
        {
            "description": "a time in ISO 8601 (the account's, when it names no zone), or a span back from now",
            "anyOf": [
                {"type": "string", "pattern": r"^\d{1,6}[smhdw]$", "examples": ["7d"]},
                {"type": "string", "format": "date-time", "examples": ["2026-11-01T00:00:00Z"]},
            ],
        }
    ),
]


async def moment_of(asked: ApiRequest, text: Since | None) -> int | None:
    """Return a query's time in microseconds since 1970, or None."""
    return None if text is None else clock.since(text, clock.now(), await asked.zone())


async def period_of(asked: ApiRequest, since: Since, until: Since | None) -> tuple[int, int]:
    """Return a period in microseconds since 1970; without `until` it ends now. Raises Problem where it begins after that."""
    begins = await moment_of(asked, since) or 0
    ends = await moment_of(asked, until) or clock.now()
    if begins >= ends:
        raise invalid("since", "is not before `until`")
    return begins, ends


NOBODY = ""  # the id of no contact


async def _identities(asked: ApiRequest, named: str) -> list[tuple[str, str]]:
    """Return the identities that a text may be, canonical: an e-mail, else a document and a phone."""
    if "@" in named:
        return [("email", found)] if (found := email(named)) else []
    # A plus that was not encoded arrives as a blank.
    region: str = (await asked.account())["default_region"]
    known = [("document", document(named)), ("phone", phone(named, region) or phone(f"+{named}", region))]
    return [(kind, value) for kind, value in known if value]


def _nobody(named: str, left_out: Sequence[str] = ()) -> Problem:
    words = (
        f"nobody is known by {quoted(named)}; a contact is named by its id (cnt_…), the CRM's id, or an e-mail, phone or "
        "document in full"
    )
    return Problem(
        "contact_not_found",
        "; ".join([words, *left_out]),
        errors=[{"field": "contact", "message": "nobody is known by this"}],
    )


async def _contact(asked: ApiRequest, named: str) -> tuple[Row | None, list[tuple[str, str]]]:
    """Return the contact that a filter names, by an id or any identity, and the identities that were meant."""
    found = await contacts.find(asked.store, asked.account_id, named)
    if found is not None:
        return found, []
    meant = await _identities(asked, named)
    if not meant and "@" in named:
        raise _nobody(named)
    for kind, value in sorted(meant, key=precedence):
        if rows := await contacts.by_identity(asked.store, asked.account_id, kind, value):
            return rows[0], meant  # of several who share a phone the first
    return None, meant


async def _buyer(asked: ApiRequest, named: str | None, wallet: str | None) -> str | None:
    """Return the id of the contact whose orders a filter asks for: NOBODY for an unknown id, None if it names nobody.

    An identity that nobody has is refused. So is one of a contact of whom the caller may see nothing.
    """
    if not named:
        return None
    row, meant = await _contact(asked, named)
    if row is not None and meant and wallet is not None and row["owner_id"] != wallet:
        theirs = orders.OrderFilter(contact_id=row["id"], wallet_of=wallet)
        if not await orders.page(
            asked.store, asked.account_id, theirs, after=None, limit=1, tuning=asked.service.tuning
        ):
            row = None
    if row is None and meant:
        raise _nobody(named)
    return row["id"] if row else NOBODY


# -- Orders -------------------------------------------------------------------------------------------------------


class PurchaseFilters(Query):
    """The filters of every sum over orders."""

    origin: Origin | None = None
    source_id: str | None = Field(None, max_length=64)
    currency: Code | None = Field(None, json_schema_extra={"examples": ["BRL"]})
    since: Since | None = None
    until: Since | None = None


class OrderFilters(PurchaseFilters):
    """The filters of every list of orders."""

    status: Status | None = None
    note: str | None = Field(None, max_length=100)


class ReportFilters(OrderFilters):
    """Further filters of reports."""

    contact: str | None = Field(None, max_length=255)
    deal_id: str | None = Field(None, max_length=255)


class AllOrdersFilters(ReportFilters):
    """Further filters of lists over all contacts."""

    q: str | None = Field(None, max_length=200)


async def order_filter(
    asked: ApiRequest, query: PurchaseFilters, *, contact_id: str | None = None, deal_id: str | None = None
) -> orders.OrderFilter:
    """Return the store's filter, within what the caller may see; only of this contact or deal, if one is given."""
    wanted = orders.OrderFilter(
        contact_id=contact_id,
        deal_id=deal_id,
        origin=query.origin,
        source_id=query.source_id,
        currency=query.currency,
        since=await moment_of(asked, query.since),
        until=await moment_of(asked, query.until),
        wallet_of=await wallet_of(asked),
    )
    if isinstance(query, OrderFilters):
        wanted = replace(wanted, status=query.status, note=query.note)
    if isinstance(query, ReportFilters):
        contact = await _buyer(asked, query.contact, wanted.wallet_of)
        wanted = replace(wanted, contact_id=contact, deal_id=query.deal_id)
    return replace(wanted, q=query.q) if isinstance(query, AllOrdersFilters) else wanted


# -- Deliveries ---------------------------------------------------------------------------------------------------


_RECORDED = sorted(map(str, RECORDED))


def _outcomes(given: Any) -> Any:
    """Return one outcome, or several, as a list. Raises ValueError for what the log does not keep."""
    found = given if isinstance(given, list) else [given]
    for one in found:
        if not isinstance(one, str):
            raise ValueError("must be text, or several of them")
        if one in set(Outcome) - RECORDED:
            raise ValueError(
                "is not kept in the log (refused and repeated deliveries are only counted: GET /v1/stats, and the source)"
            )
        if one not in RECORDED:
            raise ValueError(f"must be {', '.join(_RECORDED[:-1])} or {_RECORDED[-1]}")
    return found


# What the log can be asked for: an outcome that it keeps, or any of several.
Outcomes = Annotated[
    list[Outcome],
    Field(min_length=1, max_length=len(RECORDED)),
    BeforeValidator(_outcomes),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "string", "enum": _RECORDED}}),
]


class TailFilters(Query):
    """The filters of the live log."""

    several: ClassVar[frozenset[str]] = frozenset({"outcome"})

    source_id: str | None = Field(None, max_length=64)
    outcome: Outcomes | None = None
    kind: str | None = Field(None, max_length=200)
    external_id: str | None = Field(None, max_length=255)
    q: str | None = Field(None, max_length=200)


class DeliveryFilters(TailFilters):
    """The filters of the delivery log."""

    contact: str | None = Field(
        None,
        max_length=255,
        description="an id (ours, the CRM's), an e-mail, phone or document in full, or, for those who read contacts, words "
        "of a name: of known contacts, and of what is on hold or unreadable",
    )
    since: Since | None = None
    until: Since | None = None
    note: str | None = Field(None, max_length=100)
    source_delivery_id: str | None = Field(None, max_length=1000, description="the source's own id of the delivery")


def tail_filter(given: TailFilters) -> DeliveryFilter:
    """Return the store's filter of the live log."""
    one = given.outcome[0] if given.outcome and len(given.outcome) == 1 else None
    return DeliveryFilter(
        source_id=given.source_id,
        outcome=one,
        outcomes=() if one else sorted({*map(str, given.outcome or ())}),
        kind=given.kind,
        external_id=given.external_id,
        q=given.q,
    )


MOST_NAMED = 20  # contacts whose name has the text that was given

_NOT_EVERY_BODY = "of deliveries on hold or unreadable, the newest {:,} of each were searched"
_NOT_EVERY_CONTACT = f"more than {MOST_NAMED} contacts have such a name; these are the first of them"


async def delivery_filter(asked: ApiRequest, given: DeliveryFilters) -> tuple[DeliveryFilter, str | None]:
    """Return the store's filter, and what the search left out, in words.

    Raises Problem for an identity that nobody has, and that no delivery on hold or unreadable names.
    """
    contact, their, named, whole = None, list[str](), list[str](), True
    left_out: list[str] = []
    if given.contact:
        row, meant = await _contact(asked, given.contact)
        if meant:
            named, whole = await privacy.unassigned(asked.store, asked.account_id, meant, asked.service.tuning)
        elif row is None and asked.caller.may(Permission.READ):
            found = await contacts.named_like(
                asked.store, asked.account_id, given.contact, owner_id=None, limit=MOST_NAMED + 1
            )
            their = [one["id"] for one in found[:MOST_NAMED]]
            left_out += [_NOT_EVERY_CONTACT] if len(found) > MOST_NAMED else []
            named, whole = await privacy.naming(asked.store, asked.account_id, given.contact, asked.service.tuning)
        left_out += [] if whole else [_NOT_EVERY_BODY.format(asked.service.tuning.person_bodies[0])]
        if row is None and meant and not named:
            raise _nobody(given.contact, left_out)
        contact = row["id"] if row else None if their or named else NOBODY
    ids = given.source_delivery_id and await deliveries.with_source_id(
        asked.store, asked.account_id, given.source_delivery_id
    )
    wanted = replace(
        tail_filter(given),
        contact_id=contact,
        contacts=their,
        named=named,
        ids=ids,
        since=await moment_of(asked, given.since),
        until=await moment_of(asked, given.until),
        note=given.note,
    )
    return wanted, "; ".join(left_out) or None
