"""The slice of a body that an adapter reads: models whose fields may lie deep in it, and what says nothing is missing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

from annotated_types import MaxLen
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    ValidationError,
)
from pydantic import Field as Written

from adapters.contract.errors import Unreadable

# With more faults than this a body is something else altogether, and no blank is to blame.
MOST_BLANKS = 100
# No order has as many items or payments; each that is no such thing would be a fault of its own.
MOST_LISTED = 2_000

T = TypeVar("T")


class Payload(BaseModel):
    """The slice of a body that an adapter reads, in the source's own spelling. Fields it does not name are skipped.

    A field that has a default can be left out; one that is there and cannot be read is left out too (`left_out`).
    """

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, defer_build=True)
    # The fields that could not be read and that the model can be without, and why; "" where all was read. `validated`
    # sets it on the instance: a private attribute of pydantic costs every model of a body 2 µs, with or without a fault.
    left_out: ClassVar[str] = ""


class Exact(Payload):
    """A body that is this and nothing else: a field beside these makes it something else, and unreadable.

    For kinds that take away (a deletion, somebody's erasure): where no signature covers the kind, only the shape of the
    body says that it is one.
    """

    model_config = ConfigDict(extra="forbid")


def path(*paths: str, otherwise: Any = None) -> Any:
    """A field that lies deeper in the body, by dotted path: path("customer.email"), path("payments.0.id").

    Of several places (another version's, another spelling) the first that is there counts. Where none is, it is what
    `otherwise` says; `...` there makes the field needed. What a path leads through may be missing, or something else.
    """
    places = AliasChoices(*(_steps(path) for path in paths))
    if otherwise == {}:  # pydantic would copy it for every model, deeply, which takes 2 µs
        return Written(default_factory=dict, validation_alias=places)
    return Written(otherwise, validation_alias=places)


def _steps(path: str) -> AliasPath:
    first, *rest = path.split(".")
    return AliasPath(first, *(int(step) if step.isdecimal() else step for step in rest))


MOST_ENTRIES, LONGEST_TEXT = 20, 300  # of a list, of a text that an excerpt takes over


def excerpt(document: Any, paths: Iterable[str]) -> dict[str, Any]:
    """The parts of a document at these dotted paths; `links[].href` is that of every entry of a list.

    It is small whatever the document: texts and numbers that are short, and the first entries of a list.
    """
    deeper: dict[str, list[str]] = {}
    for path in paths:
        step, _, rest = path.partition(".")
        deeper.setdefault(step, []).append(rest)
    found: dict[str, Any] = {}
    for step, rests in deeper.items() if isinstance(document, dict) else ():
        name = step.removesuffix("[]")
        value = document.get(name)
        if name != step:
            listed = value[:MOST_ENTRIES] if isinstance(value, list) else []
            found[name] = [excerpt(one, rests) for one in listed]
        elif rests != [""]:
            found[name] = excerpt(value, rests)
        elif isinstance(value, str | int) and len(str(value)) <= LONGEST_TEXT:
            found[name] = value
    return found


def _object_or_none(value: Any) -> Any:
    return value if isinstance(value, dict) else None


def _list_or_nothing(value: Any) -> Any:
    if value is None or value is False or value in ("", {}):
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError("Input should be a valid list")  # pydantic would ask for a tuple, which no source knows
    if len(value) > MOST_LISTED:
        raise ValueError(f"List should have at most {MOST_LISTED} entries")
    return value


# An object, or None where there is [], "", 0 or something else in its place, when there is nothing to say (Razorpay's
# notes, Paystack's metadata): `notes: OptionalOf[Notes] = None`.
OptionalOf = Annotated[T | None, BeforeValidator(_object_or_none)]

# A list where an empty one says something else than none: `items: Entries[Line] | None = None`.
Entries = Annotated[list[T], MaxLen(MOST_LISTED)]

# A list, empty where there is none: `items: ListOf[Good] = ()`.
ListOf = Annotated[tuple[T, ...], BeforeValidator(_list_or_nothing)]


def _notes(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        pairs = list(value.items())
    else:
        listed = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
        pairs = [(each.get("name", each.get("key")), each.get("value")) for each in listed]
    notes: dict[str, str] = {}
    for name, text in pairs:
        if isinstance(name, str) and isinstance(text, str | int) and not isinstance(text, bool) and str(text).strip():
            notes.setdefault(name, str(text).strip())
    return notes


# What plugins and people wrote beside an order, by name: an object, or a list of {"name" or "key", "value"}. Texts and
# numbers only, the first of a name; whatever else stands there is left out:
# `notes: Metadata = path("note_attributes", otherwise={})`.
Metadata = Annotated[Mapping[str, str], PlainValidator(_notes)]


def validated(model: type[Payload], document: Any) -> Payload:
    """The model's slice of a parsed document. Raises Unreadable, naming every wrong field.

    What says nothing counts as missing wherever something else was expected: many sources write "", [], {} or false
    where others write null. A value that cannot be read counts as missing where the model can be without it, and
    `left_out` of what is returned says so.
    """
    try:
        return model.model_validate(document)
    except ValidationError as fault:
        if issubclass(model, Exact):
            raise Unreadable(reason_of(fault)) from None
        reason, bare = reason_of(fault), _without_blanks(document, fault)
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None
    rest = bare
    for _ in range(3):  # what loses a value that it needs is left out in its turn
        try:
            found = model.model_validate(rest)
        except ValidationError as fault:
            rest = _without_faults(rest, fault)
        else:
            if rest is not bare:
                found.__dict__["left_out"] = reason
            return found
    raise Unreadable(reason)


def _without_faults(document: Any, fault: ValidationError) -> Any:
    """The document without the values that cannot be read, and without the entries of lists that lack what they need."""
    if fault.error_count() > MOST_BLANKS:
        return None
    errors = fault.errors(include_url=False, include_context=False, include_input=False)
    # What has a pattern is an id that leads somewhere: another one in its place would lead somewhere else.
    if any(error["type"] == "string_pattern_mismatch" for error in errors):
        return None
    places = {_entry_of(error["loc"]) if error["type"] == "missing" else error["loc"] for error in errors} - {()}
    # Entries of lists last, and from behind, so that the numbers of the others stay right.
    for place in sorted(places, key=lambda place: (not _is_entry(place), [str(step).zfill(6) for step in place]))[::-1]:
        document = _without(document, place)
    return document


def _entry_of(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The entry of a list in which this place lies; () where it lies in none."""
    return place if not place or _is_entry(place) else _entry_of(place[:-1])


def _is_entry(place: Sequence[int | str]) -> bool:
    return bool(place) and isinstance(place[-1], int)


def _without_blanks(document: Any, fault: ValidationError) -> Any:
    """The document without the values that say nothing and are among the faults."""
    if fault.error_count() > MOST_BLANKS:
        return None
    for error in fault.errors(include_url=False, include_context=False):
        place, value = error["loc"], error["input"]
        if error["type"] == "missing":  # of an empty object, whose fields cannot be there
            place = place[:-1]
        blank = value is False or value in ([], {}) or (isinstance(value, str) and not value.strip())
        if blank and not _is_entry(place):
            document = _without(document, place)
    return document


def _without(document: Any, place: Sequence[int | str]) -> Any:
    """The document without the member at this place; as it is, where there is none."""
    if not place:
        return document
    step, *rest = place
    if isinstance(document, dict) and step in document:
        if not rest:
            return {name: value for name, value in document.items() if name != step}
        return {**document, step: _without(document[step], rest)}
    if isinstance(document, list) and isinstance(step, int) and step < len(document):
        return [*document[:step], *([_without(document[step], rest)] if rest else []), *document[step + 1 :]]
    return document


def reason_of(fault: ValidationError) -> str:
    """Every wrong field by name, without its value: bodies hold people's data, and reasons stand in logs."""
    faults = [
        f"{'.'.join(str(step)[:60] for step in error['loc']) or 'the body'}: {error['msg'].removeprefix('Value error, ')}"
        for error in fault.errors(include_url=False, include_context=False, include_input=False)[:5]
    ]
    more = fault.error_count() - len(faults)
    return "; ".join(faults) + (f"; and {more} more" if more > 0 else "")
