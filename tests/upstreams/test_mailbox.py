"""Queues between a child and its readers."""

import asyncio

import pytest

from toolgate.errors import Refusal
from toolgate.upstreams.mailbox import MESSAGES, SIZE, Mailbox


async def test_the_oldest_message_that_may_be_lost_makes_room() -> None:
    mailbox = Mailbox()
    mailbox.put(b"must stay", may_be_lost=False)
    for number in range(MESSAGES + 3):
        mailbox.put(b"%d" % number, may_be_lost=True)
    mailbox.close()
    kept = [message async for message in mailbox]
    assert kept[:2] == [b"must stay", b"4"]
    assert (len(kept), mailbox.lost) == (MESSAGES, 4)


async def test_size_counts_as_well_as_number() -> None:
    mailbox = Mailbox()
    for _ in range(5):
        mailbox.put(b"x" * (SIZE // 2), may_be_lost=True)
    assert (len(mailbox), mailbox.lost) == (2, 3)


async def test_a_waiting_reader_is_woken_by_a_message_and_by_the_end() -> None:
    mailbox = Mailbox()
    reading = asyncio.ensure_future(anext(mailbox))
    await asyncio.sleep(0)
    mailbox.put(b"a", may_be_lost=True)
    assert await asyncio.wait_for(reading, 5) == b"a"
    reading = asyncio.ensure_future(anext(mailbox))
    await asyncio.sleep(0)
    mailbox.close(Refusal.unavailable("gone"))
    with pytest.raises(Refusal, match="gone"):
        await asyncio.wait_for(reading, 5)


async def test_nothing_is_taken_after_the_end() -> None:
    mailbox = Mailbox()
    mailbox.close()
    mailbox.put(b"late", may_be_lost=False)
    assert [message async for message in mailbox] == []
