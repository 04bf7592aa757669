"""An order is the fold of its history: whatever the order of arrival, however often each entry arrives."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import RANK, Status
from adapters.contract.fold import Entry, Folded, fold

PENDING, OVERDUE, FAILED, PARTIALLY_PAID, PAID, CANCELED, REFUNDED = Status
_digests = itertools.count()


def entry(at: int | None, *, by_member: bool = False, digest: str = "", recorded_at: int = 1000, **said: Any) -> Entry:
    if "value" in said:
        said.setdefault("currency", "BRL")
    return Entry(
        at=at,
        digest=digest or f"{next(_digests):06d}",
        recorded_at=recorded_at,
        said={"external_id": "1", **said},
        by_member=by_member,
    )


def told(*entries: Entry) -> Folded:
    """The order, which must be the same in whatever order the entries arrive."""
    order = fold(entries)
    for arrival in itertools.islice(itertools.permutations(entries), 120):
        assert fold(arrival) == order
    assert fold((*entries, *entries)) == order
    return order


def person(*identities: tuple[str, str], name: str | None = None) -> dict[str, Any]:
    return {"identities": [list(identity) for identity in identities]} | ({"name": name} if name else {})


# -- Any permutation with repetitions -----------------------------------------------------------------------------

IDENTITIES = st.lists(
    st.tuples(st.sampled_from(["crm", "source", "document", "email", "phone"]), st.sampled_from("abc")).map(list),
    max_size=4,
)
MONEY = st.tuples(st.integers(0, 300), st.sampled_from(["BRL", "BRL", "USD"])).map(list)
SAID = st.fixed_dictionaries(
    {"external_id": st.sampled_from("12")},
    optional={
        "aliases": st.lists(st.sampled_from("1234"), max_size=2),
        "preference": st.integers(0, 2),
        "status": st.sampled_from(Status).map(str),
        "source_status": st.sampled_from("wxyz"),
        "title": st.sampled_from("abc"),
        "money": MONEY,
        "refunds": st.dictionaries(st.sampled_from(["r1", "r2", "total"]), MONEY, max_size=2),
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


def _entry(at: int | None, recorded_at: int, by_member: bool, said: dict[str, Any]) -> Entry:
    if "money" in said:
        said["value"], said["currency"] = said.pop("money")
    return Entry(at=at, digest="", recorded_at=recorded_at, said=said, by_member=by_member)


def _told_apart(entries: list[Entry]) -> list[Entry]:
    return [
        Entry(at=one.at, digest=f"{at:03d}", recorded_at=one.recorded_at, said=one.said, by_member=one.by_member)
        for at, one in enumerate(entries)
    ]


# Few times and few values, so that they meet.
ENTRIES = st.lists(
    st.builds(_entry, st.none() | st.integers(0, 3), st.integers(0, 9), st.booleans(), SAID), min_size=1, max_size=7
).map(_told_apart)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Entry], list[Entry]]:
    """Entries, and the same in another order of arrival, some of them repeatedly."""
    entries = draw(ENTRIES)
    again = draw(st.lists(st.sampled_from(entries), max_size=7))
    return entries, draw(st.permutations(entries + again))


@settings(max_examples=400)
@given(arrivals())
def test_any_order_of_arrival_gives_the_same_order(both: tuple[list[Entry], list[Entry]]) -> None:
    entries, arrived = both
    assert fold(arrived) == fold(entries)


@settings(max_examples=300)
@given(ENTRIES)
def test_what_always_holds(entries: list[Entry]) -> None:
    said = [dict(one.said) for one in entries]
    order = fold(entries)
    assert [dict(one.said) for one in entries] == said, "the history was changed"
    if order.value:
        assert (order.status == REFUNDED) == (order.refunded_value >= order.value)
    assert (order.value is None) == (order.currency is None)
    assert order.external_id in {one.said["external_id"] for one in entries}
    assert order.external_id not in order.aliases
    assert order.ordered_at is not None
    assert order.status in RANK


@given(ENTRIES, SAID)
def test_an_untimed_entry_overrides_nothing_that_was_said(entries: list[Entry], said: dict[str, Any]) -> None:
    entries = [one for one in entries if one.at is not None]
    late = _entry(
        None, 5, False, {name: value for name, value in said.items() if name not in ("external_id", "refunds")}
    )
    before = fold(entries)
    after = fold([*entries, Entry(at=None, digest="zzz", recorded_at=5, said=late.said)])
    for name in ("title", "value", "currency", "paid_at", "url", "deal_id", "contact_id", "external_id", "aliases"):
        if getattr(before, name) is not None:
            assert getattr(after, name) == getattr(before, name), name
    if any("status" in one.said for one in entries):
        assert RANK[Status(after.status)] >= RANK[Status(before.status)]
    assert set(before.identities) <= set(after.identities)


# -- By time, then rank, then digest ------------------------------------------------------------------------------


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
            entry(5, status=first, digest="a", source_status=str(first)),
            entry(5, status=second, digest="b", source_status=str(second)),
        )
        assert (order.status, order.source_status) == (high, high)


def test_the_ranks_are_those_of_the_interface() -> None:
    words = ["pending", "overdue", "failed", "partially_paid", "paid", "canceled", "refunded"]
    assert sorted(RANK, key=lambda status: RANK[status]) == words


def test_time_comes_before_rank() -> None:
    assert told(entry(1, status=REFUNDED), entry(2, status=PENDING)).status == PENDING


def test_at_the_same_time_and_rank_the_digest_decides() -> None:
    assert told(entry(5, status=PAID, title="a", digest="a"), entry(5, status=PAID, title="b", digest="b")).title == "b"


def test_an_entry_without_a_status_comes_before_those_of_its_time() -> None:
    order = told(entry(5, title="silent", digest="z"), entry(5, title="pending", status=PENDING, digest="a"))
    assert order.title == "pending"


def test_an_unknown_word_keeps_the_status() -> None:
    assert told(entry(1, status=PAID, source_status="paid"), entry(2, source_status="odd")).status == PAID
    order = told(entry(1, source_status="odd", value=100))
    assert (order.status, order.source_status) == (PENDING, "odd")


def test_nothing_said_at_all() -> None:
    assert fold([]) == Folded()


# -- Entries without a time ---------------------------------------------------------------------------------------


def test_an_untimed_entry_fills_gaps() -> None:
    order = told(
        entry(5, title="a", value=100), entry(None, title="b", value=50, url="https://b", paid_at=4, status=PAID)
    )
    assert (order.title, order.value, order.url, order.paid_at, order.status) == ("a", 100, "https://b", 4, PAID)


@pytest.mark.parametrize(("low", "high"), list(itertools.combinations(Status, 2)))
def test_an_untimed_entry_moves_the_status_only_forward(low: Status, high: Status) -> None:
    order = told(entry(5, status=low, source_status="low"), entry(None, status=high, source_status="high"))
    assert (order.status, order.source_status) == (high, "high")
    order = told(entry(5, status=high, source_status="high"), entry(None, status=low, source_status="low"))
    assert (order.status, order.source_status) == (high, "high")


def test_of_untimed_entries_the_highest_rank_stands_with_its_word() -> None:
    order = told(
        entry(None, status=PENDING, source_status="waiting", digest="z"),
        entry(None, status=PAID, source_status="done", digest="a"),
    )
    assert (order.status, order.source_status) == (PAID, "done")


def test_an_untimed_refund_counts_but_does_not_correct_a_timed_one() -> None:
    order = told(
        entry(1, status=PAID, value=100),
        entry(5, refunds={"r1": [30, "BRL"]}),
        entry(None, refunds={"r1": [99, "BRL"], "r2": [10, "BRL"]}),
    )
    assert order.refunded_value == 40


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


def test_an_untimed_customer_extends_but_never_replaces() -> None:
    order = told(
        entry(1, customer=person(EMAIL, name="Ana")), entry(None, customer=person(EMAIL, PHONE, name="A. Souza"))
    )
    assert (order.identities, order.name) == ((EMAIL, PHONE), "Ana")
    order = told(entry(1, customer=person(EMAIL)), entry(None, customer=person(("email", "b@example.com"), PHONE)))
    assert order.identities == (EMAIL,)


def test_a_customer_of_whom_nothing_is_known_changes_nothing() -> None:
    order = told(entry(1, customer=person(EMAIL, name="Ana")), entry(2, customer=person()))
    assert (order.identities, order.name) == ((EMAIL,), "Ana")


# -- Money given back ---------------------------------------------------------------------------------------------


def test_each_refund_counts_once_however_often_it_is_told() -> None:
    order = told(
        entry(1, status=PAID, value=100),
        entry(2, refunds={"r1": [30, "BRL"]}),
        entry(3, refunds={"r1": [30, "BRL"], "r2": [20, "BRL"]}),
    )
    assert (order.status, order.refunded_value) == (PAID, 50)


@pytest.mark.parametrize("amounts", [(30, 50, 20), (50, 20, 30), (20, 30, 50)])
def test_of_totals_without_a_time_the_greatest_counts(amounts: tuple[int, ...]) -> None:
    order = told(
        entry(1, status=PAID, value=100), *(entry(None, refunds={"total": [amount, "BRL"]}) for amount in amounts)
    )
    assert (order.status, order.refunded_value) == (PAID, 50)


def test_the_latest_amount_of_a_refund_counts() -> None:
    order = told(
        entry(1, status=PAID, value=100),
        entry(2, refunds={"total": [30, "BRL"]}),
        entry(4, refunds={"total": [0, "BRL"]}),
        entry(3, refunds={"total": [100, "BRL"]}),
    )
    assert (order.status, order.refunded_value) == (PAID, 0)


@pytest.mark.parametrize("status", Status)
def test_all_of_it_given_back_is_refunded_whatever_the_source_calls_it(status: Status) -> None:
    order = told(
        entry(1, status=PAID, value=100),
        entry(2, refunds={"r1": [60, "BRL"]}),
        entry(3, refunds={"r2": [40, "BRL"]}),
        entry(4, status=status),
    )
    assert (order.status, order.refunded_value) == (REFUNDED, 100)


def test_a_part_given_back_of_what_was_canceled() -> None:
    order = told(entry(1, status=PAID, value=100), entry(2, status=CANCELED, refunds={"r1": [60, "BRL"]}))
    assert (order.status, order.refunded_value) == (CANCELED, 60)


def test_a_chargeback_gives_all_of_it_back() -> None:
    order = told(entry(1, status=PAID, value=100), entry(2, status=REFUNDED))
    assert (order.status, order.refunded_value) == (REFUNDED, 100)


def test_a_chargeback_after_a_part_was_given_back() -> None:
    order = told(entry(1, status=PAID, value=100), entry(2, refunds={"r1": [20, "BRL"]}), entry(3, status=REFUNDED))
    assert (order.status, order.refunded_value) == (REFUNDED, 100)


def test_a_chargeback_that_was_won_is_paid_again() -> None:
    order = told(entry(1, status=PAID, value=100), entry(2, status=REFUNDED), entry(3, status=PAID))
    assert (order.status, order.refunded_value) == (PAID, 0)


def test_more_given_back_than_it_cost() -> None:
    order = told(entry(1, status=PAID, value=100), entry(2, refunds={"r1": [120, "BRL"]}))
    assert (order.status, order.refunded_value) == (REFUNDED, 120)


def test_a_lower_price_later_may_make_it_all() -> None:
    order = told(entry(1, status=PAID, value=100), entry(2, refunds={"r1": [60, "BRL"]}), entry(3, value=60))
    assert order.status == REFUNDED


def test_an_order_that_cost_nothing_is_not_refunded() -> None:
    order = told(entry(1, status=PAID, value=0), entry(2, refunds={"r1": [0, "BRL"]}))
    assert (order.status, order.refunded_value) == (PAID, 0)


def test_another_currency_is_not_added_up() -> None:
    order = told(entry(1, status=PAID, value=100), entry(2, refunds={"r1": [100, "USD"], "r2": [10, "BRL"]}))
    assert (order.status, order.refunded_value) == (PAID, 10)


def test_a_refund_of_an_order_that_nothing_has_described() -> None:
    alone = told(entry(2, refunds={"r1": [30, "BRL"]}))
    assert (alone.value, alone.refunded_value, alone.status) == (None, 30, PENDING)
    order = told(entry(2, refunds={"r1": [30, "BRL"]}), entry(1, status=PAID, value=100))
    assert (order.value, order.refunded_value, order.status) == (100, 30, PAID)


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
