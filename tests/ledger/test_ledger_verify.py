import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_support import build, build_with_torn_line, lines, record, tear

from toolgate.ledger.chain import ORIGIN, Head, encode, link
from toolgate.ledger.folder import claim
from toolgate.ledger.segments import segments, torn_files
from toolgate.ledger.verify import verify


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    return build_with_torn_line(tmp_path_factory.mktemp("intact") / "ledger")


@pytest.fixture
def copy(intact, tmp_path):
    return shutil.copytree(intact, tmp_path / "copy")


def kinds(report) -> list[str]:
    return [finding.kind for finding in report.findings]


def rewrite(folder, changed: list[bytes]) -> None:
    """The lines of a ledger of one segment."""
    segments(folder)[0].path.write_bytes(b"".join(changed))


def test_an_intact_ledger_is_reported_as_such(intact):
    report = verify(intact)
    assert (report.ok, report.findings, report.records) == (True, [], 11)
    assert report.segments >= 3
    assert report.first_ts == "2026-11-25T10:00:01.000000Z"
    assert report.last_ts == "2026-11-25T10:00:10.000000Z"
    assert report.head.seq == 11


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_any_byte_changed_in_any_file_is_found(intact, data, tmp_path_factory):
    """AU-07. The lock and the key of the digests hold no records and are not meant."""
    folder = shutil.copytree(intact, tmp_path_factory.mktemp("changed") / "ledger")
    files = [one.path for one in segments(folder) + torn_files(folder)]
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert not verify(folder).ok
    shutil.rmtree(folder)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_line_moved_doubled_or_removed_inside_is_found(data, tmp_path_factory):
    folder = build(tmp_path_factory.mktemp("order") / "ledger", 6)
    whole = lines(folder)
    changed = list(whole)
    index = data.draw(st.integers(0, 4))
    match data.draw(st.sampled_from(["remove", "double", "swap", "insert"])):
        case "remove":
            del changed[index]
        case "double":
            changed.insert(data.draw(st.integers(0, 6)), changed[index])
        case "swap":
            other = data.draw(st.integers(index + 1, 5))
            changed[index], changed[other] = changed[other], changed[index]
        case "insert":
            changed.insert(index + 1, link(Head(index + 1, "0" * 64), encode(record(99)))[0])
    rewrite(folder, changed)
    assert not verify(folder).ok
    shutil.rmtree(folder)


@given(order=st.permutations(range(6)))
@settings(max_examples=60, deadline=None)
def test_any_other_order_is_found(order, tmp_path_factory):
    folder = build(tmp_path_factory.mktemp("order") / "ledger", 6)
    whole = lines(folder)
    rewrite(folder, [whole[index] for index in order])
    assert verify(folder).ok == (list(order) == list(range(6)))
    shutil.rmtree(folder)


def test_one_damaged_line_is_one_finding(tmp_path):
    folder = build(tmp_path / "ledger", 5)
    rewrite(folder, [line.replace(b"call-3", b"call-9") for line in lines(folder)])
    (finding,) = verify(folder).findings
    assert (finding.kind, finding.file, finding.line) == ("line", "0000000001.jsonl", 3)
    assert finding.what == "Record 3 was changed after it was written: its hash does not fit its bytes."


def test_bytes_that_are_no_text_are_one_finding(tmp_path):
    folder = build(tmp_path / "ledger", 5)
    rewrite(folder, [line.replace(b"call-3", b"call-\xff") for line in lines(folder)])
    report = verify(folder)
    assert [(finding.kind, finding.line) for finding in report.findings] == [("line", 3)]
    assert report.records == 4


def test_a_line_of_rubbish_is_one_finding(tmp_path):
    folder = build(tmp_path / "ledger", 5)
    whole = lines(folder)
    rewrite(folder, [*whole[:2], b"rubbish\n", *whole[2:]])
    report = verify(folder)
    assert [(finding.kind, finding.line) for finding in report.findings] == [("line", 3)]
    assert report.head.seq == 5


def test_rubbish_in_the_place_of_a_line_is_found(tmp_path):
    folder = build(tmp_path / "ledger", 5)
    rewrite(folder, [b"rubbish\n" if b"call-3" in line else line for line in lines(folder)])
    assert [(finding.kind, finding.line) for finding in verify(folder).findings] == [("line", 3)]


def test_findings_are_bounded_and_counted(tmp_path):
    folder = build(tmp_path / "ledger", 1)
    rewrite(folder, [b"rubbish\n"] * 250)
    report = verify(folder)
    assert (len(report.findings), report.more) == (100, 150)


@pytest.mark.parametrize("index", [0, 1])
def test_a_removed_segment_is_found(copy, index):
    segments(copy)[index].path.unlink()
    assert "segment" in kinds(verify(copy))


def test_a_renamed_segment_is_found(copy):
    path = segments(copy)[1].path
    path.rename(path.with_name("0000000099.jsonl"))
    assert "segment" in kinds(verify(copy))


def test_a_last_segment_under_a_name_of_another_kind_is_found(copy):
    path = segments(copy)[-1].path
    path.rename(path.with_name(path.name + ".bak"))
    assert kinds(verify(copy)) == ["stranger"]


def test_two_segments_with_exchanged_names_are_found(copy):
    first, second = (one.path for one in segments(copy)[:2])
    first.rename(copy / "between")
    second.rename(first)
    (copy / "between").rename(second)
    assert not verify(copy).ok


def test_a_folder_without_segments_is_no_intact_ledger(tmp_path):
    assert kinds(verify(tmp_path)) == ["segment"]


def test_a_torn_line_that_was_kept_is_missed_when_it_is_gone(copy):
    torn_files(copy)[0].path.unlink()
    assert kinds(verify(copy)) == ["torn_file"]


def test_a_torn_line_no_record_tells_of_is_found(copy):
    (copy / f"0000000003-{'a' * 16}.torn").write_bytes(b"x")
    (finding,) = verify(copy).findings
    assert finding.what == "No record tells of this torn line."


def test_a_torn_tail_is_told_from_a_damaged_line(copy):
    tear(copy)
    report = verify(copy)
    assert kinds(report) == ["torn_tail"]
    assert report.records == 11


def test_a_torn_tail_of_a_running_gateway_is_being_written(copy):
    tear(copy)
    lock = claim(copy)
    report = verify(copy)
    os.close(lock)
    assert (report.ok, report.being_written) == (True, True)


def test_a_cut_end_is_found_with_a_noted_head_only(copy):
    """A bare chain cannot show it: this test is the promise that we say so."""
    noted = verify(copy).head
    path = segments(copy)[-1].path
    kept = path.read_bytes().splitlines(keepends=True)[:-1]
    path.write_bytes(b"".join(kept))
    assert verify(copy).ok
    report = verify(copy, noted)
    assert [finding.what for finding in report.findings] == [
        "Record 11, which was noted, is not in the ledger."
    ]


def test_an_older_head_is_still_there_after_the_ledger_grew(copy):
    noted = verify(copy).head
    build(copy, 5, start=20)
    assert verify(copy, noted).ok
    assert verify(copy, ORIGIN).ok


def test_a_ledger_made_anew_is_found_with_a_noted_head_only(tmp_path):
    noted = verify(build(tmp_path / "real", 5)).head
    forged = build(tmp_path / "forged", 9, agent="somebody-else")
    assert verify(forged).ok
    (finding,) = verify(forged, noted).findings
    assert (finding.kind, finding.line) == ("head", 5)
    assert finding.what == "Record 5 is another than the one noted."


def test_calls_that_began_and_never_ended_are_counted(tmp_path):
    folder = build(tmp_path / "ledger", 3, event="begin")
    build(folder, 2, start=2, event="end")
    assert verify(folder).unfinished == 1


def test_a_line_that_holds_no_record_is_found(tmp_path):
    folder = build(tmp_path / "ledger", 1)
    rewrite(folder, [link(ORIGIN, b'{"no":"record"}')[0]])
    (finding,) = verify(folder).findings
    assert finding.what.startswith("What this line holds is no record:")


def test_progress_is_told_every_thousand_records(tmp_path):
    folder = build(tmp_path / "ledger", 2500)
    told: list[int] = []
    assert verify(folder, progress=told.append).ok
    assert told == [1000, 2000]


def test_a_ledger_is_left_as_it_is(copy):
    tear(copy)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in copy.iterdir()}
    verify(copy)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in copy.iterdir()} == before
