"""What the console can do, the command line can do: a key checked, a delivery's changes, the panel's pages."""

import base64
import json

from tests.cli.installation import Installation
from tests.house import WHSEC, order_event


def test_a_key_is_checked(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "mercadopago", "--secret", "a-made-up-secret-of-32-characters")["source_id"]
    found = here.json("source", "check", source)
    assert (found["usable_secrets"], found["key"]["accepted"]) == (1, False)
    assert "not taken" in here.run("source", "check", source)


def test_what_a_delivery_changed(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    here.serve()
    sent = here.json("send", source)
    (order,) = here.json("deliveries", "changes", sent["delivery_id"])["data"]
    assert order["made"] and {one["field"] for one in order["changes"]} >= {"status", "value"}
    assert "new: ord_" in here.run("deliveries", "changes", sent["delivery_id"])


def test_which_pages_may_show_the_panel(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    assert json.loads(here.run("account", "panel", "acme", "--json"))["panel_origins"] == []
    origins = here.json(
        "account", "panel", "acme", "--origin", "https://a.example.com", "--origin", "https://b.example.com"
    )
    assert origins["panel_origins"] == ["https://a.example.com", "https://b.example.com"]
    assert "panel_origins" in here.refused("account", "panel", "acme", "--origin", "https://*.example.com")
    assert "contradict" in here.run(
        "account", "panel", "acme", "--nowhere", "--origin", "https://a.example.com", code=2
    )
    assert here.json("account", "panel", "acme", "--nowhere")["panel_origins"] == []


def test_what_the_settings_page_sets(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    before = here.json("account", "set", "acme")
    assert (before["owner_privacy"], before["default_currency"]) == (False, "BRL")
    words = ("--owner-privacy", "--currency", "usd", "--region", "us")
    changed = here.json("account", "set", "acme", *words)
    assert changed["owner_privacy"] and (changed["default_currency"], changed["default_region"]) == ("USD", "US")
    assert here.json("account", "set", "acme", "--no-owner-privacy")["owner_privacy"] is False
    assert "USD" in here.run("account", "set", "acme")
    assert "default_currency" in here.refused("account", "set", "acme", "--currency", "nothing")


def test_a_source_is_edited_and_deleted(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    changed = here.json("source", "edit", source, "--name", "Till", "--unknown-contacts", "hold")
    assert (changed["name"], changed["unknown_contacts"]) == ("Till", "hold")
    assert "Till" in here.run("source", "edit", source, "--unknown-contacts", "create")
    here.run("source", "edit", source, code=2)
    assert "name" in here.refused("source", "edit", source, "--name", "")
    assert "--yes" in here.run("source", "delete", source, code=2)
    here.run("source", "delete", source, "--yes")
    assert here.json("source", "list")["data"] == []
    here.refused("source", "show", source)


def test_the_exact_bytes_of_a_body(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    here.serve()
    (here.folder / "body").write_bytes(exact := b'{"type": "order.updated",\r\n\t"data": 7}\xff\n\n')
    sent = here.json("send", source, "--kind", "order.updated", "--file", "body")
    told = here.json("deliveries", "body", sent["delivery_id"])
    assert told["id"] == sent["delivery_id"] and told["body_encoding"] == "base64"
    assert base64.b64decode(told["body"]) == exact
    here.run("deliveries", "body", sent["delivery_id"], "--output", "out")
    assert (here.folder / "out").read_bytes() == exact
    here.refused("deliveries", "body", sent["delivery_id"], "--output", "nowhere/out")
    here.refused("deliveries", "body", "dlv_01J0000000000000000000000Z")


def test_a_recorded_delivery_is_tried_with_todays_adapter(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    here.serve()
    sent = here.json("send", source, "--kind", "order.created")
    (kept,) = here.json("order", "list")["data"]
    found = here.json("deliveries", "try", sent["delivery_id"])
    assert (found["kind"], found["outcome"]) == ("order.created", "created")
    assert [one["external_id"] for one in found["orders"]] == [kept["external_id"]]
    assert kept["external_id"] in here.run("deliveries", "try", sent["delivery_id"])
    assert here.json("deliveries", "show", sent["delivery_id"])["attempts"] == 1
    assert "dlv_01J0000000000000000000000Z" in here.refused("deliveries", "try", "dlv_01J0000000000000000000000Z")


def test_a_contacts_totals(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard", "--secret", WHSEC)["source_id"]
    here.serve()
    here.deliver(source, order_event())
    (order,) = here.json("order", "list")["data"]
    (sums,) = here.json("contacts", "summary", order["contact_id"])["currencies"]
    assert (sums["currency"], sums["orders"]) == (order["currency"], 1)
    assert order["currency"] in here.run("contacts", "summary", order["contact_id"])
