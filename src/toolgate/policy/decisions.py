"""The policy: the one object that lists and calls ask. Knows what to remember, not how rules combine.

Rules judge tools, resources and prompts. A target of `Kind.SERVER` (lists, initialize, discover,
completion) is aimed at by no rule: the pipeline does not ask about it, and would get the default.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from toolgate.model import Call, Decision, Effect, Principal, Target
from toolgate.policy.facts import Situation, ToolFacts
from toolgate.policy.index import Index
from toolgate.policy.plan import Plan, by_order, by_rank, foresee, judge, make_plan
from toolgate.policy.remembered import Remembered
from toolgate.policy.rules import Rule, held_by, outside
from toolgate.policy.totals import Totals
from toolgate.ports import Clock


def know_nothing(target: Target) -> Mapping[str, Any] | None:
    """Facts about tools where there is no catalogue: none."""
    return None


def spoken(reason: str | Mapping[str, str] | None) -> dict[str, Any]:
    """A reason as decisions hold it: the default text, and those by language."""
    if reason is None or isinstance(reason, str):
        return {"reason": reason}
    return {
        "reason": reason["default"],
        "reasons": {language: text for language, text in reason.items() if language != "default"},
    }


class Policy:
    """A compiled set of rules. Meets `ports.Decide`."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        version: str,
        default: Effect,
        reason: str | Mapping[str, str] | None = None,
        first_match: bool = False,
        environment: Mapping[str, Any],
        facts: ToolFacts = know_nothing,
        totals: Totals | None = None,
        clock: Clock = time.time,
        lists: "Policy | None" = None,
    ) -> None:
        """Without `totals` there are none to be read. `lists` is asked before, about what lists show; where it
        answers DEPENDS, it says nothing."""
        self.rules = tuple(rules)
        self.version = version
        self.default = Decision(default, policy=version, **spoken(reason if default is Effect.DENY else None))
        self.first_match = first_match
        self.environment = environment
        self._ordered = by_order if first_match else by_rank
        self._index = Index(rules)
        self._remembered = Remembered()
        self._facts = facts
        self._totals = totals
        self._clock = clock
        self.reads_catalog = any(rule.condition and rule.condition.reads_catalog for rule in rules)
        self._lists = lists

    async def decide(self, principal: Principal, target: Target, call: Call | None = None) -> Decision:
        """With `call`, never DEPENDS. Without, arguments and time are unknown. Never raises."""
        if self._totals is None or call is None:
            return self.judge(principal, target, call, self._clock)
        now = self._clock()
        decision = self.judge(principal, target, call, lambda: now)
        if decision.effect is not Effect.ALLOW:
            return decision
        return self._counted(decision, self.situation(principal, target, call, lambda: now))

    def _counted(self, decision: Decision, situation: Situation) -> Decision:
        """The decision with what it adds to totals; a call that cannot be counted is denied."""
        assert self._totals is not None
        hold = self._totals.hold(self._totals.about(situation.target), situation)
        if isinstance(hold, str):
            return Decision(Effect.DENY, policy=self.version, errors=(*decision.errors, f"total {hold}"))
        return decision if hold is None else structs.replace(decision, hold=hold)

    def judge(
        self, principal: Principal, target: Target, call: Call | None, clock: Clock | None = None
    ) -> Decision:
        """As `decide`; without a clock the time is unknown to calls too."""
        if call is None:
            return self.judging(principal, target, None).foresee(principal, target)
        plan = self._planned(principal, target)
        if not plan.steps:
            return plan.last
        return judge(plan, self.situation(principal, target, call, clock))

    def foresee(self, principal: Principal, target: Target) -> Decision:
        """What can be said of every call before there is one. Rules about lists say nothing of it."""
        plan = self._planned(principal, target)
        return plan.listed or foresee(plan, self.situation(principal, target))

    def _planned(self, principal: Principal, target: Target) -> Plan:
        plan = self._remembered.get(principal, target)
        if plan is None:
            plan = self._plan(principal, target)
            self._remembered.put(principal, target, plan)
        return plan

    def judging(self, principal: Principal, target: Target, call: Call | None) -> "Policy":
        """The policy whose rules decide this: itself, or the one about lists."""
        if call is None and self._lists is not None:
            listed = self._lists.foresee(principal, target)
            return self if listed.effect is Effect.DEPENDS else self._lists
        return self

    def situation(
        self, principal: Principal, target: Target, call: Call | None = None, clock: Clock | None = None
    ) -> Situation:
        """What conditions may look at."""
        return Situation(
            principal,
            target,
            self.environment,
            self._facts,
            call,
            clock() if call and clock else None,
            self._totals,
        )

    def _plan(self, principal: Principal, target: Target) -> Plan:
        if principal.task is not None and outside(principal.task, target):
            # Whatever the rules say: rights are what rules and task both give.
            denied = Decision(Effect.DENY, rule=f"task {principal.task.id}", policy=self.version)
            return Plan((), denied, listed=denied)
        rules = self._index.find(target, held_by(principal))
        return make_plan(self._ordered(rules), self.default, self.situation(principal, target))
