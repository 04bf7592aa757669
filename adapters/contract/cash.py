"""Payments and refunds of one order, each kept by its own id as it was told last."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from adapters.contract.entry import Entry, Line
from adapters.contract.movement import EVERYTHING, PENDING, REFUND, Back, Paid, Total, Vector
from adapters.contract.order import SO_FAR, PaymentState, RefundKind, RefundState, Status

TOTAL: Final = "total"  # the id of all that went back so far, in entries that were recorded before refunds had totals

AUTHORIZED, TAKEN, FAILED, CANCELED = map(str, PaymentState)
DONE, REVERSED = str(RefundState.DONE), str(RefundState.REVERSED)
CHARGEBACK: Final = str(RefundKind.CHARGEBACK)
# The id of the totals that an import tells, of what was paid and what went back: the same money as a source itemises.
IMPORTED: Final = "import"
TOTALS: Final = frozenset((IMPORTED, SO_FAR))
NOT_TAKEN: Final = frozenset((AUTHORIZED, FAILED, CANCELED))

OTHER_CURRENCY: Final = "other_currency"
WITHOUT_ID: Final = "refund_without_id"
WITHOUT_AMOUNT: Final = "refund_without_amount"


class Cash(Struct, eq=False):
    """All payments and refunds of an order. `currency` is the order's; `rates` convert others: (ours, theirs)."""

    currency: str | None
    rates: Mapping[str, tuple[int, int]]
    payment_ids: frozenset[str] = frozenset()  # all that the history names
    payments: dict[str, Paid] = field(default_factory=dict)
    refunds: dict[str, Back] = field(default_factory=dict)
    totals: list[Total] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    imported: Vector = field(default_factory=dict)
    last_taken: int = -1  # the place at which a payment was last found to be taken
    last_authorized: int = -1
    last_refund: int = -1  # the place at which a total, or a refund that was decided, was last told
    last_pending: int = -1

    # -- Hearing what is told, in the order of the history ----------------------------------------------------------

    def hear(self, place: int, entry: Entry) -> None:
        """Takes in what an entry tells of payments and refunds."""
        said = entry.said
        payments = said.get("payments", ())
        for told in payments:
            self._pay(told, place, entry)
        refunds = said.get("refunds", ())
        if isinstance(refunds, Mapping):
            refunds = [self._first_version(name, amount) for name, amount in refunds.items()]
        for told in refunds:
            if not told.get("total"):
                self._give_back(told, place, entry)
        for told in refunds:  # what a statement itemises is a part of its total
            if told.get("total"):
                self._total(told, place, entry)
        if payments and not refunds and said.get("status") == Status.REFUNDED and "bills" not in said:
            for told in payments:  # an attempt's own word: of this payment all is given back
                payment = self.payments[told.get("id", "")]
                payment.void, payment.void_at = True, entry.at

    def _first_version(self, name: str, amount: list[Any]) -> dict[str, Any]:
        told: dict[str, Any] = {"id": name, "value": amount[0], "currency": amount[1]}
        if name == TOTAL:
            return told | {"total": True}
        if name in self.payment_ids:  # the payment's own total stood under its id
            return told | {"total": True, "payment": name}
        return told

    def _pay(self, told: Mapping[str, Any], place: int, entry: Entry) -> None:
        name, state, at = told.get("id", ""), told.get("state"), told.get("at")
        payment = self.payments.get(name)
        if payment is None:
            payment = self.payments[name] = Paid(name, place)
        payment.captures = told.get("captures", payment.captures)
        came_back = entry.at is None and state in payment.states
        if state is not None and state not in payment.states:
            payment.states += (state,)
        if payment.state == TAKEN and (state is None or state == AUTHORIZED or (came_back and state != TAKEN)):
            return  # an earlier state that was told later: it doesn't untake money
        payment.place = place
        if state == CANCELED and payment.state == TAKEN:
            payment.void, payment.void_at = True, at if at is not None else entry.at
            return
        if "value" in told and (payment.value is None or self._counts(told["currency"], payment.currency)):
            payment.value, payment.currency = told["value"], told["currency"]
        if state is None:
            return
        if state == TAKEN:
            payment.void = False
            if payment.state != TAKEN:
                payment.since, payment.said_at = at, entry.at
                self.last_taken = place
            elif at is not None:
                payment.since = at
        elif state == AUTHORIZED:
            self.last_authorized = place
        payment.state, payment.at = state, at

    def _counts(self, currency: str, known: str) -> bool:
        """Whether an amount in this currency may take the place of a known one: not where only the known one counts."""
        return currency == known or self._converts(currency) or not self._converts(known)

    def _converts(self, currency: str) -> bool:
        return self.currency is None or currency == self.currency or currency in self.rates

    def _give_back(self, told: Mapping[str, Any], place: int, entry: Entry) -> None:
        if told.get("id") == IMPORTED:
            self.imported = {told["currency"]: told["value"]}
            self.last_refund = place
            return
        state = told.get("state", DONE)
        refund = self.refunds.get(told["id"]) if "id" in told else self._nameless(told, state, entry)
        refund = refund or self._other_name(told, state)
        new = refund is None
        waited = refund is not None and refund.state == PENDING and refund.at is not None
        if refund is None:
            refund = Back(told.get("id"), place)
            self.refunds[told["id"] if "id" in told else f"\0{len(self.refunds)}"] = refund
        if "id" not in told:
            time = told.get("at", entry.time)
            if time not in refund.times:
                refund.times += (time,)
            if refund.id is None:
                self.notes.add(WITHOUT_ID)
        elif refund.id is None:
            refund.id = told["id"]
            self.refunds = {one.id or name: one for name, one in self.refunds.items()}
        if "value" in told and (refund.value is None or self._counts(told["currency"], refund.currency)):
            refund.value, refund.currency = told["value"], told["currency"]
        if "also" in told:
            refund.also = told["also"][0], told["also"][1]
        if refund.also is not None and not self._converts(refund.currency) and self._converts(refund.also[1]):
            refund.value, refund.currency = refund.also
        refund.payment = told.get("payment", refund.payment)
        refund.kind = told.get("kind", refund.kind)
        refund.all = told.get("all", refund.all)
        refund.place = place
        if new or state != PENDING:
            refund.state = state
            refund.at = told.get("at", refund.at)
        if state == PENDING:
            self.last_pending = place
        elif refund.value is not None and self._converts(refund.currency):
            self.last_refund = place
        if (new or waited) and state != PENDING and self.totals:
            self._already_counted(refund)

    def _nameless(self, told: Mapping[str, Any], state: str, entry: Entry) -> Back | None:
        """Return the refund that this is about: of the same payment and amount, and of the same time or a step before.

        It has no id either; but a reversal without id takes back one that has.
        """
        time, found = told.get("at", entry.time), None
        for refund in self.refunds.values():
            same = (told.get("value"), told.get("currency", ""), told.get("payment"))
            if (refund.value, refund.currency, refund.payment) != same:
                continue
            if time in refund.times:
                return refund
            reversal = state == REVERSED and told.get("kind", REFUND) == refund.kind and refund.state == DONE
            if refund.id is not None and not reversal:
                continue
            further = refund.state == PENDING if state == DONE else refund.state in (PENDING, DONE)
            if state != PENDING and further:
                found = refund
        return found

    def _other_name(self, told: Mapping[str, Any], state: str) -> Back | None:
        """A chargeback without id and the refund by which it was given back (one payment, one amount) are the same."""
        kind, same = told.get("kind", REFUND), (told.get("value"), told.get("currency", ""), told.get("payment"))
        if state != DONE or told.get("payment") is None:
            return None
        for refund in self.refunds.values():
            nameless = refund.id is None if kind == REFUND else "id" not in told
            other = {kind, refund.kind} == {REFUND, CHARGEBACK} and refund.state == DONE
            if nameless and other and (refund.value, refund.currency, refund.payment) == same:
                return refund
        return None

    def _already_counted(self, refund: Back) -> None:
        """A refund first told, or decided, after a total: what happened before the total is in it; a failure takes from it."""
        for total in sorted(self.totals, key=lambda one: one.payment is None):
            if total.covers(refund):
                before = refund.at <= total.time if refund.at is not None else refund.state != DONE
                if before and refund.value is not None:
                    total.rest[refund.currency] = total.rest.get(refund.currency, 0) - refund.value
                return

    def _total(self, told: Mapping[str, Any], place: int, entry: Entry) -> None:
        if "value" not in told:
            return
        at = told.get("at", entry.at)
        total = Total(told.get("payment"), told.get("kind", REFUND), entry.recorded_at if at is None else at, at, {})
        total.rest[told["currency"]] = told["value"]
        for refund in self.refunds.values():
            if refund.state == DONE and refund.value is not None and total.covers(refund):
                total.rest[refund.currency] = total.rest.get(refund.currency, 0) - refund.value
        # It stands for an earlier one of the same; one of the whole sale for those of its payments.
        self.totals = [
            one
            for one in self.totals
            if EVERYTHING not in (one.kind, total.kind)
            and (one.kind != total.kind or total.payment not in (None, one.payment))
        ]
        self.totals.append(total)
        if self._converts(told["currency"]):
            self.last_refund = place

    # -- What it comes to -------------------------------------------------------------------------------------------

    def taken(self) -> list[Paid]:
        """The payments whose money was taken. What a total tells beyond them is one more."""
        found = [one for one in self.payments.values() if one.state == TAKEN]
        if len(found) < 2:  # one that captures another has it beside it
            return found
        replaced = self._replaced()
        found = [one for one in found if one.id not in replaced]
        totals = [one for one in found if one.id in TOTALS]
        if totals and len(found) > 1:
            total = max(totals, key=lambda one: self.amount([one]))
            found = [one for one in found if one.id not in TOTALS]
            rest = (total.value or 0) - self.amount(found)
            if rest > 0:
                found.append(replace(total, value=rest))
        return found

    def authorized(self) -> list[Paid]:
        """The payments that are promised, not taken and not released."""
        replaced = self._replaced()
        released = {one.payment for one in self.refunds.values() if one.state == DONE}
        return [
            one
            for one in self.payments.values()
            if one.state == AUTHORIZED and one.id not in replaced and one.id not in released
        ]

    def contradicts(self, place: int) -> bool:
        """Whether what is itemised speaks against a word, said at this place, that all of it was given back."""
        return self.last_refund >= place or self.last_pending == place

    def _replaced(self) -> set[str]:
        """The authorisations in whose place captures count."""
        return {one.captures for one in self.payments.values() if one.captures and one.state == TAKEN}

    def amount(self, payments: list[Paid]) -> int:
        """What these payments come to, in the order's currency."""
        if len(payments) == 1 and payments[0].currency == self.currency:
            return payments[0].value or 0
        sums: Vector = {}
        for one in payments:
            if one.value is not None:
                _add(sums, one.currency, one.value)
        return self._sum(sums)

    def given_back(self) -> tuple[int, bool]:
        """What was given back of money that was taken, in the order's currency, and whether that is said to be all."""
        if self._nothing_back():
            return 0, False
        sums: Vector = {}
        named: dict[str, Vector] = {}
        rest_of: list[str] = []
        everything = False
        captured = self._replaced()
        for one in self.refunds.values():
            if self._of_nothing(one.payment, captured):
                continue
            its = named.setdefault(one.payment, {}) if one.payment is not None else {}
            if one.state != DONE:
                continue
            if one.value is not None:
                _add(sums, one.currency, one.value)
                _add(its, one.currency, one.value)
            elif not one.all:
                self.notes.add(WITHOUT_AMOUNT)
            elif one.payment is not None and self._taken_of(one.payment):
                rest_of.append(one.payment)
            else:
                everything = True
        for name in rest_of:
            for payment in self._taken_of(name):
                if payment.value is not None:
                    _add(sums, payment.currency, max(payment.value - named[name].pop(payment.currency, 0), 0))
        for payment in self.payments.values():
            if payment.void and payment.state == TAKEN and payment.id not in named and payment.value is not None:
                _add(sums, payment.currency, payment.value)
        for total in self.totals:
            if not self._of_nothing(total.payment, captured):
                for currency, rest in total.rest.items():
                    _add(sums, currency, rest)
        return max(self._sum(sums), self._sum(self.imported), 0), everything

    def _nothing_back(self) -> bool:
        """Whether nothing is told that may have been given back, as of most orders."""
        void = any(one.void for one in self.payments.values())
        return not (self.refunds or self.totals or self.imported or void)

    def _taken_of(self, name: str) -> list[Paid]:
        return [one for one in self.taken() if name in (one.id, one.captures)]

    def _of_nothing(self, name: str | None, captured: set[str]) -> bool:
        """Whether a refund is of a payment that was never taken: then it counts nothing."""
        payment = self.payments.get(name) if name is not None else None
        return payment is not None and payment.state in NOT_TAKEN and name not in captured

    def _sum(self, sums: Vector) -> int:
        """The sum in the order's currency. What is in another is converted as one amount, so that all of it is all."""
        ours = 0
        for currency, minor in sums.items():
            if currency == self.currency or self.currency is None:
                ours += minor
            elif currency in self.rates:
                value, also = self.rates[currency]
                ours += (2 * minor * value + also) // (2 * also)
            elif minor:
                self.notes.add(OTHER_CURRENCY)
        return ours

    # -- How it is shown --------------------------------------------------------------------------------------------

    def shown_payments(self) -> list[Line]:
        """The payments as the API tells them. An authorisation that was captured is not shown, nor an attempt so far, nor a sum of nothing."""
        shown = [
            one for one in self.payments.values() if one.state is not None and (one.value != 0 or one.state != TAKEN)
        ]
        if len(shown) > 1:
            replaced = self._replaced()
            shown = [one for one in shown if one.id not in replaced]
        if not TOTALS.isdisjoint(self.payments):
            shown = [one for one in shown if one.id not in TOTALS] + [one for one in self.taken() if one.id in TOTALS]
        return [
            _line(None if one.id in ("", *TOTALS) else one.id, "payment", one.value, one.currency, one.state, one.at)
            for one in shown
        ]

    def shown_refunds(self) -> list[Line]:
        """The refunds and chargebacks as the API tells them; what a running total counts beside them has no id."""
        if self._nothing_back():
            return []
        lines = [_line(one.id, one.kind, one.value, one.currency, one.state, one.at) for one in self.refunds.values()]
        named = {one.payment for one in self.refunds.values()}
        lines += [
            _line(one.id or None, REFUND, one.value, one.currency, DONE, one.void_at)
            for one in self.payments.values()
            if one.void and one.state == TAKEN and one.id not in named
        ]
        for total in self.totals:
            kind = REFUND if total.kind == EVERYTHING else total.kind
            lines += [
                _line(None, kind, rest, currency, DONE, total.at) for currency, rest in total.rest.items() if rest > 0
            ]
        if not lines:
            lines = [_line(None, REFUND, minor, currency, DONE, None) for currency, minor in self.imported.items()]
        return lines


def _add(sums: Vector, currency: str, minor: int) -> None:
    sums[currency] = sums.get(currency, 0) + minor


def _line(name: str | None, kind: str, value: int | None, currency: str, state: str | None, at: int | None) -> Line:
    return {"id": name, "kind": kind, "value": value, "currency": currency or None, "state": state, "at": at}
