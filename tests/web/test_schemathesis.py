"""`/openapi.json` is kept: no made-up request gets a 500, or an answer that the document does not tell of.

Schemathesis makes the requests from the document itself: right ones, wrong ones, and the edges of every field, against a
real server with real data in it, on both engines, by an admin and by somebody who may do less.
"""

import asyncio
import copy
import socket
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

from tests.house import House, order_event

pytestmark = pytest.mark.anyio

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The house behind a real port."""
    door = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(house.app, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve(sockets=[door]))
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        door.close()


async def furnished(house: House) -> dict[str, Any]:
    """Something of everything; gives for each of the document's names what is there, so that requests find it."""
    source = await house.source("standard", name="Shop")
    other = await house.source("shopify", name="Second shop")
    said = [(await house.deliver(source, order_event(str(n)))).json() for n in range(3)]
    await house.deliver(source, order_event("9", contact=None))
    await house.client.post(f"/webhooks/{source}", content=b"{}")
    await house.call("PUT", "/v1/contacts/42", {"emails": ["ana@example.com"], "name": "Ana", "owner_id": "rep-1"})
    await house.call("PUT", "/v1/deals/D1", {"contact": "42", "title": "Autumn"})
    written = (await house.call("POST", "/v1/orders", {"contact": "42", "title": "By hand", "value": "10.00"})).json()
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep-1"})
    token = (await house.call("POST", "/v1/tokens", {"role": "ops"})).json()
    orders = [one["orders"][0] for one in said] + [written["id"]]
    secret = (await house.get(f"/v1/sources/{other}"))["secrets"][0]["id"]
    return {
        "path.source": [source, other],
        "path.source_id": [source, other],
        "path.secret": [secret],
        "path.token": [token["id"]],
        "path.order": orders,
        "path.contact": ["42", written["contact_id"]],
        "path.deal": ["D1"],
        "path.delivery": [one["delivery_id"] for one in said],
        "query.source_id": [source],
        "query.contact": ["42"],
        "query.deal_id": ["D1"],
        "query.crm_id": ["42"],
        "query.email": ["ana@example.com"],
        "query.since": ["7d", "2026-11-01T00:00:00Z"],
        "query.currency": ["BRL", "JPY"],
        "body.contact": ["42"],
        "body.value": ["10.00", "0.001"],
        "body.adapter": ["shopify", "standard", "stripe"],
        "body.currency": ["BRL", "JPY"],
        "body.deal_id": ["D1"],
        "body.member_id": ["rep-1"],
        "body.ordered_at": ["2026-11-01T00:00:00Z"],
        "body.overlap": ["24h", "0s"],
    }


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document, whose answers may hold what it names and nothing else: here, a field too many is a fault as well."""
    strict = copy.deepcopy(document)
    for name, schema in strict["components"]["schemas"].items():
        if "properties" in schema and name.endswith(("Shown", "List", "Whole", "Answer", "Report")):
            schema.setdefault("additionalProperties", False)
    return strict


def config(address: str, token: str, known: dict[str, list[Any]], *, examples: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict({
        "base-url": address,
        "seed": 1,
        "headers": {"Authorization": f"Bearer {token}"},
        "workers": 1,
        "continue-on-failure": True,
        "cache": {"enabled": False},
        "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS},
        "dictionaries": {name.replace(".", "_"): {"values": values} for name, values in known.items()},
        "parameters": {
            name: {"dictionary": name.replace(".", "_"), "probability": 0.7} for name in known
        },
        "phases": {"stateful": {"enabled": True, "max-steps": 4}},
        "generation": {"max-examples": examples, "deterministic": True, "database": "none", "no-shrink": True},
    })  # fmt: skip


def faults(document: dict[str, Any], settings: SchemathesisConfig) -> tuple[list[str], dict[int, int]]:
    """Everything that schemathesis finds wrong, and how often each status was answered."""
    found: list[str] = []
    seen: dict[int, int] = {}
    schema = schemathesis.openapi.from_dict(document, config=settings)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            for interaction in event.recorder.interactions.values():
                if interaction.response is not None:
                    seen[interaction.response.status_code] = seen.get(interaction.response.status_code, 0) + 1
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


@pytest.mark.parametrize("role", ["admin", "ops"])
async def test_every_answer_is_in_the_document(house: House, role: str) -> None:
    import time
    known = await furnished(house)
    token = house.token if role == "admin" else await house.token_of(role)
    document = await house.get("/openapi.json")
    async with served(house) as address:
        t = time.time()
        found, seen = await asyncio.to_thread(faults, closed(document), config(address, token, known, examples=10))
        print(time.time() - t, seen)
    assert not found, f"{len(found)} faults\n" + "\n".join(found[:20])
