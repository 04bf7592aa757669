"""`/openapi.json` is kept: no made-up request gets a 500, or an answer that the document does not tell of.

Schemathesis makes the requests from the document itself: right ones, wrong ones, and the edges of every field, against a
real server with real data in it, on both engines, by an admin and by somebody who may do less.
"""

import asyncio
import copy
import socket
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import schemathesis
import uvicorn
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case

from app.web.http.request import cursor
from tests.house import House, order_event

pytestmark = pytest.mark.anyio

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
# What ends well only by more than schemathesis can know.
NEVER_WELL = {
    "POST /webhooks/{source_id}",  # nobody signs by chance
    "POST /v1/session",  # is for the console's own pages alone, which say so in a header
    "DELETE /v1/session",  # the same
    "POST /v1/privacy/requests/{request}/carry-out",  # there is none: it takes a shop that asks
    "POST /v1/contacts/{contact}/unmerge",  # it comes to be asked before the contact is merged
    "POST /v1/contacts/{contact}/keep-apart",  # asks for a second contact that is there
    "POST /v1/contacts/{contact}/split",  # names orders or identities that are its own
    "DELETE /v1/orders/{order}",  # the one that is known came from a source, and is not a test order
    "POST /v1/orders/{order}/merge",  # asks for a second order that is there, of the same contact
    "POST /v1/orders/{order}/split",  # the one that is known was merged with none
    "POST /v1/reconcile",  # asks for a source of a CRM that can be asked
    "POST /v1/orders/import",  # made-up text is no file of orders
    "POST /v1/contacts/import",  # nor of contacts
    "DELETE /v1/contacts/{contact}/identities",  # asks for one identity that is there, and no other parameter
}

ENDLESS = {"/v1/deliveries/tail"}  # an answer that goes on for as long as somebody listens; tests of its own hold it


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The house behind a real port."""
    # Said to be TCP's: of others, asyncio does not turn Nagle's algorithm off, and each answer would wait 40 ms.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind(("127.0.0.1", 0))
    door.listen(100)
    server = uvicorn.Server(uvicorn.Config(house.app, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve(sockets=[door]))
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        door.close()


async def furnished(house: House) -> dict[str, list[str]]:
    """Something of everything; gives what is there for the document's names, so that requests find it."""
    source = await house.source("standard", name="Shop")
    second = await house.source("shopify", name="Second shop")
    doomed = [await house.source("shopify", name=f"To go {n}") for n in range(2)]
    said = [(await house.deliver(source, order_event(str(n)))).json() for n in range(3)]
    await house.client.post(f"/webhooks/{source}", content=b"{}")
    await house.call("PUT", "/v1/contacts/42", {"emails": ["ana@example.com"], "name": "Ana", "owner_id": "rep-1"})
    await house.call("PUT", "/v1/deals/D1", {"contact": "42", "title": "Autumn"})
    written = (await house.call("POST", "/v1/orders", {"contact": "42", "title": "By hand", "value": "10.00"})).json()
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep-1"})
    for doomed_contact in ("43", "44"):
        await house.call("PUT", f"/v1/contacts/{doomed_contact}", {"name": "To go"})
    job = (await house.call("POST", "/v1/deliveries/retry", {"filter": {"kind": "none"}})).json()
    token = (await house.call("POST", "/v1/tokens", {"role": "ops"})).json()
    secret = (await house.get(f"/v1/sources/{doomed[1]}"))["secrets"][0]["id"]
    await house.service.outbox.stop()  # made-up addresses are nobody's to be knocked at
    subscriptions = [
        (
            await house.call("POST", "/v1/subscriptions", {"url": "https://example.com/", "events": ["order.created"]})
        ).json()
        for _ in range(3)
    ]
    older = subscriptions[2]["secrets"][0]["id"]
    await house.call("POST", f"/v1/subscriptions/{subscriptions[2]['id']}/secrets", {})
    return {
        "path.source": [source, second],
        "path.source_id": [source, second],
        "path.token": [token["id"]],
        "path.secret": [secret],
        "path.order": [one["orders"][0] for one in said] + [written["id"]],
        "path.contact": ["42", written["contact_id"]],
        "path.deal": ["D1"],
        "path.delivery": [one["delivery_id"] for one in said],
        "query.source_id": [source],
        "query.contact": ["42"],
        "query.deal_id": ["D1"],
        "query.crm_id": ["42"],
        "query.email": ["ana@example.com"],
        "query.currency": ["BRL", "JPY"],
        "body.contact": ["42"],
        "body.adapter": ["shopify", "standard", "stripe"],
        "body.currency": ["BRL", "JPY"],
        "body.deal_id": ["D1"],
        "body.member_id": ["rep-1"],
        "path.job": [job["job_id"]],
        "query.phone": ["+5511987654321"],
        "body.into": ["42"],
        "body.source_id": [source],
        "doomed.source": doomed,
        "path.subscription": [subscriptions[0]["id"]],
        "doomed.subscription": [subscriptions[1]["id"]],
        "rotated.subscription": [subscriptions[2]["id"]],
        "rotated.secret": [older],
        "body.url": ["https://example.com/orders"],
        "query.cursor": [cursor("dlv_7ZZZZZZZZZZZZZZZZZZZZZZZZZ")],
        "orders.cursor": [cursor([4_000_000_000_000_000, "ord_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"])],
    }


def closed(document: dict[str, Any], known: dict[str, list[str]]) -> dict[str, Any]:
    """The document as it is held to: an answer has what it names and nothing else. With examples of what is there.

    Left out is what would keep the other requests from coming to anything: Idempotency-Key (few keys for many requests,
    nearly all would be 409; keys have tests of their own), and the switches of the registry and of a source.
    """
    strict = copy.deepcopy(document)
    strict["paths"] = {path: told for path, told in strict["paths"].items() if path not in ENDLESS}
    for schema in strict["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if f"body.{name}" in known and schema.get("additionalProperties") is False:
                field["examples"] = known[f"body.{name}"]
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    for body, switch in (("AccountChange", "orders_enabled"), ("SourceChange", "enabled")):
        del strict["components"]["schemas"][body]["properties"][switch]
    for path, operations in strict["paths"].items():
        for operation in operations.values():
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "Idempotency-Key"]
            for one in operation["parameters"]:
                name = f"{one['in']}.{one['name']}"
                name = "orders.cursor" if name == "query.cursor" and path.endswith("orders") else name
                if name in known:
                    one["schema"]["examples"] = known[name]
    return strict


def config(address: str, token: str, known: dict[str, list[str]], *, less: bool = False) -> SchemathesisConfig:
    """Deterministic and bounded. With `less` few requests of each kind; else paths lead to what is there."""

    def often(*names: str, of: str = "") -> dict[str, Any]:
        return {name: {"dictionary": (of or name).replace(".", "_"), "probability": 0.7} for name in names}

    def always(name: str) -> Any:
        if less:
            return often(name)[name]
        return known[name][0] if name.startswith("path.") else often(name)[name] | {"probability": 1.0}

    nothing_learned = {"responses": False}
    return SchemathesisConfig.from_dict(
        {
            "base-url": address,
            "seed": 1,
            "headers": {"Authorization": f"Bearer {token}"},
            "workers": 1,
            "continue-on-failure": True,
            "cache": {"enabled": False},
            "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS},
            "dictionaries": {name.replace(".", "_"): {"values": values} for name, values in known.items()},
            "parameters": {
                name: always(name) if name.startswith(("path.", "body.")) else often(name)[name]
                for name in known
                if name.startswith(("path.", "query.", "body."))
            },
            "operations": [
                # What is taken away is not what the other requests are about.
                {
                    "include-name": "DELETE /v1/sources/{source}",
                    "parameters": {"path.source": known["doomed.source"][0]},
                },
                {
                    "include-name": "DELETE /v1/sources/{source}/secrets/{secret}",
                    "parameters": {"path.source": known["doomed.source"][1], "path.secret": known["path.secret"][0]},
                },
                {
                    "include-name": "DELETE /v1/subscriptions/{subscription}",
                    "parameters": {"path.subscription": known["doomed.subscription"][0]},
                },
                {
                    "include-name": "DELETE /v1/subscriptions/{subscription}/secrets/{secret}",
                    "parameters": {
                        "path.subscription": known["rotated.subscription"][0],
                        "path.secret": known["rotated.secret"][0],
                    },
                },
                {"include-name": "DELETE /v1/contacts/{contact}", "parameters": {"path.contact": "43"}},
                {"include-name": "POST /v1/contacts/{contact}/merge", "parameters": {"path.contact": "44"}},
                {"include-name": "POST /v1/contacts/{contact}/unmerge", "parameters": {"path.contact": "44"}},
                {"include-path-regex": "orders$", "parameters": often("query.cursor", of="orders.cursor")},
            ],
            "phases": {
                "examples": {"enabled": False},
                "coverage": {"enabled": not less, "unexpected-methods": [], "extra-data-sources": nothing_learned},
                "fuzzing": {"enabled": True, "extra-data-sources": nothing_learned},
                "stateful": {"enabled": not less, "max-steps": 4},
            },
            "generation": {
                "max-examples": 4 if less else 6,
                "deterministic": True,
                "database": "none",
                "no-shrink": True,
            },
        }
    )


def faults(document: dict[str, Any], settings: SchemathesisConfig) -> tuple[list[str], dict[str, set[int]]]:
    """Everything that schemathesis finds wrong, and what each operation answered."""
    found: list[str] = []
    seen: dict[str, set[int]] = defaultdict(set)
    schema = schemathesis.openapi.from_dict(document, config=settings)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            for case_id, interaction in event.recorder.interactions.items():
                if interaction.response is not None:
                    seen[event.recorder.cases[case_id].value.operation.label].add(interaction.response.status_code)
            for case_id, checks in event.recorder.checks.items():
                for one in checks:
                    if one.failure_info is not None:
                        found.append(_told(event.recorder.cases[case_id].value, one.failure_info.failure))
        elif isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.info.format()}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return found, seen


def _told(case: Case, failure: Failure) -> str:
    return f"{case.method} {case.formatted_path} {case.query} {str(case.body)[:300]}\n  {failure.title}: {failure.message[:600]}"


async def test_every_answer_to_an_admin_is_in_the_document(house: House) -> None:
    known = await furnished(house)
    document = await house.get("/openapi.json")
    async with served(house) as address:
        settings = config(address, house.token, known)
        found, seen = await asyncio.to_thread(faults, closed(document, known), settings)
    assert not found, f"{len(found)} faults\n" + "\n".join(found[:20])
    never = [label for label, statuses in seen.items() if not any(status < 300 for status in statuses)]
    assert set(never) <= NEVER_WELL, "these never ended well"


async def test_every_answer_to_a_rep_is_in_the_document(house: House) -> None:
    known = await furnished(house)
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    token = await house.token_of("rep", "rep-1")
    document = await house.get("/openapi.json")
    async with served(house) as address:
        settings = config(address, token, known, less=True)
        found, seen = await asyncio.to_thread(faults, closed(document, known), settings)
    assert not found, f"{len(found)} faults\n" + "\n".join(found[:20])
    assert {200, 403, 404, 422} <= set().union(*seen.values()), "it came to answers of every kind"
