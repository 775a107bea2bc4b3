"""What an author should know of rules that are valid: doubtful ones, and what each costs. Changes nothing."""

from toolgate.model import Effect
from toolgate.policy.decisions import Policy
from toolgate.policy.rules import Rule


def warnings(policy: Policy) -> list[str]:
    """Rules that never decide anything, in the order they are written."""
    found = []
    for rule in policy.rules:
        place = f"{rule.place[0]}:{rule.place[1]}"
        shadow = next((other for other in policy.rules if other is not rule and _shadows(other, rule)), None)
        if shadow is not None and not policy.first_match:
            found.append(f"{place}: {rule.id} never decides: {shadow.id} denies all it is about.")
        if rule.effect is Effect.ALLOW and policy.default.effect is Effect.ALLOW and not policy.first_match:
            found.append(f"{place}: {rule.id} allows what the default allows already.")
    return found


def _shadows(other: Rule, rule: Rule) -> bool:
    return (
        other.effect is Effect.DENY
        and other.condition is None
        and not other.asks
        and all(set(texts) <= set(other.patterns.get(kind, ())) for kind, texts in rule.patterns.items())
        and (rule.effect is not Effect.DENY or rule.order > other.order)
    )


def costs(policy: Policy) -> list[str]:
    """What each rule costs a call, in the order they are written."""
    return [f"{rule.id:40} {_cost(rule)}" for rule in policy.rules]


def _cost(rule: Rule) -> str:
    if rule.condition is None:
        return "decided once per caller and target"
    whole = [name for name, keys in sorted(rule.condition.reads.items()) if name == "args" and keys is None]
    if whole:
        return "evaluated per call; converts all arguments"
    return f"evaluated per call; reads {', '.join(sorted(rule.condition.reads)) or 'nothing'}"
