"""PayPal: what a webhook says is not believed; the order, capture, sale or refund that it names is read from the API.

- Signing: https://developer.paypal.com/api/rest/webhooks/rest
- Events: https://developer.paypal.com/api/rest/webhooks/event-names
- Orders: https://developer.paypal.com/api/orders/v2, captures and refunds: https://developer.paypal.com/api/payments/v2
- Sales (v1, of subscriptions and older shops): https://developer.paypal.com/docs/api/payments/v1/

Decided here, and why:

- PayPal's signature needs a certificate that each delivery names by its address, and ties the body to it by a CRC-32
  only, which anybody can make another body fit. So it is not used: a delivery is taken as a hint, of which nothing but
  an id is read, and the strength is `fetched`. Simulator events name things that do not exist, and stay unfetched.
- The key is `client id:client secret`, changed for a token at PayPal as its manual of authentication says.
- What is paid is told by an order's captures, not by its own status (`COMPLETED` also stands over a declined one).
- An order goes by its id; captures, and refunds of them, name it or meet it as aliases.
- A capture that is pending, and an approved order, are pending: no money has come.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Api,
    BodyField,
    Customer,
    Event,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    OptionalOf,
    Options,
    Order,
    Origin,
    Payload,
    Status,
    Unreadable,
    Unsigned,
    bearer,
    full_name,
    latest,
    order_title,
    path,
    status_map,
)

ID = re.compile(r"[A-Za-z0-9-]{1,64}")
# The end of a link to something that can be read: what it is, and its id.
THING = re.compile(
    r"/(v2/checkout/orders|v2/payments/(?:authorizations|captures|refunds)|v1/payments/(?:authorization|capture|sale|refund))"
    r"/([A-Za-z0-9-]{1,64})\Z"
)
ORDERS = "/v2/checkout/orders/"
# Where it is, by the notice's own word for what it is: for notices without a link that can be read.
PLACES = {"checkout-order": ORDERS, "capture": "/v2/payments/captures/"}
ORIGINS = {"live": "https://api-m.paypal.com", "sandbox": "https://api-m.sandbox.paypal.com"}


class PaypalOptions(Options):
    """`environment`: which of PayPal's two worlds the account lives in."""

    environment: Literal["live", "sandbox"] = "live"


class Link(Payload):
    rel: str | None = None
    href: str | None = None


class Notice(Payload):
    """Ids, and nothing else."""

    id: str | None = path("resource.id")
    order_id: str | None = path("resource.order_id")
    related_order_id: str | None = path("resource.supplementary_data.related_ids.order_id")
    links: ListOf[Link] = path("resource.links", otherwise=())
    resource_type: str | None = None


class Amount(Payload):
    """Names of version 2 first, those of version 1 after them; here and below."""

    value: Decimal | None = path("value", "total")
    currency: str | None = path("currency_code", "currency")


class Movement(Payload):
    """An authorisation, a capture or a refund."""

    id: str
    status: str | None = path("status", "state")
    amount: OptionalOf[Amount] = None
    create_time: IsoOrBlank = None
    update_time: IsoOrBlank = None


class Good(Payload):
    name: str | None = None
    quantity: Decimal | None = None
    unit_amount: OptionalOf[Amount] = None
    sku: str | None = None


class Unit(Payload):
    amount: OptionalOf[Amount] = None
    description: str | None = None
    invoice_id: str | None = None
    items: ListOf[Good] = ()
    authorizations: ListOf[Movement] = path("payments.authorizations", otherwise=())
    captures: ListOf[Movement] = path("payments.captures", otherwise=())
    refunds: ListOf[Movement] = path("payments.refunds", otherwise=())


class Document(Movement):
    """Whichever of them was asked for: an order has `purchase_units`."""

    purchase_units: ListOf[Unit] = ()
    payer_id: str | None = path("payer.payer_id")
    email_address: str | None = path("payer.email_address")
    given_name: str | None = path("payer.name.given_name")
    surname: str | None = path("payer.name.surname")
    national_number: str | None = path("payer.phone.phone_number.national_number")
    invoice_id: str | None = path("invoice_id", "invoice_number")
    order_id: str | None = path("supplementary_data.related_ids.order_id")
    links: ListOf[Link] = ()
    sale_id: str | None = None
    capture_id: str | None = None


# Of captures (or authorisations) that stand differently, the first of these that there is decides: one that holds is
# more than one that failed.
DECISIVE = (UNKNOWN, Status.PAID, Status.REFUNDED, Status.PENDING, Status.CANCELED, Status.FAILED)


class Paypal(Adapter[Document]):
    name, title, origin = "paypal", "PayPal", Origin.PAYMENTS
    links = Links(
        signing="https://developer.paypal.com/api/rest/webhooks/rest",
        payload="https://developer.paypal.com/api/rest/webhooks/event-names",
    )
    topics = tuple(
        """
        CHECKOUT.ORDER.APPROVED CHECKOUT.ORDER.COMPLETED CHECKOUT.PAYMENT-APPROVAL.REVERSED
        PAYMENT.AUTHORIZATION.CREATED PAYMENT.AUTHORIZATION.VOIDED PAYMENT.CAPTURE.PENDING PAYMENT.CAPTURE.COMPLETED
        PAYMENT.CAPTURE.DECLINED PAYMENT.CAPTURE.DENIED PAYMENT.CAPTURE.REFUNDED PAYMENT.CAPTURE.REVERSED
        PAYMENT.SALE.COMPLETED PAYMENT.SALE.PENDING PAYMENT.SALE.DENIED PAYMENT.SALE.REFUNDED PAYMENT.SALE.REVERSED
        """.split()
    )
    signature = Unsigned(
        because="its signature needs a certificate from PayPal, and ties the body to it by CRC-32 only"
    )
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    kind = BodyField("event_type")
    delivery_id = BodyField("id")  # the same on every try
    reads = {}
    ignores = frozenset("BILLING.* CATALOG.* CUSTOMER.* IDENTITY.* INVOICING.* MERCHANT.* VAULT.*".split())
    options = PaypalOptions
    statuses = (  # words in small letters are those of version 1
        status_map(
            "order",
            pending="CREATED SAVED APPROVED PAYER_ACTION_REQUIRED",
            canceled="VOIDED",
            nothing="COMPLETED",  # its captures tell
        )
        | status_map(
            "authorization",
            pending="CREATED PENDING CAPTURED PARTIALLY_CAPTURED authorized pending captured partially_captured",
            failed="DENIED",
            canceled="VOIDED voided expired",
        )
        | status_map(
            "capture",
            pending="PENDING pending",
            paid="COMPLETED PARTIALLY_REFUNDED completed partially_refunded",
            failed="DECLINED FAILED",
            refunded="REFUNDED refunded",
        )
        | status_map(
            "sale", pending="pending", paid="completed partially_refunded", failed="denied", refunded="refunded"
        )
    )
    api = Api(
        origin=lambda options: ORIGINS[options.environment],
        authorize=bearer,
        key_description="Client ID and Secret key of your app (developer.paypal.com → Apps & Credentials), written id:secret",
        token_path="/v1/oauth2/token",  # noqa: S106 - where tokens are given, not one
    )
    fetches = dict.fromkeys(topics, Notice)
    resource = Document
    retry_policy = "takes 2xx; tries again 25 times in 3 days"

    def path(self, notice: Notice, event: Event[Any]) -> str:
        order_id = notice.order_id or notice.related_order_id
        if order_id:
            return f"{ORDERS}{_id(order_id)}"
        # Which thing this is stands in its own link; the link itself is never followed.
        thing, where = _linked(notice.links, "self"), PLACES.get(notice.resource_type or "")
        if thing:
            return thing[0]
        if where and notice.id:
            return f"{where}{_id(notice.id)}"
        raise Unreadable("resource.links: it does not say what it is (rel self)")

    def orders(self, payload: Document, event: Event[Document]) -> Iterable[Order]:
        match self.path(event.notice, event).split("/")[-2]:
            case "orders":
                order = self._order(payload)
            case "refunds" | "refund":
                order = _refund(payload)
            case what:
                order = self._payment(payload, what.removesuffix("s"))
        yield replace(order, test=event.options.environment == "sandbox")

    def _order(self, order: Document) -> Order:
        units = order.purchase_units
        authorized = [one for unit in units for one in unit.authorizations]
        captured = [one for unit in units for one in unit.captures]
        refunded = [one for unit in units for one in unit.refunds]
        value, decisive = Money.total(_money(unit.amount) for unit in units), captured or authorized
        status = self.status(f"order.{order.status}")
        if decisive:
            found = [self.status(f"{'capture' if captured else 'authorization'}.{one.status}") for one in decisive]
            status = next((each for each in DECISIVE if each in found), None)
        paid = [one for one in captured if self.status(f"capture.{one.status}") in (Status.PAID, Status.REFUNDED)]
        got = Money.total(_money(one.amount) for one in paid)
        if status is Status.PAID and got and value and got.currency == value.currency and got.minor < value.minor:
            status = Status.PARTIALLY_PAID
        items = tuple(
            Item(title=good.name, quantity=good.quantity, unit_value=_money(good.unit_amount), sku=good.sku)
            for unit in units
            for good in unit.items
        )
        return Order(
            external_id=order.id,
            aliases=tuple(one.id for one in captured),
            at=_latest(order, *authorized, *captured, *refunded),
            status=status,
            source_status=decisive[-1].status if decisive else order.status,
            title=order_title(
                next((unit.invoice_id for unit in units if unit.invoice_id), None),
                items or [unit.description for unit in units],
            ),
            value=value,
            refunds=_refunds(refunded),
            ordered_at=order.create_time,
            paid_at=paid[0].create_time if paid else None,
            customer=Customer(
                name=full_name(order.given_name, order.surname),
                id=order.payer_id,
                emails=(order.email_address,),
                phones=(order.national_number,),
            ),
            items=items or None,
        )

    def _payment(self, payment: Document, name: str) -> Order:
        """An authorisation, capture or sale by itself; where it belongs to an order, the order's value is not its."""
        order_id, word = payment.order_id, payment.status
        status = self.status(f"{name}.{word}") if word else None
        return Order(
            external_id=order_id or payment.id,
            preference=0 if order_id else 1,
            aliases=(payment.id,),
            at=_latest(payment),
            status=status,
            source_status=word,
            title=order_title(payment.invoice_id, []),
            value=None if order_id else _money(payment.amount),
            ordered_at=None if order_id else payment.create_time,
            paid_at=payment.create_time if status is Status.PAID and name != "authorization" else None,
        )


def _refund(refund: Document) -> Order:
    up = _linked(refund.links, "up")
    paid = refund.sale_id or refund.capture_id or (up and up[2])
    if not paid:
        raise Unreadable("sale_id, capture_id, links: a refund names what it gives back")
    back = _refunds([refund])
    if not back:
        raise Ignored("a refund that is on its way")
    return Order(external_id=paid, preference=1, at=_latest(refund), refunds=back)


def _refunds(refunds: Iterable[Movement]) -> dict[str, Money]:
    """What was given back by each; what came to nothing counts as nothing, and what is on its way not yet."""
    found = {}
    for refund in refunds:
        word = (refund.status or "").upper()
        money = _money(refund.amount) if word in ("COMPLETED", "CANCELLED", "FAILED") else None
        if money:
            # Version 1 writes what was given back as less than nothing.
            found[refund.id] = Money(abs(money.minor) if word == "COMPLETED" else 0, money.currency)
    return found


def _linked(links: Iterable[Link], rel: str) -> re.Match[str] | None:
    """The thing that a link of this kind leads to."""
    return next(filter(None, (THING.search(link.href or "") for link in links if link.rel == rel)), None)


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise Unreadable("resource: what it names has no id of PayPal's")
    return text


def _money(amount: Amount | None) -> Money | None:
    if amount and (amount.value is None or not amount.currency):
        raise Unreadable("amount: value and currency_code, or total and currency")
    return Money.major(amount.value, amount.currency) if amount else None


def _latest(*things: Movement) -> datetime | None:
    """When the last of these was changed."""
    return latest(*(time for thing in things for time in (thing.create_time, thing.update_time)))
