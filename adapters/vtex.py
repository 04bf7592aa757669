"""VTEX: the orders hook names the order; what it is now is read from the Orders API.

- Hook: https://developers.vtex.com/docs/guides/orders-feed
- Orders: https://developers.vtex.com/docs/api-reference/orders-api#get-/api/oms/pvt/orders/-orderId-
- Statuses: https://help.vtex.com/en/tutorial/order-flow-and-status--tutorials_196

Decided here, and why:

- VTEX signs nothing. A hook repeats headers that its owner chose: one of them carries a secret of ours. That proves the sender
  (strength `token`), and the order is read back, from the account that the option names.
- The ping on saving a hook is answered, and nothing of it is believed or kept. A notice bears no id; its time tells two apart.
- Amounts are hundredths of the currency, whatever its own decimals are.
- A cancellation that is only asked for says nothing. The flow knows no refund.
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
    Customer,
    Delivery,
    Event,
    Field,
    IfObject,
    IsoOrBlank,
    Item,
    Links,
    Money,
    Options,
    Order,
    Origin,
    Payload,
    Status,
    Token,
    Unreadable,
    currency_code,
    order_title,
)

HEADER = "x-orders-registry-token"
BRAZILIAN = frozenset({"cpf", "cnpj"})
MASK = "ct.vtex.com.br"
PING = re.compile(rb'\s*\{\s*"hookConfig"\s*:\s*"ping"\s*\}\s*')


class VtexOptions(Options):
    """`account`: the name of the VTEX account whose orders are read."""

    account: str = Constraint(pattern=r"^[a-z0-9][a-z0-9-]{0,61}$")


class Notice(Payload):
    OrderId: str


class Profile(Payload):
    email: str | None = None
    firstName: str | None = None
    lastName: str | None = None
    document: str | None = None
    documentType: str | None = None
    phone: str | None = None
    isCorporate: bool | None = None
    corporateDocument: str | None = None
    corporateName: str | None = None
    userProfileId: str | None = None


class Preferences(Payload):
    currencyCode: str


class Line(Payload):
    name: str | None = None
    price: Decimal | None = None
    quantity: Decimal = Decimal(1)
    refId: str | None = None


class Sale(Payload):
    orderId: str
    status: str | None = None
    value: Decimal
    creationDate: IsoOrBlank = None
    lastChange: IsoOrBlank = None
    authorizedDate: IsoOrBlank = None
    storePreferencesData: Preferences
    clientProfileData: Annotated[Profile | None, IfObject] = None
    items: list[Line] | None = None


class Vtex(Adapter[Sale]):
    name, title, origin = "vtex", "VTEX", Origin.COMMERCE
    links = Links(
        signing="https://developers.vtex.com/docs/guides/orders-feed",
        payload="https://developers.vtex.com/docs/api-reference/orders-api",
    )
    setup = (
        "In VTEX Admin open Account settings → API keys, and generate a key with a role that may view orders (OMS – Read only).",
        "Give it to this source as its key, written appKey:appToken, and the account's name as the option account.",
        "Configure the hook (POST /api/orders/hook/config): filter FromWorkflow with the statuses you want, hook.url {webhook_url}, and "
        "in hook.headers the name x-orders-registry-token with this source's secret.",
    )
    topics = ("payment-pending", "payment-approved", "handling", "invoiced", "canceled")
    signature = Token(header=HEADER)
    secret_made_by = "ours"  # noqa: S105 - says who makes it; it is none
    patience = "takes 200 alone, within 5 seconds; the hook is deleted after three days without one"
    kind = Field("Domain")
    options = VtexOptions
    reads = {}
    statuses = {
        "order-created": Status.PENDING,
        "order-accepted": Status.PENDING,
        "order-completed": Status.PENDING,
        "on-order-completed": Status.PENDING,
        "on-order-completed-ffm": Status.PENDING,
        "waiting-for-seller-confirmation": Status.PENDING,
        "waiting-for-order-authorization": Status.PENDING,
        "waiting-for-authorization": Status.PENDING,
        "waiting-ffmt-authorization": Status.PENDING,
        "waiting-for-manual-authorization": Status.PENDING,
        "waiting-for-mkt-authorization": Status.PENDING,
        "waiting-for-fulfillment": Status.PENDING,  # a seller's view: for the marketplace to say that it is paid
        "window-to-change-payment": Status.PENDING,
        "payment-pending": Status.PENDING,
        "approve-payment": Status.PENDING,
        "payment-approved": Status.PAID,
        "payment-denied": Status.FAILED,
        "order-create-error": Status.FAILED,
        "order-creation-error": Status.FAILED,
        "authorize-fulfillment": None,  # an internal step
        "window-to-cancel": Status.PAID,
        "ready-for-handling": Status.PAID,
        "start-handling": Status.PAID,
        "handling": Status.PAID,
        "ready-for-invoicing": Status.PAID,
        "invoice": Status.PAID,
        "invoice-after-cancellation-deny": Status.PAID,
        "invoiced": Status.PAID,
        "ship": Status.PAID,
        "request-cancel": None,
        "cancellation-requested": None,
        "waiting-for-seller-decision": None,
        "waiting-seller-handling": None,
        "window-to-change-seller": None,
        "replaced": None,  # by another order, which is told of by itself
        "cancel": Status.CANCELED,
        "canceled": Status.CANCELED,
    }
    api = Api(
        origin=lambda options: f"https://{options.account}.vtexcommercestable.com.br",
        authorize=lambda key, options: {
            "x-vtex-api-appkey": key.partition(":")[0],
            "x-vtex-api-apptoken": key.partition(":")[2],
        },
        key_words="an API key of the account, written appKey:appToken",
    )
    fetches = {"Fulfillment": Notice, "Marketplace": Notice}
    document = Sale

    def handshake(self, delivery: Delivery) -> str | None:
        """The ping when a hook is saved; only a 200 saves it."""
        return "the ping of a new hook" if PING.fullmatch(delivery.body) else None

    def path(self, notice: Notice, event: Event[Any]) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", notice.OrderId):
            raise Unreadable("OrderId: is not an order's id")
        return f"/api/oms/pvt/orders/{notice.OrderId}"

    def orders(self, payload: Sale, event: Event[Sale]) -> Iterable[Order]:
        currency, lines = currency_code(payload.storePreferencesData.currencyCode), payload.items or []
        yield Order(
            external_id=payload.orderId,
            at=payload.lastChange,
            status=self.status(payload.status),
            source_status=payload.status,
            title=order_title(payload.orderId, [line.name for line in lines]),
            value=Money.scaled(payload.value, 2, currency),
            ordered_at=payload.creationDate,
            paid_at=payload.authorizedDate,
            customer=_customer(payload.clientProfileData or Profile(), brazilian=currency == "BRL"),
            items=tuple(
                Item(
                    title=line.name or "–",
                    quantity=line.quantity,
                    unit_value=None if line.price is None else Money.scaled(line.price, 2, currency),
                    sku=line.refId or None,
                )
                for line in lines
            )
            or None,
        )


def _customer(who: Profile, *, brazilian: bool) -> Customer | None:
    person = f"{who.firstName or ''} {who.lastName or ''}".strip()
    # Other countries' numbers may have a CPF's check digits by chance.
    told = (who.documentType or "").lower()
    own = who.document if told in BRAZILIAN or (not told and brazilian) else None
    company = who.corporateDocument if who.isCorporate and brazilian else None
    # VTEX hides a buyer behind an alias of its own, another for each order: it is nobody's address.
    email = who.email if who.email and not who.email.lower().endswith(MASK) else None
    customer = Customer(
        name=(who.corporateName if who.isCorporate else None) or person or None,
        id=who.userProfileId or None,
        emails=(email,) if email else (),
        phones=(who.phone,) if who.phone else (),
        documents=tuple(each for each in (company, own) if each),
    )
    return None if customer == Customer() else customer
