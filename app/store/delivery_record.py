"""What goes into the group commit (a verified delivery with its statements), and what comes out (a receipt)."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

try:
    from isal import isal_zlib as deflate  # the same format, in less than half the time, and gentle to the caches
except ImportError:  # pragma: no cover - a machine for which it is not built
    import zlib as deflate  # type: ignore[no-redef]

from app.base.blanking import blanked
from app.base.identity import mentioned
from app.base.outcome import Outcome
from app.base.statement import CrmContact, ShopCustomer, Statement

SAMPLE = "sample"  # the note on what this registry signed and sent itself: no sum counts it, and no alarm hears of it
NOT_A_SAMPLE = f"notes NOT LIKE '%\"{SAMPLE}\"%'"


class Record(Struct, kw_only=True):
    """Holds a verified delivery and what its adapter made of it, ready to be committed.

    `outcome` is set if it is already decided (ignored, unreadable, fetching); else `statements` decide. With `again`,
    the delivery is in the log already, and its old statements are removed first.
    """

    account_id: str
    source_id: str
    origin: str
    hold: bool
    delivery_id: str
    dedupe_key: str
    digest: str
    kind: str
    strength: str
    received_at: int
    content: bytes = b""  # `packed`
    mentioned: Sequence[tuple[str, str]] | None = None  # whom `content` names; None: it was not searched yet
    source_delivery_id: str | None = None  # the source's own id of it
    external_id: str | None = None
    people: Sequence[CrmContact] = ()  # what a CRM says of its contacts
    customers: Sequence[ShopCustomer] = ()  # what a shop says of its customers, apart from any order
    privacy: tuple[str, int] | None = None  # a privacy request, and when it is due
    path: str = ""  # where a thin delivery's order is read
    asked_at: int | None = None  # when its source began to be asked; what came since is asked for again
    statements: Sequence[Statement] = ()
    outcome: Outcome | None = None
    reason: str | None = None
    notes: list[str] = field(default_factory=list)
    again: bool = False
    was: str | None = None  # how it ended the last time, when it is taken up again; the commit looks that up itself

    def search(self) -> None:
        """Find out whom the delivery names. It takes a while with a large one, and has no place in a transaction.

        What names more people than can be looked for is not kept: an erased one may be among them.
        """
        found = mentioned(zlib.decompress(self.content).decode(errors="replace"))
        if found is None:
            self.content = b""
            self.reason = f"{self.reason or ''}; its body names too many people to be kept".removeprefix("; ")
        self.mentioned = found or ()

    @property
    def sample(self) -> bool:
        """Return whether this registry signed and sent it itself."""
        return SAMPLE in self.notes

    @property
    def repeats_are_news(self) -> bool:
        """Return whether the same bytes may mean another change: true for a thin delivery without an id of its own."""
        return self.outcome is Outcome.FETCHING and self.dedupe_key.startswith("digest:")


class Receipt(Struct, frozen=True):
    """Holds what became of a delivery. Valid once its transaction has committed."""

    delivery_id: str
    outcome: Outcome
    orders: tuple[str, ...]
    reason: str | None = None


def packed(body: bytes, envelope: Mapping[str, Any]) -> bytes:
    """Return the stored form of a delivery: the exact body, and {"headers": …, "query": …}, compressed.

    It is one line of JSON, then the body: together they compress better and faster than apart.
    """
    return deflate.compress(msgspec.json.encode(envelope) + b"\n" + body, 1)


def unpacked(content: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return the body, and the headers and query."""
    head, _, body = zlib.decompress(content).partition(b"\n")
    return body, msgspec.json.decode(head)


def blanked_content(content: bytes, words: Iterable[tuple[str, str]], names: Iterable[str | None] = ()) -> bytes:
    """Return a delivery's stored form without these identities and names."""
    return deflate.compress(blanked(zlib.decompress(content), words, names), 1)
