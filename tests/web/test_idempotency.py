"""Idempotency-Key: one request is done once, whoever else uses that word; and no secret is given a second time."""

from typing import Any

import pytest

from app.web.http.routing import SHOWN_ONCE
from tests.house import House

pytestmark = pytest.mark.anyio

FILE = b"external_id,contact,title,value,currency\n1,42,One,10.00,BRL\n"


async def imported(house: House, query: str, **headers: str) -> Any:
    answer = await house.client.post(
        f"/v1/orders/import{query}",
        content=FILE,
        headers={
            "Authorization": f"Bearer {house.token}",
            "Idempotency-Key": "k",
            "Content-Type": "text/csv",
            **headers,
        },
    )
    return answer.status_code, answer.json().get("code")


async def test_a_dry_runs_answer_is_not_given_for_the_import(house: House) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    assert await imported(house, "?dry_run=true") == (200, None)
    assert await imported(house, "") == (409, "conflict")  # another request, and not the answer of the first
    assert await imported(house, "?dry_run=true", **{"Content-Type": "application/x-ndjson"}) == (409, "conflict")
    assert await imported(house, "", **{"Idempotency-Key": "k2"}) == (200, None)
    assert len(await house.data("/v1/orders")) == 1


async def test_everybody_has_keys_of_their_own(house: House) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    for name in ("max", "eva"):
        await house.call("POST", "/v1/members", {"name": name, "role": "manager", "id": name})
    max_, eva = [await house.token_of("manager", name) for name in ("max", "eva")]
    body = {"contact": "42", "title": "Shoes", "value": "10.00"}
    made = [
        (await house.call("POST", "/v1/orders", body, token=token, **{"Idempotency-Key": "k"})).json()["id"]
        for token in (max_, eva, max_, await house.token_of("manager", "max"))  # Max's second token is Max's
    ]
    assert made[0] == made[2] == made[3] != made[1]


async def test_no_secret_is_given_a_second_time(house: House) -> None:
    source = await house.source()
    subscription = (
        await house.call("POST", "/v1/subscriptions", {"url": "https://example.com/a", "events": ["order.created"]})
    ).json()["id"]
    asked: dict[str, dict[str, Any]] = {
        "/v1/tokens": {"role": "ops"},
        "/v1/sources": {"adapter": "standard", "name": "Second"},
        f"/v1/sources/{source}/secrets": {},
        "/v1/subscriptions": {"url": "https://example.com/b", "events": ["order.created"]},
        f"/v1/subscriptions/{subscription}/secrets": {},
    }
    for path, body in asked.items():
        first, again = [await house.call("POST", path, body, **{"Idempotency-Key": path}) for _ in range(2)]
        assert (first.status_code, again.status_code, again.headers["idempotent-replayed"]) == (201, 201, "true")
        (shown,) = [name for name in SHOWN_ONCE if name in first.json()]
        assert first.json()[shown] and again.json() == first.json() | {shown: None}
    # Every route whose answer has such a field is among them.
    document = (await house.client.get("/openapi.json")).json()
    found = set()
    for path, operations in document["paths"].items():
        for status, told in operations.get("post", {}).get("responses", {}).items():
            schema = told.get("content", {}).get("application/json", {}).get("schema", {})
            named = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
            if status < "300" and not {*SHOWN_ONCE}.isdisjoint(named.get("properties", {})):
                found.add(path)
    assert found == {path.replace(source, "{source}").replace(subscription, "{subscription}") for path in asked}
