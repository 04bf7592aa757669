"""Serializers: rows to response fields. Times become ISO 8601 in UTC, money decimal strings."""

from collections.abc import Mapping
from typing import Any, cast, overload

from adapters.contract import amount_text
from app.base.clock import iso
from app.db.statements import Row
from app.web.http.schemas import (
    ContactResponse,
    DeliveryResponse,
    EntryResponse,
    IdentityResponse,
    ItemResponse,
    OrderResponse,
    Said,
)


@overload
def money(minor: int, currency: str) -> str: ...
@overload
def money(minor: int | None, currency: str | None) -> str | None: ...
def money(minor: int | None, currency: str | None) -> str | None:
    """Return an amount as a decimal string with the currency's own decimals."""
    return None if minor is None or currency is None else amount_text(int(minor), currency)


def item(line: Mapping[str, Any]) -> ItemResponse:
    """Return one line of an order."""
    quantity = line.get("quantity", "1")
    shown: Any = int(quantity) if str(quantity).isdigit() else quantity
    unit = line.get("unit_value")
    return {
        "title": line["title"],
        "quantity": shown,
        "unit_value": money(*unit) if unit else None,
        "sku": line.get("sku"),
    }


def order(row: Row, crm_contact_id: str | None) -> OrderResponse:
    """Return an order."""
    return {
        "id": row["id"],
        "contact_id": row["contact_id"],
        "crm_contact_id": crm_contact_id,
        "deal_id": row["deal_id"],
        "title": row["title"],
        "value": money(row["value"], row["currency"]),
        "refunded_value": money(row["refunded_value"], row["currency"]),
        "currency": row["currency"],
        "status": row["status"],
        "source_status": row["source_status"],
        "ordered_at": iso(row["ordered_at"]),
        "paid_at": iso(row["paid_at"]),
        "origin": row["origin"],
        "source_id": row["source_id"],
        "external_id": row["external_id"],
        "url": row["url"],
        "test": row["test"],
        "items": [item(line) for line in row["items"]],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def statement(statement: Mapping[str, Any]) -> Said:
    """Return a history entry's content in the shape of an order; only what was mentioned."""
    shown: dict[str, Any] = {}
    currency = statement.get("currency")
    for name, value in statement.items():
        if name == "value":
            shown[name] = money(value, currency)
        elif name in {"ordered_at", "paid_at"}:
            shown[name] = iso(value)
        elif name == "items":
            shown[name] = [item(line) for line in value]
        elif name == "refunds":
            shown[name] = {key: {"value": money(*amount), "currency": amount[1]} for key, amount in value.items()}
        elif name == "customer":
            shown[name] = {"name": value.get("name"), "identities": [identity(*one) for one in value["identities"]]}
        elif name != "preference":
            shown[name] = value
    return cast(Said, shown)  # words of many shapes: that they are these, the conformance test holds


def entry(row: Row) -> EntryResponse:
    """Return a history entry: what was said, when and by whom."""
    return {
        "at": iso(row["at"]) if row["at"] >= 0 else None,
        "recorded_at": iso(row["recorded_at"]),
        "delivery_id": row["delivery_id"],
        "member_id": row["member_id"],
        "said": statement(row["said"]),
    }


def identity(kind: str, value: str) -> IdentityResponse:
    """Return an identity. A shop's customer id is shown apart from its source."""
    if kind == "source":
        source_id, _, customer_id = value.partition(":")
        return {"kind": kind, "value": customer_id, "source_id": source_id}
    return {"kind": kind, "value": value, "source_id": None}


def contact(row: Row, identities: list[Row]) -> ContactResponse:
    """Return a contact with its identities."""
    return {
        "id": row["id"],
        "crm_id": row["crm_id"],
        "name": row["name"],
        "owner_id": row["owner_id"],
        "identities": [
            {**identity(one["kind"], one["value"]), "told_by": one["source_id"]}
            for one in identities
            if one["contact_id"] == row["id"]
        ],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def delivery(row: Row) -> DeliveryResponse:
    """Return a row of the delivery log."""
    return {
        "id": row["id"],
        "source_id": row["source_id"],
        "kind": row["kind"],
        "external_id": row["external_id"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "notes": row["notes"],
        "strength": row["strength"],
        "orders": row["orders"],
        "received_at": iso(row["received_at"]),
        "committed_at": iso(row["committed_at"]),
        "attempts": row["attempts"],
    }
