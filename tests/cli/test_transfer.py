"""Files on the command line: a dry run that lists every bad line, an import that can be interrupted, an export that is a pipe."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.installation import COMMAND, PATIENCE, Installation, until

HEADER = "external_id,title,value,currency,status,ordered_at,crm_contact_id,contact_email\n"


def rows(count: int, first: int = 0) -> str:
    return "".join(
        f"{number},Order {number},{number % 900}.90,BRL,paid,2026-01-01,{number % 50},user{number % 50}@example.com\n"
        for number in range(first, first + count)
    )


@pytest.fixture
def acme(here: Installation) -> Installation:
    here.run("account", "create", "acme", "--enable")
    return here


def counted(told: dict[str, object]) -> tuple[object, ...]:
    return tuple(told[name] for name in ("created", "updated", "unchanged", "refused"))


@pytest.mark.parametrize("served", [False, True])
def test_in_and_out_and_in_again(acme: Installation, served: bool) -> None:
    if served:
        acme.serve()
    (acme.folder / "orders.csv").write_text("\ufeff" + HEADER + rows(5000))
    told = acme.json("import", "orders.csv", "--account", "acme", "--dry-run")
    assert (counted(told), told["dry_run"], told["errors"]) == ((5000, 0, 0, 0), True, [])
    assert counted(acme.json("import", "orders.csv", "--account", "acme")) == (5000, 0, 0, 0)
    assert counted(acme.json("import", "orders.csv", "--account", "acme")) == (0, 0, 5000, 0)
    for form in ("csv", "jsonl"):
        acme.run("export", "--account", "acme", "--format", form, "--output", f"out.{form}")
        assert counted(acme.json("import", f"out.{form}")) == (0, 0, 5000, 0)
        acme.run("export", "--contacts", "--format", form, "--output", f"people.{form}")
        assert counted(acme.json("contacts", "import", f"people.{form}")) == (0, 0, 50, 0)
    assert "overwrites nothing" in acme.refused("export", "--output", "out.csv")
    mine = acme.run("export", "--contact", "7", "--format", "jsonl", "--status", "paid").splitlines()
    assert len(mine) == 100 and {json.loads(line)["crm_contact_id"] for line in mine} == {"7"}


def test_every_bad_line_is_listed_and_the_others_are_in(acme: Installation) -> None:
    (acme.folder / "orders.csv").write_text(
        HEADER + rows(1100) + "x,y,1.999,BRL,payed,,,\n" + rows(5, 2000) + ',"a\nb",1,,,,,\n'
    )
    for words, says in ((("--dry-run",), "nothing: --dry-run"), ((), "all but the refused")):
        done = acme.done("import", "orders.csv", *words)
        assert done.returncode == 1
        assert "line 1102: value: has more decimals than BRL has (2)" in done.stdout
        assert "line 1102: status: is none of pending" in done.stdout
        assert "line 1108: external_id: is needed" in done.stdout
        assert says in done.stdout and "\x1b" not in done.stdout
        assert done.stderr.splitlines()[-1].startswith("orders-registry: 2 lines were rejected")
    said = acme.done("import", "orders.csv", "--json")
    told = json.loads(said.stdout)
    assert counted(told) == (0, 0, 1105, 2)
    assert [(one["line"], one["field"]) for one in told["errors"]] == [
        (1102, "status"),
        (1102, "value"),
        (1108, "external_id"),
    ]


def test_what_a_file_can_be(acme: Installation) -> None:
    line = '{"external_id": "1", "value": "1.00", "title": "São João", "contact_email": "a@example.com"}\n'
    piped = subprocess.run(
        [*COMMAND, "import", "-", "--json"],
        input=line,
        env=acme.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert counted(json.loads(piped.stdout)) == (1, 0, 0, 0)
    (acme.folder / "old.csv").write_bytes("external_id;title;value\r\n1;São João;1.00\r\n".encode("cp1252"))
    assert "save it as UTF-8" in acme.refused("import", "old.csv").replace("\n", " ")
    assert counted(acme.json("import", "old.csv", "--encoding", "cp1252")) == (0, 0, 1, 0)
    (acme.folder / "unicode.txt").write_text("external_id\ttitle\tvalue\n1\tSão João\t1.00\n", "utf-16")
    assert counted(acme.json("import", "unicode.txt")) == (0, 0, 1, 0)
    acme.run("import", "old.csv", "--encoding", "klingon", code=2)
    assert "no such column" in acme.refused("contacts", "import", "old.csv", "--encoding", "cp1252")


def test_an_interrupted_import_says_how_far_it_came_and_goes_on(acme: Installation, tmp_path: Path) -> None:
    (acme.folder / "orders.csv").write_text(HEADER + rows(40_000))
    acme.serve()
    out = tmp_path.with_name(f"{tmp_path.name}.out")
    with acme.running(out, "import", str(acme.folder / "orders.csv")) as running:
        until(lambda: len(acme.json("order", "list", "--limit", "1")["data"]))
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 1
    there = len(acme.run("export", "--format", "jsonl").splitlines())
    assert 0 < there < 40_000 and there % 1000 == 0
    assert counted(acme.json("import", "orders.csv")) == (40_000 - there, 0, there, 0)


def test_webhooks_are_taken_while_an_import_goes_on(acme: Installation) -> None:
    source = acme.json("source", "add", "shopify", "--secret", "a-made-up-secret-of-32-characters")["source_id"]
    acme.serve()
    (acme.folder / "orders.csv").write_text(HEADER + rows(20_000))
    with acme.running(acme.folder / "out", "import", str(acme.folder / "orders.csv")) as running:
        until(lambda: len(acme.json("order", "list", "--limit", "1")["data"]))
        sent = acme.json("send", source, "--kind", "orders/paid")
        assert (sent["status"], sent["outcome"]) == (200, "created")
        assert running.wait(60) == 0
