"""What all response schemas share: times, money, lists."""

from typing import Annotated, Generic, TypeVar

from pydantic import Field

# Not typing's own: before Python 3.12 that one forgets what pydantic needs to know of a generic or a required field.
from typing_extensions import TypedDict

T = TypeVar("T")

# Texts all of them; what is said beside a type is for the document, and mypy sees `str`.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-20T13:00:00Z"])]
Amount = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", examples=["199.90"])]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["BRL"])]


class Listed(TypedDict, Generic[T]):
    """A page of a list. `next_cursor` gets the next page; null: this is the last one."""

    data: list[T]
    next_cursor: str | None
