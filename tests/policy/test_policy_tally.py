"""Sums over time: exact, bounded, and never too small. One suite for every tally there is."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolgate.policy.tally import Memory
from toolgate.ports import Full, Tally
from toolgate.wiring import TALLIES, load

KEY = ("transfers", "agent", "a")
Make = Callable[[], Tally]


@pytest.fixture(params=sorted(TALLIES))
def make(request: pytest.FixtureRequest) -> Make:
    return load(TALLIES[request.param])  # type: ignore[no-any-return]


def test_what_was_counted_since_a_moment_is_summed_by_key(make: Make) -> None:
    tally = make()
    tally.keep(100)
    for moment, amount in ((1.0, 5), (2.0, 7), (3.0, 11)):
        tally.count(KEY, moment, amount)
    tally.count(("transfers", "agent", "b"), 3.0, 100)
    assert tally.sum(KEY, 0.0) == 23
    assert tally.sum(KEY, 2.0) == 18
    assert tally.sum(KEY, 3.5) == 0
    assert tally.sum(("other",), 0.0) == 0


def test_what_is_taken_back_was_never_there(make: Make) -> None:
    tally = make()
    give_back = tally.count(KEY, 1.0, 5)
    tally.count(KEY, 2.0, 7)
    give_back()
    assert tally.sum(KEY, 0.0) == 7


def test_decimals_are_added_as_they_are_written(make: Make) -> None:
    tally = make()
    for _ in range(10):
        tally.count(KEY, 1.0, 0.1)
    assert tally.sum(KEY, 0.0) == 1
    tally.count(KEY, 1.0, 2**53 + 1)
    assert tally.sum(KEY, 0.0) == 2**53 + 2


def test_a_clock_that_is_set_back_shortens_no_window(make: Make) -> None:
    tally = make()
    tally.count(KEY, 100.0, 5)
    tally.count(KEY, 50.0, 7)
    assert tally.sum(KEY, 90.0) == 12


def test_too_many_keys_are_refused_and_old_ones_make_room() -> None:
    tally = Memory(keys=2)
    tally.keep(10)
    tally.count(("a",), 1.0, 1)
    tally.count(("b",), 5.0, 1)
    with pytest.raises(Full):
        tally.count(("c",), 6.0, 1)
    tally.count(("c",), 12.0, 1)
    assert tally.sum(("b",), 0.0) == 1
    assert tally.sum(("a",), 0.0) == 0


amounts = st.one_of(st.integers(0, 1000), st.decimals(0, 100, places=2).map(float))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 10), amounts, st.booleans()), max_size=60),
    st.integers(4, 20),
    st.floats(0, 200),
)
def test_a_sum_is_never_too_small_and_exact_where_nothing_was_joined(
    steps: list[tuple[float, float, bool]], entries: int, since: float
) -> None:
    tally, now, kept = Memory(entries=entries), 0.0, []
    for step, amount, taken_back in steps:
        now += step
        give_back = tally.count(KEY, now, amount)
        if taken_back:
            give_back()
        else:
            kept.append((now, amount))
    true = sum((Fraction(str(amount)) for moment, amount in kept if moment >= since), Fraction(0))
    said = tally.sum(KEY, since)
    joined = len(steps) > entries
    assert said >= float(true) if joined else said == (int(true) if true.denominator == 1 else float(true))
