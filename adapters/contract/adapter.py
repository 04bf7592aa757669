"""The base of every adapter: declarations, and one pure function that turns a payload into orders."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from adapters.contract.cash import WITHOUT_AMOUNT
from adapters.contract.delivery import Delivery, form_body, json_answer, json_body
from adapters.contract.errors import Ignored, Unreadable
from adapters.contract.money import Money
from adapters.contract.options import Options
from adapters.contract.order import UNKNOWN, Customer, Order, Origin, Payment, Refund, Status, Unknown, distinct
from adapters.contract.payload import Payload, validated
from adapters.contract.privacy import Privacy
from adapters.contract.signature import Proof, Signature, Strength
from adapters.contract.times import EARLIEST, LATEST
from adapters.contract.where import BodyField, Where, describe

# Brasília time: UTC-3 all year since Brazil gave up summer time in 2019 (Decree 9.772).
BRASILIA = timezone(timedelta(hours=-3))


_PARSE: Mapping[str, Callable[[bytes], Any]] = {"json": json_body, "form": form_body}

# The note on an order whose source told something that cannot be read and that the order can be without.
FIELD_LEFT_OUT: Final = "field_left_out"
_TIMES: Final = frozenset(("at", "ordered_at", "paid_at", "payments", "refunds"))  # of an order's fields

MOST_ORDERS = 500  # of one delivery; all of them are committed together, and others wait meanwhile
MOST_OF_A_KIND = 1_000  # ids, bills, payments or refunds of one order, which is folded anew with each delivery

_TEXTS: Final = ("source_status", "sequence", "deal_id", "url")  # where an empty text is none

PayloadT = TypeVar("PayloadT", bound=Payload)
PaymentOrRefund = TypeVar("PaymentOrRefund", Payment, Refund)


class Event(Struct, Generic[PayloadT], frozen=True, kw_only=True):
    """A proven delivery, read: what kind it is and the slice of its body.

    `options` are the source's own settings (the adapter's `options` model). After a fetch, `payload` is the document
    that was read from the source, and `notice` the slice of the delivery that led to it.
    """

    kind: str
    payload: PayloadT
    delivery: Delivery
    options: Any
    notice: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The source's own manual: where it says how it signs and what it sends."""

    signing: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where a source's orders or contacts are read, and how our key travels.

    `origin` is fixed (or made from validated options): a URL found in a payload is never fetched. `anywhere`: the
    origin is an address that the source's owner gives, so where it leads is checked. `authorize` gives
    the headers that carry the key. Where the key is `client id:client secret` and has first to be changed for a token
    that lives for a while (OAuth 2.0 client credentials, RFC 6749 §4.4), `token_path` says where at the origin, and
    `authorize` gets the token in place of the key.
    """

    origin: str | Callable[[Any], str]
    authorize: Callable[[str, Any], Mapping[str, str]]
    key_description: str  # what the key is and where to find it, for the source's owner
    token_path: str | None = None
    anywhere: bool = False

    def origin_for(self, options: Any) -> str:
        """The origin for a source with these options."""
        return self.origin if isinstance(self.origin, str) else self.origin(options)


def bearer(key: str, options: Any) -> Mapping[str, str]:
    """For `Api.authorize`: the key travels as a bearer token (RFC 6750 §2.1)."""
    return {"authorization": f"Bearer {key}"}


class Adapter(Generic[PayloadT]):
    """One source's declarations, in the order in which a delivery is met. The class is never given state.

    A subclass sets what has no value here and writes `orders`. It does no I/O and reads no clock or setting.
    """

    name: ClassVar[str]  # module, CLI word, database value, sample folder
    title: ClassVar[str]
    origin: ClassVar[Origin]
    links: ClassVar[Links]
    paste: ClassVar[str] = ""  # a text that a step tells to paste as it is: a query, a configuration
    topics: ClassVar[tuple[str, ...]] = ()  # what to subscribe to at the source, in its words

    signature: ClassVar[Signature]
    # Who makes the secret: `theirs` is shown by the source and must be given; `ours` is made here when none is given.
    secret_made_by: ClassVar[Literal["theirs", "ours"]] = "theirs"  # noqa: S105 - says who makes it; it is none
    secret_prefix: ClassVar[str] = ""

    body: ClassVar[Literal["json", "form"]] = "json"
    kind: ClassVar[Where]
    delivery_id: ClassVar[Where | None] = None  # None: the digest of kind and body; also where an id is missing
    reads: ClassVar[Mapping[str, type[Payload]]]
    ignores: ClassVar[frozenset[str]] = frozenset()  # patterns, `carts/*`
    privacy: ClassVar[Mapping[str, Privacy]] = {}  # kinds that are recorded as privacy requests
    options: ClassVar[type[Options]] = Options
    statuses: ClassVar[Mapping[str, Status | None]] = {}  # None: known, and says nothing about where the order stands
    # The words (as `source_status`) that say that a part of the money went back: noted where no amount is told beside them.
    partly_refunded: ClassVar[frozenset[str]] = frozenset()
    zone: ClassVar[tzinfo] = UTC  # of times that the source writes without one

    # Whether a small body is read on the event loop. Not where that runs expressions of the source's owner.
    inline: ClassVar[bool] = True

    answer: ClassVar[str | None] = None  # the body of the 200, where a source insists on one
    retry_policy: ClassVar[str] = ""  # which answers it takes for a yes, and what it does after another; in words

    def handshake(self, delivery: Delivery) -> str | None:
        """What an unsigned greeting of this source is (a ping that only asks for 200), or None for everything else.

        Nothing of a greeting is believed or kept.
        """
        return None

    def orders(self, payload: PayloadT, event: Event[PayloadT]) -> Iterable[Order]:
        """What the payload says of orders. Raises Ignored or Unreadable, and nothing else for any payload."""
        raise NotImplementedError

    # A CRM tells of contacts rather than of orders: it writes `people` instead of `orders`.
    brings: ClassVar[Literal["orders", "contacts"]] = "orders"
    # A shop whose orders name a customer by id alone tells of that customer by these kinds: `people` reads them.
    customer_kinds: ClassVar[frozenset[str]] = frozenset()

    def people(self, payload: PayloadT, event: Event[PayloadT]) -> Iterable[Customer]:
        """The contacts that the payload tells of, each with the CRM's or the shop's id. Raises Ignored or Unreadable."""
        raise NotImplementedError

    # A CRM that sends nothing when a contact is deleted or merged: its `api` is asked (`contacts reconcile`).
    def contact_path(self, crm_id: str, options: Any) -> str | None:
        """The path where this contact is shown, or 404 is answered; None when it can be no id of this CRM's."""
        raise NotImplementedError

    def search_path(self, kind: str, value: str, options: Any) -> str:
        """The path where contacts are found by this `email` or `phone` (canonical); it may find others as well."""
        raise NotImplementedError

    def contacts_found(self, answer: bytes) -> Iterable[Customer]:
        """The contacts in the answer of a search. Raises Unreadable."""
        raise NotImplementedError

    # Thin sources: the delivery is a notice, the order is read from the source's API after the answer.
    api: ClassVar[Api | None] = None
    fetches: ClassVar[Mapping[str, type[Payload]]] = {}  # the notice's slice, by kind
    # Whether a delivery tells its order by itself, and what is fetched only adds to it (its customer). Then a source
    # without a key, whose API gives nothing, or whose `path` is empty, is read from the delivery alone: `event.notice` is
    # None, and the payload the delivery's.
    fetch_adds: ClassVar[bool] = False
    # Of a notice that nobody signs, where what the fetch needs stands (as in `excerpt`): all else of it is not kept.
    notice_paths: ClassVar[tuple[str, ...]] = ()
    resource: ClassVar[type[Payload]]  # the slice of what the API answers; `orders` gets it as its payload

    def path(self, notice: Any, event: Event[Any]) -> str:
        """The path (and query) at the API's origin where the order of this notice is read. Raises Ignored, Unreadable."""
        raise NotImplementedError

    # -- given --------------------------------------------------------------------------------------------------

    def status(self, *words: str | None) -> Status | Unknown | None:
        """Our status for the source's word; UNKNOWN for a word that is not in the table.

        Of several words, the more exact ones first, the first that is in the table counts.
        """
        given = [word for word in words if word]
        for word in given:
            if word in self.statuses:
                return self.statuses[word]
        return UNKNOWN if given else None

    def scheme(self, options: Any) -> Signature:
        """How a source with these options signs."""
        return self.signature

    def places(self, options: Any) -> tuple[Where, Where | None]:
        """Where the kind and the delivery's id stand, for a source with these options."""
        return self.kind, self.delivery_id

    def proof(self, options: Any) -> Proof:
        """What the signature of a source with these options proves."""
        scheme = self.scheme(options)
        kind, name = self.places(options)
        body, covers = scheme.strength is Strength.MAC, scheme.covers

        def proven(where: Where) -> bool:
            return (body and isinstance(where, BodyField)) or covers.issuperset(where.parts)

        return Proof(body=body, kind=proven(kind), time="time" in covers, id=name is not None and proven(name))

    def document_of(self, delivery: Delivery) -> Any:
        """The parsed body. Raises Unreadable."""
        return delivery.document(_PARSE[self.body])

    def document_for(self, delivery: Delivery, options: Any) -> Any:
        """The parsed body, as a source with these options writes it. Raises Unreadable."""
        return self.document_of(delivery)

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        """What happened, in the source's word. Raises Unreadable when the delivery does not say."""
        kind = self.kind.read(delivery, lambda: self.document_of(delivery))
        if kind is None:
            raise Unreadable(f"the delivery does not say what happened: {describe(self.kind)} is missing")
        return kind

    def delivery_id_of(self, delivery: Delivery, options: Any) -> str | None:
        """The source's own id of this delivery, if it gives one."""
        _, place = self.places(options)
        if place is None:
            return None
        try:
            return place.read(delivery, lambda: self.document_for(delivery, options))
        except Unreadable:
            return None

    def read(self, delivery: Delivery, kind: str, options: Any) -> Event[PayloadT]:
        """The proven delivery as an event. Raises Ignored for what is not about an order, Unreadable.

        For a kind in `fetches`, the payload is the notice; see `fetched`.
        """
        model = self.reads.get(kind) or self.fetches.get(kind)
        if model is None:
            for pattern in self.ignores:
                if fnmatchcase(kind, pattern):
                    raise Ignored(f"{kind[:100]} is not about an order")
            raise Ignored(f"{kind[:100]} is not among the kinds that are read")
        payload: Any = validated(model, self.document_of(delivery))
        return Event(kind=kind, payload=payload, delivery=delivery, options=options)

    def fetched(self, event: Event[Any], answer: bytes) -> Event[PayloadT]:
        """The event with the document that the source's API answered in place of the notice. Raises Unreadable."""
        document: Any = validated(self.resource, json_answer(answer))
        return replace(event, payload=document, notice=event.payload)

    def translate(self, event: Event[PayloadT]) -> list[Order]:
        """The event's orders, times in UTC, ids checked. Raises Ignored, Unreadable."""
        if event.kind in self.customer_kinds:
            raise Ignored("it tells of a customer, and of no order")
        left_out = event.payload.left_out
        orders = [
            self._settled(order, left_out) for order in islice(self.orders(event.payload, event), MOST_ORDERS + 1)
        ]
        if len(orders) > MOST_ORDERS:
            raise Unreadable(f"the delivery tells of more than {MOST_ORDERS} orders")
        if left_out and not all(map(_tells_money, orders or (None,))):
            raise Unreadable(left_out)  # what could not be read may be what the order comes to
        if not orders:
            raise Ignored(f"{event.kind[:100]} carries no order")
        return orders

    def _settled(self, order: Order, left_out: str = "") -> Order:
        names = distinct((order.external_id, *order.aliases)) if order.aliases else (order.external_id,)
        if not order.external_id.strip() or max(map(len, names)) > 255 or len(names) > MOST_OF_A_KIND:
            raise Unreadable("the order's id is empty or longer than 255 characters, or it has too many ids")
        if max(len(order.bills), len(order.payments), len(order.refunds)) > MOST_OF_A_KIND:
            raise Unreadable(f"the order has more than {MOST_OF_A_KIND} bills, payments or refunds")
        for bill in order.bills:
            _check_money("bill", bill.id, bill.value, bill.also)
        for payment in order.payments:
            _check_money("payment", payment.id, payment.value)
        for refund in order.refunds:
            _check_money("refund", refund.id, refund.value, refund.also)
        changed: dict[str, Any] = {}  # a new order takes longer than all the looking; most have nothing to settle
        if names[1:] != order.aliases:
            changed["aliases"] = names[1:]
        if (at := self._utc(order.at)) is not order.at:
            changed["at"] = at
        if (at := self._utc(order.ordered_at)) is not order.ordered_at:
            changed["ordered_at"] = at
        if (at := self._utc(order.paid_at)) is not order.paid_at:
            changed["paid_at"] = at
        if (payments := self._dated(order.payments)) is not order.payments:
            changed["payments"] = payments
        if (refunds := self._dated(order.refunds)) is not order.refunds:
            changed["refunds"] = refunds
        if order.customer is not None and order.customer.tells_nothing:
            changed["customer"] = None
        if order.url and not order.url.startswith(("https://", "http://")):
            changed["url"] = None
        if "" in (order.source_status, order.sequence, order.deal_id, order.url):
            changed |= {name: None for name in _TEXTS if getattr(order, name) == ""}
        if order.source_status in self.partly_refunded and not any(
            one.value and one.value.minor for one in order.refunds
        ):
            changed["notes"] = (*order.notes, WITHOUT_AMOUNT)
        found = replace(order, **changed) if changed else order
        if left_out or (not _TIMES.isdisjoint(changed) and _times(found) < _times(order)):
            return replace(found, notes=(*found.notes, FIELD_LEFT_OUT))
        return found

    def _dated(self, told: tuple[PaymentOrRefund, ...]) -> tuple[PaymentOrRefund, ...]:
        for one in told:
            if self._utc(one.at) is not one.at:
                return tuple(replace(one, at=self._utc(one.at)) for one in told)
        return told

    def _utc(self, moment: datetime | None) -> datetime | None:
        """The moment in UTC; None for one that cannot be (the year 1, a date of zeros)."""
        if moment is None:
            return None
        if moment.tzinfo is UTC and EARLIEST.year <= moment.year < LATEST.year:
            return moment
        try:
            utc = (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)
        except (OverflowError, ValueError):
            return None
        return utc if EARLIEST <= utc < LATEST else None


def _tells_money(order: Order | None) -> bool:
    """Whether an order tells an amount or money given back."""
    if order is None:
        return False
    told = (*(bill.value for bill in order.bills), *(payment.value for payment in order.payments))
    return bool(order.refunds) or any(value is not None for value in told)


def _times(order: Order) -> int:
    """How many times an order tells."""
    told = (
        order.at,
        order.ordered_at,
        order.paid_at,
        *(one.at for one in order.payments),
        *(one.at for one in order.refunds),
    )
    return sum(time is not None for time in told)


def _check_money(what: str, name: str | None, value: Money | None, also: Money | None = None) -> None:
    if name and len(name) > 255:
        raise Unreadable(f"the id of a {what} is longer than 255 characters")
    if (value is not None and value.minor < 0) or (also is not None and also.minor < 0):
        raise Unreadable(f"the value of a {what} is less than nothing")
