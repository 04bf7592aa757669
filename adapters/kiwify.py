"""Kiwify: one order per delivery; every charge of a subscription is an order of its own.

- Signing: https://docs.kiwify.com.br/api-reference/webhooks/receiving
- Events: https://docs.kiwify.com.br/api-reference/webhooks/create (Kiwify calls them by other names in the body)
- Subscriptions: https://docs.kiwify.com.br/api-reference/webhooks/subscription-events

Decided here, and why:

- The value is `Commissions.charge_amount`, in cents: what the buyer was charged. `my_commission` is what one of the
  sellers gets of it, and a co-producer's hook shows their own.
- Some webhooks wrap the order: {"order": {…}}.
- An abandoned cart names no event; `status: "abandoned"` tells it, and it goes by the name it has in the panel.
- Times are Brasília's, without zone, to the minute: a captured delivery shows them beside a subscription's in UTC.
- Kiwify's test sends sell an "Example product" to johndoe@example.com.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from adapters.contract import (
    BRASILIA,
    UNKNOWN,
    Adapter,
    Customer,
    Delivery,
    Event,
    Field,
    Hmac,
    IfObject,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    currency_code,
    order_title,
)


class Goods(Payload):
    product_name: str | None = None


class Buyer(Payload):
    full_name: str | None = None
    email: str | None = None
    mobile: str | None = None
    CPF: str | None = None
    cnpj: str | None = None


class Shares(Payload):
    charge_amount: int | None = None
    product_base_price: int | None = None
    product_base_price_currency: str | None = None
    currency: str | None = None


class Sale(Payload):
    order_id: str
    order_ref: str | None = None
    order_status: str | None = None
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    approved_date: IsoOrBlank = None
    Product: Annotated[Goods | None, IfObject] = None
    Customer: Annotated[Buyer | None, IfObject] = None
    Commissions: Annotated[Shares | None, IfObject] = None


CART = "carrinho_abandonado"


class Kiwify(Adapter[Sale]):
    name, title, origin = "kiwify", "Kiwify", Origin.COMMERCE
    links = Links(
        signing="https://docs.kiwify.com.br/api-reference/webhooks/receiving",
        payload="https://docs.kiwify.com.br/api-reference/webhooks/receiving",
    )
    setup = (
        "In Kiwify open Apps → Webhooks → Criar webhook.",
        "Give {webhook_url} as the URL, and all products or the ones you want.",
        "Choose the events: all but Carrinho abandonado and Assinatura cancelada, which are no orders.",
        "Copy the webhook's Token and give it to this source as its secret; without a token Kiwify signs nothing.",
    )
    signature = Hmac(query="signature", algorithm="sha1", encoding="hex")
    kind = Field("webhook_event_type")
    statuses = {  # order_status
        "waiting_payment": Status.PENDING,
        "paid": Status.PAID,
        "refused": Status.FAILED,
        "refunded": Status.REFUNDED,
        "chargedback": Status.REFUNDED,
    }
    # What the event itself says, whatever the order's status is called by then.
    told = {
        "billet_created": Status.PENDING,
        "pix_created": Status.PENDING,
        "order_approved": Status.PAID,
        "order_rejected": Status.FAILED,
        "order_refunded": Status.REFUNDED,
        "chargeback": Status.REFUNDED,
        "subscription_renewed": Status.PAID,
        "subscription_late": Status.OVERDUE,
    }
    topics = (
        "boleto_gerado",
        "pix_gerado",
        "compra_aprovada",
        "compra_recusada",
        "compra_reembolsada",
        "chargeback",
        "subscription_renewed",
        "subscription_late",
    )
    reads = dict.fromkeys(told, Sale)
    ignores = frozenset({CART, "subscription_canceled"})
    zone = BRASILIA

    def document_of(self, delivery: Delivery) -> Any:
        document = super().document_of(delivery)
        wrapped = document.get("order") if isinstance(document, dict) else None
        return wrapped if isinstance(wrapped, dict) else document

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        if Field("status").read(delivery, lambda: self.document_of(delivery)) == "abandoned":
            return CART
        return super().kind_of(delivery, options)

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        status = self.status(payload.order_status)
        if status is not UNKNOWN:
            status = self.told[event.kind]
        money, buyer = payload.Commissions or Shares(), payload.Customer or Buyer()
        currency = currency_code(money.currency or money.product_base_price_currency or "BRL")
        goods = payload.Product.product_name if payload.Product else None
        charged = money.product_base_price if money.charge_amount is None else money.charge_amount
        price = charged if money.product_base_price is None else money.product_base_price
        yield Order(
            external_id=payload.order_id,
            at=payload.updated_at,
            status=status,
            source_status=payload.order_status or None,
            title=order_title(payload.order_ref, [goods]),
            value=None if charged is None else Money(charged, currency),
            ordered_at=payload.created_at,
            paid_at=payload.approved_date,
            customer=_customer(payload.Customer) if payload.Customer else None,
            items=(Item(title=goods, unit_value=None if price is None else Money(price, currency)),) if goods else None,
            test=True if goods == "Example product" and buyer.email == "johndoe@example.com" else None,
        )


def _customer(buyer: Buyer) -> Customer:
    return Customer(
        name=buyer.full_name or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=(buyer.mobile,) if buyer.mobile else (),
        documents=tuple(number for number in (buyer.CPF, buyer.cnpj) if number),
    )
