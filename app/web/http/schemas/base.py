"""What all response schemas share: times, money, lists, errors (RFC 9457)."""

from typing import Annotated, Generic, NotRequired, TypeVar

from pydantic import Field

# Not typing's own: before Python 3.12 that one forgets what pydantic needs to know of a generic or a required field.
from typing_extensions import TypedDict

from app.base.outcome import Outcome

T = TypeVar("T")

# Texts all of them; what is said beside a type is for the document, and mypy sees `str`.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-20T13:00:00Z"])]
Amount = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", examples=["199.90"])]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["BRL"])]


class Listed(TypedDict, Generic[T]):
    """A page of a list. `next_cursor` gets the next page; null: this is the last one."""

    data: list[T]
    next_cursor: str | None


class WrongField(TypedDict):
    """One wrong field, and what is wrong with it."""

    field: str
    message: str


class ProblemResponse(TypedDict):
    """An error (RFC 9457). Programs use `code`, people `detail`; `errors` names every wrong field."""

    type: str
    title: str
    status: int
    code: str
    detail: NotRequired[str]
    errors: NotRequired[list[WrongField]]
    outcome: NotRequired[Outcome]
