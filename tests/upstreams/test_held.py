"""Calls that wait for their client are bounded and end by themselves."""

import asyncio

import pytest

from toolgate.errors import Refusal
from toolgate.upstreams import held
from toolgate.upstreams.held import Claim, HeldCalls

CLAIM = Claim("desk", "tools/call", b"digest")


class Waiting:
    """Meets `Holdable`: says when it was ended."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def abandon(self) -> None:
        self.over.set()


def calls(seconds: float = 600.0) -> HeldCalls:
    return HeldCalls(seconds=seconds)


async def test_a_client_that_never_returns_costs_a_call_for_so_long_and_no_longer() -> None:
    """E70: freed by time."""
    kept, call = calls(0.01), Waiting()
    state = kept.hold(call, "ann", CLAIM)
    assert len(kept) == 1
    async with asyncio.timeout(20):
        await call.over.wait()
    assert len(kept) == 0
    with pytest.raises(Refusal):
        kept.find(state, "ann", CLAIM)


async def test_the_bound_of_one_principal_leaves_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MAX_HELD", 20)
    kept = calls()
    states = [kept.hold(Waiting(), "ann", CLAIM) for _ in range(held.MAX_OF_PRINCIPAL)]
    with pytest.raises(Refusal):
        kept.hold(Waiting(), "ann", CLAIM)
    for _ in range(4):
        kept.hold(Waiting(), "bob", CLAIM)
    with pytest.raises(Refusal):
        kept.hold(Waiting(), "cat", CLAIM)
    token, _ = kept.find(states[0], "ann", CLAIM)
    kept.leave(token)
    kept.hold(Waiting(), "cat", CLAIM)


async def test_a_call_of_another_process_is_refused_like_any_other_useless_state() -> None:
    """E65."""
    state = calls().hold(Waiting(), "ann", CLAIM)
    with pytest.raises(Refusal) as caught:
        calls().find(state, "ann", CLAIM)
    assert caught.value.code == -32602
