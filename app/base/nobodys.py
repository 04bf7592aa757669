"""What names nobody: the numbers, addresses and documents that people and shops write who have none to give.

Each with its reason. An account adds its own (`not_identities`): a shop's own phone, an e-mail typed at the counter.
"""

import re

# The check digits of 123.456.789-09 hold: it is in every form's example. One digit repeated holds them as well.
NOBODYS_DOCUMENTS = frozenset({"12345678909"})

# Machines write from the first, and nobody reads what comes. The others say that there is none ("não tem", "sem e-mail"),
# or repeat one word, where a form insists on an address.
NOBODYS_MAILBOXES = re.compile(
    r"(no|nao|não|do[-_.]?not)[-_.]?(reply|responda|responder)[^@]*@"
    r"|(nao|não)[-_.]?(tem|tenho|possui|informad[oa])([-_.]?e?-?mail)?@|(sem|no)[-_.]?e?-?mail@|n[aã]o@(tem|possui)\."
    r"|semail@|no@e?-?mail\.|([a-z]|n[ao]|nao|nada|teste?|email|none|null|undefined|unknown|fake|guest|exemplo|anonimo)@\8\."
)

# A marketplace's alias: it leads to the buyer of one order, and another address of the same person speaks against
# nothing. VTEX: help.vtex.com, "Conversation Tracker"; Amazon: Seller Central, "Buyer-Seller Messages FAQ".
_RELAYS = re.compile(r"@(.*[.-])?ct\.vtex\.com\.br$|@marketplace\.amazon\.[a-z.]+$")

_UP = "01234567890123456789"  # people run a finger along the keys, in either direction
_DOWN = _UP[::-1]


def is_made_up(digits: str) -> bool:
    """Return whether a phone's last eight digits are one digit repeated, or the whole number counts up or down."""
    tail = digits[-8:]
    return tail == tail[:1] * len(tail) or digits in _UP or digits in _DOWN


def is_relay(address: str) -> bool:
    """Return whether an e-mail address is a marketplace's alias."""
    return _RELAYS.search(address) is not None
