"""Ids are ULIDs that sort by when they were made."""

import time
from concurrent.futures import ThreadPoolExecutor

from ulid import ULID

from app.base import ids


def test_an_id_is_a_ulid_of_this_moment():
    before = time.time_ns() // 1_000_000
    made = ids.new_id("ord")
    after = time.time_ns() // 1_000_000
    assert made.startswith("ord_")
    ulid = ULID.from_str(made[4:])
    assert str(ulid) == made[4:]
    assert before <= ulid.milliseconds <= after + 1


def test_ids_sort_as_they_were_made_and_none_comes_twice():
    made = [ids.new_id("dlv") for _ in range(5000)]
    assert made == sorted(set(made))


def test_no_id_comes_twice_from_several_threads():
    with ThreadPoolExecutor(4) as pool:
        made = [one for part in pool.map(lambda _: [ids.new_id("ord") for _ in range(2000)], range(4)) for one in part]
    assert len(set(made)) == len(made) == 8000


def test_a_clock_that_was_put_back_makes_no_older_ids(monkeypatch):
    first = ids.new_id("ord")
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000_000_000_000_000)  # 2001
    assert ids.new_id("ord") > first


def test_every_part_of_the_number_is_written(monkeypatch):
    number = int.from_bytes(bytes(range(1, 17)), "big")
    monkeypatch.setattr(ids.time, "time_ns", lambda: (number >> 80) * 1_000_000)
    monkeypatch.setattr(ids.secrets, "randbits", lambda _bits: number & (1 << 80) - 1)
    monkeypatch.setattr(ids, "_newest", 0)
    assert ids.new_id("x") == f"x_{ULID.from_bytes(bytes(range(1, 17)))}"
