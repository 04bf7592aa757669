"""Bulk retries, remaps and exports on the command line: with a server and without."""

import csv
import io
import json
import signal
from pathlib import Path

from tests.cli.installation import PATIENCE, Installation, until


def shop(here: Installation, deliveries: int = 3) -> str:
    """A source with so many deliveries; the server that took them has ended."""
    here.run("account", "create", "acme", "--enable")
    source: str = here.json("source", "add", "standard")["source_id"]
    here.serve()
    for number in range(deliveries):
        said = {
            "id": f"10{number}",
            "title": "=Shoes",
            "value": "10.00",
            "currency": "BRL",
            "contact": {"email": "a@example.com"},
        }
        body = {"type": "order.paid", "timestamp": "2026-11-20T13:00:00Z", "data": said}
        (here.folder / "body.json").write_text(json.dumps(body))
        assert here.json("send", source, "--kind", "order.paid", "--file", "body.json")["outcome"] == "created"
    here.stop()
    return source


def test_a_bulk_retry_without_a_server_and_with_one(here: Installation) -> None:
    source = shop(here)
    assert here.json("deliveries", "retry", "--source", source, "--dry-run") == {"count": 3, "dry_run": True}
    assert here.json("deliveries", "list")["data"][0]["attempts"] == 1
    job = here.json("deliveries", "retry", "--all")
    assert (job["state"], job["done"], job["total"], job["changed"]) == ("done", 3, 3, 0)
    assert {one["attempts"] for one in here.json("deliveries", "list")["data"]} == {2}
    here.serve()
    said = here.done("deliveries", "retry", "--kind", "order.paid")
    assert (said.returncode, said.stderr) == (0, ""), said.stderr  # quiet in a pipe
    assert [one["state"] for one in here.json("jobs", "list")["data"]] == ["done", "done"]
    assert here.json("jobs", "show", job["id"])["done"] == 3
    assert here.json("jobs", "stop", job["id"])["state"] == "done"
    assert "job" in here.run("jobs", "list") and source not in here.run("jobs", "list")


def test_what_cannot_be_meant(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    assert "--all" in here.run("deliveries", "retry", code=2)
    here.run("deliveries", "retry", "dlv_1", "--all", code=2)
    here.run("deliveries", "export", "--format", "xml", code=2)
    here.run("remap", code=2)
    here.refused("remap", "--source", "src_nobody")
    here.refused("jobs", "show", "job_nobody")
    assert "not kept in the log" in here.refused("deliveries", "retry", "--outcome", "unverified")


def test_a_remap_shows_what_changes(here: Installation) -> None:
    source = shop(here)
    said = here.run("remap", "--source", source, "--dry-run")
    assert "no order changes" in said and "3 of 3 deliveries read, 0 orders would change" in said
    lines = [json.loads(line) for line in here.run("remap", "--source", source, "--json").splitlines()]
    assert lines[-1]["job"]["state"] == "done" and len(lines) == 1


def test_the_log_is_exported(here: Installation) -> None:
    source = shop(here)
    lines = [json.loads(line) for line in here.run("deliveries", "export", "--source", source).splitlines()]
    assert [one["external_id"] for one in lines] == ["102", "101", "100"]
    assert "body" not in lines[0]
    [line] = here.run("deliveries", "export", "--external-id", "101", "--bodies").splitlines()
    assert json.loads(json.loads(line)["body"])["data"]["id"] == "101"
    sheet = list(csv.DictReader(io.StringIO(here.run("deliveries", "export", "--format", "csv"))))
    assert [(row["external_id"], row["outcome"]) for row in sheet] == [(f"10{n}", "created") for n in (2, 1, 0)]
    data = {"id": "＝1+1", "value": "1.00", "currency": "BRL"}
    formula = {"type": "order.paid", "timestamp": "2026-11-20T13:00:00Z", "data": data}
    (here.folder / "body.json").write_text(json.dumps(formula))
    here.serve()
    here.json("send", source, "--kind", "order.paid", "--file", "body.json")
    sheet = list(csv.DictReader(io.StringIO(here.run("deliveries", "export", "--format", "csv"))))
    assert sheet[0]["external_id"] == "'＝1+1"
    assert here.run("deliveries", "export", "--since", "2020-01-01", "--until", "2020-01-02") == ""


def test_ctrl_c_leaves_the_job_to_the_server(here: Installation, tmp_path: Path) -> None:
    source = shop(here)
    here.serve()
    with here.running(tmp_path / "out", "deliveries", "retry", "--source", source) as command:
        [job] = until(lambda: here.json("jobs", "list")["data"])
        command.send_signal(signal.SIGINT)
        # It may have been done already, or just be leaving.
        assert command.wait(PATIENCE) in {0, 1, -signal.SIGINT, 128 + signal.SIGINT}
    assert until(lambda: here.json("jobs", "show", job["id"])["state"] == "done")


def test_what_was_only_begun_goes_on_when_a_server_runs(here: Installation) -> None:
    source = shop(here)
    begun = here.json("remap", "--source", source, "--no-wait")
    here.serve()
    assert until(lambda: here.json("jobs", "show", begun["job_id"])["state"] == "done")
    assert here.run("jobs", "show", begun["job_id"], "--changes")
