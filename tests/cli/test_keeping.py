"""What is kept and what it sums up to, on the command line."""

from tests.cli.installation import Installation
from tests.house import WHSEC, order_event


def test_retention_is_set_counted_and_carried_out(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    here.run("account", "create", "other", "--enable")
    assert "for ever" in here.run("prune")
    assert here.json("account", "retention", "acme", "bodies=30d", "orders_canceled=90d") == {
        "bodies": "30d",
        "orders_canceled": "90d",
    }
    assert here.json("account", "retention", "acme", "orders_canceled=never") == {"bodies": "30d"}
    assert here.json("account", "retention", "acme", "orders_canceled=90d")["orders_canceled"] == "90d"
    assert "CLASS=AGE" in here.run("account", "retention", "acme", "bodies", code=2)
    assert "retention.bodies" in here.refused("account", "retention", "acme", "bodies=1y")
    said = here.json("prune", "--dry-run", "--account", "acme")
    (acme,) = said["data"]
    assert (acme["dry_run"], acme["done"]) == (True, True)
    assert {one["name"]: one["age"] for one in acme["classes"]}["bodies"] == "30d"
    assert len(here.json("prune")["data"]) == 2
    shown = here.run("prune", "--dry-run")
    assert "acme" in shown and "bodies" in shown and "would be deleted" in shown and "orders_open" not in shown
    assert "no account 'nobody'" in here.refused("prune", "--account", "nobody")


def test_reports(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    assert here.run("report", "orders").strip() == "none"
    source = here.json("source", "add", "standard", "--account", "acme", "--secret", WHSEC)["source_id"]
    here.serve()
    assert here.deliver(source, order_event())["outcome"] == "created"
    (group,) = here.json("report", "orders", "--group-by", "source")["data"]
    assert (group["group"], group["currencies"][0]["orders"]) == (source, 1)
    shown = here.run("report", "orders", "--group-by", "month", "--zone", "America/Sao_Paulo")
    assert "average" in shown and group["currencies"][0]["gross"] in shown
    assert "group_by" in here.refused("report", "orders", "--group-by", "moon")
    rule = here.json("report", "contacts")["rule"]
    assert rule["frequency"] == [2, 3, 5, 10]
    assert "rule" in here.run("report", "contacts", "--money", "1,2,3,4")
