"""What the console can do, the command line can do: a key checked, a delivery's changes, the panel's pages."""

import json

from tests.cli.installation import Installation


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
