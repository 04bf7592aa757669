"""Ids are ULIDs that sort by when they were made."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.base import ids

CROCKFORD = str.maketrans("0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0123456789abcdefghijklmnopqrstuv")  # to Python's base 32


def number(made: str) -> int:
    """The 128 bits of an id."""
    return int(made.partition("_")[2].translate(CROCKFORD), 32)


def test_an_id_is_a_ulid_of_this_moment():
    before = time.time_ns() // 1_000_000
    made = ids.new_id("ord")
    after = time.time_ns() // 1_000_000
    assert made.startswith("ord_")
    assert re.fullmatch("ord_[0-7][0-9A-HJKMNP-TV-Z]{25}", made)
    assert before <= number(made) >> 80 <= after + 1
    assert ids.made_at(made) == (number(made) >> 80) * 1000


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
    bits = int.from_bytes(bytes(range(1, 17)), "big") & ~(1 << 19)  # half of the last four letters is left to count in
    monkeypatch.setattr(ids.time, "time_ns", lambda: (bits >> 80) * 1_000_000)
    monkeypatch.setattr(ids.os, "urandom", lambda _count: bytes(bits >> shift & 31 for shift in range(75, 19, -5)))
    monkeypatch.setattr(ids.secrets, "randbits", lambda count: bits & (1 << count) - 1)
    monkeypatch.setattr(ids, "_at", 0)
    assert number(ids.new_id("x")) == bits
    assert number(ids.new_id("x")) == bits + 1  # in the same millisecond


def test_a_millisecond_that_is_full_goes_on_with_the_next(monkeypatch):
    first = ids.new_id("x")
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000_000_000_000_000)  # the clock was put back
    monkeypatch.setattr(ids, "_count", ids._MOST - 1)
    made = [ids.new_id("x") for _ in range(3)]
    assert first < made[0] < made[1] < made[2]
    assert number(made[0]) >> 80 == (number(first) >> 80) + 1


def test_the_published_example_is_read_and_written():
    # https://github.com/ulid/spec: 01ARZ3NDEKTSV4RRFFQ69G5FAV, made at 1469922850259 milliseconds
    assert ids.made_at("dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV") == 1_469_922_850_259_000
    assert ids.first_id("dlv", 1_469_922_850_259_999) == "dlv_01ARZ3NDEK" + "0" * 16


@pytest.mark.parametrize(
    "text", ["", "dlv_", "dlv", "dlv_01J", "dlv_é" + "0" * 25, "dlv_" + "I" * 26, "dlv_8" + "0" * 25]
)
def test_what_is_no_id_was_made_at_no_time(text):
    assert ids.made_at(text) is None
