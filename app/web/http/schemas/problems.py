"""Response schemas: errors (RFC 9457)."""

from typing import NotRequired

from typing_extensions import TypedDict

from app.base.outcome import Outcome


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
