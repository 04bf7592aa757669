"""What an order comes to: bill, payments and refunds, each by its own id, and what follows from them."""

import pytest

from adapters.contract import Status
from adapters.contract.fold import Entry
from tests.contract.histories import (
    CANCELED,
    FAILED,
    OVERDUE,
    PAID,
    PARTIALLY_PAID,
    PENDING,
    REFUNDED,
    SOLD,
    bill,
    entry,
    payment,
    refund,
    told,
    total,
)

# -- The bill -----------------------------------------------------------------------------------------------------


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


def test_a_payment_of_nothing_says_that_nothing_is_taken_or_not_any_more() -> None:
    def shop(at: int | None, word: Status, taken: int) -> Entry:
        return entry(at, bills=[bill(100)], status=word, payments=[payment("", taken, "taken")])

    order = told(shop(1, PENDING, 0), shop(2, PAID, 100))
    assert (order.status, order.paid_value, order.paid_at) == (PAID, 100, 2)
    order = told(shop(1, PENDING, 0), shop(2, PAID, 100), shop(3, PENDING, 0))
    assert (order.status, order.paid_value, order.paid_at) == (PENDING, 0, None)
    assert told(shop(None, PAID, 100), shop(None, PENDING, 0)).status == PAID


def test_a_payment_of_all_of_a_bill_that_is_edited_later() -> None:
    def shop(at: int, value: int, word: Status = PAID, back: int = 0) -> Entry:
        all_of_it = payment("", value, "taken") | {"all": True}
        return entry(at, bills=[bill(value)], status=word, payments=[all_of_it], refunds=[total(back)])

    order = told(shop(1, 100), shop(2, 80), shop(3, 80, back=20))
    assert (order.value, order.paid_value, order.refunded_value, order.status) == (80, 100, 0, PAID)
    assert told(shop(1, 100), shop(2, 80), shop(3, 80, REFUNDED, back=100)).refunded_value == 80
    order = told(shop(1, 100), shop(2, 80), shop(3, 80, REFUNDED, back=80))
    assert (order.refunded_value, order.status) == (80, REFUNDED), "the rest went back past the shop"
    order = told(shop(1, 100), shop(2, 150, PENDING))
    assert (order.paid_value, order.status) == (100, PARTIALLY_PAID)
    assert told(shop(1, 100), shop(2, 150, PENDING), shop(3, 150)).status == PAID


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


def test_an_order_that_waits_again_has_no_time_of_payment_unless_that_was_said_with_it_or_later() -> None:
    paid = entry(1, bills=[bill(100)], status=PAID, paid_at=1)
    assert told(paid).paid_at == 1
    waits = told(paid, entry(2, status=OVERDUE))
    assert (waits.status, waits.paid_at) == (OVERDUE, None)
    assert told(paid, entry(2, status=OVERDUE, paid_at=3)).paid_at == 3  # as a file of orders says it
    assert told(paid, entry(2, status=OVERDUE), entry(3, paid_at=4)).paid_at == 4


def test_what_was_given_back_stays_so_when_the_sale_is_canceled_as_well() -> None:
    for taken in ({}, {"payments": [payment("", 100, "taken")]}):
        sold = entry(1, bills=[bill(100)], status=PAID, **taken)
        order = told(sold, entry(2, status=REFUNDED), entry(3, status=CANCELED))
        assert (order.status, order.paid_value, order.refunded_value, order.notes) == (REFUNDED, 100, 100, ())
        order = told(sold, entry(2, status=REFUNDED), entry(3, status=PAID), entry(4, status=CANCELED))
        assert order.refunded_value == 0
