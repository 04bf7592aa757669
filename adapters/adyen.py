"""Adyen: payments, by its standard webhook; one delivery may tell of several.

- Signing: https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures and
  `Adyen/util.py` of Adyen's Python library (16.0.0)
- Events: https://docs.adyen.com/development-resources/webhooks/webhook-types
- Amounts: https://docs.adyen.com/development-resources/currency-codes

Decided here, and why:

- The signature stands in each item and covers eight of its fields: the references, the account, the amount, what
  happened and whether it did. The date and everything about the shopper are not covered, so the strength is `token`,
  not `mac`. They are used: without them an order would have neither a person nor an order in time.
- Every item must be proven, not just the first (Adyen's own helper looks at no other). No value is escaped: published
  signatures over `:` and `\\` hold without, and not with it.
- One sale is one order: a payment by its `pspReference` (what is done to it later names it as `originalReference`), or the
  order of several payments (gift card and card) by that of ORDER_CLOSED, which lists them.
- `merchantReference` is the shop's own and need not be unique: payment links are paid by many. It joins attempts of one
  shopper of which at most one was authorised; beyond that it is only the title.
- With capture by hand (option `capture=manual`) an authorisation is a promise until it is captured; else it is money
  taken, unless it is cancelled or lapses: only what was not captured can be.
- An authorisation may be raised or lowered before it is captured; what it says last counts.
- Captures stand in place of their authorisation, each by its own reference. By default a capture of a part lets the
  rest go, so what was captured is the value; several captures add up.
- `success` false of a capture or cancellation means that nothing has changed; of a refund, that it failed; of
  ORDER_CLOSED, that all of it was released or given back.
- A dispute has one `pspReference` for all its events; each says how it stands. A notice or a request for information is
  an open dispute.
- Of the shopper, `additionalData` tells what the webhook's additional settings add (Adyen's openapi, Webhooks-v1,
  NotificationAdditionalData): a country, a Brazilian's CPF (`shopperSocialSecurityNumber`), an account's owner.
- An authorisation of nothing checks a card, and is no order.
"""

import base64
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from adapters.contract import (
    Adapter,
    Bill,
    BodyField,
    Customer,
    Delivery,
    Entries,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
    Links,
    Metadata,
    Money,
    OptionalOf,
    Options,
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
    currency_code,
    decimals,
    hex_key,
    json_body,
    order_title,
    path,
    replace,
    status_map,
    usable,
)

# Where Adyen counts other decimals than ISO 4217 does (its list of currency codes, "differs from standard").
DECIMALS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}

# Of ORDER_CLOSED, the names of the payments that it lists.
PART = re.compile(r"order-\d+-pspReference")

# How far a refund or a dispute is when the event succeeded.
REFUNDS = {"REFUND": RefundState.DONE, "REFUND_FAILED": RefundState.FAILED, "REFUNDED_REVERSED": RefundState.REVERSED}
DISPUTES = {
    "CHARGEBACK": RefundState.DONE,
    "CHARGEBACK_REVERSED": RefundState.REVERSED,
    "SECOND_CHARGEBACK": RefundState.DONE,
    "PREARBITRATION_LOST": RefundState.DONE,
    "PREARBITRATION_WON": RefundState.REVERSED,
    "SCHEME_ARBITRATION_LOST": RefundState.DONE,
    "SCHEME_ARBITRATION_WON": RefundState.REVERSED,
}

# The second says what is authorised now, more or less than before.
AUTHORISATIONS = ("AUTHORISATION", "AUTHORISATION_ADJUSTMENT")

# What an event that succeeded makes of a payment. What is captured by itself was not taken if it is released or lapses:
# only what was not captured yet can be.
BY_HAND = {
    **dict.fromkeys(AUTHORISATIONS, PaymentState.AUTHORIZED),
    "CAPTURE": PaymentState.TAKEN,
    "CAPTURE_FAILED": PaymentState.FAILED,
    **dict.fromkeys(("CANCELLATION", "TECHNICAL_CANCEL", "EXPIRE"), PaymentState.CANCELED),
}
BY_ITSELF = {
    **BY_HAND,
    **dict.fromkeys(AUTHORISATIONS, PaymentState.TAKEN),
    **dict.fromkeys(("CANCELLATION", "TECHNICAL_CANCEL", "EXPIRE"), PaymentState.FAILED),
}


def _items(document: Any) -> list[dict[str, Any]]:
    """The items of a notification. Raises LookupError, TypeError when it has none."""
    found = [entry["NotificationRequestItem"] for entry in document["notificationItems"]]
    if not found or not all(isinstance(item, dict) for item in found):
        raise LookupError("no items")
    return found


def _message(item: dict[str, Any]) -> bytes:
    """What is signed of an item: eight values joined by colons, a missing one empty."""
    amount = item.get("amount") or {}
    values = [item.get(name) for name in "pspReference originalReference merchantAccountCode merchantReference".split()]
    values += [amount.get("value"), amount.get("currency"), item.get("eventCode"), item.get("success")]
    texts = ("" if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return ":".join(texts).encode("utf-8", "surrogatepass")


def _mac(key: bytes, message: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, message, "sha256"))


WHOLE = Hmac(header="hmacsignature", encoding="base64", key=hex_key)


@dataclass(frozen=True, slots=True)
class ItemHmac(Signature):
    """HMAC-SHA256 of eight fields of each item, base64, in the item's own `additionalData.hmacSignature`.

    Webhooks without items (of accounts, cards, terminals) are signed whole, in a header; they tell of no order.
    """

    strength = Strength.TOKEN
    key = staticmethod(hex_key)

    def verify(self, delivery: Delivery, secrets: Sequence[str], now: datetime) -> str:
        candidates = usable(secrets)
        if WHOLE.header in delivery.headers:
            return WHOLE.verify(delivery, candidates, now)
        try:
            signed = [
                (_message(item), item["additionalData"]["hmacSignature"].encode("utf-8", "surrogatepass"))
                for item in _items(delivery.document(json_body))
            ]
        except Unreadable:
            raise Unverified(Unverified.MALFORMED) from None
        except (LookupError, TypeError, AttributeError):
            raise Unverified(Unverified.MISSING) from None
        for secret in candidates:
            key = hex_key(secret)
            if all([hmac.compare_digest(_mac(key, message), sent) for message, sent in signed]):
                return secret
        raise Unverified(Unverified.MISMATCH)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        key, document = hex_key(secret), json.loads(delivery.body)
        if "notificationItems" not in document:
            return WHOLE.sign(delivery, secret, now)
        for item in _items(document):
            mac = _mac(key, _message(item)).decode()
            item["additionalData"] = {**(item.get("additionalData") or {}), "hmacSignature": mac}
        return delivery.changed(body=json.dumps(document, ensure_ascii=False).encode())

    @property
    def description(self) -> str:
        return (
            "HMAC-SHA256 of each item's references, account, amount, event and success, base64, in the body "
            "(`additionalData.hmacSignature`); dates and what is said of the shopper are not covered"
        )


class AdyenOptions(Options):
    """`capture`: whether payments are captured by themselves once authorised, or by hand."""

    capture: Literal["automatic", "manual"] = "automatic"


class Amount(Payload):
    value: int
    currency: str


class Item(Payload):
    pspReference: str
    eventCode: str
    success: str | bool
    amount: OptionalOf[Amount] = None
    originalReference: str | None = None
    merchantReference: str | None = None
    eventDate: IsoOrBlank = None
    additionalData: Metadata = path("additionalData", otherwise={})


class Entry(Payload):
    NotificationRequestItem: Item


class Notification(Payload):
    live: str | bool | None = None
    notificationItems: Entries[Entry]


class Adyen(Adapter[Notification]):
    name, title, origin = "adyen", "Adyen", Origin.PAYMENTS
    links = Links(
        signing="https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
        payload="https://docs.adyen.com/development-resources/webhooks/webhook-types",
    )
    topics = (
        *("PENDING", *AUTHORISATIONS),
        *"CAPTURE CAPTURE_FAILED CANCELLATION CANCEL_OR_REFUND TECHNICAL_CANCEL EXPIRE".split(),
        *"OFFER_CLOSED ORDER_CLOSED".split(),
        *REFUNDS,
        *DISPUTES,
    )
    signature = ItemHmac()
    kind = BodyField("type")
    reads = dict.fromkeys(topics, Notification)
    ignores = frozenset(
        {"REPORT_AVAILABLE", "RECURRING_CONTRACT", "NOTIFICATION_OF_*", "REQUEST_FOR_*", "ORDER_OPENED"}
    )
    options = AdyenOptions
    statuses = status_map(  # event code: what it means when it succeeded
        pending="PENDING",
        paid=(*AUTHORISATIONS, "CAPTURE"),
        failed="CAPTURE_FAILED",
        canceled="CANCELLATION TECHNICAL_CANCEL EXPIRE OFFER_CLOSED",
        nothing=("CANCEL_OR_REFUND", "ORDER_CLOSED", *REFUNDS, *DISPUTES),
    )
    answer = "[accepted]"
    retry_policy = (
        "takes 2xx within 10 seconds (older accounts: the text [accepted]); tries again for 30 days, and while it does so "
        "holds back all that comes after"
    )

    def kind_of(self, delivery: Delivery, options: Any) -> str:
        """The event code of the item (of the first one that is read, should there be several)."""
        document = self.document_of(delivery)
        try:
            codes = [item["eventCode"] for item in _items(document) if isinstance(item.get("eventCode"), str)]
        except (LookupError, TypeError):
            codes = []
        told = [code for code in codes if code in self.reads] or [code for code in codes if code]
        return told[0] if told else super().kind_of(delivery, options)

    def orders(self, payload: Notification, event: Event[Notification]) -> Iterable[Order]:
        manual = (event.options or AdyenOptions()).capture == "manual"
        orders: dict[tuple[object, ...], Order] = {}
        for entry in payload.notificationItems:
            item = entry.NotificationRequestItem
            order = self._order(item, manual) if item.eventCode in self.reads else None
            if order:
                # Two refunds of one payment at one time are one statement about it.
                statement = (order.external_id, order.at, order.status)
                before = orders.get(statement)
                if before:
                    payments, refunds = before.payments + order.payments, before.refunds + order.refunds
                    order = replace(order, payments=payments, refunds=refunds)
                test = {"true": False, "false": True}.get(str(payload.live).lower())
                orders[statement] = replace(order, test=test)
        if not orders:
            raise Ignored("nothing came of it: what was asked for failed, or no money was asked for")
        yield from orders.values()

    def _order(self, item: Item, manual: bool) -> Order | None:
        code, done, more = item.eventCode, str(item.success).lower() == "true", item.additionalData
        if code == "CANCEL_OR_REFUND":
            code = {"cancel": "CANCELLATION", "refund": "REFUND"}.get(more.get("modification.action", ""), code)
        money = _money(item.amount) if item.amount else None
        authorised, known = code == "AUTHORISATION", done or code in ("AUTHORISATION", "ORDER_CLOSED", *REFUNDS)
        asked = code in AUTHORISATIONS
        if not known or (asked and money and not money.minor):
            return None
        payment, status = item.originalReference or item.pspReference, self.status(code)
        if asked and (manual or not done):
            status = Status.PENDING if done else Status.FAILED
        order = Order(
            external_id=payment,
            attempt_of=() if item.originalReference else _shared_names(item),
            preference=1 if done else 2,  # of attempts, the one that was paid has the best name
            at=item.eventDate,
            status=status,
            source_status=item.eventCode if done else f"{item.eventCode} (success: false)",
            title=order_title(item.merchantReference, []),
            ordered_at=item.eventDate if authorised else None,
            customer=Customer(
                name=more.get("ownerName"),
                id=more.get("shopperReference"),
                emails=(more.get("shopperEmail"),),
                phones=(more.get("shopperTelephone"),),
                documents=(more.get("shopperSocialSecurityNumber"),)
                if more.get("shopperCountry", "BR") == "BR"
                else (),
                country=more.get("shopperCountry") or more.get("issuerCountry"),
            ),
        )
        if code == "ORDER_CLOSED":
            return _closed(order, more, money, done)
        paid = Payment(id=payment, value=money, at=item.eventDate)
        back = Refund(id=item.pspReference, value=money, at=item.eventDate, payment=payment)
        if code in REFUNDS:
            return replace(order, refunds=(replace(back, state=REFUNDS[code] if done else RefundState.FAILED),))
        if code in DISPUTES:
            return replace(order, refunds=(replace(back, state=DISPUTES[code], kind=RefundKind.CHARGEBACK),))
        if code == "CANCEL_OR_REFUND":  # whichever it was, nothing of it is left
            paid, back = replace(paid, state=PaymentState.CANCELED), replace(back, value=None, all=True)
            return replace(order, payments=(paid,), refunds=(back,))
        state = (BY_HAND if manual else BY_ITSELF).get(code) if done else PaymentState.FAILED
        paid = replace(paid, state=state, value=None if code in ("EXPIRE", "CAPTURE_FAILED") else money)
        if code not in ("CAPTURE", "CAPTURE_FAILED"):
            return replace(order, payments=(paid,))
        capture = Payment(id=item.pspReference, value=money, state=state, at=item.eventDate, captures=payment)
        return replace(order, payments=(capture,) if code == "CAPTURE" else (paid, capture))


def _shared_names(item: Item) -> tuple[str, ...]:
    """The shop's reference, together with the shopper and by itself."""
    shopper = item.additionalData.get("shopperReference") or item.additionalData.get("shopperEmail")
    if not item.merchantReference:
        return ()
    return (f"{item.merchantReference} {shopper}",) * bool(shopper) + (item.merchantReference,)


def _closed(order: Order, more: Mapping[str, str], money: Money | None, done: bool) -> Order:
    """The order of several payments, once no more come: all of it is paid, or none of it is kept."""
    listed = {name.removesuffix("-pspReference"): each for name, each in more.items() if PART.fullmatch(name)}
    let_go = [each for part, each in listed.items() if not done and more.get(f"{part}-success", "true") != "false"]
    return replace(
        order,
        preference=0,
        attempt_of=(),
        aliases=tuple(listed.values()),
        status=None if done else Status.CANCELED,
        bills=(Bill(value=money, given_up=not done),),
        payments=tuple(Payment(id=each, state=PaymentState.CANCELED, at=order.at) for each in let_go),
    )


def _money(amount: Amount) -> Money:
    code = currency_code(amount.currency)
    return Money.scaled(amount.value, DECIMALS.get(code, decimals(code)), code)
