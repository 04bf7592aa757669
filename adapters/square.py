"""Square: a notice names the order, which is read from the Orders API; refunds and disputes come whole.

- Signing: https://developer.squareup.com/docs/webhooks/step3validate
- Orders: https://developer.squareup.com/reference/square/orders-api/retrieve-order
- Refunds: https://developer.squareup.com/reference/square/webhooks/refund.updated, disputes:
  https://developer.squareup.com/reference/square/webhooks/dispute.state.updated

Decided here, and why:

- The signature covers the address and the body. The address is the one that was given to Square: it must be the registry's
  own public URL (ORDERS_PUBLIC_URL), letter for letter.
- What a payment comes to is not read: the order says whether anything is due, and a sale would count twice. A payment is
  a notice of its order, and says what the order does not: the buyer's e-mail and name. Nor are invoices read.
- A refund counts under its id, once it is COMPLETED. Its `order_id` is not the sale: Square makes an order of its own
  for every return, without lines, which is ignored; Square's people say so in its forum,
  https://developer.squareup.com/forums/t/both-charges-and-refunds-in-v2-orders/2584. The sale and its refund meet in
  the payment, which the order's tenders name: https://developer.squareup.com/docs/pos-api/payments-integration
- An order's own `refunds` are not read: they are the older Refund with words of its own (APPROVED), and no manual says
  that its id is that of the refund which the webhook tells of; the money would count twice.
- An open order with nothing left to pay is paid, with a part of it left partially_paid; a card that is only authorised
  has paid nothing. A draft is a cart.
- A dispute takes the money when it is lost or accepted; before that it only holds it.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from adapters.contract import (
    Adapter,
    Api,
    Customer,
    Delivery,
    Event,
    Field,
    Hmac,
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
    Unknown,
    Unreadable,
    currency_code,
    order_title,
)


def _address_and_body(delivery: Delivery) -> bytes:
    return delivery.url.encode() + delivery.body


class Amount(Payload):
    amount: int | None = None
    currency: str


class Refund(Payload):
    id: str
    status: str | None = None
    amount_money: Amount
    payment_id: str | None = None
    updated_at: IsoOrBlank = None


class RefundObject(Payload):
    refund: Refund


class RefundData(Payload):
    object: RefundObject


class RefundTold(Payload):
    data: RefundData


class DisputedPayment(Payload):
    payment_id: str | None = None


class Dispute(Payload):
    id: str
    state: str | None = None
    amount_money: Amount
    disputed_payment: DisputedPayment | None = None
    updated_at: IsoOrBlank = None


class DisputeObject(Payload):
    dispute: Dispute


class DisputeData(Payload):
    object: DisputeObject


class DisputeTold(Payload):
    data: DisputeData


class Named(Payload):
    id: str


class Notice(Payload):
    data: Named


class Address(Payload):
    first_name: str | None = None
    last_name: str | None = None


class Payment(Payload):
    order_id: str | None = None
    customer_id: str | None = None
    buyer_email_address: str | None = None
    billing_address: Address | None = None


class PaymentObject(Payload):
    payment: Payment


class PaymentData(Payload):
    object: PaymentObject


class PaymentTold(Payload):
    data: PaymentData


class Line(Payload):
    name: str | None = None
    quantity: Decimal = Decimal(1)
    base_price_money: Annotated[Amount | None, IfObject] = None


class Card(Payload):
    status: str | None = None


class Tender(Payload):
    id: str | None = None  # "the associated payment ID"
    payment_id: str | None = None  # only of payments made with the v2 Payments API
    card_details: Card | None = None


class Found(Payload):
    id: str
    state: str | None = None
    reference_id: str | None = None
    customer_id: str | None = None
    total_money: Annotated[Amount | None, IfObject] = None
    net_amount_due_money: Annotated[Amount | None, IfObject] = None
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    closed_at: IsoOrBlank = None
    line_items: list[Line] | None = None
    tenders: list[Tender] | None = None
    returns: list[Any] | None = None


class Document(Payload):
    order: Found


class Square(Adapter[Any]):
    name, title, origin = "square", "Square", Origin.COMMERCE
    links = Links(
        signing="https://developer.squareup.com/docs/webhooks/step3validate",
        payload="https://developer.squareup.com/reference/square/orders-api/retrieve-order",
    )
    setup = (
        "At developer.squareup.com/apps open the application, and under Webhooks → Subscriptions add a subscription.",
        "Give {webhook_url} as the notification URL, exactly so, and choose the events listed under topics. One URL belongs to one subscription.",
        "Copy the subscription's Signature Key, and give it to this source as its secret.",
        "Under Credentials copy the production Access token, and give it to this source as its key.",
    )
    topics = (
        "order.created",
        "order.updated",
        "payment.updated",
        "refund.created",
        "refund.updated",
        "dispute.state.updated",
    )
    signature = Hmac(
        header="x-square-hmacsha256-signature",
        encoding="base64",
        message=_address_and_body,
        signed_words="the webhook's address and the raw body",
    )
    patience = "takes 2xx; tries again for 24 hours"
    kind = Field("type")
    delivery_id = Field("event_id")
    reads = {"refund.created": RefundTold, "refund.updated": RefundTold, "dispute.state.updated": DisputeTold}
    ignores = frozenset(
        {"webhooks.test_notification", "order.fulfillment.updated", "invoice.*", "customer.*", "catalog.*", "inventory.*",
         "dispute.*", "payout.*", "booking.*", "subscription.*", "loyalty.*", "gift_card*", "location.*", "team_member.*", "labor.*",
         "oauth.*", "card.*", "device.*", "terminal.*", "vendor.*", "job.*", "bank_account.*", "online_checkout.*"}
    )  # fmt: skip
    statuses = {
        "OPEN": Status.PENDING,
        "COMPLETED": Status.PAID,
        "CANCELED": Status.CANCELED,
    }
    api = Api(
        origin="https://connect.squareup.com",
        authorize=lambda key, options: {"authorization": f"Bearer {key}"},
        key_words="the application's production Access token (Credentials)",
    )
    fetches = {
        "order.created": Notice,
        "order.updated": Notice,
        "payment.created": PaymentTold,
        "payment.updated": PaymentTold,
    }
    document = Document

    def path(self, notice: Notice | PaymentTold, event: Event[Any]) -> str:
        paid = isinstance(notice, PaymentTold)
        order_id = notice.data.object.payment.order_id if isinstance(notice, PaymentTold) else notice.data.id
        if paid and not order_id:
            raise Ignored("a payment of no order")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,192}", order_id or ""):
            raise Unreadable(f"data.{'object.payment.order_id' if paid else 'id'}: is not an order's id")
        return f"/v2/orders/{order_id}"

    def orders(self, payload: Document | RefundTold | DisputeTold, event: Event[Any]) -> Iterable[Order]:
        match payload:
            case RefundTold():
                yield _refunded(payload.data.object.refund)
            case DisputeTold():
                yield _disputed(payload.data.object.dispute)
            case _:
                payment = event.notice.data.object.payment if isinstance(event.notice, PaymentTold) else Payment()
                yield self._order(payload.order, payment)

    def _order(self, order: Found, payment: Payment) -> Order:
        if order.state == "DRAFT":
            raise Ignored("a draft: nothing was ordered yet")
        lines = order.line_items or []
        if order.returns and not lines:
            raise Ignored("a return: its refund tells of it")
        if order.total_money is None or order.total_money.amount is None:
            raise Unreadable("order.total_money: an order has a total")
        due = order.net_amount_due_money.amount if order.net_amount_due_money else None
        held = any(tender.card_details and tender.card_details.status == "AUTHORIZED" for tender in order.tenders or [])
        status: Status | Unknown | None = self.status(order.state)
        if status is Status.PENDING and due is not None and due < order.total_money.amount and not held:
            status = Status.PARTIALLY_PAID if due > 0 else Status.PAID
        payments = [given for tender in order.tenders or [] for given in (tender.payment_id, tender.id) if given]
        return Order(
            external_id=order.id,
            at=order.updated_at,
            status=status,
            source_status=order.state,
            title=order_title(order.reference_id, [line.name for line in lines]),
            value=_money(order.total_money),
            ordered_at=order.created_at,
            paid_at=order.closed_at if status is Status.PAID else None,
            customer=_customer(order, payment),
            items=tuple(
                Item(
                    title=line.name or "–",
                    quantity=line.quantity,
                    unit_value=_money(line.base_price_money) if line.base_price_money else None,
                )
                for line in lines
            )
            or None,
            aliases=tuple(dict.fromkeys(payments)),
        )


def _customer(order: Found, payment: Payment) -> Customer | None:
    address, email = payment.billing_address or Address(), payment.buyer_email_address
    customer = Customer(
        name=f"{address.first_name or ''} {address.last_name or ''}".strip() or None,
        id=order.customer_id or payment.customer_id or None,
        emails=(email,) if email else (),
    )
    return None if customer == Customer() else customer


def _refunded(refund: Refund) -> Order:
    if not refund.payment_id:
        raise Ignored("a refund of no payment")
    back = _money(refund.amount_money) if refund.status == "COMPLETED" and refund.id else None
    if back is None:
        raise Ignored(f"a refund that has moved no money ({(refund.status or 'no status')[:40]})")
    return Order(external_id=refund.payment_id, preference=1, at=refund.updated_at, refunds={refund.id: back})


def _disputed(dispute: Dispute) -> Order:
    payment_id = dispute.disputed_payment.payment_id if dispute.disputed_payment else None
    lost = _money(dispute.amount_money) if dispute.state in ("LOST", "ACCEPTED") and dispute.id else None
    if lost is None or not payment_id:
        raise Ignored(f"a dispute that is not lost ({(dispute.state or 'no state')[:40]})")
    return Order(external_id=payment_id, preference=1, at=dispute.updated_at, refunds={f"dispute:{dispute.id}": lost})


def _money(amount: Amount) -> Money | None:
    return None if amount.amount is None else Money(amount.amount, currency_code(amount.currency))
