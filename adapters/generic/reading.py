"""One order of a delivery, read as the options say."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from adapters.contract import (
    CODES,
    FIELD_LEFT_OUT,
    UNKNOWN,
    Bill,
    Customer,
    Iso,
    Item,
    Milliseconds,
    Money,
    Order,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    Seconds,
    Status,
    Unknown,
    Unreadable,
    decimals,
    order_title,
    refunded_so_far,
    validated,
)
from adapters.generic.expressions import Search
from adapters.generic.found import AMOUNTS, NEEDED, Found, FoundItem, FoundPayment, FoundRefund
from adapters.generic.options import NAMED, GenericOptions, zone_of

READ_TIME = {"iso": TypeAdapter(Iso), "seconds": TypeAdapter(Seconds), "milliseconds": TypeAdapter(Milliseconds)}


def _with_point(amount: str) -> str:
    """R$ 1.234,50 → 1234.50"""
    return re.sub(r"[^\d,-]", "", amount).replace(",", ".")


class _FieldUnreadable(Unreadable):
    """Raised where a thing lacks what it needs: an order its id, an item its title."""


class Reading:
    """One order of a delivery, as the options say where it stands. `notes` are what was left out or not known."""

    def __init__(self, options: GenericOptions, search: Search, document: Any) -> None:
        self.options, self.search, self.document = options, search, document
        self.notes: list[str] = []
        self.found: Found = self._found(Found, document)

    def order(self, kind: str) -> Order:
        found, options = self.found, self.options
        word = kind if options.fields.status is None else found.status
        ours = options.statuses.get(word or "")
        items = None if found.items is None else tuple(self._items(found.items))
        value = self._money(found.value)
        status: Status | Unknown | None = Status(ours) if ours not in (None, "none") else None
        if ours is None and word:
            status = UNKNOWN
        return Order(
            external_id=found.external_id,
            status=status,
            source_status=word,
            title=found.title or order_title(found.number, items or ()),
            bills=() if value is None else (Bill(value=value),),
            payments=tuple(self._payments()),
            refunds=tuple(self._refunds(status)),
            customer=Customer(
                crm_id=found.crm_id,
                id=found.customer_id,
                name=found.name,
                emails=found.email,
                phones=found.phone,
                documents=found.document,
                country=found.country,
            ),
            items=items,
            url=found.url,
            test=found.test,
            deal_id=found.deal_id,
            at=self._time("at", self.document),
            sequence=found.sequence,
            ordered_at=self._time("ordered_at", self.document),
            paid_at=self._time("paid_at", self.document),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _payments(self) -> Iterable[Payment]:
        for place, one in self._each("payment", self.found.payments):
            told = self._found(FoundPayment, one, place)
            word = self._word(told.payment_state, self.options.payment_states)
            value = self._money(told.payment_value)
            if value is not None or word is not None:
                yield Payment(
                    id=told.payment_id or "",
                    value=value,
                    state=None if word in (None, "none") else PaymentState(word),
                    at=self._time("payment_at", one, place),
                )

    def _refunds(self, status: Status | Unknown | None) -> Iterable[Refund]:
        fields = self.options.fields
        if fields.refund_value is None:
            back = self._money(self.found.refunded_value)
            name = self._found(FoundRefund, self.document).refund_id if fields.refund_id else None
            if name is None:
                yield from refunded_so_far(back, status)
            elif back:
                yield Refund(id=name, value=back)
            return
        for place, one in self._each("refund", self.found.refunds):
            told = self._found(FoundRefund, one, place)
            value = self._money(told.refund_value)
            if fields.refunds is None and value is None and not told.refund_id:
                continue  # this delivery tells of none
            word = "done" if fields.refund_state is None else self._word(told.refund_state, self.options.refund_states)
            yield Refund(
                id=told.refund_id,
                value=value,
                state=RefundState(word or "pending"),
                kind=RefundKind.CHARGEBACK if told.refund_chargeback else RefundKind.REFUND,
                at=self._time("refund_at", one, place),
                payment=told.refund_payment,
            )

    def _each(self, thing: str, listed: list[Any] | None) -> Iterable[tuple[str, Any]]:
        """The things of a list, each with its place; the order itself, where the options name no list."""
        if getattr(self.options.fields, f"{thing}s"):
            yield from ((f"{thing}s.{at}.", one) for at, one in enumerate(listed or ()))
        elif getattr(self.options.fields, f"{thing}_value"):
            yield "", self.document

    def _word(self, word: str | None, words: Mapping[str, str]) -> str | None:
        """Our word for theirs; None, with a note, for one that is not in the table."""
        if word and word not in words:
            self.notes.append("unknown_status")
        return words.get(word or "")

    def _items(self, listed: list[Any]) -> Iterable[Item]:
        for at, one in enumerate(listed):
            try:
                told = self._found(FoundItem, one, f"items.{at}.")
                quantity = Decimal(1) if told.item_quantity is None else told.item_quantity
                price = self._money(told.item_unit_value, exact=False)
                yield Item(title=told.item_title, quantity=quantity, unit_value=price, sku=told.item_sku)
            except _FieldUnreadable:
                self.notes.append(FIELD_LEFT_OUT)

    def _found(self, model: type[Any], document: Any, place: str = "") -> Any:
        """What the expressions of this model's fields find. Raises Unreadable, naming every wrong one that is needed."""
        fields, money = self.options.fields, self.options.money
        values = {name: self.search(place + name, getattr(fields, name), document) for name in model.model_fields}
        if money and money.decimal == ",":
            values.update({name: _with_point(values[name]) for name in AMOUNTS if isinstance(values.get(name), str)})
        try:
            found = validated(model, values)
        except Unreadable as why:
            raise _FieldUnreadable(f"{place}{why.reason}") from None
        if found.left_out:
            if any(values[name] is not None and getattr(found, name) in (None, "") for name in NEEDED & values.keys()):
                raise Unreadable(f"{place}{found.left_out}")
            self.notes.append(FIELD_LEFT_OUT)
        return found

    def _money(self, amount: Decimal | None, *, exact: bool = True) -> Money | None:
        """The amount in the order's currency. Raises Unreadable for one that is not exact, or of no currency."""
        money = self.options.money
        if amount is None or money is None:
            return None
        word = self.found.currency or money.currency
        if word is None:
            raise Unreadable("currency: is needed wherever an amount is given")
        named = NAMED.fullmatch(money.currencies.get(word, word.strip().upper()))
        if named is None or named[2] not in CODES:
            raise Unreadable("currency: is none of ISO 4217 (option money.currencies names a source's own)")
        code, times = named[2], int(named[1] or 1)
        if money.unit == "minor" and amount != amount.to_integral_value():
            raise Unreadable("an amount is no whole number of the currency's smallest unit (option money.unit)")
        steps = {"major": 0, "minor": decimals(code)}.get(money.unit)
        steps = int(money.unit) if steps is None else steps
        if amount.adjusted() > 20:
            raise Unreadable("the amount is too large to be an order's")
        if not exact:
            return Money.scaled(amount * times, steps, code)
        if steps or times > 1:  # counted in steps, a zero at the end says nothing
            amount = (amount * times).scaleb(-steps).normalize()
        return Money.exact(amount, code)

    def _time(self, name: str, document: Any, place: str = "") -> datetime | None:
        """The time; None, with a note, for one that is there and cannot be read."""
        found = self.search(place + name, getattr(self.options.fields, name), document)
        if found is None:
            return None
        try:
            reader = READ_TIME.get(self.options.times)
            moment = (
                reader.validate_python(found) if reader else datetime.strptime(str(found)[:100], self.options.times)
            )
        except ValueError:
            self.notes.append(FIELD_LEFT_OUT)
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=zone_of(self.options.zone))
