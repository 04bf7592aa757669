"""People's names as they write them: what is one, and whether two are one person's."""

import re
import unicodedata
from typing import Final

_WORDS: Final = re.compile(r"\w{2,}")


def plain(text: str) -> str:
    """Return a text without accents and capitals, as people search."""
    if text.isascii():
        return text.lower()
    return "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))


def letters(name: str) -> str:
    """Return the letters and digits of a name, without accents and capitals: people leave those out in one of two fields."""
    return "".join(filter(str.isalnum, plain(name)))


def words_in(text: str) -> list[str]:
    """Return the words of a text, of two letters or more, without accents and capitals."""
    return _WORDS.findall(plain(text))


def is_no_name(text: str) -> bool:
    """Return whether it is a phone or an e-mail address, written where there was no name, or a dash."""
    return not any(map(str.isalpha, text)) or ("@" in text and len(text.split()) == 1)


def names_another(one: str | None, other: str | None) -> bool:
    """Return whether two names are two people's, whatever their accents and capitals: they have no word in common.

    Where both have several, of neither is the first word one of the other's: a family has the rest in common. One without
    a word (a letter, an address) says nothing.
    """
    if not one or not other or one == other or "@" in one or "@" in other:
        return False
    ours, theirs = words_in(one), words_in(other)
    if len(ours) > 1 and len(theirs) > 1:
        return ours[0] not in theirs and theirs[0] not in ours
    return bool(ours and theirs) and set(ours).isdisjoint(theirs)
