"""The command line, as processes of its own: alone, and while a server runs."""

import base64
import hmac
import sqlite3
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import typer.main

from app.cli import app as program
from tests.cli.installation import COMMAND, Installation


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if hasattr(group, "commands"):
        for name, inner in group.commands.items():
            yield from commands(inner, (*words, name))
    else:
        yield words


@pytest.mark.parametrize("words", list(commands(typer.main.get_command(program))), ids=" ".join)
def test_every_commands_help_has_an_example(words: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(program)
    for word in words:
        command = command.commands[word]
    assert command.epilog is not None
    assert "orders-registry " + " ".join(words) in command.epilog
    assert command.help
    # What reads or makes something answers programs too.
    if words not in {("serve",), ("demo",)}:
        assert any("--json" in one.opts for one in command.params)


def test_a_round_without_a_server(here: Installation) -> None:
    made = here.json("account", "create", "acme", "--enable")
    assert set(made) == {"account_id", "admin_token"}
    token = here.json("token", "create", "--account", "acme", "--role", "rep", "--member", "7")
    assert (token["role"], token["member_id"]) == ("rep", "7")
    source = here.json("source", "add", "standard", "--account", "acme")
    assert source["secret"].startswith("whsec_")
    assert [one["id"] for one in here.json("source", "list")["data"]] == [source["source_id"]]
    assert oct((here.folder / "master.key").stat().st_mode & 0o777) == "0o600"
    assert oct((here.folder / "orders.db").stat().st_mode & 0o777) == "0o600"
    assert made["admin_token"].encode() not in (here.folder / "orders.db").read_bytes()
    assert source["secret"].encode() not in (here.folder / "orders.db").read_bytes()


def test_while_a_server_runs_commands_go_through_its_socket_and_count_at_once(here: Installation) -> None:
    made = here.json("account", "create", "acme", "--enable")
    address = here.serve()
    assert oct((here.folder / "orders.db.sock").stat().st_mode & 0o777) == "0o600"
    source = here.json("source", "add", "standard")["source_id"]
    assert here.json("send", source)["outcome"] == "created"
    assert here.json("send", source)["outcome"] == "duplicate"
    (row,) = here.json("deliveries", "list")["data"]
    assert here.json("deliveries", "show", row["id"])["body"]
    assert here.json("deliveries", "retry", row["id"])["outcome"] == "unchanged"
    assert here.json("doctor")["well"] is True

    bearer = {"Authorization": f"Bearer {made['admin_token']}"}
    assert httpx.get(f"{address}/v1/orders", headers=bearer).status_code == 200
    (token,) = here.json("token", "list")["data"]
    here.run("token", "revoke", token["id"])
    assert httpx.get(f"{address}/v1/orders", headers=bearer).status_code == 401

    here.run("account", "disable", "acme")
    assert "403" in here.run("send", source, code=1)
    assert "in use by" in here.run("serve", "--port", "0", code=1)

    copy = here.folder / "copy.db"
    here.run("backup", str(copy))
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM deliveries").fetchone() == (1,)
    connection.close()
    assert "overwrites nothing" in here.run("backup", str(copy), code=1)
    assert here.stop() == 0
    assert here.json("deliveries", "list")["data"]  # and without the server again


def test_verify_says_what_differs_without_telling_a_secret(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    secret = "a-made-up-secret-of-32-characters"
    source = here.json("source", "add", "shopify", "--secret", secret)["source_id"]
    body = b'{"id": 1, "total_price": "10.00"}'
    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    (here.folder / "headers.txt").write_text(f"X-Shopify-Topic: orders/create\nX-Shopify-Hmac-Sha256: {signature}\n")
    (here.folder / "body").write_bytes(body)
    words = (source, "--headers", "headers.txt", "--body", "body")
    assert here.json("verify", *words)["verified"] is True
    assert here.json("try", *words)["kind"] == "orders/create"
    (here.folder / "body").write_bytes(body + b"\n")
    done = subprocess.run(
        [*COMMAND, "verify", *words],
        env=here.environment,
        cwd=here.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "line break at its end" in done.stdout
    assert secret not in done.stdout + done.stderr


def test_what_cannot_be_meant_is_misuse_and_names_every_fault(here: Installation) -> None:
    here.environment |= {"ORDERS_PORT": "99999", "ORDERS_DATABASE_URL": "mysql://x", "ORDERS_MAX_BODY_BYTES": "x"}
    said = here.run("serve", code=2)
    for name in ("ORDERS_PORT", "ORDERS_DATABASE_URL", "ORDERS_MAX_BODY_BYTES"):
        assert name in said
    here.run("source", "add", code=2)


def test_postgresql_needs_a_master_key_and_sqlite_one_worker(here: Installation) -> None:
    assert "one worker" in here.run("serve", "--workers", "2", code=2)
    here.environment["ORDERS_DATABASE_URL"] = "postgresql://orders@127.0.0.1:1/orders"
    here.environment |= {"ORDERS_PORT": "high", "ORDERS_HOST": ""}
    said = here.run("serve", code=2)
    for name in ("ORDERS_MASTER_KEY", "ORDERS_PORT", "ORDERS_HOST"):
        assert name in said


def test_the_master_key_is_rotated(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    here.run("source", "add", "standard")
    old = (here.folder / "master.key").read_text().strip()
    new = here.run("doctor", "--make-key").strip()
    here.environment["ORDERS_MASTER_KEY"] = f"{new},{old}"
    assert here.json("rotate-master-key") == {"resealed": 1}
    here.environment["ORDERS_MASTER_KEY"] = new
    assert here.json("doctor")["well"] is True
    here.environment["ORDERS_MASTER_KEY"] = old
    assert "NOT WELL" not in here.run("doctor", code=1)


def test_adapters_need_no_database(here: Installation) -> None:
    here.environment["ORDERS_DATABASE_URL"] = "nonsense"
    assert {"shopify", "woocommerce", "stripe", "standard"} <= {one["name"] for one in here.json("adapters")["data"]}
    assert "1." in here.run("adapters", "shopify")


def test_the_demonstration_ends_with_the_orders_of_a_contact(here: Installation) -> None:
    said = here.run("demo", "--once")
    for words in ("Running shoes", "unverified", "duplicate", "Coffee beans", "687.90"):
        assert words in said


def test_orders_and_deals_by_hand(here: Installation) -> None:
    here.json("account", "create", "acme", "--enable")
    order = ("order", "create", "--contact", "42", "--title", "Consulting", "--value", "10.00")
    assert "no contact is known as '42'" in here.refused(*order)
    address = here.serve()
    token = here.json("token", "create", "--account", "acme", "--role", "manager")["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.put(f"{address}/v1/contacts/42", json={"name": "Ana"}, headers=headers).status_code == 201
    assert here.json("deal", "set", "D-7", "--contact", "42")["crm_id"] == "D-7"
    made = here.json(*order, "--deal", "D-7")
    changed = here.json("order", "edit", made["id"], "--status", "paid")
    assert (changed["status"], changed["deal_id"]) == ("paid", "D-7")
    assert [one["id"] for one in here.json("order", "list", "--contact", "42")["data"]] == [made["id"]]
    assert here.json("deal", "orders", "D-7")["data"] == [changed]
    assert changed.items() <= here.json("order", "show", made["id"]).items()
    assert [one["member_id"] for one in here.json("order", "history", made["id"])["data"]] == ["operator"] * 2
