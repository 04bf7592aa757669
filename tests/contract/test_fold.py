"""An order is the fold of its history: entries in the place that their time gives them, each said once or many times."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import RANK, Status
from adapters.contract.fold import Entry, Folded, fold
from tests.contract.histories import (
    CANCELED,
    FAILED,
    OVERDUE,
    PAID,
    PARTIALLY_PAID,
    PENDING,
    REFUNDED,
    bill,
    entry,
    payment,
    person,
    refund,
    told,
    whole,
)

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
    assert whole(fold(data.draw(st.permutations(entries + again)))) == whole(fold(entries))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), SAID), min_size=1, max_size=7), st.data())
def test_any_order_of_arrival_of_entries_with_different_times_gives_the_same(
    said: list[tuple[bool, dict[str, Any]]], data: st.DataObject
) -> None:
    entries = [_entry(at, by_member, words) for at, (by_member, words) in enumerate(said)]
    arrived = data.draw(st.permutations(entries))
    assert whole(fold(_received(arrived))) == whole(fold(_received(entries)))


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
