"""Two tenants: every route of `/openapi.json`, by every role of one, with every id of the other. Nothing is told or changed."""

import json
from typing import Any

import pytest

from tests.house import House, order_event
from tests.routes import every_route, filled

pytestmark = pytest.mark.anyio

ROLES = ("admin", "manager", "rep", "integrator", "ops")
MARK = "neighbour-mark"  # in every name of the other tenant's
NOW = ("/v1/stats", "/v1/reports/contacts")  # answers that say at what time they were asked
# What makes something of the caller's own, under an id that the caller chooses.
OWN_ID = {("PUT", "/v1/contacts/{contact}"), ("PUT", "/v1/deals/{deal}")}


async def furnished(house: House) -> dict[str, list[str]]:
    """Something of everything, marked; gives its ids by the names of the document's paths."""
    source = await house.source(name=MARK)
    said = (await house.deliver(source, order_event("1", title=MARK, contact={"email": f"{MARK}@example.com"}))).json()
    await house.call("PUT", "/v1/contacts/crm-of-neighbour", {"name": MARK, "emails": [f"{MARK}@example.com"]})
    await house.call("PUT", "/v1/deals/deal-of-neighbour", {"contact": "crm-of-neighbour", "title": MARK})
    await house.service.outbox.stop()  # the made-up address is nobody's
    to = {"url": f"https://{MARK}.example.com/", "events": ["order.created"]}
    subscription = (await house.call("POST", "/v1/subscriptions", to)).json()
    job = (await house.call("POST", "/v1/deliveries/retry", {"filter": {"kind": MARK}})).json()["job_id"]
    token = (await house.call("POST", "/v1/tokens", {"role": "ops"})).json()["id"]
    (contact,) = {one["contact_id"] for one in await house.data("/v1/orders")}
    secret = (await house.get(f"/v1/sources/{source}"))["secrets"][0]["id"]
    return {
        "source": [source],
        "source_id": [source],
        "delivery": [said["delivery_id"]],
        "request": [said["delivery_id"]],
        "order": said["orders"],
        "contact": [contact, "crm-of-neighbour"],
        "deal": ["deal-of-neighbour"],
        "subscription": [subscription["id"]],
        "secret": [secret, subscription["secrets"][0]["id"]],
        "job": [job],
        "token": [token],
    }


async def everything(house: House) -> dict[str, Any]:
    """What an admin sees of their account, list by list."""
    seen = {}
    for method, path in await every_route(house):
        if method == "GET" and path.startswith("/v1/") and "{" not in path and path not in NOW:
            answer = await house.call("GET", path)
            seen[path] = (answer.status_code, answer.text)
    return seen


async def test_no_role_of_one_tenant_reaches_anything_of_another(house: House) -> None:
    other = await house.another("neighbour")
    ids = await furnished(other)
    before = await everything(other)
    assert sum(MARK in text for _, text in before.values()) > 5
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep-1"})
    tokens = {role: await house.token_of(role, "rep-1" if role == "rep" else None) for role in ROLES}
    asked = 0
    for method, path in await every_route(house):
        for address in filled(path, ids):
            if path.startswith("/webhooks/") or path == "/v1/session" or (method, path) in OWN_ID:
                continue
            for role, token in tokens.items():
                body = {} if method in ("POST", "PUT", "PATCH") else None
                answer = await house.call(method, address, body, token=token)
                asked += 1
                where = (method, address, role, answer.status_code, answer.text[:200])
                assert MARK not in answer.text and ids["order"][0] not in answer.text.replace(address, ""), where
                if "{" in path:
                    assert answer.status_code in (403, 404, 405, 422), where
                assert answer.status_code < 500, where
    assert asked > 5 * 60
    for name in ("email", "q"):
        found = await house.call(
            "GET", f"/v1/orders?q={MARK}" if name == "q" else f"/v1/contacts?email={MARK}@example.com"
        )
        assert json.loads(found.text)["data"] == []
    assert await everything(other) == before
