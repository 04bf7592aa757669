"""The filters of orders and deliveries: the models of the API, and the filters of the store that they mean.

Lists, exports, reports, jobs and the tail inherit them; the command line's options are in `app/cli/filters.py`.
"""

import re
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WithJsonSchema

from adapters.contract import Origin, Status, currency_code
from adapters.contract.errors import Unreadable
from app.base import clock
from app.base.outcome import RECORDED, Outcome
from app.store import contacts, orders
from app.store.deliveries import DeliveryFilter
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


NOBODY = ""  # the id of no contact


async def _contact_id(asked: ApiRequest, named: str | None) -> str | None:
    """Return the id of the contact that a filter names (id or CRM id): NOBODY if there is none, None if it names none."""
    if not named:
        return None
    found = await contacts.find(asked.service.store, asked.account_id, named)
    return found["id"] if found else NOBODY


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
        wanted = replace(wanted, contact_id=await _contact_id(asked, query.contact), deal_id=query.deal_id)
    return replace(wanted, q=query.q) if isinstance(query, AllOrdersFilters) else wanted


# -- Deliveries ---------------------------------------------------------------------------------------------------


def _recorded(outcome: Outcome) -> Outcome:
    if outcome not in RECORDED:
        raise ValueError(
            "is not kept in the log (refused and repeated deliveries are only counted: GET /v1/stats, and the source)"
        )
    return outcome


# What the log can be asked for: the outcomes that it keeps.
Recorded = Annotated[
    Outcome, AfterValidator(_recorded), WithJsonSchema({"type": "string", "enum": sorted(map(str, RECORDED))})
]


class TailFilters(BaseModel):
    """The filters of the live log."""

    source_id: str | None = Field(None, max_length=64)
    outcome: Recorded | None = None
    kind: str | None = Field(None, max_length=200)
    external_id: str | None = Field(None, max_length=255)
    q: str | None = Field(None, max_length=200)


class DeliveryFilters(TailFilters):
    """The filters of the delivery log."""

    contact: str | None = Field(None, max_length=255)
    since: Since | None = None
    until: Since | None = None
    note: str | None = Field(None, max_length=100)


async def delivery_filter(asked: ApiRequest, given: DeliveryFilters) -> DeliveryFilter:
    """Return the store's filter."""
    return DeliveryFilter(
        source_id=given.source_id,
        outcome=given.outcome,
        kind=given.kind,
        external_id=given.external_id,
        contact_id=await _contact_id(asked, given.contact),
        since=await moment_of(asked, given.since),
        until=await moment_of(asked, given.until),
        q=given.q,
        note=given.note,
    )
