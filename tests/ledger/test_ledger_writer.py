import asyncio
import gc
import json
import os
from pathlib import Path

import pytest
from ledger_support import TORN, build, lines, open_descriptor, record, tear

from toolgate.errors import ConfigError, Refusal
from toolgate.ledger.chain import MAX_RECORD, parse, record_of
from toolgate.ledger.segments import segments
from toolgate.ledger.verify import verify
from toolgate.ledger.writer import Writer

WAIT = 5.0
QUICK = 0.01


@pytest.fixture(params=["os", "disk"])
def durability(request):
    return request.param


@pytest.fixture
async def open_writer(tmp_path, durability):
    writers: list[Writer] = []

    def make(**settings: object) -> Writer:
        writer = Writer(tmp_path / "ledger", **{"durability": durability, "pause": QUICK, **settings})
        writer.start()
        writers.append(writer)
        return writer

    yield make
    for writer in writers:
        await writer.aclose()


def recorded(folder: Path) -> list[dict]:
    return [json.loads(record_of(line)) for line in lines(folder)]


def ids(folder: Path) -> list[str]:
    return [one["id"] for one in recorded(folder) if one.get("event") != "gateway"]


async def until(true) -> None:
    async with asyncio.timeout(WAIT):
        while not true():  # noqa: ASYNC110 - the writer has no event for it.
            await asyncio.sleep(QUICK)


async def test_what_is_awaited_is_in_the_ledger(open_writer, tmp_path):
    writer = open_writer()
    await asyncio.wait_for(writer.append(record(1)), WAIT)
    assert ids(tmp_path / "ledger") == ["call-1"]
    assert parse(lines(tmp_path / "ledger")[-1]).head == writer.head


async def test_many_callers_at_once_make_one_intact_chain(open_writer, tmp_path):
    writer = open_writer(segment_bytes=20_000)

    async def call(caller: int) -> None:
        for turn in range(10):
            await writer.append(record(caller * 100 + turn))

    async with asyncio.timeout(WAIT):
        await asyncio.gather(*(call(caller) for caller in range(30)))
    await writer.aclose()
    report = verify(tmp_path / "ledger", writer.head)
    assert (report.ok, report.records) == (True, 300)
    assert report.segments > 2
    assert sorted(ids(tmp_path / "ledger")) == sorted(
        f"call-{c * 100 + t}" for c in range(30) for t in range(10)
    )


async def test_with_durability_os_a_turn_of_the_loop_is_enough(tmp_path):
    """No timer stands between a record and the kernel."""
    writer = Writer(tmp_path / "ledger", pause=3600)
    writer.start()
    for number in range(3):
        writer.append(record(number))
    await asyncio.sleep(0)
    assert ids(tmp_path / "ledger") == ["call-0", "call-1", "call-2"]
    await writer.aclose()


async def test_a_record_counts_as_it_is_when_it_is_handed_over(open_writer, tmp_path):
    one = record(1)
    answer = open_writer().append(one)
    one.agent = "somebody else"
    await asyncio.wait_for(answer, WAIT)
    assert recorded(tmp_path / "ledger")[0]["agent"] == "closing-agent"


async def test_a_caller_who_goes_away_is_recorded_all_the_same(open_writer, tmp_path):
    writer = open_writer()

    async def call() -> None:
        try:
            await asyncio.sleep(WAIT)
        finally:
            writer.append(record(1))

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await writer.aclose()
    assert ids(tmp_path / "ledger") == ["call-1"]


async def test_a_waiter_that_is_cancelled_takes_nobody_with_it(open_writer, tmp_path):
    writer = open_writer()
    first, second = (asyncio.ensure_future(writer.append(record(number))) for number in (1, 2))
    first.cancel()
    await asyncio.wait_for(second, WAIT)
    assert ids(tmp_path / "ledger") == ["call-1", "call-2"]


async def test_closing_writes_what_is_pending(open_writer, tmp_path):
    writer = open_writer()
    answers = [writer.append(record(number)) for number in range(50)]
    await asyncio.wait_for(writer.aclose(), WAIT)
    await asyncio.gather(*answers)
    assert len(ids(tmp_path / "ledger")) == 50


async def test_a_closed_ledger_refuses(open_writer):
    writer = open_writer()
    await writer.aclose()
    await writer.aclose()
    with pytest.raises(Refusal, match="closed") as refused:
        await writer.append(record(1))
    refusal = refused.value
    assert (refusal.stage, refusal.kind, refusal.code, refusal.status) == (
        "ledger", "ledger_unavailable", -31507, 503,
    )  # fmt: skip
    assert "closed" not in refusal.text


async def test_a_refusal_nobody_waits_for_is_no_warning(open_writer):
    complaints: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    writer = open_writer()
    await writer.aclose()
    writer.append(record(1))
    writer.append(record(1, arguments=object()))
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_more_records_than_may_wait_are_refused(open_writer, tmp_path):
    writer = open_writer(backlog=3)
    answers = [writer.append(record(number)) for number in range(5)]
    async with asyncio.timeout(WAIT):
        results = await asyncio.gather(*answers, return_exceptions=True)
    assert results[:3] == [None] * 3
    assert all(isinstance(one, Refusal) and "too many" in one.reason for one in results[3:])
    assert ids(tmp_path / "ledger") == ["call-0", "call-1", "call-2"]
    await asyncio.wait_for(writer.append(record(9)), WAIT)


async def test_more_bytes_than_may_wait_are_refused(open_writer):
    writer = open_writer()
    big = "x" * (MAX_RECORD - 1000)
    answers = [writer.append(record(number, arguments=big)) for number in range(5)]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(one) for one in results] == [type(None)] * 4 + [Refusal]


async def test_a_record_that_is_no_json_is_refused_alone(open_writer, tmp_path):
    writer = open_writer()
    bad, good = writer.append(record(1, arguments=object())), writer.append(record(2))
    with pytest.raises(Refusal, match="no JSON"):
        await bad
    await asyncio.wait_for(good, WAIT)
    assert writer.failed is None
    assert ids(tmp_path / "ledger") == ["call-2"]


async def test_a_ledger_is_continued_after_a_restart(open_writer, tmp_path):
    for number in range(3):
        writer = open_writer()
        await asyncio.wait_for(writer.append(record(number)), WAIT)
        await writer.aclose()
    assert ids(tmp_path / "ledger") == ["call-0", "call-1", "call-2"]
    assert verify(tmp_path / "ledger").ok


async def test_a_torn_line_is_kept_told_of_and_gone_past(open_writer, tmp_path):
    folder = build(tmp_path / "ledger", 2)
    tear(folder)
    writer = open_writer()
    await asyncio.wait_for(writer.append(record(3)), WAIT)
    told = recorded(folder)[2]
    assert (told["event"], told["method"]) == ("gateway", "ledger/torn")
    assert (folder / told["arguments"]["name"]).read_bytes() == TORN
    await writer.aclose()
    report = verify(folder)
    assert (report.ok, report.records) == (True, 4)


async def test_a_damaged_ledger_is_not_written_and_not_kept_locked(open_writer, tmp_path):
    folder = build(tmp_path / "ledger", 2)
    path = segments(folder)[0].path
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"call-1", b"call-7"))
    with pytest.raises(ConfigError, match="damaged"):
        open_writer()
    path.write_bytes(whole)
    open_writer()


async def test_a_segment_that_cannot_be_opened_is_a_config_error_and_leaves_no_lock(open_writer, tmp_path):
    folder = tmp_path / "ledger"
    folder.mkdir(mode=0o700)
    (folder / "0000000001.jsonl").mkdir()
    with pytest.raises(ConfigError, match="cannot be used as ledger"):
        open_writer()
    (folder / "0000000001.jsonl").rmdir()
    open_writer()


async def test_two_writers_on_one_folder_are_refused(open_writer):
    open_writer()
    with pytest.raises(ConfigError, match="in use by another gateway"):
        open_writer()


async def test_a_full_disk_refuses_and_the_next_record_goes_on(open_writer, tmp_path):
    """The descriptor is put on /dev/full, so the kernel itself answers ENOSPC. DORA RTS Art. 12, PCI 10.7."""
    writer = open_writer(pause=3600)
    await asyncio.wait_for(writer.append(record(1)), WAIT)
    device = os.open("/dev/full", os.O_WRONLY)
    os.dup2(device, open_descriptor(tmp_path / "ledger" / "0000000001.jsonl"), inheritable=False)
    os.close(device)
    answers = [writer.append(record(number)) for number in (2, 3)]
    async with asyncio.timeout(WAIT):
        results = await asyncio.gather(*answers, return_exceptions=True)
    assert [one.status for one in results] == [503, 503]
    assert "No space left" in writer.failed
    await asyncio.wait_for(writer.append(record(4)), WAIT)
    assert writer.failed is None
    assert ids(tmp_path / "ledger") == ["call-1", "call-4"]
    told = recorded(tmp_path / "ledger")[1]
    assert (told["method"], told["arguments"]["refused"]) == ("ledger/outage", 2)
    await writer.aclose()
    assert verify(tmp_path / "ledger").ok


async def test_a_writer_without_traffic_recovers_by_itself(open_writer, tmp_path):
    """Else a balancer that obeys /readyz would keep it out for ever."""
    writer = open_writer()
    path = tmp_path / "ledger" / "0000000001.jsonl"
    await asyncio.wait_for(writer.append(record(1)), WAIT)
    descriptor = open_descriptor(path)
    path.rename(tmp_path / "away")
    device = os.open("/dev/full", os.O_WRONLY)
    os.dup2(device, descriptor, inheritable=False)
    os.close(device)
    with pytest.raises(Refusal):
        await asyncio.wait_for(writer.append(record(2)), WAIT)
    with pytest.raises(Refusal):
        await asyncio.wait_for(writer.append(record(3)), WAIT)
    assert writer.failed
    (tmp_path / "away").rename(path)
    await until(lambda: writer.failed is None)
    assert ids(tmp_path / "ledger") == ["call-1"]
    assert recorded(tmp_path / "ledger")[-1]["arguments"]["refused"] == 2
