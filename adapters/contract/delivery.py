"""One arrival at the door: its headers, query and exact bytes. Knows nothing of the web framework that brought it."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from operator import methodcaller
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import msgspec

from adapters.contract.errors import NoDocument, Unreadable

# A number with more digits than this is no amount, id or time of anybody's; Decimal would keep it, and turning
# 1e999999999 into an integer would take the machine with it.
MAX_NUMBER_DIGITS = 40
# The work budget of a JSON body. An order of 500 lines has about 50,000 values, eight levels deep.
MAX_VALUES = 100_000
MAX_DEPTH = 64


_latin_1 = methodcaller("decode", "latin-1")


class Delivery:
    """What arrived, as it arrived.

    `headers` have lower-case names; `repeated` names those that came more than once (their last value is kept, and a
    signature scheme refuses them). `url` is the address the source was given, which some sources sign. `received_at`
    is our clock, UTC.
    """

    __slots__ = ("_documents", "body", "headers", "query", "received_at", "repeated", "url")

    def __init__(
        self,
        *,
        body: bytes,
        headers: Mapping[str, str],
        received_at: datetime,
        query: Mapping[str, str] | None = None,
        url: str = "",
        repeated: frozenset[str] = frozenset(),
    ) -> None:
        self.body = body
        self.headers = headers
        self.query: Mapping[str, str] = query or {}
        self.url = url
        self.received_at = received_at
        self.repeated = repeated
        self._documents: dict[Callable[[bytes], Any], Any] = {}

    @classmethod
    def arrived(
        cls,
        raw_headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        received_at: datetime,
        query_string: bytes = b"",
        url: str = "",
    ) -> "Delivery":
        """From an HTTP server's raw parts. Header bytes are read as Latin-1, so that no byte is lost or refused."""
        names, values = zip(*raw_headers, strict=True) if raw_headers else ((), ())
        given = list(map(str.lower, map(_latin_1, names)))
        headers = dict(zip(given, map(_latin_1, values), strict=True))
        repeated: frozenset[str] = frozenset()
        if len(headers) < len(given):
            often = Counter(given)
            repeated = frozenset(name for name in headers if often[name] > 1)
        query = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)) if query_string else None
        return cls(
            body=body,
            headers=headers,
            received_at=received_at,
            query=query,
            url=url,
            repeated=repeated,
        )

    def changed(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> "Delivery":
        """A copy with these headers and query parameters added, or another body; used when signing samples."""
        return Delivery(
            body=self.body if body is None else body,
            headers={**self.headers, **(headers or {})},
            query={**self.query, **(query or {})},
            received_at=self.received_at,
            url=self.url,
            repeated=self.repeated.difference(headers or ()),
        )

    def document(self, parse: Callable[[bytes], Any]) -> Any:
        """The parsed body; parsed once however often it is asked for, also where that fails. Raises Unreadable."""
        if parse not in self._documents:
            try:
                self._documents[parse] = parse(self.body)
            except Unreadable as why:
                self._documents[parse] = why
        found = self._documents[parse]
        if isinstance(found, Unreadable):
            raise type(found)(found.reason)
        return found

    def forget_document(self) -> None:
        """Let go of the parsed body, which takes three times its bytes: a delivery that is read may wait for seconds."""
        self._documents.clear()


def _refuse_constant(word: str) -> NoReturn:
    raise Unreadable(f"the body is not JSON: {word} is not a number")


def _number(digits: str) -> Decimal:
    if len(digits) > MAX_NUMBER_DIGITS:
        raise Unreadable(f"the body holds a number of more than {MAX_NUMBER_DIGITS} digits")
    try:
        number = Decimal(digits)
        if -MAX_NUMBER_DIGITS < number.adjusted() < MAX_NUMBER_DIGITS:
            return number
    except InvalidOperation:  # an exponent of 19 digits is more than Decimal holds
        pass
    raise Unreadable(f"the body holds a number beyond 1e{MAX_NUMBER_DIGITS}")


def _integer(digits: str) -> int:
    if len(digits.removeprefix("-")) > MAX_NUMBER_DIGITS:
        raise Unreadable(f"the body holds a number of more than {MAX_NUMBER_DIGITS} digits")
    return int(digits)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Unreadable(f"the body names {twice[:60]!r} twice in one object; which one is meant is anyone's guess")
    return members


# Both read the same. The quick one takes a name that stands twice, and integers of any length; the strict one looks at
# every member, and says what is wrong.
_quick = msgspec.json.Decoder(float_hook=_number)
_strict = json.JSONDecoder(
    parse_float=_number, parse_int=_integer, parse_constant=_refuse_constant, object_pairs_hook=_members
)
# An API's answer is read as its other readers do, of whom nobody minds a name that stands twice: the last one counts.
_easy = json.JSONDecoder(parse_float=_number, parse_int=_integer, parse_constant=_refuse_constant)
_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
_TOO_MANY_DIGITS = b"0" * (MAX_NUMBER_DIGITS + 1)
_NO_SIGNS = bytes(set(range(256)) - set(b":[{"))  # all but these are dropped: half the time of counting each


def json_body(body: bytes) -> Any:
    """Strict JSON (RFC 8259): exact decimals, no NaN, no name twice; bounded numbers, values and depth.

    A byte order mark is skipped, which RFC 8259 §8.1 allows a parser to do. Raises Unreadable; NoDocument for what is no
    JSON at all.
    """
    _check_values(body)
    try:
        document = _quick.decode(body)
        signs = body.translate(None, _NO_SIGNS)
        colons = signs.count(b":")
        # A member that was dropped, because its name stands twice, takes its colon along; that of no other is lost, and
        # none is won as long as no text spells one as \u003a.
        whole = msgspec.json.encode(document).count(b":") == colons and b"\\u003" not in body
        if whole and _TOO_MANY_DIGITS not in body.translate(_DIGITS):
            return document if len(signs) - colons <= MAX_DEPTH else _not_too_deep(document)
    except (ValueError, RecursionError, msgspec.MsgspecError, Unreadable):
        pass  # the strict one says why
    return _strictly(body)


def json_answer(body: bytes) -> Any:
    """What a source's API answers: as `json_body`, but of a name that stands twice in one object the last one counts.

    Such answers stand in a manual (Nuvemshop's orders name their `number` twice), and nobody signs them. Raises Unreadable.
    """
    _check_values(body)
    return _strictly(body, _easy)


def _check_values(body: bytes) -> None:
    """Raise NoDocument for more values than any order has. In front of each stands one of these signs, or nothing."""
    if len(body) <= MAX_VALUES or sum(map(body.count, (b",", b"[", b"{"))) <= MAX_VALUES:
        return
    opened, closed = (sum(body.count(sign, 0, MAX_VALUES) for sign in signs) for signs in ((b"[", b"{"), (b"]", b"}")))
    if opened - closed > MAX_DEPTH:
        raise NoDocument("the body is nested too deeply")
    raise NoDocument(f"the body holds more than {MAX_VALUES} values")


def _not_too_deep(document: Any) -> Any:
    """Return the document. Raises Unreadable when it is deeper than whoever walks through it can go."""
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return document
        level = [
            inner
            for value in level
            if (kind := type(value)) is dict or kind is list
            for inner in (value.values() if kind is dict else value)
        ]
    raise Unreadable("the body is nested too deeply")


def _strictly(body: bytes, decoder: json.JSONDecoder = _strict) -> Any:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        if body[:2] == b"\x1f\x8b":
            raise NoDocument("the body is compressed (gzip); send it without Content-Encoding") from None
        raise NoDocument(f"the body is not UTF-8 (byte {fault.start})") from None
    if not text or text.isspace():
        raise NoDocument("the body is empty")
    try:
        return _not_too_deep(decoder.decode(text))
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None
    except json.JSONDecodeError as fault:
        raise NoDocument(f"the body is not JSON: {fault.msg} at character {fault.pos}") from None


def form_body(body: bytes) -> dict[str, Any]:
    """An HTML form (application/x-www-form-urlencoded), PHP's brackets read as nesting: a[b]=1 is {"a": {"b": "1"}}.

    The last value of a repeated plain name counts, as in PHP. Raises Unreadable; NoDocument for what is no form at all.
    """
    if not body:
        raise NoDocument("the body is empty")
    try:
        pairs = parse_qsl(
            body.decode("utf-8-sig"), keep_blank_values=True, strict_parsing=True, max_num_fields=2000, errors="strict"
        )
    except ValueError:
        raise NoDocument("the body is not a form (application/x-www-form-urlencoded, UTF-8)") from None
    form: dict[str, Any] = {}
    lengths: dict[int, int] = {}  # of groups that are numbered, by their id: the next number
    for name, value in pairs:
        steps = name.replace("]", "").split("[")
        if len(steps) > 10:
            raise Unreadable("the form is nested too deeply")
        place = form
        for step in steps[:-1]:
            if not step:  # PHP and Ruby read a[][b]=1&a[][c]=2 in two ways
                raise Unreadable("the form numbers no group inside a name")
            nested = place.setdefault(step, {})
            if not isinstance(nested, dict):
                raise Unreadable("the form uses one name both as a value and as a group")
            place = nested
        last = steps[-1]
        if not last:
            index = lengths.get(id(place), len(place))
            while str(index) in place:
                index += 1
            lengths[id(place)] = index
            last = str(index)
        if isinstance(place.get(last), dict):
            raise Unreadable("the form uses one name both as a value and as a group")
        place[last] = value
    return form
