"""The life of child processes: who has one, how it starts, crashes and ends."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from stdio_support import ALICE, BOB, call, lives, outbound, request, session, until, within_bounds

from toolgate.errors import Refusal
from toolgate.model import Principal, Session
from toolgate.upstreams.child import Limits
from toolgate.upstreams.stdio import Stdio

Open = Callable[..., Stdio]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def pid(upstream: Stdio, principal: Principal = ALICE, within: Session | None = None) -> int:
    reply = await within_bounds(upstream.exchange(request("pid", principal, within)))
    number: int = json.loads(reply.message)["result"]
    return number


async def refused(upstream: Stdio, method: str = "pid", principal: Principal = ALICE) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await within_bounds(upstream.exchange(request(method, principal)))
    return caught.value


async def test_two_principals_have_two_children(open_stdio: Open) -> None:
    """E32."""
    upstream = open_stdio("echo")
    alice, bob = await asyncio.gather(pid(upstream, ALICE), pid(upstream, BOB))
    assert alice != bob
    assert await pid(upstream, ALICE) == alice


async def test_a_client_with_other_capabilities_or_revision_has_a_child_of_its_own(open_stdio: Open) -> None:
    """E32: a child knows its client by the one handshake."""
    upstream = open_stdio("echo")
    sessions = [session(), session(capabilities={"roots": {}}), session(revision="2025-03-26")]
    assert len({await pid(upstream, within=each) for each in sessions}) == 3


async def test_two_sessions_of_one_kind_share_a_child_whatever_the_order_of_their_keys(
    open_stdio: Open,
) -> None:
    upstream = open_stdio("echo")
    one = session(capabilities={"a": {"x": 1, "y": 2}, "b": {}})
    two = session(name="s2", capabilities={"b": {}, "a": {"y": 2, "x": 1}})
    assert await pid(upstream, within=one) == await pid(upstream, within=two)


async def test_callers_at_the_same_time_share_one_start(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    assert len(set(await asyncio.gather(*(pid(upstream) for _ in range(20))))) == 1


async def test_a_caller_who_goes_away_during_the_start_does_not_take_it_from_the_others(
    open_stdio: Open,
) -> None:
    upstream = open_stdio("echo")
    first = asyncio.create_task(pid(upstream))
    second = asyncio.create_task(pid(upstream))
    await asyncio.sleep(0)
    first.cancel()
    assert lives(await second)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_child_gets_a_small_environment_and_no_secret(
    open_stdio: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """I2: no inherited secrets."""
    monkeypatch.setenv("TOOLGATE_SECRET", "s3cret")
    upstream = open_stdio("echo", "$HOME; true", env={"CRM_DB": "./crm.db"}, cwd=str(tmp_path))
    found = await call(upstream, "environment")
    assert "TOOLGATE_SECRET" not in found["names"]
    assert {"CRM_DB", "PATH"} <= set(found["names"])
    assert found["cwd"] == str(tmp_path)
    assert found["args"] == ["$HOME; true"]  # No shell reads it.


async def test_a_command_that_cannot_be_found_is_a_refusal_with_the_reason(open_stdio: Open) -> None:
    upstream = Stdio("tool", "/no/such/program")
    refusal = await refused(upstream)
    assert refusal.kind == "upstream_unavailable"
    assert "cannot be started" in refusal.reason
    assert "No such file" in refusal.reason
    assert "/no/such" not in refusal.text
    await upstream.aclose()


async def test_a_child_that_dies_at_once_says_why(open_stdio: Open) -> None:
    refusal = await refused(open_stdio("dies", "early"))
    assert "exited with status 4: no configuration" in refusal.reason


@pytest.mark.parametrize(
    ("how", "why"),
    [("error", "refused the handshake"), ("future", "2999-01-01"), ("silent", "no answer in time")],
)
async def test_a_failed_handshake_is_a_refusal_and_leaves_no_child(
    open_stdio: Open, how: str, why: str
) -> None:
    upstream = open_stdio("odd", how, start_seconds=0.3 if how == "silent" else 5.0)
    assert why in (await refused(upstream)).reason
    await upstream.aclose()


async def test_a_crash_fails_every_open_call_at_once(open_stdio: Open) -> None:
    upstream = open_stdio("dies")
    await pid(upstream)
    waiting = [asyncio.create_task(refused(upstream, "hold")) for _ in range(3)]
    await asyncio.sleep(0)
    reasons = {(await refused(upstream, "die")).reason} | {(await each).reason for each in waiting}
    assert reasons == {"tool: exited with status 3: out of tea"}


async def test_a_child_killed_in_the_middle_of_a_call_fails_the_call(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    child = await pid(upstream)
    waiting = asyncio.create_task(refused(upstream, "hold"))
    await asyncio.sleep(0)
    os.kill(child, signal.SIGKILL)
    refusal = await within_bounds(waiting)
    assert refusal.kind == "upstream_unavailable"
    assert "was killed by signal 9" in refusal.reason
    await until(lambda: not lives(child))


async def test_what_a_child_said_before_it_died_is_heard(open_stdio: Open) -> None:
    assert await call(open_stdio("dies"), "die-after-answer") == "last words"


async def test_a_crashed_child_is_started_anew_after_a_pause_that_doubles(open_stdio: Open) -> None:
    """E83."""
    clock = Clock()
    upstream = open_stdio("dies", clock=clock)
    for pause in (0.5, 1.0, 2.0, 4.0):
        await refused(upstream, "die")
        clock.now += pause - 0.1
        early = await refused(upstream)
        assert "out of tea; next start in 0.1 s" in early.reason
        clock.now += 0.2
        assert lives(await pid(upstream))


async def test_a_crash_after_a_minute_of_life_is_a_first_crash_again(open_stdio: Open) -> None:
    clock = Clock()
    upstream = open_stdio("dies", clock=clock)
    await refused(upstream, "die")
    clock.now += 1.0
    await pid(upstream)
    clock.now += 60.0
    await refused(upstream, "die")
    assert "next start in 0.5 s" in (await refused(upstream)).reason


async def test_a_crash_in_one_principals_child_is_nothing_to_another(open_stdio: Open) -> None:
    upstream = open_stdio("dies")
    bob = await pid(upstream, BOB)
    await refused(upstream, "die")
    assert await pid(upstream, BOB) == bob


async def test_a_line_without_end_stops_the_child(open_stdio: Open) -> None:
    upstream = open_stdio("floods", max_line=100_000)
    child = await pid(upstream)
    refusal = await refused(upstream, "endless")
    assert "endless stream" in refusal.reason
    await until(lambda: not lives(child))


async def test_an_idle_child_makes_room_for_another_principal(open_stdio: Open) -> None:
    clock = Clock()
    upstream = open_stdio("echo", max_children=2, clock=clock)
    carol = Principal("carol", "api_key")
    first, second = await pid(upstream, ALICE), await pid(upstream, BOB)
    clock.now += 1
    await pid(upstream, ALICE)
    third = await pid(upstream, carol)
    assert not lives(second)  # The least recently used one.
    assert lives(first)
    assert lives(third)


async def test_a_child_somebody_listens_to_goes_last(open_stdio: Open) -> None:
    clock = Clock()
    upstream = open_stdio("echo", max_children=2, clock=clock)
    alice = await pid(upstream, ALICE)
    listener = upstream.listen(session(), ALICE)
    clock.now += 1
    bob = await pid(upstream, BOB)
    await pid(upstream, Principal("carol", "api_key"))
    assert (lives(alice), lives(bob)) == (True, False)
    await upstream.forget(session(), ALICE)
    assert [message async for message in listener] == []


async def test_busy_children_are_not_stopped_for_others(open_stdio: Open) -> None:
    upstream = open_stdio("echo", max_children=1)
    await pid(upstream)
    held = request("hold")
    waiting = asyncio.create_task(upstream.exchange(held))
    await asyncio.sleep(0)
    assert "all 1 channels are busy" in (await refused(upstream, principal=BOB)).reason
    await call(upstream, "release", id=held.id)
    assert (await within_bounds(waiting)).message is not None


async def test_never_more_children_than_allowed_however_many_come_at_once(open_stdio: Open) -> None:
    upstream = open_stdio("echo", max_children=3)
    callers = [Principal(f"p{n}", "api_key") for n in range(9)]
    ends = await asyncio.gather(*(pid(upstream, caller) for caller in callers), return_exceptions=True)
    children = {end for end in ends if isinstance(end, int)}
    assert len(children) == 3
    assert {end.kind for end in ends if isinstance(end, Refusal)} == {"upstream_unavailable"}


async def test_a_child_without_work_is_stopped(open_stdio: Open) -> None:
    upstream = open_stdio("echo", idle_seconds=0.1)
    child = await pid(upstream)
    await until(lambda: not lives(child))
    assert await pid(upstream) != child


async def test_a_child_at_work_or_listened_to_is_not_idle(open_stdio: Open) -> None:
    upstream = open_stdio("echo", idle_seconds=0.05)
    listener = upstream.listen(session(BOB), BOB)
    listened = await pid(upstream, BOB)
    held = request("hold")
    waiting = asyncio.create_task(upstream.exchange(held))
    at_work = await pid(upstream)
    await asyncio.sleep(0.3)
    assert lives(at_work)
    assert lives(listened)
    await call(upstream, "release", id=held.id)
    assert (await within_bounds(waiting)).message is not None
    del listener  # A reader who lets go has left.
    await until(lambda: not lives(listened))


async def test_a_child_that_ignores_every_request_to_end_is_killed(open_stdio: Open) -> None:
    upstream = open_stdio("stubborn", stop_seconds=0.1)
    child = await pid(upstream)
    await within_bounds(upstream.aclose())
    assert not lives(child)


async def test_a_grandchild_goes_with_its_child(open_stdio: Open) -> None:
    upstream = open_stdio("forks")
    child = await pid(upstream)
    grandchild = await call(upstream, "fork")
    assert lives(grandchild)
    await within_bounds(upstream.aclose())
    assert not lives(child)
    await until(lambda: not lives(grandchild))


async def test_a_grandchild_that_holds_the_pipes_does_not_hide_a_crash(open_stdio: Open) -> None:
    upstream = open_stdio("forks")
    child = await pid(upstream)
    grandchild = await call(upstream, "fork")
    waiting = asyncio.create_task(refused(upstream, "hold"))
    await asyncio.sleep(0)
    os.kill(child, signal.SIGKILL)
    assert "was killed by signal 9" in (await within_bounds(waiting)).reason
    await until(lambda: not lives(grandchild))


async def test_closing_ends_calls_starts_and_everything_after(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    child = await pid(upstream)
    waiting = asyncio.create_task(refused(upstream, "hold"))
    starting = asyncio.create_task(refused(upstream, principal=BOB))
    listener = upstream.listen(session(), ALICE)
    await asyncio.sleep(0)
    await within_bounds(upstream.aclose())
    assert "was stopped" in (await within_bounds(waiting)).reason
    assert "is closed" in (await within_bounds(starting)).reason
    assert "is closed" in (await refused(upstream)).reason
    assert [message async for message in listener] == []
    assert not lives(child)
    await upstream.send(outbound(b'{"jsonrpc":"2.0","method":"notifications/x"}'))


async def test_a_child_lives_within_its_bounds(open_stdio: Open) -> None:
    """E83: a server that takes without end takes nothing of the machine's."""
    limits = Limits(memory=2**30, cpu=99.5, files=64)
    upstream = open_stdio("limits", limits=limits)
    bounds = await call(upstream, "bounds", names=["AS", "CPU", "NOFILE", "CORE"])
    assert bounds == {"AS": 2**30, "CPU": 100, "NOFILE": 64, "CORE": 0}
    assert await call(upstream, "take", bytes=2**31) == {"held": 0}
    assert await call(upstream, "take", bytes=2**20) == {"held": 2**20}


async def test_a_child_that_used_up_its_time_is_ended_and_its_call_fails(open_stdio: Open) -> None:
    upstream = open_stdio("limits", limits=Limits(cpu=1), call_seconds=60.0)
    refusal = await refused(upstream, "spin")
    assert "signal" in refusal.reason
