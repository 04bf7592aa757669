"""What a stranger's bytes get: the stated answer, never a 500, and never more than the word. Over a real port."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest
import uvicorn

from app.base.settings import Settings
from tests.house import SECRET, House, order_event

pytestmark = pytest.mark.anyio

GOOD = b'{"id": 5000000001, "total_price": "10.00", "currency": "BRL", "financial_status": "paid", "email": "ana@example.com"}'


@dataclass
class Wire:
    """A server on a real port, spoken to byte by byte, so that nothing tidies up what is sent."""

    house: House
    port: int

    async def send(
        self, source_id: str, body: bytes, headers: list[tuple[str, bytes]], *, chunked: bool = False
    ) -> tuple[int, dict[str, object]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [b"POST /webhooks/%s HTTP/1.1" % source_id.encode(), b"Host: 127.0.0.1", b"Connection: close"]
        lines += [name.encode() + b": " + value for name, value in headers]
        if chunked:
            lines.append(b"Transfer-Encoding: chunked")
            pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
            payload = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        else:
            lines.append(b"Content-Length: %d" % len(body))
            payload = body
        answer = bytearray()

        async def read() -> None:
            with suppress(ConnectionError):
                while piece := await reader.read(65536):
                    answer.extend(piece)

        writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
        reading = asyncio.create_task(read())  # the server may answer and hang up before it has read everything
        with suppress(ConnectionError):
            for at in range(0, len(payload), 65536):
                writer.write(payload[at : at + 65536])
                await writer.drain()
        await reading
        writer.close()
        head, _, content = bytes(answer).partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), json.loads(content)


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[Wire]:
    """The house's application behind uvicorn on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(house.app, lifespan="off", log_config=None, log_level="error", access_log=False)
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Wire(house, listener.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def wire(house: House) -> AsyncIterator[Wire]:
    async with listening(house) as running:
        yield running


def mac(body: bytes, secret: str = SECRET) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))


def shopify(body: bytes, signature: bytes | None = None) -> list[tuple[str, bytes]]:
    return [
        ("x-shopify-topic", b"orders/create"),
        ("x-shopify-hmac-sha256", mac(body) if signature is None else signature),
    ]


UNPROVEN = {
    "no signature": [("x-shopify-topic", b"orders/create")],
    "empty": shopify(GOOD, b""),
    "junk": shopify(GOOD, b"junk"),
    "non-ASCII": shopify(GOOD, "сигнатура".encode()),
    "not even UTF-8": shopify(GOOD, b"\xff\xfe\xfd"),
    "two headers": [*shopify(GOOD), ("x-shopify-hmac-sha256", mac(GOOD))],
    "hex, in capitals": shopify(GOOD, hmac.digest(SECRET.encode(), GOOD, "sha256").hex().upper().encode()),
    "truncated": shopify(GOOD, mac(GOOD)[:-4]),
    "another secret": shopify(GOOD, mac(GOOD, "another-secret-of-another-source")),
}


@pytest.mark.parametrize("headers", UNPROVEN.values(), ids=UNPROVEN.keys())
async def test_what_is_not_proven_is_told_one_word(wire: Wire, headers: list[tuple[str, bytes]]) -> None:
    source = await wire.house.source("shopify")
    status, answer = await wire.send(source, GOOD, headers)
    assert (status, answer["outcome"]) == (401, "unverified")
    assert set(answer) == {"type", "title", "status", "code", "outcome"}
    assert await wire.house.data("/v1/deliveries") == []
    shown = await wire.house.get(f"/v1/sources/{source}")
    assert [(one["outcome"], one["count"]) for one in shown["refused"]] == [("unverified", 1)]


async def test_hex_in_capitals_is_refused_where_hex_is_the_way(wire: Wire) -> None:
    source = await wire.house.source("stripe")
    now = str(int(time.time()))
    right = hmac.digest(SECRET.encode(), f"{now}.".encode() + b"{}", "sha256").hex()
    status, _ = await wire.send(source, b"{}", [("stripe-signature", f"t={now},v1={right.upper()}".encode())])
    assert status == 401
    status, _ = await wire.send(source, b"{}", [("stripe-signature", f"t={now},v1={right}".encode())])
    assert status == 200


@pytest.mark.parametrize(("seconds", "reason"), [(-301, "timestamp_too_old"), (330, "timestamp_too_new")])
async def test_too_old_and_too_new(wire: Wire, seconds: int, reason: str) -> None:
    source = await wire.house.source("stripe")
    at = int(time.time()) + seconds
    right = hmac.digest(SECRET.encode(), f"{at}.".encode() + b"{}", "sha256").hex()
    status, answer = await wire.send(source, b"{}", [("stripe-signature", f"t={at},v1={right}".encode())])
    assert (status, answer["outcome"]) == (401, "unverified")
    shown = await wire.house.get(f"/v1/sources/{source}")
    assert [one["reason"] for one in shown["refused"]] == [reason]


async def test_another_sources_valid_signature_is_refused(wire: Wire) -> None:
    mine = await wire.house.source("shopify")
    await wire.house.source("shopify", secret="the-secret-of-the-other-shop-1234")
    status, _ = await wire.send(mine, GOOD, shopify(GOOD, mac(GOOD, "the-secret-of-the-other-shop-1234")))
    assert status == 401


UNREADABLE = {
    "empty": (b"", "empty"),
    "gzip": (bytes.fromhex("1f8b0800000000000003abae05004326bfa30200000000"), "gzip"),
    "invalid UTF-8": (b'{"id": "\xff\xfe"}', "UTF-8"),
    "NaN": (b'{"id": 1, "total_price": NaN}', "NaN"),
    "1e400": (b'{"id": 1, "total_price": 1e400}', "number"),
    "duplicate keys": (b'{"id": 1, "id": 2}', "twice"),
    "depth 100,000": (b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
    "5,000-digit integer": (b'{"id": ' + b"9" * 5000 + b"}", "digits"),
    "top-level array": (b"[]", "body"),
    "not JSON": (b"<order/>", "JSON"),
}


@pytest.mark.parametrize(("body", "word"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_is_proven_but_unreadable_is_kept(wire: Wire, body: bytes, word: str) -> None:
    source = await wire.house.source("shopify")
    extra = [("Content-Encoding", b"gzip")] if word == "gzip" else []
    status, answer = await wire.send(source, body, shopify(body) + extra)
    assert (status, answer["outcome"]) == (200, "unreadable")
    row = await wire.house.get(f"/v1/deliveries/{answer['delivery_id']}")
    assert word in row["reason"]
    kept = row["body"].encode() if row["body_encoding"] == "text" else base64.b64decode(row["body"])
    assert kept == body


async def test_a_byte_order_mark_is_skipped(wire: Wire) -> None:
    source = await wire.house.source("shopify")
    body = b"\xef\xbb\xbf" + GOOD
    status, answer = await wire.send(source, body, shopify(body))
    assert (status, answer["outcome"]) == (200, "created")


async def test_a_nul_in_a_text_is_stored_as_a_sign_that_both_engines_can_hold(wire: Wire) -> None:
    source = await wire.house.source("shopify")
    body = GOOD.replace(b"}", b', "name": "#1\\u0000\\ud8001"}')
    status, answer = await wire.send(source, body, shopify(body))
    assert (status, answer["outcome"]) == (200, "created")
    (order,) = await wire.house.data("/v1/orders")
    assert order["title"] == "#1\ufffd\ufffd1"


@pytest.mark.parametrize("chunked", [False, True])
async def test_one_byte_over_the_limit(wire: Wire, settings: Settings, chunked: bool) -> None:
    source = await wire.house.source("shopify")
    body = GOOD + b" " * (settings.max_body_bytes - len(GOOD))
    status, answer = await wire.send(source, body, shopify(body), chunked=chunked)
    assert (status, answer["outcome"]) == (200, "created")
    body += b" "
    status, answer = await wire.send(source, body, shopify(body), chunked=chunked)
    assert (status, answer["outcome"]) == (413, "oversized")


async def test_unknown_source_disabled_source_and_registry_that_is_off(wire: Wire) -> None:
    house = wire.house
    status, answer = await wire.send("src_nobody", GOOD, shopify(GOOD))
    assert (status, answer["code"]) == (404, "not_found")
    source = await house.source("shopify")
    assert (await house.call("PATCH", f"/v1/sources/{source}", {"enabled": False})).status_code == 200
    status, answer = await wire.send(source, GOOD, shopify(GOOD))
    assert (status, answer["outcome"]) == (403, "disabled")
    await house.call("PATCH", f"/v1/sources/{source}", {"enabled": True})
    await house.call("PATCH", "/v1/account", {"orders_enabled": False})
    status, answer = await wire.send(source, GOOD, shopify(GOOD))
    assert (status, answer["outcome"]) == (403, "disabled")
    refused = await house.call("GET", "/v1/orders")
    assert (refused.status_code, refused.json()["code"]) == (403, "registry_disabled")


async def test_a_query_and_a_path_of_junk_are_no_fault_of_ours(wire: Wire) -> None:
    status, _ = await wire.send("%00%ff/../x?%ff=%00", GOOD, shopify(GOOD))
    assert status == 404


async def test_a_revoked_secret_is_refused_at_once_and_an_old_one_counts_during_the_overlap(wire: Wire) -> None:
    house = wire.house
    source = await house.source("shopify")
    newer = "the-newer-secret-of-this-very-shop"
    rotated = await house.call("POST", f"/v1/sources/{source}/secrets", {"secret": newer, "overlap": "1h"})
    assert rotated.status_code == 201
    for number, secret in enumerate((SECRET, newer)):
        body = GOOD.replace(b"5000000001", b"500000001%d" % number)
        status, _ = await wire.send(source, body, shopify(body, mac(body, secret)))
        assert status == 200
    old = (await house.get(f"/v1/sources/{source}"))["secrets"][1]["id"]
    assert (await house.call("DELETE", f"/v1/sources/{source}/secrets/{old}")).status_code == 204
    assert (await wire.send(source, GOOD, shopify(GOOD)))[0] == 401


async def test_no_secret_is_ever_in_an_answer(wire: Wire) -> None:
    house = wire.house
    source = await house.source()
    await house.deliver(source, order_event())
    for path in ("/v1/sources", f"/v1/sources/{source}", "/v1/deliveries", "/v1/tokens", "/v1/account"):
        text = json.dumps(await house.get(path))
        assert "whsec_" not in text
        assert house.token not in text
        assert hashlib.sha256(house.token.encode()).hexdigest() not in text
