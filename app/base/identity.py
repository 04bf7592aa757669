"""Identities in canonical form, so that a person is found however a shop writes their e-mail, phone or document."""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache

from adapters.contract import Customer
from adapters.contract.names import plain, words_in
from app.base.nobodys import NOBODYS_DOCUMENTS, NOBODYS_IDS, NOBODYS_MAILBOXES, is_made_up

# In the order in which they are believed; a CNPJ is a company's, and stands last (`rank_of`).
KINDS = ("crm", "source", "document", "email", "phone")
CLAIM = "crm_claim"  # a CRM id where buyers can write: it loses against all others, and teaches nothing
_RANKS = {kind: rank for rank, kind in enumerate((*KINDS, "cnpj", CLAIM))}
CNPJ = _RANKS["cnpj"]
CPF_LENGTH, CNPJ_LENGTH = 11, 14
WEAK = frozenset((_RANKS["phone"], CNPJ))  # families and companies share them, and phones change hands


def rank_of(identity: tuple[str, str]) -> int:
    """Return how far down an identity stands in the order of belief; 0 is the strongest."""
    kind, value = identity
    return CNPJ if kind == "document" and len(value) != CPF_LENGTH else _RANKS[kind]


def sort_of(identity: tuple[str, str]) -> str:
    """Return its kind, with `cpf` and `cnpj` for the two documents."""
    kind, value = identity
    return kind if kind != "document" else "cpf" if len(value) == CPF_LENGTH else "cnpj"


def is_weak(identity: tuple[str, str]) -> bool:
    """Return whether it names nobody by itself once something speaks against it: a phone or a CNPJ."""
    return rank_of(identity) in WEAK


def precedence(identity: tuple[str, str]) -> tuple[int, str]:
    """Return a sort key: the strongest first."""
    return rank_of(identity), identity[1]


def words_of_name(name: str) -> frozenset[str]:
    """Return the words of a name, without accents and capitals."""
    return frozenset(words_in(name))


def has_words(text: str, words: frozenset[str]) -> bool:
    """Return whether a text has all of these words of a name, whatever its accents and capitals."""
    found = plain(text)
    return all(word in found for word in words) and words.issubset(words_in(found))


# In a text, what stands out from other words and digits: addresses, numbers with their plus, documents' length. No
# character is looked at more often than a few times, whatever the text (possessive: nothing is given back).
_DOMAIN = re.compile(r"(?:@|%40)[\w-]++(?:\.[\w-]++)++")
_BEFORE_AT = re.compile(r"[\w.+%-]{1,64}")  # in a text that is read backwards
_WITH_PLUS = re.compile(r"\+[0-9][0-9 ().-]{7,18}[0-9]")
_WORD = re.compile(r"[0-9A-Za-z./-]{11,18}+")
_NOT_IN_A_DOCUMENT = re.compile(r"[./-]")
MOST_MENTIONED = 2_000  # in one text; each costs up to 0.1 ms, and is looked for among those who were erased
LONGEST_READ = 100  # characters of what shall be a phone or a document: what is remembered must not be a whole body
MOST_OF_A_KIND = 5  # e-mails, phones or documents of one customer

# What people put between digits: blanks of all kinds, and ( ) . -
_BETWEEN_DIGITS = dict.fromkeys([*(ord(one) for one in "().-"), *(n for n in range(0x3001) if chr(n).isspace())])
# What is copied along around an address or a number: marks that nobody sees, the end of a sentence.
_AROUND = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\ufeff<>,;." + "".join(
    chr(n) for n in range(0x3001) if chr(n).isspace()
)
_NOT_IN_AN_ADDRESS = re.compile(r"[\s\0@]")
_BETWEEN_PHONES = re.compile(r"[/;|]")  # people write two into one field
_AFTER_A_PHONE = re.compile(r"[\s(][^\d]*\Z")  # "(Ana)", "whatsapp"
# By Anatel's area codes: a Chilean mobile without its plus, 56 9…, is none of 56, which there is not.
_BRAZILIAN = re.compile(
    r"\+?55(1[1-9]|2[12478]|3[1-578]|4[1-9]|5[1345]|6[1-9]|7[134579]|8[1-9]|9[1-9])(9[0-9]{8}|[2-5][0-9]{7})"
)


_DROPPED = {52: "1", 54: "9"}  # by country code: a first digit that a mobile may have or lack


def phone(text: str, region: str = "BR") -> str | None:
    """Return a phone number in E.164, in the one form in which it is compared; None if it is no number, or nobody's.

    `region` is the country of a number without a country code. Brazilian mobiles have the ninth digit, which Anatel's
    Resolution 553/2010 gave them and old records lack; landlines (first digit 2 to 5) are left alone, and what is neither
    is no Brazilian number: one of another country without its plus, or 0800. Mexican numbers
    lack the 1 behind +52 (given up in 2019), Argentine ones the 9 behind +54: with it and without it they are the same.
    """
    return _phone(text[:LONGEST_READ], region)


@lru_cache(maxsize=4096)
def _phone(text: str, region: str) -> str | None:
    compact = text.translate(_BETWEEN_DIGITS)
    if is_made_up(compact) or "*" in text:
        return None
    if compact.startswith("0055"):
        # What one dials from most of the world. In Brazil a carrier's number follows 00, as which 55 would be taken.
        text = compact = f"+{compact[2:]}"
    if (found := _BRAZILIAN.fullmatch(compact)) and (region == "BR" or compact.startswith("+")):
        return None if is_made_up(f"{found[1]}{found[2]}") else f"+55{found[1]}{found[2]}"
    import phonenumbers  # loaded with the first number that needs it: most processes start without one

    try:
        number = phonenumbers.parse(_AFTER_A_PHONE.sub("", text.strip(_AROUND))[:40], region)
    except phonenumbers.NumberParseException:
        return None
    national = phonenumbers.national_significant_number(number)
    if is_made_up(national):
        return None
    if number.country_code == 55:
        if len(national) == 10 and national[2] in "6789":
            national = f"{national[:2]}9{national[2:]}"
        return f"+55{national}" if _BRAZILIAN.fullmatch(f"55{national}") else None
    dropped = _DROPPED.get(number.country_code or 0)
    if dropped and len(national) == 11 and national.startswith(dropped):
        return f"+{number.country_code}{national[1:]}"
    if not phonenumbers.is_possible_number(number):
        return None
    e164: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Noughts without end, or more than E.164's 15 digits: it would not be read the same again, and is nobody's number.
    return e164 if len(e164) <= 16 and _reads_the_same(e164) else None


def _reads_the_same(e164: str) -> bool:
    import phonenumbers

    try:
        again = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.format_number(again, phonenumbers.PhoneNumberFormat.E164) == e164)


def document(text: str) -> str | None:
    """Return a CPF or CNPJ without punctuation; None if its check digits are wrong.

    A CNPJ may have capitals since 2026.
    """
    return _document(text[:LONGEST_READ])


@lru_cache(maxsize=4096)
def _document(text: str) -> str | None:
    from stdnum.br import cnpj, cpf
    from stdnum.exceptions import ValidationError

    if len(set(re.sub(r"[\W_]", "", text))) == 1:
        return None  # 111.111.111-11 satisfies the check digits, and is what people type who have none to give
    for known in (cpf, cnpj):
        try:
            found = str(known.validate(text[:40].strip(_AROUND)))
            return None if found in NOBODYS_DOCUMENTS else found
        except ValidationError:
            continue
    return None


def email(text: str) -> str | None:
    """Return an e-mail address trimmed and case-folded; None if it is no address."""
    folded = text.strip(_AROUND).casefold()
    name, at, domain = folded.rpartition("@")
    if not (name and at and domain) or len(folded) > 254 or _NOT_IN_AN_ADDRESS.search(f"{name}{domain}"):
        return None
    if "*" in folded or NOBODYS_MAILBOXES.match(folded):
        return None
    return folded


def identities(customer: Customer, source_id: str | None, region: str) -> list[tuple[str, str]]:
    """Return a customer's identities as (kind, canonical value), each once, a few of a kind; see `identities_told`."""
    return identities_told(customer, source_id, region)[0]


def identities_told(
    customer: Customer,
    source_id: str | None,
    region: str,
    *,
    claimed: bool = False,
    nobodys: Collection[str] = (),
) -> tuple[list[tuple[str, str]], bool]:
    """Return a customer's identities as (kind, canonical value), each once, and whether something given was left out.

    A shop's customer id counts only within its source. Phones are read in the customer's own country, else in `region`.
    Invalid identities are left out, and those beyond MOST_OF_A_KIND: a mistyped phone must not cost the order. So is a
    second CPF that a source tells: a person has one, and the other is somebody else's.
    `claimed`: the CRM id stands where buyers can write. `nobodys`: values that the account says are nobody's.
    """
    country = (customer.country or "").strip().upper()
    if len(country) == 2 and country.isascii() and country.isalpha():
        region = country
    found: list[tuple[str, str]] = []
    left_out = False
    if customer.crm_id:
        left_out = _is_nobodys_id(customer.crm_id)
        if not left_out:
            found.append((CLAIM if claimed else "crm", customer.crm_id[:255]))
    if customer.id and source_id and not _is_nobodys_id(customer.id):
        found.append(("source", f"{source_id}:{customer.id[:200]}"))
    phones = _each_phone(customer.phones)
    for kind, texts in (("document", customer.documents), ("email", customer.emails), ("phone", phones)):
        given = 0
        for text in texts:
            if not text or text.isspace():
                continue
            given += 1
            value = _read(kind, text, region) if given <= MOST_OF_A_KIND else None
            if value is None or value in nobodys:
                left_out = True
            elif (kind, value) in found:
                continue
            elif source_id and kind == "document" and len(value) == CPF_LENGTH and "cpf" in map(sort_of, found):
                left_out = True
            else:
                found.append((kind, value))
    return found, left_out


def _each_phone(texts: Sequence[str | None]) -> Sequence[str | None]:
    if not _BETWEEN_PHONES.search(" ".join(filter(None, texts))):
        return texts
    return [part for text in texts for part in _BETWEEN_PHONES.split((text or "")[:LONGEST_READ])]


def _is_nobodys_id(text: str) -> bool:
    return text.strip().casefold() in NOBODYS_IDS


def _read(kind: str, text: str, region: str) -> str | None:
    return phone(text, region) if kind == "phone" else email(text) if kind == "email" else document(text)


def mentioned(text: str) -> list[tuple[str, str]] | None:
    """Find the identities in a text, as (kind, canonical value); None when there are too many.

    They are told from other words and digits as far as possible.
    """
    found: dict[tuple[str, str], None] = {}
    for looked_at, identity in enumerate(_mentions(text)):
        if looked_at >= MOST_MENTIONED:
            return None
        if identity[1] is not None:
            found[identity[0], identity[1]] = None
    return list(found)


def _mentions(text: str) -> Iterator[tuple[str, str | None]]:
    for match in _DOMAIN.finditer(text):
        at = match.start()
        if before := _BEFORE_AT.match(text[max(0, at - 64) : at][::-1]):
            yield "email", email(f"{before[0][::-1]}{match[0]}".replace("%40", "@"))
    for match in _WITH_PLUS.finditer(text):
        yield "phone", phone(match[0])
    for match in _WORD.finditer(text):
        if _may_be_a_document(word := _NOT_IN_A_DOCUMENT.sub("", match[0])):
            yield "document", document(word)


def _may_be_a_document(word: str) -> bool:
    """Whether the first check digit is right; what it is made of has the length of a CPF or a CNPJ."""
    if len(word) not in (CPF_LENGTH, CNPJ_LENGTH) or not word[-2:].isdigit():
        return False
    values = [ord(sign) - ord("0") for sign in word.upper()[:-1]]
    weights = 9 if len(word) == CPF_LENGTH else 8  # from the right: 2 to 10, or 2 to 9 and from 2 again
    rest = sum(value * (2 + place % weights) for place, value in enumerate(values[-2::-1])) % 11
    return values[-1] == (0 if rest < 2 else 11 - rest)
