"""One rule, compiled: whom it covers, what it aims at, what follows. Knows no other rule."""

from collections.abc import Mapping

from msgspec import Struct

from toolgate.model import Decision, Effect, Kind, Principal, Target, Task
from toolgate.policy.condition import Condition
from toolgate.policy.document import Place
from toolgate.policy.patterns import Glob, split_pattern

Held = Mapping[str, frozenset[str]]
"""What a principal has, by the kinds rules name: agents, users, roles, …, and tasks."""

KINDS = ("users", "agents", "tasks", "asserted_tasks", "tenants", "tags", "roles", "scopes")
"""What a rule may ask of a caller, the most telling first."""


def held_by(principal: Principal) -> Held:
    """What rules compare with."""
    return {
        "users": _one(principal.user),
        "agents": _one(principal.agent),
        "tasks": _one(principal.task.id if principal.task else None),
        "asserted_tasks": _one(principal.task.id if principal.task else principal.asserted_task),
        "tenants": _one(principal.tenant),
        "tags": frozenset(principal.tags),
        "roles": frozenset(principal.roles),
        "scopes": frozenset(principal.scopes),
    }


def outside(task: Task, target: Target) -> bool:
    """Whether a tool is none of those that a task is limited to."""
    if task.tools is None or target.kind is not Kind.TOOL:
        return False
    patterns = map(split_pattern, task.tools)
    return not any(
        Glob(server).fits(target.server) and Glob(name).fits(target.name) for server, name in patterns
    )


def _one(value: str | None) -> frozenset[str]:
    return frozenset() if value is None else frozenset((value,))


class Rule(Struct, frozen=True, eq=False):
    """A rule. `asks` holds each kind it names with the values of which one is enough."""

    id: str
    effect: Effect
    asks: tuple[tuple[str, frozenset[str]], ...]
    patterns: Mapping[Kind, tuple[str, ...]]
    condition: Condition | None
    decision: Decision
    """What is answered where it decides and no condition failed."""
    order: int
    """Its position among all rules."""
    place: Place

    def covers(self, held: Held) -> bool:
        """Whether it is about this caller."""
        return all(not held[kind].isdisjoint(values) for kind, values in self.asks)

    def lacks(self, held: Held) -> list[tuple[str, frozenset[str]]]:
        """What a caller would have to have, kind by kind."""
        return [(kind, values) for kind, values in self.asks if held[kind].isdisjoint(values)]

    def aims_at(self, target: Target) -> bool:
        """Whether it is about this target. Asked by explanations; decisions ask the index."""
        parts = [split_pattern(text) for text in self.patterns.get(target.kind, ())]
        return any(
            Glob(server).fits(target.server) and Glob(name).fits(target.name) for server, name in parts
        )
