"""Money: integer minor units and a currency. No float anywhere."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import overload

from msgspec import Struct

from adapters.contract.errors import Unreadable

# ISO 4217's own minor units, where they are not two. Not CLDR's: those are digits for display, and would round
# away real money (RSD, PKR and IQD have none there).
DECIMALS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}

# ISO 4217's codes in use for payments, for what people write by hand; what a source says is taken as it says it.
CODES = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF CLP CNY
    COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP
    MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR
    SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYI UYU UYW UZS VED
    VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()
)

# Far above any order, far below what a 64-bit column and a sum over a million orders can hold.
MAX_MINOR = 10**15


def decimals(currency: str) -> int:
    """How many decimals the currency has (ISO 4217): 2 for BRL, 0 for JPY, 3 for KWD."""
    return DECIMALS.get(currency, 2)


def currency_code(word: str) -> str:
    """The ISO 4217 code in capitals; raises Unreadable when it is not three letters."""
    code = word.strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise Unreadable("currency is not an ISO 4217 code of three letters")
    return code


class Money(Struct, frozen=True):
    """An amount in the currency's smallest unit: Money(19990, "BRL") is R$ 199,90."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in _known:
            _learn(self.currency)
        if not -MAX_MINOR <= self.minor <= MAX_MINOR:
            raise Unreadable("the amount is too large to be an order's")

    @overload
    @classmethod
    def major(cls, amount: Decimal | int | str, currency: str | None) -> "Money": ...

    @overload
    @classmethod
    def major(cls, amount: Decimal | int | str | None, currency: str | None) -> "Money | None": ...

    @classmethod
    def major(cls, amount: Decimal | int | str | None, currency: str | None) -> "Money | None":
        """From units ("199.90", 199.9); digits beyond the currency's own are rounded half up. No amount is no money.

        Raises Unreadable, also where there is an amount and no currency.
        """
        return None if amount is None else cls.scaled(amount, 0, currency or "")

    @classmethod
    def exact(cls, amount: Decimal, currency: str) -> "Money":
        """Read units exactly as people write them. Raises Unreadable for a currency that is none of ISO 4217's in use,
        and for more decimals than it has, zeros included: 1.500 BRL may be meant as 1,500.
        """
        code = currency_code(currency)
        if code not in CODES:
            raise Unreadable(f"{code} is no currency of ISO 4217")
        exponent = amount.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > decimals(code):
            raise Unreadable(f"{amount} has more decimals than {code} has ({decimals(code)})")
        return cls.scaled(amount, 0, code)

    @overload
    @classmethod
    def of(cls, minor: int, currency: str | None) -> "Money": ...

    @overload
    @classmethod
    def of(cls, minor: int | None, currency: str | None) -> "Money | None": ...

    @classmethod
    def of(cls, minor: int | None, currency: str | None) -> "Money | None":
        """From the smallest unit, where there is an amount. Raises Unreadable, also where there is no currency."""
        return None if minor is None else cls(minor, currency_code(currency or ""))

    @classmethod
    def total(cls, amounts: Iterable["Money | None"]) -> "Money | None":
        """All of them together; None when there is none. Raises Unreadable for more than one currency."""
        found = [money for money in amounts if money is not None]
        if not found:
            return None
        if len({money.currency for money in found}) > 1:
            raise Unreadable("the amounts of one order are in more than one currency")
        return cls(sum(money.minor for money in found), found[0].currency)

    @classmethod
    def scaled(cls, amount: Decimal | int | str, exponent: int, currency: str) -> "Money":
        """From an amount that counts 10**-exponent units: scaled(500, 2, "ISK") is 5 krónur. Raises Unreadable."""
        code = currency if currency in _known else currency_code(currency)
        try:
            number = amount if type(amount) is Decimal else Decimal(amount)
        except ArithmeticError:
            raise Unreadable("the amount is not a decimal number") from None
        if not number.is_finite():
            raise Unreadable("the amount is not a number")
        if number.adjusted() > 20:
            raise Unreadable("the amount is too large to be an order's")
        scaled = number.scaleb(DECIMALS.get(code, 2) - exponent)
        minor = int(scaled)
        if minor != scaled:
            minor = int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP))
        return cls(minor, code)

    def __str__(self) -> str:
        return amount_text(self.minor, self.currency)


def amount_text(minor: int, currency: str) -> str:
    """The amount as people write it, with the currency's own decimals: amount_text(150, "JPY") is "150"."""
    places = decimals(currency)
    if not places:
        return str(minor)
    digits = str(abs(minor)).rjust(places + 1, "0")
    return f"{'-' if minor < 0 else ''}{digits[:-places]}.{digits[-places:]}"


_known: set[str] = set()


def _learn(currency: str) -> None:
    if currency_code(currency) != currency:
        raise Unreadable("currency is not written in capitals")
    _known.add(currency)  # at most 26**3 of them
