"""Where is my customer's order? Asked of the command line."""

from tests.cli.installation import Installation


def test_the_log_is_searched_by_identity_outcomes_and_the_platforms_id(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    here.run("account", "set", "acme", "--timezone", "America/Sao_Paulo")
    here.serve()
    source = here.json("source", "add", "standard")["source_id"]
    made = here.json("send", source)["delivery_id"]
    assert here.json("send", source)["outcome"] == "duplicate"
    (row,) = here.json("deliveries", "list", "--outcome", "created", "--outcome", "unreadable")["data"]
    assert (row["id"], row["repeats"]) == (made, 1)
    assert here.json("deliveries", "list", "--source-delivery-id", row["source_delivery_id"])["data"] == [row]
    contact = here.json("contacts", "show", here.json("order", "list")["data"][0]["contact_id"])
    email, *_ = [one["value"] for one in contact["identities"] if one["kind"] == "email"]
    assert [one["id"] for one in here.json("deliveries", "list", "--contact", email)["data"]] == [made]
    assert len(here.json("order", "list", "--contact", email)["data"]) == 1
    assert "nobody is known by" in here.run("deliveries", "list", "--contact", "nobody@example.com", code=1)
    assert here.json("deliveries", "list", "--note", "unknown_status")["data"] == []
    assert f"  {row['id']}" in here.run("deliveries", "list") and " 1" in here.run("deliveries", "list")
