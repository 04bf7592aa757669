"""`deliveries`, `send`, `verify`, `try`: the delivery log, and single deliveries."""

import base64
import json as json_
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import Account, Answer, Json, Source, Text, command, group
from app.cli.filters import Deliveries
from app.cli.output import (
    CommandFailed,
    Misuse,
    as_json,
    as_json_line,
    cells,
    facts,
    listed,
    note,
    plain,
    standard_output,
    word,
)

main = group("Search the delivery log: what came in, and what became of it.")
privacy = group("Carry out the privacy requests that shops pass on. The delivery says whom a request concerns.")
top = group("One delivery at a time.")

Delivery = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id (dlv_…).")]
Headers = Annotated[
    Path, typer.Option("--headers", help="File with the headers: `Name: value` lines, or a JSON object.", exists=True)
]
Queries = Annotated[
    list[str] | None, typer.Option("--query", help="A query parameter, NAME=VALUE, if the platform signs it.")
]
BodyFile = Annotated[Path, typer.Option("--body", help="File with the exact bytes of the body.", exists=True)]

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
PAGE = 200
KNOWN = 20_000  # ids that the tail remembers, so as to show each delivery once


def _about(one: dict[str, Any]) -> dict[str, Any]:
    """Return the order that a delivery is about; the live log has none."""
    found: dict[str, Any] = next(iter(one.get("about", ())), {})
    return found


def _value(one: dict[str, Any]) -> str | None:
    about = _about(one)
    return f"{about['value']} {about['currency']}" if about else None


COLUMNS: dict[str, Any] = {
    "time": "received_at",
    "source": lambda one: one.get("source_name") or one["source_id"],
    "outcome": lambda one: word(one["outcome"]),
    "kind": "kind",
    "order": "external_id",
    "title": lambda one: _about(one).get("title"),
    "buyer": lambda one: _about(one).get("buyer"),
    ">value": _value,
    "delivery": "id",
    ">repeats": lambda one: one["repeats"] or "",
    "reason": lambda one: one["reason"] or "",
}


@command(main, "list", "deliveries list --outcome unreadable --since 24h", show=listed(COLUMNS))
def list_(
    client: ApiClient,
    account: Account = None,
    *,
    where: Deliveries,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[Text, typer.Option(help="Continue after a page: its next_cursor (see --json).")] = None,
) -> Any:
    """List deliveries, newest first."""
    named = client.account(account, where)
    found: dict[str, Any] = {"data": [], "next_cursor": cursor}
    while len(found["data"]) < limit:  # what matches seldom is looked for so many rows at a time
        paging = {"limit": limit - len(found["data"]), "cursor": found["next_cursor"]}
        page = client.get("/v1/deliveries", account=named, **where, **paging)
        found = {**page, "data": found["data"] + page["data"]}
        if found["next_cursor"] is None:
            break
    if "left_out" in found:
        note(found["left_out"])
    return found


def _show(found: dict[str, Any]) -> None:
    source = {"source": found["source"]["name"] if found["source"] else None}  # None: deleted since
    facts(source | {name: value for name, value in found.items() if name not in {"headers", "body", "source"}})
    for name, value in (found["headers"] or {}).items():
        print(f"  {name}: {plain(value)}")
    print()
    print("\n".join(plain(line) for line in (found["body"] or "").splitlines()))


@command(main, "show", "deliveries show dlv_01J…", show=_show)
def show(client: ApiClient, delivery: Delivery) -> Any:
    """Show one delivery: headers, body, outcome."""
    return client.get(f"/v1/deliveries/{delivery}", account=client.owner(delivery))


@command(main, "body", "deliveries body dlv_01J… > body.json")
def body(
    client: ApiClient,
    delivery: Delivery,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the exact bytes of a delivery's body. With --json: as text, or in base64 if they are not text."""
    account = client.owner(delivery)
    content = b"".join(client.pieces(f"/v1/deliveries/{delivery}/body", account=account, query={}))
    told = client.get(f"/v1/deliveries/{delivery}", account=account) if json else {}
    if json:
        as_json({name: told[name] for name in ("id", "body", "body_encoding")})
        if output is None:
            return
    if output is None:
        standard_output().write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as fault:
        raise CommandFailed(f"{output}: {fault.strerror}") from None


def _changes(found: dict[str, Any]) -> None:
    for order in found["data"]:
        title = f"{'new: ' if order['made'] else ''}{order['order_id']} {order['title'] or order['external_id']}"
        listed({name: name for name in ("field", "before", "after")}, of="changes", title=title)(order)


@command(main, "changes", "deliveries changes dlv_01J…", show=_changes)
def changes(client: ApiClient, delivery: Delivery) -> Any:
    """Show what a delivery changed in its orders, field by field."""
    return client.get(f"/v1/deliveries/{delivery}/changes", account=client.owner(delivery))


@command(main, "tail", "deliveries tail --source src_01J… --json", "deliveries tail --outcome unreadable --since 1h")
def tail(client: ApiClient, account: Account = None, *, where: Deliveries, json: Json = False) -> None:
    """Follow the log until Ctrl-C. With --since: first show what came since then. With --until: end then."""
    import time

    from app.base.clock import iso, now, zone_named
    from app.base.clock import since as moment

    with suppress(KeyboardInterrupt):
        if client.settings.on_sqlite and not client.running:
            raise CommandFailed("no server is running, so no deliveries can arrive. Start one: orders-registry serve")
        named = client.account(account, where)
        zone = zone_named(client.get("/v1/account", account=named)["timezone"])
        try:  # a span counts back from now, not from each look
            times = {name: moment(where[name], now(), zone) for name in ("since", "until") if name in where}
        except ValueError as fault:
            raise Misuse(f"--since or --until {fault}") from None
        where |= {name: iso(at) for name, at in times.items()}
        last = times.get("until")

        def newest() -> str:
            return next((one["id"] for one in client.get("/v1/deliveries", account=named, limit=1)["data"]), "dlv_")

        history = "since" not in where  # then what the first look finds came before we did
        upto = newest() if history else "dlv_"
        shown: dict[str, None] = {upto: None}
        while True:
            ended = last is not None and now() >= last
            # From where the whole log ended at the last look, so that what matches seldom is not looked for in all of it.
            than, upto, overlap = upto, newest(), True
            while True:
                paging = {"newer_than": than, "overlap": overlap, "limit": PAGE}
                found = client.get("/v1/deliveries", account=named, **where, **paging)["data"]
                overlap = False
                for one in found:
                    if (than := one["id"]) not in shown:
                        shown[than] = None
                        if history:
                            continue
                        as_json_line(one) if json else print(
                            "  ".join(plain(cell) for cell in cells(one, COLUMNS)), flush=True
                        )
                if len(found) < PAGE:
                    break
            if ended:
                return
            history = False
            for old in list(shown)[:-KNOWN]:
                del shown[old]
            time.sleep(0.5)


@command(top, "send", "send src_01J…", "send src_01J… --kind orders/paid --to http://127.0.0.1:8080/webhooks/src_01J…")
def send(
    client: ApiClient,
    source: Source,
    kind: Annotated[Text, typer.Option(help="Which sample to send. With --file: the kind of the body.")] = None,
    file: Annotated[Path | None, typer.Option(help="Send this body instead of a sample.", exists=True)] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", help="A header, `Name: value`. With --file only.")
    ] = None,
    to: Annotated[
        Text, typer.Option(help="Send to this URL instead of the source's own. Another registry does not see a sample.")
    ] = None,
) -> Any:
    """Send a signed sample to a source over HTTP, as the platform would.

    It becomes a test order and is in no sum. It proves that this registry takes what is signed with the source's secret,
    and nothing about the shop's settings: no alert ends by it.
    """
    import httpx

    body: dict[str, Any] = {"kind": kind} if kind else {}
    if file is not None:
        body |= {"body": base64.b64encode(_bytes(file)).decode(), "headers": _headers("\n".join(header or []))}
    source, owner = client.source(source)
    signed = client.post(f"/operator/sources/{source}/sign", body, account=owner)
    url = to or signed["url"]
    if client.settings.on_sqlite and not client.running and to is None:
        raise CommandFailed("no server is running to send it to. Start one: orders-registry serve")
    client.close()  # what listens there may need the database
    try:
        answer = httpx.post(
            url,
            content=base64.b64decode(signed["body"]),
            headers=signed["headers"] | signed["mark"],
            params=signed["query"] or None,
            timeout=30,
            trust_env=httpx.URL(url).host not in LOOPBACK,  # a proxy is for what is far away
        )
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as fault:
        raise CommandFailed(f"{url}: {str(fault) or type(fault).__name__}") from None
    try:
        said = answer.json()
    except ValueError:
        said = {"body": answer.text[:200]}
    shown = {"status": answer.status_code, "url": url, **(said if isinstance(said, dict) else {"body": said})}
    if answer.is_success and to is None:
        shown["proves"] = signed["proves"]
    return Answer(shown, shown, f"the answer was {answer.status_code}" if answer.is_error else None)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise Misuse(f"{file}: {fault.strerror}") from None


def _headers(text: str) -> dict[str, str]:
    """Headers as a log shows them, or as a JSON object. Raises Misuse."""
    if text.lstrip().startswith("{"):
        try:
            found = json_.loads(text)
        except ValueError as fault:
            raise Misuse(f"the headers are not JSON: {fault}") from None
        found = found.get("headers", found)
        if not isinstance(found, dict):
            raise Misuse("the headers are not a JSON object of names and values")
        return {str(name): str(value) for name, value in found.items()}
    headers = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() and " " not in name.strip():
            headers[name.strip()] = value.strip()
    return headers


def _given(headers: Path, body: Path, query: list[str] | None) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in query or ()]
    if not all(equals for _, equals, _ in pairs):
        raise Misuse("--query: write it as NAME=VALUE")
    return {
        "query": {name: value for name, _, value in pairs},
        "headers": _headers(_bytes(headers).decode("latin-1")),
        "body": base64.b64encode(_bytes(body)).decode(),
        "body_encoding": "base64",
    }


def _explained(found: dict[str, Any]) -> None:
    facts({name: found[name] for name in ("verified", "expects", "headers_seen", "body_bytes")})
    listed({"place": "place", "found": "found", "begins with": "sent"}, of="looked_for", title="\nlooked for")(found)
    fields = {
        "secret": "secret_id",
        "matches": "matches",
        "gives": "expected",
        "reason": "reason",
        "meaning": "meaning",
    }
    listed(fields, of="secrets", title="\nsecrets")(found)
    for hint in found["hints"]:
        print(f"→ {hint}")


@command(top, "verify", "verify src_01J… --headers headers.txt --body body.json", show=_explained)
def verify(client: ApiClient, source: Source, headers: Headers, body: BodyFile, query: Queries = None) -> Answer:
    """Explain why a signature does not match."""
    source, owner = client.source(source)
    found = client.post(f"/operator/sources/{source}/verify", _given(headers, body, query), account=owner)
    return Answer(found, found, None if found["verified"] else "no secret of the source proves this delivery")


def _tried(found: dict[str, Any]) -> None:
    facts({name: value for name, value in found.items() if name != "orders"})
    for order in found["orders"]:
        print()
        facts(order)


@command(top, "try", "try src_01J… --headers headers.txt --body body.json", show=_tried)
def try_(client: ApiClient, source: Source, headers: Headers, body: BodyFile, query: Queries = None) -> Any:
    """Show what a delivery would become. Nothing is stored."""
    source, owner = client.source(source)
    return client.post(f"/v1/sources/{source}/try", _given(headers, body, query), account=owner)


@command(main, "try", "deliveries try dlv_01J…", show=_tried)
def try_again(client: ApiClient, delivery: Delivery) -> Any:
    """Show what a recorded delivery would become with today's adapter. Nothing is stored."""
    account = client.owner(delivery)
    kept = client.get(f"/v1/deliveries/{delivery}", account=account)
    if kept["body"] is None:
        raise CommandFailed(f"the body of {delivery} has been pruned, so there is nothing to read")
    arrived = {name: kept[name] for name in ("headers", "body", "body_encoding")} | {"query": kept["query"] or {}}
    return client.post(f"/v1/sources/{kept['source_id']}/try", arrived, account=account)


def _concerns(one: dict[str, Any]) -> str:
    identities = one["concerns"]["identities"] if one["concerns"] else []
    return ", ".join(f"{its['kind']} {its['value']}" for its in identities)


REQUESTS: dict[str, Any] = {
    "request": "request",
    "kind": "kind",
    "source": lambda one: one["source_name"] or one["source_id"],
    "delivery": "delivery_id",
    "came": "received_at",
    "due": "due_at",
    "concerns": _concerns,
}


@command(privacy, "list", "privacy list --account acme", show=listed(REQUESTS))
def privacy_list(client: ApiClient, account: Account = None) -> Any:
    """List privacy requests, newest first, with the day each is due."""
    return client.all_of("/v1/privacy/requests", account=client.account(account))
