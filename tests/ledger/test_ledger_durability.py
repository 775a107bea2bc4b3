import asyncio
import os
from contextlib import suppress

import pytest
from ledger_support import lines, open_descriptor, record

from toolgate.errors import Refusal
from toolgate.ledger.verify import verify
from toolgate.ledger.writer import Writer

WAIT = 5.0


async def until(true) -> None:
    async with asyncio.timeout(WAIT):
        while not true():  # noqa: ASYNC110 - the writer has no event for it.
            await asyncio.sleep(0.01)


def fill(pipe: int) -> None:
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 65536)
    os.set_blocking(pipe, True)


async def test_a_disk_that_does_not_answer_refuses_everybody_until_it_does(tmp_path):
    """The descriptor is put on a full pipe: the write blocks in the kernel as on a dead network disk."""
    writer = Writer(tmp_path, durability="disk", deadline=0.5, pause=0.01)
    writer.start()
    await asyncio.wait_for(writer.append(record(1)), WAIT)
    reader, stuck = os.pipe()
    fill(stuck)
    os.dup2(stuck, open_descriptor(tmp_path / "0000000001.jsonl"), inheritable=False)
    os.close(stuck)
    first = asyncio.ensure_future(writer.append(record(2)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    behind = writer.append(record(3))
    for answer in (first, behind):
        with pytest.raises(Refusal, match="does not answer"):
            await asyncio.wait_for(answer, WAIT)
    with pytest.raises(Refusal, match="does not answer"):
        await asyncio.wait_for(writer.append(record(4)), WAIT)
    assert "does not answer" in writer.failed
    os.read(reader, 1 << 20)
    await until(lambda: writer.failed is None)
    await asyncio.wait_for(writer.append(record(5)), WAIT)
    await writer.aclose()
    os.close(reader)
    assert verify(tmp_path).ok
    assert [b"call-1" in one or b"call-5" in one or b'"refused":3' in one for one in lines(tmp_path)] == [
        True
    ] * 3


async def test_a_flush_that_fails_is_an_outage_although_the_kernel_took_the_record(tmp_path):
    """The segment is replaced behind the writer's back; the flush of durability `os` sees it."""
    writer = Writer(tmp_path, pause=0.01)
    path = tmp_path / "0000000001.jsonl"
    writer.start()
    path.rename(tmp_path / "away")
    await asyncio.wait_for(writer.append(record(1)), WAIT)
    await until(lambda: writer.failed is not None)
    with pytest.raises(Refusal):
        await asyncio.wait_for(writer.append(record(2)), WAIT)
    (tmp_path / "away").rename(path)
    await until(lambda: writer.failed is None)
    await writer.aclose()
    assert verify(tmp_path).ok


@pytest.mark.parametrize("durability", ["os", "disk"])
async def test_nothing_is_left_running_or_open(tmp_path, durability):
    before = set(os.listdir("/proc/self/fd"))
    writer = Writer(tmp_path, durability=durability, pause=0.01)
    writer.start()
    await asyncio.wait_for(writer.append(record(1)), WAIT)
    await asyncio.wait_for(writer.aclose(), WAIT)
    assert set(os.listdir("/proc/self/fd")) == before
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_during_a_flush_leaves_no_flush_behind(tmp_path):
    writer = Writer(tmp_path, pause=0)
    writer.start()
    for number in range(200):
        writer.append(record(number))
        await asyncio.sleep(0)
    await asyncio.wait_for(writer.aclose(), WAIT)
    for _ in range(20):
        await asyncio.sleep(0)
    assert writer.failed is None
    assert verify(tmp_path, writer.head).ok
