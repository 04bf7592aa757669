"""What must never be told: markers are planted through every door, and looked for in the log, answers, metrics, database.

No secret, key, token, body, e-mail, phone or document in any line of the log, any error, any metric; no secret, key or token
in the database either, but sealed or as a digest.
"""

import io
import json
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from adapters.contract import Delivery
from app.base import clock, log
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.db import schema
from app.db.statements import Plan, Sql
from app.store.delivery_record import unpacked
from tests.house import House, eventually, order_event, signed
from tests.samples import samples, secret_for

pytestmark = pytest.mark.anyio

# Nobody's: example.com, a number range that is not given out, digits with valid check digits.
EMAIL, PHONE, CPF = "marker.person@example.com", "+55 11 99999-0137", "529.982.247-25"
WORDS = "marker-of-the-body"
PEOPLE = (EMAIL, "marker.person", "99999-0137", "999990137", CPF, "52998224725", WORDS)
SECRET = "marker-secret-of-32-characters-abc"
KEY = "APP_USR-marker-key"
GIVEN = "whsec_bWFya2VyLXNlY3JldC1tYXJrZXItc2VjcmV0"
TOKEN = "ort_marker-token-that-nobody-holds-0123456789"
CREDENTIALS = (SECRET, KEY, GIVEN, GIVEN.removeprefix("whsec_"), TOKEN)
API = "https://api.mercadopago.com/v1/payments/"
[PAYMENT] = [one for one in samples("mercadopago") if one.case == "payment_approved"]


@pytest.fixture
def said(log_put_back: None, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Everything that the service logs, down to the least line, and what libraries warn of."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    log.set_up(as_json=True, least=logging.DEBUG)
    return out


@pytest.fixture
async def house(settings: Settings, said: io.StringIO) -> AsyncIterator[House]:
    soon = Tuning(look_every=0.02, retry_waits=(0.01, 3600.0))
    async with House(settings.model_copy(update={"max_body_bytes": 20_000}), tuning=soon) as running:
        yield running


def person() -> dict[str, Any]:
    return {"name": WORDS, "email": EMAIL, "phone": PHONE, "document": CPF}


async def webhooks(house: House) -> tuple[list[httpx.Response], list[str]]:
    """Good, refused, unreadable, oversized, held; gives the answers and the sources."""
    source = await house.source(secret=GIVEN)
    good = order_event("1", contact=person(), title=WORDS)
    wrong = order_event("2", contact=person(), title=WORDS, value=WORDS)
    broken = f'{{"data": {{"contact": {{"email": "{EMAIL}", "phone": "{PHONE}"'.encode()
    held = await house.source(secret=GIVEN, unknown_contacts="hold")
    shared = await house.source("gumroad", secret=SECRET)
    large = Delivery(body=EMAIL.encode() * 2_000, headers={}, received_at=clock.moment(clock.now()))
    forged = good.changed(headers={"webhook-signature": f"v1,{SECRET}", "user-agent": f"shop/1.0 ({EMAIL}) {GIVEN}"})
    answers = []
    for delivery in (good.body, wrong.body, broken, good.body, b"[" * 5_000 + EMAIL.encode()):
        answers.append(await house.deliver(source, signed("standard", delivery, secret=GIVEN)))
    for target in (source, shared, held):
        answers += [await house.deliver(target, delivery) for delivery in (forged, large)]
    answers.append(await house.deliver(held, signed("standard", good.body, secret=GIVEN)))
    answers.append(await house.deliver("src_" + WORDS, good))
    await house.call("POST", f"/v1/sources/{source}/disable", {})
    return answers, [source, held, shared]


async def fetches(house: House) -> None:
    """A source's API that fails in every way, with the person in its words."""
    about = json.dumps({"payer": person(), "error": EMAIL})
    with respx.mock(assert_all_called=False) as api:
        source = await house.source("mercadopago", secret=secret_for(PAYMENT.adapter), key=KEY)
        ways: list[Any] = [
            httpx.Response(500, text=about),
            httpx.ConnectError(f"no way to {EMAIL} with {KEY}"),
            httpx.Response(200, text=about),
            httpx.Response(401, text=about),
        ]
        for number, way in enumerate(ways):
            api.get(API + f"13000000000{number}").mock(side_effect=[way, way, *[httpx.Response(404, text=about)] * 9])
            notice = Delivery(
                body=json.dumps(
                    {
                        "action": "payment.updated",
                        "data": {"id": f"13000000000{number}"},
                        "id": f"9{number}",
                        "date_created": "2026-11-20T13:00:06Z",
                        "type": "payment",
                    }
                ).encode(),
                headers={"x-request-id": f"request-{number}"},
                query={"data.id": f"13000000000{number}", "type": "payment"},
                received_at=clock.moment(clock.now()),
            )
            sent = PAYMENT.scheme.sign(notice, secret_for(PAYMENT.adapter), notice.received_at)
            answer = await house.deliver(source, sent)
            assert answer.json()["outcome"] == "fetching", answer.text
            path = f"/v1/deliveries/{answer.json()['delivery_id']}"
            await eventually(lambda path=path: house.get(path), lambda row: row["outcome"] != "fetching")


async def wrong_calls(house: House, source: str) -> list[httpx.Response]:
    """Calls of the API that are wrong with something in them that must not be told."""
    bad = "not-an-address " + WORDS
    calls: list[tuple[str, str, Any]] = [
        ("PUT", "/v1/contacts/77", {"emails": [bad], "phones": [bad], "documents": ["52998224726" + WORDS]}),
        ("PUT", "/v1/contacts/77", {"emails": EMAIL, "phones": {"a": PHONE}}),
        ("POST", "/v1/orders", {"contact": EMAIL, "title": WORDS, "value": WORDS, "currency": WORDS, "status": WORDS}),
        ("POST", "/v1/orders", {"contact": EMAIL, "title": WORDS, "value": "1.00"}),
        ("POST", "/v1/sources", {"adapter": "standard", "secret": SECRET, "options": {"a": KEY}}),
        ("POST", "/v1/sources", {"adapter": "nothing", "secret": SECRET, "key": KEY}),
        ("POST", f"/v1/sources/{source}/secrets", {"secret": SECRET, "overlap": WORDS}),
        ("PATCH", f"/v1/sources/{source}", {"key": [KEY]}),
        ("POST", f"/v1/sources/{source}/try", {"headers": {"authorization": SECRET}, "body": 7}),
        ("POST", "/v1/tokens", {"role": WORDS, "name": 5}),
        ("PATCH", "/v1/account", {"retention": {"deliveries": WORDS}, "default_currency": WORDS}),
        ("GET", f"/v1/contacts?email={WORDS}", None),
        ("GET", f"/v1/contacts/{EMAIL}", None),
        ("GET", f"/v1/orders?since={WORDS}&status={WORDS}&cursor={WORDS}", None),
        ("GET", f"/v1/deliveries?outcome={WORDS}&since={EMAIL}&contact={EMAIL}", None),
        ("GET", f"/v1/stats?since={WORDS}", None),
        ("GET", f"/{EMAIL}", None),
    ]
    answers = [await house.call(method, path, body) for method, path, body in calls]
    answers.append(await house.call("GET", "/v1/account", token=TOKEN))
    answers.append(
        await house.client.post(
            "/v1/orders", content=f'{{"x": "{EMAIL}', headers={"authorization": f"Bearer {house.token}"}
        )
    )
    return answers


async def test_no_line_no_error_and_no_metric_tells_what_was_planted(house: House, said: io.StringIO) -> None:
    answers, sources = await webhooks(house)
    await fetches(house)
    answers += await wrong_calls(house, sources[0])
    token = await house.token_of("integrator")
    await house.service.refused.flush()
    # What went well may tell a person to whom it concerns; an error may not, nor may the metrics.
    told = [one.text for one in answers if one.status_code >= 400 or "/webhooks/" in str(one.request.url)]
    assert len(told) > 25 and not [one for one in answers if one.status_code >= 500]
    for path in ("/metrics", "/readyz", "/healthz", "/v1/stats"):
        told.append((await house.call("GET", path)).text)
    told.append(json.dumps([await house.get(f"/v1/sources/{source}") for source in sources]))
    for text in [*told, said.getvalue()]:
        for marker in (*PEOPLE, *CREDENTIALS, token, house.token):
            assert marker not in text, text[:2_000]
    await kept_nowhere(house, [GIVEN, GIVEN.removeprefix("whsec_"), SECRET, KEY, token, house.token])


async def kept_nowhere(house: House, credentials: list[str]) -> None:
    """Every cell of every table, what is packed unpacked; on SQLite every byte of its files, too."""

    def plan() -> Plan[list[Any]]:
        found: list[Any] = []
        for table in schema.metadata.tables:
            found += yield Sql(f"SELECT * FROM {table}")
        return found

    rows = await house.service.store.commit(plan)
    assert len(rows) > 50
    for row in rows:
        cells = [unpacked(cell) if name == "content" else cell for name, cell in row.items()]
        for credential in credentials:
            # Who sends a secret of ours as if it were a body is a stranger; what we were given is what this is about.
            assert credential not in repr(cells), row
    if house.settings.on_sqlite:
        path = Path(str(house.settings.database_path))
        for file in path.parent.glob(f"{path.name}*"):
            content = file.read_bytes()
            assert not [one for one in credentials if one.encode() in content], file


def test_a_fault_is_logged_without_its_words(said: io.StringIO) -> None:
    try:
        try:
            raise ValueError(f"'{EMAIL}' is not a number")
        except ValueError as fault:
            raise KeyError(SECRET) from fault
    except KeyError as fault:
        log.log.error("a fault", exc_info=fault)
        log.log.exception("the same")
    first, second = (json.loads(line) for line in said.getvalue().splitlines())
    assert EMAIL not in said.getvalue() and SECRET not in said.getvalue()
    for line in (first, second):
        assert line["exception"].count("test_a_fault_is_logged_without_its_words") == 2
        assert "KeyError" in line["exception"] and "\nfrom " in line["exception"] and "ValueError" in line["exception"]
