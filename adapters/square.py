"""Square: a notice names the order, which is read from the Orders API; refunds, disputes and customers come whole.

- Signing: https://developer.squareup.com/docs/webhooks/step3validate
- Orders: https://developer.squareup.com/reference/square/orders-api/retrieve-order
- Refunds: https://developer.squareup.com/reference/square/webhooks/refund.updated, disputes:
  https://developer.squareup.com/reference/square/webhooks/dispute.state.updated

Decided here, and why:

- The signature covers the address and the body. The address is the one that was given to Square: it must be the registry's
  own public URL (ORDERS_PUBLIC_URL), letter for letter.
- The bill is the order's `total_money`, the payments are its tenders, under the payment's id: a tender's amount is the
  payment's total (https://developer.squareup.com/reference/square/objects/Tender). Where no tender is listed, what is no
  longer due is a payment under the order's own id, which tenders that are listed later replace. A payment's event is a
  notice of its order, and says what the order does not: the buyer's e-mail and name. Invoices are not read.
- A refund's `order_id` is not the sale: Square makes an order of its own for every return, without lines, which is
  ignored; Square's people say so in its forum,
  https://developer.squareup.com/forums/t/both-charges-and-refunds-in-v2-orders/2584. The sale and its refund meet in
  the payment, which the order's tenders name: https://developer.squareup.com/docs/pos-api/payments-integration
- An order's own `refunds` are not read: they are the older Refund with words of its own (APPROVED), and no manual says
  that its id is that of the refund which the webhook tells of; the money would count twice.
- An exchange is an order with lines and returns; it comes to what the lines cost above what is returned. The refund of
  the first sale tells what the shop gives out beyond that (https://developer.squareup.com/docs/orders-api/order-returns-exchanges).
- An order of nothing is paid as soon as it is open (https://developer.squareup.com/docs/orders-api/pay-for-orders). A
  completed order is fully paid (https://developer.squareup.com/reference/square/objects/OrderState). A draft is a cart.
- A dispute takes the money when it is lost or accepted; before that it only holds it, and one that is won takes nothing.
- An order names its customer by id alone; `customer.created` and `customer.updated` tell who that is.
- A phone without a country code is read in the country of its address, else of the currency; a customer has none of
  both: one that is written as in North America is from there (Square takes no money in Brazil: https://developer.squareup.com/docs/testing-your-app).
- The recipient of a fulfillment is taken for the buyer only where neither the order nor the payment names another.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field as Constraint

from adapters.contract import (
    Adapter,
    Api,
    Bill,
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
    OptionalOf,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    Unreadable,
    bearer,
    full_name,
    names_another,
    order_title,
    path,
    status_map,
)


def _address_and_body(delivery: Delivery) -> bytes:
    return delivery.url.encode() + delivery.body


class GivenBack(Payload):
    """A refund, or a dispute: they have nearly the same fields."""

    id: str = path("data.object.refund.id", "data.object.dispute.id", otherwise=...)
    status: str | None = path("data.object.refund.status", "data.object.dispute.state")
    amount: int | None = path("data.object.refund.amount_money.amount", "data.object.dispute.amount_money.amount")
    currency: str | None = path("data.object.refund.amount_money.currency", "data.object.dispute.amount_money.currency")
    payment_id: str | None = path("data.object.refund.payment_id", "data.object.dispute.disputed_payment.payment_id")
    updated_at: IsoOrBlank = path("data.object.refund.updated_at", "data.object.dispute.updated_at")


# It becomes a part of a path: nothing in it may lead elsewhere.
OrderId = Annotated[str, Constraint(pattern=r"^[A-Za-z0-9_-]{1,192}$")]


class Notice(Payload):
    order_id: OrderId = path("data.id", otherwise=...)


class Paid(Payload):
    """What a payment says of its buyer."""

    order_id: OrderId | None = None
    customer_id: str | None = None
    buyer_email_address: str | None = None
    first_name: str | None = path("billing_address.first_name")
    last_name: str | None = path("billing_address.last_name")
    country: str | None = path("billing_address.country")


class PaymentTold(Payload):
    payment: Paid = path("data.object.payment", otherwise=...)


class Person(Payload):
    id: str = path("data.object.customer.id", otherwise=...)
    given_name: str | None = path("data.object.customer.given_name")
    family_name: str | None = path("data.object.customer.family_name")
    email_address: str | None = path("data.object.customer.email_address")
    phone_number: str | None = path("data.object.customer.phone_number")
    country: str | None = path("data.object.customer.address.country")


class Line(Payload):
    name: str | None = None
    quantity: Decimal | None = None
    price: int | None = path("base_price_money.amount")
    currency: str | None = path("base_price_money.currency")


class Tender(Payload):
    id: str = ""  # "the associated payment ID"
    payment_id: str | None = None  # only of payments made with the v2 Payments API
    customer_id: str | None = None
    amount: int | None = path("amount_money.amount")
    status: str | None = path(
        "card_details.status",
        "square_account_details.status",
        "buy_now_pay_later_details.status",
        "bank_account_details.status",
    )


class Recipient(Payload):
    customer_id: str | None = None
    display_name: str | None = None
    email_address: str | None = None
    phone_number: str | None = None
    country: str | None = path("address.country")


class Fulfillment(Payload):
    recipient: OptionalOf[Recipient] = path(
        "shipment_details.recipient", "pickup_details.recipient", "delivery_details.recipient"
    )


class Sale(Payload):
    id: str = path("order.id", otherwise=...)
    state: str | None = path("order.state")
    version: int | None = path("order.version")
    reference_id: str | None = path("order.reference_id")
    customer_id: str | None = path("order.customer_id")
    total: int | None = path("order.total_money.amount")
    due: int | None = path("order.net_amount_due_money.amount")
    net: int | None = path("order.net_amounts.total_money.amount")
    currency: str | None = path("order.total_money.currency")
    created_at: IsoOrBlank = path("order.created_at")
    updated_at: IsoOrBlank = path("order.updated_at")
    closed_at: IsoOrBlank = path("order.closed_at")
    line_items: ListOf[Line] = path("order.line_items", otherwise=())
    tenders: ListOf[Tender] = path("order.tenders", otherwise=())
    fulfillments: ListOf[Fulfillment] = path("order.fulfillments", otherwise=())
    returns: ListOf[Any] = path("order.returns", otherwise=())


NORTH_AMERICAN = re.compile(r"1?[2-9][0-9]{2}[2-9][0-9]{6}")  # the digits of a phone
COUNTRIES = {"USD": "US", "CAD": "CA", "GBP": "GB", "AUD": "AU", "JPY": "JP"}

# Where tenders, refunds and disputes stand; what is not here is under way.
STATES = {
    "AUTHORIZED": PaymentState.AUTHORIZED,
    "CAPTURED": PaymentState.TAKEN,
    "COMPLETED": PaymentState.TAKEN,  # of a bank account
    "VOIDED": PaymentState.CANCELED,
    "FAILED": PaymentState.FAILED,
}
REFUNDS = {"COMPLETED": RefundState.DONE, "REJECTED": RefundState.FAILED, "FAILED": RefundState.FAILED}
DISPUTES = {
    "LOST": RefundState.DONE,
    "ACCEPTED": RefundState.DONE,
    "WON": RefundState.REVERSED,
    "INQUIRY_CLOSED": RefundState.REVERSED,
}


class Square(Adapter[Any]):
    name, title, origin = "square", "Square", Origin.COMMERCE
    links = Links(
        signing="https://developer.squareup.com/docs/webhooks/step3validate",
        payload="https://developer.squareup.com/reference/square/orders-api/retrieve-order",
    )
    topics = tuple(
        "order.created order.updated payment.updated refund.created refund.updated dispute.state.updated "
        "customer.created customer.updated".split()
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
    customer_kinds = frozenset(("customer.created", "customer.updated"))
    reads = {
        **dict.fromkeys(("refund.created", "refund.updated", "dispute.state.updated"), GivenBack),
        **dict.fromkeys(customer_kinds, Person),
    }
    ignores = frozenset(
        "webhooks.test_notification order.fulfillment.updated invoice.* customer.deleted customer.custom_attribute* catalog.* inventory.* dispute.* "
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

    def people(self, payload: Person, event: Event[Any]) -> Iterable[Customer]:
        yield Customer(
            name=full_name(payload.given_name, payload.family_name),
            id=payload.id,
            emails=(payload.email_address,),
            phones=(payload.phone_number,),
            country=payload.country
            or ("US" if NORTH_AMERICAN.fullmatch(re.sub("[^0-9]", "", payload.phone_number or "")) else None),
        )

    def orders(self, payload: Sale | GivenBack, event: Event[Any]) -> Iterable[Order]:
        if isinstance(payload, GivenBack):
            yield _given_back(payload, event.kind.startswith("dispute."))
        else:
            yield self._order(payload, event.notice.payment if isinstance(event.notice, PaymentTold) else Paid())

    def _order(self, order: Sale, paid: Paid) -> Order:
        if order.state == "DRAFT":
            raise Ignored("a draft: nothing was ordered yet")
        if order.returns and not order.line_items:
            raise Ignored("a return: its refund tells of it")
        total = order.total if order.net is None or not order.returns else max(0, order.net)
        value = Money.of(total, order.currency)
        if value is None:
            raise Unreadable("order.total_money: an order has a total")
        items = tuple(
            Item(
                title=line.name,
                quantity=line.quantity,
                unit_value=Money.of(line.price, line.currency or order.currency),
            )
            for line in order.line_items
        )
        return Order(
            external_id=order.id,
            aliases=tuple(given for tender in order.tenders for given in (tender.payment_id, tender.id)),
            at=order.updated_at,
            sequence=order.version,
            status=self.status(order.state),
            source_status=order.state,
            title=order_title(order.reference_id, items),
            bills=(Bill(value=value),),
            payments=_payments(order, value),
            ordered_at=order.created_at,
            paid_at=order.closed_at if order.state == "COMPLETED" else None,
            customer=_buyer(order, paid),
            items=items or None,
        )


def _payments(order: Sale, value: Money) -> tuple[Payment, ...]:
    """The tenders; where none is listed, what is no longer due."""
    due = 0 if order.state == "COMPLETED" else value.minor if order.due is None else order.due
    paid = max(0, value.minor - due)
    if order.tenders:
        return tuple(
            Payment(
                id=tender.payment_id or tender.id,
                value=Money.of(tender.amount, order.currency),
                # Cash has no status of its own: it is there, or it is not.
                state=STATES.get(tender.status) if tender.status else PaymentState.TAKEN if paid else None,
                captures=order.id,
            )
            for tender in order.tenders
        )
    return (Payment(id=order.id, value=Money(paid, value.currency), state=PaymentState.TAKEN),) if paid else ()


def _buyer(order: Sale, paid: Paid) -> Customer:
    told = (order.customer_id, paid.customer_id, *(tender.customer_id for tender in order.tenders))
    customer_id = next(filter(None, told), None)
    name, email = full_name(paid.first_name, paid.last_name), paid.buyer_email_address
    there = (each.recipient for each in order.fulfillments if each.recipient)
    recipient = next((each for each in there if customer_id in (None, each.customer_id)), None)
    # Whoever gets the goods may be somebody else.
    if recipient is None or email or names_another(recipient.display_name, name):
        recipient = Recipient()
    return Customer(
        name=name or recipient.display_name,
        id=customer_id or recipient.customer_id,
        emails=(email or recipient.email_address,),
        phones=(recipient.phone_number,),
        country=paid.country or recipient.country or COUNTRIES.get(order.currency or ""),
    )


def _given_back(back: GivenBack, dispute: bool) -> Order:
    if not back.payment_id:
        raise Ignored("a refund of no payment")
    refund = Refund(
        id=f"dispute:{back.id}" if dispute else back.id,
        value=Money.of(back.amount, back.currency),
        state=(DISPUTES if dispute else REFUNDS).get(back.status or "", RefundState.PENDING),
        kind=RefundKind.CHARGEBACK if dispute else RefundKind.REFUND,
        at=back.updated_at,
        payment=back.payment_id,
    )
    return Order(external_id=back.payment_id, preference=1, at=back.updated_at, refunds=(refund,))
