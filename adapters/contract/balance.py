"""What an order comes to: its value, what was paid and given back of it, and the status that follows.

Money decides where a source itemises it, the source's own word where it does not. The bill's word counts before an attempt's; a payment that was taken ends an expiry, a cancellation and a failed attempt
that were told before it; nothing that was taken is untaken by an earlier state that is told later.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from adapters.contract.cash import AUTHORIZED, CANCELED, FAILED, Cash
from adapters.contract.entry import Entry, Folded
from adapters.contract.movement import Paid
from adapters.contract.order import RANK, Status

REFUND_EXCEEDS_VALUE: Final = "refund_exceeds_value"
CAPTURED_IN_PART: Final = "captured_in_part"
CANCELED_UNREFUNDED: Final = "canceled_unrefunded"
PAID_VALUE_UNKNOWN: Final = "paid_value_unknown"  # the word says that a part was paid, and nothing says how much

_MONEY: Final = frozenset((Status.PARTIALLY_PAID, Status.PAID, Status.REFUNDED))
_WHOLE: Final = frozenset((Status.PAID, Status.REFUNDED))
_UNPAID: Final = frozenset((Status.PENDING, Status.OVERDUE, Status.FAILED, Status.PARTIALLY_PAID))
_ENDED: Final = frozenset((Status.CANCELED, Status.FAILED))
# Where an attempt has no word of its own, its state is the word.
_WORD_OF: Final[Mapping[Any, Status]] = {
    AUTHORIZED: Status.PENDING,
    FAILED: Status.FAILED,
    CANCELED: Status.CANCELED,
}


class Word(Struct):
    """The latest status word of a bill, or of the attempts to pay; `place` is where in the history it was said."""

    status: str | None = None
    source_status: str | None = None
    place: int = -1
    told: tuple[str, ...] = ()
    payments: tuple[str, ...] = ()  # the attempts whose word it is

    @property
    def only_in_part(self) -> bool:
        """Whether it ever said that a part was paid, and never that all was."""
        return Status.PARTIALLY_PAID in self.told and Status.PAID not in self.told

    def hear(self, status: str | None, source_status: str | None, place: int, *, timed: bool) -> None:
        """Takes a word in. One without a time never untakes money by a state that comes before, or was told before."""
        if status == Status.CANCELED and self.status == Status.REFUNDED:
            status = None  # a sale that is canceled as well keeps no money that it gave back
        if status is not None:
            if not timed and self.status in _MONEY:
                earlier = RANK[Status(status)] < min(RANK[Status.PAID], RANK[Status(self.status)])
                if earlier or (status in self.told and status not in _MONEY):
                    return
            self.status, self.place = status, place
            if status not in self.told:
                self.told += (status,)
        if source_status is not None:
            self.source_status = source_status


class Bill(Struct):
    """A bill as it was told last. `was` is its last value above nothing."""

    place: int = -1
    value: int | None = None
    currency: str = ""
    part: bool = False
    closed: bool = False
    was: int = 0
    given_up: int = -1  # the place at which it was given up; -1: it was not
    nothing: int = -1  # the place at which its value came to nothing; -1: it did not
    word: Word | None = None  # of a part
    paid: int = 0  # of several parts: what those come to that are paid by their own word,
    refunded: int = 0  # and those that were given back


_NO_CASH: Final = Cash(None, {})  # of a history that itemises no money


class Balance:
    """What a history tells of money, entry by entry."""

    __slots__ = (
        "_attempts",
        "_bills",
        "_currency",
        "_forced",
        "_notes",
        "_paid_at",
        "_paid_said",
        "_payments",
        "_rates",
        "_sale",
        "_told",
    )

    def __init__(self) -> None:
        self._bills: dict[str, Bill] = {}
        self._rates: dict[str, tuple[int, int]] = {}
        self._sale, self._attempts = Word(), Word()
        self._told: list[tuple[int, Entry]] = []  # the entries that tell payments or refunds
        self._payments: set[str] = set()
        self._currency: str | None = None  # that of the payments
        self._forced: str | None = None  # a member's word, until something else is told
        self._paid_at: int | None = None
        self._paid_said = -1  # the place at which it was said
        self._notes: set[str] = set()

    def hear(self, place: int, entry: Entry) -> None:
        """Takes an entry in; entries come in the order of their places."""
        said = entry.said
        bills, payments = said.get("bills"), said.get("payments")
        if "value" in said:
            self._bill(said, "", place)
        for told in bills or ():
            self._bill(told, told.get("id", ""), place)
        for told in payments or ():
            self._payments.add(told.get("id", ""))
            if "value" in told and (self._currency is None or told.get("state") == "taken"):
                self._currency = told["currency"]
        if payments or "refunds" in said:
            self._told.append((place, entry))
        if "status" in said or "source_status" in said or payments:
            self._word(said, bills, payments, place, timed=entry.at is not None)
        if entry.by_member and "status" in said:
            self._forced = said["status"]
        elif "status" in said or payments or "refunds" in said:
            self._forced = None
        if "paid_at" in said:
            self._paid_at, self._paid_said = said["paid_at"], place
        if "notes" in said:
            self._notes.update(said["notes"])

    def _word(self, said: Mapping[str, Any], bills: Any, payments: Any, place: int, *, timed: bool) -> None:
        status, source_status = said.get("status"), said.get("source_status")
        if payments and not bills and "value" not in said:
            status = status or _WORD_OF.get(payments[-1].get("state"))
            self._attempts.hear(status, source_status, place, timed=timed)
            self._attempts.payments = tuple(told.get("id", "") for told in payments)
        elif bills and "value" not in said and all(told.get("part") for told in bills):
            for told in bills:
                bill = self._bills[told.get("id", "")]
                bill.word = bill.word or Word()
                bill.word.hear(status, source_status, place, timed=timed)
        else:
            self._sale.hear(status, source_status, place, timed=timed)

    def _bill(self, told: Mapping[str, Any], name: str, place: int) -> None:
        bill = self._bills.get(name)
        if bill is None:
            bill = self._bills[name] = Bill()
        bill.part = told.get("part", False)
        bill.closed = told.get("closed", bill.closed)
        if told.get("given_up"):
            bill.given_up = place if bill.given_up < 0 else bill.given_up
        elif "given_up" in told:
            bill.given_up = -1
        if "value" not in told:
            return
        value = told["value"]
        if value > 0:
            bill.was, bill.nothing = value, -1
        elif bill.was and bill.nothing < 0:
            bill.nothing = place
        bill.place, bill.value, bill.currency = place, value, told["currency"]
        if "also" in told and told["also"][0] > 0:
            self._rates[told["also"][1]] = (value, told["also"][0])

    # -- What it comes to -------------------------------------------------------------------------------------------

    def settle(self, order: Folded) -> None:
        """Writes what the whole history comes to."""
        bill, word = self._one_bill(), self._sale
        if bill is not None and bill.word is not None and bill.word.place > word.place:
            word = bill.word
        elif self._attempts.place > word.place and (bill is None or word.status is None):
            word = self._attempts
        currency = bill.currency if bill is not None else self._currency
        cash = Cash(currency, self._rates, frozenset(self._payments)) if self._told else _NO_CASH
        for place, entry in self._told:
            cash.hear(place, entry)
        order.source_status, order.currency, order.paid_at = word.source_status, currency, self._paid_at
        if order.source_status is None:
            order.source_status = self._sale.source_status or self._attempts.source_status
        taken = [payment for payment in cash.taken() if payment.value is not None] if self._told else []
        paid = cash.amount(taken) if taken else 0
        if paid > 0 or (taken and bill is None):
            self._by_money(order, cash, bill, word, taken, paid)
        else:
            self._by_word(order, cash, bill, word)
        if self._told:
            order.itemised = cash
            self._notes |= cash.notes
        if self._notes:
            order.notes = tuple(sorted(self._notes))
        if order.value is None:
            order.currency, order.paid_value, order.refunded_value = None, 0, 0
        elif self._forced is not None:
            _force(order, self._forced)
        if order.paid_value < 0 or order.refunded_value < 0:  # a file may tell a value below nothing
            order.paid_value = order.refunded_value = 0

    def _one_bill(self) -> Bill | None:
        """The bill that decides: the whole that was told last, else all parts together."""
        told = [bill for bill in self._bills.values() if bill.value is not None]
        if not told or (len(told) == 1 and not told[0].part):
            return told[0] if told else None
        wholes = [bill for bill in told if not bill.part]
        if wholes:
            return max(wholes, key=lambda bill: bill.place)
        return _together(told)

    def _by_money(self, order: Folded, cash: Cash, bill: Bill | None, word: Word, taken: list[Paid], paid: int) -> None:
        """Some of it was taken: the money decides."""
        value, dropped = paid, False
        last = word.status if word is not self._attempts and word.place >= cash.last_taken else None
        given_back, everything = cash.given_back()
        everything = everything or self._all_by_word(cash, word, cash.last_taken)
        if bill is not None and bill.value is not None:
            value = bill.value or bill.was
            dropped = max(bill.given_up, bill.nothing) >= cash.last_taken
            ended = last == Status.CANCELED or (last in (Status.REFUNDED, Status.FAILED) and given_back >= paid)
            if paid < value and (bill.closed or dropped or ended):
                value = paid
                self._notes.add(CAPTURED_IN_PART)
        everything = everything or (last == Status.REFUNDED and given_back >= value > 0)
        most = min(value, paid)
        due = most if everything else given_back - max(0, paid - value)
        if due > most:
            self._notes.add(REFUND_EXCEEDS_VALUE)
        order.value, order.paid_value, order.refunded_value = value, paid, max(0, min(due, most))
        if (value > 0 and order.refunded_value >= value) or (everything and not value):
            order.status = Status.REFUNDED
        elif paid >= value:
            order.status = Status.PAID
            if (dropped and CAPTURED_IN_PART not in self._notes) or last in _ENDED:
                self._notes.add(CANCELED_UNREFUNDED)
        else:
            order.status = Status.PARTIALLY_PAID
            order.paid_at = None
            return
        order.paid_at = _covered_at(taken, cash, value, self._paid_at)

    def _all_by_word(self, cash: Cash, word: Word, since: int) -> bool:
        """Whether the word alone says that all of it went back: nothing was taken, and no refund itemised, after it."""
        if word is self._attempts or word.status != Status.REFUNDED or word.place < since:
            return False
        return not cash.contradicts(word.place)

    def _by_word(self, order: Folded, cash: Cash, bill: Bill | None, word: Word) -> None:
        """Nothing was taken by an itemised payment: the word decides, and what refunds prove to have been taken."""
        status = word.status
        value = bill.value if bill is not None else None
        authorized = cash.authorized() if cash.payments else []
        if bill is None and cash.payments:
            value = _tried(cash, authorized)
        order.value = value
        given_back, everything = cash.given_back() if self._told else (0, False)
        described, value = value is not None, value or 0
        ever_paid = any(one in _MONEY for one in word.told)
        dropped = bill is not None and (bill.given_up >= 0 or (bill.nothing >= 0 and not ever_paid))
        if given_back > value and described:
            self._notes.add(REFUND_EXCEEDS_VALUE)
        back = min(given_back, value)
        if everything or (status == Status.REFUNDED and not cash.contradicts(word.place)):
            back = value
        elif bill is not None and bill.part:
            back = max(back, bill.refunded)
        elif 0 < back < value and word.only_in_part and status in (Status.CANCELED, Status.REFUNDED):
            value = order.value = back  # nobody said how much was paid, and no more came
            self._notes.add(CAPTURED_IN_PART)
        if back > 0:  # money that went back had been taken
            order.refunded_value = back
            order.status = status or Status.PENDING
            gone = dropped or status == Status.CANCELED
            if status in _WHOLE or back >= value or (gone and ever_paid):
                order.paid_value = value
                order.status = Status.REFUNDED if back >= value else Status.PAID
                if gone and back < value:
                    self._notes.add(CANCELED_UNREFUNDED)
            else:
                order.paid_value = max(back, bill.paid if bill is not None else 0)
                order.status = Status.CANCELED if dropped else order.status
        elif dropped:
            order.status = Status.CANCELED
        elif bill is not None and value == 0 and not bill.was and status in (None, Status.PENDING, Status.OVERDUE):
            order.status = Status.PAID
        elif authorized and self._promised(cash, authorized, word):
            order.status = Status.PENDING
        elif status == Status.REFUNDED and cash.contradicts(word.place):
            order.status, order.paid_value = Status.PAID, value  # the refunds that it meant were taken back
        else:
            order.status = status or Status.PENDING
            if status == Status.PAID:
                order.paid_value = value
            elif status == Status.PARTIALLY_PAID and bill is not None and bill.paid:
                order.paid_value = bill.paid
            elif status == Status.PARTIALLY_PAID:
                self._notes.add(PAID_VALUE_UNKNOWN)
        if order.status in _UNPAID and word.place > self._paid_said:
            order.paid_at = None  # it waits again

    def _promised(self, cash: Cash, authorized: list[Paid], word: Word) -> bool:
        """Whether money that is only authorised outranks the word: `paid` that was said before, another attempt's end."""
        if word.status == Status.PAID:
            return cash.last_authorized >= word.place
        if word is self._attempts:
            return any(payment.id not in word.payments for payment in authorized)
        return False


def _force(order: Folded, status: str) -> None:
    """A member's word: it counts until a source itemises something later."""
    value = order.value or 0
    if status == Status.PAID:
        order.paid_value = max(order.paid_value, value)
        if order.refunded_value >= value:
            order.refunded_value = 0
    elif status == Status.REFUNDED:
        order.paid_value, order.refunded_value = max(order.paid_value, value), value
    order.status = status


def _together(parts: list[Bill]) -> Bill:
    """All parts as one bill. Parts that were given up are not to come, unless all of them are."""
    currency = max(parts, key=lambda part: part.place).currency
    parts = [part for part in parts if part.currency == currency]
    live = [part for part in parts if part.given_up < 0] or parts
    whole = Bill(currency=currency, part=True, value=0)
    whole.place = max(part.place for part in parts)
    whole.value = sum(part.value or 0 for part in live)
    whole.was = sum(part.was for part in live)
    whole.closed = all(part.closed for part in live)
    whole.given_up = min(part.given_up for part in live)
    whole.nothing = min(part.nothing for part in live)
    said = [part.word for part in live if part.word is not None]
    if not said:
        return whole
    words = [part.word.status or Status.PENDING if part.word else Status.PENDING for part in live]
    whole.paid = sum(part.value or 0 for part, word in zip(live, words, strict=True) if word in _WHOLE)
    whole.refunded = sum(part.value or 0 for part, word in zip(live, words, strict=True) if word == Status.REFUNDED)
    latest = max(said, key=lambda word: word.place)
    whole.word = Word(None, latest.source_status, latest.place, tuple(told for word in said for told in word.told))
    for same in (Status.REFUNDED, Status.CANCELED, Status.FAILED):
        if all(word == same for word in words):
            whole.word.status = same
            return whole
    if all(word in _WHOLE for word in words):
        whole.word.status = Status.PAID
    elif any(word in _MONEY for word in words):
        whole.word.status = Status.PARTIALLY_PAID
    else:
        whole.word.status = Status.OVERDUE if Status.OVERDUE in words else Status.PENDING
    return whole


def _tried(cash: Cash, authorized: list[Paid]) -> int | None:
    """What an order without a bill comes to before anything is taken: what is authorised, else the latest attempt."""
    if any(payment.value is not None for payment in authorized):
        return cash.amount(authorized)
    told = [payment for payment in cash.payments.values() if payment.value is not None]
    return cash.amount([max(told, key=lambda payment: payment.place)]) if told else None


def _covered_at(taken: list[Paid], cash: Cash, value: int, told: int | None) -> int | None:
    """When payments first came to the value; where they do not say when, what the source says, else when it said so."""
    if len(taken) == 1:
        first = taken[0].since
        return first if first is not None else told if told is not None else taken[0].said_at
    for times in ([payment.since for payment in taken], [payment.said_at for payment in taken]):
        if any(time is None for time in times):
            if told is not None:
                return told
            continue
        covered = last = 0
        for time, index in sorted((time or 0, index) for index, time in enumerate(times)):
            covered += cash.amount([taken[index]])
            last = time
            if covered >= value:
                break
        return last
    return told
