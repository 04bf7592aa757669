"""Mercado Pago: a notice says which payment or order changed; what it is now is read from the API.

- Signing: https://www.mercadopago.com.br/developers/pt/docs/your-integrations/notifications/webhooks
- Payments: https://www.mercadopago.com.br/developers/pt/reference/payments/_payments_id/get
- Payment statuses: https://www.mercadopago.com.br/developers/en/docs/checkout-api-payments/response-handling/query-results
- Order statuses: https://www.mercadopago.com.br/developers/en/docs/checkout-api-orders/payment-management/status/order-status

Decided here, and why:

- The signature covers the id in the address, the request's id and a time, but not the body: nothing of a body is
  believed, and a repeated notice can only make us read the same payment again. So its age does not matter (and both
  seconds and milliseconds are documented for it).
- `data.id` is signed as it came (the SDKs, mercadopago 3.6.0 `webhook/validator.py`) or in lower case (the manual).
- Merchant orders are not read: their payments are told one by one, and would count twice.
- Where a shop's `notification_url` asks for no one format, each change is told as IPN as well (`topic` in place of `type`):
  it says nothing new.
- An order does not say when it was paid: it is as long `accredited` as nothing else has happened to it since.
- A chargeback in process is an open dispute. Once decided, the manuals of payments and of orders use `reimbursed` for
  opposite outcomes; each is read as its own manual says.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from adapters.contract import (
    Adapter,
    Api,
    Customer,
    Delivery,
    Event,
    Field,
    IfObject,
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
    currency_code,
    one_header,
    order_title,
    text_key,
    usable,
)

# Orders name their country, and not always their currency.
CURRENCIES = {"BR": "BRL", "AR": "ARS", "MX": "MXN", "CL": "CLP", "CO": "COP", "PE": "PEN", "UY": "UYU"}
CURRENCIES |= {"BRA": "BRL", "ARG": "ARS", "MEX": "MXN", "CHL": "CLP", "COL": "COP", "PER": "PEN", "URY": "UYU"}

BRAZILIAN = frozenset({"CPF", "CNPJ"})

IPN = "ipn"

# The one id under which all that was given back so far is kept.
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Manifest(Signature):
    """`x-signature: ts=…,v1=…`: HMAC-SHA256, hex, of `id:{data.id};request-id:{x-request-id};ts:{ts};`.

    A part that did not come is left out together with its name (mercadopago 3.6.0 `webhook/validator.py`).
    """

    strength = Strength.TOKEN

    def expected(self, delivery: Delivery, data_id: str | None, sent_at: str, secret: str) -> bytes:
        """The value that this secret gives."""
        request_id = delivery.headers.get("x-request-id")
        parts = {"id": data_id, "request-id": request_id, "ts": sent_at}
        manifest = "".join(f"{name}:{value};" for name, value in parts.items() if value)
        return hmac.digest(text_key(secret), manifest.encode("utf-8", "surrogatepass"), hashlib.sha256).hex().encode()

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        parts = [part.partition("=") for part in one_header(delivery, ("x-signature",)).split(",")[:16]]
        named = {name.strip().lower(): value.strip() for name, _, value in parts}
        sent_at, sent = named.get("ts", ""), named.get("v1", "")
        if not (sent and sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 16):
            raise Unverified(Unverified.MALFORMED)
        if "x-request-id" in delivery.repeated:
            raise Unverified(Unverified.REPEATED)
        given = delivery.query.get("data.id")
        for secret in candidates:
            for data_id in dict.fromkeys((given, given.lower() if given else given)):
                ours = self.expected(delivery, data_id, sent_at, secret)
                if hmac.compare_digest(ours, sent.encode("utf-8", "surrogatepass")):
                    return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        sent_at = str(int(now.timestamp()) * 1000)
        mac = self.expected(delivery, delivery.query.get("data.id"), sent_at, secret).decode()
        return delivery.changed(headers={"x-signature": f"ts={sent_at},v1={mac}"})

    @property
    def words(self) -> str:
        return (
            "HMAC-SHA256 of the id in the address, the request's id and a time, hex, in the header `x-signature`; "
            "the body is not covered, and is read back from the source"
        )


class NoticeData(Payload):
    id: str | None = None


class Notice(Payload):
    data: Annotated[NoticeData | None, IfObject] = None


class Identification(Payload):
    type: str | None = None
    number: str | None = None


class Phone(Payload):
    area_code: str | None = None
    number: str | None = None


class Payer(Payload):
    id: str | None = None
    customer_id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    identification: Annotated[Identification | None, IfObject] = None
    phone: Annotated[Phone | None, IfObject] = None


class Line(Payload):
    title: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None


class AdditionalInfo(Payload):
    items: list[Line] | None = None
    payer: Annotated[Payer | None, IfObject] = None


class Metadata(Payload):
    """What the shop itself wrote on the payment: the CRM's ids, if it knows them."""

    crm_contact_id: str | None = None
    deal_id: str | None = None


class Refund(Payload):
    amount: Decimal | None = None
    status: str | None = None


class Transactions(Payload):
    refunds: list[Refund] | None = None


class Sale(Payload):
    """A payment (`/v1/payments/…`) or an order (`/v1/orders/…`); the fields of the second start at `total_amount`."""

    id: str
    status: str
    status_detail: str | None = None
    external_reference: str | None = None
    description: str | None = None
    payer: Annotated[Payer | None, IfObject] = None
    metadata: Annotated[Metadata | None, IfObject] = None
    date_created: IsoOrBlank = None
    date_approved: IsoOrBlank = None
    date_last_updated: IsoOrBlank = None
    currency_id: str | None = None
    transaction_amount: Decimal | None = None
    transaction_amount_refunded: Decimal | None = None
    live_mode: bool | None = None
    additional_info: Annotated[AdditionalInfo | None, IfObject] = None
    total_amount: Decimal | None = None
    currency: str | None = None
    country_code: str | None = None
    created_date: IsoOrBlank = None
    last_updated_date: IsoOrBlank = None
    items: list[Line] | None = None
    transactions: Annotated[Transactions | None, IfObject] = None


class MercadoPago(Adapter[Sale]):
    name, title, origin = "mercadopago", "Mercado Pago", Origin.PAYMENTS
    links = Links(
        signing="https://www.mercadopago.com.br/developers/pt/docs/your-integrations/notifications/webhooks",
        payload="https://www.mercadopago.com.br/developers/pt/reference/payments/_payments_id/get",
    )
    setup = (
        "At mercadopago.com.br/developers open Suas integrações and choose the application that takes the payments.",
        "Under Webhooks → Configurar notificações choose Modo de produção and give {webhook_url} as the URL.",
        "Choose the events Pagamentos and Order (Mercado Pago), and save.",
        "Reveal the Assinatura secreta that is now shown, and give it to this source as its secret.",
        "Under Credenciais de produção copy the Access Token (APP_USR-…), and give it to this source as its key.",
        "Notices of QR Code payments and IPN are not signed by Mercado Pago, and are refused.",
        "Optional: write crm_contact_id and deal_id into the metadata of your payments; they lead straight to the "
        "CRM's contact and deal.",
    )
    topics = ("payment", "order")
    signature = Manifest()
    patience = "takes 200 or 201 within 22 seconds; tries again after 15 minutes, then ever later, for several days"
    kind = Field("type")
    # Sample notices of the manual share one id; with what happened and when, they stay apart, and a repeat is the same.
    delivery_id = Field("id", "action", "date_created")
    reads = {}
    ignores = frozenset(
        {IPN, "topic_*", "merchant_order", "subscription_*", "plan", "invoice", "mp-connect", "wallet_*", "delivery*",
         "point_integration_*", "stop_delivery_*"}
    )  # fmt: skip
    statuses = {
        "payment.pending": Status.PENDING,
        "payment.in_process": Status.PENDING,
        "payment.authorized": Status.PENDING,
        "payment.approved": Status.PAID,
        "payment.in_mediation": Status.PAID,  # an open dispute about money that was paid
        "payment.rejected": Status.FAILED,
        "payment.cancelled": Status.CANCELED,
        "payment.canceled": Status.CANCELED,  # the newer pages' spelling
        "payment.refunded": Status.REFUNDED,
        "payment.charged_back": Status.REFUNDED,
        "payment.charged_back.in_process": Status.PAID,
        "payment.charged_back.reimbursed": Status.PAID,  # to the seller
        "order.created": Status.PENDING,
        "order.processing": Status.PENDING,
        "order.action_required": Status.PENDING,
        "order.at_terminal": Status.PENDING,
        "order.processed": Status.PAID,
        "order.processed.refunded": Status.REFUNDED,
        "order.refunded": Status.REFUNDED,
        "order.cancelled": Status.CANCELED,
        "order.canceled": Status.CANCELED,
        "order.expired": Status.CANCELED,
        "order.failed": Status.FAILED,
        "order.charged_back": Status.REFUNDED,
        "order.charged_back.in_process": Status.PAID,
        "order.charged_back.settled": Status.PAID,  # to the seller
    }
    api = Api(
        origin="https://api.mercadopago.com",
        authorize=lambda key, options: {"authorization": f"Bearer {key}"},
        key_words="the Access Token of the application (Suas integrações → Credenciais de produção, APP_USR-…)",
    )
    fetches = {"payment": Notice, "order": Notice}
    document = Sale

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        document = self.document_of(delivery)
        told = isinstance(document, dict) and "type" in document
        return IPN if not told and "topic" in delivery.query else super().kind_of(delivery, options)

    def path(self, notice: Notice, event: Event[Any]) -> str:
        proven = event.delivery.query.get("data.id") or ""
        told = (notice.data.id if notice.data else None) or ""
        # The address may spell the id in lower case; the body then has it as the API knows it.
        found = told if told.lower() == proven.lower() else proven
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", found):
            raise Unreadable("data.id: the address must name the payment or order; the id there is what is signed")
        return f"/v1/{event.kind}s/{found}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        yield self._order(payload) if event.kind == "order" else self._payment(payload)

    def _payment(self, sale: Sale) -> Order:
        if sale.transaction_amount is None or not sale.currency_id:
            raise Unreadable("transaction_amount, currency_id: a payment has both")
        info = sale.additional_info or AdditionalInfo()
        lines, refunded = info.items or [], sale.transaction_amount_refunded
        metadata = sale.metadata or Metadata()
        known = f"payment.{sale.status}.{sale.status_detail}" in self.statuses
        status = self.status(f"payment.{sale.status}.{sale.status_detail}" if known else f"payment.{sale.status}")
        titles = [line.title for line in lines] or [sale.description]
        return Order(
            external_id=sale.id,
            # What was approved and never touched since may be told without the time of its last change.
            at=sale.date_last_updated or (sale.date_approved if status is Status.PAID and not refunded else None),
            status=status,
            source_status=sale.status,
            title=order_title(sale.external_reference, titles),
            value=Money.major(sale.transaction_amount, sale.currency_id),
            refunds={TOTAL: Money.major(refunded, sale.currency_id)} if refunded else None,
            ordered_at=sale.date_created,
            paid_at=None
            if status is Status.PENDING
            else sale.date_approved,  # what is only authorized has a date as well
            customer=_customer(sale.payer or Payer(), info.payer or Payer(), metadata.crm_contact_id),
            items=_items(lines, sale.currency_id),
            test=None if sale.live_mode is None else not sale.live_mode,
            deal_id=metadata.deal_id or None,
        )

    def _order(self, sale: Sale) -> Order:
        given_currency = sale.currency or CURRENCIES.get((sale.country_code or "").upper())
        if sale.total_amount is None or not given_currency:
            raise Unreadable("total_amount, currency, country_code: an order has an amount, and says where it is paid")
        currency, lines = currency_code(given_currency), sale.items or []
        known = f"order.{sale.status}.{sale.status_detail}" in self.statuses
        status = self.status(f"order.{sale.status}.{sale.status_detail}" if known else f"order.{sale.status}")
        given = (sale.transactions or Transactions()).refunds or []
        back = [
            Money.major(each.amount, currency) for each in given if each.amount and each.status in (None, "processed")
        ]
        return Order(
            external_id=sale.id,
            at=sale.last_updated_date,
            status=status,
            source_status=sale.status,
            title=order_title(sale.external_reference, [line.title for line in lines] or [sale.description]),
            value=Money.major(sale.total_amount, currency),
            refunds={TOTAL: Money(sum(each.minor for each in back), currency)} if back else None,
            ordered_at=sale.created_date,
            paid_at=sale.last_updated_date if sale.status_detail == "accredited" else None,
            customer=_customer(sale.payer or Payer(), Payer(), None),
            items=_items(lines, currency),
        )


def _customer(payer: Payer, more: Payer, crm_id: str | None) -> Customer | None:
    """The payer; for privacy, much of it is null, and what the shop itself sent along helps out."""
    identification = payer.identification or Identification()
    phones = [each.phone for each in (payer, more) if each.phone]
    numbers = [f"{phone.area_code or ''}{phone.number}" for phone in phones if phone.number]
    names = [f"{each.first_name or ''} {each.last_name or ''}".strip() for each in (payer, more)]
    customer = Customer(
        name=names[0] or names[1] or None,
        id=payer.customer_id or payer.id or None,
        crm_id=crm_id or None,
        emails=(payer.email,) if payer.email else (),
        phones=tuple(dict.fromkeys(numbers)),
        documents=(identification.number,) if identification.type in BRAZILIAN and identification.number else (),
    )
    return None if customer == Customer() else customer


def _items(lines: list[Line], currency: str) -> tuple[Item, ...] | None:
    return (
        tuple(
            Item(
                title=line.title or "–",
                quantity=1 if line.quantity is None else line.quantity,
                unit_value=None if line.unit_price is None else Money.major(line.unit_price, currency),
            )
            for line in lines
        )
        or None
    )
