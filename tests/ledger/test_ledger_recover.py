import hashlib

import pytest
from ledger_support import TORN, build, lines, tear

from toolgate.errors import ConfigError
from toolgate.ledger.chain import ORIGIN, parse
from toolgate.ledger.recover import recover, unrecorded
from toolgate.ledger.segments import segment_name, segments, torn_files


def test_an_empty_folder_starts_a_chain(tmp_path):
    found = recover(tmp_path)
    assert (found.head, found.path.name, found.size) == (ORIGIN, "0000000001.jsonl", 0)


def test_the_head_of_the_last_segment_is_found(tmp_path):
    folder = build(tmp_path / "ledger", 9, segment_bytes=1000)
    last = segments(folder)[-1].path
    found = recover(folder)
    assert found.head == parse(lines(folder)[-1]).head
    assert (found.path, found.size) == (last, last.stat().st_size)


def test_a_last_segment_without_lines_continues_the_one_before(tmp_path):
    """A crash between making a segment and writing to it."""
    folder = build(tmp_path / "ledger", 3)
    (folder / segment_name(4)).touch()
    found = recover(folder)
    assert found.head == parse(lines(folder)[-1]).head
    assert (found.path.name, found.size) == (segment_name(4), 0)


@pytest.mark.parametrize("rest", [TORN, b"\0" * 5000, b"x"])
def test_a_torn_line_is_moved_aside_byte_for_byte(tmp_path, rest):
    folder = build(tmp_path / "ledger", 3)
    before = lines(folder)
    tear(folder, rest)
    found = recover(folder)
    assert found.head.seq == 3
    assert lines(folder) == before
    (kept,) = torn_files(folder)
    assert kept.path.read_bytes() == rest
    assert kept.path.stat().st_mode & 0o777 == 0o600
    (told,) = unrecorded(folder, found.head)
    assert (told.bytes, told.sha256) == (len(rest), hashlib.sha256(rest).hexdigest())


def test_moving_aside_again_after_a_crash_changes_nothing(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    tear(folder)
    recover(folder)
    tear(folder)
    found = recover(folder)
    assert len(unrecorded(folder, found.head)) == 1


def test_a_torn_line_is_told_of_once(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    tear(folder)
    recover(folder)
    build(folder, 1, start=4)
    assert unrecorded(folder, recover(folder).head) == []


def test_a_damaged_line_in_the_last_segment_stops_the_start(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    path = segments(folder)[0].path
    path.write_bytes(path.read_bytes().replace(b"call-2", b"call-5"))
    with pytest.raises(ConfigError, match=r"jsonl:2: ledger\.path: .*Record 2 was changed"):
        recover(folder)


def test_a_missing_segment_before_the_last_stops_the_start(tmp_path):
    folder = build(tmp_path / "ledger", 9, segment_bytes=1000)
    segments(folder)[-2].path.unlink()
    with pytest.raises(ConfigError, match="It should start with record"):
        recover(folder)


def test_a_torn_end_of_an_earlier_segment_stops_the_start(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    tear(folder)
    (folder / segment_name(4)).touch()
    with pytest.raises(ConfigError, match="does not end with a whole line"):
        recover(folder)


def test_a_changed_end_of_an_earlier_segment_stops_the_start(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    path = segments(folder)[0].path
    (folder / segment_name(4)).touch()
    path.write_bytes(path.read_bytes().replace(b"call-3", b"call-5"))
    with pytest.raises(ConfigError, match="Record 3 was changed"):
        recover(folder)


def test_a_last_segment_whose_predecessors_were_archived_is_continued(tmp_path):
    folder = build(tmp_path / "ledger", 9, segment_bytes=1000)
    head = recover(folder).head
    for one in segments(folder)[:-1]:
        one.path.unlink()
    assert recover(folder).head == head


def test_an_empty_segment_alone_cannot_be_continued(tmp_path):
    (tmp_path / segment_name(4)).touch()
    with pytest.raises(ConfigError, match="does not say what it follows"):
        recover(tmp_path)
