"""Wix eCommerce: the whole body of a delivery is a JSON Web Token that Wix signs and that holds the order.

- Signing: https://dev.wix.com/docs/rest/articles/getting-started/webhooks
- Orders: https://dev.wix.com/docs/rest/api-reference/wix-e-commerce/orders/order-approved

Decided here, and why:

- RS256 alone is taken, whatever the token's own header says: a token that may choose its algorithm proves nothing.
- The secret is the app's public key, so only Wix can sign. (A private key in its place signs as well: for trying out.)
- `exp`: Wix sends a delivery again for two days, and does not say whether it signs it anew. A token counts for three days
  beyond its end; what was seen before is a duplicate all the same.
- `balanceSummary.refunded` is the total given back so far. Partly refunded is still paid. Chargebacks, and those that were
  won, have totals of their own beside it (npm @wix/auto_sdk_ecom_orders, BalanceSummary).
- An order that is `PENDING` waits "for the buyer to complete checkout" (the same, OrderStatus): a cart.
- `balanceSummary.paid` is all that was taken, refunds included, and less again when a payment (a gift card) is voided.
- Cash that was rounded down at the counter is what the order comes to (the same, `cashRoundingAdjustment`).
- An imported order was bought when `purchasedDate` says, not when it was made here.
- The payment's own time is not told: an order that becomes paid by `payment_status_updated` was paid at that event's time.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pydantic_core

from adapters.contract import (
    LEAST_BITS,
    Adapter,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Entries,
    Event,
    Ignored,
    IsoOrBlank,
    Item,
    Links,
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
    json_body,
    jws,
    jws_parts,
    order_title,
    path,
    refunded_so_far,
    rsa_signed,
    status_map,
    usable,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

ENDED = ("CANCELED", "REJECTED")  # by whoever, or because a pending payment came to nothing
WAITING = "PENDING"  # of `status`, not of `paymentStatus`
UNPAID = "NOT_PAID"  # of `paymentStatus`
LATE = 3 * 24 * 3600  # seconds
AHEAD = 300  # seconds


@lru_cache(maxsize=64)  # reading a key costs more than proving with it
def _keys(secret: str) -> "tuple[RSAPublicKey, RSAPrivateKey | None]":
    """The RSA key in a PEM, which may have come on one line or in base64; and the private one if it is. Raises Unverified."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    pem = secret.strip().replace("\\n", "\n").encode()
    try:
        if not pem.startswith(b"-----"):
            pem = base64.b64decode(pem, validate=True)
        begin, end = pem.index(b"-----", 5) + 5, pem.rindex(b"-----END")
        pem = pem[:begin] + b"\n" + pem[begin:end].replace(b" ", b"\n").strip() + b"\n" + pem[end:]
        key = load_pem_private_key(pem, None) if b"PRIVATE" in pem[:begin] else load_pem_public_key(pem)
    except (ValueError, TypeError):
        raise Unverified(Unverified.NO_SECRET) from None
    if not isinstance(key, RSAPublicKey | RSAPrivateKey) or key.key_size < LEAST_BITS:
        raise Unverified(Unverified.NO_SECRET)
    return (key.public_key(), key) if isinstance(key, RSAPrivateKey) else (key, None)


@dataclass(frozen=True, slots=True)
class SignedBody(Signature):
    """The body is a JSON Web Token (RFC 7519), RS256, proven with the sender's public key."""

    strength = Strength.MAC
    covers = frozenset({"time"})

    def signs_with(self, secret: str) -> bool:
        return "PRIVATE" in secret

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        try:
            signed, claims, signature = jws_parts(delivery.body)
        except Unverified:  # the token is the body: what is no token is a body that was changed
            raise Unverified(Unverified.MISMATCH) from None
        for secret in candidates:
            public, _ = _keys(secret)
            if rsa_signed([public], signature, signed):
                _check_time(claims, now.timestamp())
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """As Wix would send it; with the public key alone, which cannot sign, the delivery as it is."""
        _, private = _keys(secret)
        if private is None:
            return delivery
        claims = delivery.body
        try:
            given = json_body(claims)
        except Unreadable:
            given = None
        if isinstance(given, dict):
            at = int(now.timestamp())
            claims = pydantic_core.to_json({**given, "iat": at, "exp": at + AHEAD})
        return delivery.changed(body=jws(private, claims))

    @property
    def description(self) -> str:
        return "the body is a JSON Web Token, RS256, proven with the app's public key; its time is checked"


def _check_time(claims: bytes, now: float) -> None:
    """Refuses a token from the future, one long past its end, and one that does not say when: it could be sent for ever."""
    try:
        told = json_body(claims)
    except Unreadable:
        raise Unverified(Unverified.MALFORMED) from None
    issued, ends = (told.get(name) if isinstance(told, dict) else None for name in ("iat", "exp"))
    if not isinstance(issued, int | Decimal) or not isinstance(ends, int | Decimal):
        raise Unverified(Unverified.MALFORMED)
    if issued > now + AHEAD:
        raise Unverified(Unverified.TOO_NEW)
    if ends + LATE < now:
        raise Unverified(Unverified.TOO_OLD)


def _opened(body: bytes) -> dict[str, Any]:
    """What the token holds: {"eventType", "instanceId", "event"}; JSON in JSON in JSON. Raises Unreadable.

    Claims that nobody has signed yet, as in a sample, are read as they are: nothing comes here before it is proven.
    """
    if not body.lstrip().startswith(b"{"):
        try:
            body = from_base64url(body.split(b".")[1])
        except (ValueError, IndexError):
            raise Unreadable("the body is not a JSON Web Token") from None
    envelope = _inner(json_body(body), "data")
    return {**envelope, "event": _inner(envelope, "data")}


def _inner(outer: Any, name: str) -> dict[str, Any]:
    """The object in a field that holds it as JSON text (or, as the manual also shows it, as it is). Raises Unreadable."""
    found = outer.get(name) if isinstance(outer, dict) else None
    if isinstance(found, str):
        found = json_body(found.encode("utf-8", "surrogatepass"))
    if not isinstance(found, dict):
        raise Unreadable(f"{name}: an object, or the text of one, was expected")
    return found


class Line(Payload):
    name: str | None = path("productName.original")
    quantity: Decimal | None = None
    price: Decimal | None = path("price.amount")
    sku: str | None = path("physicalProperties.sku")


class Sale(Payload):
    id: str
    number: str | None = None
    createdDate: IsoOrBlank = None
    purchasedDate: IsoOrBlank = None
    status: str | None = None
    paymentStatus: str | None = None
    currency: str
    total: Decimal = path("priceSummary.total.amount", otherwise=...)
    rounding: Decimal | None = path("balanceSummary.cashRoundingAdjustment.amount")
    refunded: Decimal | None = path("balanceSummary.refunded.amount")
    charged_back: Decimal | None = path("balanceSummary.chargeback.amount")
    charged_back_won: Decimal | None = path("balanceSummary.chargebackReversal.amount")
    contact_id: str | None = path("buyerInfo.contactId")
    email: str | None = path("buyerInfo.email")
    first_name: str | None = path("billingInfo.contactDetails.firstName")
    last_name: str | None = path("billingInfo.contactDetails.lastName")
    company: str | None = path("billingInfo.contactDetails.company")
    phone: str | None = path("billingInfo.contactDetails.phone")
    document: str | None = path("billingInfo.contactDetails.vatId.id")  # CPF or CNPJ: "for Brazil only"
    country: str | None = path("billingInfo.address.country")
    # Who receives it is the buyer only where nothing else names one.
    recipient_first_name: str | None = path("recipientInfo.contactDetails.firstName")
    recipient_last_name: str | None = path("recipientInfo.contactDetails.lastName")
    recipient_phone: str | None = path("recipientInfo.contactDetails.phone")
    recipient_country: str | None = path("recipientInfo.address.country")
    paid: Decimal | None = path("balanceSummary.paid.amount")
    lineItems: Entries[Line] | None = None


class Notice(Payload):
    """The order stands elsewhere for each sort of event."""

    happened_at: IsoOrBlank = path("event.eventTime")
    sale: OptionalOf[Sale] = path(
        "event.createdEvent.entity", "event.updatedEvent.currentEntity", "event.actionEvent.body.order"
    )


class Wix(Adapter[Notice]):
    name, title, origin = "wix", "Wix", Origin.COMMERCE
    links = Links(
        signing="https://dev.wix.com/docs/rest/articles/getting-started/webhooks",
        payload="https://dev.wix.com/docs/rest/api-reference/wix-e-commerce/orders/order-approved",
    )
    topics = tuple(
        "wix.ecom.v1.order_created wix.ecom.v1.order_updated wix.ecom.v1.order_approved wix.ecom.v1.order_canceled "
        "wix.ecom.v1.order_committed wix.ecom.v1.order_fulfilled wix.ecom.v1.order_imported "
        "wix.ecom.v1.order_payment_status_updated".split()
    )
    signature = SignedBody()
    kind = BodyField("eventType")
    delivery_id = BodyField("event.id")
    reads = dict.fromkeys(topics, Notice)
    ignores = frozenset("AppInstalled AppRemoved wix.devcenter.*".split())
    statuses = status_map(  # paymentStatus
        pending="UNSPECIFIED NOT_PAID PENDING PENDING_MERCHANT",
        partially_paid="PARTIALLY_PAID",
        paid="PAID PARTIALLY_REFUNDED",
        refunded="FULLY_REFUNDED",
        canceled="CANCELED",
        failed="DECLINED",
    )
    partly_refunded = frozenset({"PARTIALLY_REFUNDED"})
    retry_policy = "takes only 200, within 1.25 s; else tries 12 more times in two days"

    def document_of(self, delivery: Delivery) -> Any:
        return delivery.document(_opened)

    def orders(self, payload: Notice, event: Event[Notice]) -> Iterable[Order]:
        sale, at = payload.sale, payload.happened_at
        if sale is None:
            raise Unreadable("event: none of createdEvent, updatedEvent and actionEvent holds an order")
        if sale.status == WAITING:
            raise Ignored("an order whose checkout did not end: a cart")
        status, word = self.status(sale.paymentStatus), sale.paymentStatus
        total, taken = _total(sale), Money.major(sale.paid, sale.currency)
        if not sale.paid and status in (Status.PAID, Status.REFUNDED):
            taken = total
        elif taken is None and word == UNPAID:
            taken = Money.major(0, sale.currency)
        paid_at = at if event.kind.endswith("payment_status_updated") and sale.paymentStatus == "PAID" else None
        if sale.status in ENDED and status is not Status.REFUNDED:
            status, word = Status.CANCELED, sale.status
        back = Money.major(sale.refunded, sale.currency)
        recipient = full_name(sale.recipient_first_name, sale.recipient_last_name)
        items = tuple(_item(line, sale.currency) for line in sale.lineItems or () if line.name)
        yield Order(
            external_id=sale.id,
            at=at,
            status=status,
            source_status=word,
            title=order_title(sale.number, items),
            bills=(Bill(value=total),),
            payments=(Payment(value=taken, state=PaymentState.TAKEN, at=paid_at),) if taken else (),
            refunds=(*refunded_so_far(back, self.status(sale.paymentStatus)), *_charged_back(sale)),
            ordered_at=sale.purchasedDate or sale.createdDate,
            paid_at=paid_at,
            customer=Customer(
                name=full_name(sale.first_name, sale.last_name) or sale.company,
                id=sale.contact_id,
                emails=(sale.email,),
                phones=(sale.phone,),
                documents=(sale.document,),
                country=sale.country,
            ).or_recipient(recipient, sale.recipient_phone, sale.recipient_country),
            items=None if sale.lineItems is None else items,
        )


def _total(sale: Sale) -> Money:
    total = Money.major(sale.total, sale.currency)
    down = Money.major(min(sale.rounding or 0, 0), sale.currency).minor
    return Money(max(total.minor + down, 0), total.currency) if down else total


def _charged_back(sale: Sale) -> tuple[Refund, ...]:
    """What the buyers' banks took so far, and have not given back."""
    if sale.charged_back is None:
        return ()
    lost = max(sale.charged_back - (sale.charged_back_won or 0), Decimal(0))
    return (Refund(value=Money.major(lost, sale.currency), total=True, kind=RefundKind.CHARGEBACK),)


def _item(line: Line, currency: str) -> Item:
    price = Money.major(line.price, currency)
    return Item(title=line.name, quantity=line.quantity, unit_value=price, sku=line.sku)
