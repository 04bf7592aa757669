"""PagBank (PagSeguro's Orders and Charges APIs): the order or charge itself, as the API would answer it.

- Signing: https://developer.pagbank.com.br/reference/confirmar-autenticidade-da-notificacao
- Payload: https://developer.pagbank.com.br/reference/webhooks

Decided here, and why:

- One delivery tells all charges of its order (two cards, a declined try and the next): they are added up into one
  order, what was declined or voided apart.
- A notification has no time of its own. What was paid goes by `paid_at`, what waits by `created_at`; a later refusal,
  cancellation or refund has none, and the fold lets it move the status only forward, and what came back only grow.
- Recurring payments sign with another header (`X-Payload-Signature`) that no manual explains, and are refused.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Customer,
    Delivery,
    Event,
    Field,
    Hmac,
    IfObject,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Order,
    Origin,
    Payload,
    Status,
    Unknown,
    currency_code,
    order_title,
    text_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDigest(Hmac):
    """SHA-256, hex, of the account's token, a hyphen and the raw body: keyed like a MAC, without HMAC's construction.

    SHA-256 alone lets one who holds a signed body add to its end; what can be added is never JSON.
    """

    def expected(self, delivery: Delivery, secret: str) -> bytes:
        return hashlib.sha256(text_key(secret) + b"-" + delivery.body).hexdigest().encode()

    @property
    def words(self) -> str:
        return "SHA-256 of the account's token, a hyphen and the raw body, hex, in the header `x-authenticity-token`"


class Summary(Payload):
    refunded: int | None = None


class Amount(Payload):
    value: int
    currency: str | None = None
    summary: Annotated[Summary | None, IfObject] = None


class Holder(Payload):
    name: str | None = None
    email: str | None = None
    tax_id: str | None = None


class Boleto(Payload):
    holder: Annotated[Holder | None, IfObject] = None


class Method(Payload):
    boleto: Annotated[Boleto | None, IfObject] = None


class Metadata(Payload):
    """What the shop itself wrote on the charge: the CRM's ids, if it knows them."""

    crm_contact_id: str | None = None
    deal_id: str | None = None


class Charge(Payload):
    id: str
    status: str
    amount: Amount
    reference_id: str | None = None
    description: str | None = None
    created_at: IsoOrBlank = None
    paid_at: IsoOrBlank = None
    payment_method: Annotated[Method | None, IfObject] = None
    metadata: Annotated[Metadata | None, IfObject] = None


class QrCode(Payload):
    amount: Annotated[Amount | None, IfObject] = None


class Phone(Payload):
    country: str | None = None
    area: str | None = None
    number: str | None = None


class Buyer(Holder):
    phones: list[Phone] | None = None


class Line(Payload):
    name: str | None = None
    reference_id: str | None = None
    quantity: Decimal | None = None
    unit_amount: int | None = None


class Sale(Payload):
    id: str
    reference_id: str | None = None
    created_at: IsoOrBlank = None
    customer: Annotated[Buyer | None, IfObject] = None
    items: list[Line] | None = None
    charges: list[Charge] | None = None
    qr_codes: list[QrCode] | None = None


class PagBank(Adapter[Any]):
    name, title, origin = "pagbank", "PagBank", Origin.PAYMENTS
    links = Links(
        signing="https://developer.pagbank.com.br/reference/confirmar-autenticidade-da-notificacao",
        payload="https://developer.pagbank.com.br/reference/webhooks",
    )
    setup = (
        "In PagBank's iBanking open Vender Online → Integrações and copy the account's token (it is also the API's).",
        "Give the token to this source as its secret.",
        "Let your shop name {webhook_url} in notification_urls when it makes an order, a charge or a checkout "
        "(payment_notification_urls there); PagBank has no other place for it.",
        "PagBank's sandbox often sends no signature: try the live environment, with a small amount.",
        "Optional: write crm_contact_id and deal_id into the metadata of your charges; they lead straight to the CRM's "
        "contact and deal.",
    )
    signature = TokenDigest(header="x-authenticity-token", encoding="hex")
    kind = Field("id")
    reads = {"order": Sale, "charge": Charge}
    ignores = frozenset({"CHEC", "CBKS"})  # a checkout, a chargeback's papers
    statuses = {
        "WAITING": Status.PENDING,
        "IN_ANALYSIS": Status.PENDING,
        "AUTHORIZED": Status.PENDING,
        "PAID": Status.PAID,
        "DECLINED": Status.FAILED,
        "CANCELED": Status.CANCELED,
    }

    def kind_of(self, delivery: Delivery, options: object) -> str:
        """A notification does not name what it is; the id's prefix does: ORDE_…, CHAR_…, CHEC_…"""
        prefix = super().kind_of(delivery, options).partition("_")[0]
        return {"ORDE": "order", "CHAR": "charge"}.get(prefix, prefix)

    def orders(self, payload: Sale | Charge, event: Event[Any]) -> Iterable[Order]:
        yield self._sale(payload) if isinstance(payload, Sale) else self._charge(payload)

    def _sale(self, sale: Sale) -> Order:
        charges, lines = sale.charges or [], sale.items or []
        # Tries that came to nothing are no part of the order, as long as anything else is.
        living = [each for each in charges if each.status not in ("DECLINED", "CANCELED")] or charges
        amounts = [each.amount for each in living] or [code.amount for code in sale.qr_codes or [] if code.amount]
        currency = currency_code(next((each.currency for each in amounts if each.currency), "BRL"))
        metadata = next((each.metadata for each in charges if each.metadata), Metadata())
        return self._told(
            living,
            Order(
                external_id=sale.id,
                aliases=tuple(dict.fromkeys(each.id for each in charges if each.id)),
                at=sale.created_at if not charges else None,
                status=None if charges else Status.PENDING,  # a PIX that waits has no charge yet
                title=order_title(_number(sale.reference_id), [line.name for line in lines]),
                value=Money(sum(each.value for each in amounts), currency) if amounts else None,
                refunds=_refunds(charges),
                ordered_at=sale.created_at,
                customer=_customer(sale.customer or Buyer(), metadata.crm_contact_id),
                items=tuple(_item(line, currency) for line in lines) or None,
                deal_id=metadata.deal_id or None,
            ),
        )

    def _charge(self, charge: Charge) -> Order:
        boleto = charge.payment_method.boleto if charge.payment_method else None
        holder, metadata = (boleto.holder if boleto else None) or Holder(), charge.metadata or Metadata()
        return self._told(
            [charge],
            Order(
                external_id=charge.id,
                preference=1,  # where it belongs to an order, that has the better name
                at=None,
                title=order_title(_number(charge.reference_id), [charge.description]),
                value=Money(charge.amount.value, currency_code(charge.amount.currency or "BRL")),
                refunds=_refunds([charge]),
                ordered_at=charge.created_at,
                customer=_customer(Buyer(**holder.model_dump()), metadata.crm_contact_id),
                deal_id=metadata.deal_id or None,
            ),
        )

    def _told(self, charges: list[Charge], order: Order) -> Order:
        """The order with what its charges say together: where it stands, and when that was said."""
        if not charges:
            return order
        word = charges[-1].status
        unknown = next((each.status for each in charges if self.status(each.status) is UNKNOWN), None)
        paid_at = max((each.paid_at for each in charges if each.paid_at), default=None, key=_utc)
        status: Status | Unknown | None
        at = paid_at
        found = {self.status(each.status) for each in charges}
        if unknown:
            status, word, at = UNKNOWN, unknown, None
        elif found == {Status.PAID}:
            status = Status.PAID
        elif Status.PAID in found:
            status, word = Status.PARTIALLY_PAID, "PAID"
        elif Status.PENDING in found:
            status, at = Status.PENDING, charges[-1].created_at
        else:
            canceled = Status.CANCELED in found
            status, at = (Status.CANCELED if canceled else Status.FAILED), None
            word = "CANCELED" if canceled else "DECLINED"
            if canceled and order.refunds:
                status = Status.REFUNDED  # voided after it was paid
        if order.refunds:
            at = None
        paid_at = paid_at if status is Status.PAID else None
        return replace(order, status=status, source_status=word, at=at, paid_at=paid_at)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(reference: str | None) -> str | None:
    """The shop's own number. PagBank's plugin used to write JSON with a password there, which is no title."""
    return reference if reference and not reference.lstrip().startswith("{") else None


def _refunds(charges: list[Charge]) -> dict[str, Money] | None:
    back = {
        each.id: Money(each.amount.summary.refunded, currency_code(each.amount.currency or "BRL"))
        for each in charges
        if each.amount.summary and each.amount.summary.refunded
    }
    return back or None


def _customer(buyer: Buyer, crm_id: str | None) -> Customer | None:
    phones = [
        f"+{phone.country or '55'} {phone.area or ''} {phone.number}" for phone in buyer.phones or [] if phone.number
    ]
    customer = Customer(
        name=buyer.name or None,
        crm_id=crm_id or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=tuple(phones),
        documents=(buyer.tax_id,) if buyer.tax_id else (),
    )
    return None if customer == Customer() else customer


def _item(line: Line, currency: str) -> Item:
    return Item(
        title=line.name or "–",
        quantity=1 if line.quantity is None else line.quantity,
        unit_value=None if line.unit_amount is None else Money(line.unit_amount, currency),
        sku=line.reference_id or None,
    )
