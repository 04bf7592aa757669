"""Thin deliveries: answered at once, then read from the source's API, whatever that API does."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
import respx

from adapters.contract import Delivery
from app.base import clock
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.db.statements import Plan, Sql
from tests.house import SECRET, House, eventually
from tests.samples import samples, secret_for

SOON = {"look_every": 0.02, "retry_waits": (0.01, 3600.0)}  # a second attempt need not be waited for
pytestmark = [pytest.mark.anyio, pytest.mark.tuned(**SOON)]

API = "https://api.mercadopago.com/v1/payments/"
KEY = "APP_USR-made-up-key"
[SAMPLE] = [one for one in samples("mercadopago") if one.case == "payment_approved"]


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    """The sources' APIs; an address that no test expects is an error."""
    with respx.mock(assert_all_called=False) as router:
        yield router


def notice(payment: str) -> Delivery:
    body = json.dumps(
        {
            "action": "payment.updated",
            "data": {"id": payment},
            "date_created": "2026-11-20T13:00:06Z",
            "id": f"9{payment}",
            "type": "payment",
        }
    ).encode()
    unsigned = Delivery(
        body=body,
        headers={"x-request-id": f"request-{payment}"},
        query={"data.id": payment, "type": "payment"},
        received_at=clock.moment(clock.now()),
        url="",
    )
    return SAMPLE.scheme.sign(unsigned, secret_for(SAMPLE.adapter), unsigned.received_at)


def payment(number: str, **more: Any) -> dict[str, Any]:
    assert SAMPLE.fetched is not None
    said: dict[str, Any] = json.loads(SAMPLE.fetched)
    return said | {"id": int(number)} | more


async def shop(house: House, key: str | None = KEY) -> str:
    given = {"key": key} if key else {}
    return await house.source("mercadopago", secret=secret_for(SAMPLE.adapter), **given)


async def told(house: House, source: str, number: str = "130000000001") -> str:
    """A notice at the door; gives the delivery's id."""
    answer = await house.deliver(source, notice(number))
    assert answer.status_code == 200 and answer.json()["outcome"] == "fetching", answer.text
    delivery_id: str = answer.json()["delivery_id"]
    return delivery_id


async def ended(house: House, delivery_id: str, outcome: str) -> dict[str, Any]:
    return await shown(house, delivery_id, lambda row: row["outcome"] == outcome)


async def shown(house: House, delivery_id: str, wanted: Callable[[Any], Any]) -> dict[str, Any]:
    found: dict[str, Any] = await eventually(lambda: house.get(f"/v1/deliveries/{delivery_id}"), wanted)
    return found


async def rows(house: House, sql: str) -> list[dict[str, Any]]:
    def plan() -> Plan[list[dict[str, Any]]]:
        found: list[dict[str, Any]] = yield Sql(sql)
        return found

    return await house.service.store.commit(plan)


async def test_it_is_answered_then_read(house: House, api: respx.MockRouter) -> None:
    route = api.get(API + "130000000001").respond(json=payment("130000000001"))
    delivery = await told(house, await shop(house))
    found = await ended(house, delivery, "created")
    [order] = await house.data("/v1/orders")
    assert (order["external_id"], order["status"], order["id"]) == ("130000000001", "paid", found["orders"][0])
    [call] = route.calls
    assert call.request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(found)
    assert await rows(house, "SELECT * FROM fetches") == []
    # The same notice again is a duplicate, and nothing is asked twice.
    again = await house.deliver((await house.data("/v1/sources"))[0]["id"], notice("130000000001"))
    assert again.json()["outcome"] == "duplicate" and route.call_count == 1


async def test_a_source_that_stumbles_is_asked_again(house: House, api: respx.MockRouter) -> None:
    api.get(API + "130000000001").mock(
        side_effect=[
            httpx.Response(500),
            httpx.ConnectError("no"),
            httpx.ReadTimeout("slow"),
            httpx.Response(429, headers={"retry-after": "0"}),
            httpx.Response(200, json=payment("130000000001")),
        ]
    )
    found = await ended(house, await told(house, await shop(house)), "created")
    assert found["attempts"] == 6


async def test_a_source_that_asks_to_wait_is_left_alone(house: House, api: respx.MockRouter) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)
    for given in ("10800", later):
        route = api.get(url__startswith=API).respond(429, headers={"retry-after": given})
        source = await shop(house)
        first = await told(house, source, "1")
        row = await shown(house, first, lambda row: row["reason"])
        assert row["outcome"] == "fetching" and "HTTP 429" in row["reason"]
        [row] = await rows(house, f"SELECT * FROM fetches WHERE delivery_id = '{first}'")
        assert 10_700 < (row["next_at"] - clock.now()) / 1e6 <= 10_800
        assert route.call_count == 1
        route.reset()


async def test_a_key_that_is_refused_waits_for_another(house: House, api: respx.MockRouter) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        good = request.headers["authorization"] == "Bearer another"
        return httpx.Response(200, json=payment("130000000001")) if good else httpx.Response(401)

    api.get(API + "130000000001").mock(side_effect=answer)
    source = await shop(house)
    delivery = await told(house, source)
    found = await ended(house, delivery, "unfetched")
    assert found["reason"].startswith("the key is refused")
    changed = await house.call("PATCH", f"/v1/sources/{source}", {"key": "another"})
    assert changed.status_code == 200
    await ended(house, delivery, "created")


async def test_a_source_without_a_key_waits_for_one(house: House, api: respx.MockRouter) -> None:
    api.get(API + "130000000001").respond(json=payment("130000000001"))
    source = await shop(house, key=None)
    delivery = await told(house, source)
    assert "the key is missing" in (await ended(house, delivery, "unfetched"))["reason"]
    await house.call("PATCH", f"/v1/sources/{source}", {"key": KEY})
    await ended(house, delivery, "created")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (httpx.Response(404), "no such order"),
        (httpx.Response(302, headers={"location": "https://elsewhere.example.com/"}), "redirects are not followed"),
        (httpx.Response(400), "HTTP 400"),
        (httpx.Response(200, content=b"x" * (4 * 1024 * 1024 + 1)), "larger than"),
        (
            httpx.Response(
                200,
                headers={"content-encoding": "gzip"},
                stream=httpx.ByteStream(gzip.compress(bytes(64 * 1024 * 1024))),
            ),
            "larger than",
        ),
    ],
    ids=["not there", "elsewhere", "bad request", "too large", "a bomb"],
)
async def test_answers_that_are_final(
    house: House, api: respx.MockRouter, response: httpx.Response, reason: str
) -> None:
    route = api.get(API + "130000000001").mock(return_value=response)
    delivery = await told(house, await shop(house))
    assert reason in (await ended(house, delivery, "unfetched"))["reason"]
    assert route.call_count == 1 and await rows(house, "SELECT * FROM fetches") == []


async def test_a_packed_answer(house: House, api: respx.MockRouter) -> None:
    packed = gzip.compress(json.dumps(payment("130000000001")).encode())
    api.get(API + "130000000001").respond(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(packed))
    await ended(house, await told(house, await shop(house)), "created")
    assert zlib.decompress(packed, 31)


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"id": NaN}', b"\xff"])
async def test_documents_of_another_shape(house: House, api: respx.MockRouter, document: bytes) -> None:
    api.get(API + "130000000001").respond(200, content=document)
    assert (await ended(house, await told(house, await shop(house)), "unreadable"))["reason"]


async def test_an_outcome_once_known_stands_while_it_is_read_again(house: House, api: respx.MockRouter) -> None:
    route = api.get(API + "130000000001").respond(json=payment("130000000001"))
    delivery = await told(house, await shop(house))
    await ended(house, delivery, "created")
    route.respond(404)
    retried = await house.call("POST", f"/v1/deliveries/{delivery}/retry", {})
    assert retried.json()["outcome"] == "fetching"
    await ended(house, delivery, "unfetched")
    [order] = await house.data("/v1/orders")
    assert order["status"] == "paid"
    route.respond(json=payment("130000000001", status="refunded", transaction_amount_refunded=1))
    await house.call("POST", f"/v1/deliveries/{delivery}/retry", {})
    await ended(house, delivery, "updated")


async def test_what_waits_survives_a_restart(settings: Settings, tuning: Tuning, api: respx.MockRouter) -> None:
    route = api.get(API + "130000000001").respond(503)
    async with House(settings, tuning=tuning) as house:
        token = house.token
        delivery = await told(house, await shop(house))
        await eventually(lambda: house.get(f"/v1/deliveries/{delivery}"), lambda row: row["attempts"] > 1)
    route.respond(json=payment("130000000001"))
    async with House(settings, "another", tuning=tuning) as house:
        house.token = token
        await ended(house, delivery, "created")


async def test_one_claim_per_delivery_and_few_at_a_time(
    settings: Settings, tuning: Tuning, api: respx.MockRouter
) -> None:
    """Two processes on PostgreSQL; on SQLite one, as everywhere."""
    running, most, asked = 0, 0, []

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        number = request.url.path.rpartition("/")[2]
        asked.append(number)
        running += 1
        most = max(most, running)
        for _ in range(20):  # others get their turn
            await asyncio.sleep(0)
        running -= 1
        return httpx.Response(200, json=payment(number))

    api.get(url__startswith=API).mock(side_effect=answer)
    numbers = [str(130000000000 + each) for each in range(40)]
    async with House(settings, tuning=tuning) as house:
        source = await shop(house)
        if settings.on_sqlite:
            await asyncio.gather(*(told(house, source, number) for number in numbers))
            await eventually(lambda: house.data("/v1/orders?limit=100"), lambda orders: len(orders) == 40)
        else:
            async with House(settings, "another", tuning=tuning) as other:
                other.token = house.token
                await asyncio.gather(
                    *(told(one, source, number) for number, one in zip(numbers, [house, other] * 20, strict=True))
                )
                await eventually(lambda: house.data("/v1/orders?limit=100"), lambda orders: len(orders) == 40)
    assert sorted(asked) == numbers
    assert 1 < most <= tuning.fetch_per_source


async def test_client_credentials_are_changed_for_a_token_that_is_kept(house: House, api: respx.MockRouter) -> None:
    found = [one for one in samples("paypal") if one.case in {"captured", "refunded_partly"}]
    given = iter(["first", "second", "third"])
    live = ["first"]

    def token(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Basic aWQ6c2VjcmV0" and b"client_credentials" in request.content
        live[:] = [next(given)]
        return httpx.Response(200, json={"access_token": live[0], "expires_in": 32400})

    documents = iter([one.fetched for one in found])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] != f"Bearer {live[0]}":
            return httpx.Response(401)
        return httpx.Response(200, content=next(documents) or b"")

    tokens = api.post("https://api-m.paypal.com/v1/oauth2/token").mock(side_effect=token)
    api.get(url__startswith="https://api-m.paypal.com/").mock(side_effect=answer)
    source = await house.source("paypal", secret="ABCDEF0123456789A", key="id:secret")
    for turn, sample in enumerate(found):
        if turn:
            live[:] = ["revoked meanwhile"]
        said = await house.deliver(source, sample.delivery)
        assert said.json()["outcome"] == "fetching", said.text
        await shown(house, said.json()["delivery_id"], lambda row: row["outcome"] in {"created", "updated"})
    assert tokens.call_count == 2


async def test_a_notice_without_an_id_that_comes_again_is_read_again(house: House, api: respx.MockRouter) -> None:
    """Two changes of one order may send the same bytes; the second must not be lost, nor make a second row."""
    [sample] = [one for one in samples("nuvemshop") if one.case == "created_unpaid"]
    assert sample.fetched is not None
    waiting, paid = sample.fetched, sample.fetched.replace(b'"pending"', b'"paid"').replace(b"13:58:44", b"14:00:00")
    begun, go_on = asyncio.Event(), asyncio.Event()
    documents = iter([waiting, paid, paid])

    async def answer(request: httpx.Request) -> httpx.Response:
        document = next(documents)
        if document is waiting:
            begun.set()
            await go_on.wait()
        return httpx.Response(200, content=document)

    route = api.get(url__startswith="https://api.nuvemshop.com.br/").mock(side_effect=answer)
    source = await house.source("nuvemshop", secret=SECRET, key=KEY)
    first = (await house.deliver(source, sample.signed(SECRET))).json()
    await begun.wait()
    # While the first is still being read, with what the shop knew then:
    assert (await house.deliver(source, sample.signed(SECRET))).json()["outcome"] == "duplicate"
    go_on.set()
    await eventually(lambda: house.data("/v1/orders"), lambda orders: orders and orders[0]["status"] == "paid")
    # And after it has ended.
    await eventually(lambda: rows(house, "SELECT * FROM fetches"), lambda found: not found)
    assert (await house.deliver(source, sample.signed(SECRET))).json()["outcome"] == "duplicate"
    await eventually(lambda: asyncio.sleep(0, route.call_count), lambda calls: calls == 3)
    await eventually(lambda: rows(house, "SELECT * FROM fetches"), lambda found: not found)
    [row] = await house.data("/v1/deliveries")
    assert row["id"] == first["delivery_id"]


async def test_a_source_that_was_deleted_meanwhile(house: House, api: respx.MockRouter) -> None:
    api.get(API + "130000000001").respond(503)
    source = await shop(house)
    delivery = await told(house, source)
    await shown(house, delivery, lambda row: row["attempts"] > 1)
    assert (await house.call("DELETE", f"/v1/sources/{source}")).status_code == 204
    assert "its source was deleted" in (await ended(house, delivery, "unfetched"))["reason"]
    assert await rows(house, "SELECT * FROM fetches") == []


@pytest.mark.tuned(stop_within=0.01, fetch_claim=0.0)  # on PostgreSQL another process waits for the claim to run out
async def test_a_source_that_never_answers_does_not_hold_up_the_end(
    settings: Settings, tuning: Tuning, api: respx.MockRouter
) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def silent(request: httpx.Request) -> httpx.Response:
        begun.set()
        await never.wait()
        raise AssertionError("unreachable")

    route = api.get(API + "130000000001").mock(side_effect=silent)
    async with House(settings, tuning=tuning) as house:
        token = house.token
        delivery = await told(house, await shop(house))
        await begun.wait()
    route.mock(return_value=httpx.Response(200, json=payment("130000000001")))
    async with House(settings, "another", tuning=tuning) as house:
        house.token = token
        await ended(house, delivery, "created")
