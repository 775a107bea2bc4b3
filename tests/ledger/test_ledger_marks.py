"""Ids and moments of records."""

import time
import uuid

from hypothesis import given
from hypothesis import strategies as st

from toolgate.ledger.marks import new_id, timestamp


def test_ids_are_uuids_of_version_7_of_their_moment() -> None:
    now = time.time()
    made = uuid.UUID(new_id(now))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(now * 1000)
    assert str(made) == new_id(now)[:28] + str(made)[28:]


def test_ids_differ_and_sort_as_they_were_given() -> None:
    ids = [new_id(1_800_000_000.0 + number / 700) for number in range(2_000)]
    assert len(set(ids)) == 2_000
    assert ids == sorted(ids)


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
def test_timestamps_have_microseconds_and_sort(second: int, micro: int) -> None:
    text = timestamp(second + micro / 1e6)
    assert len(text) == 27
    assert text >= timestamp(float(second))
    assert text.startswith(time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)))
