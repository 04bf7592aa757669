"""Cakto: the event says what happened; `data` is an order, or (webhook V2) a list of the orders of one checkout.

- Signing and payload: https://docs.cakto.com.br/conceitos/webhooks
- Events: https://docs.cakto.com.br/api-reference/webhooks/create

Decided here, and why:

- Cakto signs in the headers, and repeats the secret in the body. Deliveries of older webhooks have the body's alone, so
  either proves it; that is why the strength is `token`.
- The status is the event: `data.status` stays `paid` in a refund's delivery and `waiting_payment` in an approval's.
- `data.amount` is what the buyer pays, in units. `commissions` share it out; an order bump is an order of its own.
- A refused renewal is overdue unless the order it comes with has been paid: then it is about the subscription, and the
  order is paid.
- A test send carries the blocks of all four ways to pay at once, which no real one does (the manual says so).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from adapters.contract import (
    Adapter,
    AnyOf,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Entries,
    Event,
    Hmac,
    IsoOrBlank,
    Item,
    Links,
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
    body_token,
    order_title,
    path,
    status_map,
    time_dot_body,
)


class Sale(Payload):
    id: str
    refId: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    baseAmount: Decimal | None = None  # before a coupon and a card's interest
    currency: str | None = path("offer.currency")
    price: Decimal | None = path("offer.price")
    product: str | None = path("product.name")
    createdAt: IsoOrBlank = None
    paidAt: IsoOrBlank = None
    refundedAt: IsoOrBlank = None
    chargedbackAt: IsoOrBlank = None
    customer_id: str | None = path("customer.id")
    customer_name: str | None = path("customer.name")
    email: str | None = path("customer.email")
    phone: str | None = path("customer.phone")
    docNumber: str | None = path("customer.docNumber")
    # What a way to pay adds; only that it is there is read.
    card: OptionalOf[Payload] = None
    boleto: OptionalOf[Payload] = None
    pix: OptionalOf[Payload] = None
    picpay: OptionalOf[Payload] = None


class Notification(Payload):
    data: Entries[Sale]


class Cakto(Adapter[Notification]):
    name, title, origin = "cakto", "Cakto", Origin.COMMERCE
    links = Links(
        signing="https://docs.cakto.com.br/conceitos/webhooks",
        payload="https://docs.cakto.com.br/conceitos/webhooks",
    )
    signature = AnyOf(
        (
            Hmac(
                header="x-cakto-signature",
                encoding="hex",
                prefix="v1=",
                message=time_dot_body("x-cakto-timestamp"),
                signed_words="time, dot and raw body",
                time_header="x-cakto-timestamp",
            ),
            body_token("secret"),
        )
    )
    kind = BodyField("event")
    statuses = status_map(  # the events
        pending="pix_gerado boleto_gerado picpay_gerado openfinance_nubank_gerado",
        paid="purchase_approved subscription_renewed",
        failed="purchase_refused",
        overdue="subscription_renewal_refused",
        refunded="refund chargeback",
    )
    topics = tuple(statuses)
    reads = dict.fromkeys(statuses, Notification)
    ignores = frozenset("initiate_checkout checkout_abandonment refund_requested subscription_*".split())

    def document_of(self, delivery: Delivery) -> Any:
        document = super().document_of(delivery)
        one = document.get("data") if isinstance(document, dict) else None
        return {**document, "data": [one]} if isinstance(one, dict) else document

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        for sale in payload.data:
            status = self.status(event.kind)
            if status is Status.OVERDUE and sale.status == "paid":
                status = Status.PAID
            currency = sale.currency or "BRL"
            total = Money.major(sale.baseAmount if sale.amount is None else sale.amount, currency)
            items = (Item(title=sale.product, unit_value=Money.major(sale.price, currency)),) if sale.product else None
            yield Order(
                external_id=sale.id,
                at=None,  # the times that Cakto gives are the order's own, and a refusal has none
                status=status,
                source_status=event.kind,
                title=order_title(sale.refId, [sale.product]),
                bills=(Bill(value=total),) if total else (),
                payments=(Payment(value=total, state=PaymentState.TAKEN, at=sale.paidAt),)
                if status is Status.PAID
                else (),
                refunds=self._refunds(sale, event.kind),
                ordered_at=sale.createdAt,
                paid_at=sale.paidAt,
                customer=Customer(
                    id=sale.customer_id,
                    name=sale.customer_name,
                    emails=(sale.email,),
                    phones=(sale.phone,),
                    documents=(sale.docNumber,),
                    country="BR" if currency == "BRL" else None,
                ),
                items=items,
                test=True if sale.card and sale.boleto and sale.pix and sale.picpay else None,
            )

    def _refunds(self, sale: Sale, kind: str) -> tuple[Refund, ...]:
        """The whole sale given back; as money by itself, so that a payment that is told late does not undo it."""
        if kind == "refund":
            return (Refund(id=kind, all=True, at=sale.refundedAt),)
        if kind == "chargeback":
            return (Refund(id=kind, all=True, kind=RefundKind.CHARGEBACK, at=sale.chargedbackAt),)
        return ()
