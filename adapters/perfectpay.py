"""Perfect Pay: one sale per delivery, told by the number of its status; there is no event.

- Token, payload, status numbers:
  https://support.perfectpay.com.br/doc/perfectpay/postback/integracao-via-webhook-com-a-perfect-pay

Decided here, and why:

- The value is `sale_amount` (plan and shipping, in units); `commission` shares it out.
- The numbers are those of the manual's postback table, and those that only its API names: what has begun to be disputed or
  given back (17–20) comes in a postback as charged back or refunded, and is read so. Another one leaves the sale where it was.
  `authorized` (8) is not captured yet; `in_mediation` (4) disputes a sale that has been paid; `completed` (10) comes 30 days
  after the approval.
- The manual gives two times only: pending is said at `date_created`, approved at `date_approved`, and the rest has none.
  They carry no zone: Brasília's.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from adapters.contract import (
    BRASILIA,
    Adapter,
    Always,
    Customer,
    Event,
    IfObject,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Unreadable,
    body_token,
    order_title,
)


class Named(Payload):
    """A product or a plan."""

    name: str | None = None


class Buyer(Payload):
    full_name: str | None = None
    email: str | None = None
    identification_number: str | None = None
    phone_extension: str | None = None
    phone_area_code: str | None = None
    phone_number: str | None = None


class Sale(Payload):
    code: str
    sale_status_enum: str
    sale_status_enum_key: str | None = None
    sale_amount: Decimal | None = None
    currency_enum: str | None = None
    currency_enum_key: str | None = None
    date_created: IsoOrBlank = None
    date_approved: IsoOrBlank = None
    product: Annotated[Named | None, IfObject] = None
    plan: Annotated[Named | None, IfObject] = None
    customer: Annotated[Buyer | None, IfObject] = None


PRECHECKOUT = "12"  # an abandoned cart
CURRENCIES = {"1": "BRL", "2": "USD", "3": "EUR"}  # currency_enum


class PerfectPay(Adapter[Sale]):
    name, title, origin = "perfectpay", "Perfect Pay", Origin.COMMERCE
    links = Links(
        signing="https://support.perfectpay.com.br/doc/perfectpay/postback/integracao-via-webhook-com-a-perfect-pay",
        payload="https://support.perfectpay.com.br/doc/perfectpay/postback/integracao-via-webhook-com-a-perfect-pay",
    )
    setup = (
        "In Perfect Pay open Ferramentas → Webhook - Vendas → Adicionar.",
        "Choose the products, give {webhook_url} as the URL, and Perfect Pay as the format of the postback.",
        "Choose all events but Pré Checkout (an abandoned cart), without delay, and save.",
        "Copy the token that is shown for this webhook and give it to this source as its secret.",
    )
    signature = body_token("token")
    kind = Always("sale")
    reads = {"sale": Sale}
    statuses = {  # sale_status_enum
        "0": None,  # none
        "1": Status.PENDING,  # pending: a slip or PIX that waits
        "2": Status.PAID,  # approved
        "3": Status.PENDING,  # in_process: looked at by hand
        "4": Status.PAID,  # in_mediation
        "5": Status.FAILED,  # rejected
        "6": Status.CANCELED,  # cancelled
        "7": Status.REFUNDED,  # refunded
        "8": Status.PENDING,  # authorized
        "9": Status.REFUNDED,  # charged_back
        "10": Status.PAID,  # completed
        "11": Status.FAILED,  # checkout_error
        "13": Status.CANCELED,  # expired
        "15": Status.CANCELED,  # cancelled_regenerated
        "16": Status.PENDING,  # in_review
        "17": Status.REFUNDED,  # pre_chargeback
        "18": Status.REFUNDED,  # pre_refunded
        "19": Status.REFUNDED,  # med: PIX's way to dispute
        "20": Status.REFUNDED,  # pre_med
    }
    zone = BRASILIA

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        if payload.sale_status_enum == PRECHECKOUT:
            raise Ignored("an abandoned cart (precheckout) is not an order")
        status = self.status(payload.sale_status_enum)
        goods = [thing.name for thing in (payload.plan, payload.product) if thing and thing.name]
        yield Order(
            external_id=payload.code,
            at=_at(payload, status),
            status=status,
            source_status=payload.sale_status_enum_key or payload.sale_status_enum or None,
            title=order_title(payload.code, goods[:1]),
            value=_value(payload),
            ordered_at=payload.date_created,
            paid_at=payload.date_approved,
            customer=_customer(payload.customer) if payload.customer else None,
            items=(Item(title=goods[0]),) if goods else None,
        )


def _at(sale: Sale, status: object) -> datetime | None:
    if status is Status.PAID:
        return sale.date_approved
    return sale.date_created if sale.sale_status_enum == "1" else None


def _value(sale: Sale) -> Money | None:
    if sale.sale_amount is None:
        return None
    currency = sale.currency_enum_key or CURRENCIES.get(sale.currency_enum or "1")
    if currency is None:
        raise Unreadable("currency_enum: is a number that the manual does not know")
    return Money.major(sale.sale_amount, currency)


def _customer(buyer: Buyer) -> Customer:
    number = "".join(part for part in (buyer.phone_area_code, buyer.phone_number) if part)
    if number and buyer.phone_extension:
        number = f"+{buyer.phone_extension.removeprefix('+')}{number}"
    return Customer(
        name=buyer.full_name or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=(number,) if number else (),
        documents=(buyer.identification_number,) if buyer.identification_number else (),
    )
