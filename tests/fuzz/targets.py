"""What the coverage-guided half runs, and the tests run again over its corpus: `verify`, reading, every parser.

A target takes bytes and raises nothing but what its subject declares, within MOST_CPU. The corpus is made from the samples;
whatever was found is kept in the folder `found`, a file an input, named after its target.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

import adapters
from adapters.contract import (
    Customer,
    Delivery,
    Iso,
    IsoOrBlank,
    Milliseconds,
    Money,
    Seconds,
    Unreadable,
    Unverified,
    names_another,
)
from adapters.contract.delivery import form_body, json_answer, json_body
from adapters.contract.rsa import jws_parts
from adapters.generic.expressions import Search, compiled
from adapters.generic.options import GenericOptions
from app.base import clock
from app.base.amounts import read_amount
from app.base.identity import identities_told, mentioned
from app.base.tabular import CSV, JSONL, NoFile, parts
from app.db.statements import to_json
from app.imports import presets
from app.imports.cells import time_of
from app.imports.rows import ContactReader, ImportSettings, OrderReader
from app.ingest.parse import read
from app.ingest.proof import proven
from app.ingest.signature_help import KnownSecret, examine
from app.ingest.source_cache import Source
from app.web import application as _application  # noqa: F401  # has imported every request's model
from app.web.http.errors import Problem
from app.web.http.request import Body, _read, after
from tests.fuzz.inside import failed, handled
from tests.junk import BODIES, VALUES, WORDS
from tests.samples import RECEIVED_AT, URL, Sample, samples, secret_for

FOUND = Path(__file__).parent / "found"
MOST_CPU = 1.0  # seconds for one input of at most 8 KB, at the best of TRIES: what disturbs, disturbs upwards
TRIES = 3
AT = clock.micros(RECEIVED_AT)
ZONE = ZoneInfo("America/Sao_Paulo")


@dataclass(frozen=True, slots=True)
class Target:
    """One subject, and the inputs that its fuzzing begins with."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]


class OverBudget(Exception):
    """An input takes more CPU than any may."""


def check(name: str, data: bytes) -> None:
    """Run one input. Raises what its target does not declare, and OverBudget."""
    taken = float("inf")
    for _ in range(TRIES):
        begun = time.thread_time()
        TARGETS[name].run(data)
        taken = min(taken, time.thread_time() - begun)
        if taken <= MOST_CPU:
            return
    raise OverBudget(f"{taken:.1f} s of CPU for {len(data)} bytes")


def target_of(file: Path) -> str:
    """Return the target of an input in the folder `found`, which its name begins with."""
    return file.name.rpartition("-")[0].replace("-", " ")


# -- Deliveries ----------------------------------------------------------------------------------------------------


def _source(sample: Sample) -> Source:
    return Source(
        account_id="acc_1",
        id="src_1",
        name="fuzzed",
        adapter=sample.adapter,
        options=sample.options,
        enabled=True,
        account_enabled=True,
        anybody_erased=True,
        region="BR",
        currency="BRL",
        hold=False,
        url=URL,
        secrets=((secret_for(sample.adapter), None),),
        sealed_key="a key",
    )


class Deliveries:
    """The samples of an adapter, each with a source; an input is the number of one, and what is made of it."""

    def __init__(self, known: Sequence[Sample]) -> None:
        self.known = known
        self._sources = [_source(sample) for sample in known]

    def verify(self, data: bytes) -> None:
        source, delivery = self.delivery(data)
        handled(source.adapter, delivery, source.options)
        with suppress(Unverified):
            proven(source, delivery, clock.micros(delivery.received_at))
        examine(source, delivery, [KnownSecret(secret_id="sec_1", secret=source.secrets[0][0], counts=True)])

    def read(self, data: bytes) -> None:
        source, delivery = self.delivery(data)
        handled(source.adapter, delivery, source.options)
        _recorded(source, delivery)

    def fetched(self, data: bytes) -> None:
        number = data[0] % len(self.known) if data else 0
        _recorded(self._sources[number], self.known[number].delivery, data[1:])

    def delivery(self, data: bytes) -> tuple[Source, Delivery]:
        head, _, body = data[1:].partition(b"\n\n")
        query, *lines = head.split(b"\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        number = data[0] % len(self.known) if data else 0
        at = self.known[number].delivery.received_at
        delivery = Delivery.arrived(headers, body, received_at=at, query_string=query, url=URL)
        return self._sources[number], delivery

    def signed(self) -> Iterator[bytes]:
        secrets = [source.secrets[0][0] for source in self._sources]
        return map(_written, count(), (one.signed(secret) for one, secret in zip(self.known, secrets, strict=True)))

    def unsigned(self) -> Iterator[bytes]:
        return map(_written, count(), (one.delivery for one in self.known))

    def answers(self) -> Iterator[bytes]:
        return (bytes([number]) + (one.fetched or b"") for number, one in enumerate(self.known))


def _written(number: int, delivery: Delivery) -> bytes:
    """A delivery as a target reads it: the sample's number, the query, a header a line, nothing, the body."""
    query = "&".join(f"{name}={value}" for name, value in delivery.query.items())
    head = "\n".join([query, *(f"{name}: {value}" for name, value in delivery.headers.items())])
    return bytes([number]) + head.encode("latin-1", "replace") + b"\n\n" + delivery.body


def _recorded(source: Source, delivery: Delivery, document: bytes | None = None) -> None:
    rec = read(source, delivery, AT, document=document)
    if failed(rec.reason):
        raise AssertionError(rec.reason)
    for statement in rec.statements:
        to_json(statement.said)


# -- Parsers -------------------------------------------------------------------------------------------------------


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")  # JSON may hold half a character as well


def _amounts(data: bytes) -> None:
    text = _text(data)
    for currency in ("BRL", "JPY", "KWD"):
        for mark in (None, ".", ","):
            with suppress(ValueError):
                read_amount(text, currency, decimal=mark)
        for exponent in (0, 8):
            with suppress(Unreadable):
                Money.scaled(text, exponent, currency)


_KINDS: list[Any] = [Iso, IsoOrBlank, Seconds, Milliseconds]
_SOURCES_TIMES = [TypeAdapter[Any](kind) for kind in _KINDS]


def _times(data: bytes) -> None:
    text = _text(data)
    for parse in (clock.read_time, clock.span, lambda text: clock.since(text, AT, ZONE)):
        with suppress(ValueError):
            parse(text)
    for order in ("ymd", "dmy", "mdy"):
        with suppress(ValueError):
            time_of(text, ZONE, order)
    for kind in _SOURCES_TIMES:
        with suppress(ValidationError):
            kind.validate_python(text)


def _people(data: bytes) -> None:
    text = _text(data)
    for region in ("BR", "US"):
        buyer = Customer(emails=(text,), phones=(text,), documents=(text,), country=text)
        identities_told(buyer, "src_1", region)
    mentioned(text)
    names_another(text, "Ana Souza")


def _json(data: bytes) -> None:
    with suppress(Unreadable):
        assert json_answer(data) == json_body(data)
    with suppress(Unreadable):
        json_answer(data)


def _form(data: bytes) -> None:
    with suppress(Unreadable):
        form_body(data)


def _jws(data: bytes) -> None:
    for detached in (None, b"{}"):
        with suppress(Unverified):
            jws_parts(data, detached=detached)


def _expression(data: bytes) -> None:
    expression, _, body = data.partition(b"\n")
    text = _text(expression)[:1000]  # as long as the option may be
    with suppress(ValueError, Unreadable):
        compiled(text)
        Search()("it", text, json_body(body))


def _options(data: bytes) -> None:
    with suppress(Unreadable, ValidationError):
        options = GenericOptions.model_validate(json_body(data))
        assert adapters.load("generic").scheme(options).description


FORMS = (presets.OURS, *map(presets.preset, presets.PRESETS))


def _file(form: str, data: bytes) -> None:
    kind = data[0] if data else 0
    text = data[1:].decode("utf-8", "replace")
    setting = ImportSettings(
        region="BR",
        currency="BRL",
        sources={"src_1": "shop"},
        renamed={},
        source_id=None,
        origin="shop",
        present=AT,
        ignore_unknown=bool(kind & 1),
        zone=ZONE,
        form=FORMS[kind % len(FORMS)] if kind < 128 else presets.OUR_CONTACTS,
    )
    reader = OrderReader(setting) if kind < 128 else ContactReader(setting)
    with suppress(NoFile):
        for part in parts(form, text.splitlines(keepends=True), reader.columns, rows=3):
            for _ in reader.batches(form, part.text, part.line):
                pass


def _models(kind: type[Body]) -> Iterator[type[Body]]:
    for one in kind.__subclasses__():
        yield one
        yield from _models(one)


MODELS = sorted(set(_models(Body)), key=lambda one: (one.__module__, one.__qualname__))


def _request(data: bytes) -> None:
    with suppress(Problem):
        _read(data[1:], MODELS[(data or b"\0")[0] % len(MODELS)], {"zone": ZONE})
    for kinds in ((str,), (int, str)):
        with suppress(Problem):
            after(_text(data[1:]), *kinds)


# -- All of them ---------------------------------------------------------------------------------------------------


def _given(*texts: str | bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: (text if isinstance(text, bytes) else text.encode() for text in texts)


def _bodies() -> Iterator[bytes]:
    return chain(BODIES, (sample.body for name in adapters.names() for sample in samples(name)[:2]))


def _targets() -> Iterator[tuple[str, Target]]:
    for name in adapters.names():
        every = Deliveries(samples(name))
        yield f"verify {name}", Target(every.verify, every.signed)
        yield f"read {name}", Target(every.read, every.unsigned)
        if thin := [sample for sample in every.known if sample.fetched is not None]:
            answered = Deliveries(thin)
            yield f"fetched {name}", Target(answered.fetched, answered.answers)
    words = [*WORDS, *(value for value in VALUES if isinstance(value, str) and value.isprintable())]
    header = b"eyJhbGciOiJSUzI1NiJ9.e30." + b"A" * 342
    csv = "external_id,title,value,currency,status,ordered_at,contact_email,items\n1,A,9.90,BRL,paid,2026-11-20,a@b.co,[]\n"
    people = "crm_id,name,emails,phones,documents\n1,Ana,a@b.co | c@d.co,+5511987654321,529.982.247-25\n"
    line = '{"external_id":"1","title":"A","value":"9.90","items":[{"title":"B","quantity":2}]}\n'
    for name, run, seeds in (
        ("amounts", _amounts, _given(*words, "R$ 1.500,00", "1,500.00", "-199.90", "1e5", "NaN", "-Infinity")),
        ("times", _times, _given(*words, "2026-11-20T13:00:60Z", "20/11/2026 13:00", "1763643600", "7d")),
        ("people", _people, _given(*words, "+55 (11) 98765-4321", "529.982.247-25", "ana%40example.com", "1.2e3@x.y")),
        ("json", _json, _bodies),
        ("form", _form, _bodies),
        ("jws", _jws, _given(header, b"a.b.c", b"..")),
        ("expression", _expression, _given('a.b\n{"a":{"b":1}}', "sum(a[].b) || to_number('1')\n{}", "[?a>`1`]\n[]")),
        ("options", _options, lambda: (to_json(one.said["options"]).encode() for one in samples("generic"))),
        ("csv", partial(_file, CSV), _given(f"\0{csv}", f"\1{csv}", b"\x80" + people.encode())),
        ("jsonl", partial(_file, JSONL), _given(f"\0{line}", f"\1{line}")),
        ("request", _request, lambda: (bytes([number]) + b'{"name":"A"}' for number in range(len(MODELS)))),
    ):
        yield f"parse {name}", Target(run, seeds)


TARGETS = dict(_targets())
