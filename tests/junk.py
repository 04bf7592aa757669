"""What a body can hold that its adapter did not expect: every value taken away, nulled or retyped, one at a time."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

# Of every JSON type, and of each the values that such code trips over: the empty, the huge, dates outside of the
# calendar, numbers that need gigabytes to be written out, characters that no database takes.
VALUES: tuple[Any, ...] = (
    None,
    "",
    "x",
    0,
    -1,
    0.5,
    10**30,
    True,
    [],
    {},
    [None],
    {"": None},
    "\0",
    "\ud800",
    "1e999999999",
    "0001-01-01T00:00:00+14:00",
)
WORDS = ("", "x", "-1", "1" * 31, "\0", "é", "1e999999999", "0001-01-01T00:00:00+14:00")

BODIES = (
    b"",
    b" \n",
    b"x",
    b"{",
    b"{}{}",
    b"null",
    b"true",
    b"0",
    b"-1.5",
    b"1e400",
    b"NaN",
    b'""',
    b'"x"',
    b'"\\u0000"',
    b"[]",
    b"[null]",
    b"[[]]",
    b"[{}]",
    b"{}",
    b'{"":null}',
    b'{"data":null,"data":1}',
    b'{"id":1,"type":[],"event":{},"data":[[{}]]}',
    b"[" * 100_000,
    b'{"data":' * 100_000,
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"\x1f\x8b\x08\x00",
    b"a=1&a=2",
    b"a[b][c]=1&a[b]=2",
    b"%ff=%00",
    b"=",
)


def bodies_like(body: bytes, *, most: int, turn: int) -> Iterator[bytes]:
    """Bodies that differ from this one (JSON or a form) in one value.

    If there were more than `most`, every n-th is given; which ones, changes from turn to turn.
    """
    try:
        document = json.loads(body)
    except ValueError:
        yield from _forms_like(body)
        return
    step = 1 + sum(1 for _ in _changes(document)) // most
    for _ in islice(_changes(document), turn % step, None, step):
        yield _dumped(document)


def bodies_far_from(body: bytes, count: int, seed: str) -> Iterator[bytes]:
    """Bodies that differ from this JSON body in several values at once; always the same ones for a seed."""
    dice = random.Random(seed)
    for _ in range(count):
        try:
            document = json.loads(body)
        except ValueError:
            return
        for _ in range(dice.randint(2, 5)):
            places = list(_places(document))
            if not places:
                break
            container, key = dice.choice(places)
            container[key] = deepcopy(dice.choice(VALUES))
        yield _dumped(document)


def _dumped(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _changes(document: Any) -> Iterator[None]:
    """Changes the document in place, yields, and undoes it; once for every place and value."""
    for container, key in list(_places(document)):
        old = container[key]
        for value in VALUES:
            if value != old or type(value) is not type(old):
                container[key] = value
                yield
        container[key] = old
        if isinstance(container, dict):
            del container[key]
            yield
            container[key] = old
        else:
            taken = container.pop(key)
            yield
            container.insert(key, taken)


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) in the document, from the outside in."""
    if isinstance(document, dict | list):
        for key in list(document) if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from _places(document[key])


def _forms_like(body: bytes) -> Iterator[bytes]:
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    for at, (name, value) in enumerate(pairs):
        before, after = pairs[:at], pairs[at + 1 :]
        yield urlencode(before + after).encode()
        for other in WORDS:
            yield urlencode([*before, (name, other), *after]).encode()
        for other in (f"{name}[]", f"{name}[x]", f"{name}[x][y]", name.partition("[")[0]):
            yield urlencode([*before, (other, value), *after]).encode()
