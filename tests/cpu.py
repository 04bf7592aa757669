"""What work costs, in seconds of this process's processor: neither other processes nor waiting count."""

import time
from collections.abc import Callable

TRIES = 5  # the least of them counts: what disturbs, disturbs upwards
NOTHING = 0.01  # seconds; work that costs less is counted as this: caches, not the work, tell small ones apart


def cpu(work: Callable[[], object]) -> float:
    """Return the seconds that the work takes at best."""
    taken = []
    for _ in range(TRIES):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def grows(work: Callable[[int], Callable[[], object]], few: int) -> float:
    """Return how many times more four times as much costs; `work` prepares so much of it. 4 is in proportion."""
    less, more = work(few), work(4 * few)
    return cpu(more) / max(cpu(less), NOTHING)
