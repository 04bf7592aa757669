"""OpenTelemetry: the spans of real deliveries at a real collector, what they must not tell, and a collector that is away."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from adapters.contract import Delivery
from app.base.settings import BadSettings, Settings, read_settings
from app.base.tuning import Tuning
from tests.collector import SPAN, Collector, collecting, said
from tests.house import WHSEC, House, eventually, order_event, signed
from tests.jobs import done
from tests.server import Server
from tests.test_markers import CREDENTIALS, EMAIL, PEOPLE, SECRET, TOKEN, WORDS, person
from tests.web.test_fetching import API, payment, shop, told

pytestmark = pytest.mark.anyio

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"  # the specification's own example


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
async def sources(settings: Settings) -> list[str]:
    """Two sources, made before any server has the database."""
    async with House(settings) as house:
        return [await house.source(), await house.source("gumroad", secret=SECRET)]


@pytest.fixture
async def server(settings: Settings, sources: list[str], collector: Collector, tmp_path: Path) -> AsyncIterator[Server]:
    running = Server(settings, tmp_path, **collector.environment)
    try:
        await running.start()
        yield running
    finally:
        running.stop()


async def sent(server: Server, source: str, one: Delivery, **headers: str) -> httpx.Response:
    given = {**one.headers, **headers}
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(
            f"{server.address}/webhooks/{source}",
            content=one.body,
            headers=[(name.encode(), value.encode()) for name, value in given.items()],
        )


async def came(collector: Collector, name: str, count: int = 1) -> list[SPAN]:
    """The spans of this name, once there are so many."""

    async def ask() -> list[SPAN]:
        return collector.spans(name)

    found: list[SPAN] = await eventually(ask, lambda spans: len(spans) >= count)
    assert len(found) == count, found
    return found


async def test_a_delivery_is_a_trace(server: Server, sources: list[str], collector: Collector) -> None:
    answer = await sent(server, sources[0], order_event("1"), traceparent=f"00-{TRACE}-{PARENT}-01")
    assert answer.json()["outcome"] == "created"
    [whole] = await came(collector, "delivery")
    assert (whole.trace_id.hex(), whole.parent_span_id.hex(), whole.kind) == (TRACE, PARENT, SPAN.SPAN_KIND_SERVER)
    assert said(whole) == {
        "orders.source_id": sources[0],
        "orders.adapter": "standard",
        "orders.delivery_id": answer.json()["delivery_id"],
        "orders.kind": "order.updated",
        "orders.outcome": "created",
        "http.response.status_code": 200,
    }
    parts = [
        one
        for name in ("delivery.proof", "delivery.reading", "commit.wait", "delivery.answer")
        for one in await came(collector, name)
    ]
    assert {one.parent_span_id for one in parts} == {whole.span_id}
    times = [at for one in parts for at in (one.start_time_unix_nano, one.end_time_unix_nano)]
    assert [whole.start_time_unix_nano, *times, whole.end_time_unix_nano] == sorted(
        [whole.start_time_unix_nano, *times, whole.end_time_unix_nano]
    )
    [commit] = await came(collector, "commit")
    assert said(commit) == {"orders.batch_size": 1}
    assert not commit.parent_span_id and commit.trace_id.hex() != TRACE
    waited = parts[2]
    assert [one.span_id for one in commit.links] == [waited.span_id]
    assert [one.span_id for one in waited.links] == [commit.span_id]
    resource = {one.key: one.value.string_value for one in collector.requests[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "orders-registry"
    assert collector.paths == {"/v1/traces"}


async def test_a_group_commit_is_linked_to_all_its_deliveries(
    server: Server, sources: list[str], collector: Collector
) -> None:
    count = 40
    await asyncio.gather(*(sent(server, sources[0], order_event(str(number))) for number in range(count)))
    await came(collector, "delivery", count)

    async def linked() -> int:
        return sum(len(one.links) for one in collector.spans("commit"))

    await eventually(linked, lambda found: found == count)
    commits, waits = collector.spans("commit"), await came(collector, "commit.wait", count)
    assert sum(said(one)["orders.batch_size"] for one in commits) == count
    assert {link.span_id for one in commits for link in one.links} == {one.span_id for one in waits}


async def test_what_its_caller_does_not_trace_is_not_traced(
    server: Server, sources: list[str], collector: Collector
) -> None:
    untraced, traced = [
        (await sent(server, sources[0], order_event(flags), traceparent=f"00-{TRACE}-{PARENT}-{flags}")).json()
        for flags in ("00", "01")
    ]
    assert (untraced["outcome"], traced["outcome"]) == ("created", "created")
    [whole] = await came(collector, "delivery")
    assert said(whole)["orders.delivery_id"] == traced["delivery_id"]
    await came(collector, "delivery.answer")
    assert [len(collector.spans(name)) for name in ("delivery.proof", "commit.wait", "commit")] == [1, 1, 1]


async def test_what_is_refused_is_told_by_its_word(server: Server, sources: list[str], collector: Collector) -> None:
    forged = order_event("1").changed(headers={"webhook-signature": "v1,bm8="})
    assert (await sent(server, sources[0], forged)).status_code == 401
    assert (await sent(server, f"src_{WORDS}", forged)).status_code == 404
    refused, unknown = await came(collector, "delivery", 2)
    assert said(refused) == {
        "orders.source_id": sources[0],
        "orders.adapter": "standard",
        "orders.outcome": "unverified",
        "orders.reason": "signature_mismatch",
        "http.response.status_code": 401,
    }
    assert said(unknown) == {"orders.outcome": "not_found", "http.response.status_code": 404}
    [proof] = await came(collector, "delivery.proof")
    assert (said(proof)["error.type"], proof.status.code) == ("Unverified", 2)
    assert not collector.spans("commit")


async def test_no_span_tells_what_was_planted(server: Server, sources: list[str], collector: Collector) -> None:
    good = order_event("1", contact=person(), title=WORDS)
    wrong = order_event("2", contact=person(), title=WORDS, value=WORDS)
    broken = signed("standard", f'{{"data": {{"contact": {{"email": "{EMAIL}'.encode())
    forged = good.changed(headers={"webhook-signature": f"v1,{SECRET}", "user-agent": f"shop ({EMAIL}) {TOKEN}"})
    planted = {"tracestate": f"vendor={WORDS}", "baggage": f"email={EMAIL}", "authorization": f"Bearer {TOKEN}"}
    ours = {"traceparent": f"00-{TRACE}-{PARENT}-01", **planted}
    deliveries = [good, wrong, broken, good, forged]
    for number, one in enumerate(deliveries):
        await sent(server, sources[0], one, **(ours if number else planted))
    await sent(server, sources[1], forged, **ours)
    await sent(server, sources[0], good, traceparent=f"{EMAIL}-{SECRET}")
    async with httpx.AsyncClient() as client:
        await client.post(f"{server.address}/webhooks/src_{WORDS}?token={SECRET}&{EMAIL}", content=good.body)
    await came(collector, "delivery", len(deliveries) + 3)
    outcomes = {said(one)["orders.outcome"] for one in collector.spans("delivery")}
    assert outcomes == {"created", "unreadable", "duplicate", "unverified", "not_found"}
    told_to_us = b"\n".join(collector.bodies)
    for marker in (*PEOPLE, *CREDENTIALS, WHSEC, "bWFya2", good.headers["webhook-signature"]):
        assert marker.encode() not in told_to_us, marker


async def test_a_collector_that_is_away_holds_nothing_up(
    settings: Settings, sources: list[str], tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        server = Server(
            settings,
            tmp_path,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces",
            OTEL_BSP_SCHEDULE_DELAY="1",
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
            OTEL_BSP_MAX_QUEUE_SIZE="16",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="16",
        )
        try:
            await server.start()
            answers = await asyncio.gather(*(sent(server, sources[0], order_event(str(n))) for n in range(50)))
            assert {one.json()["outcome"] for one in answers} == {"created"}

            async def log() -> str:
                return server.said()

            lines = (await eventually(log, lambda text: "traces cannot be exported" in text)).splitlines()
            assert all(json.loads(line) for line in lines)  # nobody but us writes there
            assert (await sent(server, sources[0], order_event("more"))).json()["outcome"] == "created"
        finally:
            server.stop()


# -- After the answer ---------------------------------------------------------------------------------------------


@pytest.fixture
async def traced(settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house in this process, whose sources' APIs can be stood in for."""
    soon = Tuning(look_every=0.02, retry_waits=(0.01, 3600.0))
    for name, value in collector.environment.items():
        monkeypatch.setenv(name, value)
    again: dict[str, Any] = {"database_url": settings.database_url, "master_key": settings.master_key or None}
    async with House(read_settings(serves=True, **again), tuning=soon) as running:
        yield running


async def test_a_fetch_is_a_trace_of_its_own(traced: House, collector: Collector) -> None:
    with respx.mock() as api:
        api.get(API + "130000000001").mock(
            side_effect=[httpx.Response(500, text=EMAIL), httpx.Response(200, json=payment("130000000001"))]
        )
        delivery_id = await told(traced, await shop(traced))
        first, second = await came(collector, "fetch", 2)
    assert [said(one)["orders.outcome"] for one in (first, second)] == ["fetching", "created"]
    assert {said(one)["orders.delivery_id"] for one in (first, second)} == {delivery_id}
    assert [said(one)["orders.attempt"] for one in (first, second)] == [1, 2]
    asked = {one.parent_span_id: one for one in await came(collector, "fetch.read", 2)}
    assert said(asked[first.span_id]) == {
        "server.address": "api.mercadopago.com",
        "error.type": "Unfetched",
        "orders.reason": "the source answered HTTP 500",
    }
    assert said(asked[second.span_id]) == {"server.address": "api.mercadopago.com"}
    assert second.span_id in {one.parent_span_id for one in collector.spans("commit.wait")}
    assert EMAIL.encode() not in b"".join(collector.bodies)


async def test_each_piece_of_a_job_is_a_trace(traced: House, collector: Collector) -> None:
    source = await traced.source()
    for number in range(3):
        await traced.deliver(source, order_event(str(number)))
    job = await done(traced, "/v1/deliveries/retry", {"filter": {"source_id": source}, "dry_run": False})
    work, end = await came(collector, "job.piece", 2)
    assert said(work) == {
        "orders.job_id": job["id"],
        "orders.job_kind": "retry",
        "orders.dry_run": False,
        "orders.ended": False,
    }
    assert said(end)["orders.ended"] is True
    assert len([one for one in collector.spans("commit.wait") if one.parent_span_id == work.span_id]) == 3


# -- What configures it -------------------------------------------------------------------------------------------

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example.com/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_SERVICE_NAME": "orders"}, False),
    ],
)
def test_traces_are_on_where_an_exporter_is_configured(
    environment: dict[str, str], on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert read_settings(serves=True).traces is on
    assert not read_settings().traces  # a command's own registry tells nobody


def test_what_is_wrong_is_named_among_the_settings_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("ORDERS_PORT", "many")
    for module in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"):
        monkeypatch.setitem(sys.modules, module, None)  # how Python says "not to be found"
    with pytest.raises(BadSettings) as caught:
        read_settings(serves=True)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "ORDERS_PORT",
        "OTEL_TRACES_EXPORTER",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ]
    assert "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http" in lines[-1]
    assert "pip install 'orders-registry[otel]'" in lines[-1]


def test_nothing_is_loaded_where_nobody_asked(tmp_path: Path) -> None:
    script = (
        "import sys; from app.base.settings import read_settings; from app.web.application import create_app; import app.cli;"
        "create_app(read_settings(serves=True)); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    ours = {"ORDERS_DATABASE_URL": f"sqlite:///{tmp_path}/orders.db", "OTEL_TRACES_EXPORTER": "none", **ENDPOINT}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=ours,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
