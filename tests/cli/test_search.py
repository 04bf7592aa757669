"""Where is my customer's order? Asked of the command line."""

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
