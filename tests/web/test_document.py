"""The document is whole: every route is in it, and says what it takes, what it gives and who may walk it."""

import html
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route

import app.web
from app.base.outcome import ANSWERS
from app.web.http.errors import TITLES
from app.web.http.openapi import described, document
from app.web.http.routing import Described
from tests.house import House

# Not of the API, and said nothing of in its document: pages and what belongs to them.
PAGES = ("/docs/", "/console", "/panel")


@pytest.fixture(scope="module")
def routes() -> list[Any]:
    """Every route of every room."""
    rooms = [importlib.import_module(found.name) for found in pkgutil.walk_packages(app.web.__path__, "app.web.")]
    return [route for room in rooms for route in getattr(room, "ROUTES", [])]


def test_every_route_says_what_it_gives(routes: list[Any]) -> None:
    for route in routes:
        if isinstance(route, Mount | Route) and route.path.startswith(PAGES):
            continue
        assert isinstance(route, Described), f"{route.path} is not described: `route` makes routes"
        told = route.description
        if told.operator:
            continue
        assert (told.gives is None) == (told.status == 204), f"{route.name} says nothing of its answer: gives=…"
        assert told.handler.__doc__, f"{route.name}: the handler's docstring is what its documentation says"
        assert told.takes or not route.methods & {"PUT", "PATCH"}, f"{route.name} says nothing of its body: takes=…"


@pytest.mark.anyio
async def test_the_document_is_served_to_anybody_and_holds_every_route(house: House, routes: list[Any]) -> None:
    answer = await house.client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert told["openapi"].startswith("3.1.")
    listed = {(method.upper(), path) for path, operations in told["paths"].items() for method in operations}
    assert listed == {
        (method, route.path) for route in described(routes) for method in (route.methods or set()) - {"HEAD"}
    } | {("POST", "/webhooks/{source_id}")}
    assert not any(path.startswith("/operator") for _, path in listed)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(routes: list[Any]) -> None:
    told = document(routes)
    wanted = set(_references(told))
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in told["components"][kind]}
    assert wanted == there
    ids = [one["operationId"] for operations in told["paths"].values() for one in operations.values()]
    assert len(ids) == len(set(ids))
    assert {tag for one in told["paths"].values() for op in one.values() for tag in op["tags"]} == {
        tag["name"] for tag in told["tags"]
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref":
                yield one
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def test_an_operation_tells_who_may_what_goes_in_and_what_comes_out(routes: list[Any]) -> None:
    told = document(routes)
    orders = told["paths"]["/v1/orders"]
    assert orders["post"]["x-roles"] == ["admin", "manager"]
    assert "For admin, manager." in orders["post"]["description"]
    assert set(orders["post"]["responses"]) == {"200", "201", "401", "403", "409", "413", "422", "503"}
    assert "Idempotency-Key" in {one["name"] for one in orders["post"]["parameters"]}
    assert orders["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/OrderBody")
    assert told["components"]["schemas"]["OrderBody"]["additionalProperties"] is False
    assert {one["name"] for one in orders["get"]["parameters"]} >= {"status", "limit", "cursor", "q"}
    assert orders["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "/OrderResponseList"
    )
    assert told["paths"]["/healthz"]["get"]["security"] == []
    gone = told["paths"]["/v1/tokens/{token}"]["delete"]["responses"]
    assert "content" not in gone["204"] and "404" in gone
    # null is there for what can be emptied, and for nothing else
    change = told["components"]["schemas"]["OrderPatch"]["properties"]
    assert "anyOf" in change["paid_at"] and "anyOf" not in change["title"]


def test_the_webhooks_door_is_told_from_the_table_of_outcomes(routes: list[Any]) -> None:
    answers = document(routes)["paths"]["/webhooks/{source_id}"]["post"]["responses"]
    assert set(answers) == {str(status) for status in ANSWERS.values()}
    for outcome, status in ANSWERS.items():
        assert outcome in str(answers[str(status)])
    assert answers["503"]["headers"]["Retry-After"]["required"]


def test_problems_are_told_by_their_codes(routes: list[Any]) -> None:
    for name, answer in document(routes)["components"]["responses"].items():
        assert list(answer["content"]) == ["application/problem+json"]
        shape = answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]
        for code in shape["code"]["enum"]:
            assert TITLES[code][0] == shape["status"]["const"], name


@pytest.mark.anyio
async def test_a_parameter_that_a_route_does_not_know_is_an_error(house: House) -> None:
    for path in ("/v1/account", "/v1/sources/src_none", "/v1/orders/ord_none", "/v1/adapters"):
        answer = await house.call("GET", f"{path}?limt=5")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limt"), path


def test_answers_are_typed_with_the_typed_dict_that_pydantic_reads() -> None:
    """typing's own forgets, before Python 3.12, what the document needs to know; it would fail at the first request."""
    for path in Path(app.web.__path__[0]).rglob("*.py"):
        assert not re.search(r"^from typing import .*\bTypedDict\b", path.read_text(), re.MULTILINE), (
            f"{path.name}: from typing_extensions import TypedDict"
        )


@pytest.mark.anyio
async def test_the_page_shows_every_route_and_asks_nobody_else_for_anything(house: House) -> None:
    told = (await house.client.get("/openapi.json")).json()
    answer = await house.client.get("/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            entry = answer.text.partition(f'<details id="{operation["operationId"]}">')[2].partition("</details>")[0]
            assert f">{method.upper()}</span><code>{path}</code>" in entry, operation["operationId"]
            assert all(f">{role}</span>" in entry for role in operation["x-roles"])
            assert all(f"<code>{one['name']}</code>" in entry for one in operation["parameters"])
            assert all(f">{status}</span>" in entry for status in operation["responses"])
            assert "curl " in entry
    assert all(f'<details id="{name}">' in answer.text for name in told["components"]["schemas"])
    asked = re.findall(r'(?:src|href)="([^"#]+)"', answer.text)
    assert set(asked) == {"/docs/style.css", "/docs/filter.js", "/openapi.json"}
    for address, kind in (("/docs/style.css", "text/css"), ("/docs/filter.js", "text/javascript")):
        file = await house.client.get(address)
        assert (file.status_code, file.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        assert not re.search(r"https?://|@import|url\(", file.text)
    assert (await house.client.get("/docs/..%2Fmanual.py")).status_code == 404
    assert (await house.client.get("/docs/other.css")).status_code == 404


@pytest.mark.anyio
async def test_an_example_of_the_page_works_as_it_stands(house: House) -> None:
    """The example's body is what the route takes: no field of it is wrong (the names in capitals are the reader's)."""
    page = (await house.client.get("/docs")).text
    for entry in ("post_v1_orders", "put_v1_deals_deal", "post_v1_sources", "post_v1_tokens"):
        found = re.search(rf'<details id="{entry}">.*?-d &#x27;(.*?)&#x27;</pre>', page, re.DOTALL)
        assert found, entry
        method, *steps = entry.split("_")
        path = "/" + "/".join(steps).replace("deals/deal", "deals/D1")
        answer = await house.call(method.upper(), path, json.loads(html.unescape(found[1])))
        assert answer.status_code == 201 or answer.json()["code"] == "contact_not_found", (entry, answer.text)
