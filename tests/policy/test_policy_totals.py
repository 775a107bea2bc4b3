"""Sums over a window, as rules read them (AZ-05, AZ-27, H2)."""

from typing import Any

import pytest
from policy_support import ANALYST, NOBODY, call, policy, see, source, tool

from toolgate.errors import ConfigError
from toolgate.model import Decision, Effect, Principal, Task
from toolgate.policy.decisions import Policy

TRANSFERS = """
totals:
  - {id: today, tools: ["bank/transfer_*"], sum: args.amount, per: agent, window: day, zone: Europe/Berlin}
  - {id: calls, tools: ["bank/*"], per: agent, window: 60s}
rules:
  - {id: small, tools: ["bank/transfer_*"], when: total.today <= 50000, effect: allow}
  - {id: reads, tools: ["bank/read"], effect: allow}
  - {id: flood, tools: ["*"], when: total.calls > 5, effect: deny}
"""


class Clock:
    now = 1_795_262_400.0

    def __call__(self) -> float:
        return self.now


def transfers(text: str = TRANSFERS) -> tuple[Policy, Clock]:
    clock = Clock()
    return policy(text, clock=clock), clock


async def pay(judge: Policy, amount: Any, *, by: Principal = ANALYST) -> Decision:
    return await judge.decide(by, tool("bank/transfer_funds"), call({"amount": amount}))


async def test_amounts_add_up_until_the_limit_and_the_call_that_would_cross_it_is_denied() -> None:
    judge, _ = transfers()
    assert [(await pay(judge, amount)).effect for amount in (30_000, 20_000, 1)] == [
        Effect.ALLOW,
        Effect.ALLOW,
        Effect.DENY,
    ]


async def test_a_denied_call_adds_nothing() -> None:
    judge, _ = transfers()
    assert (await pay(judge, 50_001)).effect is Effect.DENY
    assert (await pay(judge, 50_000)).effect is Effect.ALLOW


async def test_an_allowed_call_is_counted_before_its_answer_so_that_two_cannot_pass_together() -> None:
    judge, _ = transfers()
    first, second = await pay(judge, 30_000), await pay(judge, 30_000)
    assert (first.effect, second.effect) == (Effect.ALLOW, Effect.DENY)
    assert first.hold is not None
    first.hold.give_back()
    assert (await pay(judge, 30_000)).effect is Effect.ALLOW


async def test_what_was_counted_is_told_for_the_record() -> None:
    judge, _ = transfers()
    decision = await pay(judge, 12.5)
    assert decision.hold is not None
    assert decision.hold.counted == {"today": ["agent", 12.5], "calls": ["agent", 1]}


async def test_each_agent_has_a_sum_of_its_own() -> None:
    judge, _ = transfers()
    other = Principal("p2", "jwt", agent="other")
    assert (await pay(judge, 50_000)).effect is Effect.ALLOW
    assert (await pay(judge, 50_000, by=other)).effect is Effect.ALLOW


async def test_a_caller_without_the_thing_a_sum_is_kept_for_fails_closed() -> None:
    judge, _ = transfers()
    decision = await pay(judge, 1, by=NOBODY)
    assert decision.effect is Effect.DENY
    assert decision.errors[0] == "flood: there is no key `calls`"


async def test_the_day_begins_at_midnight_of_the_zone() -> None:
    judge, clock = transfers()
    clock.now = 1_795_301_999.0  # 2026-11-21T22:59:59Z, 23:59:59 in Berlin
    assert (await pay(judge, 50_000)).effect is Effect.ALLOW
    assert (await pay(judge, 1)).effect is Effect.DENY
    clock.now += 1
    assert (await pay(judge, 50_000)).effect is Effect.ALLOW


async def test_a_rolling_window_forgets_what_is_older() -> None:
    judge, clock = transfers()
    for _ in range(5):
        assert (await judge.decide(ANALYST, tool("bank/read"), call())).effect is Effect.ALLOW
    assert (await judge.decide(ANALYST, tool("bank/read"), call())).effect is Effect.DENY
    clock.now += 60.5
    assert (await judge.decide(ANALYST, tool("bank/read"), call())).effect is Effect.ALLOW


@pytest.mark.parametrize("amount", [-50_000, "7", None, True, float("inf"), [1]])
async def test_an_amount_that_cannot_be_counted_is_denied(amount: Any) -> None:
    """A negative one would make room for others."""
    judge, _ = transfers()
    assert (await pay(judge, amount)).effect is Effect.DENY
    open_door = TRANSFERS.replace("when: total.today <= 50000, ", "")
    unread = await pay(transfers(open_door)[0], amount)
    assert unread.effect is Effect.DENY
    assert unread.errors[-1].startswith("total today: ")


async def test_a_list_shows_what_a_sum_decides_in_the_call() -> None:
    judge, _ = transfers()
    await pay(judge, 50_000)
    assert (await see(judge, to="bank/transfer_funds")).effect is Effect.DEPENDS


async def test_sums_can_be_kept_for_a_task() -> None:
    text = TRANSFERS.replace("per: agent, window: day", "per: task, window: 24h").replace(
        ", zone: Europe/Berlin", ""
    )
    judge, _ = transfers(text)
    close = Principal("p2", "jwt", agent="a", task=Task("close"))
    also = Principal("p3", "jwt", agent="b", task=Task("close"))
    assert (await pay(judge, 50_000, by=close)).effect is Effect.ALLOW
    assert (await pay(judge, 50_000, by=also)).effect is Effect.DENY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [{id: a, tools: ['*'], effect: allow, when: total.tody < 1}]", "There is no total `tody`."),
        ("rules: [{id: a, tools: ['*'], effect: allow, when: size(total) < 1}]", "one by one"),
        ("totals: [{id: a, tools: ['x/*'], per: agent, window: 1h, sum: 'args.a == 1'}]", "not a number"),
        ("totals: [{id: a, tools: ['x/*'], per: agent, window: 1h, sum: total.a}]", "cannot read totals"),
        ("totals: [{id: a, tools: ['x'], per: agent, window: 1h}]", "names no server"),
        (
            "totals: [{id: a, tools: ['*'], per: agent, window: 1h}, {id: a, tools: ['*'], per: user, window: 1h}]",
            "There is a total `a` already.",
        ),
    ],
)
def test_a_total_that_cannot_work_is_refused_at_load(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "field", ["window: 1d", "window: today", "window: 0s", "window: 1h, zone: Europe/Berlim"]
)
def test_windows_and_zones_are_checked(field: str) -> None:
    with pytest.raises(ValueError, match="is a "):
        source(f"version: 1\ntotals: [{{id: a, tools: ['*'], per: agent, {field}}}]")


def test_a_total_is_part_of_what_the_version_stands_for() -> None:
    assert transfers()[0].version != transfers(TRANSFERS.replace("60s", "61s"))[0].version
