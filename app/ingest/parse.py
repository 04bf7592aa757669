"""Reads a verified delivery with its source's adapter, into what the group commit takes."""

from hashlib import sha256

from msgspec.structs import replace

from adapters.contract import (
    FIELD_LEFT_OUT,
    BodyField,
    BuyersIdsOptions,
    Delivery,
    Ignored,
    Order,
    Proof,
    Unfetched,
    Unreadable,
    validated,
)
from app.base.ids import new_id
from app.base.log import log
from app.base.outcome import Outcome
from app.base.statement import UNTIMED, clean, crm_contact, says_unknown_status, shop_customer, statement_of
from app.ingest.proof import without_credentials
from app.ingest.source_cache import Source
from app.store.delivery_record import SAMPLE, Record, packed

AHEAD = 300_000_000  # microseconds by which a source's clock may be ahead of ours
MOST_ID = 1000  # characters of a source's own id of a delivery
LEFT_OUT = "identity_left_out"
BUYERS_ID = "buyers_id_not_used"


def read(
    source: Source,
    delivery: Delivery,
    received_at: int,
    *,
    again: str | None = None,
    document: bytes | Unfetched | None = None,
    sample: bool = False,
) -> Record:
    """Return the record of a delivery, whatever it contains. Raises nothing.

    `again` is the id under which it is already recorded, `document` what the source's API answered about a thin
    delivery, or why it did not. `sample`: this registry signed and sent it itself.
    """
    adapter = source.adapter
    scheme = adapter.scheme(source.options)
    rec = Record(
        account_id=source.account_id,
        source_id=source.id,
        origin=str(adapter.origin),
        hold=source.hold,
        delivery_id=again or new_id("dlv"),
        dedupe_key="",
        digest="",
        kind="",
        strength=str(scheme.strength),
        received_at=received_at,
        content=b"" if again else packed(*without_credentials(delivery, scheme, source.usable_secrets(received_at))),
        again=again is not None,
        notes=[SAMPLE] if sample else [],
    )
    orders: list[Order] = []
    try:
        rec.kind = clean(adapter.kind_of(delivery, source.options), 200)
        if asked := adapter.privacy.get(rec.kind):
            validated(asked.body, adapter.document_of(delivery))
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
    rec.digest = _digest(rec.kind, delivery.body)
    proof = source.proof
    of_body = _digest("", delivery.body) if proof.body and not proof.kind else None
    says_when = all(order.at is not None and not order.unsigned_at for order in orders)
    say(rec, orders, source, of_body)
    given = _given_id(source, delivery)
    rec.source_delivery_id = clean(given, MOST_ID) if given else None
    rec.dedupe_key = _dedupe_key(rec, source, given, proof, of_body, says_when=says_when)
    if sample:  # the shop's own delivery of the same bytes or id is no repeat of it
        rec.dedupe_key += f":{SAMPLE}"
    if source.anybody_erased and rec.content and not rec.statements and not rec.privacy:
        rec.search()
    return rec


def _digest(text: str, body: bytes) -> str:
    digest = sha256(text.encode("utf-8", "replace") + b"\n")
    digest.update(body)
    return digest.hexdigest()


def say(rec: Record, orders: list[Order], source: Source, of_body: str | None) -> None:
    """Put the orders' statements into the record. A time ahead of our clock at first receipt is dropped, and noted.

    `of_body` is the digest of a body whose kind no signature covers.
    """
    claimed = isinstance(source.options, BuyersIdsOptions)
    if claimed and not source.options.buyers_ids:
        orders = [_without_ids(order, rec) for order in orders]
    rec.statements = statements = [
        statement_of(
            order,
            source_id=source.id,
            region=source.region,
            digest=rec.digest,
            of_body=of_body and of_body[:32],
            claimed=claimed,
            nobodys=source.nobodys,
        )
        for order in orders
    ]
    if any(one.left_out for some in (statements, rec.people, rec.customers) for one in some):
        rec.notes.append(LEFT_OUT)
    if any(says_unknown_status(order) for order in orders):
        rec.notes.append("unknown_status")
    if rec.sample:
        statements[:] = [replace(one, said={**one.said, "test": True, "sample": True}) for one in statements]
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


def _given_id(source: Source, delivery: Delivery) -> str | None:
    """Return the source's own id of the delivery, as it was sent."""
    try:
        return source.adapter.delivery_id_of(delivery, source.options) or None
    except Exception:  # as in `read`: an adapter's fault loses no delivery
        return None


def _dedupe_key(
    rec: Record, source: Source, given: str | None, proof: Proof, of_body: str | None, *, says_when: bool
) -> str:
    """Return the key that identifies a repeated delivery: the source's delivery id, else a digest of kind and body.

    An id that no signature covers counts together with the bytes: with another body it is another delivery. Where the
    signed body says itself when all of it was true, the bytes alone count: under a new id they are still a repeat. And
    under a kind that is not read they are one whatever that kind is called, where no signature covers the kind.

    The key of an id never changes: a repeat of what an older version has recorded would be news.
    """
    if given and (proof.id or isinstance(source.adapter.places(source.options)[1], BodyField)):
        if len(given) <= 200:
            return f"id:{clean(given)}"
        return f"id:{sha256(given.encode('utf-8', 'replace')).hexdigest()}"
    if of_body is not None and rec.outcome is Outcome.IGNORED and rec.privacy is None:
        return f"bytes:{of_body}"
    if given and proof.body and rec.statements and says_when:
        return f"bytes:{rec.digest}"
    return f"id:{_digest(given, rec.digest.encode())}" if given else f"digest:{rec.digest}"
