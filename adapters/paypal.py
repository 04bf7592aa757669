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
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Api,
    Customer,
    Event,
    Field,
    IfObject,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Status,
    Unknown,
    Unreadable,
    Unsigned,
    order_title,
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


# -- The notice: ids, and nothing else ----------------------------------------------------------------------------


class Link(Payload):
    rel: str | None = None
    href: str | None = None


class RelatedIds(Payload):
    order_id: str | None = None


class SupplementaryData(Payload):
    related_ids: Annotated[RelatedIds | None, IfObject] = None


class Resource(Payload):
    id: str | None = None
    order_id: str | None = None
    links: list[Link] | None = None
    supplementary_data: Annotated[SupplementaryData | None, IfObject] = None


class Notice(Payload):
    resource: Resource
    resource_type: str | None = None


# -- What the API answers -----------------------------------------------------------------------------------------


class Amount(Payload):
    """`value` and `currency_code`; in version 1 `total` and `currency`."""

    value: Decimal | None = None
    currency_code: str | None = None
    total: Decimal | None = None
    currency: str | None = None


class Movement(Payload):
    """An authorisation, a capture or a refund."""

    id: str
    status: str | None = None
    amount: Annotated[Amount | None, IfObject] = None
    create_time: IsoOrBlank = None
    update_time: IsoOrBlank = None


class Payments(Payload):
    authorizations: list[Movement] | None = None
    captures: list[Movement] | None = None
    refunds: list[Movement] | None = None


class Good(Payload):
    name: str | None = None
    quantity: Decimal | None = None
    unit_amount: Annotated[Amount | None, IfObject] = None
    sku: str | None = None


class Unit(Payload):
    amount: Annotated[Amount | None, IfObject] = None
    description: str | None = None
    invoice_id: str | None = None
    items: list[Good] | None = None
    payments: Annotated[Payments | None, IfObject] = None


class Name(Payload):
    given_name: str | None = None
    surname: str | None = None


class PhoneNumber(Payload):
    national_number: str | None = None


class Phone(Payload):
    phone_number: Annotated[PhoneNumber | None, IfObject] = None


class Payer(Payload):
    payer_id: str | None = None
    email_address: str | None = None
    name: Annotated[Name | None, IfObject] = None
    phone: Annotated[Phone | None, IfObject] = None


class Document(Movement):
    """Whichever of them was asked for: an order has `purchase_units`, the things of version 1 a `state`."""

    purchase_units: list[Unit] | None = None
    payer: Annotated[Payer | None, IfObject] = None
    invoice_id: str | None = None
    supplementary_data: Annotated[SupplementaryData | None, IfObject] = None
    links: list[Link] | None = None
    state: str | None = None
    sale_id: str | None = None
    capture_id: str | None = None
    invoice_number: str | None = None


class Paypal(Adapter[Document]):
    name, title, origin = "paypal", "PayPal", Origin.PAYMENTS
    links = Links(
        signing="https://developer.paypal.com/api/rest/webhooks/rest",
        payload="https://developer.paypal.com/api/rest/webhooks/event-names",
    )
    setup = (
        "In developer.paypal.com open Apps & Credentials, choose Live (or Sandbox, with the option environment=sandbox "
        "on this source), and create an app or open yours.",
        "Give its Client ID and Secret key to this source as its key, written client id:secret.",
        "Below, under Webhooks, click Add Webhook, give {webhook_url} as the URL, choose the events listed under topics, "
        "and save.",
        "There is no secret to copy: what a webhook says is read back from PayPal with the key before it is believed.",
    )
    topics = (
        "CHECKOUT.ORDER.APPROVED",
        "CHECKOUT.ORDER.COMPLETED",
        "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
        "PAYMENT.AUTHORIZATION.CREATED",
        "PAYMENT.AUTHORIZATION.VOIDED",
        "PAYMENT.CAPTURE.PENDING",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.DECLINED",
        "PAYMENT.CAPTURE.DENIED",
        "PAYMENT.CAPTURE.REFUNDED",
        "PAYMENT.CAPTURE.REVERSED",
        "PAYMENT.SALE.COMPLETED",
        "PAYMENT.SALE.PENDING",
        "PAYMENT.SALE.DENIED",
        "PAYMENT.SALE.REFUNDED",
        "PAYMENT.SALE.REVERSED",
    )
    signature = Unsigned(
        because="its signature needs a certificate from PayPal, and ties the body to it by CRC-32 only"
    )
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    kind = Field("event_type")
    delivery_id = Field("id")  # the same on every try
    reads = {}
    ignores = frozenset({"BILLING.*", "CATALOG.*", "CUSTOMER.*", "IDENTITY.*", "INVOICING.*", "MERCHANT.*", "VAULT.*"})
    options = PaypalOptions
    statuses = {
        "order.CREATED": Status.PENDING,
        "order.SAVED": Status.PENDING,
        "order.APPROVED": Status.PENDING,
        "order.PAYER_ACTION_REQUIRED": Status.PENDING,
        "order.VOIDED": Status.CANCELED,
        "order.COMPLETED": None,  # its captures tell
        "authorization.authorized": Status.PENDING,
        "authorization.partially_captured": Status.PENDING,
        "authorization.captured": Status.PENDING,
        "authorization.pending": Status.PENDING,
        "authorization.expired": Status.CANCELED,
        "authorization.voided": Status.CANCELED,
        "authorization.CREATED": Status.PENDING,
        "authorization.PENDING": Status.PENDING,
        "authorization.CAPTURED": Status.PENDING,
        "authorization.PARTIALLY_CAPTURED": Status.PENDING,
        "authorization.DENIED": Status.FAILED,
        "authorization.VOIDED": Status.CANCELED,
        "capture.COMPLETED": Status.PAID,
        "capture.PARTIALLY_REFUNDED": Status.PAID,
        "capture.REFUNDED": Status.REFUNDED,
        "capture.PENDING": Status.PENDING,
        "capture.DECLINED": Status.FAILED,
        "capture.FAILED": Status.FAILED,
        "capture.completed": Status.PAID,  # from here on, words of version 1
        "capture.partially_refunded": Status.PAID,
        "capture.refunded": Status.REFUNDED,
        "capture.pending": Status.PENDING,
        "sale.completed": Status.PAID,
        "sale.partially_refunded": Status.PAID,
        "sale.refunded": Status.REFUNDED,
        "sale.pending": Status.PENDING,
        "sale.denied": Status.FAILED,
    }
    api = Api(
        origin=lambda options: ORIGINS[options.environment],
        authorize=lambda key, options: {"authorization": f"Bearer {key}"},
        key_words="Client ID and Secret key of your app (developer.paypal.com → Apps & Credentials), written id:secret",
        token_path="/v1/oauth2/token",  # noqa: S106 - where tokens are given, not one
    )
    fetches = dict.fromkeys(topics, Notice)
    document = Document
    patience = "takes 2xx; tries again 25 times in 3 days"

    def path(self, notice: Notice, event: Event[Any]) -> str:
        resource = notice.resource
        order_id = resource.order_id or _order_id(resource)
        if order_id:
            return f"{ORDERS}{_id(order_id)}"
        # Which thing this is stands in its own link; the link itself is never followed.
        links = [link.href or "" for link in resource.links or [] if link.rel == "self"]
        found = [match for match in map(THING.search, links) if match]
        place = PLACES.get(notice.resource_type or "")
        if not found and place and resource.id:
            return f"{place}{_id(resource.id)}"
        if not found:
            raise Unreadable("resource.links: it does not say what it is (rel self)")
        return f"/{found[0][1]}/{found[0][2]}"

    def orders(self, payload: Document, event: Event[Document]) -> Iterable[Order]:
        what = self.path(event.notice, event).rpartition("/")[0].rpartition("/")[2]
        test = (event.options or PaypalOptions()).environment == "sandbox"
        match what:
            case "orders":
                order = self._order(payload)
            case "refunds" | "refund":
                order = _refund(payload)
            case _:
                order = self._payment(payload, what.removesuffix("s"))
        yield replace(order, test=test)

    def _order(self, order: Document) -> Order:
        units = order.purchase_units or []
        payments = [unit.payments for unit in units if unit.payments]
        authorized = [one for each in payments for one in each.authorizations or []]
        captured = [one for each in payments for one in each.captures or []]
        refunded = [one for each in payments for one in each.refunds or []]
        value = _sum([unit.amount for unit in units])
        status: Status | Unknown | None = self.status(f"order.{order.status}")
        decisive = captured or authorized
        if decisive:
            name = "capture" if captured else "authorization"
            status = _together([self.status(f"{name}.{one.status}") for one in decisive])
        paid = [one for one in captured if self.status(f"capture.{one.status}") in (Status.PAID, Status.REFUNDED)]
        got = _sum([one.amount for one in paid])
        if status is Status.PAID and got and value and got.currency == value.currency and got.minor < value.minor:
            status = Status.PARTIALLY_PAID
        goods = [good for unit in units for good in unit.items or []]
        titles = [good.name for good in goods] or [unit.description for unit in units]
        return Order(
            external_id=order.id,
            aliases=tuple(dict.fromkeys(one.id for one in captured if one.id)),
            at=_latest(order, *authorized, *captured, *refunded),
            status=status,
            source_status=decisive[-1].status if decisive else order.status,
            title=order_title(next((unit.invoice_id for unit in units if unit.invoice_id), None), titles),
            value=value,
            refunds=_refunds(refunded) or None,
            ordered_at=order.create_time,
            paid_at=paid[0].create_time if paid else None,
            customer=_customer(order.payer or Payer()),
            items=tuple(
                Item(
                    title=good.name or "–",
                    quantity=1 if good.quantity is None else good.quantity,
                    unit_value=_money(good.unit_amount) if good.unit_amount else None,
                    sku=good.sku or None,
                )
                for good in goods
            )
            or None,
        )

    def _payment(self, payment: Document, name: str) -> Order:
        """An authorisation, capture or sale by itself; where it belongs to an order, the order's value is not its."""
        order_id, word = _order_id(payment), payment.status or payment.state
        status = self.status(f"{name}.{word}") if word else None
        return Order(
            external_id=order_id or payment.id,
            preference=0 if order_id else 1,
            aliases=(payment.id,) if order_id and payment.id else (),
            at=_latest(payment),
            status=status,
            source_status=word,
            title=order_title(payment.invoice_id or payment.invoice_number, []),
            value=_money(payment.amount) if payment.amount and not order_id else None,
            ordered_at=None if order_id else payment.create_time,
            paid_at=payment.create_time if status is Status.PAID and name != "authorization" else None,
        )


def _refund(refund: Document) -> Order:
    links = [match for link in refund.links or [] if link.rel == "up" and (match := THING.search(link.href or ""))]
    paid = refund.sale_id or refund.capture_id or (links[0][2] if links else None)
    if not paid:
        raise Unreadable("sale_id, capture_id, links: a refund names what it gives back")
    back = _refunds([refund])
    if not back:
        raise Ignored("a refund that is on its way")
    return Order(external_id=paid, preference=1, at=_latest(refund), refunds=back)


def _refunds(refunds: list[Movement]) -> dict[str, Money]:
    """What was given back by each; what came to nothing counts as nothing, and what is on its way not yet."""
    found = {}
    for refund in refunds:
        word = (refund.status or (refund.state if isinstance(refund, Document) else None) or "").upper()
        if refund.amount and word in ("COMPLETED", "CANCELLED", "FAILED"):
            money = _money(refund.amount)
            # Version 1 writes what was given back as less than nothing.
            found[refund.id] = Money(abs(money.minor) if word == "COMPLETED" else 0, money.currency)
    return found


def _together(found: list[Status | Unknown | None]) -> Status | Unknown | None:
    """Where an order stands by all its captures (or authorisations): one that holds is more than one that failed."""
    for status in (UNKNOWN, Status.PAID, Status.REFUNDED, Status.PENDING, Status.CANCELED, Status.FAILED):
        if status in found:
            return status
    return None


def _order_id(thing: Resource | Document) -> str | None:
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    return (related.order_id if related else None) or None


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise Unreadable("resource: what it names has no id of PayPal's")
    return text


def _money(amount: Amount) -> Money:
    number = amount.total if amount.value is None else amount.value
    currency = amount.currency_code or amount.currency
    if number is None or not currency:
        raise Unreadable("amount: value and currency_code, or total and currency")
    return Money.major(number, currency)


def _sum(amounts: list[Amount | None]) -> Money | None:
    found = [_money(amount) for amount in amounts if amount]
    if not found:
        return None
    if len({money.currency for money in found}) > 1:
        raise Unreadable("amount: more than one currency in one order")
    return Money(sum(money.minor for money in found), found[0].currency)


def _latest(*things: Movement) -> datetime | None:
    """When the last of these was changed."""
    times = [time for thing in things for time in (thing.create_time, thing.update_time) if time]
    return max((time if time.tzinfo else time.replace(tzinfo=UTC) for time in times), default=None)


def _customer(payer: Payer) -> Customer | None:
    name, phone = payer.name or Name(), payer.phone.phone_number if payer.phone else None
    customer = Customer(
        name=f"{name.given_name or ''} {name.surname or ''}".strip() or None,
        id=payer.payer_id or None,
        emails=(payer.email_address,) if payer.email_address else (),
        phones=(phone.national_number,) if phone and phone.national_number else (),
    )
    return None if customer == Customer() else customer
