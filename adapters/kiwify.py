"""Kiwify: one order per delivery; every charge of a subscription is an order of its own.

- Signing: https://docs.kiwify.com.br/api-reference/webhooks/receiving
- Events: https://docs.kiwify.com.br/api-reference/webhooks/create (Kiwify calls them by other names in the body)
- Statuses and customer of a sale: https://docs.kiwify.com.br/api-reference/sales/list
- Subscriptions: https://docs.kiwify.com.br/api-reference/webhooks/subscription-events

Decided here, and why:

- The value is `Commissions.charge_amount`, in cents: what the buyer was charged. `my_commission` is what one of the
  sellers gets of it, and a co-producer's hook shows their own.
- Some webhooks wrap the order: {"order": {…}}.
- An abandoned cart names no event; `status: "abandoned"` tells it, and it goes by the name it has in the panel.
- Events of a subscription bring its latest order, as it stands by then: one that was paid or given back is not overdue.
  A refused renewal is told twice, as refused and as late, and may be tried again until the subscription is canceled. All
  three may bear the same time, which is the order's.
- Times are Brasília's, without zone, to the minute: a captured delivery shows them beside a subscription's in UTC.
- Kiwify's test sends sell an "Example product" to johndoe@example.com.
"""

from collections.abc import Iterable
from typing import Any

from adapters.contract import (
    BRASILIA,
    UNKNOWN,
    Adapter,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Event,
    Hmac,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Status,
    order_title,
    path,
    status_map,
)


class Sale(Payload):
    order_id: str
    order_ref: str | None = None
    order_status: str | None = None
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    approved_date: IsoOrBlank = None
    product: str | None = path("Product.product_name")
    name: str | None = path("Customer.full_name")
    email: str | None = path("Customer.email")
    mobile: str | None = path("Customer.mobile")
    cpf: str | None = path("Customer.CPF")
    cnpj: str | None = path("Customer.cnpj")
    country: str | None = path("Customer.country")
    charge_amount: int | None = path("Commissions.charge_amount")
    base_price: int | None = path("Commissions.product_base_price")
    base_currency: str | None = path("Commissions.product_base_price_currency")
    currency: str | None = path("Commissions.currency")


CART = "carrinho_abandonado"
# Of a renewal that was not paid, what stands in which place after its refusal.
LATER = {"subscription_late": 1, "subscription_canceled": 2}


class Kiwify(Adapter[Sale]):
    name, title, origin = "kiwify", "Kiwify", Origin.COMMERCE
    links = Links(
        signing="https://docs.kiwify.com.br/api-reference/webhooks/receiving",
        payload="https://docs.kiwify.com.br/api-reference/webhooks/receiving",
    )
    signature = Hmac(query="signature", algorithm="sha1", encoding="hex")
    kind = BodyField("webhook_event_type")
    statuses = status_map(  # order_status
        pending="waiting_payment pending processing authorized",
        paid="paid approved refund_requested pending_refund",  # asked back is not given back
        failed="refused",
        refunded="refunded chargedback",
    )
    # What the event itself says; an order that is further on, by its own status, stays so.
    told = status_map(
        pending="billet_created pix_created",
        overdue="subscription_late",
        failed="order_rejected",
        paid="order_approved subscription_renewed",
        refunded="order_refunded chargeback",
        nothing="subscription_canceled",
    )
    topics = tuple(
        "boleto_gerado pix_gerado compra_aprovada compra_recusada compra_reembolsada chargeback subscription_renewed "
        "subscription_late subscription_canceled".split()
    )
    reads = dict.fromkeys(told, Sale)
    ignores = frozenset({CART})
    zone = BRASILIA

    def document_of(self, delivery: Delivery) -> Any:
        document = super().document_of(delivery)
        wrapped = document.get("order") if isinstance(document, dict) else None
        return wrapped if isinstance(wrapped, dict) else document

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        if BodyField("status").read(delivery, lambda: self.document_of(delivery)) == "abandoned":
            return CART
        return super().kind_of(delivery, options)

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        word, told, goods = self.status(payload.order_status), self.told[event.kind], payload.product
        further = word in (UNKNOWN, Status.REFUNDED) or (word is Status.PAID and told is not Status.REFUNDED)
        status = word if further or told is None else told
        currency = payload.currency or payload.base_currency or "BRL"
        charged = payload.base_price if payload.charge_amount is None else payload.charge_amount
        total = Money.of(charged, currency)
        price = charged if payload.base_price is None else payload.base_price
        yield Order(
            external_id=payload.order_id,
            at=payload.updated_at,
            sequence=LATER.get(event.kind) if status in (Status.OVERDUE, Status.FAILED) else None,
            status=status,
            source_status=payload.order_status,
            title=order_title(payload.order_ref, [goods]),
            bills=(Bill(value=total),) if total else (),
            payments=(Payment(value=total, state=PaymentState.TAKEN, at=payload.approved_date),)
            if status is Status.PAID
            else (),
            ordered_at=payload.created_at,
            paid_at=payload.approved_date,
            customer=Customer(
                name=payload.name,
                emails=(payload.email,),
                phones=(payload.mobile,),
                documents=(payload.cpf, payload.cnpj),
                country=payload.country or ("BR" if currency == "BRL" else None),
            ),
            items=(Item(title=goods, unit_value=Money.of(price, currency)),) if goods else None,
            test=True if goods == "Example product" and payload.email == "johndoe@example.com" else None,
        )
