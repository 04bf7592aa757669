"""Perfect Pay: one sale per delivery, told by the number of its status; there is no event.

- Token, payload, status numbers:
  https://support.perfectpay.com.br/doc/perfectpay/postback/integracao-via-webhook-com-a-perfect-pay

Decided here, and why:

- The value is `sale_amount` (plan and shipping, in units); `commission` shares it out.
- The numbers are those of the manual's postback table, and those that only its API names. What has only begun to be disputed or
  given back (17, 18, 20) is still paid, and may be dropped. An unknown number leaves the sale where it was.
  `authorized` (8) is not captured yet; `in_mediation` (4) disputes a sale that has been paid; `completed` (10) comes 30 days
  after the approval.
- The manual gives two times only, of the sale and of its payment; none of a statement. So statements stand in the order of
  their receipt. The times carry no zone: Brasília's.
"""

from collections.abc import Iterable
from decimal import Decimal

from adapters.contract import (
    BRASILIA,
    Adapter,
    Bill,
    Constant,
    Customer,
    Event,
    Ignored,
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
    Unreadable,
    body_token,
    order_title,
    path,
    status_map,
)


class Sale(Payload):
    code: str
    sale_status_enum: str
    sale_status_enum_key: str | None = None
    sale_amount: Decimal | None = None
    currency_enum: str | None = None
    currency_enum_key: str | None = None
    date_created: IsoOrBlank = None
    date_approved: IsoOrBlank = None
    plan_name: str | None = path("plan.name")
    product_name: str | None = path("product.name")
    buyer_name: str | None = path("customer.full_name")
    email: str | None = path("customer.email")
    identification_number: str | None = path("customer.identification_number")
    phone_extension: str | None = path("customer.phone_extension")
    phone_area_code: str | None = path("customer.phone_area_code")
    phone_number: str | None = path("customer.phone_number")
    country: str | None = path("customer.country")


PRECHECKOUT = "12"  # of sale_status_enum: an abandoned cart
CURRENCIES = {"1": "BRL", "2": "USD", "3": "EUR"}  # currency_enum


class PerfectPay(Adapter[Sale]):
    name, title, origin = "perfectpay", "Perfect Pay", Origin.COMMERCE
    links = Links(
        signing="https://support.perfectpay.com.br/doc/perfectpay/postback/integracao-via-webhook-com-a-perfect-pay",
        payload="https://support.perfectpay.com.br/doc/perfectpay/postback/integracao-via-webhook-com-a-perfect-pay",
    )
    signature = body_token("token")
    kind = Constant("sale")
    reads = {"sale": Sale}
    statuses = status_map(  # sale_status_enum
        pending="1 3 8 16",  # pending (a slip or PIX that waits), in_process (looked at by hand), authorized, in_review
        # approved, in_mediation, completed; pre_chargeback, pre_refunded, pre_med: a dispute still open is no refund
        paid="2 4 10 17 18 20",
        failed="5 11",  # rejected, checkout_error
        canceled="6 13 15",  # cancelled, expired, cancelled_regenerated
        refunded="7 9 19",  # refunded, charged_back, med (PIX's way to give back)
        nothing="0",  # none
    )
    zone = BRASILIA

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        if payload.sale_status_enum == PRECHECKOUT:
            raise Ignored("an abandoned cart (precheckout) is not an order")
        currency = payload.currency_enum_key or CURRENCIES.get(payload.currency_enum or "1")
        if currency is None and payload.sale_amount is not None:
            raise Unreadable("currency_enum: is a number that the manual does not know")
        status, goods = self.status(payload.sale_status_enum), payload.plan_name or payload.product_name
        total = Money.major(payload.sale_amount, currency)
        yield Order(
            external_id=payload.code,
            at=None,
            status=status,
            source_status=payload.sale_status_enum_key or payload.sale_status_enum,
            title=order_title(payload.code, [goods]),
            bills=(Bill(value=total),) if total else (),
            payments=(Payment(value=total, state=PaymentState.TAKEN, at=payload.date_approved),)
            if status is Status.PAID
            else (),
            ordered_at=payload.date_created,
            paid_at=payload.date_approved,
            customer=Customer(
                name=payload.buyer_name,
                emails=(payload.email,),
                phones=(_phone(payload),),
                documents=(payload.identification_number,),
                country=payload.country or ("BR" if currency == "BRL" else None),
            ),
            items=(Item(title=goods),) if goods else None,
        )


def _phone(sale: Sale) -> str:
    number = (sale.phone_area_code or "") + (sale.phone_number or "")
    return f"+{sale.phone_extension.removeprefix('+')}{number}" if number and sale.phone_extension else number
