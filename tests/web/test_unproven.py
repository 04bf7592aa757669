"""What nobody signed, or what no MAC covers: a stranger fills no disk with it; and no credential is ever kept."""

import asyncio
import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import respx

from tests.house import SECRET, House, eventually
from tests.samples import sample, secret_for

pytestmark = pytest.mark.anyio

PAYPAL = "ABCDEF0123456789A"
API = "https://api-m.paypal.com"


def notice(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"WH-{number}",
        "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "resource_type": "capture",
        "resource": {"id": f"C{number}", "links": [], **more},
    }


@pytest.fixture
def paypal() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{API}/v1/oauth2/token").respond(json={"access_token": "made-up", "expires_in": 9000})
        router.get(url__startswith=f"{API}/v2").respond(404)
        yield router


async def posted(house: House, source: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await house.client.post(f"/webhooks/{source}", content=body, headers=headers)
    return answer.status_code, answer.json()


async def test_of_an_unsigned_notice_only_the_ids_are_kept(house: House, paypal: respx.MockRouter) -> None:
    source = await house.source("paypal", secret=PAYPAL, key="id:secret")
    body = notice(1, note="x" * 100_000, supplementary_data={"related_ids": {"order_id": "O1"}})
    body |= {"summary": "y" * 100_000, "many": ["z" * 100] * 1000}
    body["resource"]["links"] = [{"rel": "self", "href": f"{API}/v2/payments/captures/C1", "x": "w" * 900}] * 500
    status, said = await posted(house, source, json.dumps(body).encode(), **{"x-junk": "j" * 30_000})
    assert (status, said["outcome"]) == (200, "fetching")
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert len(row["body"]) < 3_000 and len(json.dumps(row["headers"])) < 300
    kept = json.loads(row["body"])
    assert kept["resource"]["supplementary_data"] == {"related_ids": {"order_id": "O1"}}
    assert kept["resource"]["links"][0] == {"rel": "self", "href": f"{API}/v2/payments/captures/C1"}
    await eventually(
        lambda: house.get(f"/v1/deliveries/{said['delivery_id']}"), lambda row: row["outcome"] == "unfetched"
    )
    again = await house.call("POST", f"/v1/deliveries/{said['delivery_id']}/retry")  # and what is kept is enough
    assert again.json()["outcome"] == "fetching"


@pytest.mark.parametrize(
    ("body", "answered"),
    [
        (b"junk", (401, "unverified")),
        (b"{}", (401, "unverified")),
        (b'{"event_type":"PAYMENT.CAPTURE.COMPLETED"}', (401, "unverified")),
        (b'{"a":1,"a":2}', (401, "unverified")),
        (b'{"event_type":"BILLING.PLAN.CREATED"}', (200, "ignored")),
        (b'{"event_type":"ANY.OTHER.THING"}', (200, "ignored")),
    ],
)
async def test_unsigned_junk_is_counted_and_not_stored(house: House, body: bytes, answered: tuple[int, str]) -> None:
    source = await house.source("paypal", secret=PAYPAL, key="id:secret")
    for _ in range(3):
        status, said = await posted(house, source, body)
        assert (status, said["outcome"]) == answered
    assert await house.data("/v1/deliveries") == []
    [counted] = (await house.get(f"/v1/sources/{source}"))["refused"]
    assert (counted["outcome"], counted["count"]) == ("unverified", 3)


@pytest.mark.tuned(fetch_unproven_kept=3)
async def test_of_notices_that_name_no_order_a_number_is_kept(house: House, paypal: respx.MockRouter) -> None:
    source = await house.source("paypal", secret=PAYPAL, key="id:secret")
    for number in range(8):
        _, said = await posted(house, source, json.dumps(notice(number)).encode())
        await eventually(
            lambda said=said: house.get(f"/v1/deliveries/{said['delivery_id']}"),  # type: ignore[misc]
            lambda row: row["outcome"] == "unfetched",
        )
    rows = await eventually(lambda: house.data("/v1/deliveries"), lambda rows: len(rows) == 3)
    assert all("no such order" in row["reason"] for row in rows)


@pytest.mark.tuned(fetch_unproven=3, source_cache_remembers=0.0)
async def test_so_many_that_nobody_signed_wait_and_no_more(house: House) -> None:
    """Nothing is dropped: the platform is told to come again."""
    source = await house.source("paypal", secret=PAYPAL)  # without a key none of them can be fetched
    answers = [(await posted(house, source, json.dumps(notice(number)).encode()))[0] for number in range(5)]
    assert answers == [200, 200, 200, 503, 503]


@pytest.mark.tuned(fetch_a_minute=3, fetch_per_source=1)
async def test_fetches_of_a_source_have_a_budget_a_minute(house: House, paypal: respx.MockRouter) -> None:
    route = paypal.get(url__startswith=f"{API}/v2").respond(404)
    source, other = [await house.source("paypal", secret=PAYPAL, key="id:secret") for _ in range(2)]
    for number in range(6):
        await posted(house, source, json.dumps(notice(number)).encode())
    await eventually(lambda: asyncio.sleep(0, route.call_count), lambda calls: calls == 3)
    _, said = await posted(house, other, json.dumps(notice(9)).encode())  # others do not wait for it
    await eventually(
        lambda: house.get(f"/v1/deliveries/{said['delivery_id']}"), lambda row: row["outcome"] == "unfetched"
    )
    assert route.call_count == 4
    waiting = await house.data(f"/v1/deliveries?source_id={source}&outcome=fetching")
    assert len(waiting) == 3
    for times in house.service.fetch._begun.values():  # a minute later
        times.clear()
    house.service.fetch.loop.wake()
    await eventually(lambda: asyncio.sleep(0, route.call_count), lambda calls: calls == 7)


# -- What no MAC covers ---------------------------------------------------------------------------------------------


def extended(length: int, added: bytes) -> bytes:
    """What SHA-256 pads a message of this length with, and more: its digest follows from that of the message."""
    padding = b"\x80" + b"\0" * ((55 - length) % 64) + struct.pack(">Q", length * 8)
    return padding + added


async def test_a_captured_signature_of_pagbank_stores_nothing_more(house: House) -> None:
    source = await house.source("pagbank", secret=SECRET)
    body = b'{"id":"ORDE_1","charges":[]}'
    longer = body + extended(len(SECRET) + 1 + len(body), b"any junk")
    for sent, status in ((body, 200), (longer, 401)):
        token = hashlib.sha256(SECRET.encode() + b"-" + sent).hexdigest()
        assert (await posted(house, source, sent, **{"x-authenticity-token": token}))[0] == status
    [counted] = (await house.get(f"/v1/sources/{source}"))["refused"]
    assert counted["reason"] == "not_in_its_form"


@pytest.mark.parametrize(
    ("adapter", "headers", "good", "junk"),
    [
        ("hotmart", {"x-hotmart-hottok": SECRET}, b'{"event":"X"}', b"\x80junk"),
        ("asaas", {"asaas-access-token": SECRET}, b'{"event":"X"}', b"<xml/>"),
        ("gumroad", {}, b"resource_name=cancellation", b"\xff\xfe"),
    ],
)
async def test_where_a_token_proves_the_sender_alone_what_has_no_form_is_refused(
    house: House, adapter: str, headers: dict[str, str], good: bytes, junk: bytes
) -> None:
    source = await house.source(adapter, secret=SECRET)
    query = f"?token={SECRET}" if adapter == "gumroad" else ""
    assert (await posted(house, source + query, good, **headers))[0] == 200
    assert (await posted(house, source + query, junk, **headers))[0] == 401
    assert len(await house.data("/v1/deliveries")) == 1


# -- Credentials ----------------------------------------------------------------------------------------------------

TOKEN = "a/Zecret+of 32 characters & more"


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(sign):04x}" for sign in text)


SPELLED = {
    "plain": json.dumps(TOKEN)[1:-1],
    "PHP's": json.dumps(TOKEN)[1:-1].replace("/", "\\/"),
    "escaped": escaped(TOKEN),
    "in part": TOKEN.replace("Z", "\\u005a"),
    "in capitals": escaped(TOKEN).upper().replace("\\U", "\\u"),
}


@pytest.mark.parametrize("spelling", SPELLED)
async def test_a_token_in_a_json_body_is_kept_in_no_spelling(house: House, spelling: str) -> None:
    source = await house.source("perfectpay", secret=TOKEN)
    body = f'{{"token":"{SPELLED[spelling]}","again":["{escaped(TOKEN)}"],"code":"P1","url":"https:\\/\\/example.com"}}'
    status, said = await posted(house, source, body.encode(), **{"x-note": TOKEN})
    assert status == 200, said
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    shown = json.loads(row["body"])
    assert (shown["token"], shown["again"], shown["code"]) == ("[not kept]", ["[not kept]"], "P1")
    assert "https:\\/\\/example.com" in row["body"]  # all else is as it came
    assert row["headers"]["x-note"] == "[not kept]"


@pytest.mark.parametrize(
    "spelled", ["a%2FZecret%2Bof+32+characters+%26+more", "%61/%5aecret%2bof%2032%20characters%20%26%20more"]
)
async def test_a_token_in_a_form_is_kept_in_no_spelling(house: House, spelled: str) -> None:
    options = {"version": "v2"}
    source = await house.source("eduzz", secret=TOKEN, options=options)
    body = f"origin_secret={spelled}&trans_cod=7&name=Ana+%26+Bia"
    form = {"content-type": "application/x-www-form-urlencoded"}
    status, said = await posted(house, source, body.encode(), **form)
    assert status == 200, said
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert row["body"] == "origin_secret=%5Bnot+kept%5D&trans_cod=7&name=Ana+%26+Bia"


async def test_every_secret_that_counts_is_blanked_and_woovis_own_header(house: House) -> None:
    source = await house.source("perfectpay", secret=TOKEN)
    newer = "the-newer-secret-of-this-shop-1234"
    await house.call("POST", f"/v1/sources/{source}/secrets", {"secret": newer, "overlap": "1h"})
    body = json.dumps({"token": newer, "old": TOKEN}).encode()
    _, said = await posted(house, source, body)
    row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
    assert json.loads(row["body"]) == {"token": "[not kept]", "old": "[not kept]"}
    woovi = sample("woovi", "charge_completed")
    source = await house.source("woovi", secret=secret_for(woovi.adapter))
    delivery = woovi.signed(secret_for(woovi.adapter)).changed(headers={"x-openpix-authorization": "another-secret"})
    answer = await house.deliver(source, delivery)
    row = await house.get(f"/v1/deliveries/{answer.json()['delivery_id']}")
    assert row["headers"]["x-openpix-authorization"] == "[not kept]"
