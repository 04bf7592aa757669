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
- An order is one payment, by its `pspReference`; what is done to it later names it as `originalReference`.
  `merchantReference` need not be unique (split payments, links paid by many, a second try), so it is only the title.
- With capture by hand (option `capture=manual`) an authorisation is pending until it is captured; else it is paid.
- A capture of a part lets the rest go, so what was captured is then the value. (Several captures of one authorisation
  are an extra of Adyen's; the last one tells.)
- `success` false of a capture, cancellation or refund means that nothing has changed.
- A refund that failed later counts as nothing. A chargeback takes the money until it is reversed; a notice or a request
  for information is an open dispute.
- An authorisation of nothing checks a card, and is no order.
"""

import base64
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pydantic import Field as Named

from adapters.contract import (
    Adapter,
    BodyField,
    Customer,
    Delivery,
    Event,
    Hmac,
    Ignored,
    IsoOrBlank,
    Links,
    Money,
    OptionalOf,
    Options,
    Order,
    Origin,
    Payload,
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
    status_map,
    usable,
)

# Where Adyen counts other decimals than ISO 4217 does (its list of currency codes, "differs from standard").
DECIMALS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}

# What tells of a refund, also that it came to nothing.
REFUNDS = frozenset({"REFUND", "REFUND_FAILED", "REFUNDED_REVERSED"})

# What tells of all of a payment; what is given back or disputed may be a part of it.
WHOLE_AMOUNT = frozenset(
    "PENDING AUTHORISATION CAPTURE CANCELLATION CANCEL_OR_REFUND TECHNICAL_CANCEL OFFER_CLOSED".split()
)


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


class AdditionalData(Payload):
    shopperReference: str | None = None
    shopperEmail: str | None = None
    shopperTelephone: str | None = None
    action: str | None = Named(None, alias="modification.action")


class Item(Payload):
    pspReference: str
    eventCode: str
    success: str | bool
    amount: Amount | None = None
    originalReference: str | None = None
    merchantReference: str | None = None
    eventDate: IsoOrBlank = None
    additionalData: OptionalOf[AdditionalData] = None


class Entry(Payload):
    NotificationRequestItem: Item


class Notification(Payload):
    live: str | bool | None = None
    notificationItems: list[Entry]


class Adyen(Adapter[Notification]):
    name, title, origin = "adyen", "Adyen", Origin.PAYMENTS
    links = Links(
        signing="https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
        payload="https://docs.adyen.com/development-resources/webhooks/webhook-types",
    )
    topics = tuple(
        "PENDING AUTHORISATION CAPTURE CAPTURE_FAILED CANCELLATION CANCEL_OR_REFUND REFUND REFUND_FAILED REFUNDED_REVERSED "
        "CHARGEBACK SECOND_CHARGEBACK CHARGEBACK_REVERSED EXPIRE OFFER_CLOSED TECHNICAL_CANCEL".split()
    )
    signature = ItemHmac()
    kind = BodyField("type")
    reads = dict.fromkeys(topics, Notification)
    ignores = frozenset({"REPORT_AVAILABLE", "RECURRING_CONTRACT", "NOTIFICATION_OF_*", "REQUEST_FOR_*", "ORDER_*"})
    options = AdyenOptions
    statuses = status_map(  # event code: what it means when it succeeded
        pending="PENDING",
        paid="AUTHORISATION CAPTURE CHARGEBACK_REVERSED",
        failed="CAPTURE_FAILED",
        canceled="CANCELLATION TECHNICAL_CANCEL EXPIRE OFFER_CLOSED",
        refunded="CHARGEBACK SECOND_CHARGEBACK",
        nothing="CANCEL_OR_REFUND REFUND REFUND_FAILED REFUNDED_REVERSED",
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
            order = self._order(item, manual, str(payload.live).lower()) if item.eventCode in self.reads else None
            if order:
                # Two refunds of one payment at one time are one statement about it.
                statement = (order.external_id, order.at, order.status)
                before = orders.get(statement, order).refunds or {}
                orders[statement] = replace(order, refunds={**before, **(order.refunds or {})})  # type: ignore[dict-item]
        if not orders:
            raise Ignored("nothing came of it: what was asked for failed, or no money was asked for")
        yield from orders.values()

    def _order(self, item: Item, manual: bool, live: str) -> Order | None:
        code, done, more = item.eventCode, str(item.success).lower() == "true", item.additionalData or AdditionalData()
        if code == "CANCEL_OR_REFUND":
            code = {"cancel": "CANCELLATION", "refund": "REFUND"}.get(more.action or "", code)
        money, authorised = _money(item.amount) if item.amount else None, code == "AUTHORISATION"
        status, refunds = self.status(code), None
        if authorised and (manual or not done):
            status = Status.PENDING if done else Status.FAILED
        if money and (code in REFUNDS or (done and "CHARGEBACK" in code)):
            name = item.pspReference if code in REFUNDS else "chargeback"
            gone = done and code in ("REFUND", "CHARGEBACK", "SECOND_CHARGEBACK")
            refunds = {name: money if gone else Money(0, money.currency)}
        takes_money = code == ("CAPTURE" if manual else "AUTHORISATION")
        if (authorised and money and not money.minor) or not (done or authorised or refunds):
            return None
        return Order(
            external_id=item.originalReference or item.pspReference,
            at=item.eventDate,
            status=status,
            source_status=item.eventCode if done else f"{item.eventCode} (success: false)",
            title=order_title(item.merchantReference, []),
            value=money if item.eventCode in WHOLE_AMOUNT and money and money.minor else None,
            refunds=refunds,
            ordered_at=item.eventDate if authorised else None,
            paid_at=item.eventDate if status is Status.PAID and takes_money else None,
            customer=Customer(id=more.shopperReference, emails=(more.shopperEmail,), phones=(more.shopperTelephone,)),
            test={"true": False, "false": True}.get(live),
        )


def _money(amount: Amount) -> Money:
    code = currency_code(amount.currency)
    return Money.scaled(amount.value, DECIMALS.get(code, decimals(code)), code)
