"""What a history tells of one payment, one refund, or a running total of refunds: as it was told last."""

from typing import Final

from msgspec import Struct

from adapters.contract.order import RefundKind, RefundState

Vector = dict[str, int]  # amounts in minor units, by currency

PENDING: Final = str(RefundState.PENDING)
REFUND: Final = str(RefundKind.REFUND)
EVERYTHING: Final = "everything"  # the kind of a total that counts refunds and chargebacks together


class Paid(Struct):
    """A payment as it was told last. `place` is where in the history."""

    id: str
    place: int
    value: int | None = None
    currency: str = ""
    state: str | None = None
    at: int | None = None
    since: int | None = None  # when it was taken, if the payment itself says so
    said_at: int | None = None  # the source's time of the statement that it was taken
    captures: str | None = None
    void: bool = False  # taken, and all of it given back
    void_at: int | None = None
    states: tuple[str, ...] = ()


class Back(Struct):
    """A refund or chargeback as it was told last."""

    id: str | None
    place: int
    times: tuple[int, ...] = ()  # by which a refund without id is recognised
    value: int | None = None
    currency: str = ""
    state: str = PENDING
    kind: str = REFUND
    at: int | None = None
    payment: str | None = None
    all: bool = False
    also: tuple[int, str] | None = None  # the same amount in another currency


class Total(Struct):
    """A running total: `rest` is what it counts beyond the refunds that are known by themselves."""

    payment: str | None
    kind: str
    time: int
    at: int | None
    rest: Vector

    def covers(self, refund: Back) -> bool:
        """Whether this total is about such refunds."""
        return self.kind in (EVERYTHING, refund.kind) and self.payment in (None, refund.payment)
