import os

import pytest
from ledger_support import build, lines, open_descriptor, record

from toolgate.ledger.chain import encode
from toolgate.ledger.recover import recover
from toolgate.ledger.segments import segments
from toolgate.ledger.tail import Tail
from toolgate.ledger.verify import verify


@pytest.fixture
def tail(tmp_path):
    made = Tail(recover(tmp_path), 1000)
    yield made
    made.close()


def put(tail: Tail, *numbers: int, durable: bool = False) -> None:
    tail.write([encode(record(number)) for number in numbers], durable=durable)


def replace(path, flags_of: str) -> None:
    """Put /dev/full (or another device) where the tail has its segment open: writing fails with ENOSPC."""
    device = os.open(flags_of, os.O_WRONLY)
    os.dup2(device, open_descriptor(path), inheritable=False)
    os.close(device)


def test_records_stand_in_the_order_they_were_given(tail, tmp_path):
    put(tail, 1, 2)
    put(tail, 3, durable=True)
    assert [b"call-%d" % n in line for n, line in enumerate(lines(tmp_path), 1)] == [True] * 3
    assert verify(tmp_path).head == tail.head


def test_a_full_segment_is_followed_by_one_named_after_its_first_record(tail, tmp_path):
    for number in range(10):
        put(tail, number)
    known = segments(tmp_path)
    assert len(known) > 2
    assert all(one.path.stat().st_size >= 1000 for one in known[:-1])
    assert all(one.path.stat().st_mode & 0o777 == 0o600 for one in known)
    assert verify(tmp_path).ok


def test_a_full_disk_costs_its_records_and_nothing_else(tail, tmp_path):
    put(tail, 1)
    head = tail.head
    replace(tmp_path / "0000000001.jsonl", "/dev/full")
    with pytest.raises(OSError, match="No space left"):
        put(tail, 2)
    assert tail.head == head
    put(tail, 3)
    assert [b'"call-1"' in lines(tmp_path)[0], b'"call-3"' in lines(tmp_path)[1]] == [True, True]
    assert verify(tmp_path).ok


def test_a_write_that_cannot_be_flushed_is_taken_back(tail, tmp_path):
    """/dev/null takes every byte and refuses fdatasync: an EIO of a real disk looks the same from here."""
    put(tail, 1)
    replace(tmp_path / "0000000001.jsonl", "/dev/null")
    with pytest.raises(OSError, match="Invalid argument"):
        put(tail, 2, durable=True)
    put(tail, 3, durable=True)
    assert len(lines(tmp_path)) == 2
    assert verify(tmp_path).ok


def test_half_a_write_is_cut_off_before_the_next(tail, tmp_path):
    put(tail, 1)
    with (tmp_path / "0000000001.jsonl").open("ab") as file:
        file.write(b'{"seq":2,"half')
    tail.distrust()
    put(tail, 2)
    assert verify(tmp_path).ok


def test_nothing_is_written_behind_a_segment_that_was_shortened(tail, tmp_path):
    put(tail, 1, 2)
    os.truncate(tmp_path / "0000000001.jsonl", 10)
    tail.distrust()
    with pytest.raises(OSError, match="shorter than what was written"):
        put(tail, 3)


def test_a_flush_notices_that_the_segment_was_replaced(tail, tmp_path):
    put(tail, 1)
    tail.syncer()()
    path = tmp_path / "0000000001.jsonl"
    path.rename(tmp_path / "kept")
    path.write_bytes((tmp_path / "kept").read_bytes())
    with pytest.raises(OSError, match="was replaced"):
        tail.syncer()()


def test_a_ledger_goes_on_where_it_ended(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    build(folder, 3, start=4)
    report = verify(folder)
    assert (report.ok, report.records, report.segments) == (True, 6, 1)
