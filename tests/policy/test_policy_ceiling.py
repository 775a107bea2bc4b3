"""A ceiling takes away and never gives; calls and lists agree on it."""

from typing import Any

import pytest

from toolgate.model import Decision, Effect, Kind, Principal, Target
from toolgate.policy.ceiling import Ceiling, Ceilings

BOT = Principal(id="1", method="jwt", agent="bot")


class Saying:
    """A policy with one answer."""

    version = "v1"
    reads_catalog = False

    def __init__(self, effect: Effect) -> None:
        self.effect = effect

    async def decide(self, principal: Principal, target: Target, call: Any = None) -> Decision:
        return Decision(self.effect, policy=self.version)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize(
    ("target", "below"),
    [
        (Target(Kind.TOOL, "bank", "read_account"), True),
        (Target(Kind.TOOL, "bank", "close_account"), False),
        (Target(Kind.TOOL, "crm", "read_account"), False),
        (Target(Kind.TOOL, "bank2", "read_account"), False),
        (Target(Kind.RESOURCE, "bank", "file:///x"), False),
        (Target(Kind.PROMPT, "bank", "anything"), True),
    ],
)
async def test_the_policys_answer_stands_below_and_no_is_the_answer_above(
    effect: Effect, target: Target, below: bool
) -> None:
    ceiling = Ceiling({Kind.TOOL: ("bank/read_*",), Kind.RESOURCE: ()})
    decision = await Ceilings(Saying(effect), {"bot": ceiling}).decide(BOT, target)
    assert decision.effect is (effect if below else Effect.DENY)
    assert decision.policy == "v1"


@pytest.mark.parametrize("agent", ["other", None])
async def test_other_agents_have_no_ceiling(agent: str | None) -> None:
    ceilings = Ceilings(Saying(Effect.ALLOW), {"bot": Ceiling({Kind.TOOL: ()})})
    other = Principal(id="2", method="jwt", agent=agent)
    assert (await ceilings.decide(other, Target(Kind.TOOL, "bank", "x"))).effect is Effect.ALLOW
