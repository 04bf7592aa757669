"""Eduzz: invoices of the webhook v3 (Developer Hub), and of the older postback v2 where one is still set up.

- Signing: https://developers.eduzz.com/docs/webhook/security
- Payload: https://developers.eduzz.com/reference/webhook/myeduzz-invoice-paid
- Postback v2: https://github.com/eduzz/webhook/blob/master/v2/README.md and campos-fatura.md

Decided here, and why:

- The value is the invoice's price (`price`, v2 `trans_value`: "valor da venda"); `paid` may hold interest. An order bump and
  each instalment of a slip are invoices of their own.
- The status is what the event says. Asking for one's money back (`invoice_waiting_refund`) leaves the invoice paid.
- v2 proves itself by a token in the body (`origin_secret`), not by a signature: whoever has one says so in the options.
  It comes as JSON or as a form, and names no event: a body with `trans_cod` is an invoice.
- v2's times are Brasília's, date and time apart, and only two are given: open is said when it was made, paid when it was
  paid; the rest has no time.
- v2's own test (sent when the URL is checked) is bought by webhook@eduzz.com.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from adapters.contract import (
    BRASILIA,
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
    Options,
    Order,
    Origin,
    Payload,
    Signature,
    Status,
    Unreadable,
    body_token,
    form_body,
    order_title,
)


class Amount(Payload):
    currency: str | None = None
    value: Decimal | None = None


class Buyer(Payload):
    id: str | None = None
    name: str | None = None
    document: str | None = None
    email: str | None = None
    cellphone: str | None = None
    phone: str | None = None
    phone2: str | None = None


class Line(Payload):
    name: str | None = None
    price: Annotated[Amount | None, IfObject] = None
    skuReference: str | None = None


class Invoice(Payload):
    id: str
    status: str | None = None
    createdAt: IsoOrBlank = None
    paidAt: IsoOrBlank = None
    price: Annotated[Amount | None, IfObject] = None
    paid: Annotated[Amount | None, IfObject] = None
    buyer: Annotated[Buyer | None, IfObject] = None
    items: list[Line] | None = None


class Notification(Payload):
    sentDate: IsoOrBlank = None
    data: Invoice


class Postback(Payload):
    """The invoice of postback v2: flat, numbers as text."""

    trans_cod: str
    trans_status: str
    trans_value: Decimal | None = None
    trans_currency: str | None = None
    trans_createdate: str | None = None
    trans_createtime: str | None = None
    trans_paiddate: str | None = None
    trans_paidtime: str | None = None
    refund_type: str | None = None
    product_name: str | None = None
    cus_cod: str | None = None
    cus_name: str | None = None
    cus_taxnumber: str | None = None
    cus_email: str | None = None
    cus_cel: str | None = None
    cus_tel: str | None = None


class EduzzOptions(Options):
    version: Literal["v3", "v2"] = "v3"


POSTBACK = "invoice"  # what postback v2 calls the one thing it tells of


class Eduzz(Adapter[Any]):
    name, title, origin = "eduzz", "Eduzz", Origin.COMMERCE
    links = Links(
        signing="https://developers.eduzz.com/docs/webhook/security",
        payload="https://developers.eduzz.com/reference/webhook/myeduzz-invoice-paid",
    )
    setup = (
        "Open integrations.eduzz.com/webhook/configs (Developer Hub → Webhook) and make a configuration.",
        "Give {webhook_url} as the URL and choose the events of MyEduzz that are listed under topics.",
        "Make a key for it and give that key to this source as its secret.",
        "An older postback (v2, set up in Órbita): set this source's option version=v2, and give it the chave de origem "
        "that Órbita shows under API as its secret.",
    )
    signature = Hmac(header="x-signature", encoding="hex")
    kind = Field("event")
    delivery_id = Field("id")
    options = EduzzOptions
    statuses = {
        # webhook v3: the event, after `myeduzz.`
        "invoice_opened": Status.PENDING,
        "invoice_waiting_payment": Status.PENDING,
        "invoice_scheduled": Status.PENDING,
        "invoice_recovering": Status.PENDING,
        "invoice_processing": Status.PENDING,
        "invoice_negotiated": Status.PENDING,
        "invoice_paid": Status.PAID,
        "invoice_waiting_refund": Status.PAID,
        "invoice_overdue": Status.OVERDUE,
        "invoice_refused": Status.FAILED,
        "invoice_canceled": Status.CANCELED,
        "invoice_expired": Status.CANCELED,
        "invoice_refunded": Status.REFUNDED,
        "invoice_chargeback": Status.REFUNDED,
        # postback v2: trans_status
        "1": Status.PENDING,  # open
        "3": Status.PAID,
        "4": Status.CANCELED,
        "6": Status.PAID,  # waits for its refund
        "7": Status.REFUNDED,
        "9": Status.CANCELED,  # a second invoice for the same product, never charged
        "10": Status.CANCELED,  # expired
        "11": Status.PENDING,  # in recovery
        "15": Status.OVERDUE,  # a subscription's invoice past due
    }
    topics = tuple(f"myeduzz.{word}" for word in statuses if word.startswith("invoice_"))
    reads = {**dict.fromkeys(topics, Notification), POSTBACK: Postback}
    ignores = frozenset(
        {
            "ping",
            "myeduzz.contract_*",
            "myeduzz.commission_*",
            "sun.*",
            "nutror.*",
            "alpaclass.*",
            "blinket.*",
            "safevideo.*",
            "contract",
            "abandonment",
        }
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

        if Field("trans_cod").read(delivery, document) is not None:
            return POSTBACK
        if Field("event").read(delivery, document) is None and (kind := Field("type").read(delivery, document)):
            return kind
        return super().kind_of(delivery, options)

    def orders(self, payload: Any, event: Event[Any]) -> Iterable[Order]:
        yield self._postback(payload) if isinstance(payload, Postback) else self._invoice(payload, event.kind)

    def _invoice(self, payload: Notification, kind: str) -> Order:
        invoice, word = payload.data, kind.removeprefix("myeduzz.")
        lines = invoice.items or []
        return Order(
            external_id=invoice.id,
            at=payload.sentDate,
            status=self.status(word),
            source_status=invoice.status or word,
            title=order_title(invoice.id if invoice.id.isdigit() else None, [line.name for line in lines]),
            value=_money(invoice.price) or _money(invoice.paid),
            ordered_at=invoice.createdAt,
            paid_at=invoice.paidAt,
            customer=_customer(invoice.buyer) if invoice.buyer else None,
            items=tuple(
                Item(title=line.name, unit_value=_money(line.price), sku=line.skuReference or None)
                for line in lines
                if line.name
            )
            or None,
        )

    def _postback(self, sale: Postback) -> Order:
        status = self.status(sale.trans_status)
        if status is Status.REFUNDED and sale.refund_type == "parcial":
            status = Status.PAID  # how much came back is not said
        made = _moment(sale.trans_createdate, sale.trans_createtime)
        paid = _moment(sale.trans_paiddate, sale.trans_paidtime)
        value = None if sale.trans_value is None else Money.major(sale.trans_value, sale.trans_currency or "BRL")
        return Order(
            external_id=sale.trans_cod,
            at={"1": made, "3": paid}.get(sale.trans_status),
            status=status,
            source_status=sale.trans_status or None,
            title=order_title(sale.trans_cod, [sale.product_name]),
            value=value,
            ordered_at=made,
            paid_at=paid,
            customer=Customer(
                id=sale.cus_cod or None,
                name=sale.cus_name or None,
                emails=(sale.cus_email,) if sale.cus_email else (),
                phones=tuple(dict.fromkeys(number for number in (sale.cus_cel, sale.cus_tel) if number)),
                documents=(sale.cus_taxnumber,) if sale.cus_taxnumber else (),
            ),
            items=(Item(title=sale.product_name),) if sale.product_name else None,
            test=True if sale.cus_email == "webhook@eduzz.com" else None,
        )


def _money(amount: Amount | None) -> Money | None:
    return Money.major(amount.value, amount.currency or "BRL") if amount and amount.value is not None else None


def _moment(date: str | None, time: str | None) -> datetime | None:
    """`20190904` and `12:00:00`; without a time, the start of the day. Zeros are no date."""
    if not date or not date.strip("0-"):
        return None
    try:
        return datetime.fromisoformat(f"{date}T{time}" if time else date)
    except ValueError:
        raise Unreadable("trans_createdate, trans_paiddate: is not a date and a time") from None


def _customer(buyer: Buyer) -> Customer:
    numbers = (buyer.cellphone, buyer.phone, buyer.phone2)
    return Customer(
        id=buyer.id or None,
        name=buyer.name or None,
        emails=(buyer.email,) if buyer.email else (),
        phones=tuple(dict.fromkeys(number for number in numbers if number)),
        documents=(buyer.document,) if buyer.document else (),
    )
