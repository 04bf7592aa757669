"""What orders that an adapter tells come to: each as an entry of one history, as the registry keeps it, and folded."""

import itertools
from collections.abc import Iterator

from adapters.contract import Order
from adapters.contract.fold import Entry, Folded, fold
from app.base.statement import UNTIMED, state

RECEIVED = 1_800_000_000_000_000  # 2027: later than any source's time in a sample


def entries(orders: list[Order]) -> list[Entry]:
    """The orders as entries of one history, received in this order, one a second."""
    found = []
    for number, order in enumerate(orders):
        said = state(order, source_id="src_1", region="BR", digest=repr(order))
        at = None if said.at == UNTIMED else said.at
        found.append(Entry(at=at, digest=said.digest, recorded_at=RECEIVED + number * 1_000_000, said=said.said))
    return found


def folded(*orders: Order) -> Folded:
    """The order that these come to. Statements of different times must come to the same in any order of arrival, and
    all of them twice to the same as once."""
    told = entries(list(orders))
    result = fold(told)
    assert fold([*told, *told]) == result, "told twice it comes to something else"
    times = [entry.at for entry in told]
    if None not in times and len(set(times)) == len(times):
        for arrival in _arrivals(list(orders)):
            assert fold(entries(arrival)) == result, "another order of arrival comes to something else"
    return result


def _arrivals(orders: list[Order]) -> Iterator[list[Order]]:
    for arrival in itertools.islice(itertools.permutations(orders), 50):
        yield list(arrival)


def lines(told: list[dict[str, object]]) -> dict[object, str]:
    """The lines of `Folded.payments` or `Folded.refunds` as {id: "state minor currency"}."""
    return {line["id"]: f"{line['state']} {line['value']} {line['currency']}" for line in told}
