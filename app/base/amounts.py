"""Amounts of money as people, programs and files write them: read exactly or refused, never rounded, never guessed."""

import re

from adapters.contract.money import MAX_MINOR, decimals

# As the API, and files that do not say otherwise, write amounts.
AMOUNT = re.compile(r"[0-9]{1,16}(\.[0-9]{1,16})?")
MARKS = {".": "," + "'\u2019", ",": "." + "'\u2019"}  # the decimal mark, and what may stand between thousands beside it
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " "})
# What people write before or after an amount in this currency, beside its code.
_SYMBOLS = {
    "BRL": ("R$",),
    "USD": ("US$", "$"),
    "EUR": ("€",),
    "GBP": ("£",),
    "JPY": ("¥", "￥"),
    "INR": ("₹",),
    "NGN": ("₦",),
    "PEN": ("S/",),
    "PYG": ("₲",),
    "UYU": ("$U", "$"),
    **dict.fromkeys(["ARS", "AUD", "CAD", "CLP", "COP", "MXN", "NZD"], ("$",)),
}


def read_amount(text: str, currency: str, *, decimal: str | None = None) -> int:
    """Reads an amount that is not below nothing, in the currency's smallest unit.

    Without `decimal` it is a number such as 1500.00. With it (`.` or `,`) it may be written as people do, with marks
    between the thousands and the currency beside it: `R$ 1.500,00`.

    Raises ValueError for what is no such number, has more decimals than the currency (zeros included: 1.500 may be
    meant as 1,500), is negative or is too large for an order.
    """
    number = text if decimal is None else _plain(text, currency, decimal)
    if re.fullmatch(r"-[0-9.]+", number):
        raise ValueError("is below 0")
    if not AMOUNT.fullmatch(number):
        raise ValueError(_WRONG[decimal])
    places = decimals(currency)
    whole, _, rest = number.partition(".")
    if len(rest) > places:
        raise ValueError(
            f"has more decimals than {currency} has ({places}), zeros included: 1.500 may be meant as 1,500"
        )
    minor = int(whole + rest.ljust(places, "0"))
    if minor > MAX_MINOR:
        raise ValueError("is too large to be an order's")
    return minor


_WRONG = {
    None: "must be a decimal number with a point and no thousands' marks, such as 199.90",
    ".": "must be an amount with a point for the decimals, such as 1,500.00",
    ",": "must be an amount with a comma for the decimals, such as 1.500,00",
}


def _plain(text: str, currency: str, decimal: str) -> str:
    """Return an amount that a person wrote as a number with a point and no other marks, else nothing."""
    number = text.translate(_BLANKS).strip()
    for symbol in (currency, *_SYMBOLS.get(currency, ())):
        if number.upper().startswith(symbol):
            number = number[len(symbol) :].strip()
            break
        if number.upper().endswith(symbol):
            number = number[: -len(symbol)].strip()
            break
    sign, number = ("-", number[1:].strip()) if number[:1] in ("-", "\u2212") else ("", number)
    whole, point, rest = number.partition(decimal)
    if not re.fullmatch(rf"[0-9]+|[0-9]{{1,3}}([{MARKS[decimal]} ])[0-9]{{3}}(\1[0-9]{{3}})*", whole):
        return ""
    return f"{sign}{re.sub('[^0-9]', '', whole)}{'.' if point else ''}{rest}"
