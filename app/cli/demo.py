"""`demo`: the registry at work on made-up shops, with real signatures over real HTTP, in a temporary folder."""

import base64
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from app.cli.show import Json, Refused, as_json, command, console, group, on_terminal, table, when, word

if TYPE_CHECKING:
    import httpx

    from app.cli.door import Door
    from app.settings import Settings

main = group("See it at work.")

BUYER = {"name": "Ana Souza", "emails": ["ana.souza@example.com"], "phones": ["+55 11 90000-0001"]}
CRM_ID = "42"


class Step(NamedTuple):
    """One delivery of the story: a sample of the adapter's, and why it is sent."""

    shop: str
    case: str
    why: str
    forged: bool = False


STORY = (
    Step("shopify", "paid", "“paid” overtakes “created”"),
    Step("shopify", "created_pending", "late: the order stays paid"),
    Step("shopify", "paid", "the very same once more"),
    Step("woocommerce", "created_pending", "another shop, the same buyer"),
    Step("woocommerce", "paid", "a stranger cuts a digit off the value", forged=True),
    Step("woocommerce", "paid", "and the genuine one"),
    Step("stripe", "charge_succeeded", "Stripe tells one sale three times"),
    Step("stripe", "session_completed", "by another id: the same order"),
    Step("stripe", "intent_succeeded", "and by a third"),
    Step("standard", "refunded_partly", "a refund, before its order is known"),
    Step("standard", "paid", "its payment"),
    Step("standard", "created", "and at last the order itself"),
)


@command(main, "demo", "demo", "demo --once")
def demo(
    once: Annotated[bool, typer.Option("--once", help="End by itself instead of staying open until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """See it at work, with nothing configured.

    A temporary registry on SQLite is served on a free port, shops are registered, and real-looking signed deliveries
    arrive over HTTP: out of order, one twice, one forged. Then the contact's orders and the delivery log are shown.
    Everything is taken away again at the end.
    """
    import logging

    import httpx

    from app import log

    log.set_up(as_json=False, least=logging.WARNING)
    signal.signal(signal.SIGTERM, _leave)
    with (
        _running() as (settings, door),
        # What the environment says of proxies must not stand between us and ourselves.
        httpx.Client(base_url=settings.listens_at, timeout=30, trust_env=False) as shop,
    ):
        told = _tell(door, shop, quiet=json)
        if json:
            as_json(told)
        else:
            _shown(told)
            console().print(
                f"\nThe API is at [bold]{settings.listens_at}[/bold], its admin's token is {told['token']}", soft_wrap=True
            )
        if not once:
            _stay(settings, told["token"], quiet=json)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)  # through the context managers, so that nothing is left behind


@contextmanager
def _running() -> Iterator[tuple["Settings", "Door"]]:
    """A registry in a temporary folder, served by a thread of this process; and the operator's door to it."""
    from app.cli.door import opened, settings_of
    from app.cli.serving import prepared, server

    folder = Path(tempfile.mkdtemp(prefix="orders-registry-"))
    try:
        settings = settings_of(
            database_url=f"sqlite:///{folder / 'orders.db'}",
            master_key="",
            host="127.0.0.1",
            port=0,
            public_url="",
            max_body_bytes=1048576,
        )
        with prepared(settings, "demo") as (settings, sockets):
            listening = threading.Event()
            serving = server(settings, listening.set)
            thread = threading.Thread(target=serving.listen, args=(sockets,), name="server", daemon=True)
            thread.start()
            while not listening.wait(0.05):
                if not thread.is_alive():
                    raise Refused("the demo's server could not start")
            try:
                with opened("demo", settings) as door:
                    yield settings, door
            finally:
                serving.should_exit = True
                thread.join(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(door: "Door", shop: "httpx.Client", *, quiet: bool) -> dict[str, Any]:
    """Plays the story; gives what came of it, as the API tells it."""
    account = door.post("/operator/accounts", {"name": "demo", "enable": True})
    account_id, token = account["account_id"], account["admin_token"]
    shop.headers["Authorization"] = f"Bearer {token}"
    known = {one["name"]: one for one in door.get("/v1/adapters", account=account_id)["data"]}
    sources: dict[str, Any] = {}
    for name in dict.fromkeys(step.shop for step in STORY if step.shop in known):
        body = {"adapter": name, "name": f"{known[name]['title']} of the demo"}
        if known[name]["secret_made_by"] == "theirs":
            body["secret"] = secrets.token_hex(32)
        sources[name] = door.post("/v1/sources", body, account=account_id)
    contact = _api(shop, "PUT", f"/v1/contacts/{CRM_ID}", BUYER)
    if not quiet:
        out = console()
        shops = ", ".join(known[name]["title"] for name in sources)
        out.print(f"[bold]A registry for the demo[/bold] at {shop.base_url}, its sources: {shops}", soft_wrap=True)
        out.print(f"The CRM knows contact {CRM_ID}: {contact['name']}, {BUYER['emails'][0]}\n", soft_wrap=True)
        out.print("[bold]Deliveries, signed as each shop signs, over HTTP[/bold]")
    sent = []
    for step in STORY:
        if step.shop in sources:
            sent.append(_send(door, shop, account_id, sources[step.shop]["source_id"], step))
            if not quiet:
                _say(sent[-1])
    return {
        "token": token,
        "sent": sent,
        "contact": contact,
        "orders": _api(shop, "GET", f"/v1/contacts/{CRM_ID}/orders")["data"],
        "summary": _api(shop, "GET", f"/v1/contacts/{CRM_ID}/summary")["currencies"],
        "deliveries": _api(shop, "GET", "/v1/deliveries")["data"],
        "refused": [
            {"source": name, **one}
            for name, source in sources.items()
            for one in _api(shop, "GET", f"/v1/sources/{source['source_id']}")["refused"]
        ],
    }


def _send(door: "Door", shop: "httpx.Client", account_id: str, source_id: str, step: Step) -> dict[str, Any]:
    asked = {"case": step.case}
    signed = door.post(f"/operator/sources/{source_id}/sign", asked, account=account_id)
    body = base64.b64decode(signed["body"])
    if step.forged:
        body = body.replace(b"417.90", b"17.90")
    headers = [(name.encode(), value.encode()) for name, value in signed["headers"].items()]
    begun = time.perf_counter()
    answer = shop.post(f"/webhooks/{source_id}", params=signed["query"] or None, content=body, headers=headers)
    spent = time.perf_counter() - begun
    return {
        "shop": step.shop, "kind": signed["kind"], "bytes": len(body), "why": step.why,
        "status": answer.status_code, "outcome": answer.json()["outcome"], "milliseconds": round(spent * 1000, 1),
    }  # fmt: skip


def _api(shop: "httpx.Client", method: str, path: str, body: Any = None) -> Any:
    answer = shop.request(method, path, json=body)
    if not answer.is_success:
        raise Refused(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()


def _say(sent: dict[str, Any]) -> None:
    from rich.text import Text

    console().print(
        Text(f"  {sent['shop']:<12} {sent['kind']:<27} → {sent['status']} "),
        word(f"{sent['outcome']:<11}", sent["outcome"]),
        Text(f"{sent['milliseconds']:>6} ms  {sent['why']}", style="dim"),
        sep="",
        soft_wrap=True,
    )


def _shown(told: dict[str, Any]) -> None:
    print()
    table(
        f"Orders of {told['contact']['name']} (contact {CRM_ID})",
        ["order", "status", ">value", ">refunded", "", "ordered at", "origin"],
        [
            (
                one["title"] or one["external_id"], word(one["status"]), one["value"], one["refunded_value"],
                one["currency"], when(one["ordered_at"]), one["origin"],
            )
            for one in told["orders"]
        ],
    )  # fmt: skip
    print()
    table(
        "Summary",
        ["", ">orders", ">paid", ">gross", ">refunded", ">net", ">open"],
        [
            (
                one["currency"], one["orders"], one["paid_orders"], one["gross"], one["refunded"], one["net"], one["open"],
            )
            for one in told["summary"]
        ],
    )  # fmt: skip
    print()
    table(
        "Delivery log, newest first (what is a repetition, or refused, is only counted)",
        ["delivery", "kind", "order", "outcome", "received at"],
        [
            (one["id"], one["kind"], one["external_id"], word(one["outcome"]), when(one["received_at"]))
            for one in told["deliveries"]
        ],
    )
    for one in told["refused"]:
        print(f"refused: {one['count']} at {one['source']}: {one['outcome']}, {one['reason']}")


def _stay(settings: "Settings", token: str, *, quiet: bool) -> None:
    if not quiet:
        print(f"  curl -H 'Authorization: Bearer {token}' {settings.listens_at}/v1/contacts/{CRM_ID}/orders")
        if on_terminal():
            print("It stays open until Ctrl-C; then everything is taken away.")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
