"""PayPal: what a webhook says is not believed; the order, capture, sale or refund that it names is read from the API.

- Signing: https://developer.paypal.com/api/rest/webhooks/rest
- Events: https://developer.paypal.com/api/rest/webhooks/event-names
- Orders: https://developer.paypal.com/api/orders/v2, captures and refunds: https://developer.paypal.com/api/payments/v2
- Sales (v1, of subscriptions and older shops): https://developer.paypal.com/docs/api/payments/v1/

This is longer than 400 lines: two versions of one API, and each of its ways to pay names the buyer in another place.

Decided here, and why:

- PayPal's signature needs a certificate that each delivery names by its address, and ties the body to it by a CRC-32
  only, which anybody can make another body fit. So it is not used: a delivery is taken as a hint, of which nothing but
  an id is read, and the strength is `fetched`. Simulator events name things that do not exist, and stay unfetched.
  Only the ids of a notice are kept, and of those that name no order the last thousand.
- The key is `client id:client secret`, changed for a token at PayPal as its manual of authentication says.
- The bill is the order, or what its units come to; authorisations and captures are payments. What is paid is told by the
  captures, not by the order's own status (`COMPLETED` also stands over a declined one).
- Nothing more comes once a capture is final (`final_capture`, https://developer.paypal.com/api/payments/v2), the order
  was captured at once, or what was authorised is voided; then the order is worth what was captured.
- An order goes by its id; captures, and refunds of them, name it or meet it as aliases. What version 1 tells of one
  payment meets in `parent_payment`.
- A capture that is refunded without a refund beside it was given back whole.
- A dispute that is lost gives the capture back, and that has an event of its own; so disputes are not read.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Api,
    Bill,
    BodyField,
    Customer,
    Event,
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
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    RefundState,
    Status,
    Unknown,
    Unreadable,
    Unsigned,
    bearer,
    full_name,
    latest,
    order_title,
    path,
    replace,
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
    final: bool | None = path("final_capture", "is_final_capture")
    create_time: IsoOrBlank = None
    update_time: IsoOrBlank = None
    links: ListOf[Link] = ()


class Good(Payload):
    name: str | None = None
    quantity: Decimal | None = None
    unit_amount: OptionalOf[Amount] = None
    sku: str | None = None


class Unit(Payload):
    amount: OptionalOf[Amount] = None
    description: str | None = None
    invoice_id: str | None = None
    receiver: str | None = path("shipping.name.full_name")
    country: str | None = path("shipping.address.country_code")
    items: ListOf[Good] = ()
    authorizations: ListOf[Movement] = path("payments.authorizations", otherwise=())
    captures: ListOf[Movement] = path("payments.captures", otherwise=())
    refunds: ListOf[Movement] = path("payments.refunds", otherwise=())


# Where an order names its buyer: a card, a wallet or a bank, by which somebody paid who has no account at PayPal, beside
# `payer` and the account (https://developer.paypal.com/api/orders/v2, payment_source_response).
WALLETS = tuple(f"payment_source.{name}" for name in ("paypal", "venmo", "apple_pay", "google_pay"))
BY_BANK = "card apple_pay google_pay bancontact blik eps giropay ideal mybank p24 sofort trustly".split()


def _payers(name: str, *more: str) -> Any:
    return path(f"payer.{name}", *(f"{wallet}.{name}" for wallet in WALLETS), *more)


class Document(Movement):
    """Whichever of them was asked for: an order has `purchase_units`."""

    intent: str | None = None
    purchase_units: ListOf[Unit] = ()
    payer_id: str | None = path("payer.payer_id", "payment_source.paypal.account_id")
    email_address: str | None = _payers("email_address", "payment_source.p24.email", "payment_source.blik.email")
    given_name: str | None = _payers("name.given_name")
    surname: str | None = _payers("name.surname")
    holder: str | None = path(*(f"payment_source.{name}.name" for name in BY_BANK))
    national_number: str | None = _payers("phone_number.national_number", "payer.phone.phone_number.national_number")
    tax_id: str | None = _payers("tax_info.tax_id")
    tax_id_type: str | None = _payers("tax_info.tax_id_type")
    country: str | None = _payers("address.country_code", *(f"payment_source.{name}.country_code" for name in BY_BANK))
    invoice_id: str | None = path("invoice_id", "invoice_number")
    order_id: str | None = path("supplementary_data.related_ids.order_id")
    parent_payment: str | None = None
    sale_id: str | None = None
    capture_id: str | None = None


# Of captures (or authorisations) that stand differently, the first of these that there is decides: one that holds is
# more than one that failed.
DECISIVE = (UNKNOWN, Status.PAID, Status.REFUNDED, Status.PENDING, Status.CANCELED, Status.FAILED)

# How far payments and refunds are; what is not here is under way.
STATES = {
    "authorization.CREATED": PaymentState.AUTHORIZED,
    "authorization.AUTHORIZED": PaymentState.AUTHORIZED,
    "authorization.CAPTURED": PaymentState.AUTHORIZED,
    "authorization.PARTIALLY_CAPTURED": PaymentState.AUTHORIZED,
} | {
    status: state
    for state, words in {
        PaymentState.TAKEN: "capture.COMPLETED capture.PARTIALLY_REFUNDED capture.REFUNDED",
        PaymentState.FAILED: "authorization.DENIED capture.DECLINED capture.FAILED capture.DENIED",
        PaymentState.CANCELED: "authorization.VOIDED authorization.EXPIRED",
    }.items()
    for status in words.split()
}
REFUNDS = {"COMPLETED": RefundState.DONE, "FAILED": RefundState.FAILED, "CANCELLED": RefundState.FAILED}


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
        PAYMENT.REFUND.PENDING PAYMENT.REFUND.FAILED
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
    statuses = (  # version 1 writes them in small letters
        status_map(
            "order",
            pending="CREATED SAVED APPROVED PAYER_ACTION_REQUIRED",
            canceled="VOIDED",
            nothing="COMPLETED",  # its captures tell
        )
        | status_map(
            "authorization",
            pending="CREATED PENDING AUTHORIZED CAPTURED PARTIALLY_CAPTURED",
            failed="DENIED",
            canceled="VOIDED EXPIRED",
        )
        | status_map(
            "capture",  # or a sale
            pending="PENDING",
            paid="COMPLETED PARTIALLY_REFUNDED",
            failed="DECLINED FAILED DENIED",
            refunded="REFUNDED",
        )
    )
    api = Api(
        origin=lambda options: ORIGINS[options.environment],
        authorize=bearer,
        key_description="Client ID and Secret key of your app (developer.paypal.com → Apps & Credentials), written id:secret",
        token_path="/v1/oauth2/token",  # noqa: S106 - where tokens are given, not one
    )
    fetches = dict.fromkeys(topics, Notice)
    notice_paths = (
        *("id", "event_type", "resource_type", "resource.id", "resource.order_id"),
        *("resource.supplementary_data.related_ids.order_id", "resource.links[].rel", "resource.links[].href"),
    )
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
                order = _refund(payload, chargeback=event.kind.endswith(".REVERSED"))
            case what:
                order = self._payment(payload, "authorization" if what.startswith("authorization") else "capture")
        yield replace(order, test=event.options.environment == "sandbox")

    def _order(self, order: Document) -> Order:
        units = order.purchase_units
        authorized = [one for unit in units for one in unit.authorizations]
        captured = [one for unit in units for one in unit.captures]
        refunded = [one for unit in units for one in unit.refunds]
        value = Money.total(_money(unit.amount) for unit in units)
        decisive, name = (captured, "capture") if captured else (authorized, "authorization")
        status = self.status(_word("order", order))
        if decisive:
            found = [self._status(name, one) for one in decisive]
            status = next((each for each in DECISIVE if each in found), None)
        items = tuple(
            Item(title=good.name, quantity=good.quantity, unit_value=_known(good.unit_amount), sku=good.sku)
            for unit in units
            for good in unit.items
        )
        return Order(
            external_id=order.id,
            aliases=tuple(one.id for one in (*captured, *authorized)),
            at=_latest(order, *authorized, *captured, *refunded),
            status=status,
            source_status=decisive[-1].status if decisive else order.status,
            title=order_title(
                next((unit.invoice_id for unit in units if unit.invoice_id), None),
                items or [unit.description for unit in units],
            ),
            bills=(Bill(value=value, closed=all(_closed(unit, order.intent) for unit in units)),) if value else (),
            payments=tuple(payment for unit in units for payment in _payments(unit)),
            refunds=tuple(_back(one, unit.captures) for unit in units for one in unit.refunds),
            ordered_at=order.create_time,
            customer=Customer(
                name=full_name(order.given_name, order.surname)
                or order.holder
                or next((one.receiver for one in units if one.receiver), None),
                id=order.payer_id,
                emails=(order.email_address,),
                phones=(order.national_number,),
                documents=(order.tax_id,) if (order.tax_id_type or "").startswith("BR_") else (),
                country=order.country or next((one.country for one in units if one.country), None),
            ),
            items=items or None,
        )

    def _payment(self, payment: Document, name: str) -> Order:
        """An authorisation, capture or sale by itself."""
        up = _linked(payment.links, "up", "authorization")
        of = up[2] if up and "authorization" in up[1] else None
        status = self._status(name, payment) if payment.status else None
        # What an order waited for is let go or refused: that is more than an attempt's word, the order waits no longer.
        ended = status in (Status.CANCELED, Status.FAILED)
        return Order(
            external_id=payment.order_id or payment.id,
            # A capture is a better name than what it captures.
            preference=0 if payment.order_id else 2 if name == "authorization" else 1,
            aliases=(payment.id, of, payment.parent_payment),
            at=_latest(payment),
            status=status,
            source_status=payment.status,
            title=order_title(payment.invoice_id, []),
            bills=(Bill(),) if ended else (),
            payments=(_paid(name, payment, of),),
            ordered_at=None if payment.order_id else payment.create_time,
        )

    def _status(self, name: str, one: Movement) -> Status | Unknown | None:
        return self.status(_word(name, one))


def _word(name: str, one: Movement) -> str:
    return f"{name}.{(one.status or '').upper()}"


def _payments(unit: Unit) -> Iterable[Payment]:
    for one in unit.authorizations:
        yield _paid("authorization", one, None)
    only = unit.authorizations[0].id if len(unit.authorizations) == 1 else None
    for one in unit.captures:
        up = _linked(one.links, "up")
        yield _paid("capture", one, up[2] if up and "authorization" in up[1] else only)
        if _word("capture", one) == "capture.REFUNDED" and not unit.refunds:
            yield Payment(id=one.id, state=PaymentState.CANCELED)


def _paid(name: str, one: Movement, of: str | None) -> Payment:
    state = STATES.get(_word(name, one))
    at = one.create_time if state is PaymentState.TAKEN else None
    return Payment(id=one.id, value=_money(one.amount), state=state, at=at, captures=of)


def _closed(unit: Unit, intent: str | None) -> bool:
    """Whether no more will come of this unit than was captured."""
    if any(_word("capture", one) == "capture.PENDING" for one in unit.captures):
        return False
    taken = [one for one in unit.captures if STATES.get(_word("capture", one)) is PaymentState.TAKEN]
    live = [one for one in unit.authorizations if STATES.get(_word("authorization", one)) != PaymentState.CANCELED]
    at_once = intent == "CAPTURE" or bool(unit.authorizations and not live)
    return bool(taken) and (at_once or any(one.final for one in taken))


def _refund(refund: Document, *, chargeback: bool) -> Order:
    up = _linked(refund.links, "up")
    paid = refund.sale_id or refund.capture_id or (up and up[2])
    if not paid:
        raise Unreadable("sale_id, capture_id, links: a refund names what it gives back")
    back = replace(_back(refund, ()), payment=paid, kind=RefundKind.CHARGEBACK if chargeback else RefundKind.REFUND)
    return Order(external_id=paid, preference=1, aliases=(refund.parent_payment,), at=_latest(refund), refunds=(back,))


def _back(refund: Movement, captures: Sequence[Movement]) -> Refund:
    """A refund. Version 1 writes what was given back as less than nothing."""
    up, money = _linked(refund.links, "up"), _known(refund.amount)
    return Refund(
        id=refund.id,
        value=Money(abs(money.minor), money.currency) if money else None,
        state=REFUNDS.get((refund.status or "").upper(), RefundState.PENDING),
        at=_latest(refund),
        payment=up[2] if up else captures[0].id if len(captures) == 1 else None,
    )


def _linked(links: Iterable[Link], *rels: str) -> re.Match[str] | None:
    """The thing that a link of one of these kinds leads to."""
    return next(filter(None, (THING.search(link.href or "") for link in links if link.rel in rels)), None)


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise Unreadable("resource: what it names has no id of PayPal's")
    return text


def _money(amount: Amount | None) -> Money | None:
    if amount and (amount.value is None or not amount.currency):
        raise Unreadable("amount: value and currency_code, or total and currency")
    return Money.major(amount.value, amount.currency) if amount else None


def _known(amount: Amount | None) -> Money | None:
    """What a side field comes to; None where it does not say."""
    return _money(amount) if amount and amount.value is not None and amount.currency else None


def _latest(*things: Movement) -> datetime | None:
    """When the last of these was changed."""
    return latest(*(time for thing in things for time in (thing.create_time, thing.update_time)))
