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
    bits = int.from_bytes(bytes(range(1, 17)), "big")
    monkeypatch.setattr(ids.time, "time_ns", lambda: (bits >> 80) * 1_000_000)
    monkeypatch.setattr(ids.os, "urandom", lambda _count: (bits & (1 << 80) - 1).to_bytes(10))
    monkeypatch.setattr(ids, "_newest", 0)
    assert number(ids.new_id("x")) == bits


def test_the_published_example_is_read_and_written():
    # https://github.com/ulid/spec: 01ARZ3NDEKTSV4RRFFQ69G5FAV, made at 1469922850259 milliseconds
    assert ids.made_at("dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV") == 1_469_922_850_259_000
    assert ids.first_id("dlv", 1_469_922_850_259_999) == "dlv_01ARZ3NDEK" + "0" * 16


@pytest.mark.parametrize(
    "text", ["", "dlv_", "dlv", "dlv_01J", "dlv_é" + "0" * 25, "dlv_" + "I" * 26, "dlv_8" + "0" * 25]
)
def test_what_is_no_id_was_made_at_no_time(text):
    assert ids.made_at(text) is None
