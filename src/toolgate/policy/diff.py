"""Two policies compared: rules by id, and what each decides for callers and targets that their rules tell apart.

Arguments and time are left open, as in lists: where both say that the call decides, only the rules can differ.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec import Struct

from toolgate.model import Principal, Target, Task
from toolgate.policy.decisions import Policy
from toolgate.policy.patterns import split_pattern

MOST = 20_000
"""Pairs compared: every caller that rules tell apart, with every target they name."""


class Difference(Struct, frozen=True):
    """What one policy decides otherwise than another."""

    caller: str
    target: str
    before: str
    after: str


class Diff(Struct, frozen=True):
    """Two policies compared."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    """Rules by id."""
    compared: int
    """Pairs of caller and target that both policies were asked about."""
    differences: tuple[Difference, ...]


Rules = Mapping[str, Mapping[str, Any]]
"""Rules as written, by id."""


def diff(before: Policy, after: Policy, old: Rules, new: Rules) -> Diff:
    """Compare; `old` and `new` are the rules of the two."""
    differences: list[Difference] = []
    compared = 0
    for principal, target in _pairs(before, after):
        compared += 1
        one, other = before.foresee(principal, target), after.foresee(principal, target)
        if one.effect is not other.effect:
            differences.append(Difference(principal.id, str(target), one.effect.value, other.effect.value))
    return Diff(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
        compared=compared,
        differences=tuple(differences),
    )


def _pairs(before: Policy, after: Policy) -> Iterator[tuple[Principal, Target]]:
    """Every caller that some rule is about, and nobody, with every target that some rule names."""
    rules = (*before.rules, *after.rules)
    callers = {rule.asks: _caller(rule.asks) for rule in rules}
    callers[()] = _caller(())
    targets = {
        Target(kind, *(part.replace("*", "any") for part in split_pattern(text))): None
        for rule in rules
        for kind, texts in rule.patterns.items()
        for text in texts
    }
    pairs = ((caller, target) for caller in callers.values() for target in targets)
    yield from islice(pairs, MOST)


def _caller(asks: tuple[tuple[str, frozenset[str]], ...]) -> Principal:
    """Somebody with one value of each kind that is asked for."""
    has = {kind: min(values) for kind, values in asks}
    task = has.get("tasks")
    return Principal(
        id=", ".join(f"{kind}: {value}" for kind, value in has.items()) or "anybody else",
        method="diff",
        agent=has.get("agents"),
        user=has.get("users"),
        tenant=has.get("tenants"),
        roles=_one(has.get("roles")),
        scopes=_one(has.get("scopes")),
        tags=_one(has.get("tags")),
        task=None if task is None else Task(task),
        asserted_task=has.get("asserted_tasks"),
    )


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)
