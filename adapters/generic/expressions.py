"""JMESPath with exact numbers: expressions are compiled and checked when the options are saved."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any

import jmespath
import jmespath.functions
from pydantic import (
    AfterValidator,
    StringConstraints,
)

from adapters.contract import (
    Unreadable,
)

takes: Callable[..., Callable[[Any], Any]] = jmespath.functions.signature


class Exact(jmespath.functions.Functions):  # type: ignore[misc]  # published without types
    """JMESPath's functions, for exact decimals: no number turns into a float on its way through an expression."""

    def _get_allowed_pytypes(self, types: list[str]) -> Any:
        allowed, inner = super()._get_allowed_pytypes(types)
        return (
            [*allowed, "Decimal"] if "float" in allowed else allowed,
            [(*each, "Decimal") if "float" in each else each for each in inner],
        )

    def _convert_to_jmespath_type(self, name: str) -> Any:
        return "number" if name == "Decimal" else super()._convert_to_jmespath_type(name)

    @takes({"types": []})
    def _func_to_number(self, given: Any) -> Decimal | int | None:
        if isinstance(given, Decimal | int) and not isinstance(given, bool):
            return given
        try:
            number = Decimal(given) if isinstance(given, str) else None
        except InvalidOperation:
            return None
        # As in the contract's JSON: 1e999999999 is a number too, and rounding it would take the machine along.
        return number if number is not None and number.is_finite() and abs(number.adjusted()) <= 40 else None

    @takes({"types": ["array-number"]})
    def _func_avg(self, given: list[Any]) -> Decimal | None:
        return Decimal(sum(given)) / len(given) if given else None

    @takes({"types": []})
    def _func_to_string(self, given: Any) -> Any:
        return str(given) if isinstance(given, Decimal) else super()._func_to_string(given)

    @takes({"types": []})
    def _func_type(self, given: Any) -> Any:
        return "number" if isinstance(given, Decimal) else super()._func_type(given)


EXACT = jmespath.Options(custom_functions=Exact())


# What a sound expression can raise on a document it was not made for.
FAILS = (jmespath.exceptions.JMESPathError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


@lru_cache(maxsize=4096)
def compiled(expression: str) -> Any:
    """The expression, ready to search. Raises ValueError for one that could never work."""
    try:
        ready = jmespath.compile(expression)
    except (jmespath.exceptions.JMESPathError, RecursionError) as fault:
        words = str(fault).removeprefix("Invalid jmespath expression: ").splitlines()[0].rstrip(":")
        raise ValueError(f"is no JMESPath expression: {words}") from None
    _check(ready.parsed)
    return ready


def _check(node: Any) -> None:
    if node["type"] == "function_expression":
        known = Exact.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise ValueError(f"calls the function {node['value']}(), which JMESPath does not have")
        wanted, given = known["signature"], len(node["children"])
        if given < len(wanted) or (given > len(wanted) and not wanted[-1].get("variadic")):
            raise ValueError(f"calls {node['value']}() with {given} arguments; it takes {len(wanted)}")
    if node["type"] == "literal" and _has_float(node["value"]):
        raise ValueError("holds a number with a point; write it as text, '19.90'")
    for child in node["children"]:
        if isinstance(child, dict):
            _check(child)


def _has_float(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


def compilable(expression: str) -> str:
    compiled(expression)
    return expression


def search(name: str, expression: str | None, document: Any) -> Any:
    """What the expression finds; None for "" as well, which many sources write for nothing. Raises Unreadable."""
    if expression is None:
        return None
    try:
        found = compiled(expression).search(document, EXACT)
    except (ValueError, *FAILS) as fault:
        raise Unreadable(f"{name}: the expression fails on this delivery ({type(fault).__name__})") from None
    return None if isinstance(found, str) and not found else found


Expression = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(compilable)]
