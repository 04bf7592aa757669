"""Errors as RFC 9457 problems: one shape, stable codes, and words for the person who can act on them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.responses import Response

from app.base.errors import in_words
from app.base.outcome import Outcome

TITLES = {
    "unauthenticated": (401, "A token is needed"),
    "forbidden": (403, "This token may not do that"),
    "registry_disabled": (403, "The registry is off for this account"),
    "not_found": (404, "There is no such thing here"),
    "method_not_allowed": (405, "This address does not take that method"),
    "conflict": (409, "It cannot be done as things stand"),
    "too_large": (413, "The request is too large"),
    "invalid": (422, "Something in the request is wrong"),
    "contact_not_found": (422, "There is no such contact"),
    "too_many": (429, "Too much at once"),
    "busy": (503, "The service cannot answer now"),
    "internal": (500, "A fault of ours"),
}

# What a refused delivery is answered with: the code and the title of the problem. Its sender is told no more than that.
REFUSALS = {
    Outcome.UNVERIFIED: ("unverified", "Unverified"),
    Outcome.OVERSIZED: ("too_large", "Too large"),
    Outcome.DISABLED: ("registry_disabled", "Disabled"),
    Outcome.NOT_FOUND: ("not_found", "No such source"),
    Outcome.BUSY: ("busy", "Busy"),
}

FoundT = TypeVar("FoundT")

MOST_ERRORS = 100  # that one answer names
MOST_DIGITS = 8  # a phone number or a CPF has more


class Problem(Exception):
    """Is an error that its reader can act on. `errors` names every wrong field: [{"field", "message"}]."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.errors, self.headers = code, detail, errors, headers
        self.status, self.title = TITLES[code]

    def response(self) -> Response:
        """Return the problem as a response."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return Response(
            json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
            self.status,
            headers=self.headers,
            media_type="application/problem+json",
        )


def quoted(word: str) -> str:
    """Return a word as an error may repeat it: an id, but never what could be an e-mail, a phone or a document."""
    plain = all(char.isalnum() or char in "_-" for char in word) and sum(char.isdigit() for char in word) < MOST_DIGITS
    return repr(word) if word and len(word) <= 64 and (plain or word.startswith("cnt_")) else "what was given"


def not_found(what: str) -> Problem:
    """Return the problem for a thing that does not exist, or that the caller may not see: the same for both."""
    return Problem("not_found", f"there is no such {what}")


def existing(row: FoundT | None, what: str) -> FoundT:
    """Return what was looked up. Raises Problem if there is no such thing (`what`)."""
    if row is None:
        raise not_found(what)
    return row


def no_contact(word: str, field: str = "contact") -> Problem:
    """Return the problem for an unknown contact in this field of a body, with what to do about it."""
    return Problem(
        "contact_not_found",
        f"no contact is known as {quoted(word)}, by our id (cnt_…) or the CRM's; make it first: PUT /v1/contacts/{{the CRM's id}}",
        errors=[{"field": field, "message": "no such contact"}],
    )


def invalid(field: str, message: str) -> Problem:
    """Return the problem for one wrong field."""
    return Problem("invalid", f"{field}: {message}", errors=[{"field": field, "message": message}])


class ProblemGroup:
    """Collects several problems, to report them at once."""

    def __init__(self) -> None:
        self._met: list[Problem] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a Problem that is raised inside for later."""
        try:
            yield
        except Problem as problem:
            self._met.append(problem)

    def raise_all(self) -> None:
        """Raise one Problem if any was collected: the first one's code, and the wrong fields of all."""
        if self._met:
            first = self._met[0]
            errors = [error for one in self._met for error in one.errors or ()]
            raise Problem(first.code, "; ".join(one.detail for one in self._met), errors=errors)


def from_validation(fault: ValidationError, *, within: str = "") -> Problem:
    """Return the problem for a ValidationError: every wrong field, without values. `within` goes before field names."""
    errors = [
        {
            "field": within + ".".join(str(step) for step in error["loc"]) or "body",
            "message": in_words(error),
        }
        for error in fault.errors(include_url=False, include_input=False)[:MOST_ERRORS]
    ]
    return Problem("invalid", "; ".join(f"{error['field']}: {error['message']}" for error in errors), errors=errors)
