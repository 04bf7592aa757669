"""A town of made-up people who share phones, e-mails and typos, and of whom it is known who is who.

    python -m tests.town [--people 100000]

places their orders with the registry's own rule, in memory, and prints of the pairs of orders that it put together how
many are one person's (precision), and of the pairs of one person how many it put together (recall).
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.contract import Customer
from app.base.identity import identities
from app.store.contact_resolution import ContactResolution

_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "xo", "zu")
FIRST = [f"{one}{other}na".capitalize() for one in _SYLLABLES for other in _SYLLABLES]
LAST = [f"{one}{other}{last}".capitalize() for one in _SYLLABLES for other in _SYLLABLES for last in ("rez", "do")]
PLACEHOLDERS = ("(11) 99999-9999", "11 1111-1111", "12345678901")


@dataclass(frozen=True, slots=True)
class Person:
    """Holds somebody of the town."""

    name: str
    cpf: str
    email: str
    mobile: str
    landline: str | None
    account: str | None  # their customer id at the shop
    shares_email: bool  # with whom they live; they write their CPF, without which nobody could tell them apart


def cpf(number: int) -> str:
    """Return the CPF with these first nine digits."""
    digits = [int(one) for one in f"{number:09d}"]
    for length in (10, 11):
        rest = sum(digit * (length - place) for place, digit in enumerate(digits)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    return "".join(map(str, digits))


def people(many: int, chance: random.Random) -> list[Person]:
    """Return the town: households share a landline, some couples an e-mail, and a few numbers have changed hands."""
    found: list[Person] = []
    while len(found) < many:
        surname = chance.choice(LAST)
        landline = f"+5511{chance.randrange(20_000_000, 49_999_999)}" if chance.random() < 0.5 else None
        shared = f"casa{len(found)}@example.com" if chance.random() < 0.05 else None
        for _ in range(chance.choice((1, 1, 2, 3, 4))):
            number = len(found)
            recycled = chance.random() < 0.01 and found
            mobile = chance.choice(found).mobile if recycled else f"+55119{chance.randrange(10_000_000, 99_999_999)}"
            name = f"{chance.choice(FIRST)} {surname if chance.random() < 0.7 else chance.choice(LAST)}"
            account = str(number) if chance.random() < 0.5 else None
            email = shared or f"p{number}@example.com"
            found.append(Person(name, cpf(number + 100_000_000), email, mobile, landline, account, shared is not None))
    return found[:many]


def orders(town: list[Person], chance: random.Random) -> Iterator[tuple[int, Customer]]:
    """Yield orders, each with its person: most of a shop's checkout, some by message, mistyped now and then."""
    for _ in range(3 * len(town)):
        number = chance.randrange(len(town))
        one = town[number]
        name = one.name if chance.random() < 0.95 else one.name.split()[0]
        if chance.random() < 0.15:  # by message, from one's own phone; now and then from that of the house
            phone = one.landline if one.landline and chance.random() < 0.01 else one.mobile
            yield number, Customer(name=name, phones=(phone,))
            continue
        email = one.email.replace("example", "exmaple") if chance.random() < 0.01 else one.email
        phone = chance.choice((one.mobile, one.mobile, one.landline, None))
        if phone is None and chance.random() < 0.1:
            phone = chance.choice(PLACEHOLDERS)
        yield (
            number,
            Customer(
                name=name,
                id=one.account if chance.random() < 0.5 else None,
                emails=(email,),
                phones=(phone,),
                documents=(one.cpf if one.shares_email or chance.random() < 0.7 else None,),
            ),
        )


def placed(told: Iterator[tuple[int, Customer]]) -> tuple[list[tuple[int, str]], int]:
    """Place the orders one after the other. Returns person and contact of each, and how many matches were refused."""
    resolution = ContactResolution()
    ends: list[tuple[int, str]] = []
    refused = 0
    for number, customer in told:
        known = identities(customer, "shop", "BR")
        match = resolution.place("town", known, customer.name, "shop")
        refused += match.conflict
        if match.contact_id:
            ends.append((number, match.contact_id))
    return [(number, resolution.today("town", contact_id)) for number, contact_id in ends], refused


def quality(ends: list[tuple[int, str]]) -> tuple[float, float, int]:
    """Return precision and recall over pairs of orders, and how many orders stand with somebody else's.

    An order is with somebody else's where most of its contact's orders are another person's.
    """

    def pairs(counts: Counter[object]) -> int:
        return sum(many * (many - 1) // 2 for many in counts.values())

    together = pairs(Counter(contact for _, contact in ends))
    same = pairs(Counter(number for number, _ in ends))
    both = pairs(Counter(ends))
    owners: dict[str, Counter[int]] = {}
    for number, contact in ends:
        owners.setdefault(contact, Counter())[number] += 1
    wrong = sum(counts.total() - counts.most_common(1)[0][1] for counts in owners.values())
    return both / together if together else 1.0, both / same if same else 1.0, wrong


def main() -> None:
    """Print what became of a town."""
    parser = argparse.ArgumentParser(prog="python -m tests.town", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=10_000)
    asked = parser.parse_args()
    chance = random.Random(1)
    ends, refused = placed(orders(people(asked.people, chance), chance))
    precision, recall, wrong = quality(ends)
    print(
        f"{asked.people} people, {len(ends)} orders, {len({one for _, one in ends})} contacts, {refused} refused matches: "
        f"precision {precision:.5f}, recall {recall:.4f}, {wrong} orders with somebody else's"
        f" ({wrong / len(ends) * 10_000:.2f} in 10,000)"
    )


if __name__ == "__main__":
    main()
