"""Eduzz: invoices of the webhook v3 (Developer Hub), and of the older postback v2 where one is still set up.

- Signing: https://developers.eduzz.com/docs/webhook/security
- Payload: https://developers.eduzz.com/reference/webhook/myeduzz-invoice-paid
- Postback v2: https://github.com/eduzz/webhook/blob/master/v2/README.md and campos-fatura.md

Decided here, and why:

- The value is the invoice's price (`price`, v2 `trans_value`: "valor da venda"); `paid` may hold interest. An order bump and
  each instalment of a slip are invoices of their own.
- The status is what the event says. Asking for one's money back (`invoice_waiting_refund`) leaves the invoice paid, and so
  does giving back a part of it: the invoice is `partialRefund` then, and how much it was is not said. The words of an invoice:
  https://developers.eduzz.com/reference/webhook/myeduzz-contract-pix-attempted
- v2 proves itself by a token in the body (`origin_secret`), not by a signature: whoever has one says so in the options.
  It comes as JSON or as a form, and names no event: a body with `trans_cod` is an invoice.
- v2's times are Brasília's, date and time apart, and only two are given: open is said when it was made, paid when it was
  paid; the rest has no time.
- A country may be a name ("Brasil"), which is not read but for that one: a phone without a country code is no number elsewhere.
- v2's own test (sent when the URL is checked) is bought by webhook@eduzz.com.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from adapters.contract import (
    BRASILIA,
    FIELD_LEFT_OUT,
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
    Options,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Signature,
    Status,
    body_token,
    form_body,
    order_title,
    path,
    replace,
    status_map,
)


class Line(Payload):
    name: str | None = None
    price: Decimal | None = path("price.value")
    currency: str | None = path("price.currency")
    skuReference: str | None = None


class Invoice(Payload):
    """The names of webhook v3 first, those of postback v2 after them."""

    sentDate: IsoOrBlank = None
    id: str = path("data.id", "trans_cod", otherwise=...)
    status: str | None = path("data.status")
    created_at: IsoOrBlank = path("data.createdAt")
    paid_at: IsoOrBlank = path("data.paidAt")
    price: Decimal | None = path("data.price.value", "trans_value")
    currency: str | None = path("data.price.currency", "trans_currency")
    paid: Decimal | None = path("data.paid.value")
    paid_currency: str | None = path("data.paid.currency")
    buyer_id: str | None = path("data.buyer.id", "cus_cod")
    name: str | None = path("data.buyer.name", "cus_name")
    document: str | None = path("data.buyer.document", "cus_taxnumber")
    email: str | None = path("data.buyer.email", "cus_email")
    cellphone: str | None = path("data.buyer.cellphone", "cus_cel")
    phone: str | None = path("data.buyer.phone", "cus_tel")
    phone2: str | None = path("data.buyer.phone2")
    country: str | None = path("data.buyer.address.country", "cus_address_country")
    items: ListOf[Line] = path("data.items", otherwise=())


class Postback(Invoice):
    """The invoice of postback v2: flat, numbers as text."""

    status: str = path("trans_status", otherwise=...)
    trans_createdate: str | None = None
    trans_createtime: str | None = None
    trans_paiddate: str | None = None
    trans_paidtime: str | None = None
    refund_type: str | None = None
    product_name: str | None = None


class EduzzOptions(Options):
    version: Literal["v3", "v2"] = "v3"


PARTLY = "partialRefund"  # data.status, whatever the event
BRAZIL = frozenset(("br", "brasil", "brazil"))
ABROAD = "ZZ"

POSTBACK = "invoice"  # what postback v2 calls the one thing it tells of


class Eduzz(Adapter[Invoice]):
    name, title, origin = "eduzz", "Eduzz", Origin.COMMERCE
    links = Links(
        signing="https://developers.eduzz.com/docs/webhook/security",
        payload="https://developers.eduzz.com/reference/webhook/myeduzz-invoice-paid",
    )
    signature = Hmac(header="x-signature", encoding="hex")
    kind = BodyField("event")
    delivery_id = BodyField("id")
    options = EduzzOptions
    statuses = status_map(  # webhook v3: the event, after `myeduzz.`
        pending="invoice_opened invoice_waiting_payment invoice_scheduled invoice_recovering invoice_processing "
        "invoice_negotiated",
        paid="invoice_paid invoice_waiting_refund",
        overdue="invoice_overdue",
        failed="invoice_refused",
        canceled="invoice_canceled invoice_expired",
        refunded="invoice_refunded invoice_chargeback",
    ) | status_map(  # postback v2: trans_status
        pending="1 11",  # open; in recovery
        paid="3 6",  # 6 waits for its refund
        overdue="15",  # a subscription's invoice past due
        canceled="4 9 10",  # 9: a second invoice for the same product, never charged; 10: expired
        refunded="7",
    )
    partly_refunded = frozenset({PARTLY})
    topics = tuple(f"myeduzz.{word}" for word in statuses if word.startswith("invoice_"))
    reads = {**dict.fromkeys(topics, Invoice), POSTBACK: Postback}
    ignores = frozenset(
        "ping contract abandonment myeduzz.contract_* myeduzz.commission_* sun.* nutror.* alpaclass.* blinket.* "
        "safevideo.*".split()
    )
    zone = BRASILIA

    def scheme(self, options: Any) -> Signature:
        return body_token("origin_secret") if getattr(options, "version", "v3") == "v2" else self.signature

    def document_of(self, delivery: Delivery) -> Any:
        if delivery.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return delivery.document(form_body)
        return super().document_of(delivery)

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        def document() -> Any:
            return self.document_of(delivery)

        if BodyField("trans_cod").read(delivery, document) is not None:
            return POSTBACK
        if BodyField("event").read(delivery, document) is None and (kind := BodyField("type").read(delivery, document)):
            return kind
        return super().kind_of(delivery, options)

    def orders(self, payload: Invoice, event: Event[Invoice]) -> Iterable[Order]:
        word = event.kind.removeprefix("myeduzz.")
        items = [
            Item(title=line.name, unit_value=Money.major(line.price, line.currency or "BRL"), sku=line.skuReference)
            for line in payload.items
            if line.name
        ]
        total = Money.major(payload.price, payload.currency or "BRL") or Money.major(
            payload.paid, payload.paid_currency or "BRL"
        )
        status = self.status(payload.status if isinstance(payload, Postback) else word)
        if payload.status == PARTLY:
            status = Status.PAID
        order = Order(
            external_id=payload.id,
            at=payload.sentDate,
            status=status,
            source_status=payload.status or word,
            title=order_title(payload.id if payload.id.isdigit() else None, items),
            bills=(Bill(value=total),) if total else (),
            payments=(Payment(value=total, state=PaymentState.TAKEN, at=payload.paid_at),)
            if status is Status.PAID
            else (),
            ordered_at=payload.created_at,
            paid_at=payload.paid_at,
            customer=Customer(
                id=payload.buyer_id,
                name=payload.name,
                emails=(payload.email,),
                phones=(payload.cellphone, payload.phone, payload.phone2),
                documents=(payload.document,),
                country=_country(payload.country),
            ),
            items=tuple(items) or None,
        )
        yield self._postback(payload, order) if isinstance(payload, Postback) else order

    def _postback(self, sale: Postback, order: Order) -> Order:
        status = self.status(sale.status)
        in_part = status is Status.REFUNDED and sale.refund_type == "parcial"  # how much came back is not said
        if in_part:
            status = Status.PAID
        made = _moment(sale.trans_createdate, sale.trans_createtime)
        paid = _moment(sale.trans_paiddate, sale.trans_paidtime)
        notes: tuple[str, ...] = ("refund_without_amount",) if in_part else ()
        if (made is None and _is_date(sale.trans_createdate)) or (paid is None and _is_date(sale.trans_paiddate)):
            notes += (FIELD_LEFT_OUT,)
        return replace(
            order,
            at=None,  # the times are the sale's own; a cancellation has none
            status=status,
            payments=tuple(replace(one, at=paid) for one in order.payments),
            source_status=sale.status,
            title=order_title(sale.id, [sale.product_name]),
            ordered_at=made,
            paid_at=paid,
            items=(Item(title=sale.product_name),) if sale.product_name else None,
            test=True if sale.email == "webhook@eduzz.com" else None,
            notes=notes,
        )


def _country(told: str | None) -> str:
    name = (told or "BR").strip()
    return "BR" if name.casefold() in BRAZIL else name if len(name) == 2 else ABROAD


def _is_date(text: str | None) -> bool:
    return bool(text and text.strip("0-"))


def _moment(date: str | None, time: str | None) -> datetime | None:
    """`20190904` and `12:00:00`; without a time, the start of the day. Zeros are no date, and what cannot be read is none."""
    try:
        return datetime.fromisoformat(f"{date}T{time}" if time else date or "") if _is_date(date) else None
    except ValueError:
        return None
