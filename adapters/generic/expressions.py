"""JMESPath with exact numbers and a work budget: expressions are compiled and checked when the options are saved."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any

import jmespath
import jmespath.functions
import jmespath.visitor
from pydantic import AfterValidator, StringConstraints

from adapters.contract import Unreadable

takes: Callable[..., Callable[[Any], Any]] = jmespath.functions.signature


class ExactNumbers(jmespath.functions.Functions):  # type: ignore[misc]  # published without types
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


EXACT = jmespath.Options(custom_functions=ExactNumbers())

# What all expressions together may take on one delivery: nodes that are visited, and values and texts that a function, a
# comparison or a flattening goes through. A step takes about a microsecond; 500 items take about 20,000.
MOST_STEPS = 200_000
TEXT_PER_STEP = 500  # characters


class _TooMuchWork(Exception):
    """The expressions of this delivery have used up their steps."""


class Search(jmespath.visitor.TreeInterpreter):  # type: ignore[misc]  # published without types
    """The searches of one delivery: they share one budget, so that no expression takes more than it, whatever it does.

    An expression of a thousand characters can double a list a hundred times.
    """

    def __init__(self) -> None:
        super().__init__(EXACT)
        self._left = MOST_STEPS

    def __call__(self, name: str, expression: str | None, document: Any) -> Any:
        """What the expression finds; None for "" as well, which many sources write for nothing. Raises Unreadable."""
        if expression is None:
            return None
        try:
            found = self.visit(compiled(expression).parsed, document)
        except _TooMuchWork:
            raise Unreadable(f"{name}: the expressions take more than {MOST_STEPS} steps on this delivery") from None
        except (ValueError, *FAILS) as fault:
            raise Unreadable(f"{name}: the expression fails on this delivery ({type(fault).__name__})") from None
        return None if isinstance(found, str) and not found else found

    def visit(self, node: Any, value: Any) -> Any:
        self._spend(1)
        return super().visit(node, value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        given = [self.visit(child, value) for child in node["children"]]
        self._go_through(given)
        if node["value"] == "join" and isinstance(given[0], str) and isinstance(given[1], list):
            self._spend(len(given[0]) * len(given[1]) // TEXT_PER_STEP)  # of what is put between the others
        found = self._functions.call_function(node["value"], given)
        self._go_through([found])
        return found

    def visit_comparator(self, node: Any, value: Any) -> Any:
        sides = [self.visit(child, value) for child in node["children"]]
        self._go_through(sides)
        return super().visit_comparator(_of(node, *sides), value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._spend(sum(len(each) if isinstance(each, list) else 1 for each in base))
        return super().visit_flatten(_of(node, base), value)

    def visit_slice(self, node: Any, value: Any) -> Any:
        self._spend(len(value) if isinstance(value, list) else 0)
        return super().visit_slice(node, value)

    def _go_through(self, values: list[Any]) -> None:
        """Spend a step for every value in these, and for every so many characters; before anything is done with them."""
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            self._spend(1 + len(value) // TEXT_PER_STEP if isinstance(value, str) else 1)
            if isinstance(value, dict | list):
                self._spend(len(value))
                waiting.extend(value.values() if isinstance(value, dict) else value)

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooMuchWork


# What a sound expression can raise on a document it was not made for.
FAILS = (jmespath.exceptions.JMESPathError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


def _of(node: Any, *found: Any) -> Any:
    """The node over what its children have found already."""
    return {**node, "children": [{"type": "literal", "value": one, "children": []} for one in found]}


LONGEST_KEPT = 200  # characters; what a longer one is compiled to may take a megabyte


def compiled(expression: str) -> Any:
    """The expression, ready to search. Raises ValueError for one that could never work."""
    return _kept(expression) if len(expression) <= LONGEST_KEPT else _compiled(expression)


def _compiled(expression: str) -> Any:
    try:
        ready = jmespath.compile(expression)
    except (jmespath.exceptions.JMESPathError, RecursionError) as fault:
        words = str(fault).removeprefix("Invalid jmespath expression: ").splitlines()[0].rstrip(":")
        raise ValueError(f"is no JMESPath expression: {words}") from None
    _check(ready.parsed)
    return ready


def _check(node: Any) -> None:
    if node["type"] == "function_expression":
        known = ExactNumbers.FUNCTION_TABLE.get(node["value"])
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


_kept = lru_cache(maxsize=4096)(_compiled)


def compilable(expression: str) -> str:
    compiled(expression)
    return expression


Expression = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(compilable)]
