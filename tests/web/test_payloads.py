"""Bodies as the platforms send or document them, from the folder of payloads: through the front door."""

import json
from pathlib import Path

import pytest

import adapters
from adapters.contract import Delivery, Unreadable, Unverified
from app.base import clock
from tests import outside
from tests.house import House, signed
from tests.outside import Payloads
from tests.samples import samples, secret_for

pytestmark = pytest.mark.anyio

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


# The examples of its manual have comments in them, so they are no JSON.
UNSIGNABLE = {"ecwid"}
HEADERS = {
    "shopify": lambda kind: {"x-shopify-topic": kind},
    "woocommerce": lambda kind: {"x-wc-webhook-topic": kind},
    "stripe": lambda kind: {},
}


@pytest.mark.parametrize("adapter", HEADERS)
async def test_every_real_body_becomes_what_a_person_would_expect(
    house: House, adapter: str, payloads: Payloads
) -> None:
    """Run with `-s` to see the table."""
    source, outcomes = await house.source(adapter), set()
    for file in payloads(adapter):
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
        outcomes.add(said["outcome"])
    assert "created" in outcomes


def others() -> list[str]:
    """The other adapters for which there are bodies; all of them where the folder is not, and the tests are left out."""
    folder = outside.folder("payloads")
    return [name for name in adapters.names() if name not in HEADERS and (folder is None or (folder / name).is_dir())]


@pytest.mark.parametrize("name", others())
async def test_every_real_body_of_every_source_enters_by_the_door(house: House, name: str, payloads: Payloads) -> None:
    """Signed, under the headers of a sample: 200 always, and either orders or a reason that is no fault of ours.

    Which order each becomes is in the adapter's own tests; what lies there as a document of an API, or cut out of an
    envelope, says by its reason what it lacks. Run with `-s` to see the table.
    """
    usual = samples(name)[0]
    source = await house.source(name, secret=secret_for(usual.adapter), options=usual.said.get("options", {}))
    url = (await house.get(f"/v1/sources/{source}"))["webhook_url"]
    for file in payloads(name, "*__*"):
        now = clock.moment(clock.now())
        unsigned = Delivery(
            body=file.read_bytes(), headers=usual.delivery.headers, query=usual.delivery.query, received_at=now, url=url
        )
        try:
            delivery = usual.scheme.sign(unsigned, secret_for(usual.adapter), now)
        except (Unverified, Unreadable, LookupError, TypeError, ValueError) as why:
            print(f"  {file.name}: cannot be signed ({type(why).__name__}): what is signed stands in the body")
            delivery = unsigned
        answer = await house.deliver(source, delivery)
        assert answer.status_code in {200, 401}, (file.name, answer.text)
        assert answer.status_code == 200 or delivery is unsigned, (file.name, answer.text)
    kept = await house.data(f"/v1/deliveries?source_id={source}&limit=100")
    assert bool(kept) != (name in UNSIGNABLE)
    for row in kept:
        print(f"  {row['kind']}: {row['outcome']} {row['reason'] or ''}")
        of_a_customer = row["kind"] in usual.adapter.customer_kinds
        assert row["orders"] or row["reason"] or row["outcome"] == "fetching" or of_a_customer, row
        assert "fault" not in (row["reason"] or ""), row
