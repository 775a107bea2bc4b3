import asyncio

from toolgate.ledger.clock import watch


async def test_a_clock_that_is_set_is_told_and_one_that_is_kept_in_step_is_not():
    steady = iter([0.0, 1.0, 2.0, 3.0, 4.0])
    wall = iter([100.0, 101.2, 3702.3, 3703.3, 104.3])
    told: list[float] = []
    done = asyncio.Event()

    async def tell(seconds: float) -> None:
        told.append(round(seconds, 1))
        if len(told) == 2:
            done.set()

    task = asyncio.create_task(watch(tell, wall=lambda: next(wall), steady=lambda: next(steady), pause=0))
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()
    assert told == [3600.1, -3600.0]
