"""Asaas: a charge and what became of it. The customer is only an id.

- Token and delivery: https://docs.asaas.com/docs/receba-eventos-do-asaas-no-seu-endpoint-de-webhook
- Events and payload: https://docs.asaas.com/docs/webhook-para-cobrancas
- Refunds: https://docs.asaas.com/docs/refunds

Decided here, and why:

- A chargeback has taken the money (refunded), also while it is contested; a won one comes back as CONFIRMED or RECEIVED.
- A slip may be anticipated before it is paid: PAYMENT_ANTICIPATED says no more than the payment's own status.
- Dates have no time and no zone: Brasília is meant. `paymentDate` is when Asaas was paid; the customer paid on
  `clientPaymentDate`, and that does not move when a card's money arrives a month later (CONFIRMED, then RECEIVED).
- The body names no currency: Asaas charges in reais only.
"""

from collections.abc import Iterable
from decimal import Decimal

from adapters.contract import (
    BRASILIA,
    UNKNOWN,
    Adapter,
    Customer,
    Event,
    Field,
    IsoOrBlank,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Token,
    order_title,
)

# The one id under which all that was given back so far is kept: refunds have no id of their own.
TOTAL = "total"


class Refund(Payload):
    status: str | None = None
    value: Decimal | None = None


class Payment(Payload):
    id: str
    status: str
    value: Decimal
    customer: str | None = None
    description: str | None = None
    invoiceNumber: str | None = None
    invoiceUrl: str | None = None
    dateCreated: IsoOrBlank = None
    confirmedDate: IsoOrBlank = None
    clientPaymentDate: IsoOrBlank = None
    paymentDate: IsoOrBlank = None
    deleted: bool | None = None
    refunds: list[Refund] | None = None


class Notification(Payload):
    dateCreated: IsoOrBlank = None
    payment: Payment


class Asaas(Adapter[Notification]):
    name, title, origin = "asaas", "Asaas", Origin.PAYMENTS
    links = Links(
        signing="https://docs.asaas.com/docs/receba-eventos-do-asaas-no-seu-endpoint-de-webhook",
        payload="https://docs.asaas.com/docs/webhook-para-cobrancas",
    )
    setup = (
        "In Asaas open the user menu → Integrações → Webhooks → Criar Webhook.",
        "Give {webhook_url} as the URL, API version v3, and a mail address that is told when the queue stops.",
        "Paste this source's secret as Token de autenticação (it comes with every delivery).",
        "Choose any type of sending, and under Cobranças all events that are listed under topics; save it as active.",
        "After 15 failures Asaas stops the queue: turn it on again in the same place; events are kept 14 days.",
    )
    signature = Token(header="asaas-access-token")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    patience = (
        "takes 200 only, within 10 seconds; after 15 failures the whole queue stops until it is turned on by hand"
    )
    kind = Field("event")
    delivery_id = Field("id")  # the same on every try
    topics = (
        "PAYMENT_CREATED",
        "PAYMENT_UPDATED",
        "PAYMENT_AWAITING_RISK_ANALYSIS",
        "PAYMENT_APPROVED_BY_RISK_ANALYSIS",
        "PAYMENT_REPROVED_BY_RISK_ANALYSIS",
        "PAYMENT_AUTHORIZED",
        "PAYMENT_CONFIRMED",
        "PAYMENT_RECEIVED",
        "PAYMENT_ANTICIPATED",
        "PAYMENT_CREDIT_CARD_CAPTURE_REFUSED",
        "PAYMENT_OVERDUE",
        "PAYMENT_DELETED",
        "PAYMENT_RESTORED",
        "PAYMENT_REFUNDED",
        "PAYMENT_PARTIALLY_REFUNDED",
        "PAYMENT_REFUND_IN_PROGRESS",
        "PAYMENT_REFUND_DENIED",
        "PAYMENT_RECEIVED_IN_CASH_UNDONE",
        "PAYMENT_CHARGEBACK_REQUESTED",
        "PAYMENT_CHARGEBACK_DISPUTE",
        "PAYMENT_AWAITING_CHARGEBACK_REVERSAL",
        "PAYMENT_DUNNING_RECEIVED",
        "PAYMENT_DUNNING_REQUESTED",
    )
    reads = dict.fromkeys(topics, Notification)
    ignores = frozenset(
        {
            "PAYMENT_BANK_SLIP_*",
            "PAYMENT_CHECKOUT_VIEWED",
            "PAYMENT_SPLIT_*",
            "SUBSCRIPTION_*",
            "CHECKOUT_*",
            "INVOICE_*",
            "TRANSFER_*",
            "BILL_*",
            "PIX_AUTOMATIC_*",
            "ACCOUNT_STATUS_*",
            "ACCESS_TOKEN_*",
            "BALANCE_VALUE_*",
            "INTERNAL_TRANSFER_*",
            "MOBILE_PHONE_RECHARGE_*",
            "RECEIVABLE_ANTICIPATION_*",
        }
    )
    statuses = {  # payment.status
        "PENDING": Status.PENDING,
        "AWAITING_RISK_ANALYSIS": Status.PENDING,
        "AUTHORIZED": Status.PENDING,
        "CONFIRMED": Status.PAID,
        "RECEIVED": Status.PAID,
        "RECEIVED_IN_CASH": Status.PAID,
        "DUNNING_RECEIVED": Status.PAID,
        "REFUND_REQUESTED": Status.PAID,
        "REFUND_IN_PROGRESS": Status.PAID,
        "OVERDUE": Status.OVERDUE,
        "DUNNING_REQUESTED": Status.OVERDUE,
        "REFUNDED": Status.REFUNDED,
        "CHARGEBACK_REQUESTED": Status.REFUNDED,
        "CHARGEBACK_DISPUTE": Status.REFUNDED,
        "AWAITING_CHARGEBACK_REVERSAL": Status.REFUNDED,
    }

    # What the event itself says, whatever payment.status is called by then.
    told = {
        "PAYMENT_CONFIRMED": Status.PAID,
        "PAYMENT_RECEIVED": Status.PAID,
        "PAYMENT_DUNNING_RECEIVED": Status.PAID,
        "PAYMENT_PARTIALLY_REFUNDED": Status.PAID,
        "PAYMENT_REFUND_IN_PROGRESS": Status.PAID,
        "PAYMENT_OVERDUE": Status.OVERDUE,
        "PAYMENT_DUNNING_REQUESTED": Status.OVERDUE,
        "PAYMENT_REFUNDED": Status.REFUNDED,
        "PAYMENT_CHARGEBACK_REQUESTED": Status.REFUNDED,
        "PAYMENT_CHARGEBACK_DISPUTE": Status.REFUNDED,
        "PAYMENT_AWAITING_CHARGEBACK_REVERSAL": Status.REFUNDED,
        "PAYMENT_DELETED": Status.CANCELED,
        "PAYMENT_CREDIT_CARD_CAPTURE_REFUSED": Status.FAILED,
        "PAYMENT_REPROVED_BY_RISK_ANALYSIS": Status.FAILED,
    }
    zone = BRASILIA

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        payment = payload.payment
        status = self.status(payment.status)
        if status is not UNKNOWN:
            status = self.told.get(event.kind, Status.CANCELED if payment.deleted else status)
        back = [
            Money.major(each.value, "BRL") for each in payment.refunds or [] if each.value and each.status == "DONE"
        ]
        yield Order(
            external_id=payment.id,
            at=payload.dateCreated,
            status=status,
            source_status=payment.status,
            title=order_title(payment.invoiceNumber, [payment.description]),
            value=Money.major(payment.value, "BRL"),
            refunds={TOTAL: Money(sum(each.minor for each in back), "BRL")} if back else None,
            ordered_at=payment.dateCreated,
            paid_at=payment.clientPaymentDate or payment.confirmedDate or payment.paymentDate,
            customer=Customer(id=payment.customer) if payment.customer else None,
            url=payment.invoiceUrl or None,
        )
