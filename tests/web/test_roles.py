"""Every row of the role table on every route: allowed, or 403 with the permission and the roles that have it."""

import pytest

from tests.house import House, order_event

pytestmark = pytest.mark.anyio

ALL = {"admin", "manager", "rep", "integrator", "ops"}
ROUTES = [
    ("GET", "/v1/account", {"admin"}),
    ("PATCH", "/v1/account", {"admin"}),
    ("GET", "/v1/members", {"admin"}),
    ("POST", "/v1/members", {"admin"}),
    ("GET", "/v1/tokens", {"admin"}),
    ("POST", "/v1/tokens", {"admin"}),
    ("DELETE", "/v1/tokens/tok_none", {"admin"}),
    ("PUT", "/v1/contacts/7", {"admin", "manager"}),
    ("GET", "/v1/contacts?crm_id=7", {"admin", "manager", "rep"}),
    ("GET", "/v1/contacts/7", {"admin", "manager", "rep"}),
    ("GET", "/v1/contacts/7/orders", {"admin", "manager", "rep"}),
    ("GET", "/v1/contacts/7/summary", {"admin", "manager", "rep"}),
    ("DELETE", "/v1/contacts/7/identities?email=x@example.com", {"admin", "manager"}),
    ("GET", "/v1/identity-conflicts", {"admin", "manager"}),
    ("POST", "/v1/contacts/7/merge", {"admin", "manager"}),
    ("POST", "/v1/contacts/7/unmerge", {"admin", "manager"}),
    ("GET", "/v1/orders", {"admin", "manager", "rep"}),
    ("GET", "/v1/orders.csv", {"admin", "manager", "rep"}),
    ("GET", "/v1/orders.jsonl", {"admin", "manager", "rep"}),
    ("GET", "/v1/contacts.csv", {"admin", "manager", "rep"}),
    ("GET", "/v1/contacts.jsonl", {"admin", "manager", "rep"}),
    ("POST", "/v1/orders/import", {"admin", "manager"}),
    ("POST", "/v1/contacts/import", {"admin", "manager"}),
    ("GET", "/v1/orders/ord_none", {"admin", "manager", "rep"}),
    ("GET", "/v1/orders/ord_none/history", {"admin", "manager", "rep"}),
    ("POST", "/v1/orders", {"admin", "manager"}),
    ("PATCH", "/v1/orders/ord_none", {"admin", "manager"}),
    ("POST", "/v1/orders/ord_none/merge", {"admin", "manager"}),
    ("POST", "/v1/orders/ord_none/split", {"admin", "manager"}),
    ("PUT", "/v1/deals/D1", {"admin", "manager"}),
    ("GET", "/v1/deals/D1", {"admin", "manager", "rep"}),
    ("GET", "/v1/deals/D1/orders", {"admin", "manager", "rep"}),
    ("POST", "/v1/sources", {"admin", "integrator"}),
    ("GET", "/v1/sources", {"admin", "integrator"}),
    ("GET", "/v1/sources/src_none", {"admin", "integrator"}),
    ("PATCH", "/v1/sources/src_none", {"admin", "integrator"}),
    ("DELETE", "/v1/sources/src_none", {"admin", "integrator"}),
    ("POST", "/v1/sources/src_none/secrets", {"admin", "integrator"}),
    ("DELETE", "/v1/sources/src_none/secrets/sec_none", {"admin", "integrator"}),
    ("POST", "/v1/sources/src_none/test", {"admin", "integrator"}),
    ("POST", "/v1/sources/src_none/check", {"admin", "integrator"}),
    ("POST", "/v1/subscriptions", {"admin", "integrator"}),
    ("GET", "/v1/subscriptions", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/subscriptions/sub_none", {"admin", "manager", "integrator", "ops"}),
    ("PATCH", "/v1/subscriptions/sub_none", {"admin", "integrator"}),
    ("DELETE", "/v1/subscriptions/sub_none", {"admin", "integrator"}),
    ("POST", "/v1/subscriptions/sub_none/secrets", {"admin", "integrator"}),
    ("DELETE", "/v1/subscriptions/sub_none/secrets/sec_none", {"admin", "integrator"}),
    ("GET", "/v1/subscriptions/sub_none/attempts", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/deliveries/dlv_none/body", {"admin", "integrator"}),
    ("GET", "/v1/deliveries/dlv_none/changes", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/session", {"admin", "manager", "rep", "integrator", "ops"}),
    ("POST", "/v1/sources/src_none/try", {"admin", "integrator"}),
    ("GET", "/v1/deliveries", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/deliveries/sources", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/deliveries/tail?outcome=busy", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/deliveries/dlv_none", {"admin", "manager", "integrator", "ops"}),
    ("POST", "/v1/deliveries/dlv_none/retry", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/contacts/7/export", {"admin"}),
    ("DELETE", "/v1/contacts/7", {"admin"}),
    ("GET", "/v1/privacy/requests", {"admin"}),
    ("POST", "/v1/privacy/requests/dlv_none/carry-out", {"admin"}),
    ("GET", "/v1/privacy/proofs", {"admin"}),
    ("GET", "/v1/stats", {"admin", "manager", "integrator", "ops"}),
    ("POST", "/v1/deliveries/retry", {"admin", "manager", "integrator", "ops"}),
    ("POST", "/v1/remap", {"admin", "integrator"}),
    ("GET", "/v1/jobs", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/jobs/job_none", {"admin", "manager", "integrator", "ops"}),
    ("POST", "/v1/jobs/job_none/stop", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/jobs/job_none/changes", {"admin", "manager", "integrator", "ops"}),
    ("GET", "/v1/privacy/requests", {"admin"}),
    ("POST", "/v1/prune", {"admin"}),
    ("GET", "/v1/reports/orders", {"admin", "manager", "rep"}),
    ("GET", "/v1/reports/contacts", {"admin", "manager", "rep"}),
    ("GET", "/v1/adapters", ALL),
]


async def test_who_may_do_what(house: House) -> None:
    tokens = {role: await house.token_of(role) for role in sorted(ALL)}
    for method, path, allowed in ROUTES:
        for role, token in tokens.items():
            answer = await house.call(method, path, {} if method != "GET" else None, token=token)
            assert (answer.status_code != 403) == (role in allowed), (method, path, role, answer.text)
            assert answer.status_code < 500
            if role not in allowed:
                problem = answer.json()
                assert (problem["code"], answer.headers["content-type"]) == ("forbidden", "application/problem+json")
                assert all(one in problem["detail"] for one in allowed)


async def test_without_a_token_and_with_a_revoked_one(house: House) -> None:
    for method, path, _ in ROUTES:
        answer = await house.client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path)
    made = (await house.call("POST", "/v1/tokens", {"role": "ops"})).json()
    assert (await house.call("GET", "/v1/deliveries", token=made["token"])).status_code == 200
    assert (await house.call("DELETE", f"/v1/tokens/{made['id']}")).status_code == 204
    assert (await house.call("GET", "/v1/deliveries", token=made["token"])).status_code == 401


async def test_nobody_comes_to_the_operators_door_over_http(house: House) -> None:
    for method, path in (("POST", "/operator/accounts"), ("GET", "/operator/accounts")):
        answer = await house.call(method, path, {} if method == "POST" else None)
        assert answer.status_code == 404


async def test_bodies_are_for_those_who_may_see_them(house: House) -> None:
    source = await house.source()
    said = (await house.deliver(source, order_event())).json()
    for role, sees in (("integrator", True), ("ops", False), ("manager", False)):
        row = await house.get(f"/v1/deliveries/{said['delivery_id']}", token=await house.token_of(role))
        assert (row["body"] is not None) == sees
        assert (row["headers"] is not None) == sees


async def test_who_reads_the_log_is_told_which_source_is_meant(house: House) -> None:
    source = await house.source(name="Our shop")
    said = (await house.deliver(source, order_event())).json()
    token = await house.token_of("ops")
    named = {"id": source, "name": "Our shop", "adapter": "standard", "enabled": True}
    listed = await house.get("/v1/deliveries/sources", token=token)
    assert [one | {"webhook_url": ""} for one in listed["data"]] == [named | {"webhook_url": ""}]
    assert listed["data"][0]["webhook_url"].endswith(f"/webhooks/{source}") and listed["next_cursor"] is None
    path = f"/v1/deliveries/{said['delivery_id']}"
    assert (await house.get(path, token=token))["source"] == listed["data"][0]
    await house.call("DELETE", f"/v1/sources/{source}")
    assert (await house.get(path, token=token))["source"] is None


async def test_a_rep_sees_their_own_wallet_alone(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("1", contact={"email": "ana@example.com"}))
    await house.deliver(source, order_event("2", contact={"email": "bia@example.com"}))
    await house.call("PUT", "/v1/contacts/a", {"emails": ["ana@example.com"], "owner_id": "rep-1"})
    await house.call("PUT", "/v1/contacts/b", {"emails": ["bia@example.com"], "owner_id": "rep-2"})
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep-1"})
    token = await house.token_of("rep", "rep-1")
    assert len((await house.get("/v1/orders", token=token))["data"]) == 2
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    (mine,) = (await house.get("/v1/orders", token=token))["data"]
    assert mine["crm_contact_id"] == "a"
    (other,) = await house.data("/v1/contacts/b/orders")
    for path in (
        f"/v1/orders/{other['id']}",
        f"/v1/orders/{other['id']}/history",
        "/v1/contacts/b",
        "/v1/contacts/b/orders",
        "/v1/contacts/b/summary",
    ):
        assert (await house.call("GET", path, token=token)).status_code == 404
    assert (await house.get("/v1/contacts?crm_id=b", token=token))["data"] == []


async def test_accounts_do_not_see_each_other(house: House) -> None:
    source = await house.source()
    said = (await house.deliver(source, order_event())).json()
    made = (await house.operator.post("/operator/accounts", json={"name": "other", "enable": True})).json()
    other = made["admin_token"]
    for path in (f"/v1/orders/{said['orders'][0]}", f"/v1/deliveries/{said['delivery_id']}", f"/v1/sources/{source}"):
        assert (await house.call("GET", path, token=other)).status_code == 404
    assert (await house.get("/v1/orders", token=other))["data"] == []
    assert (await house.get("/v1/contacts?email=ana@example.com", token=other))["data"] == []
