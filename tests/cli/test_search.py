"""Where is my customer's order? Asked of the command line."""

from importlib.metadata import version
from pathlib import Path

from tests.cli.installation import Installation
from tests.web.test_files import NUVEMSHOP


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
    assert [one["id"] for one in here.json("deliveries", "list", "--contact", contact["name"])["data"]] == [made]
    assert here.json("deliveries", "list", "--contact", "Nobody Whatever") == {"data": [], "next_cursor": None}
    assert len(here.json("order", "list", "--contact", email)["data"]) == 1
    assert "nobody is known by" in here.run("deliveries", "list", "--contact", "nobody@example.com", code=1)
    assert here.json("deliveries", "list", "--note", "unknown_status")["data"] == []
    assert f"  {row['id']}" in here.run("deliveries", "list") and " 1" in here.run("deliveries", "list")


def test_a_platforms_own_export_is_shown_before_it_is_imported(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    here.run("account", "set", "acme", "--timezone", "America/Sao_Paulo")
    (here.folder / "vendas.csv").write_bytes(NUVEMSHOP.encode("cp1252"))
    shown = here.run("import", "vendas.csv", "--preset", "nuvemshop", "--dry-run")
    assert "the first rows, as orders" in shown and "194.80 BRL" in shown and "1 × Kit, 1 × Barba" in shown
    assert here.json("order", "list")["data"] == []
    told = here.json("import", "vendas.csv", "--preset", "nuvemshop")
    assert (told["created"], told["refused"], told["preview"]) == (2, 0, [])
    (here.folder / "mine.csv").write_text("Pedido;Valor;Quando\n7;R$ 1.500,00;20/11/2026\n")
    words = ("--map", "Pedido=external_id", "--map", "Valor=value", "--map", "Quando=ordered_at", "--decimal", ",")
    told = here.json("import", "mine.csv", *words, "--dates", "dmy", "--zone", "UTC", "--dry-run")
    assert told["preview"][0]["value"] == "1500.00"
    assert told["preview"][0]["ordered_at"] == "2026-11-20T00:00:00Z"
    assert "HEADING=COLUMN" in here.run("import", "mine.csv", "--map", "Valor", code=2)


def test_a_source_is_named_by_id_name_or_adapter(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    shop = here.json("source", "add", "standard", "--name", "My shop")["source_id"]
    other = here.json("source", "add", "shopify", "--secret", "a-made-up-secret-of-32-characters")["source_id"]
    for word, found in ((shop, shop), ("My shop", shop), ("standard", shop), ("shopify", other), ("Shopify", other)):
        assert here.json("source", "show", word)["id"] == found, word
    assert here.json("source", "disable", "My shop")["enabled"] is False
    assert here.json("deliveries", "list", "--source", "My shop")["data"] == []
    assert [one["source_id"] for one in here.json("stats", "--source", "shopify")["sources"]] == [other]
    here.run("import", str(_file(here)), "--source", "My shop")
    assert [one["source_id"] for one in here.json("order", "list", "--source", "My shop")["data"]] == [shop]
    assert len(here.json("report", "orders", "--source", "standard")["data"]) == 1
    assert shop in here.run("export", "--source", "My shop")
    third = here.json("source", "add", "standard", "--name", "Second")["source_id"]
    said = here.run("source", "show", "standard", code=2)
    assert "name one by its id" in said and shop in said and third in said
    assert "there is no source nowhere" in here.run("source", "show", "nowhere", code=1)


def test_the_version_is_said(here: Installation) -> None:
    assert here.run("--version").strip() == version("orders-registry")


def test_a_misspelt_setting_is_refused_before_anything_is_done(here: Installation) -> None:
    here.environment["ORDERS_PUBLIC_ULR"] = "https://orders.example.com"
    assert "ORDERS_PUBLIC_ULR: there is no such setting; is ORDERS_PUBLIC_URL meant?" in here.run("migrate", code=2)
    del here.environment["ORDERS_PUBLIC_ULR"]


def test_an_order_by_hand_is_deleted_and_a_subscription_is_tried(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    here.run("import", str(_file(here)), "--origin", "manual")
    (order,) = here.json("order", "list")["data"]
    assert "confirm with --yes" in here.run("order", "delete", order["id"], code=2)
    here.run("order", "delete", order["id"], "--yes")
    assert here.json("order", "list")["data"] == []
    made = here.json(
        *("subscription", "add", "https://receiver.example.com/x", "--event", "order.created", "--status", "paid"),
        *("--no-test", "--minimum-value", "10.00", "--header", "X-Key: k"),
    )
    assert made["filter"] == {"status": ["paid"], "minimum_value": "10.00", "include_test": False}
    assert made["headers"] == ["x-key"]
    assert "it was not taken" in here.run("subscription", "test", made["id"], code=1)
    assert here.json("subscription", "resend", made["id"], "--since", "24h") == {"events": 0}


def _file(here: Installation) -> Path:
    path = here.folder / "one.csv"
    path.write_text("external_id,title,value\n1,Shoes,5.00\n")
    return path
