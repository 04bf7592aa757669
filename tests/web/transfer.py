"""What the tests of files share: a row, an import and what became of it, an export."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from tests.house import House

ROW = {
    "external_id": "A-1",
    "title": "Running shoes",
    "value": "199.90",
    "currency": "BRL",
    "status": "paid",
    "ordered_at": "2026-01-02T10:00:00-03:00",
    "paid_at": "2026-01-02T13:00:05",
    "crm_contact_id": "42",
    "contact_email": "Ana@Example.com",
    "contact_phone": "+55 11 98765-4321",
    "contact_name": "Ana Souza",
    "items": [{"title": "Shoes", "quantity": 2, "unit_value": "99.95", "sku": "RS-1"}],
}
COUNTS = ("created", "updated", "unchanged", "refused")


async def send(house: House, rows: Sequence[Any], *, to: str = "orders", query: str = "") -> dict[str, Any]:
    """What became of these rows, sent as JSON lines."""
    return await send_text(house, "".join(f"{json.dumps(row)}\n" for row in rows), "application/x-ndjson", to, query)


async def send_text(
    house: House, text: str | bytes, media: str = "text/csv", to: str = "orders", query: str = ""
) -> dict[str, Any]:
    response = await post(house, text, media, to, query)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def post(
    house: House, text: str | bytes, media: str = "text/csv", to: str = "orders", query: str = ""
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {house.token}", "Content-Type": media}
    content = text.encode() if isinstance(text, str) else text
    return await house.client.post(f"/v1/{to}/import{query}", content=content, headers=headers)


def counts(told: dict[str, Any]) -> tuple[int, ...]:
    return tuple(told[name] for name in COUNTS)


def reasons(told: dict[str, Any]) -> list[tuple[int, str | None]]:
    return [(one["line"], one["field"]) for one in told["errors"]]


async def exported(house: House, what: str = "orders.jsonl") -> str:
    response = await house.call("GET", f"/v1/{what}")
    assert response.status_code == 200, response.text
    return response.text


async def state(house: House) -> list[Any]:
    """All that an import could change."""
    orders = (await house.get("/v1/orders?limit=200"))["data"]
    told = [(await house.get(f"/v1/orders/{one['id']}/history"))["data"] for one in orders]
    return [orders, told, await exported(house, "contacts.jsonl")]
