"""Contacts and privacy from the terminal: found, handed over, erased; what a shop asks for, carried out."""

import asyncio
import json

import pytest

from tests.cli.installation import Installation
from tests.receiver import receiving


def test_a_person_is_found_handed_over_and_erased(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "shopify", "--secret", "a-made-up-secret-of-32-characters")["source_id"]
    here.serve()
    here.json("send", source, "--kind", "orders/paid")
    (order,) = here.json("order", "list")["data"]
    known = here.json("contacts", "show", order["contact_id"])
    email = next(one["value"] for one in known["identities"] if one["kind"] == "email")
    (found,) = here.json("contacts", "find", "--email", email)["data"]
    assert found["id"] == known["id"]
    assert "itself" in here.refused("contacts", "merge", known["id"], known["id"])
    other = here.json("order", "list", "--contact", known["id"])["data"]
    assert len(other) == 1
    assert here.json("contacts", "conflicts")["data"] == []
    exported = here.json("contacts", "export", known["id"])
    assert [one["id"] for one in exported["orders"]] == [order["id"]]
    assert "--yes" in here.run("contacts", "erase", known["id"], code=2)
    proof = here.json("contacts", "erase", known["id"], "--yes")
    assert proof["counts"]["orders"] == 1
    assert here.json("order", "show", order["id"])["contact_id"] is None
    assert "no such contact" in here.refused("contacts", "show", known["id"])
    (told, *_) = here.json("privacy", "proofs", "--email", email)["data"]
    assert told["id"] == proof["id"]
    assert len(here.json("privacy", "proofs")["data"]) == 2  # handed over, then erased


def test_what_a_shop_asks_for_is_carried_out(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "shopify", "--secret", "a-made-up-secret-of-32-characters")["source_id"]
    here.serve()
    here.json("send", source, "--kind", "orders/paid")
    customer = json.loads(here.json("deliveries", "show", here.json("deliveries", "list")["data"][0]["id"])["body"])[
        "customer"
    ]
    (here.folder / "asked.json").write_text(json.dumps({"customer": {"id": customer["id"]}}))
    for kind in ("customers/data_request", "customers/redact"):
        here.json("send", source, "--kind", kind, "--file", "asked.json")
    redact, request = here.json("privacy", "list")["data"]
    done = here.json("privacy", "carry-out", request["id"])
    assert len(done["export"]["orders"]) == 1
    assert "1 orders" in here.run("privacy", "carry-out", redact["id"])
    assert all(one["done_at"] for one in here.json("privacy", "list")["data"])
    (order,) = here.json("order", "list")["data"]
    assert (order["contact_id"], order["title"]) == (None, None)


@pytest.mark.anyio
async def test_a_contact_that_is_gone_in_the_crm_is_shown_and_mended(here: Installation) -> None:
    here.environment["ORDERS_PRIVATE_RECEIVERS"] = "127.0.0.0/8"
    here.run("account", "create", "acme", "--enable")
    async with receiving() as chatwoot:
        options = ("--option", f"address={chatwoot.url.removesuffix('/orders')}", "--option", "account=3")
        given = ("--secret", "a-made-up-secret-of-32-characters", "--key", "made-up", *options)
        source = (await asyncio.to_thread(here.json, "source", "add", "chatwoot", *given))["source_id"]
        await asyncio.to_thread(here.serve)
        for number in (42, 43):
            (here.folder / "body.json").write_text(
                json.dumps({"event": "contact_created", "id": number, "name": "Ana"})
            )
            await asyncio.to_thread(here.json, "send", source, "--kind", "contact_created", "--file", "body.json")
        for more in (["--dry-run"], []):
            chatwoot.answers = [
                (status, {}, b"{}") for status in (200, 404, 200)
            ]  # 43 is there, 42 is not, 43 still is
            said = await asyncio.to_thread(here.run, "contacts", "reconcile", "--source", source, *more)
            assert "42" in said and "taken off" in said and "no contact there has its e-mail or phone" in said
        assert chatwoot.told[0].headers["api_access_token"] == "made-up"
        [job, dry] = (await asyncio.to_thread(here.json, "jobs", "list"))["data"]
        assert (job["kind"], job["changed"], dry["dry_run"]) == ("reconcile", 1, True)
        assert "taken off" in await asyncio.to_thread(here.run, "jobs", "show", dry["id"], "--changes")
        said = await asyncio.to_thread(here.run, "contacts", "reconcile", "--source", source, "--json")
        assert json.loads(said)["job"]["total"] == 1
        await asyncio.to_thread(here.refused, "contacts", "show", "42")
