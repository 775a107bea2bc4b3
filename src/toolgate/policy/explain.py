"""Why a decision is what it is: every rule about the target, and what keeps it from matching. Decides nothing new."""

from typing import Any

from msgspec import Struct

from toolgate.model import Call, Decision, Principal, Target
from toolgate.policy.cel import Failed
from toolgate.policy.decisions import Policy
from toolgate.policy.facts import Situation
from toolgate.policy.rules import Rule, held_by
from toolgate.ports import Clock


class Look(Struct, frozen=True):
    """One rule that was looked at."""

    rule: str
    effect: str
    matches: bool
    why: str
    place: str
    values: dict[str, Any]
    """What its condition read."""


class Explanation(Struct, frozen=True):
    """A decision and everything that led to it."""

    target: str
    decision: Decision
    looks: tuple[Look, ...]

    def lines(self) -> list[str]:
        """For people."""
        decision = self.decision
        by = f"rule {decision.rule}" if decision.rule else "the default, since no rule matches"
        lines = [f"{self.target}: {decision.effect} by {by}"]
        if decision.reason:
            lines.append(f"  the caller reads: {decision.reason}")
        for look in self.looks:
            mark = "matches" if look.matches else "does not match"
            lines.append(f"  {look.effect:7} {look.rule} ({look.place}) {mark}: {look.why}")
            lines.extend(f"          {name} = {value!r}" for name, value in look.values.items())
        lines.append(f"  policy {decision.policy}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        looks = [{field: getattr(look, field) for field in look.__struct_fields__} for look in self.looks]
        decision = {field: getattr(self.decision, field) for field in self.decision.__struct_fields__}
        return {"target": self.target, "decision": decision, "rules": looks}


def explain(
    policy: Policy, principal: Principal, target: Target, call: Call | None, clock: Clock | None
) -> Explanation:
    """The decision `policy` makes, with every rule that is about this target."""
    situation = policy.situation(principal, target, call, clock)
    looks = [
        _look(rule, principal, situation, called=call is not None)
        for rule in policy.rules
        if rule.aims_at(target)
    ]
    return Explanation(str(target), policy.judge(principal, target, call, clock), tuple(looks))


def _look(rule: Rule, principal: Principal, situation: Situation, *, called: bool) -> Look:
    matches, why = _why(rule, principal, situation, called=called)
    values = rule.condition.values(situation) if rule.condition is not None else {}
    file, line, _ = rule.place
    return Look(rule.id, rule.effect.value, matches, why, f"{file}:{line}", values)


def _why(rule: Rule, principal: Principal, situation: Situation, *, called: bool) -> tuple[bool, str]:
    lacking = rule.lacks(held_by(principal))
    if lacking:
        wanted = "; ".join(f"{kind} has none of {', '.join(sorted(values))}" for kind, values in lacking)
        return False, wanted
    if rule.condition is None:
        return True, "it asks for nothing else"
    if not called:
        return True, f"perhaps, depending on the call: {rule.condition.text}"
    verdict = rule.condition.judge(situation)
    if isinstance(verdict, Failed):
        closed = rule.effect != "allow"
        return closed, f"its condition failed, which counts against the caller: {verdict}"
    return verdict is True, f"{rule.condition.text} is {'true' if verdict is True else 'false'}"
