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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from adapters.contract import (
    Adapter,
    AnyOf,
    Customer,
    Delivery,
    Event,
    Field,
    Hmac,
    IfObject,
    Ignored,
    IsoOrBlank,
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
    one_header,
    order_title,
    text_key,
    usable,
)

# Published at https://api.woovi.com/api/v1/webhook/public-keys; the list grows there when Woovi changes its key.
PUBLIC_KEYS = (
    b"-----BEGIN PUBLIC KEY-----\n"
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/+NtIkjzevvqD+I3MMv3bLXDt\n"
    b"pvxBjY4BsRrSdca3rtAwMcRYYvxSnd7jagVLpctMiOxQO8ieUCKLSWHpsMAjO/zZ\n"
    b"WMKbqoG8MNpi/u3fp6zz0mcHCOSqYsPUUG19buW8bis5ZZ2IZgBObWSpTvJ0cnj6\n"
    b"HKBAA82Jln+lGwS1MwIDAQAB\n"
    b"-----END PUBLIC KEY-----\n",
)


@dataclass(frozen=True, slots=True)
class RsaAndToken(Signature):
    """RSA (PKCS#1 v1.5, SHA-256, base64) of the raw body by Woovi, and beside it the token that you gave Woovi."""

    strength = Strength.MAC
    can_sign = False

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        candidates = usable(secrets)
        signature = one_header(delivery, ("x-webhook-signature",))
        token = one_header(delivery, ("x-openpix-authorization", "authorization")).encode("utf-8", "surrogatepass")
        secret = next((each for each in candidates if hmac.compare_digest(text_key(each), token)), None)
        if secret is None:
            raise Unverified(Unverified.MISMATCH)
        try:
            sent = base64.b64decode(signature, validate=True)
        except ValueError:
            raise Unverified(Unverified.MALFORMED) from None
        for pem in PUBLIC_KEYS:
            key = load_pem_public_key(pem)
            try:
                if isinstance(key, RSAPublicKey):
                    key.verify(sent, delivery.body, PKCS1v15(), SHA256())
                    return secret
            except InvalidSignature:
                continue
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """As Woovi would send it, but for the signature: only Woovi has that key."""
        return delivery.changed(headers={"authorization": secret})

    @property
    def words(self) -> str:
        return (
            "RSA-SHA256 of the raw body by Woovi, base64, in the header `x-webhook-signature`, together with your own "
            "token in the header `authorization`"
        )


class TaxId(Payload):
    taxID: str | None = None


class Person(Payload):
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    correlationID: str | None = None
    taxID: Annotated[TaxId | None, IfObject] = None


class Info(Payload):
    key: str | None = None
    value: str | None = None


class Charge(Payload):
    correlationID: str
    status: str
    value: int
    valueWithDiscount: int | None = None
    discount: int | None = None
    comment: str | None = None
    transactionID: str | None = None
    paymentLinkUrl: str | None = None
    additionalInfo: list[Info] | None = None
    customer: Annotated[Person | None, IfObject] = None
    payer: Annotated[Person | None, IfObject] = None
    createdAt: IsoOrBlank = None
    updatedAt: IsoOrBlank = None
    paidAt: IsoOrBlank = None


class Pix(Payload):
    value: int | None = None
    time: IsoOrBlank = None
    endToEndId: str | None = None
    partial: bool | None = None
    payer: Annotated[Person | None, IfObject] = None


class Account(Payload):
    environment: str | None = None


class Sale(Payload):
    charge: Annotated[Charge | None, IfObject] = None
    pix: Annotated[Pix | None, IfObject] = None
    account: Annotated[Account | None, IfObject] = None


class Transaction(Payload):
    endToEndId: str
    value: int
    time: IsoOrBlank = None
    partial: bool | None = None


class Refund(Payload):
    refundTransaction: Transaction
    originalTransaction: Transaction


class Disputed(Payload):
    endToEndId: str
    status: str | None = None


class Dispute(Payload):
    dispute: Disputed


class Woovi(Adapter[Any]):
    name, title, origin = "woovi", "Woovi", Origin.PAYMENTS
    links = Links(
        signing="https://developers.woovi.com/docs/webhook/seguranca/webhook-signature-validation",
        payload="https://developers.woovi.com/docs/webhook/webhook-events-type",
    )
    setup = (
        "In Woovi open Administrador → API/Plugins → Novo Webhook.",
        "Give {webhook_url} as the URL, choose one of the events listed under topics, and make up a long "
        "Authorization; save it, and make one such webhook for each event, all with the same Authorization.",
        "Give that Authorization to this source as its secret.",
        "Instead of it you may give the secret key that Woovi shows for a webhook (HMAC; one secret for each webhook).",
        "Optional: write crm_contact_id and deal_id into additionalInfo of your charges; they lead straight to the "
        "CRM's contact and deal.",
    )
    signature = AnyOf(
        (
            Hmac(header="x-openpix-signature", algorithm="sha1", encoding="base64"),
            RsaAndToken(),
        )
    )
    patience = "takes 2xx within 100 seconds; tries again 8 times, each time after twice as long"
    kind = Field("event")
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
        {
            "teste_webhook",
            "PIX_TRANSACTION_REFUND_*_REJECTED",
            "OPENPIX:DISPUTE_*",
            "OPENPIX:MOVEMENT_*",
            "BOLETO_SETTLED",
            "TED_*",
            "ACCOUNT_REGISTER_*",
            "PIX_AUTOMATIC_*",
        }
    )
    statuses = {
        "ACTIVE": Status.PENDING,
        "COMPLETED": Status.PAID,
        "EXPIRED": Status.CANCELED,
    }

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
        kind = super().kind_of(delivery, options)
        return f"OPENPIX:{kind.removeprefix('woovi:')}" if kind.startswith("woovi:") else kind

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        match payload:
            case Sale():
                yield self._sale(payload, event.kind)
            case Refund():
                yield self._refund(payload, event.kind)
            case _:
                # The bank took it back; it does not say when.
                yield _of_pix(payload.dispute.endToEndId, status=Status.REFUNDED, word=payload.dispute.status)

    def _sale(self, sale: Sale, kind: str) -> Order:
        charge, pix = sale.charge, sale.pix or Pix()
        if charge is None:
            raise Ignored("no charge: a webhook's test, or a PIX that belongs to none")
        status, at = self.status(charge.status), charge.updatedAt
        back = None
        if kind == "OPENPIX:TRANSACTION_REFUND_RECEIVED":
            at = pix.time or at  # `pix` is the refund here, not the payment
            if pix.value is not None:
                back = {pix.endToEndId or "refund": Money(pix.value, "BRL")}
            if status is Status.PAID and pix.partial is False:
                status = Status.REFUNDED
        paid = charge.paidAt or (None if back else pix.time)
        known = {info.key: info.value for info in charge.additionalInfo or []}
        names = (charge.transactionID, None if back else pix.endToEndId)
        environment = sale.account.environment if sale.account else None
        return Order(
            external_id=charge.correlationID,
            aliases=tuple(dict.fromkeys(name for name in names if name)),
            at=at,
            status=status,
            source_status=charge.status,
            title=order_title(None, [charge.comment]),
            value=Money((charge.discount and charge.valueWithDiscount) or charge.value, "BRL"),
            refunds=back,
            ordered_at=charge.createdAt,
            paid_at=paid if status is Status.PAID else None,
            customer=_customer(charge.customer or charge.payer or pix.payer or Person(), known.get("crm_contact_id")),
            url=charge.paymentLinkUrl if (charge.paymentLinkUrl or "").startswith("https://") else None,
            test={"TESTING": True, "PRODUCTION": False}.get(environment or ""),
            deal_id=known.get("deal_id") or None,
        )

    def _refund(self, payload: Refund, kind: str) -> Order:
        back, paid = payload.refundTransaction, payload.originalTransaction
        # A refund that was received may be of a PIX that you sent: it counts if we know the order, and makes none.
        sent = kind == "PIX_TRANSACTION_REFUND_SENT_CONFIRMED"
        return _of_pix(
            paid.endToEndId,
            at=back.time,
            # What a part came back of has been paid; a refund received says so of an order that we know.
            status=Status.REFUNDED if back.partial is False else (Status.PAID if sent else None),
            value=Money(paid.value, "BRL") if sent else None,
            refunds={back.endToEndId or "refund": Money(back.value, "BRL")},
            paid_at=paid.time if sent else None,
        )


def _of_pix(end_to_end_id: str, *, word: str | None = None, **said: Any) -> Order:
    """What is said of the order that this PIX paid; the charge's own id is the better name for it."""
    return Order(external_id=end_to_end_id, preference=1, source_status=word, **{"at": None, **said})


def _customer(person: Person, crm_id: str | None) -> Customer | None:
    tax_id = person.taxID.taxID if person.taxID else None
    customer = Customer(
        name=person.name or None,
        id=person.correlationID or None,
        crm_id=crm_id or None,
        emails=(person.email,) if person.email else (),
        phones=(person.phone,) if person.phone else (),
        documents=(tax_id,) if tax_id else (),
    )
    return None if customer == Customer() else customer
