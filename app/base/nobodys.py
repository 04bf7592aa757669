"""What names nobody: the numbers, addresses and documents that people and shops write who have none to give.

Each with its reason. An account adds its own (`not_identities`): a shop's own phone, an e-mail typed at the counter.
"""

import re

# The check digits of these hold: the first is in every form's example, the others count up and down like it. One digit
# repeated holds them as well.
NOBODYS_DOCUMENTS = frozenset({"12345678909", "01234567890", "98765432100"})

# What programs write for a customer or a contact that there is none of: all guests would be one person.
NOBODYS_IDS = frozenset({"0", "-1", "null", "none", "nil", "undefined", "nan", "false", "guest", "[object object]"})

# Machines write from the first, and nobody reads what comes. The others say that there is none ("não tem", "sem e-mail"),
# or repeat one word, where a form insists on an address.
NOBODYS_MAILBOXES = re.compile(
    r"(no|nao|não|do[-_.]?not)[-_.]?(reply|responda|responder)[^@]*@"
    r"|(nao|não)[-_.]?(tem|tenho|possui|informad[oa])([-_.]?e?-?mail)?@|(sem|no)[-_.]?e?-?mail@|n[aã]o@(tem|possui)\."
    r"|semail@|no@e?-?mail\.|([a-z]|n[ao]|nao|nada|teste?|email|none|null|undefined|unknown|fake|guest|exemplo|anonimo)@\8\."
)

# An alias: it leads to the buyer of one order or in one shop, and another address of the same person speaks against
# nothing. VTEX: help.vtex.com, "Conversation Tracker"; Amazon: Seller Central, "Buyer-Seller Messages FAQ"; eBay:
# developer.ebay.com, "Member communications"; Walmart and Mercado Livre: orders and payments of theirs that were seen;
# Apple: "Sign in with Apple", one address for each app.
_RELAYS = re.compile(
    r"@(.*[.-])?ct\.vtex\.com\.br$|@marketplace\.amazon\.[a-z.]+$|@members\.ebay\.[a-z.]+$|@relay\.walmart\.com$"
    r"|@mail\.mercadoli[bv]re\.com$|@privaterelay\.appleid\.com$"
)

_UP = "01234567890123456789"  # people run a finger along the keys, in either direction
_DOWN = _UP[::-1]


def is_made_up(digits: str) -> bool:
    """Return whether a phone's last eight digits are one digit repeated, or the whole number counts up or down."""
    tail = digits[-8:]
    return tail == tail[:1] * len(tail) or digits in _UP or digits in _DOWN


def is_relay(address: str) -> bool:
    """Return whether an e-mail address is an alias that a marketplace or Apple made."""
    return _RELAYS.search(address) is not None
