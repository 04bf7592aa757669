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

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field as Constraint

from adapters.contract import (
    Adapter,
    Api,
    BodyField,
    Customer,
    Delivery,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Unreadable,
    bearer,
    full_name,
    order_title,
    path,
    status_map,
)


def _address_and_body(delivery: Delivery) -> bytes:
    return delivery.url.encode() + delivery.body


class Refund(Payload):
    id: str = path("data.object.refund.id", otherwise=...)
    status: str | None = path("data.object.refund.status")
    amount: int | None = path("data.object.refund.amount_money.amount")
    currency: str = path("data.object.refund.amount_money.currency", otherwise=...)
    payment_id: str | None = path("data.object.refund.payment_id")
    updated_at: IsoOrBlank = path("data.object.refund.updated_at")


class Dispute(Payload):
    id: str = path("data.object.dispute.id", otherwise=...)
    state: str | None = path("data.object.dispute.state")
    amount: int | None = path("data.object.dispute.amount_money.amount")
    currency: str = path("data.object.dispute.amount_money.currency", otherwise=...)
    payment_id: str | None = path("data.object.dispute.disputed_payment.payment_id")
    updated_at: IsoOrBlank = path("data.object.dispute.updated_at")


# It becomes a part of a path: nothing in it may lead elsewhere.
OrderId = Annotated[str, Constraint(pattern=r"^[A-Za-z0-9_-]{1,192}$")]


class Notice(Payload):
    order_id: OrderId = path("data.id", otherwise=...)


class Payment(Payload):
    order_id: OrderId | None = None
    customer_id: str | None = None
    buyer_email_address: str | None = None
    first_name: str | None = path("billing_address.first_name")
    last_name: str | None = path("billing_address.last_name")


class PaymentTold(Payload):
    payment: Payment = path("data.object.payment", otherwise=...)


class Line(Payload):
    name: str | None = None
    quantity: Decimal | None = None
    price: int | None = path("base_price_money.amount")
    currency: str | None = path("base_price_money.currency")


class Tender(Payload):
    id: str | None = None  # "the associated payment ID"
    payment_id: str | None = None  # only of payments made with the v2 Payments API
    card_status: str | None = path("card_details.status")


class Sale(Payload):
    id: str = path("order.id", otherwise=...)
    state: str | None = path("order.state")
    reference_id: str | None = path("order.reference_id")
    customer_id: str | None = path("order.customer_id")
    total: int | None = path("order.total_money.amount")
    due: int | None = path("order.net_amount_due_money.amount")
    currency: str | None = path("order.total_money.currency")
    created_at: IsoOrBlank = path("order.created_at")
    updated_at: IsoOrBlank = path("order.updated_at")
    closed_at: IsoOrBlank = path("order.closed_at")
    line_items: ListOf[Line] = path("order.line_items", otherwise=())
    tenders: ListOf[Tender] = path("order.tenders", otherwise=())
    returns: ListOf[Any] = path("order.returns", otherwise=())


class Square(Adapter[Any]):
    name, title, origin = "square", "Square", Origin.COMMERCE
    links = Links(
        signing="https://developer.squareup.com/docs/webhooks/step3validate",
        payload="https://developer.squareup.com/reference/square/orders-api/retrieve-order",
    )
    topics = tuple(
        "order.created order.updated payment.updated refund.created refund.updated dispute.state.updated".split()
    )
    signature = Hmac(
        header="x-square-hmacsha256-signature",
        encoding="base64",
        message=_address_and_body,
        signed_words="the webhook's address and the raw body",
    )
    retry_policy = "takes 2xx; tries again for 24 hours"
    kind = BodyField("type")
    delivery_id = BodyField("event_id")
    reads = {"refund.created": Refund, "refund.updated": Refund, "dispute.state.updated": Dispute}
    ignores = frozenset(
        "webhooks.test_notification order.fulfillment.updated invoice.* customer.* catalog.* inventory.* dispute.* "
        "payout.* booking.* subscription.* loyalty.* gift_card* location.* team_member.* labor.* oauth.* card.* device.* "
        "terminal.* vendor.* job.* bank_account.* online_checkout.*".split()
    )
    statuses = status_map(pending="OPEN", paid="COMPLETED", canceled="CANCELED")
    api = Api(
        origin="https://connect.squareup.com",
        authorize=bearer,
        key_description="the application's production Access token (Credentials)",
    )
    fetches = {
        "order.created": Notice,
        "order.updated": Notice,
        "payment.created": PaymentTold,
        "payment.updated": PaymentTold,
    }
    resource = Sale

    def path(self, notice: Notice | PaymentTold, event: Event[Any]) -> str:
        order_id = notice.payment.order_id if isinstance(notice, PaymentTold) else notice.order_id
        if not order_id:
            raise Ignored("a payment of no order")
        return f"/v2/orders/{order_id}"

    def orders(self, payload: Sale | Refund | Dispute, event: Event[Any]) -> Iterable[Order]:
        match payload:
            case Refund():
                yield _refunded(payload)
            case Dispute():
                yield _disputed(payload)
            case _:
                yield self._order(payload, event.notice.payment if isinstance(event.notice, PaymentTold) else Payment())

    def _order(self, order: Sale, payment: Payment) -> Order:
        if order.state == "DRAFT":
            raise Ignored("a draft: nothing was ordered yet")
        if order.returns and not order.line_items:
            raise Ignored("a return: its refund tells of it")
        value, due = Money.of(order.total, order.currency), order.due
        if value is None:
            raise Unreadable("order.total_money: an order has a total")
        held = any(tender.card_status == "AUTHORIZED" for tender in order.tenders)
        status = self.status(order.state)
        if status is Status.PENDING and due is not None and due < value.minor and not held:
            status = Status.PARTIALLY_PAID if due > 0 else Status.PAID
        items = tuple(_item(line) for line in order.line_items)
        return Order(
            external_id=order.id,
            aliases=tuple(given for tender in order.tenders for given in (tender.payment_id, tender.id)),
            at=order.updated_at,
            status=status,
            source_status=order.state,
            title=order_title(order.reference_id, items),
            value=value,
            ordered_at=order.created_at,
            paid_at=order.closed_at if status is Status.PAID else None,
            customer=Customer(
                name=full_name(payment.first_name, payment.last_name),
                id=order.customer_id or payment.customer_id,
                emails=(payment.buyer_email_address,),
            ),
            items=items or None,
        )


def _item(line: Line) -> Item:
    return Item(title=line.name, quantity=line.quantity, unit_value=Money.of(line.price, line.currency))


def _refunded(refund: Refund) -> Order:
    if not refund.payment_id:
        raise Ignored("a refund of no payment")
    back = Money.of(refund.amount, refund.currency) if refund.status == "COMPLETED" and refund.id else None
    if back is None:
        raise Ignored(f"a refund that has moved no money ({(refund.status or 'no status')[:40]})")
    return Order(external_id=refund.payment_id, preference=1, at=refund.updated_at, refunds={refund.id: back})


def _disputed(dispute: Dispute) -> Order:
    over = dispute.state in ("LOST", "ACCEPTED") and dispute.id
    lost = Money.of(dispute.amount, dispute.currency) if over else None
    if lost is None or not dispute.payment_id:
        raise Ignored(f"a dispute that is not lost ({(dispute.state or 'no state')[:40]})")
    refunds = {f"dispute:{dispute.id}": lost}
    return Order(external_id=dispute.payment_id, preference=1, at=dispute.updated_at, refunds=refunds)
