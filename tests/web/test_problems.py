"""Errors as those who get them meet them: every wrong field at once, in words that say what to do."""

from typing import Any

import pytest

from tests.house import House

pytestmark = pytest.mark.anyio

# Kept from the formatter: a request and its answer stand together on a screen here.
WRONG: list[tuple[str, str, Any, dict[str, str]]] = [
    (
        "PATCH", "/v1/account", {"nope": 1, "owner_privacy": "perhaps", "default_currency": "ZZZ", "default_region": "Brazil"},
        {
            "nope": "is not known here", "owner_privacy": "must be true or false",
            "default_currency": "is not a currency of ISO 4217, such as BRL", "default_region": "must be two capital letters of ISO 3166, such as BR",
        },
    ),
    (
        "PATCH", "/v1/account",
        {"orders_enabled": None, "default_currency": None, "retention": {"bodies": "30", "body": "1d"}, "panel_origins": ["chat.example.com"]},
        {
            "orders_enabled": "cannot be null; leave it out to leave it alone",
            "default_currency": "cannot be null; leave it out to leave it alone",
            "retention.bodies": "must be days, such as 30d", "retention.body": "is not known here",
            "panel_origins.0": "must be scheme and host, with a port if need be, such as https://chat.example.com",
        },
    ),
    ("PUT", "/v1/contacts/%20", {}, {"contact": "must have 1 to 255 characters, not blanks alone, and no NUL"}),
    ("PUT", f"/v1/deals/{'d' * 256}", {"contact": "42"}, {"deal": "must have 1 to 255 characters, not blanks alone, and no NUL"}),
    (
        "PUT", "/v1/contacts/cnt_01M8BZG8JR4MFQKKADYQYR1KSJ", {"name": "Ana"},
        {"contact": "is an id of ours; here stands what the CRM calls the contact"},
    ),
    ("POST", "/v1/orders", {"contact": "42", "title": "a", "value": "１.00"}, {"value": 'must be a decimal number in a string, such as "199.90"'}),
    (
        "POST", "/v1/members", {"id": "a b", "role": "boss"},
        {
            "name": "is required", "id": "may hold letters, digits and _ . @ : - alone",
            "role": "must be admin, manager, rep, integrator or ops",
        },
    ),
    (
        "PATCH", "/v1/orders/ord_none", {"title": None, "value": None, "status": "x"},
        {
            "title": "cannot be null; leave it out to leave it alone", "value": "cannot be null; leave it out to leave it alone",
            "status": "must be pending, overdue, failed, partially_paid, paid, canceled or refunded",
        },
    ),
    (
        "GET", "/v1/orders?status=x&origin=x&currency=x&since=x&until=x&limit=201&foo=1", None,
        {
            "status": "must be pending, overdue, failed, partially_paid, paid, canceled or refunded",
            "origin": "must be manual, webhook, api, payments or commerce",
            "currency": "is not an ISO 4217 code of three letters",
            "since": "is neither a time in ISO 8601 nor a span such as 24h or 7d",
            "until": "is neither a time in ISO 8601 nor a span such as 24h or 7d",
            "limit": "must be at most 200", "foo": "is not known here",
        },
    ),
    (
        "GET", "/v1/reports/orders?group_by=x&zone=x&since=x", None,
        {
            "group_by": "must be month, status, currency, origin, source, deal or owner",
            "zone": "is not a time zone such as UTC or America/Sao_Paulo",
            "since": "is neither a time in ISO 8601 nor a span such as 24h or 7d",
        },
    ),
    (
        "GET", "/v1/deliveries?outcome=duplicate&limit=0&since=x", None,
        {
            "outcome": "is not kept in the log (refused and repeated deliveries are only counted: GET /v1/stats, and the source)",
            "limit": "must be at least 1", "since": "is neither a time in ISO 8601 nor a span such as 24h or 7d",
        },
    ),
    (
        "POST", "/v1/deliveries/retry", {"filter": {"outcome": "busy", "since": "x"}, "dry_run": "x"},
        {
            "filter.outcome": "is not kept in the log (refused and repeated deliveries are only counted: GET /v1/stats, and the source)",
            "filter.since": "is neither a time in ISO 8601 nor a span such as 24h or 7d", "dry_run": "must be true or false",
        },
    ),
    (
        "PUT", "/v1/contacts/7", {"emails": ["ana"], "phones": ["+55 11 98765-4321", "1"], "documents": ["1"], "nom": "Ana", "name": ""},
        {
            "emails.0": "is not an e-mail address", "phones.1": "is not a phone number",
            "documents.0": "is not a CPF or CNPJ (check digits)", "nom": "is not known here", "name": "must not be empty",
        },
    ),
    (
        "POST", "/v1/sources", {"adapter": "nope", "unknown_contacts": "x", "foo": 1},
        {
            "adapter": "is not one of adyen, ", "unknown_contacts": "must be create or hold", "foo": "is not known here",
        },
    ),
    (
        "POST", "/v1/sources", {"adapter": "standard", "secret": "short", "key": "k"},
        {
            "secret": "is shorter than 8 characters, which anybody could guess",
            "key": "Standard Webhooks sends whole orders; nothing is fetched, so no key is needed",
        },
    ),
    (
        "POST", "/v1/sources", {"adapter": "standard", "options": {"x": 1}, "key": "k"},
        {"options.x": "is not known here", "key": "Standard Webhooks sends whole orders; nothing is fetched, so no key is needed"},
    ),
    (
        "POST", "/v1/orders", {"title": "", "value": 1.5, "status": "x", "currency": "??", "ordered_at": "x", "origin": "webhook", "items": [{}]},
        {
            "contact": "is required", "title": "must not be empty", "value": 'must be a decimal number in a string, such as "199.90"',
            "status": "must be pending, overdue, failed, partially_paid, paid, canceled or refunded",
            "currency": "is not a currency of ISO 4217, such as BRL",
            "ordered_at": "must be a time in ISO 8601, such as 2026-11-20T13:00:00Z",
            "origin": "must be manual, api or payments", "items.0.title": "is required",
        },
    ),
    (
        "POST", "/v1/orders",
        {"contact": "42", "title": "Shoes", "value": "1.999", "deal_id": "none", "items": [{"title": "a", "unit_value": "0.001"}]},
        {
            "value": "has more decimals than BRL has (2)", "items.0.unit_value": "has more decimals than BRL has (2)",
            "deal_id": "no deal is known as 'none'; make it first: PUT /v1/deals/{the CRM's id}",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "wrong"), WRONG, ids=[f"{one[0]} {one[1][:24]}" for one in WRONG])
async def test_every_wrong_field_is_named_at_once(
    house: House, method: str, path: str, body: Any, wrong: dict[str, str]
) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    answer = await house.call(method, path, body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid"), answer.text
    told = {error["field"]: error["message"] for error in problem["errors"]}
    assert told.keys() == wrong.keys()
    for field, words in wrong.items():
        assert told[field].startswith(words)
        assert f"{field}: {words}" in problem["detail"]


async def test_a_contact_that_is_not_there_is_told_beside_what_else_is_wrong(house: House) -> None:
    problem = (await house.call("POST", "/v1/orders", {"contact": "404", "title": "Shoes", "value": "1.999"})).json()
    assert problem["code"] == "contact_not_found" and "PUT /v1/contacts/" in problem["detail"]
    assert [error["field"] for error in problem["errors"]] == ["contact", "value"]


async def test_an_edit_names_every_wrong_field_too(house: House) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    order = (await house.call("POST", "/v1/orders", {"contact": "42", "title": "Shoes", "value": "10.00"})).json()
    wrong = {
        "contact": "404",
        "value": "1.999",
        "refunded_value": "0.001",
        "items": [{"title": "a", "unit_value": "0.001"}],
    }
    problem = (await house.call("PATCH", f"/v1/orders/{order['id']}", wrong)).json()
    assert sorted(error["field"] for error in problem["errors"]) == sorted(
        ["contact", "value", "refunded_value", "items.0.unit_value"]
    )


async def test_a_plus_that_was_not_encoded_is_the_offset_it_was(house: House) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    order = {"contact": "42", "title": "Shoes", "value": "10.00", "ordered_at": "2026-11-20T13:00:00Z"}
    await house.call("POST", "/v1/orders", order)
    assert len(await house.data("/v1/orders?since=2026-11-20T16:00:00+03:00")) == 1
    assert len(await house.data("/v1/orders?since=2026-11-20T16:00:01+03:00")) == 0
