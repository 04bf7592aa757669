"""Saleor: the order that the webhook's own query asks for, or the older bodies that Saleor made by itself.

- Signing: https://docs.saleor.io/developer/extending/webhooks/payload-signature
- Queries: https://docs.saleor.io/developer/extending/webhooks/subscription-webhook-payloads
- Order: https://docs.saleor.io/api-reference/orders/objects/order

Decided here, and why:

- Saleor signs with its private key (JWS, RS256, detached: saleor/app-sdk `src/auth/verify-signature.ts`); its public
  keys, as they stand at /.well-known/jwks.json, are this source's secret. They are given by the owner and not looked up
  where a delivery says. Before 3.24 a webhook could have a secret of its own instead (HMAC-SHA256, hex).
- Public keys are never an HMAC's key: whoever has read them could sign with them.
- Saleor signs people's access tokens with the same key. They are no detached signatures (`b64` is not false), and are
  refused as such.
- Where an order stands is what was charged; `status` says how far it was sent, and only cancels it.
- The time is that of the event (`issuedAt`), which its body was made at.
- Metadata is Saleor's own place for others' ids: `crm_contact_id`, `deal_id`. It may be written by buyers too.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from adapters.contract import (
    Adapter,
    Customer,
    Delivery,
    Event,
    Header,
    Hmac,
    IfObject,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Signature,
    Status,
    Strength,
    Unreadable,
    Unverified,
    either,
    json_body,
    one_header,
    order_title,
    usable,
)

# The one id under which all that was given back so far is kept.
TOTAL = "total"

HEADERS = ("saleor-signature", "x-saleor-signature")
SECRET_KEY = Hmac(header=HEADERS, encoding="hex")
JOSE = ["RS256", False, ["b64"]]  # what Saleor writes into a signature's header, and nothing else is taken


def _decoded(text: str) -> bytes:
    """URL-safe base64 as JOSE writes it, without padding. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _public_keys(secret: str) -> list[tuple[int, int]]:
    """The RSA keys (n, e) of a JWKS. Raises Unverified when it holds none."""
    try:
        listed = [key for key in json_body(secret.encode())["keys"] if key["kty"] == "RSA"]
        keys = [(int.from_bytes(_decoded(key["n"])), int.from_bytes(_decoded(key["e"]))) for key in listed]
    except (Unreadable, LookupError, TypeError, ValueError):
        keys = []
    if not keys:
        raise Unverified(Unverified.NO_SECRET)
    return keys


@dataclass(frozen=True, slots=True)
class JwsOrSecret(Signature):
    """A detached JWS (RS256, RFC 7515 and 7797) under one of Saleor's public keys, or an HMAC under a webhook's secret."""

    strength = Strength.MAC

    def signs_with(self, secret: str) -> bool:
        return not _is_public(secret)

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        sent = one_header(delivery, HEADERS)
        header, _, rest = sent.partition(".")
        payload, _, signature = rest.partition(".")
        if not rest:
            own = [secret for secret in candidates if not _is_public(secret)]
            if not own:
                raise Unverified(Unverified.MISMATCH)
            return SECRET_KEY.verify(delivery, own, now)
        try:
            said, mac = json_body(_decoded(header)), _decoded(signature)
        except (Unreadable, ValueError):
            raise Unverified(Unverified.MALFORMED) from None
        if not isinstance(said, dict) or payload or [said.get(name) for name in ("alg", "b64", "crit")] != JOSE:
            raise Unverified(Unverified.MALFORMED)
        for secret in candidates:
            if _is_public(secret) and any(
                _signed(key, mac, header.encode() + b"." + delivery.body) for key in _public_keys(secret)
            ):
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """With a webhook's secret; only Saleor can sign for its public keys, and the delivery is then left unsigned."""
        if _is_public(secret):
            _public_keys(secret)
            return delivery
        return SECRET_KEY.sign(delivery, secret, now)

    @property
    def words(self) -> str:
        return (
            "RSA-SHA256 (detached JWS) of the raw body under the shop's public keys, in the header `saleor-signature`; "
            f"or {SECRET_KEY.words}"
        )


def _is_public(secret: str) -> bool:
    """A JWKS, or a PEM, which is not taken either: all the world may have read it."""
    return secret.lstrip().startswith(("{", "-----BEGIN"))


def _signed(key: tuple[int, int], signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        RSAPublicNumbers(n=key[0], e=key[1]).public_key().verify(signature, message, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


# -- The order, in GraphQL's spelling or that of the older bodies -------------------------------------------------


def _listed(value: Any) -> Any:
    """Metadata: GraphQL's list of {key, value} as the object that the older bodies hold."""
    if isinstance(value, list):
        return {one.get("key"): one.get("value") for one in value if isinstance(one, dict) and _named(one.get("key"))}
    return value


def _named(key: object) -> bool:
    return isinstance(key, str)


class Amount(Payload):
    amount: Decimal
    currency: str


class Taxed(Payload):
    gross: Amount


class Person(Payload):
    id: str | None = None
    email: str | None = None
    first_name: str | None = either("firstName", "first_name")
    last_name: str | None = either("lastName", "last_name")
    phone: str | None = None


class Line(Payload):
    name: str | None = either("productName", "product_name")
    sku: str | None = either("productSku", "product_sku")
    quantity: Decimal | None = None
    price: Annotated[Taxed | None, IfObject] = either("undiscountedUnitPrice")
    amount: Decimal | None = either("undiscounted_unit_price_gross_amount", "unit_price_gross_amount")


class Payment(Payload):
    charge_status: str | None = None
    is_active: bool | None = None
    currency: str | None = None
    modified: IsoOrBlank = None


class Channel(Payload):
    currency_code: str | None = None


class Known(Payload):
    crm_contact_id: str | None = None
    deal_id: str | None = None


class Told(Payload):
    issued_at: IsoOrBlank = None


class SaleorOrder(Payload):
    id: str
    number: str | None = None
    status: str | None = None
    charge: str | None = either("paymentStatus", "chargeStatus")
    payments: list[Payment] | None = None
    created: IsoOrBlank = None
    updated_at: IsoOrBlank = either("updatedAt", "updated_at")
    meta: Annotated[Told | None, IfObject] = None
    email: str | None = either("userEmail", "user_email", "email")
    user: Annotated[Person | None, IfObject] = None
    billing_address: Annotated[Person | None, IfObject] = either("billingAddress", "billing_address")
    total: Annotated[Taxed | None, IfObject] = None
    amount: Decimal | None = either("total_gross_amount")
    currency: str | None = None
    channel: Annotated[Channel | None, IfObject] = None
    refunded: Annotated[Amount | None, IfObject] = either("totalRefunded")
    lines: list[Line] | None = None
    metadata: Annotated[Known | None, IfObject, BeforeValidator(_listed)] = None


class Notification(Payload):
    order: list[SaleorOrder]
    issued_at: IsoOrBlank = either("issuedAt")
    event: str | None = None
    payment: Annotated[Payment | None, IfObject] = None

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, document: Any) -> Any:
        """One shape for the three: {"issuedAt", "order"}, [order], {"notify_event", "payload": {"order", "payment"}}."""
        if isinstance(document, list):
            return {"order": document}
        if not isinstance(document, dict):
            return document
        inner = document.get("payload")
        if isinstance(inner, dict):
            orders = [inner["order"]] if "order" in inner else []
            return {"order": orders, "event": document.get("notify_event"), "payment": inner.get("payment")}
        return {**document, "order": [document["order"]]} if "order" in document else document


def _word(text: str) -> str:
    """GraphQL writes FULLY_CHARGED, the older bodies `fully-charged` and `partially fulfilled`."""
    return text.lower().replace("-", "_").replace(" ", "_")


class Saleor(Adapter[Notification]):
    name, title, origin = "saleor", "Saleor", Origin.COMMERCE
    links = Links(
        signing="https://docs.saleor.io/developer/extending/webhooks/payload-signature",
        payload="https://docs.saleor.io/developer/extending/webhooks/subscription-webhook-payloads",
    )
    setup = (
        "Open /.well-known/jwks.json at your Saleor's address (https://….saleor.cloud/.well-known/jwks.json), copy all of "
        "it, and give it to this source as its secret. When Saleor changes its keys, rotate the secret.",
        "In the Dashboard open Extensions → Installed → Add extension → Provide details manually; give it the permission "
        "Manage orders.",
        "In it click Create webhook, give {webhook_url} as the Target URL, leave the secret key empty, and choose the "
        "asynchronous Order events listed under topics.",
        "Paste the query that stands below these steps as the subscription query.",
        "Optional: crm_contact_id and deal_id in an order's metadata lead to the CRM's contact and deal.",
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
  billingAddress { firstName lastName phone }
  total { gross { amount currency } }
  totalRefunded { amount currency }
  lines { productName productSku quantity undiscountedUnitPrice { gross { amount currency } } }
  metadata { key value }
}"""
    topics = (
        "ORDER_CREATED",
        "ORDER_CONFIRMED",
        "ORDER_UPDATED",
        "ORDER_PAID",
        "ORDER_FULLY_PAID",
        "ORDER_REFUNDED",
        "ORDER_FULLY_REFUNDED",
        "ORDER_CANCELLED",
        "ORDER_EXPIRED",
    )
    signature = JwsOrSecret()
    kind = Header("saleor-event", "x-saleor-event")
    reads = dict.fromkeys(
        (*map(str.lower, topics), "order_fulfilled", "order_metadata_updated", "notify_user"), Notification
    )
    ignores = frozenset({"draft_order_*", "checkout_*", "fulfillment_*", "customer_*", "product_*", "invoice_*"})
    statuses = {
        "not_charged": Status.PENDING,
        "pending": Status.PENDING,
        "partially_charged": Status.PARTIALLY_PAID,
        "fully_charged": Status.PAID,
        "partially_refunded": Status.PAID,
        "fully_refunded": Status.REFUNDED,
        "refused": Status.FAILED,
        "cancelled": Status.CANCELED,
        "none": Status.PENDING,  # chargeStatus, which a query may ask for in place of paymentStatus
        "partial": Status.PARTIALLY_PAID,
        "full": Status.PAID,
        "overcharged": Status.PAID,
        # of the order itself
        "order.unconfirmed": None,
        "order.unfulfilled": None,
        "order.partially_fulfilled": None,
        "order.fulfilled": None,
        "order.partially_returned": None,
        "order.returned": None,
        "order.canceled": Status.CANCELED,
        "order.expired": Status.CANCELED,
    }
    # What the event itself says, where the body does not tell what was charged.
    told = {
        "order_created": Status.PENDING,
        "order_confirmation": Status.PENDING,
        "order_fully_paid": Status.PAID,
        "order_fully_refunded": Status.REFUNDED,
        "order_cancelled": Status.CANCELED,
        "order_expired": Status.CANCELED,
    }
    patience = "takes 2xx within 18 seconds; tries again 5 times, after 10 to 160 seconds"

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        return super().kind_of(delivery, options).lower()

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        if not payload.order:
            raise Ignored("a notice that holds no order")
        for order in payload.order:
            if _word(order.status or "") == "draft":
                raise Ignored("a draft, which is a cart")
            yield self._order(order, payload, payload.event or event.kind)

    def _order(self, order: SaleorOrder, told: Notification, what: str) -> Order:
        payments = [one for one in order.payments or [] if one.is_active] or order.payments or []
        payment = told.payment or (payments[-1] if payments else None)
        charge = order.charge or (payment.charge_status if payment else None)
        standing = self.status(f"order.{_word(order.status)}") if order.status else None
        status = self.status(_word(charge)) if charge else (standing or self.told.get(what))
        if standing is Status.CANCELED and status is not Status.REFUNDED:
            status, charge = standing, None
        at = told.issued_at or order.updated_at or (order.meta.issued_at if order.meta else None)
        at = at or (told.payment.modified if told.payment else None)
        created = what in ("order_created", "order_confirmation")
        currency = order.currency or (order.channel.currency_code if order.channel else None)
        currency = currency or (payment.currency if payment else None)
        value = _money(order.total, order.amount, currency)
        paid = payment.modified if payment else None
        known = order.metadata or Known()
        lines = order.lines or []
        return Order(
            external_id=order.id,
            at=at or (order.created if created else None),
            status=status,
            source_status=charge or order.status or None,
            title=order_title(order.number, [line.name for line in lines]),
            value=value,
            refunds={TOTAL: Money.major(order.refunded.amount, order.refunded.currency)}
            if order.refunded and order.refunded.amount
            else None,
            ordered_at=order.created,
            paid_at=(at if what == "order_fully_paid" else paid) if status is Status.PAID else None,
            customer=_customer(order.user or Person(), order.billing_address or Person(), order.email, known),
            items=tuple(
                Item(
                    title=line.name or "–",
                    quantity=1 if line.quantity is None else line.quantity,
                    unit_value=_money(line.price, line.amount, value.currency if value else None),
                    sku=line.sku or None,
                )
                for line in lines
            )
            or None,
            deal_id=known.deal_id or None,
        )


def _money(taxed: Taxed | None, amount: Decimal | None, currency: str | None) -> Money | None:
    if taxed:
        return Money.major(taxed.gross.amount, taxed.gross.currency)
    return Money.major(amount, currency) if amount is not None and currency else None


def _customer(user: Person, billed: Person, email: str | None, known: Known) -> Customer | None:
    names = [f"{each.first_name or ''} {each.last_name or ''}".strip() for each in (user, billed)]
    customer = Customer(
        name=names[0] or names[1] or None,
        id=user.id or None,
        crm_id=known.crm_contact_id or None,
        emails=tuple(dict.fromkeys(each for each in (email, user.email) if each)),
        phones=(billed.phone,) if billed.phone else (),
    )
    return None if customer == Customer() else customer
