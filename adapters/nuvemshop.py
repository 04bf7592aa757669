"""Nuvemshop (Tiendanube): a notice names the order; what it is now is read from the API.

- Signing: https://tiendanube.github.io/api-documentation/resources/webhook
- Orders: https://tiendanube.github.io/api-documentation/resources/order

Decided here, and why:

- A notice bears no id: two changes of one order send the same bytes. A repeat is a duplicate, and the order is read again.
- `cancelled` wins over every payment status but `refunded`. `authorized` is pending: it is captured later.
- `total` is what the buyer pays, in `currency`: a store may sell in ARS, BRL, MXN …; `total_usd` is not the total.
- How much was given back is not in the documents read: `refunded` gives back the whole value, and a part is not seen.
- The LGPD notices' own test collection shows them without `event`: they are known by what only they hold, or by holding the
  store alone.
- `identification` has no type: it is read as CPF or CNPJ only where the store sells in BRL, for one in a hundred Argentine
  CUITs has a CPF's check digits as well.
- LGPD gives the person fifteen days to have a complete answer (Law 13.709, article 19, II); that is the due date here.
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
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Privacy,
    Request,
    Status,
    Unreadable,
    currency_code,
    either,
    order_title,
)


class Notice(Payload):
    store_id: str
    id: str


class Person(Payload):
    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    identification: str | None = None


class Line(Payload):
    name: str | None = None
    price: Decimal | None = None
    quantity: Decimal = Decimal(1)
    sku: str | None = None


class Sale(Payload):
    id: str
    number: str | None = None
    status: str | None = None
    payment_status: str | None = None
    total: Decimal = either("total", "price", otherwise=...)  # `price` in older examples of the manual
    currency: str
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    paid_at: IsoOrBlank = None
    customer: Annotated[Person | None, IfObject] = None
    contact_name: str | None = None
    contact_email: str | None = None
    contact_phone: str | None = None
    contact_identification: str | None = None
    billing_name: str | None = None
    billing_phone: str | None = None
    products: list[Line] | None = None


class Nuvemshop(Adapter[Sale]):
    name, title, origin = "nuvemshop", "Nuvemshop", Origin.COMMERCE
    links = Links(
        signing="https://tiendanube.github.io/api-documentation/resources/webhook",
        payload="https://tiendanube.github.io/api-documentation/resources/order",
    )
    setup = (
        "At partners.nuvemshop.com.br create an app with the scopes read_orders and read_customers, and install it in the store.",
        "Give the app's client secret to this source as its secret, and the access token of that installation as its key.",
        "Create the webhooks through the API (POST /v1/STORE/webhooks): url {webhook_url}, one for each of the events order/created, "
        "order/updated, order/paid, order/cancelled, order/edited, order/voided. Webhooks made elsewhere are not signed.",
        "In the app's settings give {webhook_url} for the three LGPD notices as well: they are recorded as privacy requests.",
    )
    topics = ("order/created", "order/updated", "order/paid", "order/cancelled", "order/edited", "order/voided")
    signature = Hmac(header="x-linkedstore-hmac-sha256", encoding="hex")
    patience = "takes 2xx within 3 seconds; tries again 18 times in 48 hours"
    kind = Field("event")
    reads = {}
    ignores = frozenset(
        {"product/*", "product_variant/*", "customer/*", "category/*", "app/*", "domain/*", "fulfillment_order/*", "location/*",
         "subscription/*", "theme/*", "page/*", "abandoned_checkout/*"}
    )  # fmt: skip
    privacy = {
        "customers/data_request": Privacy(Request.EXPORT, 15),
        "customers/redact": Privacy(Request.ERASE, 15),
        "store/redact": Privacy(Request.ERASE_SHOP, 15),
    }
    statuses = {
        "paid": Status.PAID,
        "authorized": Status.PENDING,
        "pending": Status.PENDING,
        "unpaid": Status.PENDING,  # a draft's words
        "pending_confirmation": Status.PENDING,
        # The documents read do not have these two, and they can mean nothing else.
        "partially_paid": Status.PARTIALLY_PAID,
        "partially_refunded": Status.PAID,
        "abandoned": Status.CANCELED,
        "voided": Status.CANCELED,
        "refunded": Status.REFUNDED,
    }
    api = Api(
        origin="https://api.nuvemshop.com.br",
        # The header's name is really this; and who asks must say how to reach them.
        authorize=lambda key, options: {"authentication": f"bearer {key}", "user-agent": "Orders Registry (webhooks)"},
        key_words="the access token that the app got when it was installed in the store",
    )
    fetches = dict.fromkeys(
        (*topics, "order/custom_fields_updated", "order/fulfilled", "order/packed", "order/pending", "order/unpacked"),
        Notice,
    )
    document = Sale

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        document = self.document_of(delivery)
        if isinstance(document, dict) and "event" not in document:
            if "orders_to_redact" in document:
                return "customers/redact"
            if "data_request" in document or "orders_requested" in document:
                return "customers/data_request"
            if set(document) == {"store_id"}:
                return "store/redact"
        return super().kind_of(delivery, options)

    def path(self, notice: Notice, event: Event[Any]) -> str:
        if not re.fullmatch(r"[0-9]{1,18}", notice.store_id) or not re.fullmatch(r"[0-9]{1,18}", notice.id):
            raise Unreadable("store_id, id: both are numbers")
        return f"/v1/{notice.store_id}/orders/{notice.id}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        currency, lines = currency_code(payload.currency), payload.products or []
        status = self.status(payload.payment_status)
        if payload.status == "cancelled" and status is not Status.REFUNDED:
            status = Status.CANCELED
        yield Order(
            external_id=payload.id,
            at=payload.updated_at,
            status=status,
            source_status="cancelled" if payload.status == "cancelled" else payload.payment_status,
            title=order_title(payload.number, [line.name for line in lines]),
            value=Money.major(payload.total, currency),
            ordered_at=payload.created_at,
            paid_at=payload.paid_at,
            customer=_customer(payload),
            items=tuple(
                Item(
                    title=line.name or "–",
                    quantity=line.quantity,
                    unit_value=None if line.price is None else Money.major(line.price, currency),
                    sku=line.sku or None,
                )
                for line in lines
            )
            or None,
        )


def _customer(sale: Sale) -> Customer | None:
    person = sale.customer or Person()
    emails, phones = (person.email, sale.contact_email), (person.phone, sale.contact_phone, sale.billing_phone)
    documents = (person.identification, sale.contact_identification) if sale.currency == "BRL" else ()
    customer = Customer(
        name=person.name or sale.contact_name or sale.billing_name or None,
        id=person.id or None,
        emails=tuple(dict.fromkeys(each for each in emails if each)),
        phones=tuple(dict.fromkeys(each for each in phones if each)),
        documents=tuple(dict.fromkeys(each for each in documents if each)),
    )
    return None if customer == Customer() else customer
