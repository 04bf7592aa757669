"""Cache of sources (with their secrets opened) and of tokens, for half a second.

So a revoked secret or token is rejected within a second in every process. A process sees its own changes at once.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

import adapters
from adapters.contract import Adapter, Proof
from app.base.settings import Settings
from app.base.tuning import Tuning
from app.base.vault import Vault
from app.db.engine import Store, Unavailable
from app.store import accounts, fetches, sources
from app.store.accounts import Bearer

_SOURCE_ID = re.compile(r"src_[0-9A-Z]{26}")  # a stranger's other words need no look-up
LONGEST_TOKEN = 200  # characters; ours have fewer

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Holds a source as intake needs it."""

    account_id: str
    id: str
    name: str
    adapter: Adapter[Any]
    options: Any
    enabled: bool
    account_enabled: bool
    anybody_erased: bool  # in the account
    region: str  # where a phone without a country code is read
    currency: str
    hold: bool
    url: str
    secrets: tuple[tuple[str, int | None], ...]  # opened; with the time at which each ends
    sealed_key: str | None
    nobodys: frozenset[str] = frozenset()  # e-mails, phones and documents that are nobody's

    @cached_property
    def proof(self) -> Proof:
        """Return what the signature of this source proves."""
        return self.adapter.proof(self.options)

    def usable_secrets(self, now: int) -> list[str]:
        """Return the secrets that are valid now, newest first."""
        return [secret for secret, ends in self.secrets if ends is None or ends > now]


class _Cached(Generic[T]):
    """Caches the results of a look-up, misses too, for a moment. Simultaneous callers share one look-up."""

    def __init__(self, look_up: Callable[[str], Awaitable[T]], tuning: Tuning) -> None:
        self._look_up, self._tuning = look_up, tuning
        self._known: dict[str, tuple[float, T]] = {}
        self._asking: dict[str, asyncio.Task[T]] = {}
        self._swept_at = 0.0

    def known(self, word: str) -> tuple[float, T] | None:
        """Return what is cached, with the time until which it is valid."""
        found = self._known.get(word)
        return found if found and found[0] > time.monotonic() else None

    async def get(self, word: str) -> T:
        """Return the result, cached or looked up."""
        if found := self.known(word):
            return found[1]
        asking = self._asking.get(word)
        if asking is None:
            asking = self._asking[word] = asyncio.create_task(self._ask(word))
        # Whoever asked first may go away; the others still wait.
        return await asyncio.shield(asking)

    async def _ask(self, word: str) -> T:
        # The moment counts from before the look-up: what changes meanwhile must not be remembered for longer.
        asked_at = time.monotonic()
        mine = asyncio.current_task()
        try:
            async with asyncio.timeout(self._tuning.source_cache_look_up):
                answer = await self._look_up(word)
            if self._asking.get(word) is mine:
                self._make_room(asked_at)
                self._known[word] = (asked_at + self._tuning.source_cache_remembers, answer)
            return answer
        except TimeoutError as fault:
            raise Unavailable(fault) from fault
        finally:
            if self._asking.get(word) is mine:
                del self._asking[word]

    def _make_room(self, present: float) -> None:
        if present - self._swept_at > self._tuning.source_cache_remembers:
            self._swept_at = present
            self._known = {word: found for word, found in self._known.items() if found[0] > present}
        if len(self._known) >= self._tuning.source_cache_most:
            self._known.clear()

    def forget(self, word: str | None = None) -> None:
        """Drop one result, or everything; also look-ups that are running."""
        for remembered in (self._known, self._asking):
            if word is None:
                remembered.clear()
            else:
                remembered.pop(word, None)


class SourceCache:
    """Looks up sources and tokens for one process."""

    def __init__(self, store: Store, vault: Vault, settings: Settings, tuning: Tuning) -> None:
        self._store, self._vault, self._settings, self._tuning = store, vault, settings, tuning
        self._sources: _Cached[Source | None] = _Cached(self._find_source, tuning)
        self._bearers: _Cached[Bearer | None] = _Cached(lambda hash_: accounts.bearer(store, hash_), tuning)
        self._sessions: _Cached[Bearer | None] = _Cached(self._find_bearer, tuning)
        self._crowded: _Cached[bool] = _Cached(self._find_crowded, tuning)

    async def source(self, source_id: str) -> Source | None:
        """Return the source with this id, of any account. Raises Unavailable, Sealed."""
        return await self._sources.get(source_id) if _SOURCE_ID.fullmatch(source_id) else None

    def source_at_once(self, source_id: str) -> Source | None:
        """Return the source if it is cached. None says nothing."""
        return found[1] if (found := self._sources.known(source_id)) else None

    async def bearer(self, token: str) -> Bearer | None:
        """Return who holds this token. A token is remembered by its hash, a wrong one too. Raises Unavailable."""
        if len(token) > LONGEST_TOKEN:
            return None
        return await self._bearers.get(accounts.hashed(token))

    async def bearer_of(self, account_id: str, token_id: str) -> Bearer | None:
        """Return who holds the token with this id, for a console session. Raises Unavailable."""
        return await self._sessions.get(f"{account_id}/{token_id}")

    async def _find_bearer(self, word: str) -> Bearer | None:
        return await accounts.bearer_of(self._store, *word.split("/", 1))

    async def crowded(self, source: Source) -> bool:
        """Return whether so much that nobody signed waits for its order that no more is taken. Raises Unavailable."""
        return await self._crowded.get(f"{source.account_id}/{source.id}")

    async def _find_crowded(self, word: str) -> bool:
        account_id, _, source_id = word.partition("/")
        return await fetches.crowded(self._store, account_id, source_id, self._tuning.fetch_unproven)

    async def fresh(self, source_id: str) -> Source | None:
        """Return the source as it is in the store now. Raises Unavailable, Sealed."""
        self.forget_source(source_id)
        return await self.source(source_id)

    def forget_source(self, source_id: str) -> None:
        """Drop one source: this process has changed it."""
        self._sources.forget(source_id)

    def forget(self) -> None:
        """Drop everything: this process has changed an account, a token, or what seals every secret."""
        self._sources.forget()
        self._bearers.forget()
        self._sessions.forget()

    def webhook_url(self, source_id: str) -> str:
        """Return a source's webhook URL."""
        return f"{self._settings.webhooks_at}/webhooks/{source_id}"

    async def _find_source(self, source_id: str) -> Source | None:
        found = await sources.for_intake(self._store, source_id)
        if found is None:
            return None
        row, secrets = found
        adapter = adapters.load(row["adapter"])
        options = options_of(adapter, row["options"])
        return Source(
            account_id=row["account_id"],
            id=row["id"],
            name=row["name"],
            adapter=adapter,
            options=options,
            enabled=row["enabled"],
            account_enabled=row["orders_enabled"],
            anybody_erased=row["anybody_erased"],
            region=options.region or row["default_region"],
            nobodys=frozenset(json.loads(row["not_identities"])),
            currency=row["default_currency"],
            hold=row["unknown_contacts"] == "hold",
            url=self.webhook_url(row["id"]),
            secrets=tuple((self._vault.open(secret["sealed"]), secret["expires_at"]) for secret in secrets),
            sealed_key=row["key"],
        )


def options_of(adapter: Adapter[Any], given: dict[str, Any]) -> Any:
    """Return the options as the adapter's model.

    They were validated when they were saved, by the adapter of that day.
    """
    try:
        return adapter.options.model_validate(given)
    except ValidationError:
        return adapter.options.model_construct(**given)
