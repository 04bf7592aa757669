"""Saleor: the order that the webhook's own query asks for, or the older bodies that Saleor made by itself.

- Signing: https://docs.saleor.io/developer/extending/webhooks/payload-signature
- Queries: https://docs.saleor.io/developer/extending/webhooks/subscription-webhook-payloads
- Order: https://docs.saleor.io/api-reference/orders/objects/order

This is longer than 400 lines: two ways to sign, and one order in three spellings.

Decided here, and why:

- Saleor signs with its private key (JWS, RS256, detached: saleor/app-sdk `src/auth/verify-signature.ts`); its public
  keys, as they stand at /.well-known/jwks.json, are this source's secret. They are given by the owner and not looked up
  where a delivery says. Before 3.24 a webhook could have a secret of its own instead (HMAC-SHA256, hex).
- Public keys are never an HMAC's key: whoever has read them could sign with them.
- Saleor signs people's access tokens with the same key. They are no detached signatures (`b64` is not false), and are
  refused as such.
- Where an order stands is what was charged; `status` says how far it was sent, and only cancels it.
- `totalCharged` shrinks with every refund (manual, "Refunds"), from the day it is asked for, and with every chargeback
  (saleor/saleor, saleor/payment/transaction_item_calculations.py): what was taken is all of them together. So does
  `captured_amount` of a payment in the older bodies, whose `total` is then what was taken.
- `totalRefunded` is all that went back so far. A chargeback is told by an event of its transaction alone; of one charge
  the last counts. Queries that do not ask for `transactions` and `totalRefundPending` cannot tell.
- The older notice of a refund (notify_user) has an amount, and neither id nor time. It tells what ORDER_REFUNDED does,
  so the set-up asks for one of them.
- The time is that of the event (`issuedAt`), which its body was made at. A payment's time is not the statement's.
- Metadata is Saleor's own place for others' ids: `crm_contact_id`, `deal_id`. Buyers can write
  there too, so they count only with `buyers_ids`.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from adapters.contract import (
    LEAST_BITS,
    Adapter,
    Bill,
    BuyersIdsOptions,
    Customer,
    Delivery,
    Entries,
    Event,
    Header,
    Hmac,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Metadata,
    Money,
    OptionalOf,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    RefundKind,
    Signature,
    Status,
    Strength,
    Unreadable,
    Unverified,
    from_base64url,
    full_name,
    in_bytes,
    json_body,
    jws_parts,
    names_another,
    one_header,
    order_title,
    path,
    refunded_so_far,
    rsa_signed,
    status_map,
    usable,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

HEADERS = ("saleor-signature", "x-saleor-signature")
SECRET_KEY = Hmac(header=HEADERS, encoding="hex")
# How far a payment of the older bodies is when money was taken.
MOVED = frozenset({"partially_charged", "fully_charged", "partially_refunded", "fully_refunded"})


@lru_cache(maxsize=64)
def _public_keys(secret: str) -> "tuple[RSAPublicKey, ...]":
    """The RSA keys of a JWKS. Raises Unverified when it holds none."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    keys: list[RSAPublicKey] = []
    with suppress(Unreadable, LookupError, TypeError, ValueError, AttributeError):
        for given in json_body(secret.encode())["keys"]:
            if given["kty"] == "RSA":
                n, e = (int.from_bytes(from_base64url(given[name].encode())) for name in ("n", "e"))
                keys.append(RSAPublicNumbers(n=n, e=e).public_key())
    if not keys or any(key.key_size < LEAST_BITS for key in keys):
        raise Unverified(Unverified.NO_SECRET)
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class JwsOrSecret(Signature):
    """A detached JWS (RS256, RFC 7515 and 7797) under one of Saleor's public keys, or an HMAC under a webhook's secret."""

    strength = Strength.MAC

    def signs_with(self, secret: str) -> bool:
        return not _is_public(secret)

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        sent = in_bytes(one_header(delivery, HEADERS))
        if b"." not in sent:
            own = [secret for secret in candidates if not _is_public(secret)]
            if not own:
                raise Unverified(Unverified.MISMATCH)
            return SECRET_KEY.verify(delivery, own, now)
        signed, _, signature = jws_parts(sent, detached=delivery.body)
        for secret in filter(_is_public, candidates):
            if rsa_signed(_public_keys(secret), signature, signed):
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """With a webhook's secret; only Saleor can sign for its public keys, and the delivery is then left unsigned."""
        if _is_public(secret):
            _public_keys(secret)
            return delivery
        return SECRET_KEY.sign(delivery, secret, now)

    @property
    def description(self) -> str:
        return (
            "RSA-SHA256 (detached JWS) of the raw body under the shop's public keys, in the header `saleor-signature`; "
            f"or {SECRET_KEY.description}"
        )


def _is_public(secret: str) -> bool:
    """A JWKS, or a PEM, which is not taken either: all the world may have read it."""
    return secret.lstrip().startswith(("{", "-----BEGIN"))


# -- The order, in GraphQL's spelling or that of the older bodies -------------------------------------------------


Amount = Annotated[Decimal, Field(max_digits=30, decimal_places=12)]


class Gross(Payload):
    amount: Amount = path("gross.amount", "amount", otherwise=...)
    currency: str = path("gross.currency", "currency", otherwise=...)


class Line(Payload):
    name: str | None = path("productName", "product_name")
    sku: str | None = path("productSku", "product_sku")
    quantity: Amount | None = None
    price: OptionalOf[Gross] = path("undiscountedUnitPrice")
    amount: Amount | None = path("undiscounted_unit_price_gross_amount", "unit_price_gross_amount")


class OlderPayment(Payload):
    charge_status: str | None = None
    is_active: bool | None = None
    total: Amount | None = None
    captured_amount: Amount | None = None
    currency: str | None = None
    modified: IsoOrBlank = None


class Movement(Payload):
    """An event of a transaction."""

    id: str | None = path("pspReference", "id")
    type: str | None = None
    amount: OptionalOf[Gross] = None
    at: IsoOrBlank = path("createdAt")


class Transaction(Payload):
    events: ListOf[Movement] = ()


class SaleorOrder(Payload):
    id: str
    number: str | None = None
    status: str | None = None
    charge: str | None = path("paymentStatus", "chargeStatus")
    payments: ListOf[OlderPayment] = ()
    created: IsoOrBlank = None
    updated_at: IsoOrBlank = path("updatedAt", "updated_at")
    told_at: IsoOrBlank = path("meta.issued_at")
    user_id: str | None = path("user.id")
    first_name: str | None = path("user.firstName", "user.first_name")
    last_name: str | None = path("user.lastName", "user.last_name")
    billing_first_name: str | None = path("billingAddress.firstName", "billing_address.first_name")
    billing_last_name: str | None = path("billingAddress.lastName", "billing_address.last_name")
    email: str | None = path("userEmail", "user_email", "email")
    users_email: str | None = path("user.email")
    phone: str | None = path("billingAddress.phone", "billing_address.phone")
    country: str | None = path("billingAddress.country.code", "billing_address.country")
    recipients_first_name: str | None = path("shippingAddress.firstName", "shipping_address.first_name")
    recipients_last_name: str | None = path("shippingAddress.lastName", "shipping_address.last_name")
    recipients_phone: str | None = path("shippingAddress.phone", "shipping_address.phone")
    recipients_country: str | None = path("shippingAddress.country.code", "shipping_address.country")
    total: OptionalOf[Gross] = None
    amount: Amount | None = path("total_gross_amount")
    currency: str | None = None
    channels_currency: str | None = path("channel.currency_code")
    charged: OptionalOf[Gross] = path("totalCharged")
    refunded: OptionalOf[Gross] = path("totalRefunded")
    refund_pending: OptionalOf[Gross] = path("totalRefundPending")
    transactions: ListOf[Transaction] = ()
    lines: ListOf[Line] = ()
    notes: Metadata = path("metadata", otherwise={})


class Notification(Payload):
    order: Entries[SaleorOrder]
    issued_at: IsoOrBlank = path("issuedAt")
    event: str | None = path("notify_event")
    payment: OptionalOf[OlderPayment] = path("payload.payment")
    amount: Amount | None = path("payload.amount")
    currency: str | None = path("payload.currency")


def _one_shape(document: Any) -> Any:
    """Of the three, [order] and {"notify_event", "payload": {"order", "payment"}} as {"issuedAt", "order": [order]}."""
    if isinstance(document, list):
        return {"order": document}
    if not isinstance(document, dict):
        return document
    if isinstance(inner := document.get("payload"), dict):
        return {**document, "order": [inner["order"]] if "order" in inner else []}
    return {**document, "order": [document["order"]]} if "order" in document else document


def _word(text: str) -> str:
    """GraphQL writes FULLY_CHARGED, the older bodies `fully-charged` and `partially fulfilled`."""
    return text.lower().replace("-", "_").replace(" ", "_")


class Saleor(Adapter[Notification]):
    options = BuyersIdsOptions
    name, title, origin = "saleor", "Saleor", Origin.COMMERCE
    links = Links(
        signing="https://docs.saleor.io/developer/extending/webhooks/payload-signature",
        payload="https://docs.saleor.io/developer/extending/webhooks/subscription-webhook-payloads",
    )
    # Every event of an order is asked for the same fields.
    paste = """subscription {
  event {
    issuedAt
    ... on OrderCreated { order { ...Sale } }
    ... on OrderConfirmed { order { ...Sale } }
    ... on OrderUpdated { order { ...Sale } }
    ... on OrderPaid { order { ...Sale } }
    ... on OrderFullyPaid { order { ...Sale } }
    ... on OrderRefunded { order { ...Sale } }
    ... on OrderFullyRefunded { order { ...Sale } }
    ... on OrderCancelled { order { ...Sale } }
    ... on OrderExpired { order { ...Sale } }
  }
}

fragment Sale on Order {
  id number status paymentStatus created updatedAt userEmail
  user { id email firstName lastName }
  billingAddress { firstName lastName phone country { code } }
  shippingAddress { firstName lastName phone country { code } }
  total { gross { amount currency } }
  totalCharged { amount currency }
  totalRefunded { amount currency }
  totalRefundPending { amount currency }
  transactions { events { id type pspReference createdAt amount { amount currency } } }
  lines { productName productSku quantity undiscountedUnitPrice { gross { amount currency } } }
  metadata { key value }
}"""
    topics = tuple(
        "ORDER_CREATED ORDER_CONFIRMED ORDER_UPDATED ORDER_PAID ORDER_FULLY_PAID ORDER_REFUNDED ORDER_FULLY_REFUNDED "
        "ORDER_CANCELLED ORDER_EXPIRED".split()
    )
    signature = JwsOrSecret()
    kind = Header("saleor-event", "x-saleor-event")
    reads = dict.fromkeys(
        (*map(str.lower, topics), "order_fulfilled", "order_metadata_updated", "notify_user"), Notification
    )
    ignores = frozenset("draft_order_* checkout_* fulfillment_* customer_* product_* invoice_*".split())
    # `none`, `partial`, `full` and `overcharged` are of chargeStatus, which a query may ask for in place of paymentStatus.
    statuses = status_map(
        pending="not_charged pending none",
        partially_paid="partially_charged partial",
        paid="fully_charged partially_refunded full overcharged",
        refunded="fully_refunded",
        failed="refused",
        canceled="cancelled",
    ) | status_map(
        "order",
        nothing="unconfirmed unfulfilled partially_fulfilled fulfilled partially_returned returned",
        canceled="canceled expired",
    )
    partly_refunded = frozenset({"PARTIALLY_REFUNDED", "partially-refunded"})
    # What the event itself says, where the body does not tell what was charged.
    told = status_map(
        pending="order_created order_confirmation",
        paid="order_fully_paid",
        refunded="order_fully_refunded",
        canceled="order_cancelled order_expired",
    )
    retry_policy = "takes 2xx within 18 seconds; tries again 5 times, after 10 to 160 seconds"

    def document_of(self, delivery: Delivery) -> Any:
        return _one_shape(super().document_of(delivery))

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        return super().kind_of(delivery, options).lower()

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        if not payload.order and payload.left_out:
            raise Unreadable(payload.left_out)
        if not payload.order:
            raise Ignored("a notice that holds no order")
        for order in payload.order:
            if _word(order.status or "") == "draft":
                raise Ignored("a draft, which is a cart")
            yield self._order(order, payload, payload.event or event.kind)

    def _order(self, order: SaleorOrder, told: Notification, what: str) -> Order:
        older = (
            [told.payment] if told.payment else [one for one in order.payments if one.is_active] or order.payments[-1:]
        )
        payment = older[-1] if older else OlderPayment()
        charge = order.charge or payment.charge_status
        standing = self.status(f"order.{_word(order.status)}") if order.status else None
        word = status = self.status(_word(charge)) if charge else (standing or self.told.get(what))
        if standing is Status.CANCELED and status is not Status.REFUNDED:
            status, charge = standing, None
        at = told.issued_at or order.updated_at or order.told_at
        if what in ("order_created", "order_confirmation"):
            at = at or order.created
        value = _money(order.total, order.amount, order.currency or order.channels_currency or payment.currency)
        lost = _charged_back(order)
        taken, back = _moved(order, older, lost, value if word in (Status.PAID, Status.REFUNDED) else None)
        refunds = refunded_so_far(back, word) + lost
        if what == "order_refund_confirmation" and told.amount is not None:
            refunds += (Refund(value=Money.major(told.amount, told.currency)),)
        when = (at if what == "order_fully_paid" else None) or payment.modified
        went_back = word is not Status.PAID or (back and back.minor > 0)  # a payment's time is then that of the refund
        paid = Payment(value=taken, state=PaymentState.TAKEN, at=None if went_back else when)
        items = tuple(_item(line, value.currency if value else None) for line in order.lines)
        return Order(
            external_id=order.id,
            at=at,
            status=status,
            source_status=charge or order.status,
            title=order_title(order.number, items),
            bills=(Bill(value=value),) if value else (),
            payments=(paid,) if value and taken else (),
            refunds=refunds,
            ordered_at=order.created,
            customer=_customer(order),
            items=items or None,
            deal_id=order.notes.get("deal_id"),
        )


def _charged_back(order: SaleorOrder) -> tuple[Refund, ...]:
    events = [event for one in order.transactions for event in one.events if event.type == "CHARGE_BACK"]
    return tuple(
        Refund(id=event.id, value=_money(event.amount), kind=RefundKind.CHARGEBACK, at=event.at)
        for event in {event.id: event for event in events}.values()
    )


def _moved(
    order: SaleorOrder, older: Sequence[OlderPayment], lost: Sequence[Refund], all_of_it: Money | None
) -> tuple[Money | None, Money | None]:
    """What was taken and what the shop gave back of it, in all so far; `all_of_it` is taken where only a word says so."""
    if order.charged or order.refunded:
        charged, back, pending = _money(order.charged), _money(order.refunded), _money(order.refund_pending)
        taken = (charged, back, pending, *(one.value for one in lost))
        return (Money.total(taken) if charged else all_of_it), back
    moved = [one for one in older if one.captured_amount is not None and _word(one.charge_status or "") in MOVED]
    if not moved:
        return all_of_it, None
    left = sum((one.captured_amount or Decimal(0) for one in moved), Decimal(0))
    returned = [one for one in moved if "refunded" in (one.charge_status or "") and one.total is not None]
    gone = sum((max((one.total or 0) - (one.captured_amount or 0), Decimal(0)) for one in returned), Decimal(0))
    currency = moved[-1].currency or order.currency or order.channels_currency
    return Money.major(left + gone, currency), Money.major(gone or None, currency)


def _customer(order: SaleorOrder) -> Customer:
    name = full_name(order.first_name, order.last_name)
    bills_name = full_name(order.billing_first_name, order.billing_last_name)
    buyer = Customer(
        name=name or bills_name,
        id=order.user_id,
        crm_id=order.notes.get("crm_contact_id"),
        emails=(order.email, order.users_email),
        phones=(None if names_another(bills_name, name) else order.phone,),
        country=order.country,
    )
    recipient = full_name(order.recipients_first_name, order.recipients_last_name)
    return buyer.or_recipient(recipient, order.recipients_phone, order.recipients_country)


def _item(line: Line, currency: str | None) -> Item:
    price = _money(line.price, line.amount, currency)
    return Item(title=line.name, quantity=line.quantity, unit_value=price, sku=line.sku)


def _money(gross: Gross | None, amount: Decimal | None = None, currency: str | None = None) -> Money | None:
    if gross:
        return Money.major(gross.amount, gross.currency)
    return Money.major(amount, currency) if currency else None
