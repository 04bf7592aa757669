"""Subscriptions: what happens here is told, signed, to whoever asked for it; again and again until it is taken."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import adapters
from adapters.contract import Unverified
from app.background import http_client, outbox
from app.base import clock
from app.base.settings import Settings
from app.base.ssrf_guard import networks
from app.db.statements import Plan, Sql
from app.store import outbox as events
from app.store import source_health
from app.store.outbox import AttemptEnded
from tests.house import House, eventually, order_event
from tests.jobs import done
from tests.receiver import Receiver, receiving
from tests.test_remap import _glued, broken, with_adapter
from tests.web.test_erasing import MARKS, contact_of, nothing_is_left, zuleika

pytestmark = pytest.mark.anyio

ALL = ["order.created", "order.status_changed", "order.updated", "contact.erased"]
STANDARD = adapters.load("standard").scheme(adapters.load("standard").options())


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing need be waited for."""
    monkeypatch.setattr(outbox, "EVERY", 0.02)
    monkeypatch.setattr(outbox, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(outbox, "FIRST_REST", 0.01)
    monkeypatch.setattr(outbox, "LONGEST_REST", 0.01)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Of an installation whose receivers may be on its own machine."""
    return settings.model_copy(update={"private_receivers": "127.0.0.0/8"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


async def subscribed(house: House, receiver: Receiver, *wanted: str) -> dict[str, Any]:
    made = await house.call("POST", "/v1/subscriptions", {"url": receiver.url, "events": wanted or ALL})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def rows(house: House, sql: str) -> list[dict[str, Any]]:
    def plan() -> Plan[list[dict[str, Any]]]:
        found: list[dict[str, Any]] = yield Sql(sql)
        return found

    return await house.service.store.commit(plan)


async def silent(house: House) -> None:
    """Until nothing waits: every event was taken, or nobody wants it."""
    await eventually(lambda: rows(house, "SELECT * FROM outbox"), lambda found: not found)


async def attempts_of(house: House, subscription: dict[str, Any]) -> list[Any]:
    return await house.data(f"/v1/subscriptions/{subscription['id']}/attempts")


async def attempted(house: House, subscription: dict[str, Any], many: int) -> list[Any]:
    """The attempts, the first one first, once there are so many."""
    found: list[Any] = await eventually(
        lambda: attempts_of(house, subscription), lambda attempts: len(attempts) >= many
    )
    return found[::-1]


# -- What is told -----------------------------------------------------------------------------------------------------


async def test_an_order_made_changed_and_erased(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver)
    assert made["secret"].startswith("whsec_") and (made["state"], made["enabled"]) == ("working", True)
    before = clock.now()
    said = (await house.deliver(source, order_event(status="pending"))).json()
    order = said["orders"][0]
    await silent(house)
    [created] = receiver.told
    [shown] = await house.data("/v1/orders")
    assert created.said["type"] == "order.created"
    assert created.said["data"] == {"order_id": order, "order": shown}
    assert created.headers["webhook-id"] == created.said["id"]
    assert before <= clock.since(created.said["occurred_at"], 0) <= clock.now()

    await house.deliver(source, order_event(status="paid", at="2026-11-20T14:00:00Z"))
    await silent(house)
    [updated] = receiver.events("order.updated")
    [changed] = receiver.events("order.status_changed")
    assert updated["data"]["order"]["status"] == "paid" and "old_status" not in updated["data"]
    assert (changed["data"]["old_status"], changed["data"]["new_status"]) == ("pending", "paid")
    assert len({one.said["id"] for one in receiver.told}) == len(receiver.told) == 3

    contact = shown["contact_id"]
    assert (await house.call("DELETE", f"/v1/contacts/{contact}")).status_code == 200
    await silent(house)
    [erased] = receiver.events("contact.erased")
    assert erased["data"] == {"contact_id": contact, "merged": []}
    stub = receiver.events("order.updated")[1]["data"]["order"]
    assert (stub["id"], stub["title"], stub["contact_id"]) == (order, None, None)

    attempts = await attempts_of(house, made)
    assert [one["delivered"] for one in attempts] == [True] * 5
    assert {one["status"] for one in attempts} == {200} and all(one["took_ms"] > 0 for one in attempts)
    assert {one["order_id"] for one in attempts if one["type"] != "contact.erased"} == {order}
    # Nothing names whoever was erased, once the receiver knows.
    assert contact not in json.dumps(attempts) and await rows(house, "SELECT * FROM outbox") == []


async def test_what_is_not_wanted_or_no_change_is_not_told(house: House, receiver: Receiver) -> None:
    source = await house.source()
    await subscribed(house, receiver, "order.status_changed")
    one = order_event(status="pending", delivery_id="m1")
    await house.deliver(source, one)
    await house.deliver(source, one)
    assert (await house.deliver(source, order_event(status="pending", delivery_id="m2"))).json()[
        "outcome"
    ] == "unchanged"
    # Older than what is known already: the status stays.
    late = order_event(status="failed", at="2026-11-19T13:00:00Z", delivery_id="m3")
    await house.deliver(source, late)
    await house.deliver(source, order_event(status="pending", title="Another", at="2026-11-20T14:00:00Z"))
    await house.call("PUT", "/v1/contacts/42", {"emails": ["ana@example.com"], "name": "Ana", "owner_id": "rep"})
    assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []
    await house.deliver(source, order_event(status="paid", at="2026-11-20T15:00:00Z"))
    await silent(house)
    [told] = receiver.events()
    assert told["data"]["new_status"] == "paid"


async def test_what_says_nothing_new_is_told_to_nobody(house: House, receiver: Receiver) -> None:
    source = await house.source()
    order = (await house.deliver(source, order_event(delivery_id="m1"))).json()["orders"][0]
    await subscribed(house, receiver)
    # Heard, and kept in the history; but the order is what it was.
    again = order_event(delivery_id="m2", at="2026-11-20T14:00:00Z", ordered_at="2026-11-20T13:00:00Z")
    assert (await house.deliver(source, again)).json()["outcome"] == "unchanged"
    [row] = await house.data("/v1/deliveries?limit=1")
    assert (await house.call("POST", f"/v1/deliveries/{row['id']}/retry", {})).json()["outcome"] == "unchanged"
    [shown] = await house.data("/v1/orders")
    await house.call("PATCH", f"/v1/orders/{order}", {"title": shown["title"]})
    assert len((await house.get(f"/v1/orders/{order}/history"))["data"]) == 3
    assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []


async def test_orders_by_hand(house: House, receiver: Receiver) -> None:
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    await subscribed(house, receiver)
    given = {"contact": "42", "title": "By hand", "value": "10.00", "currency": "BRL"}
    order = (await house.call("POST", "/v1/orders", given)).json()["id"]
    await house.call("PATCH", f"/v1/orders/{order}", {"status": "paid"})
    await silent(house)
    assert sorted(one["type"] for one in receiver.events()) == ALL[:3]
    assert receiver.events("order.created")[0]["data"]["order"]["crm_contact_id"] == "42"


async def test_test_orders_are_told_and_say_so(house: House, receiver: Receiver) -> None:
    source, _ = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event(test=True))
    await silent(house)
    [told] = receiver.events()
    assert told["data"]["order"]["test"] is True


async def test_a_source_that_fails_and_recovers_is_told_once(house: House, receiver: Receiver) -> None:
    source, off = await house.source(name="Shop"), await house.source(name="Off")
    good, forged = order_event("1"), order_event("2").changed(headers={"webhook-signature": "v1,x"})
    await house.deliver(source, good)
    for one in (source, off):
        await house.deliver(one, forged)
    await house.service.refused.flush()
    health = house.service.source_health
    await health._turn()  # nobody asked to be told
    await subscribed(house, receiver, "source.failing", "source.recovered")
    for _ in range(2):
        await health.look(house.account_id)
    await silent(house)
    failing = {one["data"]["source_id"]: one["data"] for one in receiver.events("source.failing")}
    assert failing.keys() == {source, off} and len(receiver.told) == 2
    assert (failing[source]["name"], failing[source]["adapter"], failing[source]["code"]) == (
        "Shop",
        "standard",
        "only_rejected",
    )
    assert failing[source]["since"] > failing[source]["last_good_at"] and failing[off]["last_good_at"] is None
    assert "the secret does not match" in failing[source]["message"]
    await house.deliver(source, order_event("3"))
    await house.call("PATCH", f"/v1/sources/{off}", {"enabled": False})  # that is no recovery
    for _ in range(2):
        await health.look(house.account_id)
    await silent(house)
    [recovered] = receiver.events("source.recovered")
    assert (recovered["data"]["source_id"], recovered["data"]["code"]) == (source, "only_rejected")
    assert "order" not in recovered["data"] and len(receiver.told) == 3
    assert await rows(house, "SELECT * FROM failing_sources") == []


async def test_one_process_looks_after_the_sources_at_a_time(house: House) -> None:
    store, present = house.service.store, clock.now() + 3_600_000_000
    assert await source_health.turn(store, present, 1_000)
    assert not await source_health.turn(store, present, 1_000)
    assert await source_health.turn(store, present + 1_001, 1_000)
    assert await source_health.turn(store, present - 10**9, 1_000)  # the clock was set back


async def test_an_import_tells_nobody(house: House, receiver: Receiver) -> None:
    source, _ = await house.source(), await subscribed(house, receiver)
    row = {
        "external_id": "1",
        "title": "Old",
        "value": "5.00",
        "currency": "BRL",
        "status": "paid",
        "source_id": source,
    }
    later = row | {"title": "Corrected", "updated_at": "2026-11-20T13:00:00Z"}
    for one in (row, later):
        done = await house.client.post(
            "/v1/orders/import",
            content=json.dumps(one) + "\n",
            headers={"Authorization": f"Bearer {house.token}", "content-type": "application/x-ndjson"},
        )
        assert done.status_code == 200, done.text
    [order] = await house.data("/v1/orders")
    assert order["title"] == "Corrected"
    assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []


async def test_orders_that_turn_out_to_be_one_sale_and_are_taken_apart_again(house: House, receiver: Receiver) -> None:
    source = await house.source()
    first, second = [(await house.deliver(source, order_event(name))).json()["orders"][0] for name in ("a-1", "a-2")]
    await subscribed(house, receiver, "order.created", "order.updated")
    with with_adapter(house, broken(_glued)):
        await house.deliver(source, order_event("a-1", value="99.00", at="2026-11-20T15:00:00Z"))
        await house.deliver(source, order_event("a-2", value="77.00", at="2026-11-20T16:00:00Z"))
    await silent(house)
    [merged] = [one["data"] for one in receiver.events() if "replaces" in one["data"]]
    assert (merged["order_id"], merged["replaces"]) == (first, [second])
    # A remap tells whoever was told the misreading what is right; a rehearsal of it tells nobody.
    receiver.told.clear()
    for dry_run in (True, False):
        await done(house, "/v1/remap", {"source_id": source, "dry_run": dry_run})
        if dry_run:
            assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []
    await silent(house)
    told = {one["data"]["order"]["external_id"]: one["type"] for one in receiver.events()}
    assert told == {"a-1": "order.updated", "a-2": "order.created"}


@pytest.mark.parametrize("stubs", [True, False], ids=["a stub", "nothing"])
async def test_whoever_was_erased_before_it_was_told_is_not_told_of(
    house: House, receiver: Receiver, stubs: bool
) -> None:
    if not stubs:
        await house.call("PATCH", "/v1/account", {"retention": {"orders_erased": "0d"}})
    source, made = await house.source(), await subscribed(house, receiver)
    receiver.answer = (503, {"retry-after": "3600"}, b"")
    order = (await house.deliver(source, zuleika())).json()["orders"][0]
    await attempted(house, made, 1)
    contact = await contact_of(house)
    receiver.told.clear()
    await house.call("DELETE", f"/v1/contacts/{contact}")
    waiting = await rows(house, "SELECT event, subject FROM outbox ORDER BY id")
    assert [one["subject"] for one in waiting] == [order, order, contact]
    await nothing_is_left(house)
    receiver.answer = (200, {}, b"")
    await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"enabled": True})
    await silent(house)
    shown = [one["data"]["order"] for one in receiver.events() if "order" in one["data"]]
    assert [one and (one["title"], one["contact_id"]) for one in shown] == [(stubs and (None, None)) or None] * 2
    assert not [mark for mark in MARKS if any(mark.encode() in one.body.lower() for one in receiver.told)]
    await nothing_is_left(house)


async def test_a_receiver_that_is_back_is_told_what_it_missed_at_once(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "TIRED", 1)
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answers = [(500, {}, b"")]
    with monkeypatch.context() as retry_policy:
        retry_policy.setattr(outbox, "FIRST_WAIT", 3600.0)
        await house.deliver(source, order_event("1"))
        await attempted(house, made, 1)
    await house.deliver(source, order_event("2"))
    await silent(house)
    assert [one["data"]["order"]["external_id"] for one in receiver.events()] == ["1", "2", "1"]


# -- How it is signed -------------------------------------------------------------------------------------------------


async def test_our_own_standard_adapter_verifies_it(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event("1"))
    await silent(house)
    [told] = receiver.told
    present = clock.moment(clock.now())
    assert STANDARD.verify(told.delivery, [made["secret"]], present) == made["secret"]
    with pytest.raises(Unverified):
        STANDARD.verify(told.delivery.changed(body=told.body + b" "), [made["secret"]], present)

    # Rotated: signed with both, then with the newer one alone.
    newer = (await house.call("POST", f"/v1/subscriptions/{made['id']}/secrets", {"overlap": "24h"})).json()
    await house.deliver(source, order_event("2"))
    await silent(house)
    both = receiver.told[-1]
    for secret in (made["secret"], newer["secret"]):
        assert STANDARD.verify(both.delivery, [secret], present) == secret
    old = (await house.get(f"/v1/subscriptions/{made['id']}"))["secrets"][-1]["id"]
    assert (await house.call("DELETE", f"/v1/subscriptions/{made['id']}/secrets/{old}")).status_code == 204
    await house.deliver(source, order_event("3"))
    await silent(house)
    assert STANDARD.verify(receiver.told[-1].delivery, [newer["secret"]], present)
    with pytest.raises(Unverified):
        STANDARD.verify(receiver.told[-1].delivery, [made["secret"]], present)
    last = await house.call("DELETE", f"/v1/subscriptions/{made['id']}/secrets/{newer['id']}")
    assert (last.status_code, last.json()["code"]) == (409, "conflict")
    ended = (await house.call("POST", f"/v1/subscriptions/{made['id']}/secrets", {"overlap": "0s"})).json()
    await house.deliver(source, order_event("4"))
    await silent(house)
    assert receiver.told[-1].headers["webhook-signature"].count("v1,") == 1
    assert STANDARD.verify(receiver.told[-1].delivery, [ended["secret"]], present)


async def test_the_manual_says_how_to_verify(house: House, receiver: Receiver) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "subscriptions.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", manual, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - our own manual
    source, made = await house.source(), await subscribed(house, receiver)
    await house.call("POST", f"/v1/subscriptions/{made['id']}/secrets", {})
    await house.deliver(source, order_event())
    await silent(house)
    [told] = receiver.told
    assert names["verified"](made["secret"], told.headers, told.body)
    assert not names["verified"](made["secret"], told.headers, told.body + b" ")
    assert not names["verified"](made["secret"], told.headers | {"webhook-timestamp": "1700000000"}, told.body)
    example = json.loads(re.sub(r', "…": "[^"]*"', "", re.findall(r"```json\n(.*?)```", manual, re.DOTALL)[0]))
    await house.deliver(source, order_event(status="refunded", at="2026-11-21T13:00:00Z"))
    await silent(house)
    [changed] = receiver.events("order.status_changed")
    assert (set(changed), set(changed["data"])) == (set(example), set(example["data"]))
    for word in (*ALL, "replaces", "contact_id", "merged"):
        assert f"`{word}`" in manual


async def test_a_receiver_s_certificate_must_be_good(receiver: Receiver, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    named = networks("127.0.0.0/8")
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with receiving(ssl_certfile=str(certificate), ssl_keyfile=str(key)) as sealed:
        for trusted, url, words in (
            (None, sealed.url, "certificate"),
            (trusting, sealed.url.replace("127.0.0.1", "localhost"), "certificate"),  # it names another host
            (trusting, sealed.url, None),
        ):
            client = http_client.EventHttpClient(named, trusted)
            try:
                answer = await client.post(url, {"content-type": "application/json"}, b"{}")
                assert words is None and answer.status == 200
            except http_client.Unreachable as why:
                assert words is not None and words in str(why)
            finally:
                await client.close()
    assert len(sealed.told) == 1


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate of nobody's for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    present = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(present - timedelta(hours=1))
        .not_valid_after(present + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_secrets_are_shown_once_and_stand_nowhere_in_the_open(house: House, receiver: Receiver) -> None:
    made = await subscribed(house, receiver)
    secret = made["secret"]
    assert secret not in json.dumps(await house.get(f"/v1/subscriptions/{made['id']}"))
    assert secret not in json.dumps(await house.data("/v1/subscriptions"))
    for table in ("subscriptions", "secrets", "attempts", "outbox"):
        assert secret not in str(await rows(house, f"SELECT * FROM {table}"))
    resealed = await house.operator.post("/operator/rotate-master-key", json={})
    assert resealed.json() == {"resealed": 1}


# -- Until it is taken ------------------------------------------------------------------------------------------------


async def test_what_is_no_yes_is_tried_again(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    elsewhere = {"location": receiver.url.replace("/orders", "/elsewhere")}
    receiver.answers = [(500, {}, b""), (302, elsewhere, b""), (400, {}, b"x" * 100_000), (404, {}, b"")]
    await house.deliver(source, order_event())
    attempts = await attempted(house, made, 5)
    assert [one["status"] for one in attempts] == [500, 302, 400, 404, 200]
    assert [one["number"] for one in attempts] == [1, 2, 3, 4, 5]
    assert len({one["event_id"] for one in attempts}) == 1
    assert "redirects are not followed" in attempts[1]["reason"]
    assert all(one["next_at"] > one["at"] for one in attempts[:4]) and attempts[4]["next_at"] is None
    assert {one.path for one in receiver.told} == {"/orders"}
    assert "xxx" not in str(await rows(house, "SELECT * FROM attempts"))
    assert (await house.get(f"/v1/subscriptions/{made['id']}"))["state"] == "working"


async def test_a_receiver_that_is_away_is_shown_as_failing(house: House, receiver: Receiver) -> None:
    async with receiving() as gone:
        made = await subscribed(house, gone, "order.created")
    source = await house.source()
    await house.deliver(source, order_event())
    await attempted(house, made, outbox.TIRED + 1)
    shown = await house.get(f"/v1/subscriptions/{made['id']}")
    assert (shown["state"], shown["waiting"]) == ("failing", 1) and shown["failing_since"]
    assert "could not be reached" in shown["failing_reason"]
    alerts = (await house.get("/v1/stats"))["alerts"]
    [alert] = [one for one in alerts if one["code"] == "subscription_failing"]
    assert made["id"] in alert["advice"] and "could not be reached" in alert["message"]
    await house.service.metrics.poll()
    text = (await house.client.get("/metrics")).text
    assert "orders_events_waiting 1.0" in text and "orders_subscriptions_failing 1.0" in text
    # Another address: what waited is told at once.
    await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"url": receiver.url})
    await silent(house)
    assert (await house.get(f"/v1/subscriptions/{made['id']}"))["state"] == "working"
    assert 'orders_event_attempts_total{ended="delivered"} 1.0' in (await house.client.get("/metrics")).text


async def test_a_receiver_that_asks_to_wait_is_left_alone(house: House, receiver: Receiver) -> None:
    source = await house.source()
    later = format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)
    for number, given in enumerate(("10800", later)):
        made = await subscribed(house, receiver, "order.created")
        receiver.answers = [(429, {"retry-after": given}, b"")]
        receiver.told.clear()
        await house.deliver(source, order_event(f"a{number}"))
        [attempt] = await attempted(house, made, 1)
        [row] = await rows(house, f"SELECT * FROM subscriptions WHERE id = '{made['id']}'")
        assert 10_700 < (row["rests_until"] - clock.now()) / 1e6 <= 10_800
        wait = clock.since(attempt["next_at"], 0) - clock.since(attempt["at"], 0)
        assert 10_700 < wait / 1e6 <= 10_801
        # Nothing else is sent there either.
        await house.deliver(source, order_event(f"b{number}"))
        assert not [one for one in await outbox_ready(house) if one["id"] == made["id"]]
        await house.call("DELETE", f"/v1/subscriptions/{made['id']}")


async def outbox_ready(house: House) -> list[dict[str, Any]]:
    return await events.standing(house.service.store, clock.now())


async def test_410_switches_it_off(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answers = [(410, {}, b"")]
    await house.deliver(source, order_event("1"))
    shown = await eventually(lambda: house.get(f"/v1/subscriptions/{made['id']}"), lambda one: not one["enabled"])
    assert shown["state"] == "off" and "410" in shown["off_reason"]
    [alert] = [one for one in (await house.get("/v1/stats"))["alerts"] if one["code"] == "subscription_off"]
    assert made["id"] in alert["advice"]
    await house.deliver(source, order_event("2"))
    assert await rows(house, "SELECT * FROM outbox") == []
    on = await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"enabled": True})
    assert (on.json()["state"], on.json()["off_reason"]) == ("working", None)
    await house.deliver(source, order_event("3"))
    await eventually(lambda: asyncio.sleep(0, receiver.told), lambda told: len(told) >= 2)
    assert receiver.events()[-1]["data"]["order"]["external_id"] == "3"


async def test_what_waits_for_one_that_is_off_or_deleted_is_dropped(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "CLEARS", 0.0)
    source = await house.source()
    for last in ({"enabled": False}, None):
        made = await subscribed(house, receiver, "order.created")
        receiver.answer = (503, {"retry-after": "3600"}, b"")
        await house.deliver(source, order_event(f"{last}"))
        await attempted(house, made, 1)
        path = f"/v1/subscriptions/{made['id']}"
        done = await (house.call("PATCH", path, last) if last else house.call("DELETE", path))
        assert done.status_code in (200, 204)
        await silent(house)
    assert await rows(house, f"SELECT * FROM attempts WHERE subscription_id = '{made['id']}'") == []
    assert await rows(house, f"SELECT * FROM secrets WHERE source_id = '{made['id']}'") == []


async def test_after_three_days_an_event_is_given_up_and_it_says_so(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "CLEARS", 0.0)
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answer = (500, {}, b"")
    await house.deliver(source, order_event())
    await attempted(house, made, 1)
    monkeypatch.setattr(events, "LIFE", 0)
    monkeypatch.setattr(events, "LEAST_TRIES", 3)
    await silent(house)
    [newest, *tried] = await attempts_of(house, made)
    assert (newest["reason"], newest["next_at"], newest["delivered"]) == (events.GIVEN_UP, None, False)
    assert newest["took_ms"] is None and newest["status"] is None
    assert len(tried) >= 3


async def test_an_event_that_was_never_tried_is_never_given_up(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "CLEARS", 0.0)
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answer = (503, {"retry-after": "86400"}, b"")
    await house.deliver(source, order_event("1", delivery_id="1"))
    await attempted(house, made, 1)
    await house.deliver(source, order_event("2", delivery_id="2"))  # behind one that rests
    monkeypatch.setattr(events, "LIFE", 0)
    monkeypatch.setattr(events, "LEAST_TRIES", 1)
    receiver.answer = (200, {}, b"")
    house.service.outbox.wake()
    assert {one["reason"] for one in await attempted(house, made, 2)} >= {events.GIVEN_UP}  # the first
    for _ in range(3):
        await events.clear(house.service.store, clock.now())
    await house.call("PATCH", f"/v1/subscriptions/{made['id']}", {"enabled": True})
    await silent(house)
    assert [one["data"]["order"]["external_id"] for one in receiver.events()] == ["1", "2"]


async def test_what_ended_together_is_recorded_together(house: House, receiver: Receiver) -> None:
    """In their order: a failure before one that was taken says nothing any more, one after it does; a 410 always."""
    await house.service.outbox.loop.stop()  # it is done by hand
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    for name in "abcde":
        await house.deliver(source, order_event(name, delivery_id=name))
    store = house.service.store
    claim = {"present": clock.now(), "until": clock.now() + 60_000_000, "room": 9, "at_once": lambda _: 9}

    async def claimed(*ended: AttemptEnded) -> list[Any]:
        standing = await events.standing(store, claim["present"])
        return await store.commit(lambda: events.turn(ended, standing, **claim))

    def ended(row: Any, at: int, **more: Any) -> AttemptEnded:
        return AttemptEnded(row=row, at=at, took=1, status=200, **more)

    first, second, third, fourth, fifth = await claimed()
    later = clock.now() + 3_600_000_000
    await claimed(
        ended(first, 1, reason="early", next_at=later),
        ended(second, 2),
        ended(third, 3),
        ended(fourth, 4, reason="late", next_at=later, rests_until=later),
    )
    [shown] = await rows(house, "SELECT * FROM subscriptions")
    assert (shown["failures"], shown["failing_since"], shown["failing_reason"]) == (1, 4, "late")
    assert (shown["last_sent_at"], shown["rests_until"]) == (3, later)
    waiting = await rows(house, "SELECT id, attempts, next_at, claimed_until FROM outbox ORDER BY id")
    assert [one["id"] for one in waiting] == [first["id"], fourth["id"], fifth["id"]]
    assert [(one["attempts"], one["next_at"] == later) for one in waiting] == [(1, True), (1, True), (0, False)]
    assert [bool(one["claimed_until"]) for one in waiting] == [False, False, True]
    await claimed(ended(fifth, 5, reason="gone", off=True), ended(first, 6, back=True))
    [shown] = await rows(house, "SELECT * FROM subscriptions")
    assert (bool(shown["enabled"]), shown["off_reason"], shown["failures"]) == (False, "gone", 0)
    [waits] = await rows(house, "SELECT id, next_at FROM outbox")
    assert waits["id"] == fourth["id"] and waits["next_at"] <= clock.now()  # it is back
    assert len(await attempts_of(house, made)) == 6


async def test_what_was_committed_is_told_after_a_restart(settings: Settings, receiver: Receiver) -> None:
    async with House(settings) as house:
        await house.service.outbox.stop()  # as when the process dies between the commit and the sending
        token, source = house.token, await house.source()
        await subscribed(house, receiver, "order.created")
        await house.deliver(source, order_event())
        assert len(await rows(house, "SELECT * FROM outbox")) == 1 and receiver.told == []
    async with House(settings, "another") as house:
        house.token = token
        await silent(house)
    assert len(receiver.told) == 1


async def test_what_a_process_that_died_had_claimed_is_told_by_the_next(settings: Settings, receiver: Receiver) -> None:
    async with House(settings) as house:
        await house.service.outbox.stop()
        source = await house.source()
        await subscribed(house, receiver, "order.created")
        await house.deliver(source, order_event())
        # Elsewhere the claim has to run out; where there is but one process, its next start knows better.
        until = clock.now() + (3_600_000_000 if settings.on_sqlite else 200_000)
        await rows(house, f"UPDATE outbox SET claimed_until = {until}")
    async with House(settings, "another") as house:
        await silent(house)
    assert len(receiver.told) == 1


async def test_a_receiver_that_never_answers_does_not_hold_up_the_end(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ENDS_WITHIN", 0.01)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> None:
        begun.set()
        await go_on.wait()

    receiver.before = wait
    async with House(settings) as house:
        token, source = house.token, await house.source()
        await subscribed(house, receiver, "order.created")
        await house.deliver(source, order_event())
        await begun.wait()
    go_on.set()
    receiver.before = None
    async with House(settings, "another") as house:
        house.token = token
        await silent(house)
    assert len(receiver.told) == 2  # at least once, with the same id
    assert len({one.said["id"] for one in receiver.told}) == 1


async def test_a_receiver_that_is_slow_is_not_waited_for(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "WHOLE", 0.05)
    go_on = asyncio.Event()

    async def wait(_: Any) -> None:
        await go_on.wait()

    receiver.before = wait
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event())
    [attempt, *_] = await attempted(house, made, 1)
    assert "did not answer within" in attempt["reason"] and attempt["status"] is None
    receiver.before = None
    go_on.set()
    await silent(house)


async def test_what_is_under_way_is_not_begun_a_second_time(house: House, receiver: Receiver) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold_the_first(_: Any) -> None:
        if not begun.is_set():
            begun.set()
            await go_on.wait()

    receiver.before = hold_the_first
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    await house.deliver(source, order_event("1"))
    await begun.wait()
    await house.deliver(source, order_event("2"))
    await attempted(house, made, 1)
    await house.deliver(source, order_event("3"))
    await attempted(house, made, 2)
    go_on.set()
    await silent(house)
    assert [one["data"]["order"]["external_id"] for one in receiver.events()] == ["1", "2", "3"]


async def test_a_fault_of_ours_is_an_attempt_that_failed_and_holds_up_nobody(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    shown, faults = house.service.outbox._shown, iter([RuntimeError("a fault")])

    def stumbles(row: Any, crm_contact_id: str | None) -> Any:
        for fault in faults:
            raise fault
        return shown(row, crm_contact_id)

    monkeypatch.setattr(house.service.outbox, "_shown", stumbles)
    await house.deliver(source, order_event())
    attempts = await attempted(house, made, 2)
    assert "a fault of ours (RuntimeError)" in attempts[0]["reason"] and attempts[1]["delivered"]


async def test_one_claim_per_event_and_few_at_a_time(settings: Settings, receiver: Receiver) -> None:
    """Two processes on PostgreSQL; on SQLite one, as everywhere."""
    running = most = 0

    async def meanwhile(_: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _turn in range(20):  # others get their turn
            await asyncio.sleep(0)
        running -= 1

    receiver.before = meanwhile
    async with House(settings) as house:
        source, made = await house.source(), await subscribed(house, receiver, "order.created")

        async def deliver(one: House, number: int) -> None:
            await one.deliver(source, order_event(f"o{number}", contact={"email": f"p{number}@example.com"}))

        if settings.on_sqlite:
            await asyncio.gather(*(deliver(house, number) for number in range(60)))
            await silent(house)
        else:
            async with House(settings, "another") as other:
                await asyncio.gather(*(deliver((house, other)[number % 2], number) for number in range(60)))
                await silent(house)
        attempts = await house.data(f"/v1/subscriptions/{made['id']}/attempts?limit=200")
    assert len(receiver.told) == len({one.said["id"] for one in receiver.told}) == len(attempts) == 60
    assert 1 < most <= outbox.PER_SUBSCRIPTION


async def test_more_are_sent_at_a_time_to_a_receiver_that_takes_them(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    allowed, asked = house.service.outbox._at_once, {"id": made["id"], "failures": 0}
    assert allowed(asked) == outbox.FIRST_AT_ONCE
    for number in range(3):
        await house.deliver(source, order_event(f"o{number}", delivery_id=f"d{number}"))
    await attempted(house, made, 3)
    assert allowed(asked) == outbox.FIRST_AT_ONCE + 3
    receiver.answers = [(500, {}, b"")]
    await house.deliver(source, order_event("o4", delivery_id="d4"))
    await attempted(house, made, 5)
    assert allowed(asked) == (outbox.FIRST_AT_ONCE + 3) // 2 + 1
    assert allowed(asked | {"failures": outbox.TIRED}) == 1


async def test_nothing_is_told_while_the_registry_is_off(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    receiver.answers = [(503, {}, b"")]
    await house.deliver(source, order_event())
    await attempted(house, made, 1)
    await house.call("PATCH", "/v1/account", {"orders_enabled": False})
    assert await outbox_ready(house) == []
    await house.call("PATCH", "/v1/account", {"orders_enabled": True})
    await silent(house)


# -- Where it may go --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://user:word@example.com/", "without user"),
        ("https://example.com/#part", "fragment"),
        ("ftp://example.com/", "must be a URL"),
        ("https:///orders", "must be a URL"),
        ("https://münchen.example/", "must be a URL"),
        ("https://example.com:99999/", "port"),
        ("https://example.com/a b", "must be a URL"),
        ("https://10.1.2.3/", "not public"),
        ("https://169.254.169.254/latest/meta-data", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
        ("https://[64:ff9b::a00:1]/", "not public"),
        ("http://93.184.215.14/", "not public"),
    ],
)
async def test_urls_that_are_refused_when_they_are_saved(house: House, url: str, words: str) -> None:
    made = await house.call("POST", "/v1/subscriptions", {"url": url, "events": ALL})
    assert made.status_code == 422 and made.json()["errors"][0]["field"] == "url"
    assert words in made.json()["detail"]


async def test_nothing_is_named_so_nothing_but_https_to_the_internet(settings: Settings, receiver: Receiver) -> None:
    async with House(settings.model_copy(update={"private_receivers": ""})) as house:
        for url in (
            receiver.url,
            "http://example.com/",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://a.localhost/",
        ):
            made = await house.call("POST", "/v1/subscriptions", {"url": url, "events": ALL})
            assert made.status_code == 422, url
        source = await house.source()
        # A name that leads inside is met when it is connected to, however harmless it looked.
        made = await subscribed(house, Receiver(url="https://localtest.example.com/"), "order.created")
        await rows(house, "UPDATE subscriptions SET url = 'https://localhost:1/'")
        await house.deliver(source, order_event())
        [attempt, *_] = await attempted(house, made, 1)
        assert "not public" in attempt["reason"] and attempt["status"] is None
    assert receiver.told == []


# -- Who may, and what is refused -------------------------------------------------------------------------------------


async def test_what_may_not_be_asked_for(house: House, receiver: Receiver) -> None:
    for body, field in (
        ({"events": ALL}, "url"),
        ({"url": receiver.url}, "events"),
        ({"url": receiver.url, "events": []}, "events"),
        ({"url": receiver.url, "events": ["order.deleted"]}, "events.0"),
        ({"url": receiver.url, "events": ALL, "secret": "mine"}, "secret"),
    ):
        made = await house.call("POST", "/v1/subscriptions", body)
        assert made.status_code == 422 and made.json()["errors"][0]["field"] == field
    twice = await subscribed(house, receiver, "order.updated", "order.created", "order.updated")
    assert twice["events"] == ["order.created", "order.updated"]
    for _ in range(19):
        await subscribed(house, receiver)
    one_more = await house.call("POST", "/v1/subscriptions", {"url": receiver.url, "events": ALL})
    assert (one_more.status_code, one_more.json()["code"]) == (409, "conflict")


async def test_accounts_are_told_of_their_own_alone(house: House, receiver: Receiver) -> None:
    made = await subscribed(house, receiver)
    other = (await house.operator.post("/operator/accounts", json={"name": "other", "enable": True})).json()
    token = other["admin_token"]
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/attempts"), ("POST", "/secrets")):
        body = {} if method in ("PATCH", "POST") else None
        answer = await house.call(method, f"/v1/subscriptions/{made['id']}{path}", body, token=token)
        assert answer.status_code == 404, (method, path)
    await house.call("PUT", "/v1/contacts/7", {"name": "Bia"}, token=token)
    given = {"contact": "7", "title": "Theirs", "value": "10.00", "currency": "BRL"}
    assert (await house.call("POST", "/v1/orders", given, token=token)).status_code == 201
    assert await rows(house, "SELECT * FROM outbox") == [] and receiver.told == []


async def test_attempts_are_paged(house: House, receiver: Receiver) -> None:
    source, made = await house.source(), await subscribed(house, receiver, "order.created")
    for number in range(5):
        await house.deliver(source, order_event(f"{number}"))
    await attempted(house, made, 5)
    found: list[str] = []
    cursor = ""
    while True:
        page = await house.get(f"/v1/subscriptions/{made['id']}/attempts?limit=2{cursor}")
        found += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == sorted(found, reverse=True) and len(found) == 5
