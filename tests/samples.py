"""The samples of every adapter: found, signed, taken through the adapter, and told as plain JSON for orders.json."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import adapters
from adapters.contract import (
    Adapter,
    Bill,
    Customer,
    Delivery,
    Ignored,
    Item,
    Money,
    Order,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    Signature,
    Unknown,
    Unreadable,
)

FOLDER = Path(adapters.__file__).parent / "samples"
FILES = frozenset({"headers.json", "body", "orders.json", "fetched.json"})
NAMES = frozenset({"kind", "headers", "query", "options", "received_at"})
RECEIVED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "https://registry.example.com/webhooks/src_sample"
# As hexadecimal it is a key for schemes that want hexadecimal, base64, or any text at all.
DIGITS, OTHER_DIGITS = "5a" * 32, "c3" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One delivery as its source sends it, but for the signature."""

    adapter_name: str
    case: str
    said: dict[str, Any]
    body: bytes
    fetched: bytes | None

    @property
    def folder(self) -> Path:
        return FOLDER / self.adapter_name / self.case

    @property
    def adapter(self) -> Adapter[Any]:
        return adapters.load(self.adapter_name)

    @property
    def options(self) -> Any:
        """The source's settings that the sample presumes; the adapter's defaults where it names none."""
        return self.adapter.options.model_validate(self.said.get("options", {}))

    @property
    def delivery(self) -> Delivery:
        """The delivery, unsigned."""
        told = self.said.get("received_at")
        return Delivery(
            body=self.body,
            headers=self.said.get("headers", {}),
            query=self.said.get("query"),
            received_at=datetime.fromisoformat(told) if told else RECEIVED_AT,
            url=URL,
        )

    @property
    def scheme(self) -> Signature:
        return self.adapter.scheme(self.options)

    def signed(self, secret: str) -> Delivery:
        """The delivery as its source would send it."""
        unsigned = self.delivery
        return self.scheme.sign(unsigned, secret, unsigned.received_at)


@cache
def samples(adapter_name: str) -> tuple[Sample, ...]:
    """The adapter's samples; empty when it has none yet."""
    folder = FOLDER / adapter_name
    return tuple(
        Sample(
            adapter_name=adapter_name,
            case=case.name,
            said=json.loads((case / "headers.json").read_text()),
            body=(case / "body").read_bytes(),
            fetched=(case / "fetched.json").read_bytes() if (case / "fetched.json").exists() else None,
        )
        for case in sorted(one for one in (folder.iterdir() if folder.is_dir() else ()) if one.is_dir())
    )


def all_samples() -> Iterator[Sample]:
    for name in adapters.names():
        yield from samples(name)


def secret_for(adapter: Adapter[Any], digits: str = DIGITS) -> str:
    """A made-up secret in the shape in which the adapter's source writes its own."""
    if adapter.name == "wix":  # proven with a public key; the private one signs as well
        return private_key(digits)
    return f"{adapter.secret_prefix}{digits}"


@cache
def private_key(digits: str) -> str:
    """A made-up RSA key, another one for other digits; the same for as long as the tests run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# -- Through the adapter, as the house does it --------------------------------------------------------------------


def told(adapter: Adapter[Any], delivery: Delivery, options: Any, fetched: bytes | None = None) -> Any:
    """What the adapter makes of a delivery, as plain JSON. Raises nothing but what is a fault of the adapter's."""
    greeting = adapter.handshake(delivery)
    if greeting is not None:
        return {"handshake": greeting}
    try:
        kind = adapter.kind_of(delivery, options)
        if kind in adapter.privacy:
            return {"privacy": str(adapter.privacy[kind].request)}
        event = adapter.read(delivery, kind, options)
        if adapter.brings == "contacts":
            return {"contacts": [_person(one) for one in adapter.people(event.payload, event)]}
        if kind not in adapter.fetches:
            return [plain(order) for order in adapter.translate(event)]
        path = adapter.path(event.payload, event)
        assert path.startswith("/") and not path.startswith("//") and path.isprintable(), path
        if fetched is None:
            return {"fetches": path}
        orders = adapter.translate(adapter.fetched(event, fetched))
        return {"fetches": path, "orders": [plain(order) for order in orders]}
    except Ignored as why:
        return {"ignored": why.reason}
    except Unreadable as why:
        return {"unreadable": why.reason}


def _person(customer: Customer) -> dict[str, Any]:
    return _mentioned(
        {
            "name": _text(customer.name),
            "id": _text(customer.id),
            "crm_id": _text(customer.crm_id),
            "emails": [_text(email) for email in customer.emails] or None,
            "phones": [_text(phone) for phone in customer.phones] or None,
            "documents": [_text(document) for document in customer.documents] or None,
        }
    )


def plain(order: Order) -> dict[str, Any]:
    """What the order mentions, in JSON; it also holds the order to the types that it declares."""
    customer = order.customer
    mentioned = {
        "external_id": _text(order.external_id),
        "aliases": [_text(alias) for alias in order.aliases] or None,
        "preference": order.preference or None,
        "at": _time(order.at),
        "status": order.status.value if isinstance(order.status, Unknown) else _text(order.status),
        "source_status": _text(order.source_status),
        "title": _text(order.title),
        "value": _money(order.value),
        "sequence": order.sequence,
        "bills": [_bill(bill) for bill in order.bills] or None,
        "payments": [_payment(payment) for payment in order.payments] or None,
        "refunds": None if order.refunds is None else _refunds(order.refunds),
        "ordered_at": _time(order.ordered_at),
        "paid_at": _time(order.paid_at),
        "customer": None if customer is None else _person(customer),
        "items": None if order.items is None else [_item(item) for item in order.items],
        "url": _text(order.url),
        "test": order.test,
        "deal_id": _text(order.deal_id),
        "notes": [_text(note) for note in order.notes] or None,
    }
    assert order.test is None or isinstance(order.test, bool)
    return _mentioned(mentioned)


def _mentioned(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _text(value: str | None) -> str | None:
    assert value is None or isinstance(value, str), f"{value!r} is no text"
    return None if value is None else str(value)


def _time(moment: datetime | None) -> str | None:
    assert moment is None or moment.tzinfo is UTC, f"{moment!r} is not in UTC"
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _money(money: Money | None) -> str | None:
    if money is None:
        return None
    assert isinstance(money, Money) and type(money.minor) is int, f"{money!r} is no money"
    return f"{money} {money.currency}"


def _bill(bill: Bill) -> dict[str, Any]:
    assert (
        isinstance(bill.part, bool) and isinstance(bill.closed, bool | None) and isinstance(bill.given_up, bool | None)
    )
    return _mentioned(
        {
            "id": _text(bill.id) or None,
            "value": _money(bill.value),
            "part": bill.part or None,
            "also": _money(bill.also),
            "closed": bill.closed,
            "given_up": bill.given_up,
        }
    )


def _payment(payment: Payment) -> dict[str, Any]:
    return _mentioned(
        {
            "id": _text(payment.id) or None,
            "value": _money(payment.value),
            "state": None if payment.state is None else PaymentState(payment.state).value,
            "at": _time(payment.at),
            "captures": _text(payment.captures),
        }
    )


def _refunds(refunds: tuple[Refund, ...] | Mapping[str, Money]) -> Any:
    if isinstance(refunds, Mapping):
        return {_text(key): _money(back) for key, back in refunds.items()}
    return [
        _mentioned(
            {
                "id": _text(refund.id),
                "value": _money(refund.value),
                "state": RefundState(refund.state).value,
                "kind": RefundKind(refund.kind).value,
                "at": _time(refund.at),
                "payment": _text(refund.payment),
                "all": refund.all or None,
                "total": refund.total or None,
            }
        )
        for refund in refunds
    ]


def _item(item: Item) -> dict[str, Any]:
    assert isinstance(item.quantity, int | Decimal) and not isinstance(item.quantity, bool)
    return _mentioned(
        {
            "title": _text(item.title),
            "quantity": format(Decimal(item.quantity).normalize(), "f"),
            "unit_value": _money(item.unit_value),
            "sku": _text(item.sku),
        }
    )
