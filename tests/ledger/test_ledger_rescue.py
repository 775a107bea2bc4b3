"""What becomes of records while the ledger cannot be written: `deny`, `spool`, `allow`."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_support import build, lines, open_descriptor, record, sign

from toolgate.errors import ConfigError, Refusal
from toolgate.ledger.chain import encode, record_of
from toolgate.ledger.rescue import Spool
from toolgate.ledger.segments import segments
from toolgate.ledger.verify import verify
from toolgate.ledger.writer import Writer

SIZE = 64 * 1024


@pytest.fixture(params=["os", "disk"])
def durability(request):
    return request.param


class Broken:
    """A ledger whose segment cannot be written while the block lasts."""

    def __init__(self, folder: Path) -> None:
        self.path = segments(folder)[-1].path

    def __enter__(self) -> None:
        self.fd = open_descriptor(self.path)
        self.good = os.dup(self.fd)
        # A descriptor for reading only: each write fails. A folder in its place: nothing mends it.
        os.dup2(os.open("/dev/null", os.O_RDONLY), self.fd)
        self.path.rename(self.path.with_suffix(".away"))
        self.path.mkdir()

    def __exit__(self, *_: object) -> None:
        self.path.rmdir()
        self.path.with_suffix(".away").rename(self.path)


async def started(folder: Path, durability: str, on_failure: str, **more) -> Writer:
    writer = Writer(
        folder, durability=durability, on_failure=on_failure, spool_bytes=SIZE, pause=0.02, **more
    )
    writer.start()
    await writer.append(record(1))
    return writer


def recorded(folder: Path) -> list[dict]:
    return [json.loads(record_of(line)) for line in lines(folder)]


async def answered(writer: Writer, one) -> bool:
    try:
        await writer.append(one)
    except Refusal:
        return False
    return True


async def until(true) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - the writer has no event for it.
            await asyncio.sleep(0.01)


async def test_deny_answers_nothing_that_is_not_recorded(tmp_path, durability):
    writer = await started(tmp_path / "ledger", durability, "deny")
    with Broken(tmp_path / "ledger"):
        with pytest.raises(Refusal):
            await writer.append(record(2))
        assert (writer.answering, writer.kept) == (False, 0)
    await until(lambda: writer.failed is None)
    assert writer.answering
    await writer.aclose()


async def test_spool_keeps_records_and_writes_them_first_when_it_can(tmp_path, durability):
    folder = tmp_path / "ledger"
    writer = await started(folder, durability, "spool")
    with Broken(folder):
        for number in range(2, 30):
            await writer.append(record(number))
        assert (writer.answering, writer.kept) == (True, 28)
        assert writer.failed
    await until(lambda: writer.failed is None and not writer.kept)
    await writer.append(record(30))
    await writer.aclose()
    found = recorded(folder)
    outage = next(one for one in found if one["method"] == "ledger/outage")
    assert (outage["arguments"]["kept"], outage["arguments"]["lost"]) == (28, 0)
    calls = [one["id"] for one in found if one.get("event") != "gateway"]
    assert calls == [f"call-{number}" for number in range(1, 31)]
    assert verify(folder).ok


async def test_a_full_spool_denies(tmp_path, durability):
    """The bound is a promise too: what does not fit is not answered."""
    folder = tmp_path / "ledger"
    writer = await started(folder, durability, "spool")
    taken = 0
    with Broken(folder):
        while await answered(writer, record(taken + 2, detail="x" * 2000)):
            taken += 1
        assert 20 < taken == writer.kept
        assert not writer.answering
    await until(lambda: writer.failed is None and not writer.kept)
    assert writer.answering
    await writer.append(record(999))
    await writer.aclose()
    calls = [one["id"] for one in recorded(folder) if one.get("event") != "gateway"]
    assert calls == [f"call-{number}" for number in range(1, taken + 2)] + ["call-999"]
    assert verify(folder).ok


async def test_allow_answers_unrecorded_and_says_how_often(tmp_path, durability):
    folder = tmp_path / "ledger"
    writer = await started(folder, durability, "allow")
    with Broken(folder):
        for number in range(2, 7):
            await writer.append(record(number))
        assert (writer.answering, writer.lost) == (True, 5)
    await until(lambda: writer.failed is None)
    await writer.aclose()
    outage = next(one for one in recorded(folder) if one["method"] == "ledger/outage")
    assert outage["arguments"]["lost"] == 5
    assert "5 lost." in outage["detail"]


@pytest.mark.parametrize("later", ["spool", "deny", "allow"])
async def test_what_a_killed_gateway_kept_aside_is_recorded_at_the_next_start(later, tmp_path):
    folder = build(tmp_path / "ledger", 2)
    spool = Spool(folder, SIZE)
    for number in (3, 4, 5):
        assert spool.take(encode(record(number)))
    spool.close()
    for _ in range(2):
        writer = Writer(folder, on_failure=later, spool_bytes=SIZE)
        writer.start()
        await writer.aclose()
    found = recorded(folder)
    assert [one["id"] for one in found if one.get("event") != "gateway"] == [f"call-{n}" for n in range(1, 6)]
    assert [one["method"] for one in found].count("ledger/outage") == 1
    assert (folder / "spool").exists() is (later == "spool")


async def test_what_was_written_already_is_not_written_twice(tmp_path):
    """The gateway was killed between writing what it kept aside and clearing the spool."""
    folder = build(tmp_path / "ledger", 2)
    spool = Spool(folder, SIZE)
    spool.take(encode(record(1)))
    spool.take(encode(record(2)))
    spool.close()
    writer = Writer(folder, on_failure="spool", spool_bytes=SIZE)
    writer.start()
    assert writer.kept == 0
    await writer.aclose()
    assert len(lines(folder)) == 2


async def test_a_disk_without_room_for_the_spool_is_said_at_the_start(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ConfigError, match="no room for a spool of 65536 bytes"):
        Writer(tmp_path / "ledger", on_failure="spool", spool_bytes=SIZE).start()


def test_the_spool_is_part_of_the_ledger(tmp_path):
    folder = build(tmp_path / "ledger", 2)
    Spool(folder, SIZE).close()
    sign(folder)
    assert verify(folder).ok


@given(rounds=st.lists(st.lists(st.binary(min_size=1, max_size=300), max_size=20), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_spool_holds_what_it_took_since_it_was_cleared(rounds, tmp_path_factory):
    """Also what an earlier outage left at the same place is never taken for something of this one."""
    folder = tmp_path_factory.mktemp("spool")
    for records in rounds:
        spool = Spool(folder, 10_000)
        assert spool.held() == []
        assert all(spool.take(one) for one in records)
        again = Spool(folder, 10_000)
        assert again.held() == records
        assert again.kept == len(records)
        again.close()
        spool.clear()
        spool.close()


def test_a_torn_end_of_the_spool_is_not_believed(tmp_path):
    spool = Spool(tmp_path, SIZE)
    spool.take(b"first")
    spool.take(b"second")
    spool.close()
    path = tmp_path / "spool"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"second", b"secXnd"))
    again = Spool(tmp_path, SIZE)
    assert again.held() == [b"first"]
    again.close()
