"""Mercado Pago: a notice says which payment or order changed; what it is now is read from the API.

- Signing: https://www.mercadopago.com.br/developers/pt/docs/your-integrations/notifications/webhooks
- Payments: https://www.mercadopago.com.br/developers/pt/reference/payments/_payments_id/get
- Payment statuses: https://www.mercadopago.com.br/developers/en/docs/checkout-api-payments/response-handling/query-results
- Order statuses: https://www.mercadopago.com.br/developers/en/docs/checkout-api-orders/payment-management/status/order-status

Decided here, and why:

- The signature covers the id in the address, the request's id and a time, but not the body: nothing of a body is
  believed, and a repeated notice can only make us read the same payment again. So its age does not matter (and both
  seconds and milliseconds are documented for it).
- `data.id` is signed as it came (the SDKs, mercadopago 3.6.0 `webhook/validator.py`) or in lower case (the manual).
- The sale is the merchant order (`order.id` of a payment): attempts and two cards of one checkout name the same one.
  Payments that a shop makes itself (Checkout API) have none: tries of one sale share the shop's `external_reference`. So do the
  cycles of a subscription, and the sales of a shop that counts otherwise: what waits is no try of another sale yet.
  Merchant orders themselves are not read: their payments are told one by one, and would count twice.
- Where a shop's `notification_url` asks for no one format, each change is told as IPN as well (`topic` in place of `type`):
  it says nothing new.
- An order does not say when it was paid: the first statement that it was counts.
- `transaction_amount` is the price of the goods; what was charged for shipping (`shipments.cost` of a preference) stands in
  `shipping_amount`, as Mercado Pago's own plugin for WooCommerce adds them up. Interest of instalments is the buyer's affair.
- A payment that was captured in part says the smaller `transaction_amount` from then on.
- A test user's payment has `is_test`, and `live_mode` all the same.
- An account is of one country, whose currency it takes: there the phones are read.
- A chargeback in process is an open dispute. Once decided, the manuals of payments and of orders use `reimbursed` for
  opposite outcomes; each is read as its own manual says.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.contract import (
    Adapter,
    Api,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Event,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    RefundKind,
    RefundState,
    Signature,
    Strength,
    Unreadable,
    Unverified,
    bearer,
    full_name,
    names_another,
    one_header,
    order_title,
    path,
    replace,
    status_map,
    text_key,
    usable,
)
from adapters.contract import Refund as Told

# Orders name their country, and not always their currency.
CURRENCIES = {"BR": "BRL", "AR": "ARS", "MX": "MXN", "CL": "CLP", "CO": "COP", "PE": "PEN", "UY": "UYU"}
COUNTRIES = {currency: country for country, currency in CURRENCIES.items()}
CURRENCIES |= {"BRA": "BRL", "ARG": "ARS", "MEX": "MXN", "CHL": "CLP", "COL": "COP", "PER": "PEN", "URY": "UYU"}

# How far a payment is, a payment's words first, those of an order's payments after them.
STATES = {
    **dict.fromkeys("approved in_mediation charged_back refunded processed".split(), PaymentState.TAKEN),
    **dict.fromkeys("authorized waiting_capture".split(), PaymentState.AUTHORIZED),
    **dict.fromkeys("rejected failed".split(), PaymentState.FAILED),
    **dict.fromkeys("cancelled canceled".split(), PaymentState.CANCELED),
}
# How far a refund is; what is not here is under way.
REFUNDS = {
    **dict.fromkeys("approved processed".split(), RefundState.DONE),
    **dict.fromkeys("rejected failed cancelled canceled".split(), RefundState.FAILED),
}
# How a chargeback ended: the manuals of payments and of orders use opposite words. Without one the money is gone.
CHARGEBACKS = {
    "payment": {"in_process": RefundState.PENDING, "reimbursed": RefundState.REVERSED},
    "order": {"in_process": RefundState.PENDING, "settled": RefundState.REVERSED},
}

BRAZILIAN = frozenset({"CPF", "CNPJ"})

IPN = "ipn"


@dataclass(frozen=True, slots=True)
class Manifest(Signature):
    """`x-signature: ts=…,v1=…`: HMAC-SHA256, hex, of `id:{data.id};request-id:{x-request-id};ts:{ts};`.

    A part that did not come is left out together with its name (mercadopago 3.6.0 `webhook/validator.py`).
    """

    strength = Strength.TOKEN

    def expected(self, delivery: Delivery, data_id: str, sent_at: str, secret: str) -> bytes:
        """The value that this secret gives."""
        request_id = delivery.headers.get("x-request-id")
        parts = {"id": data_id, "request-id": request_id, "ts": sent_at}
        manifest = "".join(f"{name}:{value};" for name, value in parts.items() if value)
        return hmac.digest(text_key(secret), manifest.encode("utf-8", "surrogatepass"), hashlib.sha256).hex().encode()

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        parts = [part.partition("=") for part in one_header(delivery, ("x-signature",)).split(",")[:16]]
        named = {name.strip().lower(): value.strip() for name, _, value in parts}
        sent_at, sent = named.get("ts", ""), named.get("v1", "")
        if not (sent and sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 16):
            raise Unverified(Unverified.MALFORMED)
        if "x-request-id" in delivery.repeated:
            raise Unverified(Unverified.REPEATED)
        given = delivery.query.get("data.id", "")
        for secret in candidates:
            for data_id in dict.fromkeys((given, given.lower())):
                ours = self.expected(delivery, data_id, sent_at, secret)
                if hmac.compare_digest(ours, sent.encode("utf-8", "surrogatepass")):
                    return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        sent_at = str(int(now.timestamp()) * 1000)
        mac = self.expected(delivery, delivery.query.get("data.id", ""), sent_at, secret).decode()
        return delivery.changed(headers={"x-signature": f"ts={sent_at},v1={mac}"})

    @property
    def description(self) -> str:
        return (
            "HMAC-SHA256 of the id in the address, the request's id and a time, hex, in the header `x-signature`; "
            "the body is not covered, and is read back from the source"
        )


class Notice(Payload):
    id: str | None = path("data.id")


class Line(Payload):
    title: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None


class Refund(Payload):
    id: str | None = None
    amount: Decimal | None = None
    status: str = "processed"
    payment_id: str | None = path("transaction_id")
    created: IsoOrBlank = path("date_created")


class Attempt(Payload):
    """A payment of an order."""

    id: str
    amount: Decimal | None = path("amount", "paid_amount")
    status: str | None = None
    status_detail: str | None = None


class Sale(Payload):
    """A payment (`/v1/payments/…`) or an order (`/v1/orders/…`); where they differ, the names of the first come first."""

    id: str
    status: str
    status_detail: str | None = None
    amount: Decimal | None = path("transaction_amount", "total_amount")
    currency: str | None = path("currency_id", "currency")
    country_code: str | None = None
    shipping_amount: Decimal | None = None
    transaction_amount_refunded: Decimal | None = None
    merchant_order: str | None = path("order.id")
    attempts: ListOf[Attempt] = path("transactions.payments", otherwise=())
    refunds: ListOf[Refund] = path("refunds", "transactions.refunds", otherwise=())
    created: IsoOrBlank = path("date_created", "created_date")
    updated: IsoOrBlank = path("date_last_updated", "last_updated_date")
    date_approved: IsoOrBlank = None
    external_reference: str | None = None
    operation_type: str | None = None
    description: str | None = None
    items: ListOf[Line] = path("additional_info.items", "items", otherwise=())
    live_mode: bool | None = None
    is_test: bool | None = None
    customer_id: str | None = path("payer.customer_id")
    payer_id: str | None = path("payer.id")
    email: str | None = path("payer.email")
    document_type: str | None = path("payer.identification.type")
    document: str | None = path("payer.identification.number")
    first_name: str | None = path("payer.first_name")
    last_name: str | None = path("payer.last_name")
    area_code: str | None = path("payer.phone.area_code")
    number: str | None = path("payer.phone.number")
    # What the shop itself sent along.
    sent_first_name: str | None = path("additional_info.payer.first_name")
    sent_last_name: str | None = path("additional_info.payer.last_name")
    sent_area_code: str | None = path("additional_info.payer.phone.area_code")
    sent_number: str | None = path("additional_info.payer.phone.number")
    crm_contact_id: str | None = path("metadata.crm_contact_id")
    deal_id: str | None = path("metadata.deal_id")


NEEDED = {
    "payment": "transaction_amount, currency_id: a payment has both",
    "order": "total_amount, currency, country_code: an order has an amount, and says where it is paid",
}


class MercadoPago(Adapter[Sale]):
    name, title, origin = "mercadopago", "Mercado Pago", Origin.PAYMENTS
    links = Links(
        signing="https://www.mercadopago.com.br/developers/pt/docs/your-integrations/notifications/webhooks",
        payload="https://www.mercadopago.com.br/developers/pt/reference/payments/_payments_id/get",
    )
    topics = ("payment", "order")
    signature = Manifest()
    retry_policy = "takes 200 or 201 within 22 seconds; tries again after 15 minutes, then ever later, for several days"
    kind = BodyField("type")
    # Sample notices of the manual share one id; with what happened and when, they stay apart, and a repeat is the same.
    delivery_id = BodyField("id", "action", "date_created")
    reads = {}
    ignores = frozenset(
        f"{IPN} topic_* merchant_order subscription_* plan invoice mp-connect wallet_* delivery* point_integration_* "
        "stop_delivery_*".split()
    )
    statuses = status_map(
        "payment",
        pending="pending in_process authorized",
        # In mediation is an open dispute about money that was paid; `reimbursed` is to the seller.
        paid="approved in_mediation charged_back.in_process charged_back.reimbursed",
        failed="rejected",
        canceled="cancelled canceled",  # the second is the newer pages' spelling
        refunded="refunded charged_back",
    ) | status_map(
        "order",
        pending="created processing action_required at_terminal",
        paid="processed charged_back.in_process charged_back.settled",  # the last is to the seller
        failed="failed",
        canceled="cancelled canceled expired",
        refunded="refunded processed.refunded charged_back",
    )
    api = Api(
        origin="https://api.mercadopago.com",
        authorize=bearer,
        key_description="the Access Token of the application (Suas integrações → Credenciais de produção, APP_USR-…)",
    )
    fetches = dict.fromkeys(topics, Notice)
    resource = Sale

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        document = self.document_of(delivery)
        told = isinstance(document, dict) and "type" in document
        return IPN if not told and "topic" in delivery.query else super().kind_of(delivery, options)

    def path(self, notice: Notice, event: Event[Any]) -> str:
        proven, told = event.delivery.query.get("data.id", ""), notice.id or ""
        # The address may spell the id in lower case; the body then has it as the API knows it.
        found = told if told.lower() == proven.lower() else proven
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", found):
            raise Unreadable("data.id: the address must name the payment or order; the id there is what is signed")
        return f"/v1/{event.kind}s/{found}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        currency = payload.currency or CURRENCIES.get((payload.country_code or "").upper())
        if payload.amount is None or not currency:
            raise Unreadable(NEEDED[event.kind])
        word = f"{event.kind}.{payload.status}"
        value, kind = _value(payload, currency), event.kind
        items = tuple(
            Item(title=line.title, quantity=line.quantity, unit_value=Money.major(line.unit_price, currency))
            for line in payload.items
        )
        payment = Payment(id=payload.id, value=value, state=STATES.get(payload.status), at=payload.date_approved)
        decided = payment.state is not None and payload.operation_type != "recurring_payment"
        order = Order(
            external_id=payload.merchant_order or payload.id,
            aliases=(payload.id,),
            attempt_of=(payload.external_reference,) if decided and kind == "payment" else (),
            at=payload.updated,
            status=self.status(f"{word}.{payload.status_detail}", word),
            source_status=payload.status,
            title=order_title(payload.external_reference, items or [payload.description]),
            payments=(payment,),
            refunds=_refunds(payload, currency, kind),
            ordered_at=payload.created,
            customer=_customer(payload, COUNTRIES.get(currency)),
            items=items or None,
            test=None if (payload.live_mode, payload.is_test) == (None, None) else _is_test(payload),
            deal_id=payload.deal_id,
        )
        if kind == "order":
            payments = tuple(_attempt(each, currency) for each in payload.attempts)
            order = replace(order, bills=(Bill(value=value),), payments=payments)
        yield order


def _attempt(attempt: Attempt, currency: str) -> Payment:
    state = STATES.get(attempt.status_detail or "") or STATES.get(attempt.status or "")
    return Payment(id=attempt.id, value=Money.major(attempt.amount, currency), state=state)


def _refunds(sale: Sale, currency: str, kind: str) -> tuple[Told, ...]:
    """The refunds by their ids; of a payment also how much was given back so far. A chargeback takes the rest."""
    payment = sale.id if kind == "payment" else None
    told = [
        Told(
            id=refund.id,
            value=Money.major(refund.amount, currency),
            state=REFUNDS.get(refund.status, RefundState.PENDING),
            at=refund.created,
            payment=refund.payment_id or payment,
        )
        for refund in sale.refunds
    ]
    value, so_far = _value(sale, currency), Money.major(sale.transaction_amount_refunded, currency)
    if so_far and so_far.minor and sale.status == "refunded":
        so_far = value  # the shipping as well
    if so_far and (so_far.minor or sale.status != "refunded"):
        told.append(Told(value=so_far, total=True, payment=payment))
    if sale.status == "charged_back":
        given = so_far or Money.total(one.value for one in told if one.state is RefundState.DONE)
        rest = Money(max(value.minor - given.minor, 0), value.currency) if value and given else value
        ended = CHARGEBACKS[kind].get(sale.status_detail or "", RefundState.DONE)
        name = f"chargeback-{sale.id}"
        told.append(Told(id=name, value=rest, state=ended, kind=RefundKind.CHARGEBACK, payment=payment))
    return tuple(told)


def _value(sale: Sale, currency: str) -> Money | None:
    """What it comes to; of a payment, the shipping stands beside the goods."""
    return Money.total(Money.major(amount, currency) for amount in (sale.amount, sale.shipping_amount))


def _is_test(sale: Sale) -> bool:
    return bool(sale.is_test) or sale.live_mode is False


def _customer(sale: Sale, country: str | None) -> Customer:
    """The payer; for privacy, much of it is null, and what the shop itself sent along helps out."""
    name, sent = full_name(sale.first_name, sale.last_name), full_name(sale.sent_first_name, sale.sent_last_name)
    phones = [(sale.area_code, sale.number)]
    if not names_another(sent, name):  # whoever bought need not be whoever pays
        phones.append((sale.sent_area_code, sale.sent_number))
    return Customer(
        name=name or sent,
        id=sale.customer_id or sale.payer_id,
        crm_id=sale.crm_contact_id,
        emails=(sale.email,),
        phones=tuple(f"{area or ''}{number}" for area, number in phones if number),
        documents=(sale.document,) if sale.document_type in BRAZILIAN else (),
        country=country,
    )
