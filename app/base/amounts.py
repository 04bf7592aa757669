"""Amounts of money as people and files write them: exact, never rounded."""

import re

from adapters.contract.money import MAX_MINOR, decimals

AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,16})?")


def read_amount(text: str, currency: str) -> int:
    """Reads a decimal number such as 199.90, in the currency's smallest unit.

    Raises ValueError for what is no such number, has more decimals than the currency, or is too large for an order.
    """
    if not AMOUNT.fullmatch(text):
        raise ValueError("must be a decimal number with a point and no thousands' marks, such as 199.90")
    places = decimals(currency)
    whole, _, rest = text.partition(".")
    if rest[places:].strip("0"):
        raise ValueError(f"has more decimals than {currency} has ({places})")
    minor = int(whole + rest[:places].ljust(places, "0"))
    if abs(minor) > MAX_MINOR:
        raise ValueError("is too large to be an order's")
    return minor
