"""Asaas: a charge and what became of it. The customer is only an id, and is read from the API where there is a key.

- Token and delivery: https://docs.asaas.com/docs/receba-eventos-do-asaas-no-seu-endpoint-de-webhook
- Events and payload: https://docs.asaas.com/docs/webhook-para-cobrancas
- Refunds: https://docs.asaas.com/docs/refunds
- Customers: https://docs.asaas.com/reference/recuperar-um-unico-cliente
- Instalments: https://docs.asaas.com/docs/criando-cobrancas-parceladas

Decided here, and why:

- A chargeback has taken the money (refunded), also while it is contested; a won one comes back as CONFIRMED or RECEIVED.
  Each instalment is charged back by itself.
- A receipt in cash is the shop's own word; undone, nothing was taken.
- A slip may be anticipated before it is paid: PAYMENT_ANTICIPATED says no more than the payment's own status.
- Dates have no time and no zone: Brasília is meant. `paymentDate` is when Asaas was paid; the customer paid on
  `clientPaymentDate`, and that does not move when a card's money arrives a month later (CONFIRMED, then RECEIVED).
- The body names no currency: Asaas charges in reais only.
- The shop's own number (`externalReference`) stands in the title, by which orders are found. It is no name of the sale:
  a shop may give several charges the same.
- A charge of the sandbox is known by its invoice's address, and is a test.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import StringConstraints

from adapters.contract import (
    BRASILIA,
    UNKNOWN,
    Adapter,
    Api,
    Bill,
    BodyField,
    Customer,
    Event,
    IsoOrBlank,
    Links,
    ListOf,
    Money,
    Options,
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
    order_title,
    path,
    status_map,
)


class GivenBack(Payload):
    status: str | None = None
    value: Decimal | None = None
    at: IsoOrBlank = path("effectiveDate", "dateCreated")


class Charge(Payload):
    """A charge ("payment"); the instalments of one purchase are several, and name it."""

    id: str = path("payment.id", otherwise=...)
    status: str = path("payment.status", otherwise=...)
    value: Decimal = path("payment.value", otherwise=...)
    # It becomes a part of a path: nothing in it may lead elsewhere.
    customer: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = path("payment.customer")
    installment: str | None = path("payment.installment")
    description: str | None = path("payment.description")
    invoiceNumber: str | None = path("payment.invoiceNumber")
    invoiceUrl: str | None = path("payment.invoiceUrl")
    externalReference: str | None = path("payment.externalReference")
    ordered_at: IsoOrBlank = path("payment.dateCreated")
    confirmedDate: IsoOrBlank = path("payment.confirmedDate")
    clientPaymentDate: IsoOrBlank = path("payment.clientPaymentDate")
    paymentDate: IsoOrBlank = path("payment.paymentDate")
    deleted: bool | None = path("payment.deleted")
    refunds: ListOf[GivenBack] = path("payment.refunds", otherwise=())
    dateCreated: IsoOrBlank = None  # of the event


class Buyer(Payload):
    """https://docs.asaas.com/reference/recuperar-um-unico-cliente"""

    name: str | None = None
    email: str | None = None
    cpfCnpj: str | None = None
    phone: str | None = None
    mobilePhone: str | None = None
    foreignCustomer: bool | None = None


CASH_UNDONE = "PAYMENT_RECEIVED_IN_CASH_UNDONE"
# A charge of which the buyer's bank took the money.
CHARGEBACKS = frozenset("CHARGEBACK_REQUESTED CHARGEBACK_DISPUTE AWAITING_CHARGEBACK_REVERSAL".split())

ABROAD = "ZZ"  # of no country that is told: a phone without a country code is no number there

SANDBOX = "https://sandbox.asaas.com/"


class AsaasOptions(Options):
    """`sandbox`: whether the key is one of Asaas's sandbox."""

    sandbox: bool = False


class Asaas(Adapter[Any]):
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
    reads = {}
    fetches = dict.fromkeys(topics, Charge)
    fetch_adds = True  # a charge names its customer by an id alone
    resource = Buyer
    api = Api(
        origin=lambda options: f"https://api{'-sandbox' if options.sandbox else ''}.asaas.com",
        authorize=lambda key, options: {"access_token": key},
        key_description="an API key of the account (Integrações → Chaves de API), by which the buyer of a charge is read",
    )
    options = AsaasOptions
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

    def path(self, notice: Charge, event: Event[Any]) -> str:
        return f"/v3/customers/{notice.customer}" if notice.customer else ""

    def orders(self, payload: Charge | Buyer, event: Event[Any]) -> Iterable[Order]:
        charge = payload if isinstance(payload, Charge) else event.notice
        buyer = payload if isinstance(payload, Buyer) else Buyer()
        status = self.status(charge.status)
        if status is not UNKNOWN:
            status = self.told.get(event.kind, Status.CANCELED if charge.deleted else status)
        value = Money.major(charge.value, "BRL")
        paid_at = charge.clientPaymentDate or charge.confirmedDate or charge.paymentDate
        state = PaymentState.TAKEN if status in (Status.PAID, Status.REFUNDED) else None
        if event.kind == CASH_UNDONE:
            state = PaymentState.FAILED
        yield Order(
            # The instalments of one purchase are one sale: each is a part of its bill.
            external_id=charge.installment or charge.id,
            aliases=(charge.id,),
            at=charge.dateCreated,
            status=status,
            source_status=charge.status,
            title=order_title(charge.externalReference or charge.invoiceNumber, [charge.description]),
            bills=(
                Bill(
                    id=charge.id if charge.installment else "",
                    value=value,
                    part=bool(charge.installment),
                    given_up=status is Status.CANCELED,  # of one that was removed nobody can pay
                ),
            ),
            payments=(Payment(id=charge.id, value=value, state=state, at=paid_at),) if state else (),
            refunds=_refunds(charge, status) if state is PaymentState.TAKEN else (),
            ordered_at=charge.ordered_at,
            paid_at=paid_at,
            customer=Customer(
                id=charge.customer,
                name=buyer.name,
                emails=(buyer.email,),
                phones=(buyer.mobilePhone, buyer.phone),
                documents=(buyer.cpfCnpj,),
                country=ABROAD if buyer.foreignCustomer else "BR",
            ),
            url=charge.invoiceUrl,
            test=True if (charge.invoiceUrl or "").startswith(SANDBOX) else None,
        )


def _refunds(charge: Charge, status: Status | Unknown | None) -> tuple[Refund, ...]:
    """What went back of a charge so far: given by the shop, and taken by the buyer's bank, which takes the rest."""
    back = sum((one.value for one in charge.refunds if one.value and one.status == "DONE"), Decimal(0))
    rest = max(charge.value - back, Decimal(0)) if status is Status.REFUNDED else Decimal(0)
    lost = charge.status in CHARGEBACKS
    totals = {RefundKind.REFUND: back if lost else back + rest, RefundKind.CHARGEBACK: rest if lost else Decimal(0)}
    return tuple(
        Refund(value=Money.major(total, "BRL"), kind=kind, payment=charge.id, total=True)
        for kind, total in totals.items()
    )
