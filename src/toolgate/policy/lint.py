"""What is allowed to be written but probably not meant, and what each rule costs. Warnings only."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from toolgate.errors import Problem
from toolgate.model import Effect, Principal, Target
from toolgate.policy.decisions import Policy, know_nothing
from toolgate.policy.facts import Situation
from toolgate.policy.index import Index
from toolgate.policy.patterns import split_pattern
from toolgate.policy.plan import RANK
from toolgate.policy.rules import Rule
from toolgate.policy.vocabulary import Stage


class Cost(Struct, frozen=True):
    """What a rule costs each call it may concern."""

    rule: str
    word: str
    """`static` (decided once), `condition` (a few µs), `reads all args` (grows with the arguments)."""


def costs(policy: Policy) -> list[Cost]:
    """What each rule costs, in the order written."""
    return [Cost(rule.id, _cost(rule)) for rule in policy.rules]


def lint(policy: Policy) -> list[Problem]:
    """Rules that change nothing, and keys of `environment` that nobody configured, in the order written."""
    covering = Index(rule for rule in policy.rules if rule.condition is None)
    problems: list[Problem] = []
    for rule in policy.rules:
        for text in (*_useless(policy, rule), *_unknown_keys(policy, rule)):
            file, line, column = rule.place
            problems.append(Problem(text, file=file, line=line, column=column, key=rule.id))
        if shadow := _shadow(policy, covering, rule):
            text = f"Never decides: `{shadow.id}` ({shadow.effect.value}) covers all it is about."
            file, line, column = rule.place
            problems.append(Problem(text, file=file, line=line, column=column, key=rule.id))
    return problems


def _cost(rule: Rule) -> str:
    if rule.condition is None or rule.condition.stage is Stage.SETTLED:
        return "static"
    return "reads all args" if rule.condition.reads.get("args", ()) is None else "condition"


def _useless(policy: Policy, rule: Rule) -> Iterator[str]:
    if rule.effect is Effect.ALLOW and policy.default.effect is Effect.ALLOW and not policy.first_match:
        yield "Changes nothing: what no rule denies is allowed by `default: allow` already."
    if rule.condition is not None and not rule.condition.reads and rule.condition.settle(_NOBODY) is False:
        yield "Never matches: its condition is false whoever calls."


def _unknown_keys(policy: Policy, rule: Rule) -> Iterator[str]:
    keys = rule.condition.reads.get("environment") if rule.condition else None
    for key in sorted((keys or frozenset()) - policy.environment.keys()):
        yield f"Reads `environment.{key}`, which is not configured here."


def _shadow(policy: Policy, covering: Index, rule: Rule) -> Rule | None:
    """A rule that decides wherever this one could."""
    for other in _about(covering, rule):
        if _outranks(policy, other, rule) and _asks_less(other, rule) and _aims_wider(covering, other, rule):
            return other
    return None


def _outranks(policy: Policy, other: Rule, rule: Rule) -> bool:
    if policy.first_match:
        return other.order < rule.order
    return RANK[other.effect] < RANK[rule.effect]


def _asks_less(other: Rule, rule: Rule) -> bool:
    """Whether every caller of the one is a caller of the other."""
    asked = dict(rule.asks)
    return all(kind in asked and asked[kind] <= values for kind, values in other.asks)


def _aims_wider(covering: Index, other: Rule, rule: Rule) -> bool:
    # A glob fits another glob's text only where its own `*` swallow the other's: then it covers it.
    return all(
        any(other is found for found in _found(covering, kind_target)) for kind_target in _targets(rule)
    )


def _about(covering: Index, rule: Rule) -> Iterable[Rule]:
    first = next(_targets(rule))
    return _found(covering, first)


def _found(covering: Index, target: Target) -> Iterator[Rule]:
    for shelf in covering.shelves(target):
        for rules in shelf.values():
            yield from rules


def _targets(rule: Rule) -> Iterator[Target]:
    """The patterns of a rule, as if they were names."""
    for kind, texts in rule.patterns.items():
        for text in texts:
            yield Target(kind, *split_pattern(text))


_NOBODY = Situation(Principal("", ""), Target(kind=next(iter(RANK)), server="", name=""), {}, know_nothing)  # type: ignore[arg-type]
