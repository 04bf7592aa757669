"""How tests obtain what an adapter makes of a delivery, fold it and write it out: the one place that knows how.

A test makes a `Source`, hands it documents, and looks at the `OrderView` that comes back. When the contract between
adapters and the service changes, this file changes and the tests of the adapters do not.
"""

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import adapters
from adapters.contract import (
    Adapter,
    Bill,
    Customer,
    Delivery,
    Event,
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
    Unverified,
)
from adapters.contract.fold import Entry, Folded, fold
from app.base.statement import UNTIMED, statement_of
from tests.contract.histories import whole

NOW = datetime(2026, 11, 20, 13, 0, 6, tzinfo=UTC)


def arrived(
    document: object = b"{}",
    headers: Mapping[str, str] | None = None,
    /,
    *,
    query: Mapping[str, str] | None = None,
    url: str = "",
    at: datetime = NOW,
    **more: str,
) -> Delivery:
    """A delivery with this body: bytes as they are, all else as JSON. Headers may be given as x_topic="a" as well."""
    if isinstance(document, Delivery):
        assert not (headers or query or url or more), "it has arrived already"
        return document
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return Delivery(body=body, headers={**(headers or {}), **named}, query=query, url=url, received_at=at)


@dataclass(frozen=True)
class OrderView:
    """An order as its adapter gave it. Money is text, as in "398.00 BRL"; all else is the order's own field."""

    order: Order

    @property
    def value(self) -> str | None:
        """What the sale comes to: the bill, or the bills that add up; without a bill, the payments."""
        order = self.order
        billed = Money.total(bill.value for bill in order.bills)
        return _money(billed or Money.total(payment.value for payment in order.payments))

    @property
    def refunds(self) -> dict[str | None, str | None]:
        """What was given back, by the refund's id ("total" for a running total); empty when the order mentions none.

        What isn't done says so, as in "10.00 BRL pending".
        """
        return {"total" if one.total else one.id: _refund_text(one) for one in self.order.refunds}

    @property
    def payments(self) -> dict[str, str]:
        """The payments by their ids, as in "398.00 BRL taken"."""
        return {one.id: " ".join(filter(None, (_money(one.value), one.state))) for one in self.order.payments}

    @property
    def mentioned(self) -> set[str]:
        """The names of the fields that say something."""
        return set(plain(self.order))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.order, name)


class Source:
    """An adapter with a source's options. Documents are what `arrived` takes, further arguments those of `arrived`."""

    def __init__(self, adapter: Adapter[Any] | str, **options: Any) -> None:
        self.adapter: Adapter[Any] = adapters.load(adapter) if isinstance(adapter, str) else adapter
        self.options = self.adapter.options.model_validate(options)

    @property
    def scheme(self) -> Signature:
        return self.adapter.scheme(self.options)

    def sign(self, document: object, secret: str, **arrival: Any) -> Delivery:
        """The delivery, signed when it arrived."""
        delivery = arrived(document, **arrival)
        return self.scheme.sign(delivery, secret, delivery.received_at)

    def verify(self, document: object, *secrets: str, now: datetime | None = None, **arrival: Any) -> str:
        """The secret that proves the delivery, at the time of its arrival or `now`. Raises Unverified."""
        delivery = arrived(document, **arrival)
        return self.scheme.verify(delivery, secrets, now or delivery.received_at)

    def refuse(self, document: object, *secrets: str, now: datetime | None = None, **arrival: Any) -> str:
        """The reason why the delivery is not believed; fails when it is."""
        with pytest.raises(Unverified) as refused:
            self.verify(document, *secrets, now=now, **arrival)
        return refused.value.reason

    def greeting(self, document: object, **arrival: Any) -> str | None:
        return self.adapter.handshake(arrived(document, **arrival))

    def kind(self, document: object, **arrival: Any) -> str:
        return self.adapter.kind_of(arrived(document, **arrival), self.options)

    def delivery_id(self, document: object, **arrival: Any) -> str | None:
        return self.adapter.delivery_id_of(arrived(document, **arrival), self.options)

    def orders(self, document: object, answer: object = None, /, **arrival: Any) -> list[OrderView]:
        """The orders of a delivery, or of what the source's API answers to it. Raises Ignored, Unreadable."""
        event = self._event(arrived(document, **arrival))
        return [OrderView(order) for order in self._translated(event, answer)]

    def order(self, document: object, answer: object = None, /, **arrival: Any) -> OrderView:
        """The one order of a delivery."""
        [order] = self.orders(document, answer, **arrival)
        return order

    def summary(self, document: object, answer: object = None, /, **arrival: Any) -> tuple[Any, str | None, str] | None:
        """Status, value and id of the one order of a delivery; None when it is ignored."""
        try:
            order = self.order(document, answer, **arrival)
        except Ignored:
            return None
        return order.status, order.value, order.external_id

    def path(self, document: object, **arrival: Any) -> str:
        """Where the order of this notice is read. Raises Ignored, Unreadable."""
        event = self._event(arrived(document, **arrival))
        return self.adapter.path(event.payload, event)

    def translation(self, document: object, answer: object = None, /, **arrival: Any) -> Any:
        """Everything that the adapter makes of a delivery, as JSON. Raises nothing but what is a fault of the adapter's."""
        adapter, delivery = self.adapter, arrived(document, **arrival)
        greeting = adapter.handshake(delivery)
        if greeting is not None:
            return {"handshake": greeting}
        try:
            kind = self.kind(delivery)
            if kind in adapter.privacy:
                return {"privacy": str(adapter.privacy[kind].request)}
            event = self._event(delivery, kind)
            if adapter.brings == "contacts" or kind in adapter.customer_kinds:
                return {"contacts": [_person(one) for one in adapter.people(event.payload, event)]}
            if kind not in adapter.fetches or (adapter.fetch_adds and answer is None):
                return [plain(order) for order in self._translated(event)]
            path = adapter.path(event.payload, event)
            if adapter.fetch_adds and not path:
                return [plain(order) for order in self._translated(event)]
            assert path.startswith("/") and not path.startswith("//") and path.isprintable(), path
            if answer is None:
                return {"fetches": path}
            return {"fetches": path, "orders": [plain(order) for order in self._translated(event, answer)]}
        except Ignored as why:
            return {"ignored": why.reason}
        except Unreadable as why:
            return {"unreadable": why.reason}

    def _event(self, delivery: Delivery, kind: str | None = None) -> Event[Any]:
        return self.adapter.read(delivery, kind or self.kind(delivery), self.options)

    def _translated(self, event: Event[Any], answer: object = None) -> list[Order]:
        if answer is not None:
            event = self.adapter.fetched(event, arrived(answer).body)
        return self.adapter.translate(event)


RECEIVED = 1_800_000_000_000_000  # microseconds, in 2027: later than any source's time in a sample


def entries(orders: Iterable[OrderView | Order]) -> list[Entry]:
    """The orders as entries of one history, received in this order, one a second."""
    found = []
    for number, one in enumerate(orders):
        order = one.order if isinstance(one, OrderView) else one
        told = statement_of(order, source_id="src_1", region="BR", digest=repr(order))
        at = None if told.at == UNTIMED else told.at
        found.append(Entry(at=at, digest=told.digest, recorded_at=RECEIVED + number * 1_000_000, said=told.said))
    return found


def folded(*orders: OrderView | Order) -> Folded:
    """The order that these come to. All of them twice must come to the same as once, and statements of different times
    to the same in any order of arrival.
    """
    told = entries(orders)
    result = fold(told)
    assert whole(fold([*told, *told])) == whole(result), "told twice it comes to something else"
    times = [entry.at for entry in told]
    if None not in times and len(set(times)) == len(times):
        for arrival in itertools.islice(itertools.permutations(orders), 50):
            assert whole(fold(entries(arrival))) == whole(result), "another order of arrival comes to something else"
    return result


def lines(told: list[dict[str, object]]) -> dict[object, str]:
    """The lines of `Folded.payments` or `Folded.refunds` as {id: "state minor currency"}."""
    return {line["id"]: f"{line['state']} {line['value']} {line['currency']}" for line in told}


# -- As plain JSON ------------------------------------------------------------------------------------------------


def plain(order: Order) -> dict[str, Any]:
    """What the order mentions, in JSON; it also holds the order to the types that it declares."""
    customer = order.customer
    mentioned = {
        "external_id": _text(order.external_id),
        "aliases": [_text(alias) for alias in order.aliases] or None,
        "attempt_of": [_text(name) for name in order.attempt_of] or None,
        "preference": order.preference or None,
        "at": _time(order.at),
        "status": order.status.value if isinstance(order.status, Unknown) else _text(order.status),
        "source_status": _text(order.source_status),
        "title": _text(order.title),
        "sequence": order.sequence,
        "bills": [_bill(bill) for bill in order.bills] or None,
        "payments": [_payment(payment) for payment in order.payments] or None,
        "refunds": _refunds(order.refunds) or None,
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
            "all": payment.all or None,
        }
    )


def _refunds(refunds: tuple[Refund, ...]) -> Any:
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
                "also": _money(refund.also),
            }
        )
        for refund in refunds
    ]


def _refund_text(refund: Refund) -> str:
    return " ".join(filter(None, (_money(refund.value), refund.state if refund.state != RefundState.DONE else None)))
