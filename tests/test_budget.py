"""The work budget: what comes before the proof, or from customers, costs in proportion to its length, whatever it is."""

import asyncio
import http.client
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Thread

import httpx
import pytest

import adapters
from adapters.contract import Delivery, Unverified
from app.base import log
from app.base.settings import Settings
from app.store import accounts
from tests.house import SECRET, House, signed
from tests.routes import every_route
from tests.samples import samples, secret_for
from tests.server import Server
from tests.web.test_strangers import listening
from tests.worst import BODIES, within

pytestmark = pytest.mark.anyio

SMALL = 64 * 1024  # bytes, and four times as many; fewer than are refused for their number of values
MOST_TIMES = 6  # as much CPU for four times the length
NOTHING = 0.02  # seconds of CPU that are not compared
TRIES = 4

Post = Callable[[bytes], Awaitable[int]]


@pytest.fixture
def engine() -> str:
    return "sqlite"


async def cost(post: Post, body: bytes) -> float:
    """The CPU of this process, all its threads, for one request."""
    begun = time.process_time()
    status = await post(body)
    taken = time.process_time() - begun
    assert status < 500 or status == 503, (status, body[:80])
    return taken


async def grows(post: Post, small: bytes, large: bytes) -> str | None:
    """Why four times the length costs too much; None when it does not. What disturbs, disturbs upwards: it is tried again."""
    less = more = float("inf")
    for _ in range(TRIES):
        less, more = min(less, await cost(post, small)), min(more, await cost(post, large))
        if more <= MOST_TIMES * max(less, NOTHING):
            return None
    return f"{less * 1000:.0f} ms, {more * 1000:.0f} ms for four times the length"


@pytest.mark.parametrize("adapter_name", adapters.names())
async def test_a_webhook_four_times_as_long_costs_no_more_than_six_times(house: House, adapter_name: str) -> None:
    adapter = adapters.load(adapter_name)
    sample = samples(adapter_name)[0]
    secret = secret_for(adapter)
    source = await house.source(adapter_name, secret=secret, options=sample.said.get("options", {}))

    async def post(delivery: Delivery) -> int:
        return (await house.deliver(source, delivery)).status_code

    def unsigned(body: bytes) -> Delivery:
        return sample.delivery.changed(body=body)

    def proven(body: bytes) -> Delivery:
        try:
            return sample.scheme.sign(unsigned(body), secret, sample.delivery.received_at)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, Unverified):
            return unsigned(body)  # its signature stands in a body that has a form

    faults = []
    worst = [(name, make(SMALL), make(4 * SMALL)) for name, make in BODIES.items()]
    large = dict(within(sample.body, 4 * SMALL))
    worst += [(name, small, large[name]) for name, small in within(sample.body, SMALL)]
    for name, small, more in worst:
        for how in (unsigned, proven):
            one, other = how(small), how(more)
            sent = {id(small): one, id(more): other}
            said = await grows(lambda body, sent=sent: post(sent[id(body)]), small, more)  # type: ignore[misc]
            if said:
                faults.append(f"{how.__name__}, {name}: {said}")
    assert not faults


async def test_a_request_four_times_as_long_costs_no_more_than_six_times(house: House) -> None:
    source = await house.source("shopify")
    faults = []
    for method, path in await every_route(house):
        if method == "GET":
            continue
        address = path.replace("{source}", source).replace("{", "").replace("}", "")

        async def post(body: bytes, method: str = method, address: str = address) -> int:
            return (
                await house.client.request(
                    method,
                    address,
                    content=body,
                    headers={"authorization": f"Bearer {house.token}", "orders-console": "1"},
                )
            ).status_code

        for name, make in BODIES.items():
            for few in (15 * 1024, SMALL):  # what small routes take, and what they do not
                if said := await grows(post, make(few), make(4 * few)):
                    faults.append(f"{method} {path}, {name}: {said}")
    assert not faults


@pytest.mark.parametrize(
    "query",
    [
        lambda size: "&".join(f"a{number}=" for number in range(size // 8)),
        lambda size: "a=&" * (size // 3),
        lambda size: "q=" + "%40" * (size // 3),
        lambda size: "since=" + "T1" * (size // 2),
        lambda size: "cursor=" + "W" * size,
    ],
)
async def test_a_query_four_times_as_long_costs_no_more_than_six_times(
    house: House, query: Callable[[int], str]
) -> None:
    async def ask(text: bytes) -> int:
        return (await house.call("GET", f"/v1/orders?{text.decode()}")).status_code

    assert await grows(ask, query(14 * 1024).encode(), query(56 * 1024).encode()) is None


async def test_wrong_tokens_are_not_remembered_whole(house: House) -> None:
    """60 KB each, and all of them for half a second: it was 58 MB for a thousand requests."""
    cache = house.service.source_cache
    for number in range(50):
        token = f"{number:05}" * 12_000
        assert (await house.call("GET", "/v1/orders", token=token)).status_code == 401
        assert accounts.hashed(token) not in cache._bearers._known  # none of ours is so long
        assert (await house.call("GET", "/v1/orders", token=token[:150])).status_code == 401
        assert (await house.client.post(f"/webhooks/{token}", content=b"{}")).status_code == 404
    kept = [word for known in (cache._bearers, cache._sources) for word in known._known]
    assert kept and max(map(len, kept)) <= 100


async def test_what_is_remembered_is_swept_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.ingest import source_cache

    monkeypatch.setattr(source_cache, "REMEMBER", 0.0)
    monkeypatch.setattr(source_cache, "SWEEP", 0.0)
    for number in range(20):
        await house.call("GET", "/v1/orders", token=f"wrong{number}")
    assert len(house.service.source_cache._bearers._known) <= 2


async def test_no_more_is_remembered_than_a_bound(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.ingest import source_cache

    monkeypatch.setattr(source_cache, "MOST", 5)
    for number in range(20):
        await house.call("GET", "/v1/orders", token=f"wrong{number}")
        assert len(house.service.source_cache._bearers._known) <= 5


@pytest.mark.parametrize("body", [b'{"token":' * 950 + b"0" + b"}" * 950, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"])
async def test_a_deep_body_is_a_422_and_no_line_in_the_log(house: House, body: bytes) -> None:
    for path in ("/v1/orders", "/v1/sources", "/v1/deliveries/retry"):
        answer = await house.client.post(
            path, content=body, headers={"authorization": f"Bearer {house.token}", "orders-console": "1"}
        )
        assert (answer.status_code, answer.json()["detail"]) == (422, "the body is nested too deeply")


async def test_a_small_route_takes_a_small_body(house: House) -> None:
    def session(size: int) -> Awaitable[http.client.HTTPResponse]:
        body = json.dumps({"token": "x" * size})
        return house.client.post("/v1/session", content=body, headers={"orders-console": "1"})  # type: ignore[return-value]

    assert (await session(500)).status_code == 401  # type: ignore[attr-defined]
    assert (await session(5_000)).status_code == 413  # type: ignore[attr-defined]
    assert (await house.call("POST", "/v1/members", {"name": "x" * 70_000, "role": "rep"})).status_code == 413
    tried = {"headers": {}, "body": json.dumps({"note": "x" * 3_000_000})}
    assert (await house.call("POST", f"/v1/sources/{await house.source()}/try", tried)).status_code == 200


@pytest.mark.usefixtures("log_put_back")
async def test_a_fault_of_ours_is_one_line_without_its_words(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server's own logger wrote the traceback again, with what the exception said; and a deep one had 1,000 places."""

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise ValueError("ana@example.com")

    async def fails(*_: object, **__: object) -> None:
        deep(100)

    log.set_up(as_json=True)
    monkeypatch.setattr("app.store.accounts.members", fails)
    monkeypatch.setattr(house.service.receiver, "receive", fails)
    async with listening(house) as wire, httpx.AsyncClient(base_url=f"http://127.0.0.1:{wire.port}") as client:
        bearer = {"authorization": f"Bearer {house.token}"}
        assert (await client.get("/v1/members", headers=bearer)).status_code == 500
        assert (await client.post(f"/webhooks/{await house.source()}", content=b"{}")).status_code == 500
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    faults = [line for line in lines if "exception" in line]
    assert [line["level"] for line in faults] == ["error", "error"]
    assert "ana@example.com" not in json.dumps(lines)
    assert all(line["exception"].count(" > ") <= log.MOST_FRAMES for line in faults)


# -- Expressions --------------------------------------------------------------------------------------------------

GENERIC = {
    "signature": {"scheme": "token", "header": "x-token"},
    "kind": "always:order",
    "statuses": {"paid": "paid"},
}
DOUBLING = [
    "id || '1' | " + " | ".join(["[@,@][]"] * 60) + " | to_string(@)",
    "[id] | " + " | ".join(["[@,@]"] * 90) + " | to_string(@)",
    "to_string(id) | " + " | ".join(["join('',[@,@])"] * 50),
    "[id] | " + " | ".join(["{a:@,b:@}"] * 80) + " | to_string(@)",
    "[id] | " + " | ".join(["map(&[@,@],@)[]"] * 50) + " | to_string(@)",
    "[id] | " + " | ".join(["[@,@]"] * 40) + " | [?@==@] | to_string(@)",
    "[id] | " + " | ".join(["merge({a:@},{b:@})"] * 40) + " | to_string(@)",
]


@pytest.mark.parametrize("expression", DOUBLING)
async def test_an_expression_that_doubles_its_work_ends_soon(house: House, expression: str) -> None:
    """Every twelve characters doubled it; 268 of them held up everybody for seven seconds."""
    options = GENERIC | {"fields": {"external_id": expression}}
    source = await house.source("generic", options=options)
    begun = time.process_time()
    said = await house.client.post(f"/webhooks/{source}", content=b'{"id":"7"}', headers={"x-token": SECRET})
    assert said.json()["outcome"] in ("unreadable", "ignored")
    assert time.process_time() - begun < 2
    row = await house.get(f"/v1/deliveries/{said.json()['delivery_id']}")
    assert "more than 200000 steps" in row["reason"] or "fails on this delivery" in row["reason"]


async def test_an_expression_runs_beside_the_loop(house: House) -> None:
    options = GENERIC | {"fields": {"external_id": DOUBLING[0]}}
    source = await house.source("generic", options=options)
    post = house.client.post(f"/webhooks/{source}", content=b'{"id":"7"}', headers={"x-token": SECRET})
    answer = asyncio.create_task(post)
    begun = last = time.process_time()
    longest = 0.0  # of the CPU that was used between two turns of the loop
    while not answer.done():
        await asyncio.sleep(0)
        present = time.process_time()
        longest, last = max(longest, present - last), present
    assert (await answer).json()["outcome"] == "unreadable"
    assert longest < (last - begun) / 2


async def test_the_steps_of_all_expressions_on_a_delivery_are_one_budget(house: House) -> None:
    money = {"money": {"unit": "major", "currency": "BRL"}}
    fields = {
        "external_id": "id",
        "value": "v",
        "items": "items",
        "item_title": "join(',', [t,t,t])",
        "item_sku": "to_string(@)",
    }
    source = await house.source("generic", options=GENERIC | money | {"fields": fields})

    async def outcome(many: int) -> str:
        body = json.dumps({"id": f"n{many}", "v": "9.90", "items": [{"t": "x"}] * many}).encode()
        answer = await house.client.post(f"/webhooks/{source}", content=body, headers={"x-token": SECRET})
        said: str = answer.json()["outcome"]
        return said

    assert [await outcome(500), await outcome(20_000)] == ["created", "unreadable"]


# -- Beside it everybody else is served ---------------------------------------------------------------------------

PATIENCE = 0.25  # seconds of our own work that /healthz waits for at most
AT_ONCE = 4  # posts of the same body to the same address


async def test_healthz_never_waits_while_the_worst_is_posted(settings: Settings, tmp_path: Path) -> None:
    """What it waits for besides our own work is the machine's, and says nothing of us (tests/turns.py)."""
    async with House(settings) as house:
        names = {
            "woovi": SECRET,
            "perfectpay": SECRET,
            "paypal": "ABCDEF0123456789A",
            "adyen": "5a" * 32,
            "shopify": SECRET,
        }
        sources = {name: await house.source(name, secret=secret) for name, secret in names.items()}
        token = house.token
    server = Server(settings, tmp_path, program="tests.turns")
    host = (await server.start()).removeprefix("http://")
    try:
        await asyncio.to_thread(_flooded, host, sources, token)
    finally:
        server.stop()
    (longest,) = [line["longest"] for line in map(json.loads, server.said().splitlines()) if line["event"] == "turns"]
    assert 0 < longest <= PATIENCE


def _flooded(host: str, sources: dict[str, str], token: str) -> None:
    """Asks for /healthz, which is always answered, while each of the worst bodies is posted everywhere at once."""
    bodies = [make(size) for make in BODIES.values() for size in (100_000, 1_000_000)]
    everywhere: list[tuple[str, dict[str, str]]] = [
        ("/v1/session", {"orders-console": "1"}),
        ("/v1/orders", {"authorization": f"Bearer {token}"}),
        *((f"/webhooks/{source}", {}) for source in sources.values()),
    ]
    together = Barrier(AT_ONCE * len(everywhere))

    def post(path: str, headers: dict[str, str]) -> None:
        for body in bodies:
            proof = {}
            if path.endswith(sources["shopify"]):
                proof = dict(signed("shopify", body, {"x-shopify-topic": "orders/create"}).headers)
            together.wait()
            with _connection(host) as connection:
                connection.request("POST", path, body, headers | proof)
                connection.getresponse().read()

    posting = [Thread(target=post, args=where) for where in everywhere * AT_ONCE]
    for thread in posting:
        thread.start()
    with _connection(host) as connection:
        while any(thread.is_alive() for thread in posting):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
    for thread in posting:
        thread.join()


@contextmanager
def _connection(host: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        yield connection
    except (ConnectionError, http.client.RemoteDisconnected):
        pass  # the server has answered, and hung up before it had read everything
    finally:
        connection.close()
