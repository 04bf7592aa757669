"""Woovi (OpenPix): PIX and boleto charges.

- Signing: https://developers.woovi.com/docs/webhook/seguranca/webhook-signature-validation (RSA) and
  https://developers.woovi.com/docs/webhook/seguranca/webhook-hmac
- Events: https://developers.woovi.com/docs/webhook/webhook-events-type

This is longer than 400 lines: two ways to sign, and charges, cycles, refunds and disputes in bodies of their own.

Decided here, and why:

- Woovi's RSA signature proves Woovi, not you: any customer of Woovi can have a body signed and sent here. So it counts only
  together with the `Authorization` that you made up for your webhook. The HMAC is keyed with your webhook's own secret,
  and is enough by itself.
- A refund names only the PIX transactions (`endToEndId`), which every paid charge names as well: there they meet. Its
  payer need not be the order's customer, and does not become it.
- A charge with a due date comes to what was due when it was paid, less a discount or with fine and interest
  (https://developers.woovi.com/docs/charge/discount-simulator); its `value` stays what was charged first.
- A transaction without a charge is money from anyone for anything: no order. One of a static QR code is a sale of the counter; what
  goes back of it is told by PIX_TRANSACTION_REFUND_SENT_CONFIRMED, for the older event does not say of which payment.
- A cycle of a subscription says nothing of its buyer; PIX_AUTOMATIC_APPROVED does, and both name the subscription. It is told
  days before it is due; a try that is rejected may be followed by others, PIX_AUTOMATIC_COBR_REJECTED by none.
- What the bank took back on a dispute (MED) is told again as a refund, and nothing links the two: a dispute and a refund of
  one payment and one amount are the same.
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
    Bill,
    BodyField,
    Customer,
    Delivery,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
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
    RefundState,
    Signature,
    Status,
    Strength,
    Unreadable,
    Unverified,
    one_header,
    order_title,
    path,
    replace,
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
    shows_secret = True
    shown_in = frozenset(("x-openpix-authorization", "authorization"))

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
    type: str | None = None  # OVERDUE: a PIX with a due date, of which discounts, fines and interest are part
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


class QrCode(Payload):
    """A static QR code, as it stands on a shop's counter: it is paid by many."""

    name: str | None = None
    correlationID: str | None = None


class Try(Payload):
    tryStatus: str | None = None
    updatedAt: IsoOrBlank = None


class Cycle(Payload):
    """A cycle of a PIX Automático subscription."""

    id: str = path("cobr.identifierId", otherwise=...)
    subscription: str | None = path("correlationID")
    pix_id: str | None = path("cobr.endToEndId")
    value: int = path("cobr.value", "value", otherwise=...)
    status: str | None = path("cobr.status")
    made_at: IsoOrBlank = path("createdAt")
    sent_at: IsoOrBlank = path("cobr.createdAt")
    tries: ListOf[Try] = path("cobr.tries", otherwise=())


class Subscription(Payload):
    """A PIX Automático subscription, which its buyer has approved."""

    correlationID: str
    customer: OptionalOf[Person] = None


class Sale(Payload):
    """A charge and, where there is one, the PIX that paid it or gave it back."""

    charge: OptionalOf[Charge] = None
    pix_id: str | None = path("pix.endToEndId")
    pix_value: int | None = path("pix.value")
    pix_time: IsoOrBlank = path("pix.time")
    slip_value: int | None = path("boleto.value")  # with fines and interest, where it was paid late
    qr_code: OptionalOf[QrCode] = path("pix.pixQrCode", "pixQrCode")
    partial: bool | None = path("pix.partial")
    payer: OptionalOf[Person] = path("pix.payer", "pix.customer")
    environment: str | None = path("account.environment")


class SentBack(Payload):
    id: str = path("refundTransaction.endToEndId", otherwise=...)
    value: int = path("refundTransaction.value", otherwise=...)
    time: IsoOrBlank = path("refundTransaction.time")
    partial: bool | None = path("refundTransaction.partial")
    paid_id: str = path("originalTransaction.endToEndId", otherwise=...)
    paid_value: int | None = path("originalTransaction.value")
    paid_at: IsoOrBlank = path("originalTransaction.time")


class Dispute(Payload):
    paid_id: str = path("dispute.endToEndId", otherwise=...)
    status: str | None = path("dispute.status")
    value: int | None = path("dispute.value")


CYCLES = {
    "PIX_AUTOMATIC_COBR_CREATED": Status.PENDING,
    "PIX_AUTOMATIC_COBR_APPROVED": Status.PENDING,  # by the buyer's bank: it will be taken when it is due
    "PIX_AUTOMATIC_COBR_TRY_REJECTED": Status.OVERDUE,
    "PIX_AUTOMATIC_COBR_REJECTED": Status.FAILED,
    "PIX_AUTOMATIC_COBR_COMPLETED": Status.PAID,
}


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
        "PIX_AUTOMATIC_APPROVED": Subscription,
        **dict.fromkeys(CYCLES, Cycle),
        "PIX_TRANSACTION_REFUND_SENT_CONFIRMED": SentBack,
        "PIX_TRANSACTION_REFUND_SENT_REJECTED": SentBack,
        "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED": SentBack,
        "PIX_TRANSACTION_REFUND_RECEIVED_REJECTED": SentBack,
        "OPENPIX:DISPUTE_ACCEPTED": Dispute,
        "OPENPIX:DISPUTE_REJECTED": Dispute,
        "OPENPIX:DISPUTE_CANCELED": Dispute,
    }
    topics = tuple(reads)
    customer_kinds = frozenset({"PIX_AUTOMATIC_APPROVED"})
    ignores = frozenset(
        "teste_webhook OPENPIX:DISPUTE_* OPENPIX:MOVEMENT_* BOLETO_SETTLED TED_* "
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
        """The event; older bodies (2021) and that of a static QR code in the manual name none, and some pages spell it `woovi:`."""
        document = self.document_of(delivery)
        if isinstance(document, dict) and "event" not in document:
            if isinstance(document.get("charge"), dict):
                return "OPENPIX:CHARGE_COMPLETED"
            if isinstance(document.get("pixQrCode"), dict):
                return "OPENPIX:TRANSACTION_RECEIVED"
            if isinstance(document.get("evento"), str) and document["evento"]:
                return str(document["evento"])
        return re.sub(r"\Awoovi:", "OPENPIX:", super().kind_of(delivery, options))

    def people(self, payload: Subscription, event: Event[Any]) -> Iterable[Customer]:
        yield replace(_customer(payload.customer or Person()), id=_subscriber(payload.correlationID))

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        match payload:
            case Sale():
                yield self._sale(payload, event.kind)
            case SentBack():
                yield _sent_back(payload, event.kind)
            case Cycle():
                yield _cycle(payload, CYCLES[event.kind])
            case _:
                yield _dispute(payload, event.kind)

    def _sale(self, sale: Sale, kind: str) -> Order:
        charge = sale.charge
        returned = kind == "OPENPIX:TRANSACTION_REFUND_RECEIVED"  # then `pix` is the refund, not the payment
        if charge is None and returned:
            raise Ignored("a refund that does not say of which payment; PIX_TRANSACTION_REFUND_SENT_CONFIRMED does")
        if charge is None:
            return _counter_sale(sale)
        status = self.status(charge.status)
        taken = status is Status.PAID and not returned
        dated = sale.slip_value or (sale.pix_value if charge.type == "OVERDUE" else None)
        bill = dated if taken and dated else (charge.discount and charge.valueWithDiscount)
        value = Money.of(bill or charge.value, "BRL")
        paid = Payment(
            id=sale.pix_id or charge.correlationID,
            value=(Money.of(sale.pix_value, "BRL") if sale.pix_id else None) or value,
            state=PaymentState.TAKEN,
            at=charge.paidAt or sale.pix_time,
        )
        back = Refund(
            id=sale.pix_id or "refund",
            value=Money.of(sale.pix_value, "BRL"),
            at=sale.pix_time,
            all=sale.partial is False,
        )
        buyer = charge.customer or charge.payer or sale.payer or Person()
        return Order(
            external_id=charge.correlationID,
            aliases=(charge.transactionID, None if returned else sale.pix_id),
            at=(sale.pix_time if returned else None) or charge.updatedAt,
            status=status,
            source_status=charge.status,
            title=order_title(None, [charge.comment]),
            # What was due is told with the payment; a refund's charge only has what was charged first. A part yields to it.
            bills=(Bill(id="refunded", value=value, part=True) if returned else Bill(value=value),),
            payments=(paid,) if taken else (),
            refunds=(back,) if returned else (),
            ordered_at=charge.createdAt,
            paid_at=paid.at if taken else None,
            customer=_customer(buyer, charge.additionalInfo.get("crm_contact_id")),
            url=charge.paymentLinkUrl,
            test={"TESTING": True, "PRODUCTION": False}.get(sale.environment or ""),
            deal_id=charge.additionalInfo.get("deal_id"),
        )


def _customer(buyer: Person, crm_id: str | None = None) -> Customer:
    return Customer(
        name=buyer.name,
        id=buyer.correlationID,
        crm_id=crm_id,
        emails=(buyer.email,),
        phones=(buyer.phone,),
        documents=(buyer.tax_id,),
        country="BR",
    )


def _counter_sale(sale: Sale) -> Order:
    """Each payment of a static QR code is a sale of its own."""
    code, value = sale.qr_code, Money.of(sale.pix_value, "BRL")
    if code is None or sale.pix_id is None or value is None:
        raise Ignored("no charge: a webhook's test, or a PIX that belongs to none")
    return Order(
        external_id=sale.pix_id,
        at=sale.pix_time,
        status=Status.PAID,
        source_status="COMPLETED",
        title=order_title(None, [code.name or code.correlationID]),
        payments=(Payment(id=sale.pix_id, value=value, state=PaymentState.TAKEN, at=sale.pix_time),),
        ordered_at=sale.pix_time,
        paid_at=sale.pix_time,
        customer=_customer(sale.payer or Person()),
    )


def _cycle(cycle: Cycle, status: Status) -> Order:
    value, taken = Money.of(cycle.value, "BRL"), status is Status.PAID
    tried_at = [one.updatedAt for one in cycle.tries if one.updatedAt and (one.tryStatus == "PAID" or not taken)]
    at = max(tried_at, default=None if taken else cycle.sent_at)
    paid = Payment(id=cycle.pix_id or cycle.id, value=value, state=PaymentState.TAKEN, at=at)
    return Order(
        external_id=cycle.id,
        aliases=(cycle.pix_id,),
        at=at,
        status=status,
        source_status=cycle.status,
        title=order_title(None, [cycle.subscription]),
        bills=(Bill(value=value),),
        payments=(paid,) if taken else (),
        ordered_at=cycle.made_at,
        paid_at=at if taken else None,
        customer=Customer(id=_subscriber(cycle.subscription)) if cycle.subscription else None,
    )


def _subscriber(subscription: str) -> str:
    """The id of whoever pays a subscription; apart from the shop's own ids of its customers, which may be the same numbers."""
    return f"subscription {subscription}"


def _sent_back(back: SentBack, kind: str) -> Order:
    # A refund that was received may be of a PIX that you sent: it counts if we know the order, and makes none.
    sent, done = "_SENT_" in kind, kind.endswith("_CONFIRMED")
    value = Money.of(back.paid_value, "BRL") if sent else None
    paid = Payment(id=back.paid_id, value=value, state=PaymentState.TAKEN, at=back.paid_at)
    return Order(
        external_id=back.paid_id,
        preference=1,  # the charge's own id is the better name
        at=back.time,
        payments=(paid,) if value else (),
        refunds=(
            Refund(
                id=back.id or "refund",
                value=Money.of(back.value, "BRL"),
                state=RefundState.DONE if done else RefundState.FAILED,
                at=back.time,
                payment=back.paid_id if value else None,
            ),
        ),
        paid_at=back.paid_at if sent else None,
    )


def _dispute(dispute: Dispute, kind: str) -> Order:
    """A dispute that was accepted took the money; one that was rejected or withdrawn did not, or gives it again."""
    lost = kind.endswith("ACCEPTED")
    value = Money.of(dispute.value, "BRL")
    return Order(
        external_id=dispute.paid_id,
        preference=1,
        at=None,  # the bank does not say when
        refunds=(
            Refund(
                value=value,
                state=RefundState.DONE if lost else RefundState.REVERSED,
                kind=RefundKind.CHARGEBACK,
                payment=dispute.paid_id,
                all=value is None,
            ),
        ),
    )
