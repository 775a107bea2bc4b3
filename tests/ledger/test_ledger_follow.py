import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_support import build, lines

from toolgate.ledger.follow import Follower, Gone
from toolgate.ledger.segments import segments


def read(folder, after: int, head: int, block: int = 256 * 1024) -> list[bytes]:
    follower = Follower(folder, after)
    found = []
    while batch := follower.read(head, block):
        found += batch
    follower.close()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = build(tmp_path_factory.mktemp("follow") / "ledger", 60, segment_bytes=4000)
    return build(made, 1, segment_bytes=4000, start=61, detail="x" * 200_000)


@given(after=st.integers(0, 61), head=st.integers(0, 61), block=st.integers(1, 10_000))
@settings(deadline=None)
def test_the_lines_behind_any_record_are_read_whatever_the_block(folder, after, head, block):
    assert len(segments(folder)) > 3
    assert read(folder, after, head, block) == lines(folder)[after:head]


def test_a_place_deep_in_a_large_segment_is_found(tmp_path):
    made = build(tmp_path / "ledger", 1500, detail="y" * 300)
    for after in (0, 1, 700, 1498, 1499, 1500):
        assert read(made, after, 1500) == lines(made)[after:]


def test_what_is_written_later_is_read_later(tmp_path):
    made = build(tmp_path / "ledger", 3, segment_bytes=700)
    follower = Follower(made, 0)
    found = []
    for count in (3, 4, 9):
        build(made, count - len(found), segment_bytes=700, start=len(found) + 1) if found else None
        while batch := follower.read(count):
            found += batch
    assert found == lines(made)
    assert follower.read(9) == []
    follower.close()


def test_what_stands_behind_the_head_is_not_read_even_if_it_looks_whole(tmp_path):
    """A failed write may leave whole lines that are cut off again; nobody may have read them."""
    made = build(tmp_path / "ledger", 5)
    follower = Follower(made, 0)
    first = follower.read(3)
    whole = lines(made)
    assert first == whole[:3]
    path = segments(made)[0].path
    os.truncate(path, sum(map(len, whole[:3])))
    build(made, 2, start=4, detail="another")
    assert follower.read(5) == lines(made)[3:] != whole[3:]
    follower.close()


def test_records_that_were_archived_are_missed(tmp_path):
    made = build(tmp_path / "ledger", 9, segment_bytes=1000)
    segments(made)[0].path.unlink()
    with pytest.raises(Gone, match="Record 1"):
        read(made, 0, 9)


def test_a_gap_between_segments_is_named(tmp_path):
    made = build(tmp_path / "ledger", 9, segment_bytes=1000)
    segments(made)[1].path.unlink()
    with pytest.raises(Gone, match="no segment begins with it"):
        read(made, 0, 9)
