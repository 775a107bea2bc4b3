"""How rules combine: from the rules about a caller and a target to a plan, from a plan to a decision.

A plan is a short list of steps, conditions still open, in the order in which they outrank each other,
and the decision that stands where none of them matches. A condition that failed matches where its rule
denies or asks for approval, and does not where it allows.

| open steps may say | last decision | a call gets            | a list gets |
|--------------------|---------------|------------------------|-------------|
| nothing            | any           | the last               | the last    |
| deny               | deny          | deny                   | deny        |
| deny               | allow         | deny or allow          | depends     |
| deny               | approve       | deny or approve        | depends     |
| approve            | allow, deny   | approve, or the last   | depends     |
| allow              | allow         | allow                  | allow       |
| allow              | deny          | allow or deny          | depends     |
| several of them    | any           | the first that matches | depends     |

So a list says deny only where every step and the last decision do: what it hides, no call may do.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from toolgate.model import Decision, Effect
from toolgate.policy.cel import Failed, Verdict
from toolgate.policy.facts import Situation
from toolgate.policy.rules import Rule
from toolgate.policy.vocabulary import Stage

RANK = {Effect.DENY: 0, Effect.APPROVE: 1, Effect.ALLOW: 2}


class Plan(Struct, frozen=True, eq=False):
    """What is left to decide once caller and target are known."""

    steps: tuple[Rule, ...]
    last: Decision
    errors: tuple[str, ...] = ()
    listed: Decision | None = None
    """The answer of lists; None where the catalogue has to be asked each time."""


def by_rank(rules: Sequence[Rule]) -> list[Rule]:
    """deny > approve > allow; within an effect, those without a condition first, then by id."""
    return sorted(rules, key=lambda rule: (RANK[rule.effect], rule.condition is not None, rule.id))


def by_order(rules: Sequence[Rule]) -> list[Rule]:
    """As written, for `first-match`."""
    return sorted(rules, key=lambda rule: rule.order)


def make_plan(ordered: Sequence[Rule], default: Decision, situation: Situation) -> Plan:
    """The plan of these rules, of which the first that matches decides."""
    steps: list[Rule] = []
    errors: tuple[str, ...] = ()
    last = default
    for rule in ordered:
        verdict = rule.condition.settle(situation) if rule.condition else True
        if verdict is None:
            steps.append(rule)
            continue
        errors = _noted(errors, rule, verdict)
        if matches(rule, verdict):
            last = rule.decision
            break
    # What would be decided anyway needs no asking.
    while steps and last.rule is not None and steps[-1].effect is last.effect:
        steps.pop()
    plan = Plan(tuple(steps), _with(last, errors), errors)
    if any(rule.condition and rule.condition.stage is Stage.CATALOG for rule in steps):
        return plan
    return structs.replace(plan, listed=foresee(plan, situation))


def judge(plan: Plan, situation: Situation) -> Decision:
    """The decision on a call."""
    errors = plan.errors
    for rule in plan.steps:
        assert rule.condition is not None
        verdict = rule.condition.judge(situation)
        if verdict is False:
            continue
        if verdict is True and not errors:
            return rule.decision
        errors = _noted(errors, rule, verdict)
        if matches(rule, verdict):
            return _with(rule.decision, errors)
    return _with(plan.last, errors)


def foresee(plan: Plan, situation: Situation) -> Decision:
    """The decision of a list: DEPENDS unless it is the same whatever the call will be."""
    errors = plan.errors
    possible: list[Decision] = []
    for rule in plan.steps:
        assert rule.condition is not None
        verdict = rule.condition.foresee(situation)
        if verdict is not None:
            errors = _noted(errors, rule, verdict)
            if not matches(rule, verdict):
                continue
        possible.append(rule.decision)
        if verdict is not None:
            break
    else:
        possible.append(plan.last)
    if len({decision.effect for decision in possible}) == 1:
        return _with(possible[-1], errors)
    return Decision(Effect.DEPENDS, policy=plan.last.policy, errors=errors)


def matches(rule: Rule, verdict: Verdict) -> bool:
    """Whether a rule counts as matching: where nobody can say, the answer that widens nothing."""
    return rule.effect is not Effect.ALLOW if isinstance(verdict, Failed) else verdict


def _noted(errors: tuple[str, ...], rule: Rule, verdict: Verdict) -> tuple[str, ...]:
    return (*errors, f"{rule.id}: {verdict.text}") if isinstance(verdict, Failed) else errors


def _with(decision: Decision, errors: tuple[str, ...]) -> Decision:
    return structs.replace(decision, errors=errors) if errors else decision
