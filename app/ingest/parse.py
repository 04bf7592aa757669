"""Reads a verified delivery with its source's adapter, into what the group commit takes."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from adapters.contract import (
    FIELD_LEFT_OUT,
    BuyersIdsOptions,
    Delivery,
    Ignored,
    Order,
    Strength,
    Unfetched,
    Unreadable,
)
from app.base.ids import new_id
from app.base.log import log
from app.base.outcome import Outcome
from app.base.statement import UNTIMED, clean, crm_contact, says_unknown_status, shop_customer, statement_of
from app.ingest.source_cache import Source
from app.store.delivery_record import Record, packed

# Never kept: they hold a credential of whoever sent them, and nothing reads them again.
_CREDENTIALS = frozenset(("authorization", "proxy-authorization", "cookie"))
AHEAD = 300_000_000  # microseconds by which a source's clock may be ahead of ours
BLANKED = "[not kept]"
LEFT_OUT = "identity_left_out"
BUYERS_ID = "buyers_id_not_used"


def read(
    source: Source,
    delivery: Delivery,
    received_at: int,
    *,
    proven_by: str = "",
    again: str | None = None,
    document: bytes | Unfetched | None = None,
) -> Record:
    """Return the record of a delivery, whatever it contains. Raises nothing.

    `proven_by` is the secret that verified it (to keep it out of the log), `again` the id under which it is already
    recorded, `document` what the source's API answered about a thin delivery, or why it did not.
    """
    adapter = source.adapter
    strength = adapter.scheme(source.options).strength
    rec = Record(
        account_id=source.account_id,
        source_id=source.id,
        origin=str(adapter.origin),
        hold=source.hold,
        delivery_id=again or new_id("dlv"),
        dedupe_key="",
        digest="",
        kind="",
        strength=str(strength),
        received_at=received_at,
        content=b"" if again else packed(_kept_body(delivery.body, strength, proven_by), _kept(delivery, proven_by)),
        again=again is not None,
    )
    orders: list[Order] = []
    try:
        rec.kind = clean(adapter.kind_of(delivery, source.options), 200)
        if asked := adapter.privacy.get(rec.kind):
            rec.privacy = str(asked.request), received_at + asked.days * 86_400_000_000
            raise Ignored(f"a privacy request ({asked.request}): recorded, and due within {asked.days} days")
        event = adapter.read(delivery, rec.kind, source.options)
        if rec.kind in adapter.fetches and not (adapter.fetch_adds and source.sealed_key is None):
            rec.path = adapter.path(event.payload, event)
        if rec.path:
            if document is None:
                rec.outcome = Outcome.FETCHING
            elif isinstance(document, Unfetched) and adapter.fetch_adds:
                rec.notes.append("customer_not_read")
                rec.reason = document.reason
            elif isinstance(document, Unfetched):
                rec.outcome, rec.reason = Outcome.UNFETCHED, document.reason
            else:
                event = adapter.fetched(event, document)
        if rec.outcome is None and adapter.brings == "contacts":
            rec.people = [
                crm_contact(one, source.region, source.nobodys) for one in adapter.people(event.payload, event)
            ]
        elif rec.outcome is None and rec.kind in adapter.customer_kinds:
            people = adapter.people(event.payload, event)
            rec.customers = [shop_customer(one, source.id, source.region, source.nobodys) for one in people]
            if event.payload.left_out:
                rec.notes.append(FIELD_LEFT_OUT)
        elif rec.outcome is None:
            orders = adapter.translate(event)
    except Ignored as why:
        rec.outcome, rec.reason = Outcome.IGNORED, clean(why.reason)
    except Unreadable as why:
        rec.outcome, rec.reason = Outcome.UNREADABLE, clean(why.reason)
    except (
        Exception
    ) as fault:  # a fault of the adapter's: the delivery is genuine, and is kept until the adapter is mended
        log.error("an adapter failed", adapter=adapter.name, delivery_id=rec.delivery_id, fault=type(fault).__name__)
        rec.outcome, rec.reason = Outcome.UNREADABLE, f"a fault of the adapter {adapter.name} ({type(fault).__name__})"
    rec.digest = hashlib.sha256(rec.kind.encode() + b"\n" + delivery.body).hexdigest()
    rec.dedupe_key = dedupe_key(source, delivery, rec.digest)
    say(rec, orders, source)
    if source.anybody_erased and rec.content and not rec.statements and not rec.privacy:
        rec.search()
    return rec


def say(rec: Record, orders: list[Order], source: Source) -> None:
    """Put the orders' statements into the record. A time ahead of our clock at first receipt is dropped, and noted."""
    claimed = isinstance(source.options, BuyersIdsOptions)
    if claimed and not source.options.buyers_ids:
        orders = [_without_ids(order, rec) for order in orders]
    rec.statements = statements = [
        statement_of(
            order,
            source_id=source.id,
            region=source.region,
            digest=rec.digest,
            claimed=claimed,
            nobodys=source.nobodys,
        )
        for order in orders
    ]
    if any(one.left_out for some in (statements, rec.people, rec.customers) for one in some):
        rec.notes.append(LEFT_OUT)
    if any(says_unknown_status(order) for order in orders):
        rec.notes.append("unknown_status")
    for place, said in enumerate(statements):
        notes = said.said.get("notes", ())
        if said.at > rec.received_at + AHEAD:
            statements[place] = replace(said, at=UNTIMED)
            notes = (*notes, "future_time")
        if notes:
            rec.notes += [note for note in notes if note not in rec.notes]


def _without_ids(order: Order, rec: Record) -> Order:
    """Return the order without the ids that stand where buyers can write, and note it."""
    buyer = order.customer
    if not order.deal_id and not (buyer and buyer.crm_id):
        return order
    if BUYERS_ID not in rec.notes:
        rec.notes.append(BUYERS_ID)
    return replace(order, deal_id=None, customer=replace(buyer, crm_id=None) if buyer else None)


def dedupe_key(source: Source, delivery: Delivery, digest: str) -> str:
    """Return the key that identifies a repeated delivery: the source's delivery id, else a digest of its content."""
    try:
        given = source.adapter.delivery_id_of(delivery, source.options)
    except Exception:  # as in `read`: an adapter's fault loses no delivery
        given = None
    if not given:
        return f"digest:{digest}"
    return (
        f"id:{clean(given, 255)}"
        if len(given) <= 200
        else f"id:{hashlib.sha256(given.encode('utf-8', 'replace')).hexdigest()}"
    )


def _kept_body(body: bytes, strength: Strength, secret: str) -> bytes:
    """Return the exact bytes. Only a shared token in the body is blanked: it is a secret."""
    if strength is Strength.TOKEN and secret:
        return body.replace(secret.encode(), BLANKED.encode())
    return body


def _kept(delivery: Delivery, secret: str) -> dict[str, Mapping[str, str]]:
    kept = {"headers": _blanked(delivery.headers, secret)}
    if delivery.query:
        kept["query"] = _blanked(delivery.query, secret)
    return kept


def _blanked(values: Mapping[str, str], secret: str) -> Mapping[str, str]:
    told = [name for name, value in values.items() if name in _CREDENTIALS or (secret and secret in value)]
    return {**values, **dict.fromkeys(told, BLANKED)} if told else values
