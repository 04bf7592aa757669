"""Subscriptions from the command line, beside a server and to a real receiver."""

import asyncio
import signal

import pytest

from tests.cli.installation import Installation
from tests.house import eventually
from tests.receiver import receiving

pytestmark = pytest.mark.anyio


def test_a_subscription_from_its_making_to_its_end(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    wanted = ("--event", "order.created", "--event", "contact.erased")
    assert "http" in here.run("subscription", "add", "http://127.0.0.1:9/", *wanted, code=1)
    made = here.json("subscription", "add", "https://example.com/orders", *wanted)
    assert made["secret"].startswith("whsec_")
    assert [one["id"] for one in here.json("subscription", "list")["data"]] == [made["id"]]
    assert made["url"] in here.run("subscription", "list")
    changed = here.json("subscription", "edit", made["id"], "--event", "order.updated", "--disable")
    assert (changed["events"], changed["state"]) == (["order.updated"], "off")
    assert "nothing to change" in here.run("subscription", "edit", made["id"], code=2)
    newer = here.json("subscription", "rotate", made["id"])
    (_, old) = here.json("subscription", "show", made["id"])["secrets"]
    assert newer["secret"] != made["secret"] and old["expires_at"]
    here.run("subscription", "revoke", made["id"], old["id"])
    assert old["id"] in here.run("subscription", "show", made["id"])
    assert here.json("subscription", "attempts", made["id"])["data"] == []
    assert "no attempts yet" in here.run("subscription", "attempts", made["id"])
    assert "--yes" in here.run("subscription", "delete", made["id"], code=2)
    here.run("subscription", "delete", made["id"], "--yes")
    assert here.json("subscription", "list")["data"] == []


async def test_what_was_acknowledged_is_told_after_kill_9(here: Installation) -> None:
    here.environment["ORDERS_PRIVATE_RECEIVERS"] = "127.0.0.0/8"
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    async with receiving() as receiver:
        receiver.answer = (503, {}, b"")
        await asyncio.to_thread(here.serve)
        made = await asyncio.to_thread(here.json, "subscription", "add", receiver.url, "--event", "order.created")
        assert (await asyncio.to_thread(here.json, "send", source))["outcome"] == "created"
        here.stop(signal.SIGKILL)
        receiver.answer = (200, {}, b"")
        receiver.told.clear()
        address = await asyncio.to_thread(here.serve)
        assert address

        await eventually(
            lambda: asyncio.to_thread(here.json, "subscription", "attempts", made["id"]),
            lambda found: any(one["delivered"] for one in found["data"]),
            within=30,
        )
        shown = await asyncio.to_thread(here.run, "subscription", "attempts", made["id"])
    assert "order.created" in shown and "200" in shown
    assert [one.said["type"] for one in receiver.told] == ["order.created"]
