"""Whoever asks whether a record is safe gets the one answer, whenever and however they ask."""

import asyncio

import pytest

from toolgate.errors import Refusal
from toolgate.ledger.promise import Promise

NO = Refusal.unavailable("the disk is full")


@pytest.mark.parametrize("problem", [None, NO])
@pytest.mark.parametrize("early", [True, False])
def test_who_wants_to_be_told_is_told_once(problem: Refusal | None, early: bool) -> None:
    recorded, told = Promise(), []
    if early:
        recorded.then(told.append)
        assert told == []
    recorded.settle(problem)
    if not early:
        recorded.then(told.append)
    recorded.settle(None if problem else NO)
    assert told == [problem]


async def test_all_who_wait_go_on_when_it_is_safe() -> None:
    recorded = Promise()
    waits = [asyncio.ensure_future(recorded) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    recorded.settle(None)
    await asyncio.wait_for(asyncio.gather(*waits), 20)
    await recorded


async def test_who_waits_for_what_cannot_be_recorded_is_refused() -> None:
    recorded = Promise()
    wait = asyncio.ensure_future(recorded)
    await asyncio.sleep(0)
    recorded.settle(NO)
    with pytest.raises(Refusal):
        await asyncio.wait_for(wait, 20)


async def test_one_who_stops_waiting_takes_nothing_from_the_others() -> None:
    recorded, told = Promise(), []
    gone, stays = (asyncio.ensure_future(recorded) for _ in range(2))
    recorded.then(told.append)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    recorded.settle(None)
    await asyncio.wait_for(stays, 20)
    assert told == [None]
    assert gone.cancelled()
