"""Bodies as the platforms send or document them, where a folder of them lies beside the project: through the front door."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapters
from tests.house import House, signed

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[3] / "shared" / "payloads"
# What a platform's API returns, under which root, and the kind of the webhook that carries the same object.
REST = {"order": "orders/updated", "refund": "refunds/create", "data": "order.updated"}


def kind_and_body(adapter: str, file: Path) -> tuple[str, bytes]:
    """What the file's name says it is, and its bytes; an object of an API is taken out of its root."""
    body = file.read_bytes()
    name = file.stem.partition("__")[0]
    document = json.loads(body)
    if adapter == "stripe":
        return document.get("type", name), body
    if "_rest" not in name:
        return _topic(name), body
    for root, kind in REST.items():
        if isinstance(document.get(root), dict):
            return kind, json.dumps(document[root]).encode()
    return "order.updated", body


def _topic(name: str) -> str:
    head, _, tail = name.rpartition("_")  # order_transactions_create is order_transactions/create
    return f"{head}/{tail}"


HEADERS = {
    "shopify": lambda kind: {"x-shopify-topic": kind},
    "woocommerce": lambda kind: {"x-wc-webhook-topic": kind},
    "stripe": lambda kind: {},
}


def files(adapter: str) -> Iterator[Path]:
    yield from sorted((FOLDER / adapter).glob("*.json"))


@pytest.mark.parametrize("adapter", HEADERS)
async def test_every_real_body_becomes_what_a_person_would_expect(house: House, adapter: str) -> None:
    """Run with `-s` to see the table. Where the folder is not, nothing is there to be checked, and the line says so."""
    source = await house.source(adapter)
    seen = 0
    for file in files(adapter):
        kind, body = kind_and_body(adapter, file)
        answer = await house.deliver(source, signed(adapter, body, HEADERS[adapter](kind)))
        assert answer.status_code == 200, (file.name, answer.text)
        said = answer.json()
        row = await house.get(f"/v1/deliveries/{said['delivery_id']}")
        assert said["outcome"] != "unreadable", (file.name, row["reason"])
        assert said["outcome"] in {"created", "updated", "unchanged", "ignored", "duplicate"}, (file.name, said)
        orders = [await house.get(f"/v1/orders/{order}") for order in said["orders"]]
        if said["outcome"] == "ignored":
            assert row["reason"], file.name
        shown = [
            f"{o['status']} {o['value']} {o['currency']} refunded {o['refunded_value']}{' test' if o['test'] else ''}"
            for o in orders
        ]
        print(f"| {adapter}/{file.name} | {kind} | {said['outcome']} | {'; '.join(shown) or row['reason']} |")
        seen += 1
    print(f"{adapter}: {seen} bodies" + ("" if seen else " (the folder of real bodies is not beside this checkout)"))
    assert adapters.load(adapter).name == adapter
