"""Sends events to subscribers: claimed, signed, sent, and retried for three days."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from adapters.contract import StandardWebhooks
from app.base import clock
from app.base.ids import new_id
from app.base.log import log
from app.base.outcome import Outcome
from app.base.retry_delay import doubled
from app.base.ssrf_guard import Network
from app.base.supervisor import Loop
from app.base.tuning import Tuning
from app.base.vault import Sealed, Vault
from app.db.engine import Store, Unavailable
from app.db.statements import Plan, Row, to_json
from app.store import contacts, orders, outbox, subscriptions
from app.store.delivery_record import Receipt, Record
from app.store.outbox import AttemptEnded, Event

if TYPE_CHECKING:
    from app.background.http_client import EventHttpClient


SCHEME = StandardWebhooks()

# An order as the API shows it, of its row and its contact's id in the CRM.
Shown = Callable[[Row, str | None], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _PendingEvent:
    """Holds a claimed event, ready to be sent."""

    row: Row
    order: Row | None  # None: it is not there any more, or the event is about none
    crm_contact_id: str | None
    secrets: tuple[str, ...]


class Outbox:
    """Sends one process's share of the events.

    `shown` serializes an order, `counts` gets the result of each attempt, `busy` says whether deliveries are waiting,
    `doubt` why the clock cannot be trusted.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        named: Sequence[Network],
        tuning: Tuning,
        *,
        shown: Shown,
        counts: Callable[[str], None],
        busy: Callable[[], bool],
        doubt: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._store, self._vault, self._named, self._tuning = store, vault, named, tuning
        self._shown, self._counts, self._busy, self._doubt = shown, counts, busy, doubt
        self._receivers: EventHttpClient | None = None
        self._ended: list[AttemptEnded] = []
        self._late: list[Row] = []  # claimed, and not answered when this ended
        self._cleared_at = 0.0
        self._under_way = 0  # attempts
        self._allowed: dict[str, int] = {}  # attempts at a time, by subscription; the first where it is not said
        self._cost = 0.0  # seconds for which the last turn had the database
        self._somebody = False  # whether anybody subscribed, as of the last look
        first = (lambda: outbox.LEASE.release(store)) if store.on_sqlite else None
        self.loop = Loop("outbox", self._next, tuning.look_every, known=(Unavailable,), first=first)

    async def stop(self) -> None:
        """Stop after the current attempts, or without those whose receiver does not answer soon.

        Raises Unavailable.
        """
        await self.loop.stop(self._tuning.stop_within)
        try:
            if self._ended:
                await self._store.commit(lambda: outbox.settle(self._ended))
            if self._late:
                await outbox.LEASE.release(self._store, self._late)
        finally:  # what could not be written: the claims run out
            if self._receivers is not None:
                await self._receivers.close()

    def wake(self) -> None:
        """Look for events soon: there may be something to send."""
        self.loop.wake()

    def committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        """Look for events: a batch was committed, and events with it where somebody subscribed."""
        if self._somebody and any(one.outcome in (Outcome.CREATED, Outcome.UPDATED) for one in receipts):
            self.loop.wake()

    async def _next(self) -> float | None:
        worked = False
        if not self._cleared_at or monotonic() - self._cleared_at > self._tuning.event_clears:
            # By a clock that jumped everything would be given up.
            worked = not await self._doubt() and not await outbox.clear(
                self._store, clock.now(), int(self._tuning.event_life * 1e6), self._tuning.event_tries
            )
            self._cleared_at = 0.0 if worked else monotonic()
        if not (await self._turn() or worked):
            return None
        # While deliveries wait for the database, it is theirs for as long as this turn had it.
        await self.loop.rest(max(self._tuning.event_pause, self._cost if self._busy() else 0.0))
        return 0.0

    async def _turn(self) -> bool:
        """Record what ended, claim what is due and start to send it. Returns whether there was anything to do."""
        present = clock.now()
        standing = await outbox.standing(self._store, present)
        self._somebody = bool(standing)
        room = self._tuning.event_at_once - self._under_way
        due = [row for row in standing if row["due"]] if room > 0 else []
        if not due and not self._ended:
            return False
        if due and self._receivers is None:  # its weight is for those who have subscribers, and apart from the loop
            self._receivers = await asyncio.to_thread(self._client)
        ended, self._ended = self._ended, []
        until = present + int(self._tuning.claim * 1e6)

        def plan() -> Plan[list[Row]]:
            began = monotonic()
            rows = yield from outbox.turn(ended, due, present=present, until=until, room=room, at_once=self._at_once)
            self._cost = monotonic() - began
            return rows

        try:
            rows = await self._store.commit(plan)
        except BaseException:
            self._ended = ended + self._ended
            raise
        if rows:
            self._under_way += len(rows)
            self.loop.spawn(self._send(rows), "events")
        return bool(ended or rows)

    def _at_once(self, subscription: Row) -> int:
        """Return how many attempts may be under way to it. One that fails is asked one by one."""
        tired = subscription["failures"] >= self._tuning.event_tired
        return 1 if tired else self._allowed.get(subscription["id"], self._tuning.event_per_subscription[0])

    def _client(self) -> "EventHttpClient":
        from app.background.http_client import EventHttpClient

        return EventHttpClient(self._named, self._tuning)

    async def _send(self, rows: Sequence[Row]) -> None:
        """Send claimed events, each beside the others."""
        try:
            letters = await self._letters(rows)
        except BaseException:  # their claims run out, or are given back at the end
            self._under_way -= len(rows)
            self._late += rows
            raise
        for letter in letters:
            self.loop.spawn(self._one(letter), f"event {letter.row['id']}")

    # -- What is sent -----------------------------------------------------------------------------------------------

    async def _letters(self, rows: Sequence[Row]) -> list[_PendingEvent]:
        """Return the events' current content, with the secrets of their subscriptions."""
        letters: list[_PendingEvent] = []
        for account_id in {row["account_id"] for row in rows}:
            mine = [row for row in rows if row["account_id"] == account_id]
            about = {row["subject"] for row in mine if Event(row["event"]).about_order}
            found = await orders.these(self._store, account_id, sorted(about))
            whose = {row["contact_id"] for row in found.values() if row["contact_id"]}
            crm = await contacts.crm_ids(self._store, account_id, sorted(whose))
            secrets = {each: await self._secrets(account_id, each) for each in {row["subscription_id"] for row in mine}}
            for row in mine:
                order = found.get(row["subject"])
                letters.append(
                    _PendingEvent(
                        row, order, crm.get(order["contact_id"]) if order else None, secrets[row["subscription_id"]]
                    )
                )
        return letters

    async def _secrets(self, account_id: str, subscription_id: str) -> tuple[str, ...]:
        found = await subscriptions.usable_secrets(self._store, account_id, subscription_id, clock.now())
        try:
            return tuple(self._vault.open(row["sealed"]) for row in found)
        except Sealed:
            return ()

    # -- Sent -------------------------------------------------------------------------------------------------------

    async def _one(self, letter: _PendingEvent) -> None:
        """Make one attempt, from the claim to its result."""
        at, began = clock.now(), monotonic()
        try:
            status, retry_after, reason = await self._sent(letter)
        except asyncio.CancelledError:  # waits for its receiver, not for the database
            self._late.append(letter.row)
            raise
        except Exception as fault:
            log.error(
                "an event could not be sent", event_id=letter.row["id"], fault=type(fault).__name__, exc_info=fault
            )
            status, retry_after, reason = None, None, f"a fault of ours ({type(fault).__name__}); it is in the log"
        finally:
            self._under_way -= 1
        first, most = self._tuning.event_per_subscription
        allowed = self._allowed.get(letter.row["subscription_id"], first)
        self._allowed[letter.row["subscription_id"]] = (
            min(allowed + 1, most) if reason is None else max(allowed // 2, 1)
        )
        self._ended.append(
            _ended(letter.row, at, int((monotonic() - began) * 1e6), status, reason, retry_after, self._tuning)
        )
        self._counts("delivered" if reason is None else "failed")

    async def _sent(self, letter: _PendingEvent) -> tuple[int | None, float | None, str | None]:
        """Send an event. Returns the status, the seconds to wait at least, and the reason why it was not accepted."""
        from app.background.http_client import Unreachable

        if not letter.secrets:
            return None, None, "it has no secret that counts and can be opened, and nothing is sent unsigned"
        if self._receivers is None:
            raise AssertionError("made before anything is claimed")
        shown = self._shown(letter.order, letter.crm_contact_id) if letter.order else None
        body = body_of(letter.row, shown)
        try:
            own = json.loads(self._vault.open(letter.row["headers"])) if letter.row["headers"] else {}
            headers = own | headers_of(letter.row["id"], body, letter.secrets)
            answer = await self._receivers.post(letter.row["url"], headers, body)
        except Sealed:
            return None, None, "its own headers cannot be opened with today's master key"
        except Unreachable as why:
            return None, None, str(why)
        return answer.status, answer.retry_after, _judged(answer.status)

    async def try_out(self, subscription: Row) -> AttemptEnded:
        """Send a sample of the first event that a subscription wants, now and once. Returns how that ended.

        The attempt is recorded, and changes nothing in how the subscription stands. Raises Unavailable.
        """
        if self._receivers is None:
            self._receivers = await asyncio.to_thread(self._client)
        at, began = clock.now(), monotonic()
        row = {
            **{name: subscription[name] for name in ("account_id", "url", "headers", "failures", "failing_since")},
            "subscription_id": subscription["id"],
            "id": new_id("evt"),
            "event": subscription["events"][0],
            "subject": SAMPLE["id"],
            "detail": to_json(
                {"test": True} | ({"order": SAMPLE} if Event(subscription["events"][0]).about_order else {})
            ),
            "occurred_at": at,
            "attempts": 0,
        }
        secrets = await self._secrets(subscription["account_id"], subscription["id"])
        status, _, reason = await self._sent(_PendingEvent(row, None, None, secrets))
        ended = AttemptEnded(row=row, at=at, took=int((monotonic() - began) * 1e6), status=status, reason=reason)
        await self._store.commit(lambda: outbox.record(ended))
        return ended


# What a test of a subscription sends: no order of anybody's.
SAMPLE: Mapping[str, Any] = {
    "id": "ord_00000000000000000000000000",
    "contact_id": None,
    "crm_contact_id": None,
    "deal_id": None,
    "title": "#1001 · Sample",
    "value": "398.00",
    "paid_value": "398.00",
    "refunded_value": "0.00",
    "currency": "BRL",
    "status": "paid",
    "source_status": "paid",
    "ordered_at": "2026-11-20T13:00:00Z",
    "paid_at": "2026-11-20T13:00:05Z",
    "origin": "commerce",
    "source_id": None,
    "external_id": "sample",
    "url": None,
    "test": True,
    "items": [{"title": "Sample", "quantity": 2, "unit_value": "199.00", "sku": None}],
    "created_at": "2026-11-20T13:00:00Z",
    "updated_at": "2026-11-20T13:00:05Z",
}


def body_of(row: Row, order: Mapping[str, Any] | None) -> bytes:
    """Return an event's body. `order` is the current order, or None if it no longer exists."""
    detail: dict[str, Any] = json.loads(row["detail"]) if row["detail"] else {}
    data: dict[str, Any]
    if row["event"] == Event.CONTACT_ERASED:
        data = {"contact_id": row["subject"], "merged": [], **detail}
    elif Event(row["event"]).about_order:
        data = {"order_id": row["subject"], "order": order, **detail}
    else:
        data = {"source_id": row["subject"], **detail}
    said = {"id": row["id"], "type": row["event"], "timestamp": clock.iso(row["occurred_at"]), "data": data}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(event_id: str, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of Standard Webhooks, signed with every valid secret, as of now."""
    sent_at = str(clock.now() // 1_000_000)
    signed = (SCHEME.expected(event_id, sent_at, body, secret).decode() for secret in secrets)
    return {
        "content-type": "application/json",
        "user-agent": "orders-registry",
        "webhook-id": event_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": " ".join(signed),
    }


GONE = 410


def _judged(status: int) -> str | None:
    """Return why this status is no success; None if it is one."""
    if 200 <= status < 300:
        return None
    if status == GONE:
        return "it answered that it is gone for good (HTTP 410), so nothing is sent there any more"
    if 300 <= status < 400:
        return f"it answered HTTP {status}; redirects are not followed"
    return f"it answered HTTP {status}"


def _ended(
    row: Row, at: int, took: int, status: int | None, reason: str | None, retry_after: float | None, tuning: Tuning
) -> AttemptEnded:
    """Return how an attempt ended, and when the next one is due."""
    if reason is None:
        return AttemptEnded(row=row, at=at, took=took, status=status, back=row["failures"] >= tuning.event_tired)
    if status == GONE:
        return AttemptEnded(row=row, at=at, took=took, status=status, reason=reason, off=True)
    present = clock.now()
    wait = doubled(row["attempts"], *tuning.retry_waits)
    rest = 0.0
    if row["failures"] + 1 >= tuning.event_tired:
        failing = (present - (row["failing_since"] or present)) / 1e6
        share, least, most = tuning.event_rest
        rest = min(max(failing * share, least), most)
    if retry_after is not None:
        wait, rest = max(wait, retry_after), max(rest, retry_after)
    return AttemptEnded(
        row=row,
        at=at,
        took=took,
        status=status,
        reason=reason,
        next_at=present + int(wait * 1e6),
        rests_until=present + int(rest * 1e6) if rest else 0,
    )
