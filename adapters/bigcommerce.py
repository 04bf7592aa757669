"""BigCommerce: a notice names the order; what it is now is read from the Orders API (v2).

- Signing: https://developer.bigcommerce.com/docs/integrations/webhooks
- Orders: https://developer.bigcommerce.com/docs/rest-management/orders#get-an-order

Decided here, and why:

- Signed as Standard Webhooks say, but the key is the bytes of the app's client secret as it stands, not base64 of them.
- `total_inc_tax` is what the buyer pays, in `default_currency_code`: `currency_code` is only what was displayed.
- Status 0 (Incomplete) is a checkout that never ended: it is ignored. Authorised and not captured (`payment_status`) is
  pending, however far the shipping has come.
- A transaction is a notice of its order, too: no manual says that a capture also updates the order.
- `refunded_amount` is a total; it counts under one fixed id. A dispute (13) is still open, and the money was paid.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic import Field as Constraint

from adapters.contract import (
    Adapter,
    Api,
    Customer,
    Event,
    Field,
    Header,
    IfObject,
    Ignored,
    Links,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    StandardWebhooks,
    Status,
    Unreadable,
    currency_code,
    order_title,
    text_key,
)

TOTAL = "total"  # the one id of what was given back
INCOMPLETE = "0"
UNCAPTURED = frozenset({"authorized", "capture pending", "pending", "held for review"})


def _rfc_2822(value: Any) -> Any:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("is not a time as RFC 2822 writes it")
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        raise ValueError("is not a time as RFC 2822 writes it") from None


Rfc2822 = Annotated[datetime | None, BeforeValidator(_rfc_2822)]


class BigcommerceOptions(Options):
    """`store_hash`: the part of the API path that names the store (api.bigcommerce.com/stores/HASH)."""

    store_hash: str = Constraint(pattern=r"^[a-z0-9]{1,32}$")


class Named(Payload):
    id: str | None = None
    order_id: str | None = None  # of a transaction, whose own id is another


class Notice(Payload):
    data: Named


class Address(Payload):
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    email: str | None = None


class Sale(Payload):
    id: str
    customer_id: str | None = None
    date_created: Rfc2822 = None
    date_modified: Rfc2822 = None
    status_id: str
    status: str | None = None
    payment_status: str | None = None
    total_inc_tax: Decimal
    refunded_amount: Decimal | None = None
    default_currency_code: str | None = None
    currency_code: str | None = None
    billing_address: Annotated[Address | None, IfObject] = None


class Bigcommerce(Adapter[Sale]):
    name, title, origin = "bigcommerce", "BigCommerce", Origin.COMMERCE
    links = Links(
        signing="https://developer.bigcommerce.com/docs/integrations/webhooks",
        payload="https://developer.bigcommerce.com/docs/rest-management/orders",
    )
    setup = (
        "In the store's control panel open Settings → API → Store-level API accounts, and create one with Orders: read-only.",
        "Give its access token to this source as its key, its client secret as its secret, and the store's hash (the part after "
        "/stores/ in the API path) as the option store_hash.",
        "Create the webhook through the API (POST /stores/HASH/v3/hooks): scope store/order/*, destination {webhook_url}, "
        "is_active true.",
    )
    topics = ("store/order/*",)
    signature = StandardWebhooks(key=text_key)
    patience = "takes 2xx; tries again for two days, then switches the webhook off"
    kind = Field("scope")
    delivery_id = Header("webhook-id")
    options = BigcommerceOptions
    reads = {}
    ignores = frozenset({"store/order/message/*", "store/order/metafield/*", "store/order/archived", "store/[!o]*"})
    statuses = {
        "1": Status.PENDING,  # Pending
        "2": Status.PAID,  # Shipped
        "3": Status.PAID,  # Partially Shipped
        "4": Status.REFUNDED,
        "5": Status.CANCELED,
        "6": Status.FAILED,  # Declined
        "7": Status.PENDING,  # Awaiting Payment
        "8": Status.PAID,  # Awaiting Pickup
        "9": Status.PAID,  # Awaiting Shipment
        "10": Status.PAID,  # Completed
        "11": Status.PAID,  # Awaiting Fulfillment
        "12": Status.PENDING,  # Manual Verification
        "13": Status.PAID,  # Disputed
        "14": Status.PAID,  # Partially Refunded
    }
    api = Api(
        origin="https://api.bigcommerce.com",
        authorize=lambda key, options: {"x-auth-token": key},
        key_words="the access token of an API account of the store (Settings → API → Store-level API accounts)",
    )
    fetches = dict.fromkeys(
        (
            "store/order/created",
            "store/order/updated",
            "store/order/statusUpdated",
            "store/order/refund/created",
            "store/order/transaction/created",
            "store/order/transaction/updated",
        ),
        Notice,
    )
    document = Sale

    def path(self, notice: Notice, event: Event[Any]) -> str:
        transaction = event.kind.startswith("store/order/transaction/")
        found = notice.data.order_id if transaction else notice.data.id
        if not re.fullmatch(r"[0-9]{1,18}", found or ""):
            raise Unreadable(f"data.{'order_id' if transaction else 'id'}: is not an order's id")
        return f"/stores/{event.options.store_hash}/v2/orders/{found}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        if payload.status_id == INCOMPLETE:
            raise Ignored("an incomplete order: a checkout that did not end")
        currency = currency_code(payload.default_currency_code or payload.currency_code or "")
        status = self.status(payload.status_id)
        if status is Status.PAID and (payload.payment_status or "") in UNCAPTURED:
            status = Status.PENDING
        back = payload.refunded_amount
        yield Order(
            external_id=payload.id,
            at=payload.date_modified,
            status=status,
            source_status=payload.status or payload.status_id,
            title=order_title(payload.id, []),
            value=Money.major(payload.total_inc_tax, currency),
            refunds={TOTAL: Money.major(back, currency)} if back else None,
            ordered_at=payload.date_created,
            customer=_customer(payload),
        )


def _customer(sale: Sale) -> Customer | None:
    address = sale.billing_address or Address()
    customer = Customer(
        name=f"{address.first_name or ''} {address.last_name or ''}".strip() or None,
        id=sale.customer_id if sale.customer_id not in (None, "0") else None,  # 0: a guest
        emails=(address.email,) if address.email else (),
        phones=(address.phone,) if address.phone else (),
    )
    return None if customer == Customer() else customer
