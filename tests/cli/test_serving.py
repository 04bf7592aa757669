"""`serve` as a process: who may have the database, how it begins, how it ends."""

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from app.base.settings import Settings
from app.base.vault import make_key
from app.cli.workers import Workers
from tests.cli.installation import COMMAND, Installation, alive, until
from tests.cli.warm import Warm


def connection_to(address: str) -> socket.socket:
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def refuses(address: str) -> bool:
    try:
        connection_to(address).close()
    except OSError:
        return True
    return False


# -- SQLite: one process ------------------------------------------------------------------------------------------


def test_a_second_server_is_told_which_process_has_the_database(here: Installation) -> None:
    here.serve()
    assert here.server is not None
    said = here.refused("serve", "--port", "0")
    assert f"(process {here.server.pid})" in said and "`orders-registry serve`" in said


def test_a_killed_server_leaves_no_lock_and_its_socket_is_replaced(here: Installation) -> None:
    here.serve()
    here.run("account", "create", "acme")
    here.stop(signal.SIGKILL)
    assert (here.folder / "orders.db.sock").exists()  # nobody answers at it
    assert [one["name"] for one in here.json("account", "list")["data"]] == ["acme"]
    here.serve()
    assert here.json("doctor")["server_running"] is True


ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_it_cleanly_and_nothing_is_left_behind(here: Installation, number: signal.Signals) -> None:
    address = here.serve()
    assert httpx.get(f"{address}/readyz").status_code == 200
    assert here.stop(number) == 0
    left = {path.name for path in here.folder.iterdir()} - {"server.log"}
    assert left == {"orders.db", "orders.db.lock", "master.key"}  # no -wal: all of it is in the database


def test_what_is_on_its_way_in_is_committed_and_answered_before_it_ends(here: Installation) -> None:
    here.run("account", "create", "acme", "--enable")
    source = here.json("source", "add", "standard")
    address = here.serve()
    signed = _signed(here, source["source_id"])
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in signed["headers"].items())
    body: bytes = signed["body"]
    with connection_to(address) as sender:
        path = f"/webhooks/{source['source_id']}"
        sender.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode() + head + b"\r\n" + body[:50]
        )
        until(lambda: httpx.get(f"{address}/healthz").status_code == 200)  # ours was accepted before this one
        assert here.server is not None
        here.server.send_signal(signal.SIGTERM)
        until(lambda: refuses(address))
        sender.sendall(body[50:])
        answer = b"".join(iter(lambda: sender.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and b'"outcome":"created"' in answer
    assert here.stop() == 0
    assert [one["outcome"] for one in here.json("deliveries", "list")["data"]] == ["created"]


def _signed(here: Installation, source_id: str) -> dict[str, Any]:
    """A signed sample, as the operator's socket gives it."""
    import base64

    transport = httpx.HTTPTransport(uds=str(here.folder / "orders.db.sock"))
    with httpx.Client(transport=transport, base_url="http://registry") as operator:
        account = operator.get("/operator/accounts").json()["data"][0]["account_id"]
        answer = operator.post(
            f"/operator/sources/{source_id}/sign", json={"case": "created"}, headers={"Orders-Account": account}
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found | {"body": base64.b64decode(found["body"])}


def test_commands_and_a_starting_server_wait_for_each_other(here: Installation) -> None:
    begun = [
        subprocess.Popen(
            [*COMMAND, "account", "create", f"acme-{number}"],
            env=here.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in range(3)
    ]
    here.serve()
    for command in begun:
        _, said = command.communicate(timeout=60)
        assert command.returncode == 0, said
    assert len(here.json("account", "list")["data"]) == 3


def test_a_path_too_long_for_a_sockets_address_serves_all_the_same(tmp_path: Path, warm: Warm) -> None:
    folder = tmp_path / ("deep-" * 20) / ("deeper-" * 20)
    folder.mkdir(parents=True)
    here = Installation(folder, warm)
    try:
        address = here.serve()
        here.run("account", "create", "acme")
        assert here.json("doctor")["server_running"] is True
        assert httpx.get(f"{address}/readyz").status_code == 200
    finally:
        assert here.stop() == 0


def test_the_operators_routes_do_not_exist_on_tcp(here: Installation) -> None:
    account = here.json("account", "create", "acme", "--enable")
    address = here.serve()
    for headers in ({}, {"Orders-Account": "acme"}, {"X-Forwarded-Host": "in-process", "Forwarded": "for=unix:"}):
        assert httpx.get(f"{address}/operator/accounts", headers=headers).status_code == 401
    bearer = {"Authorization": f"Bearer {account['admin_token']}"}
    for path in ("accounts", "owner?id=src_1", "doctor"):
        assert httpx.get(f"{address}/operator/{path}", headers=bearer).status_code == 404
    for path in ("backup", "rotate-master-key", "sources/src_1/verify", "sources/src_1/sign"):
        assert httpx.post(f"{address}/operator/{path}", headers=bearer, json={}).status_code == 404


def test_it_does_not_say_what_it_is_made_with_and_a_broken_request_is_no_fault_of_ours(here: Installation) -> None:
    address = here.serve()
    assert "server" not in httpx.get(f"{address}/healthz").headers
    with connection_to(address) as stranger:
        stranger.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert stranger.recv(1000).startswith(b"HTTP/1.1 400 ")
    with connection_to(address) as stranger:
        stranger.sendall(b"GET /healthz HTTP/1.1\r\nX-Endless: ")
        until(lambda: _ends(stranger), within=60)
    assert httpx.get(f"{address}/healthz", headers={"X-Long": "x" * 60_000}).status_code == 200
    assert here.stop() == 0
    assert [line for line in here.log.read_text().splitlines() if '"listening"' not in line] == []


def _ends(stranger: socket.socket) -> bool:
    """Whether a header that never ends is put an end to."""
    try:
        stranger.sendall(b"x" * 16_384)
    except OSError:
        return True
    return False


# -- It cannot begin: one line ------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named(here: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = here.refused("serve", "--port", str(port))
    assert f"port {port}" in said and "in use" in said


def test_a_newer_database_is_left_alone(here: Installation) -> None:
    here.run("migrate")
    connection = sqlite3.connect(here.folder / "orders.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = 'zzzz'")
    connection.close()
    for words in (("serve", "--port", "0"), ("account", "list"), ("doctor",), ("migrate",)):
        assert "zzzz" in here.refused(*words)


def test_a_database_that_does_not_answer_is_one_line(here: Installation) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        url = f"postgresql://orders@127.0.0.1:{nobody.getsockname()[1]}/orders"
        here.environment |= {"ORDERS_DATABASE_URL": url, "ORDERS_MASTER_KEY": make_key()}
        here.refused("serve", "--port", "0")
        here.refused("account", "list")


def test_a_folder_that_cannot_be_made_is_one_line(here: Installation) -> None:
    (here.folder / "file").write_text("not a folder")
    here.environment["ORDERS_DATABASE_URL"] = f"sqlite:///{here.folder}/file/orders.db"
    for words in (("serve", "--port", "0"), ("account", "list"), ("migrate",)):
        here.refused(*words)


def test_a_file_that_is_no_database_is_one_line(here: Installation) -> None:
    (here.folder / "orders.db").write_text("this is not a database, however long one looks at it" * 100)
    for words in (("serve", "--port", "0"), ("account", "list"), ("doctor",)):
        here.refused(*words)


def test_traces_without_what_they_need_are_a_fault_before_listening(here: Installation) -> None:
    here.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "console"}
    assert "OTEL_TRACES_EXPORTER" in here.run("serve", "--port", "0", code=2)
    here.run("migrate")  # it alone is served with traces


def test_a_damaged_master_key_is_named_before_listening(here: Installation) -> None:
    (here.folder / "master.key").write_text("")
    assert "master.key" in here.run("serve", "--port", "0", code=2)


def test_serves_help_shows_every_setting(here: Installation) -> None:
    said = here.run("serve", "--help")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in said  # what decides `traces`
    for name in Settings.model_fields.keys() - {"traces"}:
        assert f"ORDERS_{name.upper()}" in said


# -- PostgreSQL: several processes --------------------------------------------------------------------------------


@pytest.fixture
def there(here: Installation, postgresql: str) -> Iterator[Installation]:
    """The same on a PostgreSQL database of its own."""
    name = f"t{uuid.uuid4().hex}"
    head, _, query = postgresql.partition("?")
    url = f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")

    async def said(sql: str) -> None:
        connection = await asyncpg.connect(postgresql)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    asyncio.run(said(f"CREATE DATABASE {name}"))
    here.environment |= {"ORDERS_DATABASE_URL": url, "ORDERS_MASTER_KEY": make_key()}
    yield here
    here.stop()
    asyncio.run(said(f"DROP DATABASE {name} WITH (FORCE)"))


def test_workers_share_a_port_and_what_a_command_changes_counts_in_all_of_them(there: Installation) -> None:
    account = there.json("account", "create", "acme", "--enable")
    source = there.json("source", "add", "standard")["source_id"]
    address = there.serve("--workers", "2")
    processes = there.listening()["processes"]
    assert len(processes) == 2 and all(alive(one) for one in processes)

    there.environment["ORDERS_PUBLIC_URL"] = address  # the port was chosen by the server; the command cannot know it
    assert there.json("send", source)["outcome"] == "created"
    assert there.json("send", source)["outcome"] == "duplicate"

    bearer = {"Authorization": f"Bearer {account['admin_token']}"}
    # A new connection each time, so that both workers come to know the token.
    assert {httpx.get(f"{address}/v1/orders", headers=bearer).status_code for _ in range(20)} == {200}
    there.run("token", "revoke", there.json("token", "list")["data"][0]["id"])
    until(lambda: {httpx.get(f"{address}/v1/orders", headers=bearer).status_code for _ in range(20)} == {401}, within=2)

    found = there.json("doctor")
    assert (found["well"], found["server_running"]) == (True, None)  # servers run where they like: nobody here knows
    assert "pg_dump" in there.refused("backup", str(there.folder / "copy.db"))
    assert there.stop() == 0
    assert not any(alive(one) for one in processes)


def test_a_worker_that_dies_is_replaced(there: Installation) -> None:
    address = there.serve("--workers", "2")
    died, other = there.listening()["processes"]
    os.kill(died, signal.SIGKILL)
    assert until(lambda: there.said("a worker died and is replaced"))[0]["process"] == died
    until(lambda: not alive(died))
    os.kill(other, signal.SIGKILL)  # so that only the new one can answer
    until(lambda: not alive(other))

    def answered() -> bool:
        try:
            return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    until(answered)
    assert there.stop() == 0


@pytest.mark.parametrize("engine", ["sqlite"])
def test_somebody_elses_child_is_no_worker_that_died(settings: Settings) -> None:
    """PID 1 of a container inherits what others leave behind; a worker more was started for each."""
    workers = Workers(settings, [], 2)
    workers._pids = {os.getpid()}
    stray = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, stray, os.WEXITED | os.WNOWAIT)
    assert workers._reap() is None and workers._pids == {os.getpid()}
    with pytest.raises(ChildProcessError):
        os.waitpid(stray, 0)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_workers_end_with_every_signal_that_ends_a_server(there: Installation, number: signal.Signals) -> None:
    there.serve("--workers", "2")
    processes = there.listening()["processes"]
    assert there.stop(number) == 0
    assert not any(alive(one) for one in processes)


def test_workers_end_when_their_parent_is_killed(there: Installation) -> None:
    address = there.serve("--workers", "2")
    processes = there.listening()["processes"]
    there.stop(signal.SIGKILL)
    until(lambda: refuses(address) and not any(alive(one) for one in processes))


def test_two_servers_that_start_on_one_empty_database_both_serve(there: Installation) -> None:
    second = Installation(there.folder, there.warm)
    second.log = there.folder / "second.log"
    second.environment = there.environment
    try:
        there.start()
        second.start()
        for one in (there, second):
            assert httpx.get(f"{one.listening()['address']}/readyz").status_code == 200
    finally:
        assert second.stop() == 0


def test_a_container_has_the_time_that_the_longest_end_takes() -> None:
    """Docker kills what has not ended by then, in the middle of what it commits."""
    from app.cli.server import LEAVES_WITHIN, LONGEST_END

    longest = int(LONGEST_END + LEAVES_WITHIN)
    assert f"It ends within {longest} seconds" in Path("docs/operations.md").read_text("utf-8")
    compose = Path("compose.yaml").read_text("utf-8")
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", compose[: compose.index("  postgres:\n    image")])
    assert int(grace) > longest
