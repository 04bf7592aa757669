"""Contacts and privacy from the terminal: found, handed over, erased; what a shop asks for, carried out."""

import json

from tests.cli.installation import Installation


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
