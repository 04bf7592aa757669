"""BigCommerce: a notice names the order; what it is now is read from the Orders API (v2).

- Signing: https://developer.bigcommerce.com/docs/integrations/webhooks
- Orders: https://developer.bigcommerce.com/docs/rest-management/orders#get-an-order

Decided here, and why:

- Signed as Standard Webhooks say, but the key is the bytes of the app's client secret as it stands, not base64 of them.
- `total_inc_tax` is what the buyer pays, in `default_currency_code`: `currency_code` is only what was displayed.
- Status 0 (Incomplete) is a checkout that never ended: it is ignored.
- `payment_status` says whether the money was taken, whatever the status says of the shipping; where it says nothing
  (manual and offline ways of payment), the status decides. It knows no part of a payment.
- A transaction is a notice of its order, too: no manual says that a capture also updates the order.
- What the "Test Payment Gateway" took is a test: BigCommerce knows no other mark.
- `refunded_amount` is all that went back so far. A dispute (13) is still open, and the money was paid.
- What was bought comes with the order when its consignments are asked for; they also name the recipient, who is taken
  where the buyer is missing.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic import Field as Constraint

from adapters.contract import (
    Adapter,
    Api,
    Bill,
    BodyField,
    Customer,
    Event,
    Header,
    Ignored,
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
    StandardWebhooks,
    Status,
    full_name,
    order_title,
    path,
    refunded_so_far,
    status_map,
    text_key,
)

INCOMPLETE = "0"
TEST = "Test Payment Gateway"
GUEST = "0"
# payment_status: how far the payment is, and what the order is then where its status sounds paid; refunded is said of all.
PAYMENTS = {
    **dict.fromkeys(("captured", "paid", "partially refunded"), (PaymentState.TAKEN, None)),
    "refunded": (PaymentState.TAKEN, Status.REFUNDED),
    **dict.fromkeys(("authorized", "capture pending"), (PaymentState.AUTHORIZED, Status.PENDING)),
    **dict.fromkeys(("pending", "held for review", "void pending"), (None, Status.PENDING)),
    "void": (PaymentState.CANCELED, Status.CANCELED),
    "declined": (PaymentState.FAILED, Status.FAILED),
}


def _rfc_2822(value: Any) -> Any:
    try:
        return None if value is None or value == "" else parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, LookupError, AttributeError):
        raise ValueError("is not a time as RFC 2822 writes it") from None


Rfc2822 = Annotated[datetime | None, BeforeValidator(_rfc_2822)]


class BigcommerceOptions(Options):
    """`store_hash`: the part of the API path that names the store (api.bigcommerce.com/stores/HASH)."""

    store_hash: str = Constraint(pattern=r"^[a-z0-9]{1,32}$")


# It becomes a part of a path: nothing in it may lead elsewhere.
OrderId = Annotated[str, Constraint(pattern=r"^[0-9]{1,18}$")]


class Notice(Payload):
    order_id: OrderId = path("data.id", otherwise=...)


class TransactionNotice(Notice):
    order_id: OrderId = path("data.order_id", otherwise=...)  # its own id is another


class Line(Payload):
    name: str | None = None
    sku: str | None = None
    quantity: Decimal | None = None
    price_inc_tax: Decimal | None = None


class Consignment(Payload):
    line_items: ListOf[Line] = ()


class Consignments(Payload):
    shipping: ListOf[Consignment] = ()
    pickups: ListOf[Consignment] = ()
    downloads: ListOf[Consignment] = ()


class Sale(Payload):
    id: str
    customer_id: str | None = None
    date_created: Rfc2822 = None
    date_modified: Rfc2822 = None
    status_id: str
    status: str | None = None
    payment_status: str | None = None
    payment_method: str | None = None
    total_inc_tax: Decimal
    refunded_amount: Decimal | None = None
    default_currency_code: str | None = None
    currency_code: str | None = None
    first_name: str | None = path("billing_address.first_name")
    last_name: str | None = path("billing_address.last_name")
    company: str | None = path("billing_address.company")
    phone: str | None = path("billing_address.phone")
    email: str | None = path("billing_address.email")
    country: str | None = path("billing_address.country_iso2")
    recipients_first_name: str | None = path("consignments.0.shipping.0.first_name")
    recipients_last_name: str | None = path("consignments.0.shipping.0.last_name")
    recipients_phone: str | None = path("consignments.0.shipping.0.phone")
    recipients_country: str | None = path("consignments.0.shipping.0.country_iso2")
    consignments: ListOf[Consignments] = ()


class Bigcommerce(Adapter[Sale]):
    name, title, origin = "bigcommerce", "BigCommerce", Origin.COMMERCE
    links = Links(
        signing="https://developer.bigcommerce.com/docs/integrations/webhooks",
        payload="https://developer.bigcommerce.com/docs/rest-management/orders",
    )
    topics = ("store/order/*",)
    signature = StandardWebhooks(key=text_key)
    retry_policy = "takes 2xx; tries again for two days, then switches the webhook off"
    kind = BodyField("scope")
    delivery_id = Header("webhook-id")
    options = BigcommerceOptions
    reads = {}
    ignores = frozenset("store/order/message/* store/order/metafield/* store/order/archived store/[!o]*".split())
    statuses = status_map(  # status_id
        pending="1 7 12",  # Pending, Awaiting Payment, Manual Verification
        paid="2 3 8 9 10 11 13 14",  # Shipped, Partially Shipped, Awaiting Pickup, Awaiting Shipment, Completed,
        # Awaiting Fulfillment, Disputed, Partially Refunded
        refunded="4",
        canceled="5",
        failed="6",  # Declined
    )
    partly_refunded = frozenset({"Partially Refunded", "14"})
    api = Api(
        origin="https://api.bigcommerce.com",
        authorize=lambda key, options: {"x-auth-token": key},
        key_description="the access token of an API account of the store (Settings → API → Store-level API accounts)",
    )
    fetches = {
        "store/order/created": Notice,
        "store/order/updated": Notice,
        "store/order/statusUpdated": Notice,
        "store/order/refund/created": Notice,
        "store/order/transaction/created": TransactionNotice,
        "store/order/transaction/updated": TransactionNotice,
    }
    resource = Sale

    def path(self, notice: Notice, event: Event[Any]) -> str:
        order = f"/stores/{event.options.store_hash}/v2/orders/{notice.order_id}"
        return f"{order}?include=consignments.line_items"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        if payload.status_id == INCOMPLETE:
            raise Ignored("an incomplete order: a checkout that did not end")
        currency = payload.default_currency_code or payload.currency_code
        value, back = Money.major(payload.total_inc_tax, currency), Money.major(payload.refunded_amount, currency)
        status = self.status(payload.status_id)
        state, instead = PAYMENTS.get(payload.payment_status or "", (None, None))
        if instead and (status is Status.PAID or instead is Status.REFUNDED):
            status = instead
        items = tuple(_item(line, currency) for line in _lines(payload))
        yield Order(
            external_id=payload.id,
            at=payload.date_modified,
            status=status,
            source_status=payload.status or payload.status_id,
            title=order_title(payload.id, items),
            bills=(Bill(value=value),),
            payments=(Payment(value=value, state=state, all=state is PaymentState.TAKEN),) if state else (),
            refunds=refunded_so_far(back, status),
            ordered_at=payload.date_created,
            customer=_customer(payload),
            items=items or None,
            test=True if payload.payment_method == TEST else None,
        )


def _lines(sale: Sale) -> Iterable[Line]:
    for all_of_them in sale.consignments:
        for one in (*all_of_them.shipping, *all_of_them.pickups, *all_of_them.downloads):
            yield from one.line_items


def _item(line: Line, currency: str | None) -> Item:
    price = Money.major(line.price_inc_tax, currency)
    return Item(title=line.name, quantity=line.quantity, unit_value=price, sku=line.sku)


def _customer(sale: Sale) -> Customer:
    buyer = Customer(
        name=full_name(sale.first_name, sale.last_name) or sale.company,
        id=None if sale.customer_id == GUEST else sale.customer_id,
        emails=(sale.email,),
        phones=(sale.phone,),
        country=sale.country,
    )
    recipient = full_name(sale.recipients_first_name, sale.recipients_last_name)
    return buyer.or_recipient(recipient, sale.recipients_phone, sale.recipients_country)
