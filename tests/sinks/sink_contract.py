"""What every sink owes: all of it, in order, at least once, whatever becomes of the receiver.

A suite says with its fixture `receiver` which receivers it is about.
"""

import asyncio

from sink_support import running, until


class Contract:
    """For any receiver."""

    async def test_what_is_recorded_arrives_once_and_in_order(self, receiver, ledger):
        ledger.add(700)
        async with running(ledger.delivery(receiver.channel())) as delivery:
            await until(lambda: delivery.lag == 0)
            ledger.add(30)
            await until(lambda: delivery.lag == 0)
        assert await asyncio.to_thread(receiver.ids) == ledger.ids
        assert (delivery.delivered, delivery.failed, delivery.problem) == (730, 0, None)

    async def test_a_restarted_gateway_goes_on_where_it_stopped(self, receiver, ledger):
        for count in (10, 0, 25):
            ledger.add(count)
            async with running(ledger.delivery(receiver.channel())) as delivery:
                await until(lambda: delivery.lag == 0)
        assert await asyncio.to_thread(receiver.ids) == ledger.ids

    async def test_what_is_there_is_delivered_before_the_gateway_stops(self, receiver, ledger):
        ledger.add(40)
        async with running(ledger.delivery(receiver.channel())):
            pass
        assert await asyncio.to_thread(receiver.ids) == ledger.ids

    async def test_a_new_sink_starts_with_what_is_recorded_from_now_on(self, receiver, ledger):
        ledger.add(5)
        async with running(ledger.delivery(receiver.channel(), beginning=False)) as delivery:
            ledger.add(5)
            await until(lambda: delivery.lag == 0)
        assert await asyncio.to_thread(receiver.ids) == ledger.ids[5:]


class LeavingContract(Contract):
    """For receivers that can go away and come back with what they had."""

    async def test_nothing_is_lost_while_the_receiver_is_away(self, receiver, ledger):
        ledger.add(20)
        async with running(ledger.delivery(receiver.channel())) as delivery:
            await until(lambda: delivery.lag == 0)
            receiver.leave()
            ledger.add(50)
            await until(lambda: delivery.failed > 4)
            assert delivery.lag == 50
            assert delivery.problem
            receiver.come_back()
            await until(lambda: delivery.lag == 0)
        got = receiver.ids()
        assert list(dict.fromkeys(got)) == ledger.ids
        assert delivery.problem is None
        assert [what for what, _ in ledger.told] == ["sink/lost", "sink/back"]

    async def test_a_gateway_stops_soon_though_the_receiver_is_away(self, receiver, ledger):
        receiver.leave()
        ledger.add(5)
        async with asyncio.timeout(30):
            async with running(ledger.delivery(receiver.channel())) as delivery:
                await until(lambda: delivery.failed > 2)
        receiver.come_back()
        async with running(ledger.delivery(receiver.channel())) as delivery:
            await until(lambda: delivery.lag == 0)
        assert receiver.ids() == ledger.ids
