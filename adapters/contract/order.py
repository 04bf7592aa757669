"""What an adapter says of an order: only what this delivery mentions; everything else stays None and is left alone."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from adapters.contract.errors import Unreadable
from adapters.contract.money import Money
from adapters.contract.names import is_no_name, letters


class Status(StrEnum):
    """Our word for where an order stands, in the order of rank for equal times."""

    PENDING = "pending"
    OVERDUE = "overdue"
    FAILED = "failed"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    CANCELED = "canceled"
    REFUNDED = "refunded"


RANK: Final = {status: rank for rank, status in enumerate(Status)}


class Unknown(Enum):
    """A status word that the adapter's table does not know. It never becomes `paid`: the order keeps its status."""

    UNKNOWN = "unknown_status"


UNKNOWN: Final = Unknown.UNKNOWN


def status_map(
    thing: str = "",
    /,
    *,
    pending: str | Sequence[str] = "",
    overdue: str | Sequence[str] = "",
    failed: str | Sequence[str] = "",
    partially_paid: str | Sequence[str] = "",
    paid: str | Sequence[str] = "",
    canceled: str | Sequence[str] = "",
    refunded: str | Sequence[str] = "",
    nothing: str | Sequence[str] = "",
) -> dict[str, Status | None]:
    """A table of statuses, the source's words under ours: status_map(pending="open waiting", paid="done").

    Words stand in one text with blanks between them; those that hold a blank, in a tuple. `nothing` are known words
    that say nothing of where an order stands. Where words are known per object, `thing` is written before each:
    status_map("invoice", paid="paid") knows invoice.paid. Raises ValueError for a word that stands twice.
    """
    ours: dict[Status | None, str | Sequence[str]] = {
        Status.PENDING: pending,
        Status.OVERDUE: overdue,
        Status.FAILED: failed,
        Status.PARTIALLY_PAID: partially_paid,
        Status.PAID: paid,
        Status.CANCELED: canceled,
        Status.REFUNDED: refunded,
        None: nothing,
    }
    found: dict[str, Status | None] = {}
    for status, theirs in ours.items():
        for word in theirs.split() if isinstance(theirs, str) else theirs:
            named = f"{thing}.{word}" if thing else word
            if named in found:
                raise ValueError(f"the status word {named!r} stands twice in one table")
            found[named] = status
    return found


def distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Those that say something, each once."""
    return tuple(dict.fromkeys(filter(None, texts))) if texts else ()


class Origin(StrEnum):
    """The registry's word for where a record came from."""

    MANUAL = "manual"
    WEBHOOK = "webhook"
    API = "api"
    PAYMENTS = "payments"
    COMMERCE = "commerce"


NAMELESS: Final = "–"
# The id of a payment that is none, but a checkpoint: so much was taken for the sale in all so far. What the payments
# themselves do not come to is one more.
SO_FAR: Final = "so far"


class Item(Struct, frozen=True, kw_only=True):
    """One line of an order. `unit_value` is what one costs, before discounts on the whole order; one, when no number is said."""

    title: str | None = None
    quantity: Decimal | int | None = 1
    unit_value: Money | None = None
    sku: str | None = None

    def __post_init__(self) -> None:
        if not self.title:
            force_setattr(self, "title", NAMELESS)
        if not self.sku:
            force_setattr(self, "sku", None)
        if self.quantity is None:
            force_setattr(self, "quantity", 1)
            return
        # "1e999999999" is a decimal as well, and would fill the memory of whoever writes it out.
        quantity = Decimal(self.quantity)
        if not quantity.is_finite() or abs(quantity.adjusted()) > 12:
            raise Unreadable("an item's quantity is no number of things")


class Customer(Struct, frozen=True, kw_only=True):
    """Who bought, as the source tells it; identities are raw here and normalised by the registry.

    `id` is the source's own customer id; `crm_id` the CRM's contact id if the payload's metadata carries it. `country`
    (ISO 3166-1 alpha-2, from the billing address, else the shipping address) says where the phones are read.
    """

    name: str | None = None
    id: str | None = None
    crm_id: str | None = None
    emails: tuple[str | None, ...] = ()
    phones: tuple[str | None, ...] = ()
    documents: tuple[str | None, ...] = ()
    country: str | None = None

    def __post_init__(self) -> None:
        """Drop what says nothing and what is said twice."""
        if (emails := distinct(self.emails)) != self.emails:
            force_setattr(self, "emails", emails)
        if (phones := distinct(self.phones)) != self.phones:
            force_setattr(self, "phones", phones)
        if (documents := distinct(self.documents)) != self.documents:
            force_setattr(self, "documents", documents)
        if "" in (self.id, self.crm_id):
            for name in ("id", "crm_id"):
                force_setattr(self, name, getattr(self, name) or None)
        if self.name is not None and is_no_name(self.name):
            force_setattr(self, "name", None)

    @property
    def tells_nothing(self) -> bool:
        """Whether nothing is told of whoever bought."""
        return not (self.name or self.id or self.crm_id or self.emails or self.phones or self.documents)

    def or_recipient(self, name: str | None, phone: str | None, country: str | None) -> "Customer":
        """The customer, with what is known of the recipient where the buyer's own is missing.

        A recipient of another name is somebody else, whose phone is not taken; one that is taken is read in the
        recipient's country.
        """
        if phone and not self.phones and (not self.name or (name and letters(self.name) == letters(name))):
            return replace(self, name=self.name or name, phones=(phone,), country=country or self.country)
        if (self.name or not name) and (self.country or not country):
            return self
        return replace(self, name=self.name or name, country=self.country or country)


# -- Money: the bill, the payments, the refunds -------------------------------------------------------------------


class PaymentState(StrEnum):
    """How far one payment is."""

    AUTHORIZED = "authorized"  # promised, not taken
    TAKEN = "taken"
    FAILED = "failed"
    CANCELED = "canceled"  # before it was taken: released. After it was taken: a void, so all of it was given back


class RefundState(StrEnum):
    """How far one refund or chargeback is. Only what is done counts."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    REVERSED = "reversed"  # taken back: a chargeback that was won


class RefundKind(StrEnum):
    """Who asked for the money back."""

    REFUND = "refund"  # the shop gave it
    CHARGEBACK = "chargeback"  # the buyer's bank took it


class Bill(Struct, frozen=True, kw_only=True):
    """What the sale comes to: an order, an invoice, a charge request. It decides the order's value.

    `value` is what the buyer pays in all, reduced where the source reduced it before payment, never lowered by money
    given back. `part`: one of several that add up (instalments, sub-orders); a bill that is no part outranks all parts.
    `also` is the same total in the buyer's currency, by which payments and refunds in that currency are converted.
    `closed`: no more money will come for it than was taken. `given_up`: written off, or reduced to nothing, before it
    was paid. What is None is left as it was told last.
    """

    id: str = ""
    value: Money | None = None
    part: bool = False
    also: Money | None = None
    closed: bool | None = None
    given_up: bool | None = None


class Payment(Struct, frozen=True, kw_only=True):
    """One attempt to pay. `value` is what was taken, authorised or tried; `at` when it came to this state.

    `state` None: nothing has come of it yet, or it lapsed; then the status word says which. `captures` is the id of
    the authorisation that this capture replaces. A balance, credit or gift card that was applied is a payment too.
    A payment of nothing that is taken says that nothing is, or not any more: a shop that tells how things stand.
    `all`: the source says that all of the bill was taken, and tells no amount. So it is no less because the bill is
    lowered later, and no more because it is raised, until its word says that the order waits no longer.
    """

    id: str = ""
    value: Money | None = None
    state: PaymentState | None = None
    at: datetime | None = None
    captures: str | None = None
    all: bool = False


class Refund(Struct, frozen=True, kw_only=True):
    """Money given back, under the source's own id of it, so that it counts once however often it is told.

    `payment` is the id of the payment (or of its authorisation). A refund without `id` is named by payment, amount and
    time, and that is noted. `value` None: the amount is not told; it is all of the payment (of the sale, where no
    payment is named) only if `all` says so. `also` is the same amount in another currency, where the source tells both:
    it counts where the bill converts it, or is in it, and not `value`.

    `total`: no refund, but a checkpoint: so much is given back in all so far (of this `payment`, or of the sale),
    for a source that tells a running total. Refunds that happen after it add to it or take from it. It counts the
    refunds, or the chargebacks, as `kind` says.
    """

    id: str | None = None
    value: Money | None = None
    state: RefundState = RefundState.DONE
    kind: RefundKind = RefundKind.REFUND
    at: datetime | None = None
    payment: str | None = None
    all: bool = False
    total: bool = False
    also: Money | None = None


class Order(Struct, frozen=True, kw_only=True):
    """What one delivery says of one order.

    `at` is the source's own time of this statement (a datetime without zone is in the adapter's `zone`). It is None
    where the source gives none, or only sometimes: then the time of first receipt counts. `sequence` is the source's
    own order among statements of one time, where it tells one. `unsigned_at`: that time stands in a header which no
    signature covers; the adapter has made sure that it is no later than the receipt. `external_id` is the source's id of the sale;
    `aliases` are further ids of it, and `preference` says how good `external_id` is as a name for it (0 is best; the
    fold keeps the best). `attempt_of` are names that attempts to pay one sale share and that the source does not keep
    unique (the shop's own reference): what has such a name in common is one order, unless money was promised or taken
    on both sides (other than by one payment), both have a bill of their own, or they name different people.

    Money is told by `bills`, `payments` and `refunds`; `status` is the source's own word, mapped by a table, and
    decides what the money does not (None leaves it alone). In a statement that tells payments and no bill, the word
    is that of an attempt to pay, and yields to a bill's. `notes` are what ops should see, a word each: a side field
    that could not be read.
    """

    external_id: str
    at: datetime | None
    unsigned_at: bool = False
    sequence: int | str | None = None
    status: Status | Unknown | None = None
    source_status: str | None = None
    title: str | None = None
    bills: tuple[Bill, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    ordered_at: datetime | None = None
    paid_at: datetime | None = None
    customer: Customer | None = None
    items: tuple[Item, ...] | None = None
    url: str | None = None
    test: bool | None = None
    deal_id: str | None = None
    aliases: tuple[str | None, ...] = ()
    attempt_of: tuple[str | None, ...] = ()
    preference: int = 0
    notes: tuple[str, ...] = ()


def refunded_so_far(back: Money | None, status: Status | Unknown | None) -> tuple[Refund, ...]:
    """The refunds of a source that tells only the sum of all that went back, also when that is nothing (any more).

    A sum of nothing beside a word that says `refunded` is not known, rather than nothing.
    """
    known = back is not None and (back.minor > 0 or status is not Status.REFUNDED)
    return (Refund(value=back, total=True),) if known else ()


def order_title(number: str | None, items: Sequence["str | Item | None"]) -> str | None:
    """What people call the order: "#1001 · Running shoes +2", from its number and its items, or their titles."""
    texts = (item.title if isinstance(item, Item) else item for item in items)
    titles = [title.strip() for title in texts if title and title.strip() and title != NAMELESS]
    goods = (titles[0] + (f" +{len(titles) - 1}" if len(titles) > 1 else "")) if titles else None
    digits = (number or "").strip().removeprefix("#")
    name = f"#{digits}" if digits else None
    return " · ".join(part for part in (name, goods) if part) or None


def full_name(*parts: str | None) -> str | None:
    """A name from its parts, of which any may be missing.

    A part that a name of several words ends with is not said twice: people write their whole name in the first field.
    A part without a letter or a digit ("-", ".") stands for none, where a form insists on both.
    """
    name = ""
    for part in (part.strip() for part in parts if part and any(map(str.isalnum, part))):
        if " " not in name or not f" {name}".casefold().endswith(f" {part}".casefold()):
            name = f"{name} {part}" if name else part
    return name or None
