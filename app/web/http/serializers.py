"""Serializers: rows to response fields. Times become ISO 8601 in UTC, money decimal strings."""

from collections.abc import Mapping, Sequence
from typing import Any, cast, overload

from adapters.contract import amount_text
from adapters.contract.cash import IMPORTED, TOTAL
from adapters.contract.entry import Folded
from app.base.clock import iso
from app.db.statements import Row
from app.web.http.schemas.contacts import ContactResponse, IdentityResponse
from app.web.http.schemas.deliveries import DeliveryFields
from app.web.http.schemas.orders import (
    EntryFields,
    ItemResponse,
    MoneyLine,
    OrderFields,
    OrderResponse,
    OrderWhole,
    Said,
)
from app.web.http.schemas.sources import SecretResponse


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


def order(row: Row, crm_contact_id: str | None) -> OrderFields:
    """Return an order."""
    return {
        "id": row["id"],
        "contact_id": row["contact_id"],
        "crm_contact_id": crm_contact_id,
        "deal_id": row["deal_id"],
        "title": row["title"],
        "value": money(row["value"], row["currency"]),
        "paid_value": money(row["paid_value"], row["currency"]),
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


def order_whole(shown: OrderResponse, folded: Folded, merged: Sequence[Row]) -> OrderWhole:
    """Return an order with its payments and refunds, as its history tells them, and the orders merged into it."""
    return {
        **shown,
        "buyer_name": folded.name,
        "payments": [_line(one) for one in folded.payments],
        "refunds": [_line(one) for one in folded.refunds],
        "notes": list(folded.notes),
        "merged": [
            {"id": row["id"], "source_id": row["source_id"], "external_id": row["external_id"], "title": row["title"]}
            for row in merged
        ],
    }


def _line(one: Mapping[str, Any]) -> MoneyLine:
    return {
        "id": one["id"],
        "kind": one["kind"],
        "value": money(one["value"], one["currency"]),
        "currency": one["currency"],
        "state": one["state"],
        "at": iso(one["at"]),
    }


def field(name: str, value: Any, currency: str | None) -> Any:
    """Return the value of an order's field as an order shows it."""
    if value is None:
        return None
    if name in {"value", "paid_value", "refunded_value"}:
        return money(value, currency)
    if name in {"ordered_at", "paid_at"}:
        return iso(value)
    if name == "items":
        return [item(line) for line in value]
    return [identity(*one) for one in value] if name == "identities" else value


def statement(statement: Mapping[str, Any]) -> Said:
    """Return a history entry's content in the shape of an order; only what was mentioned."""
    shown: dict[str, Any] = {}
    bills = [one for one in statement.get("bills", ()) if "value" in one]
    if len(bills) == 1 and not bills[0].get("part"):  # as an order shows it
        statement = {"value": bills[0]["value"], "currency": bills[0]["currency"], **statement}
    currency = statement.get("currency")
    for name, value in statement.items():
        if name in {"bills", "payments", "refunds"}:
            shown[name] = [_told(one) for one in money_lines(statement, name)]
        elif name == "customer":
            shown[name] = {"name": value.get("name"), "identities": [identity(*one) for one in value["identities"]]}
        elif name not in {"preference", "bytes"}:
            shown[name] = field(name, value, currency)
    return cast(Said, shown)  # words of many shapes: that they are these, the conformance test holds


def money_lines(statement: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the bills, payments or refunds of a statement. In older entries, refunds are amounts by their ids."""
    told = statement.get(name, [])
    if isinstance(told, Mapping):
        return [{"id": key, "value": amount[0], "currency": amount[1]} for key, amount in told.items()]
    return list(told)


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(one)
    if "value" in one:
        shown["value"] = money(one["value"], one["currency"])
    if "also" in one:
        shown["also"] = f"{money(*one['also'])} {one['also'][1]}"
    if "at" in one:
        shown["at"] = iso(one["at"])
    return shown


def entry(row: Row) -> EntryFields:
    """Return a history entry: what was said, when and by whom."""
    return {
        "at": iso(row["at"]) if row["at"] >= 0 else None,
        "recorded_at": iso(row["recorded_at"]),
        "delivery_id": row["delivery_id"],
        "member_id": row["member_id"],
        "order_id": row["order_id"],
        "words": sentence(row["said"]),
        "said": statement(row["said"]),
    }


def identity(kind: str, value: str) -> IdentityResponse:
    """Return an identity. A shop's customer id is shown apart from its source."""
    if kind == "source":
        source_id, _, customer_id = value.partition(":")
        return {"kind": kind, "value": customer_id, "source_id": source_id}
    return {"kind": kind, "value": value, "source_id": None}


def secret(row: Row) -> SecretResponse:
    """Return what is told of a secret: never the secret itself."""
    return {
        "id": row["id"],
        "created_at": iso(row["created_at"]),
        "expires_at": iso(row["expires_at"]),
        "revoked_at": iso(row["revoked_at"]),
    }


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


def delivery(row: Row) -> DeliveryFields:
    """Return a row of the delivery log."""
    return {
        "id": row["id"],
        "source_id": row["source_id"],
        "source_delivery_id": row["source_delivery_id"],
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
        "repeats": row["repeats"],
        "last_repeated_at": iso(row["last_repeated_at"]),
    }


def sentence(said: Mapping[str, Any]) -> str:
    """Return what an entry of the history said, in words: "status paid; payment pi_1 of 100.00 BRL taken"."""
    parts: list[str] = []
    if "status" in said:
        parts.append(f"status {said['status'].replace('_', ' ')}")
    if "source_status" in said:
        parts.append(f"in the source's word {said['source_status']}")
    if "value" in said:
        parts.append(f"value {_amount(said)}")
    parts += [_bill(one) for one in money_lines(said, "bills")]
    parts += [_payment(one) for one in money_lines(said, "payments")]
    parts += [_refund(one) for one in money_lines(said, "refunds")]
    parts += [f"{row} {said[name]}" for name, row in _MERGES.items() if name in said]
    further = [word for name, word in _FURTHER.items() if name in said]
    if further:
        parts.append(", ".join(further))
    return "; ".join(parts)


_MERGES = {"merged": "merged into this order:", "split_off": "split off from this order:"}
_FURTHER = {
    "title": "title",
    "customer": "customer",
    "items": "items",
    "ordered_at": "time of the order",
    "paid_at": "time of payment",
    "url": "address",
    "deal_id": "deal",
    "contact_id": "contact",
    "test": "test or not",
    "sample": "a sample that this registry sent itself",
}


def _payment(one: Mapping[str, Any]) -> str:
    nothing = one.get("state") == "taken" and one.get("value") == 0
    return "nothing taken" if nothing else f"{_named('payment', one)} {one.get('state', 'tried')}"


def _amount(one: Mapping[str, Any]) -> str:
    return f"{money(one['value'], one['currency'])} {one['currency']}"


def _named(kind: str, one: Mapping[str, Any]) -> str:
    name = f"{kind} {one['id']}" if one.get("id") else kind
    return f"{name} of {_amount(one)}" if "value" in one else name


def _bill(one: Mapping[str, Any]) -> str:
    words = [_named("bill", one)]
    if "also" in one:
        words.append(f"(also {money(*one['also'])} {one['also'][1]})")
    words += [
        word for name, word in (("part", "as a part"), ("closed", "closed"), ("given_up", "given up")) if one.get(name)
    ]
    return " ".join(words)


def _refund(one: Mapping[str, Any]) -> str:
    of = f" of payment {one['payment']}" if one.get("payment") else ""
    if (one.get("total") or one.get("id") in (TOTAL, IMPORTED)) and "value" in one:
        what = "charged back" if one.get("kind") == "chargeback" else "given back"
        return f"{_amount(one)}{of} {what} in all so far"
    if "value" not in one and one.get("all"):
        of = f" of all{of}"
    return f"{_named(one.get('kind', 'refund'), one)}{of} {one.get('state', 'done')}"
