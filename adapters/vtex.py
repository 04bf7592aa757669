"""VTEX: the orders hook names the order; what it is now is read from the Orders API.

- Hook: https://developers.vtex.com/docs/guides/orders-feed
- Orders: https://developers.vtex.com/docs/api-reference/orders-api#get-/api/oms/pvt/orders/-orderId-
- Statuses: https://help.vtex.com/en/tutorial/order-flow-and-status--tutorials_196

Decided here, and why:

- VTEX signs nothing. A hook repeats headers that its owner chose: one of them carries a secret of ours. That proves the sender
  (strength `token`), and the order is read back, from the account that the option names.
- The ping on saving a hook is answered, and nothing of it is believed or kept. A notice bears no id; its time tells two apart.
- Amounts are hundredths of the currency, whatever its own decimals are.
- A cancellation that is only asked for says nothing. The flow knows no refund; a return is told by an invoice of type
  Input, which gives back what it restitutes (https://help.vtex.com/en/docs/tracks/partial-invoices).
- An order that was `replaced` holds no money any more: the one that took its place reuses its payment, or has one of its own
  (https://help.vtex.com/en/known-issues/order-replacement-feature-doesnt-work-when-the-replaced-cart-and-original-order-have-the-same-value).
- One purchase may be several orders (-01, -02), one for each seller; each counts for itself.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field as Constraint

from adapters.contract import (
    Adapter,
    Api,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Event,
    IsoOrBlank,
    Item,
    Links,
    ListOf,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Refund,
    Token,
    currency_code,
    full_name,
    order_title,
    path,
    status_map,
)

HEADER = "x-orders-registry-token"
INPUT = "Input"  # the type of a return's invoice
BRAZILIAN = frozenset({"cpf", "cnpj"})
MASK = "ct.vtex.com.br"
# VTEX writes countries in three letters (ISO 3166-1 alpha-3); phones are read in two. What is missing here is
# read in the region of the source or the account.
COUNTRIES = dict(
    pair.split(":")
    for pair in "ARG:AR AUS:AU BOL:BO BRA:BR CAN:CA CHL:CL COL:CO CRI:CR DEU:DE DOM:DO ECU:EC ESP:ES FRA:FR GBR:GB GTM:GT "
    "HND:HN ITA:IT MEX:MX NIC:NI PAN:PA PER:PE POL:PL PRT:PT PRY:PY ROU:RO SLV:SV URY:UY USA:US VEN:VE ZAF:ZA".split()
)
PING = re.compile(rb'\s*\{\s*"hookConfig"\s*:\s*"ping"\s*\}\s*')


class VtexOptions(Options):
    """`account`: the name of the VTEX account whose orders are read."""

    account: str = Constraint(pattern=r"^[a-z0-9][a-z0-9-]{0,61}$")


class Notice(Payload):
    # It becomes a part of a path: nothing in it may lead elsewhere.
    order_id: Annotated[str, Constraint(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$")] = path(
        "OrderId", otherwise=...
    )


class Line(Payload):
    name: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    refId: str | None = None


class Invoice(Payload):
    """A package's invoice: of goods that go out (Output), or of goods that come back (Input)."""

    number: str | None = path("invoiceNumber")
    value: Decimal | None = path("invoiceValue")
    refunded: Decimal | None = path("restitutions.Refund.value")
    type: str | None = None
    issued_at: IsoOrBlank = path("issuanceDate")


class Sale(Payload):
    orderId: str
    status: str | None = None
    value: Decimal
    currency: str = path("storePreferencesData.currencyCode", otherwise=...)
    creationDate: IsoOrBlank = None
    lastChange: IsoOrBlank = None
    authorizedDate: IsoOrBlank = None
    profile_id: str | None = path("clientProfileData.userProfileId")
    first_name: str | None = path("clientProfileData.firstName")
    last_name: str | None = path("clientProfileData.lastName")
    email: str | None = path("clientProfileData.email")
    phone: str | None = path("clientProfileData.phone")
    document: str | None = path("clientProfileData.document")
    document_type: str | None = path("clientProfileData.documentType")
    is_corporate: bool | None = path("clientProfileData.isCorporate")
    corporate_document: str | None = path("clientProfileData.corporateDocument")
    corporate_name: str | None = path("clientProfileData.corporateName")
    corporate_phone: str | None = path("clientProfileData.corporatePhone")
    receiver: str | None = path("shippingData.address.receiverName")
    country: str | None = path("shippingData.address.country")
    shops_country: str | None = path("storePreferencesData.countryCode")
    invoices: ListOf[Invoice] = path("packageAttachment.packages", otherwise=())
    items: ListOf[Line] = ()


class Vtex(Adapter[Sale]):
    name, title, origin = "vtex", "VTEX", Origin.COMMERCE
    links = Links(
        signing="https://developers.vtex.com/docs/guides/orders-feed",
        payload="https://developers.vtex.com/docs/api-reference/orders-api",
    )
    topics = ("payment-pending", "payment-approved", "handling", "invoiced", "canceled")
    signature = Token(header=HEADER)
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    retry_policy = "takes 200 alone, within 5 seconds; the hook is deleted after three days without one"
    kind = BodyField("Domain")
    options = VtexOptions
    reads = {}
    statuses = status_map(
        # `waiting-for-fulfillment` is a seller's view: for the marketplace to say that it is paid.
        pending="order-created order-accepted order-completed on-order-completed on-order-completed-ffm "
        "waiting-for-seller-confirmation waiting-for-sellers-confirmation waiting-for-order-authorization "
        "waiting-for-authorization "
        "waiting-ffmt-authorization waiting-for-manual-authorization waiting-for-mkt-authorization "
        "waiting-for-fulfillment window-to-change-payment payment-pending approve-payment",
        paid="payment-approved window-to-cancel ready-for-handling start-handling handling ready-for-invoicing invoice "
        "invoice-after-cancellation-deny invoiced ship",
        failed="payment-denied order-create-error order-creation-error",
        canceled="cancel canceled replaced",
        # `authorize-fulfillment` is an internal step.
        nothing="authorize-fulfillment request-cancel cancellation-requested waiting-for-seller-decision "
        "waiting-seller-handling window-to-change-seller",
    )
    api = Api(
        origin=lambda options: f"https://{options.account}.vtexcommercestable.com.br",
        authorize=lambda key, options: {
            "x-vtex-api-appkey": key.partition(":")[0],
            "x-vtex-api-apptoken": key.partition(":")[2],
        },
        key_description="an API key of the account, written appKey:appToken",
    )
    fetches = {"Fulfillment": Notice, "Marketplace": Notice}
    resource = Sale

    def handshake(self, delivery: Delivery) -> str | None:
        """The ping when a hook is saved; only a 200 saves it."""
        return "the ping of a new hook" if PING.fullmatch(delivery.body) else None

    def path(self, notice: Notice, event: Event[Any]) -> str:
        return f"/api/oms/pvt/orders/{notice.order_id}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        currency = currency_code(payload.currency)
        items = tuple(_item(line, currency) for line in payload.items)
        yield Order(
            external_id=payload.orderId,
            at=payload.lastChange,
            status=self.status(payload.status),
            source_status=payload.status,
            title=order_title(payload.orderId, items),
            bills=(Bill(value=Money.scaled(_total(payload), 2, currency)),),
            refunds=tuple(
                Refund(id=one.number, value=_scaled(_returned(one), currency), at=one.issued_at)
                for one in payload.invoices
                if one.type == INPUT
            ),
            ordered_at=payload.creationDate,
            paid_at=payload.authorizedDate,
            customer=_customer(payload, brazilian=currency == "BRL"),
            items=items or None,
        )


def _returned(invoice: Invoice) -> Decimal | None:
    """What a return gives back: what is restituted, which may be less than the goods' value."""
    return invoice.value if invoice.refunded is None else invoice.refunded


def _total(sale: Sale) -> Decimal:
    """What the order comes to. Where `value` is already less its returns, they are added: money given back lowers no bill."""
    out = sum(one.value or 0 for one in sale.invoices if one.type == "Output")
    back = sum(one.value or 0 for one in sale.invoices if one.type == INPUT)
    return sale.value + back if back and sale.value == out - back else sale.value


def _scaled(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money.scaled(amount, 2, currency)


def _item(line: Line, currency: str) -> Item:
    return Item(title=line.name, quantity=line.quantity, unit_value=_scaled(line.price, currency), sku=line.refId)


def _customer(sale: Sale, *, brazilian: bool) -> Customer:
    # Other countries' numbers may have a CPF's check digits by chance.
    told = (sale.document_type or "").lower()
    own = sale.document if told in BRAZILIAN or (not told and brazilian) else None
    company = sale.corporate_document if sale.is_corporate and brazilian else None
    # VTEX hides a buyer behind an alias of its own, another for each order: it is nobody's address.
    hidden = (sale.email or "").lower().endswith(MASK)
    return Customer(
        name=(sale.corporate_name if sale.is_corporate else None)
        or full_name(sale.first_name, sale.last_name)
        or sale.receiver,
        id=sale.profile_id,
        emails=() if hidden else (sale.email,),
        phones=(sale.phone, sale.corporate_phone if sale.is_corporate else None),
        documents=(company, own),
        country=COUNTRIES.get(sale.country or "") or COUNTRIES.get(sale.shops_country or ""),
    )
