"""Structure-aware: a sound body of each adapter with something hostile in it, proven as its source proves, at the front door.

Never a 5xx, never a fault of an adapter's (only Ignored and Unreadable), never more CPU than the budget. The same number
gives the same delivery.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

from adapters.contract import Adapter, Delivery, Unfetched, Unreadable, Unverified
from app.base import clock
from app.ingest.parse import read
from app.store.delivery_record import Receipt, Record
from tests.house import House
from tests.junk import BODIES, VALUES, WORDS
from tests.samples import Sample, samples, secret_for

MOST_CPU = 1.5  # seconds for one delivery, all threads of the process
Sizes = tuple[int, int, int]
LARGE: Sizes = (100, 3_000, 60_000)  # entries and characters; of lists and objects the first two
AGAIN = (
    2  # times: after a 503 it is sent again, as its source would; on a busy machine a commit may take longer than 4 s
)
MOST_PLACES = 2_000  # of a document that is made larger: what is in a large list already would be there as often again
HOSTILE: tuple[Any, ...] = (
    *VALUES,
    *("%40" * 500, "a" * 64 + "@" + "b" * 5_000, "+1" + " " * 500, "9" * 5_000, "\u202e", "٣", "＝1", "=cmd()"),
    *(-(10**15), 10**39, "1" * 39, "1,5", "1.500", "NaN", "Infinity", "2026-02-30", "9999-12-31T23:59:59Z"),
    *("../../v1", "https://[::1]/", "javascript:alert(1)", "' OR 1=1 --", "%s%n{0}", "\x1b[2J", "BRL", "JPY", "XXX"),
)
FAULTS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    Unverified,
)  # of a signature that needs a form


def deliveries(adapter_name: str, numbers: Sequence[int] | range) -> Iterator[tuple[Sample, Delivery]]:
    """A proven delivery for each of these numbers, but for those bodies that its source could not sign."""
    known = samples(adapter_name)
    for number in numbers:
        dice = random.Random(f"{adapter_name}/{number}")
        sample = dice.choice(known)
        delivery = sample.delivery.changed(body=hostile(sample.body, dice))
        present = clock.moment(clock.now())
        try:
            yield sample, sample.scheme.sign(delivery, secret_for(sample.adapter), present)
        except FAULTS:
            continue


def hostile(body: bytes, dice: random.Random, large: Sizes = LARGE) -> bytes:
    """Return the body (JSON or a form) with something hostile in it. Raises ValueError for what is neither."""
    if dice.random() < 0.05:
        return dice.choice(BODIES)
    try:
        document = json.loads(body)
    except ValueError:
        return _hostile_form(body, dice, large)
    for _ in range(dice.randint(1, 4)):
        places = list(islice(_places(document), MOST_PLACES + 1))
        if not 0 < len(places) <= MOST_PLACES:
            break
        container, key = dice.choice(places)
        container[key] = _something(container[key], dice, large)
    text = json.dumps(document, ensure_ascii=dice.random() < 0.5)
    return text.encode("utf-8", "surrogatepass" if dice.random() < 0.1 else "replace")


def _something(old: Any, dice: random.Random, large: Sizes) -> Any:
    """Another value, or the same one grown: longer, deeper, more often."""
    match dice.randrange(6):
        case 0 if isinstance(old, list):
            return [deepcopy(one) for one in old or [{}]] * dice.choice(large[:2])
        case 1 if isinstance(old, dict):
            return {
                **old,
                **{f"{dice.random()}": deepcopy(dice.choice(HOSTILE)) for _ in range(dice.choice(large[:2]))},
            }
        case 2 if isinstance(old, str):
            return old * (dice.choice(large) // (len(old) or 1) + 1)
        case 3:
            for _ in range(dice.choice((3, 60, 70))):
                old = [old]
            return old
    return deepcopy(dice.choice(HOSTILE))


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(document, dict | list):
        for key in list(document) if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from _places(document[key])


def _hostile_form(body: bytes, dice: random.Random, large: Sizes) -> bytes:
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(pairs))
        name, value = pairs[at]
        other = dice.choice((*WORDS, value * dice.choice(large[:2]), *map(str, HOSTILE)))
        pairs[at] = dice.choice(
            ((name, other), (f"{name}[]", value), (f"{name}[x][y]", other), (f"{name}[{name}", value))
        )
    return urlencode(pairs, errors="replace").encode()


class Door:
    """The front door of a registry with a source for each kind of options; what is committed is looked at."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.proven = 0  # deliveries whose signature was verified, and that came as far as the log
        self.slowest = 0.0  # seconds of CPU
        self.busy = 0  # answers that asked to come again
        self._sources: dict[str, str] = {}
        self._faults: list[str] = []
        house.service.group_commit.observers.append(self._committed)

    def _committed(self, records: Sequence[Record], receipts: Sequence[Receipt], seconds: float) -> None:
        self._faults += [str(rec.reason) for rec in records if failed(rec.reason)]
        self.proven += sum(not rec.again for rec in records)
        self._faults += [one.reason for one in receipts if one.reason and "could not store" in one.reason]

    async def send(self, sample: Sample, delivery: Delivery) -> list[str]:
        """Post it; return what is wrong with how it ended."""
        handled(sample.adapter, delivery, sample.options)
        options = sample.said.get("options", {})
        key = f"{sample.adapter_name} {options}"
        if key not in self._sources:
            secret = secret_for(sample.adapter)
            self._sources[key] = await self.house.source(sample.adapter_name, secret=secret, options=options)
        if sample.adapter_name == "square":  # it signs the address too
            now = clock.moment(clock.now())
            url = (await self.house.get(f"/v1/sources/{self._sources[key]}"))["webhook_url"]
            here = Delivery(body=delivery.body, headers=delivery.headers, received_at=now, url=url)
            delivery = sample.scheme.sign(here, secret_for(sample.adapter), now)
        status, taken = await self._post(self._sources[key], delivery)
        for _ in range(AGAIN):
            if status != 503:
                break
            self.busy += 1
            status, further = await self._post(self._sources[key], delivery)
            taken = max(taken, further)
        said, self._faults = self._faults, []
        if status not in (200, 401, 413):
            said.append(f"HTTP {status}")
        if taken > MOST_CPU:
            said.append(f"{taken:.1f} s of CPU")
        self.slowest = max(self.slowest, taken)
        return said

    async def _post(self, source: str, delivery: Delivery) -> tuple[int, float]:
        """Return the status, and the CPU in seconds."""
        begun = time.process_time()
        answer = await self.house.deliver(source, delivery)
        return answer.status_code, time.process_time() - begun

    async def fetched(self, sample: Sample, number: int) -> list[str]:
        """Read the sample with something hostile in what its source's API answered."""
        if sample.fetched is None:
            return []
        dice = random.Random(f"{sample.adapter_name}/fetched/{number}")
        key = f"{sample.adapter_name} {sample.said.get('options', {})}"
        source = await self.house.service.source_cache.source(self._sources[key])
        if source is None:
            return ["its source is gone"]
        document: bytes | Unfetched = hostile(sample.fetched, dice)
        begun = time.process_time()
        rec = read(source, sample.delivery, clock.now(), document=document)
        taken = time.process_time() - begun
        said = [str(rec.reason)] if failed(rec.reason) else []
        return said + ([f"{taken:.1f} s of CPU"] if taken > MOST_CPU else [])


def handled(adapter: Adapter[Any], delivery: Delivery, options: Any) -> None:
    """Whatever an adapter does beside reading, where a fault would not be seen: nothing but the declared may come out."""
    adapter.handshake(delivery)
    adapter.delivery_id_of(delivery, options)
    with suppress(Unreadable):
        adapter.document_for(delivery, options)


def failed(reason: str | None) -> bool:
    """Whether a delivery was kept unread because its adapter raised what it does not declare."""
    return reason is not None and reason.startswith("a fault of the adapter")
