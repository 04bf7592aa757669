"""Woovi (OpenPix): PIX and boleto charges.

- Signing: https://developers.woovi.com/docs/webhook/seguranca/webhook-signature-validation (RSA) and
  https://developers.woovi.com/docs/webhook/seguranca/webhook-hmac
- Events: https://developers.woovi.com/docs/webhook/webhook-events-type

Decided here, and why:

- Woovi's RSA signature proves Woovi, not you: any customer of Woovi can have a body signed and sent here. So it counts only
  together with the `Authorization` that you made up for your webhook. The HMAC is keyed with your webhook's own secret,
  and is enough by itself.
- A refund names only the PIX transactions (`endToEndId`), which every paid charge names as well: there they meet. Its
  payer need not be the order's customer, and does not become it.
- A transaction without a charge is money from anyone for anything: no order.
- What the bank took back on a dispute (MED) is told again as a refund; it is read as the word alone, and counts once.
- The test that Woovi sends when a webhook is saved holds no charge, and comes before its secret is known.
"""

import base64
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from adapters.contract import (
    Adapter,
    AnyOf,
    BodyField,
    Customer,
    Delivery,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
    Links,
    Metadata,
    Money,
    OptionalOf,
    Order,
    Origin,
    Payload,
    Signature,
    Status,
    Strength,
    Unreadable,
    Unverified,
    one_header,
    order_title,
    path,
    rsa_signed,
    status_map,
    text_key,
    usable,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

# Published at https://api.woovi.com/api/v1/webhook/public-keys; the list grows there when Woovi changes its key.
PUBLIC_KEYS = (
    b"-----BEGIN PUBLIC KEY-----\n"
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/+NtIkjzevvqD+I3MMv3bLXDt\n"
    b"pvxBjY4BsRrSdca3rtAwMcRYYvxSnd7jagVLpctMiOxQO8ieUCKLSWHpsMAjO/zZ\n"
    b"WMKbqoG8MNpi/u3fp6zz0mcHCOSqYsPUUG19buW8bis5ZZ2IZgBObWSpTvJ0cnj6\n"
    b"HKBAA82Jln+lGwS1MwIDAQAB\n"
    b"-----END PUBLIC KEY-----\n",
)


@cache
def _public_keys() -> "tuple[RSAPublicKey, ...]":
    """The published keys. Theirs have 1024 bits."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    keys = [load_pem_public_key(pem) for pem in PUBLIC_KEYS]
    return tuple(key for key in keys if isinstance(key, RSAPublicKey))


@dataclass(frozen=True, slots=True)
class RsaAndToken(Signature):
    """RSA (PKCS#1 v1.5, SHA-256, base64) of the raw body by Woovi, and beside it the token that you gave Woovi."""

    strength = Strength.MAC
    can_sign = False

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        signature = one_header(delivery, ("x-webhook-signature",))
        token = text_key(one_header(delivery, ("x-openpix-authorization", "authorization")))
        secret = next((each for each in candidates if hmac.compare_digest(text_key(each), token)), None)
        if secret is None:
            raise Unverified(Unverified.MISMATCH)
        try:
            sent = base64.b64decode(signature, validate=True)
        except ValueError:
            raise Unverified(Unverified.MALFORMED) from None
        if not rsa_signed(_public_keys(), sent, delivery.body):
            raise Unverified(Unverified.MISMATCH)
        return secret

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """As Woovi would send it, but for the signature: only Woovi has that key."""
        return delivery.changed(headers={"authorization": secret})

    @property
    def description(self) -> str:
        return (
            "RSA-SHA256 of the raw body by Woovi, base64, in the header `x-webhook-signature`, together with your own "
            "token in the header `authorization`"
        )


class Person(Payload):
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    correlationID: str | None = None
    tax_id: str | None = path("taxID.taxID")


class Charge(Payload):
    correlationID: str
    status: str
    value: int
    valueWithDiscount: int | None = None
    discount: int | None = None
    comment: str | None = None
    transactionID: str | None = None
    paymentLinkUrl: str | None = None
    additionalInfo: Metadata = path("additionalInfo", otherwise={})
    customer: OptionalOf[Person] = None
    payer: OptionalOf[Person] = None
    createdAt: IsoOrBlank = None
    updatedAt: IsoOrBlank = None
    paidAt: IsoOrBlank = None


class Sale(Payload):
    """A charge and, where there is one, the PIX that paid it or gave it back."""

    charge: OptionalOf[Charge] = None
    pix_id: str | None = path("pix.endToEndId")
    pix_value: int | None = path("pix.value")
    pix_time: IsoOrBlank = path("pix.time")
    partial: bool | None = path("pix.partial")
    payer: OptionalOf[Person] = path("pix.payer")
    environment: str | None = path("account.environment")


class Refund(Payload):
    id: str = path("refundTransaction.endToEndId", otherwise=...)
    value: int = path("refundTransaction.value", otherwise=...)
    time: IsoOrBlank = path("refundTransaction.time")
    partial: bool | None = path("refundTransaction.partial")
    paid_id: str = path("originalTransaction.endToEndId", otherwise=...)
    paid_value: int = path("originalTransaction.value", otherwise=...)
    paid_at: IsoOrBlank = path("originalTransaction.time")


class Dispute(Payload):
    paid_id: str = path("dispute.endToEndId", otherwise=...)
    status: str | None = path("dispute.status")


class Woovi(Adapter[Any]):
    name, title, origin = "woovi", "Woovi", Origin.PAYMENTS
    links = Links(
        signing="https://developers.woovi.com/docs/webhook/seguranca/webhook-signature-validation",
        payload="https://developers.woovi.com/docs/webhook/webhook-events-type",
    )
    signature = AnyOf((Hmac(header="x-openpix-signature", algorithm="sha1", encoding="base64"), RsaAndToken()))
    retry_policy = "takes 2xx within 100 seconds; tries again 8 times, each time after twice as long"
    kind = BodyField("event")
    reads = {
        "OPENPIX:CHARGE_CREATED": Sale,
        "OPENPIX:CHARGE_COMPLETED": Sale,
        "OPENPIX:CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER": Sale,
        "OPENPIX:CHARGE_EXPIRED": Sale,
        "OPENPIX:TRANSACTION_RECEIVED": Sale,
        "OPENPIX:TRANSACTION_REFUND_RECEIVED": Sale,
        "PIX_TRANSACTION_REFUND_SENT_CONFIRMED": Refund,
        "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED": Refund,
        "OPENPIX:DISPUTE_ACCEPTED": Dispute,
    }
    topics = tuple(reads)
    ignores = frozenset(
        "teste_webhook PIX_TRANSACTION_REFUND_*_REJECTED OPENPIX:DISPUTE_* OPENPIX:MOVEMENT_* BOLETO_SETTLED TED_* "
        "ACCOUNT_REGISTER_* PIX_AUTOMATIC_*".split()
    )
    statuses = status_map(pending="ACTIVE", paid="COMPLETED", canceled="EXPIRED")

    def handshake(self, delivery: Delivery) -> str | None:
        try:
            document = self.document_of(delivery)
        except Unreadable:
            return None
        if isinstance(document, dict) and document.keys() - {"event", "evento"} == {"data_criacao"}:
            return "the test that Woovi sends when a webhook is saved"
        return None

    def kind_of(self, delivery: Delivery, options: object) -> str:
        """The event; older bodies (2021) name none, and some pages of the manual spell it `woovi:`."""
        document = self.document_of(delivery)
        if isinstance(document, dict) and "event" not in document:
            if isinstance(document.get("charge"), dict):
                return "OPENPIX:CHARGE_COMPLETED"
            if isinstance(document.get("evento"), str) and document["evento"]:
                return str(document["evento"])
        return re.sub(r"\Awoovi:", "OPENPIX:", super().kind_of(delivery, options))

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        match payload:
            case Sale():
                yield self._sale(payload, event.kind)
            case Refund():
                yield _refund(payload, event.kind)
            case _:
                yield Order(
                    external_id=payload.paid_id,
                    preference=1,
                    at=None,  # the bank took it back; it does not say when
                    status=Status.REFUNDED,
                    source_status=payload.status,
                )

    def _sale(self, sale: Sale, kind: str) -> Order:
        charge = sale.charge
        if charge is None:
            raise Ignored("no charge: a webhook's test, or a PIX that belongs to none")
        returned = kind == "OPENPIX:TRANSACTION_REFUND_RECEIVED"  # then `pix` is the refund, not the payment
        back = Money.of(sale.pix_value, "BRL") if returned else None
        status = self.status(charge.status)
        if returned and status is Status.PAID and sale.partial is False:
            status = Status.REFUNDED
        buyer = charge.customer or charge.payer or sale.payer or Person()
        return Order(
            external_id=charge.correlationID,
            aliases=(charge.transactionID, None if returned else sale.pix_id),
            at=(sale.pix_time if returned else None) or charge.updatedAt,
            status=status,
            source_status=charge.status,
            title=order_title(None, [charge.comment]),
            value=Money.of((charge.discount and charge.valueWithDiscount) or charge.value, "BRL"),
            refunds={sale.pix_id or "refund": back} if back else None,
            ordered_at=charge.createdAt,
            paid_at=(charge.paidAt or (None if returned else sale.pix_time)) if status is Status.PAID else None,
            customer=Customer(
                name=buyer.name,
                id=buyer.correlationID,
                crm_id=charge.additionalInfo.get("crm_contact_id"),
                emails=(buyer.email,),
                phones=(buyer.phone,),
                documents=(buyer.tax_id,),
            ),
            url=charge.paymentLinkUrl,
            test={"TESTING": True, "PRODUCTION": False}.get(sale.environment or ""),
            deal_id=charge.additionalInfo.get("deal_id"),
        )


def _refund(refund: Refund, kind: str) -> Order:
    # A refund that was received may be of a PIX that you sent: it counts if we know the order, and makes none.
    sent = kind == "PIX_TRANSACTION_REFUND_SENT_CONFIRMED"
    # What a part came back of has been paid; a refund received says so of an order that we know.
    paid = Status.PAID if sent else None
    return Order(
        external_id=refund.paid_id,
        preference=1,  # the charge's own id is the better name
        at=refund.time,
        status=Status.REFUNDED if refund.partial is False else paid,
        value=Money.of(refund.paid_value, "BRL") if sent else None,
        refunds={refund.id or "refund": Money.of(refund.value, "BRL")},
        paid_at=refund.paid_at if sent else None,
    )
