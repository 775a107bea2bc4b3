"""Retention: old segments go, and nothing that was proved becomes unproved."""

import json

import pytest
from ledger_support import build, lines, record, sign
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.ledger.archive import ARCHIVED, Unarchived, archive
from toolgate.ledger.chain import Head, encode, parse
from toolgate.ledger.checkpoints import Checkpoints
from toolgate.ledger.inbox import waiting
from toolgate.ledger.note import unchecked
from toolgate.ledger.proof import check, find, prove, prove_growth
from toolgate.ledger.recover import recover
from toolgate.ledger.segments import segments
from toolgate.ledger.tail import Tail
from toolgate.ledger.tree import read_note
from toolgate.ledger.verify import verify

NEVER = "2026-11-26"
"""Everything is older than this; the last segment stays all the same."""


@pytest.fixture
def folder(tmp_path):
    made = build(tmp_path / "ledger", 600, segment_bytes=20_000)
    sign(made)
    return made


@pytest.fixture
def moved(folder, tmp_path):
    archive(folder, NEVER, tmp_path / "archive")
    return folder


def record_notes(folder) -> None:
    """As a gateway does at its next start."""
    tail = Tail(recover(folder), 20_000)
    for path, note in waiting(folder):
        act = record(1, event="gateway", method=note.method, detail=note.detail, arguments=note.arguments)
        tail.write([encode(act)], durable=False)
        path.unlink()
    tail.close()
    sign(folder)


def kinds(report) -> list[str]:
    return [finding.kind for finding in report.findings]


def test_what_was_moved_is_there_and_what_stays_is_the_last_segment(folder, tmp_path):
    before = lines(folder)
    count = len(segments(folder))
    copies = archive(folder, NEVER, tmp_path / "archive")
    assert len(segments(folder)) == 1
    assert len(copies) == count - 1
    assert lines(tmp_path / "archive") + lines(folder) == before


def test_the_rest_verifies_before_and_after_the_act_is_recorded(moved):
    first = segments(moved)[0].first
    assert verify(moved).findings == []
    assert verify(moved).archived == first - 1
    record_notes(moved)
    report = verify(moved)
    assert (report.findings, report.archived) == ([], first - 1)
    assert report.head.seq == report.checkpoint == 601


def test_with_the_archive_all_of_it_verifies(moved, tmp_path):
    record_notes(moved)
    report = verify(moved, archives=[tmp_path / "archive"])
    assert (report.findings, report.archived, report.records) == ([], 0, 601)


def test_an_archive_that_was_changed_is_found(moved, tmp_path):
    path = segments(tmp_path / "archive")[1].path
    path.write_bytes(path.read_bytes().replace(b"closing-agent", b"another-agent", 1))
    assert kinds(verify(moved, archives=[tmp_path / "archive"])) == ["line"]


def test_what_was_proved_and_noted_before_still_is(folder, tmp_path):
    key = sign(folder).verifier
    line = find(folder, "5")
    proof, noted = prove(folder, line), read_note(folder / "tree")
    head = Head(100, parse(lines(folder)[99]).head.hash)
    archive(folder, NEVER, tmp_path / "archive")
    record_notes(folder)
    assert check(proof, line, key).seq == 5
    assert prove(folder, line).startswith("c2sp.org/tlog-proof@v1\nindex 4\n")
    assert prove_growth(folder, noted).startswith("old 600\n")
    checkpoint = unchecked(noted)
    assert verify(folder, head, key=key, checkpoints=[checkpoint]).findings == []


def test_segments_that_are_just_gone_are_found(folder):
    segments(folder)[0].path.unlink()
    report = verify(folder)
    assert kinds(report) == ["segment"]
    assert "no record tells that they were archived" in report.findings[0].what


def test_more_than_was_told_is_found(folder, tmp_path):
    first = segments(folder)
    archive(folder, NEVER, tmp_path / "archive")
    for path, _ in waiting(folder):
        note = json.loads(path.read_bytes())
        note["arguments"]["last"] = first[1].first - 1
        path.write_text(json.dumps(note))
    assert kinds(verify(folder)) == ["segment"]


def test_a_tree_that_lost_what_it_alone_knows_is_found(moved):
    (moved / "tree/tile/entries/000").unlink()
    assert "tile" in kinds(verify(moved))


def test_a_gateway_goes_on_beside_an_archive(moved, tmp_path):
    build(moved, 50, start=700, segment_bytes=20_000)
    checkpoints = Checkpoints(moved, None, lambda: recover(moved).head)
    checkpoints.step()
    assert (checkpoints.problem, checkpoints.lag) == (None, 0)
    record_notes(moved)
    assert verify(moved, archives=[tmp_path / "archive"]).findings == []


def test_nothing_unsigned_is_moved(tmp_path):
    made = build(tmp_path / "ledger", 600, segment_bytes=20_000)
    with pytest.raises(Unarchived, match="not covered by a checkpoint"):
        archive(made, NEVER, tmp_path / "archive")
    assert verify(made).records == 600


def test_nothing_is_moved_before_every_sink_has_it(folder, tmp_path):
    (folder / "readers").mkdir()
    (folder / "readers/siem.cursor").write_text('{"seq":3}')
    with pytest.raises(Unarchived, match="not been delivered to every sink"):
        archive(folder, NEVER, tmp_path / "archive")


def test_nothing_young_is_moved(folder, tmp_path):
    with pytest.raises(Unarchived, match="No closed segment is that old"):
        archive(folder, "2026-11-25T10:00:00", tmp_path / "archive")


def test_nothing_is_moved_where_the_act_cannot_be_noted(folder, tmp_path):
    (folder / "inbox").write_text("in the way")
    with pytest.raises(Unarchived, match="cannot be noted"):
        archive(folder, NEVER, tmp_path / "archive")
    assert verify(folder).records == 600


def test_the_command_moves_and_says_what(folder, tmp_path):
    arguments = ["ledger", "archive", str(folder), "--before", NEVER, "--to", str(tmp_path / "archive")]
    done = CliRunner().invoke(app, arguments)
    assert done.output.splitlines()[0] == str(tmp_path / "archive/0000000001.jsonl")
    again = CliRunner().invoke(app, arguments)
    assert (again.exit_code, again.output) == (1, "No closed segment is that old.\n")
    shown = CliRunner().invoke(app, ["ledger", "verify", str(folder)])
    assert shown.exit_code == 0
    assert "are archived: --archive names where" in shown.output
    assert waiting(folder)[0][1].method == ARCHIVED
