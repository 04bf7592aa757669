"""Validation messages: what is wrong with a field, in words for the person who filled it in."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda limits: "is required",
    "extra_forbidden": lambda limits: "is not known here",
    "string_type": lambda limits: "must be a text",
    "string_too_short": lambda limits: _at_least(limits, "characters"),
    "string_too_long": lambda limits: f"must have at most {limits['max_length']} characters",
    "string_pattern_mismatch": lambda limits: f"must match {limits['pattern']}",
    "bool_type": lambda limits: "must be true or false",
    "bool_parsing": lambda limits: "must be true or false",
    "int_type": lambda limits: "must be a whole number",
    "int_parsing": lambda limits: "must be a whole number",
    "int_from_float": lambda limits: "must be a whole number",
    "float_type": lambda limits: "must be a number",
    "float_parsing": lambda limits: "must be a number",
    "greater_than_equal": lambda limits: f"must be at least {limits['ge']}",
    "less_than_equal": lambda limits: f"must be at most {limits['le']}",
    "list_type": lambda limits: "must be a list",
    "dict_type": lambda limits: "must be an object",
    "model_type": lambda limits: "must be an object",
    "too_short": lambda limits: _at_least(limits, "entries"),
    "too_long": lambda limits: f"must have at most {limits['max_length']} entries",
    "enum": lambda limits: f"must be {_choices(limits)}",
    "literal_error": lambda limits: f"must be {_choices(limits)}",
}


def in_words(error: Mapping[str, Any]) -> str:
    """Describe one of a ValidationError's errors in words that its reader can act on. Never repeats the given value."""
    told = _WORDS.get(error["type"])
    if told is not None:
        return told(error.get("ctx", {}))
    message: str = error["msg"]
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _at_least(limits: Mapping[str, Any], what: str) -> str:
    least = limits["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} {what}"


def _choices(limits: Mapping[str, Any]) -> str:
    """Join the allowed values as `a, b or c`. The empty value is left out."""
    words = [word for word in re.findall(r"'([^']*)'", limits["expected"]) if word]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
