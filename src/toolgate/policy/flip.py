"""The cheapest change of a call that would turn its decision. Tries changes on the policy itself.

Changes of one argument come first, then the hour, then what a caller would have to be given; then both. Values are
taken from what the conditions themselves compare with.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from msgspec import structs

from toolgate.model import Call, Effect, Principal, Target, Task
from toolgate.policy.decisions import Policy
from toolgate.policy.rules import Rule, held_by
from toolgate.ports import Clock

TRIES = 2_000

_NUMBER = re.compile(r"(?<![\w.\"'])-?\d+(?:\.\d+)?(?![\w.])")
_TEXT = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")

Change = tuple[str, Principal, Call, Clock | None]
"""In words, and what the call would be."""


def cheapest(
    policy: Policy, principal: Principal, target: Target, call: Call, clock: Clock | None
) -> str | None:
    """A sentence, or None where no single change that was tried turns the decision."""
    allowed = policy.judge(principal, target, call, clock).effect is Effect.ALLOW
    rules = [rule for rule in policy.rules if rule.aims_at(target)]
    for words, who, what, when in islice(_changes(rules, principal, call, clock), TRIES):
        decision = policy.judge(who, target, what, when)
        if (decision.effect is Effect.ALLOW) != allowed:
            by = f"by {decision.rule}" if decision.rule else "by the default"
            return f"Cheapest change: {words}; then it is {decision.effect.value} {by}."
    return None


def _changes(rules: list[Rule], principal: Principal, call: Call, clock: Clock | None) -> Iterator[Change]:
    held = held_by(principal)
    own = [rule for rule in rules if rule.covers(held)]
    yield from _calls(own, principal, call, clock)
    grants = sorted(
        (rule for rule in rules if rule.effect is Effect.ALLOW and rule.lacks(held)),
        key=lambda rule: (len(rule.lacks(held)), rule.condition is not None, rule.id),
    )
    for rule in grants:
        words, given = _given(principal, rule.lacks(held))
        yield words, given, call, clock
    for rule in grants:
        words, given = _given(principal, rule.lacks(held))
        for more, who, what, when in _calls([rule], given, call, clock):
            yield f"{words}, and {more}", who, what, when


def _calls(rules: list[Rule], principal: Principal, call: Call, clock: Clock | None) -> Iterator[Change]:
    """Other arguments, then another hour of the same day."""
    conditions = [rule.condition for rule in rules if rule.condition is not None]
    for condition in conditions:
        values = list(_values(condition.text))
        for path in sorted({path[1:] for path in condition.paths if path[0] == "args" and len(path) > 1}):
            for value in values:
                arguments = _changed(call.params.get("arguments", {}), path, value)
                if arguments is not None:
                    changed = structs.replace(call, params={**call.params, "arguments": arguments})
                    yield f"args.{'.'.join(path)} = {value!r}", principal, changed, clock
    if clock is not None and any(name.startswith("now.") for one in conditions for name in one.reads):
        midnight = datetime.fromtimestamp(clock(), UTC).replace(minute=0, second=0, microsecond=0)
        for hours in range(1, 169):
            moment = midnight + timedelta(hours=hours)
            later = moment.timestamp()
            yield f"at {moment:%A %H:%M} UTC", principal, call, lambda later=later: later  # type: ignore[misc]


def _values(text: str) -> Iterator[Any]:
    """What an argument might be compared with, and its neighbours."""
    yield from dict.fromkeys(first or second for first, second in _TEXT.findall(text))
    for number in dict.fromkeys(_NUMBER.findall(_TEXT.sub("", text))):
        value = float(number) if "." in number else int(number)
        yield from (value, value - 1, value + 1)
    yield from (True, False)


def _changed(arguments: Any, path: tuple[str, ...], value: Any) -> dict[str, Any] | None:
    """The arguments with one value put in; None where the way to it is no object."""
    if not isinstance(arguments, Mapping):
        return None
    key, *rest = path
    if not rest:
        return {**arguments, key: value}
    inner = _changed(arguments.get(key, {}), tuple(rest), value)
    return None if inner is None else {**arguments, key: inner}


def _given(principal: Principal, lacks: list[tuple[str, frozenset[str]]]) -> tuple[str, Principal]:
    """The caller with one value of each kind that it lacks."""
    words: list[str] = []
    for kind, values in lacks:
        value = min(values)
        words.append(f"{kind[:-1].replace('_', ' ')} {value}")
        principal = structs.replace(principal, **_field(principal, kind, value))
    return f"with {' and '.join(words)}", principal


def _field(principal: Principal, kind: str, value: str) -> dict[str, Any]:
    if kind == "tasks":
        return {"task": Task(value)}
    if kind == "asserted_tasks":
        return {"asserted_task": value}
    if kind in ("roles", "scopes", "tags"):
        return {kind: (*getattr(principal, kind), value)}
    return {kind[:-1]: value}
