"""Sums are read back from the ledger."""

from pathlib import Path
from typing import Any

from toolgate.ledger.marks import timestamp
from toolgate.ledger.totals import counted
from toolgate.ledger.writer import Writer
from toolgate.model import Record


async def write(folder: Path, *lines: dict[str, Any]) -> None:
    writer = Writer(folder, segment_bytes=300)
    writer.start()
    for number, line in enumerate(lines):
        given: dict[str, Any] = {"id": f"i{number}", "agent": "a", "totals": {"today": ["agent", 5]}, **line}
        await writer.append(Record(**{**given, "ts": timestamp(given["ts"])}))
    await writer.aclose()


async def test_what_was_counted_since_a_moment_is_read_oldest_first(tmp_path: Path) -> None:
    await write(
        tmp_path, {"ts": 100.0}, {"ts": 200.0}, {"ts": 300.5, "agent": "b"}, {"ts": 400.0, "totals": None}
    )
    assert counted(tmp_path, 150.0) == [
        (("today", "agent", "a"), 200.0, 5),
        (("today", "agent", "b"), 300.5, 5),
    ]


async def test_a_stream_counts_once_and_by_its_end(tmp_path: Path) -> None:
    begun, given_back, open_end = ({"id": name, "ts": 200.0, "event": "begin"} for name in "abc")
    ends = {"id": "a", "ts": 200.0, "event": "end"}, {"id": "b", "ts": 200.0, "event": "end", "totals": None}
    await write(tmp_path, begun, given_back, open_end, *ends)
    assert len(counted(tmp_path, 150.0)) == 2


async def test_a_long_call_that_ended_last_hides_nothing_before_it(tmp_path: Path) -> None:
    await write(tmp_path, {"ts": 200.0}, {"ts": 10.0, "total_us": 300_000_000})
    assert [moment for _, moment, _ in counted(tmp_path, 150.0)] == [200.0]


async def test_sums_for_everybody_and_for_what_a_caller_lacks(tmp_path: Path) -> None:
    await write(tmp_path, {"ts": 200.0, "totals": {"all": ["everybody", 1], "mine": ["task", 1]}})
    assert counted(tmp_path, 150.0) == [(("all", "everybody", "*"), 200.0, 1)]
