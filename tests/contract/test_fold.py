"""An order is the fold of its history: entries in the place that their time gives them, each said once or many times."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import RANK, Status
from adapters.contract.fold import Entry, Folded, fold

PENDING, OVERDUE, FAILED, PARTIALLY_PAID, PAID, CANCELED, REFUNDED = Status
RECEIVED = 1000
_receipts = itertools.count(RECEIVED)


def entry(at: int | None, *, by_member: bool = False, recorded_at: int | None = None, **said: Any) -> Entry:
    if "value" in said:
        said.setdefault("currency", "BRL")
    number = next(_receipts)
    return Entry(
        at=at,
        digest=f"{-number % 997:03d}",  # in no order that means anything
        recorded_at=number if recorded_at is None else recorded_at,
        said={"external_id": "1", **said},
        by_member=by_member,
    )


def told(*entries: Entry) -> Folded:
    """The order, which must be the same in whatever order the entries are folded, and with each of them twice."""
    order = fold(entries)
    for arrival in itertools.islice(itertools.permutations(entries), 120):
        assert fold(arrival) == order
    assert fold((*entries, *entries)) == order
    return order


def person(*identities: tuple[str, str], name: str | None = None) -> dict[str, Any]:
    return {"identities": [list(identity) for identity in identities]} | ({"name": name} if name else {})


# -- What always holds --------------------------------------------------------------------------------------------

IDENTITIES = st.lists(
    st.tuples(st.sampled_from(["crm", "source", "document", "email", "phone"]), st.sampled_from("abc")).map(list),
    max_size=4,
)
CURRENCY = st.sampled_from(["BRL", "BRL", "BRL", "USD", "EUR"])
AMOUNT = {"value": st.integers(0, 300), "currency": CURRENCY}
TIME = st.integers(0, 8)
NAMES = st.sampled_from(["p1", "p2", "p3"])


def _amount(said: dict[str, Any]) -> dict[str, Any]:
    """An amount has a currency, and a currency an amount."""
    if "value" not in said or "currency" not in said:
        said = {name: word for name, word in said.items() if name not in ("value", "currency")}
    return said


BILL = st.fixed_dictionaries(
    {},
    optional={
        **AMOUNT,
        "id": st.sampled_from(["b1", "b2"]),
        "part": st.booleans(),
        "also": st.tuples(st.integers(0, 300), st.just("EUR")).map(list),
        "closed": st.booleans(),
        "given_up": st.booleans(),
    },
).map(_amount)
PAYMENT = st.fixed_dictionaries(
    {"id": NAMES},
    optional={
        **AMOUNT,
        "state": st.sampled_from(["authorized", "taken", "taken", "failed", "canceled"]),
        "at": TIME,
        "captures": NAMES,
    },
).map(_amount)
REFUND = st.fixed_dictionaries(
    {},
    optional={
        **AMOUNT,
        "id": st.sampled_from(["r1", "r2", "p1"]),
        "state": st.sampled_from(["pending", "failed", "reversed"]),
        "kind": st.just("chargeback"),
        "at": TIME,
        "payment": NAMES,
        "all": st.booleans(),
        "total": st.booleans(),
    },
).map(_amount)
FIRST_VERSION = st.dictionaries(
    st.sampled_from(["r1", "p1", "total", "import", "member"]),
    st.tuples(st.integers(0, 300), CURRENCY).map(list),
    max_size=2,
)
SAID = st.fixed_dictionaries(
    {"external_id": st.sampled_from("12")},
    optional={
        "aliases": st.lists(st.sampled_from("1234"), max_size=2),
        "preference": st.integers(0, 2),
        "status": st.sampled_from(Status).map(str),
        "source_status": st.sampled_from("wxyz"),
        "title": st.sampled_from("abc"),
        "money": st.tuples(st.integers(0, 300), CURRENCY).map(list),
        "bills": st.lists(BILL, min_size=1, max_size=2),
        "payments": st.lists(PAYMENT, min_size=1, max_size=2),
        "refunds": st.lists(REFUND, min_size=1, max_size=2) | FIRST_VERSION,
        "sequence": st.integers(0, 2) | st.sampled_from("ab"),
        "ordered_at": st.integers(0, 5),
        "paid_at": st.integers(0, 5),
        "customer": st.fixed_dictionaries({"identities": IDENTITIES}, optional={"name": st.sampled_from("ABC")}),
        "items": st.lists(st.fixed_dictionaries({"title": st.sampled_from("ab")}), max_size=2),
        "url": st.sampled_from(["https://a", "https://b"]),
        "test": st.booleans(),
        "deal_id": st.sampled_from("de"),
        "contact_id": st.sampled_from("fg"),
    },
)


def _entry(at: int | None, by_member: bool, said: dict[str, Any]) -> Entry:
    if "money" in said:
        said["value"], said["currency"] = said.pop("money")
    return Entry(at=at, digest="", recorded_at=0, said=said, by_member=by_member)


def _received(entries: list[Entry]) -> list[Entry]:
    """The entries as they are when they arrive in this order; what is said stays as it is."""
    return [
        Entry(at=one.at, digest=f"{number * 7 % 10}", recorded_at=number, said=one.said, by_member=one.by_member)
        for number, one in enumerate(entries)
    ]


# Few times and few values, so that they meet.
ENTRIES = st.lists(st.builds(_entry, st.none() | TIME, st.booleans(), SAID), min_size=1, max_size=7)


@settings(max_examples=200)
@given(ENTRIES)
def test_what_always_holds(entries: list[Entry]) -> None:
    entries = _received(entries)
    said = [repr(one.said) for one in entries]
    order = fold(entries)
    assert [repr(one.said) for one in entries] == said, "the history was changed"
    value = order.value or 0
    assert 0 <= order.refunded_value <= value
    assert order.refunded_value <= min(order.paid_value, value), "net is less than nothing"
    assert (order.value is None) == (order.currency is None)
    if order.value is None:
        assert (order.paid_value, order.refunded_value) == (0, 0)
    if value and not any(one.by_member for one in entries):
        assert (order.status == REFUNDED) == (order.refunded_value == value)
    if order.status == PAID:
        assert order.paid_value >= value
    assert order.external_id in {one.said["external_id"] for one in entries}
    assert order.external_id not in order.aliases
    assert order.ordered_at is not None
    assert order.status in RANK
    assert list(order.notes) == sorted(set(order.notes))


@settings(max_examples=200)
@given(ENTRIES, st.data())
def test_the_way_in_which_the_history_is_read_changes_nothing(entries: list[Entry], data: st.DataObject) -> None:
    """The engines give a history in any order; and a story that is told twice is told once."""
    entries = _received(entries)
    again = data.draw(st.lists(st.sampled_from(entries), max_size=7))
    assert fold(data.draw(st.permutations(entries + again))) == fold(entries)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), SAID), min_size=1, max_size=7), st.data())
def test_any_order_of_arrival_of_entries_with_different_times_gives_the_same(
    said: list[tuple[bool, dict[str, Any]]], data: st.DataObject
) -> None:
    entries = [_entry(at, by_member, words) for at, (by_member, words) in enumerate(said)]
    arrived = data.draw(st.permutations(entries))
    assert fold(_received(arrived)) == fold(_received(entries))


@settings(max_examples=200)
@given(st.lists(SAID, min_size=2, max_size=2), st.text("0123456789abcdef", min_size=1), st.text("abc", min_size=1))
def test_no_digest_decides(said: list[dict[str, Any]], one: str, other: str) -> None:
    def both(digests: tuple[str, str]) -> Folded:
        return fold(
            Entry(at=5, digest=digest, recorded_at=number, said=_entry(5, False, dict(words)).said)
            for number, (digest, words) in enumerate(zip(digests, said, strict=True))
        )

    assert both((one, other)) == both((other, one))


# -- By time, the source's order, how far on, first receipt -------------------------------------------------------


def test_the_latest_says() -> None:
    order = told(
        entry(1, status=PENDING, title="a", value=100, url="https://a", test=True, items=[{"title": "a"}]),
        entry(3, status=CANCELED, title="c", value=90, url="https://c", test=False, items=[]),
        entry(2, status=PAID, title="b", value=95, paid_at=2, url="https://b", items=[{"title": "b"}]),
    )
    assert (order.status, order.title, order.value, order.url, order.test) == (CANCELED, "c", 90, "https://c", False)
    assert (order.items, order.paid_at) == ([], 2)


def test_what_is_not_mentioned_is_left_alone() -> None:
    order = told(entry(1, status=PAID, title="a", value=100, deal_id="d", source_status="paid"), entry(2))
    assert (order.status, order.title, order.value, order.deal_id) == (PAID, "a", 100, "d")
    assert order.source_status == "paid"


@pytest.mark.parametrize(("low", "high"), list(itertools.pairwise(Status)))
def test_at_the_same_time_the_higher_rank_is_later(low: Status, high: Status) -> None:
    for first, second in ((low, high), (high, low)):
        order = told(
            entry(5, status=first, source_status=str(first)), entry(5, status=second, source_status=str(second))
        )
        assert (order.status, order.source_status) == (high, high)


def test_the_ranks_are_those_of_the_interface() -> None:
    words = ["pending", "overdue", "failed", "partially_paid", "paid", "canceled", "refunded"]
    assert sorted(RANK, key=lambda status: RANK[status]) == words


def test_time_comes_before_rank() -> None:
    assert told(entry(1, status=REFUNDED), entry(2, status=PENDING)).status == PENDING


@pytest.mark.parametrize("sequence", [(1, 2), (9, 10), ("2026-11-20T15:00:00.1Z", "2026-11-20T15:00:00.2Z")])
def test_at_the_same_time_the_order_that_the_source_tells_comes_before_rank(sequence: tuple[Any, Any]) -> None:
    first, second = sequence
    order = told(
        entry(5, status=PENDING, value=90, sequence=second), entry(5, status=CANCELED, value=100, sequence=first)
    )
    assert (order.status, order.value) == (PENDING, 90)


def test_at_the_same_time_and_rank_the_later_to_arrive_says() -> None:
    assert told(entry(5, status=PAID, title="a"), entry(5, status=PAID, title="b")).title == "b"
    assert told(entry(5, recorded_at=9, value=600), entry(5, recorded_at=3, value=1000)).value == 600


def test_an_entry_without_a_status_comes_before_those_of_its_time() -> None:
    order = told(entry(5, title="pending", status=PENDING), entry(5, title="silent"))
    assert order.title == "pending"


def test_a_payment_that_was_taken_is_further_on_than_one_that_failed_in_the_same_second() -> None:
    order = told(
        entry(5, payments=[payment("p", 100, "taken")]),
        entry(5, payments=[payment("p", 100, "failed")]),
    )
    assert order.status == PAID


def test_an_unknown_word_keeps_the_status() -> None:
    assert told(entry(1, status=PAID, source_status="paid"), entry(2, source_status="odd")).status == PAID
    order = told(entry(1, source_status="odd", value=100))
    assert (order.status, order.source_status) == (PENDING, "odd")


def test_nothing_said_at_all() -> None:
    assert fold([]) == Folded()


# -- Entries without a time: by first receipt ---------------------------------------------------------------------


def test_an_entry_without_a_time_stands_where_it_was_received() -> None:
    order = told(
        entry(5, title="a", value=100, status=PENDING),
        entry(None, recorded_at=10, title="b", value=50, url="https://b", paid_at=4, status=PAID),
        entry(20, title="c"),
    )
    assert (order.title, order.value, order.url, order.paid_at, order.status) == ("c", 50, "https://b", 4, PAID)


def test_no_time_outranks_no_time() -> None:
    """A slip that lapsed, and was paid after all; neither statement has a time."""
    lapsed = entry(None, status=CANCELED, source_status="expired", value=100)
    approved = entry(None, status=PAID, source_status="approved", value=100)
    order = told(entry(None, recorded_at=1, status=PENDING, value=100), lapsed, approved)
    assert (order.status, order.source_status, order.paid_value) == (PAID, "approved", 100)


@pytest.mark.parametrize("late", [PENDING, OVERDUE, FAILED, PARTIALLY_PAID])
def test_an_earlier_state_that_is_told_late_untakes_no_money(late: Status) -> None:
    order = told(entry(None, status=PAID, source_status="paid", value=100), entry(None, status=late, source_status="x"))
    assert (order.status, order.source_status, order.paid_value) == (PAID, "paid", 100)
    assert told(entry(1, status=PAID, value=100), entry(2, status=late)).status == late, "a later time says so"


def test_a_state_that_comes_back_untakes_no_money() -> None:
    order = told(entry(None, status=CANCELED, value=100), entry(None, status=PAID), entry(None, status=CANCELED))
    assert order.status == PAID
    assert told(entry(None, status=PAID, value=100), entry(None, status=CANCELED)).status == CANCELED


def test_a_dispute_that_is_opened_and_dropped_is_paid_again() -> None:
    told_of = [entry(None, status=status, value=100) for status in (PAID, REFUNDED, PAID)]
    order = told(*told_of)
    assert (order.status, order.refunded_value) == (PAID, 0)
    assert told(*told_of, entry(None, status=REFUNDED)).refunded_value == 100


# -- What a member set --------------------------------------------------------------------------------------------


def test_title_contact_and_deal_of_a_member_stay() -> None:
    order = told(
        entry(1, title="shop", deal_id="d1", value=100, status=PENDING),
        entry(2, by_member=True, title="mine", deal_id="d2", contact_id="c2"),
        entry(3, title="shop again", deal_id="d3", contact_id="c3", value=90, status=PAID),
        entry(None, title="and again", deal_id="d4"),
    )
    assert (order.title, order.deal_id, order.contact_id) == ("mine", "d2", "c2")
    assert (order.value, order.status) == (90, PAID)


def test_a_member_may_correct_a_member() -> None:
    order = told(
        entry(1, by_member=True, title="mine"), entry(3, by_member=True, title="better"), entry(2, title="shop")
    )
    assert order.title == "better"


def test_a_deal_that_a_member_took_away_stays_away() -> None:
    assert told(entry(1, by_member=True, deal_id=None), entry(2, deal_id="d")).deal_id is None


def test_other_fields_of_a_member_follow_the_latest() -> None:
    order = told(
        entry(1, by_member=True, value=50, status=PAID, url="https://mine"),
        entry(2, value=60, status=CANCELED, url="https://shop"),
    )
    assert (order.value, order.status, order.url) == (60, CANCELED, "https://shop")


@pytest.mark.parametrize(
    ("word", "status", "paid", "back"),
    [
        (PAID, PAID, 100, 0),
        (REFUNDED, REFUNDED, 100, 100),
        (CANCELED, CANCELED, 40, 0),
        (PENDING, PENDING, 40, 0),
    ],
)
def test_a_members_word_counts_until_the_source_itemises_something(
    word: Status, status: Status, paid: int, back: int
) -> None:
    history = [
        entry(1, bills=[bill(100)], status=PENDING),
        entry(2, payments=[payment("p1", 40, "taken")]),
        entry(3, by_member=True, status=word),
    ]
    order = told(*history)
    assert (order.status, order.paid_value, order.refunded_value) == (status, paid, back)
    order = told(*history, entry(4, payments=[payment("p2", 10, "taken")], status=PAID))
    assert (order.status, order.paid_value) == (PARTIALLY_PAID, 50) or word == CANCELED
    assert told(*history, entry(4, title="x")).status == status, "a title says nothing of money"


def test_a_members_total_of_what_went_back_is_one_of_its_time() -> None:
    history = [
        entry(1, value=100, status=PAID),
        entry(2, refunds=[refund("r1", 20)]),
        entry(5, by_member=True, refunds=[{"total": True, "value": 50, "currency": "BRL", "kind": "everything"}]),
    ]
    assert told(*history).refunded_value == 50
    assert told(*history, entry(6, refunds=[refund("r2", 10, at=4)])).refunded_value == 50, "it was a part of it"
    assert told(*history, entry(7, refunds=[refund("r2", 10, at=7)])).refunded_value == 60
    assert told(*history, entry(7, refunds=[refund("r1", 20, state="failed")])).refunded_value == 30
    assert told(*history, entry(7, refunds=[{"total": True, "value": 20, "currency": "BRL"}])).refunded_value == 20


# -- Who bought ---------------------------------------------------------------------------------------------------

EMAIL, PHONE, SHOP, CPF = ("email", "ana@example.com"), ("phone", "+5511900000000"), ("source", "7"), ("document", "1")


def test_more_about_the_same_person() -> None:
    order = told(
        entry(1, customer=person(EMAIL, name="Ana")),
        entry(2, customer=person(EMAIL, PHONE)),
        entry(3, customer=person(CPF, name="Ana Souza")),
    )
    assert set(order.identities) == {EMAIL, PHONE, CPF}
    assert order.identities[0] == CPF
    assert order.name == "Ana Souza"


def test_another_person() -> None:
    other = ("source", "8")
    order = told(entry(1, customer=person(SHOP, EMAIL, name="Ana")), entry(2, customer=person(other, name="Bia")))
    assert (order.identities, order.name) == ((other,), "Bia")
    order = told(entry(1, customer=person(SHOP, EMAIL, name="Ana")), entry(2, customer=person(other, EMAIL)))
    assert (order.identities, order.name) == ((other, EMAIL), None)
    order = told(entry(1, customer=person(EMAIL, name="Ana")), entry(2, customer=person(("email", "b@example.com"))))
    assert order.identities == (("email", "b@example.com"),)


def test_who_is_known_for_certain_may_change_their_email() -> None:
    new = ("email", "ana@example.org")
    order = told(entry(1, customer=person(SHOP, EMAIL, name="Ana")), entry(2, customer=person(SHOP, new)))
    assert set(order.identities) == {SHOP, EMAIL, new}
    assert order.identities.index(new) < order.identities.index(EMAIL)
    assert order.name == "Ana"


def test_a_customer_of_whom_nothing_is_known_changes_nothing() -> None:
    order = told(entry(1, customer=person(EMAIL, name="Ana")), entry(2, customer=person()))
    assert (order.identities, order.name) == ((EMAIL,), "Ana")


# -- The bill -----------------------------------------------------------------------------------------------------


def bill(value: int | None = None, name: str = "", *, currency: str = "BRL", **more: Any) -> dict[str, Any]:
    told = {"id": name} if name else {}
    return told | ({} if value is None else {"value": value, "currency": currency}) | more


def payment(
    name: str, value: int | None, state: str | None = None, *, currency: str = "BRL", **more: Any
) -> dict[str, Any]:
    told: dict[str, Any] = {"id": name} | ({} if value is None else {"value": value, "currency": currency})
    return told | ({"state": state} if state else {}) | more


def refund(
    name: str | None, value: int | None, *, state: str = "done", currency: str = "BRL", **more: Any
) -> dict[str, Any]:
    told: dict[str, Any] = ({"id": name} if name else {}) | ({"state": state} if state != "done" else {})
    return told | ({} if value is None else {"value": value, "currency": currency}) | more


@pytest.mark.parametrize("times", [(5, 5), (5, 6), (6, 5)])
def test_the_bill_decides_the_value_whatever_payments_say_and_whenever(times: tuple[int, int]) -> None:
    order = told(
        entry(times[0], bills=[bill(1000)], payments=[payment("p2", 600, "taken")]),
        entry(times[1], payments=[payment("p2", 600, "taken")]),
        entry(1, payments=[payment("p1", 400, "taken")]),
    )
    assert (order.value, order.paid_value, order.status) == (1000, 1000, PAID)


def test_parts_add_up_and_a_whole_outranks_them() -> None:
    parts = [entry(number, bills=[bill(33, f"i{number}", part=True)], status=PENDING) for number in (1, 2, 3)]
    assert told(*parts).value == 99
    assert told(*parts, entry(4, bills=[bill(None, "i3", given_up=True, part=True)])).value == 66
    assert told(*parts, entry(0, bills=[bill(100, "sale")])).value == 100


def test_of_several_wholes_the_one_that_was_told_last_decides() -> None:
    order = told(entry(2, bills=[bill(100, "invoice")]), entry(1, bills=[bill(120, "session")]))
    assert order.value == 100
    assert told(entry(2, bills=[bill(100, "invoice")]), entry(3, bills=[bill(120, "session")])).value == 120


@pytest.mark.parametrize(
    ("words", "status", "paid", "back"),
    [
        ((PENDING, PENDING), PENDING, 0, 0),
        ((PAID, PENDING), PARTIALLY_PAID, 40, 0),
        ((PAID, OVERDUE), PARTIALLY_PAID, 40, 0),
        ((PAID, PAID), PAID, 100, 0),
        ((PAID, REFUNDED), PAID, 100, 60),
        ((REFUNDED, REFUNDED), REFUNDED, 100, 100),
        ((PENDING, OVERDUE), OVERDUE, 0, 0),
        ((CANCELED, CANCELED), CANCELED, 0, 0),
    ],
)
def test_a_part_is_paid_by_its_own_word(words: tuple[Status, Status], status: Status, paid: int, back: int) -> None:
    order = told(
        entry(1, bills=[bill(40, "i1", part=True)], status=words[0]),
        entry(2, bills=[bill(60, "i2", part=True)], status=words[1]),
    )
    assert (order.status, order.value, order.paid_value, order.refunded_value) == (status, 100, paid, back)


def test_a_parts_word_says_nothing_of_the_whole() -> None:
    order = told(
        entry(1, bills=[bill(100, "sale")], status=PAID),
        entry(2, bills=[bill(40, "i1", part=True)], status=REFUNDED),
    )
    assert (order.status, order.refunded_value) == (PAID, 0)


def test_a_bill_that_was_nothing_from_the_start_is_paid() -> None:
    assert told(entry(1, bills=[bill(0)], status=PENDING)).status == PAID
    assert told(entry(1, bills=[bill(0)], status=CANCELED)).status == CANCELED
    assert told(entry(1, bills=[bill(0)], status=PENDING), entry(2, bills=[bill(50)])).status == PENDING


def test_a_bill_that_came_to_nothing_or_was_given_up_before_it_was_paid_is_canceled() -> None:
    order = told(entry(1, bills=[bill(100)], status=OVERDUE), entry(2, bills=[bill(0)], status=PAID, paid_at=2))
    assert (order.status, order.value) == (PAID, 0), "the word says paid: nothing says that it was never"
    order = told(entry(1, bills=[bill(100)], status=OVERDUE), entry(2, bills=[bill(0)]))
    assert (order.status, order.value) == (CANCELED, 0)
    order = told(entry(1, bills=[bill(100)], status=OVERDUE), entry(2, bills=[bill(100, given_up=True)], status=PAID))
    assert (order.status, order.value, order.paid_value) == (CANCELED, 100, 0)
    given_up = [entry(1, bills=[bill(100)]), entry(2, bills=[bill(100, given_up=True)])]
    order = told(*given_up, entry(3, payments=[payment("p", 100, "taken")]), entry(4, bills=[bill(100, given_up=True)]))
    assert (order.status, order.notes) == (PAID, ()), "a payment ends it"
    assert told(*given_up, entry(3, bills=[bill(100, given_up=False)], status=PENDING)).status == PENDING


def test_a_bill_given_up_after_money_was_taken() -> None:
    history = [
        entry(1, bills=[bill(100)]),
        entry(2, payments=[payment("p", 100, "taken")]),
        entry(3, bills=[bill(0)], status=CANCELED),
    ]
    order = told(*history)
    assert (order.status, order.value, order.notes) == (PAID, 100, ("canceled_unrefunded",))
    order = told(*history, entry(4, refunds=[refund("r", 100)]))
    assert (order.status, order.refunded_value, order.notes) == (REFUNDED, 100, ())


def test_a_part_of_a_bill_that_is_canceled_is_what_it_comes_to() -> None:
    history = [entry(1, bills=[bill(100)], status=PENDING), entry(2, payments=[payment("p", 40, "taken")])]
    order = told(*history)
    assert (order.status, order.value, order.paid_value) == (PARTIALLY_PAID, 100, 40)
    order = told(*history, entry(3, status=CANCELED))
    assert (order.status, order.value, order.notes) == (PAID, 40, ("canceled_unrefunded", "captured_in_part"))
    order = told(*history, entry(3, status=CANCELED), entry(4, refunds=[refund("r", 40)]))
    assert (order.status, order.value, order.refunded_value) == (REFUNDED, 40, 40)
    order = told(*history, entry(3, bills=[bill(closed=True)]))
    assert (order.status, order.value, order.notes) == (PAID, 40, ("captured_in_part",))
    order = told(*history, entry(3, bills=[bill(100, given_up=True)]))
    assert (order.status, order.value, order.notes) == (PAID, 40, ("captured_in_part",))


@pytest.mark.parametrize("amounts", [(92,), (30, 30, 32), (46, 46), (31, 30, 31)])
def test_all_in_the_buyers_currency_is_all(amounts: tuple[int, ...]) -> None:
    history = [entry(1, bills=[bill(100, also=[92, "EUR"])], status=PAID)]
    history += [
        entry(2 + number, refunds=[refund(f"r{number}", amount, currency="EUR")])
        for number, amount in enumerate(amounts)
    ]
    order = told(*history)
    assert (order.status, order.refunded_value, order.notes) == (REFUNDED, 100, ())
    history[0] = entry(1, bills=[bill(100, also=[92, "EUR"])])
    paid = [entry(9, payments=[payment(f"p{n}", amount, "taken", currency="EUR")]) for n, amount in enumerate(amounts)]
    assert (told(*history, *paid).paid_value, told(*history, *paid).status) == (100, REFUNDED)


def test_money_that_no_bill_converts_counts_nothing_and_is_noted() -> None:
    order = told(
        entry(1, bills=[bill(100)], status=PAID, payments=[payment("p", 100, "taken")]),
        entry(2, refunds=[refund("d", 92, currency="EUR", kind="chargeback")]),
    )
    assert (order.status, order.refunded_value, order.notes) == (PAID, 0, ("other_currency",))
    assert order.refunds[0]["value"] == 92
    order = told(entry(1, bills=[bill(100)], status=PAID, payments=[payment("p", 92, "taken", currency="EUR")]))
    assert (order.status, order.paid_value, order.notes) == (PAID, 100, ("other_currency",)), "the word decides"


def test_a_refund_told_again_in_a_currency_that_counts_nothing_still_counts() -> None:
    order = told(
        entry(1, bills=[bill(100)], status=PAID),
        entry(2, refunds=[refund("r", 50)]),
        entry(3, refunds=[refund("r", 46, currency="EUR")]),
    )
    assert (order.refunded_value, order.notes) == (50, ())


# -- Payments -----------------------------------------------------------------------------------------------------


def test_without_a_bill_the_value_is_what_was_taken_else_authorised_else_tried() -> None:
    tried = entry(1, payments=[payment("p1", 90, "failed")], status=FAILED)
    assert (told(tried).value, told(tried).status) == (90, FAILED)
    promised = entry(2, payments=[payment("p2", 100, "authorized")])
    assert (told(tried, promised).value, told(tried, promised).status) == (100, PENDING)
    order = told(tried, promised, entry(3, payments=[payment("p2", 60, "taken")]))
    assert (order.value, order.paid_value, order.status) == (60, 60, PAID)


def test_captures_replace_their_authorisation() -> None:
    history = [
        entry(1, payments=[payment("a", 100, "authorized")]),
        entry(2, payments=[payment("c1", 40, "taken", captures="a")]),
        entry(3, payments=[payment("c2", 60, "taken", captures="a")]),
    ]
    order = told(*history)
    assert (order.value, order.status, [line["id"] for line in order.payments]) == (100, PAID, ["c1", "c2"])
    order = told(*history, entry(4, payments=[payment("c2", 60, "failed", captures="a")]))
    assert (order.value, order.paid_value, order.status) == (40, 40, PAID)
    order = told(*history[:2], entry(4, payments=[payment("a", 100, "canceled")]))
    assert (order.value, order.status, order.refunded_value) == (40, PAID, 0), "the rest is released"
    order = told(*history, entry(5, refunds=[refund("r", 10, payment="a")]))
    assert order.refunded_value == 10, "a refund may name the authorisation"


def test_an_attempts_word_yields_to_the_bills() -> None:
    history = [
        entry(1, bills=[bill(100)], status=OVERDUE),
        entry(2, payments=[payment("p", 100, "failed")], status=FAILED),
    ]
    assert told(*history).status == OVERDUE
    assert told(history[1], entry(3, payments=[payment("q", 100)], status=PENDING)).status == PENDING
    order = told(
        *history,
        entry(3, payments=[payment("q", 100, "taken")]),
        entry(4, payments=[payment("p", 100)], status=CANCELED),
    )
    assert (order.status, order.notes) == (PAID, ())


@pytest.mark.parametrize("word", [CANCELED, FAILED, OVERDUE, PENDING])
def test_a_payment_ends_what_was_said_before_it(word: Status) -> None:
    order = told(entry(1, bills=[bill(100)], status=word), entry(2, payments=[payment("p", 100, "taken")]))
    assert (order.status, order.notes) == (PAID, ())


def test_money_that_was_taken_is_not_untaken_by_an_earlier_state() -> None:
    taken = entry(None, recorded_at=5, payments=[payment("p", 100, "taken")])
    authorized = payment("p", 120, "authorized")
    assert told(taken, entry(6, payments=[authorized])).paid_value == 100
    failed = [entry(None, recorded_at=at, payments=[payment("p", 100, "failed")]) for at in (1, 9)]
    assert told(failed[0], taken, failed[1]).paid_value == 100, "it came back"
    assert told(taken, failed[1]).status == FAILED, "it is new"
    assert told(taken, entry(9, payments=[payment("p", 100)], status=PENDING)).status == PAID


def test_a_void_after_a_capture_gives_all_of_it_back() -> None:
    order = told(
        entry(1, payments=[payment("p", 100, "taken")]), entry(2, payments=[payment("p", 100, "canceled", at=2)])
    )
    assert (order.status, order.value, order.refunded_value) == (REFUNDED, 100, 100)
    assert order.refunds == [{"id": "p", "kind": "refund", "value": 100, "currency": "BRL", "state": "done", "at": 2}]


def test_authorised_is_not_paid() -> None:
    order = told(entry(1, bills=[bill(100)], payments=[payment("p", 100, "authorized")], status=PAID))
    assert (order.status, order.paid_value) == (PENDING, 0)
    order = told(entry(1, payments=[payment("p", 100, "authorized")]), entry(2, bills=[bill(100)], status=PAID))
    assert (order.status, order.paid_value) == (PAID, 100), "told later: it was captured"


def test_a_refund_of_what_was_never_taken_counts_nothing() -> None:
    history = [
        entry(1, payments=[payment("p", 100, "authorized")]),
        entry(2, payments=[payment("p", 100, "canceled")], refunds=[refund("r", 100, payment="p")]),
    ]
    order = told(*history)
    assert (order.status, order.refunded_value, order.paid_value) == (CANCELED, 0, 0)


def test_paid_twice_and_one_given_back() -> None:
    history = [entry(1, bills=[bill(100)]), entry(2, payments=[payment(name, 100, "taken") for name in "ab"])]
    order = told(*history, entry(3, refunds=[refund("r", 100, payment="b")]))
    assert (order.status, order.value, order.paid_value, order.refunded_value) == (PAID, 100, 200, 0)
    order = told(*history, entry(3, refunds=[refund("r", 200)]))
    assert (order.status, order.refunded_value, order.notes) == (REFUNDED, 100, ())


def test_when_the_value_was_first_covered() -> None:
    history = [
        entry(50, bills=[bill(100)], paid_at=70),
        entry(60, payments=[payment("p1", 40, "taken", at=55)]),
        entry(70, payments=[payment("p2", 60, "taken", at=65)]),
        entry(80, payments=[payment("p3", 60, "taken", at=75)]),
    ]
    assert told(*history[:2]).paid_at is None
    assert told(*history).paid_at == 65
    assert told(entry(60, payments=[payment("p", 40, "taken")])).paid_at == 60, "when the source said so"
    assert told(entry(60, payments=[payment("p", 40, "taken")], paid_at=58)).paid_at == 58
    assert told(entry(None, payments=[payment("p", 40, "taken")])).paid_at is None


def test_a_part_that_is_paid_by_a_word_alone_is_noted() -> None:
    order = told(entry(1, bills=[bill(100)], status=PARTIALLY_PAID))
    assert (order.status, order.paid_value, order.notes) == (PARTIALLY_PAID, 0, ("paid_value_unknown",))


# -- Money given back ---------------------------------------------------------------------------------------------

SOLD = {"value": 100, "currency": "BRL", "status": PAID}


def test_each_refund_counts_once_however_often_it_is_told() -> None:
    order = told(
        entry(1, **SOLD),
        entry(2, refunds=[refund("r1", 30)]),
        entry(3, refunds=[refund("r1", 30), refund("r2", 20)]),
    )
    assert (order.status, order.refunded_value) == (PAID, 50)


def test_only_what_is_done_counts_and_the_latest_state_of_each_id() -> None:
    for states, back in [
        (["pending"], 0),
        (["pending", "done"], 30),
        (["done", "failed"], 0),
        (["done", "reversed"], 0),
        (["pending", "failed"], 0),
        (["done", "reversed", "done"], 30),
        (["done", "pending"], 30),
    ]:
        history = [entry(2 + at, refunds=[refund("r", 30, state=state)]) for at, state in enumerate(states)]
        assert told(entry(1, **SOLD), *history).refunded_value == back, states


def test_the_way_back_may_leave_the_amount_out() -> None:
    order = told(
        entry(1, **SOLD),
        entry(2, refunds=[refund("r", 30, kind="chargeback")]),
        entry(3, refunds=[refund("r", None, state="reversed")]),
    )
    assert (order.refunded_value, order.refunds[0]["kind"], order.refunds[0]["state"]) == (0, "chargeback", "reversed")


def test_an_amount_that_is_missing_is_missing_unless_it_is_said_to_be_all() -> None:
    order = told(entry(1, **SOLD), entry(2, refunds=[refund("r", None)]))
    assert (order.refunded_value, order.notes) == (0, ("refund_without_amount",))
    order = told(entry(1, **SOLD), entry(2, refunds=[refund("r", None, all=True)]))
    assert (order.status, order.refunded_value) == (REFUNDED, 100)
    two = entry(1, payments=[payment("p1", 40, "taken"), payment("p2", 60, "taken")])
    order = told(two, entry(2, refunds=[refund("r", None, all=True, payment="p1")]))
    assert (order.status, order.refunded_value) == (PAID, 40)
    order = told(two, entry(2, refunds=[refund("r1", 10, payment="p1"), refund("r", None, all=True, payment="p1")]))
    assert order.refunded_value == 40


def test_a_refund_without_an_id_is_named_by_payment_amount_and_time() -> None:
    history = [entry(1, **SOLD), entry(2, refunds=[refund(None, 30, at=2)]), entry(3, refunds=[refund(None, 30, at=2)])]
    order = told(*history)
    assert (order.refunded_value, order.notes) == (30, ("refund_without_id",))
    assert told(*history, entry(4, refunds=[refund(None, 30, at=4)])).refunded_value == 60
    assert told(*history, entry(4, refunds=[refund(None, 20, at=2)])).refunded_value == 50
    step = [entry(None, refunds=[refund(None, 30, state=state)]) for state in ("pending", "done", "failed")]
    assert [told(history[0], *step[:number]).refunded_value for number in (1, 2, 3)] == [0, 30, 0]
    assert len(told(history[0], *step).refunds) == 1


def test_a_chargeback_without_id_and_the_refund_by_which_it_was_given_back_are_one() -> None:
    disputed = entry(2, refunds=[refund(None, 30, kind="chargeback", payment="p1")])
    for name in ("r1", None):
        back = entry(3, refunds=[refund(name, 30, payment="p1")])
        earlier = entry(1, refunds=[refund(name, 30, payment="p1")])
        sold = entry(0, payments=[payment("p1", 100, "taken")])
        assert told(sold, disputed, back).refunded_value == told(sold, earlier, disputed).refunded_value == 30
        if name:
            assert told(sold, disputed, back, entry(4, refunds=[refund("r2", 30, payment="p1")])).refunded_value == 60
        assert told(sold, disputed, entry(3, refunds=[refund(name, 20, payment="p1")])).refunded_value == 50
    failed = entry(4, refunds=[refund("r1", 30, payment="p1", state="failed")])
    assert told(sold, disputed, entry(3, refunds=[refund("r1", 30, payment="p1")]), failed).refunded_value == 0


def test_a_reversal_without_id_takes_back_one_chargeback_of_its_amount() -> None:
    taken = [
        entry(0, payments=[payment("p1", 100, "taken")]),
        *(entry(n, refunds=[refund(f"c{n}", 30, kind="chargeback", payment="p1")]) for n in (1, 2)),
        entry(3, refunds=[refund("r1", 30, payment="p1")]),
    ]
    back = [entry(n, refunds=[refund(None, 30, kind="chargeback", payment="p1", state="reversed")]) for n in (4, 5)]
    assert told(*taken).refunded_value == 90
    once, twice = told(*taken, back[0]), told(*taken, *back)
    assert (once.refunded_value, once.notes) == (60, ())
    assert (twice.refunded_value, twice.notes) == (30, ())


# -- Totals -------------------------------------------------------------------------------------------------------


def total(value: int, **more: Any) -> dict[str, Any]:
    return refund(None, value, total=True, **more)


def test_the_latest_total_counts() -> None:
    order = told(
        entry(1, **SOLD), entry(2, refunds=[total(30)]), entry(4, refunds=[total(0)]), entry(3, refunds=[total(100)])
    )
    assert (order.status, order.refunded_value, order.notes) == (PAID, 0, ())
    assert (
        told(entry(1, **SOLD), entry(None, refunds=[total(50)]), entry(None, refunds=[total(20)])).refunded_value == 20
    )


def test_what_is_itemised_after_a_total_adds_to_it_or_takes_from_it() -> None:
    history = [entry(1, **SOLD), entry(2, refunds=[refund("r1", 10)]), entry(5, refunds=[total(30)])]
    assert told(*history).refunded_value == 30
    assert told(*history, entry(6, refunds=[refund("r2", 20)])).refunded_value == 50
    assert told(*history, entry(6, refunds=[refund("r2", 20, at=4)])).refunded_value == 30, "it was a part of it"
    assert told(*history, entry(6, refunds=[refund("r1", 10, state="failed")])).refunded_value == 20
    assert told(*history, entry(6, refunds=[refund("r3", 20, state="failed")])).refunded_value == 10
    assert told(*history, entry(6, refunds=[refund("r3", 20, state="failed", at=6)])).refunded_value == 30
    assert told(*history, entry(6, refunds=[refund("r1", 10), total(30)])).refunded_value == 30


def test_a_refund_that_was_under_way_when_a_total_counted_it_counts_once() -> None:
    waiting = [entry(1, **SOLD), entry(2, refunds=[refund("r1", 30, state="pending", at=2)])]
    history = [*waiting, entry(3, refunds=[total(30)])]
    assert told(*history).refunded_value == 30
    assert told(*history, entry(5, refunds=[refund("r1", 30, at=2)])).refunded_value == 30
    assert told(*history, entry(5, refunds=[refund("r1", 30, state="failed", at=2)])).refunded_value == 0
    assert told(*waiting, entry(3, refunds=[total(0)]), entry(5, refunds=[refund("r1", 30, at=5)])).refunded_value == 30


def test_a_total_counts_one_payment_and_one_kind() -> None:
    order = told(
        entry(1, payments=[payment("p1", 50, "taken"), payment("p2", 50, "taken")]),
        entry(2, refunds=[total(20, payment="p1")]),
        entry(3, refunds=[total(10, payment="p2")]),
        entry(4, refunds=[refund("d", 5, kind="chargeback")]),
        entry(5, refunds=[total(25, payment="p1")]),
    )
    assert order.refunded_value == 40
    assert sum(line["value"] for line in order.refunds) == 40


# -- What fits, and what does not ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_all_of_it_given_back_is_refunded_whatever_the_source_calls_it(status: Status) -> None:
    order = told(
        entry(1, **SOLD),
        entry(2, refunds=[refund("r1", 60)]),
        entry(3, refunds=[refund("r2", 40)]),
        entry(4, status=status),
    )
    assert (order.status, order.refunded_value) == (REFUNDED, 100)


def test_a_part_given_back_of_what_was_paid_and_canceled() -> None:
    order = told(entry(1, **SOLD), entry(2, status=CANCELED, refunds=[refund("r1", 60)]))
    assert (order.status, order.refunded_value, order.notes) == (PAID, 60, ("canceled_unrefunded",))


def test_paid_and_canceled_by_the_word_alone_is_canceled() -> None:
    order = told(entry(1, **SOLD), entry(2, status=CANCELED))
    assert (order.status, order.paid_value) == (CANCELED, 0)
    order = told(entry(1, **SOLD, payments=[payment("", 100, "taken")]), entry(2, status=CANCELED))
    assert (order.status, order.paid_value, order.notes) == (PAID, 100, ("canceled_unrefunded",))


def test_the_word_refunded_means_all_where_nothing_itemised_contradicts() -> None:
    assert told(entry(1, **SOLD), entry(2, status=REFUNDED)).refunded_value == 100
    order = told(entry(1, **SOLD), entry(2, refunds=[refund("r1", 20)]), entry(3, status=REFUNDED))
    assert (order.status, order.refunded_value) == (REFUNDED, 100), "a chargeback after a part was given back"
    order = told(entry(1, **SOLD), entry(2, status=REFUNDED, refunds=[refund("d", 40, kind="chargeback")]))
    assert (order.status, order.refunded_value) == (PAID, 40), "a part is a part"
    order = told(entry(1, **SOLD), entry(2, status=REFUNDED), entry(3, refunds=[refund("r", 100, state="failed")]))
    assert (order.status, order.refunded_value) == (PAID, 0)
    taken = entry(1, bills=[bill(100)], payments=[payment("p", 100, "taken")])
    order = told(taken, entry(2, status=REFUNDED))
    assert (order.status, order.refunded_value) == (REFUNDED, 100)
    order = told(taken, entry(2, status=REFUNDED), entry(3, payments=[payment("p", 100, "taken")]))
    assert order.status == REFUNDED, "told again: no news"
    order = told(taken, entry(2, status=REFUNDED, bills=[bill(100)]), entry(3, payments=[payment("q", 100, "taken")]))
    assert (order.status, order.refunded_value) == (PAID, 0), "paid anew"


def test_an_attempts_refunded_means_all_of_that_attempt() -> None:
    two = [entry(at, payments=[payment(f"p{at}", 50, "taken")], status=PAID) for at in (1, 2)]
    order = told(*two, entry(3, payments=[payment("p1", 50, "taken")], status=REFUNDED))
    assert (order.status, order.value, order.refunded_value) == (PAID, 100, 50)
    order = told(
        *two,
        entry(3, payments=[payment("p1", 50, "taken")], status=REFUNDED),
        entry(4, payments=[payment("p1", 50, "taken")], status=PAID),
    )
    assert order.refunded_value == 0


def test_a_chargeback_that_was_won_is_paid_again() -> None:
    order = told(entry(1, **SOLD), entry(2, status=REFUNDED), entry(3, status=PAID))
    assert (order.status, order.refunded_value) == (PAID, 0)


def test_more_given_back_than_it_cost_is_noted() -> None:
    order = told(entry(1, **SOLD), entry(2, refunds=[refund("r1", 120)]))
    assert (order.status, order.refunded_value, order.notes) == (REFUNDED, 100, ("refund_exceeds_value",))
    order = told(
        entry(1, bills=[bill(998)], payments=[payment("cash", 1000, "taken")]), entry(2, refunds=[refund("r1", 1000)])
    )
    assert (order.status, order.refunded_value, order.notes) == (REFUNDED, 998, ()), "cash was rounded"


def test_no_more_is_given_back_than_was_taken() -> None:
    order = told(entry(1, bills=[bill(100)], payments=[payment("p", 60, "taken")]), entry(2, refunds=[refund("r", 80)]))
    assert (order.status, order.paid_value, order.refunded_value) == (PARTIALLY_PAID, 60, 60)
    assert order.notes == ("refund_exceeds_value",)


def test_a_lower_price_later_may_make_it_all() -> None:
    order = told(entry(1, **SOLD), entry(2, refunds=[refund("r1", 60)]), entry(3, value=60))
    assert order.status == REFUNDED


def test_an_order_that_cost_nothing_is_not_refunded() -> None:
    order = told(entry(1, status=PAID, value=0), entry(2, refunds=[refund("r1", 0)]))
    assert (order.status, order.refunded_value) == (PAID, 0)


def test_a_refund_of_an_order_that_nothing_has_described() -> None:
    alone = told(entry(2, refunds=[refund("r1", 30)]))
    assert (alone.value, alone.refunded_value, alone.status) == (None, 0, PENDING)
    order = told(entry(2, refunds=[refund("r1", 30)]), entry(1, **SOLD))
    assert (order.value, order.refunded_value, order.status) == (100, 30, PAID)


def test_a_refund_proves_that_money_was_taken() -> None:
    order = told(entry(1, value=100, status=PENDING), entry(2, refunds=[refund("r1", 30)]))
    assert (order.status, order.paid_value, order.refunded_value) == (PENDING, 30, 30)


# -- Histories of the first version -------------------------------------------------------------------------------


def test_refunds_of_the_first_version() -> None:
    history = [entry(1, **SOLD), entry(2, refunds={"r1": [30, "BRL"], "r2": [10, "USD"]})]
    order = told(*history)
    assert (order.refunded_value, order.notes) == (30, ("other_currency",))
    assert told(*history, entry(3, refunds={"r1": [0, "BRL"]})).refunded_value == 0
    assert told(*history, entry(3, refunds=[refund("r1", 30), refund("r3", 5)])).refunded_value == 35
    assert told(*history, entry(3, refunds={"member": [5, "BRL"]})).refunded_value == 35


def test_a_total_of_the_first_version_is_a_total() -> None:
    history = [entry(1, **SOLD), entry(2, refunds={"total": [30, "BRL"]})]
    assert told(*history, entry(3, refunds=[refund("r1", 30, at=2)])).refunded_value == 30
    taken = entry(3, payments=[payment("ch", 100, "taken")], refunds=[refund("r1", 30, at=2, payment="ch")])
    assert told(entry(1, **SOLD), entry(2, refunds={"ch": [30, "BRL"]}), taken).refunded_value == 30


@pytest.mark.parametrize(("imported", "itemised", "back"), [(30, 30, 30), (30, 50, 50), (30, 0, 30)])
def test_what_an_import_tells_is_the_same_money(imported: int, itemised: int, back: int) -> None:
    for at in (2, 4):
        order = told(
            entry(1, **SOLD),
            entry(3, refunds={"import": [imported, "BRL"]}),
            entry(at, refunds=[refund("r1", itemised)]),
        )
        assert order.refunded_value == back


# -- Names and dates ----------------------------------------------------------------------------------------------


def test_the_best_name_is_kept_and_the_others_remembered() -> None:
    order = told(
        entry(1, external_id="charge", preference=2, aliases=["pix"]),
        entry(2, external_id="sale", aliases=["charge"]),
        entry(3, external_id="link", preference=1),
    )
    assert order.external_id == "sale"
    assert order.aliases == {"charge", "pix", "link"}


def test_of_equally_good_names_the_same_is_kept_always() -> None:
    assert told(entry(2, external_id="b"), entry(1, external_id="a")).external_id == "a"
    assert told(entry(1, external_id="b"), entry(2, external_id="a")).external_id == "a"


def test_entries_of_members_have_no_name() -> None:
    order = fold([Entry(at=1, digest="a", recorded_at=1, said={"title": "mine"}, by_member=True)])
    assert (order.external_id, order.aliases) == (None, set())


def test_when_the_order_was_made() -> None:
    assert told(entry(5, ordered_at=2), entry(1)).ordered_at == 2
    assert told(entry(5), entry(3), entry(None)).ordered_at == 3
    assert told(entry(None, recorded_at=8), entry(None, recorded_at=7)).ordered_at == 7
    assert told(entry(5, ordered_at=0)).ordered_at == 0, "1970 is a time"


def test_what_an_adapter_noted_is_kept() -> None:
    assert told(entry(1, notes=["left_out"]), entry(2, notes=["left_out", "odd"])).notes == ("left_out", "odd")
