"""Yampi: orders, sent whole.

- Signing and events: https://docs.yampi.com.br/api-reference/webhooks
- Bodies: https://docs.yampi.com.br/api-reference/introduction-webhook

Decided here, and why:

- The manual's PHP sample signs `json_encode` of the body; that is what is sent, so the raw bytes are what is signed.
- Shops may name statuses as they like. The table holds Yampi's own (those that were seen on real orders); what a shop
  calls its own is unknown and leaves the order where it stands, but order.paid is paid whatever it is called.
- What follows payment on a parcel's way (invoiced, shipped …) is paid.
- `value_total` is the order's value; `buyer_value_total` adds the interest that a card charges its holder.
- The body names no currency: Yampi sells in reais. Times come with their zone's name beside them (São Paulo); where it
  is missing, as for the body's own `time`, Brasília is meant.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from adapters.contract import (
    BRASILIA,
    Adapter,
    Bill,
    BodyField,
    BuyersIdsOptions,
    Customer,
    Event,
    Hmac,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Metadata,
    Money,
    Order,
    Origin,
    Payload,
    Payment,
    PaymentState,
    Status,
    full_name,
    order_title,
    path,
    status_map,
)


def _moment(value: Any) -> Any:
    """PHP's date object: {"date": "2026-11-20 10:00:00.000000", "timezone_type": 3, "timezone": "America/Sao_Paulo"}."""
    if not isinstance(value, dict):
        return value
    date = value.get("date")
    return f"{date}+00:00" if date and value.get("timezone") == "UTC" else date


Moment = Annotated[IsoOrBlank, BeforeValidator(_moment)]


class Line(Payload):
    title: str | None = path("sku.data.title")
    quantity: Decimal | None = None
    price: Decimal | None = None
    item_sku: str | None = None


class Transaction(Payload):
    captured_at: Moment = None


class Sale(Payload):
    """An order; what Yampi includes in it stands under `data`."""

    id: str = path("resource.id", otherwise=...)
    number: str | None = path("resource.number")
    value_total: Decimal = path("resource.value_total", otherwise=...)
    status: str | None = path("resource.status.data.alias")
    items: ListOf[Line] = path("resource.items.data", otherwise=())
    transactions: ListOf[Transaction] = path("resource.transactions.data", otherwise=())
    metadata: Metadata = path("resource.metadata.data", otherwise={})
    customer_id: str | None = path("resource.customer.data.id")
    name: str | None = path("resource.customer.data.name")
    razao_social: str | None = path("resource.customer.data.razao_social")
    first_name: str | None = path("resource.customer.data.first_name")
    last_name: str | None = path("resource.customer.data.last_name")
    email: str | None = path("resource.customer.data.email")
    cpf: str | None = path("resource.customer.data.cpf")
    cnpj: str | None = path("resource.customer.data.cnpj")
    phone: str | None = path("resource.customer.data.phone.full_number")
    area_code: str | None = path("resource.customer.data.phone.area_code")
    phone_number: str | None = path("resource.customer.data.phone.number")
    created_at: Moment = path("resource.created_at")
    updated_at: Moment = path("resource.updated_at")
    time: IsoOrBlank = None


class Yampi(Adapter[Sale]):
    options = BuyersIdsOptions
    name, title, origin = "yampi", "Yampi", Origin.COMMERCE
    links = Links(
        signing="https://docs.yampi.com.br/api-reference/webhooks",
        payload="https://docs.yampi.com.br/api-reference/introduction-webhook",
    )
    topics = ("order.created", "order.paid", "order.status.updated")
    signature = Hmac(header="x-yampi-hmac-sha256", encoding="base64")
    kind = BodyField("event")
    reads = dict.fromkeys((*topics, "order.updated"), Sale)  # both names stand in the manual
    ignores = frozenset("order.invoice.* transaction.* cart.* customer.* product.* cashback.* subscription.*".split())
    statuses = status_map(
        pending="waiting_payment authorized",
        paid="paid handling_products invoiced ready_for_shipping on_carriage shipment_exception delivered",
        failed="refused",
        canceled="cancelled",
        refunded="refunded chargeback chargedback",
    )
    zone = BRASILIA
    retry_policy = "takes 2xx within 5 seconds; turns the webhook off after 30 failures"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        sale, status = payload, self.status(payload.status)
        total = Money.major(sale.value_total, "BRL")
        captured = [one.captured_at for one in sale.transactions if one.captured_at]
        # Money that was captured is taken, whatever the shop calls the status; and order.paid says that it is paid.
        taken = bool(captured) or event.kind == "order.paid" or status in (Status.PAID, Status.REFUNDED)
        if event.kind == "order.created" and status is None:
            status = Status.PENDING
        paid_at = next(iter(captured), sale.time if event.kind == "order.paid" else None)
        number = sale.phone_number and f"{sale.area_code or ''}{sale.phone_number}"
        yield Order(
            external_id=sale.id,
            at=sale.updated_at or sale.time,
            status=status,
            source_status=sale.status,
            title=order_title(sale.number, [line.title for line in sale.items]),
            bills=(Bill(value=total),),
            payments=(Payment(value=total, state=PaymentState.TAKEN, at=paid_at, all=True),) if taken else (),
            ordered_at=sale.created_at,
            paid_at=paid_at if taken else None,
            customer=Customer(
                name=sale.name or sale.razao_social or full_name(sale.first_name, sale.last_name),
                id=sale.customer_id,
                crm_id=sale.metadata.get("crm_contact_id"),
                emails=(sale.email,),
                phones=(sale.phone or number,),
                documents=(sale.cpf, sale.cnpj),
                country="BR",
            ),
            items=tuple(
                Item(
                    title=line.title or line.item_sku,
                    quantity=line.quantity,
                    unit_value=Money.major(line.price, "BRL"),
                    sku=line.item_sku,
                )
                for line in sale.items
            )
            or None,
            deal_id=sale.metadata.get("deal_id"),
        )
