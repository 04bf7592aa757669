"""Stories: sequences of deliveries, sent to the whole application, and the orders that they should end as.

A story is a folder with a `scenario.json` and the bodies that it names. The project's own are in `tests/stories`, others in
the folder that ORDERS_TEST_SCENARIOS names, or `../shared/scenarios` beside the checkout (`outside.py`).
`tests/stories/README.md` explains the fields.

    python -m tests.scenarios [FOLDER] [--only NAME…] [--engine sqlite|postgresql]

prints what came of each, and exits with 1 when one ended wrong. `--only` takes parts of names: `--only stripe`.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
import respx
from pydantic import BaseModel, ConfigDict, Field

import adapters
from adapters.contract import Delivery, Header
from app.base import clock, log
from app.base.settings import Settings, read_settings
from app.base.vault import make_key
from app.db.migrate import migrate
from tests import outside
from tests.house import House, eventually
from tests.samples import DIGITS, OTHER_DIGITS, secret_for

OWN = Path(__file__).parent / "stories"
OPEN = Path(__file__).with_name("stories_open.txt")

KEY, CLIENT = (
    "a-made-up-key",
    "a-made-up-id:a-made-up-secret",
)  # what a source's API is shown where a story names no key
MOST_PAIRED = 6  # lists up to this length are compared in any order

Json = Any
Fields = dict[str, Json]
Call = tuple[str, str] | tuple[str, str, Json]  # method, path, body


class Wrong(AssertionError):
    """A story that ends otherwise than it should."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Sent(_Strict):
    """One delivery of a story."""

    body: str
    kind: str | None = None
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    fetched: dict[str, Json] = {}
    another_source: bool | str = False  # which other source of the same adapter sends it; true: the second
    before: list[Call] = Field([], strict=False)


class Person(_Strict):
    """A contact as it should be."""

    name: str | None = None
    has: list[str] = []
    lacks: list[str] = []


class OrdersOrReason(_Strict):
    """Either these orders, or a last delivery whose reason has one of these words."""

    orders: list[Fields] | None = None
    reason_has: list[str] = []


class Expected(_Strict):
    """How a story should end. What is None is not asked."""

    orders: list[Fields] | None = None
    orders_any: list[list[Fields]] | None = None
    orders_not: list[Fields] | Fields | None = None
    orders_or_reason: OrdersOrReason | list[Fields] | Literal[True] | None = None
    net: dict[str, str] | None = None
    contacts: list[Person] | None = None
    lacks: list[str] | None = None
    note: bool | str | None = None
    reason_has: list[str] | None = None
    found_by: str | None = None
    items_at_least: int | None = Field(None, gt=0)
    not_below_zero: Literal[True] | None = None


class Story(Expected):
    """A `scenario.json`. A name that is not here is an error: an expectation must not be passed over."""

    source: str
    options: Fields = {}
    unknown_contacts: Literal["create", "hold"] = "create"
    key: str | None = None
    before: list[Call] = Field([], strict=False)
    deliveries: list[Sent] = Field(min_length=1)
    times: int = Field(1, gt=0)
    # For who reads it.
    why: str | None = None
    fact: str | None = None
    certainty: str | None = None
    kind: str | None = None
    right: str | None = None
    seen: Json = None
    faults: Json = None

    _folder: Path = Path()

    @property
    def name(self) -> str:
        return self._folder.name

    def asked(self) -> dict[str, Json]:
        """The expectations that the story names, each with what it wants."""
        return {name: wanted for name in Expected.model_fields if (wanted := getattr(self, name)) is not None}

    def body(self, sent: Sent) -> bytes:
        return (self._folder / sent.body).read_bytes()


def read(folder: Path) -> Story:
    """The story of a folder. Raises ValueError for one that nothing could be held to."""
    story = Story.model_validate_json((folder / "scenario.json").read_bytes())
    story._folder = folder
    if not story.asked() and story.name not in IN_WORDS:
        raise ValueError(f"{folder}: the story does not say how it should end")
    return story


def stories(*folders: Path) -> list[Path]:
    """The folders of stories in these; of those in the usual places when none is named."""
    usual = [folder for folder in (OWN, outside.folder("scenarios")) if folder]
    found = (file.parent for folder in folders or usual for file in folder.glob("*/scenario.json"))
    return sorted(found, key=lambda folder: folder.name)


def still_open() -> dict[str, str]:
    """The stories that are known to end wrong, each with the reason."""
    lines = [line for line in OPEN.read_text().splitlines() if line and not line.startswith("#")]
    return {name: why for name, why in (line.split(": ", 1) for line in lines)}


# -- Run ----------------------------------------------------------------------------------------------------------


class SourcesApi:
    """The APIs of all sources: answers by path, 404 for what the story does not hold; a token for client credentials."""

    def __init__(self) -> None:
        self.answers: dict[str, Json] = {}
        self.lacked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        whole = request.url.raw_path.decode()
        if request.method == "POST" and b"client_credentials" in request.content:
            return httpx.Response(200, json={"access_token": "a-made-up-token", "expires_in": 3600})
        for path in (whole, request.url.path):
            if path in self.answers:
                return httpx.Response(200, json=self.answers[path])
        self.lacked.append(f"{request.method} {whole}")
        return httpx.Response(404)


@contextmanager
def sources_api() -> Iterator[SourcesApi]:
    """What every request to another machine meets."""
    api = SourcesApi()
    with respx.mock(assert_all_called=False) as router:
        router.route().mock(side_effect=api)
        yield api


class Run:
    """One run of a story, in an account of its own.

    The second has a blank behind each JSON body, the third two: they mean the same, and all digests are others.
    """

    def __init__(self, house: House, api: SourcesApi, story: Story, time: int) -> None:
        self._house, self._api, self.story = house, api, story
        self._blanks = b" " * (time - 1)
        self._adapter = adapters.load(story.source)
        self._sources: dict[bool | str, tuple[str, str, str]] = {}
        self.last: Fields = {}  # the last delivery

    async def send(self) -> None:
        """All deliveries, one after the other. Raises Wrong when something is refused."""
        await self._call_all(self.story.before)
        await self._source(False)
        for sent in self.story.deliveries:
            await self._call_all(sent.before)
            self._api.answers.update(sent.fetched)
            source_id, url, secret = await self._source(sent.another_source)
            answer = await self._house.deliver(source_id, self._signed(sent, url, secret))
            _accepted(answer, sent.body)
            await eventually(self._waiting, lambda found: not found)
            if self._adapter.answer is None:
                delivery_id = answer.json()["delivery_id"]
            else:  # the source insists on words of its own
                delivery_id = (await self._house.data("/v1/deliveries?limit=1"))[0]["id"]
            self.last = await self._house.get(f"/v1/deliveries/{delivery_id}")

    async def _call_all(self, calls: Sequence[Call]) -> None:
        for method, path, *body in calls:
            _accepted(await self._house.call(method, path, *body), f"{method} {path}")
            await self._house.service.held.sweep()  # which it would do by itself, soon

    async def _waiting(self) -> list[Any]:
        return await self._house.service.store.all(
            "SELECT delivery_id FROM fetches WHERE account_id = :account_id", account_id=self._house.account_id
        )

    async def _source(self, which: bool | str) -> tuple[str, str, str]:
        """Id, address and secret of the story's source, or of another one like it."""
        if which not in self._sources:
            secret = secret_for(self._adapter, OTHER_DIGITS if which else DIGITS)
            given = {
                "adapter": self.story.source,
                "name": f"{self.story.source} {which}",
                "secret": secret,
                "options": self.story.options,
                "unknown_contacts": self.story.unknown_contacts,
            }
            key = self.story.key
            if key is None and (api := self._adapter.api) is not None:
                key = CLIENT if api.token_path else KEY
            if key is not None:
                given["key"] = key
            made = _accepted(await self._house.call("POST", "/v1/sources", given), "POST /v1/sources").json()
            self._sources[which] = made["source_id"], made["webhook_url"], secret
        return self._sources[which]

    def _signed(self, sent: Sent, url: str, secret: str) -> Delivery:
        """The delivery as its source would send it now."""
        headers = {name.lower(): value.replace("<secret>", secret) for name, value in sent.headers.items()}
        if sent.kind is not None:
            if not isinstance(self._adapter.kind, Header):
                raise ValueError(f"{self.story.source} does not name a delivery's kind in a header")
            headers[self._adapter.kind.names[0]] = sent.kind
        now = clock.moment(clock.now())
        body = self.story.body(sent)
        if self._adapter.body == "json":
            body += self._blanks
        unsigned = Delivery(body=body, headers=headers, query=sent.query or None, received_at=now, url=url)
        options = self._adapter.options.model_validate(self.story.options)
        return self._adapter.scheme(options).sign(unsigned, secret, now)

    # -- What came of it --

    async def orders(self, query: str = "") -> list[Fields]:
        """All orders, or those that a search finds, each as `GET /v1/orders/{id}` shows it."""
        found = await self._house.data(f"/v1/orders?limit=200&{urlencode({'q': query} if query else {})}")
        return [await self._house.get(f"/v1/orders/{order['id']}") for order in found]

    @property
    def brings_contacts(self) -> bool:
        """Whether the adapter brings contacts instead of orders."""
        return self._adapter.brings == "contacts"

    async def contacts(self) -> list[Fields]:
        """The contacts that have orders. An adapter that brings none brings contacts: those that the story names."""
        ids = {order["contact_id"]: None for order in await self.orders() if order["contact_id"]}
        if self.brings_contacts:
            for name in (name for person in self.story.contacts or () for name in (*person.has, *person.lacks)):
                for by in ("crm_id", "email", "phone", "document"):
                    answer = await self._house.call("GET", f"/v1/contacts?{urlencode({by: name})}")
                    if answer.status_code == 200:
                        ids |= {one["id"]: None for one in answer.json()["data"]}
        return [await self._house.get(f"/v1/contacts/{contact_id}") for contact_id in ids]

    async def net(self) -> dict[str, Decimal]:
        """The sum of the contacts' summaries by currency."""
        total: dict[str, Decimal] = {}
        for contact in await self.contacts():
            for one in (await self._house.get(f"/v1/contacts/{contact['id']}/summary"))["currencies"]:
                total[one["currency"]] = total.get(one["currency"], Decimal(0)) + Decimal(one["net"])
        return total


def _accepted(answer: httpx.Response, what: str) -> httpx.Response:
    """The answer, when it is a yes. Raises Wrong for a refusal; a failure of ours fails even where a story is open."""
    assert answer.status_code < 500, (what, answer.status_code, answer.text)
    if answer.status_code >= 300:
        raise Wrong(f"{what}: HTTP {answer.status_code} {answer.text}")
    return answer


# -- Expected -----------------------------------------------------------------------------------------------------


def differences(found: Json, wanted: Json, where: str = "") -> list[str]:
    """What is not as wanted: an object has at least these fields, a list exactly these entries, in any order."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        lines = []
        for name, value in wanted.items():
            path = f"{where}.{name}".lstrip(".")
            lines += differences(found[name], value, path) if name in found else [f"{path}: is not there"]
        return lines
    if isinstance(wanted, list) and isinstance(found, list):
        if len(found) != len(wanted):
            return [f"{where}: {len(found)} instead of {len(wanted)}{_listed(found)}"]
        orders = permutations(found) if len(found) <= MOST_PAIRED else [found]
        paired = (
            [line for one, want in zip(order, wanted, strict=True) for line in differences(one, want, where)]
            for order in orders
        )
        return min(paired, key=len, default=[])
    return [] if found == wanted and type(found) is type(wanted) else [f"{where}: {found!r} instead of {wanted!r}"]


def _listed(found: Sequence[Json]) -> str:
    return "".join(f"; {shown(one)}" for one in found)


def shown(one: Json) -> str:
    """An order or a contact on one line."""
    if not isinstance(one, dict):
        return repr(one)
    if "refunded_value" in one:
        return f"{one['external_id']} {one['status']} ({one['source_status']}) {one['value']} {one['currency']}, back {one['refunded_value']}"
    if "identities" in one:
        return f"{one['name']} ({', '.join(_identities(one))})"
    return json.dumps(one, ensure_ascii=False)


def _identities(contact: Fields) -> list[str]:
    return [one["value"] for one in contact["identities"]]


def _any_word(reason: str | None, words: Sequence[str]) -> bool:
    return any(word.casefold() in (reason or "").casefold() for word in words)


async def _nothing_done(run: Run) -> list[str]:
    """Where there is no order, that must be meant: ignored, or with a reason that the story asks for."""
    meant = {"ignored"} | ({"unreadable"} if run.story.orders_or_reason or run.story.reason_has else set())
    if run.brings_contacts or run.last["outcome"] in meant or await run.orders():
        return []
    return [f"there is no order, and the last delivery is {run.last['outcome']}"]


async def _orders(run: Run, wanted: list[Fields]) -> list[str]:
    return differences(await run.orders(), wanted, "orders")


async def _orders_any(run: Run, wanted: list[list[Fields]]) -> list[str]:
    found = await run.orders()
    return min((differences(found, one, "orders") for one in wanted), key=len, default=["orders_any: names none"])


async def _orders_not(run: Run, wanted: list[Fields] | Fields) -> list[str]:
    found = await run.orders()
    unwanted = [wanted] if isinstance(wanted, dict) else wanted
    return [
        f"orders: {shown(one)} is there" for one in found for not_this in unwanted if not differences(one, not_this)
    ]


async def _orders_or_reason(run: Run, wanted: OrdersOrReason | list[Fields] | bool) -> list[str]:
    found, reason = await run.orders(), run.last["reason"]
    if isinstance(wanted, OrdersOrReason):
        if _any_word(reason, wanted.reason_has):
            return []
        if wanted.orders is None:
            return [] if found else [f"neither an order nor such a reason: {reason!r}"]
        return differences(found, wanted.orders, "orders")
    if reason or (wanted is True and found):
        return []
    return differences(found, wanted, "orders") if isinstance(wanted, list) else ["neither an order nor a reason"]


async def _net(run: Run, wanted: dict[str, str]) -> list[str]:
    found = {currency: total for currency, total in (await run.net()).items() if total or currency in wanted}
    lines = [] if await run.orders() else ["orders: there is none"]
    return (
        lines
        + differences(found, {currency: Decimal(total) for currency, total in wanted.items()}, "net")
        + [f"net: {total} {currency} too much" for currency, total in found.items() if currency not in wanted]
    )


async def _contacts(run: Run, wanted: list[Person]) -> list[str]:
    found = await run.contacts()
    if len(found) != len(wanted):
        return [f"contacts: {len(found)} instead of {len(wanted)}{_listed(found)}"]
    paired = (
        [line for one, want in zip(order, wanted, strict=True) for line in _person(one, want)]
        for order in permutations(found)
    )
    return min(paired, key=len)


def _person(found: Fields, wanted: Person) -> list[str]:
    known = _identities(found)
    lines = [f"contact {found['name']}: has no {one}, but {known}" for one in wanted.has if one not in known]
    lines += [f"contact {found['name']}: has {one}" for one in wanted.lacks if one in known]
    if wanted.name is not None and found["name"] != wanted.name:
        lines.append(f"contact: called {found['name']!r} instead of {wanted.name!r}")
    return lines


async def _lacks(run: Run, wanted: list[str]) -> list[str]:
    lines = [] if await run.orders() else ["orders: there is none"]
    return lines + [
        f"contact {contact['name']}: has {one}"
        for contact in await run.contacts()
        for one in wanted
        if one in _identities(contact)
    ]


async def _note(run: Run, wanted: bool | str) -> list[str]:
    found = run.last["notes"]
    if wanted in found if isinstance(wanted, str) else bool(found) is wanted:
        return []
    return [
        f"the last delivery's notes: {found} instead of {wanted if isinstance(wanted, str) else 'one' if wanted else 'none'}"
    ]


async def _reason_has(run: Run, wanted: list[str]) -> list[str]:
    reason = run.last["reason"]
    return [] if _any_word(reason, wanted) else [f"the last delivery's reason: {reason!r} has none of {wanted}"]


async def _found_by(run: Run, wanted: str) -> list[str]:
    return [] if await run.orders(wanted) else [f"no order is found by {wanted!r}"]


async def _items_at_least(run: Run, wanted: int) -> list[str]:
    found = await run.orders()
    lines = [] if found else ["orders: there is none"]
    return lines + [
        f"{shown(one)}: {len(one['items'])} items instead of {wanted}" for one in found if len(one["items"]) < wanted
    ]


async def _not_below_zero(run: Run, wanted: bool) -> list[str]:
    found = await run.orders()
    lines = [] if found else ["orders: there is none"]
    lines += [
        f"{shown(one)}: more back than it is worth"
        for one in found
        if not Decimal(0) <= Decimal(one["refunded_value"]) <= Decimal(one["value"])
    ]
    return lines + [f"net: {total} {currency}" for currency, total in (await run.net()).items() if total < 0]


async def _name_with_the_order(name: str, run: Run) -> list[str]:
    """The buyer's name stands in the order, or is that of its contact."""
    found = await run.orders()
    if len(found) != 1:
        return [f"orders: {len(found)} instead of 1"]
    seen = name in json.dumps(found, ensure_ascii=False) or name in [one["name"] for one in await run.contacts()]
    return [] if seen else [f"{name!r} is not seen with the order"]


CHECKS: dict[str, Callable[[Run, Any], Any]] = {
    "orders": _orders,
    "orders_any": _orders_any,
    "orders_not": _orders_not,
    "orders_or_reason": _orders_or_reason,
    "net": _net,
    "contacts": _contacts,
    "lacks": _lacks,
    "note": _note,
    "reason_has": _reason_has,
    "found_by": _found_by,
    "items_at_least": _items_at_least,
    "not_below_zero": _not_below_zero,
}
# Stories whose `scenario.json` says only in words (`right`) how they end.
IN_WORDS: dict[str, Callable[[Run], Any]] = {
    "shopify-name-only": partial(_name_with_the_order, "Walk In"),
}


async def play(house: House, api: SourcesApi, story: Story) -> list[str]:
    """Runs the story as often as it says; gives what did not end as it should."""
    lines: list[str] = []
    for time in range(1, story.times + 1):
        api.answers, api.lacked = {}, []
        run = Run(await house.another(f"{story.name} {time}"), api, story, time)
        try:
            await run.send()
        except Wrong as why:
            return [str(why)]
        wrong = await _nothing_done(run)
        wrong += [line for name, wanted in story.asked().items() for line in await CHECKS[name](run, wanted)]
        if story.name in IN_WORDS:
            wrong += await IN_WORDS[story.name](run)
        if wrong:
            last = run.last
            wrong.append(f"the last delivery: {last['outcome']} {last['reason'] or ''}".rstrip())
            wrong += [f"the source's API was asked for more than the story holds: {one}" for one in api.lacked]
        lines += [f"time {time}: {line}" if story.times > 1 else line for line in wrong]
    return lines


# -- By hand ------------------------------------------------------------------------------------------------------


@contextmanager
def database(engine: str) -> Iterator[Settings]:
    """The settings of a new database on the engine."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield read_settings(database_url=f"sqlite:///{folder}/orders.db")
        return
    from tests.conftest import postgresql_server

    with postgresql_server() as address:
        yield read_settings(database_url=address, master_key=make_key())


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[House, SourcesApi]]:
    """The whole application, with the sources' APIs around it."""
    with sources_api() as api:
        async with House(settings) as house:
            yield house, api


async def report(settings: Settings, folders: Sequence[Path]) -> int:
    """Prints a line a story; gives how many ended wrong."""
    wrong = 0
    width = max(len(folder.name) for folder in folders)
    await migrate(settings)
    async with running(settings) as (house, api):
        for folder in folders:
            try:
                story = read(folder)
            except ValueError as why:
                kind, lines = None, [str(why)]
            else:
                kind, lines = story.kind, await play(house, api, story)
            wrong += bool(lines)
            print(f"{folder.name:{width}}  {kind or '':4} {'WRONG' if lines else 'right'}")
            for line in lines:
                print(f"{'':{width}}       {line}")
    print(f"{len(folders)} stories, {wrong} wrong")
    return wrong


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="of stories, or a story; else those of the tests")
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME", help="parts of stories' names")
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    asked = parser.parse_args()
    if asked.folder is None:
        found = stories()
    elif (asked.folder / "scenario.json").is_file():
        found = [asked.folder]
    else:
        found = stories(asked.folder)
    found = [folder for folder in found if any(part in folder.name for part in asked.only)]
    if not found:
        print("there is no such story", file=sys.stderr)
        return 2
    log.set_up(as_json=False, least=logging.ERROR)
    with database(asked.engine) as settings:
        return 1 if asyncio.run(report(settings, found)) else 0


if __name__ == "__main__":
    sys.exit(main())
