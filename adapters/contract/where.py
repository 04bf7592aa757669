"""Where a delivery says its kind and its own id: a header, the query, the body, or nowhere, where there is only one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.contract.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Header:
    """A header; several names are spellings of the same one, the first that came counts."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)

    @property
    def parts(self) -> list[str]:
        """What must be signed for this to be proven, as in `Signature.covers`."""
        return [f"header:{name}" for name in self.names]

    def read(self, delivery: Delivery, document: Callable[[], Any]) -> str | None:
        for name in self.names:
            value = delivery.headers.get(name)
            if value:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter of the webhook's address."""

    name: str

    @property
    def parts(self) -> list[str]:
        """As `Header.parts`."""
        return [f"query:{self.name}"]

    def read(self, delivery: Delivery, document: Callable[[], Any]) -> str | None:
        return delivery.query.get(self.name) or None


@dataclass(frozen=True, slots=True)
class BodyField:
    """A field of the parsed body, by dotted path: BodyField("data.object.id"). Several fields are joined with `:`."""

    paths: tuple[str, ...]

    def __init__(self, *paths: str) -> None:
        object.__setattr__(self, "paths", paths)

    @property
    def parts(self) -> list[str]:
        """As `Header.parts`; a signed body proves them too."""
        return [f"field:{path}" for path in self.paths]

    def read(self, delivery: Delivery, document: Callable[[], Any]) -> str | None:
        found = []
        for path in self.paths:
            value: Any = document()
            for step in path.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
                return None
            found.append(str(value))
        return ":".join(found)


@dataclass(frozen=True, slots=True)
class Constant:
    """A source that sends one kind of thing and does not name it."""

    word: str

    @property
    def parts(self) -> list[str]:
        """Nothing: there is no other word that could be put in its place."""
        return []

    def read(self, delivery: Delivery, document: Callable[[], Any]) -> str | None:
        return self.word


Where = Header | Query | BodyField | Constant


def describe(where: Where) -> str:
    """Where something is looked for, in words."""
    match where:
        case Header(names=names):
            return f"the header {names[0]}"
        case Query(name=name):
            return f"the query parameter {name}"
        case BodyField(paths=paths):
            return f"the field {' and '.join(paths)}"
        case Constant(word=word):
            return word
