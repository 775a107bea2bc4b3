"""What a policy would have decided for recorded calls. Decides by the policy itself.

A record holds no claims, and often no arguments: where the decision would need them it is unknown, never guessed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from toolgate.model import Call, Decision, Effect, Kind, Principal, Target, Task
from toolgate.policy.decisions import Policy

UNKNOWN = "unknown"
EXAMPLES = 20
_KINDS = {kind.value: kind for kind in (Kind.TOOL, Kind.RESOURCE, Kind.PROMPT)}
_ANSWERED = frozenset({"call", "end"})


class Changed(Struct, frozen=True):
    """One kind of change, with the calls it was seen at first."""

    was: str
    now: str
    rule: str | None
    """What decides now."""
    count: int
    examples: tuple[str, ...]
    """Records, as `id who what`."""


class Replayed(Struct, frozen=True):
    """The outcome of a replay."""

    calls: int
    same: int
    unknown: int
    """Calls whose decision needs what the ledger does not hold."""
    changed: tuple[Changed, ...]


def replay(policy: Policy, records: Iterable[Mapping[str, Any]]) -> Replayed:
    """Decide recorded calls anew, each at its own time."""
    calls = same = unknown = 0
    changes: Counter[tuple[str, str, str | None]] = Counter()
    examples: dict[tuple[str, str, str | None], list[str]] = {}
    for record in records:
        target = _target(record)
        was = record.get("decision")
        if target is None or was is None or record.get("event", "call") not in _ANSWERED:
            continue
        calls += 1
        decision = _again(policy, record, target)
        if decision is None:
            unknown += 1
        elif decision.effect.value == was:
            same += 1
        else:
            key = (str(was), decision.effect.value, decision.rule)
            changes[key] += 1
            shown = examples.setdefault(key, [])
            if len(shown) < EXAMPLES:
                shown.append(f"{record.get('id')} {_who(record)} {target}")
    changed = tuple(
        Changed(*key, count, tuple(examples[key]))
        for key, count in sorted(changes.items(), key=lambda item: (-item[1], str(item[0])))
    )
    return Replayed(calls, same, unknown, changed)


def _again(policy: Policy, record: Mapping[str, Any], target: Target) -> Decision | None:
    principal = _principal(record)
    if record.get("arguments") is None and record.get("arguments_digest") is not None:
        decision = policy.foresee(principal, target)
    else:
        moment = datetime.fromisoformat(record["ts"]).timestamp()
        decision = policy.judge(principal, target, _call(record, target), lambda: moment)
    # A condition that failed may have failed for what the record leaves out.
    return None if decision.effect is Effect.DEPENDS or decision.errors else decision


def _principal(record: Mapping[str, Any]) -> Principal:
    task = record.get("task")
    return Principal(
        id=str(record.get("principal")),
        method=str(record.get("auth")),
        agent=record.get("agent"),
        user=record.get("user"),
        tenant=record.get("tenant"),
        roles=tuple(record.get("roles", ())),
        scopes=tuple(record.get("scopes", ())),
        tags=tuple(record.get("tags", ())),
        task=None if task is None else Task(task),
        asserted_task=record.get("asserted_task"),
    )


def _call(record: Mapping[str, Any], target: Target) -> Call:
    return Call(
        revision=record.get("revision", ""),
        door=record.get("door", ""),
        method=record.get("method", ""),
        body=b"",
        params={"arguments": record.get("arguments") or {}},
        name=target.name,
        client_ip=record.get("client_ip", ""),
    )


def _target(record: Mapping[str, Any]) -> Target | None:
    kind = _KINDS.get(record.get("kind", ""))
    if kind is None or not record.get("server") or not record.get("target"):
        return None
    return Target(kind, record["server"], record["target"])


def _who(record: Mapping[str, Any]) -> str:
    return str(record.get("agent") or record.get("user") or record.get("auth") or "-")
