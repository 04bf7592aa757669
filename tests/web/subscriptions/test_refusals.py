"""Addresses that are refused, what else may not be asked for, and the limits between accounts."""

import pytest

from app.base.settings import Settings
from tests.house import House, order_event
from tests.receiver import Receiver
from tests.web.subscriptions.conftest import ALL, SOON, attempted, rows, subscribed

pytestmark = [pytest.mark.anyio, SOON]


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
