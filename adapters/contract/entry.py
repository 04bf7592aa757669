"""An entry of an order's history: what one delivery or member said, when, and its place; and the order that they come to."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from msgspec import Struct, field

from adapters.contract.money import Money
from adapters.contract.order import RANK, Bill, Order, Payment, PaymentState, Refund, RefundKind, RefundState, Status

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# How far on a sale is by the state of a payment, where a statement has no word of its own.
_BY_PAYMENT: Final = {
    PaymentState.AUTHORIZED: RANK[Status.PENDING],
    PaymentState.FAILED: RANK[Status.FAILED],
    PaymentState.TAKEN: RANK[Status.PAID],
    PaymentState.CANCELED: RANK[Status.CANCELED],
}
_BY_REFUND: Final = {state: number for number, state in enumerate(RefundState)}


class Entry(Struct, frozen=True, kw_only=True):
    """What one delivery or member said of an order.

    `at` is the source's own time in microseconds since 1970; None where it gives none, or one that cannot be believed.
    `recorded_at` is the time of first receipt. `said` holds only what was mentioned, as JSON: see `money_said` for the
    part that is money. `digest` makes the order of entries definite that agree in all else.
    """

    at: int | None
    digest: str
    recorded_at: int
    said: Mapping[str, Any]
    by_member: bool = False

    @property
    def rank(self) -> int:
        """How far on the sale is by what is said; -1 when nothing says so."""
        return rank_of(self.said)

    @property
    def time(self) -> int:
        """When it was true: the source's time, else that of first receipt."""
        return self.recorded_at if self.at is None else self.at


Identity = tuple[str, str]  # kind, normalised value
Line = dict[str, Any]  # id, kind (payment, refund, chargeback), value, currency, state, at


class Itemised(Protocol):
    """The payments and refunds of an order."""

    def shown_payments(self) -> list[Line]:
        """The payments as the API tells them."""

    def shown_refunds(self) -> list[Line]:
        """The refunds and chargebacks as the API tells them."""


class Folded(Struct, eq=False):  # noqa: PLW1641 - it changes, so nothing looks it up
    """The order as its history tells it. Money in minor units, times in microseconds since 1970.

    `value` None means that no entry has described the order yet (only a refund or a deletion came): it is kept, and
    shown once one does. `notes` are words of what does not fit, sorted. `itemised` has the lines of `payments` and
    `refunds`; they are written only when they are asked for, since a delivery needs none.
    """

    external_id: str | None = None
    aliases: set[str] = field(default_factory=set)
    status: str = Status.PENDING
    source_status: str | None = None
    title: str | None = None
    value: int | None = None
    paid_value: int = 0
    refunded_value: int = 0
    currency: str | None = None
    ordered_at: int | None = None
    paid_at: int | None = None
    notes: tuple[str, ...] = ()
    name: str | None = None
    identities: tuple[Identity, ...] = ()
    contact_id: str | None = None  # only when a member set it
    deal_id: str | None = None
    items: list[dict[str, Any]] = field(default_factory=list)
    url: str | None = None
    test: bool = False
    itemised: Itemised | None = None  # no part of what two of them are compared by

    def __eq__(self, other: object) -> bool:
        fields = (name for name in self.__struct_fields__ if name != "itemised")
        return isinstance(other, Folded) and all(getattr(self, name) == getattr(other, name) for name in fields)

    @property
    def payments(self) -> list[Line]:
        """The payments."""
        return self.itemised.shown_payments() if self.itemised is not None else []

    @property
    def refunds(self) -> list[Line]:
        """The refunds and chargebacks."""
        return self.itemised.shown_refunds() if self.itemised is not None else []


# The fields of a folded order that differences and previews show, in the order in which a person reads them. The contact is found by
# identities, so these stand for it.
SHOWN: Final = (
    "status",
    "source_status",
    "title",
    "value",
    "currency",
    "paid_value",
    "refunded_value",
    "ordered_at",
    "paid_at",
    "deal_id",
    "url",
    "test",
    "items",
    "name",
    "identities",
)


def rank_of(said: Mapping[str, Any]) -> int:
    """The rank of the status that is said, else of the furthest payment; -1 when neither is."""
    status = said.get("status")
    if status is not None:
        return RANK[status]
    if "payments" in said:
        return max((_BY_PAYMENT.get(payment.get("state"), -1) for payment in said["payments"]), default=-1)
    return -1


def place(entry: Entry) -> tuple[Any, ...]:
    """The key by which a history is sorted: time, the source's own order, how far on, first receipt."""
    said = entry.said
    sequence = said.get("sequence")
    if sequence is None:
        order: tuple[int, int, str] = (0, 0, "")
    elif isinstance(sequence, int):
        order = (1, sequence, "")
    else:
        order = (2, 0, sequence)
    refunds = said.get("refunds")
    state = -1
    if refunds and not isinstance(refunds, Mapping):
        state = max(_BY_REFUND[refund.get("state", RefundState.DONE)] for refund in refunds)
    return (entry.time, order, rank_of(said), state, entry.recorded_at, entry.digest)


def _unchanged(text: str, length: int) -> str:
    return text


def money_said(order: Order, clean: Callable[[str, int], str] = _unchanged) -> dict[str, Any]:
    """The bills, payments and refunds of an order in the shape in which a history keeps them.

    `bills`, `payments`, `refunds`: lists of objects with what was mentioned: `id`, `value` in minor units and
    `currency`, `state`, `at` in microseconds, and the rest as in `Bill`, `Payment`, `Refund` (`also` as
    [minor units, currency]). `clean` makes a text fit to be stored, in at most so many characters.
    """
    said: dict[str, Any] = {}
    if order.bills:
        said["bills"] = [_bill(bill, clean) for bill in order.bills]
    if order.payments:
        said["payments"] = [_payment(payment, clean) for payment in order.payments]
    if order.refunds:
        said["refunds"] = [_refund(refund, clean) for refund in order.refunds]
    if order.sequence is not None:
        said["sequence"] = order.sequence if isinstance(order.sequence, int) else clean(order.sequence, 64)
    if order.notes:
        said["notes"] = [clean(note, 100) for note in order.notes]
    return said


def _bill(bill: Bill, clean: Callable[[str, int], str]) -> dict[str, Any]:
    told = _named(bill.id, bill.value, clean)
    if bill.part:
        told["part"] = True
    if bill.also is not None:
        told["also"] = [bill.also.minor, bill.also.currency]
    if bill.closed is not None:
        told["closed"] = bill.closed
    if bill.given_up is not None:
        told["given_up"] = bill.given_up
    return told


def _payment(payment: Payment, clean: Callable[[str, int], str]) -> dict[str, Any]:
    told = _named(payment.id, payment.value, clean)
    if payment.state is not None:
        told["state"] = str(payment.state)
    if payment.at is not None:
        told["at"] = _micros(payment.at)
    if payment.captures:
        told["captures"] = clean(payment.captures, 255)
    return told


def _refund(refund: Refund, clean: Callable[[str, int], str]) -> dict[str, Any]:
    told = _named(refund.id, refund.value, clean)
    if refund.state is not RefundState.DONE:
        told["state"] = str(refund.state)
    if refund.kind is not RefundKind.REFUND:
        told["kind"] = str(refund.kind)
    if refund.at is not None:
        told["at"] = _micros(refund.at)
    if refund.payment:
        told["payment"] = clean(refund.payment, 255)
    if refund.all:
        told["all"] = True
    if refund.total:
        told["total"] = True
    if refund.also is not None:
        told["also"] = [refund.also.minor, refund.also.currency]
    return told


def _named(name: str | None, value: Money | None, clean: Callable[[str, int], str]) -> dict[str, Any]:
    told: dict[str, Any] = {"id": clean(name, 255)} if name else {}
    if value is not None:
        told["value"], told["currency"] = value.minor, value.currency
    return told


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
