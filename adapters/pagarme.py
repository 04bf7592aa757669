"""Pagar.me (core v5): orders and their charges. What is sold is the order; a charge is one try to pay it, or a part.

- Payload: https://docs.pagar.me/reference/exemplo-de-webhook-1
- Events: https://docs.pagar.me/reference/eventos-de-webhook-1
- Fields of orders and charges: https://github.com/pagarme/pagarme-python-sdk/tree/main/doc/models

Decided here, and why:

- Pagar.me signs nothing that its account's owner can check: the dashboard lets one ask for HTTP Basic, and that is
  demanded here (a hook without it is refused). Its manual does not describe it; receivers in production rely on it.
  Hooks made through Pagar.me's hub carry an RS256 signature with a key that would have to be fetched; not read.
- A refunded charge may be called `canceled` afterwards, and its order with it; that it was paid is what tells.
- A charge that is only a part of its order (two cards) does not say where the order stands; the order's events do.
- A charge without an order is a subscription's: its invoice is the sale, which several charges may try to pay.
- Interest and fine of a slip that was paid late are a part of what the buyer paid, and of what the order came to.
- Sales at a counter name an "Unknown customer", another one each time: nobody's name
  (https://docs.pagar.me/docs/recebendo-um-pagamento).
- Times carry no zone in the sample; the API writes the same ones with `Z`: UTC.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Bill,
    BodyField,
    Customer,
    Event,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    OptionalOf,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    Status,
    Token,
    Unknown,
    full_name,
    order_title,
    path,
    status_map,
)


class Phone(Payload):
    country_code: str | None = None
    area_code: str | None = None
    number: str | None = None


class Line(Payload):
    description: str | None = None
    quantity: int | None = None
    amount: int | None = None  # of one
    code: str | None = None


class Thing(Payload):
    id: str
    code: str | None = None
    status: str | None = None
    amount: int
    currency: str | None = None
    customer_id: str | None = path("customer.id")
    name: str | None = path("customer.name")
    email: str | None = path("customer.email")
    document: str | None = path("customer.document")
    mobile_phone: OptionalOf[Phone] = path("customer.phones.mobile_phone")
    home_phone: OptionalOf[Phone] = path("customer.phones.home_phone")
    crm_contact_id: str | None = path("metadata.crm_contact_id")
    deal_id: str | None = path("metadata.deal_id")
    country: str | None = path("customer.address.country")
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None


class Charge(Thing):
    paid_amount: int | None = None
    interest_and_fine_paid: int | None = None
    canceled_amount: int | None = None
    paid_at: IsoOrBlank = None
    order_id: str | None = path("order.id", "order_id")
    order_amount: int | None = path("order.amount")
    order_status: str | None = path("order.status")
    invoice_id: str | None = path("invoice.id")
    invoice_lines: ListOf[Line] = path("invoice.items", otherwise=())

    @property
    def surcharge(self) -> int:
        """What was paid above the amount because it was paid late."""
        above = (self.paid_amount or self.amount) - self.amount
        return min(self.interest_and_fine_paid or 0, max(above, 0))


class Sale(Thing):
    items: ListOf[Line] = ()
    charges: ListOf[Charge] = ()


ThingT = TypeVar("ThingT", bound=Thing)


class Hook(Payload, Generic[ThingT]):
    created_at: IsoOrBlank = None
    data: ThingT


class PagarMe(Adapter[Any]):
    name, title, origin = "pagarme", "Pagar.me", Origin.PAYMENTS
    links = Links(
        signing="https://docs.pagar.me/docs/webhooks",
        payload="https://docs.pagar.me/reference/exemplo-de-webhook-1",
    )
    signature = Token(header="authorization", basic=True)
    kind = BodyField("type")
    delivery_id = BodyField("id")
    reads = {
        **dict.fromkeys(
            "order.created order.updated order.closed order.paid order.payment_failed order.canceled".split(),
            Hook[Sale],
        ),
        **dict.fromkeys(
            "charge.created charge.updated charge.pending charge.processing charge.paid charge.overpaid charge.underpaid "
            "charge.payment_failed charge.antifraud_reproved charge.partial_canceled charge.refunded "
            "charge.chargedback".split(),
            Hook[Charge],
        ),
    }
    topics = tuple(reads)
    ignores = frozenset(
        "charge.antifraud_* order_item.* customer.* card.* address.* recipient.* plan* subscription* invoice.* "
        "bank_account.* usage.* discount.* checkout.* payment-link.* transfer.* chargeback.* increment.* increment_* "
        "seller.*".split()
    )
    statuses = status_map(
        pending="pending processing authorized",
        paid="paid overpaid partial_refunded partial_canceled",
        partially_paid="underpaid",
        canceled="canceled",
        failed="failed",
        refunded="refunded chargedback",
    )
    # What the event itself says, whatever the status is called by then.
    told = status_map("order", paid="paid", failed="payment_failed", canceled="canceled") | status_map(
        "charge",
        paid="paid overpaid",
        partially_paid="underpaid",
        failed="payment_failed antifraud_reproved",
        refunded="refunded chargedback",
    )

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        thing, at = payload.data, payload.data.updated_at or payload.created_at
        yield self._sale(thing, event.kind, at) if isinstance(thing, Sale) else self._charge(thing, event.kind, at)

    def _sale(self, sale: Sale, kind: str, at: datetime | None) -> Order:
        status, currency = self._status(kind, sale.status), sale.currency or "BRL"
        payments = tuple(self._payment(charge, self.status(charge.status)) for charge in sale.charges)
        taken = [one for one in payments if one.state is PaymentState.TAKEN]
        waits = any(self.status(charge.status) is Status.PENDING for charge in sale.charges)
        total = sale.amount + sum(charge.surcharge for charge in sale.charges)
        items = tuple(
            Item(title=one.description, quantity=one.quantity, unit_value=Money.of(one.amount, currency), sku=one.code)
            for one in sale.items
        )
        return Order(
            external_id=sale.id,
            at=at,
            status=status,
            source_status=sale.status,
            title=order_title(sale.code, items),
            # Once its charges are paid and none waits, no more will come: a capture of a part is final.
            bills=(Bill(value=Money.of(total, currency), closed=status is Status.PAID and not waits),),
            payments=payments,
            refunds=tuple(one for charge in sale.charges for one in self._refunds(charge, self.status(charge.status))),
            ordered_at=sale.created_at,
            paid_at=taken[-1].at if taken and status is Status.PAID else None,
            customer=_customer(sale),
            items=items or None,
            deal_id=sale.deal_id,
        )

    def _charge(self, charge: Charge, kind: str, at: datetime | None) -> Order:
        status, currency, sale_id = self._status(kind, charge.status), charge.currency or "BRL", charge.order_id
        word = status
        if charge.order_amount and charge.order_amount > charge.amount:  # a part of its order
            status = self.status(charge.order_status)
        billed = tuple(Item(title=one.description, quantity=one.quantity, sku=one.code) for one in charge.invoice_lines)
        return Order(
            external_id=sale_id or charge.id,
            # The order's own id is the better name; a charge without one (a subscription's) goes by its own.
            preference=0 if sale_id else 1,
            aliases=(charge.id, None if sale_id else charge.invoice_id),
            at=at,
            status=status,
            source_status=charge.status,
            title=None if sale_id else order_title(charge.code, billed),  # the order's events know what was sold
            # A charge without an order is the sale; of one that belongs to an order, the order's events say the bill.
            bills=()
            if sale_id and not charge.order_amount
            else (
                Bill(
                    value=Money.of((charge.order_amount or charge.amount) + charge.surcharge, currency),
                    closed=word is Status.PAID and (charge.order_amount or charge.amount) == charge.amount,
                ),
            ),
            payments=(self._payment(charge, word),),
            refunds=self._refunds(charge, word),
            ordered_at=None if sale_id else charge.created_at,
            paid_at=charge.paid_at if status is Status.PAID else None,
            customer=_customer(charge),
            items=None if sale_id else billed or None,
            deal_id=charge.deal_id,
        )

    def _payment(self, charge: Charge, status: Status | Unknown | None) -> Payment:
        """The charge as a payment: what was taken of it, where anything was."""
        currency, state = charge.currency or "BRL", None
        if charge.paid_at or status in (Status.PAID, Status.PARTIALLY_PAID, Status.REFUNDED):
            state = PaymentState.TAKEN
        elif charge.status == "authorized":
            state = PaymentState.AUTHORIZED
        elif status is Status.FAILED:
            state = PaymentState.FAILED
        value = charge.amount if state is not PaymentState.TAKEN else charge.paid_amount or charge.amount
        return Payment(id=charge.id, value=Money.of(value, currency), state=state, at=charge.paid_at)

    def _refunds(self, charge: Charge, status: Status | Unknown | None) -> tuple[Refund, ...]:
        """What was given back of the charge so far, by the shop and by the buyer's bank; nothing of one never paid."""
        if self._payment(charge, status).state is not PaymentState.TAKEN:
            return ()
        whole, back = charge.paid_amount or charge.amount, charge.canceled_amount or 0
        if charge.status == "chargedback":  # of the whole charge: what the shop had not given back is lost
            back = back if back < whole else 0
            totals = {RefundKind.REFUND: back, RefundKind.CHARGEBACK: whole - back}
        else:  # all of it, where the word says so and no amount stands by it
            back = back or (whole if status is Status.REFUNDED else 0)
            totals = {RefundKind.REFUND: back, RefundKind.CHARGEBACK: 0}
        return tuple(
            Refund(value=Money.of(total, charge.currency or "BRL"), kind=kind, payment=charge.id, total=True)
            for kind, total in totals.items()
        )

    def _status(self, kind: str, word: str | None) -> Status | Unknown | None:
        status = self.status(word)
        return status if status is UNKNOWN else self.told.get(kind, status)


def _customer(thing: Thing) -> Customer:
    return Customer(
        name=None if thing.name == "Unknown customer" else full_name(thing.name),
        id=thing.customer_id,
        crm_id=thing.crm_contact_id,
        emails=(thing.email,),
        phones=tuple(
            f"+{phone.country_code or '55'} {phone.area_code or ''} {phone.number}"
            for phone in (thing.mobile_phone, thing.home_phone)
            if phone and phone.number
        ),
        documents=(thing.document,),
        country=thing.country,
    )
