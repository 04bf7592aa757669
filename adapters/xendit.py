"""Xendit: payments and refunds of the Payments API v3 and v2, and the e-wallets, invoices, codes and accounts before them.

- Verification: https://docs.xendit.co/docs/handling-webhooks
- Payments: https://docs.xendit.co/docs/payments-api-webhooks and
  https://docs.xendit.co/apidocs/payment-status-callback-webhook
- Refunds: https://docs.xendit.co/apidocs/refund-webhook-notification
- Voids and refunds of e-wallets: https://docs.xendit.co/ewallet/payment-flows/void-and-refund
- Fixed virtual accounts: https://docs.xendit.co/apidocs/fva-payment-callback
- Retail outlets: https://docs.xendit.co/apidocs/retail-outlet-payment-callback

Decided here, and why:

- The sale is the invoice, else the payment request or the QR code: attempts at it are one order. What is paid by many
  (a reusable payment code, a static QR code, a fixed virtual account, an outlet's code) makes a sale of each payment.
- An invoice names the payment that paid it (`payment_id`), so the payment's own callback joins it. Of a payment code or
  virtual account that an invoice made for itself nothing says so: choose invoices or those callbacks, not both.
- What counts is what was captured; what was asked for is only until then.
- Version 2 names its events otherwise (payment.succeeded …) and its fields more shortly (`id`, `amount`).
- Callbacks of invoices, accounts and outlets name no event. Where they name no currency it is that of the option
  `currency`, else that of the country which the channel or outlet is in; QR codes of that version are QRIS, so rupiah.
- Only what was paid can be voided, and only whole.
- An expired payment request has no payment that could be cancelled, and tokens are no orders.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from adapters.contract import (
    Adapter,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Event,
    Header,
    Ignored,
    IsoOrBlank,
    Item,
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
    RefundState,
    Status,
    Token,
    Unreadable,
    full_name,
    order_title,
    path,
    replace,
    status_map,
)

CURRENCIES = {"ID": "IDR", "PH": "PHP", "VN": "VND", "TH": "THB", "MY": "MYR"}  # by country, as channel codes begin
COUNTRIES = {currency: country for country, currency in CURRENCIES.items()}
# Chains in whose shops codes are paid, banks and wallets whose name alone is told: of Indonesia.
CHANNELS = dict.fromkeys(
    "ALFAMART INDOMARET BCA BJB BNI BRI BSI CIMB MANDIRI PERMATA ASTRAPAY DANA LINKAJA OVO QRIS".split(), "IDR"
)
NO_CURRENCY = "currency: the callback names none; set the source's option `currency`"
QR = "qr.payment"
ACCOUNT, OUTLET = "virtual_account_payment", "retail_outlet_payment"

STATES = {
    **dict.fromkeys("SUCCEEDED COMPLETED VOIDED REFUNDED".split(), PaymentState.TAKEN),
    **dict.fromkeys("AUTHORIZED AWAITING_CAPTURE".split(), PaymentState.AUTHORIZED),
    **dict.fromkeys("EXPIRED CANCELED".split(), PaymentState.CANCELED),
    "FAILED": PaymentState.FAILED,
}
# How far a refund is; what is not here is under way.
REFUNDS = {
    "SUCCEEDED": RefundState.DONE,
    **dict.fromkeys("FAILED CANCELLED CANCELED".split(), RefundState.FAILED),
}


class XenditOptions(Options):
    """`currency`: that of callbacks which name none."""

    currency: str | None = None


class Capture(Payload):
    capture_amount: Decimal
    capture_timestamp: IsoOrBlank = None


class Paid(Payload):
    """A payment: names of version 3 first, those of version 2 after them, those of callbacks without `data` last."""

    id: str = path("data.payment_id", "data.id", "fixed_payment_code_payment_id", "payment_id", "id", otherwise=...)
    sale_id: str | None = path("data.payment_request_id", "data.qr_id", "qr_code.id")
    reference_id: str | None = path("data.reference_id", "qr_code.external_id", "external_id")
    type: str | None = path("data.type", "qr_code.type")
    status: str | None = path("data.status", "status")
    currency: str | None = path("data.currency", "currency")
    country: str | None = path("data.country", "country")
    channel: str | None = path("data.channel_code", "retail_outlet_name", "bank_code")
    asked: Decimal | None = path(
        "data.request_amount", "data.amount", "data.capture_amount", "data.charge_amount", "amount"
    )
    description: str | None = path("data.description")
    customer_id: str | None = path("data.customer_id")
    payer_name: str | None = path(
        "data.payment_details.payer_name",
        "data.payment_detail.name",
        "data.payment_method.over_the_counter.channel_properties.customer_name",
        "data.payment_method.virtual_account.channel_properties.customer_name",
        "data.payment_method.card.card_information.cardholder_name",
        "payment_detail.sender_name",
        "sender_name",
        "name",
    )
    phone: str | None = path(
        "data.channel_properties.mobile_number", "data.payment_method.ewallet.channel_properties.mobile_number"
    )
    captures: ListOf[Capture] = path("data.captures", otherwise=())
    void_status: str | None = path("data.void_status")
    crm_contact_id: str | None = path("data.metadata.crm_contact_id")
    deal_id: str | None = path("data.metadata.deal_id")
    ordered_at: IsoOrBlank = path("data.created", "created")
    updated: IsoOrBlank = path("data.updated", "updated", "transaction_timestamp")
    paid_at: IsoOrBlank = path("transaction_timestamp")
    voided_at: IsoOrBlank = path("data.voided_at")
    created: IsoOrBlank = None


class GivenBack(Payload):
    """A refund, also of an e-wallet's charge. The manual's sample has the envelope twice."""

    id: str = path("data.id", "data.data.id", otherwise=...)
    invoice_id: str | None = path("data.invoice_id", "data.data.invoice_id")
    payment_id: str | None = path("data.payment_id", "data.data.payment_id", "data.charge_id")
    payment_request_id: str | None = path("data.payment_request_id", "data.data.payment_request_id")
    status: str = path("data.status", "data.data.status", otherwise=...)
    amount: Decimal | None = path("data.amount", "data.data.amount", "data.refund_amount")
    currency: str | None = path("data.currency", "data.data.currency")
    channel: str | None = path("data.channel_code")
    updated: IsoOrBlank = path("data.updated", "data.data.updated")
    created: IsoOrBlank = None


class Good(Payload):
    name: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None  # of one


class Invoice(Payload):
    id: str
    external_id: str | None = None
    status: str
    amount: Decimal
    paid_amount: Decimal | None = None
    payment_id: str | None = None
    currency: str | None = None  # the oldest callbacks name none
    channel: str | None = path("payment_channel", "bank_code")
    description: str | None = None
    payer_email: str | None = None
    customer_id: str | None = path("customer.id")
    given_names: str | None = path("customer.given_names")
    surname: str | None = path("customer.surname")
    email: str | None = path("customer.email")
    mobile_number: str | None = path("customer.mobile_number")
    crm_contact_id: str | None = path("metadata.crm_contact_id")
    deal_id: str | None = path("metadata.deal_id")
    items: ListOf[Good] = ()
    created: IsoOrBlank = None
    updated: IsoOrBlank = None
    paid_at: IsoOrBlank = None


# What comes without an event and is no invoice either, by a field that only it has.
EVENTLESS = {
    "callback_virtual_account_id": ACCOUNT,
    "fixed_payment_code_id": OUTLET,
    "account_number": "virtual_account",
    "disbursement_description": "disbursement",
}


class Xendit(Adapter[Any]):
    name, title, origin = "xendit", "Xendit", Origin.PAYMENTS
    links = Links(
        signing="https://docs.xendit.co/docs/handling-webhooks",
        payload="https://docs.xendit.co/apidocs/payment-status-callback-webhook",
    )
    signature = Token(header="x-callback-token")
    retry_policy = "takes 2xx; tries again up to 6 times"
    kind = BodyField("event")
    delivery_id = Header("webhook-id")
    reads = {
        **dict.fromkeys("payment.authorization payment.capture payment.failure payment.expiry".split(), Paid),
        # Of version 2:
        **dict.fromkeys("payment.succeeded payment.pending payment.awaiting_capture payment.failed".split(), Paid),
        **dict.fromkeys(("ewallet.capture", "ewallet.void", QR, ACCOUNT, OUTLET), Paid),
        **dict.fromkeys("refund.succeeded refund.failed ewallet.refund".split(), GivenBack),
        "invoice": Invoice,
    }
    topics = tuple(reads)
    ignores = frozenset(
        "payment_request.* payment_token.* payment_session.* split.* payout.* virtual_account disbursement".split()
    )
    options = XenditOptions
    statuses = status_map(
        pending="AUTHORIZED AWAITING_CAPTURE PENDING",
        paid="SUCCEEDED COMPLETED PAID SETTLED",  # the last two of invoices
        failed="FAILED",
        canceled="EXPIRED CANCELED",
        refunded="VOIDED REFUNDED",
    )

    def kind_of(self, delivery: Delivery, options: object) -> str:
        """The event; the callback of an invoice, a virtual account or a disbursement names none: it is the thing."""
        document = self.document_of(delivery)
        if isinstance(document, dict) and "event" not in document and "external_id" in document:
            for field, kind in EVENTLESS.items():
                if field in document:
                    return kind
            if document.keys() >= {"id", "status"}:
                return "invoice"
        return super().kind_of(delivery, options)

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        usual = (event.options or XenditOptions()).currency
        match payload:
            case GivenBack():
                yield _refund(payload, payload.currency or usual)
            case Invoice():
                yield self._invoice(payload, payload.currency or usual)
            case _:
                yield self._paid(payload, event.kind, payload.currency or usual)

    def _paid(self, paid: Paid, kind: str, currency: str | None) -> Order:
        currency = currency or _currency(paid.channel) or ("IDR" if kind == QR else None)
        if currency is None:
            raise Unreadable(NO_CURRENCY)
        word = paid.status or ("SUCCEEDED" if kind == ACCOUNT else "")
        at, captures = paid.updated or paid.created, paid.captures
        captured = Money.total(Money.major(capture.capture_amount, currency) for capture in captures)
        value, state = captured or Money.major(paid.asked, currency), STATES.get(word)
        taken_at = (captures[-1].capture_timestamp if captures else None) or paid.paid_at or at
        payment = Payment(id=paid.id, value=value, state=state, at=taken_at if state is PaymentState.TAKEN else at)
        many = paid.type in ("REUSABLE_PAYMENT_CODE", "STATIC")
        order = Order(
            external_id=paid.id if many else paid.sale_id or paid.id,
            aliases=(paid.id,),
            preference=1,  # an invoice that it pays has the better name
            at=at,
            status=self.status(word),
            source_status=paid.status,
            title=order_title(paid.reference_id, [paid.description]),
            payments=(payment,),
            ordered_at=paid.ordered_at or paid.created,
            customer=Customer(
                name=paid.payer_name,
                id=paid.customer_id,
                crm_id=paid.crm_contact_id,
                phones=(paid.phone,),
                country=paid.country or COUNTRIES.get(currency),
            ),
            deal_id=paid.deal_id,
        )
        if kind != "ewallet.void":
            return order
        ended = REFUNDS.get(paid.void_status or "SUCCEEDED", RefundState.PENDING)
        back = Refund(id=f"void-{paid.id}", value=value, state=ended, at=paid.voided_at or at, payment=paid.id)
        taken = replace(payment, state=PaymentState.TAKEN, at=None)
        return replace(order, status=None, payments=(taken,), refunds=(back,))

    def _invoice(self, invoice: Invoice, currency: str | None) -> Order:
        status, currency = self.status(invoice.status), currency or _currency(invoice.channel)
        if currency is None:
            raise Unreadable(NO_CURRENCY)
        value, taken = Money.major(invoice.amount, currency), Money.major(invoice.paid_amount, currency)
        payment = Payment(
            id=invoice.payment_id or invoice.id, value=taken or value, state=PaymentState.TAKEN, at=invoice.paid_at
        )
        paid = status is Status.PAID
        items = tuple(
            Item(title=good.name, quantity=good.quantity, unit_value=Money.major(good.price, currency))
            for good in invoice.items
        )
        return Order(
            external_id=invoice.id,
            aliases=(invoice.payment_id,),
            at=invoice.updated,
            status=status,
            source_status=invoice.status,
            title=order_title(invoice.external_id, [invoice.description] if invoice.description else items),
            bills=(Bill(value=value, closed=True if paid else None),),
            payments=(payment,) if paid else (),
            ordered_at=invoice.created,
            customer=Customer(
                name=full_name(invoice.given_names, invoice.surname),
                id=invoice.customer_id,
                crm_id=invoice.crm_contact_id,
                emails=(invoice.email or invoice.payer_email,),
                phones=(invoice.mobile_number,),
                country=COUNTRIES.get(currency),
            ),
            items=items or None,
            deal_id=invoice.deal_id,
        )


def _currency(channel: str | None) -> str | None:
    """That of an outlet, or of the country with which a channel's code begins: ID_DANA."""
    return CHANNELS.get(channel or "") or CURRENCIES.get((channel or "").partition("_")[0])


def _refund(back: GivenBack, currency: str | None) -> Order:
    # The first two of these are to go, the manual says; what is paid by many has a payment request in common.
    sale_id = back.invoice_id or back.payment_id or back.payment_request_id
    currency = currency or _currency(back.channel)
    if not sale_id:
        raise Ignored("a refund that names neither a payment nor an invoice")
    at = back.updated or back.created
    refund = Refund(
        id=back.id,
        value=Money.major(back.amount, currency) if currency else None,
        state=REFUNDS.get(back.status, RefundState.PENDING),
        at=at,
        payment=back.payment_id,
    )
    return Order(external_id=sale_id, aliases=(back.payment_id,), preference=2, at=at, refunds=(refund,))
