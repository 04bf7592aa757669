"""Nuvemshop (Tiendanube): a notice names the order; what it is now is read from the API.

- Signing: https://tiendanube.github.io/api-documentation/resources/webhook
- Orders: https://tiendanube.github.io/api-documentation/resources/order

Decided here, and why:

- A notice bears no id: two changes of one order send the same bytes. A repeat is a duplicate, and the order is read again.
- `cancelled` wins over every payment status but `refunded`. `authorized` is pending: it is captured later.
- `total` is what the buyer pays, in `currency`: a store may sell in ARS, BRL, MXN …; `total_usd` is not the total.
- How much was given back is not in the documents read: `refunded` gives back the whole value, and of a part only
  that there was one is noted. A payment that is `voided` after it was taken went back.
- The recipient is taken where the buyer is missing.
- A phone without a country's number is one of the order's country: where no address names it (something
  to download or pick up), of the one where the currency is at home.
- The LGPD notices' own test collection shows them without `event`: they are known by what only they hold, or by holding the
  store alone.
- `identification` has no type: it is read as CPF or CNPJ only where the store sells in BRL, for one in a hundred Argentine
  CUITs has a CPF's check digits as well.
- LGPD gives the person fifteen days to have a complete answer (Law 13.709, article 19, II); that is the due date here.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from adapters.contract import (
    Adapter,
    Api,
    Bill,
    BodyField,
    BuyersRequest,
    Customer,
    Delivery,
    Event,
    Hmac,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Privacy,
    Request,
    ShopRequest,
    Status,
    Unreadable,
    names_another,
    order_title,
    path,
    status_map,
)

# Where Nuvemshop sells, by what is paid with there.
COUNTRIES = {"ARS": "AR", "BRL": "BR", "CLP": "CL", "COP": "CO", "MXN": "MX", "PEN": "PE", "UYU": "UY"}


class Notice(Payload):
    store_id: str
    id: str


class Line(Payload):
    name: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    sku: str | None = None


class Sale(Payload):
    id: str
    number: str | None = None
    status: str | None = None
    payment_status: str | None = None
    total: Decimal = path("total", "price", otherwise=...)  # `price` in older examples of the manual
    currency: str
    created_at: IsoOrBlank = None
    updated_at: IsoOrBlank = None
    paid_at: IsoOrBlank = None
    customer_id: str | None = path("customer.id")
    name: str | None = path("customer.name")
    email: str | None = path("customer.email")
    phone: str | None = path("customer.phone")
    identification: str | None = path("customer.identification")
    contact_name: str | None = None
    contact_email: str | None = None
    contact_phone: str | None = None
    contact_identification: str | None = None
    billing_name: str | None = None
    billing_phone: str | None = None
    country: str | None = path("billing_country")
    home: str | None = path("customer.default_address.country")
    recipient: str | None = path("shipping_address.name")
    recipients_phone: str | None = path("shipping_address.phone")
    recipients_country: str | None = path("shipping_address.country")
    products: ListOf[Line] = ()


class Nuvemshop(Adapter[Sale]):
    name, title, origin = "nuvemshop", "Nuvemshop", Origin.COMMERCE
    links = Links(
        signing="https://tiendanube.github.io/api-documentation/resources/webhook",
        payload="https://tiendanube.github.io/api-documentation/resources/order",
    )
    topics = tuple("order/created order/updated order/paid order/cancelled order/edited order/voided".split())
    signature = Hmac(header="x-linkedstore-hmac-sha256", encoding="hex")
    retry_policy = "takes 2xx within 3 seconds; tries again 18 times in 48 hours"
    kind = BodyField("event")
    reads = {}
    ignores = frozenset(
        "product/* product_variant/* customer/* category/* app/* domain/* fulfillment_order/* location/* subscription/* "
        "theme/* page/* abandoned_checkout/*".split()
    )
    privacy = {
        "customers/data_request": Privacy(Request.EXPORT, 15, BuyersRequest),
        "customers/redact": Privacy(Request.ERASE, 15, BuyersRequest),
        "store/redact": Privacy(Request.ERASE_SHOP, 15, ShopRequest),
    }
    statuses = status_map(
        pending="authorized pending pending_confirmation unpaid",  # the last is a draft's word
        # The documents read have neither partially_paid nor partially_refunded, and they can mean nothing else.
        partially_paid="partially_paid",
        paid="paid partially_refunded",
        canceled="abandoned voided",
        refunded="refunded",
    )
    partly_refunded = frozenset({"partially_refunded"})
    api = Api(
        origin="https://api.nuvemshop.com.br",
        # The header's name is really this; and who asks must say how to reach them.
        authorize=lambda key, options: {"authentication": f"bearer {key}", "user-agent": "Orders Registry (webhooks)"},
        key_description="the access token that the app got when it was installed in the store",
    )
    fetches = dict.fromkeys(
        (*topics, *"order/custom_fields_updated order/fulfilled order/packed order/pending order/unpacked".split()),
        Notice,
    )
    resource = Sale

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
        word, currency = self.status(payload.payment_status), payload.currency
        total = Money.major(payload.total, currency)
        canceled = payload.status == "cancelled" and word is not Status.REFUNDED
        taken = word in (Status.PAID, Status.REFUNDED)
        # A payment that is voided after it was taken gives all of it back.
        told = taken or word is Status.PENDING  # which says that nothing is taken, or not any more
        state = PaymentState.TAKEN if told else PaymentState.CANCELED if payload.payment_status == "voided" else None
        amount = total if taken or not told else Money(0, total.currency)
        items = tuple(
            Item(title=line.name, quantity=line.quantity, unit_value=Money.major(line.price, currency), sku=line.sku)
            for line in payload.products
        )
        named = ((payload.contact_name, payload.contact_phone), (payload.billing_name, payload.billing_phone))
        phones = (phone for name, phone in named if not names_another(name, payload.name))
        yield Order(
            external_id=payload.id,
            at=payload.updated_at,
            status=Status.CANCELED if canceled else word,
            source_status="cancelled" if payload.status == "cancelled" else payload.payment_status,
            title=order_title(payload.number, items),
            bills=(Bill(value=total),),
            payments=(Payment(value=amount, state=state, at=payload.paid_at if taken else None, all=taken),)
            if state
            else (),
            ordered_at=payload.created_at,
            paid_at=payload.paid_at,
            customer=Customer(
                name=payload.name or payload.contact_name or payload.billing_name,
                id=payload.customer_id,
                emails=(payload.email, payload.contact_email),
                phones=(payload.phone, *phones),
                documents=(payload.identification, payload.contact_identification) if currency == "BRL" else (),
                country=payload.country or payload.home or payload.recipients_country or COUNTRIES.get(currency),
            ).or_recipient(payload.recipient, payload.recipients_phone, payload.recipients_country),
            items=items or None,
        )
