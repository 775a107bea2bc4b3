import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from ledger_support import build, lines, tear
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.ledger.segments import segments
from toolgate.ledger.show import Where, line, read, since


@pytest.fixture
def folder(tmp_path):
    made = build(tmp_path / "ledger", 4, segment_bytes=700, user="alice", decision="allow", outcome="ok")
    build(made, 4, segment_bytes=700, start=5, decision="deny", outcome="refused", target="transfer_funds")
    return made


def seqs(entries) -> list[int]:
    return [seq for seq, _ in entries]


def test_all_records_come_oldest_first(folder):
    assert len(segments(folder)) > 2
    assert seqs(read(folder)) == list(range(1, 9))


def test_the_last_ones_come_oldest_first_too(folder):
    assert seqs(read(folder, last=3)) == [6, 7, 8]
    assert seqs(read(folder, last=0)) == []
    assert seqs(read(folder, last=99)) == list(range(1, 9))


def test_the_last_ones_are_read_without_opening_older_segments(folder):
    """An older segment that cannot be read as a file at all is not even missed."""
    first = segments(folder)[0].path
    first.unlink()
    first.mkdir()
    assert seqs(read(folder, last=2)) == [7, 8]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where(user="alice"), [1, 2, 3, 4]),
        (Where(user="al*"), [1, 2, 3, 4]),
        (Where(user="bob"), []),
        (Where(agent="closing-*"), [1, 2, 3, 4, 5, 6, 7, 8]),
        (Where(decision="deny"), [5, 6, 7, 8]),
        (Where(outcome="ok"), [1, 2, 3, 4]),
        (Where(tool="bank/transfer_*"), [5, 6, 7, 8]),
        (Where(tool="read_account"), [1, 2, 3, 4]),
        (Where(tool="crm/*"), []),
        (Where(since=datetime(2026, 11, 25, 10, 0, 6, tzinfo=UTC)), [6, 7, 8]),
        (Where(since=datetime(2026, 11, 25, 11, 0, 7, tzinfo=timezone(timedelta(hours=1)))), [7, 8]),
        (Where(decision="deny", since=datetime(2026, 11, 25, 10, 0, 8, tzinfo=UTC)), [8]),
    ],
)
def test_records_are_chosen_by(folder, where, expected):
    assert seqs(read(folder, where=where)) == expected
    assert seqs(read(folder, last=2, where=where)) == expected[-2:]


def test_a_line_being_written_is_not_shown(folder):
    tear(folder)
    assert seqs(read(folder, last=1)) == [8]


@pytest.mark.parametrize("damaged", [b"rubbish\n", None])
def test_a_damaged_line_is_shown_as_such_and_never_dropped(folder, damaged):
    path = segments(folder)[0].path
    first = lines(folder)[0]
    path.write_bytes((damaged or first.replace(b"call-1", b"call-\xff")) + first)
    entries = list(read(folder, where=Where(user="nobody")))
    assert [(seq, record["event"]) for seq, record in entries] == [(0, "unreadable")]
    assert "ledger verify" in line(entries[0][1])


def test_a_line_says_when_what_was_decided_who_what_and_why():
    text = line(
        {
            "ts": "2026-11-25T10:00:00.000000Z",
            "decision": "deny",
            "outcome": "refused",
            "agent": "closing",
            "user": "dana",
            "server": "bank",
            "target": "transfer_funds",
            "rule": "no-transfers",
            "detail": "matched",
        }
    )
    assert text.split() == [
        "2026-11-25T10:00:00.000000Z", "deny", "refused", "closing/dana", "bank/transfer_funds", "no-transfers",
        "(matched)",
    ]  # fmt: skip


def test_lines_are_aligned(folder):
    assert len({line(record).index("bank/") for _, record in read(folder)}) == 1


def test_acts_of_the_gateway_and_beginnings_are_told_apart():
    assert "gateway ledger/torn" in line({"event": "gateway", "method": "ledger/torn"})
    assert "begin bank/read" in line({"event": "begin", "server": "bank", "target": "read"})


def test_names_of_strangers_cannot_rewrite_the_terminal():
    text = line({"agent": "\x1b[2J\r\u202e", "server": "a\nb", "target": "t"})
    assert text.isprintable()
    assert r"\x1b[2J\r\u202e" in text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-25T10:00:00Z", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25T12:00:00+02:00", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25", datetime(2026, 11, 25)),
        ("30m", datetime(2026, 11, 25, 11, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 25, 10, tzinfo=UTC)),
    ],
)
def test_since_is_a_moment_or_how_long_ago(text, moment):
    assert since(text, datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2 hours"])
def test_what_is_no_moment_is_told_how_to_write_one(text):
    with pytest.raises(ValueError, match="such as 2026-11-25T10:00:00Z or 2h"):
        since(text, 0.0)


def test_the_command_shows_what_came_since_then(folder):
    shown = CliRunner().invoke(
        app, ["ledger", "show", str(folder), "--since", "2026-11-25T10:00:07Z", "--json"]
    )
    assert [json.loads(line)["seq"] for line in shown.output.splitlines()] == [7, 8]
    bad = CliRunner().invoke(app, ["ledger", "show", str(folder), "--since", "soon"])
    assert (bad.exit_code, "such as" in bad.output) == (2, True)
