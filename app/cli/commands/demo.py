"""`demo`: a temporary registry that receives real signed deliveries over HTTP, and shows the orders."""

import json as json_
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from app.cli.client import ApiClient
from app.cli.command import command, group
from app.cli.output import CommandFailed, note, table, when, word

main = group("See it at work.")

READY_WITHIN = 30.0  # seconds

BUYER = {"name": "Ana Souza", "email": "ana.souza@example.com", "phone": "+55 11 98765-4321"}
SECRETS = {
    "shopify": "made-up-secret-of-a-demo-shop-0001",
    "woocommerce": "made-up-secret-of-a-demo-shop-0002",
    "stripe": "whsec_made_up_secret_of_a_demo_0003",
}


@dataclass(frozen=True)
class DemoStep:
    """Holds one delivery of the demonstration."""

    adapter: str
    says: str
    headers: dict[str, str]
    body: dict[str, Any]
    forged: bool = False


def _shopify(status: str, at: str, **more: Any) -> dict[str, Any]:
    return {
        "id": 5000000001,
        "name": "#1001",
        "currency": "BRL",
        "total_price": "398.00",
        "current_total_price": "398.00",
        "financial_status": status,
        "created_at": "2026-11-20T10:00:00-03:00",
        "processed_at": "2026-11-20T10:00:00-03:00",
        "updated_at": at,
        "email": BUYER["email"],
        "phone": BUYER["phone"],
        "refunds": [],
        "customer": {"id": 7000000001, "first_name": "Ana", "last_name": "Souza", "email": BUYER["email"]},
        "line_items": [{"title": "Running shoes", "quantity": 2, "price": "199.00", "sku": "RS-1"}],
        **more,
    }


def _topic(kind: str, number: int) -> dict[str, str]:
    return {"x-shopify-topic": kind, "x-shopify-webhook-id": f"demo-{number}", "content-type": "application/json"}


PAID = DemoStep("shopify", "paid", _topic("orders/paid", 2), _shopify("paid", "2026-11-20T10:00:05-03:00"))
# Kept from the formatter: a document is a few lines here, and three times as many in its shape.
STEPS = (
    PAID,
    DemoStep("shopify", "created (late)", _topic("orders/create", 1), _shopify("pending", "2026-11-20T10:00:00-03:00")),
    PAID,
    DemoStep(
        "shopify", "cancelled (forged)", _topic("orders/cancelled", 3),
        _shopify("refunded", "2026-11-20T11:00:00-03:00"), forged=True,
    ),
    DemoStep(
        "woocommerce", "processing", {"x-wc-webhook-topic": "order.updated"},
        {
            "id": 727, "number": "727", "status": "processing", "currency": "BRL", "total": "89.90",
            "date_created_gmt": "2026-11-21T12:00:00", "date_modified_gmt": "2026-11-21T12:01:00",
            "date_paid_gmt": "2026-11-21T12:01:00", "date_paid": "2026-11-21T09:01:00", "customer_id": 31, "refunds": [],
            "billing": {"first_name": "Ana", "last_name": "Souza", "email": "ANA.SOUZA@example.com", "phone": "11 8765-4321"},
            "line_items": [{"name": "Coffee beans, 1 kg", "quantity": 1, "subtotal": "89.90", "total": "89.90"}],
        },
    ),
    DemoStep(
        "stripe", "charge refunded in part", {},
        {
            "id": "evt_demo_2", "object": "event", "type": "charge.refunded", "created": 1795370400, "livemode": True,
            "data": {"object": {
                "id": "ch_demo_1", "object": "charge", "payment_intent": "pi_demo_1", "amount": 25000,
                "amount_captured": 25000, "amount_refunded": 5000, "captured": True, "paid": True, "refunded": False,
                "status": "succeeded", "currency": "brl", "created": 1795366800, "description": "Course: road running",
                "billing_details": {"email": BUYER["email"], "name": BUYER["name"]},
            }},
        },
    ),
    DemoStep(
        "stripe", "payment succeeded", {},
        {
            "id": "evt_demo_1", "object": "event", "type": "payment_intent.succeeded", "created": 1795366801, "livemode": True,
            "data": {"object": {
                "id": "pi_demo_1", "object": "payment_intent", "amount": 25000, "amount_received": 25000, "currency": "brl",
                "status": "succeeded", "created": 1795366790, "latest_charge": "ch_demo_1",
                "description": "Course: road running", "receipt_email": BUYER["email"],
            }},
        },
    ),
    DemoStep(
        "standard", "pending", {"webhook-id": "demo-standard-1", "content-type": "application/json"},
        {
            "type": "order.created", "timestamp": "2026-11-22T15:00:00Z",
            "data": {"id": "A-17", "title": "Gift card", "status": "pending", "value": "150.00", "currency": "BRL", "contact": BUYER},
        },
    ),
)  # fmt: skip


@command(main, "demo", "demo", "demo --once")
def demo(
    once: Annotated[bool, typer.Option("--once", help="End at once instead of waiting for Ctrl-C.")] = False,
) -> None:
    """Start a temporary registry, send it signed deliveries, and show the orders they become.

    Needs no configuration, and leaves nothing behind.
    """
    import signal

    signal.signal(signal.SIGTERM, _leave)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="orders-demo-") as folder,
        _served(Path(folder)) as address,
    ):
        _play(address)
        print(f"\nThe API is at {address}/v1. Everything here is temporary.", flush=True)
        print(f"The console is at {address}/console, the API reference at {address}/docs.", flush=True)
        if not once:
            note("Ctrl-C ends the demonstration.")
            signal.pause()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)  # by way of the context managers, so that neither the server nor the folder stays behind


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Yield the address of a server on a free port. This process has its settings, too."""
    for name in [name for name in os.environ if name.startswith("ORDERS_")]:
        del os.environ[name]
    os.environ["ORDERS_DATABASE_URL"] = f"sqlite:///{folder / 'orders.db'}"
    os.environ |= {"ORDERS_LOG_FORMAT": "json", "ORDERS_HOST": "127.0.0.1"}
    said = folder / "log"
    with said.open("wb") as out:
        server = subprocess.Popen([sys.executable, "-m", "app.cli", "serve", "--port", "0"], stdout=out, stderr=out)
    try:
        yield _address(server, said)
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(server: "subprocess.Popen[bytes]", said: Path) -> str:
    import time

    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        for line in said.read_text(errors="replace").splitlines():
            if '"event": "listening"' in line:
                address: str = json_.loads(line)["address"]
                return address
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise CommandFailed(f"the demonstration's server did not start: {said.read_text(errors='replace').strip()[-500:]}")


def _play(address: str) -> None:
    import httpx

    with closing(ApiClient("demo")) as client:
        account = client.post("/operator/accounts", {"name": "demo", "enable": True})
        account_id = account["account_id"]
        sources: dict[str, str] = {}
        for adapter in dict.fromkeys(step.adapter for step in STEPS):
            body = {"adapter": adapter} | ({"secret": SECRETS[adapter]} if adapter in SECRETS else {})
            sources[adapter] = client.post("/v1/sources", body, account=account_id)["source_id"]
        sent = [(step, _send(client, account_id, sources[step.adapter], address, step)) for step in STEPS]

    bearer = {"Authorization": f"Bearer {account['admin_token']}"}
    # What the environment says of proxies must not stand between us and ourselves.
    with httpx.Client(base_url=address, headers=bearer, trust_env=False) as api:
        (contact,) = api.get("/v1/contacts", params={"phone": "+55 11 8765-4321"}).json()["data"]
        orders = api.get(f"/v1/contacts/{contact['id']}/orders").json()["data"]
        summary = api.get(f"/v1/contacts/{contact['id']}/summary").json()["currencies"]
        log = api.get("/v1/deliveries").json()["data"]

    table(
        "Deliveries, in the order they were sent",
        ("shop", "content", "signed", ">HTTP", "outcome"),
        [
            (step.adapter, step.says, "with another secret" if step.forged else "yes", status, word(outcome))
            for step, (status, outcome) in sent
        ],
    )
    print()
    table(
        f"Orders of {contact['name']}, one contact in four shops",
        ("ordered", "title", "status", ">value", ">refunded", "origin", "external id"),
        [
            (
                when(one["ordered_at"]),
                one["title"],
                word(one["status"]),
                f"{one['currency']} {one['value']}",
                one["refunded_value"],
                one["origin"],
                one["external_id"],
            )
            for one in orders
        ],
    )
    print()
    table(
        "Totals",
        ("currency", ">orders", ">gross", ">refunded", ">net", ">open"),
        [(one["currency"], one["orders"], one["gross"], one["refunded"], one["net"], one["open"]) for one in summary],
    )
    print()
    table(
        "The delivery log, newest first",
        ("received", "kind", "outcome", "order", "delivery"),
        [(when(one["received_at"]), one["kind"], word(one["outcome"]), one["external_id"], one["id"]) for one in log],
    )


def _send(client: ApiClient, account_id: str, source_id: str, address: str, step: DemoStep) -> tuple[int, str]:
    """Signs a step as its shop would, and posts it: (HTTP status, outcome)."""
    import base64

    import httpx

    body = json_.dumps(step.body).encode()
    given = {"headers": step.headers, "body": base64.b64encode(body).decode()}
    signed = client.post(f"/operator/sources/{source_id}/sign", given, account=account_id)
    if step.forged:  # whoever does not know the secret can only guess
        signed["headers"]["x-shopify-hmac-sha256"] = base64.b64encode(bytes(32)).decode()
    answer = httpx.post(
        f"{address}/webhooks/{source_id}", content=body, headers=signed["headers"], timeout=30, trust_env=False
    )
    return answer.status_code, answer.json()["outcome"]
