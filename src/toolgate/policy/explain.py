"""Why a decision came out as it did: every rule, what it read, and what would change the answer.

Asks the policy for the decision and only describes it; nothing is decided here.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from toolgate.model import Call, Decision, Effect, Principal, Target
from toolgate.policy.cel import Failed, Verdict
from toolgate.policy.decisions import Policy
from toolgate.policy.facts import Situation
from toolgate.policy.flip import cheapest
from toolgate.policy.plan import matches
from toolgate.policy.rules import Held, Rule, held_by
from toolgate.ports import Clock

OTHER_TARGET = "about other targets"
TASK = "task "
"""Stands before a task's id where the task decided; no rule's id has a space."""


class Look(Struct, frozen=True):
    """What became of one rule."""

    rule: str
    effect: str
    place: str
    """File and line."""
    matched: bool | None
    """None: the call will decide."""
    why: str
    condition: str | None = None
    read: dict[str, Any] = {}
    """What the condition read, by name."""


class Explanation(Struct, frozen=True):
    """A decision with everything that led to it."""

    target: str
    decision: Decision
    looks: tuple[Look, ...]
    hints: tuple[str, ...]
    """What would change the answer."""

    def lines(self) -> list[str]:
        """For people. Rules about other targets are only counted."""
        shown = [look for look in self.looks if look.why != OTHER_TARGET]
        by = f"rule {self.decision.rule}" if self.decision.rule else "no rule; the default holds"
        lines = [f"{self.target}: {self.decision.effect} ({by})", f"policy {self.decision.policy}"]
        if self.decision.reason:
            lines.append(f"reason: {self.decision.reason}")
        for look in shown:
            mark = {True: "+", False: "-", None: "?"}[look.matched]
            lines.append(f"{mark} {look.rule} ({look.effect}, {look.place}): {look.why}")
            lines += [f"    when {look.condition}"] if look.condition else []
            lines += [f"    {name} = {value!r}" for name, value in look.read.items()]
        if others := len(self.looks) - len(shown):
            lines.append(f"  {others} more {OTHER_TARGET}")
        return lines + [f"> {hint}" for hint in self.hints]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        decision = {name: getattr(self.decision, name) for name in self.decision.__struct_fields__}
        return {
            "target": self.target,
            "decision": {
                **decision,
                "effect": self.decision.effect.value,
                "errors": list(self.decision.errors),
            },
            "rules": [{name: getattr(look, name) for name in look.__struct_fields__} for look in self.looks],
            "hints": list(self.hints),
        }


def explain(
    policy: Policy, principal: Principal, target: Target, call: Call | None = None, clock: Clock | None = None
) -> Explanation:
    """What `policy` decides and why; without a call, what a list would show. Without a clock, time is unknown."""
    policy = policy.judging(principal, target, call)
    decision = policy.judge(principal, target, call, clock)
    situation = policy.situation(principal, target, call, clock)
    held = held_by(principal)
    looks = tuple(_look(rule, situation, held) for rule in policy.rules)
    hints = _hints(policy, decision, looks)
    turn = None if call is None else cheapest(policy, principal, target, call, clock)
    return Explanation(str(target), decision, looks, tuple(hints if turn is None else [turn, *hints]))


def _look(rule: Rule, situation: Situation, held: Held) -> Look:
    place = f"{rule.place[0]}:{rule.place[1]}"
    if not rule.aims_at(situation.target):
        return Look(rule.id, rule.effect.value, place, False, OTHER_TARGET)
    if lacks := rule.lacks(held):
        return Look(rule.id, rule.effect.value, place, False, f"the caller has {_needs(lacks, none=True)}")
    if rule.condition is None:
        return Look(rule.id, rule.effect.value, place, True, "matches")
    verdict = _verdict(rule, situation)
    return Look(
        rule.id,
        rule.effect.value,
        place,
        None if verdict is None else matches(rule, verdict),
        _why(rule, verdict),
        rule.condition.text,
        {name: _plain(value) for name, value in rule.condition.values(situation).items()},
    )


def _plain(value: Any) -> Any:
    """As JSON can say it."""
    return value.isoformat() if isinstance(value, datetime) else value


def _verdict(rule: Rule, situation: Situation) -> Verdict | None:
    """As the plan asks: early where that is enough, else in the call."""
    assert rule.condition is not None
    if situation.call is None:
        return rule.condition.foresee(situation)
    settled = rule.condition.settle(situation)
    return rule.condition.judge(situation) if settled is None else settled


def _why(rule: Rule, verdict: Verdict | None) -> str:
    if verdict is None:
        return "its condition depends on the call"
    if isinstance(verdict, Failed):
        counts = "matches" if matches(rule, verdict) else "does not match"
        return f"its condition failed ({verdict.text}), so it {counts}"
    return "matches" if verdict else "its condition is false"


def _needs(lacks: list[tuple[str, frozenset[str]]], *, none: bool = False) -> str:
    word = "none" if none else "one"
    return " and ".join(f"{word} of the {kind} {', '.join(sorted(values))}" for kind, values in lacks)


def _hints(policy: Policy, decision: Decision, looks: tuple[Look, ...]) -> list[str]:
    """What would change the answer, nearest things first."""
    if decision.effect is Effect.ALLOW:
        return []
    if decision.effect is Effect.DEPENDS:
        return [
            f"{look.rule} says {look.effect} if: {look.condition}" for look in looks if look.matched is None
        ]
    if decision.rule is not None and decision.rule.startswith(TASK):
        return [f"The {decision.rule} is limited to other tools: no rule can allow this one under it."]
    if decision.rule is not None:
        look = next(look for look in looks if look.rule == decision.rule)
        return [_hint_against(look, first_match=policy.first_match)]
    near = [look for look in looks if look.effect != Effect.DENY and look.why != OTHER_TARGET]
    hints = [f"{look.rule} would {look.effect} it, but {look.why}." for look in near]
    return hints or ["No rule allows this target to anybody."]


def _hint_against(look: Look, *, first_match: bool) -> str:
    if look.condition:
        return f"{look.rule} decides for as long as its condition is not false: {look.condition}"
    before = " Only a rule before it could say otherwise." if first_match else ""
    return f"{look.rule} decides whatever the arguments are.{before}"
