"""SIGKILL at random moments under a mixed load; an fsynced ledger of answers is checked against the database."""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from app.base.tuning import Tuning
from tests.torture.invariants import rows_of_file
from tests.torture.outside import Outside
from tests.torture.server import Server
from tests.torture.source import AT, EPOCH, GONE, Line, Source, event, iso
from tests.torture.trial import Trial
from tests.torture.waiting import do, until

CLIENTS = 16
IMPORTED = 60  # rows in one import
HELD_BY_LOG = {"created", "updated", "unchanged", "ignored", "fetching", "unfetched"}


class Ledger:
    """What was sent, and what was acknowledged."""

    def __init__(self, file: Path) -> None:
        self.number = 0
        self.orders: dict[str, dict[str, Any]] = {}  # external id -> email, erase (None, asked, done), said
        self.thin: dict[str, str] = {}  # payment -> delivery
        self.imports: list[int] = []  # the first number of each that was acknowledged
        self.by_hand: dict[str, str] = {}  # external id -> order
        self.titles: dict[str, list[tuple[str, bool]]] = {}  # external id -> titles given, and whether acknowledged
        self.counts: Counter[str] = Counter()
        self.odd: list[Any] = []
        self._file = file.open("ab", buffering=0)

    def next(self) -> int:
        self.number += 1
        return self.number

    def note(self, what: str, *row: Any) -> None:
        """Write down what was acknowledged, on disk before anything else happens."""
        self.counts[what] += 1
        self._file.write(json.dumps([what, *row]).encode() + b"\n")
        os.fsync(self._file.fileno())

    def refused(self, what: str, status: int, raw: bytes, *fine: int) -> None:
        """Note an answer that is neither taken nor busy."""
        self.counts[f"{what} {status}"] += 1
        if status not in (503, *fine):
            self.odd.append((what, status, raw[:300]))

    def acknowledged(self) -> list[str]:
        """The ids of all acknowledged deliveries."""
        said = [one["delivery"] for order in self.orders.values() for one in order["said"].values()]
        return [*filter(None, said), *self.thin.values()]


class Client:
    """One closed-loop client: its own orders, and some that all share."""

    def __init__(self, me: int, ledger: Ledger, server: Server, source: Source, thin: Source, seed: float) -> None:
        self._me, self._ledger, self._server, self._source, self._thin = me, ledger, server, source, thin
        self._random = random.Random(seed)
        self._line = Line(server.port)
        self._mine = [name for name in ledger.orders if name.startswith(f"c{me}-")]

    async def run(self, stop: asyncio.Event) -> None:
        parts = {
            self.new: 0.42,
            self.update: 0.20,
            self.again: 0.10,
            self.hot: 0.08,
            self.notice: 0.06,
            self.retry: 0.03,
            self.by_hand: 0.03,
            self.title: 0.03,
            self.import_: 0.015,
            self.erase: 0.02,
            self.prune: 0.008,
            self.job: 0.007,
        }
        while not stop.is_set():
            act = self._random.choices(list(parts), list(parts.values()))[0]
            try:
                await act()
            except GONE:
                self._ledger.counts["cut"] += 1
                await asyncio.sleep(0.02)
        self._line.close()

    def _some(self, *, kept: bool = True) -> str | None:
        mine = [name for name in self._mine if not self._ledger.orders[name]["erase"]] if kept else self._mine
        return self._random.choice(mine) if mine else None

    async def _deliver(self, name: str, at: float, value: str, status: str, key: str, email: str) -> None:
        ledger = self._ledger
        order = ledger.orders.setdefault(name, {"email": email, "erase": None, "said": {}})
        said = order["said"].setdefault(key, {"at": at, "value": value, "status": status, "delivery": None})
        before = said["delivery"]
        body = event(name, iso(at), order["email"], value=value, status=status)
        code, raw = await self._line.ask("POST", f"/webhooks/{self._source.id}", body, self._source.headers(body, key))
        if code != 200:
            ledger.refused("delivery", code, raw)
            return
        answer = json.loads(raw)
        ledger.note(answer["outcome"], name, key, answer["delivery_id"])
        if before and (before, "duplicate") != (answer["delivery_id"], answer["outcome"]):
            ledger.odd.append(("a repeat of what was acknowledged", key, before, answer))
        said["delivery"] = answer["delivery_id"]
        said.setdefault("outcome", answer["outcome"])

    def _moment(self, number: int) -> float:
        return EPOCH + self._random.randrange(1, 10_000_000) + number % 1000 * 1e-3

    async def new(self) -> None:
        number = self._ledger.next()
        name = f"c{self._me}-{number}"
        self._mine.append(name)
        email = f"b{number}@example.com" if self._random.random() < 0.5 else f"shared{number % 40}@example.com"
        status = self._random.choice(["pending", "paid"])
        await self._deliver(name, EPOCH + number, f"{100 + number % 900}.00", status, f"w-{name}-0", email)

    async def update(self) -> None:
        if name := self._some():
            count = len(self._ledger.orders[name]["said"])
            value = f"{self._random.randrange(1, 9999)}.{count % 100:02d}"
            status = self._random.choice(["pending", "paid", "overdue"])
            await self._deliver(name, self._moment(count), value, status, f"w-{name}-{count}", "")

    async def again(self) -> None:
        if name := self._some():
            key, said = self._random.choice(list(self._ledger.orders[name]["said"].items()))
            await self._deliver(name, said["at"], said["value"], said["status"], key, "")

    async def hot(self) -> None:
        name, number = f"hot-{self._random.randrange(4)}", self._ledger.next()
        value, status = f"{self._random.randrange(1, 9999)}.00", self._random.choice(["pending", "paid"])
        await self._deliver(name, self._moment(number), value, status, f"w-{name}-{number}", "hot@example.com")

    async def notice(self) -> None:
        payment = str(130_000_000_000 + self._ledger.next())
        status, raw = await self._line.ask("POST", *self._thin.notice(payment))
        if status == 200:
            self._ledger.thin[payment] = json.loads(raw)["delivery_id"]
            self._ledger.note("thin", payment, self._ledger.thin[payment])
        else:
            self._ledger.refused("thin", status, raw)

    async def _api(self, method: str, path: str, body: Any, **headers: str) -> tuple[int, bytes]:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._line.ask(method, path, text, self._server.authorized | headers)

    async def retry(self) -> None:
        name = self._some()
        taken = (
            [one["delivery"] for one in self._ledger.orders[name]["said"].values() if one["delivery"]] if name else []
        )
        if taken:
            path = f"/v1/deliveries/{self._random.choice(taken)}/retry"
            self._ledger.refused("retry", *await self._api("POST", path, {}), 200, 202, 409)

    async def by_hand(self) -> None:
        name = f"hand-{self._me}-{self._ledger.next()}"
        body = {"contact": "crm-1", "title": "By hand", "value": "5.00", "external_id": name, "status": "paid"}
        status, raw = await self._api("POST", "/v1/orders", body, **{"idempotency-key": f"k-{name}"})
        if status in (200, 201):
            self._ledger.by_hand[name] = json.loads(raw)["id"]
            self._ledger.note("by hand", name)
        else:
            self._ledger.refused("by hand", status, raw)

    async def title(self) -> None:
        mine = [name for name in self._ledger.by_hand if name.startswith(f"hand-{self._me}-")]
        if mine:
            name, title = self._random.choice(mine), f"T{self._ledger.next()}"
            titles = self._ledger.titles.setdefault(name, [])
            titles.append((title, False))
            status, raw = await self._api("PATCH", f"/v1/orders/{self._ledger.by_hand[name]}", {"title": title})
            if status == 200:
                titles[-1] = (title, True)
                self._ledger.note("title", name, title)
            else:
                self._ledger.refused("title", status, raw)

    async def import_(self) -> None:
        first = self._ledger.next()
        self._ledger.number += IMPORTED
        rows = (
            f"imp-{number},{number % 90 + 10}.50,BRL,paid,{'2019-01-02T00:00:00Z' if number % 2 else AT},"
            f"imp{number % 500}@example.com,Old {number}\n"
            for number in range(first, first + IMPORTED)
        )
        text = "external_id,value,currency,status,ordered_at,contact_email,title\n" + "".join(rows)
        status, raw = await self._api("POST", "/v1/orders/import", text.encode(), **{"content-type": "text/csv"})
        if status != 200:
            self._ledger.refused("import", status, raw)
            return
        answer = json.loads(raw)
        if answer["created"] + answer["updated"] + answer["unchanged"] == IMPORTED:
            self._ledger.imports.append(first)
            self._ledger.note("import", first)
        else:
            self._ledger.odd.append(("import", answer))

    async def erase(self) -> None:
        """Erase a person, and send a late delivery about them."""
        mine = [
            name
            for name in self._mine
            if (order := self._ledger.orders[name])["email"].startswith("b")
            and not order["erase"]
            and any(one["delivery"] for one in order["said"].values())
        ]
        if not mine:
            return
        name = self._random.choice(mine)
        order = self._ledger.orders[name]
        order["erase"] = "asked"
        status, raw = await self._api("GET", f"/v1/contacts?email={order['email']}", b"")
        if status == 200 and (found := json.loads(raw)["data"]):
            status, raw = await self._api("DELETE", f"/v1/contacts/{found[0]['id']}", b"")
            if status in (200, 204):
                order["erase"] = "done"
                self._ledger.note("erased", name)
            else:
                self._ledger.refused("erase", status, raw, 404)
        key, said = self._random.choice(list(order["said"].items()))
        body = event(name, iso(said["at"] + 5), order["email"], value=said["value"], status=said["status"])
        headers = self._source.headers(body, f"{key}-late")
        await self._line.ask("POST", f"/webhooks/{self._source.id}", body, headers)

    async def prune(self) -> None:
        self._ledger.refused("prune", *await self._api("POST", "/v1/prune", {"dry_run": False}), 200)

    async def job(self) -> None:
        if self._ledger.counts["job 202"] >= 4:
            return
        path, body = self._random.choice(
            [
                ("/v1/remap", {"source_id": self._source.id}),
                ("/v1/deliveries/retry", {"filter": {"source_id": self._source.id}}),
            ]
        )
        self._ledger.refused("job", *await self._api("POST", path, body), 202, 409)


def check(trial: Trial, ledger: Ledger, server: Server, when: str) -> None:
    """Every promise about what was acknowledged, against the database."""
    trial.invariants(server.rows, ledger.acknowledged(), HELD_BY_LOG, when)
    orders = {
        row["external_id"]: row for row in server.rows("SELECT id, external_id, value, status, title FROM orders")
    }
    history: dict[str, list[str]] = {}
    last: dict[str, dict[str, Any]] = {}
    for row in server.rows("SELECT order_id, delivery_id, said FROM history ORDER BY at, rank, digest"):
        history.setdefault(row["delivery_id"], []).append(row["order_id"])
        last[row["order_id"]] = json.loads(row["said"]) if isinstance(row["said"], str) else row["said"]
    for name, order in ledger.orders.items():
        said = list(order["said"].values())
        taken = [one for one in said if one["delivery"]]
        if order["erase"] or not taken:
            continue
        if name not in orders:
            trial.must(False, f"{when}acknowledged order {name} is not there")
            continue
        found = orders[name]
        for one in taken:
            times = len(history.get(one["delivery"], []))
            trial.must(times == 1, f"{when}{name}: {times} entries of acknowledged {one['delivery']}")
        newest = max(one["at"] for one in taken)
        may = {(round(float(one["value"]) * 100), one["status"]) for one in said if one["at"] >= newest}
        now = (found["value"], found["status"])
        trial.must(now in may, f"{when}{name} is {now}, not one of {sorted(may)}")
        entry = last.get(found["id"], {"bills": []})
        last_said = (sum(bill["value"] for bill in entry["bills"]), entry.get("status"))
        trial.must(now == last_said, f"{when}{name} is {now}, and its history says {last_said}")
    for name, order_id in ledger.by_hand.items():
        trial.must(orders.get(name, {}).get("id") == order_id, f"{when}order by hand {name} is not there")
    for name, titles in ledger.titles.items():
        acknowledged = [number for number, (_, taken) in enumerate(titles) if taken]
        may_be = {title for title, _ in titles[acknowledged[-1] :]} if acknowledged else set()
        ok = not acknowledged or orders.get(name, {}).get("title") in may_be
        trial.must(ok, f"{when}the title of {name} that was acknowledged is lost")
    for first in ledger.imports:  # the odd ones are old enough to be pruned
        gone = [number for number in range(first, first + IMPORTED) if not number % 2 and f"imp-{number}" not in orders]
        trial.must(not gone, f"{when}imported orders are not there: {gone[:3]}")


async def run(trial: Trial) -> None:
    """150 kills on each engine: the server on SQLite; a worker, the parent or all of two workers on PostgreSQL."""
    outside = await Outside().start()
    workers = 1 if trial.engine == "sqlite" else 2
    server = trial.server(workers=workers, TORTURE_API=outside.address)
    await do(server.prepare)
    source, thin = await do(server.source), await do(server.payments)
    subscription = {"url": f"{outside.address}/events", "events": ["order.created", "order.updated", "contact.erased"]}
    await do(server.api, "POST", "/v1/subscriptions", subscription)
    await do(server.api, "PUT", "/v1/contacts/crm-1", {"name": "Crm One"})
    await do(server.api, "PATCH", "/v1/account", {"retention": {"orders_closed": "400d"}})
    ledger = Ledger(trial.folder / "ledger.jsonl")
    hows: Counter[str] = Counter()
    for kill in range(trial.kills):
        if server.process is None or server.process.poll() is not None:
            await do(server.start)
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(Client(me, ledger, server, source, thin, trial.random.random()).run(stop))
            for me in range(CLIENTS)
        ]
        await asyncio.sleep(trial.random.uniform(0.1, 1.6))
        how = "all" if workers == 1 else trial.random.choice(["worker", "worker", "worker", "parent", "all"])
        hows[how] += 1
        await killed(trial, server, how)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 90)
        if how == "parent":  # its workers end in good order; the port is free then
            await until(lambda: port_is_free(server), 60)
        if kill % 25 == 24:
            check(trial, ledger, server, f"after {kill + 1} kills: ")
            if trial.broken:
                return
    if server.process is None or server.process.poll() is not None:
        await do(server.start)
    await at_rest(trial, server)
    check(trial, ledger, server, "at the end: ")
    await events(trial, ledger, server, outside)
    trial.must(not ledger.odd, f"{len(ledger.odd)} odd answers: {ledger.odd[:3]}")
    trial.must(await do(server.stop) == 0, "SIGTERM does not end it well")
    if trial.engine == "sqlite":
        rows_of_file(server.file, alone=True)
    taken = sum(ledger.counts[outcome] for outcome in HELD_BY_LOG)
    trial.figures |= {
        "kills": trial.kills,
        "of": dict(hows),
        "acknowledged": taken,
        "duplicates": ledger.counts["duplicate"],
    }
    trial.figures |= {name: ledger.counts[name] for name in ("thin", "import", "erased", "job 202", "prune 200")}


async def killed(trial: Trial, server: Server, how: str) -> None:
    assert server.process is not None
    workers = server.workers_running if how == "worker" else []
    if workers:
        os.kill(trial.random.choice(workers), signal.SIGKILL)
        await asyncio.sleep(trial.random.uniform(0.3, 1.5))
    elif how == "parent":
        server.process.kill()
        await do(server.process.wait)
    else:
        await do(server.kill)


async def port_is_free(server: Server) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except OSError:
        return True
    writer.close()
    return False


async def at_rest(trial: Trial, server: Server) -> None:
    """Everything in the background comes to its end by itself, once the claims of killed processes have run out."""
    left: dict[str, int] = {}

    async def done() -> bool:
        for table, which in (
            ("outbox", ""),
            ("fetches", ""),
            ("jobs", "WHERE state IN ('waiting', 'running', 'queued')"),
        ):
            left[table] = server.rows(f"SELECT count(*) AS n FROM {table} {which}")[0]["n"]
        return not any(left.values())

    trial.must(await until(done, Tuning().fetch_claim + 60 * trial.patience), f"work is left: {left}")


async def events(trial: Trial, ledger: Ledger, server: Server, outside: Outside) -> None:
    """Each order has one event that it was made; no erased person has come back."""
    ids = {row["external_id"]: row["id"] for row in server.rows("SELECT id, external_id FROM orders")}
    for name, order in ledger.orders.items():
        if order["erase"] or name not in ids:
            continue
        made = len(outside.events.get(("order.created", ids[name]), ()))
        trial.must(made == 1, f"{made} events that {name} was made")
    for payment in ledger.thin:
        trial.must(payment in ids, f"the payment {payment} was not read")
    for name, order in ledger.orders.items():
        if order["erase"] == "done":
            found = await do(server.api, "GET", f"/v1/contacts?email={order['email']}")
            trial.must(not found["data"], f"erased, and back: {name}")
