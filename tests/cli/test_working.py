"""What people do with the command line in a day: set a shop up, try a body, follow the log, and what they get wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.installation import PATIENCE, Installation, until
from tests.cli.warm import Warm

BODY = {
    "id": 5000000009,
    "name": "#1009",
    "financial_status": "paid",
    "total_price": "10.00",
    "currency": "BRL",
    "updated_at": "2026-11-20T13:00:00Z",
    "email": "ana@example.com",
}


def test_a_shop_that_shows_its_secret_only_once_it_knows_the_address(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    made = here.done("source", "add", "stripe", "--json")
    assert made.returncode == 0 and "no secret yet" in made.stderr
    source = json.loads(made.stdout)
    here.serve()
    stranger = httpx.post(f"{here.listening()['webhooks']}{source['source_id']}", json={"type": "charge.succeeded"})
    assert stranger.status_code == 401
    assert "no secret that counts" in here.refused("send", source["source_id"])
    here.run("source", "rotate", source["source_id"], "--secret", "whsec_made_up_by_the_platform_itself")
    assert here.json("send", source["source_id"], "--kind", "charge.succeeded")["outcome"] == "created"
    refused = here.json("source", "show", source["source_id"])["refused"]
    assert [(one["outcome"], one["reason"], one["count"]) for one in refused] == [("unverified", "no_secret", 1)]


def test_a_body_of_ones_own_is_signed_and_sent_as_the_platform_would(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "shopify", "--secret", "a-made-up-secret-of-32-characters")["source_id"]
    here.serve()
    file = here.folder / "body.json"
    file.write_text(json.dumps(BODY))
    sent = here.json("send", source, "--kind", "orders/paid", "--file", "body.json")
    assert (sent["status"], sent["outcome"]) == (200, "created") and "nothing about the shop" in sent["proves"]
    assert here.json("order", "show", sent["orders"][0])["test"] is True and here.json("report", "orders")["data"] == []
    # Under an id of its own each time: the body is the same, and the platform is not asked whether it repeats itself.
    again = here.json("send", source, "--kind", "orders/paid", "--file", "body.json")
    assert again["outcome"] in {"unchanged", "duplicate"}
    (delivery, *_) = here.json("deliveries", "list", "--external-id", "5000000009", "--kind", "orders/paid")["data"]
    assert json.loads(here.json("deliveries", "show", delivery["id"])["body"]) == BODY
    assert here.json("deliveries", "list", "--since", "2020-01-01", "--until", "2020-01-02")["data"] == []


def test_rotation_overlaps_and_revocation_does_not(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "woocommerce", "--name", "Loja")["source_id"]
    (first,) = here.json("source", "show", source)["secrets"]
    assert first["expires_at"] is None
    newer = here.json("source", "rotate", source, "--overlap", "1h")
    assert newer["secret"] and newer["older_secrets_end_at"]
    secrets = {one["id"]: one for one in here.json("source", "show", source)["secrets"]}
    assert secrets[first["id"]]["expires_at"] == newer["older_secrets_end_at"]
    here.run("source", "revoke", source, first["id"])
    secrets = {one["id"]: one for one in here.json("source", "show", source)["secrets"]}
    assert secrets[first["id"]]["revoked_at"] and not secrets[newer["id"]]["revoked_at"]
    assert "30 days" in here.refused("source", "rotate", source, "--overlap", "31d")
    assert here.json("source", "disable", source)["enabled"] is False
    assert here.json("source", "enable", source)["enabled"] is True


def test_options_nest_and_are_json_where_they_can_be(here: Installation) -> None:
    here.run("account", "create", "acme")
    said = here.refused("source", "add", "shopify", "--secret", "x" * 32, "--option", "colour=red")
    assert "options.colour" in said
    here.run("source", "add", "shopify", "--option", "colour", code=2)
    here.run("source", "add", "shopify", "--option", "a=1", "--option", "a.b=2", code=2)


def test_several_accounts_must_be_told_apart(here: Installation) -> None:
    assert "account create" in here.refused("source", "list")
    here.run("account", "create", "acme")
    here.run("account", "create", "brio")
    assert "acme, brio" in here.run("source", "list", code=2)
    assert here.json("source", "list", "--account", "brio")["data"] == []
    assert "there is no account" in here.refused("source", "list", "--account", "nobody")
    assert "acme" in here.refused("account", "create", "acme")


def test_what_does_not_exist_is_said_in_one_line(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    for words in (
        ("source", "show", "src_nobody"),
        ("deliveries", "show", "dlv_nobody"),
        ("deliveries", "retry", "dlv_nobody"),
        ("token", "revoke", "tok_nobody"),
        ("source", "revoke", "src_nobody", "sec_nobody"),
        ("send", "src_nobody"),
        ("account", "enable", "nobody"),
    ):
        here.refused(*words)
    here.run("adapters", "nonsense", code=2)
    here.run("nonsense", code=2)
    here.run("token", "create", "--account", "acme", code=2)
    assert "role" in here.refused("token", "create", "--role", "king")


def test_without_a_server_there_is_nothing_to_send_to_and_nothing_to_follow(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    assert "serve" in here.refused("send", source)
    assert "serve" in here.refused("deliveries", "tail")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        here.refused("send", source, "--to", f"http://127.0.0.1:{nobody.getsockname()[1]}/webhooks/{source}")
    here.refused("send", source, "--to", "nonsense")


def test_the_tail_shows_each_delivery_once_and_ends_with_ctrl_c(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    here.serve()
    assert here.json("send", source, "--kind", "order.created")["outcome"] == "created"
    out = here.folder / "tail"

    def shown() -> list[dict[str, str]]:
        return [json.loads(line) for line in out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def sent(number: int) -> str:
        (here.folder / "body.json").write_text(json.dumps(_event(number)))
        delivery: str = here.json("send", source, "--kind", "order.updated", "--file", "body.json")["delivery_id"]
        return delivery

    wanted = ("--kind", "order.updated", "--external-id", "1001", "--source", source)
    with here.running(out, "deliveries", "tail", "--json", *wanted) as tail:
        # What is sent before the tail has begun is history to it: so something new is sent until it shows something.
        numbers = iter(range(1, 60))
        first = until(lambda: sent(next(numbers)) and shown())[0]
        assert here.json("send", source, "--kind", "order.created")["delivery_id"]  # of another kind
        last = sent(60)
        ids = until(lambda: (found := [one["id"] for one in shown()]) and found[-1] == last and found)
        assert ids[0] == first["id"] and len(set(ids)) == len(ids)
        assert {one["kind"] for one in shown()} == {"order.updated"}
        tail.send_signal(signal.SIGINT)
        assert tail.wait(PATIENCE) == 0


def test_the_tail_takes_every_filter_of_the_log(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")["source_id"]
    other = here.json("source", "add", "standard")["source_id"]
    here.serve()
    first = here.json("send", source, "--kind", "order.created")
    (here.folder / "body.json").write_text(json.dumps({"type": "order.updated", "data": {"id": "1001"}}))
    second = here.json("send", source, "--kind", "order.updated", "--file", "body.json")
    assert second["outcome"] == "unreadable"
    (order,) = first["orders"]
    contact = here.json("order", "show", order)["contact_id"]
    external_id = here.json("deliveries", "show", first["delivery_id"])["external_id"]

    def shown(*words: str) -> list[str]:
        said = here.run("deliveries", "tail", "--json", "--account", "acme", "--until", "0s", *words)
        return [json.loads(line)["id"] for line in said.splitlines()]

    both = [first["delivery_id"], second["delivery_id"]]
    assert shown("--since", "1h") == both
    assert shown() == []  # what came before it began is history
    for words, found in (
        (("--source", source), both),
        (("--source", other), []),
        (("--kind", "order.updated"), both[1:]),
        (("--outcome", "created"), both[:1]),
        (("--external-id", external_id), both[:1]),
        (("--contact", contact), both[:1]),
        (("--contact", "nobody"), []),
        (("--q", "timestamp"), both[1:]),
        (("--since", "0s"), []),
    ):
        assert shown("--since", "1h", *words) == found, words
    assert "--since" in here.run("deliveries", "tail", "--since", "yesterday", code=2)
    page = here.json("deliveries", "list", "--limit", "1")
    assert [one["id"] for one in page["data"]] == both[1:]
    page = here.json("deliveries", "list", "--limit", "1", "--cursor", page["next_cursor"])
    assert [one["id"] for one in page["data"]] == both[:1]


def _event(number: int) -> dict[str, object]:
    at = f"2026-11-20T13:{number // 60:02}:{number % 60:02}Z"
    return {"type": "order.updated", "timestamp": at, "data": {"id": "1001", "title": f"Title {number}"}}


@pytest.mark.parametrize(
    "text", ["X-Shopify-Topic: orders/paid\nnonsense\n", '{"headers": {"x-shopify-topic": "orders/paid"}}']
)
def test_try_takes_headers_as_a_log_shows_them(here: Installation, text: str) -> None:
    here.run("account", "create", "acme")
    source = here.json("source", "add", "shopify", "--secret", "a-made-up-secret-of-32-characters")["source_id"]
    (here.folder / "headers").write_text(text)
    (here.folder / "body").write_text(json.dumps(BODY))
    words = (source, "--headers", "headers", "--body", "body")
    found = here.json("try", *words)
    assert (found["verified"], found["outcome"], found["kind"]) == (False, "unverified", "orders/paid")
    assert [(one["external_id"], one["status"], one["value"]) for one in found["orders"]] == [
        ("5000000009", "paid", "10.00")
    ]
    assert here.json("deliveries", "list")["data"] == []
    told = here.done("verify", *words, "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["looked_for"][0] == {
        "place": "header x-shopify-hmac-sha256",
        "found": False,
        "sent": None,
    }
    here.run("try", source, "--headers", "nowhere", "--body", "body", code=2)


def test_doctor_looks_and_changes_nothing(here: Installation) -> None:
    assert "there is no database" in here.refused("doctor")
    assert list(here.folder.iterdir()) == []
    here.run("migrate")
    assert here.json("doctor") | {"checks": None} == {"well": True, "checks": None, "server_running": False}
    here.run("account", "create", "acme")
    here.run("source", "add", "standard")
    (here.folder / "master.key").unlink()  # the next one that is made does not open what is sealed
    said = here.done("doctor", "--json")
    assert said.returncode == 1
    lost = [one for one in json.loads(said.stdout)["checks"] if not one["well"]]
    assert [one["check"] for one in lost] == ["master key"]


def test_a_backup_is_readable_by_its_owner_alone_and_whole(here: Installation) -> None:
    here.run("account", "create", "acme")
    assert here.json("backup", "copy.db")["path"] == str(here.folder / "copy.db")
    assert oct((here.folder / "copy.db").stat().st_mode & 0o777) == "0o600"
    assert not list(here.folder.glob(".*.part"))
    copied = Installation(here.folder, here.warm)
    copied.environment = here.environment | {"ORDERS_DATABASE_URL": f"sqlite:///{here.folder}/copy.db"}
    assert [one["name"] for one in copied.json("account", "list")["data"]] == ["acme"]
    assert "no folder" in here.refused("backup", "nowhere/copy.db")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demonstration_stays_open_and_leaves_nothing_behind(
    tmp_path: Path, warm: Warm, number: signal.Signals
) -> None:
    here = Installation(tmp_path, warm)
    here.environment |= {"TMPDIR": str(tmp_path), "ORDERS_PORT": "nonsense", "ORDERS_DATABASE_URL": "nonsense"}
    out = tmp_path.with_name(f"{tmp_path.name}.out")
    with here.running(out, "demo") as demo:
        until(lambda: demo.poll() is not None or "The API is at" in out.read_text())
        assert demo.poll() is None
        said = out.read_text()
        assert "\x1b" not in said
        address = said.split("The API is at ")[1].split("/v1")[0]
        assert httpx.get(f"{address}/readyz").status_code == 200
        demo.send_signal(number)
        assert demo.wait(PATIENCE) == 0
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/readyz")
    assert list(tmp_path.iterdir()) == []


def test_help_is_quick_because_it_imports_nothing_of_weight() -> None:
    heavy = (
        "starlette",
        "uvicorn",
        "httpx",
        "pydantic",
        "sqlalchemy",
        "alembic",
        "cryptography",
        "app.web",
        "adapters",
    )
    code = f"import sys, app.cli; print([name for name in {heavy!r} if name in sys.modules])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
