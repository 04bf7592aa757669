"""Bodies that a database may refuse, each among healthy neighbours; retries of one delivery at the same moment."""

import asyncio
import json
import random
from typing import Any

from tests.torture.source import AT, Line, event
from tests.torture.trial import Trial
from tests.torture.waiting import do

_numbers = random.Random(4)
NOISE = "".join(_numbers.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=200_000))
NEIGHBOURS = 6
READS = (
    "/v1/orders?limit=200",
    "/v1/deliveries?limit=200",
    "/v1/stats",
    "/v1/reports/orders?group_by=month",
    "/v1/reports/orders?group_by=status",
    "/v1/reports/orders?group_by=currency",
    "/v1/reports/orders?group_by=month&zone=America/Sao_Paulo",
    "/v1/reports/contacts?currency=BRL",
    "/v1/identity-conflicts",
)


def said(at: str = AT, kind: str = "order.updated", **fields: Any) -> bytes:
    order = {"id": "p", "title": "t", "value": "10.00", "currency": "BRL", "status": "paid", **fields}
    return json.dumps({"type": kind, "timestamp": at, "data": order}).encode()


def raw(fields: bytes) -> bytes:
    """What no serializer writes."""
    return b'{"type":"order.updated","timestamp":"' + AT.encode() + b'","data":{' + fields + b"}}"


def item(**fields: Any) -> list[dict[str, Any]]:
    return [{"title": "a", **fields}]


def contact(order: str, /, **fields: Any) -> bytes:
    return said(id=order, contact=fields)


PRICED = b'"value":"1.00","currency":"BRL","status":"paid"'
CASES: dict[str, bytes] = {
    "NUL in the title": said(title="a\x00b"),
    "NUL in the id": said(id="a\x00b"),
    "NUL in an e-mail": contact("n1", email="a\x00b@example.com"),
    "NUL in a name": contact("n2", name="a\x00", email="nul@example.com"),
    "NUL in the kind": said(kind="order.\x00updated"),
    "NUL in the status": said(id="n3", status="pa\x00id"),
    "NUL in a SKU": said(id="n4", items=item(sku="\x00")),
    "NUL in the currency": said(id="n5", currency="B\x00L"),
    "NUL in the URL": said(id="n6", url="https://x.example/\x00"),
    "surrogate in the title": raw(b'"id":"s1","title":"\\ud800",' + PRICED),
    "surrogate in the id": raw(b'"id":"\\udfff","title":"t",' + PRICED),
    "surrogate in an e-mail": raw(b'"id":"s3","title":"t","contact":{"email":"\\ud800@example.com"},' + PRICED),
    "invalid UTF-8": raw(b'"id":"\xff\xfe",' + PRICED),
    "a member twice": raw(b'"id":"dm","id":"dm2",' + PRICED),
    "value 2**63": said(id="v1", value=str(2**63)),
    "value 1e400": raw(b'"id":"v2","value":1e400,"currency":"BRL","status":"paid"'),
    "value of 5,000 digits": raw(b'"id":"v3","value":' + b"9" * 5000 + b',"currency":"BRL","status":"paid"'),
    "value 1e18": said(id="v4", value="1e18"),
    "value at the limit": said(id="v5", value="9999999999999.99"),
    "value below zero": said(id="v6", value="-5.00"),
    "value NaN": said(id="v7", value="NaN"),
    "value Infinity": said(id="v8", value="Infinity"),
    "value 1e-400": said(id="v9", value="1e-400"),
    "quantity 1e30": said(id="q1", items=item(quantity="1e30", unit_value="1.00")),
    "quantity 1e400000": said(id="q2", items=item(quantity="1e400000")),
    "quantity -1": said(id="q3", items=item(quantity=-1)),
    "a huge unit value": said(id="q4", items=item(unit_value="9" * 20)),
    "10,000 items": said(id="q5", items=[{"title": f"Item {n}", "quantity": 1, "sku": f"s{n}"} for n in range(10_000)]),
    "a huge refund": said(id="r1", refunds=[{"id": "r", "value": "9" * 20}]),
    "refunds beyond 64 bits": said(id="r2", refunds=[{"id": f"r{n}", "value": "9" * 13} for n in range(2000)]),
    "a long refund id": said(id="r3", refunds=[{"id": NOISE[:3000], "value": "1.00"}]),
    "currency XX": said(id="c1", currency="XX"),
    "currency ÀÉÎ": said(id="c2", currency="ÀÉÎ"),
    "currency ZZZ": said(id="c3", currency="ZZZ"),
    "no currency": said(id="c4", currency=""),
    **{f"id of {length}": said(id=NOISE[:length]) for length in (2_705, 10_000, 200_000)},
    "id of emoji": said(id="🛒" * 3000),
    "an empty id": said(id=""),
    "a blank id": said(id="   "),
    "id in other case": said(id="É"),
    "id in NFD": said(id="E\u0301"),
    "id with placeholders": said(id="%s:name?$1", title=":name $1 ? %s {x}"),
    **{f"status of {length}": said(id=f"s{length}", status=NOISE[:length]) for length in (3_000, 100_000)},
    "a long kind": said(id="k", kind="order." + NOISE[:3000]),
    "title of 200,000": said(id="t", title=NOISE),
    "title with controls": said(id="esc", title="a\x1b[31m\r\n\u2028\u202e"),
    "a long URL": said(id="u", url="https://x.example/" + "a" * 5000),
    **{f"deal of {length}": said(id=f"d{length}", deal_id=NOISE[:length]) for length in (3_000, 100_000)},
    **{
        f"{field} of {length}": contact(f"{field}{length}", **{field: NOISE[:length]})
        for field in ("crm_id", "id", "name")
        for length in (3_000, 100_000)
    },
    **{f"e-mail of {n}": contact(f"em{n}", email=NOISE[:n] + "@example.com") for n in (3_000, 100_000)},
    "5,000 e-mails": contact("em", emails=[f"p{n}@example.com" for n in range(5000)]),
    "a long document": contact("doc", document="1" * 3000),
    "a long phone": contact("ph", phone="+55" + "1" * 3000),
    **{
        f"at {at}": said(at, id=f"at{at}")
        for at in (
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59-14:00",
            "0000-01-01T00:00:00Z",
            "2016-12-31T23:59:60Z",
            "+10000-01-01T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-02-30T00:00:00Z",
            "1795000000000",
        )
    },
    "ordered in year 1": said(id="o1", ordered_at="0001-01-01T00:00:00Z"),
    "paid in 9999": said(id="o2", paid_at="9999-12-31T23:59:59Z"),
    "100,000 deep": b'{"type":"order.updated","timestamp":"x","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "empty": b"",
    "an array": b"[]",
    "a string": b'"x"',
    "a byte order mark": b"\xef\xbb\xbf" + said(id="bom"),
}


async def poison(trial: Trial) -> None:
    """Each is answered 200 and is a duplicate when it comes again; its neighbours are taken; every page can be read."""
    server = trial.server(ORDERS_MAX_BODY_BYTES="16777216")
    await do(server.prepare)
    source = await do(server.source)
    lines = [Line(server.port) for _ in range(NEIGHBOURS + 1)]
    outcomes: dict[str, int] = {}
    acknowledged: list[str] = []
    for number, (name, body) in enumerate(CASES.items()):
        good = [event(f"good-{number}-{one}", email=f"g{number}-{one}@example.com") for one in range(NEIGHBOURS)]
        sent = [
            source.send(line, one, f"g{number}-{at}") for at, (line, one) in enumerate(zip(lines, good, strict=False))
        ]
        *neighbours, (status, answer) = await asyncio.gather(*sent, source.send(lines[-1], body, f"bad-{number}"))
        trial.must(status == 200, f"{name}: {status} {answer}")
        busy = [one for one in neighbours if one[0] != 200]
        trial.must(not busy, f"{name}: its neighbours are answered {busy}")
        acknowledged += [one["delivery_id"] for code, one in [*neighbours, (status, answer)] if code == 200]
        again = await source.send(lines[-1], body, f"bad-{number}")
        trial.must(again[0] == 200 and again[1]["outcome"] == "duplicate", f"{name}, again: {again}")
        if status == 200:
            outcomes[answer["outcome"]] = outcomes.get(answer["outcome"], 0) + 1
            for order in answer["orders"]:
                for path in (f"/v1/orders/{order}", f"/v1/orders/{order}/history"):
                    found = (await do(server.http, "GET", path, None, server.authorized))[0]
                    trial.must(found == 200, f"{name}: GET {path}: {found}")
    rows = "".join(
        f"huge-{n},9999999999999.99,BRL,paid,whale@example.com\n" for n in range(9400)
    )  # a sum beyond 64 bits
    text = "external_id,value,currency,status,contact_email\n" + rows
    headers = server.authorized | {"content-type": "text/csv"}
    status, report = await do(server.http, "POST", "/v1/orders/import", text.encode(), headers, timeout=120)
    trial.must(status == 200, f"import of 9,400 huge orders: {status} {report[:200]!r}")
    whale = (await do(server.api, "GET", "/v1/contacts?email=whale@example.com"))["data"][0]["id"]
    for path in (*READS, f"/v1/contacts/{whale}", f"/v1/contacts/{whale}/summary", f"/v1/contacts/{whale}/export"):
        status, answer = await do(server.http, "GET", path, None, server.authorized)
        trial.must(status == 200, f"GET {path}: {status} {answer[:200]!r}")
    trial.must("Traceback" not in server.said(), "a traceback in the log")
    trial.invariants(server.rows, acknowledged)
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.figures |= {"bodies": len(CASES), "outcomes": outcomes}


async def twins(trial: Trial) -> None:
    """Four retries of one delivery at the same moment, ten times: the counts are those of the log."""
    server = trial.server()
    await do(server.prepare)
    source = await do(server.source)
    lines = [Line(server.port) for _ in range(5)]
    status, first = await source.send(lines[0], event("o1"), "w1")
    trial.must(status == 200, f"{status} {first}")
    acknowledged = [first["delivery_id"]]
    path = f"/v1/deliveries/{first['delivery_id']}/retry"
    for turn in range(10):
        other = source.send(lines[0], event(f"f{turn}"), f"f{turn}")  # keeps the group commit busy
        retries = [line.ask("POST", path, b"{}", server.authorized) for line in lines[1:]]
        (_, answer), *found = await asyncio.gather(other, *retries)
        acknowledged.append(answer["delivery_id"])
        trial.must({status for status, _ in found} <= {200, 409}, f"retries: {[status for status, _ in found]}")
    trial.invariants(server.rows, acknowledged, {"created", "updated", "unchanged"})
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    trial.figures["retries"] = 40
