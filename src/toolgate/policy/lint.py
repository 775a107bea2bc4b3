"""What is allowed to be written but probably not meant, and what each rule costs. Warnings only."""

from collections.abc import Iterator

from msgspec import Struct

from toolgate.errors import Problem
from toolgate.model import Effect, Kind, Principal, Target
from toolgate.policy.decisions import Policy
from toolgate.policy.index import Index
from toolgate.policy.patterns import split_pattern
from toolgate.policy.plan import RANK
from toolgate.policy.rules import KINDS, Rule
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
    return [
        _warning(rule, text)
        for rule in policy.rules
        for text in (
            *_useless(policy, rule),
            *_unknown_keys(policy, rule),
            *_shadowed(policy, covering, rule),
        )
    ]


def _warning(rule: Rule, text: str) -> Problem:
    file, line, column = rule.place
    return Problem(text, file=file, line=line, column=column, key=rule.id)


def _cost(rule: Rule) -> str:
    if rule.condition is None or rule.condition.stage is Stage.SETTLED:
        return "static"
    return "reads all args" if rule.condition.reads.get("args", ()) is None else "condition"


def _useless(policy: Policy, rule: Rule) -> Iterator[str]:
    if rule.effect is Effect.ALLOW and policy.default.effect is Effect.ALLOW and not policy.first_match:
        yield "Changes nothing: what no rule denies is allowed by `default: allow` already."
    if rule.condition is not None and not rule.condition.reads:
        nobody = policy.situation(Principal("nobody", "lint"), Target(Kind.SERVER, "", ""))
        if rule.condition.settle(nobody) is False:
            yield "Never matches: its condition is false whoever calls."


def _unknown_keys(policy: Policy, rule: Rule) -> Iterator[str]:
    keys = rule.condition.reads.get("environment") if rule.condition else None
    for key in sorted((keys or frozenset()) - policy.environment.keys()):
        yield f"Reads `environment.{key}`, which is not configured here."


def _shadowed(policy: Policy, covering: Index, rule: Rule) -> Iterator[str]:
    """Other rules that decide wherever this one could, whatever the arguments."""
    asked = {kind: frozenset[str]() for kind in KINDS} | dict(rule.asks)
    # A glob fits another glob's text only where its own `*` swallow the other's: then it covers it.
    found = [{other.order: other for other in covering.find(target, asked)} for target in _targets(rule)]
    for order, other in sorted(found[0].items()):
        everywhere = all(order in others for others in found)
        if everywhere and _outranks(policy, other, rule) and _asks_less(other, rule):
            yield f"Never decides: `{other.id}` ({other.effect.value}) covers all it is about."
            return


def _outranks(policy: Policy, other: Rule, rule: Rule) -> bool:
    if policy.first_match:
        return other.order < rule.order
    return RANK[other.effect] < RANK[rule.effect]


def _asks_less(other: Rule, rule: Rule) -> bool:
    """Whether every caller of the one is a caller of the other."""
    asked = dict(rule.asks)
    return all(kind in asked and asked[kind] <= values for kind, values in other.asks)


def _targets(rule: Rule) -> Iterator[Target]:
    """The patterns of a rule, as if they were names."""
    for kind, texts in rule.patterns.items():
        for text in texts:
            yield Target(kind, *split_pattern(text))
