"""Finds a person's e-mails, phones, documents and name in a stored body, as people and shops write them, and blanks them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote_plus

Word = tuple[str, str]  # an identity: kind, canonical value

BLANK_EMAIL = b"noreply@erased.invalid"  # nobody's, should the body be read again
BLANK_NAME = b"erased"
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def pattern(words: Iterable[Word]) -> "re.Pattern[bytes] | None":
    """Return a pattern for these e-mails, phones and documents in a body, whatever its capitals; None without any."""
    found = [one for kind, value in sorted(words) if (one := _written(kind, value))]
    return re.compile("|".join(found).encode(), re.IGNORECASE) if found else None


def as_text(body: bytes) -> str:
    """Return a body's text, with the letters that JSON and forms write as escapes."""
    text = body.decode(errors="replace")
    if not text.lstrip().startswith(("{", "[", "<")):
        text = unquote_plus(text)
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def blanked(text: bytes, words: Iterable[Word], names: Iterable[str | None] = ()) -> bytes:
    """Return the text without these identities and names. Digits become noughts behind a one: JSON stays JSON."""
    if (found := pattern(words)) is not None:
        text = found.sub(_blank, text)
    for name in names:
        if name and len(name) > 2:
            text = re.sub(_spelt(name), BLANK_NAME, text, flags=re.IGNORECASE)
            for one, other in _in_two(name):
                text = re.sub(_fields(one, other), rb"%b\1%b" % (BLANK_NAME, BLANK_NAME), text, flags=_ANYWHERE)
    return text


_ANYWHERE = re.IGNORECASE | re.DOTALL


def _spelt(name: str) -> bytes:
    """Return a pattern for a name as it is, and as JSON and forms write it."""
    ways = {name, json.dumps(name)[1:-1], quote_plus(name), quote(name)}
    return b"(?:%b)" % b"|".join(sorted(re.escape(one.encode()) for one in ways))


def _in_two(name: str) -> Iterator[tuple[str, str]]:
    """Yield a name's beginning and end, in either order, for each blank that may divide first and last name."""
    words = name.split()[:10]
    for at in range(1, len(words)):
        first, last = " ".join(words[:at]), " ".join(words[at:])
        if min(len(first), len(last)) > 1:
            yield first, last
            yield last, first


def _fields(one: str, other: str) -> bytes:
    """Return a pattern for two values that stand close to each other: fields of one person."""
    return rb'(?<=["=])%b(?=["&])(.{1,120}?)(?<=["=])%b(?=["&]|\Z)' % (_spelt(one), _spelt(other))


def naming(words: Iterable[Word], names: Iterable[str | None] = ()) -> Callable[[str], bool]:
    """Return what tells whether an id, a word or what somebody searched for has these identities or names in it."""
    words = list(words)
    emails = [value for kind, value in words if kind == "email"]  # in an id, whatever stands around it
    whole = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in names if name and len(name) > 2]
    called = re.compile("|".join(whole), re.IGNORECASE) if whole else None
    others = pattern(words)

    def names_them(text: str) -> bool:
        folded = text.casefold()
        return (
            any(email in folded for email in emails)
            or (others is not None and others.search(text.encode(errors="replace")) is not None)
            or (called is not None and called.search(text) is not None)
        )

    return names_them


def _blank(found: re.Match[bytes]) -> bytes:
    if re.search(rb"@|%40|\\u0040", found[0]):
        return BLANK_EMAIL
    first, _, rest = found[0].partition(re.search(rb"\w", found[0])[0])  # type: ignore[index]  # a pattern has one
    return first + b"1" + re.sub(rb"\w", b"0", rest)


def _written(kind: str, value: str) -> str | None:
    if kind == "email":
        name, _, domain = value.rpartition("@")
        return rf"(?<![\w.+-]){re.escape(name)}(?:@|%40|\\u0040){re.escape(domain)}(?![\w-])"
    if kind == "phone":
        digits = value.removeprefix("+")
        if found := re.fullmatch(r"55(\d\d)9(\d{8})", digits):  # with or without the country, and the ninth digit
            return rf"(?<!\d)(?:{_apart('55')})?{_apart(found[1])}(?:{_apart('9')})?{_apart(found[2], last=True)}(?!\d)"
        if digits.startswith("55"):
            return rf"(?<!\d)(?:{_apart('55')})?{_apart(digits[2:], last=True)}(?!\d)"
        return rf"(?<!\d){_apart(digits, last=True)}(?!\d)"
    if kind == "document":
        return rf"(?<!\w){_apart(value, last=True)}(?!\w)"
    return None  # an id of somebody's own: digits that may stand for anything


def _apart(digits: str, *, last: bool = False) -> str:
    between = r"[\s().\-/]{0,3}"
    return between.join(digits) + ("" if last else between)
