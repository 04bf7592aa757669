"""PagBank (PagSeguro's Orders and Charges APIs): the order or charge itself, as the API would answer it.

- Signing: https://developer.pagbank.com.br/reference/confirmar-autenticidade-da-notificacao
- Payload: https://developer.pagbank.com.br/reference/webhooks

Decided here, and why:

- One delivery tells all charges of its order (two cards, a declined try and the next): they are added up into one
  order, what was declined, or voided before it was paid, apart. So is a slip or PIX that waits when other charges come to
  the goods, or to as much as it.
- A charge that is told alone names its order, if at all, in its metadata (`ps_order_id`), which PagBank writes.
- A notification has no time of its own: statements stand in the order of their receipt.
- Each charge is a payment: `amount.summary.paid` says what was captured of it, `refunded` what was given back so far.
- What the sandbox made links to the sandbox, and is a test (a notification is what the API answers, links and all).
- Recurring payments sign with another header (`X-Payload-Signature`) that no manual explains, and are refused.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.contract import (
    UNKNOWN,
    Adapter,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Event,
    Hmac,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    NoDocument,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Refund,
    Status,
    Unknown,
    Unreadable,
    Unverified,
    json_body,
    latest,
    order_title,
    path,
    replace,
    status_map,
    text_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDigest(Hmac):
    """SHA-256, hex, of the account's token, a hyphen and the raw body: keyed like a MAC, without HMAC's construction.

    SHA-256 alone lets one who holds a signed body add to its end. What can be added is never JSON, and is refused.
    """

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        secret = Hmac.verify(self, delivery, secrets, now)
        try:
            delivery.document(json_body)
        except NoDocument:
            raise Unverified(Unverified.NO_DOCUMENT) from None
        except Unreadable:
            pass  # JSON, and nothing was added
        return secret

    def expected(self, delivery: Delivery, secret: str) -> bytes:
        return hashlib.sha256(text_key(secret) + b"-" + delivery.body).hexdigest().encode()

    @property
    def description(self) -> str:
        return "SHA-256 of the account's token, a hyphen and the raw body, hex, in the header `x-authenticity-token`"


class Link(Payload):
    href: str | None = None


class Charge(Payload):
    id: str
    status: str
    value: int = path("amount.value", otherwise=...)
    currency: str | None = path("amount.currency")
    taken: int | None = path("amount.summary.paid")
    refunded: int | None = path("amount.summary.refunded")
    reference_id: str | None = None
    description: str | None = None
    created_at: IsoOrBlank = None
    paid_at: IsoOrBlank = None
    name: str | None = path("payment_method.boleto.holder.name")
    email: str | None = path("payment_method.boleto.holder.email")
    tax_id: str | None = path("payment_method.boleto.holder.tax_id")
    sale_id: str | None = path("metadata.ps_order_id")
    crm_contact_id: str | None = path("metadata.crm_contact_id")
    deal_id: str | None = path("metadata.deal_id")
    links: ListOf[Link] = ()


class QrCode(Payload):
    value: int | None = path("amount.value")
    currency: str | None = path("amount.currency")


class Phone(Payload):
    country: str | None = None
    area: str | None = None
    number: str | None = None


class Line(Payload):
    name: str | None = None
    reference_id: str | None = None
    quantity: Decimal | None = None
    unit_amount: int | None = None


class Sale(Payload):
    id: str
    reference_id: str | None = None
    created_at: IsoOrBlank = None
    name: str | None = path("customer.name")
    email: str | None = path("customer.email")
    tax_id: str | None = path("customer.tax_id")
    phones: ListOf[Phone] = path("customer.phones", otherwise=())
    items: ListOf[Line] = ()
    charges: ListOf[Charge] = ()
    qr_codes: ListOf[QrCode] = ()
    links: ListOf[Link] = ()


ENDED = ("DECLINED", "CANCELED")

# A charge's links lead to the sandbox's inside.
SANDBOX = ("https://sandbox.api.pagseguro.com/", "https://internal.sandbox.api.pagseguro.com/")

# Of charges that stand differently, the first of these that there is decides.
DECISIVE = (UNKNOWN, Status.PAID, Status.PENDING, Status.CANCELED, Status.FAILED, None)


class PagBank(Adapter[Any]):
    name, title, origin = "pagbank", "PagBank", Origin.PAYMENTS
    links = Links(
        signing="https://developer.pagbank.com.br/reference/confirmar-autenticidade-da-notificacao",
        payload="https://developer.pagbank.com.br/reference/webhooks",
    )
    signature = TokenDigest(header="x-authenticity-token", encoding="hex")
    kind = BodyField("id")
    reads = {"order": Sale, "charge": Charge}
    ignores = frozenset({"CHEC", "CBKS"})  # a checkout, a chargeback's papers
    statuses = status_map(pending="WAITING IN_ANALYSIS AUTHORIZED", paid="PAID", failed="DECLINED", canceled="CANCELED")

    def kind_of(self, delivery: Delivery, options: object) -> str:
        """A notification does not name what it is; the id's prefix does: ORDE_…, CHAR_…, CHEC_…"""
        prefix = super().kind_of(delivery, options).partition("_")[0]
        return {"ORDE": "order", "CHAR": "charge"}.get(prefix, prefix)

    def orders(self, payload: Sale | Charge, event: Event[Any]) -> Iterable[Order]:
        order = self._sale(payload) if isinstance(payload, Sale) else self._charge(payload)
        sandbox = any((link.href or "").startswith(SANDBOX) for link in payload.links)
        yield replace(order, test=True) if sandbox else order

    def _sale(self, sale: Sale) -> Order:
        # Tries that came to nothing are no part of the order, as long as anything else is.
        living = [each for each in sale.charges if each.status not in ENDED or _taken(each)] or sale.charges
        currency = next((each.currency for each in living or sale.qr_codes if each.currency), "BRL")
        items = tuple(
            Item(
                title=line.name,
                quantity=line.quantity,
                unit_value=Money.of(line.unit_amount, currency),
                sku=line.reference_id,
            )
            for line in sale.items
        )
        needed = _needed(
            living, sum((line.unit_value.minor * (line.quantity or 1) for line in items if line.unit_value), 0)
        )
        total = Money.total(Money.of(each.value, currency) for each in needed or sale.qr_codes)
        phones = [f"+{each.country or '55'} {each.area or ''} {each.number}" for each in sale.phones if each.number]
        order = Order(
            external_id=sale.id,
            aliases=tuple(each.id for each in sale.charges),
            at=None,
            title=order_title(_number(sale.reference_id), items),
            # What was captured of the charges is all that will come, once none of them waits.
            bills=(Bill(value=total, closed=bool(needed) and all(map(_taken, needed))),) if total else (),
            payments=tuple(map(_payment, sale.charges)),
            refunds=_refunds(sale.charges),
            ordered_at=sale.created_at,
            customer=Customer(
                name=sale.name,
                crm_id=next((each.crm_contact_id for each in sale.charges if each.crm_contact_id), None),
                emails=(sale.email,),
                phones=tuple(phones),
                documents=(sale.tax_id,),
                country="BR",
            ),
            items=items or None,
            deal_id=next((each.deal_id for each in sale.charges if each.deal_id), None),
        )
        return self._told(order, needed)

    def _charge(self, charge: Charge) -> Order:
        order = Order(
            external_id=charge.id,
            aliases=(charge.sale_id,),
            preference=1,  # where it belongs to an order, that has the better name
            at=None,
            # The order's notifications know better what was sold, and when.
            title=None if charge.sale_id else order_title(_number(charge.reference_id), [charge.description]),
            payments=(_payment(charge),),
            refunds=_refunds([charge]),
            ordered_at=None if charge.sale_id else charge.created_at,
            # The slip's holder need not be whose order it is.
            customer=Customer(crm_id=charge.crm_contact_id)
            if charge.sale_id
            else Customer(
                name=charge.name, crm_id=charge.crm_contact_id, emails=(charge.email,), documents=(charge.tax_id,)
            ),
            deal_id=charge.deal_id,
        )
        return self._told(order, [charge])

    def _told(self, order: Order, charges: Sequence[Charge]) -> Order:
        """The order with what its charges say together. PagBank dates a charge and its payment, but no statement."""
        if not charges:  # a PIX that waits has none yet
            return replace(order, status=Status.PENDING)
        found = {self.status(each.status): each for each in charges}
        status: Status | Unknown | None = next(each for each in DECISIVE if each in found)
        paid_at = latest(*(each.paid_at for each in charges)) if status is Status.PAID else None
        return replace(order, status=status, source_status=found[status].status, paid_at=paid_at)


def _number(reference: str | None) -> str | None:
    """The shop's own number. PagBank's plugin used to write JSON with a password there, which is no title."""
    return None if (reference or "").lstrip().startswith("{") else reference


STATES = {
    "AUTHORIZED": PaymentState.AUTHORIZED,
    "PAID": PaymentState.TAKEN,
    "DECLINED": PaymentState.FAILED,
    "CANCELED": PaymentState.CANCELED,
}


def _taken(charge: Charge) -> bool:
    """Whether money was taken; what is canceled after that was given back."""
    return charge.status == "PAID" or (charge.status == "CANCELED" and bool(charge.taken or charge.refunded))


def _needed(charges: Sequence[Charge], goods: Decimal | int) -> list[Charge]:
    """The charges that make up the order.

    Not slips and PIX that wait and that nobody needs to pay: others come to the goods, or to as much. Where all ended
    unpaid, not the tries before the last. And not a second one for all of the goods: they were paid twice.
    """
    needless: set[str] = set()
    come_to = 0
    for each in sorted(reversed(charges), key=lambda one: (one.status == "WAITING", one.status != "PAID")):
        enough = come_to >= min(goods or each.value, each.value) and come_to + each.value > goods
        idle = each.status == "WAITING" or (each.status in ENDED and not _taken(each))
        if (enough and idle) or 0 < goods <= min(come_to, each.value):
            needless.add(each.id)
        else:
            come_to += (each.taken if _taken(each) else None) or each.value
    return [each for each in charges if each.id not in needless]


def _payment(charge: Charge) -> Payment:
    state, value = STATES.get(charge.status), charge.value
    if _taken(charge):
        state, value = PaymentState.TAKEN, charge.taken or value
    return Payment(id=charge.id, value=Money.of(value, charge.currency or "BRL"), state=state, at=charge.paid_at)


def _refunds(charges: Iterable[Charge]) -> tuple[Refund, ...]:
    """What was given back of each charge so far."""
    return tuple(
        Refund(value=Money.of(each.refunded, each.currency or "BRL"), total=True, payment=each.id)
        for each in charges
        if each.refunded is not None
    )
