"""How a delivery deals with a receiver that refuses, stalls, or stands beside a full disk."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from sink_support import running, until

from toolgate.ports import Message, Undelivered
from toolgate.sinks import cursor, delivery
from toolgate.sinks.shapes import record


class Scripted:
    """A receiver that does as told: `refuse` names the sequence numbers it will never have."""

    def __init__(self, refuse: Sequence[int] = ()) -> None:
        self.refuse = set(refuse)
        self.got: list[int] = []
        self.batches: list[int] = []
        self.failures = 0
        self.silent = False
        self.closed = False

    async def deliver(self, batch: Sequence[Message]) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.failures:
            self.failures -= 1
            raise Undelivered("out of order")
        numbers = [message.seq for message in batch]
        if self.refuse & set(numbers):
            raise Undelivered("the receiver answers 400", refused=True)
        self.batches.append(len(numbers))
        self.got += numbers

    async def aclose(self) -> None:
        self.closed = True


def letters(ledger) -> list[dict]:
    path = ledger.folder / "readers/siem.dead.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def deliver_all(ledger, sink) -> delivery.Delivery:
    async with running(ledger.delivery_of(sink, record.shape)) as one:
        await until(lambda: one.lag == 0)
    return one


async def test_one_bad_message_holds_up_no_other(ledger):
    ledger.add(600)
    sink = Scripted(refuse=[7, 300, 600])
    one = await deliver_all(ledger, sink)
    assert sorted(sink.got) == sorted(set(range(1, 601)) - {7, 300, 600})
    assert [letter["seq"] for letter in letters(ledger)] == [7, 300, 600]
    assert letters(ledger)[0]["reason"] == "the receiver answers 400"
    assert letters(ledger)[0]["body"]["id"] == ledger.ids[6]
    assert (one.dead_letters, one.delivered) == (3, 597)


async def test_dead_letters_have_a_bound_and_then_the_sink_stands_still(ledger, monkeypatch):
    monkeypatch.setattr(cursor, "DEAD_BYTES", 1200)
    ledger.add(10)
    async with running(ledger.delivery_of(Scripted(refuse=range(1, 11)), record.shape)) as one:
        await until(lambda: one.failed > 2)
        assert one.problem == "its dead letters have reached their bound"
        assert 0 < len(letters(ledger)) < 10
        assert one.lag == 10


async def test_a_batch_has_a_bound(ledger):
    ledger.add(1300)
    sink = Scripted()
    await deliver_all(ledger, sink)
    assert max(sink.batches) <= delivery.BATCH
    assert sink.got == list(range(1, 1301))


async def test_a_receiver_that_never_answers_costs_a_deadline_and_no_record(ledger, monkeypatch):
    monkeypatch.setattr(delivery, "SECONDS", 0.05)
    ledger.add(3)
    sink = Scripted()
    sink.silent = True
    async with running(ledger.delivery_of(sink, record.shape)) as one:
        await until(lambda: one.failed > 2)
        assert "took more than" in one.problem
        sink.silent = False
        await until(lambda: one.lag == 0)
    assert sink.got == [1, 2, 3]


async def test_a_short_hiccup_is_no_loss_of_the_sink(ledger):
    ledger.add(3)
    sink = Scripted()
    sink.failures = delivery.LOST_AFTER - 1
    await deliver_all(ledger, sink)
    assert ledger.told == []


async def test_the_ledger_is_told_of_a_lost_sink_once_and_when_it_is_back(ledger):
    ledger.add(3)
    sink = Scripted()
    sink.failures = 10
    await deliver_all(ledger, sink)
    assert ledger.told == [
        ("sink/lost", "siem: out of order"),
        ("sink/back", "siem: 3 records behind"),
    ]


async def test_a_place_that_cannot_be_kept_delivers_again_rather_than_lose(ledger):
    ledger.add(3)
    sink = Scripted()
    one = ledger.delivery_of(sink, record.shape)
    readers = ledger.folder / "readers"
    readers.rename(ledger.folder / "elsewhere")
    async with running(one):
        await until(lambda: one.failed > 1)
        assert "cannot be kept" in one.problem
        (ledger.folder / "elsewhere").rename(readers)
        await until(lambda: one.lag == 0)
    assert sink.got == [1, 2, 3]


async def test_a_missing_segment_stops_the_sink_and_says_so(ledger):
    ledger.add(3)
    for path in ledger.folder.glob("*.jsonl"):
        path.unlink()
    one = ledger.delivery_of(Scripted(), record.shape)
    await asyncio.wait_for(one.run(), 20)
    assert one.problem == "Record 1 is in no segment of the ledger."
    assert ledger.told[0][0] == "sink/lost"


def test_a_file_that_is_no_cursor_is_named(ledger):
    (ledger.folder / "readers").mkdir()
    (ledger.folder / "readers/siem.cursor").write_text("{}")
    with pytest.raises(ValueError, match="is no cursor"):
        ledger.delivery_of(Scripted(), record.shape)


async def test_a_damaged_record_is_named_and_holds_up_no_other(ledger, caplog):
    ledger.add(5)
    path = next(ledger.folder.glob("*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"rubbish\n", *lines[3:]]))
    sink = Scripted()
    await deliver_all(ledger, sink)
    assert sink.got == [1, 2, 4, 5]
    assert "record 3 is damaged" in caplog.text


async def test_a_sink_that_has_more_than_the_ledger_misses_nothing_new(ledger, caplog):
    """A power cut may take back what was delivered already."""
    ledger.add(3)
    (ledger.folder / "readers").mkdir()
    (ledger.folder / "readers/siem.cursor").write_text('{"seq":9}')
    sink = Scripted()
    async with running(ledger.delivery_of(sink, record.shape)) as one:
        ledger.add(2)
        await until(lambda: one.lag == 0)
    assert sink.got == [4, 5]
    assert "has more than the ledger" in caplog.text


async def test_a_sink_is_closed_at_the_end(ledger):
    sink = Scripted()
    await deliver_all(ledger, sink)
    assert sink.closed
