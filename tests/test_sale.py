"""Orders that were merged, as one sale: whatever they tell, and in whatever order they are given."""

from typing import Any

from hypothesis import given, strategies
from hypothesis import settings as examples

from adapters.contract import Status
from adapters.contract.entry import Entry
from adapters.contract.fold import fold
from app.base.sale import fold_sale

SAID = strategies.one_of(
    strategies.fixed_dictionaries({"status": strategies.sampled_from(list(map(str, Status)))}),
    strategies.fixed_dictionaries(
        {"value": strategies.sampled_from([0, 100, 250]), "currency": strategies.just("BRL")}
    ),
    strategies.fixed_dictionaries({"value": strategies.just(90), "currency": strategies.just("USD")}),
    strategies.builds(
        lambda name, state: {"payments": [{"id": name, "value": 100, "currency": "BRL", "state": state}]},
        strategies.sampled_from(["p1", "p2"]),
        strategies.sampled_from(["taken", "authorized", "failed"]),
    ),
    strategies.builds(
        lambda name, value: {"refunds": [{"id": name, "value": value, "currency": "BRL"}]},
        strategies.sampled_from(["r1", "r2"]),
        strategies.sampled_from([40, 100]),
    ),
)
TOLD = strategies.lists(strategies.tuples(SAID, strategies.booleans()), min_size=1, max_size=5)


def entries(told: list[tuple[dict[str, Any], bool]], side: int) -> list[Entry]:
    """A history: the first entry is the source's and names the order; a member may have said any other."""
    return [
        Entry(
            at=1_000 * at + side,
            digest=f"{side}-{at}",
            recorded_at=1_000 * at + side,
            said=said | ({} if at else {"external_id": f"order {side}"}),
            by_member=by_member and at > 0 and "payments" not in said,  # members tell of no single payments
        )
        for at, (said, by_member) in enumerate(told)
    ]


@examples(max_examples=300)
@given(strategies.lists(TOLD, min_size=2, max_size=3))
def test_no_more_goes_back_than_there_is_and_the_order_of_the_merged_is_nothing(told: list[Any]) -> None:
    survivor, *merged = [entries(one, side) for side, one in enumerate(told)]
    whole = fold_sale(survivor, merged)
    assert whole == fold_sale(survivor[::-1], [one[::-1] for one in merged])
    if fold(survivor).value is not None:  # else the oldest of the others says what the sale is
        assert whole == fold_sale(survivor, merged[::-1])
    assert whole.external_id == "order 0"
    if whole.value is None:
        assert all(fold(one).value is None for one in (survivor, *merged))
        return
    assert 0 <= whole.refunded_value <= max(whole.value, 0)
    most = max(fold([*one, *(each for each in survivor if each.by_member)]).paid_value for one in (survivor, *merged))
    assert whole.paid_value <= most


@given(TOLD)
def test_a_copy_adds_nothing(told: list[Any]) -> None:
    history = entries([(said, False) for said, _ in told], 0)
    one, both = fold(history), fold_sale(history, [history])
    assert (both.status, both.value, both.paid_value, both.refunded_value) == (
        one.status,
        one.value,
        one.paid_value,
        one.refunded_value,
    )
