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
    BodyField,
    Customer,
    Event,
    IsoOrBlank,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Token,
    order_title,
    path,
    refund_total,
    status_map,
)


class Refund(Payload):
    status: str | None = None
    value: Decimal | None = None


class Payment(Payload):
    id: str = path("payment.id", otherwise=...)
    status: str = path("payment.status", otherwise=...)
    value: Decimal = path("payment.value", otherwise=...)
    customer: str | None = path("payment.customer")
    description: str | None = path("payment.description")
    invoiceNumber: str | None = path("payment.invoiceNumber")
    invoiceUrl: str | None = path("payment.invoiceUrl")
    ordered_at: IsoOrBlank = path("payment.dateCreated")
    confirmedDate: IsoOrBlank = path("payment.confirmedDate")
    clientPaymentDate: IsoOrBlank = path("payment.clientPaymentDate")
    paymentDate: IsoOrBlank = path("payment.paymentDate")
    deleted: bool | None = path("payment.deleted")
    refunds: ListOf[Refund] = path("payment.refunds", otherwise=())
    dateCreated: IsoOrBlank = None  # of the event


class Asaas(Adapter[Payment]):
    name, title, origin = "asaas", "Asaas", Origin.PAYMENTS
    links = Links(
        signing="https://docs.asaas.com/docs/receba-eventos-do-asaas-no-seu-endpoint-de-webhook",
        payload="https://docs.asaas.com/docs/webhook-para-cobrancas",
    )
    signature = Token(header="asaas-access-token")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    retry_policy = (
        "takes 200 only, within 10 seconds; after 15 failures the whole queue stops until it is turned on by hand"
    )
    kind = BodyField("event")
    delivery_id = BodyField("id")  # the same on every try
    topics = tuple(
        """
        PAYMENT_CREATED PAYMENT_UPDATED PAYMENT_AWAITING_RISK_ANALYSIS PAYMENT_APPROVED_BY_RISK_ANALYSIS
        PAYMENT_REPROVED_BY_RISK_ANALYSIS PAYMENT_AUTHORIZED PAYMENT_CONFIRMED PAYMENT_RECEIVED PAYMENT_ANTICIPATED
        PAYMENT_CREDIT_CARD_CAPTURE_REFUSED PAYMENT_OVERDUE PAYMENT_DELETED PAYMENT_RESTORED PAYMENT_REFUNDED
        PAYMENT_PARTIALLY_REFUNDED PAYMENT_REFUND_IN_PROGRESS PAYMENT_REFUND_DENIED PAYMENT_RECEIVED_IN_CASH_UNDONE
        PAYMENT_CHARGEBACK_REQUESTED PAYMENT_CHARGEBACK_DISPUTE PAYMENT_AWAITING_CHARGEBACK_REVERSAL
        PAYMENT_DUNNING_RECEIVED PAYMENT_DUNNING_REQUESTED
        """.split()
    )
    reads = dict.fromkeys(topics, Payment)
    ignores = frozenset(
        """
        PAYMENT_BANK_SLIP_* PAYMENT_CHECKOUT_VIEWED PAYMENT_SPLIT_* SUBSCRIPTION_* CHECKOUT_* INVOICE_* TRANSFER_* BILL_*
        PIX_AUTOMATIC_* ACCOUNT_STATUS_* ACCESS_TOKEN_* BALANCE_VALUE_* INTERNAL_TRANSFER_* MOBILE_PHONE_RECHARGE_*
        RECEIVABLE_ANTICIPATION_*
        """.split()
    )
    statuses = status_map(  # payment.status
        pending="PENDING AWAITING_RISK_ANALYSIS AUTHORIZED",
        paid="CONFIRMED RECEIVED RECEIVED_IN_CASH DUNNING_RECEIVED REFUND_REQUESTED REFUND_IN_PROGRESS",
        overdue="OVERDUE DUNNING_REQUESTED",
        refunded="REFUNDED CHARGEBACK_REQUESTED CHARGEBACK_DISPUTE AWAITING_CHARGEBACK_REVERSAL",
    )
    # What the event itself says, whatever payment.status is called by then.
    told = status_map(
        paid="PAYMENT_CONFIRMED PAYMENT_RECEIVED PAYMENT_DUNNING_RECEIVED PAYMENT_PARTIALLY_REFUNDED "
        "PAYMENT_REFUND_IN_PROGRESS",
        overdue="PAYMENT_OVERDUE PAYMENT_DUNNING_REQUESTED",
        refunded="PAYMENT_REFUNDED PAYMENT_CHARGEBACK_REQUESTED PAYMENT_CHARGEBACK_DISPUTE "
        "PAYMENT_AWAITING_CHARGEBACK_REVERSAL",
        canceled="PAYMENT_DELETED",
        failed="PAYMENT_CREDIT_CARD_CAPTURE_REFUSED PAYMENT_REPROVED_BY_RISK_ANALYSIS",
    )
    zone = BRASILIA

    def orders(self, payload: Payment, event: Event[Payment]) -> Iterable[Order]:
        status = self.status(payload.status)
        if status is not UNKNOWN:
            status = self.told.get(event.kind, Status.CANCELED if payload.deleted else status)
        done = [each.value for each in payload.refunds if each.value and each.status == "DONE"]
        back = Money.total(Money.major(value, "BRL") for value in done)
        yield Order(
            external_id=payload.id,
            at=payload.dateCreated,
            status=status,
            source_status=payload.status,
            title=order_title(payload.invoiceNumber, [payload.description]),
            value=Money.major(payload.value, "BRL"),
            refunds=refund_total(back),
            ordered_at=payload.ordered_at,
            paid_at=payload.clientPaymentDate or payload.confirmedDate or payload.paymentDate,
            customer=Customer(id=payload.customer),
            url=payload.invoiceUrl,
        )
