"""Gumroad: one sale a ping, as a form.

- Pings: https://gumroad.com/ping, other resources: https://app.gumroad.com/api#resource-subscriptions
- What a ping holds, and when it is sent again: github.com/antiwork/gumroad, `app/modules/purchase/ping_notification.rb`
  and `app/sidekiq/post_to_individual_ping_endpoint_worker.rb`

Decided here, and why:

- Gumroad signs nothing (an `x-gumroad-signature` that some receivers check is never sent). It posts to the address as
  it was given, so the secret stands in the address.
- A seller's own checkout fields are merged into the same form and can take the place of what Gumroad says: do not name
  one `price`, `email`, `sale_id` …
- `price` is in US cents whatever the product is listed in (`currency`).
- The only time is that of the sale (`sale_timestamp`), and no statement's own: pings stand as they were received.
- `refunded` means all of it. A ping of a part of the money (`refund`, not `refunded`) names no amount: it is noted.
- A dispute is open until it is won; no ping tells of one that was lost, nor of how much was disputed.
- A pre-order is charged as a sale of its own (`app/models/purchase.rb`: "two purchases"), and nothing joins the two: the first
  stays pending. The first sale of a membership with a free trial has the price though nothing is charged yet, and nothing
  tells it apart.
- A test ping repeats the latest real sale, and would make a test of it; it alone does not say what happened.
- A gift is two purchases, of which only the receiver's is told (`app/models/purchase.rb`: `send_notification_webhook`), at no
  price: the sale is what the giver paid, and the giver is the buyer. A refund or dispute of it is told of the giver's
  purchase, and nothing joins the two.
"""

from collections.abc import Iterable
from typing import Any

from adapters.contract import (
    Adapter,
    Bill,
    BodyField,
    Customer,
    Delivery,
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
    Refund,
    RefundKind,
    RefundState,
    Status,
    Token,
    json_body,
    order_title,
    status_map,
)


class Ping(Payload):
    sale_id: str
    price: int
    product_name: str | None = None
    quantity: int | None = None
    order_number: str | None = None
    sale_timestamp: IsoOrBlank = None
    email: str | None = None
    full_name: str | None = None
    purchaser_id: str | None = None
    refunded: bool | None = None
    is_preorder_authorization: bool | None = None
    is_gift_receiver_purchase: bool | None = None
    gift_price: int | None = None
    gifter_email: str | None = None
    test: bool | None = None
    resource_name: str | None = None


class Gumroad(Adapter[Ping]):
    name, title, origin = "gumroad", "Gumroad", Origin.COMMERCE
    links = Links(signing="https://gumroad.com/ping", payload="https://app.gumroad.com/api#resource-subscriptions")
    topics = ("sale", "refund", "dispute", "dispute_won")
    signature = Token(query="token")
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    body = "form"
    kind = BodyField("resource_name")
    delivery_id = BodyField("resource_name", "sale_id", "refunded")  # a retry adds `retry_count`, so the body differs
    reads = dict.fromkeys(topics, Ping)
    ignores = frozenset({"cancellation", "subscription_*"})
    statuses = status_map(paid="sale dispute_won", nothing="refund dispute")
    retry_policy = (
        "takes 2xx within 5 seconds; after 499, 500, 502, 503 or 504 it tries 3 times more in 14 minutes, after anything "
        "else never again: what is refused here is lost"
    )

    def document_of(self, delivery: Delivery) -> Any:
        """The form, or JSON where the seller chose that."""
        return delivery.document(json_body) if delivery.body[:1] == b"{" else super().document_of(delivery)

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        """What happened; the test ping does not say, and is a sale."""
        document = self.document_of(delivery)
        if isinstance(document, dict) and "resource_name" not in document and "sale_id" in document:
            return "sale"
        return super().kind_of(delivery, options)

    def orders(self, payload: Ping, event: Event[Ping]) -> Iterable[Order]:
        if payload.test and not payload.resource_name:
            raise Ignored("a test ping, which repeats the latest sale")
        status = Status.REFUNDED if payload.refunded else self.status(event.kind)
        if payload.is_preorder_authorization and status is Status.PAID:
            status = Status.PENDING
        sold_at, goods, quantity = payload.sale_timestamp, payload.product_name, payload.quantity or 1
        cents, buyer = payload.price, Customer(name=payload.full_name, id=payload.purchaser_id, emails=(payload.email,))
        if payload.is_gift_receiver_purchase:  # who it names is the receiver
            cents, buyer = payload.gift_price or 0, Customer(emails=(payload.gifter_email,))
        price, refunds = Money(cents, "USD"), []
        if payload.refunded:
            refunds.append(Refund(id="refund", all=True, payment=payload.sale_id))
        elif event.kind == "refund":
            refunds.append(Refund(id="part", payment=payload.sale_id))
        if event.kind.startswith("dispute"):
            state = RefundState.REVERSED if event.kind == "dispute_won" else RefundState.PENDING
            refunds.append(Refund(id="dispute", state=state, kind=RefundKind.CHARGEBACK, payment=payload.sale_id))
        each = None if cents % quantity else Money(cents // quantity, "USD")
        yield Order(
            external_id=payload.sale_id,
            at=None,
            status=status,
            source_status="refunded" if payload.refunded else event.kind,
            title=order_title(payload.order_number, [goods]),
            bills=(Bill(id=payload.sale_id, value=price),),
            payments=(
                Payment(
                    id=payload.sale_id,
                    value=price,
                    state=PaymentState.AUTHORIZED if payload.is_preorder_authorization else PaymentState.TAKEN,
                    at=sold_at,
                ),
            ),
            refunds=tuple(refunds),
            ordered_at=sold_at,
            customer=buyer,
            items=(Item(title=goods, quantity=quantity, unit_value=each),) if goods else None,
            test=payload.test,
        )
