"""Of a town of which it is known who is who, next to nobody is put together with somebody else."""

import random

from tests.town import orders, people, placed, quality


def test_nobody_is_put_together_with_somebody_else() -> None:
    chance = random.Random(7)
    ends, refused = placed(orders(people(2_000, chance), chance))
    precision, recall, wrong = quality(ends)
    assert refused and precision > 0.9999 and recall > 0.94
    assert wrong <= len(ends) / 10_000
