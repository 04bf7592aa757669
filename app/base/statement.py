"""Statements: what an adapter or a member says about an order, as canonical, bounded JSON for the history."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from adapters.contract import UNKNOWN, Customer, Item, Money, Order, Status, Unreadable
from adapters.contract.entry import Entry, money_said, rank_of
from app.base.clock import micros
from app.base.identity import identities_told

TITLE_LENGTH = 300
TEXT_LENGTH = 1000
MAX_ITEMS = 500
UNTIMED = -1  # the history's column cannot be null: it is part of the key


class Statement(Struct, frozen=True, kw_only=True):
    """Holds one future entry of an order's history. `names` are the order's ids in it, the best first.

    `left_out`: an e-mail, phone or document that was given is no identity.

    `attempt_of` are names that join attempts to pay one sale (see `Order`); those that joined become aliases in `said`.
    """

    names: tuple[str, ...]
    at: int
    rank: int
    digest: str
    said: Mapping[str, Any]
    attempt_of: tuple[str, ...] = ()
    left_out: bool = False

    @property
    def all_names(self) -> tuple[str, ...]:
        """Return every name by which this may belong to an order."""
        return self.names + self.attempt_of

    def joined_by(self, names: tuple[str, ...]) -> "Statement":
        """Return the statement with these of its `attempt_of` as ids of the order."""
        if not names:
            return self
        aliases = [*self.said.get("aliases", ()), *names]
        return replace(self, names=self.names + names, said={**self.said, "aliases": aliases})


def identities_in(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the buyer's identities (kind, value) that an entry names, as it was made or as the history keeps it."""
    customer = said.get("customer")
    return list(map(tuple, customer["identities"])) if customer else []


class CrmContact(Struct, frozen=True, kw_only=True):
    """Holds what a CRM says about one of its contacts; identities as in `identity`, without the CRM's own id."""

    crm_id: str
    name: str | None
    identities: tuple[tuple[str, str], ...]
    left_out: bool = False


class ShopCustomer(Struct, frozen=True, kw_only=True):
    """Holds what a shop says about one of its customers, apart from any order; identities as in `identity`."""

    name: str | None
    identities: tuple[tuple[str, str], ...]
    left_out: bool = False


def shop_customer(customer: Customer, source_id: str, region: str, nobodys: Collection[str] = ()) -> ShopCustomer:
    """Convert a shop's customer to the form in which it is matched. Raises Unreadable for one without an id."""
    if not customer.id:
        raise Unreadable("the customer's id is missing")
    name = clean((customer.name or "").strip(), TITLE_LENGTH) or None
    known, left_out = _known(customer, source_id, region, nobodys)
    return ShopCustomer(name=name, identities=tuple(known), left_out=left_out)


def crm_contact(customer: Customer, region: str, nobodys: Collection[str] = ()) -> CrmContact:
    """Convert a CRM's contact to the form in which it is stored. Raises Unreadable."""
    crm_id = clean(customer.crm_id or "", 255)
    if not crm_id:
        raise Unreadable("the contact's id is missing")
    name = clean((customer.name or "").strip(), TITLE_LENGTH) or None
    known, left_out = _known(customer, None, region, nobodys)
    others = tuple(one for one in known if one[0] != "crm")
    return CrmContact(crm_id=crm_id, name=name, identities=others, left_out=left_out)


def _known(
    customer: Customer, source_id: str | None, region: str, nobodys: Collection[str], claimed: bool = False
) -> tuple[list[tuple[str, str]], bool]:
    known, left_out = identities_told(customer, source_id, region, claimed=claimed, nobodys=nobodys)
    return [(kind, clean(value, 512)) for kind, value in known], left_out


def clean(text: str, length: int = TEXT_LENGTH) -> str:
    """Return text that both engines can store: NUL and lone surrogates, which PostgreSQL refuses, become U+FFFD."""
    if not text.isprintable():
        text = text.replace("\0", "\ufffd")
        try:
            text.encode()
        except UnicodeEncodeError:
            text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text if len(text) <= length else text[: length - 1] + "…"


def statement_of(
    order: Order,
    *,
    source_id: str | None,
    region: str,
    digest: str,
    of_body: str | None = None,
    claimed: bool = False,
    nobodys: Collection[str] = (),
) -> Statement:
    """Convert one order of a delivery to a statement. `digest` is that of the delivery's kind and body.

    `of_body` is that of the body alone, where no signature covers the kind: the history keeps it as `bytes`.
    `claimed`: its CRM id stands where buyers can write. `nobodys`: values that the account says are nobody's.
    """
    left_out = False
    said: dict[str, Any] = {"external_id": clean(order.external_id, 255)}
    aliases = tuple(dict.fromkeys(clean(alias, 255) for alias in order.aliases if alias))
    if aliases:
        said["aliases"] = list(aliases)
    if order.preference:
        said["preference"] = order.preference
    if isinstance(order.status, Status):
        said["status"] = str(order.status)
    if order.source_status is not None:
        said["source_status"] = clean(order.source_status, 200)
    if order.title:
        said["title"] = clean(order.title.strip(), TITLE_LENGTH)
    said |= money_said(order, clean)
    if order.ordered_at is not None:
        said["ordered_at"] = micros(order.ordered_at)
    if order.paid_at is not None:
        said["paid_at"] = micros(order.paid_at)
    if order.customer is not None:
        known, left_out = _known(order.customer, source_id, region, nobodys, claimed)
        customer: dict[str, Any] = {"identities": known}
        if order.customer.name and order.customer.name.strip():
            customer["name"] = clean(order.customer.name.strip(), TITLE_LENGTH)
        if known or "name" in customer:
            said["customer"] = customer
    if order.items is not None:
        said["items"] = [_item(item) for item in order.items[:MAX_ITEMS]]
    if order.url:
        said["url"] = clean(order.url, 2000)
    if order.test is not None:
        said["test"] = order.test
    if order.deal_id:
        said["deal_id"] = clean(order.deal_id, 255)
    if of_body is not None:
        said["bytes"] = of_body
    names = (said["external_id"], *(alias for alias in aliases if alias != said["external_id"]))
    return Statement(
        names=names,
        at=micros(order.at) if order.at is not None else UNTIMED,
        rank=rank_of(said),
        digest=entry_digest(digest, said["external_id"]),
        said=said,
        attempt_of=tuple(
            name for one in dict.fromkeys(order.attempt_of) if one and (name := clean(one, 255)) not in names
        ),
        left_out=left_out,
    )


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Return a row of the history as the fold takes it. Its `said` may be text, as it is stored."""
    said = row["said"]
    return Entry(
        at=None if row["at"] == UNTIMED else row["at"],
        digest=row["digest"],
        recorded_at=row["recorded_at"],
        said=json.loads(said) if isinstance(said, str) else said,
        by_member=row["member_id"] is not None,
    )


def entry_digest(delivery_digest: str, external_id: str) -> str:
    """Return a digest that tells entries of one time and rank apart. The same statement always gives the same."""
    return hashlib.sha256(f"{delivery_digest}\n{external_id}".encode()).hexdigest()[:32]


def says_unknown_status(order: Order) -> bool:
    """Return whether the source used a status word that its adapter does not know."""
    return order.status is UNKNOWN


def _item(item: Item) -> dict[str, Any]:
    kept: dict[str, Any] = {"title": clean(item.title or "", TITLE_LENGTH), "quantity": str(item.quantity)}
    if isinstance(item.unit_value, Money):
        kept["unit_value"] = [item.unit_value.minor, item.unit_value.currency]
    if item.sku:
        kept["sku"] = clean(item.sku, 255)
    return kept
